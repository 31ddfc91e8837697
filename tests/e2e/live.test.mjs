// Live runs: a browser watches an execution as it goes, and steers it; nothing is missed, and the pools hold no line.
import assert from "node:assert/strict";
import fs from "node:fs";
import https from "node:https";
import net from "node:net";
import os from "node:os";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { children } from "./lib/fcgi.mjs";
import { rawRequest } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { openStream } from "./lib/stream.mjs";
import { execute, GREETING, saveWorkflow } from "./lib/workflows.mjs";

const TALK = {
  steps: [
    { id: "hello", type: "speak", config: { text: "Who is there?" } },
    { id: "ask", type: "listen", config: { prompt: "Your name?" } },
    { id: "greet", type: "speak", config: { text: 'Hello, {{ .steps.ask }}' } },
    { id: "answer", type: "respond", config: { body: "{{ .steps.greet.text }}" } },
  ],
  dependencies: { ask: ["hello"], greet: ["ask"], answer: ["greet"] },
};
let lw, browser, person, owner, token, other, talk, greeting;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  owner = await lw.newTenant("live");
  token = owner.token;
  ({ token: other } = await lw.newTenant("other"));
  [talk, greeting] = [await saveWorkflow(lw, token, TALK, "talk"), await saveWorkflow(lw, token, GREETING, "greeting")];
  browser = await startBrowser({ certificates: [fs.readFileSync(lw.at("etc/tls/server.pem"), "utf8")] });
  person = await browser.newPerson();
  await person.page.setBypassCSP(true); // the page is one of ours, and lets nothing run
  await person.page.goto(`${lw.url}/healthz`);
});
after(async () => {
  await browser?.stop();
  await lw?.stop();
});

const does = (method, uri, body, by = token, headers = {}) => lw.api(method, uri, { token: by, body, headers });

async function openRun(workflow, by = token) {
  const answer = await does("POST", "/api/v1/runs", { workflow_id: workflow.id }, by);
  assert.equal(answer.status, 201, answer.text);
  return answer.json;
}
const say = (run, type, data = {}) => does("POST", `/api/v1/runs/${run.id}/messages`, { type, data });
const withTicket = (run, place) => `${run[`${place}_url`]}?ticket=${run.ticket}`;
const logged = async (id) => (await does("GET", `/api/v1/executions/${id}/events?limit=200`)).json;

/** Opens the stream or the socket in the browser; what comes lies in window.events. */
const watch = (place, url, page = person.page) => page.evaluate((place, url) => new Promise((open, failed) => {
  const source = place === "stream" ? new EventSource(url) : new WebSocket(url);
  Object.assign(window, { events: [], source, opened: 0 });
  source.onmessage = ({ data }) => window.events.push(JSON.parse(data));
  source.onopen = () => {
    window.opened++;
    open();
  };
  source.onerror = () => window.opened || failed(new Error("it doesn't open"));
}), place, url);
const seen = (page = person.page) => page.evaluate(() => window.events);
const sees = (type, page) => eventually(`the browser sees ${type}`, async () => (await seen(page)).find((event) => event.type === type), 60);
const closeSource = () => person.page.evaluate(() => window.source.close());

for (const place of ["stream", "socket"])
  test(`a browser receives every event of a run by the ${place}, as the log has them`, async () => {
    const run = await openRun(greeting);
    await watch(place, withTicket(run, place));
    const { execution_id } = (await say(run, "session:start", { input_data: { name: "Ada" } })).json;
    const finished = await sees("workflow:finished");
    assert.equal(finished.data.status, "completed");
    assert.deepEqual(await seen(), await logged(execution_id));
    assert.deepEqual((await seen()).map(({ number }) => number), (await seen()).map((_, i) => i + 1));
    assert.equal((await seen())[0].type, "session:started");
    await closeSource();
  });

test("who opens the stream late sees what was before", async () => {
  const run = await openRun(greeting), { execution_id } = (await say(run, "session:start", { input_data: { name: "Ada" } })).json;
  await eventually("it is over", async () => (await logged(execution_id)).some(({ type }) => type === "workflow:finished"));
  await watch("stream", withTicket(run, "stream"));
  await sees("workflow:finished");
  assert.deepEqual(await seen(), await logged(execution_id));
  await closeSource();
});

test("a person starts a run over the socket, is asked, answers, and hears the end", async () => {
  const run = await openRun(talk);
  await watch("socket", withTicket(run, "socket"));
  const send = (message) => person.page.evaluate((text) => window.source.send(text), JSON.stringify(message));
  await send({ type: "session:start", data: {} });
  const asked = await sees("system:waiting_for_input");
  assert.deepEqual([asked.data.node_id, asked.data.prompt], ["ask", "Your name?"]);
  await send({ type: "user:message", data: { text: "Ada" } });
  const finished = await sees("workflow:finished");
  assert.equal(finished.data.output_data, "Hello, Ada");
  await closeSource();
});

test("what can't be taken is answered on the socket, which stays open", async () => {
  const run = await openRun(talk);
  await watch("socket", withTicket(run, "socket"));
  const errors = async () => (await seen()).filter(({ type }) => type === "error:api").map(({ data }) => data.code);
  for (const [n, text] of ["{", '{"type":"no:such"}', '{"type":"user:message","data":{"text":"too early"}}'].entries()) {
    await person.page.evaluate((text) => window.source.send(text), text);
    await eventually("it is told", async () => (await errors()).length === n + 1);
  }
  assert.deepEqual(await errors(), ["BAD_JSON", "BAD_INPUT", "CONFLICT"]);
  assert.equal(await person.page.evaluate(() => window.source.readyState), 1);
  await closeSource();
});

test("a run is ended from outside, and what it waited for ends", async () => {
  const run = await openRun(talk), { execution_id } = (await say(run, "session:start")).json;
  await eventually("it waits", async () => (await logged(execution_id)).some(({ type }) => type === "system:waiting_for_input"));
  assert.equal((await say(run, "session:end")).status, 202);
  await eventually("it is cancelled", async () => (await does("GET", `/api/v1/executions/${execution_id}`)).json.status === "cancelled");
  assert.equal((await say(run, "user:message", { text: "late" })).status, 409);
  assert.equal((await does("GET", `/api/v1/runs/${run.id}`)).json.status, "ended");
});

test("one step alone is run on demand", async () => {
  const run = await openRun(greeting);
  await watch("stream", withTicket(run, "stream"));
  assert.equal((await say(run, "node:execute", { node_id: "greet", input_data: { name: "Eve" } })).status, 202);
  await sees("workflow:finished");
  const done = (await seen()).filter(({ type }) => type === "node:execution_complete");
  assert.deepEqual(done.map(({ data }) => [data.node_id, data.output]), [["greet", { greeting: "Hello, Eve" }]]);
  await closeSource();
  const { execution_id } = (await say(run, "session:start", { input_data: { name: "Ada" } })).json;
  assert.equal((await does("GET", `/api/v1/runs/${run.id}`)).json.execution_id, execution_id, "and the run itself is still to begin");
});

/** Between the browser and nginx: lines that the test can cut. */
async function startCutter() {
  const lines = new Set(), server = net.createServer((client) => {
    const up = net.connect(lw.port, "127.0.0.1");
    lines.add(client);
    for (const [from, to] of [[client, up], [up, client]]) {
      from.on("error", () => to.destroy()).on("close", () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { port: server.address().port, cut: () => lines.forEach((line) => line.destroy()), stop: () => server.close() };
}

test("a browser whose line is cut in the middle of a run misses nothing", async () => {
  const cutter = await startCutter(), run = await openRun(talk);
  const page = await (await browser.newPerson()).page;
  await page.setBypassCSP(true);
  await page.goto(`https://localhost:${cutter.port}/healthz`);
  await watch("stream", withTicket(run, "stream").replace(`:${lw.port}/`, `:${cutter.port}/`), page);
  const { execution_id } = (await say(run, "session:start")).json;
  await sees("system:waiting_for_input", page);
  cutter.cut();
  await say(run, "user:message", { text: "Ada" });
  await sees("workflow:finished", page);
  assert.ok(await page.evaluate(() => window.opened) > 1, "it has connected again");
  assert.deepEqual(await seen(page), await logged(execution_id), "each once, none missing");
  cutter.cut();
  await page.close();
  cutter.stop();
});

test("the events of a run's two executions are told apart, and a stream goes on behind the last one in either", async () => {
  const run = await openRun(greeting), first = await openStream(lw, run);
  const ends = (stream) => stream.events.filter(({ type }) => type === "workflow:finished").length;
  await say(run, "node:execute", { node_id: "greet", input_data: { name: "Eve" } });
  await eventually("the first is over", () => ends(first) === 1);
  first.close();
  const { execution_id } = (await say(run, "session:start", { input_data: { name: "Ada" } })).json;
  await eventually("the second is over", async () => (await logged(execution_id)).some(({ type }) => type === "workflow:finished"));
  const again = await openStream(lw, run, { lastId: first.ids.at(-1) });
  await eventually("the rest comes", () => ends(again) === 1);
  assert.deepEqual(again.events, await logged(execution_id), "what came behind, each once");
  again.close();
  const middle = await openStream(lw, run, { lastId: first.ids[1] });
  await eventually("all of it comes", () => ends(middle) === 2);
  assert.deepEqual(middle.events, [...first.events.slice(2), ...again.events]);
  middle.close();
  const ids = [...first.events, ...again.events].map(({ id }) => id);
  assert.equal(new Set(ids).size, ids.length);
  assert.ok(first.events.some(({ number }) => number === again.events[0].number), "their numbers go side by side");
});

/* --- who may ------------------------------------------------------------------------------ */

const get = (uri, headers = {}) => lw.api("GET", uri, { headers, unchecked: true });

test("a stream opens for its own ticket and no other", async () => {
  const [run, another] = [await openRun(talk), await openRun(talk)], at = (ticket) => `/api/v1/runs/${run.id}/stream?ticket=${ticket}`;
  const stream = { Accept: "text/event-stream" };
  assert.equal((await get(at(another.ticket), stream)).json.code, "BAD_TOKEN");
  const flipped = run.ticket.slice(0, -8) + (run.ticket.at(-8) === "A" ? "B" : "A") + run.ticket.slice(-7);
  assert.equal((await get(at(flipped), stream)).json.code, "BAD_TOKEN");
  assert.equal((await get(`/api/v1/runs/${run.id}/stream`, stream)).json.code, "NO_TOKEN");
  assert.equal((await get(`/api/v1/runs/${run.id}/stream`, { ...stream, Authorization: `Bearer ${other}` })).status, 404);
  assert.equal((await get(at(run.ticket))).status, 400, "that is no EventSource");
  assert.equal((await say({ id: run.id }, "nonsense")).status, 400);
  assert.equal((await does("POST", `/api/v1/runs/${run.id}/messages`, { type: "session:end" }, other)).status, 404);
  assert.equal((await does("POST", "/api/v1/runs", { workflow_id: talk.id }, other)).status, 404);
});

test("a ticket ends with the session that it was made in", async () => {
  const session = await lw.login(owner.email, owner.password), run = await openRun(talk, session.access_token);
  assert.equal((await does("POST", "/api/v1/auth/logout", undefined, session.access_token)).status, 204);
  assert.equal((await get(`/api/v1/runs/${run.id}/stream?ticket=${run.ticket}`, { Accept: "text/event-stream" })).json.code, "SESSION_ENDED");
});

test("a ticket ends with the API token that it was made with", async () => {
  const made = (await does("POST", "/api/v1/tokens", { name: "backend", scopes: ["workflows:run"] })).json, run = await openRun(talk, made.token);
  const message = () => lw.api("POST", `/api/v1/runs/${run.id}/socket?ticket=${run.ticket}`, { body: { type: "workflow:advance" } });
  assert.equal((await message()).status, 200, "refused as too early, by an event");
  assert.equal((await does("DELETE", `/api/v1/tokens/${made.id}`)).status, 204);
  const refusal = await message();
  assert.deepEqual([refusal.status, refusal.json.code], [401, "SESSION_ENDED"]);
});

test("who steered a run is in the audit trail", async () => {
  const run = await openRun(talk);
  await say(run, "session:start");
  await lw.api("POST", `/api/v1/runs/${run.id}/socket?ticket=${run.ticket}`, { body: { type: "session:end" } });
  const rows = (await does("GET", `/api/v1/audit?target=${run.id}&action=run.message`)).json;
  assert.deepEqual(rows.map(({ details }) => details.type), ["session:end", "session:start"]);
});

test("another site's page can't open a socket with a person's cookie", async () => {
  const run = await openRun(talk), who = await browser.newPerson();
  await who.signIn(lw.url, owner);
  const cookies = (await who.page.cookies(lw.url)).map(({ name, value }) => `${name}=${value}`).join("; ");
  const handshake = (origin) => rawRequest(lw.url, `GET /api/v1/runs/${run.id}/socket HTTP/1.1\r\nHost: localhost\r\nOrigin: ${origin}\r\nCookie: ${cookies}\r\n` +
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", { ca: lw.ca, wait: 3000 });
  assert.match(String(await handshake("https://evil.example")), /^HTTP\/1.1 403/);
  assert.match(String(await handshake(lw.url)), /^HTTP\/1.1 101/);
});

test("nobody reaches nginx's own places from outside", async () => {
  const run = await openRun(talk);
  for (const uri of [`/_live/stream/${run.id}/req-x`, `/_live/say/${run.id}/${run.ticket}`, `/run/${run.id}`, `/_live/answer/exec-${"0".repeat(26)}/req-x`])
    assert.equal((await get(uri, { Accept: "text/event-stream" })).status, 404, uri);
});

/* --- what it costs -------------------------------------------------------------------------- */

test("two thousand who only watch hold no process of the pools", async () => {
  const run = await openRun(talk), agent = new https.Agent({ keepAlive: true, maxSockets: Infinity, ca: lw.ca }), lines = [];
  const open = () => new Promise((opened, failed) => {
    const asked = https.get(withTicket(run, "stream"), { agent, headers: { Accept: "text/event-stream" } }, (answer) => {
      lines.push(answer);
      answer.resume();
      return answer.statusCode === 200 ? opened() : failed(new Error(`${lines.length}: ${answer.statusCode}`));
    });
    asked.on("error", failed);
  });
  for (let n = 0; n < 2000; n += 50)
    await Promise.all(Array.from({ length: 50 }, open));
  const metrics = String(lw.metrics ? await lw.metrics("front") : "");
  assert.equal((await execute(lw, token, greeting, { name: "Ada" })).status, "completed");
  const answers = await Promise.all(Array.from({ length: 20 }, () => does("GET", `/api/v1/workflows/${greeting.id}`)));
  assert.ok(answers.every(({ status }) => status === 200), metrics);
  lines.forEach((line) => line.destroy());
  agent.destroy();
});

/* --- how long a line stays open --------------------------------------------------------------- */

/** nginx with other times; where it can't be told from outside that it has read them, its processes are new. */
async function changeTimes(...changes) {
  const file = lw.at("etc/nginx/latchwork.conf"), main = lw.at("etc/nginx/nginx.conf"), pid = Number(fs.readFileSync(lw.at("run/nginx.pid"), "utf8"));
  for (const path of [file, main])
    fs.writeFileSync(path, changes.reduce((text, [from, to]) => text.replaceAll(from, to), fs.readFileSync(path, "utf8")));
  const before = new Set(children(pid));
  process.kill(pid, "SIGHUP");
  await eventually("its processes are new", () => children(pid).filter((child) => !before.has(child)).length >= os.cpus().length);
  await eventually("connections are new too", () => get("/healthz").then(({ status }) => status === 200, () => false));
}

test("an open stream and an open socket end when the session has ended that they were opened in", async () => {
  await changeTimes(["nchan_subscriber_timeout 5m", "nchan_subscriber_timeout 2s"], ["worker_shutdown_timeout 95s", "worker_shutdown_timeout 1s"]);
  const session = await lw.login(owner.email, owner.password), run = await openRun(talk, session.access_token);
  const socketPage = await (await browser.newPerson()).page;
  await socketPage.setBypassCSP(true);
  await socketPage.goto(`${lw.url}/healthz`);
  await watch("stream", withTicket(run, "stream"));
  await watch("socket", withTicket(run, "socket"), socketPage);
  const { execution_id } = (await say(run, "session:start")).json;
  await eventually("the stream was opened again", () => person.page.evaluate(() => window.opened > 1), 150);
  assert.deepEqual(await seen(), await logged(execution_id), "and nothing came twice");
  assert.equal((await does("POST", "/api/v1/auth/logout", undefined, session.access_token)).status, 204);
  await eventually("it is closed for good", () => person.page.evaluate(() => window.source.readyState === EventSource.CLOSED), 150);
  await eventually("so is the socket", () => socketPage.evaluate(() => window.source.readyState === WebSocket.CLOSED), 150);
  await say(run, "user:message", { text: "Ada" });
  await eventually("it is over", async () => (await logged(execution_id)).some(({ type }) => type === "workflow:finished"));
  for (const page of [person.page, socketPage])
    assert.equal((await seen(page)).some(({ type }) => type === "workflow:finished"), false);
  await socketPage.close();
});

test("who watches while nginx reads its configuration again is not left behind with a process that hears nothing", async () => {
  await changeTimes(["nchan_subscriber_timeout 2s", "nchan_subscriber_timeout 5m"]);
  const run = await openRun(talk);
  await watch("stream", withTicket(run, "stream"));
  const { execution_id } = (await say(run, "session:start")).json;
  await sees("system:waiting_for_input");
  await changeTimes();
  await eventually("the stream was opened again", () => person.page.evaluate(() => window.opened > 1), 150);
  await say(run, "user:message", { text: "Ada" });
  await sees("workflow:finished");
  assert.deepEqual(await seen(), await logged(execution_id));
  await closeSource();
});
