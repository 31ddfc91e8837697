// What the operator does with latchctl, beside the running service.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import { after, before, test } from "node:test";
import { eventually, startInstance } from "./lib/instance.mjs";

let lw;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" });
});
after(() => lw?.stop());

/** Runs a verb that must work; its JSON. */
function ctl(...args) {
  const { status, stdout, stderr } = lw.latchctl(...args, "--json");
  assert.equal(status, 0, `${args.join(" ")}: ${stderr}`);
  return stdout.trim() ? JSON.parse(stdout) : undefined;
}

function refused(words, ...args) {
  const { status, stderr } = lw.latchctl(...args);
  assert.notEqual(status, 0, args.join(" "));
  assert.match(stderr, words);
}

function secretFile(name, text) {
  const file = lw.at(name);
  fs.writeFileSync(file, `${text}\n`, { mode: 0o600 });
  return file;
}

const store = async (tenant, name, secret) => (await lw.api("POST", "/api/v1/credentials", {
  token: tenant.token, body: { name, type: "api_key", data: { api_key: secret } },
})).json;
const reveal = async (tenant, id) => (await lw.api("POST", `/api/v1/credentials/${id}/reveal`, { token: tenant.token })).json;
const list = async (tenant) => (await lw.api("GET", "/api/v1/credentials", { token: tenant.token })).json;

test("a wrong command line says how it is done", () => {
  refused(/no such verb/, "nonsense");
  refused(/usage: latchctl tenant delete ID --yes/, "tenant", "delete", "ten-x");
  refused(/doesn't take --frobnicate/, "mail", "--frobnicate");
  refused(/no tenant's id/, "token", "list", "--tenant", "nonsense");
  assert.match(lw.latchctl("help").stdout, /latchctl key rotate/);
  const { stdout } = lw.latchctl("completion", "bash");
  execFileSync("bash", ["-n"], { input: stdout });
});

test("a person whom the operator makes can sign in, and no longer once disabled", async () => {
  const made = ctl("user", "create", "--email", "made@example.test", "--tenant-name", "Made");
  const { access_token: token } = await lw.login("made@example.test", made[0]?.password ?? made.password);
  ctl("user", "disable", "MADE@example.test");
  assert.equal((await lw.api("GET", "/api/v1/auth/me", { token })).status, 401);
  ctl("user", "enable", "made@example.test");
  assert.equal((await lw.api("GET", "/api/v1/auth/me", { token })).status, 401);
  await lw.login("made@example.test", made[0]?.password ?? made.password);
  refused(/can't be registered/, "user", "create", "--email", "made@example.test");
  const { password } = ctl("user", "password", "made@example.test");
  const { access_token: second } = await lw.login("made@example.test", password);
  const id = ctl("tenant", "create", "--email", "made@example.test", "--name", "Made again").id;
  const { memberships } = (await lw.api("GET", "/api/v1/auth/me", { token: second })).json;
  assert.deepEqual(memberships.find(({ tenant_id: each }) => each === id), { tenant_id: id, tenant_name: "Made again", role: "owner" });
  const rows = lw.sql("SELECT action, JSON_VALUE(details, '$.operator') FROM audit WHERE action IN ('user.password', 'tenant.create')");
  assert.ok(rows.length >= 2 && rows.every(([, operator]) => operator !== "NULL"), JSON.stringify(rows));
});

test("an API token that the operator makes works, and no longer once revoked", async () => {
  const tenant = await lw.newTenant("operated");
  const args = ["--tenant", tenant.tenant.id];
  const made = ctl("token", "create", ...args, "--email", tenant.email, "--name", "ci", "--scopes", "credentials:read,audit:read");
  assert.equal((await lw.api("GET", "/api/v1/credentials", { token: made.token })).status, 200);
  assert.equal(ctl("token", "list", ...args)[0].id, made.id);
  ctl("token", "revoke", ...args, made.id);
  assert.equal((await lw.api("GET", "/api/v1/credentials", { token: made.token })).status, 401);
});

test("an archive brings every secret back, and a broken one nothing", async () => {
  const from = await lw.newTenant("exported"), to = await lw.newTenant("restored");
  const secrets = new Map();
  for (let i = 0; i < 5; i++) {
    const secret = crypto.randomBytes(16).toString("hex");
    secrets.set((await store(from, `credential ${i}`, secret)).name, secret);
  }
  const archive = lw.at("archive"), passphrase = ["--passphrase-file", secretFile("passphrase", "an archive's passphrase")];
  assert.equal(ctl("export", archive, "--tenant", from.tenant.id, ...passphrase).credentials, "5");
  assert.ok(![...secrets.values()].some((secret) => fs.readFileSync(archive, "utf8").includes(secret)));
  refused(/File exists/, "export", archive, "--tenant", from.tenant.id, ...passphrase);

  const whole = fs.readFileSync(archive);
  const lines = whole.toString().split("\n");
  const broken = {
    cut: whole.subarray(0, whole.length - 40),
    "without its end": Buffer.from(lines.slice(0, -2).join("\n") + "\n"),
    "a line gone": Buffer.from(lines.filter((_, i) => i !== 2).join("\n")),
    swapped: Buffer.from([lines[0], lines[2], lines[1], ...lines.slice(3)].join("\n")),
    flipped: Buffer.from(whole.map((byte, i) => (i === Math.floor(whole.length / 2) ? byte ^ 1 : byte))),
    empty: Buffer.alloc(0),
  };
  const target = ["--tenant", to.tenant.id, "--email", to.email];
  for (const [name, bytes] of Object.entries(broken)) {
    fs.writeFileSync(lw.at("broken"), bytes);
    const { status, stderr } = lw.latchctl("restore", lw.at("broken"), ...target, ...passphrase);
    assert.notEqual(status, 0, name);
    assert.match(stderr, /nothing was stored/, name);
  }
  refused(/nothing was stored/, "restore", archive, ...target, "--passphrase-file", secretFile("other", "another passphrase"));
  assert.equal((await list(to)).length, 0);

  ctl("restore", archive, ...target, ...passphrase);
  for (const credential of await list(to))
    assert.equal((await reveal(to, credential.id)).data.api_key, secrets.get(credential.name));
  assert.equal((await list(to)).length, 5);
});

/** A Fernet token as Python's cryptography makes it (github.com/fernet/spec). */
function fernet(key, text) {
  const iv = crypto.randomBytes(16), time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)));
  const cipher = crypto.createCipheriv("aes-128-cbc", key.subarray(16), iv);
  const body = Buffer.concat([Buffer.from([0x80]), time, iv, cipher.update(text), cipher.final()]);
  const token = Buffer.concat([body, crypto.createHmac("sha256", key.subarray(0, 16)).update(body).digest()]);
  return token.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

test("an earlier backend's credentials come over; what can't be read is named by its line", async () => {
  const tenant = await lw.newTenant("imported");
  const key = crypto.pbkdf2Sync("the old passphrase", "old salt", 1000, 32, "sha256");
  const line = (name, token) => JSON.stringify({ name, type: "api_key", service: "stripe", token });
  fs.writeFileSync(lw.at("old.jsonl"), [
    line("one", fernet(key, JSON.stringify({ api_key: "old key number one" }))),
    line("two", fernet(crypto.randomBytes(32), "{}")),
    "{not json",
    line("three", fernet(key, JSON.stringify({ api_key: "old key number three" }))),
  ].join("\n"));
  const args = ["import", "fernet", lw.at("old.jsonl"), "--tenant", tenant.tenant.id, "--email", tenant.email, "--key-file",
    secretFile("old-passphrase", "the old passphrase"), "--salt", "old salt", "--iterations", "1000"];
  const { status, stderr } = lw.latchctl(...args);
  assert.equal(status, 1);
  assert.match(stderr, /old\.jsonl:2: /);
  assert.match(stderr, /old\.jsonl:3: /);
  const stored = await list(tenant);
  assert.deepEqual(stored.map(({ name }) => name).sort(), ["one", "three"]);
  assert.equal((await reveal(tenant, stored.find(({ name }) => name === "one").id)).data.api_key, "old key number one");
  lw.latchctl(...args);
  assert.equal((await list(tenant)).length, 2, "a second import stores nothing twice");
});

test("with a tenant goes all that was its own, its key first", async () => {
  const tenant = await lw.newTenant("doomed");
  const { id } = await store(tenant, "doomed", "a doomed secret");
  for (const [uri, body] of [["connectors", { connector_type: "stripe", config: { secret_key: "sk_test_0123456789abcdef0123" } }],
    ["services/stripe/enable", {}], ["sheet-mappings/set", { service: "stripe", spreadsheet_id: "sheet", sheet_name: "Doomed" }]]) {
    const { status, text } = await lw.api("POST", `/api/v1/${uri}`, { token: tenant.token, body });
    assert.ok(status < 300, text);
  }
  const before = lw.sql("SELECT HEX(ciphertext) FROM credential_version WHERE credential_id IN (SELECT credential_id FROM credential WHERE name = 'doomed')");
  assert.equal(before.length, 1);
  refused(/needs --yes|usage/, "tenant", "delete", tenant.tenant.id);
  ctl("tenant", "delete", tenant.tenant.id, "--yes");
  assert.equal((await lw.api("GET", `/api/v1/credentials/${id}`, { token: tenant.token })).status, 401);
  assert.equal(lw.sql("SELECT COUNT(*) FROM credential WHERE name = 'doomed'")[0][0], "0");
  for (const table of ["connector", "service_setting", "sheet_mapping"])
    assert.equal(lw.sql(`SELECT COUNT(*) FROM ${table}`)[0][0], "0", `${table} still holds what was the tenant's`);
  assert.equal(Number(lw.sql("SELECT COUNT(*) FROM tenant_key k JOIN tenant t USING (tenant_id) WHERE t.deleted_at IS NOT NULL")[0][0]), 0);
});

test("every kind of tampering with the audit trail is found, and its row is named", async () => {
  const tenant = await lw.newTenant("audited");
  for (let i = 0; i < 4; i++)
    await store(tenant, `audited ${i}`, "an audited secret");
  const unsealed = () => Number(lw.sql("SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq WHERE c.seq IS NULL")[0][0]);
  await eventually("all rows are sealed", () => unsealed() === 0);
  process.kill(await lw.pid("worker"), "SIGSTOP"); // no further row is sealed meanwhile
  try {
    const intact = ctl("audit", "verify");
    assert.equal(intact.verdict, "intact");
    const [[seq, next]] = lw.sql("SELECT MAX(seq) - 2, MAX(seq) - 1 FROM audit_chain");
    const tampering = {
      changed: [`UPDATE audit SET outcome = 'refused' WHERE seq = ${seq}`, `UPDATE audit SET outcome = 'ok' WHERE seq = ${seq}`],
      "changed in an empty member": [`UPDATE audit SET details = '' WHERE seq = ${seq} AND details IS NULL; UPDATE audit SET service = 'x' WHERE seq = ${seq}`,
        `UPDATE audit SET details = NULLIF(details, ''), service = NULL WHERE seq = ${seq}`],
      reordered: [`UPDATE audit_chain SET seq = 0 WHERE seq = ${seq}; UPDATE audit_chain SET seq = ${seq} WHERE seq = ${next}; UPDATE audit_chain SET seq = ${next} WHERE seq = 0`,
        `UPDATE audit_chain SET seq = 0 WHERE seq = ${next}; UPDATE audit_chain SET seq = ${next} WHERE seq = ${seq}; UPDATE audit_chain SET seq = ${seq} WHERE seq = 0`],
      removed: [`CREATE TABLE kept AS SELECT * FROM audit WHERE seq = ${seq}; DELETE FROM audit WHERE seq = ${seq}`,
        "INSERT INTO audit SELECT * FROM kept; DROP TABLE kept"],
    };
    for (const [name, [harm, mend]] of Object.entries(tampering)) {
      lw.sql(harm);
      const { status, stderr } = lw.latchctl("audit", "verify");
      assert.equal(status, 1, name);
      assert.match(stderr, new RegExp(`row (${seq}|${next}) at position`), name);
      lw.sql(mend);
      assert.equal(ctl("audit", "verify").verdict, "intact", `${name}, mended`);
    }
    lw.sql(`DELETE FROM audit WHERE seq > ${seq}; DELETE FROM audit_chain WHERE seq > ${seq}`);
    assert.equal(ctl("audit", "verify").verdict, "intact", "a cut end alone looks whole");
    refused(/cut off/, "audit", "verify", "--head", intact.head);
  } finally {
    process.kill(await lw.pid("worker"), "SIGCONT");
  }
});

test("the configuration that is printed can be read again", () => {
  const { stdout } = lw.latchctl("config");
  fs.writeFileSync(lw.at("printed.conf"), stdout);
  assert.equal(ctl("config")["server.public_url"], lw.url);
  const again = lw.latchctl("config", "--config", lw.at("printed.conf"));
  assert.equal(again.status, 0, again.stderr);
  assert.equal(again.stdout, stdout);
  fs.writeFileSync(lw.at("wrong.conf"), stdout.replace("workers = ", "worker = "));
  refused(/wrong\.conf:\d+: \[front\] worker: there is no such key/, "config", "--config", lw.at("wrong.conf"));
});

const KEPT = ["tenant_key", "credential", "credential_version"];

test("a backup opens what was deleted since, until the root key of its time is destroyed; then nothing does", async () => {
  const tenant = await lw.newTenant("shredded"), of = tenant.tenant.id, secret = "a shredded secret";
  await store(tenant, "shredded", secret);
  const archive = () => lw.latchctl("export", lw.at("shredded"), "--tenant", of, "--passphrase-file", secretFile("shredding", "a long passphrase"));
  const where = `tenant_id IN (SELECT tenant_id FROM credential WHERE name = 'shredded')`;
  lw.sql(KEPT.map((table) => `CREATE TABLE backup_${table} AS SELECT * FROM ${table} WHERE ${where};`).join("\n"));
  const restore = () => lw.sql(`UPDATE tenant SET deleted_at = NULL WHERE tenant_id IN (SELECT tenant_id FROM backup_credential);
    ${KEPT.map((table) => `REPLACE INTO ${table} SELECT * FROM backup_${table};`).join("\n")}`);
  ctl("tenant", "delete", of, "--yes");
  restore();
  assert.equal(archive().status, 0, "the method opens nothing at all");
  ctl("tenant", "delete", of, "--yes");
  const keys = lw.at("etc/keys/vault"), before = fs.readdirSync(keys).filter((file) => file.endsWith(".key"));
  ctl("key", "rotate", "vault");
  for (const file of before)
    fs.rmSync(`${keys}/${file}`);
  process.kill(await lw.pid("vault"), "SIGHUP");
  process.kill(await lw.pid("worker"), "SIGHUP");
  const other = await lw.newTenant("kept"), { id } = await store(other, "kept", "a kept secret");
  assert.equal((await reveal(other, id)).data.api_key, "a kept secret");
  restore();
  const { status, stdout, stderr } = archive();
  assert.notEqual(status, 0);
  assert.ok(!(stdout + stderr).includes(secret));
  refused(/A key that this needs isn't loaded/, "key", "verify");
  lw.sql(KEPT.map((table) => `DROP TABLE backup_${table};`).join("\n"));
  ctl("tenant", "delete", of, "--yes");
  assert.equal(lw.latchctl("key", "verify").status, 0);
});
