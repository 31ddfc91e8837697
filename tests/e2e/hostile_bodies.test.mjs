// Every operation that takes a body is given every wrong one, and every operation every wrong query.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import zlib from "node:zlib";
import { bodySchema, needsBody, wrongDocuments, wrongDocumentsOf, wrongMembers } from "./lib/evil_bodies.mjs";
import { Guard, assertRefused, each, keptConnections } from "./lib/hostile.mjs";
import { operationsWithPlaces } from "./lib/operations.mjs";
import { NO_LIMITS, startInstance } from "./lib/instance.mjs";

const JSON_TYPE = { "Content-Type": "application/json" };
const MIB = 1 << 20;
let lw, guard, token, operations, withBody, agent;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  token = (await lw.newTenant("hostile")).token;
  operations = Object.values(operationsWithPlaces(lw));
  withBody = operations.filter((operation) => bodySchema(lw.document, operation));
  agent = keptConnections();
  guard = new Guard(lw);
});
after(async () => {
  agent?.destroy();
  await lw?.stop();
});

/** The operation's path; what stands for an id is nobody's. */
function pathOf(operation, query = "") {
  const values = Object.fromEntries(operation.parameters.map((parameter) => [parameter.name, parameter.example]));
  return operation.path.replace(/\{(\w+)\}/g, (_, name) => values[name]) + query;
}

/** A request with these bytes; whoever may not do without a token has one. */
const send = (operation, body, headers = JSON_TYPE, query = "") =>
  lw.api(operation.method, pathOf(operation, query), { token: operation.auth === "none" ? undefined : token, body, headers, agent });

const refuseAll = (cases, refuses) => each(cases, async ([operation, evil]) =>
  assertRefused(`${operation.operationId}: ${evil.words}`, await send(operation, evil.body, evil.headers, evil.query), refuses(evil)));

const pairs = (list, make) => list.flatMap((operation) => [...make(operation)].map((evil) => [operation, evil]));

test("every member of every body is refused by name in every wrong type and form", async () => {
  const cases = pairs(withBody, (operation) => wrongMembers(lw.document, operation));
  assert.ok(cases.length > 250, `only ${cases.length} cases`);
  await refuseAll(cases, ({ field }) => ({ status: 400, code: "BAD_INPUT", field }));
});

test("a secret of a wrong shape is refused by the name of its member, and never said again", async () => {
  const canary = "canary-0123456789abcdef";
  const datas = [["api_key", {}], ["api_key", { api_key: 7 }], ["api_key", { api_key: null }], ["api_key", { api_key: [canary] }],
    ["api_key", { api_key: { a: canary } }], ["api_key", { api_key: "" }], ["api_key", { api_key: canary, other: canary }],
    ["api_key", { api_key: canary, extra: canary }], ["api_key", { api_key: canary, extra: [canary] }],
    ["api_key", { api_key: canary.repeat(20000) }], ["basic_auth", { password: canary }],
    ["basic_auth", { username: 1, password: canary }], ["database", { engine: "oracle", host: "h", password: canary }],
    ["database", { engine: "mysql", host: "h", port: 70000, password: canary }],
    ["database", { engine: "mysql", host: "h", port: "x", password: canary }],
    ["smtp", { host: "h", security: "none", password: canary }], ["aws", { access_key_id: "A", secret_access_key: canary }],
    ["service_account", { private_key: canary }], ["oauth2", { scopes: 5, client_secret: canary }]];
  const create = withBody.find(({ operationId }) => operationId === "credential_create");
  for (const [type, data] of datas) {
    const what = `${type} ${JSON.stringify(data).slice(0, 100)}`;
    const answer = await send(create, JSON.stringify({ name: "x", type, data }));
    assertRefused(what, answer, { status: 400, field: "data" });
    assert.equal(answer.text.includes(canary), false, what);
  }
  for (const pool of ["front", "vault"])
    assert.equal(lw.log(pool).includes(canary), false);
});

test("what is no JSON object is refused, however large, deep or broken it is", async () => {
  await refuseAll(pairs(withBody, (operation) => wrongDocumentsOf(lw.document, operation)), () => ({ status: 400, code: ["BAD_JSON", "BAD_INPUT"] }));
});

test("an empty body is refused where one is needed", async () => {
  const needed = withBody.filter((operation) => needsBody(lw.document, operation));
  await refuseAll(pairs(needed, () => [{ words: "empty", body: "" }]), () => ({ status: 400 }));
  assertRefused("refresh without anything", await lw.api("POST", "/api/v1/auth/refresh", { headers: JSON_TYPE }), { status: 401 });
});

test("a body under another name than application/json is refused", async () => {
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/json;charset=utf-7",
    "application/json;charset=utf-16", "application/xml", "application/jsonp", "text/json", "application/json, text/plain",
    "application/json;", ""];
  await refuseAll(pairs(withBody, (operation) => types.map((type) =>
    ({ words: type, body: JSON.stringify(operation.body), headers: { "Content-Type": type } }))), () => ({ status: 415 }));
});

test("files in a form, and a compressed body, are refused", async () => {
  const form = '--x\r\nContent-Disposition: form-data; name="files[..][..]"; filename="../../../etc/cron.d/x"\r\n\r\nx\r\n--x--\r\n';
  const bomb = zlib.gzipSync(Buffer.alloc(64 * MIB));
  await refuseAll(pairs(withBody, (operation) => [
    { words: "files", body: form, headers: { "Content-Type": "multipart/form-data; boundary=x" } },
    { words: "gzip", body: zlib.gzipSync(JSON.stringify(operation.body)), headers: { ...JSON_TYPE, "Content-Encoding": "gzip" } },
    { words: "a bomb", body: bomb, headers: { ...JSON_TYPE, "Content-Encoding": "gzip" } },
  ]), () => ({ status: [400, 415] }));
});

test("a body of 1 MiB and one byte is refused with 413, with a length and in chunks", async () => {
  const large = Buffer.alloc(MIB + 1, "a");
  await refuseAll(pairs(withBody, () => [
    { words: "with its length", body: large },
    { words: "chunked", body: large, headers: { ...JSON_TYPE, "Transfer-Encoding": "chunked" } },
  ]), () => ({ status: 413, code: "BODY_TOO_LARGE" }));
  const millions = { words: "a million members", body: `{${Array.from({ length: 1000000 }, (_, i) => `"${i}":0`).join()}}` };
  await refuseAll([[withBody[0], millions]], () => ({ status: 413, code: "BODY_TOO_LARGE" }));
});

test("a chunked body is judged as any other", async () => {
  const headers = { ...JSON_TYPE, "Transfer-Encoding": "chunked" };
  await refuseAll(pairs(withBody, () => [{ words: "chunked", body: '{"no_such":1}', headers }]), () => ({ status: 400, field: "no_such" }));
});

test("a body where none is taken is refused", async () => {
  const without = operations.filter((operation) => !bodySchema(lw.document, operation) && !ANY_BODY.has(operation.operationId));
  // Node frames no body of a GET by itself.
  const headers = { ...JSON_TYPE, "Content-Length": 2 }, large = { ...JSON_TYPE, "Content-Length": 5000 };
  await refuseAll(pairs(without, () => [{ words: "an object", body: "{}", headers },
    { words: "something large", body: "a".repeat(5000), headers: large },
    { words: "chunked", body: "{}", headers: { "Transfer-Encoding": "chunked" } }]), () => ({ status: [400, 413] }));
});

/** Parameters that take any text. */
const FREE = new Set(["name", "q", "region", "ticket", "event_list type"]);
/** What belongs to a provider, or to whoever starts a workflow, comes in these operations' queries, or bodies: their own tests are about them. */
const ANY_QUERY = new Set(["oauth_start", "oauth_callback", "hook_receive", "hook_handshake", "trigger_run_get", "trigger_run_post", "trigger_run_put"]);
const ANY_BODY = new Set(["hook_receive", "knowledge_pdf", "trigger_run_post", "trigger_run_put", "run_socket_message"]);

/** Queries that an operation with these parameters must refuse. */
function* wrongQueries(operation) {
  if (ANY_QUERY.has(operation.operationId))
    return;
  const parameters = operation.parameters.filter((parameter) => parameter.in === "query");
  for (const query of ["tenant_id=1", "a", "%00=1", "%ff=1", "limit%00=1", "access_token=x", "_method=DELETE", "a=%", "a=%zz", "__proto__=1"])
    yield { words: query, query: `?${query}` };
  for (const { name, example } of parameters) {
    yield { words: `${name} twice`, query: `?${name}=${encodeURIComponent(example)}&${name}=${encodeURIComponent(example)}` };
    for (const value of ["%00", "a%00", "%ff", "%c0%80", "%ed%a0%80", "", "%", "%2", "a".repeat(5000),
      ...(FREE.has(name) || FREE.has(`${operation.operationId} ${name}`) ? [] : ["%0a", "a%0a", "%20", "-1e9", "💥"])])
      yield { words: `${name}=${value.slice(0, 20)}`, query: `?${name}=${encodeURI(value).replaceAll("%25", "%")}` };
  }
  if (parameters.some(({ name }) => name === "limit"))
    for (const value of ["0", "-1", "201", "1.5", "1e2", "0x10", "+5", "05", "99999999999999999999", "٣"])
      yield { words: `limit=${value}`, query: `?limit=${encodeURIComponent(value)}` };
}

test("every query parameter in a wrong, unknown, repeated or undecodable form is refused", async () => {
  await refuseAll(pairs(operations, wrongQueries).map(([operation, evil]) =>
    [operation, { ...evil, body: operation.body ? JSON.stringify(operation.body) : undefined, headers: operation.body ? JSON_TYPE : {} }]),
  () => ({ status: 400 }));
});

test("names in a path that can't be names are as absent as any other", async () => {
  const inPath = operations.filter((operation) => operation.path.includes("{") && operation.operationId !== "oauth_callback"); // which has a page for it
  const values = ["no-such-thing", "cred-", "cred-0000000000000000000000000", "cred-8zzzzzzzzzzzzzzzzzzzzzzzzz", "CRED-00000000000000000000000000",
    "0", "-1", "9999999999999999999", "null", "undefined", "a".repeat(3000), "'or'1'='1", "*", "ten-00000000000000000000000000", "cred-00000000000000000000000000", "ses-00000000000000000000000000", "$ne",
    "A"];
  for (const operation of inPath) {
    const body = operation.body ? JSON.stringify(operation.body) : undefined;
    // A tenant calls its services what it likes.
    const wrong = /^service_/.test(operation.operationId) ? values.filter((value) => !/^[a-z0-9][a-z0-9._-]{0,63}$/.test(value)) : values;
    await each(wrong, async (value) => {
      const uri = operation.path.replace(/\{\w+\}/g, value);
      const answer = await lw.api(operation.method, uri, { token, body, headers: body ? JSON_TYPE : {}, agent });
      // Whoever sends an event isn't told whether there is such an address.
      assertRefused(`${operation.method} ${uri}`, answer, { status: operation.operationId === "hook_receive" ? [401, 404] : 404 });
    });
  }
});

test("after all that the same workers answer, without an error of their own, and none keeps growing", async () => {
  await guard.assertUnharmed();
  const login = withBody.find(({ operationId }) => operationId === "auth_login");
  const update = withBody.find(({ operationId }) => operationId === "me_update");
  const heavy = [login, update].flatMap((operation) => [...wrongDocuments(operation.body)].filter(({ words }) => words.startsWith("!"))
    .map((evil) => [operation, evil]));
  await guard.assertFlat(() => refuseAll(heavy, () => ({ status: 400 })));
  await guard.assertUnharmed();
});
