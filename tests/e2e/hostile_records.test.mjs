// What a peer that isn't nginx can do on the pools' sockets: nothing, to nobody.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import * as fcgi from "./lib/fcgi.mjs";
import { startInstance } from "./lib/instance.mjs";

const POOLS = ["front", "vault"];
const GROWTH_KIB = 4096;
let lw;

before(async () => { lw = await startInstance(); });
after(async () => { await lw?.stop(); });

const socketOf = (pool) => lw.at("run", pool, `${pool}.sock`);
const workersOf = async (pool) => fcgi.children(await lw.pid(pool)).sort();

/** The largest worker of each pool in KiB. */
async function sizes() {
  const found = {};
  for (const pool of POOLS)
    found[pool] = Math.max(...(await workersOf(pool)).map(fcgi.residentKib));
  return found;
}

async function commitAll(pool) {
  for (const [words, bytes] of fcgi.evils()) {
    const { closed, answered, out } = await fcgi.send(socketOf(pool), bytes);
    assert.ok(closed || (answered && /^Status: [45]/.test(out)), `${pool} let ${words} pass`);
  }
}

test("records that nginx never sends bring no worker down and make none grow", async () => {
  for (const pool of POOLS)
    await commitAll(pool);
  const workers = await Promise.all(POOLS.map(workersOf)), first = await sizes();
  for (let round = 0; round < 5; round++)
    for (const pool of POOLS)
      await commitAll(pool);
  assert.deepEqual(await Promise.all(POOLS.map(workersOf)), workers);
  for (const [pool, size] of Object.entries(await sizes()))
    assert.ok(size < first[pool] + GROWTH_KIB, `${pool} grew from ${first[pool]} to ${size} KiB`);
  assert.equal((await fcgi.ask(socketOf("front"), { uri: "/healthz" })).status, 200);
});

test("a peer that stops in the middle of a request keeps nobody waiting", async () => {
  const silent = fcgi.truncated().map((bytes) => fcgi.send(socketOf("front"), bytes, { silence: 3000 }));
  for (let i = 0; i < 20; i++)
    assert.equal((await fcgi.ask(socketOf("front"), { uri: "/healthz" })).status, 200);
  for (const { answered } of await Promise.all(silent))
    assert.equal(answered, false);
});

test("a body that is too large is refused and dropped", async () => {
  for (const pool of POOLS) {
    const { answered, kept, out } = await fcgi.send(socketOf(pool), fcgi.huge(20 << 20));
    assert.ok(answered && !kept && /^Status: 4/.test(out), `${pool}: ${out.slice(0, 40)}`);
  }
});
