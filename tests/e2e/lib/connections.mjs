// An instance with providers of a test's own: their connector types, the operator's clients, and the way through the
// OAuth dance as a program would go it.
//
//	const world = await startWorld({ types: ({ provider }) => [fakeType(provider)] });
//	const { connector } = await world.connect("fake", owner.token);
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { CertificateAuthority } from "./certificates.mjs";
import { freePort, request } from "./http.mjs";
import { NO_LIMITS, startInstance } from "./instance.mjs";
import { ModelServer } from "./model_server.mjs";
import { Provider } from "./provider.mjs";

/** Writes an operator's connector type; what a file must have besides is filled in. */
export function connectorType(directory, type) {
  const whole = { name: `Test ${type.id}`, category: "custom", regions: ["global"], docs_url: "https://docs.example/", summary: "Of a test.",
    fields: [], verify: [{ kind: "none" }], wizard: { intro: "Begin.", auth: "Sign in.", done: "Done." }, ...type };
  fs.writeFileSync(path.join(directory, `${type.id}.json`), `${JSON.stringify(whole, null, 2)}\n`, { mode: 0o644 });
  return whole;
}

export const OAUTH_WAY = { mode: "oauth2_authorization_code", label: "Sign in", credential: "oauth2",
  headers: { Authorization: "Bearer {access_token}" } };

/** The scriptable provider as a connector type. `oauth2` and `token` replace members. */
export function fakeType(provider, { id = "fake", oauth2 = {}, token = {}, ...more } = {}) {
  return {
    id, auth: [OAUTH_WAY], hosts: [provider.host],
    oauth2: { authorization_url: `${provider.url}/authorize`, token_url: `${provider.url}/token`, scopes: ["orders.read", "orders.write"],
      scope_separator: " ", pkce: true, client_auth: "basic", token_format: "form", ...oauth2,
      token: { access_token: ["access_token"], refresh_token: "refresh_token", expiry: "in", expiry_path: "expires_in", scope: "scope",
        refresh_issued: true, rotates: true, single_use: true, ...token },
      revoke: { method: "POST", url: `${provider.url}/revoke`, form: { token: "{access_token}" } } },
    verify: [{ kind: "http", request: { method: "GET", url: `${provider.url}/me` }, account_id: ["json:id"], account_label: ["json:name"] }],
    preview: { request: { method: "GET", url: `${provider.url}/rows` }, rows: "rows" },
    ...more,
  };
}

/** The same provider for a client that acts for itself. */
export const machineType = ({ host, url }) => ({
  id: "machine", hosts: [host],
  auth: [{ mode: "oauth2_client_credentials", label: "Client", credential: "oauth2", headers: { Authorization: "Bearer {access_token}" } }],
  fields: [{ name: "client_id", label: "Client ID", required: true, member: "client_id" },
    { name: "client_secret", label: "Client secret", secret: true, required: true, member: "client_secret" }],
  client_credentials: { token_url: `${url}/token`, scopes: ["orders.read"], client_auth: "basic", token_format: "form" },
  verify: [{ kind: "token" }],
});

class World {
  /** Every state that was given out. */
  states = [];

  /** The operator's client of a type, as lines of the configuration. */
  clientSection(type, { client_id, client_secret }) {
    const file = path.join(this.directory, `${type}.secret`);
    fs.writeFileSync(file, `${client_secret}\n`, { mode: 0o644 });
    return `[client ${type}]\nclient_id = ${client_id}\nclient_secret_file = ${file}\n`;
  }

  /** Begins: {authorize, cookie, headers}: the consent page's address, and what the browser keeps. */
  async begin(type, token, { query = {}, headers = {} } = {}) {
    const uri = `/api/v1/oauth/start/${type}${Object.keys(query).length ? `?${new URLSearchParams(query)}` : ""}`;
    const answer = await this.lw.api("GET", uri, { token, headers: { Accept: "application/json", ...headers } });
    assert.equal(answer.status, 200, `${uri}: ${answer.text}`);
    this.states.push(new URL(answer.json.authorize_url).searchParams.get("state"));
    const cookie = (answer.headers["set-cookie"] ?? []).map((line) => line.split(";")[0]).join("; ");
    return { authorize: answer.json.authorize_url, cookie, headers: answer.headers };
  }

  /** Goes to the scriptable provider's consent page; the callback's path and query. */
  async consent({ authorize }) {
    const answer = await request(authorize, { ca: this.caBytes });
    assert.equal(answer.status, 302, answer.text);
    const back = new URL(answer.headers.location);
    return back.pathname + back.search;
  }

  callback(uri, { cookie } = {}) {
    return this.lw.api("GET", uri, { headers: cookie ? { Cookie: cookie } : {} });
  }

  /** The whole dance; {answer, back}: `back` is the query of the address that the person is sent to. */
  async dance(type, token, query = {}) {
    const begun = await this.begin(type, token, { query: { return_to: `${this.lw.url}/after`, ...query } });
    const answer = await this.callback(await this.consent(begun), begun);
    return { answer, back: answer.headers.location && Object.fromEntries(new URL(answer.headers.location).searchParams) };
  }

  /** The dance, which has to end well: {connector, credential}. */
  async connect(type, token, query) {
    const { answer, back } = await this.dance(type, token, query);
    assert.equal(answer.status, 303, answer.text);
    assert.ok(back.connector_id, answer.headers.location);
    const { json: connector } = await this.lw.api("GET", `/api/v1/connectors/${back.connector_id}`, { token });
    return { connector, credential: connector.credential_id };
  }

  /** Waits for all of it, in the order of their needs. */
  async stop() {
    await this.lw?.stop();
    for (const server of this.servers)
      await server.stop();
    this.ca.remove();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/**
 * `types(world)`: the connector types; `prepare(world)` starts more servers (pushed to world.servers) and gives lines of the
 * configuration; `hosts(world)`: what the operator lists besides the provider; `names`: more names in the provider's certificate.
 * There are always models, too: world.models.
 */
export async function startWorld({ types = () => [], prepare = () => "", hosts = () => [], names = [], egress = "", conf = "" } = {}) {
  const world = new World(), ca = new CertificateAuthority();
  Object.assign(world, { ca, caBytes: fs.readFileSync(ca.file), port: await freePort(), servers: [],
    directory: fs.mkdtempSync(path.join(os.tmpdir(), "lw-world-")) });
  fs.chmodSync(world.directory, 0o755);
  try {
    world.provider = await new Provider(ca, names).start();
    world.models = await new ModelServer().start();
    world.servers.push(world.provider, world.models);
    const lines = await prepare(world), directory = path.join(world.directory, "connectors");
    fs.mkdirSync(directory);
    const written = types(world).map((type) => connectorType(directory, type));
    const clients = written.filter(({ id, oauth2, hosts: [host] }) => oauth2 && host === world.provider.host
      && !lines.includes(`[client ${id}]`))
      .map(({ id }) => world.clientSection(id, world.provider.client));
    world.types = directory;
    const allowed = [world.provider.host, world.models.host, ...hosts(world)].join(",\n\t");
    world.lw = await startInstance({ port: world.port, conf: `${NO_LIMITS}${conf}${world.models.section}[connectors]\ndir = ${directory}\n` +
      `[egress]\nallow_hosts = ${allowed}\nca_file = ${ca.file}\n${egress}${clients.join("")}${lines}` });
    return world;
  } catch (error) {
    await world.stop().catch(() => {});
    throw error;
  }
}

const secretsIn = (secrets, bytes) => secrets.filter((secret) => bytes.includes(secret));

/** Every log and every table of an instance, without these secrets. */
export function assertNowhere(lw, secrets, dump) {
  assert.ok(secrets.length > 0 && secrets.every((secret) => secret.length >= 16), "no secrets to look for");
  for (const name of fs.readdirSync(lw.at("log")))
    assert.deepEqual(secretsIn(secrets, fs.readFileSync(lw.at("log", name))), [], `${name} has secrets in it`);
  assert.deepEqual(secretsIn(secrets, dump), [], "the database has secrets in it");
}
