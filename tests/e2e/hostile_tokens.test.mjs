// Tokens that are wrong in one thing only: signed with the real key, but for the claim, the header or the bytes in question.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { ask } from "./lib/fcgi.mjs";
import { Guard, assertRefused, each } from "./lib/hostile.mjs";
import { NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Signer } from "./lib/signer.mjs";
import { unknownId } from "./lib/tenants.mjs";

const ISSUER = "https://issuer.test", rsa = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const now = Math.floor(Date.now() / 1000);
const b64 = (value) => Buffer.from(typeof value === "string" || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString("base64url");
let lw, guard, signer, alice, bob, directory, good, head, body;

before(async () => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-keys-"));
  fs.chmodSync(directory, 0o755);
  const jwk = ({ publicKey }, kid) => ({ ...publicKey.export({ format: "jwk" }), kid, use: "sig" });
  const keys = { keys: [jwk(rsa, "rsa"), jwk(ec, "ec")] };
  fs.writeFileSync(path.join(directory, "jwks.json"), JSON.stringify(keys), { mode: 0o644 });
  lw = await startInstance({
    conf: `${NO_LIMITS}[issuer other]\nissuer = ${ISSUER}\naudience = latchwork\njwks_file = ${path.join(directory, "jwks.json")}\n`,
  });
  signer = new Signer(lw);
  [alice, bob] = [await lw.newTenant("alice"), await lw.newTenant("bob")];
  good = alice.token;
  [head, body] = good.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));
  guard = new Guard(lw);
});
after(async () => {
  await lw?.stop();
  fs.rmSync(directory, { recursive: true, force: true });
});

const me = (token, headers = {}) => lw.api("GET", "/api/v1/auth/me", { headers: { Authorization: `Bearer ${token}`, ...headers } });
const refused = async (what, token) => assertRefused(what, await me(token), { status: 401 });
const refuseAll = (tokens) => each(Object.entries(tokens), ([what, token]) => refused(what, token));

/** A token of any header and payload (values or texts), with a good signature of the real key. */
function forged(header, payload, sign = (text) => crypto.createHmac("sha256", signer.key).update(text).digest()) {
  const text = `${b64(header)}.${b64(payload)}`;
  return `${text}.${b64(sign(text))}`;
}
const withClaim = (name, value) => signer.resign(good, { claims: { [name]: value } });
const withHeader = (values) => signer.resign(good, { header: values });

test("the forger's own good tokens are accepted: what is refused below is refused for its one fault", async () => {
  assert.equal((await me(signer.resign(good))).status, 200);
  assert.equal((await me(forged(head, body))).status, 200);
  assert.equal((await me(withClaim("aud", ["others", "latchwork"]))).status, 200);
  assert.equal((await me(external({}, {}))).status, 200);
});

test("no token without a signature is accepted, however its algorithm is spelled", async () => {
  for (const alg of ["none", "None", "NONE", "nOnE", " none", "none ", "", "null", null, 0, false, [], ["none"], {}, undefined]) {
    const header = { ...head, alg }, what = `alg ${JSON.stringify(alg)}`;
    const text = `${b64(header)}.${b64(body)}`;
    await refuseAll({ [what]: `${text}.`, [`${what}, no dot`]: text, [`${what}, the old signature`]: `${text}.${good.split(".")[2]}`,
      [`${what}, a good HMAC`]: forged(header, body) });
  }
});

test("only the one algorithm of a key is accepted", async () => {
  for (const alg of ["HS384", "HS512", "hs256", "HS256 ", "HS256\0", "HMACSHA256", "RS256", "ES256", "PS256", "EdDSA", "dir"])
    await refused(alg, forged({ ...head, alg }, body));
  const hash = (name) => (text) => crypto.createHmac(name, signer.key).update(text).digest();
  await refuseAll({ "HS512, signed so": forged({ ...head, alg: "HS512" }, body, hash("sha512")),
    "HS512 under HS256": forged(head, body, hash("sha512")) });
});

/** A token of the external issuer. */
function external(header, claims, sign = (text) => crypto.sign("sha256", Buffer.from(text), rsa.privateKey)) {
  return forged({ alg: "RS256", kid: "rsa", ...header }, { iss: ISSUER, aud: "latchwork", sub: "eve", iat: now, exp: now + 600, ...claims }, sign);
}

test("a public key is never a shared secret, and no issuer speaks for another", async () => {
  const pem = rsa.publicKey.export({ type: "spki", format: "pem" });
  const secrets = { pem, "pem without its end": pem.trim(), pkcs1: rsa.publicKey.export({ type: "pkcs1", format: "pem" }),
    der: rsa.publicKey.export({ type: "spki", format: "der" }), jwk: JSON.stringify(rsa.publicKey.export({ format: "jwk" })),
    modulus: Buffer.from(rsa.publicKey.export({ format: "jwk" }).n, "base64url"), nothing: "" };
  for (const [what, secret] of Object.entries(secrets)) {
    const hmac = (text) => crypto.createHmac("sha256", secret).update(text).digest();
    await refuseAll({ [what]: external({ alg: "HS256" }, {}, hmac), [`${what}, our issuer`]: forged({ ...head, kid: "rsa" }, body, hmac),
      [`${what}, our key's id`]: forged(head, body, hmac) });
  }
  const ours = (text) => crypto.createHmac("sha256", signer.key).update(text).digest();
  const theirs = (text) => crypto.sign("sha256", Buffer.from(text), rsa.privateKey);
  const der = (text) => crypto.sign("sha256", Buffer.from(text), ec.privateKey);
  const raw = (text) => crypto.sign("sha256", Buffer.from(text), { key: ec.privateKey, dsaEncoding: "ieee-p1363" });
  assert.equal((await me(external({ alg: "ES256", kid: "ec" }, {}, raw))).status, 200);
  await refuseAll({ "their key for us": forged({ alg: "RS256", kid: "rsa" }, body, theirs),
    "our key for them": external({ alg: "HS256", kid: head.kid }, {}, ours), "RS256 with the other key's id": external({ kid: "ec" }, {}),
    "ES256 by RSA": external({ alg: "ES256", kid: "rsa" }, {}), "DER for ES256": external({ alg: "ES256", kid: "ec" }, {}, der),
    "r and s of zero": external({ alg: "ES256", kid: "ec" }, {}, () => Buffer.alloc(64)),
    "a signature of nothing": external({}, {}, () => Buffer.alloc(0)),
    "their claims of our session": external({}, { ...body, iss: ISSUER, aud: "someone else" }),
    "another issuer": external({}, { iss: "https://issuer.test/" }) });
});

test("a claim that is missing, of another type or of another time is refused", async () => {
  const odd = [null, true, "x", 1.5, -1, [], {}, ""];
  const wrong = {
    exp: [undefined, ...odd, 0, String(now + 900), 1e20, 253402300800, now - 1, [now + 900], { $gt: 0 }],
    nbf: [...odd, 0, now + 3600, String(now - 10)], iat: [...odd, 0, now + 3600, String(now)],
    iss: [undefined, ...odd, "https://evil.test", ISSUER, `${body.iss}/`, body.iss.toUpperCase(), [body.iss], `${body.iss}\u0000`],
    aud: [undefined, ...odd, "latchwor", "latchwork ", "LATCHWORK", ["others"], ["latchwork", 1], ["latchwork", null], [["latchwork"]],
      { latchwork: true }],
    sub: [undefined, ...odd, body.tid, `${body.sub}a`, body.sub.toUpperCase(), unknownId(body.sub), bob.user.id],
    tid: [undefined, ...odd, body.sub, unknownId(body.tid), bob.tenant.id],
    sid: [undefined, ...odd, body.sub, unknownId(body.sid), signer.claims(bob.token).sid],
    role: [undefined, ...odd, "root", "OWNER", "owner ", "admin", "viewer", ["owner"]], jti: [1, null, [], {}],
  };
  for (const [name, values] of Object.entries(wrong))
    await each(values, (value) => refused(`${name} = ${JSON.stringify(value)}`, withClaim(name, value)));
});

test("a header that brings its own key, its own rules or another kind of token is refused", async () => {
  const jwk = { kty: "oct", k: b64("a".repeat(32)), kid: head.kid }, mine = (text) => crypto.createHmac("sha256",
    "a".repeat(32)).update(text).digest();
  const headers = { crit: [[], ["exp"], ["b64"], "exp", null], jwk: [jwk, null], jku: ["https://evil.test/jwks", ""],
    x5u: ["https://evil.test/c"], x5c: [["MIIB"], []], b64: [false, true], zip: ["DEF"], enc: ["A256GCM"],
    typ: ["JOSE", "JWE", "secevent+jwt", 1, null, ["JWT"], ""], cty: [] };
  for (const [name, values] of Object.entries(headers))
    for (const value of values)
      await refused(`${name} = ${JSON.stringify(value)}`, withHeader({ [name]: value }));
  await refused("a key of the header's own", forged({ ...head, jwk }, body, mine));
});

test("a key id is only ever looked up, never a file, a query or somebody else's key", async () => {
  const vault = fs.readFileSync(lw.at("etc/keys/vault/current"), "utf8").trim();
  const root = fs.readFileSync(lw.at("etc/keys/vault", `${vault}.key`));
  const fromVault = Buffer.from(crypto.hkdfSync("sha256", root, "", "latchwork access token v1", 32));
  const ids = [undefined, null, "", 0, [], [head.kid], {}, "x", `${head.kid} `, `${head.kid}\0`, `./${head.kid}`, `../front/${head.kid}`,
    `../vault/${vault}`, vault, "current", "../../../../dev/null", "/dev/null", "/etc/passwd", "' OR '1'='1", "$(id)", "%2e%2e",
    "a".repeat(129), "a".repeat(8000), head.kid.toUpperCase() + "X", "é"];
  for (const kid of ids) {
    await refuseAll({ [`kid ${JSON.stringify(kid)?.slice(0, 40)}`]: withHeader({ kid }),
      "with an empty key": signer.resign(good, { header: { kid }, key: "" }),
      "with the vault's key": signer.resign(good, { header: { kid }, key: fromVault }),
      "with zeroes": signer.resign(good, { header: { kid }, key: Buffer.alloc(32) }) });
  }
});

test("bytes that two readers could read in two ways are refused", async () => {
  const [h, p, s] = good.split("."), header = JSON.stringify(head), payload = JSON.stringify(body);
  const twice = (text, member) => text.replace("{", `{${member},`), last = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const sibling = s.slice(0, -1) + last[last.indexOf(s.at(-1)) ^ 1];
  await refuseAll({
    "two algorithms": forged(twice(header, '"alg":"none"'), body), "two ids": forged(twice(header, `"kid":"${head.kid}"`), body),
    "two ends": forged(head, twice(payload, `"exp":${now + 900}`)),
    "two subjects": forged(head, twice(payload, `"sub":"${bob.user.id}"`)),
    "an escaped second one": forged(head, twice(payload, `"\\u0073ub":"${bob.user.id}"`)), "two parts": `${h}.${p}`,
    "four": `${good}.${s}`, "five": `${h}.${p}.${s}.${p}.${s}`, "one": h, "dots": "..", "an empty header": `.${p}.${s}`,
    "an empty payload": `${h}..${s}`, "an empty signature": `${h}.${p}.`, "padding": `${h}.${p}.${s}=`,
    "a space inside": `${h}.${p} .${s}`,
    "the other alphabet": forged(head, { ...body, x: "???>>>" }).replaceAll("-", "+").replaceAll("_", "/") + "+/",
    "bits that are dropped": `${h}.${p}.${sibling}`, "a cut signature": good.slice(0, -8), "a longer one": `${good}AAAA`,
    "a percent": `${h}.${p}.%41${s}`, "an array": forged(head, [body]), "a text": forged(head, '"x"'),
    "a byte order mark": forged(head, `\ufeff${payload}`), "not UTF-8": forged(head, Buffer.from([123, 34, 0xff, 34, 58, 49, 125])),
    "something behind": forged(head, `${payload}x`), "a header in an array": forged([head], body),
    "deep": forged(head, `${payload.slice(0, -1)},"x":${"[".repeat(2000)}${"]".repeat(2000)}}`),
    "a NUL": forged(head, payload.replace(body.sub, `${body.sub}\\u0000`)), "JSON": b64({ protected: h, payload: p, signature: s }),
  });
});

test("what isn't a bearer token isn't one: other schemes, two headers, other places", async () => {
  for (const Authorization of ["Bearer", "Bearer ", `Basic ${good}`, `Token ${good}`, good, `Bearer${good}`, `Bearer ${good} ${good}`,
    `Bearer ${good}, Bearer ${good}`, `Bearer "${good}"`, `Bearer\t${good}`])
    assertRefused(Authorization.slice(0, 12), await lw.api("GET", "/api/v1/auth/me", { headers: { Authorization } }), { status: 401 });
  for (const headers of [{ "X-Access-Token": good }, { "X-API-Key": good }, { Cookie: `token=${good}` }, { Cookie: `latchwork=${good}` },
    { "X-Authorization": `Bearer ${good}` }, {}])
    assertRefused(JSON.stringify(headers).slice(0, 20), await lw.api("GET", "/api/v1/auth/me", { headers }), { status: 401, code: "NO_TOKEN" });
  assertRefused("in the query", await lw.api("GET", `/api/v1/auth/me?access_token=${good}`), { status: [400, 401] });
});

test("API tokens and refresh tokens are refused in every spelling but their own", async () => {
  const made = await lw.api("POST", "/api/v1/tokens", { token: good, body: { name: "t", scopes: ["admin"] } });
  const { token } = made.json, [, id, secret] = /^lw_([0-9a-z]{26})_(.*)$/.exec(token);
  await refuseAll({ "no secret": `lw_${id}_`, "another secret": `lw_${id}_${"A".repeat(43)}`, "upper case": token.toUpperCase(),
    "an id of nobody": `lw_${"0".repeat(26)}_${secret}`, "longer": `${token}A`, "much longer": `${token}${"A".repeat(10000)}`,
    "a NUL": `${token}%00`, "only the start": "lw_", "with the prefix of the id": `lw_tok-${id}_${secret}`,
    "SQL": `lw_${"'".repeat(26)}_${secret}`, "a refresh token": alice.refresh_token });
  assertRefused("in a cookie", await lw.api("GET", "/api/v1/auth/me", { headers: { Cookie: `__Host-latchwork=${token}` } }), { status: 401 });
  assert.equal((await me(token)).status, 200);
});

test("a token of 10 MiB costs its sender the answer, and nobody else anything", async () => {
  const large = "a".repeat(10 << 20), { socket } = Guard.sockets(lw);
  assertRefused("15 KiB", await me(forged(head, { ...body, x: "a".repeat(8000) })), { status: 401 });
  assertRefused("past nginx's limit", await me("a".repeat(15 << 10)), { status: [401, 431] });
  // A closed connection is an answer, too.
  const enormous = () => ask(socket("front"), { uri: "/api/v1/auth/me", params: [["HTTP_AUTHORIZATION", `Bearer ${large}`]] })
    .catch(() => ({ status: 400 }));
  const answer = await enormous();
  assert.ok(answer.status >= 400 && answer.status < 500, String(answer.status));
  await guard.assertFlat(async () => {
    await enormous();
    await me(forged(head, { ...body, x: "a".repeat(5000) }));
  });
  await guard.assertUnharmed();
});
