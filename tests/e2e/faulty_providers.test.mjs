// Providers that don't do their work: whoever asks is told clearly, what was stored stays, no process grows, and nobody
// else has to wait.
import assert from "node:assert/strict";
import https from "node:https";
import { after, before, beforeEach, test } from "node:test";
import { assertNowhere, fakeType, startWorld } from "./lib/connections.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { children, residentKib } from "./lib/fcgi.mjs";
import { Guard } from "./lib/hostile.mjs";
import { eventually } from "./lib/instance.mjs";
import { endProcess } from "./lib/processes.mjs";
import { Provider } from "./lib/provider.mjs";
import * as faults from "./lib/provider_faults.mjs";
import { idBytes, Tenant } from "./lib/tenants.mjs";

const HANGING_CALLS = 64;
let world, lw, provider, quiet, elsewhere, tenant, owner, guard;

before(async () => {
  world = await startWorld({
    async prepare(w) {
      quiet = await new Provider(w.ca).start(); // another provider, which always works
      elsewhere = await new Provider(w.ca).start(); // and one that no type names
      w.servers.push(quiet, elsewhere);
      return w.clientSection("quiet", quiet.client);
    },
    hosts: () => [quiet.host, elsewhere.host, elsewhere.clearHost],
    types: (w) => [fakeType(w.provider), fakeType(quiet, { id: "quiet" })],
  });
  ({ lw, provider } = world);
  tenant = await new Tenant(lw, "patience").start();
  owner = tenant.owner;
  guard = new Guard(lw);
});
after(() => world?.stop());
beforeEach(() => provider?.reset());

const token = (credential, who = owner) => lw.api("POST", `/api/v1/credentials/${credential}/token`, { token: who.token });
const plain = async (credential) => (await lw.api("POST", `/api/v1/credentials/${credential}/reveal`, { token: owner.token })).json.data;

/** A stored connection whose token has ended; `script` is what the provider does about it from now on. */
async function connection(script, { at = provider, service = "fake", who = owner } = {}) {
  const { access_token, refresh_token } = at.newFamily({ ttl: 1 });
  const data = { access_token, refresh_token, expires_at: new Date(Date.now() - 1000).toISOString() };
  const answer = await lw.api("POST", "/api/v1/credentials", { token: who.token, body: { name: "to a bad provider", type: "oauth2",
    service, data } });
  assert.equal(answer.status, 201, answer.text);
  scripts.set(refresh_token, script);
  at.token = (request, response, work) => {
    const found = scripts.get(new URLSearchParams(request.text).get("refresh_token"));
    return found ? found(request, response, work) : work();
  };
  return { id: answer.json.id, data, heal: () => scripts.delete(refresh_token) };
}
const scripts = new Map(); // by refresh token

/** Asks again when the calm after a failure is over, as if that had been some time ago; it has to work. */
async function later(id) {
  lw.sql(`UPDATE token_refresh SET failed_at = 0, retry_at = 0 WHERE credential_id = ${idBytes(id)}`);
  const answer = await token(id);
  assert.equal(answer.status, 200, answer.text);
  return answer;
}

/** Asks once: a clear refusal, and everything is as before; and when the provider works again, so does the connection. */
async function assertWeathered(words, script, { status = [502], code } = {}) {
  const made = await connection(script), answer = await token(made.id);
  assert.ok([status].flat().includes(answer.status), `${words}: ${answer.status} ${answer.text}`);
  assert.equal(answer.headers["content-type"], "application/problem+json", words);
  assert.ok([code ?? ["UPSTREAM_FAILED", "OAUTH_PROVIDER_REFUSED"]].flat().includes(answer.json.code), `${words}: ${answer.text}`);
  assert.doesNotMatch(answer.text, /of-a-fault|later|Sorry/, `${words}: the provider's words are in the answer`);
  assert.deepEqual(await plain(made.id), made.data, `${words}: something else is stored`);
  const { json } = await lw.api("GET", `/api/v1/credentials/${made.id}`, { token: owner.token });
  assert.notEqual(json.status, "needs_reconnect", words);
  made.heal();
  assert.ok(provider.isGood((await later(made.id)).json.access_token), words);
}

for (const [words, script] of Object.entries(faults.BAD_TOKEN_ANSWERS))
  test(`an answer that ${words} is no token`, () => assertWeathered(words, script));

for (const [words, script] of Object.entries({
  "is cut off": faults.truncated, "is 256 MiB long": faults.huge, "is a gzip bomb": faults.gzipBomb, "has 20,000 headers": faults.manyHeaders,
  "is a reset": faults.resets, "is 500": faults.status(500), "is 503 with a page": faults.status(503, { "Content-Type": "text/html" },
    "<b>later</b>"),
  "is 404": faults.status(404), "is 418 with an error that nobody knows": faults.status(418, {}, { error: "teapot" }),
}))
  test(`an answer that ${words} changes nothing`, () => assertWeathered(words, script));

test("429 with Retry-After isn't the end either", () =>
  assertWeathered("429", faults.status(429, { "Retry-After": "1" }, { error: "slow_down" }),
    { status: [429, 502, 503], code: ["RATE_LIMITED", "UPSTREAM_FAILED", "OAUTH_PROVIDER_REFUSED", "PROVIDER_BUSY"] }));

test("a new refresh token that comes with a bad answer isn't thrown away: the old one doesn't work any more", async () => {
  provider.answer = { access_token: undefined };
  const { id } = await connection();
  assert.equal((await token(id)).status, 502);
  provider.reset();
  assert.ok(provider.isGood((await later(id)).json.access_token));
});

test("who asks again and again while the provider fails doesn't make more calls of it", async () => {
  const { id } = await connection(faults.status(500));
  for (let i = 0; i < 20; i++)
    assert.equal((await token(id)).status, 502);
  assert.ok(provider.called("/token").length <= 3, `${provider.called("/token").length} calls`);
});

test("no redirect is followed, and what proves us stays where it was sent", async () => {
  for (const [code, location] of [[301, `${elsewhere.url}/token`], [302, `${elsewhere.url}/token`], [307, `${elsewhere.url}/token`], [308,
    `http://${elsewhere.clearHost}/token`],
    [302, "file:///etc/passwd"], [302, "http://169.254.169.254/latest/meta-data/"], [302, "/token"]])
    await assertWeathered(`${code} to ${location}`, faults.redirect(location, code));
  assert.deepEqual(elsewhere.calls, []);
});

test("a provider that hangs or drips is given up after a while", () =>
  Promise.all([assertWeathered("hangs", faults.hangs, { status: 504, code: "UPSTREAM_TIMEOUT" }),
    assertWeathered("drips", faults.dripFeeds, { status: 504, code: "UPSTREAM_TIMEOUT" })]));

test("a slow answer is an answer", async () => {
  const { id } = await connection(faults.slow(2000)), answer = await token(id);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(provider.isGood(answer.json.access_token));
});

test("an expires_in that is a text, or isn't there, is taken for what it means", async () => {
  for (const [expires_in, wanted] of [["3600", 3600], ["00900", 900], [undefined, null]]) {
    provider.answer = { expires_in };
    const { id } = await connection(), answer = await token(id);
    assert.equal(answer.status, 200, `${expires_in}: ${answer.text}`);
    assert.ok(wanted === null ? answer.json.expires_in === null : Math.abs(answer.json.expires_in - wanted) < 60,
      `${expires_in}: ${answer.json.expires_in}`);
  }
});

test("numbers that no clock knows don't break anything", async () => {
  for (const expires_in of [1e18, 9007199254740993, 1e300, 0, 0.5]) {
    provider.answer = { expires_in };
    const { id } = await connection(), answer = await token(id);
    assert.ok([200, 502].includes(answer.status), `${expires_in}: ${answer.text}`);
  }
});

const LARGE = [faults.huge, faults.gzipBomb, faults.manyHeaders, faults.truncated, faults.BAD_TOKEN_ANSWERS["has a token of 100 KiB"]];

test("the processes stay as small as they were", async () => {
  await guard.assertFlat(async () => {
    for (const script of LARGE) {
      const { id } = await connection(script);
      assert.equal((await token(id)).status, 502);
    }
  }, { warm: 3, rounds: 5 });
  assert.deepEqual(guard.pids(), guard.before, "a process was replaced");
});

test("so does the worker, which meets the same in the background", async () => {
  const worker = await lw.pid("worker"), size = () => Math.max(...[worker, ...children(worker)].map(residentKib));
  /** The worker asks for all of them, all failing. */
  const round = async () => {
    const made = await Promise.all(LARGE.map((script) => connection(script)));
    for (const { id } of made)
      await token(id);
    const before = provider.called("/token").length;
    const ids = made.map(({ id }) => idBytes(id)).join();
    lw.sql(`UPDATE token_refresh SET due_at = 1, retry_at = NULL, failed_at = 1 WHERE credential_id IN (${ids})`);
    await eventually("the worker has asked", () => provider.called("/token").length >= before + LARGE.length, 180);
  };
  await round();
  await round();
  const first = size();
  for (let i = 0; i < 3; i++)
    await round();
  assert.ok(size() - first < 8192, `the worker grew from ${first} to ${size()} KiB`);
});

/** Reads one credential again and again; {times, bad}: how long each took, and what was not 200. */
async function readWhile(id, condition) {
  const times = [], bad = [];
  await Promise.all(Array.from({ length: 4 }, async () => {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    while (condition()) {
      const start = performance.now(), { status } = await lw.api("GET", `/api/v1/credentials/${id}`, { token: owner.token, agent });
      times.push(performance.now() - start);
      if (status !== 200)
        bad.push(status);
      await new Promise((done) => setTimeout(done, 5));
    }
    agent.destroy();
  }));
  return { times: times.toSorted((a, b) => a - b), bad };
}
const p99 = ({ times }) => times[Math.floor(times.length * 0.99)];

test(`while ${HANGING_CALLS} token calls hang for 10 s, others read and get their tokens`, async (t) => {
  const stranger = await new Tenant(lw, "neighbour").start();
  const calm = await tenant.newCredential();
  const hanging = [];
  for (let i = 0; i < HANGING_CALLS; i++)
    hanging.push(await connection(faults.hangs));
  const until = (ms, start = Date.now()) => () => Date.now() - start < ms;
  await readWhile(calm.id, until(500));
  const before = await readWhile(calm.id, until(3000));

  let ended = false;
  const asked = Promise.all(hanging.map(({ id }) => token(id))).finally(() => { ended = true; });
  await eventually("the provider is asked", () => provider.underWay > 0);
  const others = (async () => {
    let good = 0;
    while (!ended) {
      const [at, service] = good % 2 ? [quiet, "quiet"] : [provider, "fake"]; // another provider, and the same one
      const { id } = await connection(undefined, { at, service, who: stranger.owner });
      const answer = await token(id, stranger.owner);
      assert.equal(answer.status, 200, `the neighbour's token: ${answer.text}`);
      good++;
      await new Promise((done) => setTimeout(done, 200));
    }
    return good;
  })();
  const during = await readWhile(calm.id, () => !ended);
  const answers = await asked;
  for (const { status, json } of answers)
    assert.ok((status === 504 && json.code === "UPSTREAM_TIMEOUT") || (status === 503 && json.code === "PROVIDER_BUSY"),
      `${status} ${json.code}`);
  assert.ok(answers.some(({ status }) => status === 504), "nobody hung");
  assert.ok(await others > 0);
  assert.deepEqual([before.bad, during.bad], [[], []]);
  assert.ok(during.times.length > 20, "the readers had to wait");
  const [quietly, meanwhile] = [p99(before), p99(during)], count = (wanted) => answers.filter(({ status }) => status === wanted).length;
  t.diagnostic(`GET /credentials/{id}: p99 ${quietly.toFixed(1)} ms when all is quiet, ${meanwhile.toFixed(1)} ms while calls hang: ` +
    `${(meanwhile / quietly).toFixed(2)}`);
  t.diagnostic(`${count(504)} calls hung, ${count(503)} were told to come back; ${provider.mostUnderWay} at most were at the provider at once`);
});

test("a refusal for want of room says when to come back", async () => {
  await endProcess(await lw.pid("worker")); // which has room of its own
  const made = await Promise.all(Array.from({ length: 12 }, () => connection(faults.slow(1500))));
  const answers = await Promise.all(made.map(({ id }) => token(id)));
  for (const { status, headers, json } of answers)
    assert.ok(status === 200 || (status === 503 && json.code === "PROVIDER_BUSY" && Number(headers["retry-after"]) > 0),
      `${status} ${json.code} ${headers["retry-after"]}`);
  assert.ok(answers.some(({ status }) => status === 200));
  assert.ok(provider.mostUnderWay <= 3, `${provider.mostUnderWay} calls of one tenant were under way`);
  await lw.quickstart("start");
});

test("no log and no table holds what a provider said", () => {
  const said = ["access-of-a-fault-0123456789", "access-of-a-fault-1", "access-of-a-fault-2"];
  assertNowhere(lw, [...provider.secrets(), ...quiet.secrets(), ...said], dumpDatabase(lw));
});
