// What an execution of a workflow does: the order of its steps, branches, failures, items, limits, and its history.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chain, Flows, respond, statuses, stepOf, transform } from "./lib/flows.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { endProcess } from "./lib/processes.mjs";

let lw, flows, other;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  flows = new Flows(lw, (await lw.newTenant("flows")).token);
  other = new Flows(lw, (await lw.newTenant("other")).token);
});
after(async () => { await lw?.stop(); });

test("a workflow of two steps is run, and its history shows what each step got and gave", async () => {
  const steps = [transform("sum", "{total: (.input.a + .input.b)}"), respond("answer", { hello: "Hi {{ .input.name }}", is: "{{ .steps.sum.total }}" })];
  const workflow = await flows.make(steps), input = { a: 1, b: 2, name: "Ada" };
  const done = await flows.run(workflow, input);
  assert.equal(done.status, "completed");
  assert.deepEqual([done.workflow_id, done.version, done.source, done.error, done.request], [workflow, 1, "manual", null, null]);
  assert.deepEqual([done.input_data, done.output_data], [input, { hello: "Hi Ada", is: 3 }]);
  assert.deepEqual(done.step_executions.map((s) => [s.step_id, s.status, s.attempt, s.input_data, s.output_data, s.error]), [
    ["sum", "completed", 1, input, { total: 3 }, null], ["answer", "completed", 1, { total: 3 }, { hello: "Hi Ada", is: 3 }, null]]);
  assert.equal(done.execution_time, new Date(done.completed_at) - new Date(done.started_at));
  const list = await flows.does("GET", `/api/v1/workflows/${workflow}/executions`, undefined, 200);
  assert.deepEqual(list, [done]);
});

test("an integer that an expression only passes on keeps its digits, and what is a fraction stays one", async () => {
  const steps = [{ id: "all", type: "for_each", config: { items: ".input.ids", step: { type: "respond", config: { body: { id: "{{ .item }}", text: "no. {{ .item }}" } } } } },
    transform("first", ".steps.all[0].id"), respond("end", { first: "{{ .steps.first }}", all: "{{ .steps.all }}", part: "{{ .input.part }}" })];
  const workflow = await flows.make(steps), body = '{"input_data":{"ids":[9007199254740993,-9223372036854775807],"part":0.1}}';
  const started = await lw.api("POST", `/api/v1/workflows/${workflow}/execute`, { token: flows.token, body, headers: { "Content-Type": "application/json" } });
  const { execution_id: id } = await flows.over(started.json.execution_id);
  const { text } = await lw.api("GET", `/api/v1/executions/${id}`, { token: flows.token });
  assert.match(text, /"step_id":"first".*?"output_data":9007199254740993,/);
  assert.match(text, /"output_data":\[\{"id":9007199254740993,"text":"no\. 9007199254740993"\},\{"id":-9223372036854775807,"text":"no\. -9223372036854775807"\}\]/);
  assert.equal((await flows.get(id)).output_data.part, 0.1);
  const whole = await flows.make([respond("end", { first: "{{ .input.ids[0] }}" })]);
  const one = (await lw.api("POST", `/api/v1/workflows/${whole}/execute`, { token: flows.token, body, headers: { "Content-Type": "application/json" } })).json.execution_id;
  await flows.over(one);
  assert.match((await lw.api("GET", `/api/v1/executions/${one}`, { token: flows.token })).text, /"output_data":\{"first":9007199254740993\}/);
});

test("what happened is told in order, in pages, and only what came after what was seen", async () => {
  const done = await flows.runs([transform("one", "1"), respond("two", "{{ .steps.one + 1 }}")]);
  const all = await flows.events(done.execution_id);
  assert.deepEqual(all.map(({ number }) => number), [1, 2, 3, 4, 5, 6]);
  assert.deepEqual(all.map(({ id }) => id), all.map(({ number }) => `${done.execution_id}:${number}`));
  assert.deepEqual(all.map(({ type, data }) => [type, data.node_id]), [["session:started", undefined], ["workflow:node_activated", "one"],
    ["node:execution_complete", "one"], ["workflow:node_activated", "two"], ["node:execution_complete", "two"], ["workflow:finished", undefined]]);
  assert.deepEqual(all.at(-1).data, { status: "completed", output_data: 2 });
  assert.deepEqual(await flows.events(done.execution_id, "?after=2&limit=3"), all.slice(2, 5));
  assert.deepEqual(await flows.events(done.execution_id, `?after=${all[1].id}&limit=3`), all.slice(2, 5));
  assert.deepEqual(await flows.events(done.execution_id, "?after=6"), []);
  const { execution_id: other } = await flows.runs([transform("one", "1")]);
  for (const after of [`${other}:2`, "9999999999", "-1", "two"])
    await flows.does("GET", `/api/v1/executions/${done.execution_id}/events?after=${after}`, undefined, 400);
});

test("branches run, meet again, and a step whose condition is false is skipped with all behind it", async () => {
  const steps = ["start", "left", "right", "never", "behind", "join"].map((id) => transform(id, `"${id}"`));
  const done = await flows.runs(steps, { n: 1 }, {
    dependencies: { left: ["start"], right: ["start"], never: ["start"], behind: ["never"], join: ["left", "right", "behind"] },
    conditions: { never: ".input.n > 1", right: ".steps.start == \"start\"" },
  });
  assert.deepEqual(statuses(done), { start: "completed", left: "completed", right: "completed", never: "skipped", behind: "skipped", join: "completed" });
  assert.deepEqual(stepOf(done, "join").input_data, { left: "left", right: "right", behind: null });
  assert.equal(done.output_data, "join");
});

test("each kind of step that only computes gives what its type says", async () => {
  const steps = [
    { id: "begin", type: "trigger" },
    { id: "is_big", type: "condition", config: { expression: ".input.n > 10" } },
    { id: "size", type: "logic", config: { cases: [{ when: ".input.n > 100", branch: "huge" }, { when: ".input.n > 10", branch: "big" }], otherwise: "small" } },
    { id: "say", type: "speak", config: { text: "It is {{ .steps.size.branch }}." } },
  ];
  const outputs = async (n) => (await flows.runs(steps, { n })).step_executions.map((s) => s.output_data);
  assert.deepEqual(await outputs(50), [{ n: 50 }, { result: true }, { branch: "big" }, { text: "It is big." }]);
  assert.deepEqual(await outputs(5), [{ n: 5 }, { result: false }, { branch: "small" }, { text: "It is small." }]);
});

test("a step that fails ends the execution with its code and words; what was beside it is kept, nothing new begins", async () => {
  const steps = [transform("good", "1"), transform("bad", "error(\"no such thing\")"), transform("later", "2")];
  const done = await flows.runs(steps, null, { dependencies: { bad: ["good"], later: ["bad"] } });
  assert.equal(done.status, "failed");
  assert.deepEqual(statuses(done), { good: "completed", bad: "failed" });
  assert.equal(done.error.code, "EXPRESSION_FAILED");
  assert.equal(done.error.step_id, "bad");
  assert.match(done.error.message, /no such thing/);
  assert.ok((await flows.events(done.execution_id)).some(({ type, data }) => type === "error:api" && data.node_id === "bad"));
});

test("with on_error: continue those behind it see the failure", async () => {
  const steps = [transform("bad", "error(\"gone\")", { on_error: "continue" }), transform("next", ".steps.bad.error.code")];
  const done = await flows.runs(steps);
  assert.equal(done.status, "completed");
  assert.deepEqual(statuses(done), { bad: "failed", next: "completed" });
  assert.equal(done.output_data, "EXPRESSION_FAILED");
});

test("a for_each gives a thousand items back in their order, each on record by itself", async () => {
  const steps = [{ id: "each", type: "for_each", config: { items: "[range(.input.n)]", concurrency: 8, step: { type: "transform", config: { expression: ".item * 2 + .index" } } } },
    transform("sum", ".steps.each | add")];
  const done = await flows.runs(steps, { n: 1000 });
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.output_data, 3 * 499500);
  assert.equal(done.step_executions.length, 1002);
  assert.deepEqual(stepOf(done, "each").output_data.slice(-2), [2994, 2997]);
  const item = stepOf(done, "each[999]");
  assert.deepEqual([item.input_data, item.output_data, item.status], [999, 2997, "completed"]);
  assert.equal(lw.sql(`SELECT COUNT(*) FROM execution_step WHERE step_id = 'each' AND output_data IS NOT NULL`)[0][0], "0", "stored twice");
  assert.ok((await flows.allEvents(done.execution_id)).length > 1000);
  const none = await flows.runs(steps, { n: 0 });
  assert.deepEqual(stepOf(none, "each").output_data, []);
  const many = await flows.runs(steps, { n: 1001 });
  assert.equal(many.error.code, "TOO_MANY_ITEMS");
  const wrong = await flows.runs([{ ...steps[0], config: { ...steps[0].config, items: ".input" } }], { n: 1 });
  assert.equal(wrong.error.code, "STEP_CONFIG");
});

test("an item that fails fails the for_each, and no further item begins", async () => {
  const steps = [{ id: "each", type: "for_each", config: { items: "[range(10)]", step: { type: "transform", config: { expression: "if .item == 3 then error(\"three\") else .item end" } } } }];
  const done = await flows.runs(steps);
  assert.equal(done.error.step_id, "each");
  assert.match(done.error.message, /three/);
  assert.deepEqual(done.step_executions.map((s) => s.step_id), ["each", "each[0]", "each[1]", "each[2]", "each[3]"]);
});

test("data is bounded: the input, an output, and all outputs together", async () => {
  const text = (n) => `"x" * ${n}`;
  const big = await flows.runs([transform("big", text(300 << 10))]);
  assert.equal(big.error.code, "STEP_OUTPUT_TOO_LARGE");
  const most = await flows.runs([transform("most", text((256 << 10) - 100))]);
  assert.equal(most.output_data.length, (256 << 10) - 100);
  const event = (await flows.events(most.execution_id)).find(({ type }) => type === "node:execution_complete");
  assert.deepEqual(event.data, { node_id: "most", status: "completed", truncated: true });
  const steps = Array.from({ length: 20 }, (_, i) => transform(`s${i}`, text(250 << 10)));
  const all = await flows.runs(steps);
  assert.equal(all.error.code, "EXECUTION_TOO_LARGE");
  assert.equal(all.step_executions.length, 17);
  const workflow = await flows.make([transform("one", "1")]);
  const refused = await lw.api("POST", `/api/v1/workflows/${workflow}/execute`, { token: flows.token, body: { input_data: "x".repeat(513 << 10) } });
  assert.deepEqual([refused.status, refused.json.code], [413, "INPUT_TOO_LARGE"]);
});

test("workflows run in workflows, five deep and no deeper", async () => {
  let inner = await flows.make([transform("leaf", ".input + 1")]);
  const wrap = (workflow_id) => flows.make([{ id: "sub", type: "workflow", config: { workflow_id, input: "{{ .input + 1 }}" } }, transform("out", ".steps.sub * 10")]);
  for (let depth = 1; depth <= 5; depth++)
    inner = await wrap(inner);
  const done = await flows.run(inner, 0);
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.output_data, 600000);
  const deeper = await flows.run(await wrap(inner), 0);
  assert.equal(deeper.status, "failed");
  assert.equal(deeper.error.code, "WORKFLOW_FAILED");
  assert.match(deeper.error.message, /WORKFLOW_TOO_DEEP/);
});

test("a page of the history is what was asked for, newest first, and nobody else's", async () => {
  const workflow = await flows.make([transform("one", ".input")]), ids = [];
  for (let i = 0; i < 5; i++)
    ids.unshift((await flows.run(workflow, i)).execution_id);
  const list = async (query) => (await flows.does("GET", `/api/v1/workflows/${workflow}/executions${query}`, undefined, 200)).map((e) => e.execution_id);
  assert.deepEqual(await list(""), ids);
  assert.deepEqual(await list("?limit=2&skip=1"), ids.slice(1, 3));
  assert.deepEqual(await list("?status=failed"), []);
  assert.deepEqual(await list("?status=completed&limit=1"), ids.slice(0, 1));
  const first = await lw.api("GET", `/api/v1/workflows/${workflow}/executions?limit=2&skip=1`, { token: flows.token });
  const [, next] = /<([^>]+)>/.exec(first.headers.link);
  assert.deepEqual((await flows.does("GET", next, undefined, 200)).map((e) => e.execution_id), ids.slice(3));
  for (const uri of [`/api/v1/workflows/${workflow}/executions`, `/api/v1/executions/${ids[0]}`, `/api/v1/executions/${ids[0]}/events`])
    await other.does("GET", uri, undefined, 404);
  await other.does("POST", `/api/v1/workflows/${workflow}/execute`, {}, 404);
  await other.does("POST", `/api/v1/executions/${ids[0]}/cancel`, undefined, 404);
  await other.does("POST", `/api/v1/executions/${ids[0]}/retry`, { from_step: "one" }, 404);
});

test("two hundred steps in a row are one execution", async () => {
  const steps = Array.from({ length: 200 }, (_, i) => transform(`s${i}`, i ? `.steps.s${i - 1} + 1` : "0"));
  const done = await flows.runs(steps, null, { dependencies: chain(steps) });
  assert.equal(done.status, "completed", JSON.stringify(done.error));
  assert.equal(done.output_data, 199);
});

test("an execution of two steps costs the worker one statement to read it, one to write it, and its share of a claim", async () => {
  const workflow = await flows.make([transform("one", ".input + 1"), respond("two", "{{ .steps.one }}")]);
  const counted = () => lw.sql("SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_stmt_execute', 'Com_begin', 'Com_commit')").reduce((sum, [, n]) => sum + Number(n), 0);
  /** What a worker sends for so many that wait for it when it starts, and how long it takes: {sent, seconds}. */
  const cost = async (executions) => {
    await endProcess(await lw.pid("worker"));
    for (let i = 0; i < executions; i++)
      await flows.start(workflow, i);
    const before = counted(), began = performance.now();
    await lw.quickstart("start");
    await eventually("all are over", () => lw.sql("SELECT 1 FROM execution WHERE completed_at IS NULL LIMIT 1").length === 0);
    return { sent: counted() - before, seconds: (performance.now() - began) / 1000 };
  };
  const few = await cost(10), many = await cost(210), nothing = counted(), idle = 5;
  await new Promise((done) => setTimeout(done, idle * 1000));
  // Its chores go on meanwhile, and send the more the longer it takes.
  const chores = (counted() - nothing) / idle * (many.seconds - few.seconds), sent = many.sent - few.sent;
  assert.ok(sent > 200 && sent - chores < 4 * 200, `${sent} round trips for 200, ${chores} of them of chores`);
});
