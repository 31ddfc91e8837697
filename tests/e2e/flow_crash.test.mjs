// Executions under fire: their worker is killed at each place where something has just been written, or is about to be,
// and at random. Nothing gets stuck, no keyed effect is done twice, and no step that is over is run again.
// LATCHWORK_LONG=1 kills two hundred times at random.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { EffectServer } from "./lib/effects.mjs";
import { children } from "./lib/fcgi.mjs";
import { Flows, transform } from "./lib/flows.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { alive, endProcess, startWorker } from "./lib/processes.mjs";
import { openStream } from "./lib/stream.mjs";

const KILLS = process.env.LATCHWORK_LONG ? 200 : 15;
const POINTS = ["job_leased", "flow_started", "flow_turn_before", "flow_turn_committed", "flow_effect_before", "flow_effect_after"];
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
let lw, ca, server, flows, workflow;

const call = (id, more = {}) => ({ id, type: "http", config: { method: "POST", url: `${server.url}/${id}`, body: { of: "{{ .execution.id }}" } }, retry: { attempts: 5, delay_ms: 100 }, ...more });

/** Ten steps: calls one behind the other and beside each other, items, a wait, and what is computed in between. */
function tenSteps() {
  const steps = [
    transform("begin", "{n: .input}"), call("first"), call("left"), call("right"), transform("join", "[.steps.left.status, .steps.right.status]"),
    { id: "each", type: "for_each", config: { items: "[1, 2, 3, 4]", concurrency: 2, step: { type: "http", config: { method: "POST", url: `${server.url}/item/{{ .item }}`, body: {} } } } },
    { id: "wait", type: "delay", config: { delay_ms: 50 } }, call("second"), call("last"), transform("end", "{n: .input, joined: .steps.join}"),
  ];
  return [steps, { dependencies: { first: ["begin"], left: ["first"], right: ["first"], join: ["left", "right"], each: ["join"], wait: ["join"],
    second: ["each", "wait"], last: ["second"], end: ["last"] } }];
}
const KEYS = ["first", "left", "right", "each[0]", "each[1]", "each[2]", "each[3]", "second", "last"];

before(async () => {
  ca = new CertificateAuthority();
  server = await new EffectServer(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}[egress]\nallow_hosts = ${server.host}\nca_file = ${ca.file}\n` });
  flows = new Flows(lw, (await lw.newTenant("flows")).token);
  workflow = await flows.make(...tenSteps());
});
after(async () => {
  await lw?.stop();
  await server?.stop();
  ca?.remove();
});
beforeEach(() => Object.assign(server, { calls: [], effects: new Map(), slow: () => 0, status: () => 200 }));

async function stopWorker() {
  const pid = await lw.pid("worker");
  if (pid)
    await endProcess(pid);
}

/** What dead processes held is free at once, as if their leases' time were up; what waits wakes. */
function endLeases() {
  const holders = lw.sql("SELECT DISTINCT worker FROM job WHERE worker IS NOT NULL AND queue IN ('automation', 'call')").map(([pid]) => Number(pid));
  const dead = holders.filter((pid) => !alive(pid));
  try {
    if (dead.length > 0)
      lw.sql(`UPDATE job SET run_at = 1 WHERE worker IN (${dead.map((pid) => `'${pid}'`)})`);
  } catch (error) {
    assert.match(String(error.stderr), /Deadlock|try restarting/);
  }
}

const left = () => Number(lw.sql("SELECT COUNT(*) FROM execution WHERE completed_at IS NULL")[0][0]);
const allOver = (words, seconds = 240) => eventually(words, () => {
  endLeases();
  return left() === 0;
}, seconds);

/** Each is completed, each effect was done once, and nothing was asked for behind its step's end. */
async function check(executions) {
  for (const id of executions) {
    const done = await flows.get(id);
    assert.equal(done.status, "completed", `${id}: ${JSON.stringify(done.error)}`);
    assert.deepEqual(done.output_data, { n: done.input_data, joined: [200, 200] });
    const over = new Map(done.step_executions.map((s) => [s.step_id, Date.parse(s.completed_at)]));
    for (const step of KEYS) {
      const key = `${id}.${step}`, calls = server.calls.filter((c) => c.key === key);
      assert.ok(server.effects.has(key), `${key} wasn't done`);
      assert.ok(calls.every(({ at }) => at <= over.get(step)), `${key} was run again when it was over`);
    }
    const events = await flows.allEvents(id), ends = events.filter((e) => e.type === "node:execution_complete").map((e) => e.data.node_id);
    assert.deepEqual(events.map((e) => e.number), events.map((_, i) => i + 1));
    assert.deepEqual(ends.toSorted(), [...over.keys()].toSorted(), "a step ended twice");
  }
  assert.equal(server.effects.size, executions.length * KEYS.length);
  assert.ok(server.calls.every(({ key }) => server.effects.has(key)), "a call without a step");
  assert.equal(lw.sql("SELECT COUNT(*) FROM job WHERE queue IN ('automation', 'call')")[0][0], "0");
}

for (const point of POINTS) {
  for (const time of [1, 3]) {
    test(`a worker that dies at ${point}, each of its processes the ${time === 1 ? "first" : "third"} time, loses and repeats nothing`, async () => {
      await stopWorker();
      const worker = startWorker(lw, { LATCHWORK_CRASH_AT: `${point}:${time}`, LATCHWORK_WORKER_PROCESSES: "2" });
      const deaths = () => worker.log().split('"status":137').length - 1;
      const executions = [await flows.start(workflow, 1), await flows.start(workflow, 2)];
      await eventually("it has died often enough", () => {
        endLeases();
        return deaths() >= (time === 1 ? 3 : 6) || left() === 0;
      }, 300);
      assert.ok(deaths() > 0, "nobody died");
      await stopWorker();
      await worker.ended;
      await lw.quickstart("start");
      await allOver("all are over");
      await check(executions);
    });
  }
}

test(`a worker whose processes are killed ${KILLS} times at random loses and repeats nothing`, async () => {
  await lw.quickstart("start");
  server.slow = () => crypto.randomInt(40);
  const executions = [], master = await lw.pid("worker");
  for (let killed = 0; killed < KILLS;) {
    if (left() < 4)
      executions.push(await flows.start(workflow, executions.length));
    await pause(crypto.randomInt(300));
    const processes = children(master);
    if (processes.length === 0)
      continue;
    try {
      process.kill(processes[crypto.randomInt(processes.length)], "SIGKILL");
      killed++;
    } catch {
      // it has just ended
    }
    endLeases();
  }
  await allOver("all are over");
  await check(executions);
});

test("a step that its worker dies of each time fails in the end, and only it", async () => {
  await stopWorker();
  const lost = await flows.make([call("kills", { on_error: "continue" }), transform("end", ".steps.kills.error.code")]);
  const worker = startWorker(lw, { LATCHWORK_CRASH_AT: "flow_effect_before:1", LATCHWORK_WORKER_PROCESSES: "1" });
  const id = await flows.start(lost);
  await allOver("it is over");
  await stopWorker();
  await worker.ended;
  const done = await flows.get(id);
  assert.deepEqual([done.status, done.output_data], ["completed", "STEP_LOST"]);
  assert.equal(server.calls.length, 0);
  await lw.quickstart("start");
});

test("what waits for its next try is tried again after a restart, and no oftener than was said", async () => {
  await lw.quickstart("start");
  server.status = () => 503;
  const failing = await flows.make([call("never", { retry: { attempts: 3, delay_ms: 60000 } })]), id = await flows.start(failing);
  for (let tries = 1; tries < 3; tries++) {
    await eventually("it waits for its next try", () => lw.sql(`SELECT 1 FROM execution_step WHERE status = 'waiting' AND attempt = ${tries}`).length > 0, 60);
    await endProcess(await lw.pid("worker"), tries === 1 ? "SIGKILL" : "SIGTERM");
    lw.sql("UPDATE execution_step SET wake_at = 1 WHERE status = 'waiting'; UPDATE job SET run_at = 1 WHERE worker IS NULL");
    await lw.quickstart("start");
  }
  const done = await flows.over(id);
  assert.equal(done.status, "failed");
  assert.equal(done.step_executions[0].attempt, 3);
  assert.deepEqual([...new Set(server.calls.map((c) => c.key))], [`${id}.never`]);
  assert.equal(server.calls.length, 3);
});

test("a hundred calls of a for_each are done once each, some at a time, and kills among them change nothing", async () => {
  await lw.quickstart("start");
  const now = new Set();
  let most = 0;
  server.slow = ({ headers: { "idempotency-key": key } }) => { // one whose worker was killed may come again before the first is answered
    most = Math.max(most, now.add(key).size);
    setTimeout(() => now.delete(key), 20);
    return 20;
  };
  const each = { id: "each", type: "for_each", config: { items: "[range(100)]", concurrency: 8, step: { type: "http", config: { method: "POST", url: `${server.url}/{{ .item }}`, body: "{{ .item }}" } } } };
  const id = await flows.start(await flows.make([each, transform("end", ".steps.each | length")])), master = await lw.pid("worker");
  for (let i = 0; i < 5; i++) {
    await pause(150);
    const [first] = children(master);
    if (first)
      process.kill(first, "SIGKILL");
    endLeases();
  }
  await allOver("it is over");
  const done = await flows.get(id);
  assert.deepEqual([done.status, done.output_data], ["completed", 100], JSON.stringify(done.error));
  assert.equal(server.effects.size, 100);
  assert.ok([...server.effects].every(([key, { path }]) => key === `${id}.each[${path.slice(1)}]`));
  assert.ok(most <= 8, `${most} at a time`);
});

for (const point of ["flow_told_before", "flow_told"]) {
  test(`a live run whose worker dies at ${point} is told the end, if only twice`, async () => {
    await stopWorker();
    const worker = startWorker(lw, { LATCHWORK_CRASH_AT: point, LATCHWORK_WORKER_PROCESSES: "1" });
    const run = await flows.does("POST", "/api/v1/runs", { workflow_id: await flows.make([transform("one", "1")]) }, 201);
    const { execution_id } = await flows.does("POST", `/api/v1/runs/${run.id}/messages`, { type: "session:start", data: {} }, 202);
    await eventually("its end is on record, and it died", () => left() === 0 && worker.log().includes('"status":137'), 60);
    assert.equal(lw.sql("SELECT COUNT(*) FROM job WHERE queue = 'automation'")[0][0], "1");
    await stopWorker();
    await worker.ended;
    await lw.quickstart("start");
    await eventually("the job has gone", () => {
      endLeases();
      return lw.sql("SELECT 1 FROM job WHERE queue = 'automation'").length === 0;
    }, 60);
    assert.equal((await flows.get(execution_id)).output_data, 1);
  });
}

/** As the instance's own; nginx, which holds the streams, isn't asked to read its configuration again. */
async function changeWorker(old, env = {}) {
  await stopWorker();
  await old?.ended;
  return startWorker(lw, { LATCHWORK_WORKER_PROCESSES: "1", ...env });
}

/** What is computed, a call, a question and an answer: each of their turns tells something. */
async function openTalk() {
  const talk = await flows.make([transform("one", "1"), call("asks"), { id: "ask", type: "listen", config: { prompt: "Go on?" } }, transform("end", ".steps.ask")]);
  const run = await flows.does("POST", "/api/v1/runs", { workflow_id: talk }, 201), say = (type, data) => flows.does("POST", `/api/v1/runs/${run.id}/messages`, { type, data }, 202);
  return { run, say };
}

for (const [point, times] of [["flow_turn_committed", [1, 2, 3, 4, 5]], ["flow_told_before", [1, 2, 3]], ["flow_told", [2]]]) {
  for (const time of times) {
    test(`who watches a run whose worker dies at ${point}, once it was there ${time} times, is told every event`, async () => {
      const worker = await changeWorker(undefined, { LATCHWORK_CRASH_AT: `${point}:${time}` }), { run, say } = await openTalk();
      let next;
      const stream = await openStream(lw, run), hears = (type) => eventually(`it hears ${type}`, () => {
        endLeases();
        return stream.events.some((event) => event.type === type);
      });
      const { execution_id } = await say("session:start", {}), died = () => worker.log().includes('"status":137');
      await eventually("its worker dies, or all wait", () => died() || stream.events.some(({ type }) => type === "system:waiting_for_input"), 60);
      if (died())
        next = await changeWorker(worker);
      await hears("system:waiting_for_input");
      await say("user:message", { text: "yes" });
      await eventually("its worker has died", died); // the end may have come: its master tells a little later
      next ??= await changeWorker(worker);
      await hears("workflow:finished");
      const log = await flows.allEvents(execution_id), told = new Map(stream.events.map((event) => [event.number, event]));
      assert.deepEqual([...told.values()].toSorted((a, b) => a.number - b.number), log);
      assert.equal((await flows.get(execution_id)).output_data, "yes");
      stream.close();
      await stopWorker();
      await next.ended;
    });
  }
}

test("a run that nobody dies of is told each event once, in order", async () => {
  const worker = await changeWorker(undefined, { LATCHWORK_WORKER_PROCESSES: "2" }), { run, say } = await openTalk(), stream = await openStream(lw, run), hears = (type) => eventually(`it hears ${type}`, () => stream.events.some((event) => event.type === type), 60);
  const { execution_id } = await say("session:start", {});
  await hears("system:waiting_for_input");
  await say("user:message", { text: "yes" });
  await hears("workflow:finished");
  assert.deepEqual(stream.events, await flows.allEvents(execution_id));
  stream.close();
  await stopWorker();
  await worker.ended;
});

test("an execution that is stopped during a call drops what comes of it", async () => {
  await lw.quickstart("start");
  let answer;
  server.slow = () => new Promise((done) => { answer = () => done(0); });
  const id = await flows.start(await flows.make([call("slow"), call("after")]));
  await eventually("the call is under way", () => answer);
  const stopped = await flows.cancel(id);
  assert.equal(stopped.status, "cancelled");
  answer();
  await eventually("the job has gone", () => lw.sql("SELECT 1 FROM job WHERE queue IN ('automation', 'call')").length === 0, 60);
  const done = await flows.get(id);
  assert.deepEqual(done.step_executions.map((s) => [s.step_id, s.status, s.output_data]), [["slow", "cancelled", null]]);
  assert.ok(server.calls.every(({ path }) => path === "/slow"));
});
