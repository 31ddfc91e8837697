// What comes in at webhooks' addresses besides good single events: lists, repetitions, too much of it, nonsense, and a
// database that is away. And what is to be read of it afterwards, by whom.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { rawRequest } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { endProcess, startDatabase } from "./lib/processes.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, eventsOf, hmac, newAddress, PROVIDERS, send } from "./lib/webhooks.mjs";

let lw, token, other;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  ({ token } = await lw.newTenant("intake"));
  ({ token: other } = await lw.newTenant("other"));
});
after(() => lw?.stop());

const github = (options) => connectHook(lw, token, PROVIDERS.github, options);
/** Signed as GitHub does, whatever it is. */
const signed = (hook, body, headers = {}) =>
  send(lw, { url: hook.url, body, headers: { "content-type": "application/json", "x-hub-signature-256": `sha256=${hmac(hook.key, body)}`, ...headers } });
const get = (uri, by = token) => lw.api("GET", uri, { token: by });

/* --- once ----------------------------------------------------------------------------------- */

test("many at once with one id are one event, one job and one audit row", async () => {
  const hook = await github(), delivery = await deliveryOf(hook), rows = () => lw.sql("SELECT (SELECT COUNT(*) FROM event), (SELECT COUNT(*) FROM audit WHERE action = 'event.receive')")[0].map(Number);
  const before = rows(), answers = await Promise.all(Array.from({ length: 200 }, () => send(lw, delivery)));
  assert.ok(answers.every(({ status }) => status === 200), answers.find(({ status }) => status !== 200)?.text);
  assert.equal(answers.filter(({ json }) => !json.duplicate).length, 1);
  assert.equal(new Set(answers.map(({ json }) => json.event_id)).size, 1);
  assert.deepEqual(rows(), before.map((n) => n + 1));
  assert.ok(!lw.log("front").includes('"statement":"event_intake"'), "they wait for the first, and not for one another");
});

test("without an id the same bytes are the same event, and other bytes another", async () => {
  const hook = await github(), body = '{"action":"a"}';
  assert.equal((await signed(hook, body)).json.duplicate, false);
  assert.equal((await signed(hook, body)).json.duplicate, true);
  assert.equal((await signed(hook, `${body} `)).json.duplicate, false);
  assert.equal((await eventsOf(hook)).length, 2);
});

test("one id at two connectors is two events", async () => {
  const [one, two] = [await github(), await github()], id = crypto.randomUUID();
  for (const hook of [one, two])
    assert.equal((await send(lw, await deliveryOf(hook, { id }))).json.duplicate, false);
});

test("a list is as many events as it has, each once", async () => {
  const hook = await connectHook(lw, token, PROVIDERS.hubspot);
  const list = (...ids) => JSON.stringify(ids.map((eventId) => ({ eventId, subscriptionType: "contact.creation", portalId: 1, objectId: eventId })));
  const answer = await send(lw, await deliveryOf(hook, { body: list(1, 2, 3) }));
  assert.equal(answer.json.duplicate, false);
  assert.equal((await send(lw, await deliveryOf(hook, { body: list(3, 4) }))).json.duplicate, false);
  assert.equal((await send(lw, await deliveryOf(hook, { body: list(1, 4) }))).json.duplicate, true);
  const events = await eventsOf(hook);
  assert.deepEqual(events.map((event) => event.provider_event_id).sort(), ["1", "2", "3", "4"]);
  assert.deepEqual(events.map(({ account, subject }) => [account, subject.id === null]), Array(4).fill(["1", false]));
  const many = Array.from({ length: 1500 }, (_, i) => 1000 + i);
  assert.equal((await send(lw, await deliveryOf(hook, { body: list(...many) }))).status, 200);
  assert.equal(lw.sql("SELECT COUNT(*) FROM event WHERE provider = 'hubspot'")[0][0], "1504");
});

test("what the front remembers of an address ends with the address, its connector and its key", async () => {
  const hook = await github(), all = async (expected, words, on = hook) => {
    const answers = await Promise.all(Array.from({ length: 40 }, async () => send(lw, await deliveryOf(on)))); // each worker has some of them
    assert.deepEqual([...new Set(answers.map(({ status }) => status))], [expected], words);
  };
  const patch = async (status) => assert.equal((await lw.api("PATCH", `/api/v1/connectors/${hook.id}`, { token, body: { status } })).status, 200);
  await all(200, "as it is");
  await patch("disabled");
  await all(401, "switched off");
  await patch("active");
  await all(200, "switched on");
  await all(401, "another key", { ...hook, key: hook.provider.newKey() });
  await all(200, "nobody is shut out by those");
  const url = await newAddress(lw, token, hook.id);
  await all(401, "the old address");
  await all(200, "the new one", { ...hook, url });
  assert.equal((await lw.api("DELETE", `/api/v1/connectors/${hook.id}`, { token })).status, 204);
  await all(401, "deleted", { ...hook, url });
});

/* --- too much, and nonsense --------------------------------------------------------------------- */

test("4 MiB are taken, a byte more is 413, and so is a flood", async () => {
  const hook = await github(), most = 4 << 20;
  const answer = await signed(hook, Buffer.alloc(most, "x"));
  assert.equal(answer.status, 200, answer.text);
  const [{ id }] = await eventsOf(hook), detail = await get(`/api/v1/events/${id}`);
  assert.equal(detail.status, 200);
  assert.equal(detail.json.data.length, most);
  assert.equal((await signed(hook, Buffer.alloc(most + 1, "x"))).status, 413);
  assert.equal((await eventsOf(hook)).length, 1);
});

test("bodies that are no JSON, no text or far too deep are events of bytes when they are signed", async () => {
  const hook = await github();
  const bodies = [Buffer.from([0, 0xff, 0xfe, 1]), Buffer.from('{"a":1,"a":2}'), Buffer.from("[".repeat(5000)), Buffer.from("[".repeat(2000) + "]".repeat(2000)),
    Buffer.from('{"action":"\\u0000"}'), Buffer.from(`[${"0,".repeat(200000)}0]`), Buffer.from("")];
  for (const body of bodies) {
    const answer = await signed(hook, body);
    assert.equal(answer.status, 200, `${body.subarray(0, 20)}: ${answer.text}`);
  }
  const events = await eventsOf(hook);
  assert.equal(events.length, bodies.length);
  for (const { id } of events) {
    const detail = await get(`/api/v1/events/${id}`);
    assert.equal(detail.status, 200, detail.text);
    assert.equal(typeof detail.json.data, "string");
  }
});

test("hostile headers change nothing but what they are", async () => {
  const hook = await github(), long = "x".repeat(7000), body = '{"b":1}';
  assert.equal((await signed(hook, body, { "x-github-event": long, "x-github-delivery": `${long}1` })).json.duplicate, false);
  assert.equal((await signed(hook, body, { "x-github-event": long, "x-github-delivery": `${long}2` })).json.duplicate, false);
  assert.equal((await signed(hook, body, { "x-github-event": "<script>\"'\\", "x-github-delivery": "'; DROP TABLE event; --", "x-forwarded-host": "evil.test", host: "localhost" })).status, 200);
  assert.equal((await signed(hook, body, { "x-github-event": Buffer.from("Grüße\xff", "latin1").toString("latin1"), "x-github-delivery": "latin" })).status, 200);
  const events = await eventsOf(hook);
  assert.equal(events.length, 4);
  assert.equal(events.find((event) => event.provider_event_id?.startsWith("'")).type, "<script>\"'\\");
  assert.ok(events.every(({ type }) => type.length <= 128));
});

test("addresses that are none are 401, 404 or 400, and methods 405", async () => {
  const hook = await github(), good = new URL(hook.url).pathname, secret = good.split("/").at(-1);
  const status = async (path, method = "POST") => Number(/^HTTP\/1\.1 (\d+)/.exec(await rawRequest(lw.url,
    `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`, { ca: lw.ca }))[1]);
  for (const path of ["/api/webhooks/github/", "/api/webhooks/github", "/api/webhooks/", `/api/webhooks/github/${secret}x`, `/api/webhooks/github/${secret.slice(1)}`,
    `/api/webhooks/nobody/${secret}`, `/api/webhooks/GITHUB/${secret}`, `//api/webhooks/github/${secret}`, `/api/webhooks//github/${secret}`, `/api/webhooks/github/${secret}/`,
    `/api/webhooks/github/..%2f${secret}`, `/api/webhooks/github%2f${secret}`, `/api/webhooks/github/${secret};a`, `/api/webhooks/github/%00`, `/api/v1/webhooks/github/${secret}`,
    `/api/webhooks/github/${"x".repeat(2000)}`, `/x/../api/webhooks/github/${secret}`])
    assert.ok([400, 401, 404].includes(await status(path)), `${path.replace(secret, "...")}: ${await status(path)}`);
  for (const method of ["PUT", "DELETE", "PATCH"])
    assert.equal(await status(good, method), 405, method);
  assert.equal(await status(good), 401);
  assert.deepEqual(await eventsOf(hook), []);
});

test("a stranger isn't told which addresses there are: each answers as one that doesn't exist", async () => {
  const secret = "s".repeat(43), heard = ({ status, headers, text }) => [status, headers["content-type"], text.replace(/req-\w+/, "")];
  for (const provider of [PROVIDERS.github, PROVIDERS.xero, PROVIDERS.slack, PROVIDERS.meta]) {
    const hook = await connectHook(lw, token, provider), delivery = await deliveryOf(hook, { key: provider.newKey() });
    const query = `?${new URLSearchParams({ "hub.mode": "subscribe", "hub.challenge": "1", "hub.verify_token": "guessed" })}`;
    const tries = (url) => [{ ...delivery, url }, { url }, { url, body: '{"type":"url_verification","challenge":"x"}' }, { url, method: "GET" }, { url: url + query, method: "GET" }];
    const absent = hook.url.replace(/[^/]+$/, secret), none = tries(absent);
    for (const [i, one] of tries(hook.url).entries())
      assert.deepEqual(heard(await send(lw, one)), heard(await send(lw, none[i])), `${provider.type}, ${i}`);
    assert.equal((await send(lw, { url: absent })).status, 401);
  }
  assert.deepEqual(heard(await send(lw, { url: `${lw.url}/api/webhooks/nobody/${secret}` })), heard(await send(lw, { url: `${lw.url}/api/webhooks/github/${secret}` })));
});

/* --- who may see it ------------------------------------------------------------------------------- */

test("events are found by connector, type, status and time, page by page, and by nobody else", async () => {
  const hook = await github(), ids = [];
  for (let i = 0; i < 7; i++)
    ids.push((await signed(hook, `{"n":${i}}`, { "x-github-event": i % 2 ? "odd" : "even", "x-github-delivery": `d${i}` })).json.event_id);
  await eventually("all are processed", async () => (await eventsOf(hook, "&status=processed")).length === 7, 60);
  assert.deepEqual((await eventsOf(hook, "&type=odd")).map(({ id }) => id), [ids[5], ids[3], ids[1]]);
  assert.deepEqual(await eventsOf(hook, "&status=received"), []);
  const all = await eventsOf(hook), middle = all[3].received_at;
  assert.deepEqual((await eventsOf(hook, `&from=${middle}`)).map(({ id }) => id).slice(-1), [all.filter(({ received_at: at }) => at >= middle).at(-1).id]);
  assert.ok((await eventsOf(hook, `&to=${middle}`)).every(({ received_at: at }) => at < middle));
  const seen = [];
  for (let uri = `/api/v1/events?connector_id=${hook.id}&limit=3`; uri;) {
    const answer = await get(uri);
    seen.push(...answer.json.map(({ id }) => id));
    uri = /<([^>]+)>; rel="next"/.exec(answer.headers.link ?? "")?.[1];
  }
  assert.deepEqual(seen, [...ids].reverse());
  const { json: detail } = await get(`/api/v1/events/${ids[0]}`);
  assert.deepEqual([detail.data, detail.headers["x-github-event"], detail.provider_event_id], [{ n: 0 }, "even", "d0"]);
  assert.ok(!JSON.stringify(detail).includes("sha256="), "a signature is kept");
  // Somebody else's are absent.
  assert.deepEqual((await get(`/api/v1/events?connector_id=${hook.id}`, other)).json, []);
  for (const [method, uri] of [["GET", `/api/v1/events/${ids[0]}`], ["POST", `/api/v1/events/${ids[0]}/replay`]])
    assert.equal((await lw.api(method, uri, { token: other })).status, 404);
  const replayed = await lw.api("POST", `/api/v1/events/${ids[0]}/replay`, { token });
  assert.equal(replayed.status, 202);
  await eventually("the replay is done", async () => (await get(`/api/v1/jobs/${replayed.json.job_id}`)).json.state === "done", 60);
});

test("an event whose job is dead has failed, until it is replayed", async () => {
  const hook = await github(), { event_id: id } = (await send(lw, await deliveryOf(hook))).json, now = async () => (await get(`/api/v1/events/${id}`)).json;
  await eventually("it is processed", async () => (await now()).status === "processed", 60);
  // A job whose worker died with it each time.
  lw.sql(`INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, attempts, subject_id, payload, created_at)
    SELECT tenant_id, RANDOM_BYTES(16), 'event', 'event_process', 'live', 0, 1000, event_id, '{}', 0 FROM event WHERE event_id = ${idBytes(id)}`);
  await eventually("it has failed", async () => (await now()).status === "failed", 60);
  assert.equal((await now()).processed_at, null);
  assert.deepEqual((await eventsOf(hook, "&status=failed")).map((event) => event.id), [id]);
  assert.equal((await lw.api("POST", `/api/v1/events/${id}/replay`, { token })).status, 202);
  assert.notEqual((await now()).status, "failed");
  await eventually("it is processed after all", async () => (await now()).processed_at !== null, 60);
});

test("neither the address's secret nor a key nor a signature is in any log or in the database", async () => {
  const hook = await github(), delivery = await deliveryOf(hook), secret = hook.url.split("/").at(-1), signature = delivery.headers["x-hub-signature-256"];
  assert.equal((await send(lw, delivery)).status, 200);
  await send(lw, { ...delivery, url: hook.url.replace("/api/webhooks/", "/api/v1/webhooks/") });
  await send(lw, { ...delivery, url: hook.url.replace("/webhooks/", "/Webhooks/") });
  await send(lw, { ...delivery, body: "x" });
  await rawRequest(lw.url, `POST ${new URL(hook.url).pathname} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n`, { ca: lw.ca, wait: 500 });
  await endProcess(await lw.pid("front"));
  assert.equal((await send(lw, delivery)).status, 503);
  await lw.quickstart("start");
  const { headers } = await eventually("the front is back", async () => {
    const answer = await send(lw, delivery);
    return answer.status === 200 && answer;
  });
  await eventually("nginx, which keeps its log for a second, has written it", () => lw.log("access").includes(headers["x-request-id"]));
  for (const name of fs.readdirSync(lw.at("log")))
    for (const [words, text] of Object.entries({ "the address's secret": secret, "the key": hook.key, "the signature": signature.slice(7) }))
      assert.ok(!fs.readFileSync(lw.at("log", name), "latin1").includes(text), `${name} has ${words}`);
  assert.match(lw.log("access"), /"path":"\/api\/webhooks\/\.\.\."/);
  const tables = ["hook", "event", "event_key", "job", "audit"].map((table) => lw.sql(`SELECT * FROM ${table}`).flat().join("\n")).join("\n");
  for (const text of [secret, hook.key, signature.slice(7)])
    assert.ok(!tables.includes(text), "the database has a secret");
});

test("a deleted tenant's events, subscriptions, jobs and addresses are gone, and nobody else's", async () => {
  const gone = await lw.newTenant("gone"), theirs = await connectHook(lw, gone.token, PROVIDERS.github), ours = await github();
  for (const hook of [theirs, ours])
    assert.equal((await send(lw, await deliveryOf(hook))).status, 200);
  assert.equal((await lw.api("POST", "/api/v1/subscriptions", { token: gone.token, body: { url: "https://app.example.test/" } })).status, 201);
  const count = () => Object.fromEntries(["event", "event_key", "hook", "subscription"].map((table) => [table, Number(lw.sql(`SELECT COUNT(*) FROM ${table}`)[0][0])]));
  const before = count(), ended = lw.latchctl("tenant", "delete", gone.tenant.id, "--yes");
  assert.equal(ended.status, 0, ended.stderr);
  assert.deepEqual(count(), Object.fromEntries(Object.entries(before).map(([table, n]) => [table, n - 1])));
  assert.equal((await send(lw, await deliveryOf(theirs))).status, 401);
  assert.equal((await send(lw, await deliveryOf(ours))).status, 200);
});

/* --- the database is away ------------------------------------------------------------------------- */

const away = (answer) => {
  assert.equal(answer.status, 503, answer.text);
  assert.ok(Number(answer.headers["retry-after"]) >= 1, "no Retry-After");
};

test("with MariaDB stopped or frozen a delivery is 503 with Retry-After, and taken when it is back", async () => {
  const hook = await github(), stopped = await deliveryOf(hook), frozen = await deliveryOf(hook), pid = await lw.pid("MariaDB");
  assert.equal((await send(lw, await deliveryOf(hook))).status, 200);
  process.kill(pid, "SIGSTOP");
  try {
    away(await send(lw, frozen));
  } finally {
    process.kill(pid, "SIGCONT");
  }
  await eventually("it works after the freeze", async () => (await send(lw, frozen)).status === 200, 60);
  await endProcess(pid);
  away(await send(lw, stopped));
  away(await send(lw, { ...stopped, body: "forged" }));
  away(await send(lw, { url: hook.url, method: "GET" }));
  await startDatabase(lw);
  await eventually("it works after the stop", async () => (await send(lw, stopped)).status === 200, 60);
  assert.equal((await eventsOf(hook)).length, 3);
});

test("each address has its own limit", async () => {
  const limited = await startInstance({ conf: `${NO_LIMITS}hook_per_minute = 60\n` });
  try {
    const owner = await limited.newTenant("limited");
    const hooks = [await connectHook(limited, owner.token, PROVIDERS.github), await connectHook(limited, owner.token, PROVIDERS.github)];
    const answers = await Promise.all(Array.from({ length: 150 }, async () => send(limited, await deliveryOf(hooks[0]))));
    const refused = answers.filter(({ status }) => status === 429);
    assert.ok(refused.length >= 50 && refused.length < 150, `${refused.length} refused`);
    assert.ok(answers.every(({ status }) => [200, 429].includes(status)));
    assert.ok(refused.every(({ headers }) => Number(headers["retry-after"]) >= 1));
    assert.equal((await send(limited, await deliveryOf(hooks[1]))).status, 200, "another address pays for it");
    assert.equal((await limited.api("GET", "/api/v1/events", { token: owner.token })).status, 200);
  } finally {
    await limited.stop();
  }
});
