// Who loses a right loses it with the next request, on every worker of every pool: not when a token runs out.
import assert from "node:assert/strict";
import https from "node:https";
import { after, before, test } from "node:test";
import { eventually, startInstance } from "./lib/instance.mjs";
import { SCOPES, Tenant, idBytes, unknownId } from "./lib/tenants.mjs";

let lw, a, b;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" });
  [a, b] = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
});
after(async () => { await lw?.stop(); });

/** What a token is answered by either pool over many connections, so by many workers: each status, once. */
async function statuses(token) {
  const agents = Array.from({ length: 8 }, () => new https.Agent());
  const answers = await Promise.all(agents.flatMap((agent) => [
    lw.api("GET", "/api/v1/auth/me", { token, agent }),
    lw.api("POST", `/api/v1/credentials/${unknownId(`cred-${"0".repeat(26)}`)}/reveal`, { token, agent }),
  ]));
  agents.forEach((agent) => agent.destroy());
  return [...new Set(answers.map((answer) => answer.status))].sort();
}

const dead = async (words, token) => assert.deepEqual(await statuses(token), [401], `${words} still works`);
const lives = async (words, token) => assert.equal((await statuses(token)).includes(401), false, `${words} doesn't work any more`);
const refresh = (refresh_token) => lw.api("POST", "/api/v1/auth/refresh", { body: { refresh_token } });
const programOf = async (person, tenant = a) => (await tenant.does("POST", "/api/v1/tokens", { name: "mine", scopes: SCOPES }, person.token)).token;

function latchctl(...args) {
  const done = lw.latchctl(...args);
  assert.equal(done.status, 0, done.stderr);
}

test("a revoked API token, by its tenant or by the operator", async () => {
  const [one, two, kept] = [await a.newToken(SCOPES), await a.newToken(SCOPES), await a.newToken(SCOPES)];
  await lives("a token", one.token);
  await a.does("DELETE", `/api/v1/tokens/${one.id}`);
  await dead("a revoked token", one.token);
  latchctl("token", "revoke", "--tenant", a.id, two.id);
  await dead("a token that the operator revoked", two.token);
  await lives("the other token", kept.token);
});

test("an API token whose time is over", async () => {
  const made = await a.does("POST", "/api/v1/tokens", { name: "short", scopes: SCOPES, expires_at: new Date(Date.now() + 3600_000).toISOString() });
  await lives("a token of an hour", made.token);
  lw.sql(`UPDATE api_token SET expires_at = ${Date.now() - 1} WHERE token_id = ${idBytes(made.id)}`);
  assert.equal((await lw.api("GET", "/api/v1/auth/me", { token: made.token })).json.code, "TOKEN_EXPIRED");
  await dead("an expired API token", made.token);
});

test("a session that its person ended, here or elsewhere", async () => {
  const person = await a.newMember("admin"), other = await a.signIn(person), program = await programOf(person);
  await a.does("POST", "/api/v1/auth/logout", undefined, other.token);
  await dead("a session after logout", other.token);
  assert.equal((await refresh(other.refresh_token)).status, 401);
  const third = await a.signIn(person);
  await a.does("DELETE", "/api/v1/auth/sessions", undefined, person.token);
  await dead("a session that was ended from another", third.token);
  await lives("the session that ended the others", person.token);
  await lives("the person's API token", program);
});

test("the sessions from before a change of the password", async () => {
  const person = await a.newMember("admin"), other = await a.signIn(person);
  await a.does("POST", "/api/v1/auth/password/change", { old_password: person.password, new_password: `${person.password}+` }, person.token);
  await dead("a session of the old password", other.token);
  assert.equal((await refresh(other.refresh_token)).status, 401);
  await lives("the session that changed it", person.token);
});

test("every session, after the password was set by a mailed link", async () => {
  const person = await a.newMember("admin");
  assert.equal((await lw.api("POST", "/api/v1/auth/password/forgot", { body: { email: person.email } })).status, 202);
  const [{ link }] = JSON.parse(lw.latchctl("mail", "--json", "--to", person.email).stdout).filter((mail) => mail.kind === "password_reset");
  const token = new URL(link.replace("#/", "")).searchParams.get("token"), body = { token, password: `${person.password}!` };
  assert.equal((await lw.api("POST", "/api/v1/auth/password/reset", { body })).status, 204);
  await dead("a session from before", person.token);
  assert.equal((await lw.api("POST", "/api/v1/auth/password/reset", { body })).json.code, "LINK_USED");
});

test("both holders of a refresh token that was used twice", async () => {
  const person = await a.newMember("viewer"), first = await refresh(person.refresh_token);
  assert.equal(first.status, 200);
  assert.equal((await refresh(person.refresh_token)).json.code, "SESSION_ENDED");
  await dead("the thief's or the user's token", first.json.access_token);
  assert.equal((await refresh(first.json.refresh_token)).status, 401);
});

test("a changed role: the old token is dead, the next one carries the new role", async () => {
  const person = await a.newMember("admin"), program = await programOf(person);
  await a.does("PATCH", `/api/v1/members/${person.id}`, { role: "viewer" });
  await dead("a token of the old role", person.token);
  await dead("an API token of somebody who may make none any more", program);
  const next = await refresh(person.refresh_token);
  assert.equal(next.json.role, "viewer");
  assert.equal((await lw.api("GET", "/api/v1/tokens", { token: next.json.access_token })).status, 403);
  await a.does("PATCH", `/api/v1/members/${person.id}`, { role: "admin" });
  await dead("a viewer's token of an admin", next.json.access_token);
});

test("a removed member: session, refresh token, API tokens, and what they sent out", async () => {
  const person = await a.newMember("admin"), program = await programOf(person);
  const invitation = await a.does("POST", "/api/v1/invitations", { email: `way-back-${person.email}`, role: "admin" }, person.token);
  await a.does("DELETE", `/api/v1/members/${person.id}`);
  await dead("a removed member's token", person.token);
  await dead("a removed member's API token", program);
  assert.notEqual((await refresh(person.refresh_token)).status, 200);
  const { email, password } = person;
  assert.equal((await lw.api("POST", "/api/v1/auth/login", { body: { email, password, tenant_id: a.id } })).status, 403);
  assert.equal((await a.does("GET", "/api/v1/invitations")).some((other) => other.id === invitation.id), false);
});

test("a disabled account, until it is enabled again", async () => {
  const person = await a.newMember("admin"), program = await programOf(person), { email, password } = person;
  const login = () => lw.api("POST", "/api/v1/auth/login", { body: { email, password } });
  latchctl("user", "disable", email);
  await dead("a disabled person's token", person.token);
  await dead("a disabled person's API token", program);
  assert.equal((await refresh(person.refresh_token)).status, 401);
  assert.equal((await login()).json.code, "BAD_LOGIN");
  latchctl("user", "enable", email);
  assert.equal((await login()).status, 200);
  await dead("a session from before", person.token);
});

test("the tenant that a session has left", async () => {
  const person = await a.newMember("admin");
  const joining = await b.does("POST", "/api/v1/invitations", { email: person.email, role: "admin" });
  const [{ link }] = JSON.parse(lw.latchctl("mail", "--json", "--to", person.email).stdout).filter((mail) => mail.kind === "invitation");
  const token = new URL(link.replace("#/", "")).searchParams.get("token");
  const joined = await lw.api("POST", "/api/v1/invitations/accept", { token: person.token, body: { token } });
  assert.equal(joined.json.tenant.id, b.id, `${joining.id}: ${joined.text}`);
  await dead("the token for the tenant that was left by joining another", person.token);
  const back = await lw.api("POST", "/api/v1/auth/switch", { token: joined.json.access_token, body: { tenant_id: a.id } });
  assert.equal(back.json.tenant.id, a.id);
  await dead("the token for the tenant that was switched away from", joined.json.access_token);
  await lives("the token for the tenant that it switched to", back.json.access_token);
  for (const old of [person.refresh_token, joined.json.refresh_token])
    assert.notEqual((await refresh(old)).status, 200);
});

test("everything of a deleted tenant", async () => {
  const c = await new Tenant(lw, "cedar").start(), program = await programOf(c.owner, c);
  const left = (table) => Number(lw.sql(`SELECT COUNT(*) FROM ${table} WHERE tenant_id = ${idBytes(c.id)}`)[0][0]);
  await c.newCredential();
  assert.deepEqual([left("credential_version"), left("tenant_key")], [1, 1]);
  latchctl("tenant", "delete", c.id, "--yes");
  await dead("an owner of a deleted tenant", c.owner.token);
  await dead("an API token of a deleted tenant", program);
  const { email, password } = c.owner;
  assert.notEqual((await lw.api("POST", "/api/v1/auth/login", { body: { email, password } })).status, 200);
  assert.deepEqual([left("credential_version"), left("tenant_key")], [0, 0]);
  await lives("another tenant's owner", a.owner.token);
});
