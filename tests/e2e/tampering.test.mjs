// A stored secret opens where it was put, unchanged, and nowhere else; and whoever takes it out is in the audit trail.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, test } from "node:test";
import { startInstance } from "./lib/instance.mjs";
import { Tenant, idBytes } from "./lib/tenants.mjs";

const KEPT = ["credential", "tenant_key", "credential_version"];
const SECRET = () => `a-secret-${crypto.randomBytes(12).toString("hex")}`;
let lw, a, b, one, two, three, plain;
const ofBoth = () => `tenant_id IN (${idBytes(a.id)}, ${idBytes(b.id)})`; // and not the service's own key
const isOne = () => `tenant_id = ${idBytes(a.id)} AND credential_id = ${idBytes(one)}`;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" });
  [a, b] = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
  plain = SECRET();
  one = (await a.newCredential({ api_key: SECRET() })).id;
  await a.does("PUT", `/api/v1/credentials/${one}`, { data: { api_key: plain } });
  two = (await a.newCredential({ api_key: SECRET() })).id;
  three = (await b.newCredential({ api_key: SECRET() })).id;
  lw.sql(KEPT.map((table) => `CREATE TABLE kept_${table} AS SELECT * FROM ${table};`).join("\n"));
});
after(async () => { await lw?.stop(); });

const reveal = (id, tenant = a, headers = {}) => lw.api("POST", `/api/v1/credentials/${id}/reveal`, { token: tenant.owner.token, headers });
const rows = (where) => Number(lw.sql(`SELECT COUNT(*) FROM audit WHERE ${where}`)[0][0]);
const unreadable = (id) => rows(`action = 'credential.unreadable' AND outcome = 'failed' AND target_id = ${idBytes(id)}`);
const refusedReveals = (id) => rows(`action = 'credential.reveal' AND outcome = 'failed' AND target_id = ${idBytes(id)}`);

/** Runs the change, with foreign keys off as somebody would who owns the database. */
const tamper = (sql) => lw.sql(`SET foreign_key_checks = 0; ${sql}`);
const mend = () => tamper(KEPT.map((table) => `DELETE FROM ${table} WHERE ${ofBoth()};
  INSERT INTO ${table} SELECT * FROM kept_${table} WHERE ${ofBoth()};`).join("\n"));

/** The one answer that there is for a secret that doesn't open: the same bytes, whatever was done to it. */
function assertGeneric(what, { status, headers, json, text }) {
  assert.equal(status, 500, `${what}: ${text}`);
  const { request_id: id, ...rest } = json;
  assert.equal(id, headers["x-request-id"]);
  assert.deepEqual(rest, { type: "urn:latchwork:problem:unreadable", title: "The stored secret can't be opened.", status: 500,
    error: "The stored secret can't be opened.", code: "UNREADABLE" }, what);
}

async function assertUnreadable(what, sql, id = one, tenant = a) {
  const before = [unreadable(id), refusedReveals(id)];
  tamper(sql);
  assertGeneric(what, await reveal(id, tenant));
  assert.deepEqual([unreadable(id), refusedReveals(id)], [before[0] + 1, before[1] + 1], `${what}: no audit row`);
  mend();
}

test("what wasn't touched opens", async () => {
  assert.equal((await reveal(one)).json.data.api_key, plain);
});

test("a ciphertext in another row, another version or another tenant doesn't open", async () => {
  const from = (id, version) => `(SELECT ciphertext FROM kept_credential_version WHERE credential_id = ${idBytes(id)} AND version = ${version})`;
  const put = (ciphertext) => `UPDATE credential_version SET ciphertext = ${ciphertext} WHERE ${isOne()} AND version = 2`;
  await assertUnreadable("another credential's", put(from(two, 1)));
  await assertUnreadable("an old version's", put(from(one, 1)));
  await assertUnreadable("another tenant's", put(from(three, 1)));
  await assertUnreadable("with the key of its tenant", `${put(from(three, 1))}; UPDATE tenant_key SET wrapped =
    (SELECT wrapped FROM kept_tenant_key WHERE tenant_id = ${idBytes(b.id)}) WHERE tenant_id = ${idBytes(a.id)}`);
});

test("a row that was moved to another tenant, with or without its key, doesn't open there", async () => {
  const move = ["credential", "credential_version"].map((table) =>
    `UPDATE ${table} SET tenant_id = ${idBytes(b.id)} WHERE credential_id = ${idBytes(one)};`).join("\n");
  await assertUnreadable("moved", move, one, b);
  await assertUnreadable("moved with its key", `${move} UPDATE tenant_key SET wrapped = (SELECT wrapped FROM kept_tenant_key
    WHERE tenant_id = ${idBytes(a.id)}) WHERE tenant_id = ${idBytes(b.id)}`, one, b);
});

test("a row that says something else about itself doesn't open", async () => {
  const changes = {
    "another type": `UPDATE credential SET type = 'basic_auth' WHERE ${isOne()}`,
    "another owner": `UPDATE credential SET created_by = ${idBytes(b.owner.id)} WHERE ${isOne()}`,
    "another version": `UPDATE credential_version SET version = 9 WHERE ${isOne()} AND version = 2;
      UPDATE credential SET version = 9 WHERE ${isOne()}`,
    "another generation": `INSERT INTO tenant_key SELECT tenant_id, 2, root_key_id, wrapped, created_at FROM kept_tenant_key
      WHERE tenant_id = ${idBytes(a.id)}; UPDATE credential_version SET key_generation = 2 WHERE ${isOne()}`,
    "a generation that isn't there": `UPDATE credential_version SET key_generation = 7 WHERE ${isOne()}`,
    "a root key that isn't there": `UPDATE tenant_key SET root_key_id = 'vault-none' WHERE tenant_id = ${idBytes(a.id)}`,
    "a root key's name that is none": `UPDATE tenant_key SET root_key_id = '../front/current' WHERE tenant_id = ${idBytes(a.id)}`,
    "no ciphertext": `UPDATE credential_version SET ciphertext = '' WHERE ${isOne()}`,
    "a byte less": `UPDATE credential_version SET ciphertext = LEFT(ciphertext, LENGTH(ciphertext) - 1) WHERE ${isOne()}`,
    "a byte more": `UPDATE credential_version SET ciphertext = CONCAT(ciphertext, X'00') WHERE ${isOne()}`,
    "no tenant key": `DELETE FROM tenant_key WHERE tenant_id = ${idBytes(a.id)}`,
  };
  for (const [what, sql] of Object.entries(changes))
    await assertUnreadable(what, sql);
});

const flip = (column, at, bit) => `${column} = INSERT(${column}, ${at}, 1, CHAR(ORD(SUBSTRING(${column}, ${at}, 1)) ^ ${1 << bit}))`;

for (const [what, column, update] of [
  ["of the ciphertext", "ciphertext", (set) => `UPDATE credential_version SET ${set} WHERE ${isOne()} AND version = 2`],
  ["of the tenant's wrapped key", "wrapped", (set) => `UPDATE tenant_key SET ${set} WHERE tenant_id = ${idBytes(a.id)}`],
]) {
  test(`no flipped bit ${what} goes unnoticed: header, nonce, text and tag`, async () => {
    const table = column === "wrapped" ? "tenant_key" : "credential_version";
    const length = Number(lw.sql(`SELECT MAX(LENGTH(${column})) FROM ${table} WHERE tenant_id = ${idBytes(a.id)}`)[0][0]);
    const before = unreadable(one);
    assert.ok(length >= 60, `${length} bytes`);
    for (let at = 1; at <= length; at++) {
      const change = update(flip(column, at, crypto.randomInt(8)));
      tamper(change);
      assertGeneric(`byte ${at}`, await reveal(one));
      tamper(change);
    }
    assert.equal(unreadable(one), before + length);
    assert.equal((await reveal(one)).json.data.api_key, plain);
  });
}

test("what has to open it for something else fails the same way, and changes nothing", async () => {
  const count = () => lw.sql(`SELECT COUNT(*), MAX(version) FROM credential_version WHERE ${isOne()}`)[0];
  const before = [unreadable(one), count()];
  tamper(`UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE ${isOne()}`);
  const call = (method, uri, body) => lw.api(method, `/api/v1/credentials/${one}${uri}`, { token: a.owner.token, body });
  assertGeneric("a change", await call("PUT", "", { data: { api_secret: "more" } }));
  assertGeneric("a restore", await call("POST", "/versions/1/restore"));
  assert.deepEqual([unreadable(one), count()], [before[0] + 2, before[1]]);
  assert.equal((await call("GET", "")).status, 200); // what is masked needs no key
  mend();
});

test("each time that a secret is taken out makes a row, also with an Idempotency-Key that was used before", async () => {
  const taken = () => rows(`action = 'credential.reveal' AND outcome = 'ok' AND target_id = ${idBytes(two)}`);
  const before = taken(), headers = { "Idempotency-Key": crypto.randomUUID() };
  for (let i = 1; i <= 3; i++) {
    assert.equal((await reveal(two, a, headers)).status, 200);
    assert.equal(taken(), before + i);
  }
});

test("a purged secret is gone for good: no copy is kept for an Idempotency-Key either", async () => {
  const { id } = await a.newCredential(), headers = { "Idempotency-Key": crypto.randomUUID() };
  assert.equal((await reveal(id, a, headers)).status, 200);
  assert.deepEqual(await a.does("DELETE", `/api/v1/credentials/${id}?purge=true`), { purged: true, verified: true });
  assert.equal((await reveal(id, a, headers)).status, 404);
  assert.deepEqual(lw.sql(`SELECT COUNT(*) FROM credential_version WHERE credential_id = ${idBytes(id)}`), [["0"]]);
});
