// What each program could do if somebody had taken it over: its database account, its files, its system calls.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, test } from "node:test";
import { ask, children } from "./lib/fcgi.mjs";
import { eventually, startInstance } from "./lib/instance.mjs";
import { Tenant, idBytes } from "./lib/tenants.mjs";

const INJECT = fs.readFileSync(new URL("lib/inject_syscall.py", import.meta.url));
const ACCOUNTS = ["front", "vault", "worker", "ctl"];
const needsRoot = { skip: process.getuid() !== 0 && "needs root" };
let lw, a, b, credential;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" });
  [a, b] = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
  credential = await a.newCredential();
  await b.newCredential();
});
after(async () => { await lw?.stop(); });

// --- the database accounts ------------------------------------------------------------------

/** Runs SQL as a pool's account: {rows, error}, the error's number or 0. */
function as(account, sql) {
  const password = fs.readFileSync(lw.at("etc/password", account), "utf8");
  const done = spawnSync("mariadb", ["--no-defaults", "--batch", "--skip-column-names", "--binary-mode", `--socket=${lw.database}`,
    `--user=latch_${account}`, "latchwork"], { input: sql, encoding: "utf8", env: { ...process.env, MYSQL_PWD: password } });
  const [, error = "0"] = /^ERROR (\d+)/m.exec(done.stderr) ?? [];
  assert.ok(done.status === 0 || error !== "0", done.stderr);
  return { rows: done.stdout.split("\n").filter((line) => line !== "").map((line) => line.split("\t")), error: Number(error) };
}

/** 1142, 1143: no such right on the table, on the column. 1044, 1045, 1227: nor at large. */
function assertDenied(account, sql) {
  const { error } = as(account, sql);
  assert.ok([1044, 1045, 1142, 1143, 1227].includes(error), `${account}: ${sql}: ${error}`);
}

test("the front's account reads no ciphertext, no key and no password hash", () => {
  assert.equal(as("front", "SELECT COUNT(*) FROM v_credential").error, 0);
  for (const sql of ["SELECT ciphertext FROM credential_version", "SELECT * FROM v_credential_secret", "SELECT ciphertext FROM v_credential_version",
    "SELECT wrapped FROM tenant_key", "SELECT wrapped FROM v_tenant_key", "SELECT password_hash FROM user", "SELECT payload FROM mail",
    "SELECT * FROM credential", "UPDATE user SET password_hash = 'x'", "INSERT INTO v_credential_secret (version) VALUES (1)"]) {
    const { error, rows } = as("front", sql);
    assert.ok([1142, 1143, 1054].includes(error), `${sql}: ${error}`); // 1054: the view has no such column
    assert.deepEqual(rows, []);
  }
  assert.equal(as("front", "SELECT password_hash FROM v_user").error, 1054);
});

test("no account has a right at large, or one to change the schema", () => {
  for (const account of ACCOUNTS) {
    const grants = as(account, "SHOW GRANTS").rows.flat();
    assert.ok(grants.length > 1);
    for (const grant of grants) {
      const [, rights, on] = /^GRANT (.*?) ON (?:(?:FUNCTION|PROCEDURE) )?(\S+) TO /.exec(grant);
      assert.ok(on === "*.*" ? rights === "USAGE" : /^((SELECT|INSERT|UPDATE|DELETE|EXECUTE)(, )?)+$/.test(rights), grant);
      assert.ok(on === "*.*" || on.startsWith("`latchwork`."), grant);
      assert.doesNotMatch(grant, /GRANT OPTION/);
    }
    for (const sql of ["CREATE TABLE t (a INT)", "DROP TABLE audit", "ALTER TABLE tenant ADD x INT", "GRANT SELECT ON tenant TO CURRENT_USER",
      "SELECT 1 INTO OUTFILE '/tmp/latchwork-test'", "LOAD DATA INFILE '/etc/passwd' INTO TABLE schema_migration", "SELECT * FROM mysql.user",
      "CREATE FUNCTION f() RETURNS INT RETURN 1", "SET GLOBAL general_log = ON", "FLUSH TABLES"])
      assertDenied(account, sql);
    assert.deepEqual(as(account, "SELECT LOAD_FILE('/etc/passwd') IS NULL").rows, [["1"]]);
  }
});

/** Tables of tenants that an account reaches without a view, because no tenant is known yet or it works for all of them. */
const BASE_TABLES = {
  front: "api_token connector hook issuer_tenant membership session tenant workflow workflow_trigger",
  vault: "api_token invitation issuer_tenant membership oauth_state session tenant",
  worker: "agent_message ai_usage audit connector credential execution execution_live hook invitation job job_history live_run oauth_state session sync_run tenant_key tenant_retention token_refresh workflow workflow_schedule",
  ctl: "audit connector event job membership session tenant tenant_key",
};

test("tenants' own tables are out of reach, but for a few that are named here", () => {
  for (const account of ACCOUNTS) {
    const tables = lw.sql(`SELECT DISTINCT p.Table_name FROM mysql.tables_priv p JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = 'latchwork'
      AND t.TABLE_NAME = p.Table_name AND t.TABLE_TYPE = 'BASE TABLE' JOIN information_schema.COLUMNS c ON c.TABLE_SCHEMA = 'latchwork'
      AND c.TABLE_NAME = t.TABLE_NAME AND c.COLUMN_NAME = 'tenant_id' WHERE p.User = 'latch_${account}' ORDER BY 1`).flat();
    assert.equal(tables.join(" "), BASE_TABLES[account], account);
  }
});

/** Tables whose rows are no tenant's, and why. */
const NOBODYS = {
  audit_chain: "ties the rows of all tenants together", event_key: "hashes that events are known by", hook_fetched_key: "keys that providers publish",
  hook_wanted_key: "which of them are waited for", idempotency: "hashes of tenant and key; the answer is sealed by the client's key",
  jwks: "keys that issuers publish", jwks_refresh: "when they were fetched", login_throttle: "hashes of addresses", mail: "for people, sealed",
  one_time_token: "of people", queue_stat: "figures", refresh_token: "of sessions, which are a tenant's", root_key: "names of root keys",
  schema_migration: "of the schema", user: "people, who may be in several", worker_stat: "figures",
};

test("each table says whose a row is, but for a few that are named here", () => {
  const tables = lw.sql(`SELECT TABLE_NAME FROM information_schema.TABLES t WHERE TABLE_SCHEMA = 'latchwork' AND TABLE_TYPE = 'BASE TABLE' AND NOT EXISTS
    (SELECT 1 FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.COLUMN_NAME = 'tenant_id')`).flat();
  assert.deepEqual(tables.toSorted(), Object.keys(NOBODYS));
});

test("the audit trail can be added to, by every account, and changed by none", () => {
  for (const account of ACCOUNTS) {
    for (const sql of ["UPDATE audit SET outcome = 'ok'", "DELETE FROM audit", "UPDATE v_audit SET outcome = 'ok'", "DELETE FROM v_audit",
      "UPDATE v_audit_system SET outcome = 'ok'", "DELETE FROM v_audit_system", "UPDATE audit_chain SET hash = ''", "DELETE FROM audit_chain",
      "TRUNCATE audit", "REPLACE INTO v_audit (audit_id) VALUES ('')"])
      assertDenied(account, sql);
  }
});

test("a view shows nothing until a tenant is set, and then that tenant's rows", () => {
  const views = lw.sql(`SELECT TABLE_NAME FROM information_schema.COLUMNS JOIN information_schema.VIEWS USING (TABLE_SCHEMA, TABLE_NAME)
    WHERE TABLE_SCHEMA = 'latchwork' AND COLUMN_NAME = 'tenant_id' AND TABLE_NAME <> 'v_audit_system'`).flat();
  assert.ok(views.length >= 10);
  for (const view of views) {
    assert.deepEqual(lw.sql(`SELECT COUNT(*) FROM ${view}`), [["0"]], view);
    assert.deepEqual(lw.sql(`SET @lw_tenant = ${idBytes(a.id)}; SELECT COUNT(*) FROM ${view} WHERE tenant_id <> ${idBytes(a.id)}`), [["0"]], view);
  }
  assert.deepEqual(as("front", "SELECT * FROM v_credential").rows, []);
  assert.deepEqual(as("front", `SET @lw_tenant = ${idBytes(a.id)}; SELECT COUNT(*), MIN(HEX(credential_id)) FROM v_credential`).rows,
    [["1", idBytes(credential.id).slice(2, -1).toUpperCase()]]);
});

test("through a view no row can be written into another tenant, or moved there", () => {
  const of = (tenant) => `SET @lw_tenant = ${idBytes(tenant.id)};`, CHECK_FAILED = 1369;
  const insert = `INSERT INTO v_membership (tenant_id, user_id, role, created_at) VALUES (${idBytes(a.id)}, ${idBytes(b.owner.id)}, 'owner', 1)`;
  for (const account of ["front", "vault"])
    assert.equal(as(account, `${of(b)} ${insert}`).error, CHECK_FAILED);
  assert.equal(as("front", insert).error, CHECK_FAILED);
  assert.equal(as("front", `${of(b)} UPDATE v_membership SET tenant_id = ${idBytes(a.id)}`).error, CHECK_FAILED);
  assert.equal(as("front", `${of(b)} UPDATE v_membership SET role = 'viewer' WHERE tenant_id = ${idBytes(a.id)}`).error, 0);
  assert.deepEqual(lw.sql(`SELECT COUNT(*) FROM membership WHERE tenant_id = ${idBytes(a.id)} AND role = 'viewer'`), [["1"]]);
});

// --- the processes -----------------------------------------------------------------------------

const status = (pid) => Object.fromEntries(fs.readFileSync(`/proc/${pid}/status`, "utf8").trim().split("\n").map((line) => line.split(/:\s+/)));
const all = (pid) => [pid, ...children(pid)];
/** Runs a program as a pool's own user, as somebody who got into the pool would. */
const asUser = (user, ...argv) =>
  spawnSync("setpriv", ["--reuid", user, "--regid", user, "--init-groups", "--", ...argv], { encoding: "utf8", input: INJECT });
/** The result of a system call that the process is made to do; NaN when it can't be made to. */
const inject = (user, pid, ...call) => Number(asUser(user, "/usr/bin/python3", "-B", "-", ...[pid, ...call].map(String)).stdout || NaN);

/** The numbers of x86-64. */
const CALL = { socket: 41, clone: 56, execve: 59, close: 3 }, INET = 2, INET6 = 10, UNIX = 1, NETLINK = 16, STREAM = 1, RAW = 3;
const EPERM = -1, EACCES = -13;

test("every process of the pools and the worker is in a sandbox, without privileges and without core dumps", needsRoot, async () => {
  for (const part of ["front", "vault", "worker"]) {
    for (const pid of all(await lw.pid(part))) {
      const { Seccomp, NoNewPrivs, CapEff, CapPrm, CapBnd } = status(pid);
      assert.deepEqual({ Seccomp, NoNewPrivs, CapEff, CapPrm, CapBnd },
        { Seccomp: "2", NoNewPrivs: "1", CapEff: "0".repeat(16), CapPrm: "0".repeat(16), CapBnd: "0".repeat(16) }, `${part} ${pid}`);
      assert.match(fs.readFileSync(`/proc/${pid}/limits`, "utf8"), /^Max core file size +0 +0 /m);
    }
  }
});

test("no process of the front and no quick worker of the vault can open a network socket or become another program, and the vault's others can only call out", needsRoot, async (t) => {
  const results = (pid, ...calls) => calls.map((call) => inject("root", pid, ...call));
  // A generation's first workers are the quick ones.
  const front = all(await lw.pid("front")), [, ...workers] = all(await lw.pid("vault")), quick = workers.slice(0, 2), vault = workers[2];
  if (Number.isNaN(inject("root", vault, CALL.close, 1000)))
    return t.skip("no tracing here, or not an x86-64");
  for (const pid of [...front, ...quick]) {
    assert.deepEqual(results(pid, [CALL.socket, INET, STREAM, 0], [CALL.socket, INET6, STREAM, 0], [CALL.socket, NETLINK, RAW, 0]),
      [EACCES, EACCES, EACCES]);
    assert.deepEqual(results(pid, [CALL.execve, 0, 0, 0]), [EPERM]);
  }
  for (const pid of [front[1], ...quick])
    assert.deepEqual(results(pid, [CALL.clone, 17, 0, 0, 0, 0]), [EPERM]);
  const [inet, raw, unix] = results(vault, [CALL.socket, INET, STREAM, 0], [CALL.socket, INET, RAW, 0], [CALL.socket, UNIX, STREAM, 0]);
  assert.ok(inet > 2 && unix > 2, "the method shows nothing");
  assert.equal(raw, EPERM);
  assert.deepEqual(results(vault, [CALL.close, inet], [CALL.close, unix], [CALL.execve, 0, 0, 0]), [0, 0, EPERM]);
  assert.equal((await lw.api("GET", "/readyz")).status, 200);
});

test("the front has no socket open but local ones, nor have the vault's quick workers", needsRoot, async () => {
  const local = new Set(fs.readFileSync("/proc/net/unix", "utf8").split("\n").slice(1).map((line) => line.trim().split(/\s+/)[6]));
  for (const pid of [...all(await lw.pid("front")), ...children(await lw.pid("vault")).slice(0, 2)]) {
    const links = fs.readdirSync(`/proc/${pid}/fd`).map((fd) => fs.readlinkSync(`/proc/${pid}/fd/${fd}`));
    const sockets = links.map((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1]).filter(Boolean);
    assert.ok(sockets.length > 0);
    assert.deepEqual(sockets.filter((inode) => !local.has(inode)), []);
  }
});

test("not even its own user looks into a process: memory, environment, tracing", needsRoot, async () => {
  for (const [part, user] of [["front", "latch-front"], ["vault", "latch-vault"], ["worker", "latch-vault"], ["expr", "latch-expr"]]) {
    for (const pid of all(await lw.pid(part))) {
      assert.equal(execFileSync("stat", ["-c", "%U", `/proc/${pid}/mem`], { encoding: "utf8" }).trim(), "root");
      for (const file of ["mem", "environ", "maps"])
        assert.notEqual(asUser(user, "head", "-c1", `/proc/${pid}/${file}`).status, 0, `${part}: ${file}`);
      assert.notEqual(asUser(user, "ls", `/proc/${pid}/fd`).status, 0, part);
      assert.equal(inject(user, pid, CALL.close, 1000), NaN, part);
    }
  }
});

test("the front's user writes nowhere but its run directory, and reads no secret but its own", needsRoot, () => {
  const find = (user, ...what) => asUser(user, "find", lw.directory, "-path", lw.at("db"), "-prune", "-o", ...what, "-print").stdout
    .split("\n").filter((file) => file !== "").map((file) => path.relative(lw.directory, file));
  const writable = find("latch-front", "-writable", "!", "-type", "l", "!", "-type", "s");
  assert.ok(writable.includes("run/front/front.pid"));
  for (const file of writable)
    assert.match(file, /^run\/front(\/|$)/);
  const readable = find("latch-front", "-type", "f", "-readable").filter((file) => /^(etc\/(keys|password|tls)|quickstart)/.test(file));
  for (const file of readable)
    assert.match(file, /^etc\/(keys\/front\/.*|password\/front|tls\/(ca|server)\.pem|tls\/.*\.(crt|cnf))$/);
  assert.ok(readable.some((file) => file.startsWith("etc/keys/front/")));
  assert.notEqual(asUser("latch-front", "ls", lw.at("db/data")).status, 0);
});

test("a pool doesn't serve the other's operations, whoever sends them there", async () => {
  const socket = (pool) => new RegExp(`^socket = (.*/${pool}\\.sock)$`, "m").exec(fs.readFileSync(lw.conf, "utf8"))[1];
  const params = [["HTTP_AUTHORIZATION", `Bearer ${a.owner.token}`]], one = `/api/v1/credentials/${credential.id}`;
  assert.equal((await ask(socket("front"), { method: "POST", uri: `${one}/reveal`, params })).status, 404);
  assert.equal((await ask(socket("vault"), { uri: one, params })).status, 404);
  assert.equal((await ask(socket("front"), { uri: one, params })).status, 200);
  assert.equal((await ask(socket("vault"), { method: "POST", uri: `${one}/reveal`, params })).status, 200);
});

test("the sandbox doesn't hinder a reload, nor the death of a worker, which leaves no core", needsRoot, async () => {
  const master = await lw.pid("front"), before = children(master);
  process.kill(master, "SIGHUP");
  const now = () => children(master);
  await eventually("there are new workers", () => now().length === before.length && !now().some((pid) => before.includes(pid)), 60);
  const [victim] = children(master);
  process.kill(victim, "SIGABRT");
  await eventually("the dead one was replaced", () => children(master).length === before.length && !children(master).includes(victim), 60);
  assert.equal((await lw.api("GET", "/readyz")).status, 200);
  const below = execFileSync("find", [lw.directory, "-name", "core*"], { encoding: "utf8" });
  assert.equal(below + fs.readdirSync("/").filter((name) => name.startsWith("core")).join(), "");
});
