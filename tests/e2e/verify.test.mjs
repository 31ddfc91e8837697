// "Test" really tries: a login, a request, a signed call, at servers that aren't ours. And each way in which that fails has
// its own code, so that a person knows what to mend.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import net from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { assertNowhere, fakeType, machineType, startWorld } from "./lib/connections.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { startHostileMysql } from "./lib/hostile_mysql.mjs";
import { freePort } from "./lib/http.mjs";
import { startMariadbTls } from "./lib/mariadb_tls.mjs";
import { startPostgres } from "./lib/postgres.mjs";
import { Provider } from "./lib/provider.mjs";
import * as faults from "./lib/provider_faults.mjs";
import { startPoolBeside } from "./lib/processes.mjs";
import { ACCOUNT, startSmtp } from "./lib/smtp.mjs";
import { KEYS, sts } from "./lib/sts.mjs";
import { Tenant } from "./lib/tenants.mjs";
import { Witness } from "./lib/witness.mjs";

const secrets = []; // that were sent for a test
let world, lw, provider, strange, strangeCa, postgres, mariadb, mail, other, tenant, closed, silent, chatty, noTls, hostile;

/** A port at which something answers in its own way. */
async function answerer(onSocket) {
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    onSocket(socket);
  }), sockets = new Set();
  server.on("connection", (socket) => sockets.add(socket));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    port: server.address().port, said: [],
    stop() {
      sockets.forEach((socket) => socket.destroy());
      return new Promise((done) => server.close(done));
    },
  };
}

const serviceAccount = ({ host, url }) => ({
  id: "signed", hosts: [host],
  auth: [{ mode: "service_account", label: "Service account", credential: "service_account",
    headers: { Authorization: "Bearer {access_token}" } }],
  fields: [{ name: "service_account_json", label: "Key file", secret: true, required: true, multiline: true, member: "*" }],
  service_account: { token_url: `${url}/token`, issuer: "{client_email}", scopes: ["orders.read"], key_field: "service_account_json",
    google: true },
  verify: [{ kind: "http", request: { url: `${url}/me` }, account_id: ["json:id"], account_label: ["json:name"] }],
});

const checked = ({ host, url }, strangeHost) => ({
  id: "checked", hosts: [host, strangeHost],
  auth: [
    { mode: "api_key", id: "bearer", label: "Bearer", credential: "api_key", headers: { Authorization: "Bearer {key}" } },
    { mode: "api_key", id: "header", label: "Header", credential: "api_key", headers: { "X-Api-Key": "{key}" } },
    { mode: "api_key", id: "query", label: "Query", credential: "api_key", query: { api_key: "{key}" } },
    { mode: "basic", label: "Basic", credential: "basic_auth", basic: ["{user}", "{password}"] },
    { mode: "api_key", id: "strange", label: "With a strange certificate", credential: "api_key", headers: { Authorization: "Bearer {key}" } },
  ],
  fields: [
    { name: "key", label: "Key", secret: true, required: true, member: "api_key", auth: ["bearer", "header", "query", "strange"] },
    { name: "user", label: "User", required: true, member: "username", auth: ["basic"] },
    { name: "password", label: "Password", secret: true, required: true, member: "password", auth: ["basic"] },
  ],
  verify: [...["bearer", "header", "query", "basic"].map((way) => ({ kind: "http", auth: [way], request: { url: `${url}/check/${way}` },
    must_have: "id", account_id: ["json:id"], account_label: ["json:name"] })),
  { kind: "http", auth: ["strange"], request: { url: `https://${strangeHost}/check/bearer` } }],
});

const OTHER_NAME = "another-name.test"; // it leads to this machine, and no certificate has it
const STS = `sts.${KEYS.region}.amazonaws.com`;
const portOf = ({ host }) => host.split(":")[1];

/** At AWS's own name, which says the service and the region that are signed for. */
const cloud = (at) => ({
  id: "cloud", hosts: [`${STS}:${portOf(at)}`], auth: [{ mode: "aws", label: "Access keys", credential: "aws", sigv4: true }],
  fields: [{ name: "access_key_id", label: "Access key ID", required: true, member: "access_key_id" },
    { name: "secret_access_key", label: "Secret access key", secret: true, required: true, member: "secret_access_key" },
    { name: "region", label: "Region", required: true, member: "region" }],
  verify: [{ kind: "http", request: { method: "POST", url: `https://${STS}:${portOf(at)}/sts`, headers: { Accept: "application/json" },
    form: { Action: "GetCallerIdentity", Version: "2011-06-15" } },
    account_id: ["json:GetCallerIdentityResponse.GetCallerIdentityResult.Account"],
      account_label: ["json:GetCallerIdentityResponse.GetCallerIdentityResult.Arn"] }],
});

before(async () => {
  world = await startWorld({
    egress: "timeout_ms = 6000\nconnect_timeout_ms = 4000\n",
    names: [`DNS:${STS}`],
    async prepare(w) {
      strangeCa = new CertificateAuthority("somebody else's CA");
      [strange, postgres, mariadb, mail] = await Promise.all([new Provider(strangeCa).start(), startPostgres(w.ca), startMariadbTls(w.ca),
        startSmtp(w.ca)]);
      other = { mail: await startSmtp(strangeCa), mariadb: await startMariadbTls(strangeCa), postgres: await startPostgres(strangeCa) };
      closed = await freePort();
      silent = await answerer(() => {});
      chatty = await answerer((socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n"));
      noTls = await answerer((socket) => socket.once("data", () => {
        socket.write("N");
        socket.on("data", (bytes) => noTls.said.push(bytes));
      }));
      hostile = { clear: await startHostileMysql("clear password"), file: await startHostileMysql("file") };
      w.servers.push(strange, postgres, mariadb, mail, ...Object.values(other), silent, chatty, noTls, ...Object.values(hostile));
      return "";
    },
    hosts: (w) => [strange.host, `${STS}:${portOf(w.provider)}`,
      ...[postgres.port, mariadb.port, mail.ports.tls, mail.ports.starttls, portOf(w.provider)].map((port) => `${OTHER_NAME}:${port}`),
      ...[postgres, mariadb, other.postgres, other.mariadb, hostile.clear, hostile.file, silent, chatty, noTls].map(({ port }) => `localhost:${port}`),
      `localhost:${closed}`, ...[...Object.values(mail.ports), ...Object.values(other.mail.ports)].map((port) => `localhost:${port}`)],
    types: ({ provider: p }) => [fakeType(p), machineType(p), serviceAccount(p), checked(p, strange.host), cloud(p)],
  });
  ({ lw, provider } = world);
  tenant = await new Tenant(lw, "tries").start();
});
after(async () => {
  await world?.stop();
  strangeCa?.remove();
});
beforeEach(() => {
  provider?.reset();
  provider.scripts.sts = sts;
});

/** Tries data that isn't stored: {success, error_code, message, account}. */
async function tried(uri, body, by = (options) => lw.api("POST", uri, options)) {
  secrets.push(...secretsOf(body));
  const answer = await by({ token: tenant.owner.token, body });
  assert.equal(answer.status, 200, `${JSON.stringify(body)}: ${answer.text}`);
  assert.deepEqual(secretsOf(body).filter((secret) => answer.text.includes(secret)), []);
  assert.equal(answer.json.success, answer.json.error_code === null, answer.text);
  assert.ok(answer.json.message.length > 5 && answer.json.latency_ms >= 0);
  return answer.json;
}
const secretsOf = (body) => Object.entries(body.data ?? body.config)
  .filter(([name, value]) => /password|key$|secret|_json/.test(name) && String(value).length >= 16).map(([, value]) => String(value));
const tryCredential = (type, data) => tried("/api/v1/credentials/test", { type, data });
const tryConfig = (connector_type, auth, config) => tried("/api/v1/connectors/test", { connector_type, auth, config });
const is = (outcome, code, words) => assert.ok([code].flat().includes(outcome.error_code), `${words ?? ""}: ${JSON.stringify(outcome)}`);

// --- databases ------------------------------------------------------------------------------------

const WRONG = "not the password 0123456789";

for (const [engine, server] of [["postgresql", () => postgres], ["mysql", () => mariadb], ["mariadb", () => mariadb]]) {
  const data = (more = {}) => ({ engine, host: "localhost", port: server().port, database: server().database, username: server().user,
    password: server().password, ...more });

  test(`${engine}: a login that works, over TLS`, async () => {
    for (const tls of [undefined, true])
      is(await tryCredential("database", data({ tls })), null, `tls ${tls}`);
    assert.deepEqual((await tryCredential("database", data())).success, true);
  });

  if (engine === "mysql")
    continue; // the same server and the same code as for MariaDB

  test(`${engine}: each way that a login fails has its code`, async () => {
    is(await tryCredential("database", data({ password: WRONG })), "INVALID_CREDENTIALS", "a wrong password");
    is(await tryCredential("database", data({ username: "nobody" })), "INVALID_CREDENTIALS", "an unknown user");
    is(await tryCredential("database", data({ database: "no_such_database" })),
      ["INVALID_CREDENTIALS", "INSUFFICIENT_SCOPE", "BAD_RESPONSE"], "an unknown database");
    is(await tryCredential("database", data({ port: closed })), "HOST_UNREACHABLE", "nobody listens");
    is(await tryCredential("database", data({ port: silent.port })), "TIMEOUT", "nobody speaks");
    is(await tryCredential("database", data({ port: chatty.port })), ["BAD_RESPONSE", "TLS_FAILED", "HOST_UNREACHABLE"],
      "somebody else speaks");
    is(await tryCredential("database", data({ port: Number(portOf(provider)) })),
      ["BAD_RESPONSE", "TLS_FAILED", "HOST_UNREACHABLE", "TIMEOUT"], "a web server");
    is(await tryCredential("database", data({ host: "127.0.0.1" })), "HOST_FORBIDDEN", "an address that isn't listed");
    is(await tryCredential("database", data({ host: "no-such-host.invalid" })), ["HOST_UNREACHABLE", "HOST_FORBIDDEN"],
      "a name that nobody has");
  });

  test(`${engine}: a certificate of an unknown CA stops it before the password`, async () => {
    const bad = other[engine === "postgresql" ? "postgres" : "mariadb"];
    is(await tryCredential("database", data({ port: bad.port, username: bad.user, password: bad.password, tls: true })), "TLS_FAILED");
  });
}

test("PostgreSQL: a server that declines TLS hears neither name nor password", async () => {
  is(await tryCredential("database", { engine: "postgresql", host: "localhost", port: noTls.port, database: "shop", username: "reader",
    password: WRONG, tls: true }), "TLS_FAILED");
  assert.deepEqual(noTls.said, []);
});

test("MariaDB: a server without TLS isn't logged in to when TLS is wanted", async () => {
  const before = hostile.clear.heard.length;
  is(await tryCredential("database", { engine: "mariadb", host: "localhost", port: hostile.clear.port, username: "reader", password: WRONG,
    tls: true }), "TLS_FAILED");
  assert.deepEqual(hostile.clear.heard.slice(before).filter((words) => words.includes("reader")), [], "it heard the name");
});

test("a certificate of another name is as bad as none", async () => {
  const witness = new Witness(world.directory, { [OTHER_NAME]: ["127.0.0.1"] }), pool = await startPoolBeside(lw, witness.env);
  const by = (options) => pool.ask("POST", options.uri ?? "/api/v1/credentials/test", options);
  const before = [mail.tries.length, provider.calls.length];
  for (const [engine, server] of [["postgresql", postgres], ["mariadb", mariadb]]) {
    const { port, user, password, database } = server;
    const data = { engine, host: OTHER_NAME, port, database, username: user, password, tls: true };
    is(await tried(undefined, { type: "database", data }, by), "TLS_FAILED", engine);
  }
  for (const security of ["tls", "starttls"])
    is(await tried(undefined, { type: "smtp", data: mailbox(security, { host: OTHER_NAME }) }, by), "TLS_FAILED", security);
  const config = { base_url: `https://${OTHER_NAME}:${portOf(provider)}`, token: WRONG };
  is(await tried(undefined, { connector_type: "rest_api", auth: "bearer", config },
    (options) => by({ ...options, uri: "/api/v1/connectors/test" })), "TLS_FAILED", "HTTP");
  assert.deepEqual([mail.tries.length, provider.calls.length], before);
  await pool.stop();
});

test("MySQL: a hostile server gets neither the password in clear nor a file", async () => {
  for (const tls of [undefined, true, false]) {
    for (const [name, { port }] of Object.entries(hostile)) {
      const outcome = await tryCredential("database", { engine: "mysql", host: "localhost", port, username: "reader", password: WRONG, tls });
      if (name === "clear")
        assert.equal(outcome.success, false);
    }
  }
  for (const { heard } of Object.values(hostile)) {
    assert.ok(!heard.join("").includes(WRONG), "the password was sent in clear");
    assert.ok(!heard.join("").includes("root:"), "a file was sent");
  }
});

// --- mail -----------------------------------------------------------------------------------------

const mailbox = (security, more = {}) => ({ host: "localhost", port: mail.ports[security], security, ...ACCOUNT, ...more });

for (const security of ["tls", "starttls"]) {
  test(`mail over ${security}: signs in, and each failure has its code`, async () => {
    is(await tryCredential("smtp", mailbox(security)), null);
    assert.ok(mail.tries.at(-1).good && mail.tries.at(-1).secure);
    is(await tryCredential("smtp", mailbox(security, { password: WRONG })), "INVALID_CREDENTIALS", "a wrong password");
    is(await tryCredential("smtp", mailbox(security, { port: other.mail.ports[security] })), "TLS_FAILED", "an unknown CA");
    is(await tryCredential("smtp", mailbox(security, { port: closed })), "HOST_UNREACHABLE", "nobody listens");
    is(await tryCredential("smtp", mailbox(security, { port: silent.port })), "TIMEOUT", "nobody speaks");
    is(await tryCredential("smtp", mailbox(security, { host: "127.0.0.1" })), "HOST_FORBIDDEN", "not listed");
    is(await tryCredential("smtp", mailbox(security, { port: chatty.port })),
      ["BAD_RESPONSE", "TLS_FAILED", "HOST_UNREACHABLE", "TIMEOUT"], "somebody else speaks");
    assert.deepEqual(other.mail.tries, [], "the password went to a server with a certificate of an unknown CA");
    assert.deepEqual(mail.mails, [], "a test sent mail");
  });
}

test("mail: a server without STARTTLS never hears the password", async () => {
  const before = mail.tries.length;
  is(await tryCredential("smtp", mailbox("starttls", { port: mail.ports.plain })), "TLS_FAILED");
  assert.equal(mail.tries.length, before);
});

test("mail: a line break in what somebody fills in is no command", async () => {
  const before = mail.tries.length;
  for (const more of [{ username: "a\r\nRSET" }, { host: "localhost\r\nX" }, { from: "a@b\r\nRCPT TO:<c@d>" }]) {
    const answer = await lw.api("POST", "/api/v1/credentials/test", { token: tenant.owner.token,
      body: { type: "smtp", data: mailbox("tls", more) } });
    assert.equal(answer.status, 400, answer.text);
  }
  assert.equal(mail.tries.length, before);
});

// --- HTTP -----------------------------------------------------------------------------------------

function config(way, wrong) {
  const { user, password, [way]: key } = provider.keys;
  return way === "basic" ? { user, password: wrong ?? password } : { key: wrong ?? key };
}

for (const way of ["bearer", "header", "query", "basic"]) {
  test(`HTTP with ${way}: the account of a good key, and a clear no to a bad one`, async () => {
    const good = await tryConfig("checked", way, config(way));
    is(good, null);
    assert.deepEqual(good.account, { id: `checked-${way}`, label: `Checked by ${way}` });
    const bad = await tryConfig("checked", way, config(way, WRONG));
    is(bad, "INVALID_CREDENTIALS");
    assert.equal(bad.account, null);
  });
}

test("HTTP: each failure has its code, and no answer repeats what the provider said", async () => {
  const redirected = await new Provider(world.ca).start();
  const odd = faults.BAD_TOKEN_ANSWERS;
  for (const [words, script, code] of [
    ["401", faults.status(401), "INVALID_CREDENTIALS"],
    ["403", faults.status(403), ["INSUFFICIENT_SCOPE", "INVALID_CREDENTIALS"]],
    ["429", faults.status(429), "RATE_LIMITED"],
    ["500", faults.status(500), "BAD_RESPONSE"],
    ["a page", odd["is a page with status 200"], "BAD_RESPONSE"],
    ["no JSON", odd["isn't JSON"], "BAD_RESPONSE"],
    ["null", odd["is null"], ["BAD_RESPONSE", "INVALID_CREDENTIALS"]],
    ["an empty body", odd["is empty"], "BAD_RESPONSE"],
    ["too much", faults.huge, "BAD_RESPONSE"],
    ["a bomb", faults.gzipBomb, "BAD_RESPONSE"],
    ["half of it", faults.truncated, ["BAD_RESPONSE", "HOST_UNREACHABLE"]],
    ["a reset", faults.resets, ["HOST_UNREACHABLE", "BAD_RESPONSE"]],
    ["silence", faults.hangs, "TIMEOUT"],
    ["drops", faults.dripFeeds, "TIMEOUT"],
    ["a redirect", faults.redirect(`${redirected.url}/check/bearer`), "BAD_RESPONSE"],
  ]) {
    provider.scripts["check/bearer"] = script;
    const outcome = await tryConfig("checked", "bearer", config("bearer"));
    is(outcome, code, words);
    assert.doesNotMatch(outcome.message, /of-a-fault|Sorry|<|server_error/);
  }
  assert.deepEqual(redirected.calls, []);
  await redirected.stop();
});

test("HTTP: a certificate of an unknown CA ends it before the key is sent", async () => {
  is(await tryConfig("checked", "strange", config("bearer")), "TLS_FAILED");
  assert.deepEqual(strange.calls, []);
});

// --- tokens and signatures ------------------------------------------------------------------------

test("client credentials: getting a token is the test", async () => {
  is(await tryConfig("machine", "oauth2_client_credentials", provider.client), null);
  is(await tryConfig("machine", "oauth2_client_credentials", { ...provider.client, client_secret: WRONG }), "INVALID_CREDENTIALS");
});

test("a service account: an assertion that it signed is exchanged, verified, and gives tokens afterwards", async () => {
  const { privateKey, publicKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
  const stranger = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  const file = (key) => ({ type: "service_account", project_id: "shop", private_key_id: "1", client_email: "robot@shop.test",
    private_key: key.export({ type: "pkcs8", format: "pem" }) });
  provider.assertionKey = publicKey;
  const outcome = await tryConfig("signed", "service_account", { service_account_json: JSON.stringify(file(privateKey)) });
  is(outcome, null);
  assert.equal(outcome.account.id, "robot@shop.test");
  is(await tryConfig("signed", "service_account", { service_account_json: JSON.stringify(file(stranger)) }), "INVALID_CREDENTIALS");
  const { id } = await tenant.does("POST", "/api/v1/credentials", { name: "robot", type: "service_account", service: "signed",
    data: file(privateKey) });
  provider.exchanges = [];
  const answers = await Promise.all(Array.from({ length: 20 }, () => tenant.does("POST", `/api/v1/credentials/${id}/token`)));
  assert.ok(answers.every(({ access_token }) => provider.isGood(access_token)));
  assert.equal(provider.exchanges.length, 1);
});

test("AWS: a call that is signed as its documentation says", async () => {
  const witness = new Witness(world.directory, { [STS]: ["127.0.0.1"] }), pool = await startPoolBeside(lw, witness.env);
  const uri = "/api/v1/connectors/test", tryKeys = (keys) => tried(uri, { connector_type: "cloud", auth: "aws", config: keys },
    (options) => pool.ask("POST", uri, options));
  const outcome = await tryKeys(KEYS);
  is(outcome, null);
  assert.deepEqual(outcome.account, { id: "123456789012", label: "arn:aws:iam::123456789012:user/ada" });
  is(await tryKeys({ ...KEYS, secret_access_key: WRONG }), ["INVALID_CREDENTIALS", "INSUFFICIENT_SCOPE"]);
  assert.ok(provider.calls.every(({ headers, body, url }) => !`${JSON.stringify(headers)}${body}${url}`.includes(KEYS.secret_access_key)));
  await pool.stop();
});

// --- and it is kept ------------------------------------------------------------------------------

test("the outcome of a stored credential and of its connector is there afterwards", async () => {
  const connector = await tenant.does("POST", "/api/v1/connectors", { connector_type: "checked", auth: "bearer", config: config("bearer") });
  assert.equal(connector.status, "pending");
  const outcome = await tenant.does("POST", `/api/v1/connectors/${connector.id}/test`);
  is(outcome, null);
  const after = await tenant.does("GET", `/api/v1/connectors/${connector.id}`);
  assert.equal(after.status, "active");
  assert.deepEqual(after.account, { id: "checked-bearer", label: "Checked by bearer" });
  const status = await tenant.does("GET", `/api/v1/credentials/${connector.credential_id}/status`);
  assert.equal(status.status, "passed");

  provider.scripts["check/bearer"] = faults.status(401);
  is(await tenant.does("POST", `/api/v1/credentials/${connector.credential_id}/test`), "INVALID_CREDENTIALS");
  const failed = await tenant.does("GET", `/api/v1/connectors/${connector.id}`);
  assert.equal(failed.status, "error");
  assert.equal(failed.last_error.code, "INVALID_CREDENTIALS");
  assert.equal((await tenant.does("GET", `/api/v1/credentials/${connector.credential_id}/status`)).error_code, "INVALID_CREDENTIALS");
  const rows = await tenant.does("GET", "/api/v1/audit?limit=200");
  for (const action of ["connector.create", "connector.test", "credential.test"])
    assert.ok(rows.some((row) => row.action === action && row.outcome === "ok"), `there is no row of ${action}`);
});

test("no log and no table holds what was sent to be tried", () => {
  assertNowhere(lw, [...new Set([...secrets, ...provider.secrets()])], dumpDatabase(lw));
});
