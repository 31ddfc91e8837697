// Secrets that steps of workflows use: at servers that say back all that they hear, in every spelling, and after every kind
// of failure. None of them is in a definition, in what expressions see, in the history, the events, a live message, the audit
// trail, a log, the database, a file, or a process that is done with it.
import assert from "node:assert/strict";
import https from "node:https";
import { after, before, test } from "node:test";
import { Canaries } from "./lib/canaries.mjs";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { Flows, stepOf, transform } from "./lib/flows.mjs";
import { startMariadbTls } from "./lib/mariadb_tls.mjs";
import { assertForgotten } from "./lib/memory.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import * as faults from "./lib/provider_faults.mjs";
import { ACCOUNT, startSmtp } from "./lib/smtp.mjs";
import { echo, echoType } from "./lib/step_servers.mjs";
import { Tenant } from "./lib/tenants.mjs";

const needsRoot = { skip: process.getuid() !== 0 && "needs root" };
const canaries = new Canaries(), executions = [], used = new Set();
let world, lw, provider, postgres, mariadb, mail, tenant, flows, ids;

/** A key that goes into the address. */
const queryType = (p) => ({ ...echoType(p), id: "queried", auth: [{ mode: "api_key", label: "Key", credential: "api_key", query: { key: "{key}" } }] });

before(async () => {
  world = await startWorld({
    async prepare(w) {
      [postgres, mariadb, mail] = await Promise.all([startPostgres(w.ca), startMariadbTls(w.ca), startSmtp(w.ca)]);
      w.servers.push(postgres, mariadb, mail);
      return "";
    },
    hosts: () => [postgres.port, mariadb.port, ...Object.values(mail.ports)].map((port) => `localhost:${port}`),
    types: ({ provider: p }) => [echoType(p), queryType(p), fakeType(p)],
  });
  ({ lw, provider } = world);
  for (const [name, secret] of Object.entries({ postgres: postgres.password, mariadb: mariadb.password, mail: ACCOUNT.password }))
    canaries.add(name, secret);
  tenant = await new Tenant(lw, "aviary").start();
  flows = new Flows(lw, tenant.owner.token);
  provider.firstTtl = 1; // over by the time that it is used: it is renewed
  const keep = async (name, type, data) => [name, (await tenant.does("POST", "/api/v1/credentials", { name, type, data })).id];
  const connect = async (name, connector_type) => [name, (await tenant.does("POST", "/api/v1/connectors", { connector_type, display_name: name, config: { key: canaries.make(name) } })).id];
  const login = ({ port, user: username, password, database }, more) => ({ host: "localhost", port, username, password, database, ...more });
  ids = Object.fromEntries([await connect("connected", "echoing"), await connect("queried", "queried"), ["signed", (await world.connect("fake", tenant.owner.token)).connector.id],
    await keep("key", "api_key", { api_key: canaries.make("key"), extra: { more: canaries.make("extra") } }),
    await keep("header", "api_key", { api_key: canaries.make("header"), header: "X-Api-Key" }),
    await keep("basic", "basic_auth", { username: "ada", password: canaries.make("basic") }),
    await keep("postgres", "database", login(postgres, { engine: "postgresql" })), await keep("mariadb", "database", login(mariadb, { engine: "mariadb" })),
    await keep("wrong_postgres", "database", login(postgres, { engine: "postgresql", password: canaries.make("wrong_postgres") })),
    await keep("wrong_mariadb", "database", login(mariadb, { engine: "mysql", password: canaries.make("wrong_mariadb") })),
    await keep("mail", "smtp", { host: "localhost", port: mail.ports.tls, ...ACCOUNT, from: "a@mail.test" }),
    await keep("wrong_mail", "smtp", { host: "localhost", port: mail.ports.tls, username: "ada", password: canaries.make("wrong_mail"), from: "a@mail.test" })]);
  postgres.sql(`CREATE TABLE told (a text, b text); INSERT INTO told VALUES ('${postgres.password}', 'it is ${Buffer.from(postgres.password).toString("base64")}.')`);
  mariadb.rows(`USE shop; CREATE TABLE told (a text, b text); INSERT INTO told VALUES ('${mariadb.password}', '${Buffer.from(mariadb.password).toString("hex")}')`);
});
after(async () => { await world?.stop(); });

/** Runs one step with others behind it that see what came; the step. */
async function run(type, config, more = {}) {
  const done = await flows.runs([{ id: "one", type, config, on_error: "continue", ...more }, transform("seen", "{all: ., text: (.steps.one | tojson), one: .steps.one}")]);
  executions.push(done.execution_id);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  used.add(config.connector_id ?? config.credential_id);
  return stepOf(done, "one");
}

const ways = () => [["connected", { connector_id: ids.connected, url: "/echo" }], ["queried", { connector_id: ids.queried, url: "/echo" }],
  ["signed", { connector_id: ids.signed, url: `${provider.url}/echo` }],
  ...["key", "header", "basic"].map((name) => [name, { credential_id: ids[name], url: `${provider.url}/echo` }])];

const refuses = (status) => (request, response) => {
  const said = JSON.stringify({ headers: request.headers, url: request.url });
  response.writeHead(status, { "Content-Type": "application/json", Location: `/next?${encodeURIComponent(said)}`, ETag: JSON.stringify(Buffer.from(said).toString("base64")),
    Link: `<https://x/?${request.headers.authorization}${request.url}>; rel="next"`, "X-Request-Id": request.headers["x-api-key"] ?? request.url }).end(said);
};

test("requests that are answered, refused, sent elsewhere or not answered at all", async () => {
  for (const [name, config] of ways()) {
    provider.scripts.echo = provider.scripts["api/echo"] = echo;
    const heard = await run("http", config);
    assert.equal(heard.status, "completed", `${name}: ${JSON.stringify(heard.error)}`);
    assert.match(JSON.stringify(heard.output_data), /\*\*\*\*/, name);
    assert.equal((await run("http", { ...config, url: `${config.url}?as=text` })).status, "completed");
    for (const status of [302, 401, 500]) {
      provider.scripts.echo = provider.scripts["api/echo"] = refuses(status);
      await run("http", { ...config, fail_on_status: false, method: "POST", body: { a: 1 } });
      await run("http", { ...config, method: "POST" });
    }
    provider.scripts.echo = provider.scripts["api/echo"] = faults.hangs;
    assert.equal((await run("http", config, { timeout_ms: 300, retry: { attempts: 1 } })).error.code, "UPSTREAM_TIMEOUT");
    provider.scripts.echo = provider.scripts["api/echo"] = faults.truncated;
    await run("http", config, { retry: { attempts: 1 } });
    await run("http", { ...config, url: "https://example.com/" }, { retry: { attempts: 1 }, timeout_ms: 1000 });
  }
  assert.equal(provider.count(), 1, "the token was renewed");
});

test("lists, previews, databases and mails", async () => {
  provider.scripts.things = (request, response) => response.writeHead(200, { "Content-Type": "application/json" })
    .end(JSON.stringify({ things: [{ id: 1, said: request.headers.authorization }, { id: request.headers.authorization, as: Buffer.from(request.headers.authorization).toString("base64") }] }));
  provider.scripts.rows = (request, response) => response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ rows: [{ said: request.headers.authorization }] }));
  for (const action of ["list:things", "preview"])
    assert.equal((await run("integration", { connector_id: ids.connected, action })).status, "completed");
  for (const name of ["postgres", "mariadb"]) {
    const rows = await run("database", { credential_id: ids[name], query: "select a, b from told" });
    assert.deepEqual([rows.status, rows.output_data.rows[0].a], ["completed", "****"]);
    await run("database", { credential_id: ids[name], query: "select nothing from told" });
    const wrong = await run("database", { credential_id: ids[`wrong_${name}`], query: "select 1" });
    assert.equal(wrong.error.code, "NOT_CONNECTED");
  }
  const letter = { to: "b@mail.test", subject: "s", text: "t" };
  assert.equal((await run("email", { ...letter, credential_id: ids.mail })).status, "completed");
  mail.refuse({ at: "to", code: 550, words: `you signed in with ${ACCOUNT.password}` });
  await run("email", { ...letter, credential_id: ids.mail });
  await run("email", { ...letter, credential_id: ids.wrong_mail });
});

test("each of them was used", () => {
  assert.deepEqual(Object.keys(ids).filter((name) => !used.has(ids[name])), []);
  for (const secret of provider.secrets())
    canaries.add(`of the provider: ${secret.slice(0, 12)}`, secret);
});

/** What a live stream says of a run until it is over. */
const streamOf = (run) => new Promise((done, failed) => {
  let text = "";
  const request = https.get(new URL(`${run.stream_url}?ticket=${run.ticket}`, lw.url), { ca: lw.ca, headers: { Accept: "text/event-stream" } }, (answer) => {
    answer.setEncoding("utf8").on("data", (piece) => {
      text += piece;
      if (text.includes("workflow:finished"))
        answer.destroy();
    });
    answer.once("close", () => (text.includes("workflow:finished") ? done(text) : failed(new Error(`${answer.statusCode} ${text}`))));
  });
  request.once("error", failed);
});

test("whoever watches a run sees none", { timeout: 300000 }, async () => {
  provider.scripts.echo = provider.scripts["api/echo"] = echo;
  const steps = ways().map(([id, config]) => ({ id, type: "http", config }));
  const workflow_id = await flows.make(steps), run = await tenant.does("POST", "/api/v1/runs", { workflow_id });
  const told = streamOf(run);
  await tenant.does("POST", `/api/v1/runs/${run.id}/messages`, { type: "session:start", data: { input_data: null } });
  const text = await told;
  assert.match(text, /\*\*\*\*/);
  assert.deepEqual(canaries.found(Buffer.from(text)), []);
});

test("no history, no event, no definition and no row of the audit trail shows one", async () => {
  const look = async (uri) => {
    const { status, text, headers } = await lw.api("GET", uri, { token: flows.token });
    assert.equal(status, 200, uri);
    assert.deepEqual(canaries.found(Buffer.from(text)), [], uri);
    return headers;
  };
  assert.ok(executions.length > 50);
  for (const id of executions) {
    await look(`/api/v1/executions/${id}`);
    await look(`/api/v1/executions/${id}/events?limit=200`);
  }
  const { json: workflows } = await lw.api("GET", "/api/v1/workflows?limit=200", { token: flows.token });
  for (const { id } of workflows)
    await look(`/api/v1/workflows/${id}`);
  for (let uri = "/api/v1/audit?limit=200"; uri;)
    uri = /<([^>]+)>; rel="next"/.exec((await look(uri)).link ?? "")?.[1];
});

test("no process remembers one when it is done, and the database never saw one", needsRoot, async () => {
  await assertForgotten("the steps", lw, canaries, "front", "worker", "MariaDB");
});

test("no table holds one, and no file below the home", async () => {
  const dump = dumpDatabase(lw);
  assert.ok(dump.includes("execution_step") && dump.includes("workflow.credential"));
  assert.deepEqual(canaries.found(dump), []);
  await lw.quickstart("stop");
  const looked = [], hits = canaries.foundBelow(lw.directory, looked);
  for (const file of ["db/data/ib_logfile0", "log/front.log", "log/worker.log", "log/access.log", "log/mariadb.log"])
    assert.ok(looked.includes(file), `${file} wasn't looked at`);
  // The operator's client is in a file of his own, which is where he put it.
  assert.deepEqual(hits, []);
});
