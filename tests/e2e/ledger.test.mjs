// Events are sent, two and three times, while whatever can be killed is killed: all that was acknowledged is stored, and
// has one effect at a receiver that takes each webhook-id once. LATCHWORK_LONG=1: 100,000 events and at least 100 kills.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { compare, Killer, Receiver, Sender, settle } from "./lib/ledger.mjs";
import { connectHook, PROVIDERS } from "./lib/webhooks.mjs";

const LONG = process.env.LATCHWORK_LONG === "1";
const EVENTS = Number(process.env.LATCHWORK_LEDGER_EVENTS ?? (LONG ? 100_000 : 3_000)), KILLS = LONG ? 100 : 10, EVERY_MS = LONG ? 2500 : 1200;

let lw, ca, receiver;

before(async () => {
  ca = new CertificateAuthority();
  receiver = await new Receiver(ca).start();
  lw = await startInstance({ conf: `${NO_LIMITS}hook_per_minute = 0\n[egress]\nallow_hosts = ${receiver.host}\nca_file = ${ca.file}\n` });
});
after(async () => {
  await lw?.stop();
  await receiver?.stop();
  ca?.remove();
});

test(`${EVENTS} events, some sent two and three times, with at least ${KILLS} SIGKILLs: none lost, none done twice`, async (t) => {
  const { token } = await lw.newTenant("ledger"), hook = await connectHook(lw, token, PROVIDERS["standardwebhooks (rest_api)"]);
  const made = await lw.api("POST", "/api/v1/subscriptions", { token, body: { url: receiver.url } });
  assert.equal(made.status, 201, made.text);
  receiver.secret = made.json.secret;
  const sender = new Sender(lw, hook, { events: EVENTS }), killer = new Killer(lw), began = Date.now();
  let sending = true;
  const killing = killer.run(() => sending || killer.count < KILLS, EVERY_MS);
  await Promise.all([sender.run().finally(() => (sending = false)), killing]);
  const sent = Date.now();
  await settle(lw, LONG ? 3600 : 900);
  t.diagnostic(`${EVENTS} events in ${sender.sends} sends, ${(sent - began) / 1000} s; all done after ${(Date.now() - sent) / 1000} s more`);
  t.diagnostic(`refused: ${JSON.stringify(sender.refusals)}; killed: ${JSON.stringify(killer.kills)}, ${killer.count} in all`);
  t.diagnostic(`${receiver.deliveries.length} deliveries, ${receiver.effects.size} effects`);
  assert.ok(killer.count >= KILLS);
  assert.equal(sender.acknowledged.size, EVENTS);
  assert.deepEqual(compare(lw, hook, sender, receiver), {});
  assert.equal(receiver.effects.size, EVENTS);
});
