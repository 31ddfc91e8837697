// Providers' webhooks over HTTPS: what their own packages sign is accepted, what was touched since is refused and leaves
// no row; and what they ask before they send events is answered.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { connectHook, deliveryOf, eventsOf, hmac, newAddress, PROVIDERS, send } from "./lib/webhooks.mjs";

let lw, token;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  ({ token } = await lw.newTenant("hooks"));
});
after(() => lw?.stop());

const changeOneByte = (text) => {
  const at = Math.floor(text.length / 2);
  return text.slice(0, at) + (text[at] === "a" ? "b" : "a") + text.slice(at + 1);
};

async function refused(hook, words, delivery) {
  const answer = await send(lw, delivery);
  // nginx itself takes no second Authorization.
  assert.equal(answer.status, Array.isArray(delivery.headers.authorization) ? 400 : 401, `${words}: ${answer.status} ${answer.text}`);
  assert.ok(!answer.text.includes("received"), words);
  if (hook.provider.silent)
    assert.equal(answer.text, "", words);
}

/** Everything that is no longer what the provider signed. */
async function forgeries(hook) {
  const { provider } = hook, good = await deliveryOf(hook), all = {};
  const without = Object.fromEntries(Object.entries(good.headers).filter(([name]) => name !== provider.signature));
  all["another key"] = { ...await deliveryOf(hook, { key: provider.newKey() }), url: good.url };
  all["no signature"] = { ...good, headers: without };
  all["an empty signature"] = { ...good, headers: { ...good.headers, [provider.signature]: "" } };
  all["the signature twice"] = { ...good, headers: { ...without, [provider.signature]: [good.headers[provider.signature], good.headers[provider.signature]] } };
  all["a signature of nothing"] = { ...good, headers: { ...good.headers, [provider.signature]: "sha1=x" } };
  if (!provider.unsigned) {
    all["one byte of the body changed"] = { ...good, body: changeOneByte(good.body) };
    all["a body that is longer by a space"] = { ...good, body: `${good.body} ` };
    all["an empty body"] = { ...good, body: "" };
    all["a body that was written anew"] = provider.form ? { ...good, body: `${good.body}&Another=1` } : { ...good, body: JSON.stringify(JSON.parse(good.body)) };
  }
  if (provider.timed) {
    all["a stale one"] = await deliveryOf(hook, { at: Date.now() - 3700_000 });
    all["one of the future"] = await deliveryOf(hook, { at: Date.now() + 3700_000 });
  }
  return all;
}

for (const [name, provider] of Object.entries(PROVIDERS))
  test(`${name}: what it signs is accepted once, and nothing else is`, async () => {
    const hook = await connectHook(lw, token, provider);
    for (const [words, forgery] of Object.entries(await forgeries(hook)))
      await refused(hook, words, forgery);
    assert.deepEqual(await eventsOf(hook), [], "a refused delivery left an event");
    const good = await deliveryOf(hook);
    if (provider.accepts)
      assert.equal(await provider.accepts(good), true, "the provider's own package doesn't accept it");
    const answer = await send(lw, good);
    assert.equal(answer.status, 200, answer.text);
    if (provider.silent)
      assert.equal(answer.text, "");
    else
      assert.deepEqual({ received: answer.json.received, duplicate: answer.json.duplicate }, { received: true, duplicate: false });
    const again = await send(lw, good);
    assert.equal(again.status, 200);
    if (!provider.silent)
      assert.equal(again.json.duplicate, provider.repeats ?? false ? false : true);
    const events = await eventsOf(hook);
    assert.equal(events.length, provider.repeats ? 2 : 1);
    assert.equal(events[0].provider, provider.type);
  });

test("what is signed are the bytes that came, whatever they mean", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.github);
  const bodies = ['{"n":1e5,"t":"\\u00e9"}', '{"n":100000,"t":"é"}', '{"t":"é","n":100000}', '{"n":1e5,"t":"\\u00e9"}\r\n', ' {"n":1e5,"t":"\\u00e9"}',
    '\ufeff{"n":1e5,"t":"\\u00e9"}', '{"n":1,"n":1e5,"t":"\\u00e9"}', '{"n": 1e5, "t": "\\u00e9"}'];
  for (const body of bodies) {
    const good = await deliveryOf(hook, { body });
    for (const other of bodies.filter((text) => text !== body))
      await refused(hook, `${body} for ${other}`, { ...good, body: other });
    assert.equal((await send(lw, good)).status, 200, body);
  }
  assert.equal((await eventsOf(hook)).length, bodies.length);
});

test("a right MAC in another form than the type's proves nothing", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.github), good = await deliveryOf(hook);
  const mac = good.headers["x-hub-signature-256"].replace("sha256=", ""), sha1 = hmac(hook.key, good.body, "hex", "sha1");
  for (const signature of [`sha1=${sha1}`, sha1, mac, `SHA256=${mac}`, `sha256=${mac}00`, `sha256=${mac.slice(0, -2)}`, `sha256=${mac},sha256=${mac}`, `sha256= ${mac}`,
    `sha256=${Buffer.from(mac, "hex").toString("base64")}`])
    await refused(hook, signature, { ...good, headers: { ...good.headers, "x-hub-signature-256": signature } });
  await refused(hook, "in the older header", { ...good, headers: { "content-type": "application/json", "x-hub-signature": `sha1=${sha1}` } });
});

test("Stripe's header with two signatures, as while a key is rolled, needs one of ours; v0 counts nothing", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.stripe), good = await deliveryOf(hook);
  const ours = good.headers["stripe-signature"], other = hmac("whsec_other", "x");
  const [time, signature] = ours.split(",");
  await refused(hook, "v0 only", { ...good, headers: { ...good.headers, "stripe-signature": `${time},${signature.replace("v1=", "v0=")}` } });
  await refused(hook, "two times", { ...good, headers: { ...good.headers, "stripe-signature": `${time},${ours}` } });
  const answer = await send(lw, { ...good, headers: { ...good.headers, "stripe-signature": `${time},v1=${other},${signature},v0=${other}` } });
  assert.equal(answer.status, 200, answer.text);
});

test("Twilio: parameters that come twice count once, in the order of their values", async () => {
  const provider = PROVIDERS["twilio (form)"], hook = await connectHook(lw, token, provider);
  const body = "B=2&MessageSid=SM1&MessageStatus=sent&B=1&B=2&A=x", url = hook.url;
  const headers = { "content-type": "application/x-www-form-urlencoded", "x-twilio-signature": hmac(hook.key, `${url}AxB1B2MessageSidSM1MessageStatussent`, "base64", "sha1") };
  assert.equal((await send(lw, { url, body, headers })).status, 200);
  // A signature of the address alone says nothing of a body.
  const bare = { "content-type": "application/json", "x-twilio-signature": hmac(hook.key, url, "base64", "sha1") };
  await refused(hook, "any body under a bare address", { url, body: "{}", headers: bare });
});

test("Shopify: two topics of one merchant's action are two events", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.shopify), good = await deliveryOf(hook);
  for (const topic of ["orders/create", "orders/paid", "orders/paid"])
    assert.equal((await send(lw, { ...good, headers: { ...good.headers, "x-shopify-topic": topic } })).status, 200);
  assert.deepEqual((await eventsOf(hook)).map(({ type }) => type).sort(), ["orders/create", "orders/paid"]);
});

/* --- keys --------------------------------------------------------------------------------------- */

test("while a key is rolled both work; the credential's new one does within seconds", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.github), key = PROVIDERS.github.newKey();
  const { data } = PROVIDERS.github.credential(key);
  const answer = await lw.api("PUT", `/api/v1/credentials/${hook.credential}`, { token, body: { data: { extra: data.extra } } });
  assert.equal(answer.status, 200, answer.text);
  await eventually("the new key counts", async () => (await send(lw, await deliveryOf(hook, { key }))).status === 200);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 200, "the old key has ended at once");
  // Its hour is over: made so by the clock of the row that it stands in.
  lw.sql(`UPDATE credential_version SET created_at = created_at - 3700000; UPDATE hook SET due_at = 0`);
  await eventually("the old key is over", async () => (await send(lw, await deliveryOf(hook))).status === 401);
  assert.equal((await send(lw, await deliveryOf(hook, { key }))).status, 200);
});

test("a deleted credential's key ends", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.github);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 200);
  lw.sql(`UPDATE credential SET deleted_at = 1 WHERE name = 'key of github' ORDER BY created_at DESC LIMIT 1`);
  await eventually("its deliveries are refused", async () => (await send(lw, await deliveryOf(hook))).status === 401);
});

test("without a key nothing is genuine", async () => {
  const provider = { ...PROVIDERS.github, credential: () => ({ type: "api_key", data: { api_key: "ghp_0123456789abcdef" } }) };
  const hook = await connectHook(lw, token, provider);
  await refused(hook, "no key at all", await deliveryOf(hook));
  await refused(hook, "the empty key", { ...await deliveryOf(hook), headers: { "x-hub-signature-256": `sha256=${hmac("", "{}")}` }, body: "{}" });
});

test("a key that can't be read puts its hook off, and keeps the others' from nothing", async () => {
  const bad = await connectHook(lw, token, PROVIDERS.github), good = await connectHook(lw, token, PROVIDERS.github), key = PROVIDERS.github.newKey();
  lw.sql(`UPDATE credential_version v JOIN credential c USING (tenant_id, credential_id)
    SET v.ciphertext = REVERSE(v.ciphertext) WHERE c.name = 'key of github' AND v.credential_id = (SELECT credential_id FROM connector ORDER BY connector_id DESC LIMIT 1 OFFSET 1)`);
  lw.sql("UPDATE hook SET due_at = 0");
  await lw.api("PUT", `/api/v1/credentials/${good.credential}`, { token, body: { data: { extra: { webhook_secret: key } } } });
  await eventually("the other's new key counts", async () => (await send(lw, await deliveryOf(good, { key }))).status === 200);
  assert.equal((await send(lw, await deliveryOf(bad))).status, 200, "the old keys stay");
});

test("a new secret ends the old address, and the connector shows the new one", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.github), old = await deliveryOf(hook);
  const uri = `/api/v1/connectors/${hook.id}`, first = await lw.api("GET", uri, { token });
  assert.equal(first.json.webhook_url, hook.url);
  assert.match(hook.url, new RegExp(`^${lw.url}/api/webhooks/github/[A-Za-z0-9_-]{43}$`));
  const url = await newAddress(lw, token, hook.id);
  assert.notEqual(url, hook.url);
  assert.equal((await send(lw, old)).status, 401);
  const second = await lw.api("GET", uri, { token, headers: { "If-None-Match": first.headers.etag } });
  assert.equal(second.status, 200, "the ETag didn't change with the address");
  assert.equal(second.json.webhook_url, url);
  const list = await lw.api("GET", "/api/v1/connectors?limit=100", { token });
  assert.equal(list.json.find(({ id }) => id === hook.id).webhook_url, url);
  assert.equal((await send(lw, { ...old, url })).status, 200);
});

test("a connector without webhooks has no address, and one that is off or gone takes nothing", async () => {
  const made = await lw.api("POST", "/api/v1/credentials", { token, body: { name: "k", type: "api_key", service: "gemini", data: { api_key: "AIza0123456789" } } });
  const { json: plain } = await lw.api("POST", "/api/v1/connectors", { token, body: { connector_type: "gemini", credential_id: made.json.id } });
  assert.equal(plain.webhook_url, null);
  assert.equal((await lw.api("POST", `/api/v1/connectors/${plain.id}/webhook-secret`, { token })).status, 409);
  const hook = await connectHook(lw, token, PROVIDERS.github);
  assert.equal((await lw.api("PATCH", `/api/v1/connectors/${hook.id}`, { token, body: { status: "disabled" } })).status, 200);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 401);
  assert.equal((await lw.api("PATCH", `/api/v1/connectors/${hook.id}`, { token, body: { status: "active" } })).status, 200);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 200);
  assert.equal((await send(lw, { ...await deliveryOf(hook), url: hook.url.replace("/github/", "/stripe/") })).status, 401, "another type's address");
  const before = Number(lw.sql("SELECT COUNT(*) FROM hook")[0][0]);
  assert.equal((await lw.api("DELETE", `/api/v1/connectors/${hook.id}`, { token })).status, 204);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 401);
  assert.equal(Number(lw.sql("SELECT COUNT(*) FROM hook")[0][0]), before - 1);
});

/* --- handshakes --------------------------------------------------------------------------------- */

const json = (value) => JSON.stringify(value);
const asks = (hook, { query = "", ...more }) => send(lw, { url: hook.url + query, headers: { "content-type": "application/json", ...more.headers }, ...more });
const nothingStored = async (hook) => assert.deepEqual(await eventsOf(hook), [], "a handshake is no event");

test("Slack's url_verification is answered when it is signed", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.slack), body = json({ type: "url_verification", challenge: "3eZbrw1aBm2rZgRNFdxV" });
  const answer = await send(lw, await deliveryOf(hook, { body }));
  assert.deepEqual([answer.status, answer.text], [200, "3eZbrw1aBm2rZgRNFdxV"]);
  assert.match(answer.headers["content-type"], /^text\/plain/);
  assert.equal((await send(lw, await deliveryOf(hook, { body, key: "another" }))).status, 401);
  await nothingStored(hook);
});

test("Zoom's endpoint.url_validation is answered with the token's HMAC", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.zoom), plainToken = 'q"\\ü';
  const answer = await send(lw, await deliveryOf(hook, { body: json({ event: "endpoint.url_validation", payload: { plainToken } }) }));
  assert.deepEqual([answer.status, answer.json], [200, { plainToken, encryptedToken: hmac(hook.key, plainToken) }]);
  await nothingStored(hook);
});

test("Meta's challenge is echoed to whoever knows the verify token", async () => {
  const provider = { ...PROVIDERS.meta, credential: (key) => ({ type: "oauth2", data: { client_id: "c", client_secret: key, access_token: "EAAB0123456789", extra: { verify_token: "of ours, 0123456789" } } }) };
  const hook = await connectHook(lw, token, provider);
  const query = (verify) => `?${new URLSearchParams({ "hub.mode": "subscribe", "hub.challenge": "1158201444", "hub.verify_token": verify })}`;
  const answer = await asks(hook, { method: "GET", query: query("of ours, 0123456789") });
  assert.deepEqual([answer.status, answer.text], [200, "1158201444"]);
  assert.equal((await asks(hook, { method: "GET", query: query("another") })).status, 404);
  assert.equal((await asks(hook, { method: "GET", query: query("") })).status, 404);
  assert.equal((await asks(hook, { method: "GET" })).status, 404);
});

test("Xero's intent to receive: empty answers, 200 when rightly signed, else 401", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.xero), body = json({ events: [], firstEventSequence: 0, lastEventSequence: 0, entropy: "x" });
  const good = await send(lw, await deliveryOf(hook, { body })), bad = await send(lw, await deliveryOf(hook, { body, key: "another" }));
  assert.deepEqual([good.status, good.text, bad.status, bad.text], [200, "", 401, ""]);
  assert.equal(good.headers["set-cookie"], undefined);
  await nothingStored(hook);
});

test("Dropbox's and Microsoft's challenges are echoed as plain text that no browser runs", async () => {
  const challenge = "<script>alert(1)</script>";
  const dropbox = await connectHook(lw, token, PROVIDERS.dropbox);
  const one = await asks(dropbox, { method: "GET", query: `?challenge=${encodeURIComponent(challenge)}` });
  const microsoft = await connectHook(lw, token, { ...PROVIDERS.google_drive, type: "microsoft", credential: (key) => ({ type: "oauth2", data: { client_id: "c", client_secret: "s0123456789", access_token: "a0123456789", extra: { client_state: key } } }) });
  const two = await asks(microsoft, { query: `?validationToken=${encodeURIComponent(challenge)}` });
  for (const answer of [one, two]) {
    assert.deepEqual([answer.status, answer.text], [200, challenge]);
    assert.match(answer.headers["content-type"], /^text\/plain/);
    assert.equal(answer.headers["x-content-type-options"], "nosniff");
  }
  const body = (clientState) => json({ value: [{ subscriptionId: "s", clientState, changeType: "updated", resource: "me/messages", tenantId: "t" }] });
  assert.equal((await asks(microsoft, { body: body("another") })).status, 401);
  for (let i = 0; i < 2; i++)
    assert.equal((await asks(microsoft, { body: body(microsoft.key) })).json.duplicate, false, "two changes of one message look the same");
  assert.equal((await eventsOf(microsoft)).length, 2);
});

test("Asana's secret is echoed and kept: the first one, and no other until the address is another", async () => {
  const provider = { ...PROVIDERS.clickup, type: "asana", signature: "x-hook-signature", credential: () => ({ type: "api_key", data: { api_key: "1/0123456789:abcdef" } }),
    sign: ({ key, body }) => ({ "x-hook-signature": hmac(key, body) }), body: (gid) => json({ events: [{ action: "added", resource: { gid, resource_type: "task" } }] }) };
  const hook = await connectHook(lw, token, provider);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 401, "before the handshake");
  const handshake = (secret) => asks(hook, { headers: { "x-hook-secret": secret } });
  const first = await handshake(hook.key);
  assert.deepEqual([first.status, first.headers["x-hook-secret"]], [200, hook.key]);
  assert.equal((await handshake(hook.key)).status, 200, "the same one again");
  assert.equal((await handshake("another-secret-0123456789")).status, 401);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 200);
  assert.equal((await send(lw, await deliveryOf(hook, { key: "another-secret-0123456789" }))).status, 401);
  assert.equal((await asks(hook, { headers: { "x-hook-signature": hmac(hook.key, json({ events: [] })) }, body: json({ events: [] }) })).status, 200, "a heartbeat");
  assert.equal((await eventsOf(hook)).length, 1);
  hook.url = await newAddress(lw, token, hook.id);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 401, "the old secret has gone with its address");
  assert.equal((await handshake("another-secret-0123456789")).status, 200);
});

test("of two secrets that come at once one is kept", async () => {
  const provider = { ...PROVIDERS.clickup, type: "asana", credential: () => ({ type: "api_key", data: { api_key: "1/0123456789:abcdef" } }) };
  const hook = await connectHook(lw, token, provider);
  const answers = await Promise.all(Array.from({ length: 12 }, (_, i) => asks(hook, { headers: { "x-hook-secret": `secret-${i}-0123456789` } })));
  assert.deepEqual(answers.map(({ status }) => status).sort(), [200, ...Array(11).fill(401)]);
});

test("Notion's first POST hands the token over, unsigned; what it signs with it is an event", async () => {
  const provider = { ...PROVIDERS.github, type: "notion", signature: "x-notion-signature", credential: () => ({ type: "api_key", data: { api_key: "ntn_0123456789abc" } }),
    sign: ({ key, body }) => ({ "x-notion-signature": `sha256=${hmac(key, body)}` }), body: (id) => json({ id, type: "page.created", entity: { type: "page", id: "p" } }) };
  const hook = await connectHook(lw, token, provider);
  assert.equal((await asks(hook, { body: json({ verification_token: hook.key }) })).status, 200);
  assert.equal((await send(lw, await deliveryOf(hook))).status, 200);
  assert.equal((await asks(hook, { body: json({ verification_token: "another" }) })).status, 401);
});

test("X's and LinkedIn's challenges are answered with an HMAC", async () => {
  const x = await connectHook(lw, token, PROVIDERS.x), linkedin = await connectHook(lw, token, PROVIDERS.linkedin);
  assert.deepEqual((await asks(x, { method: "GET", query: "?crc_token=abc" })).json, { response_token: `sha256=${hmac(x.key, "abc", "base64")}` });
  assert.deepEqual((await asks(linkedin, { method: "GET", query: "?challengeCode=890e4665" })).json,
    { challengeCode: "890e4665", challengeResponse: hmac(linkedin.key, "890e4665") });
});

test("an answer to a challenge is never the signature of a delivery", async () => {
  const x = await connectHook(lw, token, PROVIDERS.x), linkedin = await connectHook(lw, token, PROVIDERS.linkedin);
  const event = json({ for_user_id: "1", tweet_create_events: [] });
  const ways = [[x, "crc_token", "", (mac) => ({ "x-twitter-webhooks-signature": mac.response_token })],
    [linkedin, "challengeCode", "hmacsha256=", (mac) => ({ "x-li-signature": mac.challengeResponse })]];
  for (const [hook, name, before, signed] of ways) {
    const challenge = (body) => asks(hook, { method: "GET", query: `?${new URLSearchParams({ [name]: before + body })}` });
    for (const body of [event, "[]", '""', " ", "a".repeat(300)])
      assert.equal((await challenge(body)).status, 400, body);
    const answer = await challenge("abc");
    assert.equal(answer.status, 200, answer.text);
    assert.equal((await asks(hook, { body: "abc", headers: signed(answer.json) })).status, 401);
    await nothingStored(hook);
  }
});

test("Discord's pings are answered when they are signed", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.discord);
  assert.deepEqual((await send(lw, await deliveryOf(hook, { body: json({ type: 1 }) }))).json, { type: 1 });
  assert.equal((await send(lw, await deliveryOf(hook, { body: json({ type: 0 }) }))).status, 204);
  assert.equal((await send(lw, await deliveryOf(hook, { body: json({ type: 1 }), key: PROVIDERS.discord.newKey() }))).status, 401);
  await nothingStored(hook);
});

test("monday's challenge is echoed; Trello's and Intercom's HEAD is answered; Google's sync is no event", async () => {
  const hooks = {};
  for (const name of ["monday", "trello", "intercom", "google_drive"])
    hooks[name] = await connectHook(lw, token, PROVIDERS[name]);
  assert.deepEqual((await asks(hooks.monday, { body: json({ challenge: 'a"b' }) })).json, { challenge: 'a"b' });
  for (const name of ["trello", "intercom"]) {
    const answer = await asks(hooks[name], { method: "HEAD" });
    assert.deepEqual([answer.status, answer.text], [200, ""]);
  }
  assert.equal((await asks(hooks.google_drive, { headers: { "x-goog-resource-state": "sync" } })).status, 200);
  for (const hook of Object.values(hooks))
    await nothingStored(hook);
});

test("latchctl connector lint names what is wrong in a type's webhook", () => {
  const supplied = fs.readFileSync(path.join(lw.program, "share/latchwork/connectors/github.json"), "utf8"), file = lw.at("etc", "github.json");
  for (const [change, words] of [[(webhook) => (webhook.signed = "{url}"), "signed"], [(webhook) => (webhook.key_field = "none"), "none"], [(webhook) => (webhook.tolerance = 5), "tolerance"]]) {
    const type = JSON.parse(supplied);
    change(type.webhook);
    fs.writeFileSync(file, JSON.stringify(type));
    const { status, stdout, stderr } = lw.latchctl("connector", "lint", file);
    assert.notEqual(status, 0, words);
    assert.match(stdout + stderr, new RegExp(`webhook.*${words}`));
  }
  fs.rmSync(file);
  assert.equal(lw.latchctl("connector", "lint").status, 0, lw.latchctl("connector", "lint").stdout);
});
