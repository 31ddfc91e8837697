// A receiver that is away for a day, and one that is away for longer. Days pass by letting the times of waiting jobs come nearer.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Receiver } from "./lib/ledger.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

const EVENTS = 8, HOUR = 3600, DAY_MS = 24 * HOUR * 1000;
/** Seconds after the first failure, the second and so on; each up to a fifth longer. */
const WAITS = [5, 30, 120, 600, HOUR, 3 * HOUR, 8 * HOUR, 12 * HOUR];
/** Of three processes one leaves alone what may have to wait for others. */
const SENDERS = 2;
/** Between the claim and the failure, on a busy machine. */
const SLACK_MS = 30_000;

let lw, ca, receiver, token, hook, passed;
const under = { way: 0, most: 0 };

before(async () => {
  ca = new CertificateAuthority();
  receiver = await new Receiver(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}[worker]\nprocesses = ${SENDERS + 1}\n[egress]\nallow_hosts = ${receiver.host}\nca_file = ${ca.file}\n` });
  ({ token } = await lw.newTenant("subscriber"));
  hook = await connectHook(lw, token, PROVIDERS.github);
  await does("POST", "/api/v1/subscriptions", { url: receiver.url });
});
after(async () => {
  await lw?.stop();
  await receiver?.stop();
  ca?.remove();
});
beforeEach(() => {
  lw.sql("DELETE FROM job");
  Object.assign(receiver, { deliveries: [], effects: new Map() });
  Object.assign(under, { way: 0, most: 0 });
  passed = 0;
});

async function does(method, uri, body) {
  const answer = await lw.api(method, uri, { token, body });
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer.json;
}

async function happen(events) {
  for (let i = 0; i < events; i++) {
    const answer = await send(lw, await deliveryOf(hook));
    assert.equal(answer.status, 200, answer.text);
  }
}

/** Takes its time, as receivers do; while it is away it cuts the connection or says so. */
function answering(isBack) {
  return async () => {
    under.most = Math.max(under.most, ++under.way);
    await new Promise((done) => setTimeout(done, 50));
    under.way--;
    return isBack() ? 200 : [503, undefined][receiver.deliveries.length % 2];
  };
}

/** Deliveries that wait for their time, once all that is due has been tried: the next one first. */
async function waiting() {
  let found;
  await eventually("all that is due has been tried", () => {
    const rows = lw.sql("SELECT HEX(job_id), attempts, run_at, started_at, worker IS NULL, queue FROM job WHERE state = 'live' ORDER BY run_at");
    found = rows.map(([id, attempts, at, began]) => ({ id, attempts: Number(attempts), at: Number(at), began: Number(began) }));
    return rows.every(([, , at, , idle, queue]) => idle === "1" && queue === "delivery" && Number(at) > Date.now());
  }, 120);
  return found;
}

/** So much time passes at once for everything that waits. */
function pass(ms) {
  lw.sql(`UPDATE job SET run_at = run_at - ${ms} WHERE state = 'live' AND worker IS NULL`);
  passed += ms;
}

/** What was tried since the last look waits as long as it should. */
function checkWaits(jobs, seen) {
  for (const { id, attempts, at, began } of jobs) {
    if (seen.get(id) === attempts)
      continue;
    const wait = at - began, least = WAITS[attempts - 1] * 1000;
    assert.ok(wait >= least && wait <= least * 1.2 + SLACK_MS, `try ${attempts} was followed by a wait of ${wait} ms`);
    seen.set(id, attempts);
  }
}

test("a receiver that is away for a day gets everything when it is back: on schedule, each event once, and few at a time", async () => {
  const seen = new Map(), spread = [];
  receiver.answer = answering(() => passed >= DAY_MS);
  await happen(EVENTS);
  for (let jobs; (jobs = await waiting()).length > 0;) {
    checkWaits(jobs, seen);
    if (jobs.length === EVENTS && jobs.every(({ attempts }) => attempts === WAITS.length))
      spread.push(jobs.at(-1).at - jobs[0].at);
    // Until the next one is due, and a few that come soon after it.
    const soon = jobs.slice(0, EVENTS / 4).filter(({ at }) => at <= jobs[0].at + passed / 20);
    pass(Math.max(0, soon.at(-1).at - Date.now()));
  }
  assert.equal(lw.sql("SELECT COUNT(*) FROM job")[0][0], "0", "some are dead");
  assert.equal(receiver.effects.size, EVENTS);
  assert.equal(receiver.deliveries.length, EVENTS * (WAITS.length + 1), "each was tried at each of its times, and not once more");
  assert.ok(passed >= DAY_MS && passed < 1.5 * DAY_MS, `it took ${passed / 3600000} hours`);
  assert.ok(under.most <= SENDERS, `${under.most} at once`);
  assert.ok(spread[0] > 60_000, `all of the last ones were to come within ${spread[0]} ms`);
});

test("one that is away for longer gets everything when somebody says so, spread over a minute", async () => {
  let back = false;
  receiver.answer = answering(() => back);
  await happen(EVENTS);
  for (let jobs; (jobs = await waiting()).length > 0;)
    pass(jobs.at(-1).at - Date.now());
  assert.equal(lw.sql("SELECT COUNT(*) FROM job WHERE state = 'dead' AND queue = 'delivery'")[0][0], `${EVENTS}`);
  assert.equal(receiver.effects.size, 0);
  back = true;
  const { retried } = await does("POST", "/api/v1/jobs/retry-dead", { queue: "delivery" });
  assert.equal(retried, EVENTS);
  const jobs = await waiting();
  assert.ok(jobs.length > 1, "most of them wait for a moment");
  assert.ok(jobs.at(-1).at <= Date.now() + 60_000);
  assert.ok(new Set(jobs.map(({ at }) => at)).size > 1, "all at the same time");
  while (lw.sql("SELECT COUNT(*) FROM job WHERE state = 'live'")[0][0] !== "0") {
    const [next] = await waiting();
    if (next)
      pass(Math.max(0, next.at - Date.now()));
  }
  assert.equal(receiver.effects.size, EVENTS);
  assert.equal(receiver.deliveries.length, EVENTS * (WAITS.length + 2));
  assert.ok(under.most <= SENDERS, `${under.most} at once`);
});
