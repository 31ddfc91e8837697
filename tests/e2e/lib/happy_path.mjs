// One walk through every operation of the document in its good case. A new operation gets its step here.
import assert from "node:assert/strict";
import crypto from "node:crypto";

/** The token of the newest mail of that kind to an address, out of its link. */
export function mailed(lw, to, kind) {
  const list = JSON.parse(lw.latchctl("mail", "--json", "--to", to).stdout);
  const mail = list.find((each) => each.kind === kind);
  assert.ok(mail, `there is no ${kind} mail to ${to}`);
  return new URLSearchParams(new URL(mail.link).hash.split("?")[1]).get("token");
}

const address = () => `walk-${crypto.randomBytes(6).toString("hex")}@example.test`;

class Walk {
  constructor(lw) {
    this.lw = lw;
  }

  /** A request that has to succeed; its JSON. */
  async does(method, uri, body, options = {}) {
    const answer = await this.lw.api(method, uri, { token: this.token, body, ...options });
    assert.ok(answer.status >= 200 && answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  async service() {
    for (const uri of ["/healthz", "/readyz", "/api/v1/openapi.json"])
      await this.does("GET", uri);
  }

  async account() {
    this.email = address();
    this.password = crypto.randomBytes(18).toString("base64url");
    const made = await this.does("POST", "/api/v1/auth/register", { email: this.email, password: this.password, name: "Walker",
      tenant_name: "Walk" });
    this.tenant = made.tenant.id;
    await this.signIn();
    await this.does("POST", "/api/v1/auth/email/verify", { token: mailed(this.lw, this.email, "email_verify") });
    await this.does("PATCH", "/api/v1/auth/me", { name: "Walker the second" });
    const me = await this.does("GET", "/api/v1/auth/me");
    assert.equal(me.user.name, "Walker the second");
    assert.equal(me.user.email_verified, true);
  }

  async signIn() {
    this.token = undefined;
    const { access_token, refresh_token } = await this.does("POST", "/api/v1/auth/login", { email: this.email, password: this.password });
    Object.assign(this, { token: access_token, refresh: refresh_token });
  }

  async sessions() {
    await this.lw.login(this.email, this.password);
    const other = (await this.does("GET", "/api/v1/auth/sessions")).find(({ current }) => !current);
    await this.does("DELETE", `/api/v1/auth/sessions/${other.id}`);
    await this.does("DELETE", "/api/v1/auth/sessions");
    const renewed = await this.does("POST", "/api/v1/auth/refresh", { refresh_token: this.refresh });
    this.token = renewed.access_token;
    this.token = (await this.does("POST", "/api/v1/auth/switch", { tenant_id: this.tenant })).access_token;
  }

  async passwords() {
    await this.does("POST", "/api/v1/auth/password/change", { old_password: this.password, new_password: `${this.password}-2` });
    await this.does("POST", "/api/v1/auth/password/forgot", { email: this.email });
    this.password += "-3";
    await this.does("POST", "/api/v1/auth/password/reset", { token: mailed(this.lw, this.email, "password_reset"), password: this.password });
    await this.signIn();
    await this.does("POST", "/api/v1/auth/logout");
    await this.signIn();
  }

  async people() {
    const [guest, gone] = [address(), address()];
    const invited = await this.does("POST", "/api/v1/invitations", { email: guest, role: "viewer" });
    await this.does("PATCH", `/api/v1/invitations/${invited.id}`, { role: "member" });
    const added = await this.does("POST", "/api/v1/members", { email: gone, role: "viewer" });
    assert.equal((await this.does("GET", "/api/v1/invitations")).length, 2);
    await this.does("DELETE", `/api/v1/invitations/${added.id}`);
    const joined = await this.does("POST", "/api/v1/invitations/accept", { token: mailed(this.lw, guest, "invitation"),
      password: this.password }, { token: undefined });
    assert.equal(joined.role, "member");
    await this.does("PATCH", `/api/v1/members/${joined.user.id}`, { role: "admin" });
    assert.equal((await this.does("GET", "/api/v1/members")).length, 2);
    await this.does("DELETE", `/api/v1/members/${joined.user.id}`);
  }

  async tokens() {
    const made = await this.does("POST", "/api/v1/tokens", { name: "walk", scopes: ["credentials:read"], expires_at: "2099-01-01T00:00:00Z" });
    assert.deepEqual((await this.does("GET", "/api/v1/tokens")).map(({ id }) => id), [made.id]);
    await this.does("GET", "/api/v1/credentials", undefined, { token: made.token });
    await this.does("DELETE", `/api/v1/tokens/${made.id}`);
  }

  async credentials() {
    const secret = "a secret of 25 characters";
    const made = await this.does("POST", "/api/v1/credentials", { name: "walk", type: "api_key", service: "stripe", data: { api_key: secret } });
    const uri = `/api/v1/credentials/${made.id}`;
    assert.equal((await this.does("GET", "/api/v1/credentials")).length, 1);
    assert.notEqual((await this.does("GET", uri)).data.api_key, secret);
    await this.does("PUT", uri, { data: { api_key: "another one of some length" } });
    assert.equal((await this.does("GET", `${uri}/versions`)).length, 2);
    await this.does("POST", `${uri}/versions/1/restore`);
    assert.equal((await this.does("GET", `${uri}/status`)).status, "untested");
    assert.equal((await this.does("POST", `${uri}/reveal`)).data.api_key, secret);
    assert.deepEqual(await this.does("DELETE", `${uri}?purge=true`), { purged: true, verified: true });
  }

  async keys() {
    const body = { service: "openai", api_key: "a key of some length" };
    await this.does("POST", "/api/v1/keys", body);
    await this.does("POST", "/api/v1/keys", { ...body, api_key: "its successor, as long" });
    assert.deepEqual((await this.does("GET", "/api/v1/keys")).map(({ service }) => service), ["openai"]);
    await this.does("DELETE", "/api/v1/keys/openai");
  }

  async audit() {
    const rows = await this.does("GET", "/api/v1/audit?limit=200");
    for (const action of ["credential.reveal", "key.set", "token.create", "member.update", "auth.login"])
      assert.ok(rows.some((row) => row.action === action && row.outcome === "ok"), `there is no row of ${action}`);
    const { by_action } = await this.does("GET", "/api/v1/audit/summary");
    assert.ok(by_action.find(({ action }) => action === "credential.reveal").count >= 1);
  }
}

/** Does everything once; fails at the first thing that doesn't work. */
export async function exercise(lw) {
  const walk = new Walk(lw);
  for (const step of ["service", "account", "sessions", "passwords", "people", "tokens", "credentials", "keys", "audit"])
    await walk[step]();
}
