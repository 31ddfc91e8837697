// Addresses that start workflows: who may, with what, how fast, and what the sender is told.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { children } from "./lib/fcgi.mjs";
import { request } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { executionOf, finished, GREETING, saveWorkflow } from "./lib/workflows.mjs";

const ECHO = { steps: [{ id: "echo", type: "respond", config: { body: "{{ {input, request} }}" } }] };
let lw, token, other, workflow, echo;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  ({ token } = await lw.newTenant("triggers"));
  ({ token: other } = await lw.newTenant("other"));
  workflow = await saveWorkflow(lw, token, GREETING);
  echo = await saveWorkflow(lw, token, ECHO, "echo");
});
after(() => lw?.stop());

const does = (method, uri, body, by = token, headers = {}) => lw.api(method, uri, { token: by, body, headers });
const triggersOf = ({ id }) => `/api/v1/webhooks/${id}/triggers`;

async function makeTrigger(of = workflow, body = {}) {
  const answer = await does("POST", triggersOf(of), { name: "orders", ...body });
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}

/** As a sender outside would: to the address as it was given out. */
async function send(trigger, { method = trigger.method, body = { name: "Ada" }, headers = {}, query = "" } = {}) {
  const bytes = typeof body === "string" ? body : JSON.stringify(body), uri = new URL(trigger.webhook_url).pathname + query;
  const answer = await request(lw.url, { method, path: uri, ca: lw.ca, body: method === "GET" ? undefined : bytes,
    headers: { ...(method === "GET" ? {} : { "Content-Type": "application/json" }), ...headers } });
  lw.document.check(method, uri, answer);
  return answer;
}
const count = () => Number(lw.sql("SELECT COUNT(*) FROM execution")[0][0]);

/** Refused, and nothing was started. */
async function refused(status, code, sending) {
  const before = count(), answer = await sending;
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.code, code);
  assert.equal(count(), before);
}

/* --- the address -------------------------------------------------------------------------- */

test("a trigger is made, shown, changed and removed, and its secret is shown once", async () => {
  const made = await makeTrigger(workflow, { auth_type: "api_key" }), uri = `${triggersOf(workflow)}/${made.id}`;
  assert.match(made.auth_config.key, /^[\w-]{43}$/);
  assert.equal(made.webhook_url, `${lw.url}/api/v1/webhooks/${workflow.id}/${made.id}`);
  const got = await does("GET", uri);
  assert.ok(!got.text.includes(made.auth_config.key));
  const kept = await does("PUT", uri, { name: "renamed", auth_type: "api_key", rate_limit: 7 }, token, { "If-Match": got.headers.etag });
  assert.equal(kept.status, 200, kept.text);
  assert.deepEqual([kept.json.name, kept.json.rate_limit, kept.json.auth_config], ["renamed", 7, null]);
  assert.equal((await send(made, { headers: { "X-Api-Key": made.auth_config.key } })).status, 202);
  assert.equal((await does("PUT", uri, { name: "late" }, token, { "If-Match": got.headers.etag })).status, 412);
  const replaced = await does("PUT", uri, { name: "renamed", auth_type: "bearer", auth_config: { token: "chosen-by-its-user" } });
  assert.deepEqual(replaced.json.auth_config, { token: "chosen-by-its-user" });
  assert.equal((await does("GET", triggersOf(workflow))).json[0].name, "renamed");
  assert.equal((await does("DELETE", uri)).status, 204);
  await refused(404, "NOT_FOUND", send(made, { headers: { Authorization: "Bearer chosen-by-its-user" } }));
});

test("no secret lies open in the database", async () => {
  const { auth_config: { key } } = await makeTrigger(workflow, { auth_type: "api_key", auth_config: { key: `canary-${crypto.randomUUID()}` } });
  assert.equal(lw.sql(`SELECT COUNT(*) FROM workflow_trigger WHERE INSTR(secret, '${key}') > 0`)[0][0], "0");
  assert.ok(!lw.log("front").includes(key));
});

test("bad ones are refused with their member", async () => {
  for (const [body, field] of [[{ auth_type: "hmac", auth_config: { secret: "short" } }, "auth_config.secret"], [{ auth_config: { key: "0123456789abcdef" } }, "auth_config.key"],
    [{ auth_type: "hmac", auth_config: { header: "X Bad" } }, "auth_config.header"], [{ auth_type: "bearer", auth_config: { token: 7 } }, "auth_config.token"]]) {
    const answer = await does("POST", triggersOf(workflow), { name: "bad", ...body });
    assert.equal(answer.status, 400, answer.text);
    assert.equal(answer.json.fields[0].field, field);
  }
});

test("another tenant neither sees a trigger nor hangs one on a workflow that isn't its own", async () => {
  const made = await makeTrigger();
  assert.equal((await does("GET", `${triggersOf(workflow)}/${made.id}`, undefined, other)).status, 404);
  assert.equal((await does("GET", triggersOf(workflow), undefined, other)).status, 404);
  assert.equal((await does("POST", triggersOf(workflow), { name: "mine" }, other)).status, 404);
  assert.equal((await does("DELETE", `${triggersOf(workflow)}/${made.id}`, undefined, other)).status, 404);
  const elsewhere = made.webhook_url.replace(workflow.id, echo.id);
  await refused(404, "NOT_FOUND", send({ ...made, webhook_url: elsewhere }));
});

/* --- who may ------------------------------------------------------------------------------ */

test("an api_key comes in X-Api-Key or as a bearer token", async () => {
  const made = await makeTrigger(workflow, { auth_type: "api_key" }), { key } = made.auth_config;
  assert.equal((await send(made, { headers: { "X-Api-Key": key } })).status, 202);
  assert.equal((await send(made, { headers: { Authorization: `Bearer ${key}` } })).status, 202);
  await refused(401, "NO_TOKEN", send(made));
  await refused(401, "BAD_TOKEN", send(made, { headers: { "X-Api-Key": `${key}x` } }));
  await refused(401, "BAD_TOKEN", send(made, { headers: { "X-Api-Key": key.slice(1) } }));
});

test("a bearer token is no api key", async () => {
  const made = await makeTrigger(workflow, { auth_type: "bearer" });
  assert.equal((await send(made, { headers: { Authorization: `Bearer ${made.auth_config.token}` } })).status, 202);
  await refused(401, "NO_TOKEN", send(made, { headers: { "X-Api-Key": made.auth_config.token } }));
  await refused(401, "NO_TOKEN", send(made, { headers: { Authorization: `Basic ${made.auth_config.token}` } }));
});

test("an hmac holds for the bytes that were signed, in the header that was chosen", async () => {
  const made = await makeTrigger(workflow, { auth_type: "hmac", auth_config: { header: "X-Shop-Signature" } });
  const body = '{"name":"Ada"}', mac = (bytes) => crypto.createHmac("sha256", made.auth_config.secret).update(bytes);
  for (const signature of [mac(body).digest("hex"), `sha256=${mac(body).digest("hex")}`, mac(body).digest("base64")])
    assert.equal((await send(made, { body, headers: { "X-Shop-Signature": signature } })).status, 202);
  await refused(401, "BAD_SIGNATURE", send(made, { body: `${body} `, headers: { "X-Shop-Signature": mac(body).digest("hex") } }));
  await refused(401, "BAD_SIGNATURE", send(made, { body, headers: { "X-Shop-Signature": "sha256=" } }));
  await refused(401, "NO_TOKEN", send(made, { body, headers: { "X-Signature": mac(body).digest("hex") } }));
});

test("a GET signs its query", async () => {
  const made = await makeTrigger(workflow, { method: "GET", auth_type: "hmac" });
  const signature = crypto.createHmac("sha256", made.auth_config.secret).update("name=Ada").digest("hex");
  assert.equal((await send(made, { query: "?name=Ada", headers: { "X-Signature": signature } })).status, 202);
  await refused(401, "BAD_SIGNATURE", send(made, { query: "?name=Eve", headers: { "X-Signature": signature } }));
});

test("only its own method starts it, and looking at it starts nothing", async () => {
  const made = await makeTrigger(workflow, { method: "PUT" });
  assert.equal((await send(made)).status, 202);
  await refused(405, "METHOD_NOT_ALLOWED", send(made, { method: "POST" }));
  await refused(405, "METHOD_NOT_ALLOWED", send(made, { method: "GET" }));
  const before = count(), open = await makeTrigger(workflow, { method: "GET" });
  await request(lw.url, { method: "HEAD", path: new URL(open.webhook_url).pathname, ca: lw.ca });
  assert.equal(count(), before);
});

test("a trigger that is off, and one of a paused workflow, aren't there", async () => {
  await refused(404, "NOT_FOUND", send(await makeTrigger(workflow, { is_active: false })));
  const paused = await saveWorkflow(lw, token, GREETING, "paused"), made = await makeTrigger(paused);
  const changed = await does("PUT", `/api/v1/workflows/${paused.id}`, { name: "paused", status: "paused", definition: GREETING });
  assert.equal(changed.status, 200, changed.text);
  await refused(404, "NOT_FOUND", send(made));
});

test("a trigger has a rate of its own", async () => {
  const made = await makeTrigger(workflow, { rate_limit: 3 }), answers = [];
  for (let i = 0; i < 5; i++)
    answers.push(await send(made));
  assert.deepEqual(answers.slice(0, 3).map(({ status }) => status), [202, 202, 202]);
  const limited = answers.at(-1);
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers["retry-after"]) > 0);
});

test("each kind of refusal is in the audit trail, once a minute however many come", async () => {
  const rows = async (trigger) => (await does("GET", `/api/v1/audit?target=${trigger.id}&action=trigger.refused`)).json;
  const keyed = await makeTrigger(workflow, { auth_type: "api_key", rate_limit: 1 }), signed = await makeTrigger(workflow, { auth_type: "hmac" });
  const wrong = { "X-Api-Key": "nearly the right one", "X-Signature": "sha256=00", "X-Request-Note": "a secret of the sender" };
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => send(keyed, { headers: i % 2 ? wrong : {} })));
  assert.deepEqual(answers.map(({ json }) => json.code).toSorted(), [...Array(10).fill("BAD_TOKEN"), ...Array(10).fill("NO_TOKEN")]);
  assert.equal((await send(signed, { headers: wrong })).json.code, "BAD_SIGNATURE");
  const key = { "X-Api-Key": keyed.auth_config.key };
  assert.deepEqual([(await send(keyed, { headers: key })).status, (await send(keyed, { headers: key })).status, (await send(keyed, { headers: key })).status], [202, 429, 429]);
  const [ofKeyed, ofSigned] = [await rows(keyed), await rows(signed)];
  assert.deepEqual(ofKeyed.map(({ code }) => code).toSorted(), ["BAD_TOKEN", "NO_TOKEN", "RATE_LIMITED"]);
  assert.deepEqual(ofSigned.map(({ code, outcome, actor, address }) => [code, outcome, actor.kind, address]), [["BAD_SIGNATURE", "refused", "nobody", "127.0.0.1"]]);
  assert.doesNotMatch(JSON.stringify([ofKeyed, ofSigned]), /nearly|a secret of the sender/);
  assert.deepEqual((await does("GET", `/api/v1/audit?target=${keyed.id}&action=trigger.refused`, undefined, other)).json, []);
});

test("who knows the address and not the key doesn't use up the owner's rate", async () => {
  const made = await makeTrigger(workflow, { auth_type: "api_key", rate_limit: 2 });
  for (let i = 0; i < 5; i++)
    await refused(401, "BAD_TOKEN", send(made, { headers: { "X-Api-Key": "0123456789abcdef" } }));
  assert.equal((await send(made, { headers: { "X-Api-Key": made.auth_config.key } })).status, 202);
});

/* --- what it becomes ----------------------------------------------------------------------- */

test("the sender of a trigger that answers at once is told which execution it became", async () => {
  const answer = await send(await makeTrigger());
  assert.equal(answer.status, 202);
  assert.deepEqual([answer.json.success, answer.json.status], [true, "queued"]);
  const execution = await finished(lw, token, answer.json.execution_id);
  assert.deepEqual([execution.status, execution.source, execution.output_data], ["completed", "webhook", { greeting: "Hello, Ada" }]);
});

test("JSON, a form, a query and plain text become the input; the request is kept without its secrets", async () => {
  const post = await makeTrigger(echo, { auth_type: "api_key", respond: "when_finished" }), key = post.auth_config.key;
  const input = async (trigger, options) => (await send(trigger, { ...options, headers: { "X-Api-Key": key, ...options.headers } })).json.output_data;
  assert.deepEqual((await input(post, { body: '[1,{"a":null}]' })).input, [1, { a: null }]);
  assert.deepEqual((await input(post, { body: "a=1&b=x+y&a=2", headers: { "Content-Type": "application/x-www-form-urlencoded" } })).input, { a: ["1", "2"], b: "x y" });
  assert.deepEqual((await input(post, { body: "grüße", headers: { "Content-Type": "text/plain; charset=utf-8" } })).input, { body: "grüße" });
  const get = await makeTrigger(echo, { method: "GET", respond: "when_finished" });
  assert.deepEqual((await input(get, { query: "?q=%C3%A9&n=1" })).input, { q: "é", n: "1" });
  const { request: kept } = await input(post, { body: "{}", query: "?a=1", headers: { "User-Agent": "shop/1", Cookie: "a=secret", "X-Event-Id": "e1" } });
  assert.deepEqual([kept.method, kept.query, kept.headers["user-agent"], kept.headers["x-event-id"]], ["POST", { a: "1" }, "shop/1", "e1"]);
  assert.ok(!JSON.stringify(kept).includes("secret") && !JSON.stringify(kept).includes(key));
  for (const [body, headers] of [["{", {}], ["\xff\xfe", { "Content-Type": "text/plain" }]])
    assert.equal((await send(post, { body: Buffer.from(body, "latin1").toString("latin1"), headers: { "X-Api-Key": key, ...headers } })).status === 202, false);
});

/* --- when_finished ------------------------------------------------------------------------- */

test("a sender who waits gets the answer of the workflow", async () => {
  const answer = await send(await makeTrigger(workflow, { respond: "when_finished" }));
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.json.success, answer.json.status, answer.json.output_data], [true, "completed", { greeting: "Hello, Ada" }]);
  assert.match(answer.headers["x-request-id"], /^req-/);
  assert.equal(answer.headers["cache-control"], "no-store");
  const history = await executionOf(lw, token, answer.json.execution_id);
  assert.deepEqual(history.step_executions.map(({ step_id, status }) => [step_id, status]), [["greet", "completed"], ["answer", "completed"]]);
});

test("a sender who waits for a workflow that fails is told so", async () => {
  const failing = await saveWorkflow(lw, token, { steps: [{ id: "boom", type: "transform", config: { expression: 'error("no such order")' } }] }, "failing");
  const answer = await send(await makeTrigger(failing, { respond: "when_finished" }));
  assert.equal(answer.status, 200, answer.text);
  assert.deepEqual([answer.json.success, answer.json.status, answer.json.error.step_id], [false, "failed", "boom"]);
});

test("forty who wait each get their own answer, and the pool serves others meanwhile", async () => {
  const slow = await saveWorkflow(lw, token, { steps: [{ id: "wait", type: "delay", config: { delay_ms: 1500 } }, { id: "answer", type: "respond", config: { body: "{{ .input.n }}" } }],
    dependencies: { answer: ["wait"] } }, "slow"), made = await makeTrigger(slow, { respond: "when_finished" });
  const waiting = Array.from({ length: 40 }, (_, n) => send(made, { body: { n } }));
  const meanwhile = await does("GET", "/api/v1/workflows");
  assert.equal(meanwhile.status, 200);
  const answers = await Promise.all(waiting);
  assert.deepEqual(answers.map(({ json }) => json.output_data), Array.from({ length: 40 }, (_, n) => n));
});

// The last one: nginx goes on with the short patience for a moment.
test("a sender whose workflow takes longer than senders wait is told that it is under way", async () => {
  const file = lw.at("etc/nginx/latchwork.conf"), nginx = Number(fs.readFileSync(lw.at("run/nginx.pid"), "utf8"));
  const conf = fs.readFileSync(file, "utf8"), impatient = conf.replace("proxy_read_timeout 55s;", "proxy_read_timeout 1s;");
  assert.notEqual(impatient, conf);
  const long = await saveWorkflow(lw, token, { steps: [{ id: "wait", type: "delay", config: { delay_ms: 3600_000 } }] }, "long");
  const made = await makeTrigger(long, { respond: "when_finished" });
  const old = children(nginx);
  fs.writeFileSync(file, impatient);
  try {
    process.kill(nginx, "SIGHUP");
    await eventually("nginx works with that", () => children(nginx).some((pid) => !old.includes(pid)));
    await new Promise((done) => setTimeout(done, 500));
    const answer = await send(made);
    assert.equal(answer.status, 202, answer.text);
    assert.deepEqual([answer.json.success, answer.json.status], [true, "running"]);
    assert.match(answer.headers["x-request-id"], /^req-/);
    await eventually("it waits", async () => (await executionOf(lw, token, answer.json.execution_id)).status === "waiting");
  } finally {
    fs.writeFileSync(file, conf);
    process.kill(nginx, "SIGHUP");
  }
});
