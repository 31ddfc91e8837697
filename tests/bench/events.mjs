// Webhook deliveries that were acknowledged a second, signed, through nginx and durable, beside a bare loop of the
// transaction that stores them from as many connections; and how long one takes when they come at half of that rate.
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { CONNECTIONS, load, median } from "./load.mjs";
import { programs } from "./stack.mjs";

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "events.lua");
const SENDERS = 128; // at half of the rate: many that send now and then
export const BODY = JSON.stringify({ action: "opened", repository: { full_name: "o/r" }, issue: { number: 1, title: "It is broken", body: "x".repeat(900) } });
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

export async function connect(stack) {
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
  const before = count(stack), ran = await load(stack.url, sender(hook, CONNECTIONS), seconds);
  if (count(stack) - before < ran.requests)
    throw new Error(`${ran.requests} events were acknowledged, ${count(stack) - before} are there`);
  return ran;
}

const sender = (hook, connections, pause) => ({ name: "events", connections, script, environment: {
  EVENTS_PATH: hook.path, EVENTS_BODY: BODY, EVENTS_SIGNATURE: hook.signature, EVENTS_RUN: crypto.randomBytes(6).toString("hex"),
  ...pause && { EVENTS_PAUSE_MS: String(pause) } } });

/** Deliveries that come by chance, `rate` a second in the long run. */
async function paced(stack, hook, rate, seconds) {
  const pause = (SENDERS * 1000) / rate;
  await load(stack.url, sender(hook, SENDERS, pause), 1);
  const ran = await load(stack.url, sender(hook, SENDERS, pause), seconds);
  return { rate: ran.rate, p50: ran.p50 / 1000, p99: ran.p99 / 1000 };
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
