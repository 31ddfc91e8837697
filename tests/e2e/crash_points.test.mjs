// Processes that die just before what they did counts: a purge, a restore, the answer that somebody waits for. What was
// begun is done by whoever comes next, once. Needs a build with --enable-crash-points.
import assert from "node:assert/strict";
import fs from "node:fs";
import https from "node:https";
import { after, before, test } from "node:test";
import { Flows, respond, transform } from "./lib/flows.mjs";
import { request } from "./lib/http.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { endProcess, startWorker } from "./lib/processes.mjs";

let lw;

before(async () => { lw = await startInstance({ conf: NO_LIMITS }); });
after(() => lw?.stop());

const count = (sql) => Number(lw.sql(sql)[0][0]);

async function store(tenant, name) {
  const made = await lw.api("POST", "/api/v1/credentials", { token: tenant.token, body: { name, type: "api_key", data: { api_key: `secret of ${name}` } } });
  assert.equal(made.status, 201, made.text);
  return made.json.id;
}

/** Lets a worker's only process die at that point until `done`, then goes on with the instance's own. */
async function workerDiesAt(point, begin) {
  await endProcess(await lw.pid("worker"));
  const worker = startWorker(lw, { LATCHWORK_CRASH_AT: point, LATCHWORK_WORKER_PROCESSES: "1" });
  await eventually("it works", () => lw.pid("worker"), 60);
  const begun = await begin();
  await eventually(`it dies at ${point}`, () => worker.log().includes('"status":137'), 60);
  await endProcess(await lw.pid("worker"));
  await worker.ended;
  return begun;
}

test("a worker that dies before a purge is written has destroyed nothing; the next one destroys it, with one audit row", async () => {
  const tenant = await lw.newTenant("purged"), id = await store(tenant, "old");
  assert.ok((await lw.api("DELETE", `/api/v1/credentials/${id}`, { token: tenant.token })).status < 300);
  const rows = () => count("SELECT COUNT(*) FROM credential_version"), purged = () => count("SELECT COUNT(*) FROM audit WHERE action = 'credential.purge'");
  assert.equal(rows(), 1);
  lw.sql("UPDATE credential SET deleted_at = 1 WHERE name = 'old'");
  await workerDiesAt("purge_before_commit", () => {});
  assert.deepEqual([rows(), purged()], [1, 0]);
  await lw.quickstart("start");
  await eventually("it is destroyed", () => rows() === 0, 60);
  assert.equal(purged(), 1);
});

test("a restore that dies at its end has stored nothing, and can be run again", async () => {
  const from = await lw.newTenant("exported"), to = await lw.newTenant("restored"), names = ["one", "two", "three"];
  for (const name of names)
    await store(from, name);
  const archive = lw.at("archive"), passphrase = lw.at("passphrase");
  fs.writeFileSync(passphrase, "an archive's passphrase", { mode: 0o600 });
  assert.equal(lw.latchctl("export", archive, "--tenant", from.tenant.id, "--passphrase-file", passphrase).status, 0);
  const restore = (env) => lw.latchctl("restore", archive, "--tenant", to.tenant.id, "--email", to.email, "--passphrase-file", passphrase,
    { env: { PATH: process.env.PATH, LATCHWORK_CONF: lw.conf, ...env } });
  const list = async () => (await lw.api("GET", "/api/v1/credentials", { token: to.token })).json;
  assert.equal(restore({ LATCHWORK_CRASH_AT: "restore_before_commit" }).status, 137);
  assert.deepEqual(await list(), []);
  assert.equal(restore({}).status, 0);
  const restored = await list();
  assert.deepEqual(restored.map(({ name }) => name).toSorted(), names.toSorted());
  for (const { id, name } of restored)
    assert.equal((await lw.api("POST", `/api/v1/credentials/${id}/reveal`, { token: to.token })).json.data.api_key, `secret of ${name}`);
});

test("who waits for the answer of a workflow whose worker dies before it gives it is told where to find it", async () => {
  const { token } = await lw.newTenant("asked"), flows = new Flows(lw, token);
  const workflow = await flows.make([transform("double", ".input.n * 2"), respond("answer", "{{ .steps.double }}")]);
  const trigger = await flows.does("POST", `/api/v1/webhooks/${workflow}/triggers`, { name: "asks", method: "POST", auth_type: "api_key", respond: "when_finished" }, 201);
  const agent = new https.Agent({ keepAlive: false, ca: lw.ca });
  const asked = await workerDiesAt("flow_answer_before", () => ({ answer: request(lw.url, { method: "POST", path: new URL(trigger.webhook_url).pathname, ca: lw.ca, agent,
    headers: { "content-type": "application/json", "x-api-key": trigger.auth_config.key }, body: JSON.stringify({ n: 21 }) }) }));
  await lw.quickstart("start"); // it has nginx read its configuration again, and nobody is left waiting then
  const { status, text } = await asked.answer;
  assert.equal(status, 202, `${status} ${text}`);
  const { success, execution_id } = JSON.parse(text), execution = await flows.over(execution_id);
  assert.deepEqual([success, execution.status, execution.output_data], [true, "completed", 42]);
  assert.equal(count("SELECT COUNT(*) FROM execution"), 1);
});
