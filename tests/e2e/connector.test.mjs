// Connectors over HTTP: made, listed, changed, switched, removed; what they are tried with is in verify's tests.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertNowhere, fakeType, startWorld } from "./lib/connections.mjs";
import { assertRefused } from "./lib/hostile.mjs";
import { keyType } from "./lib/key_type.mjs";

let world, lw, provider, owner, stranger;

before(async () => {
  const movable = (p) => keyType(p, { id: "movable", hosts: ["{base_url}"], verify: [{ kind: "none" }], preview: undefined, sync: undefined, fields: [...keyType(p).fields,
    { name: "base_url", label: "Address", required: true, pattern: "^https://[^/?#@[:space:]]+$", member: "extra.base_url" }] });
  world = await startWorld({ types: ({ provider: p }) => [fakeType(p), keyType(p), movable(p), keyType(p, { id: "plain", name: "Plain", preview: undefined,
    verify: [{ kind: "none" }] })] });
  ({ lw, provider } = world);
  [owner, stranger] = await Promise.all(["connected", "stranger"].map((words) => lw.newTenant(words)));
});
after(async () => { await world?.stop(); });

const call = (method, uri, body, headers = {}, token = owner.token) => lw.api(method, `/api/v1${uri}`, { token, body, headers });
async function does(method, uri, body, headers) {
  const answer = await call(method, uri, body, headers);
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer.json;
}
const config = (more = {}) => ({ secret_key: provider.keys.bearer, ...more });
const make = (more = {}) => does("POST", "/connectors", { connector_type: "keyed", config: config(), ...more });
const plain = async (id) => (await does("POST", `/credentials/${id}/reveal`)).data;
const places = ({ json }) => json.fields.map(({ field, code }) => `${field} ${code}`).sort();
const newCredential = (more = {}) => does("POST", "/credentials", { name: "by hand", type: "api_key", data: { api_key: provider.keys.bearer }, ...more });

test("a connector is what was asked for, and its secret is a credential of the vault", async () => {
  const made = await make({ display_name: "Mine", config: config({ region: "us", page: 50 }), sync_frequency: "hourly" });
  assert.equal(made.connector_type, "keyed");
  assert.equal(made.display_name, "Mine");
  assert.equal(made.auth, "api_key");
  assert.equal(made.status, "pending");
  assert.deepEqual([made.account, made.last_error, made.webhook_url, made.scopes, made.limited], [null, null, null, [], false]);
  assert.ok(Math.abs(Date.parse(made.next_sync_at) - Date.parse(made.created_at) - 3600_000) < 1000);
  assert.deepEqual(await does("GET", `/connectors/${made.id}`), made);
  const credential = await does("GET", `/credentials/${made.credential_id}`);
  assert.deepEqual([credential.name, credential.type, credential.service], ["Mine", "api_key", "keyed"]);
  const data = await plain(made.credential_id);
  assert.equal(data.api_key, provider.keys.bearer);
  assert.equal(data.extra.region, "us");
  assert.equal(String(data.extra.page), "50");
});

test("without a name it is called as its provider, and what nobody can try is active at once", async () => {
  const made = await make({ connector_type: "plain" });
  assert.deepEqual([made.display_name, made.status, made.sync_frequency, made.next_sync_at], ["Plain", "active", "manual", null]);
});

test("what is wrong with a config is said at its place, all of it at once", async () => {
  const refused = async (body, ...wanted) => {
    const answer = await call("POST", "/connectors", { connector_type: "keyed", ...body });
    assertRefused(JSON.stringify(body), answer, { status: 400, code: "BAD_INPUT" });
    assert.deepEqual(places(answer), wanted.sort(), answer.text);
  };
  await refused({ config: {} }, "config.secret_key REQUIRED");
  await refused({ config: { secret_key: "wrong", region: "mars", page: "many", other: 1 } }, "config.secret_key BAD_FORMAT", "config.region NOT_ALLOWED",
    "config.page WRONG_TYPE", "config.other UNKNOWN_FIELD");
  await refused({ config: { user: "u", password: "p" } }, "config.secret_key REQUIRED", "config.user UNKNOWN_FIELD", "config.password UNKNOWN_FIELD");
  await refused({ auth: "basic", config: { user: "u" } }, "config.password REQUIRED");
  await refused({ config: config({ note: "line\nline" }) }, "config.note BAD_FORMAT");
  await refused({ auth: "telepathy", config: config() }, "auth NOT_ALLOWED");
  await refused({ connector_type: "nothing_of_the_kind", config: config() }, "connector_type NOT_ALLOWED");
  await refused({}, "config REQUIRED");
  await refused({ config: config(), credential_id: (await newCredential()).id }, "credential_id NOT_ALLOWED");
  await refused({ config: { secret_key: `key-${"x".repeat(9000)}` } }, "config.secret_key BAD_FORMAT");
  const oauth = await call("POST", "/connectors", { connector_type: "fake", config: {} });
  assertRefused("a provider with a consent page", oauth, { status: 400 });
  assert.match(oauth.text, /\/api\/v1\/oauth\/start\//);
  assert.equal((await call("GET", "/connectors?connector_type=fake")).json.length, 0);
});

test("a stored credential can be connected, if it is one that this provider takes", async () => {
  const credential = await newCredential();
  const made = await make({ config: undefined, credential_id: credential.id });
  assert.equal(made.credential_id, credential.id);
  const refused = async (id, wanted) => {
    const answer = await call("POST", "/connectors", { connector_type: "keyed", credential_id: id });
    assertRefused(wanted, answer, { status: 400, code: "BAD_INPUT" });
    assert.deepEqual(places(answer), [`credential_id ${wanted}`]);
    return answer.text.replace(answer.json.request_id, "");
  };
  await refused((await newCredential({ service: "elsewhere" })).id, "NOT_ALLOWED");
  await refused((await newCredential({ type: "aws", data: { access_key_id: "a", secret_access_key: "b", region: "c" } })).id, "NOT_ALLOWED");
  const { json: foreign } = await call("POST", "/credentials", { name: "foreign", type: "api_key", data: { api_key: "of somebody else" } }, {}, stranger.token);
  const gone = await newCredential();
  await does("DELETE", `/credentials/${gone.id}`);
  assert.equal(await refused(foreign.id, "NOT_FOUND"), await refused(gone.id, "NOT_FOUND"));
  const basic = await newCredential({ type: "basic_auth", data: { username: "u", password: "p" }, service: "keyed" });
  assert.equal((await make({ config: undefined, credential_id: basic.id })).auth, "basic");
});

test("the list shows the tenant's own, newest first, filtered and in pages", async () => {
  const tenant = await lw.newTenant("listed"), mine = (method, uri, body) => call(method, uri, body, {}, tenant.token);
  const made = [];
  for (let i = 0; i < 5; i++)
    made.push((await mine("POST", "/connectors", { connector_type: i === 2 ? "plain" : "keyed", config: config() })).json.id);
  const ids = async (query) => (await mine("GET", `/connectors${query}`)).json.map(({ id }) => id);
  assert.deepEqual(await ids(""), made.toReversed());
  assert.deepEqual(await ids("?connector_type=plain"), [made[2]]);
  assert.deepEqual(await ids("?status=active"), [made[2]]);
  assert.deepEqual(await ids("?status=pending&connector_type=plain"), []);
  const paged = [];
  for (let uri = "/api/v1/connectors?limit=2&connector_type=keyed"; uri;) {
    const page = await lw.api("GET", uri, { token: tenant.token });
    paged.push(...page.json.map(({ id }) => id));
    uri = /<([^>]+)>; rel="next"/.exec(page.headers.link ?? "")?.[1];
  }
  assert.deepEqual(paged, made.filter((_, i) => i !== 2).toReversed());
  assertRefused("a status that there isn't", await mine("GET", "/connectors?status=lost"), { status: 400 });
});

test("an ETag guards a change against one that came before", async () => {
  const { id } = await make(), uri = `/connectors/${id}`, { etag } = (await call("GET", uri)).headers;
  assert.equal((await call("GET", uri, undefined, { "If-None-Match": etag })).status, 304);
  const first = await call("PATCH", uri, { display_name: "first" }, { "If-Match": etag });
  assert.equal(first.status, 200);
  assert.equal(first.headers.etag, (await call("GET", uri)).headers.etag);
  assertRefused("stale", await call("PATCH", uri, { display_name: "second" }, { "If-Match": etag }), { status: 412 });
  assertRefused("stale", await call("DELETE", uri, undefined, { "If-Match": etag }), { status: 412 });
  const same = await call("PATCH", uri, { display_name: "first" });
  assert.equal(same.headers.etag, first.headers.etag, "nothing changed");
});

test("a changed config is merged into the credential, and the connection has to prove itself again", async () => {
  const made = await make({ config: config({ region: "us", note: "a note" }) }), uri = `/connectors/${made.id}`;
  assert.equal((await does("POST", `${uri}/test`)).success, true);
  assert.equal((await does("GET", uri)).status, "active");
  assert.equal((await does("PATCH", uri, { config: { region: "eu" } })).status, "pending");
  assert.deepEqual((await plain(made.credential_id)).extra, { region: "eu", note: "a note" });
  const masked = (await does("GET", `/credentials/${made.credential_id}`)).data.api_key;
  await does("PATCH", uri, { config: { secret_key: masked, page: 7 } });
  const after = await plain(made.credential_id);
  assert.equal(after.api_key, provider.keys.bearer, "a mask that comes back means the secret");
  assert.equal(String(after.extra.page), "7");
  await does("PATCH", uri, { config: { note: null } });
  assert.equal((await plain(made.credential_id)).extra.note, undefined);
  assert.equal((await does("GET", `/credentials/${made.credential_id}`)).version, 4);
  for (const [bad, place] of [[{ region: "mars" }, "config.region NOT_ALLOWED"], [{ secret_key: null }, "config.secret_key REQUIRED"], [{ none: 1 }, "config.none UNKNOWN_FIELD"]])
    assert.deepEqual(places(await call("PATCH", uri, { config: bad })), [place]);
  assert.equal((await does("GET", `/credentials/${made.credential_id}`)).version, 4);
});

test("whoever points a connection to another host has to know its secrets", async () => {
  const made = await make({ connector_type: "movable", config: config({ base_url: provider.url }) }), uri = `/connectors/${made.id}`;
  const credential = `/credentials/${made.credential_id}`, elsewhere = "https://elsewhere.example", mask = (await does("GET", credential)).data.api_key;
  for (const more of [{}, { secret_key: mask }, { secret_key: null }])
    assert.deepEqual(places(await call("PATCH", uri, { config: { base_url: elsewhere, ...more } })), ["config.secret_key REQUIRED"]);
  for (const more of [{}, { api_key: mask }])
    assert.deepEqual(places(await call("PUT", credential, { data: { extra: { base_url: elsewhere }, ...more } })), ["data.api_key REQUIRED"]);
  assert.equal((await plain(made.credential_id)).extra.base_url, provider.url);
  await does("PATCH", uri, { config: { base_url: provider.url, page: 3 } });
  await does("PATCH", uri, { config: { base_url: elsewhere, secret_key: provider.keys.bearer } });
  assert.equal((await plain(made.credential_id)).extra.base_url, elsewhere);
});

test("a disabled connector stays so until it is switched on, and is then what its credential is", async () => {
  const { id } = await make(), uri = `/connectors/${id}`;
  await does("POST", `${uri}/test`);
  assert.equal((await does("PATCH", uri, { status: "disabled" })).status, "disabled");
  await does("POST", `/credentials/${(await does("GET", uri)).credential_id}/test`);
  assert.equal((await does("GET", uri)).status, "disabled");
  assertRefused("a preview", await call("GET", `${uri}/preview`), { status: 409, code: "NOT_CONNECTED" });
  assert.equal((await does("PATCH", uri, { status: "active" })).status, "active");
  const untested = await make();
  await does("PATCH", `/connectors/${untested.id}`, { status: "disabled" });
  assert.equal((await does("PATCH", `/connectors/${untested.id}`, { status: "active" })).status, "pending");
});

test("another credential takes the place of the one before, which goes if nothing else needs it", async () => {
  const made = await make(), other = await newCredential(), uri = `/connectors/${made.id}`;
  assert.equal((await does("PATCH", uri, { credential_id: other.id })).credential_id, other.id);
  assert.equal((await call("GET", `/credentials/${made.credential_id}`)).status, 404);
  await does("PATCH", uri, { credential_id: (await newCredential()).id });
  assert.equal((await call("GET", `/credentials/${other.id}`)).status, 200, "one that a person stored is theirs");
});

test("with a connector goes the credential that was made with it, unless something else uses it", async () => {
  const alone = await make(), shared = await make(), service = await make(), own = await newCredential();
  const second = await make({ config: undefined, credential_id: shared.credential_id }), byHand = await make({ config: undefined, credential_id: own.id });
  await does("POST", "/services/figures/enable", { credential_id: service.credential_id });
  for (const { id } of [alone, shared, service, byHand]) {
    assert.equal((await call("DELETE", `/connectors/${id}`)).status, 204);
    assert.equal((await call("GET", `/connectors/${id}`)).status, 404);
  }
  const there = async (id) => (await call("GET", `/credentials/${id}`)).status === 200;
  assert.deepEqual([await there(alone.credential_id), await there(shared.credential_id), await there(service.credential_id), await there(own.id)],
    [false, true, true, true]);
  assert.equal((await does("GET", `/connectors/${second.id}`)).credential_id, shared.credential_id);
});

test("a preview is a few rows as the provider gives them, and no more", async () => {
  const { id } = await make(), uri = `/connectors/${id}/preview`;
  assert.deepEqual(await does("GET", uri), { rows: Array.from({ length: 10 }, (_, number) => ({ number })), truncated: true });
  const rows = (...list) => (_, response) => response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify({ rows: list }));
  provider.scripts.rows = rows({ text: "x".repeat(5000), deep: [[[[[[[[1]]]]]]]], "ключ": "значение", n: 1.5, b: true, z: null });
  const { rows: [row], truncated } = await does("GET", uri);
  assert.equal(truncated, true);
  assert.equal(row.text, "x".repeat(200));
  assert.deepEqual([row["ключ"], row.n, row.b, row.z], ["значение", 1.5, true, null]);
  provider.scripts.rows = rows(...Array.from({ length: 10 }, () => Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`member ${i}`, "y".repeat(300)]))));
  const large = await call("GET", uri);
  assert.ok(large.text.length <= (64 << 10) + 100);
  assert.equal(large.json.truncated, true);
  provider.scripts.rows = (request, response) => rows({ you_sent: request.headers.authorization, key: provider.keys.bearer })(request, response);
  assert.deepEqual((await does("GET", uri)).rows, [{ you_sent: "****", key: "****" }], "a provider that echoes the key");
  delete provider.scripts.rows;
  assertRefused("no preview", await call("GET", `/connectors/${(await make({ connector_type: "plain" })).id}/preview`), { status: 409, code: "PREVIEW_UNSUPPORTED" });
});

test("HEAD on a preview asks no provider", async () => {
  const { id } = await make(), uri = `/connectors/${id}/preview`, asked = provider.calls.length;
  const { status, headers } = await call("HEAD", uri);
  assert.deepEqual([status, headers.allow], [405, "GET, OPTIONS"]);
  assert.equal(provider.calls.length, asked);
});

test("a provider that fails a preview gives a clear code, and none of its words", async () => {
  const { id } = await make(), uri = `/connectors/${id}/preview`, answers = (status, text) => (_, response) =>
    response.writeHead(status, { "Content-Type": "application/json" }).end(text);
  for (const script of [answers(401, '{"you_sent":"words of the provider"}'), answers(500, "words of the provider"), answers(429, "{}"),
    answers(302, "{}"), answers(200, "words of the provider"), answers(200, '{"other":[]}'), answers(200, "x".repeat(2 << 20))]) {
    provider.scripts.rows = script;
    const answer = await call("GET", uri);
    delete provider.scripts.rows;
    assert.equal(answer.status, 502, answer.text);
    assert.equal(answer.json.code, "UPSTREAM_FAILED");
    assert.doesNotMatch(answer.text, /words of the provider/);
  }
});

test("a service is switched on with a credential of the tenant's own, and keeps it while it is off", async () => {
  const { id } = await newCredential();
  assert.deepEqual((({ service, enabled, credential_id }) => [service, enabled, credential_id])(await does("POST", "/services/ads/enable", { credential_id: id })),
    ["ads", true, id]);
  assert.equal((await does("POST", "/services/ads/disable")).enabled, false);
  const again = await does("POST", "/services/ads/enable", {});
  assert.deepEqual([again.enabled, again.credential_id], [true, id]);
  const foreign = (await call("POST", "/credentials", { name: "foreign", type: "api_key", data: { api_key: "of somebody else" } }, {}, stranger.token)).json.id;
  assertRefused("another tenant's", await call("POST", "/services/ads/enable", { credential_id: foreign }), { status: 400, code: "BAD_INPUT" });
  assert.equal((await does("GET", "/services")).find(({ service }) => service === "ads").credential_id, id);
  assert.deepEqual((await call("GET", "/services", undefined, {}, stranger.token)).json, []);
  assertRefused("a name that is none", await call("POST", "/services/UPPER/enable", {}), { status: 404 });
});

test("a sheet mapping is set and set again, one for each service", async () => {
  const set = (more) => does("POST", "/sheet-mappings/set", { service: "square", spreadsheet_id: "sheet-1", sheet_name: "Sales", ...more });
  await set();
  await set({ service: "ads" });
  await set({ sheet_name: "Ventes é" });
  assert.deepEqual((await does("GET", "/sheet-mappings")).map(({ service, sheet_name }) => [service, sheet_name]), [["ads", "Sales"], ["square", "Ventes é"]]);
  assert.deepEqual((await call("GET", "/sheet-mappings", undefined, {}, stranger.token)).json, []);
  assertRefused("an id that is a path", await call("POST", "/sheet-mappings/set", { service: "a", spreadsheet_id: "../x", sheet_name: "S" }), { status: 400 });
});

test("what another tenant has is absent, whatever is done to it", async () => {
  const { id } = await make(), uri = `/connectors/${id}`;
  for (const [method, path, body] of [["GET", uri], ["PATCH", uri, { display_name: "mine" }], ["DELETE", uri], ["POST", `${uri}/test`], ["GET", `${uri}/preview`],
    ["POST", `${uri}/revoke`]])
    assertRefused(`${method} ${path}`, await call(method, path, body, {}, stranger.token), { status: 404, code: "NOT_FOUND" });
  assert.deepEqual((await call("GET", "/connectors", undefined, {}, stranger.token)).json, []);
});

test("what is done to connectors is in the audit trail, with its service", async () => {
  const { id } = await make();
  await does("PATCH", `/connectors/${id}`, { sync_frequency: "weekly" });
  await does("GET", `/connectors/${id}/preview`);
  await call("DELETE", `/connectors/${id}`);
  const rows = await does("GET", `/audit?target=${id}`);
  assert.deepEqual(rows.map(({ action, outcome, service }) => [action, outcome, service]),
    ["connector.delete", "connector.preview", "connector.update", "connector.create"].map((action) => [action, "ok", "keyed"]));
});

test("no answer, no log line and no row of the database holds a secret", async () => {
  const secret = provider.keys.bearer, seen = [];
  const made = await make({ display_name: "watched" });
  for (const [method, uri, body] of [["GET", `/connectors/${made.id}`], ["GET", "/connectors"], ["PATCH", `/connectors/${made.id}`, { config: config({ page: 3 }) }],
    ["POST", `/connectors/${made.id}/test`], ["GET", `/connectors/${made.id}/preview`], ["GET", "/audit?limit=200"],
    ["POST", "/connectors", { connector_type: "keyed", config: { secret_key: secret, region: secret } }]])
    seen.push((await call(method, uri, body)).text);
  assert.ok(seen.every((text) => !text.includes(secret)));
  const tables = lw.sql("SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'latchwork' AND TABLE_TYPE = 'BASE TABLE'").flat();
  assertNowhere(lw, [secret], tables.map((table) => lw.sql(`SELECT * FROM ${table}`).map((row) => row.join("\t")).join("\n")).join("\n"));
});
