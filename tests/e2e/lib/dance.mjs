// What the tests of the OAuth dance share: an OAuth server that isn't ours, an application that people come from and go
// back to, and people at browsers of their own. One of it a process: call openDance before anything else.
import assert from "node:assert/strict";
import fs from "node:fs";
import https from "node:https";
import { startBrowser } from "./browser.mjs";
import { fakeType, OAUTH_WAY, startWorld } from "./connections.mjs";
import { OAuthServer } from "./oauth_server.mjs";
import { Tenant } from "./tenants.mjs";

export let world, lw, server, provider, app, browser, tenant, owner;

/** Where the tenant's own web application would take the person back. */
class App {
  came = [];

  async start(certificate) {
    this.certificate = certificate;
    this.server = https.createServer(certificate, (req, res) => {
      this.came.push({ url: req.url, referer: req.headers.referer });
      res.writeHead(200, { "Content-Type": "text/html" }).end("<!doctype html><title>App</title><p>Back in the application.");
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.origin = `https://localhost:${this.server.address().port}`;
    return this;
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

function realType(id, more = {}) {
  return {
    id, auth: [OAUTH_WAY], hosts: [server.host],
    oauth2: { authorization_url: `${server.url}/auth`, token_url: `${server.url}/token`, scopes: ["openid", "email", "orders:read"],
      scope_separator: " ", pkce: true, client_auth: "basic", token_format: "form", authorize_params: { prompt: "consent" },
      token: { access_token: ["access_token"], refresh_token: "refresh_token", expiry: "in", expiry_path: "expires_in", scope: "scope",
        refresh_issued: true, rotates: true, single_use: true }, ...more },
    verify: [{ kind: "http", request: { method: "GET", url: `${server.url}/me` }, account_id: ["json:sub"], account_label: ["json:email"] }],
  };
}

export async function openDance() {
  world = await startWorld({
    async prepare(w) {
      const redirect = (type) => `https://localhost:${w.port}/api/v1/oauth/callback/${type}`;
      server = new OAuthServer(w.ca);
      w.operators = server.addClient([redirect("real"), redirect("limited")], "client_secret_basic");
      w.tenants = server.addClient([redirect("real")], "client_secret_basic");
      w.poster = server.addClient([redirect("posting")], "client_secret_post");
      await server.start();
      app = await new App().start(w.ca.issue());
      w.servers.push(server, app);
      return `[oauth]\nreturn_origins = ${app.origin}\n` +
        w.clientSection("real", w.operators) + w.clientSection("limited", w.operators) + w.clientSection("posting", w.poster);
    },
    hosts: () => [server.host],
    types: (w) => [realType("real"), realType("limited", { scopes: ["openid", "email", "orders:read", "orders:write"] }),
      realType("posting", { client_auth: "post" }),
      fakeType(w.provider), fakeType(w.provider, { id: "other" }), realType("unregistered")],
  });
  ({ lw, provider } = world);
  tenant = await new Tenant(lw, "dancers").start();
  owner = tenant.owner;
  browser = await startBrowser({ certificates: [fs.readFileSync(lw.at("etc", "tls", "server.pem")),
    ...[server, provider, app].map(({ certificate }) => certificate.cert)] });
}

export async function closeDance() {
  await browser?.stop();
  await world?.stop();
}

export const startUrl = (type, query = {}) => `${lw.url}/api/v1/oauth/start/${type}?${new URLSearchParams(query)}`;
export const exchanges = () => server.exchanges.length + provider.exchanges.length;
export const connectors = async (token = owner.token) => (await lw.api("GET", "/api/v1/connectors?limit=200", { token })).json;
export const states = () => Number(lw.sql("SELECT COUNT(*) FROM oauth_state")[0][0]);

/** Somebody at a browser of their own, signed in. */
export async function somebody(who = owner) {
  const person = await browser.newPerson();
  await person.signIn(lw.url, { ...who, tenant_id: tenant.id });
  return person;
}

/** At the provider's own pages: who they are there, and that they agree; what they see then. */
export async function agree(person, account) {
  if (account) {
    await person.type("[name=login]", account);
    await person.type("[name=password]", "anything");
    await person.click("button[type=submit]");
  }
  return person.click("button[type=submit]");
}

/** The whole way of a person, which has to end well: the connector. */
export async function connect(person, account, query = {}, type = "real", wanted = "connected") {
  await person.go(startUrl(type, { return_to: `${app.origin}/done`, ...query }));
  const seen = await agree(person, account);
  const { status, connector_id } = Object.fromEntries(new URL(seen.url).searchParams);
  assert.equal(status, wanted, seen.url + seen.text);
  return (await lw.api("GET", `/api/v1/connectors/${connector_id}`, { token: owner.token })).json;
}

/** A page of ours that says what is wrong: for a person, without anything that runs or is fetched. */
export function assertPage(seen, { status = 400, code }) {
  assert.equal(seen.status, status, seen.text);
  assert.match(seen.headers["content-type"], /^text\/html/);
  assert.match(seen.headers["cache-control"], /no-store/);
  assert.match(seen.headers["referrer-policy"], /no-referrer/);
  assert.match(seen.headers["content-security-policy"], /default-src 'none'/);
  assert.match(seen.headers["content-security-policy"], /frame-ancestors 'none'/);
  assert.ok(seen.text.includes(code), `${code} isn't on the page: ${seen.text}`);
  assert.ok(seen.text.replace(code, "").length > 20, "there are no words on the page");
  const html = seen.html ?? seen.text;
  assert.match(html, /<html lang="en"/);
  for (const part of [/<title>[^<]{5,}<\/title>/, /<main>/, /<h1>[^<]{5,}<\/h1>/, /name="viewport"/])
    assert.match(html, part);
  assert.doesNotMatch(html, /<script|<img|<iframe|onerror|https?:\/\/(?!localhost)/i);
}

/** The same of an answer that no browser has seen. */
export const assertPageAnswer = (answer, wanted) => assertPage({ ...answer, html: answer.text, text: answer.text }, wanted);
