// Workers die, pools are reloaded and started again, under load; and starts that must be refused.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Ledger, Load, newValue } from "./lib/load.mjs";
import { endProcess, replacePool, startHeldPool, startPool, workers } from "./lib/processes.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

const long = Boolean(process.env.LATCHWORK_LONG);
const KILLS = long ? 100 : 10, RELOADS = long ? 50 : 4, RESTARTS = long ? 20 : 3;
const POOLS = ["front", "vault"];

let lw, tenant, ledger;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  tenant = await lw.newTenant("faults");
  ledger = new Ledger();
});
after(() => lw?.stop());

function startLoad(t) {
  const load = new Load(lw, { token: tenant.token, ledger, clients: 12 }).start();
  t.after(() => load.stop()); // also when the test fails
  return load;
}
const lines = (name, words) => lw.log(name).split("\n").filter((line) => line.includes(words));

async function endLoad(load) {
  await load.progress(50);
  await load.stop();
  assert.deepEqual(load.wrong, []);
  return load.failures;
}

async function reload(pool) {
  const old = await workers(lw, pool);
  process.kill(await lw.pid(pool), "SIGHUP");
  await eventually(`${pool} has new workers only`, async () => {
    const now = await workers(lw, pool);
    return now.length === old.length && !now.some((pid) => old.includes(pid));
  }, 60);
}

for (const pool of POOLS)
  test(`a worker of the ${pool} that is killed takes at most its own request with it`, async (t) => {
    const load = startLoad(t), { length } = await workers(lw, pool);
    for (let i = 0; i < KILLS; i++) {
      await load.progress(crypto.randomInt(1, 40));
      const pids = await workers(lw, pool);
      if (pids.length)
        process.kill(pids[crypto.randomInt(pids.length)], "SIGKILL");
    }
    const failures = await endLoad(load);
    t.diagnostic(`${load.done} requests, ${failures.length} failures: ${JSON.stringify(failures)}`);
    assert.ok(failures.length <= KILLS, JSON.stringify(failures));
    assert.ok(failures.every(({ code }) => code === "OUTCOME_UNKNOWN"), JSON.stringify(failures));
    await eventually("all workers are there again", async () => (await workers(lw, pool)).length === length, 60);
    assert.deepEqual(await ledger.compare(lw, tenant.token), []);
  });

test("what may be asked again is, when a worker dies that had several of it at once", async (t) => {
  const { token } = await lw.newTenant("again"), { json: { id } } = await lw.api("POST", "/api/v1/credentials", { token, body: { name: "fresh", type: "oauth2",
    data: { access_token: "fresh-0123456789", expires_at: "2099-01-01T00:00:00Z" } } });
  const hook = await connectHook(lw, token, PROVIDERS.github), answers = { token: [], event: [] };
  let going = true;
  const client = async (kind, ask) => {
    while (going)
      answers[kind].push(await ask());
  };
  const clients = Array.from({ length: 24 }, (_, i) => i % 2
    ? client("token", () => lw.api("POST", `/api/v1/credentials/${id}/token`, { token }))
    : client("event", async () => send(lw, await deliveryOf(hook))));
  for (let i = 0; i < KILLS; i++) {
    const had = answers.token.length;
    await eventually("the clients go on", () => answers.token.length >= had + 20);
    const pids = (await Promise.all(POOLS.map((pool) => workers(lw, pool)))).flat();
    process.kill(pids[crypto.randomInt(pids.length)], "SIGKILL");
  }
  going = false;
  await Promise.all(clients);
  for (const [kind, all] of Object.entries(answers)) {
    const failed = all.filter(({ status }) => status !== 200);
    t.diagnostic(`${kind}: ${all.length} requests, ${failed.length} failures`);
    assert.ok(failed.length <= KILLS, `${kind}: ${failed.map(({ status, text }) => `${status} ${text}`).join("; ")}`);
  }
  const acknowledged = new Set(answers.event.filter(({ status }) => status === 200).map(({ json: { event_id } }) => event_id));
  assert.equal(acknowledged.size, answers.event.filter(({ status }) => status === 200).length);
  const kept = new Set(lw.sql("SELECT HEX(event_id) FROM event").map(([hex]) => `X'${hex.toLowerCase()}'`));
  for (const event of acknowledged)
    assert.ok(kept.has(idBytes(event)), event);
});

test("no request fails while both pools are reloaded again and again", async (t) => {
  const load = startLoad(t);
  await load.progress(50);
  for (let i = 0; i < RELOADS; i++) {
    await Promise.all(POOLS.map(reload));
    await load.progress(20);
  }
  assert.deepEqual(await endLoad(load), []);
  assert.deepEqual(await ledger.compare(lw, tenant.token), []);
});

test("a reload with a broken configuration leaves the old workers, says so, and the next one works", async (t) => {
  const whole = fs.readFileSync(lw.conf, "utf8");
  const broken = {
    "a key that doesn't exist": whole.replaceAll("\nworkers =", "\nworkres ="),
    "no configuration": "\0\0\0\0",
    "too many workers": whole.replace(/\nworkers = \d+/g, "\nworkers = 100000"),
    "keys that aren't there": whole.replace(/\nfront_dir = .*/, `\nfront_dir = ${lw.at("nowhere")}`),
    "passwords that aren't there": whole.replace(/_password_file = .*/g, `_password_file = ${lw.at("nowhere")}`),
    "what only a new worker finds": `${whole}\n[expression]\nsocket = /${"x".repeat(200)}\n`,
  };
  const load = startLoad(t);
  let killed = 0;
  try {
    for (const [words, text] of Object.entries(broken)) {
      fs.writeFileSync(lw.conf, text);
      await Promise.all(POOLS.map(async (pool) => {
        const pids = await workers(lw, pool), failed = lines(pool, "the reload failed; the old workers stay").length;
        process.kill(await lw.pid(pool), "SIGHUP");
        await eventually(`${pool} says that the reload failed: ${words}`,
          () => lines(pool, "the reload failed; the old workers stay").length > failed, 60);
        await eventually(`${pool} has its old workers and no others: ${words}`,
          async () => (await workers(lw, pool)).join() === pids.join(), 60);
        // One that is lost now is replaced, by what the old configuration says.
        const unable = lines(pool, "a worker can't start").length;
        process.kill(pids[0], "SIGKILL");
        killed++;
        await eventually(`${pool} is complete again: ${words}`, async () => {
          const now = await workers(lw, pool);
          return now.length === pids.length && !now.includes(pids[0]);
        }, 60);
        await load.progress(10);
        assert.equal(lines(pool, "a worker can't start").length, unable, words);
      }));
    }
  } finally {
    fs.writeFileSync(lw.conf, whole);
  }
  await Promise.all(POOLS.map(reload));
  const failures = await endLoad(load);
  assert.ok(failures.length <= killed && failures.every(({ code }) => code === "OUTCOME_UNKNOWN"), JSON.stringify(failures));
});

test("a second latchd on a socket is refused, and the first goes on", async (t) => {
  for (const pool of POOLS) {
    const pid = await lw.pid(pool), second = startPool(lw, pool);
    const { status } = await second.ended;
    assert.equal(status, 1, second.log());
    assert.match(second.log(), /another latchd holds this socket/);
    assert.equal(await lw.pid(pool), pid, "the pidfile is the first one's");
  }
  const load = startLoad(t);
  assert.deepEqual(await endLoad(load), []);
});

test("a pool whose workers are all killed at once comes back by itself", async () => {
  for (const pool of POOLS) {
    for (const pid of await workers(lw, pool))
      process.kill(pid, "SIGKILL");
    await eventually(`${pool} answers`, async () => (await lw.api("POST", "/api/v1/auth/login", { body: { email: tenant.email, password: tenant.password } })).status === 200 &&
      (await lw.api("GET", "/readyz")).status === 200, 60);
  }
  assert.deepEqual(await ledger.compare(lw, tenant.token), []);
});

test("while a pool is away the answer is 503 and says when to come again; afterwards all is well", async (t) => {
  const load = startLoad(t);
  for (const pool of POOLS) {
    await endProcess(await lw.pid(pool));
    const failed = load.failures.length;
    await eventually("requests are refused", () => load.failures.length > failed + 5, 60);
    await replacePool(lw, pool);
    await load.progress(100);
  }
  const failures = await endLoad(load);
  // A read that nginx wrote into a kept connection of the front, the moment that it was closed, got as far as the pool.
  assert.ok(failures.every(({ what, status, code }) => status === 503 &&
    (code === "NOT_READY" || (what === "read" && code === "OUTCOME_UNKNOWN"))), JSON.stringify(failures.slice(0, 5)));
  assert.deepEqual(await ledger.compare(lw, tenant.token), []);
});

test("no request fails when the pools are started again on sockets that stay open, as systemd's do", async (t) => {
  for (const pool of POOLS)
    await endProcess(await lw.pid(pool));
  const held = await Promise.all(POOLS.map((pool) => startHeldPool(lw, pool)));
  try {
    const load = startLoad(t);
    await load.progress(50);
    for (let i = 0; i < RESTARTS; i++)
      for (const pool of POOLS) {
        await endProcess(await lw.pid(pool));
        await eventually(`${pool} runs again`, () => lw.pid(pool), 60);
        await load.progress(50);
      }
    assert.deepEqual(await endLoad(load), []);
    assert.deepEqual(await ledger.compare(lw, tenant.token), []);
  } finally {
    for (const holder of held)
      await holder.stop();
  }
  for (const pool of POOLS)
    await replacePool(lw, pool);
});

/** What a start with wrong keys must not touch. */
const everything = () => lw.sql(`CHECKSUM TABLE ${lw.sql("SHOW FULL TABLES WHERE Table_type = 'BASE TABLE'").map(([name]) => name).join(", ")}`)
  .filter(([name]) => !/audit_chain|mail/.test(name));

for (const pool of POOLS)
  test(`the ${pool} doesn't start with a missing or another root key: it names the key and writes nothing`, async () => {
    const value = newValue(), body = { name: `row ${value}`, type: "api_key", data: { api_key: value } };
    const created = await lw.api("POST", "/api/v1/credentials", { token: tenant.token, body });
    ledger.create(body.name, value, created);
    const [[id]] = lw.sql(`SELECT root_key_id FROM root_key WHERE purpose = '${pool}' AND state = 'current'`);
    const file = lw.at("etc", "keys", pool, `${id}.key`), right = fs.readFileSync(file), { uid, gid, mode } = fs.statSync(file);
    const put = (bytes) => {
      fs.rmSync(file, { force: true });
      if (bytes) {
        fs.writeFileSync(file, bytes, { mode });
        fs.chownSync(file, uid, gid);
      }
    };
    const other = lw.at("etc", "keys", POOLS.find((name) => name !== pool));
    const wrong = { missing: undefined, empty: Buffer.alloc(0), cut: right.subarray(0, right.length - 7),
      flipped: Buffer.from(right.map((byte, i) => (i === right.length - 9 ? byte ^ 1 : byte))),
      "the other set's": fs.readFileSync(`${other}/${fs.readFileSync(`${other}/current`, "utf8").trim()}.key`) };
    await endProcess(await lw.pid("worker"));
    await endProcess(await lw.pid(pool));
    const before = everything();
    for (const [words, bytes] of Object.entries(wrong)) {
      put(bytes);
      const refused = startPool(lw, pool), { status } = await refused.ended;
      assert.equal(status, 1, `${words}: ${refused.log()}`);
      assert.ok(refused.log().includes(id), `${words}: ${refused.log()}`);
      assert.ok(!fs.existsSync(lw.at("run", pool, `${pool}.sock`)), words);
    }
    assert.deepEqual(everything(), before);
    put(right);
    await replacePool(lw, pool);
    assert.deepEqual(await ledger.compare(lw, tenant.token), []);
    await lw.quickstart("start");
  });
