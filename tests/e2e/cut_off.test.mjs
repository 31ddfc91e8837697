// Tokens of a provider have leaked: its operator gives all of them back at once, and those of nobody else.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { eventually } from "./lib/instance.mjs";
import { keyType } from "./lib/key_type.mjs";
import { idBytes, Tenant } from "./lib/tenants.mjs";

let world, lw, provider, tenants;

before(async () => {
  world = await startWorld({ types: ({ provider: p }) => [fakeType(p), fakeType(p, { id: "other" }), keyType(p)] });
  ({ lw, provider } = world);
  tenants = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
});
after(() => world?.stop());

const connect = async (tenant, type) => ({ tenant, ...await world.connect(type, tenant.owner.token) });
const status = async ({ tenant, connector }) => (await tenant.does("GET", `/api/v1/connectors/${connector.id}`)).status;
const tokenOf = ({ tenant, credential }) => lw.api("POST", `/api/v1/credentials/${credential}/token`, { token: tenant.owner.token });
const revoke = (...args) => lw.latchctl("connector", "revoke", ...args);
const jobs = () => Number(lw.sql("SELECT COUNT(*) FROM job WHERE kind = 'connector_revoke'")[0][0]);

async function assertGone(connection) {
  await eventually("its access was given back", async () => await status(connection) === "needs_reconnect", 60);
  const answer = await tokenOf(connection);
  assert.deepEqual([answer.status, answer.json.code], [409, "NEEDS_RECONNECT"], answer.text);
  assert.deepEqual(lw.sql(`SELECT COUNT(*) FROM credential_version WHERE credential_id = ${idBytes(connection.credential)}`), [["1"]], "an old version is left");
  const rows = lw.sql(`SELECT actor_kind, outcome, details FROM audit WHERE action = 'connector.revoke' AND target_id = ${idBytes(connection.connector.id)} ORDER BY seq`);
  assert.deepEqual(rows.map(([kind, outcome]) => [kind, outcome]), [["system", "ok"], ["system", "ok"]]);
  assert.match(rows[0][2], /"operator":/);
  assert.match(rows[1][2], /"told":"true"/);
}
async function assertThere(connection) {
  assert.equal(await status(connection), "active");
  const { json } = await tokenOf(connection);
  assert.ok(provider.isGood(json.access_token));
}

test("nothing is given back by a slip of the pen", () => {
  for (const args of [["fake"], ["--yes"], ["fake", "--tenant", "nobody", "--yes"]])
    assert.notEqual(revoke(...args).status, 0, args.join(" "));
  const none = revoke("nothing", "--yes");
  assert.deepEqual([none.status, jobs()], [0, 0], none.stderr);
});

test("of one tenant, and then of all: the provider is told, the tokens are gone, and other providers' stay", async () => {
  const [a, b] = tenants, first = await connect(a, "fake"), second = await connect(b, "fake"), other = await connect(b, "other"), keyed = await b.newConnector();
  const done = revoke("fake", "--tenant", a.id, "--yes");
  assert.equal(done.status, 0, done.stderr);
  await assertGone(first);
  await assertThere(second);
  assert.equal(provider.called("/revoke").length, 1);
  provider.account = "account-2";
  const third = await connect(a, "fake");
  assert.equal(revoke("fake", "--yes").status, 0);
  await assertGone(second);
  await assertGone(third);
  await assertThere(other);
  assert.equal(provider.called("/revoke").length, 3);
  assert.equal(revoke("keyed", "--yes").status, 0);
  await eventually("nothing is left to do", () => jobs() === 0, 60);
  assert.equal((await b.does("POST", `/api/v1/credentials/${keyed.credential_id}/reveal`)).data.api_key, b.key);
});

test("a provider that doesn't answer keeps no token alive here", async () => {
  const connection = await connect(tenants[0], "fake");
  provider.scripts.revoke = (_, response) => response.writeHead(500).end();
  assert.equal(revoke("fake", "--yes").status, 0);
  await eventually("its access is gone", async () => await status(connection) === "needs_reconnect", 60);
  assert.match(lw.sql(`SELECT details FROM audit WHERE action = 'connector.revoke' AND target_id = ${idBytes(connection.connector.id)} ORDER BY seq DESC LIMIT 1`)[0][0], /"told":"false"/);
});
