// Clients that work without a pause, and a ledger of what they were told.
//
//	const ledger = new Ledger();
//	const load = new Load(lw, { token, ledger, clients: 8 }).start();
//	...                                        // the fault
//	await load.stop();
//	assert.deepEqual(load.wrong, []);          // what no fault excuses
//	assert.deepEqual(load.failures, []);       // requests that did not succeed
//	assert.deepEqual(await ledger.compare(lw, token), []);
//
// Each client has one kept connection and credentials of its own, so it knows in which order its writes
// happened. What a write that failed may have left behind depends on what its answer promised.
import crypto from "node:crypto";
import https from "node:https";

/** A value whose masked form (its first four characters) is its own. */
export const newValue = () => `${crypto.randomBytes(3).toString("base64url")}-${crypto.randomBytes(15).toString("base64url")}`;
export const masked = (value) => `${value.slice(0, 4)}****`;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

/** Whether the answer (undefined: none came) leaves it open if the write has happened. */
const leavesOpen = (answer) => !answer || answer.json?.code === "OUTCOME_UNKNOWN" || answer.status === 504;

/** What was acknowledged, by the name of the credential. Names are never used twice. */
export class Ledger {
  rows = new Map(); // name -> {id, values}: the first is the one acknowledged last; any other may have replaced it

  create(name, value, answer) {
    if (answer?.status === 201)
      this.rows.set(name, { id: answer.json.id, values: [value] });
    else if (leavesOpen(answer))
      this.rows.set(name, { values: [undefined, value] }); // undefined: not there at all
  }

  change(name, value, answer) {
    const row = this.rows.get(name);
    if (answer?.status === 200)
      row.values = [value];
    else if (leavesOpen(answer))
      row.values.push(value);
  }

  allows(name, value) {
    return this.rows.get(name)?.values.includes(value) ?? false;
  }

  /** What differs from [{id, name, value}], everything that there is: texts, none when all is well. */
  differences(found) {
    const wrong = [], seen = new Set();
    for (const { id, name, value } of found) {
      const row = this.rows.get(name);
      if (!row)
        wrong.push(`${id} ${name} is there, and nobody was told so`);
      else if (seen.has(name))
        wrong.push(`${id} ${name} is there twice`);
      else if (row.id && row.id !== id)
        wrong.push(`${name} is ${id}, and was ${row.id}`);
      else if (!row.values.includes(value) || value === undefined)
        wrong.push(`${id} ${name} holds ${value} instead of ${row.values.join(" or ")}`);
      seen.add(name);
    }
    for (const [name, { id, values }] of this.rows)
      if (!seen.has(name) && !values.includes(undefined))
        wrong.push(`${id} ${name} is gone`);
    return wrong;
  }

  /** The same for everything that the tenant has now, opened one by one. */
  async compare(lw, token) {
    const all = await listAll(lw, token), found = [];
    const agent = new https.Agent({ keepAlive: true, maxSockets: 8 });
    await Promise.all(all.map(async ({ id, name }) => {
      const answer = await lw.api("POST", `/api/v1/credentials/${id}/reveal`, { token, agent });
      found.push({ id, name, value: answer.status === 200 ? answer.json.data.api_key : `(${answer.status} ${answer.text})` });
    }));
    agent.destroy();
    return this.differences(found);
  }
}

/** Every credential of the token's tenant, masked. */
export async function listAll(lw, token) {
  const all = [];
  for (let uri = "/api/v1/credentials?limit=100"; uri;) {
    const answer = await lw.api("GET", uri, { token });
    if (answer.status !== 200)
      throw new Error(`${uri}: ${answer.status} ${answer.text}`);
    all.push(...answer.json);
    const next = /<([^>]+)>; *rel="next"/.exec(answer.headers.link ?? "");
    uri = next && new URL(next[1], lw.url).pathname + new URL(next[1], lw.url).search;
  }
  return all;
}

export class Load {
  done = 0; // requests that succeeded
  failures = []; // {what, status, code, error}
  wrong = []; // answers that no fault excuses: another value than the last one written, 503 without Retry-After

  /**
   * `keys`: creations carry an Idempotency-Key and are sent again until they are acknowledged. `mix`: what is done in
   * turn, besides a creation now and then.
   */
  constructor(lw, { token, ledger, clients = 8, keys = false, mix = ["change", "reveal", "read"] }) {
    Object.assign(this, { lw, token, ledger, clients, keys, mix });
  }

  start() {
    this.running = true;
    this.all = Array.from({ length: this.clients }, (_, i) => this.work(i));
    return this;
  }

  async stop() {
    this.running = false;
    await Promise.all(this.all ?? []);
  }

  /** Resolves when `n` more requests have succeeded. */
  async progress(n, seconds = 300) {
    const wanted = this.done + n;
    for (const end = Date.now() + seconds * 1000; this.done < wanted;) {
      if (Date.now() > end)
        throw new Error(`${this.done} of ${wanted} requests; the last failure: ${JSON.stringify(this.failures.at(-1))}`);
      await pause(20);
    }
  }

  async work(number) {
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    const mine = [];
    try {
      for (let turn = number; this.running; turn++) {
        if (mine.length < 2 || turn % 20 === 0 || this.mix.length === 0)
          await this.create(agent, mine);
        else
          await this[this.mix[turn % this.mix.length]](agent, mine[crypto.randomInt(mine.length)]);
      }
    } catch (error) {
      this.wrong.push(error.stack);
    } finally {
      agent.destroy();
    }
  }

  /** The answer, or undefined when there was none. A failure is written down, and the client takes a breath. */
  async ask(agent, what, method, uri, options = {}) {
    let answer, failure;
    try {
      answer = await this.lw.api(method, uri, { token: this.token, agent, ...options });
      if (answer.status < 300) {
        this.done++;
        return answer;
      }
      failure = { what, status: answer.status, code: answer.json?.code };
      if (answer.status === 503 && !/^\d+$/.test(answer.headers["retry-after"] ?? ""))
        this.wrong.push(`${what}: ${answer.status} ${answer.json?.code} without Retry-After`);
    } catch (error) {
      if (error.code === undefined) // not the connection: the document check
        throw error;
      failure = { what, error: error.code };
    }
    this.failures.push({ ...failure, at: new Date().toISOString() });
    await pause(30);
    return answer;
  }

  async create(agent, mine) {
    const value = newValue(), name = `row ${value}`;
    const headers = this.keys ? { "Idempotency-Key": crypto.randomUUID() } : {};
    const body = { name, type: "api_key", data: { api_key: value } };
    let answer;
    do
      answer = await this.ask(agent, "create", "POST", "/api/v1/credentials", { headers, body });
    while (this.keys && this.running && answer?.status !== 201);
    this.ledger.create(name, value, answer);
    if (answer?.status === 201) {
      mine.push(name);
      if (mine.length > 12)
        mine.shift();
    }
  }

  async change(agent, name) {
    const value = newValue(), { id } = this.ledger.rows.get(name);
    const body = { data: { api_key: value } };
    this.ledger.change(name, value, await this.ask(agent, "change", "PUT", `/api/v1/credentials/${id}`, { body }));
  }

  async reveal(agent, name) {
    const { id } = this.ledger.rows.get(name);
    const answer = await this.ask(agent, "reveal", "POST", `/api/v1/credentials/${id}/reveal`);
    if (answer?.status === 200 && !this.ledger.allows(name, answer.json.data.api_key))
      this.wrong.push(`${id} was read as ${answer.json.data.api_key} instead of ${this.ledger.rows.get(name).values.join(" or ")}`);
  }

  async read(agent, name) {
    const { id, values } = this.ledger.rows.get(name);
    const answer = await this.ask(agent, "read", "GET", `/api/v1/credentials/${id}`);
    if (answer?.status === 200 && !values.some((value) => answer.json.data.api_key === masked(value)))
      this.wrong.push(`${id} was read as ${answer.json.data.api_key} instead of ${values.map(masked).join(" or ")}`);
  }
}
