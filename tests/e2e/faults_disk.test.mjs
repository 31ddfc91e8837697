// The disk of the database is full: clear refusals, nothing acknowledged that isn't there, and no hand is needed
// once there is room again. Needs root, for a small file system of its own.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { Instance, eventually, NO_LIMITS } from "./lib/instance.mjs";
import { freePort } from "./lib/http.mjs";
import { Ledger, Load } from "./lib/load.mjs";
import { startDatabase, workers } from "./lib/processes.mjs";

const SIZE_MIB = 384;
const ROUNDS = process.env.LATCHWORK_LONG ? 5 : 1;

let lw, disk, why;

before(async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-"));
  fs.chmodSync(directory, 0o755);
  lw = new Instance(directory, await freePort(), process.env.LATCHWORK_BUILD);
  fs.mkdirSync(lw.at("db"));
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MIB}m,mode=0755`, "latchwork-test", lw.at("db")], { encoding: "utf8" });
  if (mounted.status !== 0) {
    why = `no small file system to be had: ${mounted.error?.message ?? mounted.stderr.trim()}`;
    return;
  }
  disk = lw.at("db");
  fs.mkdirSync(lw.at("etc"));
  fs.writeFileSync(lw.at("etc", "latchwork.local.conf"),
    NO_LIMITS);
  await lw.start();
});
after(async () => {
  const { directory } = lw;
  if (disk) {
    await lw.quickstart("stop").catch(() => {});
    execFileSync("umount", [disk]);
  }
  fs.rmSync(directory, { recursive: true, force: true });
});

/** Takes all the room there is. */
function fill() {
  const fd = fs.openSync(path.join(disk, "filler"), "a"), block = Buffer.alloc(1 << 16);
  try {
    for (let size = block.length; size >= 512;)
      try {
        if (fs.writeSync(fd, block, 0, size) < size)
          throw Object.assign(new Error("full"), { code: "ENOSPC" });
      } catch (error) {
        if (error.code !== "ENOSPC")
          throw error;
        size /= 2;
      }
  } finally {
    fs.closeSync(fd);
  }
}

test("the disk fills up under load: 503, no false success, reads go on, and it heals by itself", async (t) => {
  if (why)
    return t.skip(why);
  const { token } = await lw.newTenant("full"), ledger = new Ledger();
  const serving = async () => [await lw.pid("front"), await lw.pid("vault"), ...await workers(lw, "vault")].join(" ");
  const before = await serving();
  const load = new Load(lw, { token, ledger, clients: 6 }).start();
  t.after(() => load.stop());
  await load.progress(100);
  for (let round = 0; round < ROUNDS; round++) {
    fill();
    assert.equal((await lw.api("GET", "/readyz")).status, 503, "readiness looks at the free space");
    // The room that the tables have already got is soon used up. (A secret that needs pages of its own makes MariaDB
    // 10.11 end itself on a full disk; what happens when it dies is tested in faults_database.)
    const failed = load.failures.length;
    await eventually("writes are refused", async () => {
      const data = { api_key: crypto.randomBytes(2000).toString("base64") }, name = `large ${crypto.randomUUID()}`;
      const answer = await lw.api("POST", "/api/v1/credentials", { token, body: { name, type: "api_key", data } });
      ledger.create(name, data.api_key, answer);
      assert.ok(answer.status === 201 || answer.status === 503, answer.text);
      fill();
      return answer.status === 503 && load.failures.length > failed + 5;
    }, 120);
    const [row] = ledger.rows.values(), survived = Boolean(await lw.pid("MariaDB"));
    if (survived)
      assert.equal((await lw.api("GET", `/api/v1/credentials/${row.id}`, { token })).status, 200, "masked reads write nothing");
    fs.rmSync(path.join(disk, "filler"));
    if (!survived) {
      t.diagnostic("MariaDB has ended itself; it is started again, as systemd would");
      await startDatabase(lw);
    }
    await load.progress(200);
    await eventually("the service is ready again", async () => (await lw.api("GET", "/readyz")).status === 200, 60);
  }
  await load.stop();
  t.diagnostic(`${load.done} requests, ${load.failures.length} failures: ${[...new Set(load.failures.map(({ what, code }) => `${what} ${code}`))].join(", ")}`);
  assert.deepEqual(load.wrong, []);
  assert.ok(load.failures.every(({ status }) => status === 503), JSON.stringify(load.failures.filter(({ status }) => status !== 503).slice(0, 5)));
  assert.equal(await serving(), before, "no process was started again");
  assert.deepEqual(await ledger.compare(lw, token), []);
  return undefined;
});
