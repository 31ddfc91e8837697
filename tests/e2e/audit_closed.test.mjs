// While no row can be added to the audit trail no secret is used: not one leaves for its provider, whoever asks, a person
// or the worker. What each of them would have called says so; afterwards each of them works.
import assert from "node:assert/strict";
import fs from "node:fs";
import { after, before, beforeEach, test } from "node:test";
import { fakeType, machineType, startWorld } from "./lib/connections.mjs";
import { Flows, stepOf } from "./lib/flows.mjs";
import { eventually } from "./lib/instance.mjs";
import { keyType } from "./lib/key_type.mjs";
import { idBytes, Tenant } from "./lib/tenants.mjs";

let world, lw, provider, models, tenant, keyed, flows;

before(async () => {
  world = await startWorld({ types: ({ provider: p }) => [fakeType(p), machineType(p), keyType(p, { api: { base_url: `${p.url}/api` } })] });
  ({ lw, provider, models } = world);
  tenant = await new Tenant(lw, "closed").start();
  tenant.key = provider.keys.bearer;
  flows = new Flows(lw, tenant.owner.token);
  keyed = await tenant.newConnector();
  await tenant.does("POST", "/api/v1/keys", { service: "gemini", api_key: models.keys.gemini });
});
after(() => world?.stop());
beforeEach(() => {
  provider?.reset();
  models?.reset();
});

const FOR_ALL = ["RENAME TABLE audit TO audit_away", "RENAME TABLE audit_away TO audit"];
const FOR_THE_WORKER = ["REVOKE INSERT ON latchwork.v_audit FROM latch_worker@localhost", "GRANT INSERT ON latchwork.v_audit TO latch_worker@localhost"];
/** No row can be written into the audit trail while it is done. */
async function whileClosed([harm, mend], work) {
  lw.sql(harm);
  try {
    return await work();
  } finally {
    lw.sql(mend);
  }
}
const called = () => [...provider.calls, ...models.calls].map(({ path, url }) => path ?? url);
const call = (method, uri, body) => lw.api(method, `/api/v1${uri}`, { token: tenant.owner.token, body });
const post = (uri, body) => call("POST", uri, body);

const newStep = () => flows.make([{ id: "one", type: "http", config: { connector_id: keyed.id, url: "/echo" } }]);
const newAgent = () => tenant.does("POST", "/api/v1/agents", { name: `agent-${Date.now()}`, instructions: "Be kind.", model: "echo" });
/** A connection whose token is about to end. */
async function stale() {
  provider.firstTtl = 60;
  const made = await world.connect("fake", tenant.owner.token);
  // Nobody renews it but who asks.
  lw.sql(`UPDATE token_refresh SET intent_at = 0, due_at = NULL WHERE credential_id = ${idBytes(made.credential)}`);
  return made;
}
async function machine() {
  const { json } = await post("/credentials", { name: "machine", type: "oauth2", service: "machine", data: provider.client });
  return json.id;
}
async function consent() {
  const begun = await world.begin("fake", tenant.owner.token);
  return { begun, uri: await world.consent(begun) };
}

/** What uses a secret: [words, make() -> what is needed, go(that) -> the answer]. */
const USES = [
  ["a token that is fresh", () => world.connect("fake", tenant.owner.token), ({ credential }) => post(`/credentials/${credential}/token`), "calls nobody"],
  ["a reveal", async () => ({}), () => post(`/credentials/${keyed.credential_id}/reveal`), "calls nobody"],
  ["a token that is renewed", stale, ({ credential }) => post(`/credentials/${credential}/token`)],
  ["a token of a client of its own", machine, (id) => post(`/credentials/${id}/token`)],
  ["a test of a credential", async () => ({}), () => post(`/credentials/${keyed.credential_id}/test`)],
  ["a test of a connector", async () => ({}), () => post(`/connectors/${keyed.id}/test`)],
  ["a test of what isn't stored", async () => ({}), () => post("/connectors/test", { connector_type: "keyed", config: { secret_key: tenant.key } })],
  ["a test of a connection that signs in", stale, ({ connector }) => post(`/connectors/${connector.id}/test`)],
  ["a preview", async () => ({}), () => call("GET", `/connectors/${keyed.id}/preview`)],
  ["a consent's end", consent, ({ begun, uri }) => world.callback(uri, begun)],
  ["giving access back", stale, ({ connector }) => post(`/connectors/${connector.id}/revoke`)],
  ["a question to a model", async () => ({}), () => post("/ai/generate", { prompt: "Hi", model: "echo" })],
  ["a workflow by a model", async () => ({}), () => post("/ai/generate-workflow", { prompt: "Greet.", model: "workflow" })],
  ["a question to an agent", newAgent, ({ id }) => post("/agents/execute", { agent: id, input: "Hi" })],
];

for (const [words, make, go, quiet] of USES)
  test(`${words} is refused before anything is sent, and works afterwards`, async () => {
    const needed = await make();
    provider.calls = [];
    await whileClosed(FOR_ALL, async () => {
      const answer = await go(needed);
      assert.ok(answer.status >= 500, `${answer.status} ${answer.text}`);
      assert.deepEqual(called(), []);
    });
    const answer = await go(needed);
    assert.ok(answer.status < 400, `${answer.status} ${answer.text}`);
    assert.equal(called().length > 0, !quiet, "the method sees what it should see");
  });

test("an export gives nothing that could be restored", async () => {
  const passphrase = lw.at("closed.passphrase"), archive = (name) => lw.at(`closed.${name}`);
  fs.writeFileSync(passphrase, "a passphrase that opens the archive\n", { mode: 0o600 });
  const run = (verb, name, ...more) => lw.latchctl(verb, archive(name), "--tenant", tenant.id, "--passphrase-file", passphrase, ...more);
  await whileClosed(FOR_ALL, () => assert.notEqual(run("export", "refused").status, 0));
  assert.notEqual(run("restore", "refused", "--email", tenant.owner.email).status, 0);
  assert.equal(run("export", "good").status, 0);
  assert.equal(run("restore", "good", "--email", tenant.owner.email).status, 0, "the method restores nothing at all");
});

// --- the worker ----------------------------------------------------------------------------------------

const job = (kind) => lw.sql(`SELECT attempts, state FROM job WHERE tenant_id = ${idBytes(tenant.id)} AND kind = '${kind}' ORDER BY job_id DESC LIMIT 1`)[0];
const hurry = async () => process.kill(await lw.pid("worker"), "SIGHUP");
const rowsOf = (action, target) => lw.sql(`SELECT outcome FROM audit WHERE actor_kind = 'system' AND action = '${action}' AND target_id = ${idBytes(target)}`).flat();

test("a pull waits, and has its row when it begins, by the clock as well", async () => {
  await whileClosed(FOR_THE_WORKER, async () => {
    lw.sql(`UPDATE connector SET sync_frequency = 'daily', next_sync_at = 1 WHERE connector_id = ${idBytes(keyed.id)}`);
    await eventually("it was tried", () => Number(job("sync_connector")?.[0]) >= 1, 60);
    await eventually("it was put off", () => Number(lw.sql(`SELECT COUNT(*) FROM job WHERE kind = 'sync_connector' AND worker IS NULL`)[0][0]) === 1, 60);
    assert.deepEqual(called(), []);
  });
  lw.sql("UPDATE job SET run_at = 0 WHERE kind = 'sync_connector'");
  await eventually("it was pulled", async () => (await call("GET", `/connectors/${keyed.id}/syncs?limit=1`)).json[0]?.finished_at, 60);
  assert.deepEqual(called(), ["/rows"]);
  assert.deepEqual(rowsOf("connector.sync", keyed.id), ["ok"]);
});

test("a trial in the background doesn't begin, and has its row when it went well, too", async () => {
  const turn = async () => {
    lw.sql(`UPDATE connector SET next_check_at = 1 WHERE connector_id = ${idBytes(keyed.id)}`);
    await hurry();
    await eventually("its turn came", () => lw.sql(`SELECT next_check_at > 1 FROM connector WHERE connector_id = ${idBytes(keyed.id)}`)[0][0] === "1", 60);
  };
  const refused = () => lw.log("worker").split("a connector can't be tried").length, before = refused();
  await whileClosed(FOR_THE_WORKER, async () => {
    await turn();
    await eventually("it was refused", () => refused() > before);
  });
  assert.deepEqual(called(), []);
  await turn();
  await eventually("it was tried", () => rowsOf("connector.test", keyed.id).length === 1);
  assert.deepEqual([called(), rowsOf("connector.test", keyed.id)], [["/check/bearer"], ["ok"]]);
});

test("a token isn't renewed in the background: it would be lost with what can't be written", async () => {
  const { credential } = await stale(), due = () => lw.sql(`UPDATE token_refresh SET due_at = 1 WHERE credential_id = ${idBytes(credential)}`);
  provider.calls = [];
  await whileClosed(FOR_THE_WORKER, async () => {
    const said = () => lw.log("worker").split("a token can't be renewed").length, before = said();
    due();
    await hurry();
    await eventually("its turn came", () => said() > before, 60);
    assert.deepEqual(called(), []);
  });
  due();
  await hurry();
  await eventually("it was renewed", () => provider.count() === 1, 60);
  await eventually("and its row is there", () => rowsOf("credential.refresh", credential).includes("ok"));
});

test("a step of a workflow doesn't use its credential", async () => {
  const workflow = await newStep();
  provider.scripts["api/echo"] = (_, response) => response.writeHead(200).end("{}");
  await whileClosed(FOR_THE_WORKER, async () => {
    const execution = await flows.start(workflow), done = await flows.over(execution);
    assert.equal(stepOf(done, "one").status, "failed", JSON.stringify(stepOf(done, "one")));
    assert.deepEqual(called(), []);
  });
  assert.equal((await flows.run(workflow)).status, "completed");
  assert.deepEqual(called(), ["/api/echo"]);
});
