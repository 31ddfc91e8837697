// The vault from outside: what a client and an operator do with secrets, and what nobody may find.
import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { after, before, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { eventually, startInstance } from "./lib/instance.mjs";
import { workers } from "./lib/processes.mjs";
import { Tenant, idBytes } from "./lib/tenants.mjs";

const SECRET = "canary-0123456789abcdef";
let lw, tenant;

before(async () => {
  lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" });
  tenant = await new Tenant(lw, "cedar").start();
});
after(async () => { await lw?.stop(); });

const call = (method, uri, body, headers) => lw.api(method, uri, { token: tenant.owner.token, body, headers });
const count = (sql) => Number(lw.sql(sql)[0][0]);
const plain = async (id) => (await tenant.does("POST", `/api/v1/credentials/${id}/reveal`)).data;
const store = (data = { api_key: SECRET }, more = {}) => tenant.newCredential(data, more);

function refused(answer, status, code) {
  assert.equal(answer.status, status, answer.text);
  assert.equal(answer.json.code, code);
}

// --- a client ------------------------------------------------------------------------------

test("a secret is stored, shown masked, and revealed to who may", async () => {
  const made = await store();
  assert.deepEqual(made.data, { api_key: "cana****" });
  assert.equal(made.verify.status, "untested");
  const read = await call("GET", `/api/v1/credentials/${made.id}`);
  assert.deepEqual(read.json, made);
  assert.deepEqual(await plain(made.id), { api_key: SECRET });
  refused(await lw.api("POST", `/api/v1/credentials/${made.id}/reveal`, { token: tenant.people.member.token }), 403, "DENIED");
});

test("a reveal is in the audit trail, and so is its refusal", async () => {
  const { id } = await store();
  await plain(id);
  await lw.api("POST", `/api/v1/credentials/${id}/reveal`, { token: tenant.people.viewer.token });
  const rows = await tenant.does("GET", `/api/v1/audit?target=${id}&action=credential.reveal`);
  assert.ok(rows.some((row) => row.outcome === "ok"));
  const refusals = await tenant.does("GET", "/api/v1/audit?action=credential.reveal");
  assert.ok(refusals.some((row) => row.outcome === "refused"));
});

/** Asks for all of `kinds` in turn, 24 times, so that they are all there when the workers look. */
async function burst(kinds) {
  const asked = Array.from({ length: 24 }, (_, i) => kinds[i % kinds.length]), pids = await workers(lw, "front");
  pids.forEach((pid) => process.kill(pid, "SIGSTOP"));
  setTimeout(() => pids.forEach((pid) => process.kill(pid, "SIGCONT")), 500);
  const answers = await Promise.all(asked.map(({ ask }) => ask()));
  for (const [i, answer] of answers.entries())
    assert.ok(asked[i].is(answer), `${asked[i].ask}: ${answer.status} ${answer.text}`);
}

/** Of many that ask the same at once, some are answered with one statement. */
async function assertTogether(kind) {
  const statements = () => count("SELECT IFNULL(SUM(select_commands), 0) FROM information_schema.user_statistics WHERE user = 'latch_front'");
  lw.sql("SET GLOBAL userstat = 1");
  const before = statements();
  let bursts = 0;
  // On a busy machine they may come one by one all the same.
  await eventually("some were answered together", async () => {
    await burst([kind]);
    return statements() - before < 24 * ++bursts;
  });
}

/** A token of the owner's, whose session is over. */
async function endedToken() {
  const { token } = await tenant.signIn(tenant.owner);
  assert.equal((await lw.api("POST", "/api/v1/auth/logout", { token })).status, 204);
  return token;
}

test("of reads that are answered together each gets its own answer, whoever else asks", async () => {
  const other = await new Tenant(lw, "birch").start(), agent = new https.Agent({ keepAlive: true, maxSockets: 64 });
  const made = await Promise.all(Array.from({ length: 6 }, (_, i) => store({ api_key: `${SECRET}-${i}` })));
  const theirs = await other.newCredential({ api_key: SECRET });
  const { headers: { etag } } = await call("GET", `/api/v1/credentials/${made[0].id}`);
  // Made of the columns, as what an earlier version has stored: nothing is kept of it.
  lw.sql(`UPDATE credential SET answer = NULL WHERE credential_id = ${idBytes(made[1].id)}`);
  const ended = await endedToken(), unknown = "cred-7zzzzzzzzzzzzzzzzzzzzzzzzz", read = (id, token, headers) => lw.api("GET", `/api/v1/credentials/${id}`, { token, headers, agent });
  const kinds = [
    ...made.map((credential) => ({ ask: () => read(credential.id, tenant.owner.token), is: ({ status, json }) => status === 200 && isDeepStrictEqual(json, credential) })),
    { ask: () => read(made[2].id, tenant.people.viewer.token), is: ({ status, json }) => status === 200 && isDeepStrictEqual(json, made[2]) },
    { ask: () => read(made[0].id, tenant.owner.token, { "If-None-Match": etag }), is: ({ status, text }) => status === 304 && text === "" },
    { ask: () => read(theirs.id, other.owner.token), is: ({ status, json }) => status === 200 && isDeepStrictEqual(json, theirs) },
    { ask: () => read(theirs.id, tenant.owner.token), is: ({ status }) => status === 404 },
    { ask: () => read(unknown, tenant.owner.token), is: ({ status }) => status === 404 },
    { ask: () => read(made[3].id, ended), is: ({ status, json }) => status === 401 && json.code === "SESSION_ENDED" },
  ];
  for (let i = 0; i < 3; i++)
    await burst(kinds);
  await assertTogether(kinds[0]);
  agent.destroy();
});

test("of lists that are answered together each is its own, whoever else asks", async () => {
  const other = await new Tenant(lw, "alder").start(), empty = await new Tenant(lw, "elder").start();
  const agent = new https.Agent({ keepAlive: true, maxSockets: 64 }), ended = await endedToken();
  const made = [], theirs = await other.newCredential(), owner = tenant.owner.token;
  for (let i = 0; i < 4; i++)
    made.unshift(await store({ api_key: `${SECRET}-${i}` }, { service: "listed" }));
  const list = (query, token) => lw.api("GET", `/api/v1/credentials${query}`, { token, agent });
  const head = () => lw.api("HEAD", "/api/v1/credentials?limit=3", { token: owner, agent, unchecked: true });
  const { headers: { link, "content-length": length } } = await list("?limit=3", owner), next = new URL(/^<([^>]+)>/.exec(link)[1], lw.url).search;
  const shows = (credentials, to) => ({ status, headers, json }) => status === 200 && isDeepStrictEqual(json, credentials) && (!to || headers.link === to);
  const kinds = [
    { ask: () => list("?limit=3", owner), is: shows(made.slice(0, 3), link) },
    { ask: () => list("?lim%69t=3", owner), is: shows(made.slice(0, 3), link.replace("limit", "lim%69t")) },
    { ask: () => list("?limit=1", owner), is: shows([made[0]]) },
    { ask: () => list("?limit=3", tenant.people.viewer.token), is: shows(made.slice(0, 3), link) },
    { ask: () => list(next, owner), is: ({ status, json }) => status === 200 && json.length === 3 && isDeepStrictEqual(json[0], made[3]) },
    { ask: () => list("?limit=3&service=listed", owner), is: shows(made.slice(0, 3)) },
    { ask: () => list("?limit=3&cursor=x", owner), is: ({ status }) => status === 400 },
    { ask: head, is: ({ status, headers, text }) => status === 200 && text === "" && headers["content-length"] === length && headers.link === link },
    { ask: () => list("?limit=3", other.owner.token), is: ({ status, headers, json }) => status === 200 && isDeepStrictEqual(json, [theirs]) && !headers.link },
    { ask: () => list("?limit=3", empty.owner.token), is: shows([]) },
    { ask: () => list("?limit=3", ended), is: ({ status, json }) => status === 401 && json.code === "SESSION_ENDED" },
  ];
  for (let i = 0; i < 3; i++)
    await burst(kinds);
  await assertTogether(kinds[0]);
  agent.destroy();
});

test("while many ask for the same list, the next one has what was stored, and who has signed out gets none", async () => {
  const agent = new https.Agent({ keepAlive: true, maxSockets: 64 }), { token } = await tenant.signIn(tenant.owner);
  const list = () => lw.api("GET", "/api/v1/credentials?limit=20", { token, agent });
  let over = false;
  const crowd = Promise.all(Array.from({ length: 12 }, async () => {
    for (let status = 200; !over; { status } = await list())
      assert.ok(status === 200 || status === 401, `${status}`);
  }));
  try {
    for (let i = 0; i < 12; i++) {
      const { id } = await store();
      assert.ok((await list()).json.some((shown) => shown.id === id), `${id} isn't shown`);
    }
    assert.equal((await lw.api("POST", "/api/v1/auth/logout", { token })).status, 204);
    for (let i = 0; i < 12; i++)
      refused(await list(), 401, "SESSION_ENDED");
  } finally {
    over = true;
    await crowd;
    agent.destroy();
  }
});

test("an entity tag stays while nothing changes, and guards against a lost update", async () => {
  const { id } = await store();
  const uri = `/api/v1/credentials/${id}`;
  const { etag } = (await call("GET", uri)).headers;
  assert.equal((await call("GET", uri, undefined, { "If-None-Match": etag })).status, 304);
  const same = await call("PUT", uri, { data: { api_key: "cana****" } }, { "If-Match": etag });
  assert.equal(same.status, 200);
  assert.equal(same.headers.etag, etag);
  assert.equal(same.json.version, 1);
  const changed = await call("PUT", uri, { name: "renamed", data: { api_secret: "s" } }, { "If-Match": etag });
  assert.equal(changed.json.version, 2);
  assert.notEqual(changed.headers.etag, etag);
  refused(await call("PUT", uri, { name: "late" }, { "If-Match": etag }), 412, "PRECONDITION_FAILED");
  refused(await call("DELETE", uri, undefined, { "If-Match": etag }), 412, "PRECONDITION_FAILED");
  assert.deepEqual(await plain(id), { api_key: SECRET, api_secret: "s" });
});

test("what doesn't belong into the data is refused with its place", async () => {
  const bodies = [
    [{ type: "api_key", data: {} }, "data.api_key", "REQUIRED"],
    [{ type: "api_key", data: { api_key: 5 } }, "data.api_key", "WRONG_TYPE"],
    [{ type: "api_key", data: { api_key: "k", tenant_id: tenant.id } }, "data.tenant_id", "UNKNOWN_FIELD"],
    [{ type: "database", data: { engine: "postgresql", host: "h", port: "5432" } }, "data.port", "WRONG_TYPE"],
    [{ type: "api_key", data: { api_key: "k" }, tenant_id: tenant.id }, "tenant_id", "UNKNOWN_FIELD"],
    [{ type: "api_key", data: { api_key: "k" }, key_id: "k" }, "key_id", "UNKNOWN_FIELD"],
  ];
  for (const [body, field, code] of bodies) {
    const answer = await call("POST", "/api/v1/credentials", { name: "n", ...body });
    refused(answer, 400, "BAD_INPUT");
    assert.deepEqual(answer.json.fields.map((f) => [f.field, f.code]), [[field, code]]);
  }
});

test("an old version comes back, and shows no secret on the way", async () => {
  const { id } = await store();
  await tenant.does("PUT", `/api/v1/credentials/${id}`, { data: { api_key: "short" } });
  const versions = await call("GET", `/api/v1/credentials/${id}/versions`);
  assert.deepEqual(versions.json.map((v) => [v.version, v.current, v.data.api_key]), [[2, true, "****"], [1, false, "cana****"]]);
  assert.equal((await tenant.does("POST", `/api/v1/credentials/${id}/versions/1/restore`)).version, 3);
  assert.deepEqual(await plain(id), { api_key: SECRET });
  refused(await call("POST", `/api/v1/credentials/${id}/versions/9/restore`), 404, "NOT_FOUND");
});

test("a purge destroys every version and proves it", async () => {
  const { id } = await store();
  await tenant.does("PUT", `/api/v1/credentials/${id}`, { data: { api_key: "another" } });
  assert.deepEqual(await tenant.does("DELETE", `/api/v1/credentials/${id}?purge=true`), { purged: true, verified: true });
  assert.equal(count(`SELECT COUNT(*) FROM credential_version WHERE credential_id = ${idBytes(id)}`), 0);
  refused(await call("GET", `/api/v1/credentials/${id}`), 404, "NOT_FOUND");
});

test("the short form keeps one key a service, however many store it at once", async () => {
  const keys = Array.from({ length: 8 }, (_, i) => ({ service: "openai", api_key: `sk-number-${i}-0123456789` }));
  const answers = await Promise.all(keys.map((key) => call("POST", "/api/v1/keys", key)));
  assert.deepEqual(new Set(answers.map((a) => a.status)), new Set([200, 201]), answers.map((a) => a.text).join());
  assert.equal(answers.filter((a) => a.status === 201).length, 1);
  const list = await tenant.does("GET", "/api/v1/keys");
  assert.deepEqual(list.map((key) => [key.service, key.api_key]), [["openai", "sk-n****"]]);
  assert.equal((await call("DELETE", "/api/v1/keys/openai")).status, 204);
  assert.deepEqual(await tenant.does("GET", "/api/v1/keys"), []);
});

test("a swapped ciphertext answers one generic failure and is told to the audit trail", async () => {
  const [one, two] = [await store(), await store({ api_key: "another secret of this tenant" })];
  const bytes = lw.sql(`SELECT HEX(ciphertext) FROM credential_version WHERE credential_id = ${idBytes(two.id)}`)[0][0];
  lw.sql(`UPDATE credential_version SET ciphertext = X'${bytes}' WHERE credential_id = ${idBytes(one.id)}`);
  const answer = await call("POST", `/api/v1/credentials/${one.id}/reveal`);
  refused(answer, 500, "UNREADABLE");
  assert.equal(answer.text.includes("another"), false);
  const rows = await tenant.does("GET", `/api/v1/audit?target=${one.id}`);
  assert.ok(rows.some((row) => row.action === "credential.unreadable" && row.outcome === "failed"));
  await tenant.does("DELETE", `/api/v1/credentials/${one.id}?purge=true`);
});

// --- an operator -----------------------------------------------------------------------------

/** Runs latchctl; killed after `ms` when that is given. */
function latchctl(args, ms) {
  return new Promise((resolve) => {
    const child = execFile(path.join(lw.program, "bin/latchctl"), args, { env: { LATCHWORK_CONF: lw.conf } },
      (error, stdout, stderr) => resolve({ status: error ? error.code ?? error.signal : 0, stdout, stderr }));
    if (ms !== undefined)
      setTimeout(() => child.kill("SIGKILL"), ms);
  });
}

/** Stores, changes and reveals until it is stopped; throws at the first failure. */
function writers(n) {
  let running = true, done = 0;
  const work = async () => {
    while (running) {
      const { id } = await store({ api_key: `before ${done}` });
      await tenant.does("PUT", `/api/v1/credentials/${id}`, { data: { api_key: `after ${done}` } });
      assert.match((await plain(id)).api_key, /^after /);
      done++;
    }
  };
  const all = Promise.all(Array.from({ length: n }, work));
  all.catch(() => {});
  return async () => { running = false; await all; return done; };
}

test("keys are rotated under load and by processes that are killed, and every secret stays readable", async () => {
  const stop = writers(3);
  for (const [set, options] of [["tenant", ["--tenant", tenant.id]], ["vault", []]]) {
    for (const ms of [3, 10, 25, 60])
      await latchctl(["key", "rotate", set, ...options], ms);
    const whole = await latchctl(["key", "rotate", set, ...options]);
    assert.equal(whole.status, 0, whole.stderr);
  }
  assert.ok(await stop() > 0);
  assert.equal(count("SELECT COUNT(*) FROM credential_version v JOIN tenant t USING (tenant_id) WHERE v.key_generation <> t.key_generation"), 0);
  assert.equal(count("SELECT COUNT(*) FROM tenant_key k JOIN root_key r USING (root_key_id) WHERE r.state <> 'current'"), 0);
  assert.equal(count(`SELECT COUNT(*) FROM tenant_key WHERE tenant_id = ${idBytes(tenant.id)}`), 1);
  const verified = await latchctl(["key", "verify"]);
  assert.equal(verified.status, 0, verified.stderr);
  for (const credential of await tenant.does("GET", "/api/v1/credentials?limit=200"))
    await plain(credential.id);
});

test("no plain secret is at rest: in the database's files, in logs, in temporary files", async () => {
  await store({ api_key: `${SECRET}-at-rest`, extra: { note: SECRET } });
  lw.sql("SET GLOBAL innodb_max_dirty_pages_pct = 0");
  await eventually("the pages are on disk", () => count("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'INNODB_BUFFER_POOL_PAGES_DIRTY'") === 0);
  const found = spawnSync("grep", ["-rlac", "canary-0123456789", lw.directory, "--exclude-dir=build"], { encoding: "utf8" });
  assert.equal(found.stdout, "");
});

test("a wrong root key stops the start with its id, and the right one opens everything again", async () => {
  const { id } = await store();
  const directory = /^vault_dir = (.*)$/m.exec(lw.latchctl("config").stdout)?.[1];
  const file = path.join(directory, `${fs.readFileSync(path.join(directory, "current"), "utf8").trim()}.key`);
  const kept = fs.readFileSync(file);
  const { mode, uid, gid } = fs.statSync(file);
  const put = (bytes) => {
    fs.rmSync(file);
    fs.writeFileSync(file, bytes, { mode });
    fs.chownSync(file, uid, gid);
  };
  await lw.quickstart("stop");
  put(crypto.randomBytes(32));
  await assert.rejects(lw.quickstart("start"));
  assert.ok(lw.log("vault").includes(path.basename(file, ".key")), "the log names the key");
  await lw.quickstart("stop").catch(() => {});
  put(kept);
  await lw.quickstart("start");
  assert.deepEqual(await plain(id), { api_key: SECRET });
});
