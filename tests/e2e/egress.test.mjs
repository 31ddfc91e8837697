// A tenant fills in where to call. Whatever they fill in, on whichever way out: nothing goes to where it may not go, and a
// secret goes to no host but those that its connector type declares. Judged by what the processes connect to.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { eventually } from "./lib/instance.mjs";
import { Listener } from "./lib/listener.mjs";
import { endProcess, startPoolBeside, startWorker } from "./lib/processes.mjs";
import { Provider } from "./lib/provider.mjs";
import * as faults from "./lib/provider_faults.mjs";
import { Tenant } from "./lib/tenants.mjs";
import { Witness } from "./lib/witness.mjs";

const NAMES = {
  "public.test": ["93.184.216.34"], "inside.test": ["127.0.0.1"], "six.test": ["::1"], "cloud.test": ["169.254.169.254"],
  "mixed.test": ["93.184.216.34+10.0.0.1"], "mapped.test": ["::ffff:169.254.169.254"], "nat64.test": ["64:ff9b::a9fe:a9fe"],
  "flip.test": ["93.184.216.34", "127.0.0.1"], "flop.test": ["93.184.216.34", "10.0.0.1", "93.184.216.34", "::1"],
};
const KEY = "a key that goes to its own provider only";
let world, lw, provider, elsewhere, listener, witness, pool, tenant;

/** Below a host that a person names: the type's own patterns let everything through, so that the guard is what decides. */
function namedType(id, port, more) {
  return {
    id, hosts: [`{domain}:${port}`], auth: [{ mode: "api_key", label: "Key", credential: "api_key",
      headers: { Authorization: "Bearer {key}" } }],
    fields: [{ name: "domain", label: "Domain", required: true, member: "extra.domain", pattern: "^.*$" },
      { name: "key", label: "Key", secret: true, required: true, member: "api_key" }],
    verify: [{ kind: "http", request: { url: `https://{domain}:${port}/check/bearer` } }], ...more,
  };
}

const anywhereType = () => ({
  id: "anywhere", hosts: ["{base_url}"], auth: [{ mode: "api_key", label: "Key", credential: "api_key",
    headers: { Authorization: "Bearer {key}" } }],
  fields: [{ name: "base_url", label: "Base URL", required: true, member: "extra.base_url" },
    { name: "key", label: "Key", secret: true, required: true, member: "api_key" }],
  verify: [{ kind: "http", request: { url: "{base_url}/check/bearer" } }],
});

/** The host is a person's choice among the provider's own. */
const shopType = () => ({
  ...namedType("shop"), hosts: ["{domain}"], placeholders: { domain: { pattern: "^[a-z0-9-]+\\.shops\\.test$" } },
  verify: [{ kind: "http", request: { url: "https://{domain}/check/bearer" } }],
});

before(async () => {
  listener = await new Listener().start();
  world = await startWorld({
    egress: `ports = ${listener.port}\ntimeout_ms = 20000\nconnect_timeout_ms = 10000\n`,
    async prepare(w) {
      elsewhere = await new Provider(w.ca).start();
      w.servers.push(elsewhere, listener);
      return ["127.0.0.1", "localhost", "[::1]", "169.254.169.254", "inside.test", "flip.test"].map((host, i) =>
        `[issuer inside${i}]\nissuer = https://issuer${i}.test\naudience = latchwork\njwks_url = https://${host}:${listener.port}/jwks\n`).join("");
    },
    hosts: () => [elsewhere.host, elsewhere.clearHost],
    types: ({ provider: p }) => [fakeType(p), anywhereType(), namedType("named", listener.port), shopType(),
      fakeType(p, { id: "named_oauth", hosts: [`{domain}:${listener.port}`, p.host], fields: [{ name: "domain", label: "Domain",
        required: true, of_client: true, member: "extra.domain", pattern: "^.*$" }],
        oauth2: { token_url: `https://{domain}:${listener.port}/token` } })],
  });
  ({ lw, provider } = world);
  world.key = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs8", format: "pem" });
  witness = new Witness(world.directory, NAMES);
  pool = await startPoolBeside(lw, { ...witness.env, HTTPS_PROXY: `http://127.0.0.1:${listener.port}`,
    ALL_PROXY: `http://127.0.0.1:${listener.port}`, https_proxy: `http://127.0.0.1:${listener.port}` });
  tenant = await new Tenant(lw, "wanderers").start();
});
after(async () => {
  await pool?.stop();
  await world?.stop();
});
beforeEach(() => {
  provider?.reset();
  witness?.seen();
});

const ask = (method, uri, body) => pool.ask(method, uri, { token: tenant.owner.token, body, silence: 60000 });

/** Each way out: what a host and a port, or a URL, are filled into. Resolves to a code: of the outcome, or of the refusal. */
const codeOf = ({ status, json }) => (status === 200 ? json.error_code ?? "SUCCESS" : json.code);
const tryConfig = async (connector_type, config) => codeOf(await ask("POST", "/api/v1/connectors/test", { connector_type, config }));
const tryCredential = async (type, data) => codeOf(await ask("POST", "/api/v1/credentials/test", { type, data }));
const oauth = { client_id: "client", client_secret: "a secret of a client 0123456789", access_token: "access-0123456789abcdef",
  refresh_token: "refresh-0123456789abcdef",
  expires_at: "2020-01-01T00:00:00Z" };

/** Stores it and asks for a token. */
async function tokenOf(type, data, service) {
  const made = await ask("POST", "/api/v1/credentials", { name: "away", type, service, data });
  return made.status === 201 ? codeOf(await ask("POST", `/api/v1/credentials/${made.json.id}/token`)) : codeOf(made);
}
const renew = (data, service) => tokenOf("oauth2", { ...oauth, ...data }, service);

const BY_URL = {
  "an API's base URL": (url) => tryConfig("anywhere", { base_url: url, key: KEY }),
  "the base URL of the REST API": (url) => tryConfig("rest_api", { base_url: url, token: KEY }),
  "a credential's token URL": (url) => renew({ token_url: url }),
  "a key file's token URI": (url) => tokenOf("service_account", { client_email: "robot@shop.test", private_key: world.key, token_uri: url,
    scopes: "a" }),
};
const BY_HOST = {
  "a placeholder of a host": (host) => tryConfig("named", { domain: host, key: KEY }),
  "a placeholder of a token URL": (host) => renew({ extra: { domain: host } }, "named_oauth"),
  "PostgreSQL": (host, port) => tryCredential("database", { engine: "postgresql", host, port, database: "shop", username: "reader",
    password: KEY }),
  "MySQL": (host, port) => tryCredential("database", { engine: "mysql", host, port, database: "shop", username: "reader", password: KEY }),
  "mail over TLS": (host, port) => tryCredential("smtp", { host, port, security: "tls", username: "sender", password: KEY }),
  "mail over STARTTLS": (host, port) => tryCredential("smtp", { host, port, security: "starttls", username: "sender", password: KEY }),
};

const REFUSED = ["HOST_FORBIDDEN", "BAD_INPUT"];
// A name that nobody has isn't found; what has no host at all can't be sent to any.
const NOT_SENT = [...REFUSED, "HOST_UNREACHABLE", "UNSUPPORTED", "UPSTREAM_FAILED", "NO_TOKEN_TO_GIVE", "NEEDS_RECONNECT"];

const v4 = (text) => text.split(".").reduce((n, part) => n * 256 + Number(part), 0);
const text4 = (n) => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join(".");

/** The first, the last and one address inside of a range. */
function edges(range) {
  const [first, bits] = range.split("/"), size = 2 ** (32 - Number(bits));
  return [...new Set([0, size - 1, Math.floor(size / 3)])].map((n) => text4(v4(first) + n));
}

const CLOSED4 = ["0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
  "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
  "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "168.63.129.16/32", "169.254.169.254/32",
    "169.254.170.2/32", "100.100.100.200/32", "192.0.0.192/32"]
  .flatMap(edges);
const CLOSED6 = ["::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "::ffff:0:7f00:1", "64:ff9b::7f00:1",
  "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:db8::1",
  "2002:7f00:1::", "2002:a9fe:a9fe::1", "3fff::1", "5f00::1", "fc00::1", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fe80::1",
    "fec0::1", "ff02::1"];
const SPELLINGS = ["127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST.", "sub.localhost",
  "%6cocalhost", "127%2e0%2e0%2e1", "①②⑦.0.0.1",
  "127。0。0。1", "metadata.google.internal", "printer.local", "intranet", "user@127.0.0.1", "127.0.0.1\\@example.test",
    "example.test@127.0.0.1", "fe80::1%25eth0", "127.0.0.1 ", "127.0.0.1\t", "127.0.0.1#",
  "127.0.0.1?", "127.0.0.1/", "127.0.0.1:443", "", "."];
const LOOKED_UP = ["inside.test", "mixed.test", "mapped.test", "six.test", "nat64.test", "cloud.test"];
const OWN = Listener.addresses();

/** Asks along one way; what may be answered, and that nothing was connected to. */
async function assertStays(words, code, allowed = REFUSED) {
  assert.ok(allowed.includes(code), `${words}: ${code}`);
  assert.deepEqual(witness.connections(), [], words);
}

for (const [way, go] of Object.entries(BY_URL)) {
  test(`${way}: no address inside, however it is written, and no other scheme`, async () => {
    for (const address of [...CLOSED4, ...OWN.filter((a) => !a.includes(":"))])
      await assertStays(`${way}: ${address}`, await go(`https://${address}:${listener.port}`));
    for (const address of [...CLOSED6, ...OWN.filter((a) => a.includes(":"))])
      await assertStays(`${way}: ${address}`, await go(`https://[${address}]:${listener.port}`));
    for (const spelling of SPELLINGS)
      await assertStays(`${way}: ${spelling}`, await go(`https://${spelling}:${listener.port}/`), NOT_SENT);
    for (const name of LOOKED_UP)
      await assertStays(`${way}: ${name}`, await go(`https://${name}:${listener.port}`));
    for (const url of ["http://public.test", "http://127.0.0.1", `http://localhost:${listener.port}`, "file:///etc/passwd",
      "gopher://public.test/", "dict://public.test/", "ftp://public.test/", "ldap://public.test/",
      "scp://public.test/", "unix:/run/mysqld/mysqld.sock", "//public.test/", "public.test", "https:/public.test", "https://",
        "https://public.test:22", "https://public.test:3306", "https://public.test:25",
      "https://public.test:0", "https://public.test:65536", "https://public.test:443x", "https://user@public.test",
        "https://user:password@public.test", "https://public.test/%0d%0aX-Injected:1\r\nX: y"])
      await assertStays(`${way}: ${url}`, await go(url), NOT_SENT);
    assert.deepEqual(listener.knocks, []);
  });
}

for (const [way, go] of Object.entries(BY_HOST)) {
  test(`${way}: no address inside, however it is written`, async () => {
    for (const host of [...CLOSED4, ...CLOSED6, ...OWN])
      await assertStays(`${way}: ${host}`, await go(host, listener.port), NOT_SENT);
    for (const host of [...SPELLINGS, "/run/mysqld/mysqld.sock", "/tmp", "@abstract", "public.test,127.0.0.1", "127.0.0.1,public.test",
      "x host=127.0.0.1", "x' host='127.0.0.1", "public.test\r\nX: y"])
      await assertStays(`${way}: ${host}`, await go(host, listener.port), NOT_SENT);
    for (const host of LOOKED_UP)
      await assertStays(`${way}: ${host}`, await go(host, listener.port));
    assert.deepEqual(listener.knocks, []);
  });
}

test("the name of a database is no way to another host", async () => {
  for (const engine of ["postgresql", "mysql"]) {
    for (const database of ["x host=127.0.0.1", "host=127.0.0.1 dbname=x", `postgresql://127.0.0.1:${listener.port}/x`, "x' host='127.0.0.1"]) {
      await tryCredential("database", { engine, host: "public.test", port: listener.port, database,
        username: `x host=127.0.0.1 port=${listener.port}`, password: KEY });
      for (const line of witness.connections())
        assert.match(line, /^connect 93\.184\.216\.34 /, database);
    }
  }
  assert.deepEqual(listener.knocks, []);
});

test("what is public may be called: the method sees what it should see", async () => {
  assert.ok(await listener.hears());
  for (const [url, address] of [["https://1.1.1.1", "1.1.1.1 443"], ["https://[2606:4700:4700::1111]", "2606:4700:4700::1111 443"],
    ["https://public.test", "93.184.216.34 443"],
    [`https://public.test:${listener.port}`, `93.184.216.34 ${listener.port}`]]) {
    assert.equal(await BY_URL["an API's base URL"](url), "HOST_UNREACHABLE");
    assert.ok(witness.connections().includes(`connect ${address}`), `${url} wasn't tried`);
  }
  const ways = [...Object.entries(BY_HOST).map(([way, go]) => [way, () => go("public.test", listener.port)]),
    ...Object.entries(BY_URL).map(([way, go]) => [way, () => go(`https://public.test:${listener.port}`)])];
  for (const [way, go] of ways) {
    await go();
    assert.ok(witness.connections().includes(`connect 93.184.216.34 ${listener.port}`), `${way} wasn't tried`);
  }
});

test("a name that changes its mind gains nothing: what was checked is what is connected to", async () => {
  const go = [...Object.values(BY_HOST).map((way) => () => way("flip.test", listener.port)),
    ...Object.values(BY_URL).map((way) => () => way(`https://flop.test:${listener.port}`))];
  for (let round = 0; round < 10; round++) {
    for (const way of go) {
      await way();
      for (const line of witness.connections())
        assert.match(line, /^connect 93\.184\.216\.34 /);
    }
  }
  assert.deepEqual(listener.knocks, []);
});

test("a redirect is no way in, and takes no key along", async () => {
  for (const location of [`https://127.0.0.1:${listener.port}/`, `http://localhost:${listener.port}/`, "http://169.254.169.254/",
    "file:///etc/passwd", `${elsewhere.url}/check/bearer`, `//${elsewhere.host}/`, "/check/bearer?again"]) {
    for (const status of [301, 302, 303, 307, 308]) {
      provider.scripts["check/bearer"] = faults.redirect(location, status);
      assert.notEqual(await tryConfig("anywhere", { base_url: provider.url, key: KEY }), "SUCCESS");
    }
  }
  assert.ok(provider.calls.length > 0, "nothing was redirected");
  assert.ok(provider.calls.every(({ url }) => url === "/check/bearer"), "a redirect was followed");
  assert.deepEqual(elsewhere.calls, []);
  assert.deepEqual(listener.knocks, []);
});

test("the keys of issuers are fetched from outside only", async () => {
  await endProcess(await lw.pid("worker"));
  const worker = startWorker(lw, witness.env);
  await eventually("the worker has tried every issuer", () => Number(lw.sql("SELECT COUNT(*) FROM jwks_refresh WHERE tried_at > 0")[0][0]) >= 6
    || worker.log().split("\n").filter((line) => /issuer\d\.test/.test(line)).length >= 6, 60);
  await endProcess(worker.child.pid);
  for (const line of witness.connections())
    assert.match(line, /^connect 93\.184\.216\.34 /);
  assert.deepEqual(listener.knocks, []);
});

// --- a key goes to its own provider -------------------------------------------------------------------

test("a value can't carry a key to a host that the type doesn't declare", async () => {
  for (const domain of [elsewhere.host, "localhost", "evil.test", "shops.test.evil.test", "evil-shops.test",
    `${elsewhere.host}/.shops.test`, `${elsewhere.host}#.shops.test`, `${elsewhere.host}?.shops.test`,
    `${elsewhere.host}\\.shops.test`, `a.shops.test@${elsewhere.host}`, `${elsewhere.host}%2f.shops.test`, "a.shops.test:443@localhost",
      "a.shops.test\r\nHost: evil.test", "a.shops.test/../..", ".", "a..shops.test"]) {
    const code = await tryConfig("shop", { domain, key: KEY });
    assert.ok(NOT_SENT.includes(code), `${domain}: ${code}`);
  }
  assert.deepEqual(elsewhere.calls, []);
});

test("nor can a member that nobody asked for, or another type's connector", async () => {
  for (const more of [{ base_url: elsewhere.url }, { host: elsewhere.host }, { hosts: [elsewhere.host] }, { url: elsewhere.url },
    { headers: { Host: elsewhere.host } }, { token_url: `${elsewhere.url}/token` }]) {
    const answer = await ask("POST", "/api/v1/connectors/test", { connector_type: "shop",
      config: { domain: "a.shops.test", key: KEY, ...more } });
    assert.equal(answer.status, 400, answer.text);
  }
  const { id } = (await ask("POST", "/api/v1/credentials", { name: "shop", type: "api_key", service: "shop", data: { api_key: KEY,
    extra: { domain: "a.shops.test" } } })).json;
  for (const body of [{ connector_type: "anywhere", credential_id: id }, { connector_type: "rest_api", auth: "bearer", credential_id: id }]) {
    const answer = await ask("POST", "/api/v1/connectors", body);
    assert.equal(answer.status, 400, answer.text);
  }
  assert.deepEqual(elsewhere.calls, []);
});

test("a type's own token URL is used, whatever the credential says", async () => {
  const { access_token, refresh_token } = provider.newFamily({ ttl: 1 });
  const code = await renew({ ...provider.client, access_token, refresh_token, token_url: `${elsewhere.url}/token` }, "fake");
  assert.equal(code, "SUCCESS");
  assert.equal(provider.count(), 1);
  assert.deepEqual(elsewhere.calls, []);
});

test("who may change a connection, but not read its key, can't have it sent elsewhere", async () => {
  const { token } = tenant.people.member;
  const made = await pool.ask("POST", "/api/v1/connectors", { token, body: { connector_type: "anywhere",
    config: { base_url: provider.url, key: provider.keys.bearer } } });
  assert.equal(made.status, 201, made.text);
  const uri = `/api/v1/connectors/${made.json.id}`;
  assert.equal((await pool.ask("POST", `${uri}/test`, { token })).json.success, true);
  const refusals = [await pool.ask("PATCH", uri, { token, body: { config: { base_url: elsewhere.url } } }),
    await pool.ask("PUT", `/api/v1/credentials/${made.json.credential_id}`, { token, body: { data: { extra: { base_url: elsewhere.url } } } })];
  for (const { status, json } of refusals)
    assert.deepEqual([status, json.fields?.[0].code], [400, "REQUIRED"], JSON.stringify(json));
  await pool.ask("POST", `${uri}/test`, { token });
  await pool.ask("POST", `/api/v1/credentials/${made.json.credential_id}/test`, { token });
  assert.deepEqual(elsewhere.calls.filter(({ headers }) => headers.authorization?.includes(provider.keys.bearer)), [],
    "the key was sent to another host");
});

test("each refusal is in the audit trail", async () => {
  const rows = await tenant.does("GET", "/api/v1/audit?limit=200&action=connector.test");
  assert.ok(rows.some((row) => JSON.stringify(row.details).includes("HOST_FORBIDDEN")), JSON.stringify(rows[0]));
});
