// How long one tenant's event waits while another's backlog is worked through, beside how long it waits when nothing else
// is to do: in the queue, until a worker has claimed it, and altogether, from the provider's 200 to its being processed.
import { spawn } from "node:child_process";
import crypto from "node:crypto";
import https from "node:https";
import os from "node:os";
import { request } from "../e2e/lib/http.mjs";
import { BODY, connect } from "./events.mjs";
import { ring } from "./jobs.mjs";
import { median } from "./load.mjs";
import { eventually } from "./stack.mjs";

// Its id is before all others: its turn comes first.
const CROWD = `0x${"01".padEnd(32, "0")}`;
const SAMPLES = 80;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const nowMs = () => performance.timeOrigin + performance.now();
const at95 = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length * 0.95)];

/** Events as the intake leaves them, all there at once, each with its job. */
function addBacklog(stack, events) {
  const id = (seq) => `CONCAT(UNHEX(LPAD(HEX(@ms), 12, '0')), UNHEX(LEFT(MD5(${seq}), 20)))`;
  stack.sql(`SET @ms = UNIX_TIMESTAMP() * 1000; SET SESSION unique_checks = 0; DELETE FROM event WHERE tenant_id = ${CROWD}; BEGIN;
    INSERT INTO event (tenant_id, event_id, connector_id, provider, type, status, received_at, headers, body)
      SELECT ${CROWD}, ${id("seq")}, REPEAT('c', 16), 'github', 'issues', 'received', @ms, '{}', '${BODY}' FROM seq_1_to_${events};
    INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
      SELECT ${CROWD}, ${id("seq")}, 'event', 'event_process', 'live', @ms, ${id("seq")}, '{}', @ms FROM seq_1_to_${events};
    COMMIT`);
}

const backlog = (stack) => Number(stack.sql(`SELECT COUNT(*) FROM job WHERE tenant_id = ${CROWD}`)[0][0]);

/**
 * Tells when the tenant's next event is there, when its job was claimed and when it is processed: as others see it, who look
 * every third of a millisecond. The product's own times are whole milliseconds, and those of a job's beginning.
 */
class Witness {
  constructor(stack, tenant) {
    this.tenant = tenant;
    [[this.last]] = stack.sql(`SELECT HEX(COALESCE(MAX(event_id), REPEAT('\\0', 16))) FROM event WHERE tenant_id = 0x${tenant}`);
    stack.sql(`DELIMITER //
      CREATE OR REPLACE PROCEDURE watch(in_tenant BINARY(16), last_id BINARY(16))
      BEGIN
        DECLARE now_id BINARY(16) DEFAULT last_id;
        DECLARE now_status VARCHAR(16);
        DECLARE waiting INT;
        DECLARE latest DATETIME DEFAULT SYSDATE() + INTERVAL 1 MINUTE;
        DECLARE there_at, claimed_at DECIMAL(20, 3) DEFAULT NULL;
        REPEAT
          DO SLEEP(0.0003);
          SELECT event_id, status INTO now_id, now_status FROM latchwork.event WHERE tenant_id = in_tenant ORDER BY event_id DESC LIMIT 1;
          IF now_id > last_id THEN
            SET there_at = COALESCE(there_at, UNIX_TIMESTAMP(SYSDATE(6)) * 1000);
            SELECT COUNT(*) INTO waiting FROM latchwork.job WHERE tenant_id = in_tenant AND subject_id = now_id AND worker IS NULL;
            SET claimed_at = IF(waiting = 0, COALESCE(claimed_at, UNIX_TIMESTAMP(SYSDATE(6)) * 1000), NULL);
          END IF;
          IF SYSDATE() > latest THEN
            SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'an event is not processed within a minute';
          END IF;
        UNTIL now_id > last_id AND now_status = 'processed' END REPEAT;
        SELECT HEX(now_id), there_at, claimed_at, UNIX_TIMESTAMP(SYSDATE(6)) * 1000;
      END //`, "latchwork_floor");
    const socket = stack.environment.LATCHWORK_DB_SOCKET, { username } = os.userInfo();
    this.client = spawn("mariadb", ["--no-defaults", "--batch", "--skip-column-names", "--unbuffered", `--socket=${socket}`, `--user=${username}`,
      "latchwork_floor"], { stdio: ["pipe", "pipe", "inherit"] });
    this.lines = this.client.stdout.setEncoding("utf8")[Symbol.asyncIterator]();
  }

  begin() {
    this.client.stdin.write(`CALL watch(0x${this.tenant}, 0x${this.last});\n`);
  }

  async end() {
    const { value: line, done } = await this.lines.next();
    if (done)
      throw new Error("the witness has gone");
    const [id, ...times] = line.trim().split("\t");
    this.last = id;
    const [there, claimed, processed] = times.map(Number);
    return { there, claimed, processed };
  }

  close() {
    this.client.stdin.end();
  }
}

/** One event after the other, at times that have nothing to do with each other. */
async function sample(stack, hook, witness, agent) {
  const found = [];
  for (let i = 0; i < SAMPLES; i++) {
    witness.begin();
    await pause(20 + Math.random() * 60);
    const headers = { "Content-Type": "application/json", "X-GitHub-Event": "issues", "X-GitHub-Delivery": crypto.randomUUID(),
      "X-Hub-Signature-256": hook.signature };
    const answer = await request(stack.url, { method: "POST", path: hook.path, ca: stack.ca, agent, body: BODY, headers });
    const acknowledged = nowMs();
    if (answer.status !== 200)
      throw new Error(`an event wasn't taken: ${answer.status} ${answer.text}`);
    const { there, claimed, processed } = await witness.end();
    found.push({ queue: claimed - there, wait: Math.max(0, processed - acknowledged) });
  }
  return found;
}

/** The tenant alone, and then beside the other's backlog. */
async function round(stack, hook, witness, agent, events) {
  await pause(1000);
  const quiet = await sample(stack, hook, witness, agent);
  addBacklog(stack, events);
  ring(stack);
  await eventually("the backlog is worked at", () => backlog(stack) < events);
  const beside = await sample(stack, hook, witness, agent);
  if (backlog(stack) === 0)
    throw new Error("the backlog was over before the last event");
  stack.sql("TRUNCATE TABLE job");
  return { quiet, beside };
}

/** Both in turn; `ratio` is the median of the rounds' own ratios of medians. */
function summary(runs, key) {
  const of = (run, which) => run[which].map((one) => one[key]);
  const both = (which) => {
    const all = runs.flatMap((run) => of(run, which));
    return { p50: median(all), p95: at95(all) };
  };
  return { quiet: both("quiet"), beside: both("beside"), ratio: median(runs.map((run) => median(of(run, "beside")) / median(of(run, "quiet")))) };
}

export async function fairness(stack, { events, rounds }) {
  const hook = await connect(stack), witness = new Witness(stack, stack.tenant), agent = new https.Agent({ keepAlive: true }), runs = [];
  try {
    for (let i = 0; i < rounds; i++)
      runs.push(await round(stack, hook, witness, agent, events));
  } finally {
    witness.close();
    agent.destroy();
  }
  stack.sql(`DELETE FROM event WHERE tenant_id = ${CROWD}`);
  return { events, wait: summary(runs, "wait"), queue: summary(runs, "queue") };
}
