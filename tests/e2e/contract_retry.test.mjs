// What a client may rely on when it has to ask again: Idempotency-Key, and limits that say when.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, test } from "node:test";
import { assertRefused } from "./lib/hostile.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";

let lw, owner, limited;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  owner = await lw.newTenant("retry");
});
after(async () => {
  await lw?.stop();
  await limited?.stop();
});

const newKey = () => crypto.randomUUID();
const post = (path, body, key, token = owner.token) =>
  lw.api("POST", `/api/v1${path}`, { token, body, headers: key ? { "Idempotency-Key": key } : {} });
const secret = (name) => ({ name, type: "api_key", data: { api_key: `secret of ${name}` } });
const named = async (name) => (await lw.api("GET", `/api/v1/credentials?name=${name}`, { token: owner.token })).json;

/** The second answer is the first one again, byte for byte. */
function assertReplayed(first, second) {
  assert.equal(second.status, first.status);
  assert.ok(first.bytes.equals(second.bytes), `${first.text} became ${second.text}`);
  assert.equal(first.headers["idempotent-replayed"], undefined);
  assert.equal(second.headers["idempotent-replayed"], "true");
  for (const name of ["etag", "content-type"])
    assert.equal(second.headers[name], first.headers[name], name);
}

test("a request that comes again gets its first answer again, and has no second effect", async () => {
  const key = newKey(), first = await post("/credentials", secret("again"), key);
  assert.equal(first.status, 201);
  for (let i = 0; i < 3; i++)
    assertReplayed(first, await post("/credentials", secret("again"), key));
  assert.equal((await named("again")).length, 1);
  const second = await post("/credentials", secret("again"), key);
  assert.notEqual(second.headers["x-request-id"], first.headers["x-request-id"], "it is a request of its own in the log");
});

test("the same key with another body, path or query is a mistake that is told", async () => {
  const key = newKey(), { json } = await post("/credentials", secret("mismatch"), key);
  assertRefused("another body", await post("/credentials", secret("mismatch 2"), key), { status: 409, code: "IDEMPOTENCY_MISMATCH" });
  assert.equal((await named("mismatch%202")).length, 0);
  await lw.api("PUT", `/api/v1/credentials/${json.id}`, { token: owner.token, body: { data: { api_key: "a newer secret" } } });
  const restore = newKey(), uri = `/credentials/${json.id}/versions`;
  assert.equal((await post(`${uri}/1/restore`, undefined, restore)).status, 200);
  assertRefused("another path", await post(`${uri}/2/restore`, undefined, restore), { status: 409, code: "IDEMPOTENCY_MISMATCH" });
});

test("of many at the same moment exactly one has its effect", async () => {
  const name = `rush-${newKey()}`, key = newKey();
  const answers = await Promise.all(Array.from({ length: 20 }, () => post("/credentials", secret(name), key)));
  const made = answers.filter(({ status }) => status === 201), rest = answers.filter(({ status }) => status !== 201);
  assert.equal(new Set(made.map(({ text }) => text)).size, 1);
  assert.equal(made.filter(({ headers }) => !headers["idempotent-replayed"]).length, 1);
  for (const answer of rest)
    assertRefused("too early", answer, { status: 409, code: "IDEMPOTENCY_IN_FLIGHT" });
  assert.equal((await named(name)).length, 1);
  assertReplayed(made.find(({ headers }) => !headers["idempotent-replayed"]), await post("/credentials", secret(name), key));
});

test("registering and making a token can be repeated, and show the same secrets", async () => {
  const body = { email: `${newKey()}@example.test`, password: "a password of some length" }, key = newKey();
  const first = await post("/auth/register", body, key, null);
  assert.equal(first.status, 201);
  assertReplayed(first, await post("/auth/register", body, key, null));
  assertRefused("another password", await post("/auth/register", { ...body, password: "another password of mine" }, key, null),
    { status: 409, code: "IDEMPOTENCY_MISMATCH" });
  assertRefused("without the key", await post("/auth/register", body, undefined, null), { status: 409, code: "EMAIL_TAKEN" });
  const tokenKey = newKey(), token = await post("/tokens", { name: "once", scopes: ["admin"] }, tokenKey);
  assertReplayed(token, await post("/tokens", { name: "once", scopes: ["admin"] }, tokenKey));
  assert.equal((await lw.api("GET", "/api/v1/tokens", { token: owner.token })).json.filter(({ name }) => name === "once").length, 1);
});

test("revealing again opens the secret again, and is audited again: no plain answer is kept", async () => {
  const { json } = await post("/credentials", secret("revealed")), key = newKey(), uri = `/credentials/${json.id}/reveal`;
  for (let i = 0; i < 2; i++) {
    const answer = await post(uri, undefined, key);
    assert.equal(answer.json.data.api_key, "secret of revealed");
    assert.equal(answer.headers["idempotent-replayed"], undefined);
  }
  const rows = (await lw.api("GET", `/api/v1/audit?action=credential.reveal&target=${json.id}`, { token: owner.token })).json;
  assert.equal(rows.length, 2);
});

test("a refused request leaves its key free", async () => {
  const key = newKey();
  assertRefused("bad", await post("/credentials", { name: "free" }, key), { status: 400 });
  assertRefused("bad data", await post("/credentials", { name: "free", type: "api_key", data: {} }, key), { status: 400 });
  assert.equal((await post("/credentials", secret("free"), key)).status, 201);
});

test("a key is its user's and its operation's own", async () => {
  const key = newKey(), stranger = await lw.newTenant("stranger");
  const [mine, theirs] = [await post("/credentials", secret("mine"), key), await post("/credentials", secret("mine"), key, stranger.token)];
  assert.equal(theirs.status, 201);
  assert.notEqual(theirs.json.id, mine.json.id);
  assert.equal(theirs.headers["idempotent-replayed"], undefined);
  assert.equal((await post("/keys", { service: "own", api_key: "a key of some length" }, key)).status, 201);
});

test("who may no longer do it doesn't get the kept answer either", async () => {
  const user = await lw.newTenant("ended"), key = newKey();
  assert.equal((await post("/credentials", secret("kept"), key, user.token)).status, 201);
  await post("/auth/logout", undefined, undefined, user.token);
  assertRefused("ended", await post("/credentials", secret("kept"), key, user.token), { status: 401 });
});

test("after a day a key is forgotten", async () => {
  const key = newKey(), first = await post("/credentials", secret("yesterday"), key);
  lw.sql("UPDATE idempotency SET created_at = created_at - 86400001");
  const second = await post("/credentials", secret("yesterday"), key);
  assert.equal(second.status, 201);
  assert.notEqual(second.json.id, first.json.id);
});

// --- limits ------------------------------------------------------------------------------

const until429 = async (send) => {
  for (let i = 0; i < 200; i++) {
    const answer = await send();
    if (answer.status === 429)
      return { answer, before: i };
    assert.ok(answer.status < 500, answer.text);
  }
  assert.fail("there is no limit");
};

function assertLimited(what, { answer, before: sent }, limit) {
  assertRefused(what, answer, { status: 429, code: "RATE_LIMITED" });
  const number = (name) => {
    assert.match(answer.headers[name], /^\d+$/, `${what}: ${name}`);
    return Number(answer.headers[name]);
  };
  assert.ok(number("retry-after") >= 1 && number("retry-after") <= 60);
  assert.equal(number("ratelimit-limit"), limit);
  assert.equal(number("ratelimit-remaining"), 0);
  assert.ok(number("ratelimit-reset") >= 1 && number("ratelimit-reset") <= 60);
  assert.ok(sent >= limit, `${what}: only ${sent} were let through`);
}

test("who asks too often gets 429, is told how long to wait, and nobody else has to", async () => {
  const limits = { address: 0, token: 60, tenant: 0, write: 30, login: 20 };
  limited = await startInstance({ conf: `[limits]\n${Object.entries(limits).map(([name, n]) => `${name}_per_minute = ${n}\n`).join("")}` });
  const [user, other] = [await limited.newTenant("limited"), await limited.newTenant("other")];
  const me = ({ token }) => limited.api("GET", "/api/v1/auth/me", { token });
  const write = ({ token }) => limited.api("POST", "/api/v1/keys", { token, body: { service: "s", api_key: "a key of some length" } });
  assertLimited("reads", await until429(() => me(user)), limits.token);
  assert.equal((await me(other)).status, 200);
  assert.equal((await limited.api("GET", "/healthz")).status, 200);
  await eventually("the limit lets one through again", async () => (await me(user)).status === 200);
  assertLimited("writes", await until429(() => write(other)), limits.write);
  const wrong = () => limited.api("POST", "/api/v1/auth/login", { body: { email: `${newKey()}@example.test`, password: "wrong" } });
  const { answer } = await until429(wrong);
  assertRefused("logins", answer, { status: 429 });
  assert.match(answer.headers["retry-after"], /^\d+$/);
});
