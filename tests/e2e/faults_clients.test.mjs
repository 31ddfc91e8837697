// Clients that hold on to what they have, or send as slowly as they can: the others don't notice.
import assert from "node:assert/strict";
import https from "node:https";
import tls from "node:tls";
import { after, before, test } from "node:test";
import { each } from "./lib/hostile.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Ledger, Load } from "./lib/load.mjs";

const long = Boolean(process.env.LATCHWORK_LONG);
const KEPT = 400, ROUNDS = long ? 100 : 5, IDLE = 350, SLOW = 50;
/** So many begin at once: nginx waits ten seconds for each. */
const FEW = 25;

let lw, tenant;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  tenant = await lw.newTenant("clients");
});
after(() => lw?.stop());

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

for (const [pool, method, path] of [["front", "GET", "/api/v1/auth/me"], ["vault", "POST", "reveal"]])
  test(`${KEPT} clients who keep their connections and ask the ${pool} every so often are all answered`, async (t) => {
    const { token } = tenant;
    const made = await lw.api("POST", "/api/v1/credentials", { token, body: { name: "asked for", type: "api_key", data: { api_key: "a secret" } } });
    const uri = path === "reveal" ? `/api/v1/credentials/${made.json.id}/reveal` : path;
    const agents = Array.from({ length: KEPT }, () => new https.Agent({ keepAlive: true, maxSockets: 1 }));
    t.after(() => agents.forEach((agent) => agent.destroy()));
    const answers = new Array(KEPT).fill(0), sockets = new Set(), clients = [];
    const ask = async (i) => {
      const answer = await lw.api(method, uri, { token, agent: agents[i] });
      assert.equal(answer.status, 200, answer.text);
      answers[i]++;
      Object.values(agents[i].freeSockets).flat().forEach((socket) => sockets.add(socket));
    };
    const goOn = async (i) => {
      while (answers[i] < ROUNDS) {
        await pause(Math.random() * 1000);
        await ask(i);
      }
    };
    await each(agents.keys(), async (i) => { await ask(i); clients.push(goOn(i)); }, FEW);
    await Promise.all(clients);
    assert.ok(answers.every((n) => n === ROUNDS));
    assert.ok(sockets.size <= KEPT * 1.1, `the connections were kept: ${sockets.size} were made`);
  });

/** A connection that says `words` and then nothing more; its `ended` is true once the other side has closed it. */
function hold(words) {
  const socket = tls.connect({ host: "localhost", port: lw.port, servername: "localhost", ca: lw.ca });
  socket.on("secureConnect", () => { socket.ready = true; socket.write(words); });
  socket.on("data", () => {});
  socket.on("error", () => {});
  socket.on("close", () => { socket.over = true; });
  return socket;
}

/** So many of them. */
async function holdMany(n, wordsOf) {
  const all = [];
  while (all.length < n) {
    for (let i = 0; i < FEW && all.length < n; i++)
      all.push(hold(wordsOf(all.length)));
    await eventually("they are connected", () => all.every((socket) => socket.ready));
  }
  return all;
}

test(`${IDLE} silent connections and ${SLOW} bodies that come byte by byte don't keep anybody waiting`, async (t) => {
  const head = (length) => `POST /api/v1/credentials HTTP/1.1\r\nHost: localhost:${lw.port}\r\nAuthorization: Bearer ${tenant.token}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${length}\r\n\r\n`;
  const slow = await holdMany(SLOW, () => head(100000)), drip = setInterval(() => slow.forEach((socket) => socket.write("{")), 200);
  const ledger = new Ledger(), load = new Load(lw, { token: tenant.token, ledger, clients: 6 });
  let idle = [];
  t.after(async () => {
    clearInterval(drip);
    [...idle, ...slow].forEach((socket) => socket.destroy());
    await load.stop();
  });
  idle = await holdMany(IDLE, (i) => ["", "GET /api/v1/auth/me HTTP/1.1\r\nHost: localh", "P"][i % 3]);
  load.start();
  await load.progress(long ? 20000 : 500);
  assert.equal([...slow].filter((socket) => !socket.over).length, SLOW, "the slow ones are still there");
  await load.stop();
  assert.deepEqual(load.wrong, []);
  assert.deepEqual(load.failures, []);
  for (const { name } of (await lw.api("GET", "/api/v1/credentials?limit=100", { token: tenant.token })).json)
    assert.ok(name === "asked for" || ledger.rows.has(name), `${name} came from a body that never ended`);
  if (long)
    await eventually("the silent ones are thrown out", () => idle.every((socket) => socket.over), 120);
});

test("clients that go away in the middle of a request leave nothing behind that keeps others waiting", async (t) => {
  const request = `GET /api/v1/credentials HTTP/1.1\r\nHost: localhost:${lw.port}\r\nAuthorization: Bearer ${tenant.token}\r\n\r\n`;
  const ledger = new Ledger(), load = new Load(lw, { token: tenant.token, ledger, clients: 6 }).start();
  t.after(() => load.stop());
  for (let i = 0; i < (long ? 200 : 10); i++) {
    const gone = Array.from({ length: 20 }, () => hold(request));
    await eventually("they have asked", () => gone.every((socket) => socket.ready), 60);
    gone.forEach((socket) => socket.destroy());
  }
  await load.progress(200);
  await load.stop();
  assert.deepEqual(load.wrong, []);
  assert.deepEqual(load.failures, []);
});
