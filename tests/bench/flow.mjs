// Executions of a workflow of two steps: how many a second, from a trigger's request to the answer that it has finished
// and from a full queue, with little and with much history; and what the processes then hold.
import fs from "node:fs";
import { load, median, subject } from "./load.mjs";
import { eventually } from "./stack.mjs";

const CONNECTIONS = 16;
const STEPS = [
  { id: "total", type: "transform", config: { expression: "{name: .input.name, total: ([.input.items[] | .price * .count] | add)}" } },
  { id: "answer", type: "respond", config: { body: { text: "Thank you, {{ .steps.total.name }}", total: "{{ .steps.total.total }}" } } },
];
const ORDER = { name: "Ada", items: [{ price: 12, count: 2 }, { price: 5, count: 3 }] };
const pause = (ms) => new Promise((done) => setTimeout(done, ms));
/** Executions that aren't over: looking through all of them would be a load of its own. */
const left = (stack) => Number(stack.sql("SELECT COUNT(*) FROM job WHERE queue = 'automation'")[0][0]);
const count = (stack, where) => Number(stack.sql(`SELECT COUNT(*) FROM execution WHERE ${where}`)[0][0]);

async function makeTrigger(stack) {
  const { token } = stack, body = { name: "two steps", definition: { steps: STEPS, dependencies: { answer: ["total"] } } };
  const { id } = await stack.api("POST", "/api/v1/workflows", { token, body });
  const trigger = { name: "orders", method: "POST", auth_type: "none", respond: "when_finished", rate_limit: 0 };
  const { webhook_url: url } = await stack.api("POST", `/api/v1/webhooks/${id}/triggers`, { token, body: trigger });
  return { workflow: id, path: new URL(url).pathname };
}

/** As if it had run so often before: `table` rows of one execution that did, under new ids of the days before. */
function addHistory(stack, size) {
  const have = count(stack, "TRUE"), [[id]] = stack.sql("SELECT HEX(execution_id) FROM execution WHERE status = 'completed' LIMIT 1");
  for (const table of ["execution", "execution_step", "execution_event"]) {
    const columns = stack.sql(`SELECT column_name FROM information_schema.columns WHERE table_schema = 'latchwork' AND table_name = '${table}'`).map(([name]) => name);
    const values = columns.map((name) => (name === "execution_id" ? "CONCAT(UNHEX(LPAD(HEX(UNIX_TIMESTAMP() * 1000 - 60000 - seq), 12, '0')), UNHEX(MD5(seq)) )" : `one.${name}`));
    const fitting = values.map((value) => (value.startsWith("CONCAT") ? `LEFT(${value}, 16)` : value));
    for (let from = have + 1; from <= size; from += 50000)
      stack.sql(`SET SESSION unique_checks = 0; INSERT INTO ${table} (${columns}) SELECT ${fitting} FROM seq_${from}_to_${Math.min(size, from + 49999)}
        JOIN ${table} one WHERE one.execution_id = UNHEX('${id}')`);
  }
  stack.sql("ANALYZE TABLE execution, execution_step, execution_event");
}

/** Each request is answered when its execution has finished: what is answered isn't said before it is so. */
async function awaited(stack, directory, trigger, seconds) {
  const what = subject(directory, { name: "when_finished", paths: [trigger.path], method: "POST", body: ORDER, connections: CONNECTIONS });
  const before = count(stack, "status = 'completed'"), ran = await load(stack.url, what, seconds);
  await eventually("all have ended", () => left(stack) === 0, 60);
  if (count(stack, "status = 'completed'") - before < ran.requests)
    throw new Error("an execution was answered for that didn't finish");
  return ran;
}

/** A queue that was full when the worker began: from the first to the last that ended, by their own times. */
async function queued(stack, directory, trigger, seconds) {
  stack.worker("stop");
  await load(stack.url, subject(directory, { name: "queue", paths: [trigger.queued], method: "POST", body: ORDER, connections: CONNECTIONS }), seconds);
  const [[first]] = stack.sql("SELECT HEX(MIN(subject_id)) FROM job WHERE queue = 'automation'"), n = left(stack);
  stack.worker("start");
  await eventually("all have ended", () => left(stack) === 0, 300);
  const [[took]] = stack.sql(`SELECT (MAX(completed_at) - MIN(completed_at)) / 1000 FROM execution WHERE execution_id >= UNHEX('${first}')`);
  return n / took;
}

/** Round trips to MariaDB for one execution, from the request on, with what the chores need meanwhile. */
async function roundTrips(stack, directory, trigger) {
  const counted = () => stack.sql("SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_stmt_execute', 'Com_begin', 'Com_commit')").reduce((sum, [, n]) => sum + Number(n), 0);
  const before = counted(), ran = await awaited(stack, directory, trigger, 2);
  return (counted() - before) / ran.requests;
}

const rss = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]) / 1024;
const children = (pid) => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);

export async function flow(stack, directory, { sizes, rounds, seconds }) {
  const trigger = await makeTrigger(stack), found = [];
  const { webhook_url: url } = await stack.api("POST", `/api/v1/webhooks/${trigger.workflow}/triggers`, { token: stack.token,
    body: { name: "queue", method: "POST", auth_type: "none", respond: "immediately", rate_limit: 0 } });
  trigger.queued = new URL(url).pathname;
  await awaited(stack, directory, trigger, 1);
  for (const size of sizes) {
    addHistory(stack, size);
    await awaited(stack, directory, trigger, 1);
    const runs = [], queue = [];
    for (let i = 0; i < rounds; i++) {
      runs.push(await awaited(stack, directory, trigger, seconds));
      queue.push(await queued(stack, directory, trigger, seconds));
    }
    const of = (key) => median(runs.map((run) => run[key]));
    found.push({ size, rate: of("rate"), p50: of("p50"), p99: of("p99"), queued: median(queue) });
  }
  const trips = await roundTrips(stack, directory, trigger);
  await pause(1000);
  const workers = children(stack.pids()["latch-worker"][0]);
  return { sizes: found, roundTrips: trips, cost: found[0].rate / found.at(-1).rate, rss: Math.max(...workers.map(rss)) };
}
