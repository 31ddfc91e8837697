// Whoever got to a pool's socket without nginx: routes of the other pool, parameters that claim things, lengths that lie.
// Records that break the protocol are in hostile_records.test.mjs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PARAMS, STDIN, ask, begin, pair, requestBytes, send, stream } from "./lib/fcgi.mjs";
import { Guard, each } from "./lib/hostile.mjs";
import { NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { operationsWithPlaces, requestOf } from "./lib/operations.mjs";

const POOLS = ["front", "vault"];
let lw, guard, token, user, operations;
const sockets = {};

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  user = await lw.newTenant("fastcgi");
  token = user.token;
  operations = Object.values(operationsWithPlaces(lw));
  for (const pool of POOLS)
    sockets[pool] = Guard.sockets(lw).socket(pool);
  guard = new Guard(lw);
});
after(async () => { await lw?.stop(); });

const bearer = () => ["HTTP_AUTHORIZATION", `Bearer ${token}`];

/** The pool still serves: one route of its own, asked on its socket. */
async function assertServes(pool) {
  const answer = pool === "front" ? await ask(sockets.front, { uri: "/api/v1/auth/me", params: [bearer()] })
    : await ask(sockets.vault, { method: "POST", uri: "/api/v1/auth/login", body: "{}", params: [["CONTENT_TYPE", "application/json"]] });
  assert.equal(answer.status, pool === "front" ? 200 : 400, answer.text);
}

/** 4xx, or no answer and a closed connection; never 5xx, never silence. */
function assertTurnedAway(what, { answered, closed, out }) {
  assert.ok(answered || closed, `${what}: silence`);
  if (answered)
    assert.match(out, /^Status: 4\d\d/, `${what}: ${out.slice(0, 200)}`);
}

/** Bytes after a good head that nginx would never send. */
function brokenBodies() {
  const head = (length) => Buffer.concat([begin(),
    stream(PARAMS, Buffer.concat([pair("REQUEST_METHOD", "POST"), pair("LW_URI", "/api/v1/auth/refresh"),
      pair("CONTENT_TYPE", "application/json"), pair("CONTENT_LENGTH", length)]))]);
  const cases = { "less than announced": ["100", "{}"], "more than announced": ["1", "{}"], "a negative length": ["-1", "{}"],
    "a length with words": ["2x", "{}"], "a length that overflows": ["18446744073709551618", "{}"], "a length with spaces": [" 2", "{}"],
    "a huge length": ["9223372036854775807", "{}"], "a signed length": ["+2", "{}"] };
  return Object.entries(cases).map(([words, [length, body]]) => [words, Buffer.concat([head(length), stream(STDIN, body)])]);
}

test("a body that isn't what its length says is refused", async () => {
  for (const [words, bytes] of brokenBodies())
    assertTurnedAway(words, await send(sockets.front, bytes));
});

test("random records, and good ones with one byte changed, never bring a worker down", async () => {
  const good = requestBytes({ method: "POST", uri: "/api/v1/auth/refresh", body: '{"refresh_token":"x"}',
    params: [["CONTENT_TYPE", "application/json"], bearer()] });
  let seed = 20261120;
  const random = (n) => (seed = (Math.imul(seed, 1103515245) + 12345) >>> 0) % n;
  const changed = Array.from({ length: 150 }, () => {
    const bytes = Buffer.from(good);
    bytes[random(bytes.length)] ^= 1 << random(8);
    return bytes;
  });
  const noise = Array.from({ length: 50 }, () => Buffer.from(Array.from({ length: random(500) + 8 }, () => random(256))));
  // A changed length may make a request that waits for more: silence is ours to break then.
  await each([...changed, ...noise], (bytes) => send(sockets.front, bytes, { silence: 300 }), 16);
  await assertServes("front");
  await guard.assertUnharmed();
});

test("a pool answers for its own operations, and 404 for the other's", async () => {
  for (const operation of operations) {
    const params = Object.fromEntries(operation.parameters.filter((p) => p.in === "path").map((p) => [p.name, p.example]));
    const { uri } = requestOf(operation, { params }), other = operation.pool === "front" ? "vault" : "front";
    const answer = await ask(sockets[other], { method: operation.method, uri, body: operation.body ? JSON.stringify(operation.body) : "",
      params: [bearer(), ["CONTENT_TYPE", "application/json"]] });
    assert.equal(answer.status, 404, `${operation.operationId} on ${other}: ${answer.text}`);
    assert.equal(JSON.parse(answer.text).code, "NOT_FOUND");
  }
});

test("nothing but a token says who asks, whatever a parameter's name is", async () => {
  const claims = [["REMOTE_USER", "admin"], ["AUTH_TYPE", "Basic"], ["HTTP_REMOTE_USER", "admin"], ["LW_USER", user.user.id],
    ["LW_TENANT", user.tenant.id], ["TENANT_ID", user.tenant.id], ["HTTP_X_USER_ID", user.user.id], ["HTTP_X_FORWARDED_USER", "admin"],
    ["SSL_CLIENT_S_DN", "CN=admin"], ["SSL_CLIENT_VERIFY", "SUCCESS"], ["HTTP_X_API_KEY", "admin"], ["AUTHORIZATION", `Bearer ${token}`],
    ["HTTP_HTTP_AUTHORIZATION", `Bearer ${token}`], ["HTTP_AUTHORIZATION ", `Bearer ${token}`], ["http_authorization", `Bearer ${token}`]];
  const answer = await ask(sockets.front, { uri: "/api/v1/auth/me", params: claims });
  assert.equal(answer.status, 401, answer.text);
  const twice = await ask(sockets.front, { uri: "/api/v1/auth/me", params: [bearer(), bearer()] });
  assert.equal(twice.status, 401, twice.text);
});

test("the path is what LW_URI says, once, and never SCRIPT_NAME, PATH_INFO or a second one", async () => {
  const others = [["SCRIPT_NAME", "/api/v1/auth/me"], ["PATH_INFO", "/api/v1/auth/me"], ["REQUEST_URI", "/api/v1/auth/me"],
    ["DOCUMENT_URI", "/api/v1/auth/me"], ["SCRIPT_FILENAME", "/etc/passwd"], ["DOCUMENT_ROOT", "/"]];
  assert.equal((await ask(sockets.front, { uri: "/none", params: [bearer(), ...others] })).status, 404);
  const second = await send(sockets.front, requestBytes({ uri: "/none", params: [bearer(), ["LW_URI", "/api/v1/auth/me"]] }));
  assertTurnedAway("a second LW_URI", second);
  for (const [name, value] of [["REQUEST_METHOD", "DELETE"], ["CONTENT_LENGTH", "5"], ["REMOTE_ADDR", "203.0.113.9"]])
    assertNo5xx(name, await send(sockets.front, requestBytes({ uri: "/api/v1/auth/me", params: [bearer(), [name, value]] })));
});

function assertNo5xx(what, { out }) {
  assert.doesNotMatch(out, /^Status: 5/, what);
}

test("an address, a request id and a method that can't be are not believed", async () => {
  for (const [name, value] of [["REQUEST_ID", "x".repeat(5000)], ["REQUEST_ID", "'; DROP TABLE audit; --"],
    ["REQUEST_ID", "0".repeat(32)], ["REMOTE_ADDR", "x".repeat(5000)], ["REMOTE_ADDR", "1.2.3.4\n{}"],
    ["HTTP_USER_AGENT", "\xff".repeat(60000)], ["HTTP_COOKIE", "=;=;".repeat(10000)], ["HTTP_IF_NONE_MATCH", ",".repeat(60000)],
    ["HTTP_ORIGIN", "a\nb"], ["SERVER_PROTOCOL", "x"]]) {
    const { out } = await send(sockets.front, requestBytes({ uri: "/api/v1/auth/me", params: [bearer(), [name, value]] }));
    assertNo5xx(name, { out });
    if (out)
      assert.match(out, /^X-Request-Id: req-[0-9a-z]{26}\r$/mi, name);
    assert.doesNotMatch(out, /DROP TABLE/);
  }
  for (const method of ["", "x".repeat(5000), "GET\0", "GET POST", "GET\r\nX: 1"])
    assertTurnedAway(`method ${method.slice(0, 9)}`,
      await send(sockets.front, requestBytes({ method, uri: "/api/v1/auth/me", params: [bearer()] })));
});

test("after all that the same workers answer", async () => {
  for (const pool of POOLS)
    await assertServes(pool);
  await guard.assertUnharmed();
});
