// The job engine under fire: processes that die at every bad moment, leases that end, tenants with a hundred thousand jobs.
// LATCHWORK_LONG=1 queues ten times as many.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import http from "node:http";
import os from "node:os";
import { after, before, beforeEach, test } from "node:test";
import { children } from "./lib/fcgi.mjs";
import { freePort } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { alive, endProcess, startWorker } from "./lib/processes.mjs";
import { idBytes } from "./lib/tenants.mjs";

const SCALE = process.env.LATCHWORK_LONG ? 10 : 1;
// Ten events are leased at once.
const POINTS = ["job_leased:1", "job_begun:6", "job_before_commit:6", "job_committed:6"];
let lw, one, other, owner;

before(async () => {
  const closed = await freePort(); // nobody receives what is sent on
  lw = await startInstance({ conf: `${NO_LIMITS}[egress]\nallow_hosts = localhost:${closed}\n` });
  one = await lw.newTenant("one");
  other = await lw.newTenant("other");
  owner = { tenant: idBytes(one.tenant.id), url: `https://localhost:${closed}/in` };
});
after(async () => { await lw?.stop(); });

const count = (sql) => Number(lw.sql(sql)[0][0]);
const NEW_ID = `CONCAT(UNHEX(LPAD(HEX(${"UNIX_TIMESTAMP(NOW(3)) * 1000 DIV 1"}), 12, '0')), RANDOM_BYTES(10))`;

async function stopWorker() {
  const pid = await lw.pid("worker");
  if (pid)
    await endProcess(pid);
}

async function ownWorker(env = {}) {
  const worker = startWorker(lw, env);
  await eventually("the worker is ready", () => {
    assert.equal(worker.child.exitCode, null, worker.log());
    return worker.log().includes('"ready"');
  }, 60);
  return worker;
}

async function endWorker(worker) {
  await endProcess(await lw.pid("worker"));
  await worker.ended;
}

/** Jobs of the kind event_process, promised long ago: what they are about isn't there any more, so that they are quickly done. */
function queue(tenant, jobs) {
  lw.sql(`INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    SELECT ${tenant}, ${NEW_ID}, 'event', 'event_process', 'live', seq, RANDOM_BYTES(16), '{}', 1 FROM seq_1_to_${jobs}`);
}

/** Events as the intake leaves them, each with its job. */
function receive(tenant, events) {
  lw.sql(`CREATE TEMPORARY TABLE coming AS SELECT ${NEW_ID} AS event_id, ${NEW_ID} AS job_id, seq FROM seq_1_to_${events};
    INSERT INTO event (tenant_id, event_id, connector_id, provider, type, status, received_at, headers, body)
      SELECT ${tenant}, event_id, RANDOM_BYTES(16), 'stripe', 'invoice.paid', 'received', 1, '{}', '{}' FROM coming;
    INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
      SELECT ${tenant}, job_id, 'event', 'event_process', 'live', seq, event_id, '{}', 1 FROM coming`);
}

beforeEach(async () => {
  await stopWorker();
  lw.sql("DELETE FROM job; DELETE FROM job_history; DELETE FROM event; DELETE FROM subscription");
});

/** As if their time were up: of those that a dead worker held, and of some that a live one holds. */
function endLeases() {
  try {
    lw.sql("UPDATE job SET run_at = 1 WHERE worker IS NOT NULL AND queue = 'event'");
  } catch (error) {
    assert.match(String(error.stderr), /Deadlock|try restarting/); // with the worker: the next one comes soon
  }
}

for (const point of POINTS) {
  test(`processes that are killed at ${point.split(":")[0]} leave nothing stuck and do nothing twice`, async () => {
    const events = 30;
    const made = await lw.api("POST", "/api/v1/subscriptions", { token: one.token, body: { url: owner.url } });
    assert.equal(made.status, 201, made.text);
    receive(owner.tenant, events);
    const worker = await ownWorker({ LATCHWORK_CRASH_AT: point, LATCHWORK_WORKER_PROCESSES: "3" });
    const hasDied = () => worker.log().includes('"status":137');
    let looks = 0;
    await eventually("all events are processed", async () => {
      endLeases();
      if (point === "job_leased:1" && hasDied() && ++looks === 10) { // nobody ever gets further
        assert.equal(count("SELECT COUNT(*) FROM job WHERE worker IS NOT NULL OR attempts > 0"), 0);
        await endWorker(worker);
        await lw.quickstart("start");
      }
      return count("SELECT COUNT(*) FROM job WHERE kind = 'event_process'") === 0;
    }, 300);
    await stopWorker();
    await worker.ended;
    assert.ok(hasDied(), "nobody died");
    assert.equal(count("SELECT COUNT(*) FROM job_history WHERE kind = 'event_process'"), events);
    assert.equal(count("SELECT COUNT(*) FROM event WHERE status = 'processed'"), events);
    const [[deliveries, distinct]] = lw.sql("SELECT COUNT(*), COUNT(DISTINCT subject_id) FROM job WHERE kind = 'event_deliver'");
    assert.deepEqual([Number(deliveries), Number(distinct)], [events, events]);
  });
}

/** Holds a row of the database until it is let go. */
async function hold(table, where) {
  const client = spawn("mariadb", ["--no-defaults", "--skip-column-names", "--unbuffered", `--socket=${lw.database}`, `--user=${os.userInfo().username}`, "latchwork"]);
  let said = "";
  client.stdout.on("data", (bytes) => { said += bytes; });
  client.stdin.write(`BEGIN; SELECT 'held' FROM ${table} WHERE ${where} FOR UPDATE;\n`);
  await eventually("the row is held", () => said.includes("held"));
  return () => new Promise((done) => { client.once("close", done).stdin.end("COMMIT;\n"); });
}

test("a worker that is told to stop finishes the job in hand and gives the others of its batch back", async () => {
  receive(owner.tenant, 10);
  const release = await hold("event", `event_id = (SELECT subject_id FROM job ORDER BY run_at LIMIT 1)`);
  const worker = await ownWorker({ LATCHWORK_WORKER_PROCESSES: "1" });
  await eventually("they are leased", () => count("SELECT COUNT(*) FROM job WHERE worker IS NOT NULL") === 10);
  process.kill(await lw.pid("worker"), "SIGTERM");
  await eventually("it is told", () => worker.log().includes('"stopping"'));
  await release();
  await worker.ended;
  assert.equal(count("SELECT COUNT(*) FROM job_history"), 1);
  assert.equal(count("SELECT COUNT(*) FROM job WHERE queue = 'event' AND worker IS NULL AND attempts = 0 AND state = 'live'"), 9);
});

test("a worker whose lease ended while it was slow changes nothing", async () => {
  receive(owner.tenant, 1);
  const release = await hold("event", "TRUE");
  const worker = await ownWorker({ LATCHWORK_WORKER_PROCESSES: "1" });
  await eventually("it is leased", () => count("SELECT COUNT(*) FROM job WHERE worker IS NOT NULL") === 1);
  lw.sql("UPDATE job SET lease = lease + 1, worker = 'another one', run_at = run_at + 600000");
  await release();
  await eventually("it is told", () => worker.log().includes("a job's lease had ended"));
  await endWorker(worker);
  assert.equal(count("SELECT COUNT(*) FROM job WHERE worker = 'another one' AND state = 'live'"), 1);
  assert.equal(count("SELECT COUNT(*) FROM event WHERE status = 'received'"), 1);
  assert.equal(count("SELECT COUNT(*) FROM job_history"), 0);
});

test("a reload in the middle of the work replaces the processes and loses no job", async () => {
  const jobs = 3000 * SCALE, worker = await ownWorker(), pid = await lw.pid("worker");
  const reloads = () => worker.log().split('"reloaded"').length - 1;
  queue(owner.tenant, jobs);
  for (let i = 0; i < 3; i++) {
    const before = children(pid);
    process.kill(pid, "SIGHUP");
    await eventually("it has reloaded", () => reloads() === i + 1, 60);
    await eventually("the old processes have gone", () => before.every((child) => !alive(child)), 60);
  }
  await eventually("all jobs are done", () => count("SELECT COUNT(*) FROM job_history") === jobs, 120);
  assert.equal(await lw.pid("worker"), pid);
  assert.equal(count("SELECT SUM(attempts) FROM job_history"), jobs);
  await endWorker(worker);
});

test("the processes of a killed master end, and the next worker goes on where they were", async () => {
  const jobs = 3000 * SCALE;
  queue(owner.tenant, jobs);
  const worker = await ownWorker(), pid = await lw.pid("worker"), processes = children(pid);
  assert.equal(processes.length, 5);
  await eventually("it is at work", () => count("SELECT COUNT(*) FROM job_history") > 0);
  process.kill(pid, "SIGKILL");
  await worker.ended;
  await eventually("its processes have ended", () => processes.every((child) => !alive(child)), 60);
  await lw.quickstart("start");
  await eventually("all jobs are done", () => count("SELECT COUNT(*) FROM job_history") === jobs, 120);
  assert.equal(count("SELECT COUNT(*) FROM job"), 0);
});

test("a tenant with a single job waits for a few turns of one with very many", async () => {
  const jobs = 20000 * SCALE, single = idBytes(other.tenant.id);
  queue(owner.tenant, jobs);
  queue(single, 1);
  lw.sql(`UPDATE job SET run_at = 1000000 WHERE tenant_id = ${single}`); // asked for last
  const worker = await ownWorker({ LATCHWORK_WORKER_PROCESSES: "1" }); // turns are counted, not how the machine shares its time
  const [[at]] = await eventually("the single job is done", () => {
    const found = lw.sql(`SELECT finished_at FROM job_history WHERE tenant_id = ${single}`);
    return found.length && found;
  });
  await endWorker(worker);
  const before = count(`SELECT COUNT(*) FROM job_history WHERE tenant_id = ${owner.tenant} AND finished_at <= ${at}`);
  assert.ok(before <= 120, `${before} jobs of the other tenant were done before`);
});

test("while one tenant's jobs hold every process that takes them, another's is done", async () => {
  const quick = 300, stuck = 60, single = idBytes(other.tenant.id);
  receive(owner.tenant, stuck);
  lw.sql(`UPDATE job SET run_at = run_at + ${quick}`); // behind those that aren't held: the processes are all at work by then
  queue(owner.tenant, quick);
  const release = await hold("event", `tenant_id = ${owner.tenant}`), holders = () => count("SELECT COUNT(DISTINCT worker) FROM job WHERE worker IS NOT NULL");
  const worker = await ownWorker();
  try {
    await eventually("those before them are done", () => count("SELECT COUNT(*) FROM job_history") === quick && holders() >= 4, 60);
    queue(single, 12); // more than a batch
    await eventually("the other tenant's are done", () => count(`SELECT COUNT(*) FROM job WHERE tenant_id = ${single}`) === 0);
    assert.equal(count(`SELECT COUNT(*) FROM job WHERE tenant_id = ${owner.tenant}`), stuck);
    assert.equal(holders(), 4);
  } finally {
    await release();
  }
  await eventually("all are done", () => count("SELECT COUNT(*) FROM job WHERE queue = 'event'") === 0, 60);
  await endWorker(worker);
});

function shown(pool) {
  return new Promise((done, failed) => {
    http.get({ socketPath: lw.at("run", "metrics", "metrics.sock"), path: `/metrics/${pool}` }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8"))
        text += chunk;
      done(text);
    }).on("error", failed);
  });
}

async function metrics() {
  const lines = (await shown("front")).matchAll(/^(latchwork_(?:queue|jobs)_\w+)\{queue="event"\} (\d+)$/gm);
  return Object.fromEntries([...lines].map(([, name, n]) => [name, Number(n)]));
}

test("monitoring and the operator see what is queued, what is dead and why, and bring it back", async () => {
  const dead = `run_at = ${Date.now()}, error_code = 'UPSTREAM_FAILED', error_message = 'it never answered', attempts = 9`;
  queue(owner.tenant, 3);
  queue(idBytes(other.tenant.id), 2);
  lw.sql(`UPDATE job SET state = 'dead', ${dead} WHERE tenant_id = ${owner.tenant}; UPDATE job SET run_at = 9000000000000 WHERE state = 'live'`);
  const ctl = (...args) => {
    const ran = lw.latchctl("job", ...args, "--json");
    assert.equal(ran.status, 0, ran.stderr);
    return JSON.parse(ran.stdout);
  };
  assert.equal(ctl("list").length, 5);
  assert.deepEqual(ctl("list", "--tenant", other.tenant.id).map(({ state }) => state), ["waiting", "waiting"]);
  assert.equal(ctl("list", "--queue", "mail").length, 0);
  const [first, ...rest] = ctl("dead", "--queue", "event");
  assert.deepEqual([first.tenant, first.error, rest.length], [one.tenant.id, "UPSTREAM_FAILED", 2]);
  assert.equal(ctl("show", first.id).message, "it never answered");
  assert.notEqual(lw.latchctl("job", "dead", "--queue", "nothing").status, 0);
  assert.notEqual(lw.latchctl("job", "retry").status, 0);
  assert.notEqual(lw.latchctl("job", "retry", "job-00000000000000000000000000").status, 0);

  const before = await metrics();
  await lw.quickstart("start");
  await eventually("monitoring sees them", async () => (await metrics()).latchwork_queue_dead === 3);
  assert.equal((await metrics()).latchwork_queue_waiting, 2);
  assert.equal((await metrics()).latchwork_queue_oldest_seconds, 0);
  ctl("retry", first.id);
  assert.notEqual(lw.latchctl("job", "retry", first.id).status, 0, "it isn't dead any more");
  await eventually("the first is done", () => count("SELECT COUNT(*) FROM job_history") === 1);
  assert.match(ctl("retry", "--all", "--tenant", one.tenant.id).note, /^2 jobs/);
  lw.sql("UPDATE job SET run_at = 1 WHERE state = 'live' AND run_at < 9000000000000");
  await eventually("the others, too", () => count("SELECT COUNT(*) FROM job_history") === 3);
  assert.equal(count("SELECT COUNT(*) FROM audit WHERE action IN ('job.retry', 'job.retry_dead') AND outcome = 'ok'"), 2);
  await eventually("monitoring has counted them, and sees no dead ones", async () => {
    const { latchwork_jobs_done_total: done, latchwork_queue_dead: left } = await metrics();
    return done >= (before.latchwork_jobs_done_total ?? 0) + 3 && left === 0;
  });
});

test("monitoring sees what the worker's processes have counted, after a reload as well", async () => {
  const starts = async () => Number(/^latchwork_worker_starts_total\{pool="worker"\} (\d+)$/m.exec(await shown("worker"))?.[1] ?? 0);
  const before = await starts();
  await lw.quickstart("start");
  await eventually("its five processes are counted", async () => await starts() >= before + 5, 60);
  const counted = await starts();
  process.kill(await lw.pid("worker"), "SIGHUP");
  await eventually("those that took their places are, too", async () => await starts() === counted + 5, 60);
  const text = await shown("worker");
  assert.match(text, /^# TYPE latchwork_secrets_opened_total counter\nlatchwork_secrets_opened_total\{pool="worker"\} \d+$/m);
  assert.doesNotMatch(text, /pool="(front|vault)"|in_flight/);
});

test("partitions of the days to come are made, and a dead job isn't kept for ever", async () => {
  queue(owner.tenant, 2);
  lw.sql(`UPDATE job SET state = 'dead'; UPDATE job SET run_at = ${Date.now()} LIMIT 1`);
  await lw.quickstart("start");
  await eventually("the old one is gone", () => count("SELECT COUNT(*) FROM job") === 1);
  await eventually("there are partitions", () =>
    count("SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = 'latchwork' AND table_name IN ('event', 'job_history')") >= 8); // one more each at midnight
});
