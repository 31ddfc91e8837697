// Who sent what, who was told that it is safe, what is stored, and what came out at the other end: the tools of the test
// that nothing acknowledged is ever lost, and nothing done twice, whoever is killed meanwhile.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import https from "node:https";
import { Webhook } from "standardwebhooks";
import { eventually } from "./instance.mjs";
import { alive, startDatabase, startPool, startWorker, workers } from "./processes.mjs";
import { PROVIDERS } from "./webhooks.mjs";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const pick = (list) => list[crypto.randomInt(list.length)];

/** Where a tenant's events are sent on to. It does each once, by webhook-id, as Standard Webhooks asks of a receiver. */
export class Receiver {
  /** Every delivery as it came: {id, headers, body}. */
  deliveries = [];
  /** webhook-id -> the event, of those that were answered with 2xx. */
  effects = new Map();
  forged = 0;
  /** Says what a delivery is answered with: a status, or {status, headers}; undefined cuts the connection. */
  answer = () => 200;

  constructor(ca) {
    this.certificate = ca.issue();
  }

  async start() {
    this.server = https.createServer({ key: this.certificate.key, cert: this.certificate.cert }, (request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("end", async () => {
        const body = Buffer.concat(chunks).toString("utf8"), id = request.headers["webhook-id"], delivery = { id, headers: request.headers, body };
        this.deliveries.push(delivery);
        if (!this.#isGenuine(delivery))
          this.forged++;
        const answer = await this.answer(delivery), { status, headers } = typeof answer === "object" ? answer : { status: answer };
        if (status === undefined) {
          request.socket.destroy();
          return;
        }
        if (status >= 200 && status < 300 && !this.effects.has(id))
          this.effects.set(id, JSON.parse(body));
        response.writeHead(status, headers).end();
      });
    });
    await new Promise((done) => this.server.listen(this.port ?? 0, "127.0.0.1", done));
    this.port = this.server.address().port;
    this.host = `localhost:${this.port}`;
    this.url = `https://${this.host}/hook`;
    return this;
  }

  #isGenuine({ headers, body }) {
    if (!this.secret)
      return true;
    try {
      new Webhook(this.secret).verify(body, headers);
      return true;
    } catch {
      return false;
    }
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

/** Sends events as a provider does: again until it hears 200, some of them twice or three times. */
export class Sender {
  /** The ids that were answered with 200, and how often. */
  acknowledged = new Map();
  /** What else was answered: status or error -> how often. */
  refusals = {};
  /** What must not happen. */
  faults = [];
  sends = 0;

  constructor(lw, hook, { events, lanes = 16 }) {
    Object.assign(this, { lw, hook, events, lanes, next: 0, agent: new https.Agent({ keepAlive: true, maxSockets: lanes * 3, ca: lw.ca }) });
  }

  #post(id) {
    const { url } = this.hook, provider = PROVIDERS["standardwebhooks (rest_api)"], body = JSON.stringify({ type: "thing.made", number: id });
    const headers = { "content-type": "application/json", ...provider.sign({ key: this.hook.key, at: Date.now(), body, id }) };
    this.sends++;
    return new Promise((done) => {
      const request = https.request(url, { method: "POST", headers, agent: this.agent, ca: this.lw.ca }, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", (error) => done({ status: error.code }));
        response.on("end", () => done({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString("utf8") }));
      });
      request.on("error", (error) => done({ status: error.code }));
      request.setTimeout(40000, () => request.destroy());
      request.end(body);
    });
  }

  /** Until it is acknowledged; whether it was a duplicate. */
  async #deliver(id) {
    for (let wait = 50; ; wait = Math.min(2 * wait, 1000)) {
      const before = this.acknowledged.has(id), { status, headers, text } = await this.#post(id);
      if (status === 200) {
        const { received, duplicate } = JSON.parse(text);
        if (!received || (before && !duplicate))
          this.faults.push(`${id}: ${text}${before ? ", though it had been acknowledged" : ""}`);
        this.acknowledged.set(id, (this.acknowledged.get(id) ?? 0) + 1);
        return duplicate;
      }
      this.refusals[status] = (this.refusals[status] ?? 0) + 1;
      if (typeof status === "number" && (status !== 503 || !headers["retry-after"]))
        this.faults.push(`${id}: ${status} ${text}`);
      await pause(wait);
    }
  }

  /** 15 % once more afterwards, 15 % three at once. */
  async #send(id) {
    const dice = crypto.randomInt(100), fresh = [];
    fresh.push(...await Promise.all(Array.from({ length: dice < 15 ? 3 : 1 }, () => this.#deliver(id))));
    if (dice >= 15 && dice < 30)
      fresh.push(await this.#deliver(id));
    if (fresh.filter((duplicate) => !duplicate).length > 1)
      this.faults.push(`${id} was new more than once`);
  }

  async run() {
    await Promise.all(Array.from({ length: this.lanes }, async () => {
      while (this.next < this.events)
        await this.#send(`${this.next++}`.padStart(7, "0"));
    }));
    this.agent.destroy();
  }
}

/** Kills a part with SIGKILL, at random, and starts it again where nobody else does. */
export class Killer {
  kills = {};

  constructor(lw) {
    this.lw = lw;
  }

  get count() {
    return Object.values(this.kills).reduce((sum, n) => sum + n, 0);
  }

  async #revive(part, start) {
    const log = () => this.lw.log(part);
    for (let i = 0; i < 100; i++) {
      const { child } = start(this.lw);
      for (let j = 0; j < 100 && child.exitCode === null; j++) {
        if (await this.lw.pid(part) !== undefined)
          return;
        await pause(100);
      }
      // The old master's workers are on their way out; the socket is theirs until then.
      await pause(200);
    }
    throw new Error(`${part} doesn't come back: ${log().slice(-2000)}`);
  }

  async #kill(part, pid) {
    if (!pid)
      return false;
    process.kill(pid, "SIGKILL");
    await eventually(`${pid} is gone`, () => !alive(pid), 60);
    this.kills[part] = (this.kills[part] ?? 0) + 1;
    return true;
  }

  async #workerOf(part) {
    if (await this.lw.pid(part) === undefined)
      return undefined;
    const pids = await workers(this.lw, part);
    return pids.length ? pick(pids) : undefined;
  }

  #deeds = {
    "front worker": async () => this.#kill("front worker", await this.#workerOf("front")),
    "job worker": async () => this.#kill("job worker", await this.#workerOf("worker")),
    "front master": async () => {
      if (await this.#kill("front master", await this.lw.pid("front")))
        await this.#revive("front", (lw) => startPool(lw, "front"));
    },
    "job master": async () => {
      if (await this.#kill("job master", await this.lw.pid("worker")))
        await this.#revive("worker", (lw) => startWorker(lw));
    },
    mariadbd: async () => {
      if (await this.#kill("mariadbd", await this.lw.pid("MariaDB")))
        await startDatabase(this.lw);
    },
  };

  /** Kills as long as wanted() is, each part in its turn at first, then any. */
  async run(wanted, everyMs) {
    const parts = Object.keys(this.#deeds);
    for (let i = 0; wanted(); i++) {
      await pause(crypto.randomInt(Math.max(2, everyMs)));
      if (wanted())
        await this.#deeds[i < parts.length ? parts[i] : pick(parts)]();
    }
  }
}

/** Waits until no job is left. Leases of the dead end now, and what waits for its next try gets it. */
export async function settle(lw, seconds) {
  await eventually("every job is done", async () => {
    const pid = await lw.pid("worker"), living = pid === undefined ? [] : await workers(lw, "worker");
    lw.sql(`UPDATE job SET run_at = 0 WHERE state = 'live' AND run_at > 0 AND (worker IS NULL OR worker NOT IN (${living.map((id) => `'${id}'`).join(",") || "''"}))`);
    await pause(400);
    return lw.sql("SELECT COUNT(*) FROM job WHERE queue IN ('event', 'delivery')")[0][0] === "0";
  }, seconds);
}

/** What was acknowledged, what is stored and what came out, held against each other. All lists have to be empty. */
export function compare(lw, hook, sender, receiver) {
  const rows = lw.sql("SELECT provider_event_id, COUNT(*) FROM event WHERE provider = 'rest_api' GROUP BY 1");
  const stored = new Map(rows.map(([id, n]) => [id.replace("msg_", ""), Number(n)])), effects = new Map();
  for (const { provider_event_id: id } of receiver.effects.values())
    effects.set(id.replace("msg_", ""), (effects.get(id.replace("msg_", "")) ?? 0) + 1);
  const ids = [...sender.acknowledged.keys()];
  const report = {
    lost: ids.filter((id) => !stored.has(id)),
    storedTwice: [...stored].filter(([, n]) => n !== 1),
    withoutEffect: ids.filter((id) => !effects.has(id)),
    withEffects: [...effects].filter(([, n]) => n !== 1),
    fromNobody: [...stored.keys()].filter((id) => Number(id) >= sender.events),
    withoutOneAuditRow: lw.sql(`SELECT provider_event_id FROM event LEFT JOIN audit ON target_id = event_id AND action = 'event.receive'
      WHERE provider = 'rest_api' GROUP BY event_id HAVING COUNT(seq) <> 1`).flat(),
    faults: sender.faults,
  };
  assert.equal(receiver.forged, 0, "a delivery wasn't signed as it should be");
  return Object.fromEntries(Object.entries(report).filter(([, list]) => list.length > 0).map(([name, list]) => [name, { n: list.length, some: list.slice(0, 5) }]));
}
