// The table that people read, and the targets.
const number = (value, digits = 0) => value.toFixed(digits).replace(/\B(?=(\d{3})+(?!\d))/g, " ");
const milliseconds = (micros) => (micros / 1000).toFixed(2);

function table(head, rows) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells) => cells.map((cell, i) => i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i])).join("  ");
  console.log([line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n") + "\n");
}

function printRoutes({ floor, routes }) {
  const row = (name, { rate, p50, p99, ratio, roundTrips }) =>
    [name, number(rate), milliseconds(p50), milliseconds(p99), (p99 / p50).toFixed(1), ratio?.toFixed(2) ?? "1.00",
      roundTrips?.toFixed(2) ?? "1.00"];
  table(["route", "requests/s", "p50 ms", "p99 ms", "p99/p50", "of floor", "round trips"],
    [row(`floor (${floor.way}, ${floor.processes} processes)`, routes.floor), ...routes.subjects.map((one) => row(one.name, one))]);
}

function printRest(found) {
  if (found.sizes)
    table(["credentials", "GET {id}/s", "of floor", "cost", "GET 50/s", "of floor", "cost"], found.sizes.map((at) =>
      [number(at.size), number(at.get.rate), at.get.ratio.toFixed(2), at.getCost.toFixed(2), number(at.list.rate),
        at.list.ratio.toFixed(2), at.listCost.toFixed(2)]));
  if (found.rotation)
    table(["rotation of", "rows", "rows/s", "floor/s", "of floor"], Object.entries(found.rotation).map(([name, one]) =>
      [name, number(one.rows), number(one.rate), number(one.floor), one.ratio.toFixed(2)]));
  if (found.jobs)
    table(["jobs queued", "jobs/s", "floor/s", "of floor"], found.jobs.map((at) => [number(at.size), number(at.rate), number(at.floor), at.ratio.toFixed(2)]));
  if (found.fairness) {
    const row = (name, { quiet, beside, ratio }) => [name, ...[quiet.p50, quiet.p95, beside.p50, beside.p95, ratio].map((value) => value.toFixed(2))];
    table(["an event's wait, ms", "quiet p50", "p95", `beside ${number(found.fairness.events)}: p50`, "p95", "ratio of p50"],
      [row("until it is claimed", found.fairness.queue), row("from 200 to processed", found.fairness.wait)]);
  }
  if (found.events)
    table(["webhook events/s", "floor/s", "of floor", "p50 ms at half of it", "p99 ms"], [[number(found.events.rate), number(found.events.floor),
      found.events.ratio.toFixed(2), found.events.half.p50.toFixed(1), found.events.half.p99.toFixed(1)]]);
  if (found.flow) {
    table(["executions of history", "finished/s at 16 connections", "p50 ms", "p99 ms", "from a full queue/s"], found.flow.sizes.map((at) =>
      [number(at.size), number(at.rate), milliseconds(at.p50), milliseconds(at.p99), number(at.queued)]));
    console.log(`${found.flow.roundTrips.toFixed(1)} round trips an execution, ${found.flow.rss.toFixed(1)} MiB a worker process\n`);
  }
  if (found.refresh)
    console.log(`${number(found.refresh.count)} tokens renewed at a provider on this machine, ${number(found.refresh.perMinute)} a minute\n`);
  if (found.memory)
    table(["process", "number", "RSS MiB"], Object.entries(found.memory).map(([name, one]) =>
      [name, String(one.processes), (one.rss / 1024).toFixed(1)]));
  if (found.start !== undefined)
    console.log(`first 200 after latchd was started: ${number(found.start)} ms\n`);
}

const route = (found, name) => found.routes?.subjects.find((one) => one.name === name);
const workers = ({ memory }) => memory && Math.max(...["front worker", "vault worker"].map((part) => memory[part].rss)) / 1024;

// [words, value, is it good]
const TARGETS = [
  ["GET /credentials/{id}, of the floor: at least 0.75", (f) => route(f, "GET /credentials/{id}")?.ratio, (v) => v >= 0.75],
  ["GET /credentials (50), of the floor: at least 0.35", (f) => route(f, "GET /credentials (50)")?.ratio, (v) => v >= 0.35],
  ["GET /credentials/{id}, p99 over p50: at most 5",
    (f) => f.routes && route(f, "GET /credentials/{id}").p99 / route(f, "GET /credentials/{id}").p50, (v) => v <= 5],
  ["GET /credentials/{id}, round trips: at most 2", (f) => route(f, "GET /credentials/{id}")?.roundTrips, (v) => v <= 2],
  ["GET /credentials/{id}, cost at the last size: at most 1.15", (f) => f.sizes?.at(-1).getCost, (v) => v <= 1.15],
  ["GET /credentials (50), cost at the last size: at most 1.15", (f) => f.sizes?.at(-1).listCost, (v) => v <= 1.15],
  ["POST /credentials/{id}/token (fresh), of the floor: at least 0.6",
    (f) => route(f, "POST /credentials/{id}/token")?.ratio, (v) => v >= 0.6],
  ["token refreshes a minute: at least 1000", (f) => f.refresh?.perMinute, (v) => v >= 1000],
  ["RSS of a worker: under 12 MiB", workers, (v) => v < 12],
  ["first 200: under 300 ms", (f) => f.start, (v) => v < 300],
  ["jobs, of their floor: at least 0.6", (f) => f.jobs && Math.min(...f.jobs.map(({ ratio }) => ratio)), (v) => v >= 0.6],
  ["jobs, cost with the most queued, beside the floor's: at most 1.3", (f) => f.jobs && f.jobs[0].ratio / f.jobs.at(-1).ratio, (v) => v <= 1.3],
  ["an event beside another tenant's backlog, its wait beside the quiet one: at most 2", (f) => f.fairness?.wait.ratio, (v) => v <= 2],
  ["webhook events, of their floor: at least 0.6", (f) => f.events?.ratio, (v) => v >= 0.6],
  ["webhook events at half of the rate, p99: under 20 ms", (f) => f.events?.half.p99, (v) => v < 20],
  ["executions, cost with the most history: at most 1.2", (f) => f.flow?.cost, (v) => v <= 1.2],
  ["executions of two steps, round trips: at most 8", (f) => f.flow?.roundTrips, (v) => v <= 8],
  ["rotation of a tenant key, of its floor: at least 0.5", (f) => f.rotation?.["tenant key"].ratio, (v) => v >= 0.5],
];

/** Prints everything that was found; how many targets were missed. */
export function print(found) {
  if (found.routes)
    printRoutes(found);
  printRest(found);
  const judged = TARGETS.map(([words, value, good]) => ({ words, value: value(found), good }))
    .filter(({ value }) => value !== undefined && value !== null);
  for (const { words, value, good } of judged)
    console.log(`${good(value) ? "met   " : "MISSED"}  ${words} (${value.toFixed(2)})`);
  return judged.filter(({ value, good }) => !good(value)).length;
}
