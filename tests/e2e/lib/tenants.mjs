// Tenants with people of every role, and things of theirs: what the tests of isolation put side by side.
import crypto from "node:crypto";
import assert from "node:assert/strict";

export const ROLES = ["viewer", "member", "admin", "owner"]; // least to most
export const SCOPES = ["credentials:read", "credentials:write", "credentials:use", "connectors:read", "connectors:write",
  "events:read", "events:write", "workflows:read", "workflows:write", "workflows:run", "audit:read", "admin"];
const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz";

/** An id of the kind of `id` that nobody has. */
export function unknownId(id) {
  const random = [...crypto.randomBytes(20)].map((byte) => ALPHABET[byte & 31]).join("");
  return `${id.split("-")[0]}-01j${random}`.padEnd(id.length, "0");
}

/** The sixteen bytes of an id, as the database has them: an SQL literal. */
export function idBytes(id) {
  let bits = 0n;
  for (const c of id.split("-")[1])
    bits = (bits << 5n) | BigInt(ALPHABET.indexOf(c));
  return `X'${bits.toString(16).padStart(32, "0")}'`;
}

export class Tenant {
  key = `key-${crypto.randomBytes(12).toString("hex")}`;
  people = {}; // role -> {id, email, password, token, refresh_token}

  constructor(lw, name) {
    Object.assign(this, { lw, name });
  }

  async start() {
    const made = await this.lw.newTenant(this.name);
    this.id = made.tenant.id;
    this.people.owner = { ...made, id: made.user.id };
    for (const role of ["viewer", "member", "admin"])
      this.people[role] = await this.newMember(role);
    this.owner = this.people.owner;
    return this;
  }

  /** Somebody new with that role, signed in. */
  async newMember(role) {
    const email = `${role}-${crypto.randomBytes(6).toString("hex")}@${this.name}.test`;
    const made = this.lw.latchctl("user", "create", "--json", "--email", email, "--tenant", this.id, "--role", role);
    assert.equal(made.status, 0, made.stderr);
    const { user, password } = JSON.parse(made.stdout);
    return this.signIn({ id: user, email, password });
  }

  /** The same person in a new session. */
  async signIn({ id, email, password }, options = {}) {
    const answer = await this.lw.api("POST", "/api/v1/auth/login", { body: { email, password, tenant_id: this.id, ...options } });
    assert.equal(answer.status, 200, answer.text);
    const { access_token: token, refresh_token, csrf_token: csrf } = answer.json;
    const cookie = (answer.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
    return { id, email, password, token, refresh_token, csrf, cookie };
  }

  /** One request of the owner (or of `token`), which has to succeed; its JSON. */
  async does(method, uri, body, token = this.owner.token, headers = {}) {
    const answer = await this.lw.api(method, uri, { token, body, headers });
    assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  newToken(scopes, name = "a program") {
    return this.does("POST", "/api/v1/tokens", { name, scopes });
  }

  newCredential(data = { api_key: `key-of-${this.name}-${crypto.randomBytes(9).toString("hex")}` }, more = {}) {
    return this.does("POST", "/api/v1/credentials", { name: `credential of ${this.name}`, type: "api_key", service: "stripe", data, ...more });
  }

  /** Of the type of lib/key_type.mjs. `key` is what its provider takes for a good one, once a test has said so. */
  newConnector(more = {}) {
    return this.does("POST", "/api/v1/connectors", { connector_type: "keyed", display_name: `connector of ${this.name}`, config: { secret_key: this.key }, ...more });
  }

  /** A job as it is when its attempts are used up. */
  bury(job) {
    this.lw.sql(`REPLACE INTO job (tenant_id, job_id, queue, kind, state, run_at, attempts, payload, created_at)
      VALUES (${idBytes(this.id)}, ${idBytes(job)}, 'event', 'event_process', 'dead', ${Date.now()}, 9, '{}', 0)`);
  }

  newInvitation(role = "viewer") {
    const email = `guest-${crypto.randomBytes(6).toString("hex")}@${this.name}.test`;
    return this.does("POST", "/api/v1/invitations", { email, role });
  }
}
