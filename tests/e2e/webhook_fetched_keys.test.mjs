// Webhooks that are signed by a key at an address of the provider's: nothing is believed before the key is there, nothing
// is lost meanwhile, and a stranger who knows the connector's address has nothing else fetched.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { startWorld } from "./lib/connections.mjs";
import { eventually } from "./lib/instance.mjs";
import { KeyServer, rsaKey, shippedType } from "./lib/key_server.mjs";
import { connectHook, eventsOf, send } from "./lib/webhooks.mjs";

const TOPIC = "arn:aws:sns:eu-central-1:123456789012:things", PUSHER = "pusher@project.iam.gserviceaccount.com";
let world, lw, token, server;

/** A supplied type whose keys are at the test's own server. */
const moved = (id, change) => (world) => {
  const type = shippedType(id);
  change(type.webhook, world.keyServer);
  return type;
};
const at = (server, path) => `^https://localhost:${server.port}${path}$`;
const TYPES = [
  moved("paypal", ({ certificate }, server) => { certificate.address = at(server, "/v1/notifications/certs/[A-Za-z0-9_-]+"); }),
  moved("aws_s3", ({ certificate, handshakes: [confirm] }, server) => {
    certificate.address = at(server, "/SimpleNotificationService-[0-9a-f]{32}\\.pem");
    confirm.visit_address = at(server, "/\\?Action=ConfirmSubscription&[A-Za-z0-9&=:%._~-]+");
  }),
  moved("gmail", (webhook, server) => { webhook.jwks = `${server.url}/oauth2/v3/certs`; }),
];

before(async () => {
  world = await startWorld({
    async prepare(it) {
      it.keyServer = await new KeyServer(it.ca).start();
      it.servers.push(it.keyServer);
      return "";
    },
    types: (it) => TYPES.map((type) => type(it)),
    hosts: (it) => [`localhost:${it.keyServer.port}`],
  });
  ({ lw, keyServer: server } = world);
  ({ token } = await lw.newTenant("fetched"));
});
after(() => world?.stop());
beforeEach(() => {
  server.reset();
  lw.sql("DELETE FROM hook_fetched_key; DELETE FROM hook_wanted_key");
});

/* --- the providers as they sign ----------------------------------------------------------------------- */

const OWNER = { paypal: "messageverificationcerts.paypal.com", aws_s3: "sns.amazonaws.com" };
const spaced = (value) => JSON.stringify(value, null, 1);
const hex = (n) => crypto.randomBytes(n).toString("hex");

const paypal = {
  type: "paypal", signature: "paypal-transmission-sig",
  credential: () => ({ type: "oauth2", data: { client_id: `A${"c".repeat(79)}`, client_secret: `E${"s".repeat(79)}`, extra: { webhook_id: "1JE4291016473214C" } } }),
  newKey: () => server.certified(`/v1/notifications/certs/CERT-${hex(6)}`, OWNER.paypal),
  body: (id) => spaced({ id: `WH-${id}`, event_type: "PAYMENT.CAPTURE.COMPLETED", create_time: "2026-01-02T03:04:05Z", resource: { amount: "1.00" } }),
  sign({ key, at: time, body, id, webhookId = "1JE4291016473214C" }) {
    const sent = new Date(time).toISOString().replace(/\.\d+Z/, "Z");
    const text = `${id}|${sent}|${webhookId}|${crc32(body)}`;
    return { "paypal-transmission-id": id, "paypal-transmission-time": sent, "paypal-auth-algo": "SHA256withRSA", "paypal-cert-url": key.url,
      "paypal-transmission-sig": crypto.sign("sha256", Buffer.from(text), key.privateKey).toString("base64") };
  },
};

const SIGNED = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"];
function snsSigned(message, key, version) {
  const text = SIGNED.filter((name) => message[name] !== undefined).map((name) => `${name}\n${message[name]}\n`).join("");
  return spaced({ ...message, SignatureVersion: version, SigningCertURL: key.url,
    Signature: crypto.sign(version === "1" ? "sha1" : "sha256", Buffer.from(text), key.privateKey).toString("base64") });
}
const sns = (version) => ({
  type: "aws_s3",
  credential: () => ({ type: "aws", data: { access_key_id: `AKIA${"A".repeat(16)}`, secret_access_key: "s".repeat(40), region: "eu-central-1", extra: { topic_arn: TOPIC } } }),
  newKey: () => server.certified(`/SimpleNotificationService-${hex(16)}.pem`, OWNER.aws_s3),
  message: (id, time) => ({ Type: "Notification", MessageId: id, TopicArn: TOPIC, Subject: "Grüße", Message: "{\"Records\":[]}\nand a line", Timestamp: new Date(time).toISOString() }),
  body(id, time, { key, ...more }) { return snsSigned({ ...this.message(id, time), ...more }, key, version); },
  sign: () => ({ "content-type": "text/plain; charset=UTF-8" }),
});

function bearer(claims, { privateKey, kid }, header = {}) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "RS256", kid, typ: "JWT", ...header })}.${part(claims)}`;
  return `${text}.${crypto.sign("sha256", Buffer.from(text), privateKey).toString("base64url")}`;
}
const gmail = {
  type: "gmail",
  credential: () => ({ type: "oauth2", data: { client_id: "1-a.apps.googleusercontent.com", client_secret: "s".repeat(24), access_token: "t".repeat(24), extra: { push_email: PUSHER } } }),
  newKey: () => server.addJwk("/oauth2/v3/certs"),
  body: (id) => spaced({ message: { data: Buffer.from("{\"historyId\":1}").toString("base64"), messageId: id, publishTime: "2026-01-02T03:04:05Z" }, subscription: "projects/p/subscriptions/s" }),
  claims: (url, time) => ({ aud: url, azp: "1", email: PUSHER, email_verified: true, exp: Math.floor(time / 1000) + 3600, iat: Math.floor(time / 1000), iss: "https://accounts.google.com", sub: "1" }),
  sign({ key, at: time, url, claims = {}, header }) { return { authorization: `Bearer ${bearer({ ...this.claims(url, time), ...claims }, key, header)}` }; },
};
const PROVIDERS = { paypal, "sns, version 1": sns("1"), "sns, version 2": sns("2"), gmail };

/** CRC-32 (RFC 1952): not every node has it. */
function crc32(text) {
  let crc = ~0;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let i = 0; i < 8; i++)
      crc = (crc >>> 1) ^ (0xedb88320 & -(crc & 1));
  }
  return ~crc >>> 0;
}

/** A delivery; `more` changes what is signed. */
async function make(hook, { key = hook.key, at: time = Date.now(), id = crypto.randomUUID(), ...more } = {}) {
  const { provider } = hook, body = provider.body(id, time, { key, ...more });
  return { url: hook.url, body, id, key, headers: { "content-type": "application/json", ...provider.sign({ key, at: time, body, id, url: hook.url, ...more }) } };
}
const status = async (delivery) => (await send(lw, delivery)).status;

async function away(delivery) {
  const answer = await send(lw, delivery);
  assert.equal(answer.status, 503, answer.text);
  assert.equal(answer.json.code, "PROVIDER_KEY_AWAY");
  assert.ok(Number(answer.headers["retry-after"]) > 0);
}
/** As a provider does: again until it is taken. */
const taken = (delivery) => eventually("the key is here", async () => (await status(delivery)) === 200);
const refused = async (words, delivery) => assert.equal(await status(delivery), 401, words);
/** Again until it is refused, not put off. */
const turnedDown = (words, delivery) => eventually(words, async () => {
  const got = await status(delivery);
  assert.ok(got === 503 || got === 401, `${words}: ${got}`);
  return got === 401;
});
async function connected(name) {
  const hook = await connectHook(lw, token, PROVIDERS[name]);
  await taken(await make(hook));
  return hook;
}

/* --- what is taken ---------------------------------------------------------------------------------------- */

for (const name of Object.keys(PROVIDERS))
  test(`${name}: the first delivery is put off and not lost, the next ones are taken once each`, async () => {
    const hook = await connectHook(lw, token, PROVIDERS[name]), first = await make(hook);
    await away(first);
    assert.deepEqual(await eventsOf(hook), []);
    await taken(first);
    assert.equal((await send(lw, first)).json.duplicate, true);
    assert.equal(await status(await make(hook)), 200);
    assert.equal((await eventsOf(hook)).length, 2);
    assert.equal(server.asked(hook.key.path).length, 1, "fetched for each delivery");
  });

for (const name of ["paypal", "sns, version 2", "gmail"])
  test(`${name}: another key that the provider begins to use is fetched, too`, async () => {
    const hook = await connected(name), key = hook.provider.newKey();
    // Nobody wishes for it any more, however often somebody did while it was fetched.
    lw.sql("UPDATE hook_fetched_key SET fetched_at = fetched_at - 61000; UPDATE hook_wanted_key SET retry_at = 0, wanted_at = 0");
    const delivery = await make(hook, { key });
    await away(delivery);
    await taken(delivery);
    assert.equal(await status(await make(hook)), 200, "the old one isn't taken back");
  });

/* --- what is not ------------------------------------------------------------------------------------------- */

const forgeries = {
  async paypal(hook) {
    const good = await make(hook);
    return {
      "another key": { ...await make(hook, { key: { ...rsaKey(), url: hook.key.url } }) },
      "another body": { ...good, body: good.body.replace("1.00", "9.00") },
      "another webhook": await make(hook, { webhookId: "2AB4291016473214C" }),
      "a time that is over": await make(hook, { at: Date.now() - 346000_000 }),
      "no signature": { ...good, headers: { ...good.headers, "paypal-transmission-sig": "" } },
    };
  },
  async sns(hook) {
    const good = await make(hook), version = JSON.parse(good.body).SignatureVersion;
    return {
      "another key": await make(hook, { key: { ...rsaKey(), url: hook.key.url } }),
      "another message": { ...good, body: good.body.replace("Records", "Secords") },
      "one more member that would be signed": { ...good, body: good.body.replace("{", "{\"Token\":\"x\",") },
      "the other version": { ...good, body: good.body.replace(`"SignatureVersion": "${version}"`, `"SignatureVersion": "${version === "1" ? "2" : "1"}"`) },
      "a version that there isn't": { ...good, body: good.body.replace(`"SignatureVersion": "${version}"`, "\"SignatureVersion\": \"3\"") },
      "another topic": await make(hook, { TopicArn: `${TOPIC}-else` }),
      "members that run into each other": await make(hook, { Subject: "s\nTimestamp\n2026" }),
      "a time that is over": await make(hook, { at: Date.now() - 26000_000 }),
    };
  },
  async gmail(hook) {
    const claims = (more) => make(hook, { claims: more }), now = Math.floor(Date.now() / 1000), good = await make(hook);
    return {
      "another key of that name": await make(hook, { key: { ...rsaKey(), kid: hook.key.kid } }),
      "another address": await claims({ aud: "https://elsewhere.test/" }),
      "no address": await claims({ aud: undefined }),
      "another issuer": await claims({ iss: "https://accounts.example" }),
      "another account": await claims({ email: "stranger@project.iam.gserviceaccount.com" }),
      "no account": await claims({ email: undefined }),
      "an account that isn't verified": await claims({ email_verified: false }),
      "a token that has ended": await claims({ exp: now - 61 }),
      "a token without an end": await claims({ exp: undefined }),
      "no signature": { ...good, headers: { authorization: good.headers.authorization.replace(/\.[^.]*$/, ".") } },
      "no algorithm": await make(hook, { header: { alg: "none" } }),
      "a shared key's algorithm": await make(hook, { header: { alg: "HS256" } }),
      "no token": { ...good, headers: {} },
    };
  },
};

for (const name of Object.keys(PROVIDERS))
  test(`${name}: what it didn't sign is refused and leaves no row`, async () => {
    const hook = await connected(name);
    for (const [words, forgery] of Object.entries(await forgeries[name.split(",")[0]](hook)))
      await refused(`${name}: ${words}`, forgery);
    assert.equal((await eventsOf(hook)).length, 1);
  });

test("a certificate of somebody else, of yesterday, of nobody's, or hidden behind a text proves nothing", async () => {
  const path = () => `/v1/notifications/certs/CERT-${hex(6)}`;
  const keys = {
    "somebody else's": server.certified(path(), "www.paypal.com.example"),
    "over since yesterday": server.certified(path(), OWNER.paypal, { days: -1 }),
    "one that nobody vouches for": server.certified(path(), OWNER.paypal, { selfSigned: true }),
    "one of a small key": server.certified(path(), OWNER.paypal, { bits: 1024 }),
    "one behind another text": server.certified(path(), OWNER.paypal, { prefix: "<answer>\n" }),
    "no certificate at all": { ...rsaKey(), ...server.put(path(), "gone") },
  };
  for (const [words, key] of Object.entries(keys)) {
    const hook = await connectHook(lw, token, paypal);
    await turnedDown(words, await make(hook, { key }));
    assert.equal(server.asked(key.path).length, 1, words);
    assert.deepEqual(await eventsOf(hook), [], words);
  }
});

test("SNS's certificate needs no chain, but the provider's name", async () => {
  const hook = await connectHook(lw, token, sns("2")), path = () => `/SimpleNotificationService-${hex(16)}.pem`;
  await turnedDown("somebody else's", await make(hook, { key: server.certified(path(), "s3.amazonaws.com", { selfSigned: true }) }));
  await taken(await make(hook, { key: server.certified(path(), "sns.amazonaws.com", { selfSigned: true }) }));
});

test("an address that isn't the provider's is neither fetched nor remembered", async () => {
  const hook = await connectHook(lw, token, paypal), good = `/v1/notifications/certs/CERT-${hex(6)}`, key = server.certified(good, OWNER.paypal);
  const addresses = [`https://localhost:${server.port}/elsewhere`, `http://localhost:${server.port}${good}`, `https://127.0.0.1:${server.port}${good}`, `${key.url}?x=1`,
    `${key.url}#x`, `https://localhost:${server.port}/v1/notifications/certs/../certs/CERT-1`, `https://localhost:${server.port}@evil.test${good}`, `${key.url}${"x".repeat(600)}`,
    "webhook_id", "file:///etc/passwd", ""];
  for (const url of addresses)
    await refused(url, await make(hook, { key: { ...key, url } }));
  assert.deepEqual(lw.sql("SELECT url FROM hook_wanted_key"), []);
  await taken(await make(hook, { key }));
  assert.deepEqual(server.calls.map(({ path }) => path), [good]);
});

test("a server that is away leaves deliveries put off, and is asked again when it is back", async () => {
  const hook = await connectHook(lw, token, paypal), delivery = await make(hook);
  server.broken = true;
  await away(delivery);
  await eventually("it was tried", () => server.asked(hook.key.path).length > 0);
  await away(delivery);
  assert.deepEqual(await eventsOf(hook), []);
  assert.deepEqual(lw.sql("SELECT COUNT(*) FROM hook_fetched_key"), [["0"]]);
  server.broken = false;
  await taken(delivery);
});

test("a stranger with one connector's address can't crowd out the others", async () => {
  const [stranger, other] = [await connectHook(lw, token, paypal), await connectHook(lw, token, paypal)];
  server.broken = true;
  for (let i = 0; i < 12; i++)
    assert.equal(await status(await make(stranger, { key: { ...stranger.key, url: `${server.url}/v1/notifications/certs/CERT-${i}` } })), 503);
  assert.equal(Number(lw.sql("SELECT COUNT(*) FROM hook_wanted_key")[0][0]), 4);
  server.broken = false;
  await taken(await make(other));
});

test("a stranger's key names don't have the set fetched again and again", async () => {
  const hook = await connected("gmail");
  for (let i = 0; i < 5; i++)
    await refused("a key that nobody shows", await make(hook, { key: { ...rsaKey(), kid: `made-up-${i}` } }));
  assert.equal(server.asked("/oauth2/v3/certs").length, 1);
});

/** Nobody is put off meanwhile. */
const usedUntilAskedAgain = (hook) => eventually("the set was fetched again", async () => {
  const asked = server.asked("/oauth2/v3/certs").length;
  assert.ok(asked > 1 || await status(await make(hook)) === 200);
  return asked > 1;
});

test("a key that is in use is fetched anew without anybody waiting; one that is taken back ends", async () => {
  const hook = await connected("gmail");
  server.dropJwk("/oauth2/v3/certs", hook.key.kid);
  hook.provider.newKey();
  lw.sql("UPDATE hook_fetched_key SET fetched_at = fetched_at - 3600000; UPDATE hook_wanted_key SET retry_at = 0");
  await usedUntilAskedAgain(hook);
  await eventually("a key that was taken back ends", async () => (await status(await make(hook))) === 401);
});

test("while the set can't be had the old one counts until it is over", async () => {
  const hook = await connected("gmail");
  server.broken = true;
  lw.sql("UPDATE hook_fetched_key SET fetched_at = fetched_at - 7200000; UPDATE hook_wanted_key SET retry_at = 0");
  await usedUntilAskedAgain(hook);
  assert.equal(await status(await make(hook)), 200);
  lw.sql("UPDATE hook_fetched_key SET expires_at = 1");
  await away(await make(hook));
});

/* --- saying yes --------------------------------------------------------------------------------------------- */

const confirmation = (hook, more = {}) => make(hook, { Type: "SubscriptionConfirmation", Subject: undefined, Token: "2336412f37", Message: "You have chosen to subscribe",
  SubscribeURL: `${server.url}/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=2336412f37`, ...more });
const visits = () => server.calls.filter(({ path }) => path.startsWith("/?Action="));

test("SNS's question is answered by a call of its address, once, and only when it is genuine", async () => {
  const hook = await connected("sns, version 1");
  const forged = await confirmation(hook);
  await refused("another address than was signed", { ...forged, body: forged.body.replace("Token=2336412f37", "Token=2336412f38") });
  await refused("another topic", await confirmation(hook, { TopicArn: `${TOPIC}-else` }));
  for (const SubscribeURL of [`${server.url}/?Action=DeleteTopic&TopicArn=${TOPIC}`, "https://evil.test/?Action=ConfirmSubscription&Token=1", `http://localhost:${server.port}/?Action=ConfirmSubscription&Token=1`])
    assert.equal(await status(await confirmation(hook, { SubscribeURL })), 403, SubscribeURL);
  const good = await confirmation(hook);
  assert.equal(await status(good), 200);
  assert.equal(await status(good), 200);
  await eventually("it was called", () => visits().length > 0);
  await eventually("nothing is left to do", () => lw.sql("SELECT COUNT(*) FROM job WHERE kind = 'hook_visit'")[0][0] === "0");
  assert.ok(visits().length <= 2);
  assert.ok(visits().every(({ path }) => path === `/?Action=ConfirmSubscription&TopicArn=${TOPIC}&Token=2336412f37`));
  assert.equal((await eventsOf(hook)).length, 1, "a question is no event");
});
