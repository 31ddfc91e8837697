// What happens without anybody asking: sealing, keys of issuers, the end of what is over. And that it keeps happening.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { eventually, startInstance } from "./lib/instance.mjs";
import { OidcIssuer } from "./lib/oidc_issuer.mjs";

let lw, issuer, unlisted;

before(async () => {
  issuer = await new OidcIssuer().start();
  unlisted = await new OidcIssuer().start();
  const section = ({ url, port }, name) =>
    `[issuer ${name}]\nissuer = ${url}\naudience = latchwork\njwks_url = https://localhost:${port}/jwks\n`;
  lw = await startInstance({
    conf: `[egress]\ntimeout_ms = 60000\nallow_hosts = localhost:${issuer.port}\nca_file = ${issuer.ca}\n` +
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

/** Rows of the audit trail that aren't sealed yet. */
const unsealed = () => count("SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq WHERE c.seq IS NULL");

/** As if the last try to fetch keys had been long ago. */
const patience = () => lw.sql("UPDATE jwks_refresh SET tried_at = 0");

test("what was done is sealed within seconds, and the seal can be verified", async () => {
  await lw.newTenant("sealed");
  assert.ok(count("SELECT COUNT(*) FROM audit") > 0);
  await eventually("every row is sealed", () => unsealed() === 0);
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

test("an issuer that keeps the worker waiting doesn't hold up the sealing of the audit trail", async () => {
  let held, gaveUp = false;
  issuer.answer = (response) => {
    held = response.once("close", () => { gaveUp = true; });
  };
  lw.sql("UPDATE jwks SET fetched_at = 0");
  patience();
  await eventually("the worker waits for the issuer", () => held);
  await lw.newTenant("meanwhile");
  await eventually("every row is sealed", () => unsealed() === 0);
  assert.ok(!gaveUp, "they were sealed only when the worker had given the issuer up");
  issuer.answer = null;
  held.destroy();
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

/** A row of each kind: its table, the statement that makes one whose time was @t, and how the test's own are found. */
const ROWS = {
  session: ["(session_id, user_id, tenant_id, role, address, created_at, last_used_at, expires_at) VALUES (@id, @id, @id, 'owner', '192.0.2.9', 1, 1, @t)",
    "address = '192.0.2.9'"],
  refresh_token: ["(token_hash, session_id, created_at, expires_at) VALUES (@hash, @id, 1, @t)", "token_hash LIKE 'marked%'"],
  one_time_token: ["(token_hash, purpose, user_id, created_at, expires_at) VALUES (@hash, 'reset', @id, 1, @t)", "token_hash LIKE 'marked%'"],
  invitation: ["(tenant_id, invitation_id, email, role, token_hash, invited_by, created_at, expires_at) VALUES (@id, @id, 'a@b', 'viewer', @hash, @id, 1, @t)",
    "token_hash LIKE 'marked%'"],
  idempotency: ["(key_hash, request_hash, status, created_at) VALUES (@hash, @hash, 200, @t)", "key_hash LIKE 'marked%'"],
  login_throttle: ["(subject_hash, failures, window_started_at, blocked_until) VALUES (@hash, 1, @t, 1)", "subject_hash LIKE 'marked%'"],
  mail: ["(mail_id, kind, recipient, payload, created_at) VALUES (CONCAT(UNHEX(LPAD(HEX(@t), 12, '0')), LEFT(@id, 10)), 'reset', 'marked', '', @t)",
    "recipient = 'marked'"],
};

test("sessions, tokens, links, invitations, idempotency keys, counts of failed logins and mails don't pile up", async () => {
  const marked = (table) => count(`SELECT COUNT(*) FROM ${table} WHERE ${ROWS[table][1]}`);
  const aged = { old: 31 * 86400000 + 1000, young: 60000 };
  for (const [table, [insert]] of Object.entries(ROWS)) {
    for (const [name, ms] of Object.entries(aged))
      lw.sql(`SET @id = RPAD('marked ${name}', 16, '.'); SET @hash = RPAD(@id, 32, '.'); SET @t = ${Date.now() - ms}; INSERT INTO ${table} ${insert}`);
    assert.equal(marked(table), 2, table);
  }
  await reload();
  for (const table of Object.keys(ROWS))
    await eventually(`the old row of ${table} is gone`, () => marked(table) === 1);
});

test("a worker with another root key does not start, and names the key that it wants", () => {
  const keys = lw.at("other-keys"), [[wanted]] = lw.sql("SELECT root_key_id FROM root_key WHERE purpose = 'vault'");
  fs.mkdirSync(keys, { mode: 0o700 });
  fs.writeFileSync(`${keys}/v20200101.key`, crypto.randomBytes(32), { mode: 0o400 });
  fs.writeFileSync(`${keys}/current`, "v20200101\n", { mode: 0o400 });
  const { status, stderr } = spawnSync(`${lw.program}/sbin/latch-worker`, ["--config", lw.conf],
    { env: { LATCHWORK_KEYS_VAULT_DIR: keys, LATCHWORK_WORKER_PIDFILE: lw.at("other.pid") }, encoding: "utf8", timeout: 120000 });
  assert.equal(status, 1, stderr);
  assert.ok(stderr.includes(wanted), stderr);
});

test("a configuration that can't be read leaves the worker at work", async () => {
  const failed = lines("the reload failed").length, pid = await lw.pid("worker");
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
  // Two of its processes keep chores.
  await eventually("the outage is logged", () => lines("the database is away").length === 2);
  await lw.quickstart("start");
  await eventually("it is over", () => lines("the database is back").length === 2, 60);
  assert.equal(new Set(lines("the database is away").map((line) => line.pid)).size, 2);
  assert.equal(lines("the database is away").length, 2);
  assert.equal(await lw.pid("worker"), pid);
  await lw.newTenant("afterwards");
  await eventually("every row is sealed", () => unsealed() === 0, 60);
});

/** What its processes have written down of that counter. */
const written = (series) => count(`SELECT COALESCE(SUM(total), 0) FROM worker_stat WHERE series = 'latchwork_${series}_total'`);

test("what the worker has counted isn't lost when it stops", async () => {
  const { token } = await lw.newTenant("counted"), before = written("executions_completed"), runs = 5;
  const made = await lw.api("POST", "/api/v1/workflows", { token, body: { name: "counted", definition: {
    steps: [{ id: "one", type: "transform", config: { expression: "1" } }], dependencies: {} } } });
  assert.equal(made.status, 201, made.text);
  const run = async () => assert.ok((await lw.api("POST", `/api/v1/workflows/${made.json.id}/execute`, { token, body: {} })).status < 300);
  const ended = (n) => eventually("they have ended", () => count("SELECT COUNT(*) FROM execution WHERE status = 'completed'") === n);
  await run();
  await eventually("the first one is written down", () => written("executions_completed") === before + 1, 60);
  for (let i = 1; i < runs; i++)
    await run();
  await ended(runs);
  process.kill(await lw.pid("worker"), "SIGTERM");
  await eventually("it has ended", async () => await lw.pid("worker") === undefined);
  assert.equal(written("executions_completed"), before + runs);
  await lw.quickstart("start");
});

test("a worker that is told to stop ends by itself", async () => {
  const pid = await lw.pid("worker"), ended = lines('"stopping"').length;
  process.kill(pid, "SIGTERM");
  await eventually("it has ended", async () => await lw.pid("worker") === undefined);
  assert.equal(lines('"stopping"').length, ended + 1);
  await lw.quickstart("start");
  assert.notEqual(await lw.pid("worker"), pid);
});
