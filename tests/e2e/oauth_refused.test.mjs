// What must not work when a consent is declined, late, somebody else's, or turned by somebody's hand: each ends at a page
// that says so, and no token is asked for.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { assertNowhere } from "./lib/connections.mjs";
import {
  agree, app, assertPage, assertPageAnswer, browser, closeDance, connect, connectors, exchanges, lw, openDance, owner, provider,
  server, somebody, startUrl, states, tenant, world,
} from "./lib/dance.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { request } from "./lib/http.mjs";

before(openDance);
after(closeDance);
beforeEach(() => provider?.reset());

test("a person who declines reads so, and no token is asked for", async () => {
  const person = await somebody(), before = exchanges();
  await person.go(startUrl("real"));
  await person.type("[name=login]", "no");
  await person.type("[name=password]", "no");
  await person.click("button[type=submit]");
  assertPage(await person.click("a[href*=abort]"), { code: "OAUTH_CONSENT_DENIED" });
  await person.go(startUrl("real", { return_to: `${app.origin}/done` }));
  const seen = await person.click("a[href*=abort]");
  assert.equal(new URL(seen.url).origin, app.origin);
  assert.equal(new URL(seen.url).searchParams.get("error"), "OAUTH_CONSENT_DENIED");
  assert.equal(exchanges(), before);
  await person.leave();
});

/** Goes as far as the callback, and doesn't call it: its address. */
async function caught(person, account, type = "real") {
  let url;
  const hold = (req) => {
    if (!req.url().includes("/oauth/callback/"))
      return req.continue();
    url = req.url();
    return req.abort();
  };
  await person.page.setRequestInterception(true);
  person.page.on("request", hold);
  await person.go(startUrl(type));
  await agree(person, account).catch((error) => assert.match(error.message, /ERR_FAILED|ABORTED|detached|Navigation/));
  person.page.off("request", hold);
  await person.page.setRequestInterception(false);
  assert.ok(url, "the provider did not send the person back");
  return url;
}

test("a state that is carried into another browser connects nothing there", async () => {
  const victim = await somebody(), attacker = await somebody(), count = (await connectors()).length, before = exchanges();
  const url = await caught(attacker, "mallory");
  assertPage(await victim.go(url), { code: "OAUTH_OTHER_BROWSER" });
  const stranger = await browser.newPerson();
  assertPage(await stranger.go(url), { code: "OAUTH_OTHER_BROWSER" });
  assert.equal(exchanges(), before);
  assert.equal((await connectors()).length, count);
  for (const person of [victim, attacker, stranger])
    await person.leave();
});

test("a state works once", async () => {
  const person = await somebody();
  const connector = await connect(person, "once");
  const { url } = person.visited.find((each) => each.url.includes("/oauth/callback/"));
  const before = exchanges();
  assertPage(await person.go(url), { code: "OAUTH_STATE_UNKNOWN" });
  assert.equal(exchanges(), before);
  assert.equal((await lw.api("GET", `/api/v1/connectors/${connector.id}`, { token: owner.token })).json.status, "active");
  await person.leave();
});

test("of twenty callbacks with one state, one connects", async () => {
  provider.account = "one-of-twenty";
  const count = (await connectors()).length, begun = await world.begin("fake", owner.token), uri = await world.consent(begun);
  const answers = await Promise.all(Array.from({ length: 20 }, () => world.callback(uri, begun)));
  assert.equal(answers.filter(({ status }) => status === 200).length, 1, answers.map(({ status }) => status).join());
  assert.equal(provider.exchanges.length, 1);
  assert.equal((await connectors()).length, count + 1);
});

test("a consent that took too long has to begin again", async () => {
  const begun = await world.begin("fake", owner.token), uri = await world.consent(begun);
  lw.sql(`UPDATE oauth_state SET created_at = created_at - 700000, expires_at = ${Date.now() - 1000} WHERE used_at IS NULL`);
  assertPageAnswer(await world.callback(uri, begun), { code: "OAUTH_STATE_EXPIRED" });
  assert.equal(exchanges(), server.exchanges.length);
});

test("a state of one provider isn't taken at another's callback", async () => {
  const begun = await world.begin("fake", owner.token), uri = await world.consent(begun);
  assertPageAnswer(await world.callback(uri.replace("/callback/fake", "/callback/other"), begun), { code: "OAUTH_BAD_CALLBACK" });
  assert.equal(provider.exchanges.length, 0);
});

test("a callback without a state, with an invented one, or with two, is nobody's", async () => {
  const begun = await world.begin("fake", owner.token), uri = await world.consent(begun);
  const state = new URL(uri, lw.url).searchParams.get("state");
  for (const query of ["", "?code=x", `?code=x&state=${"A".repeat(43)}`, "?code=x&state=", `?state=${state}`,
    `?code=x&state=${state}&state=${state}`, `?code=&state=${state}`,
    `?code=x&state=${state.slice(0, -1)}`, `?code=x&state=${state}%00`]) {
    const answer = await world.callback(`/api/v1/oauth/callback/fake${query}`, begun);
    assert.ok(answer.status >= 400 && answer.status < 500, `${query}: ${answer.status}`);
    assert.match(answer.text, /OAUTH_STATE_UNKNOWN|OAUTH_BAD_CALLBACK|BAD_PATH/, query);
  }
  assert.equal(provider.exchanges.length, 0);
});

test("what a provider says about an error is never part of a page", async () => {
  const person = await somebody();
  const evil = `<img src=x onerror="alert(1)"><script>alert(2)</script>"'`;
  for (const query of [{ error: "access_denied", error_description: evil }, { error: evil, error_description: evil,
    error_uri: "javascript:alert(3)" }, { error: "server_error", error_description: "javascript:alert(4)" }]) {
    provider.callback = { code: undefined, ...query };
    const seen = await person.go(startUrl("fake"));
    assertPage({ ...seen, status: 400 }, { code: "OAUTH_" });
    assert.ok(!seen.html.includes("alert("), seen.html);
    assert.ok(seen.status === 400 || seen.status === 502, String(seen.status));
    const without = await person.go(`${lw.url}/api/v1/oauth/callback/fake?${new URLSearchParams({ ...query, state: "none" })}`);
    assertPage(without, { code: "OAUTH_STATE_UNKNOWN" });
    assert.ok(!without.html.includes("alert("), without.html);
  }
  assert.deepEqual(person.dialogs, []);
  assert.equal(provider.exchanges.length, 0);
  await person.leave();
});

test("an answer of another issuer than the one that was asked is refused", async () => {
  const person = await somebody(), url = new URL(await caught(person, "mixed"));
  assert.equal(url.searchParams.get("iss"), server.url, "the server names itself");
  url.searchParams.set("iss", "https://evil.example");
  const before = exchanges(), seen = await person.go(url.href);
  assertPage({ ...seen, status: 400 }, { code: "OAUTH_" });
  assert.ok(seen.status >= 400, String(seen.status));
  assert.equal(exchanges(), before);
  await person.leave();
});

test("a provider that refuses the code is told apart from one that can't be reached", async () => {
  for (const [script, wanted] of [[(_, response) => response.writeHead(400,
    { "Content-Type": "application/json" }).end('{"error":"invalid_grant"}'), "OAUTH_PROVIDER_REFUSED"],
    [(req) => req.socket.destroy(), "UPSTREAM_FAILED"]]) {
    const begun = await world.begin("fake", owner.token), uri = await world.consent(begun), count = (await connectors()).length;
    provider.token = script;
    const answer = await world.callback(uri, begun);
    assertPageAnswer(answer, { status: 502, code: wanted });
    assertPageAnswer(await world.callback(uri, begun), { code: "OAUTH_STATE_UNKNOWN" });
    assert.equal((await connectors()).length, count);
    provider.reset();
  }
});

const EVIL = ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "https:evil.example",
  "https:/evil.example", "https:///evil.example", "\t//evil.example",
  "https://ORIGIN@evil.example/", "https://evil.example\\@ORIGIN/", "https://ORIGIN.evil.example/", "https://ORIGIN:443@evil.example",
    "http://ORIGIN/", "javascript:alert(1)//ORIGIN",
  "data:text/html,hello", "https://evil.example#https://ORIGIN/", "https://evil.example/?https://ORIGIN/",
    "https://ORIGIN%2eevil.example/", "https://ORIGIN%00.evil.example/",
  "ORIGIN", "https://ORIGIN\r\nLocation: https://evil.example", "https://ORIGIN /", " https://ORIGIN/", "https://LOCALHOST%3A1@ORIGIN/",
    "HTTPS://user:password@ORIGIN/", "https://ORIGIN\u3002evil.example/",
  "https://[::1]/", "blob:https://ORIGIN/", "https://localhost/", "https://localhost:1/"];

test("nobody is sent to an address that the operator did not allow, however it is spelled", async () => {
  const origin = new URL(app.origin).host, count = states();
  for (const spelling of EVIL) {
    const uri = `/api/v1/oauth/start/fake?return_to=${encodeURIComponent(spelling.replaceAll("ORIGIN", origin))}`;
    for (const headers of [{}, { Accept: "application/json" }]) {
      const answer = await lw.api("GET", uri, { token: owner.token, headers });
      assert.equal(answer.status, 400, `${spelling}: ${answer.status} ${answer.headers.location}`);
      assert.equal(answer.headers.location, undefined);
      assert.ok(answer.json.fields.some(({ field }) => field.endsWith("return_to")), answer.text);
    }
  }
  assert.equal(states(), count, "a state was made for it");
  for (const good of [`${app.origin}`, `${app.origin}/`, `${app.origin}/a/b?c=d`, `${lw.url}/console`]) {
    const answer = await lw.api("GET", `/api/v1/oauth/start/fake?return_to=${encodeURIComponent(good)}`, { token: owner.token });
    assert.equal(answer.status, 302, `${good}: ${answer.text}`);
  }
});

test("the redirect URI comes from the configuration, whatever the request says its host is", async () => {
  for (const headers of [{ "X-Forwarded-Host": "evil.example" }, { "X-Forwarded-Proto": "http" },
    { Forwarded: "host=evil.example;proto=http" }, { "X-Host": "evil.example" },
    { "X-Original-Host": "evil.example" }, { "X-Forwarded-Port": "1" }, { Origin: "https://evil.example" }]) {
    const { authorize } = await world.begin("fake", owner.token, { headers });
    assert.equal(new URL(authorize).searchParams.get("redirect_uri"), `${lw.url}/api/v1/oauth/callback/fake`, JSON.stringify(headers));
  }
  for (const host of ["evil.example", `evil.example:${world.port}`, `localhost:${world.port}@evil.example`]) {
    const answer = await request(lw.url, { path: "/api/v1/oauth/start/fake", ca: lw.ca, headers: { Host: host,
      Authorization: `Bearer ${owner.token}` } });
    assert.ok(!(answer.headers.location ?? "").includes("evil"), answer.headers.location);
  }
  const absolute = await request(lw.url, { path: "https://evil.example/api/v1/oauth/start/fake", ca: lw.ca,
    headers: { Authorization: `Bearer ${owner.token}` } });
  assert.ok(!(absolute.headers.location ?? "").includes("evil"), absolute.headers.location);
});

test("who may not connect things can't begin, and nobody begins with what is another tenant's", async () => {
  const start = (query, token) => lw.api("GET", `/api/v1/oauth/start/fake?${new URLSearchParams(query)}`, { token,
    headers: { Accept: "application/json" } });
  assert.equal((await start({})).status, 401);
  assert.equal((await start({}, tenant.people.viewer.token)).status, 403);
  const stranger = await lw.newTenant("stranger");
  const { connector, credential } = await world.connect("fake", owner.token);
  for (const query of [{ connector_id: connector.id }, { credential_id: credential }]) {
    const answer = await start(query, stranger.token);
    assert.equal(answer.status, 404, answer.text);
  }
  const other = await lw.api("GET", `/api/v1/oauth/start/other?connector_id=${connector.id}`, { token: owner.token });
  assert.ok(other.status === 400 || other.status === 404 || other.status === 409, `another type's connector: ${other.status}`);
  assert.equal((await lw.api("GET", "/api/v1/oauth/start/no_such_type", { token: owner.token })).status, 404);
});

for (const [words, happens] of Object.entries({
  "who is no longer one of the tenant's people": ({ id }) => tenant.does("DELETE", `/api/v1/members/${id}`),
  "who may only look by now": ({ id }) => tenant.does("PATCH", `/api/v1/members/${id}`, { role: "viewer" }),
  "whose account was disabled": ({ email }) => assert.equal(lw.latchctl("user", "disable", email).status, 0),
})) {
  test(`${words} when they come back connects nothing`, async () => {
    const member = await tenant.newMember("member"), begun = await world.begin("fake", member.token), uri = await world.consent(begun);
    await happens(member);
    const count = (await connectors()).length, answer = await world.callback(uri, begun);
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`);
    assert.equal(provider.exchanges.length, 0);
    assert.equal((await connectors()).length, count);
  });
}

test("a connector that is gone when the person comes back isn't connected again", async () => {
  provider.account = "gone meanwhile";
  const { connector } = await world.connect("fake", owner.token), count = (await connectors()).length;
  const begun = await world.begin("fake", owner.token, { query: { connector_id: connector.id } }), uri = await world.consent(begun);
  assert.equal((await lw.api("DELETE", `/api/v1/connectors/${connector.id}`, { token: owner.token })).status, 204);
  const answer = await world.callback(uri, begun);
  assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.text}`);
  assert.equal((await connectors()).length, count - 1);
});

test("the audit trail tells who connected what, and who was refused why", async () => {
  const rows = (await lw.api("GET", "/api/v1/audit?limit=200&action=oauth.connect", { token: owner.token })).json;
  const started = (await lw.api("GET", "/api/v1/audit?limit=200&action=oauth.start", { token: owner.token })).json;
  assert.ok(started.some(({ outcome }) => outcome === "ok"));
  assert.ok(rows.some(({ outcome, target }) => outcome === "ok" && /^conn-/.test(target?.id ?? target)), JSON.stringify(rows[0]));
  for (const code of ["OAUTH_OTHER_BROWSER", "OAUTH_CONSENT_DENIED", "OAUTH_STATE_EXPIRED"])
    assert.ok(rows.some((row) => row.outcome !== "ok" && JSON.stringify(row).includes(code)), `there is no row of ${code}`);
});

test("no log and no table has a state, a code, a token or a client's secret", () => {
  const secrets = [...world.states, ...provider.secrets(), ...server.clients.map(({ client_secret }) => client_secret)];
  assertNowhere(lw, secrets, dumpDatabase(lw));
});
