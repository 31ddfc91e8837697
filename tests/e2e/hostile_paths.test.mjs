// Paths, methods, hosts, framings and headers as an attacker writes them, byte by byte over TLS.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { Guard, assertRefused, each } from "./lib/hostile.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { operationsWithPlaces, requestOf } from "./lib/operations.mjs";
import { H2_BASICS, sendH2, sendLines, sendPath } from "./lib/raw.mjs";

const LISTED = "https://app.example.test";
let lw, guard, user, token;

before(async () => {
  lw = await startInstance({ conf: `${NO_LIMITS}[server]\ncors_origins = ${LISTED}, https://other.example.test:8443\n` });
  user = await lw.newTenant("paths");
  token = user.token;
  guard = new Guard(lw);
});
after(async () => { await lw?.stop(); });

test("a path is a route in its one spelling and in no other", async () => {
  assert.equal((await sendPath(lw, "/api/v1/auth/me", { token })).status, 200);
  const paths = ["/api/v1/auth/..%2fauth/me", "/api/v1/auth/../auth/me", "/api/v1/./auth/me", "/api/v1/auth/./me", "/api/v1//auth/me",
    "//api/v1/auth/me", "/api/v1/auth//me", "/api/v1/auth/me/", "/api/v1/auth/me;a=b", "/api/v1/auth;x/me", "/api/v1/auth/me%00",
    "/api/v1/auth/me%00.json", "/api/v1/auth/me%0a", "/api/v1/auth/me%0d%0aX:1", "/api/v1/auth/m%65", "/api/v1/auth%2fme",
    "/api/v1/auth%252fme", "/api/v1/auth%5cme", "/api/v1/auth\\me", "/API/V1/AUTH/ME", "/api/v1/auth/ME", "/api/v1/auth/me.json",
    "/api/v1/auth/me%20", "/api/v1/auth/me%ff", "/api/v1/auth/me%c0%af", "/api/v1/auth/%2e%2e/auth/me", "/api/v1/..;/v1/auth/me",
    "/api/v1/auth/me#x", "/%61pi/v1/auth/me", "/api/%2e/v1/auth/me", "/docs/../api/v1/auth/me", "/docs/..%2fapi/v1/auth/me",
    "/api/docs/../v1/auth/me", "/healthz/../api/v1/auth/me", "/api/v1", "/api/v1/", "/api/", "/api", "/v1/", "*", "me",
    "/api/v1/auth/me\x80", "/api/v1/auth/\x01me", "/api/v1/auth/me?%00", "/api/v1/auth/me?a=1?b=2", "/api/v2/auth/me",
    "/api/v1/auth/me/../../credentials", "/api/v1/credentials/..", "/api/v1/credentials/.", "/api/v1/credentials/%2e%2e/auth/me",
    `/api/v1/${"a/".repeat(3000)}`, `/api/v1/${"../".repeat(500)}etc/passwd`];
  await each(paths, async (path) => assertRefused(path.slice(0, 80), await sendPath(lw, path, { token }), { status: [400, 404, 414] }));
});

test("files of the machine and of other programs are not there", async () => {
  for (const path of ["/docs/../../etc/passwd", "/docs/..%2f..%2fetc/passwd", "/docs/%2e%2e/%2e%2e/etc/passwd", "/docs/.built",
    "/docs/./../.built", "/docs%00/", "/redoc/..%5c..%5cwindows", "/.git/HEAD", "/.env", "/.well-known/", "/server-status",
    "/nginx_status", "/metrics", "/api/metrics", "/api/v1/metrics", "/.problem/400", "/index.php", "/cgi-bin/sh", "/@front", "/api/@vault"]) {
    for (const headers of [[], ["Latchwork-Metrics: 1", "LATCHWORK_METRICS: 1"]])
      assertRefused(path, await sendPath(lw, path, { token, headers }), { status: [400, 404] });
  }
});

test("a request for another host, or for none, is not served", async () => {
  const me = (...lines) => sendLines(lw, ["GET /api/v1/auth/me HTTP/1.1", `Authorization: Bearer ${token}`, "Connection: close", ...lines]);
  for (const host of ["evil.example", "localhost.evil.example", "localhost@evil.example", "169.254.169.254", "[::ffff:1.2.3.4]", "xn--localhost"])
    assertRefused(host, (await me(`Host: ${host}`))[0], { status: [400, 421] });
  for (const lines of [[], ["Host:"], ["Host: localhost", "Host: evil.example"], ["Host: localhost", "Host: localhost"],
    ["Host: local host"], ["Host: localhost/x"], ["Host : localhost"], ["Host: local\x00host"]])
    assertRefused(lines.join(), (await me(...lines))[0], { status: [400, 421] });
  assertRefused("absolute form", (await sendLines(lw, ["GET https://evil.example/api/v1/auth/me HTTP/1.1", "Host: localhost",
    "Connection: close", `Authorization: Bearer ${token}`]))[0], { status: [400, 421] });
  assert.equal((await sendPath(lw, "https://localhost/api/v1/auth/me", { token })).status, 200);
  assertRefused("HTTP/1.0 without a host", (await sendLines(lw, ["GET /api/v1/auth/me HTTP/1.0", `Authorization: Bearer ${token}`]))[0],
    { status: [400, 421] });
  assert.equal((await sendPath(lw, "/api/v1/auth/me", { token, version: "HTTP/1.0" })).status, 200);
  assert.ok([400, 505].includes((await sendPath(lw, "/api/v1/auth/me", { token, version: "HTTP/9.9" })).status));
});

test("two ways to read where a request ends are none: nothing is smuggled", async () => {
  const login = ["POST /api/v1/auth/login HTTP/1.1", "Host: localhost", "Content-Type: application/json"],
    smuggled = "GET /api/v1/auth/me HTTP/1.1\r\nHost: localhost\r\n\r\n";
  const framings = {
    "a length and chunks": ["Content-Length: 5", "Transfer-Encoding: chunked"],
    "chunks and a length": ["Transfer-Encoding: chunked", "Content-Length: 5"],
    "two lengths": ["Content-Length: 5", "Content-Length: 60"], "the same length twice": ["Content-Length: 5", "Content-Length: 5"],
    "a list of lengths": ["Content-Length: 5, 5"], "a length with a sign": ["Content-Length: +5"],
    "a negative length": ["Content-Length: -1"], "a length in hexadecimal": ["Content-Length: 0x5"],
    "a length that overflows": ["Content-Length: 99999999999999999999"], "another coding": ["Transfer-Encoding: gzip, chunked"],
    "an unknown coding": ["Transfer-Encoding: xchunked"], "identity": ["Transfer-Encoding: identity"],
    "two codings": ["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], "a folded header": ["Transfer-Encoding:", " chunked"],
    "a space before the colon": ["Transfer-Encoding : chunked"],
  };
  for (const [words, lines] of Object.entries(framings)) {
    const answers = await sendLines(lw, [...login, ...lines], { body: `0\r\n\r\n${smuggled}` });
    assert.ok(answers.length >= 1, words);
    assert.ok(answers[0].status >= 400 && answers[0].status < 502 && answers[0].status !== 500, `${words}: ${answers[0].status}`);
    assert.ok(answers.length === 1 || answers[0].status !== 200, `${words}: ${answers.length} answers`);
    assert.equal(answers.some(({ status }) => status === 200), false, words);
  }
  for (const body of ["5\r\nhello", "zz\r\n", "-1\r\n", "5;\x00\r\nhello\r\n0\r\n\r\n", "ffffffffffffffffff\r\n"]) {
    const answers = await sendLines(lw, [...login, "Transfer-Encoding: chunked", "Connection: close"], { body });
    assert.ok(answers.every(({ status }) => status >= 400 && status < 500), JSON.stringify(body));
  }
});

test("lines that end in LF alone, NULs and garbage get at most one answer", async () => {
  const lines = ["GET /api/v1/auth/me HTTP/1.1", "Host: localhost", "Connection: close"];
  assert.equal((await sendLines(lw, lines, { end: "\n" })).length, 1);
  for (const garbage of [["\x16\x03\x01"], ["GET"], ["GET /"], ["GET  /api/v1/auth/me  HTTP/1.1", "Host: localhost"],
    ["get /api/v1/auth/me HTTP/1.1", "Host: localhost"], ["A".repeat(70000)], [...lines, "X\x00Y: 1"], [...lines, ": x"],
    [...lines, "No colon"], [...lines, "X: a\x00b"], [...lines, "X: a\rb"], [...lines, " folded: 1"], ["PRI * HTTP/2.0", "", "SM"]]) {
    const answers = await sendLines(lw, garbage);
    assert.ok(answers.length <= 1 && answers.every(({ status }) => status < 500), JSON.stringify(garbage).slice(0, 100));
  }
});

test("HTTP/2 may say no second path, no second host and no wrong length, and its transfer coding is nothing", async () => {
  const get = (fields) => sendH2(lw, [...H2_BASICS, ...fields]);
  assert.deepEqual(await get([]), { refused: false, status: 200 });
  // Malformed by RFC 9113, 8.2.2; nginx passes over them, and no pool ever hears of them.
  for (const field of [["transfer-encoding", "chunked"], ["connection", "keep-alive"]])
    assert.deepEqual(await get([field]), { refused: false, status: 200 });
  const evils = { "a second path": [[":path", "/readyz"]], "a second host": [["host", "evil.example"]],
    "an upper case name": [["X-Upper", "1"]], "a length without a body": [["content-length", "60"]],
    "a line in a value": [["x", "a\r\nHost: evil"]], "a NUL": [["x", "a\0b"]], "an unknown pseudo header": [[":x", "1"]],
    "a pseudo header at the end": [["x", "1"], [":authority", "evil.example"]], "a colon": [["x:y", "1"]] };
  for (const [words, fields] of Object.entries(evils)) {
    const got = await get(fields);
    assert.ok(got.refused || got.status === 400, `${words}: ${JSON.stringify(got)}`);
  }
});

test("headers that speak for nginx or for another user change nothing", async () => {
  const plain = (await sendPath(lw, "/api/v1/auth/me", { token })).text;
  const spoofs = ["X-Forwarded-For: 203.0.113.9", "X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9;host=evil.example",
    "X-Forwarded-Host: evil.example", "X-Forwarded-Proto: http", "X-Original-URL: /api/v1/tokens", "X-Rewrite-URL: /api/v1/tokens",
    "X-HTTP-Method-Override: DELETE", "X-HTTP-Method: DELETE", "X-Method-Override: DELETE", "Remote_User: admin", "Remote-User: admin",
    "X-User-Id: 1", "Proxy: http://evil.example", "X-Tenant-Id: x", "Auth_Tenant: x", "LW_URI: /api/v1/tokens", "LW-URI: /api/v1/tokens",
    "Request_Method: DELETE", "Content_Length: 5", "X-Request-Id: forged", "Request-Id: forged", "True-Client-IP: 203.0.113.9",
    "Host_: evil.example"];
  for (const spoof of spoofs) {
    const answer = await sendPath(lw, "/api/v1/auth/me", { token, headers: [spoof] });
    assert.equal(answer.status, 200, spoof);
    assert.equal(answer.text, plain, spoof);
    assert.match(answer.headers["x-request-id"], /^req-[0-9a-z]{26}$/);
  }
  const headers = Object.fromEntries(spoofs.map((line) => line.split(": ")));
  await lw.api("PATCH", "/api/v1/auth/me", { token, body: { name: "Spoof" }, headers });
  const rows = (await lw.api("GET", "/api/v1/audit?action=user.update", { token })).json;
  assert.equal(rows[0].address, "127.0.0.1");
});

test("too many, too large and too odd headers and cookies are refused or ignored", async () => {
  const many = Array.from({ length: 10000 }, (_, i) => `X-Many-${i}: 1`);
  for (const [words, headers, status] of [["10,000 headers", many, [400, 431]],
    ["a header of 64 KiB", [`X: ${"a".repeat(65536)}`], [400, 431]], ["8 KiB of cookies", [`Cookie: a=${"b".repeat(8192)}`], 200],
    ["a cookie of 20 KiB", [`Cookie: ${"b".repeat(20000)}`], [400, 431]],
    ["500 cookies", [`Cookie: ${Array.from({ length: 500 }, (_, i) => `c${i}=1`).join("; ")}`], 200],
    ["a console cookie beside the token", ["Cookie: __Host-latchwork=x"], 200],
    ["200 cookie headers", Array(200).fill("Cookie: a=b"), 200], ["a long User-Agent", [`User-Agent: ${"\x80".repeat(5000)}`], 200],
    ["a long Origin", [`Origin: https://${"a".repeat(5000)}`], 200],
    ["a long Idempotency-Key", [`Idempotency-Key: ${"a".repeat(5000)}`], 200],
    ["a long If-None-Match", [`If-None-Match: ${'"a", '.repeat(1500)}`], 200]]) {
    const answer = await sendPath(lw, "/api/v1/auth/me", { token, headers });
    if (status === 200)
      assert.equal(answer.status, 200, `${words}: ${answer.text}`);
    else
      assertRefused(words, answer, { status });
  }
  for (const key of ["a".repeat(256), "a b", "\xe9", "\x7f"])
    assertRefused(`key ${key.slice(0, 5)}`, await sendPath(lw, "/api/v1/auth/logout", { method: "POST", token,
      headers: ["Content-Length: 0", `Idempotency-Key: ${key}`] }), { status: 400 });
  for (const tag of ["*x", '"unclosed', "W/", "x".repeat(300), '"a" "b"'])
    assertRefused(tag, await sendPath(lw, "/api/v1/auth/me", { method: "PATCH", token,
      headers: ["Content-Type: application/json", "Content-Length: 12", `If-Match: ${tag}`, "", '{"name":"x"}'] }), { status: [400, 412] });
});

test("a method that a path doesn't take gets 405 and is told which ones it takes", async () => {
  const paths = new Map();
  for (const operation of Object.values(operationsWithPlaces(lw)))
    paths.set(operation.path, [...(paths.get(operation.path) ?? []), operation]);
  for (const [, [first, ...rest]] of paths) {
    const params = Object.fromEntries(first.parameters.filter((p) => p.in === "path").map((p) => [p.name, p.example]));
    const { uri } = requestOf(first, { params }), taken = [first, ...rest].map(({ method }) => method);
    const head = [first, ...rest].some(({ method, pool }) => method === "GET" && pool === "front");
    const allow = [...taken, ...(head ? ["HEAD"] : []), "OPTIONS"];
    const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "LOCK", "SEARCH", "get", "FOO"];
    for (const method of methods.filter((each) => !taken.includes(each))) {
      const answer = await sendPath(lw, uri, { method, token });
      assertRefused(`${method} ${uri}`, answer, { status: method === "get" ? [400, 405] : 405 });
      if (answer.status === 405)
        assert.deepEqual(answer.headers.allow.split(", ").sort(), [...allow].sort(), `${method} ${uri}`);
    }
    for (const method of ["TRACE", "CONNECT"])
      assertRefused(method, await sendPath(lw, uri, { method, token, headers: ["X-Secret: 1"] }), { status: [400, 405] });
    const options = await sendPath(lw, uri, { method: "OPTIONS" });
    assert.equal(options.status, 204);
    assert.deepEqual(options.headers.allow.split(", ").sort(), [...allow].sort());
  }
});

test("only a listed origin may read answers and send credentials", async () => {
  const me = (origin) => lw.api("GET", "/api/v1/auth/me", { token, headers: { Origin: origin } });
  const asks = { "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization" };
  const preflight = (origin) => lw.api("OPTIONS", "/api/v1/credentials", { headers: { Origin: origin, ...asks } });
  const nobody = (origin) => lw.api("GET", "/api/v1/credentials", { headers: { Origin: origin } });
  for (const origin of ["https://evil.example", "null", "*", "http://app.example.test", `${LISTED}.evil.example`, `${LISTED}:443`,
    `${LISTED}/`, "https://APP.example.test", "https://sub.app.example.test", "https://appxexample.test",
    `${LISTED}, https://evil.example`, `https://evil.example, ${LISTED}`, "https://other.example.test", "file://", ` ${LISTED}x`]) {
    for (const answer of [await me(origin), await preflight(origin), await nobody(origin)]) {
      const allowed = Object.keys(answer.headers).filter((name) => name.startsWith("access-control-"));
      assert.deepEqual(allowed, [], origin);
      assert.match(answer.headers.vary, /Origin/);
    }
  }
  for (const origin of [LISTED, "https://other.example.test:8443"]) {
    const [answer, asked, refusal] = [await me(origin), await preflight(origin), await nobody(origin)];
    for (const { headers } of [answer, asked, refusal]) {
      assert.equal(headers["access-control-allow-origin"], origin);
      assert.equal(headers["access-control-allow-credentials"], "true");
    }
    assert.equal(asked.status, 204);
    assert.match(asked.headers["access-control-allow-methods"], /POST/);
    assert.match(asked.headers["access-control-allow-headers"], /Authorization.*Idempotency-Key/);
    assert.equal(refusal.status, 401);
  }
});

test("nothing that a client writes makes a second line in a log, or colours a terminal", async () => {
  const evil = "x\x1b[31mred\x1b]0;title\x07\x9b\u2028\u202e\",\"level\":\"error";
  const agent = "agent\x1b[2J \",\"forged\":\"yes";
  await sendPath(lw, "/api/v1/auth/me", { token, headers: [`User-Agent: ${agent}`] });
  for (const email of [`a\n{"level":"error"}@example.test`, `${evil}@example.test`, "a\r\nSubject: x@example.test"])
    await lw.api("POST", "/api/v1/auth/login", { body: { email, password: evil },
      headers: { "User-Agent": "agent \x1b[2J" .replace(/\x1b/g, "\x9b") } });
  await lw.api("PATCH", "/api/v1/auth/me", { token, body: { name: evil } });
  await lw.api("POST", "/api/v1/credentials", { token, body: { name: `${evil}\nsecond line`, type: "api_key", data: { api_key: evil } } });
  await sendPath(lw, `/api/v1/x"\\x1b[31m${"%0a"}{"a":1}`, { token });
  await eventually("nginx wrote its lines", () => lw.log("access").includes("[31m"));
  for (const name of ["front", "vault", "access"])
    for (const line of lw.log(name).trimEnd().split("\n")) {
      assert.doesNotMatch(line, /[\x00-\x1f\x7f-\x9f\u2028-\u202e]/, name);
      assert.equal("forged" in JSON.parse(line), false, line);
    }
  for (const args of [["user", "list"], ["tenant", "list"]])
    assert.doesNotMatch(lw.latchctl(...args).stdout, /[\x00-\x09\x0b-\x1f\x7f-\x9f]/, args.join(" "));
  assert.equal(fs.existsSync(lw.at("log", "nginx-error.log")) && /\[(error|crit|alert|emerg)\]/.test(lw.log("nginx-error")), false);
});

test("after all that the same workers answer", () => guard.assertUnharmed());
