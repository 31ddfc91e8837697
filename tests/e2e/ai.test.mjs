// Models asked by people, steps and agents: answers, refusals, tools within their bounds, streams to a run, and a key
// that is nowhere but on the wire.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import { after, before, beforeEach, test } from "node:test";
import { assertNowhere, startWorld } from "./lib/connections.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { eventually } from "./lib/instance.mjs";
import { keyType } from "./lib/key_type.mjs";
import { POEM } from "./lib/model_server.mjs";
import { workers } from "./lib/processes.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { execute, finished, saveWorkflow } from "./lib/workflows.mjs";

const PROVIDERS = ["gemini", "openai", "anthropic"];
const TOOL_KEY = `key-${crypto.randomBytes(12).toString("hex")}`;
let world, lw, models, owner, token, other, connector, foreign;

before(async () => {
  world = await startWorld({
    types: ({ provider }) => [keyType(provider, { api: { base_url: `${provider.url}/api` } })],
    conf: "[ai]\ntool_rounds = 3\n",
  });
  ({ lw, models } = world);
  [owner, other] = await Promise.all(["thinker", "stranger"].map((words) => lw.newTenant(words)));
  token = owner.token;
  for (const service of PROVIDERS)
    await does("POST", "/keys", { service, api_key: models.keys[service] });
  connector = await does("POST", "/connectors", { connector_type: "keyed", config: { secret_key: TOOL_KEY } });
  foreign = await does("POST", "/connectors", { connector_type: "keyed", config: { secret_key: TOOL_KEY } }, other.token);
});
after(() => world?.stop());
beforeEach(() => {
  world?.provider.reset();
  models?.reset();
});

const call = (method, uri, body, by = token, headers = {}) => lw.api(method, `/api/v1${uri}`, { token: by, body, headers });
async function does(method, uri, body, by, headers) {
  const answer = await call(method, uri, body, by, headers);
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer.json;
}
async function refused(status, code, body, uri = "/ai/generate", by = token) {
  const answer = await call("POST", uri, body, by);
  assert.deepEqual([answer.status, answer.json.code], [status, code], answer.text);
  return answer;
}
const generate = (body, by) => does("POST", "/ai/generate", { prompt: "Hi", ...body }, by);
const usage = async (by) => does("GET", "/ai/usage?limit=100", undefined, by);

// --- answers ------------------------------------------------------------------------------

for (const provider of PROVIDERS) {
  test(`${provider} answers, whole and with counts, and its key is in its header`, async () => {
    const answer = await generate({ provider, prompt: "Grüß {api_key}", system: "Be kind." });
    assert.deepEqual(answer, { text: "You said: Grüß {api_key}", value: null, provider, model: "echo", finish: "stop", fallback: false,
      tokens: { input: 11, output: 22 } });
    const [{ headers, path, body }] = models.calls, key = models.keys[provider];
    assert.equal({ gemini: headers["x-goog-api-key"], openai: headers.authorization, anthropic: headers["x-api-key"] }[provider],
      provider === "openai" ? `Bearer ${key}` : key);
    assert.ok(!path.includes(key) && !JSON.stringify(body).includes(key));
    assert.ok(JSON.stringify(body).includes("Be kind."));
  });

  test(`${provider}'s refusals have their codes, and say nothing of what it said`, async () => {
    const ask = (model) => ({ prompt: "Hi", provider, model });
    await refused(422, "AI_BLOCKED", ask("blocked"));
    await refused(422, "AI_BLOCKED", ask("half-blocked"));
    await refused(422, "AI_TOO_LONG", ask("too-long"));
    await refused(422, "AI_MODEL_UNKNOWN", ask("absent"));
    await refused(503, "AI_UNAVAILABLE", ask("overloaded"));
    await refused(502, "AI_ANSWER_CUT", ask("cut"));
    assert.equal((await refused(429, "AI_QUOTA", ask("quota"))).headers["retry-after"], "7");
    assert.equal((await generate({ provider, model: "length" })).finish, "length");
    assert.equal((await generate({ provider, model: "leak" })).text, "The key is ****.");
  });

  test(`${provider} answers in JSON`, async () => {
    assert.deepEqual((await generate({ provider, model: "json", json: true })).value, { answer: 42 });
    await refused(502, "AI_ANSWER_UNREADABLE", { prompt: "Hi", provider: "openai", json: true });
  });
}

test("a bad key is said to be one, and a missing one to be missing", async () => {
  const bad = "AIzaSyWrongWrongWrongWrongWrongWrongWro";
  await refused(409, "AI_NO_PROVIDER", { prompt: "Hi" }, "/ai/generate", other.token);
  await does("POST", "/keys", { service: "gemini", api_key: bad }, other.token);
  const answer = await refused(409, "AI_KEY_REFUSED", { prompt: "Hi" }, "/ai/generate", other.token);
  assert.ok(!answer.text.includes(bad) && !answer.text.includes("INVALID_ARGUMENT"));
  await does("DELETE", "/keys/gemini", undefined, other.token);
});

test("a credential goes to its own provider only, and is the tenant's", async () => {
  const stripe = await does("POST", "/credentials", { name: "s", type: "api_key", service: "stripe", data: { api_key: "rk_live_0123456789abcdef" } });
  await refused(409, "AI_NO_PROVIDER", { prompt: "Hi", credential_id: stripe.id });
  const own = await does("POST", "/credentials", { name: "g", type: "api_key", service: "gemini", data: { api_key: models.keys.gemini } });
  await refused(409, "AI_NO_PROVIDER", { prompt: "Hi", provider: "openai", credential_id: own.id });
  await refused(409, "AI_NO_PROVIDER", { prompt: "Hi", credential_id: own.id }, "/ai/generate", other.token);
  assert.deepEqual(models.calls, []);
  assert.equal((await generate({ credential_id: own.id })).text, "You said: Hi");
  await does("POST", "/services/gemini/disable");
  await refused(409, "AI_NO_PROVIDER", { prompt: "Hi" });
  await does("POST", "/services/gemini/enable", { credential_id: own.id });
  await generate();
  await does("DELETE", `/credentials/${own.id}`);
  await refused(409, "AI_NO_PROVIDER", { prompt: "Hi" });
  await does("POST", "/services/gemini/enable", { credential_id: (await does("GET", "/keys")).find(({ service }) => service === "gemini").credential_id });
});

test("each call is counted, the refused ones with their code", async () => {
  const before = (await usage()).length;
  await generate();
  await refused(503, "AI_UNAVAILABLE", { prompt: "Hi", provider: "openai", model: "overloaded" });
  const [bad, good, ...rest] = await usage();
  assert.equal(rest.length, before);
  assert.deepEqual([bad.provider, bad.model, bad.outcome, bad.tokens], ["openai", "overloaded", "AI_UNAVAILABLE", { input: 0, output: 0 }]);
  assert.deepEqual([good.source, good.outcome, good.tokens], ["generate", "ok", { input: 11, output: 22 }]);
  assert.deepEqual(await usage(other.token).then((rows) => rows.filter(({ outcome }) => outcome === "ok")), []);
});

// --- the same request again ---------------------------------------------------------------

const once = (uri, body, key) => call("POST", uri, body, token, { "Idempotency-Key": key });
const SLOW = { prompt: "Hi", provider: "gemini", model: "slow" };

/** Asks a model that answers when it is told to, `tell()`; comes back, with the promise of its answer, when the model is at work. */
async function begin(key) {
  let tell;
  models.slowMs = new Promise((done) => { tell = done; });
  const answer = once("/ai/generate", SLOW, key);
  await eventually("the model is asked", () => models.calls.length > 0);
  return { answer, tell };
}

test("a question that is sent again with its key is paid for once, and has the first answer", async () => {
  const agent = await newAgent(), before = (await usage()).length;
  const questions = [["/ai/generate", { prompt: "Hi" }], ["/agents/execute", { agent: agent.id, input: "Hi" }],
    ["/ai/generate-workflow", { prompt: "greet", provider: "gemini", model: "workflow" }]];
  for (const [uri, body] of questions) {
    const key = crypto.randomUUID(), first = await once(uri, body, key), second = await once(uri, body, key);
    assert.equal(first.status, 200, first.text);
    assert.deepEqual([second.status, second.text, second.headers["idempotent-replayed"]], [200, first.text, "true"]);
    assert.equal((await once(uri, { ...body, provider: "openai" }, key)).json.code, uri === "/agents/execute" ? "BAD_INPUT" : "IDEMPOTENCY_MISMATCH");
  }
  assert.equal(models.calls.length, questions.length);
  assert.equal((await usage()).length, before + questions.length);
});

test("while a question is under way its key is taken, and nothing is asked twice", async () => {
  const key = crypto.randomUUID(), { answer, tell } = await begin(key);
  assert.equal((await once("/ai/generate", SLOW, key)).json.code, "IDEMPOTENCY_IN_FLIGHT");
  assert.equal((await once("/ai/generate", { ...SLOW, prompt: "Ho" }, key)).json.code, "IDEMPOTENCY_MISMATCH");
  tell();
  assert.equal((await answer).json.text, "slowly");
  assert.equal((await once("/ai/generate", SLOW, key)).text, (await answer).text);
  assert.equal(models.calls.length, 1);
});

test("a question that failed may be asked again with its key", async () => {
  const key = crypto.randomUUID(), body = { prompt: "Hi", provider: "openai", model: "flaky" };
  models.script = () => (models.calls.length < 2 ? { pieces: ["ha"], after: "cut" } : undefined);
  assert.equal((await once("/ai/generate", body, key)).json.code, "AI_ANSWER_CUT");
  const answer = await once("/ai/generate", body, key);
  assert.deepEqual([answer.status, answer.headers["idempotent-replayed"]], [200, undefined]);
});

test("a key whose process died is free again after five minutes, and not before", async () => {
  const key = crypto.randomUUID(), { answer } = await begin(key), age = (ms) => lw.sql(`UPDATE idempotency SET created_at = created_at - ${ms} WHERE status = 0`);
  for (const pid of await workers(lw, "vault"))
    process.kill(pid, "SIGKILL");
  assert.equal((await answer).status, 503);
  await eventually("the pool is back", async () => (await once("/ai/generate", SLOW, key)).json.code === "IDEMPOTENCY_IN_FLIGHT", 60);
  age(4 * 60_000);
  assert.equal((await once("/ai/generate", SLOW, key)).json.code, "IDEMPOTENCY_IN_FLIGHT");
  age(60_000);
  models.slowMs = 1;
  const again = await once("/ai/generate", SLOW, key);
  assert.deepEqual([again.status, again.json.text, models.calls.length], [200, "slowly", 2]);
  assert.equal((await once("/ai/generate", SLOW, key)).headers["idempotent-replayed"], "true");
});

// --- a run that watches -------------------------------------------------------------------

/** Reads the Server-Sent Events of a run until `enough`. */
async function watched(run, enough) {
  const events = [];
  await new Promise((done, failed) => {
    const req = https.get(`${run.stream_url}?ticket=${run.ticket}`, { ca: lw.ca, headers: { Accept: "text/event-stream" } }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (part) => {
        text += part;
        const blocks = text.split("\n\n");
        text = blocks.pop();
        for (const block of blocks) {
          const data = block.split("\n").filter((line) => line.startsWith("data: ")).map((line) => line.slice(6)).join("\n");
          if (data)
            events.push(JSON.parse(data));
        }
        if (events.some(enough)) {
          req.destroy();
          done();
        }
      });
    });
    req.setTimeout(60000, () => failed(new Error(`never heard it: ${JSON.stringify(events)}`)));
    req.on("error", (error) => (events.some(enough) ? done() : failed(error)));
  });
  return events;
}
const openRun = async (workflow) => does("POST", "/runs", { workflow_id: workflow.id });
const speech = (events) => events.filter(({ type }) => type === "ai:chunk").map(({ data }) => data.text).join("");
const asking = (config, more = {}) => ({ steps: [{ id: "think", type: "ai", config: { prompt: "{{ .input.question }}", ...config }, ...more }] });

test("an answer streams to a run as it comes", async () => {
  const run = await openRun(await saveWorkflow(lw, token, asking({}), `stream-${crypto.randomUUID()}`));
  const hearing = watched(run, ({ type }) => type === "ai:processing_end");
  assert.equal((await generate({ model: "poem", run_id: run.id })).text, POEM);
  const events = await hearing;
  assert.equal(speech(events), POEM);
  assert.deepEqual([events[0].type, events.at(-1).type, events[0].execution_id], ["ai:processing_start", "ai:processing_end", null]);
  const theirs = await saveWorkflow(lw, other.token, asking({}), "theirs"), { id } = await does("POST", "/runs", { workflow_id: theirs.id }, other.token);
  await refused(400, "BAD_INPUT", { prompt: "Hi", run_id: id });
});

for (const provider of PROVIDERS) {
  test(`an ai step of ${provider} speaks to the run that watches, and every word is on record`, async () => {
    models.slowMs = 400;
    models.script = (asked) => (asked.last === "?" ? { pieces: ["Well, ", "42", "."], slow: true } : undefined);
    const workflow = await saveWorkflow(lw, token, asking({ provider }), `speaks-${provider}`), run = await openRun(workflow);
    const hearing = watched(run, ({ type }) => type === "workflow:finished");
    const { execution_id } = await does("POST", `/runs/${run.id}/messages`, { type: "session:start", data: { input_data: { question: "?" } } });
    const events = await hearing, { status, output_data } = await finished(lw, token, execution_id);
    assert.equal(status, "completed");
    assert.equal(output_data.text, "Well, 42.");
    assert.equal(speech(events), "Well, 42.");
    assert.ok(events.filter(({ type }) => type === "ai:chunk").length > 1, "piece by piece");
    assert.deepEqual(events.map(({ number }) => number), events.map((_, i) => i + 1));
    assert.deepEqual(events, await does("GET", `/executions/${execution_id}/events?limit=100`));
  });
}

// --- steps --------------------------------------------------------------------------------

test("an ai step's answer goes on as its output, as text or as JSON", async () => {
  const text = await execute(lw, token, await saveWorkflow(lw, token, asking({ history: [{ role: "user", text: "Before" }, { role: "model", text: "Yes?" }] }), "text"), { question: "Why?" });
  assert.deepEqual(text.output_data, { text: "You said: Why?", finish: "stop", fallback: false, provider: "gemini", model: "echo", tokens: { input: 11, output: 22 } });
  assert.deepEqual(models.calls[0].body.contents.map(({ role, parts }) => [role, parts[0].text]), [["user", "Before"], ["model", "Yes?"], ["user", "Why?"]]);
  const json = await execute(lw, token, await saveWorkflow(lw, token, asking({ model: "json", json: true, schema: { type: "object" } }), "json"), { question: "Why?" });
  assert.deepEqual(json.output_data, { answer: 42 });
  assert.ok((await usage()).slice(0, 2).every(({ source, source_id }) => source === "step" && source_id.startsWith("exec-")));
});

test("an ai step fails with a code, is tried again where that helps, and may have a fallback", async () => {
  const run = async (config, name, more) => execute(lw, token, await saveWorkflow(lw, token, asking(config, more), name), { question: "?" });
  const blocked = await run({ model: "blocked" }, "blocked");
  assert.deepEqual([blocked.status, blocked.error.code, models.calls.length], ["failed", "AI_BLOCKED", 1]);
  assert.equal((await run({ history: [{ role: "system", text: "x" }] }, "bad history")).error.code, "BAD_INPUT");
  models.calls = [];
  models.script = (asked) => (asked.model === "flaky" && models.calls.length < 2 ? { pieces: ["ha"], after: "cut" } : undefined);
  const again = await run({ model: "flaky" }, "flaky", { retry: { attempts: 3, delay_ms: 100 } });
  assert.deepEqual([again.status, again.output_data.text, models.calls.length], ["completed", "You said: ?", 2]);
  models.script = undefined;
  assert.deepEqual((await run({ model: "blocked", fallback: "Sorry." }, "sorry")).output_data, { text: "Sorry.", fallback: true, code: "AI_BLOCKED" });
});

test("a piece that is very long comes in portions", async () => {
  models.script = () => ({ pieces: ["å🚀".repeat(15000)] });
  const workflow = await saveWorkflow(lw, token, asking({}), "long-winded"), run = await openRun(workflow);
  const hearing = watched(run, ({ type }) => type === "workflow:finished");
  await does("POST", `/runs/${run.id}/messages`, { type: "session:start", data: { input_data: { question: "?" } } });
  const events = await hearing;
  assert.equal(speech(events), "å🚀".repeat(15000));
  assert.ok(events.every(({ data }) => !data.text || Buffer.byteLength(data.text) <= 4100));
});

test("a model that is at work for an execution that was cancelled is left", async () => {
  models.slowMs = 100;
  models.script = () => ({ pieces: Array(3000).fill("and so on "), slow: true });
  const workflow = await saveWorkflow(lw, token, asking({}), "talkative"), run = await openRun(workflow);
  const { execution_id } = await does("POST", `/runs/${run.id}/messages`, { type: "session:start", data: { input_data: { question: "?" } } });
  const said = async () => (await does("GET", `/executions/${execution_id}/events?limit=100`)).filter(({ type }) => type === "ai:chunk").length;
  await eventually("it speaks", async () => await said() > 1);
  await does("POST", `/executions/${execution_id}/cancel`);
  await eventually("it is left in the middle", () => models.underWay === 0);
  assert.equal((await finished(lw, token, execution_id)).status, "cancelled");
  const { outcome } = await eventually("what it cost is noted", async () => (await usage()).find(({ source_id }) => source_id === execution_id));
  assert.equal(outcome, "CONFLICT");
});

// --- agents -------------------------------------------------------------------------------

const newAgent = (more, by) => does("POST", "/agents", { name: `agent-${crypto.randomUUID()}`, instructions: "Answer in two sentences.", ...more }, by);
const executeAgent = (agent, input, more = {}) => does("POST", "/agents/execute", { agent, input, ...more });

test("agents are made, changed and removed, and their names are unique", async () => {
  const agent = await newAgent({ description: "Helps.", connectors: [connector.id], fallback: "Later." });
  assert.deepEqual((await does("GET", `/agents/${agent.id}`)), agent);
  assert.ok((await does("GET", "/agents")).some(({ id }) => id === agent.id));
  assert.equal((await call("POST", "/agents", { name: agent.name, instructions: "x" })).status, 409);
  assert.equal((await call("POST", "/agents", { name: "x", instructions: "x", connectors: [foreign.id] })).json.fields[0].field, "connectors[0]");
  assert.equal((await call("GET", `/agents/${agent.id}`, undefined, other.token)).status, 404);
  const { headers } = await call("GET", `/agents/${agent.id}`);
  const changed = await does("PUT", `/agents/${agent.id}`, { name: agent.name, instructions: "Be brief." }, token, { "If-Match": headers.etag });
  assert.deepEqual([changed.instructions, changed.connectors, changed.fallback], ["Be brief.", [], null]);
  assert.equal((await call("PUT", `/agents/${agent.id}`, { name: "y", instructions: "y" }, token, { "If-Match": headers.etag })).status, 412);
  assert.equal((await call("DELETE", `/agents/${agent.id}`)).status, 204);
  assert.equal((await call("GET", `/agents/${agent.id}`)).status, 404);
});

test("an agent remembers its conversation, and nobody else's", async () => {
  const agent = await newAgent(), another = await newAgent();
  const first = await executeAgent(agent.name, "One");
  assert.deepEqual([first.agent_id, first.text, first.fallback, first.tool_calls], [agent.id, "You said: One", false, []]);
  models.calls = [];
  const second = await executeAgent(agent.id, "Two", { conversation_id: first.conversation_id });
  assert.equal(second.conversation_id, first.conversation_id);
  assert.deepEqual(models.calls[0].body.contents.map(({ role, parts }) => [role, parts[0].text]),
    [["user", "One"], ["model", "You said: One"], ["user", "Two"]]);
  assert.equal(models.calls[0].body.systemInstruction.parts[0].text, "Answer in two sentences.");
  for (let i = 0; i < 10; i++)
    await executeAgent(agent.id, `${i}`, { conversation_id: first.conversation_id });
  const heard = models.calls.at(-1).body.contents.map(({ parts }) => parts[0].text);
  assert.deepEqual(heard.slice(-5), ["7", "You said: 7", "8", "You said: 8", "9"]);
  await refused(400, "BAD_INPUT", { agent: another.id, input: "Three", conversation_id: first.conversation_id }, "/agents/execute");
  await refused(404, "NOT_FOUND", { agent: agent.id, input: "Three", conversation_id: first.conversation_id }, "/agents/execute", other.token);
});

/** What the model does: calls tools by these arguments, one round after the other, and then says what came of the last. */
function callsTools(rounds, name = "keyed") {
  let round = 0;
  models.script = (asked) => (round < rounds.length
    ? { calls: [].concat(rounds[round++]).map((args, i) => ({ id: `c${round}${i}`, name, arguments: args })), pieces: [], end: "tool" }
    : { pieces: [asked.results.join("|")] });
}

for (const provider of PROVIDERS) {
  test(`an agent of ${provider} works with the connector that it was given`, async () => {
    world.provider.scripts["api/things"] = (request, response) => response.writeHead(200, { "Content-Type": "application/json" })
      .end(JSON.stringify({ things: [1, 2], said: request.headers.authorization, asked: request.url }));
    world.provider.scripts["api/orders"] = (request, response) => response.writeHead(201).end("made");
    const agent = await newAgent({ provider, connectors: [connector.id] });
    callsTools([{ method: "GET", path: "/things?limit=2" }, { method: "POST", path: "/orders", body: { total: 7 } }]);
    const answer = await executeAgent(agent.name, "How many?");
    assert.deepEqual(answer.tool_calls, [{ connector_id: connector.id, method: "GET", path: "/things?limit=2", status: 200 },
      { connector_id: connector.id, method: "POST", path: "/orders", status: 201 }]);
    assert.match(answer.text, /201/);
    assert.deepEqual(answer.tokens, { input: 33, output: 66 });
    const [things, orders] = world.provider.calls;
    assert.equal(things.headers.authorization, `Bearer ${TOOL_KEY}`);
    assert.deepEqual([orders.method, JSON.parse(orders.body), Boolean(orders.headers["idempotency-key"])], ["POST", { total: 7 }, true]);
    const uses = (await does("GET", "/audit?action=agent.credential&limit=10")).filter(({ details }) => details.agent === agent.id);
    assert.deepEqual(uses.map(({ service, details }) => [service, details.connector]), Array(2).fill(["keyed", connector.id]));
    const told = JSON.stringify(models.calls);
    assert.ok(told.includes("things") && told.includes("****") && !told.includes(TOOL_KEY), "the model isn't told the secret that the other side says back");
  });
}

test("an agent's tools can't be led anywhere else", async () => {
  const agent = await newAgent({ connectors: [connector.id] });
  const paths = ["https://evil.example/", "//evil.example/x", "/../secrets", "/a/../../b", "/%2e%2e/b", "/a%2f..%2fb", "/..", "/a b", "/{secret_key}", "things", "", "/a\\b"];
  callsTools([paths.slice(0, 6).map((path) => ({ method: "GET", path })), paths.slice(6).map((path) => ({ method: "GET", path }))]);
  const { tool_calls } = await executeAgent(agent.id, "Go!");
  assert.equal(tool_calls.length, paths.length);
  // "//evil.example/x" is a path like others, below the address.
  assert.deepEqual(world.provider.calls.map(({ path }) => path), ["/api//evil.example/x"]);
  callsTools([{ method: "CONNECT", path: "/x" }]);
  assert.equal((await executeAgent(agent.id, "Go!")).tool_calls[0].status, 0);
  callsTools([{ method: "GET", path: "/x" }], "stripe");
  assert.deepEqual((await executeAgent(agent.id, "Go!")).tool_calls, [{ connector_id: null, method: null, path: null, status: 0 }].map((done) => ({ ...done })));
  const bare = await newAgent();
  callsTools([{ method: "GET", path: "/x" }]);
  await executeAgent(bare.id, "Go!");
  assert.equal(world.provider.calls.length, 1, "a connector that wasn't given isn't called");
});

test("an agent that only goes on calling is stopped, and answers with its fallback if it has one", async () => {
  const agent = await newAgent({ model: "tools-always", connectors: [connector.id] });
  await refused(422, "AI_TOO_MANY_ROUNDS", { agent: agent.id, input: "Go!" }, "/agents/execute");
  assert.equal(models.calls.length, 3);
  const patient = await newAgent({ model: "overloaded", fallback: "Ask me later." });
  const answer = await executeAgent(patient.id, "Hi");
  assert.deepEqual([answer.text, answer.fallback], ["Ask me later.", true]);
  const [{ details }] = (await does("GET", "/audit?action=agent.execute&limit=1"));
  assert.equal(details.fallback_for, "AI_UNAVAILABLE");
});

test("an agent works within a workflow, and each use of a secret is in the audit trail", async () => {
  world.provider.scripts["api/things"] = (_, response) => response.writeHead(200).end('{"n":2}');
  const agent = await newAgent({ connectors: [connector.id] });
  callsTools([{ method: "GET", path: "/things" }]);
  const workflow = await saveWorkflow(lw, token, { steps: [{ id: "work", type: "agent", config: { agent: agent.name, input: "{{ .input.question }}" } }] }, "agent at work");
  const { id, status, output_data, ...rest } = await execute(lw, token, workflow, { question: "How many?" });
  assert.equal(status, "completed", JSON.stringify(rest));
  assert.equal(output_data.agent_id, agent.id);
  assert.match(output_data.text, /"n":2/);
  const rows = (await does("GET", "/audit?action=workflow.credential&limit=10")).filter(({ details }) => details.execution === rest.execution_id);
  assert.deepEqual(rows.map(({ service }) => service).sort(), ["gemini", "keyed"]);
});

test("what the tenant knows goes along where it fits the question, and nowhere else", async () => {
  const answer = "Parcels leave the warehouse within two days.", source = await does("POST", "/knowledge/manual", { question: "When do you ship parcels?", answer });
  await does("POST", "/knowledge/manual", { question: "When do you ship parcels?", answer: "Never, says another tenant." }, other.token);
  const told = () => models.calls.at(-1).body.systemInstruction?.parts[0].text ?? "", ask = { prompt: "When will my parcels ship?", system: "Be kind." };
  await generate({ ...ask, knowledge: true });
  assert.ok(told().startsWith("Be kind.\n\nWhat follows is information") && told().includes(answer) && !told().includes("another tenant"), told());
  await generate(ask);
  assert.equal(told(), "Be kind.");
  await generate({ ...ask, prompt: "Quack?", knowledge: true });
  assert.equal(told(), "Be kind.");
  const [knows, doesnt] = [await newAgent(), await newAgent({ use_knowledge: false })];
  await executeAgent(knows.id, ask.prompt);
  assert.ok(told().includes(answer));
  await executeAgent(doesnt.id, ask.prompt);
  assert.equal(told(), "Answer in two sentences.");
  const workflow = await saveWorkflow(lw, token, asking({ knowledge: true }), "knows");
  assert.equal((await execute(lw, token, workflow, { question: ask.prompt })).status, "completed");
  assert.ok(told().includes(answer));
  await does("PUT", `/knowledge/${source.id}`, { enabled: false });
  await executeAgent(knows.id, ask.prompt);
  assert.equal(told(), "Answer in two sentences.");
});

// --- workflows from words --------------------------------------------------------------------

const definition = { steps: [{ id: "greet", type: "transform", config: { expression: '{greeting: ("Hello, " + .input.name)}' } },
  { id: "answer", type: "respond", config: { body: "{{ .steps.greet }}" } }], dependencies: { answer: ["greet"] } };
const wish = { prompt: "Greet whoever comes." };

for (const provider of PROVIDERS) {
  test(`${provider} writes a workflow that passes the checks, and runs`, async () => {
    models.script = () => ({ pieces: [JSON.stringify(definition)] });
    const written = await does("POST", "/ai/generate-workflow", { ...wish, provider });
    assert.deepEqual(written, { definition, provider, model: "echo", tokens: { input: 11, output: 22 } });
    assert.ok(JSON.stringify(models.calls[0].body).includes("for_each"), "it is told the types of steps");
    const { output_data } = await execute(lw, token, await saveWorkflow(lw, token, written.definition, `written by ${provider}`), { name: "Ada" });
    assert.deepEqual(output_data, { greeting: "Hello, Ada" });
  });
}

test("what a model gets wrong is told to it, and what stays wrong is an error with its places", async () => {
  const wrong = { ...definition, dependencies: { answer: ["nobody"] } }, cycle = { ...definition, dependencies: { answer: ["greet"], greet: ["answer"] } };
  const badExpression = { steps: [{ id: "a", type: "transform", config: { expression: ".a |" } }] };
  const drafts = ["I'd rather not.", JSON.stringify(wrong), `\`\`\`json\n${JSON.stringify(definition)}\n\`\`\``];
  models.script = () => ({ pieces: [drafts[models.calls.length - 1]] });
  assert.deepEqual((await does("POST", "/ai/generate-workflow", wish)).definition, definition);
  assert.match(JSON.stringify(models.calls[2].body), /nobody/);
  for (const bad of [wrong, cycle, badExpression, [], "x"]) {
    models.calls = [];
    models.script = () => ({ pieces: [JSON.stringify(bad)] });
    await refused(502, "AI_BAD_DEFINITION", wish, "/ai/generate-workflow");
    assert.equal(models.calls.length, 3);
  }
  models.script = undefined;
  await refused(422, "AI_BLOCKED", { ...wish, model: "blocked" }, "/ai/generate-workflow");
});

// --- nothing leaks ----------------------------------------------------------------------------

test("keys of models and of tools are in no table, no log and no answer", async () => {
  assertNowhere(lw, [...Object.values(models.keys), TOOL_KEY], dumpDatabase(lw));
});

test("what was said goes with its tenant", async () => {
  const gone = await lw.newTenant("gone"), id = gone.tenant.id;
  await does("POST", "/keys", { service: "gemini", api_key: models.keys.gemini }, gone.token);
  const agent = await newAgent({}, gone.token);
  await does("POST", "/agents/execute", { agent: agent.id, input: "Hi" }, gone.token);
  const rows = () => ["agent", "agent_message", "ai_usage"].map((table) => Number(lw.sql(`SELECT COUNT(*) FROM ${table} WHERE tenant_id = ${idBytes(id)}`)[0][0]));
  assert.deepEqual(rows(), [1, 2, 1]);
  assert.equal(lw.latchctl("tenant", "delete", id, "--yes").status, 0);
  assert.deepEqual(rows(), [0, 0, 0]);
});

// The last one: what it changes stays.
test("where the operator has an answer for it, nobody is left without one", async () => {
  fs.appendFileSync(lw.conf, "\n[ai]\nfallback = Ask me later.\n");
  process.kill(await lw.pid("vault"), "SIGHUP");
  const answer = await eventually("the vault has read it", async () => {
    const { status, json } = await call("POST", "/ai/generate", { prompt: "Hi", model: "overloaded" });
    return status === 200 && json;
  });
  assert.deepEqual([answer.text, answer.fallback, answer.tokens.output], ["Ask me later.", true, 0]);
  assert.deepEqual([(await generate({ model: "echo" })).fallback, (await generate({}, other.token)).fallback], [false, true]);
  await refused(503, "AI_UNAVAILABLE", { prompt: "Hi", model: "overloaded", json: true });
});
