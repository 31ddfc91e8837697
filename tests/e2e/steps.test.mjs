// Steps that call somebody: over HTTP, by mail, in a database, by what a connector's type declares. The secret is put in at
// the wire and stays there; what goes wrong has its code; and no step leads to where its credential may not go.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { Flows, stepOf, transform } from "./lib/flows.mjs";
import { eventually } from "./lib/instance.mjs";
import { Listener } from "./lib/listener.mjs";
import { startMariadbTls } from "./lib/mariadb_tls.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import { Provider } from "./lib/provider.mjs";
import * as faults from "./lib/provider_faults.mjs";
import { ACCOUNT, startSmtp } from "./lib/smtp.mjs";
import { echo, echoType } from "./lib/step_servers.mjs";
import { idBytes, Tenant, unknownId } from "./lib/tenants.mjs";

const KEY = "key-0123456789/abcdef+xyz=";
let world, lw, provider, elsewhere, listener, postgres, mariadb, mail, tenant, stranger, flows, connector, credentials;

before(async () => {
  listener = await new Listener().start();
  world = await startWorld({
    egress: `ports = ${listener.port}\ntimeout_ms = 20000\nconnect_timeout_ms = 10000\n`,
    async prepare(w) {
      w.servers.push(listener);
      [elsewhere, postgres, mariadb, mail] = await Promise.all([new Provider(w.ca).start(), startPostgres(w.ca), startMariadbTls(w.ca), startSmtp(w.ca)]);
      w.servers.push(elsewhere, postgres, mariadb, mail);
      const file = path.join(w.directory, "mail.secret");
      fs.writeFileSync(file, `${ACCOUNT.password}\n`, { mode: 0o644 });
      return `[mail]\nhost = localhost\nport = ${mail.ports.tls}\nuser = ${ACCOUNT.username}\npassword_file = ${file}\nfrom = house@latchwork.test\n`;
    },
    hosts: () => [elsewhere.host, ...[postgres.port, mariadb.port, ...Object.values(mail.ports)].map((port) => `localhost:${port}`)],
    types: ({ provider: p }) => [echoType(p), fakeType(p)],
  });
  ({ lw, provider } = world);
  [tenant, stranger] = await Promise.all(["steppers", "strangers"].map((name) => new Tenant(lw, name).start()));
  flows = new Flows(lw, tenant.owner.token);
  connector = (await tenant.does("POST", "/api/v1/connectors", { connector_type: "echoing", display_name: "Echo", config: { key: KEY } })).id;
  postgres.sql("CREATE TABLE item (id bigint PRIMARY KEY, name text, price numeric(12,2), good boolean, made timestamptz, more jsonb);" +
    "INSERT INTO item SELECT n, 'item ' || n, n + 0.5, n % 2 = 0, '2026-01-01T00:00:00Z', json_build_object('n', n) FROM generate_series(1, 5000) n");
  mariadb.rows("USE shop; CREATE TABLE shop.item (id bigint PRIMARY KEY, name varchar(100), price decimal(12,2), small tinyint, made datetime, raw blob);" +
    "INSERT INTO shop.item SELECT seq, CONCAT('item ', seq), seq + 0.5, seq % 2, '2026-01-01', X'00FF' FROM seq_1_to_5000;" +
    `GRANT INSERT, UPDATE, DELETE ON shop.item TO '${mariadb.user}'@'%'`);
  const credential = async (type, data, more) => (await tenant.does("POST", "/api/v1/credentials", { name: type, type, data, ...more })).id;
  const login = ({ port, user: username, password, database }) => ({ host: "localhost", port, username, password, database });
  credentials = {
    key: await credential("api_key", { api_key: KEY }),
    header: await credential("api_key", { api_key: KEY, header: "X-Api-Key" }),
    typed: await credential("api_key", { api_key: KEY }, { service: "echoing" }),
    basic: await credential("basic_auth", { username: "ada", password: "a password of Ada's" }),
    postgres: await credential("database", { engine: "postgresql", ...login(postgres) }),
    mariadb: await credential("database", { engine: "mariadb", ...login(mariadb) }),
    wrong: await credential("database", { engine: "postgresql", ...login(postgres), password: "not the password 0123" }),
    mail: await credential("smtp", { host: "localhost", port: mail.ports.tls, ...ACCOUNT, from: "Shop <shop@mail.test>" }),
    badMail: await credential("smtp", { host: "localhost", port: mail.ports.tls, username: ACCOUNT.username, password: "not the password 0123", from: "shop@mail.test" }),
  };
});
after(async () => { await world?.stop(); });
beforeEach(() => {
  provider?.reset();
  Object.assign(provider?.scripts ?? {}, { "api/echo": echo, echo });
  elsewhere?.reset();
  mail?.refuse();
});

/** One step alone, run to its end: its row. */
async function run(type, config, { input = null, ...more } = {}) {
  const done = await flows.runs([{ id: "one", type, config, ...more }], input);
  return stepOf(done, "one");
}
const http = (config, more) => run("http", config, more);

async function gives(type, config, more) {
  const step = await run(type, config, more);
  assert.equal(step.status, "completed", JSON.stringify(step.error));
  return step.output_data;
}

async function fails(code, type, config, more) {
  const step = await run(type, config, more);
  assert.deepEqual([step.status, step.error?.code], ["failed", code], JSON.stringify(step));
  return step;
}
const nothingWasSent = () => assert.deepEqual([provider.calls, elsewhere.calls, listener.knocks], [[], [], []]);

// --- http --------------------------------------------------------------------------------------------------------

test("a connector's secret goes along and is blotted out of what comes back, however it is spelled", async () => {
  const output = await gives("http", { connector_id: connector, method: "POST", url: "/echo?a=1", query: { b: "{{ .input.b }}", n: 2, none: null },
    headers: { "X-Mine": "{{ .input.b }}" }, body: { hello: "{{ .input.b }}" } }, { input: { b: "x y&z" } });
  const [call] = provider.called("/api/echo");
  assert.equal(call.headers.authorization, `Bearer ${KEY}`);
  assert.equal(call.url, "/api/echo?a=1&b=x%20y%26z&n=2");
  assert.deepEqual([call.headers["x-mine"], call.headers["content-type"], JSON.parse(call.body)], ["x y&z", "application/json", { hello: "x y&z" }]);
  assert.match(call.headers["idempotency-key"], /^exec-\w+\.one$/);
  assert.equal(output.status, 200);
  assert.equal(output.body.headers.authorization, "Bearer ****");
  assert.equal(output.headers["x-request-id"], "req-****");
  assert.equal(output.headers["set-cookie"], undefined);
  const written = JSON.stringify(output);
  for (const form of [KEY, encodeURIComponent(KEY), encodeURIComponent(KEY).toLowerCase(), Buffer.from(KEY).toString("base64").slice(0, -4), Buffer.from(KEY).toString("hex"),
    Buffer.from(`x${KEY}`).toString("base64").slice(4, -4), Buffer.from(KEY).toString("base64url").slice(0, -4), KEY.replaceAll("/", "\\\\/")])
    assert.ok(!written.includes(form), `${form} in ${written}`);
});

test("the answer's text is blotted out, too, and an answer without a body is null", async () => {
  const text = await gives("http", { connector_id: connector, url: "/echo?as=text" });
  assert.match(text.body, /^you sent Bearer \*\*\*\*/);
  const empty = await gives("http", { connector_id: connector, method: "HEAD", url: "/echo" });
  assert.deepEqual([empty.status, empty.body], [200, null]);
});

test("a credential goes along as its type says: a bearer, a header of its own, a user and a password", async () => {
  const url = `${elsewhere.url}/echo`;
  elsewhere.scripts.echo = echo;
  for (const [name, header, value] of [["key", "authorization", `Bearer ${KEY}`], ["header", "x-api-key", KEY],
    ["basic", "authorization", `Basic ${Buffer.from("ada:a password of Ada's").toString("base64")}`]]) {
    const output = await gives("http", { credential_id: credentials[name], url });
    assert.equal(elsewhere.calls.at(-1).headers[header], value);
    assert.ok(!JSON.stringify(output).includes(value.split(" ").at(-1)), name);
  }
  await fails("STEP_CONFIG", "http", { credential_id: credentials.postgres, url });
  assert.equal(elsewhere.calls.length, 3);
});

test("a token that has run out is renewed before it goes along", async () => {
  provider.firstTtl = 1; // over by the time that it is used
  const { connector: signedIn } = await world.connect("fake", tenant.owner.token);
  const output = await gives("http", { connector_id: signedIn.id, url: `${provider.url}/echo` });
  assert.equal(output.body.headers.authorization, "Bearer ****");
  assert.equal(provider.count(), 1);
  assert.ok(provider.isGood(provider.called("/echo").at(-1).headers.authorization.slice(7)));
});

test("bodies are JSON, a form, or text", async () => {
  const sent = async (config) => {
    await gives("http", { connector_id: connector, url: "/echo", method: "PUT", ...config });
    const { headers, body } = provider.calls.at(-1);
    return [headers["content-type"], body];
  };
  assert.deepEqual(await sent({ body: [1, "{{ 1 + 1 }}", { "{{x}}": null }] }), ["application/json", '[1,2,{"{{x}}":null}]']);
  assert.deepEqual(await sent({ body: { a: "1 2", b: 3, c: null }, body_type: "form" }), ["application/x-www-form-urlencoded", "a=1%202&b=3"]);
  assert.deepEqual(await sent({ body: "plain {key}", body_type: "text" }), ["text/plain; charset=utf-8", "plain {key}"]);
  assert.deepEqual(await sent({ body: "<a/>", body_type: "text", headers: { "content-type": "application/xml" } }), ["application/xml", "<a/>"]);
  assert.deepEqual(await sent({}), [undefined, ""]);
});

test("what a definition says is no template of the connector's: {key} stays {key}", async () => {
  await gives("http", { connector_id: connector, method: "POST", url: "/echo", query: { a: "{key}" }, headers: { "X-A": "{key}" }, body: { a: "{key}" } });
  const [call] = provider.calls;
  assert.deepEqual([call.url, call.headers["x-a"], call.body], ["/api/echo?a=%7Bkey%7D", "{key}", '{"a":"{key}"}']);
  await fails("STEP_CONFIG", "http", { connector_id: connector, url: "/echo/{key}" });
  assert.equal(provider.calls.length, 1);
});

test("a bad status is a failure unless that is wanted; only what may be repeated is", async () => {
  const status = (code, headers = {}) => (request, response) => response.writeHead(code, headers).end("no");
  const tries = async (code, config, more) => {
    provider.calls = [];
    const step = await fails("UPSTREAM_FAILED", "http", { connector_id: connector, url: "/echo", ...config }, more);
    assert.match(step.error.message, new RegExp(`${code}`));
    return provider.calls.length;
  };
  provider.scripts["api/echo"] = status(404);
  assert.equal(await tries(404), 1);
  assert.equal((await gives("http", { connector_id: connector, url: "/echo", fail_on_status: false })).status, 404);
  provider.scripts["api/echo"] = status(503);
  assert.equal(await tries(503, { method: "POST" }), 1);
  assert.equal(await tries(503, {}, { retry: { attempts: 2, delay_ms: 10 } }), 2);
  assert.equal(await tries(503, { method: "POST" }, { retry: { attempts: 2, delay_ms: 10 } }), 2);
  const keys = provider.calls.map(({ headers }) => headers["idempotency-key"]);
  assert.equal(new Set(keys).size, 1);
});

test("a GET is asked again by itself, when the other side says that it may be", async () => {
  let n = 0;
  provider.scripts["api/echo"] = (request, response) => (n++ ? echo(request, response) : response.writeHead(429, { "Retry-After": "2" }).end());
  const began = Date.now(), step = await http({ connector_id: connector, url: "/echo" }, { retry: { attempts: 3, delay_ms: 10 } });
  assert.deepEqual([step.status, step.attempt], ["completed", 2]);
  assert.ok(Date.now() - began >= 2000);
});

test("who doesn't answer, says too much or breaks off is told apart", async () => {
  const once = { retry: { attempts: 1 } };
  provider.scripts["api/echo"] = faults.hangs;
  await fails("UPSTREAM_TIMEOUT", "http", { connector_id: connector, url: "/echo" }, { ...once, timeout_ms: 500 });
  provider.scripts["api/echo"] = faults.huge;
  await fails("STEP_OUTPUT_TOO_LARGE", "http", { connector_id: connector, url: "/echo" });
  provider.scripts["api/echo"] = faults.gzipBomb;
  await fails("STEP_OUTPUT_TOO_LARGE", "http", { connector_id: connector, url: "/echo" });
  provider.scripts["api/echo"] = faults.resets;
  await fails("UPSTREAM_FAILED", "http", { connector_id: connector, url: "/echo", method: "POST" });
  assert.equal(provider.called("/api/echo").length, 4, "a POST that may have been done is not repeated");
});

test("a secret goes to no other host than its provider's", async () => {
  const other = [`${elsewhere.url}/echo`, `https://${elsewhere.host}`, "https://example.com/", "http://example.com/", `${provider.url}.example.com/`,
    `${provider.url}@${elsewhere.host}/echo`, `https://user:password@${provider.host}/echo`, `http://${provider.clearHost}/echo`];
  for (const url of other) {
    await fails("HOST_FORBIDDEN", "http", { connector_id: connector, url });
    await fails("HOST_FORBIDDEN", "http", { credential_id: credentials.typed, url });
  }
  for (const url of ["/../admin", "/%2e%2e/admin", "/a\\b", "/a b", "nowhere", "", "ftp://x/", `${provider.url}/a b`, "/a#b"]) {
    const step = await http({ connector_id: connector, url: "{{ .input }}" }, { input: url });
    assert.equal(step.error?.code, url.startsWith("ftp") ? "HOST_FORBIDDEN" : "STEP_CONFIG", url);
  }
  nothingWasSent();
  await http({ connector_id: connector, url: "//example.com/" });
  assert.deepEqual(provider.calls.map(({ path }) => path), ["/api//example.com/"], "two slashes lead nowhere else");
});

test("no step gets into this network, with a credential or without one", async () => {
  const urls = [`https://127.0.0.1:${listener.port}/`, `https://[::1]:${listener.port}/`, `https://localhost:${listener.port}/`, `https://127.1:${listener.port}/`,
    `https://[::ffff:127.0.0.1]:${listener.port}/`, `https://2130706433:${listener.port}/`, "https://169.254.169.254/latest/meta-data/", "http://169.254.169.254/",
    "https://[fd00:ec2::254]/", "https://metadata.google.internal/", "https://10.0.0.1/", "file:///etc/passwd", "gopher://example.com/",
    ...Listener.addresses().map((address) => `https://${address.includes(":") ? `[${address}]` : address}:${listener.port}/`)];
  const each = (config) => flows.runs([{ id: "each", type: "for_each", config: { items: ".input", concurrency: 8, step: { type: "http", config: { url: "{{ .item }}", ...config } } } }], urls);
  for (const config of [{}, { credential_id: credentials.key }]) {
    for (const url of urls) {
      const step = await http({ url, ...config });
      assert.ok(["HOST_FORBIDDEN", "STEP_CONFIG"].includes(step.error?.code), `${url}: ${JSON.stringify(step.error)}`);
    }
  }
  assert.equal((await each({})).status, "failed");
  const data = (port) => ({ host: "127.0.0.1", port, username: "u", password: "a password 0123456789" });
  for (const [type, given, step, config] of [["database", { engine: "postgresql", database: "d" }, "database", { query: "select 1" }],
    ["database", { engine: "mysql", database: "d" }, "database", { query: "select 1" }],
    ["smtp", { security: "tls", from: "a@b.test" }, "email", { to: "a@b.test", subject: "s", text: "t" }]]) {
    const { id } = await tenant.does("POST", "/api/v1/credentials", { name: "inside", type, data: { ...data(listener.port), ...given } });
    await fails("HOST_FORBIDDEN", step, { credential_id: id, ...config });
  }
  nothingWasSent();
});

test("headers that aren't a step's to set, and such that end a line, are refused before anything is sent", async () => {
  for (const headers of [{ Host: "evil.test" }, { authorization: "Bearer mine" }, { "Content-Length": "0" }, { "transfer-encoding": "chunked" }, { "X Y": "1" }, { "": "1" },
    { "X-A": "{{ .input }}" }, { "X-A\r\nX-B": "1" }, { "X-A": ["1"][0], "x-a": "2" }])
    await fails("STEP_CONFIG", "http", { connector_id: connector, url: "/echo", headers }, { input: "1\r\nX-Injected: 1" });
  nothingWasSent();
});

test("nobody else's connector or credential is there", async () => {
  const others = { connector: (await stranger.does("POST", "/api/v1/connectors", { connector_type: "echoing", display_name: "Theirs", config: { key: "key-of-a-stranger-01" } })).id,
    credential: (await stranger.newCredential()).id };
  const tried = async (type, own, id, config) => {
    const refused = await lw.api("POST", "/api/v1/workflows", { token: flows.token, body: { name: "theirs", definition: { steps: [{ id: "one", type, config: { ...config, [own]: id } }] } } });
    assert.deepEqual([refused.status, refused.json.fields[0].code], [400, "NOT_FOUND"]);
    // Should one get past that, or go after it was saved: the step looks for itself.
    const mine = own === "connector_id" ? connector : credentials.key, workflow = await flows.make([{ id: "one", type, config: { ...config, [own]: mine } }]);
    lw.sql(`UPDATE workflow_version SET definition = REPLACE(definition, '${mine}', '${id}') WHERE workflow_id = ${idBytes(workflow)}`);
    const done = await flows.run(workflow);
    assert.deepEqual([done.status, done.error.code], ["failed", "NOT_FOUND"], `${type}: ${JSON.stringify(done.error)}`);
  };
  for (const id of [others.connector, unknownId(others.connector)]) {
    await tried("http", "connector_id", id, { url: "/echo" });
    await tried("integration", "connector_id", id, { action: "preview" });
  }
  for (const id of [others.credential, unknownId(others.credential)]) {
    await tried("http", "credential_id", id, { url: `${provider.url}/echo` });
    await tried("database", "credential_id", id, { query: "select 1" });
    await tried("email", "credential_id", id, { to: "a@b.test", subject: "s", text: "t" });
  }
  nothingWasSent();
});

test("a connector that is disabled is used by no step", async () => {
  const { id } = await tenant.does("POST", "/api/v1/connectors", { connector_type: "echoing", display_name: "Off", config: { key: KEY } });
  await tenant.does("PATCH", `/api/v1/connectors/${id}`, { status: "disabled" });
  await fails("NOT_CONNECTED", "http", { connector_id: id, url: "/echo" });
  await fails("NOT_CONNECTED", "integration", { connector_id: id, action: "preview" });
  nothingWasSent();
});

test("each use of a credential is on record, with its execution and step", async () => {
  const done = await flows.runs([{ id: "ask", type: "http", config: { connector_id: connector, url: "/echo" } },
    { id: "rows", type: "database", config: { credential_id: credentials.postgres, query: "select 1 as one" } }, { id: "free", type: "http", config: { url: `${provider.url}/echo` } }]);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  const rows = (await tenant.does("GET", "/api/v1/audit?action=workflow.credential&limit=200")).filter(({ details }) => details.execution === done.execution_id);
  assert.deepEqual(rows.map(({ details, outcome }) => [details.step, outcome]).sort(), [["ask", "ok"], ["rows", "ok"]]);
  assert.equal(rows.find(({ details }) => details.step === "rows").target.id, credentials.postgres);
});

// --- integration -------------------------------------------------------------------------------------------------------

test("a connector's preview and lists are there without a request being written", async () => {
  provider.keys.bearer = KEY;
  const preview = await gives("integration", { connector_id: connector, action: "preview" });
  assert.deepEqual([preview.rows.length, preview.rows[0], preview.truncated], [10, { number: 0 }, true]);
  provider.scripts.things = (request, response) => {
    const second = request.target.searchParams.get("page") === "2";
    response.writeHead(200, { "Content-Type": "application/json", ...(second ? {} : { Link: `<${provider.url}/things?page=2>; rel="next"` }) });
    response.end(JSON.stringify({ things: second ? [{ id: 3 }] : [{ id: 1, said: request.headers.authorization }, { id: 2 }] }));
  };
  const list = await gives("integration", { connector_id: connector, action: "list:things" });
  assert.deepEqual(list, { rows: [{ id: 1, said: "Bearer ****" }, { id: 2 }, { id: 3 }], truncated: false });
  await fails("SYNC_UNSUPPORTED", "integration", { connector_id: connector, action: "list:others" });
  await fails("STEP_CONFIG", "integration", { connector_id: connector, action: "delete" });
  provider.scripts.things = (request, response) => response.writeHead(401).end();
  const step = await fails("UPSTREAM_FAILED", "integration", { connector_id: connector, action: "list:things" });
  assert.equal(step.attempt, 1);
});

// --- email -----------------------------------------------------------------------------------------------------------------

const letter = { to: "{{ .input.to }}", subject: "Grüße an {{ .input.name }}", text: "Hello,\n.\nbye" };
const ada = { input: { to: "ada@mail.test", name: "Ada" } };

test("a mail goes by a credential's server or by the house's own", async () => {
  for (const [config, from] of [[{ ...letter, credential_id: credentials.mail }, "shop@mail.test"], [letter, "house@latchwork.test"]]) {
    const output = await gives("email", config, ada), got = mail.letters.at(-1);
    assert.deepEqual([got.from, got.to, got.text.trim()], [from, ["ada@mail.test"], "Hello,\r\n.\r\nbye"]);
    assert.equal(got.headers["message-id"], `<${output.message_id}>`);
    assert.match(output.message_id, /^exec-\w+\.one@(mail|latchwork)\.test$/);
  }
});

test("a mail that isn't taken is sent again under the same id, and one that is refused for good is not", async () => {
  const before = mail.letters.length;
  mail.refuse({ at: "data", code: 451 });
  const workflow = await flows.make([{ id: "one", type: "email", config: { ...letter, credential_id: credentials.mail }, retry: { attempts: 5, delay_ms: 500 } }]);
  const execution = await flows.start(workflow, ada.input);
  await eventually("the first try failed", async () => stepOf(await flows.get(execution), "one")?.status === "waiting");
  mail.refuse();
  const done = await flows.over(execution);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(mail.letters.length, before + 1);
  assert.equal(mail.letters.at(-1).headers["message-id"], `<${execution}.one@mail.test>`);
  mail.refuse({ at: "to", code: 550, words: "no such person secret-of-server" });
  const step = await fails("UPSTREAM_FAILED", "email", { ...letter, credential_id: credentials.mail }, { ...ada, retry: { attempts: 3, delay_ms: 10 } });
  assert.equal(step.attempt, 1);
  assert.ok(!step.error.message.includes("secret-of-server"));
  mail.refuse();
  await fails("UPSTREAM_FAILED", "email", { ...letter, credential_id: credentials.badMail }, ada);
});

test("a mail has one reader, and nothing in it becomes a header or a command", async () => {
  const before = mail.letters.length, config = { to: "{{ .input.to }}", subject: "{{ .input.subject }}", text: "t", credential_id: credentials.mail };
  for (const [to, subject] of [["a@mail.test, b@mail.test", "s"], ["a@mail.test\r\nRCPT TO:<b@mail.test>", "s"], ["<a@mail.test>", "s"], ["nobody", "s"],
    ["a@mail.test", "s\r\nBcc: b@mail.test"], ["a@mail.test", "s\nX: y"], ["a b@mail.test", "s"]])
    await fails("STEP_CONFIG", "email", config, { input: { to, subject } });
  assert.equal(mail.letters.length, before);
});

// --- database ------------------------------------------------------------------------------------------------------------------

const query = (engine, text, more = {}) => ({ credential_id: credentials[engine], query: text, ...more });

test("rows come with their types, from PostgreSQL and from MariaDB", async () => {
  const one = await gives("database", query("postgres", "select *, 12345678901234567890 as huge, 'NaN'::float8 as nan, null as nothing, 1 as id from item where id = $1", { parameters: ["{{ .input }}"] }), { input: 4 });
  assert.deepEqual(one, { rows: [{ id: 4, name: "item 4", price: 4.5, good: true, made: "2026-01-01 00:00:00+00", more: { n: 4 }, huge: "12345678901234567890", nan: "NaN",
    nothing: null, id_2: 1 }], row_count: 1, truncated: false });
  const other = await gives("database", query("mariadb", "select *, null as nothing from item where id = ? and name = ?", { parameters: [4, "item 4"] }));
  assert.deepEqual(other, { rows: [{ id: 4, name: "item 4", price: 4.5, small: 0, made: "2026-01-01 00:00:00", raw: "AP8=", nothing: null }], row_count: 1, truncated: false });
});

test("a parameter is a value, whatever it looks like", async () => {
  const hostile = "x'; drop table item; --";
  assert.deepEqual((await gives("database", query("postgres", "select $1::text as a, $2::jsonb as b, $3::boolean as c", { parameters: [hostile, { d: [1] }, true] }))).rows,
    [{ a: hostile, b: { d: [1] }, c: true }]);
  assert.deepEqual((await gives("database", query("mariadb", "select ? as a, ? as b from dual limit ?", { parameters: [hostile, null, 1] }))).rows, [{ a: hostile, b: null }]);
  await fails("QUERY_FAILED", "database", query("postgres", "select $1::text, $2::text", { parameters: ["one"] }));
  await fails("QUERY_FAILED", "database", query("mariadb", "select ?, ?", { parameters: ["one"] }));
});

test("a query is one statement, and as many rows as were asked for", async () => {
  for (const [engine, text] of [["postgres", "select 1; drop table item"], ["mariadb", "select 1; drop table item"], ["postgres", "select 1; select 2"], ["postgres", "delete from item; commit"]])
    await fails("QUERY_FAILED", "database", query(engine, text));
  for (const engine of ["postgres", "mariadb"]) {
    const usual = await gives("database", query(engine, "/* all */ select id from item order by id"));
    assert.deepEqual([usual.rows.length, usual.row_count, usual.truncated, usual.rows[99]], [100, 100, true, { id: 100 }]);
    const few = await gives("database", query(engine, "select id from item order by id", { max_rows: 3 }));
    assert.deepEqual(few, { rows: [{ id: 1 }, { id: 2 }, { id: 3 }], row_count: 3, truncated: true });
    assert.deepEqual(await gives("database", query(engine, "select id from item where id < 0")), { rows: [], row_count: 0, truncated: false });
  }
  assert.deepEqual(postgres.sql("select count(*) from item").trim(), "5000");
});

test("changes are made and counted, and those that come with rows are made whole", async () => {
  assert.deepEqual(await gives("database", query("postgres", "update item set name = $1 where id <= 3", { parameters: ["changed"] })), { rows: [], row_count: 3, truncated: false });
  assert.equal(postgres.sql("select count(*) from item where name = 'changed'").trim(), "3");
  const with_rows = await gives("database", query("postgres", "with gone as (delete from item where id between 11 and 20 returning id) select id from gone order by id", { max_rows: 2 }));
  assert.deepEqual([with_rows.rows, with_rows.truncated], [[{ id: 11 }, { id: 12 }], true]);
  const gone = await gives("database", query("postgres", "delete from item where id between 21 and 30 returning id", { max_rows: 2 }));
  assert.deepEqual([gone.rows.length, gone.truncated], [2, true]);
  assert.equal(postgres.sql("select count(*) from item").trim(), "4980");
  assert.deepEqual(await gives("database", query("mariadb", "update item set name = ? where id <= 3", { parameters: ["changed"] })), { rows: [], row_count: 3, truncated: false });
  const away = await gives("database", query("mariadb", "delete from item where id > 4990 returning id", { max_rows: 2 }));
  assert.deepEqual([away.rows.length, away.truncated], [2, true]);
  assert.equal(mariadb.rows("select count(*) from shop.item")[0][0], "4990");
});

test("what takes too long, or is too much, is ended", async () => {
  const once = { timeout_ms: 1500, retry: { attempts: 1 } };
  await fails("UPSTREAM_TIMEOUT", "database", query("postgres", "select pg_sleep(60)"), once);
  await fails("UPSTREAM_TIMEOUT", "database", query("mariadb", "select sleep(60) from item"), once);
  await eventually("nothing goes on over there", () => postgres.sql("select count(*) from pg_stat_activity where query like '%pg_sleep%' and pid <> pg_backend_pid()").trim() === "0");
  await fails("STEP_OUTPUT_TOO_LARGE", "database", query("postgres", "select repeat('x', 500000) as x"));
  await fails("STEP_OUTPUT_TOO_LARGE", "database", query("postgres", "select repeat('x', 50000000) as x"));
  await fails("STEP_OUTPUT_TOO_LARGE", "database", query("mariadb", "select repeat('x', 500000) as x"));
  await fails("STEP_OUTPUT_TOO_LARGE", "database", query("mariadb", "select repeat('x', 5000000) as x"));
});

test("an error has its SQLSTATE and none of the server's words, in which a value may stand", async () => {
  const secret = "value-that-nobody-may-see";
  for (const [engine, text, parameters, state] of [["postgres", "select * from nowhere", [], "42P01"], ["postgres", "selec", [], "42601"], ["postgres", "select $1::int", [secret], "22P02"],
    ["postgres", "insert into item (id) values ($1)", [1], "23505"], ["mariadb", "select * from nowhere", [], "42S02"], ["mariadb", `selec '${secret}'`, [], "42000"],
    ["mariadb", "insert into item (id) values (?)", [1], "23000"], ["mariadb", "create table x (id int)", [], "42000"]]) {
    const step = await fails("QUERY_FAILED", "database", query(engine, text, { parameters }), { retry: { attempts: 3, delay_ms: 10 } });
    assert.match(step.error.message, new RegExp(`SQLSTATE ${state}`));
    assert.ok(!step.error.message.includes(secret) && !step.error.message.includes("nowhere"));
    assert.equal(step.attempt, 1);
  }
  const step = await fails("NOT_CONNECTED", "database", query("wrong", "select 1"));
  assert.match(step.error.message, /password/);
  await fails("STEP_CONFIG", "database", { credential_id: credentials.key, query: "select 1" });
});

test("a step's output goes on to the next", async () => {
  const done = await flows.runs([{ id: "rows", type: "database", config: query("postgres", "select id, name from item where id = any($1::bigint[])", { parameters: ["{{ .input | \"{\\(join(\",\"))}\" }}"] }) },
    { id: "each", type: "for_each", config: { items: ".steps.rows.rows", concurrency: 4, step: { type: "http", config: { connector_id: connector, method: "POST", url: "/echo", body: "{{ .item }}" } } } },
    transform("sum", "[.steps.each[].body.body | fromjson | .id] | add")], ["5", "6", "7"]);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.output_data, 18);
  assert.equal(new Set(provider.calls.map(({ headers }) => headers["idempotency-key"])).size, 3);
});

test("steps of one tenant that nobody answers hold up neither another's steps nor anybody's mails", async () => {
  const held = [], hang = (_, response) => held.push(response);
  provider.scripts["api/hang"] = hang;
  const steps = ["a", "b", "c", "d", "e"].map((id) => ({ id, type: "http", config: { connector_id: connector, url: "/hang" }, timeout_ms: 120_000 }));
  const execution = await flows.start(await flows.make(steps, { dependencies: {} }));
  await eventually("its calls hang", () => held.length >= 2);
  const others = new Flows(lw, stranger.owner.token), letters = mail.letters.length;
  await stranger.newInvitation();
  const done = await others.runs([{ id: "free", type: "http", config: { url: `${provider.url}/echo` } }]);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  await eventually("the mail has come", () => mail.letters.length > letters);
  assert.equal((await flows.get(execution)).status, "running");
  assert.equal(held.length, 2, "one process is left to others");
  provider.scripts["api/hang"] = echo;
  for (const response of held)
    response.writeHead(200).end("{}");
  assert.equal((await flows.over(execution)).status, "completed");
});
