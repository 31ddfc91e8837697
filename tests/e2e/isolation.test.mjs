// Nobody gets at what isn't theirs: every operation, called by everybody who must not. What each one is called with
// is in lib/operations.mjs; a new operation fails here until it has its place there.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { eventually } from "./lib/instance.mjs";
import { keyType } from "./lib/key_type.mjs";
import { OBJECT, OWN, PLACES, PUBLIC, aboutNobody, operationsWithPlaces, requestOf } from "./lib/operations.mjs";
import { Signer } from "./lib/signer.mjs";
import { ROLES, SCOPES, Tenant, idBytes, unknownId } from "./lib/tenants.mjs";

const TABLES = ["tenant", "tenant_retention", "tenant_key", "membership", "invitation", "api_token", "credential", "credential_version", "session", "connector",
  "token_refresh", "service_setting", "sheet_mapping", "agent", "agent_message", "ai_usage", "knowledge", "knowledge_file", "knowledge_passage"];
const programs = {}; // API tokens of tenant a: by their one scope, "all but <scope>", "all"
let world, lw, signer, operations, a, b, both, browser, ended;

before(async () => {
  world = await startWorld({ types: ({ provider }) => [fakeType(provider), keyType(provider)] });
  lw = world.lw;
  signer = new Signer(lw);
  [a, b] = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
  a.key = world.provider.keys.bearer;
  await makeActors();
  // So that b's lists have something to show.
  await b.newCredential();
  await b.newInvitation();
  await b.does("POST", "/api/v1/keys", { service: "of-birch", api_key: "birch-0123456789abc" });
  await b.newConnector();
  await b.does("POST", "/api/v1/services/of-birch/enable", {});
  await b.does("POST", "/api/v1/sheet-mappings/set", { service: "of-birch", spreadsheet_id: "birch-sheet", sheet_name: "Birch" });
});
after(async () => { await world?.stop(); });

async function makeActors() {
  for (const scope of SCOPES) {
    programs[scope] = (await a.newToken([scope])).token;
    programs[`all but ${scope}`] = (await a.newToken(SCOPES.filter((other) => other !== scope))).token;
  }
  programs.all = (await a.newToken(SCOPES)).token;
  browser = await a.signIn(a.owner, { session: "cookie" });
  ended = [await a.signIn(a.owner), await a.signIn(a.people.viewer)];
  for (const { token } of ended)
    await a.does("POST", "/api/v1/auth/logout", undefined, token);
  both = await b.newMember("owner");
  lw.sql(`INSERT INTO membership (tenant_id, user_id, role, created_at) VALUES (${idBytes(a.id)}, ${idBytes(both.id)}, 'owner', 1)`);
}

// --- asking, and looking at what came of it ----------------------------------------------

const send = ({ method, uri, body, headers: own }, { token, cookie, headers } = {}) =>
  lw.api(method, uri, { token, body, headers: { ...own, ...headers, ...(cookie ? { Cookie: cookie } : {}) } });

function refused(what, answer, status, code) {
  assert.equal(answer.status, status, `${what}: ${answer.text}`);
  if (code)
    assert.equal(answer.json.code, code, what);
}

/** Everything in the database that belongs to a tenant, but for when it was last used, or is looked at next. */
function stateOf(tenant) {
  stateOf.columns ??= lw.sql(`SELECT TABLE_NAME, GROUP_CONCAT(CONCAT('IFNULL(HEX(', COLUMN_NAME, '), 0)')) FROM information_schema.COLUMNS
    WHERE TABLE_SCHEMA = 'latchwork' AND TABLE_NAME IN ('${TABLES.join("', '")}') AND COLUMN_NAME <> 'last_used_at' AND (TABLE_NAME, COLUMN_NAME) <> ('tenant_retention', 'due_at') GROUP BY TABLE_NAME`);
  assert.equal(stateOf.columns.length, TABLES.length);
  return lw.sql(stateOf.columns.map(([table, columns]) =>
    `SELECT CONCAT_WS(' ', '${table}', ${columns}) AS line FROM ${table} WHERE tenant_id = ${idBytes(tenant.id)} ORDER BY line;`).join("\n")).flat();
}

/** What the worker is about to change by itself. */
/** Jobs that change the tenant's rows now. A page that can't be read is tried again after the test. */
const workOf = (tenant) => Number(lw.sql(`SELECT COUNT(*) FROM job WHERE tenant_id = ${idBytes(tenant.id)} AND state = 'live'
  AND (queue = 'sync' OR kind = 'knowledge_read' AND (worker IS NOT NULL OR attempts = 0))`)[0][0]);

/** An answer without what differs from one request to the next. */
function essence({ status, headers: all, text }) {
  const { "x-request-id": id, date, ...headers } = all;
  return { status, headers, text: text.replace(id, "") };
}

function assertNothingOfA(what, answer) {
  const shown = answer.text + JSON.stringify(answer.headers);
  for (const needle of [a.id, a.name, ...Object.values(a.people).flatMap((person) => [person.id, person.email])])
    assert.equal(shown.includes(needle), false, `${what} shows ${needle}`);
}

// --- those who must not ------------------------------------------------------------------

async function byNobody(request) {
  const refuses = async (words, code, token) => refused(words, await send(request, { token }), 401, code);
  await refuses("no token", "NO_TOKEN");
  await refuses("an expired token", "TOKEN_EXPIRED", signer.expired(a.owner.token));
  await refuses("a token of another key", "BAD_TOKEN", signer.resign(a.owner.token, { key: Buffer.alloc(32, 1) }));
  // A connection that is bound to the tenant already leaves the session's check to the handler's statement.
  await a.does("GET", "/api/v1/auth/me");
  for (const { token } of ended)
    await refuses("a session that was ended", "SESSION_ENDED", token);
  await refuses("a token with another tenant in it", "SESSION_ENDED", signer.resign(b.owner.token, { claims: { tid: a.id } }));
  await refuses("a token with a higher role in it", "SESSION_ENDED", signer.resign(a.people.viewer.token, { claims: { role: "owner" } }));
}

async function byTooLittle(operation, request) {
  for (const role of ROLES.slice(0, ROLES.indexOf(operation.role)))
    refused(role, await send(request, { token: a.people[role].token }), 403, "DENIED");
  if (operation.scope !== "any") {
    const token = programs[operation.scope === "none" ? "all" : `all but ${operation.scope}`];
    refused("an API token without the scope", await send(request, { token }), 403, "SCOPE_MISSING");
  }
}

async function byOtherSites(request) {
  const { cookie, csrf } = browser, wrong = csrf.replace(/^./, (c) => (c === "A" ? "B" : "A"));
  for (const headers of [{}, { "X-CSRF-Token": wrong }, { "X-CSRF-Token": csrf, "Sec-Fetch-Site": "cross-site" },
    { "X-CSRF-Token": csrf, "Sec-Fetch-Site": "same-site" }])
    refused(JSON.stringify(headers), await send(request, { cookie, headers }), 403, "CSRF");
}

/** What a stranger gets about a's thing is what they get about no thing at all. */
async function assertAbsent(what, operation, made, answer, token) {
  refused(what, answer, made.refusal ?? 404);
  assert.deepEqual(essence(answer), essence(await send(aboutNobody(operation, made), { token })), what);
  if (operation.method === "GET")
    refused(what, await send({ ...requestOf(operation, made), method: "HEAD" }, { token }), operation.pool === "front" ? 404 : 405);
}

async function byStrangers(operation, made, request) {
  const owner = operation.place === OWN ? await b.newMember("owner") : b.owner; // who may end their own session by it
  const program = (await b.newToken(SCOPES)).token;
  for (const [what, token] of [["another tenant's owner", owner.token], ["another tenant's API token", program]]) {
    const answer = await send(request, { token });
    assertNothingOfA(what, answer);
    if (operation.scope === "none" && token === program)
      refused(what, answer, 403, "SCOPE_MISSING");
    else if (operation.place === OBJECT)
      await assertAbsent(what, operation, made, answer, token);
  }
  if (made.personal)
    await assertAbsent("the owner of the same tenant", operation, made, await send(request, { token: a.owner.token }), a.owner.token);
  // Belonging to both tenants opens nothing of the one that the session isn't in; switching is what they may.
  if (operation.place === OBJECT && operation.operationId !== "auth_switch")
    await assertAbsent("somebody of both", operation, made, await send(request, { token: both.token }), both.token);
}

/** Those who may, and with what they may at least: so it wasn't the request that was refused above. */
async function byThoseWhoMay(operation, made) {
  const who = made.as ?? a.people[operation.role];
  const answer = await send(requestOf(operation, made), { token: who.token });
  assert.ok(answer.status < 300, `${operation.role}: ${answer.status} ${answer.text}`);
  if (operation.scope === "none")
    return;
  const again = requestOf(operation, await operation.make(a));
  const byProgram = await send(again, { token: operation.scope === "any" ? programs["events:read"] : programs[operation.scope] });
  assert.ok(byProgram.status < 300, `an API token: ${byProgram.status} ${byProgram.text}`);
}

// --- the tests ---------------------------------------------------------------------------

test("no operation is left out: the build's list and the places agree", () => {
  operations = operationsWithPlaces(lw);
});

test("what opens secrets, makes tokens, names people or tells who did what needs the rights that were promised", () => {
  const rights = (name) => `${operations[name].role}, ${operations[name].scope}`;
  for (const name of ["token_list", "token_create", "token_delete", "member_add", "member_update", "member_remove",
    "invitation_list", "invitation_create", "invitation_update", "invitation_delete"])
    assert.equal(rights(name), "admin, admin", name);
  for (const name of ["credential_create", "credential_update", "credential_delete", "version_restore", "key_set", "key_delete"])
    assert.equal(rights(name), "member, credentials:write", name);
  for (const name of ["audit_list", "audit_summary"])
    assert.equal(rights(name), "admin, audit:read", name);
  assert.equal(rights("credential_reveal"), "admin, credentials:use");
  assert.equal(rights("password_change"), "viewer, none");
});

for (const [name, [place]] of Object.entries(PLACES)) {
  if (place === PUBLIC)
    continue;
  test(`${name} refuses everybody who must not, and changes nothing for them`, async () => {
    const operation = operations[name], made = await operation.make(a), request = requestOf(operation, made);
    await eventually("nothing of it is being pulled or read", () => workOf(a) === 0);
    const before = stateOf(a);
    await byNobody(request);
    await byTooLittle(operation, request);
    if (operation.method !== "GET")
      await byOtherSites(request);
    await byStrangers(operation, made, request);
    assert.deepEqual(stateOf(a), before);
    await byThoseWhoMay(operation, made);
  });
}

test("what a test of forged tokens calls genuine is taken, if nothing else is wrong with it", async () => {
  const { exp } = signer.claims(a.owner.token);
  const token = signer.resign(a.owner.token, { claims: { exp } });
  assert.equal((await send({ method: "GET", uri: "/api/v1/auth/me" }, { token })).status, 200);
});

test("tokens of other makes are nobody's: no algorithm, another one, another issuer or audience, none of our keys", async () => {
  const now = Math.floor(Date.now() / 1000);
  const changes = [{ header: { alg: "none" } }, { header: { alg: "HS512" } }, { header: { alg: "RS256" } }, { header: { kid: "front-none" } },
    { header: { kid: "../front/current" } }, { header: { kid: undefined } }, { header: { crit: ["exp"] } }, { claims: { iss: "https://evil.example" } },
    { claims: { aud: "others" } }, { claims: { iss: undefined } }, { claims: { exp: undefined } }, { claims: { nbf: now + 600 } },
    { claims: { tid: undefined } }, { claims: { sid: undefined } }, { claims: { role: "root" } }, { claims: { sub: b.owner.id } }];
  for (const change of changes) {
    const answer = await send({ method: "GET", uri: "/api/v1/auth/me" }, { token: signer.resign(a.owner.token, change) });
    refused(JSON.stringify(change), answer, 401);
  }
});

test("a console session works with its CSRF token", async () => {
  const { cookie, csrf } = browser;
  const answer = await send({ method: "PATCH", uri: "/api/v1/auth/me", body: { name: "Alder" } }, { cookie, headers: { "X-CSRF-Token": csrf } });
  assert.equal(answer.status, 200, answer.text);
});

test("ids of another tenant in a query, a body or a cursor find nothing", async () => {
  const credential = await a.newCredential();
  for (const query of [`target=${credential.id}`, `actor=${a.owner.id}`, `service=stripe&actor=${a.people.admin.id}`])
    assert.deepEqual((await send({ method: "GET", uri: `/api/v1/audit?${query}` }, { token: b.owner.token })).json, [], query);
  const page = await send({ method: "GET", uri: "/api/v1/credentials?limit=1" }, { token: a.owner.token });
  const next = /<([^>]+)>; rel="next"/.exec(page.headers.link)[1];
  const continued = await send({ method: "GET", uri: next }, { token: b.owner.token });
  assert.equal(continued.status, 200);
  assertNothingOfA("a's cursor", continued);
  const { email, password } = b.owner;
  const login = (tenant_id) => send({ method: "POST", uri: "/api/v1/auth/login", body: { email, password, tenant_id } });
  refused("signing in to a", await login(a.id), 403, "DENIED");
  assert.deepEqual(essence(await login(a.id)), essence(await login(unknownId(a.id))));
});

test("an Idempotency-Key of another tenant, person or API token answers nothing of theirs", async () => {
  const request = { method: "POST", uri: "/api/v1/tokens", body: { name: "idempotent", scopes: ["admin"] } };
  const headers = { "Idempotency-Key": "one-key-for-all" };
  const first = await send(request, { token: a.owner.token, headers });
  assert.equal((await send(request, { token: a.owner.token, headers })).json.token, first.json.token);
  for (const token of [a.people.admin.token, programs.admin, b.owner.token]) {
    const other = await send(request, { token, headers });
    assert.equal(other.status, 201);
    assert.equal(other.headers["idempotent-replayed"], undefined);
    assert.notEqual(other.json.token, first.json.token);
  }
});

test("an API token shows of its maker nothing but the tenant it is for", async () => {
  const person = await b.newMember("owner");
  lw.sql(`INSERT INTO membership (tenant_id, user_id, role, created_at) VALUES (${idBytes(a.id)}, ${idBytes(person.id)}, 'owner', 1)`);
  const { token } = await b.does("POST", "/api/v1/tokens", { name: "in b", scopes: SCOPES }, person.token);
  assertNothingOfA("me", await send({ method: "GET", uri: "/api/v1/auth/me" }, { token }));
});

test("after all this a's audit trail holds nobody of b's", () => {
  const people = Object.values(b.people).map((person) => idBytes(person.id)).join(", ");
  assert.deepEqual(lw.sql(`SELECT action, outcome FROM audit WHERE tenant_id = ${idBytes(a.id)} AND actor_id IN (${people})`), []);
  assert.notDeepEqual(lw.sql(`SELECT action FROM audit WHERE tenant_id = ${idBytes(a.id)} AND outcome = 'refused' LIMIT 1`), []);
});
