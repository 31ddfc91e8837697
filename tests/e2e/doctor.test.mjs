// latchctl doctor: things are broken one after the other, and it has to say which, and nothing else.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { after, before, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { eventually, startInstance } from "./lib/instance.mjs";

let lw, ca, trusted, secret;
const servers = [];

before(async () => {
  ca = new CertificateAuthority();
  secret = path.join(ca.directory, "secret");
  fs.writeFileSync(secret, "a client's secret\n");
  lw = await startInstance({ conf: `[limits]\nlogin_per_minute = 0\n[client xero]\nclient_id = x\nclient_secret_file = ${secret}\n` });
  trusted = path.join(ca.directory, "both.pem");
  fs.writeFileSync(trusted, Buffer.concat([lw.ca, fs.readFileSync(ca.file)]));
});
after(async () => {
  await lw?.stop();
  for (const server of servers)
    server.close();
  ca?.remove();
});

/** Runs it beside this process, in which servers answer: {status, found}. */
async function doctor({ env = {}, args = [], conf = lw.conf, under = [] } = {}) {
  const [program, ...line] = [...under, path.join(lw.program, "bin/latchctl"), "doctor", "--json", "--ca", trusted, ...args];
  const { error, stdout, stderr } = await new Promise((done) => execFile(program, line,
    { encoding: "utf8", env: { PATH: process.env.PATH, LATCHWORK_CONF: conf, ...env } }, (e, out, err) => done({ error: e, stdout: out, stderr: err })));
  assert.ok(stdout.trim(), stderr);
  return { status: error ? error.code : 0, found: JSON.parse(stdout) };
}

const faults = (found) => found.filter(({ state }) => state === "FAULT");
const told = (found) => faults(found).map(({ about, words }) => `${about}: ${words}`).join("\n");

/** It must be among the faults, each with what to do about it; `only`: and they are about nothing else. */
async function finds(words, options, { only } = {}) {
  const { status, found } = await doctor(options);
  assert.match(told(found), words);
  assert.equal(status, 1);
  for (const { todo } of faults(found))
    assert.ok(todo.length > 10);
  if (only)
    assert.deepEqual([...new Set(faults(found).map(({ about }) => about))], only, told(found));
}

/** An address of a test's own that answers by `handler`. */
async function serve(handler, { names, certificate = ca.issue([], names) } = {}) {
  const server = https.createServer({ key: certificate.key, cert: certificate.cert }, handler);
  servers.push(server);
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { LATCHWORK_SERVER_PUBLIC_URL: `https://localhost:${server.address().port}` };
}

/** A proxy in front of the instance that does `spoil` to what passes. */
const proxy = (spoil) => serve((request, response) => {
  const passed = { path: request.url, headers: { ...request.headers, host: `localhost:${lw.port}` }, answer: (headers) => headers, body: (status, body) => body };
  spoil(passed);
  https.request({ host: "localhost", servername: "localhost", port: lw.port, ca: lw.ca, method: request.method, path: passed.path, headers: passed.headers }, (answer) => {
    const chunks = [];
    answer.on("data", (chunk) => chunks.push(chunk)).on("end", () => {
      const body = passed.body(answer.statusCode, Buffer.concat(chunks));
      response.writeHead(answer.statusCode, { ...passed.answer(answer.headers), "content-length": body.length }).end(body);
    });
  }).end();
});

test("a good installation has no fault, and the redirect URI to register is printed", async () => {
  const { status, found } = await doctor();
  assert.equal(told(found), "");
  assert.equal(status, 0);
  for (const about of ["database", "durability", "schema", "clock", "keys", "disk", "pools", "latch-expr", "egress", "kernel", "pdftotext", "live",
    "catalogue", "tls", "proxy", "redirect"])
    assert.ok(found.some((each) => each.about === about && each.state === "ok"), about);
  const uris = (list) => list.filter(({ state, about }) => state === "note" && about === "redirect").map(({ words }) => words.split(": ")[1]);
  assert.deepEqual(uris(found), [`${lw.url}/api/v1/oauth/callback/xero`]);
  assert.ok(uris((await doctor({ args: ["--all"] })).found).includes(`${lw.url}/api/v1/oauth/callback/slack`));
  assert.match(found.find(({ about }) => about === "tls").words, /; \d{3} days are left/);
  const text = lw.latchctl("doctor", "--ca", trusted);
  assert.match(text.stdout, /^ok +tls /m);
});

test("an address that is no use is named", async () => {
  const at = (url) => ({ env: { LATCHWORK_SERVER_PUBLIC_URL: url } });
  await finds(/can't be reached: the name can't be resolved/, at("https://nowhere.invalid"), { only: ["address"] });
  await finds(/can't be reached: no connection/, at("https://localhost:9"), { only: ["address"] });
  await finds(/nginx doesn't know the host name/, { env: await proxy((passed) => { passed.headers.host = "other.example"; }) }, { only: ["proxy"] });
});

/** For localhost, by the test's CA, of a day that is long past. */
function expiredCertificate() {
  const { keyFile, key } = ca.issue(), file = (name) => path.join(ca.directory, name);
  fs.writeFileSync(file("ca.conf"), `[ca]\ndefault_ca = here\n[here]\ndatabase = ${file("index")}\nnew_certs_dir = ${ca.directory}\nserial = ${file("serial")}\n` +
    "default_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n[names]\nsubjectAltName = DNS:localhost\n");
  fs.writeFileSync(file("index"), "");
  fs.writeFileSync(file("serial"), "4D\n");
  const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
  openssl("req", "-new", "-key", keyFile, "-subj", "/CN=localhost", "-out", file("request"));
  openssl("ca", "-batch", "-config", file("ca.conf"), "-extensions", "names", "-cert", ca.file, "-keyfile", file("ca.key"), "-in", file("request"),
    "-out", file("expired.pem"), "-startdate", "20200101000000Z", "-enddate", "20200102000000Z");
  return { key, cert: fs.readFileSync(file("expired.pem")) };
}

test("a certificate that browsers refuse is named: expired, for another host, of nobody's CA", async () => {
  const answer = (_, response) => response.end();
  const expired = await serve(answer, { certificate: expiredCertificate() });
  await finds(/tls: The certificate expired \d{4} days ago/, { env: expired }, { only: ["tls"] });
  await finds(/tls: The certificate is for another host name/, { env: await serve(answer, { names: ["DNS:other.example"] }) }, { only: ["tls"] });
  await finds(/tls: No CA that is trusted here/, { env: await serve(answer), args: ["--ca", "/etc/ssl/certs/ca-certificates.crt"] }, { only: ["tls"] });
});

test("somebody else at the address is told from Latchwork", async () => {
  await finds(/proxy: .*something else is there/, { env: await serve((_, response) => response.end("hello")) }, { only: ["proxy"] });
  await finds(/proxy: \/healthz is redirected/, { env: await serve((_, response) => response.writeHead(301, { Location: "https://a.example/" }).end()) },
    { only: ["proxy"] });
});

test("a proxy that changes what passes is named, with what it changes", async () => {
  const spoiled = async (words, spoil, only = ["proxy"]) => finds(words, { env: await proxy(spoil) }, { only });
  await spoiled(/The header Authorization doesn't arrive/, ({ headers }) => { delete headers.authorization; });
  await spoiled(/The header Cookie doesn't arrive/, ({ headers }) => { delete headers.cookie; });
  await spoiled(/decodes or rewrites paths/, (passed) => { passed.path = new URL(passed.path, "https://a.example").pathname; });
  await spoiled(/Answers lack X-Request-Id/, (passed) => { passed.answer = ({ "x-request-id": _, ...rest }) => rest; });
  await spoiled(/Answers lack Strict-Transport-Security/, (passed) => { passed.answer = ({ "strict-transport-security": _, ...rest }) => rest; });
  await spoiled(/without Latchwork's own words/, (passed) => {
    passed.body = (status, body) => (status === 404 ? Buffer.from("Not here!") : body);
    passed.answer = (headers) => (headers["content-type"] === "application/problem+json" ? { ...headers, "content-type": "text/html" } : headers);
  }, ["proxy"]);
  await spoiled(/clock of whoever answers there is 3\d\d\d seconds/, (passed) => {
    passed.answer = (headers) => ({ ...headers, date: new Date(Date.now() + 3600_000).toUTCString() });
  }, ["clock"]);
});

test("a database that may forget what it committed is named", async () => {
  lw.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 2");
  try {
    await finds(/durability: innodb_flush_log_at_trx_commit is 2[^]*isn't ready: durability failed/, {}, { only: ["durability", "pools"] });
  } finally {
    lw.sql("SET GLOBAL innodb_flush_log_at_trx_commit = 1");
  }
});

test("an account that can't sign in, and an old schema, are named", async () => {
  const wrong = path.join(ca.directory, "wrong");
  fs.writeFileSync(wrong, "not its password\n");
  await finds(/database: The account latch_front can't use/, { env: { LATCHWORK_DATABASE_FRONT_PASSWORD_FILE: wrong } }, { only: ["database"] });
  const newest = "(SELECT v FROM (SELECT MAX(version) AS v FROM schema_migration) newest)";
  const [[at]] = lw.sql(`SELECT applied_at FROM schema_migration WHERE version = ${newest}`);
  lw.sql(`UPDATE schema_migration SET applied_at = NULL WHERE version = ${newest}`);
  try {
    await finds(/schema: The schema is at version \d+, and this program needs/, {});
  } finally {
    lw.sql(`UPDATE schema_migration SET applied_at = ${at} WHERE version = ${newest}`);
  }
});

test("a key that is missing, and a directory that is too open, are named", async () => {
  const directory = lw.at("etc/keys/vault"), current = fs.readFileSync(path.join(directory, "current"), "utf8").trim();
  const file = path.join(directory, `${current}.key`), mode = fs.statSync(directory).mode & 0o7777;
  fs.renameSync(file, `${file}.away`);
  try {
    await finds(new RegExp(`keys: .*${current}`), {}, { only: ["keys"] });
  } finally {
    fs.renameSync(`${file}.away`, file);
  }
  fs.chmodSync(directory, 0o755);
  try {
    await finds(/keys: .*too open: mode 0755/, {}, { only: ["keys"] });
  } finally {
    fs.chmodSync(directory, mode);
  }
});

test("what the configuration has wrong about clients and the way out is named", async () => {
  const conf = path.join(ca.directory, "other.conf"), more = (lines) => {
    fs.writeFileSync(conf, `${fs.readFileSync(lw.conf, "utf8")}\n${lines}\n`);
    return { conf };
  };
  await finds(/client: \[client nonesuch\]: there is no such connector type/, more("[client nonesuch]\nclient_id = x"), { only: ["client"] });
  await finds(/client: \[client slack\]: .*can't be read/, more("[client slack]\nclient_id = x\nclient_secret_file = /nonexistent"), { only: ["client"] });
  await finds(/egress: \[egress\]: /, { env: { LATCHWORK_EGRESS_ALLOW_HOSTS: "http://x" } }, { only: ["egress"] });
  await finds(/disk: .*less than server.min_free_mib/, { env: { LATCHWORK_SERVER_MIN_FREE_MIB: "1048576", LATCHWORK_SERVER_STATE_DIR: "/dev/shm" } }, { only: ["disk"] });
});

test("an evaluator and an nginx that don't answer are named", async () => {
  const nobody = path.join(ca.directory, "nobody.sock"), stranger = path.join(ca.directory, "stranger.sock");
  await finds(/latch-expr: latch-expr doesn't answer on .*nobody/, { env: { LATCHWORK_EXPRESSION_SOCKET: nobody } }, { only: ["latch-expr"] });
  await finds(/live: Nobody listens on .*nobody/, { env: { LATCHWORK_LIVE_SOCKET: nobody } }, { only: ["live"] });
  const server = http.createServer((_, response) => response.writeHead(404).end());
  servers.push(server);
  await new Promise((done) => server.listen(stranger, done));
  await finds(/live: What listens on .*stranger.* takes no messages/, { env: { LATCHWORK_LIVE_SOCKET: stranger } }, { only: ["live"] });
});

test("a kernel that can't confine a reader of PDFs, and a reader that isn't there, are named", async () => {
  const without = (call) => ({ under: ["/usr/bin/python3", new URL("lib/refuse_calls.py", import.meta.url).pathname, String(call)] });
  if (process.arch === "x64") { // the numbers are its own
    await finds(/kernel: The kernel has no Landlock/, without(444), { only: ["kernel"] });
    await finds(/kernel: The kernel filters no system calls/, without(317), { only: ["kernel"] });
  }
  if (process.getuid() === 0)
    await finds(/pdftotext: PDFs can't be read here/, { under: ["unshare", "--mount", "sh", "-c", 'mount --bind /dev/null /usr/bin/pdftotext && exec "$@"', "sh"] },
      { only: ["pdftotext"] });
});

test("a pool and a worker that don't run are named", async () => {
  for (const part of ["vault", "worker"])
    process.kill(await lw.pid(part), "SIGTERM");
  await eventually("they have ended", async () => !(await lw.pid("vault")) && !(await lw.pid("worker")));
  try {
    await finds(/pools: The vault pool doesn't listen[^]*latch-worker doesn't run[^]*isn't answered: NOT_READY/, {}, { only: ["pools"] });
  } finally {
    await lw.quickstart("start");
  }
  assert.equal((await doctor()).status, 0);
});
