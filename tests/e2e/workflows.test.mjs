// Workflows as a client saves them: what is sound is kept as it was written, what isn't is refused with its place.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, root, startInstance } from "./lib/instance.mjs";
import { execute, GREETING, saveWorkflow } from "./lib/workflows.mjs";

let lw, token, other;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  ({ token } = await lw.newTenant("drawer"));
  ({ token: other } = await lw.newTenant("other"));
});
after(async () => { await lw?.stop(); });

const ask = (method, uri, body, more = {}) => lw.api(method, uri, { token, body, ...more });
async function does(method, uri, body, more) {
  const answer = await ask(method, uri, body, more);
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer;
}
const save = (definition, name = "w") => saveWorkflow(lw, token, definition, name);
const put = (workflow, body, headers) => ask("PUT", `/api/v1/workflows/${workflow.id}`, { name: "w", ...body }, { headers });

async function refusal(definition) {
  const answer = await ask("POST", "/api/v1/workflows", { name: "bad", definition });
  assert.equal(answer.status, 400, answer.text);
  return answer.json.fields ?? [];
}
async function refused(definition, field, code, words) {
  const fields = await refusal(definition), found = fields.find((each) => each.field === field && each.code === code);
  assert.ok(found, `${field} ${code} isn't among ${JSON.stringify(fields)}`);
  if (words)
    assert.match(found.message, words);
}
const one = (type, config, more = {}) => ({ steps: [{ id: "a", type, config, ...more }] });

test("a definition comes back in the form and the order in which it was written", async () => {
  const canvas = {
    viewport: { zoom: 1.5, y: 0, x: -3 },
    nodes: [
      { position: { y: 2, x: 1.25 }, id: "start", type: "trigger", data: { label: "Start" }, selected: true },
      { id: "end", type: "respond", position: { x: 0, y: 0 }, data: { config: { body: { b: 1, a: [null, "{{ .input.x }}"] } } } },
    ],
    edges: [{ target: "end", source: "start", id: "e1", animated: true }],
  };
  for (const definition of [GREETING, canvas]) {
    const saved = await save(definition), got = (await does("GET", `/api/v1/workflows/${saved.id}`)).json;
    assert.equal(JSON.stringify(saved.definition), JSON.stringify(definition));
    assert.equal(JSON.stringify(got.definition), JSON.stringify(definition));
    assert.equal(got.status, "active");
  }
});

test("what is wrong is named with its place, and nothing is saved", async () => {
  const before = (await does("GET", "/api/v1/workflows?limit=200")).json.length;
  await refused(one("transform", { expression: ".input | nothing_of_that_name" }), "definition.steps[0].config.expression", "BAD_EXPRESSION", /nothing_of_that_name/);
  await refused(one("http", { url: "https://x/{{ .a }}/{{ .b[ }}" }), "definition.steps[0].config.url", "BAD_EXPRESSION");
  await refused(one("http", { url: "https://x", body: { list: ["{{ 1 }}", "{{ .a | foo }}"] } }), "definition.steps[0].config.body.list[1]", "BAD_EXPRESSION", /foo/);
  await refused({ ...GREETING, conditions: { answer: ".a ||" } }, "definition.conditions.answer", "BAD_EXPRESSION");
  await refused(one("transform", { expression: "\n\n  .a +* 3" }), "definition.steps[0].config.expression", "BAD_EXPRESSION", /line|syntax/i);
  await refused(one("for_each", { items: ".input", step: { type: "speak", config: { text: "{{ nothing }}" } } }), "definition.steps[0].config.step.config.text", "BAD_EXPRESSION");
  await refused({ ...GREETING, dependencies: { answer: ["greet"], greet: ["answer"] } }, "definition", "CYCLE", /greet needs answer needs greet/);
  await refused({ ...GREETING, dependencies: { answer: ["greeter"] } }, "definition.dependencies.answer[0]", "UNKNOWN_STEP");
  await refused({ ...GREETING, triggers: [{ type: "webhook" }] }, "definition.triggers[0].type", "NOT_ALLOWED", /webhooks/);
  await refused(one("carrier_pigeon", {}), "definition.steps[0].type", "UNKNOWN_TYPE");
  assert.equal((await does("GET", "/api/v1/workflows?limit=200")).json.length, before);
});

test("of many faults each is told, up to as many as anybody reads", async () => {
  const steps = Array.from({ length: 40 }, (_, i) => ({ id: `s${i}`, type: "http", config: {} }));
  assert.equal((await refusal({ steps })).length, 32);
  const bad = [3, 17, 31];
  const mixed = Array.from({ length: 40 }, (_, i) => ({ id: `s${i}`, type: "transform", config: { expression: bad.includes(i) ? `.a | bad${i}` : `.input.x${i}` } }));
  assert.deepEqual((await refusal({ steps: mixed })).map(({ field }) => field), bad.map((i) => `definition.steps[${i}].config.expression`));
});

test("an expression can't leave its brackets", async () => {
  for (const text of ["{{ 1) + (2 }}", "{{ 1}, {b: 2 }}", "{{ \"a }}", "{{ .a # }}", "{{ def f: 1; }}", "{{ 1; 2 }}", "{{ }}", "{{ import \"a\" as a; . }}"])
    await refused(one("speak", { text }), "definition.steps[0].config.text", "BAD_EXPRESSION");
  await save(one("speak", { text: "{{ .a # a comment\n}} {{ \"}}\" }} \\(1) {{ {a: {b: 1}} }}" }));
});

test("an id in a config is one of the tenant's own", async () => {
  const made = async (as) => (await lw.api("POST", "/api/v1/credentials", { token: as, body: { name: "c", type: "api_key", data: { api_key: "0123456789abcdef" } } })).json.id;
  const [mine, theirs] = [await made(token), await made(other)];
  const workflow = await save(GREETING), foreign = await saveWorkflow(lw, other, GREETING);
  await save(one("http", { url: "https://x", credential_id: mine }));
  await refused(one("http", { url: "https://x", credential_id: theirs }), "definition.steps[0].config.credential_id", "NOT_FOUND");
  await save(one("workflow", { workflow_id: workflow.id }));
  await refused(one("workflow", { workflow_id: foreign.id }), "definition.steps[0].config.workflow_id", "NOT_FOUND");
  await refused({ ...GREETING, triggers: [{ type: "event", connector_id: "conn-00000000000000000000000001" }] }, "definition.triggers[0].connector_id", "NOT_FOUND");
  await does("DELETE", `/api/v1/workflows/${workflow.id}`);
  await refused(one("workflow", { workflow_id: workflow.id }), "definition.steps[0].config.workflow_id", "NOT_FOUND");
});

test("a save is the next version, unless nothing is new in it", async () => {
  const workflow = await save(GREETING), uri = `/api/v1/workflows/${workflow.id}`;
  const same = (await put(workflow, { name: "renamed", description: "d", definition: GREETING })).json;
  assert.deepEqual([same.version, same.name, same.description], [1, "renamed", "d"]);
  const changed = { ...GREETING, conditions: { answer: ".steps.greet != null" } };
  assert.equal((await put(workflow, { definition: changed })).json.version, 2);
  assert.equal((await put(workflow, { definition: GREETING })).json.version, 3);
  const versions = (await does("GET", `${uri}/versions`)).json;
  assert.deepEqual(versions.map(({ version }) => version), [3, 2, 1]);
  assert.deepEqual((await does("GET", `${uri}/versions/2`)).json.definition, changed);
  assert.equal((await ask("GET", `${uri}/versions/4`)).status, 404);
  const first = await does("GET", `${uri}/versions?limit=2`), next = new URL(/<([^>]+)>/.exec(first.headers.link)[1], lw.url);
  assert.deepEqual((await does("GET", next.pathname + next.search)).json.map(({ version }) => version), [1]);
});

test("who saves over somebody else's change is told so", async () => {
  const workflow = await save(GREETING), uri = `/api/v1/workflows/${workflow.id}`;
  const { headers: { etag } } = await does("GET", uri);
  assert.equal((await ask("GET", uri, undefined, { headers: { "If-None-Match": etag } })).status, 304);
  const mine = await put(workflow, { definition: GREETING, name: "mine" }, { "If-Match": etag });
  assert.equal(mine.status, 200);
  assert.equal((await put(workflow, { definition: GREETING, name: "late" }, { "If-Match": etag })).status, 412);
  assert.equal((await ask("DELETE", uri, undefined, { headers: { "If-Match": etag } })).status, 412);
  await does("DELETE", uri, undefined, { headers: { "If-Match": mine.headers.etag } });
  assert.equal((await ask("GET", uri)).status, 404);
  assert.equal((await put(workflow, { definition: GREETING })).status, 404);
});

test("what starts a workflow goes with it", async () => {
  const workflow = await save({ ...GREETING, triggers: [{ type: "event", provider: "stripe", event_types: ["charge.succeeded"] }, { type: "manual" }, { type: "event" }] });
  const listeners = () => Number(lw.sql("SELECT COUNT(*) FROM workflow_listener")[0][0]);
  await does("POST", `/api/v1/workflows/${workflow.id}/schedules`, { cron: "0 9 * * *" });
  const before = listeners();
  assert.equal((await put(workflow, { definition: { ...GREETING, triggers: [{ type: "event" }] } })).json.version, 2);
  assert.equal(listeners(), before - 1, "listeners of an old version are still there");
  await does("DELETE", `/api/v1/workflows/${workflow.id}`);
  assert.equal(listeners(), before - 2);
  assert.equal(Number(lw.sql("SELECT COUNT(*) FROM workflow_schedule")[0][0]), 0);
});

test("a copy is paused, so that nothing is done twice", async () => {
  const workflow = await save({ ...GREETING, triggers: [{ type: "event" }] }, "original");
  const copy = (await does("POST", `/api/v1/workflows/${workflow.id}/clone`)).json;
  assert.deepEqual([copy.name, copy.status, copy.version], ["original (copy)", "paused", 1]);
  assert.deepEqual(copy.definition, workflow.definition);
  assert.notEqual(copy.id, workflow.id);
  assert.equal((await does("POST", `/api/v1/workflows/${workflow.id}/clone`, { name: "second" })).json.name, "second");
  assert.equal((await lw.api("POST", `/api/v1/workflows/${workflow.id}/clone`, { token: other })).status, 404);
});

test("what is left open keeps a workflow paused", async () => {
  const open = one("integration", { connector_id: null, action: "preview" });
  await refused(open, "definition.steps[0].config.connector_id", "REQUIRED", /paused/);
  const paused = (await does("POST", "/api/v1/workflows", { name: "later", status: "paused", definition: open })).json;
  assert.equal((await put(paused, { definition: open, status: "active" })).status, 400);
  assert.equal((await put(paused, { definition: open })).json.status, "paused");
  const active = await save(GREETING);
  assert.equal((await put(active, { definition: open })).status, 400, "an active one was left open");
});

test("a definition can be checked without being saved", async () => {
  assert.deepEqual((await does("POST", "/api/v1/workflows/check", { definition: GREETING })).json, { valid: true, steps: 2 });
  assert.equal((await ask("POST", "/api/v1/workflows/check", { definition: one("transform", { expression: ".a |" }) })).status, 400);
});

test("one that is too large is refused, however it is", async () => {
  const definition = { steps: Array.from({ length: 150 }, (_, i) => ({ id: `s${i}`, type: "respond", config: { body: "x".repeat(3600) } })) };
  await refused(definition, "definition", "TOO_LONG");
  await refused({ steps: Array.from({ length: 201 }, (_, i) => ({ id: `s${i}`, type: "trigger" })) }, "definition.steps", "TOO_MANY");
});

test("a tenant has its own workflows, in pages, newest first", async () => {
  const { token: fresh } = await lw.newTenant("lister");
  const made = [];
  for (let i = 0; i < 5; i++)
    made.push((await saveWorkflow(lw, fresh, GREETING, `w${i}`)).id);
  const all = (await lw.api("GET", "/api/v1/workflows", { token: fresh })).json;
  assert.deepEqual(all.map(({ id }) => id), made.reverse());
  assert.equal(all[0].definition, undefined);
  const first = await lw.api("GET", "/api/v1/workflows?limit=3", { token: fresh }), next = new URL(/<([^>]+)>/.exec(first.headers.link)[1], lw.url);
  assert.equal((await lw.api("GET", next.pathname + next.search, { token: fresh })).json.length, 2);
});


// --- drawings ----------------------------------------------------------------------------------

const node = (id, type, config) => ({ id, type, position: { x: 0, y: 0 }, data: { label: id, config } });
const edge = (source, target, more = {}) => ({ id: `${source}-${target}`, source, target, ...more });
const ways = { nodes: [
  node("ask", "condition", { expression: ".input.n > 10" }),
  node("large", "transform", { expression: "\"large\"" }),
  node("small", "transform", { expression: "\"small\"" }),
  node("void", "transform", { expression: "null" }),
  node("both", "respond", { body: "{{ [.steps.large, .steps.small] | map(select(. != null)) }}" }),
], edges: [
  edge("ask", "large", { sourceHandle: "true" }), edge("ask", "small", { sourceHandle: "false" }),
  edge("ask", "void"), edge("large", "both"), edge("small", "both", { condition: ".input.n > 5" }),
] };

test("a drawing goes the way that its handles and conditions say", async () => {
  const workflow = await save(ways);
  const run = async (n) => {
    const execution = await execute(lw, token, workflow, { n });
    assert.equal(execution.status, "completed", JSON.stringify(execution));
    return Object.fromEntries(execution.step_executions.map(({ step_id, status }) => [step_id, status]));
  };
  assert.deepEqual(await run(20), { ask: "completed", large: "completed", small: "skipped", void: "completed", both: "completed" });
  assert.deepEqual(await run(7), { ask: "completed", large: "skipped", small: "completed", void: "completed", both: "completed" });
  assert.deepEqual(await run(3), { ask: "completed", large: "skipped", small: "completed", void: "completed", both: "skipped" });
});

test("a step that has completed with null counts as completed", async () => {
  const workflow = await save({ nodes: [node("void", "transform", { expression: "null" }), node("off", "condition", { expression: "false" }), node("end", "respond", { body: "done" })],
    edges: [edge("void", "end"), edge("off", "end", { sourceHandle: "true" })] });
  const execution = await execute(lw, token, workflow);
  assert.equal(execution.output_data, "done", JSON.stringify(execution));
});

// --- templates -----------------------------------------------------------------------------------

const files = fs.readdirSync(path.join(root, "conf/templates")).map((name) => JSON.parse(fs.readFileSync(path.join(root, "conf/templates", name))));

test("the templates that ship can all be read, checked and copied", async () => {
  const list = (await does("GET", "/api/v1/templates")).json;
  assert.ok(list.length >= 10);
  assert.deepEqual(list.map(({ id }) => id).sort(), files.map(({ id }) => id).sort());
  for (const { id, name } of list) {
    const whole = (await does("GET", `/api/v1/templates/${id}`)).json;
    assert.deepEqual(whole.definition, files.find((file) => file.id === id).definition);
    await does("POST", "/api/v1/workflows/check", { definition: whole.definition });
    const copy = (await does("POST", `/api/v1/templates/${id}/clone`)).json;
    assert.equal(copy.name, name);
    const open = await ask("PUT", `/api/v1/workflows/${copy.id}`, { name, status: "active", definition: copy.definition });
    assert.equal(open.status, copy.status === "active" ? 200 : 400, `${name}: ${open.text}`);
  }
  assert.equal((await ask("GET", "/api/v1/templates/tmpl-00000000000000000000000001")).status, 404);
});

const copyOf = async (name) => (await does("POST", `/api/v1/templates/${files.find((file) => file.name === name).id}/clone`, { name: "mine" })).json;

test("a template of pure steps runs as it is", async () => {
  const orders = await copyOf("Take in orders");
  const good = await execute(lw, token, orders, { order_id: "o-1", items: [{ sku: "a", quantity: 2, price: 10 }, { sku: "b", quantity: 1, price: 5 }] });
  assert.deepEqual(good.output_data, { accepted: true, order: { order_id: "o-1", total: 25, items: 2 } });
  const bad = await execute(lw, token, orders, { items: [{ sku: "a", quantity: 0, price: 10 }] });
  assert.deepEqual(bad.output_data, { accepted: false, problems: ["order_id is missing", "an item has no quantity or price: a"] });
  const triage = await copyOf("Sort tickets by urgency");
  for (const [input, queue] of [[{ plan: "enterprise", subject: "All is DOWN" }, "on-call"], [{ subject: "a refund" }, "billing"], [{ subject: "hello" }, "support"], [{}, "support"]])
    assert.equal((await execute(lw, token, triage, input)).output_data.queue, queue);
  const groups = await copyOf("Totals by group");
  assert.deepEqual((await execute(lw, token, groups, { rows: [{ c: "x", v: 1 }, { c: "y", v: 5 }, { c: "x", v: "2" }], by: "c", amount: "v" })).output_data,
    { groups: [{ group: "y", rows: 1, total: 5 }, { group: "x", rows: 2, total: 3 }], total: 8 });
});

// --- the last one: what it stops is started again ----------------------------------------------------

test("without latch-expr nothing is saved unchecked", async () => {
  const pid = Number(fs.readFileSync(lw.at("run/expr/expr.pid"), "utf8")), count = async () => (await does("GET", "/api/v1/workflows?limit=200")).json.length;
  const before = await count(), attempt = () => ask("POST", "/api/v1/workflows", { name: "unchecked", definition: GREETING });
  process.kill(pid, "SIGTERM");
  const answer = await eventually("it is away", async () => { const got = await attempt(); return got.status !== 201 && got; }, 60);
  assert.deepEqual([answer.status, answer.json.code], [503, "EXPRESSION_AWAY"]);
  const saved = await count();
  assert.equal((await attempt()).status, 503);
  assert.equal(await count(), saved);
  await lw.quickstart("start");
  await eventually("it is back", async () => (await attempt()).status === 201, 60);
  assert.ok(await count() > before);
});
