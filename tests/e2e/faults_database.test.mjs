// The database goes away, dies, fills its disk, refuses a table: under load, and nothing half-written is left behind.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Ledger, Load, newValue } from "./lib/load.mjs";
import { alive, endProcess, startDatabase, workers } from "./lib/processes.mjs";

const ROUNDS = process.env.LATCHWORK_LONG ? 20 : 2;

let lw, tenant, ledger;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  tenant = await lw.newTenant("faults");
  ledger = new Ledger();
});
after(() => lw?.stop());

function startLoad(t) {
  const load = new Load(lw, { token: tenant.token, ledger, clients: 8 }).start();
  t.after(() => load.stop()); // also when the test fails
  return load;
}
const count = (sql) => Number(lw.sql(sql)[0][0]);
/** The pools' connections end. */
const throwOut = () => lw.sql("KILL HARD USER latch_front@localhost; KILL HARD USER latch_vault@localhost", "information_schema");
const serving = async () => [await lw.pid("front"), await lw.pid("vault"), await lw.pid("worker"),
  ...await workers(lw, "front"), ...await workers(lw, "vault")].join(" ");

/** Everything there is was acknowledged, and the other way round; every row has its version, its key and its audit row. */
async function nothingHalfWritten() {
  assert.deepEqual(await ledger.compare(lw, tenant.token), []);
  assert.equal(count("SELECT COUNT(*) FROM credential c LEFT JOIN credential_version v USING (tenant_id, credential_id, version) WHERE v.version IS NULL"), 0);
  assert.equal(count("SELECT COUNT(*) FROM credential c LEFT JOIN audit a ON a.target_id = c.credential_id AND a.action = 'credential.create' AND a.outcome = 'ok' WHERE a.seq IS NULL"), 0);
  assert.equal(count(`SELECT COUNT(*) FROM (SELECT c.credential_id FROM credential c JOIN audit a ON a.target_id = c.credential_id
    WHERE a.outcome = 'ok' AND a.action IN ('credential.create', 'credential.update') GROUP BY c.credential_id, c.version HAVING COUNT(*) <> c.version) x`), 0,
  "as many audit rows as versions");
}

for (const signal of ["SIGTERM", "SIGKILL"])
  test(`MariaDB ends by ${signal} and comes back: 503 with Retry-After, then work goes on in the same processes`, async (t) => {
    const before = await serving();
    const load = startLoad(t);
    await load.progress(100);
    for (let round = 0; round < ROUNDS; round++) {
      const failed = load.failures.length;
      await endProcess(await lw.pid("MariaDB"), signal);
      await eventually("requests are refused", () => load.failures.length > failed + 20, 60);
      assert.equal((await lw.api("GET", "/readyz")).status, 503);
      assert.equal((await lw.api("GET", "/healthz")).status, 200);
      await startDatabase(lw);
      await load.progress(200);
      assert.equal((await lw.api("GET", "/readyz")).status, 200);
    }
    await load.stop();
    assert.deepEqual(load.wrong, []);
    for (const failure of load.failures) {
      assert.equal(failure.status, 503, JSON.stringify(failure));
      assert.match(failure.code, /^(DATABASE_AWAY|OUTCOME_UNKNOWN)$/);
      assert.ok(failure.what === "create" || failure.what === "change" || failure.code === "DATABASE_AWAY" || failure.what === "reveal", JSON.stringify(failure));
    }
    assert.equal(await serving(), before, "no process was started again");
    await nothingHalfWritten();
  });

test("a database that stands still is waited for, and what waited is answered", async (t) => {
  const load = startLoad(t);
  await load.progress(50);
  const pid = await lw.pid("MariaDB");
  process.kill(pid, "SIGSTOP");
  await new Promise((done) => setTimeout(done, 2000));
  process.kill(pid, "SIGCONT");
  await load.progress(100);
  await load.stop();
  assert.deepEqual(load.wrong, []);
  assert.deepEqual(load.failures, []);
  await nothingHalfWritten();
});

const unusable = {
  "may not be written": ["REVOKE INSERT ON latchwork.v_audit FROM latch_vault@localhost", "GRANT INSERT ON latchwork.v_audit TO latch_vault@localhost"],
  "is gone": ["RENAME TABLE audit TO audit_away", "RENAME TABLE audit_away TO audit"],
};
for (const [words, [harm, mend]] of Object.entries(unusable))
  test(`while the audit trail ${words}, no secret is shown and nothing is changed; afterwards all works`, async () => {
    const { token } = tenant, value = newValue(), name = `row ${value}`;
    const created = await lw.api("POST", "/api/v1/credentials", { token, body: { name, type: "api_key", data: { api_key: value } } });
    ledger.create(name, value, created);
    const uri = `/api/v1/credentials/${created.json.id}`, before = lw.sql("CHECKSUM TABLE credential, credential_version, idempotency");
    lw.sql(harm);
    try {
      const other = newValue();
      for (const [method, path, body] of [["POST", `${uri}/reveal`], ["PUT", uri, { data: { api_key: other } }], ["DELETE", uri],
        ["DELETE", `${uri}?purge=true`], ["POST", "/api/v1/credentials", { name: `row ${other}`, type: "api_key", data: { api_key: other } }]]) {
        const answer = await lw.api(method, path, { token, body, headers: { ...(method === "POST" && { "Idempotency-Key": newValue() }) } });
        assert.ok(answer.status >= 500, `${method} ${path}: ${answer.status} ${answer.text}`);
        assert.ok(!answer.text.includes(value), answer.text);
      }
      assert.deepEqual(lw.sql("CHECKSUM TABLE credential, credential_version, idempotency"), before);
    } finally {
      lw.sql(mend);
    }
    const answer = await lw.api("POST", `${uri}/reveal`, { token });
    assert.equal(answer.status, 200, answer.text);
    assert.equal(answer.json.data.api_key, value);
    await nothingHalfWritten();
  });

test("a server that doesn't flush what it commits gets no connection, and nothing is acknowledged until it does", async () => {
  const before = await serving(), create = async () => {
    const value = newValue(), name = `row ${value}`;
    const answer = await lw.api("POST", "/api/v1/credentials", { token: tenant.token, body: { name, type: "api_key", data: { api_key: value } } });
    ledger.create(name, value, answer);
    return answer;
  };
  lw.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
  try {
    assert.equal((await lw.api("GET", "/readyz")).json.checks.durability, "failed");
    throwOut();
    for (let i = 0; i < 10; i++) {
      const answer = await create();
      assert.deepEqual([answer.status, answer.json.code], [503, "DATABASE_AWAY"]);
      assert.match(answer.headers["retry-after"], /^\d+$/);
    }
  } finally {
    lw.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1");
  }
  await eventually("it acknowledges again", async () => (await create()).status === 201, 60);
  assert.equal((await lw.api("GET", "/readyz")).status, 200);
  assert.equal(await serving(), before, "no process was started again");
  await nothingHalfWritten();
});

test("connections that the server throws out cost nothing but what was under way", async (t) => {
  const load = startLoad(t);
  await load.progress(50);
  for (let i = 0; i < 5; i++) {
    throwOut();
    await load.progress(50);
  }
  await load.stop();
  assert.deepEqual(load.wrong, []);
  assert.ok(load.failures.every(({ status }) => status === 503), JSON.stringify(load.failures));
  assert.ok(load.failures.length <= 5 * 8, `${load.failures.length} failures`);
  assert.ok(alive(await lw.pid("vault")));
  await nothingHalfWritten();
});
