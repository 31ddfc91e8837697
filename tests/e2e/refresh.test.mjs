// A token is renewed once, however many ask for it, from wherever, and whoever dies on the way: with a provider whose
// refresh tokens work once, and that ends the connection when one comes a second time.
// LATCHWORK_LONG=1 goes a hundred rounds.
import assert from "node:assert/strict";
import http from "node:http";
import { after, before, beforeEach, test } from "node:test";
import { assertNowhere, fakeType, machineType, startWorld } from "./lib/connections.mjs";
import { dumpDatabase } from "./lib/dump.mjs";
import { children } from "./lib/fcgi.mjs";
import { eventually } from "./lib/instance.mjs";
import { endProcess, startPoolBeside, startWorker } from "./lib/processes.mjs";
import * as faults from "./lib/provider_faults.mjs";
import { idBytes, Tenant } from "./lib/tenants.mjs";

const ROUNDS = process.env.LATCHWORK_LONG ? 100 : 3;
const EGRESS_MS = 6000; // an exchange that died is waited for longer than that
const DUE_MS = 200; // until the worker finds a connection of these tests due
const POINTS = ["refresh_before_intent", "refresh_intent_committed", "refresh_answer_received", "refresh_before_commit", "refresh_committed"];
const LOSES_THE_ANSWER = ["refresh_answer_received", "refresh_before_commit"];
let world, lw, provider, tenant, owner;

before(async () => {
  world = await startWorld({
    conf: "calls_per_tenant = 64\ncalls_per_provider = 64\n[credentials]\nversions_kept = 3\n",
    egress: `timeout_ms = ${EGRESS_MS}\n`,
    types: ({ provider: p }) => [fakeType(p), fakeType(p, { id: "graced", token: { grace_s: 60 } }), machineType(p)],
  });
  ({ lw, provider } = world);
  tenant = await new Tenant(lw, "tokens").start();
  owner = tenant.owner;
});
after(() => world?.stop());
beforeEach(() => provider?.reset());

const token = (credential, options = {}) => lw.api("POST", `/api/v1/credentials/${credential}/token`, { token: owner.token, ...options });
const get = async (uri) => (await lw.api("GET", uri, { token: owner.token })).json;
const plain = async (credential) => (await lw.api("POST", `/api/v1/credentials/${credential}/reveal`, { token: owner.token })).json.data;

/** A connection whose token is about to end, as if it had been made long ago: the next one who asks has it renewed. */
async function stale(type = "fake", { ttl = 60 } = {}) {
  provider.firstTtl = ttl;
  const made = await world.connect(type, owner.token);
  if (ttl < 300)
    lw.sql(`UPDATE token_refresh SET intent_at = 0, due_at = ${Date.now() + DUE_MS} WHERE credential_id = ${idBytes(made.credential)}`);
  provider.exchanges = [];
  return made;
}

/** What a provider does that works when it is told to: `script`, and `answer()`. */
function held() {
  let answer;
  const told = new Promise((done) => { answer = done; });
  return { answer, script: async (request, response, work) => { await told; return work(); } };
}

/** Waits until a token of so many seconds has ended. */
const over = (seconds) => new Promise((done) => setTimeout(done, seconds * 1000 + 100));

/** Asks that pool, not the instance's. */
const tokenOf = (pool, credential) => pool.ask("POST", `/api/v1/credentials/${credential}/token`, { token: owner.token, silence: 60000 });

async function stopWorker() {
  const pid = await lw.pid("worker");
  if (pid)
    await endProcess(pid);
}

/** Everything that is due is done now, not soon. */
const hurryWorker = async () => process.kill(await lw.pid("worker"), "SIGHUP");

function metric(pool, name) {
  return new Promise((done, failed) => {
    http.get({ socketPath: lw.at("run", "metrics", "metrics.sock"), path: `/metrics/${pool}` }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8"))
        text += chunk;
      done(Number(new RegExp(`^${name} (\\d+)$`, "m").exec(text)?.[1] ?? Number.NaN));
    }).on("error", failed);
  });
}

test(`200 ask at once, here and on another host, and the worker, too: one exchange, 200 good tokens, ${ROUNDS} rounds`, async () => {
  const elsewhere = await startPoolBeside(lw);
  for (let round = 0; round < ROUNDS; round++) {
    const { credential, connector } = await stale();
    provider.token = faults.slow(200);
    const asked = Array.from({ length: 200 }, (_, i) => (i % 4 === 3 ? tokenOf(elsewhere, credential) : token(credential)));
    await hurryWorker();
    const answers = await Promise.all(asked);
    assert.deepEqual([...new Set(answers.map(({ status, json }) => `${status} ${json.code ?? ""}`))], ["200 "], `round ${round}`);
    assert.equal(new Set(answers.map(({ json }) => json.access_token)).size, 1, `round ${round}`);
    const [{ json }] = answers;
    assert.ok(provider.isGood(json.access_token), "the token doesn't work");
    assert.ok(json.expires_in >= 300 && json.token_type === "Bearer");
    assert.deepEqual(provider.exchanges.map(({ error }) => error), [undefined], `round ${round}`);
    assert.equal((await get(`/api/v1/connectors/${connector.id}`)).status, "active");
    provider.reset();
  }
  await elsewhere.stop();
});

test("refreshes don't push people's versions out of the history", async () => {
  const { credential } = await stale();
  for (const name of ["renamed", "renamed again"])
    await lw.api("PUT", `/api/v1/credentials/${credential}`, { token: owner.token, body: { data: { extra: { name } } } });
  const before = (await get(`/api/v1/credentials/${credential}/versions`)).map(({ version }) => version);
  provider.ttl = 1;
  await eventually("it was renewed more often than versions are kept", async () => {
    assert.equal((await token(credential)).status, 200);
    return provider.count() > 4;
  }, 60);
  const after = (await get(`/api/v1/credentials/${credential}/versions`)).map(({ version }) => version);
  assert.ok(after[0] >= before[0] + 5 && after.length <= 4, `${before} became ${after}`);
  for (const version of before.slice(0, 2))
    assert.ok(after.includes(version), `version ${version}, a person's, is gone: ${before} became ${after}`);
});

test("nobody has to ask: the worker renews what ends soon, once", async () => {
  const { credential } = await stale();
  const { version } = await get(`/api/v1/credentials/${credential}`);
  await eventually("it was renewed", () => provider.count() > 0);
  await eventually("it was stored", async () => (await get(`/api/v1/credentials/${credential}`)).version > version);
  const answer = await token(credential);
  assert.equal(answer.status, 200);
  assert.ok(provider.isGood(answer.json.access_token));
  assert.equal(provider.exchanges.length, 1);
});

test("a fresh token is given out without asking the provider", async () => {
  const { credential } = await stale("fake", { ttl: 3600 });
  for (let i = 0; i < 5; i++)
    assert.ok(provider.isGood((await token(credential)).json.access_token));
  assert.equal(provider.exchanges.length, 0);
});

test("a token that a client gets for itself is fetched once, too", async () => {
  const own = await tenant.does("POST", "/api/v1/credentials", { name: "our own", type: "oauth2", service: "machine", data: provider.client });
  const answers = await Promise.all(Array.from({ length: 50 }, () => token(own.id)));
  assert.deepEqual([...new Set(answers.map(({ status, json }) => `${status} ${json.code ?? ""}`))], ["200 "]);
  assert.deepEqual(provider.exchanges.map(({ grant_type, error }) => [grant_type, error]), [["client_credentials", undefined]]);
  assert.ok(answers.every(({ json }) => provider.isGood(json.access_token)));
});

test("tokens that were stored by hand are renewed like those of a consent", async () => {
  const { access_token, refresh_token } = provider.newFamily({ ttl: 1 });
  const data = { ...provider.client, access_token, refresh_token, expires_at: new Date(Date.now() - 1000).toISOString() };
  const { id } = await tenant.does("POST", "/api/v1/credentials", { name: "by hand", type: "oauth2", service: "fake", data });
  const answers = await Promise.all(Array.from({ length: 20 }, () => token(id)));
  assert.deepEqual([...new Set(answers.map(({ status, json }) => `${status} ${json.code ?? ""}`))], ["200 "]);
  assert.ok(provider.isGood(answers[0].json.access_token));
  assert.equal(provider.exchanges.length, 1);
});

test("nothing is held in the database while a provider thinks", async () => {
  await stopWorker();
  const { credential } = await stale(), { script, answer } = held();
  provider.token = script;
  const asked = token(credential);
  await eventually("the provider is asked", () => provider.underWay > 0);
  await over(0.5);
  assert.deepEqual(lw.sql(`SELECT trx_id, trx_started, trx_rows_locked FROM information_schema.innodb_trx
    WHERE trx_started < NOW(6) - INTERVAL 400000 MICROSECOND`), [], "a transaction is open");
  const put = await lw.api("PUT", `/api/v1/credentials/${credential}`, { token: owner.token, body: { name: "written at once" } });
  assert.equal(put.status, 200, put.text);
  assert.ok(provider.underWay > 0, "the change had to wait for the provider");
  answer();
  assert.equal((await asked).status, 200);
});

test("an answer without a refresh token keeps the one there is", async () => {
  provider.rotates = false;
  const { credential } = await stale();
  const { refresh_token } = await plain(credential);
  assert.equal((await token(credential)).status, 200);
  assert.equal((await plain(credential)).refresh_token, refresh_token);
});

test("what a person changes during the exchange stays, and so does what the provider gave", async () => {
  await stopWorker();
  const { credential } = await stale(), { script, answer: tell } = held();
  provider.token = script;
  provider.ttl = 1; // the next one to ask has it renewed again, with the refresh token that was stored
  const asked = token(credential);
  await eventually("the provider is asked", () => provider.underWay > 0);
  const put = await lw.api("PUT", `/api/v1/credentials/${credential}`, { token: owner.token,
    body: { data: { extra: { note: "written meanwhile" } } } });
  assert.equal(put.status, 200, put.text);
  tell();
  const answer = await asked;
  assert.equal(answer.status, 200, answer.text);
  const data = await plain(credential);
  assert.equal(data.extra.note, "written meanwhile");
  assert.equal(data.access_token, answer.json.access_token);
  provider.reset();
  await over(1);
  const again = await token(credential);
  assert.equal(again.status, 200, again.text);
  assert.ok(provider.isGood(again.json.access_token));
});

test("tokens that a person puts there during the exchange win", async () => {
  await stopWorker();
  const { credential } = await stale(), { script, answer } = held();
  provider.token = script;
  const asked = token(credential);
  await eventually("the provider is asked", () => provider.underWay > 0);
  const { access_token, refresh_token } = provider.newFamily({ ttl: 3600 });
  const body = { data: { access_token, refresh_token, expires_at: new Date(Date.now() + 3600000).toISOString() } };
  assert.equal((await lw.api("PUT", `/api/v1/credentials/${credential}`, { token: owner.token, body })).status, 200);
  answer();
  assert.equal((await asked).status, 200);
  const data = await plain(credential);
  assert.equal(data.refresh_token, refresh_token);
  assert.equal(data.access_token, access_token);
});

test("a process dies at each point of a refresh", async (t) => {
  await stopWorker();
  const before = await metric("vault", "latchwork_token_uncertain_total"), cases = [];
  for (const point of POINTS) {
    for (const type of ["graced", "fake"]) {
      provider.graceMs = type === "graced" ? 60000 : 0;
      provider.account = `${type} ${point}`;
      cases.push({ point, type, ...await stale(type, { ttl: 1 }) });
    }
  }
  await over(1);
  for (const point of POINTS) {
    const elsewhere = await startPoolBeside(lw, { LATCHWORK_CRASH_AT: point });
    for (const one of cases.filter((each) => each.point === point)) {
      await assert.rejects(tokenOf(elsewhere, one.credential), /no answer/, point);
      one.last = token(one.credential);
    }
    await elsewhere.stop();
  }
  for (const { point, type, credential, connector, last } of cases) {
    const lost = type === "fake" && LOSES_THE_ANSWER.includes(point);
    const grace = type === "graced" ? "and the provider grants a grace time" : "without a grace time";
    await t.test(`${point}, ${grace}: ${lost ? "the connection says why it is lost" : "nothing is lost"}`, async () => {
      const answer = await last, after = await get(`/api/v1/connectors/${connector.id}`);
      if (!lost) {
        assert.equal(answer.status, 200, answer.text);
        assert.ok(provider.isGood(answer.json.access_token), "the token doesn't work");
        assert.equal(after.status, "active");
        return;
      }
      assert.equal(answer.status, 409, answer.text);
      assert.equal(answer.json.code, "NEEDS_RECONNECT");
      assert.equal(after.status, "needs_reconnect");
      assert.match(after.last_error.message, /lost/i);
      assert.equal((await get(`/api/v1/credentials/${credential}`)).status, "needs_reconnect");
    });
  }
  assert.equal(await metric("vault", "latchwork_token_uncertain_total"), before + LOSES_THE_ANSWER.length);
});

test("whoever is killed in the middle of an exchange, the next one takes over", async () => {
  await stopWorker();
  provider.graceMs = 60000;
  const { credential } = await stale("graced", { ttl: 1 }), elsewhere = await startPoolBeside(lw);
  await over(1);
  const { script, answer: tell } = held();
  provider.token = script;
  const asked = assert.rejects(tokenOf(elsewhere, credential), /no answer/);
  await eventually("the provider is asked", () => provider.underWay > 0);
  for (const pid of children(elsewhere.pid))
    process.kill(pid, "SIGKILL");
  await asked;
  provider.scripts = {};
  tell();
  const answer = await token(credential);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(provider.isGood(answer.json.access_token));
  await elsewhere.stop();
});

test("an answer that gets lost on its way is asked for again within the grace time", async () => {
  await stopWorker();
  provider.graceMs = 60000;
  const { credential } = await stale("graced", { ttl: 1 });
  await over(1);
  let lost = 0;
  provider.token = (request, response, work) => (lost++ === 0 ? faults.answerLost(request, response, work) : work());
  const last = await eventually("a token came", async () => {
    const answer = await token(credential);
    assert.notEqual(answer.status, 409, answer.text);
    return answer.status === 200 && answer;
  }, 60);
  assert.ok(provider.isGood(last.json.access_token));
  assert.ok(lost > 1, "no answer was lost");
});

test("the worker dies in its refresh: the next one in a pool finds a way", async () => {
  await stopWorker();
  provider.graceMs = 60000;
  const { credential } = await stale("graced", { ttl: 1 });
  lw.sql(`UPDATE token_refresh SET due_at = NULL WHERE credential_id <> ${idBytes(credential)}`); // it dies with this one
  await over(1);
  const worker = startWorker(lw, { LATCHWORK_CRASH_AT: "refresh_answer_received" });
  await eventually("the worker has asked the provider", () => provider.exchanges.length > 0);
  await endProcess(worker.child.pid);
  assert.equal(lw.sql(`SELECT intent_id IS NOT NULL FROM token_refresh WHERE credential_id = ${idBytes(credential)}`)[0][0], "1",
    `it did not die in the exchange: ${worker.log()}`);
  const answer = await token(credential);
  assert.equal(answer.status, 200, answer.text);
  assert.ok(provider.isGood(answer.json.access_token));
});

test("a connection that the provider has ended says so, isn't tried again, and lives again when it is connected again", async () => {
  const { credential, connector } = await stale("fake", { ttl: 1 });
  await over(1);
  provider.families.at(-1).revoked = true;
  const answers = await Promise.all(Array.from({ length: 10 }, () => token(credential)));
  for (const { status, json } of answers)
    assert.deepEqual([status, json.code], [409, "NEEDS_RECONNECT"]);
  const after = await get(`/api/v1/connectors/${connector.id}`);
  assert.equal(after.status, "needs_reconnect");
  assert.ok(after.last_error.code && after.last_error.message);
  const asked = provider.exchanges.length;
  assert.equal((await token(credential)).status, 409);
  assert.equal(provider.exchanges.length, asked, "a dead connection is tried again and again");
  provider.firstTtl = 3600;
  await world.connect("fake", owner.token, { connector_id: connector.id });
  assert.equal((await get(`/api/v1/connectors/${connector.id}`)).status, "active");
  assert.equal((await token(credential)).status, 200);
});

test("each refresh has its row in the audit trail, and no row holds a token", async () => {
  const rows = await get("/api/v1/audit?action=credential.refresh&limit=200");
  assert.ok(rows.some(({ outcome }) => outcome === "ok") && rows.some(({ outcome }) => outcome !== "ok"));
  const given = await get("/api/v1/audit?action=credential.token&limit=200");
  assert.ok(given.some(({ outcome }) => outcome === "ok"));
  const secrets = provider.secrets();
  for (const row of [...rows, ...given])
    assert.deepEqual(secrets.filter((secret) => JSON.stringify(row).includes(secret)), []);
});

test("no log and no table holds a token", () => {
  assertNowhere(lw, provider.secrets(), dumpDatabase(lw));
});
