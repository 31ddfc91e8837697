// What has to be true of a service that somebody means harm to: it refuses in its own form, its processes stay
// the same ones, and they stay as small as they were.
import assert from "node:assert/strict";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { children, residentKib } from "./fcgi.mjs";

/** A clean refusal: 4xx, a problem with code and request id, and with places when the input was at fault. */
export function assertRefused(what, answer, { status, code, field } = {}) {
  const told = `${what}: ${answer.status} ${answer.text?.slice(0, 300)}`;
  assert.ok(answer.status >= 400 && answer.status < 500, told);
  assert.equal(answer.headers["content-type"], "application/problem+json", told);
  assert.equal(answer.json.status, answer.status, told);
  assert.match(answer.json.code, /^[A-Z][A-Z0-9_]*$/, told);
  assert.equal(answer.json.request_id, answer.headers["x-request-id"], told);
  assert.equal(answer.headers["cache-control"], "no-store", told);
  if (answer.json.code === "BAD_INPUT")
    assert.ok(answer.json.fields?.length > 0, `${told}: where?`);
  for (const [name, wanted] of Object.entries({ status, code }))
    if (wanted !== undefined)
      assert.ok([wanted].flat().includes(answer.json[name]), `${told}: should be ${wanted}`);
  if (field !== undefined)
    assert.ok(answer.json.fields?.some((each) => each.field.split(/[.[]/)[0] === field || each.field === field), `${told}: should name ${field}`);
}

/** Runs work(item) for all items, some at a time. */
export async function each(items, work, width = 6) {
  const rest = [...items][Symbol.iterator]();
  await Promise.all(Array.from({ length: width }, async () => {
    for (const item of rest)
      await work(item);
  }));
}

/** Kept connections for many requests. */
export const keptConnections = () => new https.Agent({ keepAlive: true, maxSockets: 8 });

/** The pools' processes, now and later. */
export class Guard {
  constructor(lw) {
    this.lw = lw;
    const { socket } = Guard.sockets(lw);
    this.masters = ["front", "vault"].map((pool) =>
      Number(fs.readFileSync(path.join(path.dirname(socket(pool)), `${pool}.pid`), "utf8")));
    this.before = this.pids();
    assert.ok(this.before.length >= 4, "there are no workers");
  }

  /** Where the pools listen: socket("front"). */
  static sockets(lw) {
    const conf = fs.readFileSync(lw.conf, "utf8");
    return { socket: (pool) => new RegExp(`^socket = (.*/${pool}\\.sock)$`, "m").exec(conf)[1] };
  }

  pids() {
    return this.masters.flatMap(children).sort((a, b) => a - b);
  }

  /** The largest worker, in KiB. */
  largest() {
    return Math.max(...this.pids().map(residentKib));
  }

  /** No worker died, the service answers, and nothing was answered with 5xx or logged as an error. */
  async assertUnharmed() {
    assert.deepEqual(this.pids(), this.before, "a worker was replaced");
    const { status } = await this.lw.api("GET", "/readyz");
    assert.equal(status, 200);
    for (const name of ["front", "vault"]) {
      const bad = this.lw.log(name).split("\n").filter((line) => /"level":"error"|"status":5\d\d/.test(line));
      assert.deepEqual(bad.slice(0, 3), [], `${name} had errors`);
    }
  }

  /** `work` again and again makes no worker larger than the first rounds did. */
  async assertFlat(work, { warm = 3, rounds = 3, roomKib = 4096 } = {}) {
    for (let i = 0; i < warm; i++)
      await work();
    const first = this.largest();
    for (let i = 0; i < rounds; i++)
      await work();
    const grown = this.largest() - first;
    assert.ok(grown <= roomKib, `a worker grew by ${grown} KiB over ${first} KiB`);
  }
}
