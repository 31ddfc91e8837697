// Mails go out: over TLS only, once, readable, with links that work once; and what fails is tried again until it is given up.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { freePort } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { ACCOUNT, startSmtp } from "./lib/smtp.mjs";

let lw, ca, mail, closed, passwordFile;

const section = ({ port, starttls = false, password = passwordFile, name = "Läster & Söhne, mail department of the house", from = "no-reply@latchwork.test" }) =>
  `[mail]\nhost = localhost\nport = ${port}\nstarttls = ${starttls ? "yes" : "no"}\nuser = ${ACCOUNT.username}\n` +
  `password_file = ${password}\nfrom = ${from}\nfrom_name = ${name}\n`;

const base = () => `${NO_LIMITS}[egress]\nallow_hosts = ${[mail.ports.tls, mail.ports.starttls, mail.ports.plain, closed].map((port) => `localhost:${port}`).join(",\n\t")}\nca_file = ${ca.file}\n`;

before(async () => {
  ca = new CertificateAuthority();
  mail = await startSmtp(ca);
  closed = await freePort();
  passwordFile = `${ca.directory}/mail-password`;
  fs.writeFileSync(passwordFile, `${ACCOUNT.password}\n`);
  fs.writeFileSync(`${ca.directory}/wrong-password`, "not this one\n");
  fs.chmodSync(passwordFile, 0o644);
  fs.chmodSync(`${ca.directory}/wrong-password`, 0o644);
  lw = await startInstance({ conf: base() });
});
after(async () => {
  await lw?.stop();
  await mail?.stop();
  ca?.remove();
});
beforeEach(() => {
  mail.refuse();
  mail.letters.length = mail.mails.length = mail.tries.length = 0;
});

const count = (sql) => Number(lw.sql(sql)[0][0]);
const lines = (words) => lw.log("worker").split("\n").filter((line) => line.includes(words));
const reloads = (log) => lw.log(log).split('"reloaded"').length;

/** The worker and the front read another [mail]. */
async function configure(mailSection) {
  const conf = fs.readFileSync(lw.conf, "utf8").replace(/\[mail\][^[]*$/, "");
  fs.writeFileSync(lw.conf, conf + mailSection);
  for (const part of ["front", "vault", "worker"]) {
    const before = reloads(part);
    process.kill(await lw.pid(part), "SIGHUP");
    await eventually(`${part} has reloaded`, () => reloads(part) > before);
  }
}

/** All that waits is due now. */
const hurry = () => lw.sql("UPDATE job SET run_at = 1 WHERE queue = 'mail' AND state = 'live' AND worker IS NULL");
const forgot = async (email) => assert.equal((await lw.api("POST", "/api/v1/auth/password/forgot", { body: { email } })).status, 202);
const arrived = (to) => eventually(`a mail to ${to} arrives`, () => mail.letters.find((letter) => letter.to[0] === to && (letter.seen ? false : (letter.seen = true))));
const linkOf = ({ text, raw }) => (/^https:\S+$/m.exec(text) ?? assert.fail(raw))[0];
const tokenOf = (letter) => new URLSearchParams(new URL(linkOf(letter)).hash.split("?")[1]).get("token");
const status = async (uri, body, token) => (await lw.api("POST", uri, { body, token })).status;
const unsent = (to) => JSON.parse(lw.latchctl("mail", "--json", "--to", to).stdout);

test("without a mail server nothing is queued, and latchctl shows what would be sent", async () => {
  const user = await lw.newTenant("unsent");
  await forgot(user.email);
  assert.deepEqual(unsent(user.email).map(({ kind }) => kind), ["password_reset", "email_verify"]);
  assert.equal(count("SELECT COUNT(*) FROM job WHERE queue = 'mail'"), 0);
});

for (const [way, options] of [["TLS from the first byte", () => ({ port: mail.ports.tls })], ["STARTTLS", () => ({ port: mail.ports.starttls, starttls: true })]]) {
  test(`reset, verification and invitation arrive over ${way}, and their links work once`, async () => {
    await configure(section(options()));
    const user = await lw.newTenant("mailed");
    const verify = await arrived(user.email);
    assert.equal(await status("/api/v1/auth/email/verify", { token: tokenOf(verify) }), 204);
    assert.equal(await status("/api/v1/auth/email/verify", { token: tokenOf(verify) }), 400);

    await forgot(user.email);
    const reset = await arrived(user.email), password = "another passphrase 123";
    assert.equal(await status("/api/v1/auth/password/reset", { token: tokenOf(reset), password }), 204);
    assert.equal(await status("/api/v1/auth/password/reset", { token: tokenOf(reset), password }), 400);
    const { access_token: token } = await lw.login(user.email, password);

    const guest = `guest-${Date.now()}@example.test`;
    assert.equal(await status("/api/v1/invitations", { email: guest, role: "viewer" }, token), 201);
    const invitation = await arrived(guest);
    assert.equal(await status("/api/v1/invitations/accept", { token: tokenOf(invitation), password }), 200);
    assert.notEqual(await status("/api/v1/invitations/accept", { token: tokenOf(invitation), password }), 200);

    for (const letter of [verify, reset, invitation]) {
      assert.ok(letter.secure, "it came in the clear");
      assert.equal(letter.from, "no-reply@latchwork.test");
      assert.match(letter.headers["content-type"], /^text\/plain; charset=utf-8$/i);
      assert.match(letter.headers["message-id"], /^<mail-[0-9a-z]{26}@latchwork\.test>$/);
      assert.match(letter.headers.date, /\+0000$/);
      assert.equal(letter.headers["auto-submitted"], "auto-generated");
      assert.ok(letter.raw.split("\r\n").every((line) => line.length <= 998 && !/[^\x20-\x7e\t]/.test(line)), "no clean line");
      assert.ok(letter.raw.split("\r\n").every((line) => [...line.matchAll(/=\?.*?\?=/g)].every(([word]) => word.length <= 75)));
      const name = [...letter.headers.from.matchAll(/=\?utf-8\?q\?(.*?)\?=/g)].map(([, word]) => word.replace(/_/g, " ")
        .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))).join("");
      assert.equal(Buffer.from(name, "latin1").toString("utf8"), "Läster & Söhne, mail department of the house");
      assert.match(letter.text, /^The link works once, until \d{4}-/m);
    }
    assert.deepEqual([verify, reset, invitation].map(({ headers }) => headers.subject), ["Confirm your address", "Set a new password", "You are invited"]);
    assert.match(invitation.text, /invites you to mailed\./);
    assert.equal(mail.letters.length, 3);
    assert.ok(mail.tries.every(({ good, secure }) => good && secure));
    await eventually("the jobs are done", () => count("SELECT COUNT(*) FROM job WHERE queue = 'mail'") === 0);
    assert.deepEqual(unsent(user.email), []);
  });
}

test("neither the jobs nor the logs hold a link", async () => {
  const user = await lw.newTenant("quiet");
  const letter = await arrived(user.email), token = tokenOf(letter);
  mail.refuse({ at: "data", code: 451, words: `later, ${token}` });
  await forgot(user.email);
  await eventually("it failed", () => count("SELECT COUNT(*) FROM job WHERE queue = 'mail' AND error_code IS NOT NULL") === 1);
  const [[payload, message]] = lw.sql("SELECT payload, error_message FROM job WHERE queue = 'mail'");
  assert.equal(payload, "{}");
  assert.ok(!message.includes(token));
  for (const name of fs.readdirSync(lw.at("log")).filter((each) => each.endsWith(".log")))
    assert.ok(!fs.readFileSync(lw.at("log", name)).includes(token), name);
  mail.refuse();
  hurry();
  await arrived(user.email);
});

const failures = [
  ["the server refuses for now", () => mail.refuse({ at: "to", code: 450 })],
  ["the server refuses for good", () => mail.refuse({ at: "data", code: 554 })],
  ["the password is wrong", () => configure(section({ port: mail.ports.tls, password: `${ca.directory}/wrong-password` }))],
  ["the password file is missing", () => configure(section({ port: mail.ports.tls, password: `${ca.directory}/nowhere` }))],
  ["the server is away", () => configure(section({ port: closed }))],
  ["the server offers no TLS", () => configure(section({ port: mail.ports.plain, starttls: true }))],
];
for (const [words, fail] of failures) {
  test(`${words}: it is tried again, and arrives once when all is well`, async () => {
    await configure(section({ port: mail.ports.tls }));
    const user = await lw.newTenant("patient");
    await arrived(user.email);
    await fail();
    await forgot(user.email);
    const tries = (n) => eventually(`try ${n} failed`, () => count(`SELECT COUNT(*) FROM job WHERE queue = 'mail' AND state = 'live' AND worker IS NULL AND attempts = ${n} AND error_code IS NOT NULL AND run_at > created_at`) === 1);
    await tries(1);
    hurry();
    await tries(2);
    assert.equal(mail.letters.filter(({ to }) => to[0] === user.email).length, 1);
    assert.equal(unsent(user.email).length, 1);
    assert.ok(mail.tries.every(({ secure }) => secure), "a password went in the clear");
    mail.refuse();
    await configure(section({ port: mail.ports.tls }));
    hurry();
    await arrived(user.email);
    await eventually("the job is done", () => count("SELECT COUNT(*) FROM job WHERE queue = 'mail'") === 0);
    assert.equal(mail.letters.filter(({ to }) => to[0] === user.email).length, 2);
  });
}

test("what fails each time is given up, its operator sees why, and it is sent when he tries again", async () => {
  await configure(section({ port: mail.ports.tls }));
  const user = await lw.newTenant("given-up");
  await arrived(user.email);
  mail.refuse({ at: "from", code: 550 });
  await forgot(user.email);
  lw.sql("UPDATE job SET attempts = 8 WHERE queue = 'mail'");
  await eventually("it is dead", () => {
    hurry();
    return count("SELECT COUNT(*) FROM job WHERE queue = 'mail' AND state = 'dead'") === 1;
  });
  const [dead] = JSON.parse(lw.latchctl("job", "dead", "--queue", "mail", "--json").stdout);
  assert.deepEqual([dead.tenant, dead.error], [null, "DENIED"]);
  mail.refuse();
  assert.equal(lw.latchctl("job", "retry", dead.id).status, 0);
  await arrived(user.email);
});

test("a mail whose end wasn't written is sent again under the same Message-ID, and one that was sent isn't", async () => {
  const user = await lw.newTenant("twice");
  const first = await arrived(user.email);
  await eventually("it is noted", () => count("SELECT COUNT(*) FROM job WHERE queue = 'mail'") === 0);
  const [[id]] = lw.sql(`SELECT HEX(mail_id) FROM mail WHERE recipient = '${user.email}'`);
  const again = () => lw.sql(`INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    VALUES (X'${"00".repeat(16)}', RANDOM_BYTES(16), 'mail', 'mail_send', 'live', 1, X'${id}', '{}', 1)`);
  again();
  await eventually("the job is done", () => count("SELECT COUNT(*) FROM job WHERE queue = 'mail'") === 0);
  assert.equal(mail.letters.length, 1);
  lw.sql(`UPDATE mail SET sent_at = NULL WHERE mail_id = X'${id}'`);
  again();
  const second = await arrived(user.email);
  assert.equal(second.headers["message-id"], first.headers["message-id"]);
});

test("a link that nobody followed in time is refused, and changes nothing", async () => {
  await configure(section({ port: mail.ports.tls }));
  const user = await lw.newTenant("late"), guest = `late-guest-${Date.now()}@example.test`, password = "another passphrase 123";
  const verify = await arrived(user.email);
  await forgot(user.email);
  const reset = await arrived(user.email);
  assert.equal(await status("/api/v1/invitations", { email: guest, role: "viewer" }, user.token), 201);
  const invitation = await arrived(guest);
  const ends = (ms) => lw.sql(`UPDATE one_time_token SET expires_at = ${ms}; UPDATE invitation SET expires_at = ${ms}`);
  ends(Date.now() - 1000);
  const late = [["email/verify", { token: tokenOf(verify) }], ["password/reset", { token: tokenOf(reset), password }]]
    .map(([uri, body]) => [`/api/v1/auth/${uri}`, body]).concat([["/api/v1/invitations/accept", { token: tokenOf(invitation), password }]]);
  for (const [uri, body] of late) {
    const answer = await lw.api("POST", uri, { body });
    assert.deepEqual([answer.status, answer.json.code], [400, "LINK_USED"], uri);
  }
  await lw.login(user.email, user.password);
  assert.equal((await lw.api("GET", "/api/v1/auth/me", { token: user.token })).json.user.email_verified, false);
  assert.equal(count(`SELECT COUNT(*) FROM user WHERE email = '${guest}'`), 0);
  // They were refused because of their time, and for nothing else.
  ends(Date.now() + 600000);
  assert.deepEqual(await Promise.all(late.map(([uri, body]) => status(uri, body))), [204, 204, 200]);
});

test("a name with line ends makes no header", async () => {
  const name = "Evil\r\nBcc: everybody@example.test\r\n\r\nDear friend";
  const made = await lw.api("POST", "/api/v1/auth/register", { unchecked: true,
    body: { email: `evil-${Date.now()}@example.test`, password: "a long passphrase 99", tenant_name: name } });
  if (made.status === 201) {
    const guest = `victim-${Date.now()}@example.test`;
    assert.equal(await status("/api/v1/invitations", { email: guest, role: "viewer" }, made.json.access_token), 201);
    const letter = await arrived(guest);
    assert.equal(letter.headers.bcc, undefined);
    assert.deepEqual(letter.to, [guest]);
  } else {
    assert.equal(made.status, 400);
  }
  for (const email of ["a@example.test\r\nRCPT TO:<b@example.test>", "a@example.test>\r\nDATA", "a b@example.test"])
    assert.equal((await lw.api("POST", "/api/v1/auth/register", { unchecked: true, body: { email, password: "a long passphrase 99", tenant_name: "x" } })).status, 400);
  assert.equal(lines("the worker can't start").length, 0);
});
