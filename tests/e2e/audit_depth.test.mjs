// Of a long audit trail one request reads so much and no more, whatever is looked for; and what is looked for is found.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { idBytes } from "./lib/tenants.mjs";

const ROWS = 120_000, LOOKED_AT = 5000, COUNTED = 100_000, EVERY = 997;
let lw, tenant, began;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  tenant = await lw.newTenant("audited");
  began = Date.now() - 3 * 3600_000;
  // The first one is alone of its kind, and of those that follow one in so many is about a service.
  lw.sql(`INSERT INTO audit (audit_id, tenant_id, at, actor_kind, action, outcome, service)
    SELECT UNHEX(CONCAT(LPAD(HEX(${began} + seq DIV 20), 12, '0'), '7', LPAD(HEX(seq), 19, '0'))), ${idBytes(tenant.tenant.id)}, ${began} + seq DIV 20, 'system',
      IF(seq = 1, 'credential.purge', 'credential.reveal'), 'ok', IF(seq % ${EVERY} = 0, 'stripe', NULL) FROM seq_1_to_${ROWS}`);
});
after(() => lw?.stop());

/** Every row that the filter finds, and what each page had. */
async function walk(query) {
  const rows = [], pages = [];
  for (let uri = `/api/v1/audit?limit=100&${query}`; uri;) {
    const answer = await lw.api("GET", uri, { token: tenant.token });
    assert.equal(answer.status, 200, answer.text);
    rows.push(...answer.json);
    pages.push(answer.json.length);
    const next = /<([^>]+)>; *rel="next"/.exec(answer.headers.link ?? "");
    uri = next && new URL(next[1], lw.url).pathname + new URL(next[1], lw.url).search;
  }
  return { rows, pages };
}

test("who looks for what happened once, long ago, finds it page by page, and no page reads all that is before it", async () => {
  const { rows, pages } = await walk("action=credential.purge");
  assert.deepEqual(rows.map(({ action }) => action), ["credential.purge"]);
  assert.ok(pages.length >= ROWS / LOOKED_AT, `${pages.length} pages`);
});

test("what is rare is found completely, once each and newest first, across the ends of what a page reads", async () => {
  const { rows, pages } = await walk("service=stripe");
  assert.equal(rows.length, Math.floor(ROWS / EVERY));
  assert.deepEqual(rows.map(({ id }) => id), [...new Set(rows.map(({ id }) => id))].toSorted().reverse());
  assert.ok(Math.max(...pages) <= Math.ceil(LOOKED_AT / EVERY) + 1, JSON.stringify(pages));
});

test("what is found at once fills its page, and what doesn't exist ends", async () => {
  const full = await lw.api("GET", "/api/v1/audit?limit=100&action=credential.reveal", { token: tenant.token });
  assert.equal(full.json.length, 100);
  assert.deepEqual((await walk("outcome=failed")).rows, []);
  const to = encodeURIComponent(new Date(began - 1000).toISOString());
  assert.deepEqual((await walk(`action=credential.reveal&to=${to}`)).pages, [0]);
});

test("of more rows than one request counts the newest are counted, and the answer says since when", async () => {
  const from = new Date(began - 1000).toISOString();
  const { json } = await lw.api("GET", `/api/v1/audit/summary?from=${encodeURIComponent(from)}`, { token: tenant.token });
  const counted = json.by_action.reduce((sum, { count }) => sum + count, 0);
  assert.equal(counted, COUNTED + 1);
  assert.equal(json.by_day.reduce((sum, { count }) => sum + count, 0), counted);
  assert.ok(Date.parse(json.from) > began, json.from);
  const all = await lw.api("GET", `/api/v1/audit/summary?from=${encodeURIComponent(from)}&to=${encodeURIComponent(new Date(began + 1000).toISOString())}`, { token: tenant.token });
  assert.equal(all.json.from, from);
});
