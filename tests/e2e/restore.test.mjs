// The drill of latchwork(7): a backup is taken as it says, under load, and brought back on another installation.
import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { idBytes } from "./lib/tenants.mjs";

const CONF = `${NO_LIMITS}[auth]\naccess_token_ms = 86400000\n`;
const DUMP = ["--single-transaction", "--quick", "--hex-blob", "--routines", "--triggers"]; // those of the manual page
const secrets = new Map(); // of credentials, by id: everything that was answered with success
let first, second, backup, tenant, workflow, source;

before(async () => {
  [first, second] = await Promise.all([startInstance({ conf: CONF }), startInstance({ conf: CONF })]);
  backup = fs.mkdtempSync(path.join(os.tmpdir(), "lw-backup-"));
  tenant = await first.newTenant("kept");
  for (let i = 0; i < 50; i++)
    await store();
  await first.latchctl("key", "rotate", "vault"); // older rows are under a key that isn't current
  await store();
  source = await does(first, "POST", "/knowledge/manual", { question: "When do you ship?", answer: "Within two days." });
  workflow = await does(first, "POST", "/workflows", { name: "kept", definition: {
    steps: [{ id: "one", type: "transform", config: { expression: ".input.n + 1" } }], dependencies: {} } });
});
after(async () => {
  await second?.stop();
  await first?.stop();
  fs.rmSync(backup, { recursive: true, force: true });
});

async function does(lw, method, uri, body) {
  const answer = await lw.api(method, `/api/v1${uri}`, { token: tenant.token, body });
  assert.ok(answer.status < 300, `${method} ${uri}: ${answer.status} ${answer.text}`);
  return answer.json;
}

async function store() {
  const secret = crypto.randomBytes(16).toString("hex");
  const { id } = await does(first, "POST", "/credentials", { name: `kept ${secret}`, type: "api_key", data: { api_key: secret } });
  secrets.set(id, secret);
}

const client = (lw) => ["--no-defaults", `--socket=${lw.database}`, `--user=${os.userInfo().username}`];
const works = (lw, ...args) => {
  const { status, stdout, stderr } = lw.latchctl(...args);
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout;
};

/** One try of the dump: its status, and what it said. */
async function tryDump(file) {
  const out = fs.openSync(file, "w"), child = spawn("mariadb-dump", [...client(first), ...DUMP, "latchwork"], { stdio: ["ignore", out, "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => { said += text; });
  const status = await new Promise((done) => child.once("close", done));
  fs.closeSync(out);
  return { status, said };
}

/** The database's dump; what happens meanwhile goes on. As the page says, one that met new partitions is taken again. */
async function dump(name) {
  const file = path.join(backup, name);
  let ended = await tryDump(file);
  for (let i = 0; i < 5 && ended.said.includes("1412"); i++)
    ended = await tryDump(file);
  assert.equal(ended.status, 0, ended.said);
  return file;
}

async function endPrograms(lw) {
  const pids = await Promise.all(["front", "vault", "worker", "expr"].map((part) => lw.pid(part)));
  pids.filter(Boolean).forEach((pid) => process.kill(pid, "SIGTERM"));
  for (const part of ["front", "vault", "worker", "expr"])
    await eventually(`${part} has ended`, async () => (await lw.pid(part)) === undefined, 60);
}

/** What the page says, up to where the programs are started. */
async function bringBack(file, keys = path.join(backup, "keys")) {
  await endPrograms(second);
  second.sql("DROP DATABASE latchwork; CREATE DATABASE latchwork CHARACTER SET utf8mb4", "mysql");
  for (const set of ["front", "vault"])
    fs.readdirSync(second.at("etc/keys", set)).forEach((name) => fs.rmSync(second.at("etc/keys", set, name)));
  execFileSync("cp", ["-a", `${keys}/.`, second.at("etc/keys")]);
  const { status, stderr } = spawnSync("mariadb", [...client(second), "latchwork"], { stdio: [fs.openSync(file), "ignore", "pipe"], encoding: "utf8" });
  assert.equal(status, 0, stderr);
}

/** Of every table, whatever it is for. */
function checksums(lw) {
  const tables = lw.sql("SELECT table_name FROM information_schema.tables WHERE table_schema = 'latchwork' AND table_type = 'BASE TABLE' ORDER BY 1").flat();
  assert.ok(tables.length > 40);
  return lw.sql(`CHECKSUM TABLE ${tables.map((name) => `\`${name}\``).join(", ")}`);
}

test("a backup that was taken under load comes back with all that had been answered with success", async () => {
  let stop = false;
  const writing = (async () => {
    while (!stop)
      await store();
  })();
  await eventually("it is under load", () => secrets.size > 60);
  execFileSync("cp", ["-a", first.at("etc/keys"), backup]);
  const before = [...secrets], [{ head }] = [JSON.parse(works(first, "audit", "seal", "--json"))].flat();
  const file = await dump("loaded.sql");
  stop = true;
  await writing;
  assert.match(fs.readFileSync(file, "utf8").trimEnd().split("\n").at(-1), /^-- Dump completed/);

  await bringBack(file);
  works(second, "migrate");
  works(second, "key", "verify");
  works(second, "audit", "verify", "--head", head);
  await second.quickstart("start");
  tenant.token = (await second.login(tenant.email, tenant.password)).access_token;
  for (const [id, secret] of before)
    assert.equal((await does(second, "POST", `/credentials/${id}/reveal`)).data.api_key, secret, id);
  assert.equal((await does(second, "GET", `/knowledge/${source.id}`)).text, "When do you ship?\n\nWithin two days.");
  const { execution_id: id } = await does(second, "POST", `/workflows/${workflow.id}/execute`, { input_data: { n: 1 } });
  await eventually("workflows run", async () => (await does(second, "GET", `/executions/${id}`)).status === "completed", 60);
  // What came after the backup isn't there, and it isn't half there.
  const [[half]] = second.sql("SELECT COUNT(*) FROM credential c LEFT JOIN credential_version v USING (tenant_id, credential_id, version) WHERE v.version IS NULL");
  assert.equal(half, "0");
  const doctor = second.latchctl("doctor", "--ca", second.at("etc/tls/ca.pem"));
  assert.equal(doctor.status, 0, doctor.stdout);
});

test("of a quiet database every row comes back, bit for bit, with its views, functions and triggers", async () => {
  await endPrograms(first);
  const wanted = checksums(first), file = await dump("quiet.sql");
  await bringBack(file);
  assert.deepEqual(checksums(second), wanted);
  const others = (lw) => ["SELECT table_name FROM information_schema.views WHERE table_schema = 'latchwork' ORDER BY 1",
    "SELECT routine_name, parameter_style, is_deterministic, definer FROM information_schema.routines WHERE routine_schema = 'latchwork' ORDER BY 1",
    "SELECT trigger_name, event_object_table, event_manipulation, definer FROM information_schema.triggers WHERE trigger_schema = 'latchwork' ORDER BY 1"].map((sql) => lw.sql(sql));
  assert.deepEqual(others(second), others(first));
  assert.ok(others(first).every((list) => list.length > 0));
});

test("with keys of another time nothing starts, and the key that is missing is named", async () => {
  const [[wanted]] = first.sql("SELECT root_key_id FROM root_key WHERE purpose = 'vault' ORDER BY created_at DESC, root_key_id DESC LIMIT 1");
  const stale = path.join(backup, "stale");
  execFileSync("cp", ["-a", path.join(backup, "keys"), stale]);
  const current = fs.readFileSync(path.join(stale, "vault/current"), "utf8").trim(), older = fs.readdirSync(path.join(stale, "vault")).find((name) =>
    name.endsWith(".key") && name !== `${current}.key`);
  fs.rmSync(path.join(stale, "vault", `${current}.key`));
  fs.writeFileSync(path.join(stale, "vault/current"), `${path.basename(older, ".key")}\n`);
  await bringBack(path.join(backup, "quiet.sql"), stale);
  works(second, "migrate");
  const { status, stderr, stdout } = second.latchctl("key", "verify");
  assert.notEqual(status, 0);
  assert.ok(`${stderr}${stdout}`.includes(current), `${wanted}: ${stderr}${stdout}`);
  await assert.rejects(second.quickstart("start"), (error) => /did not start/.test(error.stderr));
  assert.ok(second.log("vault").includes(current) || second.log("worker").includes(current));
});

test("a dump that ends too soon doesn't pass for a whole one", async () => {
  const whole = fs.readFileSync(path.join(backup, "quiet.sql"), "utf8"), cut = path.join(backup, "cut.sql");
  // Where a statement ends, so that the client has nothing to complain of.
  for (const part of [0.3, 0.6]) {
    fs.writeFileSync(cut, whole.slice(0, whole.indexOf(";\n", whole.length * part) + 2));
    await bringBack(cut);
    assert.notEqual(second.latchctl("migrate").status, 0, String(part));
  }
  await bringBack(path.join(backup, "quiet.sql"));
  works(second, "migrate");
  works(second, "key", "verify");
  assert.equal(second.sql(`SELECT COUNT(*) FROM credential WHERE tenant_id = ${idBytes(tenant.tenant.id)}`)[0][0], String(secrets.size));
});
