// Tokens that are asked for at the same moment are handed out together: each gets its own, each that is handed out has its
// one row in the audit trail, and what is wrong with one of them is wrong with no other.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import https from "node:https";
import os from "node:os";
import { after, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { eventually } from "./lib/instance.mjs";
import { workers } from "./lib/processes.mjs";
import { idBytes, Tenant } from "./lib/tenants.mjs";

const AT_ONCE = 32;
let world, lw, provider, tenant, other, agent, pids, fresh;

before(async () => {
  world = await startWorld({ types: ({ provider: p }) => [fakeType(p), fakeType(p, { id: "second" })] });
  ({ lw, provider } = world);
  tenant = await new Tenant(lw, "together").start();
  other = await new Tenant(lw, "others").start();
  agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
  fresh = await Promise.all(Array.from({ length: 5 }, (_, i) => stored(tenant, i)));
  pids = await workers(lw, "vault");
});
after(() => {
  agent?.destroy();
  return world?.stop();
});
beforeEach(() => provider?.reset());

const textOf = (of, i) => `token-${i}-of-${of.name}-0123456789`;
async function stored(of, i, expires_at = "2099-01-01T00:00:00Z") {
  const { id } = await of.newCredential({ access_token: textOf(of, i), expires_at }, { type: "oauth2" });
  return { id, text: textOf(of, i) };
}

const ask = (id, token = tenant.owner.token) => lw.api("POST", `/api/v1/credentials/${id}/token`, { token, agent });
const gives = ({ id, text }, token) => ({ ask: () => ask(id, token), status: 200, text, target: id });
const fails = (id, status, code, token) => ({ ask: () => ask(id, token), status, code });

/** The answers to AT_ONCE requests, of these kinds by turns, which are all there when the workers look. */
async function burst(kinds) {
  const asked = Array.from({ length: AT_ONCE }, (_, i) => kinds[i % kinds.length]);
  pids.forEach((pid) => process.kill(pid, "SIGSTOP"));
  setTimeout(() => pids.forEach((pid) => process.kill(pid, "SIGCONT")), 500);
  const answers = await Promise.all(asked.map((kind) => kind.ask()));
  return answers.map((answer, i) => [asked[i], answer]);
}

/** {id of a request: its rows, as [action, outcome, target in hex]}. */
function rowsOf(results) {
  const ids = results.map(([, { headers }]) => idBytes(headers["x-request-id"])), found = new Map(ids.map((id) => [id, []]));
  for (const [id, ...row] of lw.sql(`SELECT LOWER(HEX(request_id)), action, outcome, LOWER(HEX(target_id)) FROM audit WHERE request_id IN (${ids.join(", ")})`))
    found.get(`X'${id}'`).push(row);
  return results.map(([, { headers }]) => found.get(idBytes(headers["x-request-id"])));
}

/** Each has the answer of its kind, and a row "ok" for it only with a token. */
function check(results) {
  const rows = rowsOf(results);
  for (const [i, [kind, { status, json, text }]] of results.entries()) {
    const handedOut = rows[i].filter(([action, outcome]) => action === "credential.token" && outcome === "ok");
    assert.equal(status, kind.status, text);
    assert.deepEqual(handedOut.map(([, , target]) => `X'${target}'`), status === 200 ? [idBytes(kind.target)] : [], text);
    if (status === 200)
      assert.equal(json.access_token, kind.text ?? json.access_token);
    else
      assert.equal(json.code, kind.code, text);
    for (const [action, outcome] of kind.rows ?? [])
      assert.ok(rows[i].some((row) => row[0] === action && row[1] === outcome), `${action} ${outcome}: ${rows[i].join("; ")}`);
  }
}

const statements = () => Number(lw.sql(`SELECT IFNULL(SUM(select_commands + update_commands + other_commands), 0)
  FROM information_schema.user_statistics WHERE user = 'latch_vault'`)[0][0]);

test("whoever asks gets his own token, and it has its row", async () => {
  const theirs = await stored(other, "theirs"), program = (await tenant.newToken(["credentials:use"])).token;
  const ended = (await lw.api("POST", "/api/v1/auth/login", { body: { email: tenant.owner.email, password: tenant.owner.password } })).json.access_token;
  assert.equal((await lw.api("POST", "/api/v1/auth/logout", { token: ended })).status, 204);
  const reader = (await tenant.newToken(["credentials:read"])).token;
  const kinds = [
    ...fresh.map((one) => gives(one)), gives(fresh[0], tenant.people.member.token), gives(fresh[1], program), gives(theirs, other.owner.token),
    fails(theirs.id, 404, "NOT_FOUND"), fails(fresh[2].id, 404, "NOT_FOUND", other.owner.token), fails(fresh[3].id, 401, "SESSION_ENDED", ended),
    { ...fails(fresh[0].id, 403, "DENIED", tenant.people.viewer.token), rows: [["credential.token", "refused"]] },
    fails(fresh[0].id, 403, "SCOPE_MISSING", reader),
  ];
  for (let i = 0; i < 4; i++)
    check(await burst(kinds));
});

test("many take fewer statements than there are tokens", async () => {
  const kinds = fresh.map((one) => gives(one));
  check(await burst(kinds));
  lw.sql("SET GLOBAL userstat = 1");
  const first = statements();
  let bursts = 0;
  // On a busy machine they may come one by one all the same.
  await eventually("some were handed out together", async () => {
    check(await burst(kinds));
    return statements() - first < AT_ONCE * ++bursts;
  });
  lw.sql("SET GLOBAL userstat = 0");
});

test("what has become stale, unreadable, revoked or deleted since takes no other with it", async () => {
  provider.firstTtl = 3600;
  const [stale, revoked] = [await world.connect("fake", tenant.owner.token), await world.connect("second", tenant.owner.token)];
  const [flipped, deleted] = [await stored(tenant, "flipped"), await stored(tenant, "deleted")];
  const before = [...fresh, flipped, deleted].map((one) => gives(one));
  const connected = [stale, revoked].map(({ credential }) => gives({ id: credential }));
  for (let i = 0; i < 4; i++)
    check(await burst([...before, ...connected])); // the workers have seen all of them work
  provider.exchanges = []; // the background may be the one that renews it
  await tenant.does("PUT", `/api/v1/credentials/${stale.credential}`, { data: { expires_at: "2020-01-01T00:00:00Z" } });
  await tenant.does("POST", `/api/v1/connectors/${revoked.connector.id}/revoke`);
  lw.sql(`UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE credential_id = ${idBytes(flipped.id)}`);
  assert.equal((await lw.api("DELETE", `/api/v1/credentials/${deleted.id}`, { token: tenant.owner.token })).status, 204);
  const kinds = [
    ...fresh.map((one) => gives(one)), gives({ id: stale.credential }), fails(revoked.credential, 409, "NEEDS_RECONNECT"), fails(deleted.id, 404, "NOT_FOUND"),
    { ...fails(flipped.id, 500, "UNREADABLE"), rows: [["credential.unreadable", "failed"], ["credential.token", "failed"]] },
  ];
  for (let i = 0; i < 2; i++)
    check(await burst(kinds));
  assert.equal(provider.exchanges.length, 1, "it was renewed once");
});

test("while no row can be written nobody gets a token", async () => {
  const kinds = fresh.map(({ id }) => ({ ask: () => ask(id) }));
  check(await burst(fresh.map((one) => gives(one))));
  lw.sql("RENAME TABLE audit TO audit_away");
  try {
    for (const [, { status, text }] of await burst(kinds))
      assert.ok(status >= 500 && !text.includes("token-"), `${status} ${text}`);
  } finally {
    lw.sql("RENAME TABLE audit_away TO audit");
  }
  check(await burst(fresh.map((one) => gives(one))));
});

test("when it isn't known whether the rows were written nobody gets a token", async () => {
  const kinds = fresh.map((one) => gives(one));
  check(await burst(kinds));
  const asAdmin = ["--no-defaults", `--socket=${lw.database}`, `--user=${os.userInfo().username}`, "latchwork", "--execute"];
  // Who writes a row waits for the lock, and loses the connection while he does.
  const harm = promisify(execFile)("mariadb", [...asAdmin, "LOCK TABLES audit READ; SELECT SLEEP(3); KILL USER latch_vault@localhost; UNLOCK TABLES"]);
  await eventually("the table is locked", () => lw.sql("SHOW OPEN TABLES FROM latchwork WHERE `Table` = 'audit' AND In_use > 0").length > 0);
  const results = await burst(kinds);
  await harm;
  const unsure = results.filter(([, { json }]) => json.code === "OUTCOME_UNKNOWN");
  assert.ok(unsure.length > 0, results.map(([, { status }]) => status).join(" "));
  for (const [, { status, text }] of unsure)
    assert.ok(status === 503 && !text.includes("token-"), text);
  const given = results.filter(([, { status }]) => status === 200);
  if (given.length > 0)
    check(given);
  check(await burst(kinds));
});
