// Workflows that the clock starts: each time once, however many look at the clock, and what becomes of those that nobody
// was there for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { GREETING, saveWorkflow } from "./lib/workflows.mjs";

const MINUTE = 60_000;
let lw, token, other;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  ({ token } = await lw.newTenant("timer"));
  ({ token: other } = await lw.newTenant("other"));
});
after(async () => { await lw?.stop(); });

const ask = (method, uri, body, more = {}) => lw.api(method, uri, { token, body, ...more });
async function does(method, uri, body, more) {
  const answer = await ask(method, uri, body, more);
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer;
}

/** A workflow with a schedule that comes in its own time. */
async function scheduled(more = {}, definition = GREETING) {
  const workflow = await saveWorkflow(lw, token, definition);
  const uri = `/api/v1/workflows/${workflow.id}/schedules`;
  const schedule = (await does("POST", uri, { cron: "0 0 1 1 *", input_data: { name: "clock" }, ...more })).json;
  return { workflow, schedule, uri: `${uri}/${schedule.id}` };
}
/** Its time is so many milliseconds ago. */
const makeDue = ({ schedule }, ago = 1000) => lw.sql(`UPDATE workflow_schedule SET next_at = ${Date.now() - ago} WHERE schedule_id = ${idBytes(schedule.id)}`);
const runs = async ({ workflow }) => (await does("GET", `/api/v1/workflows/${workflow.id}/executions`)).json;
const now = async ({ uri }) => (await does("GET", uri)).json;
const moved = (made) => eventually("the clock has looked", async () => Date.parse((await now(made)).next_at) > Date.now(), 60);

test("a schedule tells when it comes next, in its own zone", async () => {
  const { schedule, uri } = await scheduled({ cron: "30 9 * * mon-fri", time_zone: "Europe/Vienna" });
  const next = new Date(schedule.next_at);
  assert.ok(next > new Date());
  const parts = Object.fromEntries(new Intl.DateTimeFormat("en-GB", { timeZone: "Europe/Vienna", weekday: "short", hour: "2-digit", minute: "2-digit" }).formatToParts(next).map(({ type, value }) => [type, value]));
  assert.deepEqual([parts.hour, parts.minute], ["09", "30"]);
  assert.ok(!["Sat", "Sun"].includes(parts.weekday));
  assert.deepEqual([schedule.last_at, schedule.is_active, schedule.missed, schedule.input_data], [null, true, "skip", { name: "clock" }]);
  assert.equal((await does("PUT", uri, { cron: "30 9 * * *", is_active: false })).json.next_at, null);
  const again = (await does("PUT", uri, { cron: "0 0 29 2 *" })).json;
  assert.match(again.next_at, /-02-29T00:00:00\.000Z$/);
  assert.deepEqual([again.time_zone, again.input_data], ["UTC", null]);
});

test("what can't be understood is refused", async () => {
  const { workflow } = await scheduled();
  const refused = async (body, field) => {
    const answer = await ask("POST", `/api/v1/workflows/${workflow.id}/schedules`, body);
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(answer.json.fields.map((each) => each.field), [field]);
  };
  await refused({ cron: "61 * * * *" }, "cron");
  await refused({ cron: "* * * * * *" }, "cron");
  await refused({ cron: "0 0 30 2 *" }, "cron");
  await refused({ cron: "* * * * *", time_zone: "Europe/Atlantis" }, "time_zone");
  await refused({ cron: "* * * * *", time_zone: "/etc/passwd" }, "time_zone");
  await refused({ cron: "* * * * *", missed: "all" }, "missed");
  assert.equal((await lw.api("POST", `/api/v1/workflows/${workflow.id}/schedules`, { token: other, body: { cron: "* * * * *" } })).status, 404);
});

test("its time starts the workflow with its input, and says when it was", async () => {
  const made = await scheduled({ input_data: { name: "Ada" } });
  makeDue(made);
  const [execution] = await eventually("it has run", async () => { const list = await runs(made); return list[0]?.status === "completed" && list; }, 60);
  assert.deepEqual(execution.output_data, { greeting: "Hello, Ada" });
  const { last_at, next_at } = await now(made);
  assert.ok(Math.abs(Date.parse(last_at) - Date.now()) < 5 * MINUTE);
  assert.match(next_at, /-01-01T00:00:00\.000Z$/);
  const [[source, request]] = lw.sql(`SELECT source, request FROM execution WHERE source_id = ${idBytes(made.schedule.id)}`);
  assert.equal(source, "schedule");
  assert.equal(JSON.parse(request).scheduled_at, last_at);
});

test("of many that are due at once each starts one execution", async () => {
  const made = [];
  for (let i = 0; i < 30; i++)
    made.push(await scheduled());
  lw.sql(`UPDATE workflow_schedule SET next_at = ${Date.now() - 1000} WHERE schedule_id IN (${made.map(({ schedule }) => idBytes(schedule.id)).join(",")})`);
  for (const one of made)
    await moved(one);
  const counts = await Promise.all(made.map(async (one) => (await runs(one)).length));
  assert.deepEqual(counts, made.map(() => 1));
});

test("a time that was missed is made up for once, or not at all", async () => {
  const skip = await scheduled(), once = await scheduled({ missed: "once" });
  for (const one of [skip, once])
    makeDue(one, 3 * 24 * 60 * MINUTE);
  for (const one of [skip, once])
    await moved(one);
  assert.equal((await runs(skip)).length, 0);
  assert.equal((await runs(once)).length, 1);
});

test("a paused workflow isn't started, nor is a schedule that rests", async () => {
  const paused = await scheduled(), resting = await scheduled();
  await does("PUT", `/api/v1/workflows/${paused.workflow.id}`, { name: "w", status: "paused", definition: GREETING });
  makeDue(paused);
  await moved(paused);
  assert.deepEqual(await runs(paused), []);
  assert.equal((await now(paused)).last_at, null);
  await does("PUT", resting.uri, { cron: "* * * * *", is_active: false });
  assert.equal((await now(resting)).next_at, null);
});

test("a schedule is the tenant's and the workflow's own, and goes when it is removed", async () => {
  const { workflow, schedule, uri } = await scheduled(), second = await scheduled();
  assert.equal((await lw.api("GET", uri, { token: other })).status, 404);
  assert.equal((await ask("GET", `/api/v1/workflows/${second.workflow.id}/schedules/${schedule.id}`)).status, 404);
  assert.deepEqual((await does("GET", `/api/v1/workflows/${workflow.id}/schedules`)).json.map(({ id }) => id), [schedule.id]);
  const { headers: { etag } } = await does("GET", uri);
  const changed = await does("PUT", uri, { cron: "5 * * * *" }, { headers: { "If-Match": etag } });
  assert.equal((await ask("PUT", uri, { cron: "6 * * * *" }, { headers: { "If-Match": etag } })).status, 412);
  await does("DELETE", uri, undefined, { headers: { "If-Match": changed.headers.etag } });
  assert.equal((await ask("GET", uri)).status, 404);
});
