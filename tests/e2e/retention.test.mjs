// What a tenant wants to keep for less long than the installation does, what nothing refers to any more, and what stays
// all the same: executions under way, events that somebody still waits for, and the memory of what came already.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, test } from "node:test";
import { Flows, transform } from "./lib/flows.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { endProcess, startWorker } from "./lib/processes.mjs";
import { idBytes, Tenant } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

const DAY = 24 * 3600 * 1000, VERSIONS = 3;
let lw, a, b, flows, others;

before(async () => {
  lw = await startInstance({ conf: `${NO_LIMITS}[workflows]\nversions_kept = ${VERSIONS}\n` });
  [a, b] = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
  [flows, others] = [a, b].map((tenant) => new Flows(lw, tenant.owner.token));
});
after(async () => { await lw?.stop(); });

const count = (sql) => Number(lw.sql(`SELECT COUNT(*) FROM ${sql}`)[0][0]);
const delay = (id, delay_ms) => ({ id, type: "delay", config: { delay_ms } });
const lines = (words) => lw.log("worker").split("\n").filter((line) => line.includes(words));
const settings = async (body, { token = a.owner.token, headers } = {}) => lw.api("PATCH", "/api/v1/tenant", { token, body, headers });

async function keep(body) {
  const answer = await settings(body);
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}

/** The worker reads its configuration again, and every chore is due at once. */
async function reload() {
  const before = lines("reloaded").length;
  process.kill(await lw.pid("worker"), "SIGHUP");
  await eventually("the worker has reloaded", () => lines("reloaded").length > before);
}

/** Looks for what is over of tenant a, to the end. */
async function prune() {
  lw.sql(`UPDATE tenant_retention SET due_at = 1 WHERE tenant_id = ${idBytes(a.id)}`);
  await reload();
  await eventually("it is done", () => count(`tenant_retention WHERE tenant_id = ${idBytes(a.id)} AND due_at > 1 AND due_at BETWEEN ${Date.now() + 50 * 60_000} AND ${Date.now() + 61 * 60_000}`) > 0, 60);
}

/* --- as if it had been long ago ------------------------------------------------------------- */

const TABLES = { exec: [["execution", "execution_id"], ["execution_step", "execution_id"], ["execution_event", "execution_id"], ["execution_signal", "execution_id"],
  ["job", "subject_id"], ["job", "job_id"]], evt: [["event", "event_id"], ["event_key", "event_id"], ["job", "subject_id"]], run: [["live_run", "run_id"]] };

const prefix = (ago) => `UNHEX(LPAD(HEX(${Date.now() - ago}), 12, '0'))`;

/** The id as it would be, had the thing begun so long ago: everywhere. */
function age(id, ago) {
  const old = idBytes(id), made = lw.sql(`SELECT HEX(CONCAT(${prefix(ago)}, SUBSTR(${old}, 7)))`)[0][0];
  lw.sql(TABLES[id.split("-")[0]].map(([table, column]) => `UPDATE ${table} SET ${column} = X'${made}' WHERE ${column} = ${old};`).join("\n"));
  return `X'${made}'`;
}

/** An execution that is over, begun and ended so long ago. */
async function ended(of, ago, { ended_ago = ago } = {}) {
  const id = age((await of.runs([transform("one", "1"), transform("two", "2")])).execution_id, ago);
  lw.sql(`UPDATE execution SET started_at = ${Date.now() - ago}, completed_at = ${Date.now() - ended_ago} WHERE execution_id = ${id}`);
  return id;
}
const rowsOf = (id) => ["execution", "execution_step", "execution_event"].map((table) => count(`${table} WHERE execution_id = ${id}`));
const isWhole = (id) => assert.ok(rowsOf(id).every((rows) => rows > 0), `${rowsOf(id)}`);
const isGone = (id) => assert.deepEqual(rowsOf(id), [0, 0, 0]);

/* --- what is kept, said ------------------------------------------------------------------------- */

test("a tenant says to keep less, sees it, and takes it back", async () => {
  const first = await lw.api("GET", "/api/v1/tenant", { token: a.people.viewer.token });
  assert.equal(first.status, 200, first.text);
  const { event_days, execution_days, ai_days, installation, id, name } = first.json;
  assert.deepEqual({ event_days, execution_days, ai_days, id, name }, { event_days: null, execution_days: null, ai_days: null, id: a.id, name: a.name });
  assert.deepEqual(installation, { event_days: 30, execution_days: 90, ai_days: 90 });

  const changed = await settings({ event_days: 7, ai_days: 90 }, { headers: { "If-Match": first.headers.etag } });
  assert.equal(changed.status, 200, changed.text);
  assert.deepEqual([changed.json.event_days, changed.json.execution_days, changed.json.ai_days], [7, null, 90]);
  assert.notEqual(changed.headers.etag, first.headers.etag);
  assert.equal((await settings({ event_days: 8 }, { headers: { "If-Match": first.headers.etag } })).status, 412);
  assert.equal((await lw.api("GET", "/api/v1/tenant", { token: a.owner.token, headers: { "If-None-Match": changed.headers.etag } })).status, 304);
  assert.deepEqual([(await keep({ event_days: null })).event_days, (await keep({})).ai_days], [null, 90]);
  assert.equal((await lw.api("GET", "/api/v1/tenant", { token: b.owner.token })).json.ai_days, null);

  const [row] = (await a.does("GET", "/api/v1/audit?action=tenant.update&limit=200")).filter(({ details }) => details?.event_days === "7");
  assert.deepEqual([row.outcome, row.target.id], ["ok", a.id]);
});

test("nobody keeps more than the installation does, or nothing at all, and only admins say so", async () => {
  for (const [body, code] of [[{ event_days: 31 }, "TOO_LARGE"], [{ execution_days: 0 }, "TOO_SMALL"], [{ ai_days: 1e9 }, "TOO_LARGE"]]) {
    const answer = await settings(body);
    assert.equal(answer.status, 400, answer.text);
    assert.deepEqual(answer.json.fields.map((field) => [field.field, field.code]), [[Object.keys(body)[0], code]]);
  }
  assert.equal((await settings({ event_days: 3 }, { token: a.people.member.token })).status, 403);
  assert.equal((await settings({ event_days: 3 }, { token: a.people.admin.token })).status, 200);
});

test("the operator says the same, and sees what was said", () => {
  const ctl = (...args) => lw.latchctl("tenant", "retention", b.id, ...args, "--json");
  const shown = (...args) => { const done = ctl(...args); assert.equal(done.status, 0, done.stderr); return JSON.parse(done.stdout); };
  assert.deepEqual(shown(), { id: b.id, event_days: "default", execution_days: "default", ai_days: "default" });
  assert.deepEqual(shown("--event-days", "9", "--ai-days", "10"), { id: b.id, event_days: "9", execution_days: "default", ai_days: "10" });
  assert.deepEqual(shown("--event-days", "default"), { id: b.id, event_days: "default", execution_days: "default", ai_days: "10" });
  assert.match(ctl("--event-days", "31").stderr, /at most 30/);
  assert.match(ctl("--event-days", "few").stderr, /a number of days/);
  assert.equal(lw.latchctl("tenant", "retention", "ten-nobody").status, 1);
  shown("--ai-days", "default");
});

/* --- executions ------------------------------------------------------------------------------------ */

test("what ended goes with its steps and events, of the tenant that keeps less and of no other; what is under way stays whole", async () => {
  await keep({ event_days: 5, execution_days: 5, ai_days: 5 });
  const gone = await ended(flows, 10 * DAY), young = await ended(flows, 4 * DAY), lately = await ended(flows, 10 * DAY, { ended_ago: DAY });
  const elsewhere = await ended(others, 10 * DAY);
  const live = await flows.start(await flows.make([transform("one", "1"), delay("wait", DAY)]));
  await flows.is(live, "waiting");
  const waiting = age(live, 10 * DAY);
  // Another one's end is what the one that waits for it looks at: not before that one has ended, too.
  const inner = await ended(flows, 10 * DAY), carried = await ended(flows, 10 * DAY);
  lw.sql(`UPDATE execution SET parent_id = ${waiting} WHERE execution_id = ${inner};
    INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    VALUES (${idBytes(a.id)}, ${carried}, 'automation', 'execution_run', 'live', ${Date.now() + DAY}, ${carried}, '{}', 1);
    INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    VALUES (${idBytes(a.id)}, ${gone}, 'automation', 'execution_run', 'dead', ${Date.now() - 9 * DAY}, ${gone}, '{}', 1)`);
  await prune();
  isGone(gone);
  assert.equal(count(`job WHERE subject_id = ${gone}`), 0, "who tries it again would find nothing");
  [young, lately, elsewhere, waiting, inner, carried].forEach(isWhole);
  lw.sql(`DELETE FROM job WHERE job_id = ${carried}; UPDATE execution SET parent_id = NULL WHERE execution_id = ${inner}`);
  await prune();
  [inner, carried].forEach(isGone);
});

test("a process that dies between an execution and its steps leaves them to the next one", async () => {
  await keep({ execution_days: 5 });
  const gone = [await ended(flows, 20 * DAY), await ended(flows, 19 * DAY)];
  await endProcess(await lw.pid("worker"));
  lw.sql(`UPDATE tenant_retention SET due_at = 1 WHERE tenant_id = ${idBytes(a.id)}`);
  const worker = startWorker(lw, { LATCHWORK_CRASH_AT: "prune_executions_gone:1", LATCHWORK_WORKER_PROCESSES: "1" });
  await eventually("it has died there", () => worker.log().includes('"status":137'), 60);
  await endProcess(await lw.pid("worker"));
  await worker.ended;
  gone.forEach((id) => assert.equal(rowsOf(id)[0], 0));
  assert.ok(gone.some((id) => rowsOf(id)[1] > 0), "it had done everything already");
  await lw.quickstart("start");
  await prune();
  gone.forEach(isGone);
  assert.equal(count("tenant_retention WHERE sweep_from IS NOT NULL"), 0);
});

test("many go in batches, and one that has more rows than a batch goes, too", async () => {
  await keep({ execution_days: 5 });
  const of = (seq) => `UNHEX(CONCAT(LPAD(HEX(${Date.now() - 30 * DAY} + ${seq}), 12, '0'), '7000', LPAD(HEX(${seq}), 16, '8')))`, tenant = idBytes(a.id);
  lw.sql(`INSERT INTO execution (tenant_id, execution_id, workflow_id, version, status, source, input_data, started_at, completed_at)
    SELECT ${tenant}, ${of("seq")}, ${tenant}, 1, 'completed', 'manual', 'null', 1, IF(seq % 100 = 0, NULL, 1) FROM seq_1_to_3000;
    INSERT INTO execution_step (tenant_id, execution_id, step_id, status, attempt) SELECT ${tenant}, ${of("seq")}, 'one', 'completed', 1 FROM seq_1_to_3000;
    INSERT INTO execution_step (tenant_id, execution_id, step_id, status, attempt) SELECT ${tenant}, ${of("7")}, CONCAT('each[', seq, ']'), 'completed', 1 FROM seq_1_to_2500`);
  const mine = (table) => count(`${table} WHERE tenant_id = ${tenant} AND execution_id < CONCAT(${prefix(29 * DAY)}, REPEAT('\\0', 10))`);
  assert.deepEqual(["execution", "execution_step"].map(mine), [3000, 5500]);
  await prune();
  assert.deepEqual(["execution", "execution_step"].map(mine), [30, 30], "those under way");
  lw.sql(`DELETE FROM execution WHERE tenant_id = ${tenant} AND workflow_id = ${tenant}; DELETE FROM execution_step WHERE tenant_id = ${tenant} AND step_id = 'one' AND status = 'completed' AND completed_at IS NULL;
    DELETE FROM execution_live WHERE tenant_id = ${tenant}`);
});

/* --- events ------------------------------------------------------------------------------------------ */

/** Events of tenant a that were processed so long ago: {delivery, event_id, id as it is now}. */
async function happened(hook, ago) {
  const delivery = await deliveryOf(hook), answer = await send(lw, delivery);
  assert.equal(answer.status, 200, answer.text);
  const { event_id } = answer.json;
  await eventually("it is processed", () => count(`event WHERE event_id = ${idBytes(event_id)} AND status = 'processed'`) === 1, 60);
  const id = age(event_id, ago);
  lw.sql(`UPDATE event SET received_at = ${Date.now() - ago}, processed_at = ${Date.now() - ago} WHERE event_id = ${id}`);
  return { delivery, id };
}

test("events go, but those that something waits for stay; what came already isn't taken again however late it comes", async () => {
  await keep({ event_days: 5 });
  const [hook, elsewhere] = [await connectHook(lw, a.owner.token, PROVIDERS.github), await connectHook(lw, b.owner.token, PROVIDERS.github)];
  const gone = await happened(hook, 10 * DAY), young = await happened(hook, 4 * DAY), other = await happened(elsewhere, 10 * DAY);
  const [tried, given_up, failed, open] = [await happened(hook, 10 * DAY), await happened(hook, 9 * DAY), await happened(hook, 9 * DAY), await happened(hook, 9 * DAY)];
  const job = (id, state, at) => `INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    VALUES (${idBytes(a.id)}, X'${crypto.randomBytes(16).toString("hex")}', 'delivery', 'event_deliver', '${state}', ${at}, ${id}, '{}', 1);\n`;
  lw.sql(job(tried.id, "live", Date.now() + DAY) + job(given_up.id, "dead", Date.now() - DAY) + job(gone.id, "dead", Date.now() - 6 * DAY) +
    `UPDATE event SET status = 'failed', processed_at = NULL WHERE event_id = ${failed.id}; UPDATE event SET status = 'received', processed_at = NULL WHERE event_id = ${open.id}`);
  await prune();
  const there = ({ id }) => count(`event WHERE event_id = ${id}`);
  assert.deepEqual([gone, failed].map(there), [0, 0]);
  assert.deepEqual([young, other, tried, given_up, open].map(there), [1, 1, 1, 1, 1]);
  assert.equal(count(`job WHERE subject_id = ${gone.id}`), 0);

  const events = count("event"), again = await send(lw, gone.delivery);
  assert.equal(again.status, 200, again.text);
  assert.equal(count("event"), events, "a repeated delivery was taken for a new event");
  assert.equal(count(`event_key WHERE event_id = ${gone.id} AND repeats = 1`), 1);
});

/* --- models ---------------------------------------------------------------------------------------------- */

test("what was said to agents and what models cost goes, of the tenant that keeps less", async () => {
  await keep({ ai_days: 5 });
  for (const { id } of [a, b])
    lw.sql([4, 10].flatMap((days) => [`INSERT INTO agent_message (tenant_id, conversation_id, message_id, agent_id, who, text, created_at)
      SELECT ${idBytes(id)}, X'01', UNHEX(LPAD(HEX(${days * 10000} + seq), 32, '0')), X'01', 'user', 'Hi', ${Date.now() - days * DAY} FROM seq_1_to_1500;`,
    `INSERT INTO ai_usage (tenant_id, usage_id, provider, model, source, tokens_in, tokens_out, outcome, duration_ms, created_at)
      SELECT ${idBytes(id)}, CONCAT(${prefix(days * DAY)}, UNHEX(LPAD(HEX(seq), 20, '0'))), 'gemini', 'm', 'generate', 1, 1, 'ok', 1, 1 FROM seq_1_to_1500;`]).join("\n"));
  lw.sql(`UPDATE ai_usage SET created_at = ${Date.now()}`); // the installation's own look is none of this test's
  await prune();
  const left = ({ id }) => ["agent_message", "ai_usage"].map((table) => count(`${table} WHERE tenant_id = ${idBytes(id)}`));
  assert.deepEqual([left(a), left(b)], [[1500, 1500], [3000, 3000]]);
});

/* --- live runs ------------------------------------------------------------------------------------------------ */

test("a live run goes when its execution is gone, of any tenant, and not before", async () => {
  await keep({ execution_days: 5 });
  const run = async (of, workflow_id, started) => {
    const { id } = await of.does("POST", "/api/v1/runs", { workflow_id }, 201);
    const { execution_id } = started ? await of.does("POST", `/api/v1/runs/${id}/messages`, { type: "session:start", data: {} }, 202) : {};
    return { id, execution_id };
  };
  const old = ({ id }, ago) => { const made = age(id, ago); lw.sql(`UPDATE live_run SET created_at = ${Date.now() - ago}, used_at = ${Date.now() - ago} WHERE run_id = ${made}`); return made; };
  const waits = await flows.make([delay("wait", DAY)]), theirs = await others.make([delay("wait", DAY)]);
  const never = old(await run(flows, waits), 10 * DAY), watches = await run(flows, waits, true), watching = old(watches, 10 * DAY), new_one = await run(flows, waits);
  const never_theirs = old(await run(others, theirs), 10 * DAY), ancient = old(await run(others, theirs), 92 * DAY), watching_theirs = old(await run(others, theirs, true), 92 * DAY);
  await prune();
  const there = (id) => count(`live_run WHERE run_id = ${id}`);
  await eventually("the installation's own look is done", () => there(ancient) === 0, 60);
  assert.deepEqual([never, watching, idBytes(new_one.id), never_theirs, watching_theirs].map(there), [0, 1, 1, 1, 1]);
  await flows.cancel(watches.execution_id);
  const done = age(watches.execution_id, 10 * DAY);
  lw.sql(`UPDATE execution SET completed_at = ${Date.now() - 6 * DAY} WHERE execution_id = ${done}; UPDATE live_run SET execution_id = ${done} WHERE run_id = ${watching};
    DELETE FROM job WHERE job_id = ${done}`);
  await prune();
  assert.equal(there(watching), 0);
});

test("what a run begins beside its own execution keeps it, too", async () => {
  const workflow_id = await flows.make([transform("one", "1")]), { id } = await flows.does("POST", "/api/v1/runs", { workflow_id }, 201);
  lw.sql(`UPDATE live_run SET used_at = 1 WHERE run_id = ${idBytes(id)}`);
  await flows.does("POST", `/api/v1/runs/${id}/messages`, { type: "node:execute", data: { node_id: "one" } }, 202);
  assert.equal(count(`live_run WHERE run_id = ${idBytes(id)} AND used_at > 1`), 1);
});

/* --- versions of workflows --------------------------------------------------------------------------------------- */

test("versions that are neither new nor what a kept execution began with go", async () => {
  await keep({ execution_days: 5 });
  const id = await flows.make([transform("one", "1"), delay("wait", DAY)]);
  const save = (n) => flows.does("PUT", `/api/v1/workflows/${id}`, { name: "a test's", definition: { steps: [transform("one", String(n))] } }, 200);
  const live = await flows.start(id); // version 1
  await flows.is(live, "waiting");
  await save(2);
  const old = (await flows.run(id)).execution_id;
  await save(3);
  await save(4);
  const lately = (await flows.run(id)).execution_id;
  for (const n of [5, 6, 7])
    await save(n);
  [live, old].forEach((execution) => age(execution, 10 * DAY));
  lw.sql(`UPDATE workflow_version SET used_at = ${Date.now() - 10 * DAY} WHERE workflow_id = ${idBytes(id)} AND version < 3;
    UPDATE execution SET completed_at = ${Date.now() - 10 * DAY} WHERE workflow_id = ${idBytes(id)} AND completed_at IS NOT NULL AND version = 2;
    UPDATE workflow SET versions_due_at = NULL WHERE workflow_id = ${idBytes(id)}`);
  const versions = async () => (await flows.does("GET", `/api/v1/workflows/${id}/versions`, undefined, 200)).map(({ version }) => version);
  assert.deepEqual(await versions(), [7, 6, 5, 4, 3, 2, 1]);
  await prune(); // first the execution that needs the second
  lw.sql(`UPDATE workflow SET versions_due_at = 1 WHERE workflow_id = ${idBytes(id)}`);
  await reload();
  await eventually("they were looked at", () => count(`workflow WHERE workflow_id = ${idBytes(id)} AND versions_due_at = 1`) === 0, 60);
  assert.deepEqual(await versions(), [7, 6, 5, 4, 1], "4 was used lately, 1 is under way");
  assert.equal(count(`workflow WHERE workflow_id = ${idBytes(id)} AND versions_due_at > ${Date.now() + DAY / 2}`), 1, "they are looked at again");
  assert.equal((await flows.get(lately)).status, "completed");
});

test("a deleted workflow goes with the last of its executions, and one that never ran at once", async () => {
  await keep({ execution_days: 5 });
  const definition = { steps: [transform("one", "1")], triggers: [{ type: "event" }] };
  const make = async () => (await flows.does("POST", "/api/v1/workflows", { name: "to be deleted", definition }, 201)).id;
  const [ran, idle] = [await make(), await make()], rows = (id) => ["workflow", "workflow_version", "workflow_listener", "workflow_trigger", "workflow_schedule"]
    .map((table) => count(`${table} WHERE workflow_id = ${idBytes(id)}`));
  for (const id of [ran, idle]) {
    await flows.does("PUT", `/api/v1/workflows/${id}`, { name: "to be deleted", definition: { ...definition, steps: [transform("one", "2")] } }, 200);
    await flows.does("POST", `/api/v1/webhooks/${id}/triggers`, { name: "asks", method: "POST", auth_type: "none" }, 201);
    await flows.does("POST", `/api/v1/workflows/${id}/schedules`, { cron: "0 0 1 1 *" }, 201);
    assert.deepEqual(rows(id), [1, 2, 1, 1, 1]);
  }
  const { execution_id } = await flows.run(ran);
  for (const id of [ran, idle])
    await flows.does("DELETE", `/api/v1/workflows/${id}`, undefined, 204);
  await reload();
  await eventually("what never ran is gone", () => rows(idle).every((n) => n === 0), 60);
  await eventually("what did keeps what it began with", () => rows(ran).join() === "1,1,0,0,0", 60);
  assert.equal((await flows.get(execution_id)).status, "completed");

  const old = age(execution_id, 10 * DAY);
  lw.sql(`UPDATE execution SET completed_at = ${Date.now() - 10 * DAY} WHERE execution_id = ${old}; UPDATE workflow_version SET used_at = ${Date.now() - 10 * DAY} WHERE workflow_id = ${idBytes(ran)}`);
  const look = async () => {
    lw.sql(`UPDATE workflow SET versions_due_at = 1 WHERE workflow_id = ${idBytes(ran)}`);
    await reload();
    await eventually("it was looked at", () => count(`workflow WHERE workflow_id = ${idBytes(ran)} AND versions_due_at = 1`) === 0, 60);
  };
  await look();
  assert.deepEqual(rows(ran), [1, 1, 0, 0, 0], "its execution is there");
  await prune();
  await look();
  assert.deepEqual(rows(ran), [0, 0, 0, 0, 0]);
});
