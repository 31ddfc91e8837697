// What the document promises: every operation is done once in its good case, and what is common to all of them holds.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { exercise } from "./lib/happy_path.mjs";
import { assertRefused } from "./lib/hostile.mjs";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { eventually, root } from "./lib/instance.mjs";
import { keyType } from "./lib/key_type.mjs";
import { operationsWithPlaces } from "./lib/operations.mjs";
import { sendPath } from "./lib/raw.mjs";

let world, lw, owner, operations;
const answered = new Map(); // operationId -> statuses

before(async () => {
  world = await startWorld({ types: ({ provider }) => [fakeType(provider), keyType(provider)] });
  lw = world.lw;
  const check = lw.document.check.bind(lw.document);
  lw.document.check = (method, uri, answer) => {
    const id = lw.document.find(method, uri)?.operation.operationId;
    answered.set(id, (answered.get(id) ?? new Set()).add(answer.status));
    return check(method, uri, answer);
  };
  owner = await lw.newTenant("contract");
  operations = operationsWithPlaces(lw);
});
after(async () => { await world?.stop(); });

const get = (uri, headers = {}) => lw.api("GET", uri, { token: owner.token, headers });
const does = async (method, uri, body, headers = {}) => {
  const answer = await lw.api(method, uri, { token: owner.token, body, headers });
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer;
};
const newCredential = (name, more = {}) => does("POST", "/api/v1/credentials", { name, type: "api_key",
  data: { api_key: `secret of ${name}` }, ...more });

test("every operation does what it is for, and answers as the document says", async () => {
  await exercise(world);
  const missing = Object.keys(operations).filter((id) => ![...(answered.get(id) ?? [])].some((status) => (status >= 200 && status < 300) || [101, 303].includes(status)));
  assert.deepEqual(missing, [], "these were never answered with success");
});

test("ids, times and request ids have their one form everywhere", async () => {
  const { json, headers } = await newCredential("forms", { expires_at: "2030-01-02T03:04:05+02:00" });
  assert.match(json.id, /^cred-[0-7][0-9a-hjkmnp-tv-z]{25}$/);
  for (const time of [json.created_at, json.updated_at, json.expires_at])
    assert.match(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.equal(json.expires_at, "2030-01-02T01:04:05.000Z");
  assert.match(headers["x-request-id"], /^req-[0-9a-z]{26}$/);
  const later = (await newCredential("later")).json;
  assert.ok(later.id > json.id, "a later id sorts behind an earlier one");
});

test("a list is paged through its Link headers to the end, newest first, without gap or repetition", async () => {
  for (let i = 0; i < 23; i++)
    await newCredential(`page ${i}`, { service: "paged" });
  for (const limit of [1, 7, 23, 50, 200]) {
    const seen = [];
    let pages = 0;
    for (let uri = `/api/v1/credentials?service=paged&limit=${limit}`; uri; pages++) {
      const page = await get(uri);
      assert.equal(page.status, 200);
      assert.ok(page.json.length <= limit);
      seen.push(...page.json.map(({ name }) => name));
      const link = page.headers.link;
      assert.ok(link === undefined || /^<([^>]+)>; rel="next"$/.test(link), link);
      uri = link && new URL(/^<([^>]+)>/.exec(link)[1], lw.url);
      uri &&= uri.pathname + uri.search;
    }
    assert.deepEqual(seen, Array.from({ length: 23 }, (_, i) => `page ${22 - i}`), `limit ${limit}`);
    assert.equal(pages, Math.ceil(23 / limit), `limit ${limit}`);
  }
});

test("what a client writes into its query can't end the link to the next page", async () => {
  const name = 'a>; rel="x", <b';
  for (let i = 0; i < 3; i++)
    await newCredential(name);
  const answer = await sendPath(lw, `/api/v1/credentials?limit=2&name=${name.replaceAll(" ", "%20")}`, { token: owner.token });
  const [, next] = /^<([^<>" ]+)>; rel="next"$/.exec(answer.headers.link);
  assert.deepEqual((await get(next)).json.map((credential) => credential.name), [name]);
});

test("a cursor of another list, tenant or filter, or a changed one, is refused or shows nothing foreign", async () => {
  const { headers } = await get("/api/v1/credentials?limit=1"), cursor = new URL(/^<([^>]+)>/.exec(headers.link)[1],
    lw.url).searchParams.get("cursor");
  const stranger = await lw.newTenant("stranger");
  for (const bad of [`${cursor}A`, cursor.slice(0, -1), cursor.split("").reverse().join(""), "AAAA", "x".repeat(128)])
    assertRefused(bad, await get(`/api/v1/credentials?cursor=${bad}`), { status: 400 });
  const elsewhere = await lw.api("GET", `/api/v1/credentials?cursor=${cursor}`, { token: stranger.token });
  assert.ok(elsewhere.status === 400 || elsewhere.json.length === 0);
});

test("filters show what fits and nothing else", async () => {
  await newCredential("one", { service: "filter-a" });
  await newCredential("two", { service: "filter-b" });
  const names = async (query) => (await get(`/api/v1/credentials?${query}`)).json.map(({ name }) => name);
  assert.deepEqual(await names("service=filter-a"), ["one"]);
  assert.deepEqual(await names("service=filter-a&name=two"), []);
  assert.deepEqual(await names("name=two"), ["two"]);
  assert.deepEqual(await names("type=aws"), []);
  assert.ok((await names("status=untested&limit=200")).includes("one"));
  const at = (await get("/api/v1/audit?limit=1")).json[0].at;
  assert.deepEqual((await get(`/api/v1/audit?to=${encodeURIComponent("2001-01-01T00:00:00Z")}`)).json, []);
  assert.ok((await get(`/api/v1/audit?from=${encodeURIComponent(at)}`)).json.length >= 1);
});

test("an ETag spares an unchanged answer, and guards a change against one that came before", async () => {
  const { json } = await newCredential("tagged"), uri = `/api/v1/credentials/${json.id}`;
  const { etag } = (await get(uri)).headers;
  assert.match(etag, /^"[^"]+"$/);
  for (const [sent, status] of [[etag, 304], [`W/${etag}`, 304], [`"x", ${etag}`, 304], ["*", 304], ['"x"', 200]]) {
    const answer = await get(uri, { "If-None-Match": sent });
    assert.equal(answer.status, status, sent);
    assert.equal(answer.headers.etag, etag);
    assert.equal(answer.text === "", status === 304);
  }
  const change = (name, tag) => lw.api("PUT", uri, { token: owner.token, body: { name }, headers: { "If-Match": tag } });
  const first = await change("first", etag);
  assert.equal(first.status, 200);
  assert.notEqual(first.headers.etag, etag);
  assertRefused("stale", await change("second", etag), { status: 412, code: "PRECONDITION_FAILED" });
  assertRefused("stale delete", await lw.api("DELETE", uri, { token: owner.token, headers: { "If-Match": etag } }), { status: 412 });
  assert.equal((await get(uri)).json.name, "first");
  assert.equal((await get(uri, { "If-None-Match": etag })).status, 200);
  assert.equal((await change("third", "*")).status, 200);
  for (let i = 0; i < 10; i++) {
    const seen = (await get(uri)).headers.etag, rivals = await Promise.all(["a", "b", "c"].map((name) => change(`${name} ${i}`, seen)));
    assert.deepEqual(rivals.map(({ status }) => status).sort(), [200, 412, 412], "only one of those who saw the same state may change it");
  }
});

test("a profile, a member and an invitation have an ETag too", async () => {
  const { etag } = (await get("/api/v1/auth/me")).headers;
  assert.equal((await get("/api/v1/auth/me", { "If-None-Match": etag })).status, 304);
  assert.equal((await lw.api("PATCH", "/api/v1/auth/me", { token: owner.token, body: { name: "A" }, headers: { "If-Match": '"old"' } })).status, 412);
  const { headers } = await does("PATCH", "/api/v1/auth/me", { name: "A" }, { "If-Match": etag });
  assert.equal(headers.etag, (await get("/api/v1/auth/me")).headers.etag);
});

test("HEAD answers as GET does, without a body", async () => {
  const { json } = await newCredential("head");
  for (const uri of ["/healthz", "/readyz", "/api/v1/openapi.json", "/api/v1/auth/me", "/api/v1/credentials?limit=2",
    `/api/v1/credentials/${json.id}`, "/api/v1/none"]) {
    const full = await get(uri), head = await lw.api("HEAD", uri, { token: owner.token });
    assert.equal(head.status, full.status, uri);
    assert.equal(head.text, "");
    for (const name of ["content-type", "etag", "link", "cache-control"])
      assert.equal(head.headers[name], full.headers[name], `${uri}: ${name}`);
  }
});

test("one request has one id: in its answer, its problem, its log line and its audit row", async () => {
  const made = await newCredential("traced"), id = made.headers["x-request-id"];
  const rows = (await get(`/api/v1/audit?target=${made.json.id}`)).json;
  assert.deepEqual(rows.map(({ request_id }) => request_id), [id]);
  const lines = () => lw.log("vault").split("\n").filter((line) => line.includes(`"request_id":"${id}"`));
  await eventually("its line is written", () => lines().length > 0);
  assert.equal(lines().length, 1);
  const refusal = await lw.api("POST", "/api/v1/auth/login", { body: { email: owner.email, password: "wrong" } });
  assert.equal(refusal.json.request_id, refusal.headers["x-request-id"]);
  await eventually("its line is written", () => lw.log("vault").includes(`"request_id":"${refusal.json.request_id}"`));
});

test("a problem has the members of RFC 9457 and ours, and its status is the answer's", async () => {
  for (const answer of [await get("/api/v1/none"), await get("/api/v1/credentials/x"), await lw.api("GET", "/api/v1/auth/me"),
    await get("/api/v1/credentials?limit=0"), await get("/none")]) {
    assert.equal(answer.headers["content-type"], "application/problem+json");
    for (const name of ["type", "title", "status", "error", "code", "request_id"])
      assert.ok(answer.json[name], `${answer.text} lacks ${name}`);
    assert.equal(answer.json.status, answer.status);
    assert.equal("www-authenticate" in answer.headers, answer.status === 401);
  }
});

test("the earlier backends' paths do today's work", async () => {
  const email = "earlier@example.test", password = "a password of earlier days", call = (method, uri, token, body) => lw.api(method, uri,
    { token, body, unchecked: true });
  assert.equal((await call("POST", "/api/auth/register", undefined, { email, password })).status, 201);
  const { access_token: token } = (await call("POST", "/api/auth/login", undefined, { email, password })).json;
  assert.equal((await call("GET", "/api/auth/me", token)).json.user.email, email);
  const saved = await call("POST", "/api/credentials/save", token, { name: "old", type: "api_key", data: { api_key: "an old secret" } });
  assert.equal(saved.status, 201);
  const uri = `/api/credentials/${saved.json.id}`;
  assert.deepEqual((await call("GET", "/api/credentials/list?limit=5", token)).json.map(({ id }) => id), [saved.json.id]);
  assert.equal((await call("GET", uri, token)).json.name, "old");
  assert.equal((await call("PUT", uri, token, { name: "new" })).json.name, "new");
  assert.equal((await call("GET", `${uri}/verify-status`, token)).json.status, "untested");
  assert.equal((await call("DELETE", uri, token)).status, 204);
  const key = world.provider.keys.bearer, config = { connector_type: "keyed", config: { secret_key: key } };
  const tried = (await call("POST", "/api/credentials/save", token, { name: "tried", type: "api_key", service: "keyed", data: { api_key: key } })).json;
  assert.equal((await call("POST", `/api/credentials/${tried.id}/verify`, token)).json.success, true);
  assert.equal((await call("GET", `/api/credentials/${tried.id}/verify-status`, token)).json.status, "passed");
  assert.ok((await call("GET", "/v1/catalog")).json.some(({ type }) => type === "keyed"));
  const made = await call("POST", "/v1/connectors", token, config), connector = `/v1/connectors/${made.json.id}`;
  assert.equal(made.status, 201, made.text);
  assert.deepEqual((await call("GET", "/v1/connectors?connector_type=keyed", token)).json.map(({ id }) => id), [made.json.id]);
  assert.equal((await call("PATCH", connector, token, { display_name: "old" })).json.display_name, "old");
  assert.equal((await call("POST", `${connector}/test`, token)).json.success, true);
  assert.equal((await call("DELETE", connector, token)).status, 204);
  assert.equal((await call("POST", "/api/services/figures/enable", token, { credential_id: tried.id })).json.enabled, true);
  assert.deepEqual((await call("GET", "/api/services", token)).json.map(({ credential_id }) => credential_id), [tried.id]);
  assert.equal((await call("POST", "/api/services/figures/disable", token)).json.enabled, false);
  assert.equal((await call("POST", "/api/sheet-mappings/set", token, { service: "figures", spreadsheet_id: "s", sheet_name: "S" })).status, 200);
  assert.equal((await call("GET", "/api/sheet-mappings", token)).json[0].sheet_name, "S");
  const begun = await lw.api("GET", "/api/oauth/start/fake?return_to=%2Fafter", { token, unchecked: true });
  assert.equal(begun.status, 302, begun.text);
  const cookie = begun.headers["set-cookie"].map((line) => line.split(";")[0]).join("; ");
  const back = await world.consent({ authorize: begun.headers.location });
  const done = await lw.api("GET", back.replace("/api/v1/", "/api/"), { headers: { Cookie: cookie }, unchecked: true });
  assert.equal(done.status, 303, done.text);
  assert.equal((await call("POST", "/api/keys", token, { service: "openai", api_key: "an old key" })).status, 201);
  assert.equal((await call("GET", "/api/keys", token)).json[0].service, "openai");
  assert.equal((await call("DELETE", "/api/keys/openai", token)).status, 204);
  assert.equal((await call("POST", "/api/keys", token, { service: "gemini", api_key: world.models.keys.gemini })).status, 201);
  assert.equal((await call("POST", "/api/ai/generate", token, { prompt: "Hi" })).json.text, "You said: Hi");
  assert.deepEqual((await call("GET", "/api/v1/agents/", token)).json, []);
});

test("the document that is served is the one that was built", async () => {
  const answer = await lw.api("GET", "/api/v1/openapi.json");
  assert.deepEqual(answer.json, lw.document.document);
  assert.equal(answer.headers["content-type"], "application/json");
});

test("the document's pages come with all they need, under a strict policy, and from nowhere else", async () => {
  execFileSync(path.join(root, "contrib/docs/build"), [path.join(lw.build ?? lw.at("build"), "docs")], { stdio: "pipe" });
  for (const page of ["docs", "redoc"]) {
    assert.equal((await lw.api("GET", `/${page}`, { unchecked: true })).headers.location, `/${page}/`);
    const { status, text, headers } = await lw.api("GET", `/${page}/`, { unchecked: true });
    assert.equal(status, 200);
    assert.match(headers["content-type"], /^text\/html/);
    const policy = headers["content-security-policy"];
    assert.match(policy, /default-src 'none';.*script-src 'self';.*frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /https?:|\*|unsafe-eval|script-src[^;]*unsafe-inline/);
    assert.doesNotMatch(text, /<script(?![^>]*\ssrc=)|\son\w+=|style=/, "nothing inline, which the policy would stop");
    const assets = [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, uri]) => uri);
    assert.ok(assets.length >= 4);
    for (const asset of assets) {
      assert.doesNotMatch(asset, /^(https?:)?\/\//, "a third party");
      const { pathname } = new URL(asset, `${lw.url}/${page}/`), served = await lw.api("GET", pathname, { unchecked: true });
      assert.equal(served.status, 200, asset);
      assert.ok(served.bytes.length > 0);
      assert.equal(served.headers["x-content-type-options"], "nosniff");
    }
  }
  assert.ok(fs.existsSync(path.join(root, "contrib/docs/package-lock.json")), "the pages' programs are pinned");
});
