// No descriptor is left: of the front's workers, of the vault's, of nginx. What is acknowledged is there, the rest is
// refused in so many words, and when there are descriptors again nobody has to lend a hand.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { children } from "./lib/fcgi.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { workers } from "./lib/processes.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

let lw, token, hook;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  ({ token } = await lw.newTenant("descriptors"));
  hook = await connectHook(lw, token, PROVIDERS.github);
});
after(() => lw?.stop());

/** From now on the process can't open anything more; returns what takes that back. As its user: root may lack the right to. */
function exhaust(pid) {
  const read = (name) => fs.readFileSync(`/proc/${pid}/${name}`, "utf8"), id = (name) => new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(read("status"))[1];
  const as = process.getuid() === 0 ? ["setpriv", "--reuid", id("Uid"), "--regid", id("Gid"), "--clear-groups"] : ["env"];
  const [, soft] = /^Max open files\s+(\d+)/m.exec(read("limits")), taken = new Set(fs.readdirSync(`/proc/${pid}/fd`).map(Number));
  const limit = (n) => execFileSync(as[0], [...as.slice(1), "prlimit", "--pid", String(pid), `--nofile=${n}:`]);
  let free = 0;
  while (taken.has(free))
    free++;
  limit(free);
  return () => limit(soft);
}

async function without(pids, work) {
  const back = pids.map(exhaust);
  try {
    await work();
  } finally {
    back.forEach((restore) => restore());
  }
}

const stored = () => new Set(lw.sql("SELECT provider_event_id FROM event").flat());
/** Deliveries of as many events, each over a connection of its own: [{id, status, headers}]; no status: refused without an answer. */
const deliver = (n) => Promise.all(Array.from({ length: n }, async () => {
  const delivery = await deliveryOf(hook), answer = await send(lw, { ...delivery, headers: { ...delivery.headers, connection: "close" } }).catch(() => ({}));
  return { id: delivery.id, ...answer };
}));

function check(answers) {
  const there = stored();
  for (const { id, status, headers, text } of answers) {
    if (status === 200)
      assert.ok(there.has(id), `${id} was acknowledged and isn't there`);
    else if (status !== undefined)
      assert.ok(status === 500 || (status === 503 && Number(headers["retry-after"]) >= 1), `${status} ${text}`);
  }
}

test("a front that can't open anything more still answers everybody, one after the other", async () => {
  await deliver(4); // each worker has its connection to the database
  await without(await workers(lw, "front"), async () => {
    const answers = await deliver(60);
    check(answers);
    assert.ok(answers.every(({ status }) => status === 200 || status === 503), JSON.stringify(answers.map(({ status }) => status)));
    assert.ok(answers.some(({ status }) => status === 200));
    assert.match(lw.log("front"), /out of descriptors/);
  });
  assert.deepEqual((await deliver(60)).map(({ status }) => status), Array(60).fill(200));
});

test("a front that has lost its database meanwhile says 503, and finds it again by itself", async () => {
  await without(await workers(lw, "front"), async () => {
    lw.sql("KILL USER latch_front@localhost");
    const answers = await deliver(20);
    check(answers);
    assert.ok(answers.every(({ status }) => status === 200 || status === 503));
  });
  await eventually("everybody is served", async () => (await deliver(8)).every(({ status }) => status === 200), 60);
});

test("a vault that can't open anything more refuses or does it, and nothing in between", async () => {
  const names = [];
  const create = async (name) => (await lw.api("POST", "/api/v1/credentials", { token, body: { name, type: "api_key", data: { api_key: `k-${name}` } } })).status;
  await without(await workers(lw, "vault"), async () => {
    await Promise.all(Array.from({ length: 30 }, async (_, i) => {
      const status = await create(`scarce ${i}`);
      assert.ok([201, 503].includes(status), `${status}`);
      if (status === 201)
        names.push(`scarce ${i}`);
    }));
  });
  await eventually("it works again", async () => await create(`plenty ${Date.now()}`) === 201, 60);
  const there = new Set(lw.sql("SELECT name FROM credential").flat());
  assert.deepEqual(names.filter((name) => !there.has(name)), []);
});

test("an nginx that can't open anything more acknowledges nothing that isn't there, and takes everybody when it can", async () => {
  let waiting;
  await without(children(await lw.pid("nginx")), async () => {
    waiting = deliver(40);
    await new Promise((done) => setTimeout(done, 500)); // who comes now waits in the socket's queue
  });
  check(await waiting);
  await eventually("everybody is served", async () => (await deliver(20)).every(({ status }) => status === 200), 60);
});
