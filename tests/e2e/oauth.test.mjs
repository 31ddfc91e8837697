// "Connect": a person is sent to a provider's consent page in a browser, and back. In a Chromium, against an OAuth server
// that isn't ours.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { assertNowhere } from "./lib/connections.mjs";
import {
  agree, app, assertPage, browser, closeDance, connect, connectors, exchanges, lw, openDance, owner, provider, server, somebody,
  startUrl, states, tenant, world,
} from "./lib/dance.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { idBytes } from "./lib/tenants.mjs";

before(openDance);
after(closeDance);
beforeEach(() => provider?.reset());

const tokensSeen = []; // what must be nowhere in the end

test("a person connects a provider in the browser, and the application gets no secret", async () => {
  const person = await somebody(), before = app.came.length;
  const consent = await person.go(startUrl("real", { return_to: `${app.origin}/done?keep=1` }));
  assert.ok(consent.url.startsWith(`${server.url}/interaction/`), consent.url);
  const seen = await agree(person, "ada");
  const back = new URL(seen.url), { status, connector_id, connector_type, keep, ...rest } = Object.fromEntries(back.searchParams);
  assert.equal(back.origin + back.pathname, `${app.origin}/done`);
  assert.deepEqual({ status, connector_type, keep, rest }, { status: "connected", connector_type: "real", keep: "1", rest: {} });
  assert.equal(app.came[before].referer, undefined);

  const { json: connector } = await lw.api("GET", `/api/v1/connectors/${connector_id}`, { token: owner.token });
  assert.equal(connector.status, "active");
  assert.deepEqual(connector.account, { id: "ada", label: "ada@provider.test" });
  assert.equal(connector.limited, false);
  assert.deepEqual(connector.scopes.toSorted(), ["email", "openid", "orders:read"]);
  const { json: credential } = await lw.api("GET", `/api/v1/credentials/${connector.credential_id}`, { token: owner.token });
  assert.equal(credential.type, "oauth2");
  assert.equal(credential.service, "real");
  assert.match(credential.data.access_token, /^.{4}\*{4}$/);
  assert.match(credential.data.refresh_token, /^.{4}\*{4}$/);
  const { json: token } = await lw.api("POST", `/api/v1/credentials/${connector.credential_id}/token`, { token: owner.token });
  assert.ok(await server.isGood(token.access_token));
  assert.deepEqual(server.exchanges.map(({ grant_type, client, status }) => [grant_type, client, status]),
    [["authorization_code", world.operators.client_id, 200]]);
  const { json: revealed } = await lw.api("POST", `/api/v1/credentials/${connector.credential_id}/reveal`, { token: owner.token });
  tokensSeen.push(token.access_token, revealed.data.access_token, revealed.data.refresh_token);
  await person.leave();
});

test("without an address to go back to, a page says that it is done", async () => {
  const person = await somebody();
  await person.go(startUrl("real"));
  const seen = await agree(person, "grace");
  assert.equal(new URL(seen.url).origin, lw.url);
  assert.equal(seen.status, 200);
  assert.match(seen.headers["referrer-policy"], /no-referrer/);
  assert.match(seen.headers["cache-control"], /no-store/);
  const { code, state } = Object.fromEntries(new URL(person.visited.find(({ url }) => url.includes("/oauth/callback/")).url).searchParams);
  assert.ok(code && state);
  for (const secret of [code, state])
    assert.ok(!seen.html.includes(secret), "the page has the code or the state in it");
  await person.leave();
});

test("two consents at once in two windows of one browser both end well", async () => {
  const person = await somebody(), other = await person.context.newPage();
  await person.go(startUrl("real", { return_to: `${app.origin}/first` }));
  await other.goto(startUrl("fake", { return_to: `${app.origin}/second` }));
  assert.equal(new URL(other.url()).searchParams.get("status"), "connected", other.url());
  await person.page.bringToFront();
  const seen = await agree(person, "two-windows");
  assert.equal(new URL(seen.url).searchParams.get("status"), "connected", seen.url + seen.text);
  await person.leave();
});

test("a client that sends its secret in the body works as well", async () => {
  const person = await somebody();
  const connector = await connect(person, "lin", {}, "posting");
  assert.equal(connector.status, "active");
  assert.equal(server.exchanges.at(-1).client, world.poster.client_id);
  await person.leave();
});

test("who grants less than was asked for is told so", async () => {
  const person = await somebody();
  const connector = await connect(person, "less", {}, "limited", "limited");
  assert.equal(connector.limited, true);
  assert.ok(!connector.scopes.includes("orders:write"), connector.scopes.join());
  await person.leave();
});

test("state, challenge and verifier are new each time, and as long as they should be", async () => {
  const seen = { state: new Set(), code_challenge: new Set(), code_verifier: new Set() };
  for (let i = 0; i < 3; i++) {
    const begun = await world.begin("fake", owner.token), query = new URL(begun.authorize).searchParams;
    assert.equal(query.get("code_challenge_method"), "S256");
    assert.equal(query.get("response_type"), "code");
    assert.equal(query.get("redirect_uri"), `${lw.url}/api/v1/oauth/callback/fake`);
    assert.match(query.get("code_challenge"), /^[A-Za-z0-9_-]{43}$/);
    assert.match(query.get("state"), /^[A-Za-z0-9_.~-]{43,}$/);
    assert.match(begun.headers["set-cookie"].join("\n"), /^__Host-[^\n]*; *Secure|^__Host-/m);
    for (const line of begun.headers["set-cookie"])
      assert.ok(/; *secure/i.test(line) && /; *httponly/i.test(line) && /; *samesite=lax/i.test(line) && /; *path=\/(;|$)/i.test(line), line);
    await world.callback(await world.consent(begun), begun);
    const { body } = provider.exchanges.at(-1);
    assert.match(body.code_verifier, /^[A-Za-z0-9._~-]{43,128}$/);
    for (const name of ["state", "code_challenge"])
      seen[name].add(query.get(name));
    seen.code_verifier.add(body.code_verifier);
  }
  assert.deepEqual(Object.values(seen).map(({ size }) => size), [3, 3, 3]);
});

test("connecting again keeps the connector, and takes the same account only", async () => {
  const person = await somebody();
  const connector = await connect(person, "again");
  const credential = () => lw.api("GET", `/api/v1/credentials/${connector.credential_id}`, { token: owner.token });
  const { version } = (await credential()).json;
  await person.go(startUrl("real", { return_to: `${app.origin}/done`, connector_id: connector.id }));
  const again = await agree(person);
  assert.equal(new URL(again.url).searchParams.get("connector_id"), connector.id, again.url + again.text);
  const after = (await credential()).json;
  assert.ok(after.version > version);

  const count = (await connectors()).length, other = await somebody();
  await other.go(startUrl("real", { connector_id: connector.id }));
  assertPage(await agree(other, "somebody-else"), { status: 409, code: "OAUTH_OTHER_ACCOUNT" });
  assert.equal((await credential()).json.version, after.version);
  const { json: same } = await lw.api("GET", `/api/v1/connectors/${connector.id}`, { token: owner.token });
  assert.equal(same.account.id, "again");
  const rows = await tenant.does("GET", "/api/v1/audit?action=oauth.connect");
  assert.ok(rows.some((row) => row.outcome !== "ok" && JSON.stringify(row).includes("OAUTH_OTHER_ACCOUNT")), JSON.stringify(rows[0]));
  assert.equal((await connectors()).length, count);
  await person.leave();
  await other.leave();
});

test("a tenant's own client is used instead of the operator's", async () => {
  const { client_id, client_secret } = world.tenants;
  const own = await tenant.does("POST", "/api/v1/credentials", { name: "our client", type: "oauth2", service: "real",
    data: { client_id, client_secret } });
  const person = await somebody();
  await connect(person, "owned", { credential_id: own.id });
  assert.equal(server.exchanges.at(-1).client, client_id);
  await tenant.does("POST", "/api/v1/services/real/enable", { credential_id: own.id });
  await connect(person, undefined);
  assert.equal(server.exchanges.at(-1).client, client_id);
  await tenant.does("POST", "/api/v1/services/real/disable");
  await connect(person, undefined);
  assert.equal(server.exchanges.at(-1).client, world.operators.client_id);
  await person.leave();
});

test("without any client a person is told so before they are sent anywhere", async () => {
  const answer = await lw.api("GET", "/api/v1/oauth/start/unregistered", { token: owner.token });
  assert.equal(answer.status, 409);
  assert.equal(answer.json.code, "OAUTH_NO_CLIENT");
});

test("giving the access back tells the provider, and leaves no token here", async () => {
  const { connector, credential } = await world.connect("fake", owner.token);
  const { json: { access_token } } = await lw.api("POST", `/api/v1/credentials/${credential}/token`, { token: owner.token });
  assert.ok(provider.isGood(access_token));
  assert.deepEqual(await tenant.does("POST", `/api/v1/connectors/${connector.id}/revoke`).then(({ revoked, told }) => ({ revoked, told })),
    { revoked: true, told: true });
  assert.ok(!provider.isGood(access_token));
  const answer = await lw.api("POST", `/api/v1/credentials/${credential}/token`, { token: owner.token });
  assert.ok(answer.status === 404 || answer.status === 409, answer.text);
});

test("a provider that can't be told doesn't keep the tokens alive here", async () => {
  provider.account = "not told";
  const { connector, credential } = await world.connect("fake", owner.token);
  provider.scripts.revoke = (_, response) => response.writeHead(503).end();
  const { revoked, told, message } = await tenant.does("POST", `/api/v1/connectors/${connector.id}/revoke`);
  assert.deepEqual([revoked, told], [true, false]);
  assert.ok(message.length > 10);
  const answer = await lw.api("POST", `/api/v1/credentials/${credential}/token`, { token: owner.token });
  assert.ok(answer.status === 404 || answer.status === 409, answer.text);
});

test("a hundred ask for a token that has ended: the server, whose refresh tokens work once, is asked once", async () => {
  const person = await somebody();
  Object.assign(server, { firstTtl: 240, exchanges: [] }); // the worker renews it in two minutes
  const { credential_id: credential } = await connect(person, "many");
  server.firstTtl = 3600;
  lw.sql(`UPDATE token_refresh SET intent_at = 0 WHERE credential_id = ${idBytes(credential)}`); // as if half of its life were over
  const answers = await Promise.all(Array.from({ length: 100 }, () => lw.api("POST", `/api/v1/credentials/${credential}/token`,
    { token: owner.token })));
  assert.deepEqual([...new Set(answers.map(({ status, json }) => `${status} ${json.code ?? ""}`))], ["200 "]);
  assert.equal(new Set(answers.map(({ json }) => json.access_token)).size, 1);
  assert.ok(await server.isGood(answers[0].json.access_token));
  // It may be the worker that asked.
  assert.deepEqual(server.exchanges.map(({ grant_type, status }) => [grant_type, status]), [["authorization_code", 200],
    ["refresh_token", 200]]);
  tokensSeen.push(answers[0].json.access_token);
  await person.leave();
});

test("no log and no table has a state, a code, a token or a client's secret", () => {
  const secrets = [...tokensSeen, ...world.states, ...provider.secrets(), ...server.clients.map(({ client_secret }) => client_secret)];
  assertNowhere(lw, secrets, dumpDatabase(lw));
});
