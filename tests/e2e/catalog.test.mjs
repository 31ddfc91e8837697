// The catalogue: what can be connected, for anybody who asks; and the operator's own types, read again on SIGHUP.
import assert from "node:assert/strict";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { eventually, startInstance } from "./lib/instance.mjs";

let lw, own;

const get = async (uri, options) => (await lw.api("GET", uri, options)).json;
const list = async (query = "") => (await get(`/api/v1/catalog${query}`)).map(({ type }) => type);
const supplied = (type) => JSON.parse(fs.readFileSync(path.join(lw.program, `share/latchwork/connectors/${type}.json`), "utf8"));

function write(type, file) {
  fs.writeFileSync(path.join(own, `${type}.json`), typeof file === "string" ? file : JSON.stringify(file));
}

/** Tells the master of a pool to reload, and waits for what it says on the log then. */
async function reload(part, words) {
  const before = lw.log(part).length;
  process.kill(await lw.pid(part), "SIGHUP");
  return eventually(`${part} says "${words}"`, () => lw.log(part).slice(before).split("\n").find((line) => line.includes(words)));
}

const OWN = {
  id: "own_api", name: "aaa Own", category: "custom", regions: ["intranet"], summary: "Ours.",
  auth: [{ mode: "api_key", label: "Key", credential: "api_key", headers: { "X-Key": "{api_key}" } }],
  fields: [{ name: "api_key", label: "Key", secret: true, required: true, member: "api_key" }],
  hosts: ["api.example.com"],
  verify: [{ request: { url: "https://api.example.com/me" } }],
};

before(async () => {
  own = fs.mkdtempSync(path.join(os.tmpdir(), "lw-connectors-"));
  fs.chmodSync(own, 0o755);
  lw = await startInstance({ conf: `[connectors]\ndir = ${own}\n` });
});
after(async () => {
  await lw?.stop();
  fs.rmSync(own, { recursive: true, force: true });
});

test("anybody sees every supplied provider, in the order of their names", async () => {
  const types = await get("/api/v1/catalog");
  const files = fs.readdirSync(path.join(lw.program, "share/latchwork/connectors"));
  assert.deepEqual(types.map(({ type }) => `${type}.json`).sort(), files.sort());
  assert.ok(types.length >= 54);
  const names = types.map(({ name }) => name.toLowerCase());
  assert.deepEqual(names, [...names].sort((a, b) => (a < b ? -1 : 1)));
});

test("the list is narrowed by name, category, region and way to authenticate", async () => {
  assert.deepEqual(await list("?q=hop"), ["shopify"]);
  assert.deepEqual(await list("?q=SHOPIFY"), ["shopify"]);
  assert.ok((await list("?q=google")).includes("google_sheets"));
  assert.deepEqual(await list("?q=no-such-provider"), []);
  for (const { type, category } of await get("/api/v1/catalog?category=finance"))
    assert.equal(category, "finance", type);
  const auth = "oauth2_client_credentials";
  const machines = await get(`/api/v1/catalog?auth=${auth}`);
  assert.ok(machines.length > 0);
  for (const entry of machines)
    assert.ok(entry.auth.some(({ mode }) => mode === auth), entry.type);
  const australian = await get("/api/v1/catalog?region=au");
  assert.ok(australian.some(({ type }) => type === "xero"));
  assert.ok(australian.some(({ type }) => type === "stripe"), "what is global is in every region");
  assert.ok(!australian.some(({ type }) => type === "postgres"));
  assert.deepEqual(await list("?q=xero&category=crm"), []);
  assert.equal((await lw.api("GET", "/api/v1/catalog?auth=magic")).status, 400);
  assert.equal((await lw.api("GET", "/api/v1/catalog?frobnicate=1")).status, 400);
});

test("a provider comes with its fields and the wizard's steps for each way", async () => {
  const shopify = await get("/api/v1/catalog/shopify");
  const file = supplied("shopify");
  assert.equal(shopify.redirect_uri, `${lw.url}/api/v1/oauth/callback/shopify`);
  assert.deepEqual(shopify.scopes, file.oauth2.scopes);
  assert.deepEqual(shopify.fields.map(({ name }) => name), file.fields.map(({ name }) => name));
  assert.deepEqual(Object.keys(shopify.steps), shopify.auth.map(({ id }) => id));
  for (const [way, steps] of Object.entries(shopify.steps)) {
    const kinds = steps.map(({ kind }) => kind);
    assert.equal(kinds.join().replace(/(field,)+/, "field,"), "intro,auth,field,test,done", way);
    for (const { text, kind } of steps)
      assert.ok(text.length > 0, `${way} ${kind}`);
    for (const { field } of steps.filter(({ kind }) => kind === "field"))
      assert.ok(field.auth.length === 0 || field.auth.includes(way), `${way} asks for ${field.name}`);
  }
  assert.equal((await get("/api/v1/catalog/postgres")).redirect_uri, null);
});

test("every provider's page can be shown", async () => {
  for (const type of await list())
    assert.equal((await get(`/api/v1/catalog/${type}`)).type, type);
});

test("an unknown provider is a 404", async () => {
  for (const type of ["nothing", "No-Thing", "shopify.json", "x".repeat(65)])
    assert.equal((await lw.api("GET", `/api/v1/catalog/${type}`)).status, 404, type);
});

test("the operator's file replaces a supplied one and adds others, after SIGHUP", async () => {
  write("own_api", OWN);
  write("stripe", { ...supplied("stripe"), name: "aab Our Stripe" });
  await reload("front", "reloaded");
  await eventually("the new types are there", async () => (await list()).slice(0, 2).join() === "own_api,stripe");
  assert.equal((await get("/api/v1/catalog/stripe")).name, "aab Our Stripe");
  assert.deepEqual(await list("?region=INTRANET&q=own"), ["own_api"]);
});

test("a broken file on SIGHUP is named on the log, and the old catalogue stays", async () => {
  const count = (await list()).length;
  write("broken", { ...OWN, id: "broken", verify: [{ request: { url: "https://evil.test/me" } }] });
  write("own_api", { ...OWN, name: "aaa Renamed" });
  for (const part of ["front", "vault", "worker"]) {
    const line = await reload(part, "the connector types can't be used");
    assert.equal(JSON.parse(line).why, `${own}/broken.json: verify[0].request.url: evil.test isn't in hosts`);
    await eventually(`${part} goes on`, () => lw.log(part).includes("the reload failed"));
  }
  assert.equal((await list()).length, count);
  assert.equal((await get("/api/v1/catalog/own_api")).name, "aaa Own");
  fs.rmSync(path.join(own, "broken.json"));
  await reload("front", "reloaded");
  await eventually("the mended directory is read", async () => (await get("/api/v1/catalog/own_api")).name === "aaa Renamed");
  assert.equal((await list()).length, count);
});

test("the operator lints, lists and shows types", () => {
  const ctl = (...args) => lw.latchctl("connector", ...args);
  assert.match(ctl("lint").stdout, /^\d+ files are right\n$/);
  const bad = path.join(own, "bad.json");
  fs.writeFileSync(bad, JSON.stringify({ ...OWN, id: "bad", category: "other", hosts: "x" }));
  const good = path.join(own, "own_api.json");
  const { status, stdout } = ctl("lint", good, bad, "--json");
  assert.equal(status, 1);
  assert.deepEqual(JSON.parse(stdout).map(({ file, member }) => [file, member]), [[bad, "category"], [bad, "hosts"]]);
  const missing = ctl("lint", path.join(own, "none.json"));
  assert.equal(missing.status, 1);
  assert.match(missing.stdout, /No such file/);
  fs.rmSync(bad);
  assert.equal(ctl("lint", good).status, 0);
  const listed = JSON.parse(ctl("list", "--json").stdout);
  assert.equal(listed[0].type, "own_api");
  assert.equal(JSON.parse(ctl("show", "xero", "--json").stdout).redirect_uri, `${lw.url}/api/v1/oauth/callback/xero`);
  assert.match(ctl("show", "xero").stdout, /client_id/);
  assert.notEqual(ctl("show", "nothing").status, 0);
});
