// Runs of wrk, and what is made of them.
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const script = path.join(path.dirname(fileURLToPath(import.meta.url)), "load.lua");
export const CONNECTIONS = 32;

/**
 * A subject of measurement: {name, paths, method, token, body, connections}. The files that the script reads
 * are written once, below `directory`.
 */
export function subject(directory, { name, paths, method = "GET", token, body, connections = CONNECTIONS }) {
  const file = (suffix, text) => {
    const at = path.join(directory, `${name.replace(/[^a-z0-9]+/gi, "-")}.${suffix}`);
    fs.writeFileSync(at, text, { mode: 0o600 });
    return at;
  };
  return {
    name, connections,
    environment: {
      BENCH_PATHS: file("paths", paths.join("\n")), BENCH_METHOD: method,
      BENCH_TOKEN: token ? file("token", token) : "", BENCH_BODY: body ? file("body", JSON.stringify(body)) : "",
    },
  };
}

/** One run: {rate, p50, p99 (microseconds), refused}. A run with broken requests isn't a measurement. */
export async function load(url, what, seconds) {
  const child = spawn("wrk", ["--threads", "2", "--connections", String(what.connections), "--duration", `${seconds}s`,
    "--timeout", "20s", "--latency", "--script", what.script ?? script, url], { env: { PATH: process.env.PATH, ...what.environment } });
  let out = "", err = "";
  child.stdout.on("data", (text) => { out += text; });
  child.stderr.on("data", (text) => { err += text; });
  await new Promise((done, failed) => child.once("close", done)
    .once("error", () => failed(new Error("wrk can't be run: on Debian it is the package wrk"))));
  const line = out.split("\n").find((text) => text.startsWith("{"));
  if (!line)
    throw new Error(`wrk, ${what.name}: ${out}${err}`);
  const ran = JSON.parse(line);
  if (ran.refused > 0 || ran.broken > 0 || ran.requests === 0)
    throw new Error(`wrk, ${what.name}: of ${ran.requests} requests ${ran.refused} were refused, ${ran.broken} broke`);
  return { rate: ran.requests / (ran.micros / 1e6), p50: ran.p50, p99: ran.p99, requests: ran.requests };
}

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b), half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The medians of several runs. `ratio` is the median of the runs' own ratios. */
export function summary(runs) {
  const of = (key) => median(runs.map((run) => run[key]));
  return { rate: of("rate"), p50: of("p50"), p99: of("p99"), ...runs[0].ratio !== undefined && { ratio: of("ratio") } };
}

/**
 * The floor between any two subjects, round after round: the machine is shared and its speed drifts, so each
 * run is compared with the floor just before and just after it.
 */
export async function compare(url, floor, subjects, { seconds, rounds }) {
  const runs = new Map(subjects.map((one) => [one, []])), floors = [await load(url, floor, seconds)];
  for (let round = 0; round < rounds; round++) {
    for (const one of subjects) {
      const ran = await load(url, one, seconds), before = floors.at(-1);
      floors.push(await load(url, floor, seconds));
      runs.get(one).push({ ...ran, ratio: ran.rate / ((before.rate + floors.at(-1).rate) / 2) });
    }
  }
  return { floor: summary(floors), subjects: subjects.map((one) => ({ name: one.name, ...summary(runs.get(one)) })) };
}
