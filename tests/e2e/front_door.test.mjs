// nginx's part of the promise: which pool, which headers, which earlier path, which refusal.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import path from "node:path";
import { startFrontDoor } from "./lib/front_door.mjs";
import { rawRequest, request } from "./lib/http.mjs";

let door;
const get = (uri, options = {}) => request(door.url, { path: uri, ca: door.ca, ...options });

before(async () => { door = await startFrontDoor(); });
after(async () => { await door?.stop(); });

function assertProblem(answer, status, code) {
  assert.equal(answer.status, status);
  assert.equal(answer.headers["content-type"], "application/problem+json");
  assert.equal(answer.json.status, status);
  assert.equal(answer.json.code, code);
  assert.ok(answer.json.error.length > 0);
  assert.match(answer.json.request_id, /^[0-9a-f]{32}$/);
  assert.equal(answer.headers["x-request-id"], answer.json.request_id);
  assert.equal(answer.headers["cache-control"], "no-store");
}

test("a request goes to the pool that the map names, whatever its query", async () => {
  for (const [method, uri, pool] of [["GET", "/api/v1/credentials", "front"], ["POST", "/api/v1/auth/login", "vault"],
    ["POST", "/api/v1/auth/login?next=/api/v1/x", "vault"], ["GET", "/api/v1/auth/login", "front"],
    ["POST", "/api/auth/login", "vault"], ["GET", "/v1/connectors", "front"], ["POST", "/v1/connectors", "vault"],
    ["GET", "/v1/connectors/conn-1/preview", "vault"], ["POST", "/api/credentials/cred-1/verify", "vault"], ["GET", "/api/services", "front"],
    ["GET", "/api/oauth/start/xero?return_to=x", "vault"], ["GET", "/api/oauth/callback/xero?code=a&state=b", "vault"], ["GET", "/v1/catalog/xero", "front"], ["GET", "/healthz", "front"], ["GET", "/readyz", "front"],
    ["POST", "/api/v1/credentials/cred-1/token", "quick"], ["POST", "/api/v1/credentials/cred-1/token?a=b", "quick"],
    ["GET", "/api/v1/credentials/cred-1/token", "front"], ["POST", "/api/v1/credentials/cred-1/reveal", "vault"]]) {
    const answer = await get(uri, { method });
    assert.equal(answer.status, 200, uri);
    assert.equal(answer.json.pool, pool, `${method} ${uri}`);
  }
});

test("the front's connections are kept, the vault's are not: a kept one would pin its worker", async () => {
  assert.equal((await get("/api/v1/credentials")).json.keep, true);
  assert.equal((await get("/api/v1/auth/login", { method: "POST" })).json.keep, false);
});

test("the connections of the vault's quick workers are kept, and what they pass on reaches the vault once more as it came", async () => {
  const uri = "/api/v1/credentials/cred-1/token?from=a%2fb", options = { method: "POST", body: "{}", headers: { Authorization: "Bearer t", "Content-Type": "application/json",
    "LW-Passed-On": "1", LW_PASSED_ON: "1", "X-Accel-Redirect": "@passed_on" } };
  const quick = await get(uri, options), passedOn = await get(`${uri}&passed-on`, options);
  assert.deepEqual([quick.json.pool, quick.json.keep], ["quick", true]);
  assert.deepEqual([passedOn.json.pool, passedOn.json.keep], ["vault", false]);
  const { LW_PASSED_ON, REQUEST_ID, ...params } = passedOn.json.params, { REQUEST_ID: other, ...same } = quick.json.params;
  assert.equal(LW_PASSED_ON, "1");
  assert.ok(REQUEST_ID && REQUEST_ID !== other);
  assert.deepEqual({ ...params, LW_URI: uri }, same, "a client has a say in it, or the second one hears something else");
  assert.equal(params.LW_URI, `${uri}&passed-on`);
  assert.equal(passedOn.json.length, 2);
  assert.equal(new Set(passedOn.json.names).size, passedOn.json.names.length, "a name came twice");
  const names = passedOn.rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
  assert.equal(new Set(names).size, names.length, `a header came twice: ${names.join(" ")}`);
  assert.equal(passedOn.headers["x-accel-redirect"], undefined);
});

test("nobody gets to the place of what is passed on by its name", async () => {
  for (const uri of ["/@passed_on", "/api/@passed_on", "/api/v1/@passed_on", "/@quick"])
    assert.notEqual((await get(uri, { method: "POST" })).json?.params?.LW_PASSED_ON, "1", uri);
});

test("the earlier backends' paths reach today's routes with their query, undecoded", async () => {
  const paths = {
    "/api/auth/register": "/api/v1/auth/register",
    "/api/auth/login": "/api/v1/auth/login",
    "/api/auth/me": "/api/v1/auth/me",
    "/api/workflows": "/api/v1/workflows",
    "/api/workflows?skip=5&limit=2": "/api/v1/workflows?skip=5&limit=2",
    "/api/workflows/workflow-1/executions?limit=3": "/api/v1/workflows/workflow-1/executions?limit=3",
    "/api/workflows/tmpl-1/clone": "/api/v1/templates/tmpl-1/clone",
    "/api/workflows/workflow-1/clone": "/api/v1/workflows/workflow-1/clone",
    "/api/knowledge": "/api/v1/knowledge",
    "/api/knowledge/know-1": "/api/v1/knowledge/know-1",
    "/api/keys": "/api/v1/keys",
    "/api/keys/stripe": "/api/v1/keys/stripe",
    "/api/ai/generate": "/api/v1/ai/generate",
    "/api/templates": "/api/v1/templates",
    "/api/credentials/save": "/api/v1/credentials",
    "/api/credentials/list": "/api/v1/credentials",
    "/api/credentials/list?type=api_key": "/api/v1/credentials?type=api_key",
    "/api/credentials/cred-1": "/api/v1/credentials/cred-1",
    "/api/credentials/cred-1?purge=true": "/api/v1/credentials/cred-1?purge=true",
    "/api/credentials/cred-1/verify": "/api/v1/credentials/cred-1/test",
    "/api/credentials/cred-1/verify-status": "/api/v1/credentials/cred-1/status",
    "/api/services": "/api/v1/services",
    "/api/services/gmail/enable": "/api/v1/services/gmail/enable",
    "/api/services/gmail/disable": "/api/v1/services/gmail/disable",
    "/api/sheet-mappings": "/api/v1/sheet-mappings",
    "/v1/catalog/xero": "/api/v1/catalog/xero",
    "/v1/connectors?status=active&limit=5": "/api/v1/connectors?status=active&limit=5",
    "/v1/connectors/conn-1": "/api/v1/connectors/conn-1",
    "/v1/connectors/conn-1/preview": "/api/v1/connectors/conn-1/preview",
    "/api/sheet-mappings/set": "/api/v1/sheet-mappings/set",
    "/v1/catalog": "/api/v1/catalog",
    "/v1/catalog?q=a%20b": "/api/v1/catalog?q=a%20b",
    "/v1/connectors": "/api/v1/connectors",
    "/v1/connectors/conn-1/test": "/api/v1/connectors/conn-1/test",
    "/api/oauth/start/xero?return_to=https%3A%2F%2Fa.example%2F%3Fb%3D1": "/api/v1/oauth/start/xero?return_to=https%3A%2F%2Fa.example%2F%3Fb%3D1",
    "/api/oauth/callback/xero?code=a%2Fb&state=c": "/api/v1/oauth/callback/xero?code=a%2Fb&state=c",
    "/api/v1/agents/": "/api/v1/agents",
    "/api/v1/agents/?limit=1": "/api/v1/agents?limit=1",
  };
  for (const [earlier, now] of Object.entries(paths))
    assert.equal((await get(earlier)).json.params.LW_URI, now, earlier);
});

test("today's paths and unknown ones arrive byte for byte", async () => {
  for (const uri of ["/api/v1/credentials/cred-1", "/api/v1/agents/agent-1", "/api/v1/x%2fy%5c%0a;?q=%252f%00", "/api/v1//double",
    "/api/v1/a/../b", "/api/nothing", "/v1/nothing", "/api/authx", "/api/v1/x?/api/auth/login"])
    assert.equal((await get(uri)).json.params.LW_URI, uri, uri);
});

test("a path that only looks like an API path after decoding never reaches a pool under another name", async () => {
  const answer = await get("/docs/..%2f../api/v1/auth/login", { method: "POST" });
  assert.ok(answer.status === 400 || answer.status === 404 || answer.json.params.LW_URI.startsWith("/docs/"));
});

test("of a client's headers only the listed ones reach the application", async () => {
  const answer = await get("/api/v1/credentials", { headers: {
    Authorization: "Bearer t", Cookie: "a=b", "If-Match": '"1"', "Idempotency-Key": "k", "X-CSRF-Token": "c", Origin: "https://o.example",
    Proxy: "http://evil.example", "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Host": "evil.example", "X-Real-IP": "1.2.3.4",
    "X-Original-URL": "/admin", "X-HTTP-Method-Override": "DELETE", X_Forwarded_For: "1.2.3.4", Content_Length: "5",
    Remote_User: "admin", Auth_Tenant: "b", "LW-URI": "/evil", "X-Anything": "1" } });
  const { params, names } = answer.json;
  assert.equal(params.HTTP_AUTHORIZATION, "Bearer t");
  assert.equal(params.HTTP_IF_MATCH, '"1"');
  assert.equal(params.REMOTE_ADDR, "127.0.0.1");
  assert.equal(params.REQUEST_METHOD, "GET");
  assert.deepEqual(names.filter((name) => name.startsWith("HTTP_")).sort(),
    ["HTTP_AUTHORIZATION", "HTTP_COOKIE", "HTTP_IDEMPOTENCY_KEY", "HTTP_IF_MATCH", "HTTP_ORIGIN", "HTTP_X_CSRF_TOKEN"]);
  assert.equal(new Set(names).size, names.length, "a name came twice");
});

test("a body up to the limit arrives whole, a larger one is refused with 413", async () => {
  const take = (n) => get("/api/v1/credentials", { method: "POST", body: Buffer.alloc(n, "a"), headers: { "Content-Type": "application/json" } });
  assert.equal((await take(1 << 20)).json.length, 1 << 20);
  assertProblem(await take((1 << 20) + 1), 413, "BODY_TOO_LARGE");
});

test("a chunked body arrives with its length, and is held to the same limit", async () => {
  const chunked = (n) => get("/api/v1/credentials", { method: "POST", body: Buffer.alloc(n, "a"),
    headers: { "Transfer-Encoding": "chunked", "Content-Type": "application/json" } });
  const answer = await chunked(100000);
  assert.equal(answer.json.length, 100000);
  assert.equal(answer.json.params.CONTENT_LENGTH, "100000");
  assertProblem(await chunked((1 << 20) + 1), 413, "BODY_TOO_LARGE");
});

test("HTTP/2 works the same: a body without a length arrives whole, a large one is refused", async () => {
  const take = (n) => new Promise((done, failed) => {
    const session = http2.connect(door.url, { ca: door.ca });
    session.on("error", failed);
    const stream = session.request({ ":method": "POST", ":path": "/api/v1/credentials", "content-type": "application/json" });
    const chunks = [];
    let headers;
    stream.on("response", (got) => { headers = got; });
    stream.on("data", (chunk) => chunks.push(chunk));
    stream.on("error", () => {});
    stream.on("close", () => {
      session.close();
      done({ status: headers?.[":status"], json: JSON.parse(Buffer.concat(chunks).toString() || "null") });
    });
    stream.end(Buffer.alloc(n, "a"));
  });
  const whole = await take(200000);
  assert.equal(whole.json.length, 200000);
  assert.equal(whole.json.params.CONTENT_LENGTH, "200000");
  assert.equal(whole.json.params.SERVER_PROTOCOL, "HTTP/2.0");
  assert.equal((await take((1 << 20) + 1)).status, 413);
});

test("neither a large body nor a large answer leaves a file behind", async () => {
  await get("/api/v1/credentials", { method: "POST", body: Buffer.alloc(1 << 20, "a") });
  assert.equal((await get("/api/v1/big?n=3000000")).bytes.length, 3000000);
  const written = fs.readdirSync(path.join(door.directory, "temp"), { recursive: true, withFileTypes: true }).filter((e) => e.isFile());
  assert.deepEqual(written, []);
  // A temporary file is unlinked at once; the counter in its name would show it in the next one.
  assert.match(door.config(), /fastcgi_max_temp_file_size 0;/);
});

test("a host that isn't ours is refused, and ours work with and without SNI", async () => {
  assertProblem(await get("/api/v1/credentials", { headers: { Host: "evil.example" } }), 421, "WRONG_HOST");
  assertProblem(await get("/healthz", { headers: { Host: "evil.example" } }), 421, "WRONG_HOST");
  for (const host of ["localhost", "127.0.0.1", "latch.example", `localhost:${door.port}`])
    assert.equal((await get("/healthz", { headers: { Host: host } })).status, 200, host);
  assert.equal((await request(`https://127.0.0.1:${door.port}`, { path: "/healthz", ca: door.ca })).status, 200);
});

test("plain HTTP on the TLS port is answered, not served", async () => {
  const answer = await rawRequest(door.url, "GET /api/v1/credentials HTTP/1.1\r\nHost: localhost\r\n\r\n", { clear: true });
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /"code":"TLS_REQUIRED"/);
});

test("smuggled and broken requests get 400", async () => {
  const raw = (text) => rawRequest(door.url, text, { ca: door.ca, wait: 3000 });
  for (const text of [
    "POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "POST /api/v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
    "GET /api/v1/x HTTP/1.1\r\n\r\n",
    "GET /../../x HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /api/%zz HTTP/1.1\r\nHost: localhost\r\n\r\n"]) {
    const answer = await raw(text);
    assert.match(answer, /^HTTP\/1\.1 400 /, text);
    assert.match(answer, /application\/problem\+json/, text);
  }
});

test("too many or too large headers and too long an address are refused in our form", async () => {
  const many = await rawRequest(door.url, `GET /api/v1/x HTTP/1.1\r\nHost: localhost\r\nX-Big: ${"a".repeat(20000)}\r\n\r\n`, { ca: door.ca });
  assert.match(many, /"code":"HEADERS_TOO_LARGE"/);
  const long = await rawRequest(door.url, `GET /api/v1/${"a".repeat(20000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`, { ca: door.ca });
  assert.match(long, /^HTTP\/1\.1 414 /);
  assert.match(long, /"code":"URI_TOO_LONG"/);
});

test("nothing beside the API and its documents is served", async () => {
  for (const uri of ["/", "/.git/HEAD", "/metrics", "/status", "/nginx_status", "/debug", "/apix", "/docsx", "/docs/../../etc/passwd", "/docs/none.js"]) {
    const answer = await get(uri);
    assert.ok([400, 404].includes(answer.status), `${uri}: ${answer.status}`);
    assert.equal(answer.headers["content-type"], "application/problem+json", uri);
  }
  assertProblem(await get("/docs/", { method: "POST" }), 405, "METHOD_NOT_ALLOWED");
});

test("the documents are served with a policy that lets scripts come from here only", async () => {
  for (const page of ["docs", "redoc"]) {
    const answer = await get(`/${page}/`);
    assert.equal(answer.status, 200);
    assert.match(answer.headers["content-security-policy"], /script-src 'self';/);
    assert.match(answer.headers["content-security-policy"], /frame-ancestors 'none'/);
    const bare = await get(`/${page}`);
    assert.equal(bare.status, 308);
    assert.equal(bare.headers.location, `/${page}/`);
  }
});

test("each answer carries the security headers once, errors too", async () => {
  for (const [uri, options] of [["/api/v1/x", {}], ["/api/v1/status/404", {}], ["/none", {}], ["/docs/", {}], ["/healthz", { headers: { Host: "evil.example" } }]]) {
    const { headers, rawHeaders } = await get(uri, options);
    assert.equal(headers["x-content-type-options"], "nosniff", uri);
    assert.equal(headers["referrer-policy"], "no-referrer", uri);
    assert.match(headers["strict-transport-security"], /max-age=31536000/, uri);
    assert.match(headers["content-security-policy"], /default-src 'none'/, uri);
    assert.doesNotMatch(headers.server ?? "", /\d/, uri);
    const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase());
    assert.equal(new Set(names).size, names.length, `${uri}: a header came twice`);
  }
  const page = await get("/api/v1/x", { headers: { "X-Api-Key": "page" } });
  assert.equal(page.headers["content-security-policy"], "default-src 'self'", "the application's own policy stands");
});

test("the application's own errors go out as they are", async () => {
  for (const status of [400, 404, 409, 429, 500, 502, 503, 504]) {
    const answer = await get(`/api/v1/status/${status}`);
    assert.equal(answer.status, status);
    assert.equal(answer.json.pool, "front");
    assert.equal(answer.headers["x-request-id"], "from-the-pool");
  }
});

test("with the pool away a client gets 503 with Retry-After, and service when it is back", async () => {
  await door.close("front");
  const answer = await get("/api/v1/credentials");
  await door.open("front");
  assertProblem(answer, 503, "NOT_READY");
  assert.equal(answer.headers["retry-after"], "1");
  assert.equal((await get("/api/v1/credentials")).status, 200);
});

test("a pool's metrics are asked for on the operator's socket, and only there", async () => {
  const socketPath = path.join(door.directory, "run/metrics/metrics.sock");
  const answer = await new Promise((done, fail) => http.get({ socketPath, path: "/metrics/vault" }, async (response) => {
    let text = "";
    for await (const piece of response)
      text += piece;
    done(JSON.parse(text));
  }).on("error", fail));
  assert.equal(answer.pool, "vault");
  assert.equal(answer.params.LW_URI, "/metrics/vault");
  assert.equal(answer.params.HTTP_LATCHWORK_METRICS, "1");
  const spoofed = await get("/api/metrics", { headers: { "Latchwork-Metrics": "1" } });
  assert.equal(spoofed.json.params.HTTP_LATCHWORK_METRICS, undefined);
});

test("no query and no header value is written to a log", async () => {
  const canary = "CANARY-5f1d";
  await get(`/api/oauth/callback/xero?code=${canary}&state=${canary}`);
  await get(`/api/v1/credentials?x=${canary}`, { method: "POST", body: canary, headers: { Authorization: canary, "User-Agent": canary } });
  await door.close("front");
  await get(`/api/v1/oauth/callback/xero?code=${canary}`);
  await door.open("front");
  await rawRequest(door.url, `GET /api/%zz?${canary} HTTP/1.1\r\nHost: localhost\r\n\r\n`, { ca: door.ca });
  await rawRequest(door.url, `GET /x?${canary} HTTP/1.1\r\nHost: localhost\r\n\r\n`, { clear: true });
  let log = "";
  for (let i = 0; i < 60 && !(log.includes("/api/oauth/callback/xero") && log.includes("/api/v1/oauth")); i++) {
    await new Promise((done) => setTimeout(done, 100));
    log = door.log();
  }
  assert.deepEqual(log.split("\n").filter((line) => line.includes(canary)), []);
  for (const line of fs.readFileSync(path.join(door.directory, "log/access.log"), "utf8").trim().split("\n"))
    JSON.parse(line);
});

test("only TLS 1.2 and 1.3 are spoken, without session tickets", () => {
  const config = door.config();
  assert.match(config, /ssl_protocols TLSv1\.2 TLSv1\.3;/);
  assert.match(config, /ssl_session_tickets off;/);
  assert.doesNotMatch(config, /underscores_in_headers on/);
});
