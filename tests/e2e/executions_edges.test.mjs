// Executions at their edges: two things at once, more than fits, what ends in the middle, and what never got finished.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { EffectServer } from "./lib/effects.mjs";
import { Flows, statuses, stepOf, transform } from "./lib/flows.mjs";
import { request } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

const DAY = 24 * 3600 * 1000;
let lw, ca, server, flows;

before(async () => {
  ca = new CertificateAuthority();
  server = await new EffectServer(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}[egress]\nallow_hosts = ${server.host}\nca_file = ${ca.file}\n` });
  flows = new Flows(lw, (await lw.newTenant("flows")).token);
});
after(async () => {
  await lw?.stop();
  await server?.stop();
  ca?.remove();
});
beforeEach(() => Object.assign(server, { calls: [], effects: new Map(), slow: () => 0, status: () => 200 }));

const count = (sql) => Number(lw.sql(sql)[0][0]);
const delay = (id, delay_ms) => ({ id, type: "delay", config: { delay_ms } });
const listen = (id) => ({ id, type: "listen", config: {} });
const sub = (id, workflow_id) => ({ id, type: "workflow", config: { workflow_id } });
const call = (id, more = {}) => ({ id, type: "http", config: { method: "POST", url: `${server.url}/${id}`, body: {} }, ...more });
const each = (id, items, expression) => ({ id, type: "for_each", config: { items, concurrency: 8, step: { type: "transform", config: { expression } } } });
const noJobs = () => eventually("no job is left", () => count("SELECT COUNT(*) FROM job WHERE queue IN ('automation', 'call')") === 0, 60);

test("a workflow that is deleted while it waits for another one ends, and so does that one", async () => {
  const inner = await flows.make([delay("deep", DAY)]), outer = await flows.make([sub("sub", inner)]);
  const id = await flows.start(outer);
  await flows.is(id, "waiting");
  const [child] = await eventually("the child waits", async () => {
    const list = await flows.does("GET", `/api/v1/workflows/${inner}/executions?status=waiting`, undefined, 200);
    return list.length && list;
  });
  await flows.does("DELETE", `/api/v1/workflows/${outer}`, undefined, 204);
  assert.equal((await flows.over(child.execution_id)).status, "cancelled");
  await noJobs();
  assert.equal(lw.sql(`SELECT status FROM execution WHERE execution_id = ${idBytes(id)}`)[0][0], "cancelled");
});

test("two steps that listen get what was said to each, in whichever order it was said", async () => {
  const workflow_id = await flows.make([delay("wait", DAY), listen("a"), listen("b")], { dependencies: { a: ["wait"], b: ["wait"] } });
  const run = await flows.does("POST", "/api/v1/runs", { workflow_id }, 201);
  const say = (type, data) => flows.does("POST", `/api/v1/runs/${run.id}/messages`, { type, data }, 202);
  const { execution_id } = await say("session:start", { input_data: 1 });
  await flows.is(execution_id, "waiting");
  await say("user:message", { node_id: "b", text: "for b" });
  await say("user:message", { node_id: "a", text: "for a" });
  await eventually("it waits for its time alone", () => count("SELECT COUNT(*) FROM job WHERE worker IS NULL AND run_at > UNIX_TIMESTAMP() * 1000 + 1000") > 0);
  lw.sql("UPDATE execution_step SET wake_at = 1 WHERE status = 'waiting' AND step_id = 'wait'; UPDATE job SET run_at = 1 WHERE state = 'live' AND worker IS NULL");
  const done = await flows.over(execution_id);
  assert.deepEqual(statuses(done), { wait: "completed", a: "completed", b: "completed" });
  assert.match(JSON.stringify(stepOf(done, "a").output_data), /for a/);
  assert.match(JSON.stringify(stepOf(done, "b").output_data), /for b/);
});

test("run again from one step, what was stopped beside it runs again too", async () => {
  const id = await flows.start(await flows.make([transform("a", "1"), delay("wait", DAY), transform("x", "2")], { dependencies: { wait: ["a"], x: ["a"] } }));
  await flows.is(id, "waiting");
  assert.deepEqual(statuses(await flows.cancel(id)), { a: "completed", wait: "cancelled", x: "completed" });
  const again = await flows.retry(id, "x");
  const now = await flows.is(again, "waiting");
  assert.deepEqual(statuses(now), { a: "completed", wait: "waiting", x: "completed" });
  await flows.cancel(again);
});

test("a for_each whose list is made anew keeps nothing of the old one", async () => {
  server.status = () => 500;
  const steps = [call("source", { on_error: "continue" }), each("each", "if .steps.source.error then [1, 2, 3] else [10, 20] end", "if .item == 3 then error(\"three\") else .item end")];
  const failed = await flows.runs(steps);
  assert.deepEqual(statuses(failed), { source: "failed", each: "failed", "each[0]": "completed", "each[1]": "completed", "each[2]": "failed" });
  server.status = () => 200;
  const again = await flows.over(await flows.retry(failed.execution_id));
  assert.deepEqual([again.status, again.output_data], ["completed", [10, 20]]);
});

test("more steps begin at once than one turn takes", async () => {
  const item = { type: "http", config: { method: "POST", url: `${server.url}/item`, body: {} } };
  const steps = Array.from({ length: 28 }, (_, i) => ({ id: `e${i}`, type: "for_each", config: { items: "[range(8)]", concurrency: 8, step: item } }));
  const done = await flows.runs(steps, null, { dependencies: {} });
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(server.effects.size, 28 * 8);
});

test("workflows that start themselves come to an end soon", async () => {
  const workflow = await flows.make([transform("a", "1")]);
  const steps = Array.from({ length: 5 }, (_, i) => sub(`s${i}`, workflow));
  await flows.does("PUT", `/api/v1/workflows/${workflow}`, { name: "itself", definition: { steps, dependencies: {} } }, 200);
  const before = count("SELECT COUNT(*) FROM execution");
  const done = await flows.run(workflow);
  assert.equal(done.status, "failed");
  await eventually("all of them are over", () => count("SELECT COUNT(*) FROM execution WHERE completed_at IS NULL") === 0, 300);
  assert.ok(count("SELECT COUNT(*) FROM execution") - before <= 201, "more than 200 within one");
  assert.ok(count("SELECT COUNT(*) FROM execution WHERE error_code = 'TOO_MANY_EXECUTIONS'") > 0);
});

test("who holds the line is told that the execution was given up, and no step of it seems to run", async () => {
  const workflow = await flows.make([delay("wait", DAY)]);
  const trigger = await flows.does("POST", `/api/v1/webhooks/${workflow}/triggers`, { name: "t", method: "POST", auth_type: "none", respond: "when_finished" }, 201);
  const answer = request(lw.url, { method: "POST", path: new URL(trigger.webhook_url).pathname, ca: lw.ca, body: "{}", headers: { "Content-Type": "application/json" } });
  const [waiting] = await eventually("it waits", async () => {
    const list = await flows.does("GET", `/api/v1/workflows/${workflow}/executions?status=waiting`, undefined, 200);
    return list.length && list;
  });
  lw.sql("UPDATE job SET attempts = 12, run_at = 1 WHERE queue = 'automation'");
  const told = JSON.parse((await answer).text);
  assert.deepEqual([told.success, told.execution_id, told.error.code], [false, waiting.execution_id, "EXECUTION_GAVE_UP"]);
  const done = await flows.get(waiting.execution_id);
  assert.deepEqual([done.status, stepOf(done, "wait").status, stepOf(done, "wait").error.code], ["failed", "failed", "EXECUTION_GAVE_UP"]);
  lw.sql("DELETE FROM job WHERE state = 'dead'");
});

test("what all for_each of one execution take is bounded", async () => {
  const steps = Array.from({ length: 6 }, (_, i) => each(`e${i}`, "[range(1000)]", "1"));
  const done = await flows.over(await flows.start(await flows.make(steps)), 180);
  assert.deepEqual([done.status, done.error.code, done.error.step_id], ["failed", "TOO_MANY_ITEMS", "e5"]);
  const lists = Array.from({ length: 20 }, (_, i) => each(`e${i}`, "[\"x\" * 250000]", "1"));
  assert.equal((await flows.runs(lists)).error.code, "EXECUTION_TOO_LARGE");
});

test("a workflow with a place left open says which, whoever runs it", async () => {
  const definition = { steps: [transform("a", "1"), { id: "told", type: "integration", config: { connector_id: null, action: "preview" } }], dependencies: { told: ["a"] } };
  const made = await lw.api("POST", "/api/v1/workflows", { token: flows.token, body: { name: "open", status: "paused", definition } });
  assert.equal(made.status, 201, made.text);
  const done = await flows.run(made.json.id);
  assert.deepEqual([done.status, done.error.code, done.step_executions], ["failed", "STEP_CONFIG", []]);
  assert.match(done.error.message, /steps\[1\]\.config\.connector_id/);
});

test("an event starts each workflow that waits for it, however many they are", async () => {
  const hook = await connectHook(lw, flows.token, PROVIDERS.github);
  const workflow = idBytes(await flows.make([transform("type", ".input.type")], { triggers: [{ type: "event", provider: "github" }] }));
  const copied = { workflow: "name, description, active, version, created_by, created_at, updated_at", workflow_version: "version, definition, created_by, created_at",
    workflow_listener: "position, connector_id, provider, event_types" };
  for (const [table, columns] of Object.entries(copied))
    lw.sql(`INSERT INTO ${table} (tenant_id, workflow_id, ${columns}) SELECT tenant_id, UNHEX(MD5(seq)), ${columns} FROM ${table}, seq_1_to_250 WHERE workflow_id = ${workflow}`);
  const answer = await send(lw, await deliveryOf(hook));
  assert.equal(answer.status, 200, answer.text);
  await eventually("all have run", () => count("SELECT COUNT(*) FROM execution WHERE source = 'event' AND status = 'completed'") === 251, 300);
  await noJobs();
});

// --- the last one: what it stops is started again ----------------------------------------------------

test("an execution that was cancelled stays so, though a call ends then and nothing else can be done", async () => {
  let answer;
  server.slow = () => new Promise((done) => { answer = () => done(0); });
  const id = await flows.start(await flows.make([call("slow"), transform("next", ".steps.slow.status")]));
  await eventually("the call is under way", () => answer);
  process.kill(Number(fs.readFileSync(lw.at("run/expr/expr.pid"), "utf8")), "SIGTERM");
  assert.equal((await flows.cancel(id)).status, "cancelled");
  answer();
  await noJobs();
  assert.equal((await flows.get(id)).status, "cancelled");
  await lw.quickstart("start");
});
