// Events on their way to a tenant's own address: signed, again when it fails, never to where nobody may call, and what
// becomes of those that nobody takes.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Webhook } from "standardwebhooks";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Receiver } from "./lib/ledger.mjs";
import { Listener } from "./lib/listener.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

let lw, ca, receiver, token, other, hook;

before(async () => {
  ca = new CertificateAuthority();
  receiver = await new Receiver(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}[egress]\nallow_hosts = ${receiver.host}\nca_file = ${ca.file}\n` });
  ({ token } = await lw.newTenant("subscriber"));
  ({ token: other } = await lw.newTenant("other"));
  hook = await connectHook(lw, token, PROVIDERS.github);
});
after(async () => {
  await lw?.stop();
  await receiver?.stop();
  ca?.remove();
});
beforeEach(async () => {
  for (const { id } of (await does("GET", "/api/v1/subscriptions?limit=100")).json)
    await does("DELETE", `/api/v1/subscriptions/${id}`, undefined, 204);
  lw.sql("DELETE FROM job WHERE queue = 'delivery'");
  Object.assign(receiver, { deliveries: [], effects: new Map(), forged: 0, secret: undefined, answer: () => 200 });
});

async function does(method, uri, body, status) {
  const answer = await lw.api(method, uri, { token, body });
  assert.ok(status ? answer.status === status : answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer;
}

const subscribe = async (body = {}) => (await does("POST", "/api/v1/subscriptions", { url: receiver.url, ...body })).json;
const subscription = async (id) => (await does("GET", `/api/v1/subscriptions/${id}`)).json;
const jobs = async (query = "") => (await does("GET", `/api/v1/jobs?queue=delivery${query}`)).json;

/** One event; its id. */
async function happen(type = "issues", on = hook) {
  const delivery = await deliveryOf(on), answer = await send(lw, { ...delivery, headers: { ...delivery.headers, "x-github-event": type } });
  assert.equal(answer.status, 200, answer.text);
  return answer.json.event_id;
}

/** What waits for its next try gets it now. */
const hurry = () => lw.sql("UPDATE job SET run_at = 0 WHERE state = 'live' AND worker IS NULL");
const processed = (id) => eventually("the event is processed", async () => (await does("GET", `/api/v1/events/${id}`)).json.status === "processed", 60);
const idle = () => eventually("nothing is under way", async () => (await jobs()).length === 0, 60);

test("a delivery is signed so that the reference library accepts it, and says what happened", async () => {
  const made = await subscribe(), id = await happen();
  await eventually("it comes", () => receiver.deliveries.length === 1, 60);
  const [{ headers, body }] = receiver.deliveries, event = new Webhook(made.secret).verify(body, headers);
  assert.equal(headers["webhook-id"], id);
  assert.deepEqual([event.id, event.connector_id, event.type, event.provider, event.data.action], [id, hook.id, "issues", "github", "opened"]);
  assert.throws(() => new Webhook(made.secret).verify(`${body} `, headers));
  assert.throws(() => new Webhook(`whsec_${Buffer.alloc(32).toString("base64")}`).verify(body, headers));
  assert.equal((await subscription(made.id)).secret, undefined, "the secret is shown again");
  assert.ok(!JSON.stringify(lw.sql("SELECT * FROM subscription")).includes(made.secret.slice(6)));
});

test("who wants certain types, or one connector's events, gets those", async () => {
  const second = await connectHook(lw, token, PROVIDERS.github);
  const all = await subscribe(), typed = await subscribe({ event_types: ["push", "star"] }), one = await subscribe({ connector_id: second.id });
  const [a, b, c] = [await happen("issues"), await happen("push"), await happen("issues", second)];
  await eventually("all have come", () => receiver.deliveries.length === 5, 60);
  await idle();
  assert.deepEqual(receiver.deliveries.map(({ id }) => id).sort(), [a, b, b, c, c].sort());
  assert.equal(new Set([all.id, typed.id, one.id]).size, 3);
  const wrong = await lw.api("POST", "/api/v1/subscriptions", { token: other, body: { url: receiver.url, connector_id: second.id } });
  assert.equal(wrong.status, 400, "somebody else's connector");
});

test("a type is wanted by the name that its events have, whatever it is made of", async () => {
  const names = ["Push Hook", "Push", "orders/create", "com.twilio.x", "<a>\"'&;%20{}"], gitlab = await connectHook(lw, token, PROVIDERS["gitlab (token)"]);
  const { id } = await subscribe({ event_types: names });
  assert.deepEqual((await subscription(id)).event_types, names);
  const delivery = await deliveryOf(gitlab), pushed = (await send(lw, delivery)).json.event_id;
  const [, named] = [await happen("Hook"), await happen(names[4])];
  await eventually("those have come", () => receiver.deliveries.length === 2, 60);
  await idle();
  assert.deepEqual(receiver.deliveries.map((one) => one.id).sort(), [pushed, named].sort());
  assert.deepEqual((await does("PATCH", `/api/v1/subscriptions/${id}`, { event_types: ["Tag Push Hook"] })).json.event_types, ["Tag Push Hook"]);
  for (const type of [" Push", "Push ", "Push  Hook", "Push\nHook", "Push\tHook", ""])
    assert.equal((await lw.api("POST", "/api/v1/subscriptions", { token, body: { url: receiver.url, event_types: [type] }, unchecked: true })).status, 400, type);
});

test("a receiver that fails gets it again, the same id and body, until it takes it; then its error is gone", async () => {
  const { id } = await subscribe();
  let tries = 0;
  receiver.answer = () => (++tries <= 3 ? [500, 301, undefined][tries - 1] : 204);
  await happen();
  for (const [before, code] of ["BAD_STATUS", "BAD_STATUS", undefined].entries()) {
    await eventually("it is tried", () => receiver.deliveries.length > before, 60);
    await eventually("the failure is noted", async () => (await jobs())[0]?.state === "waiting" && (await subscription(id)).last_error, 60);
    if (code)
      assert.equal((await subscription(id)).last_error.code, code);
    assert.equal((await subscription(id)).status, "active");
    hurry();
    if (tries >= 3)
      break;
  }
  await eventually("it is taken", () => receiver.effects.size === 1, 60);
  await idle();
  assert.equal(new Set(receiver.deliveries.map((d) => d.id)).size, 1);
  assert.equal(new Set(receiver.deliveries.map((d) => d.body)).size, 1);
  assert.equal((await subscription(id)).last_error, null);
});

test("a receiver that asks for patience isn't called before that; one that asks for less waits as all do", async () => {
  const waits = [[429, "900", 900], [503, new Date(Date.now() + 7200_000).toUTCString(), 7200], [429, "99999999", 86400], [503, "1", 5], [500, "soon", 5]];
  for (const [status, wish, seconds] of waits) {
    await subscribe();
    receiver.answer = () => ({ status, headers: { "retry-after": wish } });
    const began = Date.now();
    await happen();
    const at = await eventually("it waits", () => lw.sql("SELECT run_at FROM job WHERE queue = 'delivery' AND worker IS NULL AND attempts = 1")[0]?.[0], 60);
    const least = wish.endsWith("GMT") ? Date.parse(wish) - 1000 : began + seconds * 1000;
    assert.ok(Number(at) >= least && Number(at) <= Date.now() + seconds * 1200, `${status} ${wish}: the next try comes after ${Number(at) - began} ms`);
    for (const { id } of (await does("GET", "/api/v1/subscriptions")).json)
      await does("DELETE", `/api/v1/subscriptions/${id}`, undefined, 204);
    lw.sql("DELETE FROM job WHERE queue = 'delivery'");
  }
});

test("410 ends a subscription; a failure that was under way doesn't begin it again", async () => {
  const { id } = await subscribe();
  receiver.answer = () => 410;
  const etag = (await does("GET", `/api/v1/subscriptions/${id}`)).headers.etag;
  await happen();
  await eventually("it is paused", async () => (await subscription(id)).status === "paused", 60);
  assert.equal((await subscription(id)).last_error.code, "GONE");
  assert.notEqual((await does("GET", `/api/v1/subscriptions/${id}`)).headers.etag, etag);
  await idle();
  const count = receiver.deliveries.length;
  await processed(await happen());
  await idle();
  assert.equal(receiver.deliveries.length, count, "it was called once more");
  // Paused by its user while a delivery fails: it stays paused.
  await does("PATCH", `/api/v1/subscriptions/${id}`, { status: "active" });
  let release;
  receiver.answer = () => new Promise((done) => (release = () => done(500)));
  await happen();
  await eventually("it is under way", () => release, 60);
  await does("PATCH", `/api/v1/subscriptions/${id}`, { status: "paused" });
  release();
  await eventually("the failure is noted", async () => (await subscription(id)).last_error.code === "BAD_STATUS", 60);
  assert.equal((await subscription(id)).status, "paused");
});

test("nobody's own network is called: such a delivery is dead at once, and no connection is made", async () => {
  const listener = await new Listener().start();
  try {
    assert.ok(await listener.hears());
    const urls = [`https://127.0.0.1:${listener.port}/`, `http://localhost:${listener.port}/`, `https://[::1]:${listener.port}/`, `https://[::ffff:127.0.0.1]:${listener.port}/`,
      "https://169.254.169.254/latest/", ...Listener.addresses().filter((address) => !address.includes(":")).map((address) => `https://${address}:${listener.port}/`)];
    for (const url of urls)
      await subscribe({ url });
    await happen();
    await eventually("all are dead", async () => (await jobs("&state=dead")).length === urls.length, 60);
    assert.deepEqual(listener.knocks, []);
    for (const { last_error: error } of await jobs("&state=dead"))
      assert.equal(error.code, "HOST_FORBIDDEN");
  } finally {
    await listener.stop();
  }
  for (const url of ["ftp://x.test/", "//x.test", "x.test/hook"])
    assert.equal((await lw.api("POST", "/api/v1/subscriptions", { token, body: { url } })).status, 400, url);
});

test("a delivery that nobody takes ends among the dead; one of them, and then all, are tried again", async () => {
  await subscribe();
  receiver.answer = () => 500;
  for (let i = 0; i < 3; i++)
    await happen();
  await eventually("all are dead", async () => {
    hurry();
    return (await jobs("&state=dead")).length === 3;
  }, 120);
  assert.equal(receiver.deliveries.length, 27, "nine tries each");
  receiver.answer = () => 200;
  const [{ id }] = await jobs("&state=dead");
  assert.equal((await lw.api("POST", `/api/v1/jobs/${id}/retry`, { token: other })).status, 404);
  assert.equal((await lw.api("POST", "/api/v1/jobs/retry-dead", { token: other, body: {} })).json.retried ?? 0, 0);
  assert.equal((await jobs("&state=dead")).length, 3);
  await does("POST", `/api/v1/jobs/${id}/retry`);
  await eventually("it is taken", () => receiver.effects.size === 1, 60);
  await does("POST", "/api/v1/jobs/retry-dead", { queue: "delivery" });
  await eventually("the others are", () => {
    hurry();
    return receiver.effects.size === 3;
  }, 60);
  assert.deepEqual(await jobs("&state=dead"), []);
});

test("a deleted subscription gets nothing more, and its deliveries are done with", async () => {
  const { id } = await subscribe();
  receiver.answer = () => 503;
  await happen();
  await eventually("it is tried", () => receiver.deliveries.length === 1, 60);
  await eventually("it waits", async () => (await jobs())[0]?.state === "waiting", 60);
  await does("DELETE", `/api/v1/subscriptions/${id}`, undefined, 204);
  hurry();
  await idle();
  assert.equal(receiver.deliveries.length, 1);
});

test("a tenant has at most 100 subscriptions, and they are nobody else's", async () => {
  const { id } = await subscribe();
  for (const [method, body] of [["GET"], ["PATCH", { status: "paused" }], ["DELETE"]])
    assert.equal((await lw.api(method, `/api/v1/subscriptions/${id}`, { token: other, body })).status, 404);
  assert.deepEqual((await lw.api("GET", "/api/v1/subscriptions", { token: other })).json, []);
  await Promise.all(Array.from({ length: 99 }, () => subscribe()));
  assert.equal((await lw.api("POST", "/api/v1/subscriptions", { token, body: { url: receiver.url } })).status, 409);
});
