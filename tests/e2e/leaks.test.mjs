// A secret goes in, and comes out by `reveal` and by nothing else: no other answer, no log, no table, no file, and not
// from the memory of a process that is done with it. Every place that takes a secret gets one that is recognised.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import { after, before, test } from "node:test";
import { Canaries } from "./lib/canaries.mjs";
import { credentialTypes } from "./lib/credential_types.mjs";
import { startInstance } from "./lib/instance.mjs";
import { assertForgotten, remembered } from "./lib/memory.mjs";

const canaries = new Canaries();
const needsRoot = { skip: process.getuid() !== 0 && "needs root" };
const answers = []; // of every request: {what, shown, may}
let lw, owner;

before(async () => { lw = await startInstance({ conf: "[limits]\nlogin_per_minute = 0\n" }); });
after(async () => { await lw?.stop(); });

/** A request whose answer is looked at in the end; `may` names what it is for. */
async function call(method, uri, { may = [], ...options } = {}) {
  const answer = await lw.api(method, uri, { token: owner?.token, ...options });
  answers.push({ what: `${method} ${uri} -> ${answer.status}`, shown: Buffer.from(answer.text + JSON.stringify(answer.headers)), may: [...may] });
  return answer;
}

async function expect(status, method, uri, options) {
  const answer = await call(method, uri, options);
  assert.equal(answer.status, status, `${method} ${uri}: ${answer.text}`);
  return answer;
}

/** What the last answer gave out: it may show that, and nobody else may from now on. */
function given(name, secret) {
  assert.ok(secret?.length >= 20, name);
  canaries.add(name, secret);
  answers.at(-1).may.push(name);
  return secret;
}

/** An access token's payload is no secret, its signature is. */
function tokensOf(name, { access_token: access, refresh_token: refresh }) {
  given(`${name}_access_token`, access.split(".")[2]);
  given(`${name}_refresh_token`, refresh.replace(/^lwr_/, ""));
  return { token: access, refresh_token: refresh };
}

const linkOf = (email, kind) => {
  const mails = JSON.parse(lw.latchctl("mail", "--json", "--to", email).stdout);
  const token = new URL(mails.find((mail) => mail.kind === kind).link.replace("#/", "")).searchParams.get("token");
  canaries.add(`${kind}_link`, token);
  return token;
};

// --- every secret goes in -------------------------------------------------------------------

test("passwords, sessions and links", async () => {
  const email = "ada@canary.test", [password, changed, reset] = ["password", "changed_password", "reset_password"].map((name) => canaries.make(name));
  const registered = await expect(201, "POST", "/api/v1/auth/register", { body: { email, password, tenant_name: "Aviary" } });
  owner = tokensOf("register", registered.json);
  const login = (given, more) => call("POST", "/api/v1/auth/login", { body: { email, password: given, ...more }, token: undefined });
  const other = tokensOf("login", (await login(password)).json);
  const browser = await login(password, { session: "cookie" });
  for (const [i, line] of browser.headers["set-cookie"].entries())
    given(`cookie_${i}`, line.split(";")[0].split("=")[1].split(".").at(-1));
  given("csrf", browser.json.csrf_token);
  const next = tokensOf("refresh", (await expect(200, "POST", "/api/v1/auth/refresh", { body: { refresh_token: other.refresh_token } })).json);
  await expect(401, "POST", "/api/v1/auth/refresh", { body: { refresh_token: other.refresh_token } });
  await expect(401, "GET", "/api/v1/auth/me", { token: next.token });
  await expect(204, "POST", "/api/v1/auth/password/change", { body: { old_password: password, new_password: changed } });
  await expect(400, "POST", "/api/v1/auth/password/change", { body: { old_password: password, new_password: canaries.make("never_set") } });
  await expect(202, "POST", "/api/v1/auth/password/forgot", { body: { email } });
  await expect(204, "POST", "/api/v1/auth/email/verify", { body: { token: linkOf(email, "email_verify") } });
  const token = linkOf(email, "password_reset");
  await expect(204, "POST", "/api/v1/auth/password/reset", { body: { token, password: reset } });
  await expect(400, "POST", "/api/v1/auth/password/reset", { body: { token, password: canaries.make("second_reset") } });
  owner = tokensOf("after_reset", (await login(reset)).json);
  assert.equal((await login(password)).status, 401);
});

test("API tokens, invitations and idempotent answers", async () => {
  const key = canaries.make("idempotency_key"), headers = { "Idempotency-Key": key };
  const body = { name: "a program", scopes: ["credentials:read", "credentials:write"] };
  const made = await expect(201, "POST", "/api/v1/tokens", { body, headers });
  const token = given("api_token", made.json.token);
  await expect(201, "POST", "/api/v1/tokens", { body, headers, may: ["api_token"] });
  await expect(409, "POST", "/api/v1/tokens", { body: { ...body, name: canaries.make("mismatch") }, headers });
  await expect(200, "GET", "/api/v1/auth/me", { token });
  await expect(403, "POST", "/api/v1/tokens", { token, body });
  await expect(204, "DELETE", `/api/v1/tokens/${made.json.id}`);
  await expect(401, "GET", "/api/v1/auth/me", { token });
  await expect(201, "POST", "/api/v1/invitations", { body: { email: "guest@canary.test", role: "viewer" } });
  const link = linkOf("guest@canary.test", "invitation"), password = canaries.make("guest_password");
  const accepted = await expect(200, "POST", "/api/v1/invitations/accept", { token: undefined, body: { token: link, password } });
  tokensOf("guest", accepted.json);
  await expect(400, "POST", "/api/v1/invitations/accept", { token: undefined, body: { token: link, password } });
});

for (const [type, members] of Object.entries(credentialTypes())) {
  test(`a credential of the type ${type}: every secret member, and others`, async () => {
    const secrets = members.filter((member) => member.secret).map((member) => member.name);
    const data = (when) => ({
      ...Object.fromEntries(members.map((m) => [m.name, m.secret ? canaries.make(`${type}_${m.name}_${when}`) : m.value()])),
      extra: { more: canaries.make(`${type}_extra_${when}`), deep: { er: [canaries.make(`${type}_deep_${when}`)] } },
    });
    const names = (when) => [...secrets.map((name) => `${type}_${name}_${when}`), `${type}_extra_${when}`, `${type}_deep_${when}`];
    assert.ok(secrets.length > 0);
    const first = data("first"), made = await expect(201, "POST", "/api/v1/credentials", { body: { name: type, type, data: first } });
    const one = `/api/v1/credentials/${made.json.id}`;
    assert.deepEqual((await expect(200, "POST", `${one}/reveal`, { may: names("first") })).json.data, first);
    const masked = (await expect(200, "PUT", one, { body: { data: data("second") } })).json.data;
    for (const name of secrets)
      assert.equal(masked[name], "Kana****");
    await expect(200, "PUT", one, { body: { data: masked } });
    for (const uri of [one, `${one}/versions`, `${one}/status`, "/api/v1/credentials", `/api/v1/credentials?type=${type}`])
      await expect(200, "GET", uri);
    await expect(200, "POST", `${one}/versions/1/restore`);
    await expect(200, "POST", `${one}/reveal`, { may: names("first"), headers: { "Idempotency-Key": crypto.randomUUID() } });
    await expect(400, "PUT", one, { body: { data: { ...data("refused"), unheard_of: canaries.make(`${type}_unknown`) } } });
    await expect(412, "PUT", one, { body: { data: data("stale") }, headers: { "If-Match": '"old"' } });
    if (type === "aws")
      await expect(204, "DELETE", one);
    else if (type === "smtp")
      await expect(200, "DELETE", `${one}?purge=true`);
    await call("GET", one);
  });
}

test("the short form", async () => {
  for (const when of ["first", "second"])
    await call("POST", "/api/v1/keys", { body: { service: "stripe", api_key: canaries.make(`key_${when}`) } });
  await expect(200, "GET", "/api/v1/keys");
  await expect(204, "DELETE", "/api/v1/keys/stripe");
});

/** A request that has to be refused. */
async function fails(method, uri, options) {
  const { status } = await call(method, uri, options);
  assert.ok(status >= 400 && status < 500, `${method} ${uri.slice(0, 80)}: ${status}`);
}

const inside = (name) => canaries.make(`failing_${name}`);

test("requests that can't be read, with a secret in the body, the query or a header", async () => {
  const json = { "Content-Type": "application/json" }, raw = (method, uri, body, headers = json) => fails(method, uri, { body, headers });
  const large = (secret) => `{"name":"n","type":"api_key","data":{"api_key":"${secret}","extra":{"x":"${"a".repeat(1 << 20)}"}}}`;
  await raw("POST", "/api/v1/auth/login", `{"email":"ada@canary.test","password":"${inside("syntax")}`);
  await raw("POST", "/api/v1/auth/login", `{"email":"a","password":"${inside("twice")}","password":"${inside("twice_again")}"}`);
  await raw("POST", "/api/v1/auth/login", Buffer.concat([Buffer.from(`{"password":"${inside("utf8")}`), Buffer.from([0xff, 0x22, 0x7d])]));
  await raw("POST", "/api/v1/credentials", large(inside("too_large")));
  await raw("POST", "/api/v1/credentials", large(inside("chunked")), { ...json, "Transfer-Encoding": "chunked" });
  await raw("POST", "/api/v1/credentials", `password=${inside("form")}`, { "Content-Type": "application/x-www-form-urlencoded" });
  await raw("POST", `/api/v1/credentials?api_key=${inside("query")}`, "{}");
  await raw("GET", `/api/v1/auth/me?access_token=${inside("query_token")}`);
  await raw("GET", `/api/v1/nothing?token=${inside("query_404")}`, undefined, { "X-Api-Key": inside("header_404") });
  await raw("GET", `/nothing?token=${inside("query_nginx")}`, undefined, { "X-Anything": inside("header_nginx") });
  await raw("PATCH", "/api/v1/credentials", `{"api_key":"${inside("method")}"}`);
  await raw("GET", `/api/v1/auth/me?${"a".repeat(20000)}=${inside("long")}`, undefined, {});
  await raw("GET", "/api/v1/auth/me", undefined, { "X-Long": "a".repeat(17000) + inside("long_header") });
  await raw("GET", "/healthz", undefined, { Host: "evil.example", Authorization: `Bearer ${inside("wrong_host")}` });
});

test("tokens that are none, wherever they stand", async () => {
  for (const token of [inside("token"), `lw_${inside("api_token")}`, `${owner.token}${inside("longer")}`, `a.${inside("jwt")}.b`])
    await fails("GET", "/api/v1/auth/me", { token });
  for (const headers of [{ Authorization: `Basic ${Buffer.from(`user:${inside("basic")}`).toString("base64")}` }, { Authorization: inside("alone") },
    { Cookie: `__Host-latchwork=${inside("cookie")}; other=${inside("other_cookie")}` }])
    await fails("GET", "/api/v1/auth/me", { token: undefined, headers });
  await fails("POST", "/api/v1/auth/refresh", { body: { refresh_token: inside("refresh") }, token: undefined });
  await fails("POST", "/api/v1/auth/refresh", { headers: { Cookie: `__Host-latchwork-refresh=${inside("refresh_cookie")}` }, token: undefined });
  await fails("POST", "/api/v1/auth/email/verify", { body: { token: inside("verify") } });
  await fails("POST", "/api/v1/auth/password/reset", { body: { token: inside("reset"), password: inside("reset_password") } });
  await fails("POST", "/api/v1/invitations/accept", { body: { token: inside("accept") } });
  await fails("POST", "/api/v1/tokens", { body: { name: "n", scopes: [inside("scope")] } });
  await fails("POST", "/api/v1/tokens", { body: { name: "n", scopes: ["admin"] }, headers: { "Idempotency-Key": `${inside("key")} with space` } });
});

test("passwords and secrets in the wrong member, of the wrong type or form", async () => {
  const email = "ada@canary.test", credential = (data, more) => ({ name: "n", type: "api_key", data, ...more });
  for (const body of [{ email: inside("as_address"), password: inside("with_it") }, { email: `${inside("as_host")}@canary.test`, password: "p" },
    { email, password: inside("wrong") }, { email: ["a"], password: [inside("list")] },
    { email: `' OR '1'='1' -- ${inside("sql")}`, password: `"; DROP TABLE user; -- ${inside("sql2")}` },
    { email, password: { of: inside("object") } }, { email, password: inside("unknown"), passwort: inside("member") },
    { email, password: inside("too_long") + "x".repeat(2000) }, { email, password: `${inside("control")}\u0000` }])
    await fails("POST", "/api/v1/auth/login", { body, token: undefined });
  for (const body of [{ email, password: inside("taken") }, { email: "not an address", password: inside("bad_address") }])
    await fails("POST", "/api/v1/auth/register", { body, token: undefined });
  for (const body of [credential(inside("text")), credential({ api_key: [inside("list")] }),
    credential({ api_key: inside("long") + "x".repeat(9000) }),
    credential({ api_key: inside("type") }, { type: "nothing" }), credential({ api_key: inside("time") }, { expires_at: "yesterday" }),
    credential({ password: inside("other_type") }, { type: "basic_auth" })])
    await fails("POST", "/api/v1/credentials", { body });
});

// --- and is looked for everywhere -------------------------------------------------------------

test("no list, no object, no audit row and no document shows one", async () => {
  for (const { path: uri, method } of lw.document.operations.filter((o) => o.method === "get" && !o.path.includes("{")))
    await expect(200, method.toUpperCase(), uri);
  for (let uri = "/api/v1/audit?limit=200"; uri;)
    uri = /<([^>]+)>; rel="next"/.exec((await expect(200, "GET", uri)).headers.link ?? "")?.[1];
  for (const { id } of (await expect(200, "GET", "/api/v1/credentials?limit=200")).json) {
    for (const below of ["", "/versions", "/status"])
      await expect(200, "GET", `/api/v1/credentials/${id}${below}`);
  }
});

test("no answer showed a secret but the one that it was for", () => {
  assert.ok(answers.length > 150, `only ${answers.length} answers`);
  const shown = answers.map(({ what, shown, may }) => [what, canaries.found(shown).filter((name) => !may.includes(name))]);
  assert.deepEqual(shown.filter(([, names]) => names.length > 0), []);
  const seen = new Set(answers.flatMap(({ shown }) => canaries.found(shown)));
  assert.ok(seen.has("api_token") && seen.has("service_account_private_key_first"), "the method finds nothing");
});

test("nor does the operator's command line, nor an archive", () => {
  const passphrase = lw.at("passphrase"), archive = lw.at("archive");
  const tenant = JSON.parse(lw.latchctl("tenant", "list", "--json").stdout).find(({ name }) => name === "Aviary").id;
  fs.writeFileSync(passphrase, "a passphrase that opens the archive", { mode: 0o600 });
  for (const args of [["tenant", "list"], ["user", "list"], ["token", "list", "--tenant", tenant], ["key", "list"], ["key", "verify"],
    ["audit", "seal"], ["audit", "verify"], ["config"], ["export", archive, "--tenant", tenant, "--passphrase-file", passphrase]]) {
    const done = lw.latchctl(...args);
    assert.equal(done.status, 0, done.stderr);
    assert.deepEqual(canaries.found(Buffer.from(done.stdout + done.stderr)), [], args.join(" "));
  }
  assert.ok(fs.statSync(archive).size > 1000);
});

test("no process remembers one when it is done, and the database never saw one", needsRoot, async (t) => {
  await assertForgotten("all of the above", lw, canaries, "front", "vault", "worker", "MariaDB");
  // What nginx keeps in its buffers is out of our hands: it is told, not asserted.
  const names = (await remembered(lw, canaries, "nginx")).flatMap(([, , , found]) => found);
  t.diagnostic(`nginx has ${names.length} in its buffers`);
});

test("the looking works in files, too: also for what is encoded, and across the pieces that a file is read in", () => {
  const secret = canaries.make("control");
  fs.mkdirSync(lw.at("control"));
  fs.writeFileSync(lw.at("control/large"), Buffer.concat([Buffer.alloc((8 << 20) - 5), Buffer.from(secret)]));
  for (const [i, before] of ["", "x", "xy"].entries())
    fs.writeFileSync(lw.at(`control/encoded${i}`), Buffer.from(before + secret).toString("base64"));
  assert.deepEqual(canaries.foundBelow(lw.at("control")).map(([file]) => file).sort(), ["encoded0", "encoded1", "encoded2", "large"]);
  fs.rmSync(lw.at("control"), { recursive: true });
});

test("no table holds one, and the database keeps no log of statements", () => {
  const user = os.userInfo().username;
  const dump = execFileSync("mariadb-dump", ["--no-defaults", `--socket=${lw.database}`, `--user=${user}`, "--all-databases"], { maxBuffer: 256 << 20 });
  assert.ok(dump.includes("credential_version") && dump.includes("Aviary"));
  assert.deepEqual(canaries.found(dump), []);
  assert.deepEqual(lw.sql("SELECT @@general_log, @@slow_query_log, @@log_bin"), [["0", "0", "0"]]);
});

test("no file below the home holds one: neither the database's own, nor a log, nor what nginx wrote aside", async () => {
  await lw.quickstart("stop");
  const looked = [], hits = canaries.foundBelow(lw.directory, looked);
  for (const file of ["db/data/ib_logfile0", "db/data/latchwork/credential_version.ibd", "log/front.log", "log/vault.log", "log/worker.log",
    "log/access.log", "log/mariadb.log", "archive"])
    assert.ok(looked.includes(file), `${file} wasn't looked at`);
  assert.deepEqual(hits, []);
});
