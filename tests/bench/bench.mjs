// What Latchwork costs, beside what nginx, libfcgi and MariaDB cost by themselves in the same minutes.
//
//	make bench [BENCH_FLAGS="--json --check --only routes,sizes"]
//
// --json   the figures as JSON on standard output, after the table
// --check  exit status 1 when a ratio misses its target
// --only   routes, refresh, start, rotation, jobs, fairness, events, flow, sizes: a part of it
//
// BENCH_SECONDS (3)    length of one run of wrk
// BENCH_ROUNDS (3)     runs of each subject, each between two runs of the floor
// BENCH_SIZES          1000,100000,1000000
// BENCH_ROTATED        10000,100000: tenants whose keys are wrapped again, and credentials that are sealed again
// BENCH_JOBS           1000,1000000: queued ones
// BENCH_BACKLOG        100000: events of another tenant that are queued before
// BENCH_HISTORY        1000,1000000: executions that there were before
// BENCH_REFRESHES      300: tokens that are renewed
// BENCH_HOME           a directory for the instance that is kept (else a temporary one)
// BENCH_PORT           its port
// LATCHWORK_BUILD      a build directory of contrib/quickstart or contrib/check
//
// Absolute figures say something about the machine; ratios say something about the program. Nothing here is a test
// of time: --check holds ratios against the targets, and is run by hand.
import fs from "node:fs";
import { parseArgs } from "node:util";
import { events } from "./events.mjs";
import { fairness } from "./fairness.mjs";
import { flow } from "./flow.mjs";
import { jobs } from "./jobs.mjs";
import { compare, load, median, subject } from "./load.mjs";
import { refreshes, startProvider } from "./refresh.mjs";
import { print } from "./report.mjs";
import { rotations } from "./rotation.mjs";
import { CREDENTIAL, growTo, idHex, sampleIds } from "./seed.mjs";
import { Stack } from "./stack.mjs";

const { values: options } = parseArgs({
  options: { json: { type: "boolean" }, check: { type: "boolean" }, only: { type: "string" } },
});
const seconds = Number(process.env.BENCH_SECONDS ?? 3), rounds = Number(process.env.BENCH_ROUNDS ?? 3);
const [tenants, credentials] = (process.env.BENCH_ROTATED ?? "10000,100000").split(",").map(Number);
const sizes = (process.env.BENCH_SIZES ?? "1000,100000,1000000").split(",").map(Number);
const refreshed = Number(process.env.BENCH_REFRESHES ?? 300);
const queued = (process.env.BENCH_JOBS ?? "1000,1000000").split(",").map(Number);
const backlog = Number(process.env.BENCH_BACKLOG ?? 100000);
const history = (process.env.BENCH_HISTORY ?? "1000,1000000").split(",").map(Number);
const parts = options.only?.split(",") ?? ["routes", "refresh", "start", "rotation", "jobs", "fairness", "events", "flow", "sizes"];
const words = (text) => process.stderr.write(`bench: ${text}\n`);

const one = (ids) => ids.map((id) => `/api/v1/credentials/${id}`);
const list = ["/api/v1/credentials?limit=50"];

// The floor is the faster of two ways to serve with libfcgi: the pool's number of processes is the same.
async function chooseFloor(stack, directory) {
  const ways = ["polling", "single"].map((way) => subject(directory, { name: way, paths: [`/floor/${way}`], token: stack.token }));
  const rates = [];
  for (const way of ways)
    rates.push((await load(stack.url, way, seconds)).rate);
  return { floor: ways[rates[0] >= rates[1] ? 0 : 1], ways: { polling: rates[0], single: rates[1] } };
}

/** Statements that one request sends to MariaDB: the pools' own, while the worker goes on with its work. */
async function roundTrips(stack, what) {
  stack.sql("SET GLOBAL userstat = 1; FLUSH USER_STATISTICS");
  const ran = await load(stack.url, what, 1);
  const [[sent]] = stack.sql(`SELECT SUM(select_commands + update_commands + other_commands)
    FROM information_schema.user_statistics WHERE user IN ('latch_front', 'latch_vault')`);
  stack.sql("SET GLOBAL userstat = 0");
  return Number(sent) / ran.requests;
}

/** Tokens that work for long: handing one out opens it and writes an audit row, and asks no provider. */
async function freshTokens(stack) {
  const ids = [];
  for (let i = 0; i < 20; i++)
    ids.push((await stack.api("POST", "/api/v1/credentials", { token: stack.token, body: { name: `fresh ${i}`, type: "oauth2",
      data: { access_token: `fresh-${i}-0123456789`, expires_at: "2099-01-01T00:00:00Z" } } })).id);
  return ids.map((id) => `/api/v1/credentials/${id}/token`);
}

async function fiftyConnectors(stack) {
  for (let i = 0; i < 50; i++)
    await stack.api("POST", "/api/v1/connectors", { token: stack.token, body: { connector_type: "stripe", display_name: `Stripe ${i}`,
      config: { secret_key: `sk_test_${String(i).padStart(24, "0")}` } } });
}

async function routes(stack, directory, floor) {
  const token = stack.token, ids = sampleIds(stack);
  await fiftyConnectors(stack);
  const subjects = [
    subject(directory, { name: "GET /credentials/{id}", paths: one(ids), token }),
    subject(directory, { name: "GET /credentials (50)", paths: list, token }),
    subject(directory, { name: "POST /credentials", paths: ["/api/v1/credentials"], method: "POST", token, body: CREDENTIAL }),
    subject(directory, { name: "POST /credentials/{id}/token", paths: await freshTokens(stack), method: "POST", token }),
    subject(directory, { name: "GET /connectors (50)", paths: ["/api/v1/connectors?limit=50"], token }),
    subject(directory, { name: "GET /auth/me", paths: ["/api/v1/auth/me"], token }),
    subject(directory, { name: "POST /auth/login", paths: ["/api/v1/auth/login"], method: "POST", connections: 8,
      body: { email: stack.environment.LATCHWORK_OWNER_EMAIL, password: stack.environment.LATCHWORK_OWNER_PASSWORD } }),
  ];
  const found = await compare(stack.url, floor, subjects, { seconds, rounds });
  for (const [i, what] of subjects.entries())
    found.subjects[i].roundTrips = await roundTrips(stack, what);
  return found;
}

/** Of each kind of process the largest, in KiB, after its work: while it hashes a password it has Argon2's 19 MiB more. */
async function memory(stack) {
  await new Promise((done) => setTimeout(done, 2000));
  return Object.fromEntries(Object.entries(stack.pids()).map(([part, pids]) => [part, {
    processes: pids.length,
    rss: Math.max(...pids.map((pid) => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]))),
  }]));
}

async function startUp(stack) {
  const times = [];
  for (let i = 0; i < 5; i++)
    times.push(await stack.frontStart());
  return median(times);
}

/** What a request costs at each size, as a multiple of what it costs at the first one; the floor takes out the drift. */
async function growth(stack, directory, floor) {
  const found = [];
  for (const size of sizes) {
    words(`${size} credentials`);
    await growTo(stack, size);
    const subjects = [
      subject(directory, { name: `GET /credentials/{id} at ${size}`, paths: one(sampleIds(stack)), token: stack.token }),
      subject(directory, { name: `GET /credentials (50) at ${size}`, paths: list, token: stack.token }),
    ];
    for (const what of subjects)
      await load(stack.url, what, seconds); // pages into the buffer pool
    const { subjects: [get, page] } = await compare(stack.url, floor, subjects, { seconds, rounds });
    found.push({ size, get, list: page });
  }
  for (const at of found) {
    at.getCost = found[0].get.ratio / at.get.ratio;
    at.listCost = found[0].list.ratio / at.list.ratio;
  }
  return found;
}

async function measure(stack, provider) {
  const directory = stack.at("bench"), found = {};
  fs.mkdirSync(directory, { recursive: true });
  // As large as the data, as an operator would: what is measured is the program, not this disk.
  stack.sql("SET GLOBAL innodb_buffer_pool_size = 1 << 30");
  stack.token = stack.session.access_token;
  stack.tenant = idHex((await stack.api("GET", "/api/v1/auth/me", { token: stack.token })).tenant.id);
  await growTo(stack, sizes[0]);
  const { floor, ways } = await chooseFloor(stack, directory);
  found.floor = { way: floor.name, ways, processes: stack.workers };
  if (parts.includes("routes")) {
    words("routes");
    Object.assign(found, { routes: await routes(stack, directory, floor), memory: await memory(stack) });
  }
  if (parts.includes("refresh")) {
    words("token refreshes");
    found.refresh = await refreshes(stack, provider, refreshed);
  }
  if (parts.includes("start")) {
    words("start");
    found.start = await startUp(stack);
  }
  if (parts.includes("rotation")) {
    words("key rotation");
    found.rotation = rotations(stack, { tenants, credentials, rounds: 2 });
  }
  if (parts.includes("jobs")) {
    words("jobs");
    found.jobs = await jobs(stack, { sizes: queued, rounds, seconds });
  }
  if (parts.includes("fairness")) {
    words("waiting beside another tenant's backlog");
    found.fairness = await fairness(stack, { events: backlog, rounds });
  }
  if (parts.includes("events")) {
    words("webhook events");
    found.events = await events(stack, { rounds, seconds });
  }
  if (parts.includes("flow")) {
    words("executions");
    found.flow = await flow(stack, directory, { sizes: history, rounds, seconds });
  }
  if (parts.includes("sizes"))
    found.sizes = await growth(stack, directory, floor);
  return found;
}

words("starting an instance");
const provider = await startProvider();
const stack = await Stack.start(`[egress]\nallow_hosts = ${provider.host}\n`);
let found;
try {
  found = await measure(stack, provider);
} finally {
  await stack.stop();
  await provider.stop();
}
const missed = print(found);
if (options.json)
  console.log(JSON.stringify(found, null, 2));
process.exitCode = options.check && missed > 0 ? 1 : 0;
