// As many executions of one tenant as may be are under way: who would start one more is told so, the clock and providers'
// events wait, and nobody else is kept from anything.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { Flows, transform } from "./lib/flows.mjs";
import { request } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Receiver } from "./lib/ledger.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

const MOST = 4, DAY = 24 * 3600 * 1000;
let lw, ca, receiver, token, tenant, flows, others, waits;

before(async () => {
  ca = new CertificateAuthority();
  receiver = await new Receiver(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}live_executions = ${MOST}\n[egress]\nallow_hosts = ${receiver.host}\nca_file = ${ca.file}\n` });
  const made = await lw.newTenant("busy");
  ({ token, tenant: { id: tenant } } = made);
  flows = new Flows(lw, token);
  others = new Flows(lw, (await lw.newTenant("other")).token);
  waits = await flows.make([delay("wait", DAY)]);
});
after(async () => {
  await lw?.stop();
  await receiver?.stop();
  ca?.remove();
});

const count = (sql) => Number(lw.sql(`SELECT COUNT(*) FROM ${sql}`)[0][0]);
const counted = () => Number(lw.sql(`SELECT COALESCE(SUM(live), 0) FROM execution_live WHERE tenant_id = ${idBytes(tenant)}`)[0][0]);
const live = () => count(`execution WHERE tenant_id = ${idBytes(tenant)} AND completed_at IS NULL`);
const delay = (id, delay_ms) => ({ id, type: "delay", config: { delay_ms } });
const hurry = () => lw.sql("UPDATE job SET run_at = 0 WHERE state = 'live' AND worker IS NULL AND queue = 'event'");
const execute = (workflow, token) => lw.api("POST", `/api/v1/workflows/${workflow}/execute`, { token, body: { input_data: null } });

/** So many are under way as may be; their ids. */
async function fill() {
  const ids = [];
  while (live() < MOST)
    ids.push(await flows.start(waits));
  return ids;
}
async function empty() {
  for (const [id] of lw.sql(`SELECT LOWER(HEX(execution_id)) FROM execution WHERE tenant_id = ${idBytes(tenant)} AND completed_at IS NULL`))
    lw.sql(`UPDATE execution SET status = 'cancelled', completed_at = 1, turn = turn + 1 WHERE execution_id = X'${id}'; DELETE FROM job WHERE subject_id = X'${id}'`);
  await eventually("nothing is under way", () => live() === 0);
}
beforeEach(async () => {
  await empty();
  assert.equal(counted(), 0, "what has ended is counted");
});

test("one more than may be is refused, with a time to wait, and one that ends makes room", async () => {
  const ids = await fill(), refused = await execute(waits, token);
  assert.deepEqual([refused.status, refused.json.code, refused.headers["retry-after"]], [429, "EXECUTIONS_FULL", "10"]);
  assert.deepEqual([live(), counted()], [MOST, MOST]);
  assert.equal((await others.run(await others.make([transform("one", "1")]))).status, "completed", "another tenant is kept waiting");
  await flows.cancel(ids[0]);
  await flows.start(waits);
  assert.equal((await execute(waits, token)).status, 429);
});

test("what is retried, and what a person starts in a live run, is refused alike", async () => {
  const failed = await flows.runs([transform("fails", "error(\"no\")")]);
  await fill();
  const retried = await lw.api("POST", `/api/v1/executions/${failed.execution_id}/retry`, { token });
  assert.deepEqual([retried.status, retried.json.code], [429, "EXECUTIONS_FULL"]);
  const run = await flows.does("POST", "/api/v1/runs", { workflow_id: waits }, 201);
  const said = await lw.api("POST", `/api/v1/runs/${run.id}/messages`, { token, body: { type: "session:start", data: {} } });
  assert.deepEqual([said.status, said.json.code], [429, "EXECUTIONS_FULL"]);
});

test("a sender whose request would start one more is told to come again", async () => {
  await fill();
  const trigger = await flows.does("POST", `/api/v1/webhooks/${waits}/triggers`, { name: "orders" }, 201), uri = new URL(trigger.webhook_url).pathname;
  const answer = await request(lw.url, { method: "POST", path: uri, ca: lw.ca, body: "{}", headers: { "Content-Type": "application/json" } });
  lw.document.check("POST", uri, answer);
  assert.deepEqual([answer.status, answer.json.code, answer.headers["retry-after"]], [429, "EXECUTIONS_FULL", "10"]);
});

test("a time of the clock waits for room, begins once, and says which time it was", async () => {
  const workflow = await flows.make([transform("one", ".request.scheduled_at")]);
  await fill();
  const { id } = await flows.does("POST", `/api/v1/workflows/${workflow}/schedules`, { cron: "0 0 1 1 *" }, 201), due = Date.now() - 1000;
  lw.sql(`UPDATE workflow_schedule SET next_at = ${due} WHERE schedule_id = ${idBytes(id)}`);
  await eventually("it was looked at", () => count(`workflow_schedule WHERE held_at = ${due} AND next_at > ${due}`) === 1, 60);
  // So long that it would be a missed time, which this schedule skips.
  lw.sql(`UPDATE workflow_schedule SET next_at = ${due} - 3600000 WHERE schedule_id = ${idBytes(id)}`);
  await eventually("it was looked at once more", () => count(`workflow_schedule WHERE held_at = ${due} AND next_at > ${due}`) === 1, 60);
  const runs = () => flows.does("GET", `/api/v1/workflows/${workflow}/executions`, undefined, 200);
  assert.equal((await runs()).length, 0);
  await empty();
  lw.sql(`UPDATE workflow_schedule SET next_at = 1 WHERE schedule_id = ${idBytes(id)}`);
  const [made] = await eventually("it begins", async () => { const all = await runs(); return all.length > 0 && all; }, 60);
  assert.equal((await flows.over(made.execution_id)).output_data, new Date(due).toISOString());
  assert.equal((await runs()).length, 1);
  await eventually("it has its next time", () => count(`workflow_schedule WHERE schedule_id = ${idBytes(id)} AND held_at IS NULL AND next_at > ${Date.now()}`) === 1, 60);
  assert.equal((await runs()).length, 1);
});

test("an event of a provider waits for room with its workflows, and reaches its subscribers at once, all of them once", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.github);
  const [first, second] = [await flows.make([delay("wait", DAY)], { triggers: [{ type: "event", connector_id: hook.id }] }), await flows.make([delay("wait", DAY)], { triggers: [{ type: "event", connector_id: hook.id }] })];
  await flows.does("POST", "/api/v1/subscriptions", { url: receiver.url }, 201);
  const [one] = await fill();
  await flows.cancel(one); // room for one of the two
  const answer = await send(lw, await deliveryOf(hook)), { event_id } = answer.json;
  assert.equal(answer.status, 200, answer.text);
  await eventually("subscribers have it", () => receiver.deliveries.length === 1, 60);
  const waiting = () => count(`job WHERE subject_id = ${idBytes(event_id)} AND state = 'live' AND payload LIKE '%workflows_left%' AND worker IS NULL AND run_at > ${Date.now()}`) === 1;
  await eventually("its workflows wait", waiting, 60);
  hurry();
  await eventually("it was looked at again", waiting, 60);
  const runs = async (workflow) => (await flows.does("GET", `/api/v1/workflows/${workflow}/executions`, undefined, 200)).length;
  assert.deepEqual([await runs(first), await runs(second)], [0, 0], "one without the other");
  assert.equal((await flows.does("GET", `/api/v1/events/${event_id}`, undefined, 200)).status, "received");
  await empty();
  hurry();
  await eventually("both have begun", async () => await runs(first) === 1 && await runs(second) === 1, 60);
  await eventually("it is processed", async () => (await flows.does("GET", `/api/v1/events/${event_id}`, undefined, 200)).status === "processed", 60);
  assert.equal(receiver.deliveries.length, 1);
  assert.equal(count(`job WHERE subject_id = ${idBytes(event_id)} AND state = 'dead'`), 0);
});

test("what was let in starts what it needs, up to twice as many in all", async () => {
  const sub = (id, workflow_id) => ({ id, type: "workflow", config: { workflow_id } });
  const soon = await flows.make([delay("wait", 2000)]), outer = await flows.make([sub("one", soon)]);
  const [one] = await fill();
  await flows.cancel(one);
  assert.equal((await flows.run(outer)).status, "completed", "it took the last place, and needed one more");
  await empty();
  const wide = [..."abcdefgh"].map((id) => sub(id, soon));
  const id = await flows.start(await flows.make(wide, { dependencies: {} })), done = await flows.over(id);
  assert.equal(done.status, "failed");
  assert.equal(done.error.code, "EXECUTIONS_FULL");
  assert.equal(done.step_executions.filter(({ status }) => status === "completed").length, 2 * MOST - 1);
});

test("what was dropped with its day while it was under way is counted no longer", async () => {
  await fill();
  lw.sql(`DELETE FROM execution WHERE tenant_id = ${idBytes(tenant)} AND completed_at IS NULL ORDER BY execution_id LIMIT 3`);
  assert.equal((await execute(waits, token)).status, 429);
  process.kill(await lw.pid("worker"), "SIGHUP");
  await eventually("there is room again", async () => (await execute(waits, token)).status === 202, 60);
  assert.equal(counted(), live());
});

test("many that begin and end at once are counted right", async () => {
  lw.sql(`UPDATE execution_live SET live = live - 100000 WHERE tenant_id = ${idBytes(tenant)} LIMIT 1`);
  const before = counted(), workflow = await flows.make([transform("one", "1")]);
  await Promise.all(Array.from({ length: 40 }, () => flows.run(workflow)));
  assert.equal(counted(), before);
  lw.sql(`UPDATE execution_live SET live = live + 100000 WHERE tenant_id = ${idBytes(tenant)} ORDER BY live LIMIT 1`);
  assert.equal(counted(), 0);
});
