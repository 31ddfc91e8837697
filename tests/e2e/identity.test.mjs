// Who may come in, and who no longer may.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startInstance } from "./lib/instance.mjs";

let lw;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\naddress_per_minute = 0\n" });
});
after(() => lw?.stop());

const post = (path, body, options = {}) => lw.api("POST", `/api/v1${path}`, { body, ...options });
const me = async (token) => (await lw.api("GET", "/api/v1/auth/me", { token })).status;
const login = (email, password, options) => post("/auth/login", { email, password }, options);

/** The token of the newest mail of that kind to an address, out of its link. */
function mailed(to, kind) {
  const list = JSON.parse(lw.latchctl("mail", "--json", "--to", to).stdout);
  const mail = list.find((each) => each.kind === kind);
  return mail && new URLSearchParams(new URL(mail.link).hash.split("?")[1]).get("token");
}

test("a new account owns its tenant and is signed in at once", async () => {
  const { status, json } = await post("/auth/register", { email: "First@Example.test", password: "no one guesses this", tenant_name: "First" });
  assert.equal(status, 201);
  assert.equal(json.tenant.name, "First");
  assert.equal(json.role, "owner");
  assert.equal(json.token_type, "Bearer");
  assert.equal(json.expires_in, 900);
  assert.equal(await me(json.access_token), 200);
});

test("an address is one account, however it is spelled", async () => {
  assert.equal((await post("/auth/register", { email: " first@EXAMPLE.test ".trim(), password: "no one guesses this" })).status, 409);
  assert.equal((await login("FIRST@example.TEST", "no one guesses this")).status, 200);
});

test("a password that everybody uses is refused", async () => {
  for (const password of ["password1", "12345678", "qwertyuiop"]) {
    const { status, json } = await post("/auth/register", { email: "weak@example.test", password });
    assert.equal(status, 400, password);
    assert.equal(json.fields[0].field, "password");
  }
});

test("a wrong password, an unknown address and a disabled account look the same", async () => {
  const user = await lw.newTenant("same");
  const disabled = await lw.newTenant("disabled");
  assert.equal(lw.latchctl("user", "disable", disabled.email).status, 0);
  const answers = [];
  for (const [email, password] of [[user.email, "wrong wrong"], ["nobody@example.test", "wrong wrong"], [disabled.email, disabled.password]]) {
    const { status, json } = await login(email, password);
    answers.push(JSON.stringify({ ...json, status, request_id: "" }));
  }
  assert.equal(new Set(answers).size, 1, answers.join("\n"));
  assert.match(answers[0], /BAD_LOGIN/);
});

test("guessing is slowed down, and the owner still gets in from where they have signed in before", async () => {
  const user = await lw.newTenant("guessed");
  let blocked = 0;
  for (let i = 0; i < 30; i++)
    blocked += (await login(user.email, `guess ${i}`)).status === 429;
  assert.ok(blocked >= 15, `${blocked} of 30 tries were stopped`);
  const { status, headers } = await login(user.email, "guess again");
  assert.equal(status, 429);
  assert.ok(Number(headers["retry-after"]) > 0);
  // The block of the account alone, as strangers elsewhere would cause it, doesn't stop a known address.
  lw.sql("UPDATE login_throttle SET blocked_until = 0, failures = 0");
  assert.equal((await login(user.email, user.password)).status, 200);
});

test("a refresh token works once; its second use ends the session of both", async () => {
  const user = await lw.newTenant("refresh");
  const second = await post("/auth/refresh", { refresh_token: user.refresh_token });
  assert.equal(second.status, 200);
  assert.equal(await me(second.json.access_token), 200);
  assert.equal((await post("/auth/refresh", { refresh_token: user.refresh_token })).status, 401);
  assert.equal(await me(second.json.access_token), 401);
  assert.equal((await post("/auth/refresh", { refresh_token: second.json.refresh_token })).status, 401);
});

test("one of a hundred parallel uses of a refresh token wins", async () => {
  const user = await lw.newTenant("race");
  const answers = await Promise.all(Array.from({ length: 100 }, () => post("/auth/refresh", { refresh_token: user.refresh_token })));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.ok(answers.every(({ status }) => status === 200 || status === 401 || status === 503));
});

test("what was signed out stays out", async () => {
  const user = await lw.newTenant("logout");
  assert.equal((await post("/auth/logout", undefined, { token: user.token })).status, 204);
  assert.equal(await me(user.token), 401);
  assert.equal((await post("/auth/refresh", { refresh_token: user.refresh_token })).status, 401);
});

test("changing the password ends the other sessions and keeps this one", async () => {
  const user = await lw.newTenant("change");
  const other = await lw.login(user.email, user.password);
  const body = { old_password: user.password, new_password: "an even better passphrase" };
  const wrong = await post("/auth/password/change", { ...body, old_password: "wrong" }, { token: user.token });
  assert.equal(wrong.status, 400);
  assert.equal(wrong.json.fields[0].field, "old_password");
  assert.equal((await post("/auth/password/change", body, { token: user.token })).status, 204);
  assert.equal(await me(user.token), 200);
  assert.equal(await me(other.access_token), 401);
  assert.equal((await login(user.email, user.password)).status, 401);
  assert.equal((await login(user.email, body.new_password)).status, 200);
});

test("a reset link works once among a hundred, and ends every session", async () => {
  const user = await lw.newTenant("reset");
  for (const email of [user.email, "nobody@example.test"])
    assert.equal((await post("/auth/password/forgot", { email })).status, 202);
  assert.equal(mailed("nobody@example.test", "password_reset"), undefined);
  const token = mailed(user.email, "password_reset");
  const answers = await Promise.all(Array.from({ length: 20 }, (_, i) =>
    post("/auth/password/reset", { token, password: `replaced passphrase ${i}` })));
  assert.equal(answers.filter(({ status }) => status === 204).length, 1);
  assert.equal(await me(user.token), 401);
});

test("an address is confirmed by its mail, once", async () => {
  const user = await lw.newTenant("verify");
  const token = mailed(user.email, "email_verify");
  assert.equal(user.user.email_verified, false);
  assert.equal((await post("/auth/email/verify", { token })).status, 204);
  assert.equal((await post("/auth/email/verify", { token })).status, 400);
  assert.equal((await lw.api("GET", "/api/v1/auth/me", { token: user.token })).json.user.email_verified, true);
});

test("somebody who is invited joins with a new account, and by the role that was given", async () => {
  const owner = await lw.newTenant("inviting");
  const email = `guest-${Date.now()}@example.test`;
  assert.equal((await post("/invitations", { email, role: "viewer" }, { token: owner.token })).status, 201);
  const accept = { token: mailed(email, "invitation"), password: "the guest's passphrase" };
  const answers = await Promise.all(Array.from({ length: 5 }, () => post("/invitations/accept", accept)));
  const [joined] = answers.filter(({ status }) => status === 200);
  assert.equal(answers.filter(({ status }) => status === 200).length, 1);
  assert.equal(joined.json.role, "viewer");
  assert.equal(joined.json.tenant.id, owner.tenant.id);
  const body = { name: "x", type: "api_key", data: { api_key: "not for viewers" } };
  assert.equal((await post("/credentials", body, { token: joined.json.access_token })).status, 403);
});

test("a new role takes effect at once, and a removed member is out at once", async () => {
  const owner = await lw.newTenant("roles");
  const member = await lw.newTenant("member");
  assert.equal((await post("/invitations", { email: member.email, role: "admin" }, { token: owner.token })).status, 201);
  const token = mailed(member.email, "invitation");
  const joined = await post("/invitations/accept", { token }, { token: member.token });
  assert.equal(joined.status, 200, joined.text);
  const path = `/api/v1/members/${member.user.id}`;
  assert.equal((await lw.api("PATCH", path, { token: owner.token, body: { role: "viewer" } })).status, 200);
  assert.equal(await me(joined.json.access_token), 401);
  const viewer = await post("/auth/refresh", { refresh_token: joined.json.refresh_token });
  assert.equal(viewer.json.role, "viewer");
  assert.equal((await lw.api("DELETE", path, { token: owner.token })).status, 204);
  assert.equal(await me(viewer.json.access_token), 401);
});

test("a tenant keeps its last owner", async () => {
  const owner = await lw.newTenant("last");
  const path = `/api/v1/members/${owner.user.id}`;
  assert.equal((await lw.api("PATCH", path, { token: owner.token, body: { role: "admin" } })).json.code, "LAST_OWNER");
  assert.equal((await lw.api("DELETE", path, { token: owner.token })).json.code, "LAST_OWNER");
});

test("who switches tenants leaves the old one's tokens behind", async () => {
  const owner = await lw.newTenant("home");
  const other = await lw.newTenant("other");
  await post("/invitations", { email: owner.email, role: "member" }, { token: other.token });
  const joined = await post("/invitations/accept", { token: mailed(owner.email, "invitation") }, { token: owner.token });
  const back = await post("/auth/switch", { tenant_id: owner.tenant.id }, { token: joined.json.access_token });
  assert.equal(back.status, 200, back.text);
  assert.equal(back.json.tenant.id, owner.tenant.id);
  assert.equal(await me(joined.json.access_token), 401);
  assert.equal(await me(back.json.access_token), 200);
  assert.notEqual((await post("/auth/switch", { tenant_id: (await lw.newTenant("third")).tenant.id }, { token: back.json.access_token })).status, 200);
});

test("sessions can be seen and ended one by one", async () => {
  const user = await lw.newTenant("sessions");
  const other = await lw.login(user.email, user.password);
  const list = (await lw.api("GET", "/api/v1/auth/sessions", { token: user.token })).json;
  assert.equal(list.length, 2);
  const away = list.find(({ current }) => !current);
  assert.equal((await lw.api("DELETE", `/api/v1/auth/sessions/${away.id}`, { token: user.token })).status, 204);
  assert.equal(await me(other.access_token), 401);
  assert.equal(await me(user.token), 200);
});

test("an API token has its scopes and no more, is stored as a hash, and is revoked at once", async () => {
  const owner = await lw.newTenant("tokens");
  const made = await post("/tokens", { name: "reader", scopes: ["credentials:read"] }, { token: owner.token });
  assert.equal(made.status, 201);
  const { token } = made.json;
  assert.match(token, /^lw_[0-9a-z]{26}_[A-Za-z0-9_-]{43}$/);
  assert.equal((await lw.api("GET", "/api/v1/credentials", { token })).status, 200);
  const refused = await post("/credentials", { name: "x", type: "api_key", data: { api_key: "y" } }, { token });
  assert.equal(refused.json.code, "SCOPE_MISSING");
  assert.equal((await lw.api("GET", "/api/v1/auth/sessions", { token })).status, 403);
  assert.equal((await lw.api("GET", "/api/v1/tokens", { token: owner.token })).text.includes(token), false);
  const broken = token.slice(0, -1) + (token.endsWith("A") ? "B" : "A");
  assert.equal((await lw.api("GET", "/api/v1/credentials", { token: broken })).status, 401);
  assert.equal((await lw.api("DELETE", `/api/v1/tokens/${made.json.id}`, { token: owner.token })).status, 204);
  assert.equal((await lw.api("GET", "/api/v1/credentials", { token })).status, 401);
});

test("a console session is a cookie that a script can't read and another site can't use", async () => {
  const user = await lw.newTenant("console");
  const answer = await post("/auth/login", { email: user.email, password: user.password, session: "cookie" });
  assert.equal(answer.json.access_token, undefined);
  const cookies = [answer.headers["set-cookie"]].flat();
  for (const cookie of cookies)
    for (const part of [/^__Host-latchwork/, /; *Secure/i, /; *HttpOnly/i, /; *SameSite=(Lax|Strict)/i, /; *Path=\//i])
      assert.match(cookie, part);
  const Cookie = cookies.map((cookie) => cookie.split(";")[0]).join("; ");
  const csrf = { Cookie, "X-CSRF-Token": answer.json.csrf_token };
  const body = { name: "console", type: "api_key", data: { api_key: "from the console" } };
  assert.equal((await lw.api("GET", "/api/v1/auth/me", { headers: { Cookie } })).status, 200);
  assert.equal((await post("/credentials", body, { headers: { Cookie } })).json.code, "CSRF");
  assert.equal((await post("/credentials", body, { headers: { ...csrf, "Sec-Fetch-Site": "cross-site" } })).json.code, "CSRF");
  assert.equal((await post("/credentials", body, { headers: csrf })).status, 201);
  const renewed = await post("/auth/refresh", undefined, { headers: csrf });
  assert.equal(renewed.status, 200, renewed.text);
  assert.equal((await post("/auth/logout", undefined, { headers: csrf })).status < 500, true);
});

test("a bcrypt hash of an earlier backend signs in and becomes Argon2id", async () => {
  const user = await lw.newTenant("bcrypt");
  // A test vector of crypt_blowfish: "U*U".
  lw.sql(`UPDATE user SET password_hash = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW' WHERE email = '${user.email}'`);
  assert.equal((await login(user.email, "U*U*")).status, 401);
  assert.equal((await login(user.email, "U*U")).status, 200);
  assert.match(lw.sql(`SELECT password_hash FROM user WHERE email = '${user.email}'`)[0][0], /^\$argon2id\$v=19\$m=19456,t=2,p=1\$/);
  assert.equal((await login(user.email, "U*U")).status, 200);
});
