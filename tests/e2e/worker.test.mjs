// What happens without anybody asking: sealing, keys of issuers, the end of what is over. And that it keeps happening.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, startInstance } from "./lib/instance.mjs";
import { OidcIssuer } from "./lib/oidc_issuer.mjs";

let lw, issuer, unlisted;

before(async () => {
  issuer = await new OidcIssuer().start();
  unlisted = await new OidcIssuer().start();
  const section = ({ url }, name) => `[issuer ${name}]\nissuer = ${url}\naudience = latchwork\njwks_url = ${url}/jwks\n`;
  lw = await startInstance({
    conf: `[egress]\nallow_hosts = 127.0.0.1:${issuer.port}\nca_file = ${issuer.ca}\n` +
      section(issuer, "listed") + section(unlisted, "unlisted"),
  });
});
after(async () => {
  await lw?.stop();
  await issuer?.stop();
  await unlisted?.stop();
});

const me = async (token) => (await lw.api("GET", "/api/v1/auth/me", { token })).status;
const count = (sql) => Number(lw.sql(sql)[0][0]);
const lines = (words) => lw.log("worker").split("\n").filter((line) => line.includes(words)).map((line) => JSON.parse(line));

/** The worker reads its configuration again, and every chore is due at once. */
async function reload() {
  const before = lines("reloaded").length;
  process.kill(await lw.pid("worker"), "SIGHUP");
  await eventually("the worker has reloaded", () => lines("reloaded").length > before);
}

/** As if the last try to fetch keys had been long ago. */
const patience = () => lw.sql("UPDATE jwks_refresh SET tried_at = 0");

test("what was done is sealed within seconds, and the seal can be verified", async () => {
  await lw.newTenant("sealed");
  assert.ok(count("SELECT COUNT(*) FROM audit") > 0);
  await eventually("every row is sealed",
    () => count("SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq WHERE c.seq IS NULL") === 0);
  const verified = lw.latchctl("audit", "verify");
  assert.equal(verified.status, 0, verified.stderr);
});

test("the head of the chain goes to the log, where the end of the trail can't be cut off unseen", async () => {
  const [head] = await eventually("a head was logged", () => lines("head of the audit chain").length && lines("head of the audit chain"));
  assert.match(head.hash, /^[0-9a-f]{64}$/);
  const verified = lw.latchctl("audit", "verify", "--head", `${head.position}:${head.hash}`);
  assert.equal(verified.status, 0, verified.stderr);
});

test("people of an external issuer get in with keys that were fetched over HTTPS", async () => {
  await eventually("the issuer's keys are there", () => count(`SELECT COUNT(*) FROM jwks WHERE issuer = '${issuer.url}'`) === 1);
  assert.equal(await me(issuer.token({ sub: "ada" })), 200);
  assert.equal(await me(issuer.token({ sub: "ada", aud: "others" })), 401);
  assert.equal(issuer.asked, 1);
});

test("a new key of the issuer is followed without a restart", async () => {
  const pid = await lw.pid("front");
  issuer.rotate("second");
  assert.equal(await me(issuer.token({ sub: "ada" })), 401);
  patience();
  await eventually("the new key is accepted", async () => await me(issuer.token({ sub: "ada" })) === 200);
  assert.equal(await lw.pid("front"), pid);
});

test("an unknown key id makes the issuer's server be asked once, not once a request", async () => {
  const asked = issuer.asked, { privateKey, keys, kid } = issuer;
  issuer.rotate("nobody's");
  const stranger = issuer.token({ sub: "ada" });
  Object.assign(issuer, { privateKey, keys, kid });
  for (let i = 0; i < 50; i++)
    assert.equal(await me(stranger), 401);
  await reload();
  assert.ok(issuer.asked - asked <= 1, `asked ${issuer.asked - asked} times`);
});

test("an issuer that answers badly keeps its old keys", async () => {
  const bad = [
    (response) => response.writeHead(500).end("no"),
    (response) => response.writeHead(302, { Location: `${issuer.url}/elsewhere` }).end(),
    (response) => response.end("<html>"),
    (response) => response.end('{"keys":[]}'),
    (response) => response.end(JSON.stringify({ keys: [], filler: "x".repeat(1 << 20) })),
    (response) => response.destroy(),
  ];
  for (const answer of bad) {
    const failures = lines("keys can't be fetched").filter((line) => line.issuer === issuer.url).length;
    issuer.answer = answer;
    lw.sql("UPDATE jwks SET fetched_at = 0");
    patience();
    await eventually("the failure is logged",
      () => lines("keys can't be fetched").filter((line) => line.issuer === issuer.url).length > failures);
    assert.equal(await me(issuer.token({ sub: "ada" })), 200);
  }
  issuer.answer = null;
});

test("a private host that the operator didn't list is never called", async () => {
  const [refused] = await eventually("the refusal is logged",
    () => lines("keys can't be fetched").filter((line) => line.issuer === unlisted.url));
  assert.equal(refused.error, "HOST_FORBIDDEN");
  assert.equal(unlisted.asked, 0);
});

test("a deleted credential is destroyed when its retention time is over, and not before", async () => {
  const { token } = await lw.newTenant("purge");
  const ids = [];
  for (const name of ["old", "fresh"]) {
    const made = await lw.api("POST", "/api/v1/credentials", { token, body: { name, type: "api_key", data: { api_key: "k-0123456789" } } });
    assert.equal(made.status, 201, made.text);
    assert.ok((await lw.api("DELETE", `/api/v1/credentials/${made.json.id}`, { token })).status < 300);
    ids.push(made.json.id);
  }
  lw.sql("UPDATE credential SET deleted_at = 1 WHERE name = 'old'");
  await reload();
  await eventually("the old one is gone", () => count("SELECT COUNT(*) FROM credential WHERE name = 'old'") === 0);
  assert.equal(count("SELECT COUNT(*) FROM credential_version v LEFT JOIN credential c USING (tenant_id, credential_id) WHERE c.credential_id IS NULL"), 0);
  assert.equal(count("SELECT COUNT(*) FROM credential WHERE name = 'fresh'"), 1);
  assert.equal(count("SELECT COUNT(*) FROM audit WHERE action = 'credential.purge' AND actor_kind = 'system'"), 1);
});

test("sessions, tokens, links, idempotency keys and counts of failed logins don't pile up", async () => {
  const tables = {
    session: "INSERT INTO session (session_id, user_id, tenant_id, role, address, created_at, last_used_at, expires_at) VALUES (@b, @b, @b, 'owner', '::1', 1, 1, @t)",
    refresh_token: "INSERT INTO refresh_token (token_hash, session_id, created_at, expires_at) VALUES (@h, @b, 1, @t)",
    one_time_token: "INSERT INTO one_time_token (token_hash, purpose, user_id, created_at, expires_at) VALUES (@h, 'reset', @b, 1, @t)",
    idempotency: "INSERT INTO idempotency (key_hash, request_hash, status, created_at) VALUES (@h, @h, 200, @t)",
    login_throttle: "INSERT INTO login_throttle (subject_hash, failures, window_started_at, blocked_until) VALUES (@h, 1, @t, 1)",
    mail: "INSERT INTO mail (mail_id, kind, recipient, payload, created_at) VALUES (CONCAT(UNHEX(LPAD(HEX(@t), 12, '0')), LEFT(@b, 10)), 'reset', 'a@b', '', @t)",
  };
  const marked = (table) => count(`SELECT COUNT(*) FROM ${table} WHERE ${
    { session: "address = '::1'", mail: "recipient = 'a@b'" }[table] ?? `${{
      refresh_token: "token_hash", one_time_token: "token_hash", idempotency: "key_hash", login_throttle: "subject_hash",
    }[table]} LIKE 'marked%'`}`);
  for (const [table, insert] of Object.entries(tables)) {
    for (const [n, age] of [[1, "31 * 86400000 + 1000"], [2, "60000"]])
      lw.sql(`SET @b = CONCAT('marked', '${n}', 'xxxxxxxxx'), @h = RPAD(@b, 32, 'y'), @t = FLOOR(UNIX_TIMESTAMP(NOW(3)) * 1000) - ${age}; ${insert};`);
    assert.equal(marked(table), 2, table);
  }
  await reload();
  for (const table of Object.keys(tables))
    await eventually(`the old row of ${table} is gone`, () => marked(table) === 1);
});

test("a configuration that can't be read leaves the worker at work", async () => {
  const failed = lines("the reload failed").length, pid = await lw.pid("worker"), fs = await import("node:fs");
  const conf = fs.readFileSync(lw.conf, "utf8");
  fs.writeFileSync(lw.conf, `${conf}\n[egress]\nports = none\n`);
  process.kill(pid, "SIGHUP");
  await eventually("the reload has failed", () => lines("the reload failed").length > failed);
  fs.writeFileSync(lw.conf, conf);
  await reload();
  assert.equal(await lw.pid("worker"), pid);
});

test("the worker outlives its database, and says so twice only", async () => {
  const pid = await lw.pid("worker");
  process.kill(await lw.pid("MariaDB"), "SIGKILL");
  await eventually("the outage is logged", () => lines("the database is away").length === 1);
  await lw.quickstart("start");
  await eventually("it is over", () => lines("the database is back").length === 1, 60);
  assert.equal(lines("the database is away").length, 1);
  assert.equal(await lw.pid("worker"), pid);
  await lw.newTenant("afterwards");
  await eventually("every row is sealed",
    () => count("SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq WHERE c.seq IS NULL") === 0, 60);
});

test("a worker that is told to stop ends by itself", async () => {
  const pid = await lw.pid("worker"), ended = lines('"stopping"').length;
  process.kill(pid, "SIGTERM");
  await eventually("it has ended", async () => await lw.pid("worker") === undefined);
  assert.equal(lines('"stopping"').length, ended + 1);
  await lw.quickstart("start");
  assert.notEqual(await lw.pid("worker"), pid);
});
