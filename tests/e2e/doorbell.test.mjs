// The worker is told of work, and looks by itself only so that nothing is lost when it isn't: here it does so every ten minutes,
// so that what happens within a test happens because somebody rang.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { Receiver } from "./lib/ledger.mjs";
import { idBytes } from "./lib/tenants.mjs";
import { connectHook, deliveryOf, PROVIDERS, send } from "./lib/webhooks.mjs";

let lw, ca, receiver, owner, hook;

before(async () => {
  ca = new CertificateAuthority();
  receiver = await new Receiver(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}[worker]\npoll_ms = 600000\n[egress]\nallow_hosts = ${receiver.host}\nca_file = ${ca.file}\n` });
  owner = await lw.newTenant("owner");
  hook = await connectHook(lw, owner.token, PROVIDERS.github);
  const made = await lw.api("POST", "/api/v1/subscriptions", { token: owner.token, body: { url: receiver.url } });
  assert.equal(made.status, 201, made.text);
});
after(async () => {
  await lw?.stop();
  await receiver?.stop();
  ca?.remove();
});

async function happen() {
  const answer = await send(lw, await deliveryOf(hook));
  assert.equal(answer.status, 200, answer.text);
  return answer.json.event_id;
}

const count = (sql) => Number(lw.sql(sql)[0][0]);

/** The worker's own clock goes on: what is written now is sealed by a chore of the next second. */
async function aWhile() {
  const made = await lw.api("POST", "/api/v1/credentials", { token: owner.token, body: { name: "any", type: "api_key", data: { api_key: "k-0123456789" } } });
  assert.equal(made.status, 201, made.text);
  await eventually("it is sealed", () => count("SELECT COUNT(*) FROM audit a LEFT JOIN audit_chain c ON c.seq = a.seq WHERE c.seq IS NULL") === 0, 60);
}

test("an event is handed on, and comes to its receiver, because its arrival rang and its processing did", async () => {
  for (let i = 1; i <= 5; i++) {
    const id = await happen();
    await eventually("it comes", () => receiver.effects.has(id), 60);
  }
});

test("a job that nobody rang for waits until somebody rings for another one", async () => {
  await eventually("nothing is under way", () => count("SELECT COUNT(*) FROM job") === 0, 60);
  await aWhile();
  lw.sql(`INSERT INTO job (tenant_id, job_id, queue, kind, state, run_at, subject_id, payload, created_at)
    VALUES (${idBytes(owner.tenant.id)}, RANDOM_BYTES(16), 'event', 'event_process', 'live', 1, RANDOM_BYTES(16), '{}', 1)`);
  for (let i = 0; i < 3; i++)
    await aWhile();
  assert.equal(count("SELECT COUNT(*) FROM job WHERE attempts = 0"), 1, "it was begun, though nobody rang");
  const id = await happen();
  await eventually("both are done", () => receiver.effects.has(id) && count("SELECT COUNT(*) FROM job") === 0, 60);
});

test("a delivery that a person asks for again is sent at once", async () => {
  receiver.answer = () => 500;
  await happen();
  await eventually("it has failed", () => count("SELECT COUNT(*) FROM job WHERE queue = 'delivery' AND attempts = 1 AND worker IS NULL") === 1, 60);
  lw.sql("UPDATE job SET state = 'dead'");
  receiver.answer = () => 200;
  const [{ id }] = (await lw.api("GET", "/api/v1/jobs?state=dead", { token: owner.token })).json, before = receiver.effects.size;
  assert.equal((await lw.api("POST", `/api/v1/jobs/${id}/retry`, { token: owner.token })).status, 200);
  await eventually("it is taken", () => receiver.effects.size === before + 1, 60);
});
