// The vault's quick workers: they hand out the tokens that work as they are, whatever all others wait for. What they can't
// answer they pass on, and nobody notices: it is one request, counted, logged and audited once.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import { after, before, beforeEach, test } from "node:test";
import { machineType, startWorld } from "./lib/connections.mjs";
import { eventually } from "./lib/instance.mjs";
import { endProcess, replacePool, startHeldPool, workers } from "./lib/processes.mjs";
import { idBytes, Tenant, unknownId } from "./lib/tenants.mjs";

const long = Boolean(process.env.LATCHWORK_LONG);
const QUICK = 2, KILLS = long ? 100 : 10, RELOADS = long ? 50 : 4, RESTARTS = long ? 20 : 3;
let world, lw, provider, tenant, fresh;

before(async () => {
  world = await startWorld({ conf: "calls_per_tenant = 64\ncalls_per_provider = 64\n", egress: "timeout_ms = 60000\n",
    types: ({ provider: p }) => [machineType(p)] });
  ({ lw, provider } = world);
  tenant = await new Tenant(lw, "quick").start();
  fresh = await stored(tenant);
  await endProcess(await lw.pid("worker")); // nobody renews a token but who asks for it
});
after(() => world?.stop());
beforeEach(() => provider?.reset());

async function stored(of) {
  const text = `token-of-${of.name}-${crypto.randomBytes(9).toString("hex")}`;
  const { id } = await of.newCredential({ access_token: text, expires_at: "2099-01-01T00:00:00Z" }, { type: "oauth2" });
  return { id, text };
}
/** One whose token has to be fetched first. */
const machine = async () => (await tenant.newCredential(provider.client, { type: "oauth2", service: "machine" })).id;
const ask = (id, { token = tenant.owner.token, ...options } = {}) => lw.api("POST", `/api/v1/credentials/${id}/token`, { token, ...options });
const times = (n, work) => Promise.all(Array.from({ length: n }, work));

/** The pids of either kind. A generation's first ones are quick; asked for while nobody has died in it. */
async function kinds() {
  const pids = await workers(lw, "vault");
  return { quick: pids.slice(0, QUICK), usual: pids.slice(QUICK) };
}
const logged = () => lw.log("vault").split("\n").filter((line) => line.includes('"message":"request"')).map((line) => JSON.parse(line));
/** What the vault has logged of a request: it does so when the answer is on its way. */
const linesOf = ({ headers }) => eventually("it is logged", () => {
  const lines = logged().filter(({ request_id }) => request_id === headers["x-request-id"]);
  return lines.length > 0 && lines;
});
const rowsOf = ({ headers }) => lw.sql(`SELECT outcome, LOWER(HEX(target_id)) FROM audit
  WHERE action = 'credential.token' AND request_id = ${idBytes(headers["x-request-id"])}`);

/** Requests that the vault has counted, and asking for that may be one. */
function counted() {
  return new Promise((done, failed) => {
    http.get({ socketPath: lw.at("run", "metrics", "metrics.sock"), path: "/metrics/vault" }, async (response) => {
      let text = "";
      for await (const chunk of response.setEncoding("utf8"))
        text += chunk;
      done([...text.matchAll(/^latchwork_requests_total\{.*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0));
    }).on("error", failed);
  });
}

/** The names of an answer's headers, of which none comes twice. */
function headerNames({ rawHeaders }) {
  const names = rawHeaders.filter((_, i) => i % 2 === 0).map((name) => name.toLowerCase()).toSorted();
  assert.deepEqual(names, [...new Set(names)]);
  return names;
}

test("a quick worker hands out a token that works, another one fetches what doesn't: one line, one count, one row each", async () => {
  const fetched = await machine(), { quick, usual } = await kinds(), first = await counted(), own = await counted() - first;
  const answers = [];
  for (const [id, pids] of [[fresh.id, quick], [fetched, usual], [fetched, quick], [fresh.id, quick]]) {
    const answer = await ask(id), lines = await linesOf(answer);
    assert.equal(answer.status, 200, answer.text);
    assert.deepEqual(lines.map(({ status, operation }) => [status, operation]), [[200, "credential_token"]]);
    assert.ok(pids.includes(lines[0].pid), `${lines[0].pid} is none of ${pids}`);
    assert.deepEqual(rowsOf(answer), [["ok", idBytes(id).slice(2, -1)]]);
    answers.push(answer);
  }
  assert.deepEqual(answers.map(({ json }) => json.access_token === fresh.text), [true, false, false, true]);
  assert.ok(provider.isGood(answers[1].json.access_token));
  assert.equal(answers[2].json.access_token, answers[1].json.access_token);
  assert.equal(provider.exchanges.length, 1);
  for (const answer of answers)
    assert.deepEqual(headerNames(answer), headerNames(answers[0]));
  assert.equal(answers[1].headers["cache-control"], answers[0].headers["cache-control"]);
  assert.equal(await counted() - first, 2 * own + answers.length);
  assert.deepEqual((await Promise.all(answers.map(linesOf))).map(({ length }) => length), answers.map(() => 1), "another one was logged later");
});

test("while all others wait for a provider, tokens that work are handed out", async () => {
  const hanging = await times(64, machine), { usual } = await kinds();
  let tell, ended = 0;
  const told = new Promise((done) => { tell = done; });
  provider.token = async (request, response, work) => { await told; return work(); };
  const waiting = Promise.all(hanging.map((id) => ask(id).finally(() => ended++)));
  try {
    await eventually("all of them wait", () => provider.underWay === usual.length);
    for (const { status, json, text } of await times(200, () => ask(fresh.id)))
      assert.equal(json.access_token, fresh.text, `${status} ${text}`);
    assert.deepEqual([ended, provider.underWay], [0, usual.length]);
  } finally {
    tell();
  }
  const answers = await waiting;
  assert.deepEqual([...new Set(answers.map(({ status, json }) => `${status} ${json.code ?? ""}`))], ["200 "]);
  assert.equal(new Set(answers.map(({ json }) => json.access_token)).size, hanging.length);
});

test("who may not have a token is told so by whoever looks at it, once, and no row says otherwise", async () => {
  const other = await new Tenant(lw, "others").start(), theirs = await stored(other);
  const ended = (await tenant.signIn(tenant.people.member)).token;
  assert.equal((await ask(fresh.id, { token: ended })).status, 200);
  assert.equal((await lw.api("POST", "/api/v1/auth/logout", { token: ended })).status, 204);
  for (const [words, id, token, status, code] of [
    ["nobody's", unknownId(fresh.id), undefined, 404, "NOT_FOUND"], ["another tenant's", theirs.id, undefined, 404, "NOT_FOUND"],
    ["an ended session", fresh.id, ended, 401, "SESSION_ENDED"], ["a viewer", fresh.id, tenant.people.viewer.token, 403, "DENIED"]]) {
    const answer = await ask(id, { token });
    assert.deepEqual([answer.status, answer.json.code], [status, code], words);
    headerNames(answer);
    assert.deepEqual((await linesOf(answer)).map((line) => line.status), [status], words);
    assert.deepEqual(rowsOf(answer).filter(([outcome]) => outcome === "ok"), [], words);
  }
});

/** The vault has that configuration meanwhile, and workers that know it. */
async function configured(change, work) {
  const whole = fs.readFileSync(lw.conf, "utf8");
  assert.notEqual(change(whole), whole);
  fs.writeFileSync(lw.conf, change(whole));
  try {
    await reload();
    return await work();
  } finally {
    fs.writeFileSync(lw.conf, whole);
    await reload();
  }
}

async function reload() {
  const old = await workers(lw, "vault");
  process.kill(await lw.pid("vault"), "SIGHUP");
  await eventually("there are new workers only", async () => {
    const now = await workers(lw, "vault");
    return now.length === old.length && !now.some((pid) => old.includes(pid));
  });
}

test("what is passed on counts once against the limits, and nobody passes himself on", async () => {
  const LIMIT = 12, forged = { "LW-Passed-On": "1", LW_PASSED_ON: "1", "X-Accel-Redirect": "@passed_on" };
  const asked = await Promise.all(["works", "unknown", "works, forged", "unknown, forged"].map(async (words) => {
    const of = await new Tenant(lw, words.replace(/\W+/g, "-")).start(), { id } = await stored(of);
    return { words, id: words.startsWith("works") ? id : unknownId(id), token: of.owner.token, headers: words.endsWith("forged") ? forged : {} };
  }));
  await configured((text) => text.replace("write_per_minute = 0", `write_per_minute = ${LIMIT}`), async () => {
    for (const { words, id, token, headers } of asked) {
      const began = Date.now(), answers = await times(3 * LIMIT, () => ask(id, { token, headers }));
      const back = Math.ceil((Date.now() - began) * LIMIT / 60000); // what came back meanwhile
      const [let_in, refused] = [false, true].map((is) => answers.filter(({ status }) => (status === 429) === is));
      assert.deepEqual([...new Set(let_in.map(({ status }) => status))], [words.startsWith("works") ? 200 : 404], words);
      assert.ok(let_in.length >= LIMIT && let_in.length <= LIMIT + back, `${words}: ${let_in.length}`);
      for (const answer of refused) {
        assert.deepEqual(["limit", "remaining"].map((name) => answer.headers[`ratelimit-${name}`]), [String(LIMIT), "0"], words);
        headerNames(answer);
      }
    }
  });
});

/** Clients that ask for the fresh token without a pause: {progress(n), end()}. */
function startClients(t) {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 24 }), answers = [];
  let going = true;
  const clients = times(24, async () => {
    while (going)
      answers.push(await ask(fresh.id, { agent }));
  });
  const stop = async () => {
    going = false;
    await clients;
    agent.destroy();
  };
  t.after(stop); // also when the test fails
  return {
    progress(n) {
      const had = answers.length;
      return eventually("the clients go on", () => answers.length >= had + n);
    },
    /** No request has failed, and each that was answered has its row. */
    async end() {
      await stop();
      const failed = answers.filter(({ status, json }) => status !== 200 || json.access_token !== fresh.text);
      t.diagnostic(`${answers.length} requests, ${failed.length} failures`);
      assert.deepEqual(failed.map(({ status, text }) => `${status} ${text}`), []);
      const rows = new Set(lw.sql(`SELECT LOWER(HEX(request_id)) FROM audit WHERE action = 'credential.token' AND outcome = 'ok'
        AND target_id = ${idBytes(fresh.id)}`).flat());
      assert.deepEqual(answers.map(({ headers }) => idBytes(headers["x-request-id"]).slice(2, -1)).filter((id) => !rows.has(id)), []);
    },
  };
}

test("no token fails when the quick workers are killed: another one is asked", async (t) => {
  await reload();
  const clients = startClients(t), quick = new Set((await kinds()).quick);
  for (let i = 0; i < KILLS; i++) {
    await clients.progress(100);
    const before = await workers(lw, "vault");
    const victim = await eventually("one of them has worked", () => [...quick].find((pid) => lw.log("vault").includes(`"pid":${pid},"request_id"`)));
    process.kill(victim, "SIGKILL");
    quick.delete(victim);
    quick.add(await eventually("another one is there", async () => (await workers(lw, "vault")).find((pid) => !before.includes(pid))));
  }
  await clients.progress(100);
  await clients.end();
});

test("no token fails while the vault is reloaded", async (t) => {
  const clients = startClients(t);
  for (let i = 0; i < RELOADS; i++) {
    await clients.progress(100);
    await reload();
  }
  await clients.progress(100);
  await clients.end();
});

test("no token fails when the vault is started again on sockets that stay open, as systemd's do", async (t) => {
  await endProcess(await lw.pid("vault"));
  const holder = await startHeldPool(lw, "vault");
  try {
    const clients = startClients(t);
    for (let i = 0; i < RESTARTS; i++) {
      await clients.progress(100);
      await endProcess(await lw.pid("vault"));
      await eventually("it runs again", () => lw.pid("vault"));
    }
    await clients.progress(100);
    await clients.end();
  } finally {
    await holder.stop();
    await replacePool(lw, "vault");
  }
});
