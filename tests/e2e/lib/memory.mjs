// What the processes of an instance still have in their memory. Needs root: they aren't dumpable.
import assert from "node:assert/strict";
import { children } from "./fcgi.mjs";
import { eventually } from "./instance.mjs";

/** Where canaries are in the memory of these parts' processes: [[part, pid, region, names]]. */
export async function remembered(lw, canaries, ...parts) {
  const hits = [];
  for (const part of parts) {
    const master = await lw.pid(part);
    for (const pid of [master, ...children(master)])
      hits.push(...canaries.foundInMemory(pid).map((hit) => [part, pid, ...hit]));
  }
  return hits;
}

/** They are nowhere, at once or within moments: an answer may be on its way while its buffers are still there. */
export async function assertForgotten(what, lw, canaries, ...parts) {
  let hits;
  const forgotten = async () => (hits = await remembered(lw, canaries, ...parts)).length === 0;
  await eventually("nothing is remembered", forgotten, 60).catch(() => assert.deepEqual(hits, [], what));
}
