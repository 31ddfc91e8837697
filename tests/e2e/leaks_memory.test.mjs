// A process wipes what it is done with: right after a request none of its secrets is left in the memory of a pool.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import net from "node:net";
import { after, before, test } from "node:test";
import { Canaries } from "./lib/canaries.mjs";
import { requestBytes } from "./lib/fcgi.mjs";
import { eventually, startInstance } from "./lib/instance.mjs";
import { assertForgotten, remembered } from "./lib/memory.mjs";

const needsRoot = { skip: process.getuid() !== 0 && "needs root" };
const canaries = new Canaries();
let lw, token, one;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" });
  ({ token } = await lw.newTenant("aviary"));
  const data = { username: "u", password: canaries.make("password") };
  const made = await call("POST", "/api/v1/credentials", { name: "passing", type: "basic_auth", data });
  one = `/api/v1/credentials/${made.json.id}`;
});
after(async () => { await lw?.stop(); });

const call = (method, uri, body, more) => lw.api(method, uri, { token, body, ...more });
const post = (uri, body, more) => call("POST", uri, body, more);
const secret = (name) => canaries.make(name);

/** Words, the status that it has to get, the request. */
const REQUESTS = [
  ["a change of a credential", 200, () => call("PUT", one, { data: { password: secret("changed"), extra: { more: secret("extra") } } })],
  ["a credential taken out", 200, () => post(`${one}/reveal`)],
  ["an old version restored", 200, () => post(`${one}/versions/1/restore`)],
  ["a short-form key", 201, () => post("/api/v1/keys", { service: "stripe", api_key: secret("key") })],
  ["a sign-in with a wrong password", 401, () => post("/api/v1/auth/login", { email: "a@canary.test", password: secret("wrong") })],
  ["a new account", 201, () => post("/api/v1/auth/register", { email: `${crypto.randomUUID()}@canary.test`, password: secret("new") })],
  ["an unknown token", 401, () => call("GET", "/api/v1/auth/me", undefined, { token: secret("token") })],
  ["an API token", 200, async () => {
    const { json } = await post("/api/v1/tokens", { name: "n", scopes: ["admin"] }, { headers: { "Idempotency-Key": secret("idempotency_key") } });
    canaries.add("api_token", json.token);
    return call("GET", "/api/v1/tokens", undefined, { token: json.token });
  }],
  ["a refresh token", 200, async () => {
    const made = await post("/api/v1/auth/register", { email: `${crypto.randomUUID()}@canary.test`, password: secret("of_refresh") });
    canaries.add("refresh_token", made.json.refresh_token);
    return post("/api/v1/auth/refresh", { refresh_token: made.json.refresh_token }, { token: undefined });
  }],
  ["JSON that ends too early", 400, () =>
    post("/api/v1/tokens", `{"name":"${secret("json")}","scopes":[`, { headers: { "Content-Type": "application/json" } })],
  ["a member that is too long", 400, () =>
    post("/api/v1/credentials", { name: "n", type: "api_key", data: { api_key: secret("large") + "x".repeat(200000) } })],
  ["a token in a query", 400, () => call("GET", `/api/v1/auth/me?access_token=${secret("query")}`)],
];

for (const [what, status, request] of REQUESTS) {
  test(`nothing is left of ${what}`, needsRoot, async () => {
    const answer = await request();
    assert.equal(answer.status, status, answer.text);
    await assertForgotten(what, lw, canaries, "front", "vault");
  });
}

test("a request that is under way is in memory, so the looking works, and it is wiped when its client is gone", needsRoot, async () => {
  for (const pool of ["front", "vault"]) {
    const socket = net.connect(new RegExp(`^socket = (.*/${pool}\\.sock)$`, "m").exec(fs.readFileSync(lw.conf, "utf8"))[1]);
    await new Promise((done) => socket.once("connect", done));
    const whole = requestBytes({ method: "POST", uri: "/api/v1/nothing", body: secret("body") + "x".repeat(1000),
      params: [["HTTP_AUTHORIZATION", `Bearer ${secret("header")}`]] });
    socket.write(whole.subarray(0, -500));
    await eventually("it is seen", async () => {
      const names = (await remembered(lw, canaries, pool)).flatMap(([, , , found]) => found);
      return names.includes("body") && names.includes("header");
    });
    socket.destroy();
    await assertForgotten(pool, lw, canaries, pool);
  }
});
