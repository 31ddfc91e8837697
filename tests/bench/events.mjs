// Webhook deliveries that were acknowledged a second, signed, through nginx and durable, beside a bare loop of the
// transaction that stores them from as many connections; and how long one takes when they come at half of that rate.
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import https from "node:https";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { request } from "../e2e/lib/http.mjs";
import { CONNECTIONS, load, median } from "./load.mjs";
import { programs } from "./stack.mjs";

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "events.lua");
const SOCKETS = 256; // below what nginx lets one address have; who waits for one waits on the clock
const BODY = JSON.stringify({ action: "opened", repository: { full_name: "o/r" }, issue: { number: 1, title: "It is broken", body: "x".repeat(900) } });
const TABLES = ["event_key", "event", "job", "audit"];

/** The same rows as the intake's, nothing looked at before. */
function makeFloor(stack) {
  for (const table of TABLES)
    stack.sql(`DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} LIKE latchwork.${table}`, "latchwork_floor");
  stack.sql(`DELIMITER //
    CREATE OR REPLACE FUNCTION floor_intake(in_event BINARY(16), in_key BINARY(32), in_job BINARY(16), in_audit BINARY(16), in_body MEDIUMBLOB)
    RETURNS INT MODIFIES SQL DATA
    BEGIN
      INSERT INTO event_key (connector_id, key_hash, event_id) VALUES (REPEAT('c', 16), in_key, in_event);
      INSERT INTO event (tenant_id, event_id, connector_id, provider, type, status, provider_event_id, received_at, headers, body)
      VALUES (REPEAT('t', 16), in_event, REPEAT('c', 16), 'github', 'issues', 'received', HEX(in_key), 1, REPEAT('h', 120), in_body);
      INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
      VALUES (REPEAT('t', 16), in_job, 'event', 'event_process', 'live', 1, in_event, '{}', 1);
      INSERT INTO audit (audit_id, tenant_id, at, actor_kind, action, outcome, target_kind, target_id, service, address, request_id)
      VALUES (in_audit, REPEAT('t', 16), 1, 'nobody', 'event.receive', 'ok', 'evt', in_event, 'github', '127.0.0.1', in_audit);
      RETURN 1;
    END //`, "latchwork_floor");
}

function runFloor(stack, seconds) {
  const { events, seconds: took } = JSON.parse(execFileSync(path.join(programs, "events_floor"), [String(stack.workers), String(seconds),
    String(BODY.length), stack.environment.LATCHWORK_DB_SOCKET, os.userInfo().username, "latchwork_floor"], { encoding: "utf8" }));
  return events / took;
}

async function connect(stack) {
  const { token } = stack, key = crypto.randomBytes(24).toString("hex");
  const { id: credential_id } = await stack.api("POST", "/api/v1/credentials", { token, body: { name: "events", type: "api_key", service: "github",
    data: { api_key: "ghp-0123456789abcdef", extra: { webhook_secret: key } } } });
  const { id } = await stack.api("POST", "/api/v1/connectors", { token, body: { connector_type: "github", credential_id } });
  const { webhook_url: url } = await stack.api("POST", `/api/v1/connectors/${id}/webhook-secret`, { token });
  return { path: new URL(url).pathname, signature: `sha256=${crypto.createHmac("sha256", key).update(BODY).digest("hex")}` };
}

const count = (stack) => Number(stack.sql("SELECT COUNT(*) FROM event")[0][0]);

/** What was acknowledged is there, or it isn't a measurement. */
async function runProduct(stack, hook, seconds) {
  const before = count(stack), run = crypto.randomBytes(6).toString("hex");
  const ran = await load(stack.url, { name: "events", connections: CONNECTIONS, script,
    environment: { EVENTS_PATH: hook.path, EVENTS_BODY: BODY, EVENTS_SIGNATURE: hook.signature, EVENTS_RUN: run } }, seconds);
  if (count(stack) - before < ran.requests)
    throw new Error(`${ran.requests} events were acknowledged, ${count(stack) - before} are there`);
  return ran;
}

/**
 * Each delivery at its time, whatever became of those before it: from that time until its answer. Those of the first
 * second open their connections and don't count.
 */
async function paced(stack, hook, rate, seconds) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: SOCKETS }), took = [], all = [], began = performance.now() + 100, settled = began + 1000;
  let failed;
  const one = async (at, id) => {
    const answer = await request(stack.url, { method: "POST", path: hook.path, ca: stack.ca, agent, body: BODY,
      headers: { "content-type": "application/json", "x-github-event": "issues", "x-github-delivery": id, "x-hub-signature-256": hook.signature } });
    if (answer.status !== 200)
      throw new Error(`an event was answered with ${answer.status}`);
    if (at >= settled)
      took.push(performance.now() - at);
  };
  for (let i = 0; i < rate * (seconds + 1); i++) {
    const at = began + (i * 1000) / rate;
    while (performance.now() < at)
      await new Promise((done) => (at - performance.now() > 2 ? setTimeout(done, 1) : setImmediate(done)));
    all.push(one(at, crypto.randomUUID()).catch((error) => { failed ??= error; }));
  }
  await Promise.all(all);
  agent.destroy();
  if (failed)
    throw failed;
  took.sort((a, b) => a - b);
  return { rate, p50: took[Math.floor(took.length / 2)], p99: took[Math.floor(took.length * 0.99)] };
}

export async function events(stack, { rounds, seconds }) {
  const hook = await connect(stack), runs = [];
  makeFloor(stack);
  stack.worker("stop"); // what is taken in can be handed on later: both sides only store
  await runProduct(stack, hook, 1);
  for (let i = 0; i < rounds; i++) {
    const before = runFloor(stack, seconds), { rate, p99 } = await runProduct(stack, hook, seconds), floor = (before + runFloor(stack, seconds)) / 2;
    runs.push({ floor, rate, p99, ratio: rate / floor });
  }
  const of = (key) => median(runs.map((run) => run[key]));
  const half = await paced(stack, hook, Math.max(1, Math.floor(of("rate") / 2)), seconds);
  stack.sql("TRUNCATE TABLE job");
  stack.worker("start");
  return { floor: of("floor"), rate: of("rate"), ratio: of("ratio"), p99: of("p99"), half };
}
