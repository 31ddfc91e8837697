// Jobs claimed and finished a second, beside a bare claim loop in as many processes: with few and with very many queued.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { median } from "./load.mjs";
import { eventually, programs } from "./stack.mjs";

/** Jobs that do nothing: what they are about isn't there. All are due. */
function fill(stack, database, count) {
  stack.sql(`SET SESSION unique_checks = 0; TRUNCATE TABLE job; DELETE FROM job_history;
    INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    SELECT 0x${stack.tenant}, CONCAT(UNHEX(LPAD(HEX(UNIX_TIMESTAMP() * 1000), 12, '0')), RANDOM_BYTES(10)), 'event', 'event_process', 'live',
      seq, RANDOM_BYTES(16), '{}', 1 FROM seq_1_to_${count}; ANALYZE TABLE job`, database);
}

function runFloor(stack, processes, count, seconds) {
  fill(stack, "latchwork_floor", count);
  const { jobs, seconds: took } = JSON.parse(execFileSync(path.join(programs, "jobs_floor"),
    [String(processes), String(seconds), stack.environment.LATCHWORK_DB_SOCKET, os.userInfo().username, "latchwork_floor"], { encoding: "utf8" }));
  return jobs / took;
}

/** From the first to the last that was finished, by their own times: of those of the first `seconds`. */
async function runProduct(stack, count, seconds) {
  const done = () => Number(stack.sql("SELECT COUNT(*) FROM job_history")[0][0]);
  stack.worker("stop");
  fill(stack, "latchwork", count);
  stack.worker("start");
  await eventually("the first job is done", () => done() > 0);
  const end = Date.now() + seconds * 1000;
  await eventually("the time is over", () => Date.now() >= end || done() >= count, seconds + 20);
  const [[n, took]] = stack.sql("SELECT COUNT(*), (MAX(finished_at) - MIN(finished_at)) / 1000 FROM job_history");
  return n / took;
}

export async function jobs(stack, { sizes, rounds, seconds }) {
  const processes = Number(/^\[worker\][^[]*^processes = (\d+)$/m.exec(fs.readFileSync(stack.conf, "utf8"))?.[1] ?? 3);
  for (const table of ["job", "job_history"])
    stack.sql(`DROP TABLE IF EXISTS ${table}; CREATE TABLE ${table} LIKE latchwork.${table}`, "latchwork_floor");
  const found = [];
  for (const size of sizes) {
    const runs = [];
    for (let i = 0; i < rounds; i++) {
      const before = runFloor(stack, processes, size, seconds), rate = await runProduct(stack, size, seconds);
      runs.push({ floor: before, rate, ratio: rate / before });
    }
    const of = (key) => median(runs.map((run) => run[key]));
    found.push({ size, floor: of("floor"), rate: of("rate"), ratio: of("ratio") });
  }
  stack.sql("TRUNCATE TABLE job; DELETE FROM job_history");
  return found;
}
