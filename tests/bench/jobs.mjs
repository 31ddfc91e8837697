// Jobs claimed and finished a second, beside a bare claim loop in as many processes: with few and with very many queued.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { median } from "./load.mjs";
import { eventually, programs } from "./stack.mjs";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Jobs that do nothing: what they are about isn't there. All are due, and all are there at once: a worker may be waiting for them. */
function fill(stack, database, count) {
  stack.sql(`SET SESSION unique_checks = 0; TRUNCATE TABLE job_history; CREATE OR REPLACE TABLE job_filled LIKE job;
    INSERT INTO job_filled (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    SELECT 0x${stack.tenant}, CONCAT(UNHEX(LPAD(HEX(UNIX_TIMESTAMP() * 1000), 12, '0')), RANDOM_BYTES(10)), 'event', 'event_process', 'live',
      seq, RANDOM_BYTES(16), '{}', 1 FROM seq_1_to_${count}; ANALYZE TABLE job_filled;
    DROP TABLE IF EXISTS job_done; RENAME TABLE job TO job_done, job_filled TO job; DROP TABLE job_done`, database);
}

function runFloor(stack, processes, count, seconds) {
  fill(stack, "latchwork_floor", count);
  const { jobs, seconds: took } = JSON.parse(execFileSync(path.join(programs, "jobs_floor"),
    [String(processes), String(seconds), stack.environment.LATCHWORK_DB_SOCKET, os.userInfo().username, "latchwork_floor"], { encoding: "utf8" }));
  return jobs / took;
}

/** As the pools do when they have added a job. */
export function ring(stack) {
  const bell = /^\[worker\][^[]*^bell = (.+)$/m.exec(fs.readFileSync(stack.conf, "utf8"))[1];
  execFileSync("python3", ["-c", "import socket, sys; socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'.', sys.argv[1])", bell]);
}

/** From the first to the last that was finished, by their own times: of those of the first `seconds`. The worker runs, and has had nothing to do. */
async function runProduct(stack, count, seconds) {
  fill(stack, "latchwork", count);
  ring(stack);
  await eventually("the first job is done", () => stack.sql("SELECT 1 FROM job_history LIMIT 1").length > 0);
  await pause(seconds * 1000);
  const [[n, took]] = stack.sql("SELECT COUNT(*), (MAX(finished_at) - MIN(finished_at)) / 1000 FROM job_history");
  stack.sql("TRUNCATE TABLE job"); // the next run of the floor is alone
  return n / took;
}

export async function jobs(stack, { sizes, rounds, seconds }) {
  const processes = Number(/^\[worker\][^[]*^processes = (\d+)$/m.exec(fs.readFileSync(stack.conf, "utf8"))?.[1] ?? 5);
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
  return found;
}
