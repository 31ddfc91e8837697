// Root keys and tenants' keys are replaced while clients read and write, and whoever does it is killed.
// LATCHWORK_LONG=1: more rows, more kills.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Ledger, Load, listAll, newValue } from "./lib/load.mjs";
import { startLatchctl, workers } from "./lib/processes.mjs";

const long = Boolean(process.env.LATCHWORK_LONG);
const ROWS = long ? 5000 : 1100, KILLS = long ? 200 : 20, WORKER_KILLS = long ? 100 : 10;

let lw;
const tenants = []; // {token, ledger, load}

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  for (const name of ["large", "small"]) {
    const { token, tenant, email, password } = await lw.newTenant(name);
    tenants.push({ token, id: tenant.id, email, password, ledger: new Ledger() });
  }
  await importRows(tenants[0], ROWS);
});
after(() => lw?.stop());

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const count = (sql) => Number(lw.sql(sql)[0][0]);

/** As many rows as a rotation needs some time for: three of its batches and more. */
async function importRows({ id, email, token, ledger }, n) {
  const key = crypto.randomBytes(32), values = new Map();
  const fernet = (text) => {
    const iv = crypto.randomBytes(16), time = Buffer.alloc(8);
    time.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)));
    const cipher = crypto.createCipheriv("aes-128-cbc", key.subarray(16), iv);
    const body = Buffer.concat([Buffer.from([0x80]), time, iv, cipher.update(text), cipher.final()]);
    return Buffer.concat([body, crypto.createHmac("sha256", key.subarray(0, 16)).update(body).digest()]).toString("base64url");
  };
  for (let i = 0; i < n; i++)
    values.set(`imported ${i}`, newValue());
  fs.writeFileSync(lw.at("rows.jsonl"), [...values].map(([name, value]) =>
    JSON.stringify({ name, type: "api_key", token: fernet(JSON.stringify({ api_key: value })) })).join("\n"));
  fs.writeFileSync(lw.at("fernet"), key.toString("base64url"), { mode: 0o600 });
  const { status, stderr } = lw.latchctl("import", "fernet", lw.at("rows.jsonl"), "--tenant", id, "--email", email, "--key-file", lw.at("fernet"));
  assert.equal(status, 0, stderr);
  for (const credential of await listAll(lw, token))
    ledger.create(credential.name, values.get(credential.name), { status: 201, json: credential });
  assert.equal(ledger.rows.size, n);
}

async function rotate(what, env) {
  const ctl = startLatchctl(lw, ["key", "rotate", what], env);
  const { status, signal } = await ctl.ended;
  return { status, signal, words: ctl.log() };
}

/** Again until it is done. */
async function finish(what) {
  const { status, words } = await rotate(what);
  assert.equal(status, 0, words);
}

/** Stops a worker for a moment wherever it is, and another: what a rotation overtakes then must hold all the same. */
async function stutter(load) {
  while (load.running) {
    const pids = await workers(lw, "vault"), pid = pids[crypto.randomInt(pids.length)];
    process.kill(pid, "SIGSTOP");
    await pause(Math.random() * 600);
    process.kill(pid, "SIGCONT");
  }
}

/** Rows, keys and root keys that a finished rotation must not leave behind. */
function leftovers() {
  return {
    versions: count("SELECT COUNT(*) FROM credential_version v JOIN tenant t USING (tenant_id) WHERE v.key_generation <> t.key_generation"),
    keys: count("SELECT COUNT(*) FROM tenant_key k JOIN tenant t USING (tenant_id) WHERE k.generation <> t.key_generation"),
    wrapped: count("SELECT COUNT(*) FROM tenant_key WHERE root_key_id NOT IN (SELECT root_key_id FROM root_key WHERE purpose = 'vault' AND state = 'current')"),
    roots: count("SELECT COUNT(*) FROM root_key WHERE purpose = 'vault' AND state = 'old'"),
    current: count("SELECT COUNT(*) FROM root_key WHERE purpose = 'vault' AND state = 'current'"),
  };
}
const NOTHING = { versions: 0, keys: 0, wrapped: 0, roots: 0, current: 1 };

function startLoads(t) {
  for (const tenant of tenants) {
    tenant.load = new Load(lw, { ...tenant, clients: 3, keys: true }).start();
    t.after(() => tenant.load.stop()); // also when the test fails
  }
}

async function stopLoads() {
  for (const { load } of tenants) {
    await load.stop();
    assert.deepEqual(load.wrong, []);
  }
  return tenants.flatMap(({ load }) => load.failures);
}

async function everythingReads() {
  for (const { ledger, token } of tenants)
    assert.deepEqual(await ledger.compare(lw, token), []);
  const verified = lw.latchctl("key", "verify");
  assert.equal(verified.status, 0, verified.stderr);
  await eventually("the audit trail is sealed",
    () => count("SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq WHERE c.seq IS NULL") === 0, 300);
  const audit = lw.latchctl("audit", "verify");
  assert.equal(audit.status, 0, audit.stderr);
}

test("a comparison with the ledger finds a lost write, an old value, a doubled and a half-written row", () => {
  const ledger = new Ledger(), created = (id) => ({ status: 201, json: { id } });
  ledger.create("a", "a1", created("crd-a"));
  ledger.change("a", "a2", { status: 200 });
  ledger.create("b", "b1", created("crd-b"));
  ledger.change("b", "b2", undefined);
  ledger.create("c", "c1", { status: 503, json: { code: "OUTCOME_UNKNOWN" } });
  ledger.create("d", "d1", { status: 503, json: { code: "DATABASE_AWAY" } });
  const a = { id: "crd-a", name: "a", value: "a2" }, b = { id: "crd-b", name: "b", value: "b1" }, c = { id: "crd-c", name: "c", value: "c1" };
  for (const fine of [[a, b], [a, { ...b, value: "b2" }], [a, b, c]])
    assert.deepEqual(ledger.differences(fine), []);
  const bad = {
    gone: [b], "an old value": [{ ...a, value: "a1" }, b], "another's value": [{ ...a, value: "b1" }, b], unreadable: [{ ...a, value: "(500 )" }, b],
    twice: [a, b, c, { ...c, id: "crd-e" }], "refused, and there": [a, b, { id: "crd-d", name: "d", value: "d1" }], "another id": [{ ...a, id: "crd-x" }, b],
    "half-written": [a, b, { ...c, value: undefined }],
  };
  for (const [words, found] of Object.entries(bad))
    assert.equal(ledger.differences(found).length, 1, words);
});

test("keys rotate under load, the rotation killed at random: no read fails, no row stays on an old key", async (t) => {
  startLoads(t);
  const stuttering = Promise.all(tenants.map(({ load }) => stutter(load)));
  const kinds = { vault: 0, tenant: 0 };
  for (const what of Object.keys(kinds)) {
    const began = performance.now();
    await finish(what);
    kinds[what] = performance.now() - began;
  }
  let killed = 0, tries = 0;
  for (; killed < KILLS && tries < KILLS * 20; tries++) {
    const what = Object.keys(kinds)[tries % 2], ctl = startLatchctl(lw, ["key", "rotate", what]);
    const timer = setTimeout(() => ctl.child.kill("SIGKILL"), Math.random() * kinds[what]);
    const { status, signal } = await ctl.ended;
    clearTimeout(timer);
    assert.ok(signal === "SIGKILL" || status === 0, ctl.log());
    killed += signal === "SIGKILL";
  }
  t.diagnostic(`${killed} of ${tries} rotations were killed`);
  assert.equal(killed, KILLS);
  await finish("tenant"); // either order must do
  await finish("vault");
  await finish("tenant");
  assert.deepEqual(leftovers(), NOTHING);
  for (const { load } of tenants)
    await load.progress(50);
  assert.deepEqual(await stopLoads(), []);
  await stuttering;
  await everythingReads();
});

test("a rotation that dies at any of its steps is gone on with", async (t) => {
  const points = [
    ["vault", "root_key_before_register"], ["vault", "root_key_after_register"], ["vault", "rotate_root_before_commit"],
    ["vault", "rotate_root_after_commit"], ["vault", "rotate_root_before_retire"],
    ["tenant", "rotate_tenant_before_start"], ["tenant", "rotate_tenant_after_start"], ["tenant", "rotate_tenant_before_commit"],
    ["tenant", "rotate_tenant_before_commit:2"], ["tenant", "rotate_tenant_after_commit"], ["tenant", "rotate_tenant_before_end"],
    ["tenant", "before_commit:3"], ["tenant", "after_commit:3"], ["vault", "before_commit:2"], ["vault", "after_commit:3"],
    ["front", "root_key_before_register"], ["front", "root_key_after_register"],
  ];
  startLoads(t);
  for (const [what, point] of points) {
    const { status, words } = await rotate(what, { LATCHWORK_CRASH_AT: point });
    if (status === 0) {
      await stopLoads();
      t.skip("latchctl was built without crash points");
      return;
    }
    assert.equal(status, 137, `${point}: ${words}`);
    for (const { load } of tenants)
      await load.progress(5);
    await finish(what);
    assert.deepEqual(leftovers(), NOTHING, point);
  }
  assert.deepEqual(await stopLoads(), []);
  await everythingReads();
});

test("a new front key signs after a reload, and whoever is signed in stays so", async () => {
  await finish("front");
  for (const pool of ["front", "vault"]) {
    const old = await workers(lw, pool);
    process.kill(await lw.pid(pool), "SIGHUP");
    await eventually(`${pool} has new workers`, async () => !(await workers(lw, pool)).some((pid) => old.includes(pid)), 60);
  }
  const key = ({ token }) => JSON.parse(Buffer.from(token.split(".")[0], "base64url")).kid;
  for (const tenant of tenants) {
    assert.equal((await lw.api("GET", "/api/v1/auth/me", { token: tenant.token })).status, 200);
    const { access_token: token } = await lw.login(tenant.email, tenant.password);
    assert.notEqual(key({ token }), key(tenant));
    tenant.token = token;
  }
  assert.equal(count("SELECT COUNT(*) FROM root_key WHERE purpose = 'front' AND state = 'current'"), 1);
});

test("workers killed during a rotation take no more than their own request with them", async (t) => {
  startLoads(t);
  const rotations = (async () => {
    while (tenants[0].load.running) {
      await finish("tenant");
      await finish("vault");
    }
  })();
  for (let i = 0; i < WORKER_KILLS; i++) {
    for (const { load } of tenants)
      await load.progress(crypto.randomInt(1, 20));
    const pids = await workers(lw, "vault");
    process.kill(pids[crypto.randomInt(pids.length)], "SIGKILL");
  }
  for (const { load } of tenants)
    await load.progress(20);
  const failures = await stopLoads();
  await rotations;
  assert.ok(failures.length <= WORKER_KILLS, JSON.stringify(failures));
  assert.ok(failures.every(({ code }) => code === "OUTCOME_UNKNOWN"), JSON.stringify(failures));
  assert.deepEqual(leftovers(), NOTHING);
  await everythingReads();
});
