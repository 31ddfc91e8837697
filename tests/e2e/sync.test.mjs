// Records pulled from providers: all of them, again only what changed, in spite of whoever dies on the way, and from
// nobody who isn't trusted.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { assertNowhere, startWorld } from "./lib/connections.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { assertRefused } from "./lib/hostile.mjs";
import { eventually } from "./lib/instance.mjs";
import { keyType } from "./lib/key_type.mjs";
import { rows, Shelf, suppliedType } from "./lib/lists.mjs";
import { alive, endProcess, startWorker, workers } from "./lib/processes.mjs";
import { idBytes } from "./lib/tenants.mjs";

const STRIPE_KEY = "rk_test_0123456789abcdefghij", HUBSPOT_KEY = "pat-na1-01234567-89ab-cdef-0123-456789abcdef", REST_KEY = "rest-key-0123456789";
const SHELVES = ["customers", "charges", "invoices"];
let world, lw, provider, owner, stranger, shelves;

before(async () => {
  world = await startWorld({
    types: ({ provider: p }) => [suppliedType("stripe", p, "api.stripe.com"), suppliedType("hubspot", p, "api.hubapi.com"),
      keyType(p, { id: "unlisted", sync: undefined }), keyType(p)],
  });
  ({ lw, provider } = world);
  [owner, stranger] = await Promise.all(["pulled", "stranger"].map((words) => lw.newTenant(words)));
});
after(() => world?.stop());
beforeEach(() => {
  provider?.reset();
  shelves = Object.fromEntries(SHELVES.map((name) => [name, new Shelf()]));
  for (const name of SHELVES)
    provider.scripts[`v1/${name}`] = shelves[name].stripe();
});

const call = (method, uri, body, token = owner.token) => lw.api(method, `/api/v1${uri}`, { token, body });
async function does(method, uri, body, token) {
  const answer = await call(method, uri, body, token);
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer.json;
}
const connect = (connector_type, config, more = {}) => does("POST", "/connectors", { connector_type, config, ...more });
const stripe = (more) => connect("stripe", { secret_key: STRIPE_KEY }, more);
const rest = (more) => connect("rest_api", { base_url: provider.url, token: REST_KEY, sync_path: "/things", ...more }, { auth: "bearer" });
const start = async ({ id }) => (await does("POST", `/connectors/${id}/sync`)).sync_id;
const newest = async ({ id }) => (await does("GET", `/connectors/${id}/syncs?limit=1`))[0];
const ended = (connector, words = "the run ended", seconds = 120) => eventually(words, async () => {
  const run = await newest(connector);
  return run?.finished_at && run;
}, seconds);
async function pull(connector) {
  const id = await start(connector), run = await ended(connector);
  assert.equal(run.id, id);
  return run;
}
const counts = ({ state, pages, fetched, created, updated, unchanged, skipped }) => ({ state, pages, fetched, created, updated, unchanged, skipped });
async function records({ id }, query = "", token = owner.token) {
  const all = [];
  for (let uri = `/api/v1/connectors/${id}/records?limit=100${query}`; uri;) {
    const page = await lw.api("GET", uri, { token });
    assert.equal(page.status, 200, page.text);
    all.push(...page.json);
    uri = /<([^>]+)>; rel="next"/.exec(page.headers.link ?? "")?.[1];
  }
  return all;
}
/** Those of one millisecond come in any order. */
const name = (row) => row.external_id ?? row.id ?? row;
const sorted = (list) => list.toSorted((a, b) => (name(a) < name(b) ? -1 : 1));
/** The job of a connector is due now, as if its time had come, or its worker's lease had ended. */
const hurry = ({ id }) => lw.sql(`UPDATE job SET run_at = 0 WHERE subject_id = ${idBytes(id)}`);
const jobOf = ({ id }) => lw.sql(`SELECT state, attempts, run_at FROM job WHERE subject_id = ${idBytes(id)} AND kind = 'sync_connector'`)[0];
const status = async ({ id }) => (await does("GET", `/connectors/${id}`)).status;
const unready = (code, headers = {}, body = { error: "of the provider" }) => (_, response) => {
  response.writeHead(code, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  return true;
};

// --- what there is ------------------------------------------------------------------------------

test("what a provider lists becomes records, page by page and as it gave them", async () => {
  shelves.customers.rows = rows(250, "cus");
  shelves.charges.rows = rows(3, "ch");
  const connector = await stripe(), run = await pull(connector);
  assert.deepEqual(counts(run), { state: "done", pages: 5, fetched: 253, created: 253, updated: 0, unchanged: 0, skipped: 0 });
  assert.equal(run.error, null);
  assert.deepEqual(shelves.customers.asked.map(({ limit, starting_after }) => [limit, starting_after]),
    [["100", undefined], ["100", "cus_000099"], ["100", "cus_000199"]]);
  const all = await records(connector);
  assert.equal(all.length, 253);
  const customers = await records(connector, "&collection=customers");
  assert.deepEqual(sorted(customers.map(({ data }) => data)), shelves.customers.rows);
  assert.ok(customers.every(({ data, external_id, collection }) => data.id === external_id && collection === "customers"));
  assert.deepEqual(await records(connector, "&collection=refunds"), []);
  const { last_sync_at, status: now } = await does("GET", `/connectors/${connector.id}`);
  assert.ok(Date.parse(last_sync_at) >= Date.parse(run.started_at));
  assert.equal(now, "active");
  assert.ok(provider.calls.every(({ headers }) => headers.authorization === `Bearer ${STRIPE_KEY}`));
});

test("a second pull writes what has changed, and nothing else", async () => {
  shelves.customers.rows = rows(120, "cus");
  const connector = await stripe();
  await pull(connector);
  const first = new Map((await records(connector)).map((record) => [record.external_id, record]));
  shelves.customers.rows[7] = { ...shelves.customers.rows[7], name: "Other" };
  shelves.customers.rows.push({ id: "cus_new" });
  assert.deepEqual(counts(await pull(connector)), { state: "done", pages: 4, fetched: 121, created: 1, updated: 1, unchanged: 119, skipped: 0 });
  const second = await records(connector);
  assert.equal(second.length, 121);
  for (const record of second) {
    const before = first.get(record.external_id);
    if (record.external_id === "cus_000007") {
      assert.equal(record.data.name, "Other");
      assert.ok(record.updated_at > before.updated_at && record.first_seen_at === before.first_seen_at && record.id === before.id);
    } else if (before) {
      assert.deepEqual(record, before);
    }
  }
  assert.equal((await does("GET", `/connectors/${connector.id}/syncs`)).length, 2);
});

test("HubSpot's lists go on by the cursor in their answers", async () => {
  const contacts = new Shelf(rows(230, "c").map((row, i) => ({ ...row, updatedAt: `2026-01-01T00:00:${String(i % 60).padStart(2, "0")}Z` })));
  provider.scripts["crm/v3/objects/contacts"] = contacts.hubspot();
  for (const name of ["companies", "deals"])
    provider.scripts[`crm/v3/objects/${name}`] = new Shelf(rows(1, name)).hubspot();
  const connector = await connect("hubspot", { access_token: HUBSPOT_KEY }, { auth: "api_key" });
  assert.deepEqual(counts(await pull(connector)), { state: "done", pages: 5, fetched: 232, created: 232, updated: 0, unchanged: 0, skipped: 0 });
  assert.deepEqual(contacts.asked.map(({ after: at }) => at), [undefined, "100", "200"]);
  for (const { data, provider_updated_at } of await records(connector, "&collection=contacts"))
    assert.equal(provider_updated_at, data.updatedAt);
});

test("an API of one's own goes on by Link headers or by numbered pages", async () => {
  const linked = new Shelf(rows(7)), numbered = new Shelf(rows(5).map(({ id, ...row }) => ({ key: id, ...row })));
  provider.scripts.things = linked.linked(3);
  const byLink = await rest();
  assert.deepEqual(counts(await pull(byLink)), { state: "done", pages: 3, fetched: 7, created: 7, updated: 0, unchanged: 0, skipped: 0 });
  provider.scripts.things = numbered.numbered(2);
  const byPage = await rest({ sync_page_param: "page", sync_rows: "result.items", sync_id: "key" });
  assert.deepEqual(counts(await pull(byPage)), { state: "done", pages: 4, fetched: 5, created: 5, updated: 0, unchanged: 0, skipped: 0 });
  assert.deepEqual(numbered.asked.map(({ page }) => page), ["1", "2", "3", "4"]);
  assert.deepEqual(sorted((await records(byPage)).map(({ external_id }) => external_id)), rows(5).map(({ id }) => id));
});

test("a key in the address is in each request and in no row", async () => {
  const shelf = new Shelf(rows(5));
  provider.scripts.things = shelf.linked(2);
  const connector = await connect("rest_api", { base_url: provider.url, token: REST_KEY, query_name: "api_key", sync_path: "/things" }, { auth: "query" });
  shelf.before = ({ from }, response) => from === "4" && unready(429, { "Retry-After": "3600" })(null, response);
  await start(connector);
  await eventually("it waits behind two pages", () => jobOf(connector)?.[2] > Date.now() + 3000_000);
  assert.deepEqual(shelf.asked.map(({ api_key }) => api_key), [REST_KEY, REST_KEY, REST_KEY]);
  assert.deepEqual(lw.sql(`SELECT next_page FROM sync_run WHERE connector_id = ${idBytes(connector.id)}`), [["/things?from=4"]]);
  shelf.before = () => false;
  hurry(connector);
  assert.equal((await ended(connector)).created, 5);
});

// --- who dies, waits and comes back --------------------------------------------------------------

test("while a run hasn't ended, asking again gives the same one", async () => {
  shelves.customers.rows = rows(1);
  let go;
  const held = new Promise((done) => { go = done; });
  shelves.customers.before = async () => { await held; return false; };
  const connector = await stripe(), first = await start(connector);
  assert.equal(await start(connector), first);
  assert.equal(await start(connector), first);
  go();
  await ended(connector);
  assert.equal((await does("GET", `/connectors/${connector.id}/syncs`)).length, 1);
  assert.notEqual(await start(connector), first);
  await ended(connector);
});

test("a worker that is killed in the middle leaves a run that goes on where it was", async () => {
  shelves.customers.rows = rows(250, "cus");
  const connector = await stripe();
  let killed = [];
  shelves.customers.before = async ({ starting_after }) => {
    if (starting_after !== "cus_000099" || killed.length > 0)
      return false;
    killed = await workers(lw, "worker");
    for (const pid of killed)
      process.kill(pid, "SIGKILL");
    return true;
  };
  await start(connector);
  await eventually("they are dead", () => killed.length > 0 && killed.every((pid) => !alive(pid)));
  assert.equal((await records(connector)).length, 100);
  hurry(connector);
  assert.deepEqual(counts(await ended(connector)), { state: "done", pages: 5, fetched: 250, created: 250, updated: 0, unchanged: 0, skipped: 0 });
  assert.equal(shelves.customers.asked.filter(({ starting_after }) => !starting_after).length, 1, "the first page was asked for again");
});

test("wherever a worker dies, no page is lost and none is counted twice", async () => {
  await endProcess(await lw.pid("worker"));
  try {
    for (const [i, point] of ["sync_before_commit", "sync_page_stored", "sync_before_end", "job_before_commit", "job_committed"].entries()) {
      shelves.customers.rows = rows(250, `p${i}`);
      shelves.customers.asked = [];
      const connector = await stripe();
      await start(connector);
      const dying = startWorker(lw, { LATCHWORK_CRASH_AT: point.includes("end") || point.startsWith("job") ? point : `${point}:2` });
      await eventually(`it dies at ${point}`, () => dying.log().includes('"status":137'));
      await endProcess(dying.child.pid);
      hurry(connector);
      const healthy = startWorker(lw), run = await ended(connector, `${point}: it ended`);
      assert.deepEqual(counts(run), { state: "done", pages: 5, fetched: 250, created: 250, updated: 0, unchanged: 0, skipped: 0 }, point);
      assert.equal((await records(connector)).length, 250, point);
      await endProcess(healthy.child.pid);
    }
  } finally {
    await lw.quickstart("start");
  }
});

test("a provider that wants to be left alone is, for as long as it says", async () => {
  shelves.customers.rows = rows(150, "cus");
  let busy = true;
  shelves.customers.before = ({ starting_after }, response) => busy && starting_after && unready(429, { "Retry-After": "7200" })(null, response);
  const connector = await stripe();
  await start(connector);
  const [, attempts, at] = await eventually("it waits", () => { const job = jobOf(connector); return job?.[2] > Date.now() + 7000_000 && job; });
  assert.equal(Number(attempts), 0, "what has come further doesn't use its attempts up");
  assert.ok(at < Date.now() + 7300_000);
  assert.equal((await newest(connector)).state, "running");
  assert.equal((await records(connector)).length, 100);
  busy = false;
  hurry(connector);
  assert.deepEqual(counts(await ended(connector)), { state: "done", pages: 4, fetched: 150, created: 150, updated: 0, unchanged: 0, skipped: 0 });
  assert.equal(shelves.customers.asked.filter(({ starting_after }) => !starting_after).length, 1);
});

test("a provider that stays away fails the run at last, and not the connector", async () => {
  shelves.customers.before = unready(503);
  const connector = await stripe();
  await start(connector);
  const run = await eventually("it failed", async () => {
    // Not while somebody is at it: it would be taken away from them.
    lw.sql(`UPDATE job SET run_at = ${Date.now()} WHERE worker IS NULL AND run_at > ${Date.now()} AND subject_id = ${idBytes(connector.id)}`);
    const now = await newest(connector);
    return now.finished_at && now;
  });
  assert.deepEqual([run.state, run.error.code, run.fetched], ["failed", "BAD_RESPONSE", 0]);
  assert.ok(shelves.customers.asked.length >= 6 && shelves.customers.asked.length <= 7, `${shelves.customers.asked.length} tries`);
  assert.notEqual(await status(connector), "error");
  assert.doesNotMatch(JSON.stringify(run), /of the provider/);
  shelves.customers.before = () => false;
  assert.equal((await pull(connector)).state, "done");
});

test("a run whose job is dead stands in nobody's way, and goes on when the job is tried again", async () => {
  shelves.customers.rows = rows(2);
  shelves.customers.before = unready(503, { "Retry-After": "3600" });
  const connector = await stripe(), lost = await start(connector);
  await eventually("it waits", () => jobOf(connector)?.[2] > Date.now() + 3000_000);
  lw.sql(`UPDATE job SET state = 'dead', once_key = NULL WHERE subject_id = ${idBytes(connector.id)}`);
  shelves.customers.before = () => false;
  const run = await pull(connector);
  assert.notEqual(run.id, lost);
  const [, { id, job_id, state, error }] = await does("GET", `/connectors/${connector.id}/syncs`);
  assert.deepEqual([id, state, error.code], [lost, "failed", "ABANDONED"]);
  await does("POST", `/jobs/${job_id}/retry`);
  await eventually("it went on", async () => (await does("GET", `/connectors/${connector.id}/syncs`))[1].state === "done");
});

// --- what goes wrong -----------------------------------------------------------------------------

test("credentials that are refused end the run, and are told as a test would tell them", async () => {
  shelves.customers.rows = rows(3);
  const connector = await stripe();
  await pull(connector);
  assert.equal(await status(connector), "active");
  shelves.customers.before = unready(401, {}, { error: { message: `no such key: ${STRIPE_KEY}` } });
  const run = await pull(connector);
  assert.deepEqual([run.state, run.error.code], ["failed", "INVALID_CREDENTIALS"]);
  const now = await does("GET", `/connectors/${connector.id}`);
  assert.deepEqual([now.status, now.last_error.code], ["error", "INVALID_CREDENTIALS"]);
  assert.deepEqual((await does("GET", `/audit?target=${connector.id}&action=connector.sync`)).map(({ outcome, actor }) => `${actor.kind} ${outcome}`),
    ["system failed", "system ok", "user ok", "system ok", "user ok"]);
  assert.equal((await records(connector)).length, 3, "what was pulled stays");
});

test("a list that may not be read keeps the others from nothing", async () => {
  shelves.customers.rows = rows(2, "cus");
  shelves.invoices.rows = rows(2, "in");
  shelves.charges.before = unready(403);
  const connector = await stripe(), run = await pull(connector);
  assert.deepEqual([run.state, run.error.code, run.created], ["partial", "INSUFFICIENT_SCOPE", 4]);
  assert.equal(await status(connector), "pending");
  shelves.charges.before = () => false;
  const again = await pull(connector);
  assert.deepEqual([again.state, again.error], ["done", null]);
});

test("hostile answers end their list and nothing else", async () => {
  const page = (body, headers = {}) => (_, response) => unready(200, headers, body)(null, response);
  const raw = (text) => (_, response) => response.writeHead(200, { "Content-Type": "application/json" }).end(text);
  const connector = await rest(), numbered = await rest({ sync_page_param: "page" });
  for (const [words, script, code, who = connector] of [
    ["no list", page({ id: 1 }), "BAD_RESPONSE"],
    ["no JSON", raw("<html>"), "BAD_RESPONSE"],
    ["half of it", raw('[{"id": 1}'), "BAD_RESPONSE"],
    ["too deep", raw("[".repeat(100) + "]".repeat(100)), "BAD_RESPONSE"],
    ["too long", raw(`[${'{"id":"x"},'.repeat(500_000)}{}]`), "BAD_RESPONSE"],
    ["no ids", page([{ key: 1 }]), "ROWS_WITHOUT_ID"],
    ["a link to elsewhere", page([{ id: 1 }], { Link: '<https://elsewhere.example/things>; rel="next"' }), "BAD_NEXT_PAGE"],
    ["a link to itself", page([{ id: 1 }], { Link: '</things>; rel="next"' }), "PAGES_REPEAT"],
    ["the same page for each number", page([{ id: 1 }]), "PAGES_REPEAT", numbered],
    ["a redirect", (_, response) => response.writeHead(302, { Location: "https://elsewhere.example/" }).end(), "BAD_RESPONSE"],
    ["no such list", unready(404), "BAD_RESPONSE"],
  ]) {
    provider.scripts.things = script;
    const run = await pull(who);
    assert.deepEqual([run.error?.code, ["partial", "failed"].includes(run.state)], [code, true], words);
  }
  assert.ok(provider.calls.length < 40, `${provider.calls.length} requests`);
});

test("a row that is too large, has no id or holds the key is left out", async () => {
  provider.scripts.things = (_, response) => unready(200, {}, [{ id: 1 }, { id: 2, text: "x".repeat(256 << 10) }, { no: "id" }, { id: 3, you_sent: `Bearer ${REST_KEY}` },
    { id: 4, text: "y".repeat(250 << 10) }, { id: 1, twice: true }])(null, response);
  const connector = await rest(), run = await pull(connector);
  assert.deepEqual(counts(run), { state: "done", pages: 1, fetched: 6, created: 2, updated: 1, unchanged: 0, skipped: 3 });
  assert.deepEqual(sorted(await records(connector)).map(({ external_id, data }) => [external_id, data.twice ?? null]), [["1", true], ["4", null]]);
});

test("a page of large records ends early, and the next one goes on", async () => {
  provider.scripts.things = (_, response) => unready(200, {}, Array.from({ length: 15 }, (_, id) => ({ id: `large-${id}`, text: "z".repeat(200 << 10) })))(null, response);
  const small = await rest();
  await pull(small);
  provider.scripts.things = (_, response) => unready(200, {}, Array.from({ length: 15 }, (_, id) => ({ id: `more-${id}`, text: "z".repeat(200 << 10) })))(null, response);
  assert.equal((await pull(small)).created, 15);
  const first = await lw.api("GET", `/api/v1/connectors/${small.id}/records?limit=200`, { token: owner.token });
  assert.ok(first.json.length > 15 && first.json.length < 30, `${first.json.length}`);
  assert.equal((await records(small)).length, 30);
});

test("what can't be pulled from says so at once", async () => {
  const unlisted = await connect("unlisted", { secret_key: provider.keys.bearer }), disabled = await stripe();
  assertRefused("no lists", await call("POST", `/connectors/${unlisted.id}/sync`), { status: 409, code: "SYNC_UNSUPPORTED" });
  await does("PATCH", `/connectors/${disabled.id}`, { status: "disabled" });
  assertRefused("disabled", await call("POST", `/connectors/${disabled.id}/sync`), { status: 409, code: "NOT_CONNECTED" });
  lw.sql(`UPDATE connector SET status = 'needs_reconnect' WHERE connector_id = ${idBytes(disabled.id)}`);
  assertRefused("dead", await call("POST", `/connectors/${disabled.id}/sync`), { status: 409, code: "NEEDS_RECONNECT" });
  const silent = await rest({ sync_path: undefined }), run = await pull(silent);
  assert.deepEqual([run.state, run.error.code], ["failed", "SYNC_UNSUPPORTED"]);
});

// --- whose, when and until when --------------------------------------------------------------------

test("another tenant sees neither runs nor records, and starts none", async () => {
  shelves.customers.rows = rows(2);
  const connector = await stripe(), uri = `/connectors/${connector.id}`;
  await pull(connector);
  for (const [method, path] of [["POST", "/sync"], ["GET", "/syncs"], ["GET", "/records"]])
    assertRefused(`${method} ${path}`, await call(method, uri + path, undefined, stranger.token), { status: 404, code: "NOT_FOUND" });
  assert.equal((await does("GET", `${uri}/syncs`)).length, 1);
  assert.deepEqual(lw.sql("SELECT DISTINCT HEX(tenant_id) FROM record UNION SELECT DISTINCT HEX(tenant_id) FROM sync_run").length, 1);
});

test("a connector's turn comes by its frequency, and a little before it", async () => {
  shelves.customers.rows = rows(1);
  const hourly = await stripe({ sync_frequency: "hourly" }), off = await stripe({ sync_frequency: "daily" }), manual = await stripe();
  await does("PATCH", `/connectors/${off.id}`, { status: "disabled" });
  lw.sql(`UPDATE connector SET next_sync_at = 1 WHERE connector_id IN (${[hourly, off].map(({ id }) => idBytes(id)).join(", ")})`);
  const run = await ended(hourly);
  assert.deepEqual([run.state, run.created], ["done", 1]);
  const { next_sync_at } = await does("GET", `/connectors/${hourly.id}`), ahead = Date.parse(next_sync_at) - Date.parse(run.queued_at);
  assert.ok(ahead > 3600_000 * 0.89 && ahead < 3600_000 + 1000, `${ahead} ms`);
  await eventually("the disabled one's turn is over", async () => Date.parse((await does("GET", `/connectors/${off.id}`)).next_sync_at) > Date.now());
  assert.deepEqual(await does("GET", `/connectors/${off.id}/syncs`), []);
  assert.deepEqual(await does("GET", `/connectors/${manual.id}/syncs`), []);
  assert.equal((await does("GET", `/connectors/${manual.id}`)).next_sync_at, null);
});

test("with its connector go its records and its runs", async () => {
  shelves.customers.rows = rows(150);
  const connector = await stripe(), kept = await stripe();
  await pull(connector);
  await pull(kept);
  assert.equal((await call("DELETE", `/connectors/${connector.id}`)).status, 204);
  assertRefused("gone", await call("GET", `/connectors/${connector.id}/records`), { status: 404 });
  const left = () => Number(lw.sql(`SELECT (SELECT COUNT(*) FROM record WHERE connector_id = ${idBytes(connector.id)}) +
    (SELECT COUNT(*) FROM sync_run WHERE connector_id = ${idBytes(connector.id)})`)[0][0]);
  await eventually("nothing is left", () => left() === 0);
  assert.equal((await records(kept)).length, 150);
});

test("a connector that is deleted in the middle of a run leaves nothing", async () => {
  shelves.customers.rows = rows(250);
  const connector = await stripe();
  shelves.customers.before = async ({ starting_after }) => {
    if (starting_after)
      await call("DELETE", `/connectors/${connector.id}`);
    return false;
  };
  await start(connector);
  const count = (table) => Number(lw.sql(`SELECT COUNT(*) FROM ${table} WHERE connector_id = ${idBytes(connector.id)}`)[0][0]);
  await eventually("its records came", () => shelves.customers.asked.length >= 2);
  await eventually("nothing is left", () => count("connector") + count("record") + count("sync_run") === 0 && jobOf(connector) === undefined);
});

test("no log line and no row of the database holds a secret", () => {
  assertNowhere(lw, [STRIPE_KEY, HUBSPOT_KEY, REST_KEY], dumpDatabase(lw));
});
