// What an operator is promised by contrib/quickstart: it starts, starts again, stops, and keeps secrets apart.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { Instance, startInstance } from "./lib/instance.mjs";

const PARTS = ["MariaDB", "front", "vault", "worker", "expr", "nginx"];
const asRoot = process.getuid() === 0;
let lw;

before(async () => { lw = await startInstance(); });
after(async () => { await lw?.stop(); });

async function pids() {
  const found = {};
  for (const part of PARTS)
    found[part] = await lw.pid(part);
  return found;
}

/** Runs a shell line as another user; true when it succeeded. */
function asUser(user, line) {
  return spawnSync("setpriv", ["--reuid", user, "--regid", user, "--init-groups", "--", "sh", "-c", line], { encoding: "utf8" }).status === 0;
}

function descendants(pid) {
  const children = execFileSync("ps", ["-e", "-o", "pid=,ppid="], { encoding: "utf8" }).trim().split("\n").map((l) => l.trim().split(/\s+/).map(Number));
  const found = [pid];
  for (let i = 0; i < found.length; i++)
    found.push(...children.filter(([, parent]) => parent === found[i]).map(([child]) => child));
  return found;
}

test("after the start everything runs, is ready, and the owner can sign in", async () => {
  for (const [part, pid] of Object.entries(await pids()))
    assert.ok(pid > 1, `${part} does not run`);
  assert.equal((await lw.api("GET", "/readyz")).status, 200);
  assert.ok((await lw.login()).access_token.length > 20);
});

test("a second start leaves what runs alone and does not make a second owner", async () => {
  const before = await pids(), environment = fs.readFileSync(lw.at("quickstart.env"), "utf8");
  await lw.quickstart("start");
  assert.deepEqual(await pids(), before);
  assert.equal(fs.readFileSync(lw.at("quickstart.env"), "utf8"), environment);
});

test("a port that is taken is named, and nothing else is disturbed", async () => {
  const before = await pids(), holder = net.createServer().listen(0, "127.0.0.1");
  await new Promise((done) => holder.once("listening", done));
  const other = new Instance(lw.at("other"), holder.address().port, lw.build);
  try {
    await assert.rejects(other.quickstart("start"), (error) => error.stderr.includes(`Port ${other.port} is taken`));
    assert.deepEqual(await pids(), before);
  } finally {
    await other.quickstart("stop");
    holder.close();
  }
});

test("the file with the owner's password and the keys are readable by their readers only", { skip: !asRoot && "needs root" }, () => {
  assert.equal(fs.statSync(lw.at("quickstart.env")).mode & 0o777, 0o600);
  const keys = fs.readdirSync(lw.at("etc/keys/vault")).map((name) => lw.at("etc/keys/vault", name));
  assert.ok(keys.length >= 2);
  for (const file of [...keys, lw.at("etc/password/vault"), lw.at("etc/password/worker"), lw.at("etc/password/ctl"), lw.at("etc/tls/server.key")]) {
    for (const user of ["latch-front", "www-data", "mysql", "nobody"])
      assert.equal(asUser(user, `cat '${file}'`), false, `${user} reads ${file}`);
  }
  assert.equal(asUser("latch-vault", `cat '${keys[0]}' >/dev/null`), true);
  assert.equal(asUser("latch-front", `cat '${lw.at("etc/password/front")}' >/dev/null`), true);
  assert.equal(asUser("latch-front", `ls '${lw.at("etc/keys/vault")}'`), false);
});

test("nobody but nginx can connect to the pools", { skip: !asRoot && "needs root" }, () => {
  for (const pool of ["front", "vault"]) {
    const conf = fs.readFileSync(lw.conf, "utf8"), socket = conf.match(new RegExp(`^socket = (.*/${pool}\\.sock)$`, "m"))[1];
    const stat = fs.statSync(socket);
    assert.equal(stat.mode & 0o777, 0o660);
    const connect = `/usr/bin/python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('${socket}')"`;
    assert.equal(asUser("www-data", connect), true);
    for (const user of ["nobody", "mysql"])
      assert.equal(asUser(user, connect), false, `${user} reaches ${pool}`);
  }
});

test("whoever evaluates expressions has no key, and only the pools and the worker can ask him", { skip: !asRoot && "needs root" }, () => {
  const socket = fs.readFileSync(lw.conf, "utf8").match(/^socket = (.*\/expr\.sock)$/m)[1];
  const connect = `/usr/bin/python3 -c "import socket; socket.socket(socket.AF_UNIX).connect('${socket}')"`;
  for (const user of ["latch-front", "latch-vault"])
    assert.equal(asUser(user, connect), true, user);
  for (const user of ["www-data", "nobody", "mysql"])
    assert.equal(asUser(user, connect), false, `${user} reaches latch-expr`);
  for (const place of ["etc/keys/front", "etc/keys/vault", "run/db", "run/front", "run/vault", "db/data"])
    assert.equal(asUser("latch-expr", `ls '${lw.at(place)}'`), false, `latch-expr looks into ${place}`);
  for (const file of ["etc/password/front", "etc/password/vault", "quickstart.env", "etc/tls/server.key"])
    assert.equal(asUser("latch-expr", `cat '${lw.at(file)}'`), false, `latch-expr reads ${file}`);
});

test("the database listens on no network, and is set to keep what it confirmed", () => {
  assert.deepEqual(lw.sql("SELECT @@skip_networking, @@innodb_flush_log_at_trx_commit, @@sync_binlog, @@local_infile, @@innodb_doublewrite"),
    [["1", "1", "1", "0", "1"]]);
  assert.match(lw.sql("SELECT @@sql_mode")[0][0], /STRICT_ALL_TABLES/);
});

test("each program runs as its own user, without privileges", { skip: !asRoot && "needs root" }, async () => {
  const users = { MariaDB: "mysql", front: "latch-front", vault: "latch-vault", worker: "latch-vault", expr: "latch-expr" };
  for (const [part, user] of Object.entries(users)) {
    const uid = execFileSync("id", ["-u", user], { encoding: "utf8" }).trim();
    for (const pid of descendants(await lw.pid(part))) {
      const status = fs.readFileSync(`/proc/${pid}/status`, "utf8");
      assert.match(status, new RegExp(`^Uid:\\s+${uid}\\s+${uid}\\s+${uid}\\s+${uid}$`, "m"), part);
      assert.match(status, /^CapEff:\s+0+$/m, part);
      assert.match(status, /^NoNewPrivs:\s+1$/m, part);
    }
  }
});

test("no secret stands in an environment or on a command line", { skip: !asRoot && "needs root" }, async () => {
  const secrets = ["front", "vault", "worker", "ctl"].map((name) => fs.readFileSync(lw.at("etc/password", name), "utf8"));
  secrets.push(lw.owner.password);
  for (const part of PARTS) {
    for (const pid of descendants(await lw.pid(part))) {
      const words = fs.readFileSync(`/proc/${pid}/environ`, "latin1") + fs.readFileSync(`/proc/${pid}/cmdline`, "latin1");
      for (const secret of secrets)
        assert.equal(words.includes(secret), false, `${part} (${pid})`);
    }
  }
  for (const file of fs.readdirSync(lw.at("log"))) {
    const text = fs.readFileSync(lw.at("log", file), "latin1");
    for (const secret of secrets)
      assert.equal(text.includes(secret), false, file);
  }
});

test("after stop nothing runs; after the next start the data is there", async () => {
  const owner = await lw.login();
  const made = await lw.api("POST", "/api/v1/credentials", { token: owner.access_token,
    body: { name: "kept", type: "api_key", service: "example", data: { api_key: "kept-0123456789abcdef" } } });
  assert.equal(made.status, 201);
  const before = await pids();
  await lw.quickstart("stop");
  for (const [part, pid] of Object.entries(before))
    assert.equal(fs.existsSync(`/proc/${pid}/cmdline`) && fs.readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(path.basename(lw.directory)), false, part);
  await assert.rejects(lw.quickstart("status"), (error) => error.code === 3);
  await lw.quickstart("start");
  const again = await lw.api("GET", `/api/v1/credentials/${made.json.id}`, { token: (await lw.login()).access_token });
  assert.equal(again.status, 200);
  assert.equal(again.json.data.api_key, "kept****");
});

test("stop ends only its own: a pidfile that names a stranger is left alone", async () => {
  await lw.quickstart("stop");
  const stranger = spawnSync("sh", ["-c", "sleep 600 >/dev/null 2>&1 & echo $!"], { encoding: "utf8" }).stdout.trim();
  const pidfile = fs.readFileSync(lw.conf, "utf8").match(/^pidfile = (.*front\.pid)$/m)[1];
  try {
    fs.writeFileSync(pidfile, `${stranger}\n`);
    await lw.quickstart("stop");
    assert.ok(fs.existsSync(`/proc/${stranger}`));
  } finally {
    fs.rmSync(pidfile, { force: true });
    process.kill(Number(stranger));
  }
});
