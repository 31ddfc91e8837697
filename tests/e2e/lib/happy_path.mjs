// One walk through every operation of the document in its good case. A new operation gets its step here.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { requestHead } from "./http.mjs";
import { eventually } from "./instance.mjs";
import { KEYS, WRITTEN } from "./model_server.mjs";
import { pdf, uploadOf } from "./pdf.mjs";
import { idBytes } from "./tenants.mjs";
import { GREETING } from "./workflows.mjs";

/** The token of the newest mail of that kind to an address, out of its link. */
export function mailed(lw, to, kind) {
  const list = JSON.parse(lw.latchctl("mail", "--json", "--to", to).stdout);
  const mail = list.find((each) => each.kind === kind);
  assert.ok(mail, `there is no ${kind} mail to ${to}`);
  return new URLSearchParams(new URL(mail.link).hash.split("?")[1]).get("token");
}

const address = () => `walk-${crypto.randomBytes(6).toString("hex")}@example.test`;

class Walk {
  /** `world` has a provider, with the types of lib/connections.mjs ("fake") and lib/key_type.mjs. */
  constructor(world) {
    this.world = world;
    this.lw = world.lw;
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
    await this.does("PATCH", "/api/v1/tenant", { event_days: 20, ai_days: null });
    assert.equal((await this.does("GET", "/api/v1/tenant")).event_days, 20);
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

  async catalogue() {
    assert.ok((await this.does("GET", "/api/v1/catalog?q=key")).some(({ type }) => type === "keyed"));
    const { fields, steps } = await this.does("GET", "/api/v1/catalog/keyed");
    assert.equal(fields.find(({ name }) => name === "secret_key").secret, true);
    assert.equal(steps.api_key.at(-1).kind, "done");
  }

  async connectors() {
    const config = { secret_key: this.world.provider.keys.bearer };
    assert.equal((await this.does("POST", "/api/v1/connectors/test", { connector_type: "keyed", config })).success, true);
    const made = await this.does("POST", "/api/v1/connectors", { connector_type: "keyed", config }), uri = `/api/v1/connectors/${made.id}`;
    assert.equal(made.status, "pending");
    assert.deepEqual((await this.does("POST", `${uri}/test`)).account, { id: "checked-bearer", label: "Checked by bearer" });
    assert.equal((await this.does("GET", uri)).status, "active");
    assert.equal((await this.does("GET", `${uri}/preview`)).rows.length, 10);
    assert.equal((await this.does("PATCH", uri, { sync_frequency: "daily" })).sync_frequency, "daily");
    assert.deepEqual((await this.does("GET", "/api/v1/connectors?status=active")).map(({ id }) => id), [made.id]);
    const { sync_id } = await this.does("POST", `${uri}/sync`);
    const pulled = await eventually("records were pulled", async () => (await this.does("GET", `${uri}/syncs`)).find(({ id, finished_at }) => id === sync_id && finished_at));
    assert.deepEqual([pulled.state, pulled.created], ["done", 30]);
    assert.equal((await this.does("GET", `${uri}/records?collection=rows`)).length, 30);
    const { credential_id: credential } = made;
    assert.equal((await this.does("POST", `/api/v1/credentials/${credential}/test`)).success, true);
    assert.equal((await this.does("POST", "/api/v1/credentials/test", { type: "api_key", service: "keyed", data: { api_key: config.secret_key } })).success, true);
    await this.does("DELETE", uri);
  }

  async oauth() {
    const { connector, credential } = await this.world.connect("fake", this.token);
    assert.equal(connector.status, "active");
    const { access_token: token } = await this.does("POST", `/api/v1/credentials/${credential}/token`);
    assert.ok(this.world.provider.isGood(token));
    assert.equal((await this.does("POST", `/api/v1/connectors/${connector.id}/revoke`)).told, true);
    assert.ok(!this.world.provider.isGood(token));
  }

  async services() {
    await this.does("POST", "/api/v1/services/figures/enable", {});
    await this.does("POST", "/api/v1/services/figures/disable");
    assert.deepEqual((await this.does("GET", "/api/v1/services")).map(({ service, enabled }) => [service, enabled]), [["figures", false]]);
    await this.does("POST", "/api/v1/sheet-mappings/set", { service: "figures", spreadsheet_id: "sheet-1", sheet_name: "Sales" });
    assert.deepEqual((await this.does("GET", "/api/v1/sheet-mappings")).map(({ spreadsheet_id }) => spreadsheet_id), ["sheet-1"]);
  }

  async webhooks() {
    const secret = "of ours, 0123456789", { id } = await this.does("POST", "/api/v1/connectors", { connector_type: "keyed",
      config: { secret_key: this.world.provider.keys.bearer, webhook_secret: secret } });
    const { webhook_url: url } = await this.does("POST", `/api/v1/connectors/${id}/webhook-secret`), uri = url.slice(url.indexOf("/api/"));
    assert.equal((await this.lw.api("GET", `${uri}?challenge=abc`)).text, "abc");
    const { event_id: event } = await this.does("POST", uri, { id: "1", type: "thing.made" }, { headers: { "X-Token": secret } });
    assert.equal((await eventually("the event is processed", async () => (await this.does("GET", "/api/v1/events?status=processed"))[0])).id, event);
    assert.equal((await this.does("GET", `/api/v1/events/${event}`)).data.type, "thing.made");
    const { job_id: job } = await this.does("POST", `/api/v1/events/${event}/replay`);
    await eventually("the replay is done", async () => (await this.does("GET", `/api/v1/jobs/${job}`)).state === "done");
    await this.jobs(job);
    const made = await this.does("POST", "/api/v1/subscriptions", { url: "https://app.example.test/hooks", event_types: ["thing.made"] });
    assert.equal((await this.does("PATCH", `/api/v1/subscriptions/${made.id}`, { status: "paused" })).status, "paused");
    assert.equal((await this.does("GET", `/api/v1/subscriptions/${made.id}`)).status, "paused");
    assert.equal((await this.does("GET", "/api/v1/subscriptions")).length, 1);
    await this.does("DELETE", `/api/v1/subscriptions/${made.id}`);
  }

  /** A dead one, made so by hand. */
  async jobs(id) {
    this.lw.sql(`INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, attempts, subject_id, payload, created_at)
      VALUES (${idBytes(this.tenant)}, ${idBytes(id)}, 'event', 'event_process', 'dead', 1, 9, ${idBytes(id)}, '{}', 1)`);
    assert.deepEqual((await this.does("GET", "/api/v1/jobs?state=dead")).map((job) => job.id), [id]);
    await this.does("POST", `/api/v1/jobs/${id}/retry`);
    await this.does("POST", "/api/v1/jobs/retry-dead", {});
  }

  async workflows() {
    assert.deepEqual(await this.does("POST", "/api/v1/workflows/check", { definition: GREETING }), { valid: true, steps: 2 });
    const made = await this.does("POST", "/api/v1/workflows", { name: "walk", definition: GREETING }), uri = `/api/v1/workflows/${made.id}`;
    const changed = { ...GREETING, triggers: [{ type: "manual" }] };
    assert.equal((await this.does("PUT", uri, { name: "walk on", definition: changed })).version, 2);
    assert.deepEqual((await this.does("GET", uri)).definition, changed);
    assert.deepEqual((await this.does("GET", `${uri}/versions`)).map(({ version }) => version), [2, 1]);
    assert.deepEqual((await this.does("GET", `${uri}/versions/1`)).definition, GREETING);
    const copy = await this.does("POST", `${uri}/clone`, {});
    assert.deepEqual((await this.does("GET", "/api/v1/workflows")).map(({ id }) => id), [copy.id, made.id]);
    await this.does("DELETE", `/api/v1/workflows/${copy.id}`);
    await this.schedules(uri);
    await this.executions(uri);
    await this.triggers(made.id);
    await this.runs(made.id);
    const [template] = await this.does("GET", "/api/v1/templates"), { definition } = await this.does("GET", `/api/v1/templates/${template.id}`);
    assert.deepEqual((await this.does("POST", `/api/v1/templates/${template.id}/clone`, {})).definition, definition);
  }

  async schedules(workflow) {
    const made = await this.does("POST", `${workflow}/schedules`, { cron: "0 9 * * mon-fri", time_zone: "Europe/Vienna" }), uri = `${workflow}/schedules/${made.id}`;
    assert.deepEqual((await this.does("GET", `${workflow}/schedules`)).map(({ id }) => id), [made.id]);
    assert.equal((await this.does("PUT", uri, { cron: "0 9 * * *", is_active: false })).next_at, null);
    assert.equal((await this.does("GET", uri)).is_active, false);
    await this.does("DELETE", uri);
  }

  async executions(workflow) {
    const { execution_id: id } = await this.does("POST", `${workflow}/execute`, { input_data: { name: "Ada" } }), uri = `/api/v1/executions/${id}`;
    const over = await eventually("it is over", async () => (await this.does("GET", uri)).completed_at && this.does("GET", uri));
    assert.deepEqual([over.status, over.output_data], ["completed", { greeting: "Hello, Ada" }]);
    assert.deepEqual(await this.does("GET", `${workflow}/executions`), [over]);
    assert.equal((await this.does("GET", `${uri}/events`)).at(-1).type, "workflow:finished");
    assert.equal((await this.does("POST", `${uri}/cancel`)).status, "completed");
    await this.does("POST", `${uri}/retry`, { from_step: "greet" });
  }

  async triggers(workflow) {
    const uri = `/api/v1/webhooks/${workflow}/triggers`, made = await this.does("POST", uri, { name: "orders", respond: "when_finished" });
    const address = `/api/v1/webhooks/${workflow}/${made.id}`, answer = await this.lw.api("POST", address, { body: { name: "Ada" } });
    assert.deepEqual([answer.json.status, answer.json.output_data], ["completed", { greeting: "Hello, Ada" }]);
    for (const method of ["GET", "PUT"]) {
      await this.does("PUT", `${uri}/${made.id}`, { name: "orders", method });
      assert.equal((await this.lw.api(method, address, method === "GET" ? {} : { body: {} })).status, 202);
    }
    assert.deepEqual((await this.does("GET", uri)).map(({ id }) => id), [made.id]);
    assert.equal((await this.does("GET", `${uri}/${made.id}`)).method, "PUT");
    await this.does("DELETE", `${uri}/${made.id}`);
  }

  async runs(workflow) {
    const { id, ticket } = await this.does("POST", "/api/v1/runs", { workflow_id: workflow }), uri = `/api/v1/runs/${id}`;
    await this.watch(`${uri}/stream?ticket=${ticket}`, { Accept: "text/event-stream" }, 200);
    await this.watch(`${uri}/socket?ticket=${ticket}`, { Connection: "Upgrade", Upgrade: "websocket", "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==" }, 101);
    const { execution_id } = await this.does("POST", `${uri}/messages`, { type: "session:start", data: { input_data: { name: "Ada" } } });
    assert.equal((await this.does("GET", uri)).execution_id, execution_id);
    assert.equal((await this.lw.api("POST", `${uri}/socket?ticket=${ticket}`, { body: { type: "session:end" } })).status, 204);
  }

  async watch(uri, headers, status) {
    const answer = await requestHead(this.lw.url, { path: uri, headers, ca: this.lw.ca });
    assert.equal(answer.status, status);
    this.lw.document.check("GET", uri, answer);
  }

  async models() {
    await this.does("POST", "/api/v1/keys", { service: "gemini", api_key: KEYS.gemini });
    assert.equal((await this.does("POST", "/api/v1/ai/generate", { prompt: "Hi" })).text, "You said: Hi");
    assert.deepEqual((await this.does("POST", "/api/v1/ai/generate-workflow", { prompt: "Greet them.", model: "workflow" })).definition, WRITTEN);
    const agent = await this.does("POST", "/api/v1/agents", { name: "walker", instructions: "Be kind." }), uri = `/api/v1/agents/${agent.id}`;
    assert.equal((await this.does("POST", "/api/v1/agents/execute", { agent: "walker", input: "Hi" })).agent_id, agent.id);
    await this.does("PUT", uri, { name: "walker", instructions: "Be brief." });
    assert.deepEqual(await this.does("GET", "/api/v1/agents"), [await this.does("GET", uri)]);
    assert.deepEqual((await this.does("GET", "/api/v1/ai/usage")).map(({ source }) => source), ["agent", "workflow", "generate"]);
    await this.does("DELETE", uri);
    await this.does("DELETE", "/api/v1/keys/gemini");
  }

  async knowledge() {
    const uri = "/api/v1/knowledge", { body, headers } = uploadOf(pdf("Ships sail at noon."));
    const page = (request, response) => response.writeHead(200, { "Content-Type": "text/html" }).end("<p>Trains go at one.");
    this.world.provider.scripts.timetable = page;
    const file = await this.does("POST", `${uri}/pdf`, body, { headers });
    await this.does("POST", `${uri}/scrape`, { url: `${this.world.provider.url}/timetable` });
    await this.does("POST", `${uri}/manual`, { question: "When do buses go?", answer: "At two." });
    await eventually("all is read", async () => (await this.does("GET", uri)).every(({ status }) => status === "ready"));
    await this.does("PUT", `${uri}/${file.id}`, { title: "Ships", enabled: true });
    assert.equal((await this.does("GET", `${uri}/${file.id}`)).text, "Ships sail at noon.");
    for (const { id } of await this.does("GET", uri))
      await this.does("DELETE", `${uri}/${id}`);
  }

  async audit() {
    const rows = await this.does("GET", "/api/v1/audit?limit=200");
    for (const action of ["connector.create", "connector.preview", "oauth.connect", "service.enable", "credential.reveal", "key.set", "token.create", "member.update", "auth.login"])
      assert.ok(rows.some((row) => row.action === action && row.outcome === "ok"), `there is no row of ${action}`);
    const { by_action } = await this.does("GET", "/api/v1/audit/summary");
    assert.ok(by_action.find(({ action }) => action === "credential.reveal").count >= 1);
  }
}

/** Does everything once; fails at the first thing that doesn't work. */
export async function exercise(world) {
  const walk = new Walk(world);
  for (const step of ["service", "account", "sessions", "passwords", "people", "tokens", "credentials", "keys", "catalogue", "connectors", "oauth", "services", "webhooks", "workflows", "models", "knowledge", "audit"])
    await walk[step]();
}
