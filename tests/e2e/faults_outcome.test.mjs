// A COMMIT whose answer is lost, a process that dies between two lines: the client learns the truth, and a retry
// with its Idempotency-Key leaves exactly one credential. Needs a build with --enable-crash-points.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Ledger, Load, listAll, newValue } from "./lib/load.mjs";
import { replacePool, workers } from "./lib/processes.mjs";

const KILLS = process.env.LATCHWORK_LONG ? 200 : 25;

let lw, tenant, ledger;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  tenant = await lw.newTenant("outcomes");
  ledger = new Ledger();
});
after(() => lw?.stop());

const send = (method, uri, body, key) => lw.api(method, uri, { token: tenant.token, body, headers: key ? { "Idempotency-Key": key } : {} });
const named = async (name) => (await listAll(lw, tenant.token)).filter((credential) => credential.name === name);
const count = (sql) => Number(lw.sql(sql)[0][0]);

/** A creation of its own: {name, value, body, key}. */
function creation() {
  const value = newValue(), name = `row ${value}`;
  return { name, value, body: { name, type: "api_key", data: { api_key: value } }, key: crypto.randomUUID() };
}

/**
 * The one vault worker, so prepared that its second transaction meets the fault: after a first creation, which the
 * caller's ledger knows.
 */
async function armed(env) {
  await replacePool(lw, "vault", { ...env, LATCHWORK_VAULT_WORKERS: "1" });
  const { name, value, body } = creation();
  ledger.create(name, value, await send("POST", "/api/v1/credentials", body));
  assert.ok(ledger.allows(name, value));
  return { name, value, id: ledger.rows.get(name).id };
}

const unarmed = () => replacePool(lw, "vault");

async function settled() {
  assert.deepEqual(await ledger.compare(lw, tenant.token), []);
  assert.equal(count("SELECT COUNT(*) FROM credential c LEFT JOIN audit a ON a.target_id = c.credential_id AND a.action = 'credential.create' AND a.outcome = 'ok' WHERE a.seq IS NULL"), 0);
  assert.equal(count("SELECT COUNT(*) FROM (SELECT target_id FROM audit WHERE action = 'credential.create' AND outcome = 'ok' GROUP BY target_id HAVING COUNT(*) > 1) x"), 0);
}

const faults = [
  // environment, whether it is stored then, what the client hears
  [{ LATCHWORK_DB_FAULT: "after_commit:2" }, true, "OUTCOME_UNKNOWN"],
  [{ LATCHWORK_DB_FAULT: "before_commit:2" }, false, "DATABASE_AWAY"], // it was never sent
  [{ LATCHWORK_CRASH_AT: "before_commit:2" }, false, "OUTCOME_UNKNOWN"],
  [{ LATCHWORK_CRASH_AT: "after_commit:2" }, true, "OUTCOME_UNKNOWN"],
];
for (const [env, stored, code] of faults) {
  const [[name, at]] = Object.entries(env), words = name === "LATCHWORK_DB_FAULT" ? `the connection is lost at ${at}` : `the worker dies at ${at}`;

  test(`${words}: a creation that is sent again with its key is there once`, async (t) => {
    await armed(env);
    const made = creation(), first = await send("POST", "/api/v1/credentials", made.body, made.key);
    if (first.status === 201)
      return t.skip("latchd was built without faults");
    assert.equal(first.status, 503, first.text);
    assert.equal(first.json.code, code);
    assert.match(first.headers["retry-after"], /^\d+$/);
    assert.equal((await named(made.name)).length, stored ? 1 : 0);
    // The server may not have noticed yet that nobody is at the other end of the first one's transaction.
    const again = await eventually("the first one is over", async () => {
      const answer = await send("POST", "/api/v1/credentials", made.body, made.key);
      return answer.json.code !== "IDEMPOTENCY_IN_FLIGHT" && answer;
    });
    assert.equal(again.status, 201, again.text);
    assert.equal(again.headers["idempotent-replayed"], stored ? "true" : undefined);
    assert.deepEqual((await named(made.name)).map(({ id }) => id), [again.json.id]);
    ledger.create(made.name, made.value, again);
    await unarmed();
    const third = await send("POST", "/api/v1/credentials", made.body, made.key);
    assert.equal(third.json.id, again.json.id);
    await settled();
    return undefined;
  });

  test(`${words}: a change is either there or not, and its client isn't told otherwise`, async (t) => {
    const { name: row, value, id } = await armed(env), next = newValue();
    const answer = await send("PUT", `/api/v1/credentials/${id}`, { data: { api_key: next } });
    if (answer.status === 200)
      return t.skip("latchd was built without faults");
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.json.code, code);
    ledger.change(row, next, answer);
    await unarmed();
    const { json } = await send("POST", `/api/v1/credentials/${id}/reveal`);
    assert.equal(json.data.api_key, stored ? next : value);
    await settled();
    return undefined;
  });

  test(`${words}: a secret isn't shown, and is shown when asked again`, async (t) => {
    const { value, id } = await armed(env), rows = () => count("SELECT COUNT(*) FROM audit WHERE action = 'credential.reveal' AND outcome = 'ok'");
    const before = rows(), answer = await send("POST", `/api/v1/credentials/${id}/reveal`);
    if (answer.status === 200)
      return t.skip("latchd was built without faults");
    assert.equal(answer.status, 503, answer.text);
    assert.ok(!answer.text.includes(value));
    assert.equal(rows(), before + (stored ? 1 : 0));
    assert.equal((await send("POST", `/api/v1/credentials/${id}/reveal`)).json.data.api_key, value);
    assert.equal(rows(), before + (stored ? 2 : 1));
    return undefined;
  });
}

test("creations that are sent again until they are acknowledged, while all workers are killed: each is there once", async (t) => {
  await unarmed();
  const load = new Load(lw, { token: tenant.token, ledger, clients: 6, keys: true, mix: [] }).start();
  t.after(() => load.stop());
  for (let i = 0; i < KILLS; i++) {
    await load.progress(crypto.randomInt(1, 6));
    await new Promise((done) => setTimeout(done, Math.random() * 10));
    for (const pid of await workers(lw, "vault"))
      process.kill(pid, "SIGKILL");
  }
  await load.progress(20);
  await load.stop();
  t.diagnostic(`${load.done} creations, ${load.failures.length} failures`);
  assert.deepEqual(load.wrong, []);
  assert.ok(load.failures.every(({ code }) => /^(OUTCOME_UNKNOWN|IDEMPOTENCY_IN_FLIGHT)$/.test(code)), JSON.stringify(load.failures.slice(0, 9)));
  await settled();
});
