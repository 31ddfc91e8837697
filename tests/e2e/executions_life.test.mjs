// The life of an execution: it waits, is spoken to, is stopped, is run again, outlives its worker, and goes with its owner.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Flows, statuses, stepOf, transform } from "./lib/flows.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { endProcess } from "./lib/processes.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

const DAY = 24 * 3600 * 1000;
let lw, flows, owner;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  owner = await lw.newTenant("flows");
  flows = new Flows(lw, owner.token);
});
after(async () => { await lw?.stop(); });

const count = (sql) => Number(lw.sql(sql)[0][0]);
const delay = (id, delay_ms) => ({ id, type: "delay", config: { delay_ms } });
/** As if the time had come for all that waits. */
const letTimePass = () => lw.sql("UPDATE execution_step SET wake_at = 1 WHERE status = 'waiting' AND wake_at IS NOT NULL; UPDATE job SET run_at = 1 WHERE state = 'live' AND worker IS NULL");
const noJobs = () => eventually("no job is left", () => count("SELECT COUNT(*) FROM job WHERE queue IN ('automation', 'call')") === 0, 60);

test("a delay waits in the database: it outlives the worker and ends at its time", async () => {
  const id = await flows.start(await flows.make([transform("a", "1"), delay("wait", 3 * DAY), transform("b", ".steps.a + 1")]));
  const waiting = await flows.is(id, "waiting");
  assert.deepEqual(statuses(waiting), { a: "completed", wait: "waiting" });
  const wake = count("SELECT run_at FROM job WHERE queue = 'automation'") - Date.now();
  assert.ok(wake > 2.9 * DAY && wake <= 3 * DAY, `it wakes in ${wake} ms`);
  await endProcess(await lw.pid("worker"), "SIGKILL");
  await lw.quickstart("start");
  letTimePass();
  const done = await flows.over(id);
  assert.deepEqual([done.status, done.output_data], ["completed", 2]);
  assert.equal(count("SELECT attempts FROM job_history WHERE kind = 'execution_run' ORDER BY finished_at DESC LIMIT 1"), 1, "waiting counts as trying");
  await noJobs();
});

test("a short delay ends by itself; one beyond what is kept is refused", async () => {
  assert.equal((await flows.runs([delay("wait", 300)])).status, "completed");
  const until = (ms) => [{ id: "wait", type: "delay", config: { until: "{{ .input }}" } }, transform("b", String(ms))];
  assert.equal((await flows.runs(until(1), new Date(Date.now() - 1000).toISOString())).status, "completed");
  assert.equal((await flows.runs(until(2), new Date(Date.now() + 31 * DAY).toISOString())).error.code, "WAIT_TOO_LONG");
  assert.equal((await flows.runs(until(3), "tomorrow")).error.code, "STEP_CONFIG");
});

test("branches that wake at the same moment in several processes are each done once", async () => {
  const waits = Array.from({ length: 12 }, (_, i) => delay(`w${i}`, DAY)), behind = waits.map(({ id }, i) => transform(`b${i}`, `"${id}"`));
  const dependencies = Object.fromEntries(behind.map(({ id }, i) => [id, [`w${i}`]]));
  const id = await flows.start(await flows.make([...waits, ...behind, transform("join", "1")], { dependencies: { ...dependencies, join: behind.map((b) => b.id) } }));
  await flows.is(id, "waiting");
  assert.equal(count("SELECT COUNT(*) FROM job WHERE queue = 'automation'"), 12);
  letTimePass();
  const done = await flows.over(id);
  assert.equal(done.status, "completed");
  assert.ok(done.step_executions.every((s) => s.status === "completed" && s.attempt === 1));
  const events = await flows.allEvents(id);
  assert.deepEqual(events.map((e) => e.number), events.map((_, i) => i + 1));
  assert.equal(events.filter((e) => e.type === "node:execution_complete").length, 25);
  await noJobs();
});

test("a person speaks to an execution that listens; without one it ends at its time", async () => {
  const workflow = await flows.make([{ id: "ask", type: "listen", config: { prompt: "How many, {{ .input }}?", wait_ms: 3600000 } }, transform("out", ".steps.ask")]);
  const id = await flows.start(workflow, "Ada");
  await flows.is(id, "waiting");
  const asked = (await flows.events(id)).find(({ type }) => type === "system:waiting_for_input");
  assert.deepEqual(asked.data, { node_id: "ask", prompt: "How many, Ada?" });
  letTimePass();
  const late = await flows.over(id);
  assert.equal(late.error.code, "LISTEN_TIMEOUT");

  const run = await flows.does("POST", "/api/v1/runs", { workflow_id: workflow }, 201);
  const say = (type, data) => flows.does("POST", `/api/v1/runs/${run.id}/messages`, { type, data }, 202);
  const { execution_id } = await say("session:start", { input_data: "Ada" });
  await flows.is(execution_id, "waiting");
  await say("user:message", { text: "seven" });
  const done = await flows.over(execution_id);
  assert.equal(done.status, "completed");
  assert.match(JSON.stringify(done.output_data), /seven/);
  assert.equal(count("SELECT COUNT(*) FROM execution_signal WHERE taken_at IS NULL"), 0);
});

test("a stopped execution starts no further step, nor do those that it waits for; asking again changes nothing", async () => {
  const inner = await flows.make([delay("deep", DAY)]);
  const id = await flows.start(await flows.make([{ id: "sub", type: "workflow", config: { workflow_id: inner } }, transform("after", "1")]));
  await eventually("both wait", () => count("SELECT COUNT(*) FROM execution WHERE status = 'waiting'") === 2);
  const stopped = await flows.cancel(id);
  assert.equal(stopped.status, "cancelled");
  assert.deepEqual(statuses(stopped), { sub: "cancelled" });
  assert.equal(count("SELECT COUNT(*) FROM execution WHERE status = 'waiting'"), 0);
  await noJobs();
  const again = await flows.cancel(id);
  assert.deepEqual(again, stopped);
  assert.equal((await flows.events(id)).at(-1).type, "workflow:finished");
  assert.equal(count(`SELECT COUNT(*) FROM audit WHERE action = 'execution.cancel' AND outcome = 'ok'`), 2);
});

test("who stops the inner one fails the step that waits for it", async () => {
  const inner = await flows.make([delay("deep", DAY)]);
  const id = await flows.start(await flows.make([{ id: "sub", type: "workflow", config: { workflow_id: inner } }]));
  const [child] = await eventually("the inner one waits", async () => {
    const list = await flows.does("GET", `/api/v1/workflows/${inner}/executions?status=waiting`, undefined, 200);
    return list.length && list;
  });
  assert.deepEqual([child.source, child.source_id], ["workflow", id]);
  await flows.cancel(child.execution_id);
  const done = await flows.over(id);
  assert.deepEqual([done.status, done.error.code], ["failed", "WORKFLOW_FAILED"]);
});

test("executions of a workflow that is deleted end", async () => {
  const workflow = await flows.make([delay("wait", DAY)]), id = await flows.start(workflow);
  await flows.is(id, "waiting");
  await flows.does("DELETE", `/api/v1/workflows/${workflow}`, undefined, 204);
  const done = await flows.over(id);
  assert.deepEqual([done.status, done.error.code], ["cancelled", "WORKFLOW_GONE"]);
  await noJobs();
});

test("an execution that failed is run again from there: what was done stays done", async () => {
  const steps = [transform("a", "{at: now}"), transform("b", "if .input then error(\"not yet\") else .steps.a end"), transform("c", ".steps.b")];
  const workflow = await flows.make(steps), first = await flows.run(workflow, true);
  assert.deepEqual(statuses(first), { a: "completed", b: "failed" });
  const again = await flows.over(await flows.retry(first.execution_id));
  assert.deepEqual([again.source, again.source_id, again.status], ["retry", first.execution_id, "failed"]);
  assert.deepEqual(stepOf(again, "a"), stepOf(first, "a"));
  const good = await flows.run(workflow, false), from = await flows.over(await flows.retry(good.execution_id, "b"));
  assert.equal(from.status, "completed");
  assert.deepEqual(from.output_data, good.output_data, "a was run again");
  await flows.does("POST", `/api/v1/executions/${good.execution_id}/retry`, {}, 409);
  await flows.does("POST", `/api/v1/executions/${good.execution_id}/retry`, { from_step: "nothing" }, 400);
  const waiting = await flows.start(await flows.make([delay("wait", DAY)]));
  await flows.is(waiting, "waiting");
  await flows.does("POST", `/api/v1/executions/${waiting}/retry`, {}, 409);
  await flows.cancel(waiting);
});

test("a for_each that failed half-way keeps the items that are done", async () => {
  const each = { id: "each", type: "for_each", config: { items: "[range(20)]", step: { type: "transform", config: { expression: "if .item == 12 and .input.fail then error(\"no\") else now end" } } } };
  const first = await flows.runs([each], { fail: true }), again = await flows.over(await flows.retry(first.execution_id));
  assert.deepEqual(stepOf(again, "each[11]"), stepOf(first, "each[11]"));
  assert.equal(stepOf(again, "each[12]").status, "failed");
});

test("a provider's event starts the workflows that wait for its type, with the event as their input", async () => {
  const hook = await connectHook(lw, owner.token, PROVIDERS.github);
  const workflow = await flows.make([transform("type", ".input.type")], { triggers: [{ type: "event", provider: "github", event_types: ["issues"] }] });
  const deaf = await flows.make([transform("type", ".input.type")], { triggers: [{ type: "event", provider: "github", event_types: ["push"] }] });
  const delivery = await deliveryOf(hook), answer = await send(lw, { ...delivery, headers: { ...delivery.headers, "x-github-event": "issues" } });
  assert.equal(answer.status, 200, answer.text);
  const [started] = await eventually("it is started", async () => {
    const list = await flows.does("GET", `/api/v1/workflows/${workflow}/executions?status=completed`, undefined, 200);
    return list.length && list;
  }, 60);
  assert.deepEqual([started.source, started.source_id, started.output_data], ["event", answer.json.event_id, "issues"]);
  assert.equal(started.input_data.id, answer.json.event_id);
  assert.deepEqual(await flows.does("GET", `/api/v1/workflows/${deaf}/executions`, undefined, 200), []);
  await send(lw, { ...delivery, headers: { ...delivery.headers, "x-github-event": "issues" } });
  await eventually("the jobs are done", () => count("SELECT COUNT(*) FROM job WHERE queue IN ('event', 'automation')") === 0);
  assert.equal((await flows.does("GET", `/api/v1/workflows/${workflow}/executions`, undefined, 200)).length, 1, "one event, one execution");
});

test("a job that nobody can carry on fails its execution, and one that is carried on is not stuck", async () => {
  const id = await flows.start(await flows.make([delay("wait", DAY)]));
  await flows.is(id, "waiting");
  lw.sql("UPDATE job SET attempts = 12, run_at = 1 WHERE queue = 'automation'");
  const done = await flows.over(id);
  assert.deepEqual([done.status, done.error.code], ["failed", "EXECUTION_GAVE_UP"]);
  lw.sql("DELETE FROM job WHERE state = 'dead'");
});

test("a tenant that is deleted takes its workflows and executions along", async () => {
  const gone = await lw.newTenant("gone"), theirs = new Flows(lw, gone.token);
  await theirs.runs([transform("a", "1")]);
  const ran = lw.latchctl("tenant", "delete", gone.tenant.id, "--yes");
  assert.equal(ran.status, 0, ran.stderr);
  for (const table of ["workflow", "workflow_version", "execution", "execution_step", "execution_event"])
    assert.equal(count(`SELECT COUNT(*) FROM ${table} WHERE tenant_id = ${idBytes(gone.tenant.id)}`), 0, table);
});

test("the days of executions are partitions of their own", async () => {
  const tables = ["execution", "execution_step", "execution_event", "execution_signal"];
  await eventually("there are partitions", () => count(`SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = 'latchwork'
    AND table_name IN (${tables.map((t) => `'${t}'`)})`) >= 16); // one more each at midnight
});
