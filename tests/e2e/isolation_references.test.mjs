// What a request names in its body or its query: a thing of another tenant's is there as little as one that nobody has.
// The members are the document's own: a new one that takes an id fails here until something is put into it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fakeType, startWorld } from "./lib/connections.mjs";
import { keyType } from "./lib/key_type.mjs";
import { operationsWithPlaces, requestOf } from "./lib/operations.mjs";
import { Tenant, unknownId } from "./lib/tenants.mjs";
import { GREETING } from "./lib/workflows.mjs";

let world, lw, a, b, operations;

before(async () => {
  world = await startWorld({ types: ({ provider }) => [fakeType(provider), keyType(provider)] });
  lw = world.lw;
  operations = operationsWithPlaces(lw);
  [a, b] = await Promise.all(["alder", "birch"].map((name) => new Tenant(lw, name).start()));
  for (const tenant of [a, b])
    tenant.things = await thingsOf(tenant);
});
after(() => world?.stop());

/** One of each kind that can be named, all of them of use where they are named. */
async function thingsOf(tenant) {
  tenant.key = world.provider.keys.bearer;
  const id = async (method, uri, body) => (await tenant.does(method, `/api/v1${uri}`, body)).id;
  const credential = (type, service, data) => id("POST", "/credentials", { name: service, type, service, data });
  const workflow = await id("POST", "/workflows", { name: tenant.name, definition: GREETING });
  const agent = await id("POST", "/agents", { name: "echoing", instructions: "Be kind.", model: "echo", credential_id: await credential("api_key", "gemini", { api_key: world.models.keys.gemini }) });
  return {
    key: await credential("api_key", "keyed", { api_key: tenant.key }), model: await credential("api_key", "gemini", { api_key: world.models.keys.gemini }),
    client: await credential("oauth2", "fake", world.provider.client), connector: (await tenant.newConnector()).id,
    consented: (await world.connect("fake", tenant.owner.token)).connector.id, workflow, agent, run: await id("POST", "/runs", { workflow_id: workflow }),
    conversation: (await tenant.does("POST", "/api/v1/agents/execute", { agent, input: "Hi" })).conversation_id,
    actor: tenant.people.admin.id,
  };
}

/** By operation and member: whose thing is named there (of `tenant`), and what the request is besides, of `b`. */
const PLACES = {
  "connector_create credential_id": [(t) => t.key, { body: { connector_type: "keyed" } }],
  "connector_update credential_id": [(t) => t.key, { body: {} }],
  "service_enable credential_id": [(t) => t.key],
  "oauth_start connector_id": [(t) => t.consented],
  "oauth_start credential_id": [(t) => t.client],
  "event_list connector_id": [(t) => t.connector],
  "subscription_create connector_id": [(t) => t.connector, { body: { url: "https://app.example.test/references" } }],
  "workflow_check workflow_id": [(t) => t.workflow, { body: { definition: GREETING } }],
  "run_create workflow_id": [(t) => t.workflow, { body: {} }],
  "ai_generate credential_id": [(t) => t.model, { body: { prompt: "Hi", model: "echo" } }],
  "ai_generate run_id": [(t) => t.run, () => ({ body: { prompt: "Hi", model: "echo", credential_id: b.things.model } })],
  "ai_generate_workflow credential_id": [(t) => t.model, { body: { prompt: "Greet.", model: "workflow" } }],
  "agent_create credential_id": [(t) => t.model],
  "agent_create connectors[]": [(t) => t.connector],
  "agent_update credential_id": [(t) => t.model],
  "agent_update connectors[]": [(t) => t.connector],
  "agent_execute conversation_id": [(t) => t.conversation, () => ({ body: { agent: b.things.agent, input: "Hi" } })],
  "agent_execute run_id": [(t) => t.run, () => ({ body: { agent: b.things.agent, input: "Hi" } })],
  "audit_list actor": [(t) => t.actor],
  "audit_list target": [(t) => t.key],
};
// Whose tenant it is to be: isolation.test.mjs asks for it as a stranger, and as somebody of both.
const ELSEWHERE = ["auth_login tenant_id", "auth_switch tenant_id"];

const KINDS = ["cred", "conn", "workflow", "run", "chat", "ten", "usr", "tok", "exec", "evt", "job", "agent", "know", "tmpl", "trigger"];

/** Every member of a body, and every parameter of a query, that takes one of our ids and not any text. */
function references() {
  const plain = (schema = {}) => (schema.$ref ? lw.document.resolve(lw.document.refParts(schema.$ref)) : schema);
  const isId = (schema) => {
    const { pattern } = plain(schema);
    return pattern !== undefined && KINDS.some((kind) => new RegExp(pattern).test(unknownId(`${kind}-${"0".repeat(26)}`))) && !new RegExp(pattern).test("x");
  };
  return lw.document.operations.flatMap(({ operation: { operationId, parameters = [], requestBody } }) => {
    const members = Object.entries(plain(plain(requestBody).content?.["application/json"]?.schema).properties ?? {})
      .flatMap(([name, schema]) => (isId(schema) ? [name] : isId(plain(schema).items) ? [`${name}[]`] : []));
    const query = parameters.map(plain).filter((p) => p.in === "query" && isId(p.schema)).map(({ name }) => name);
    return [...members, ...query].map((name) => `${operationId} ${name}`);
  });
}

test("every member that names a thing is looked at", () => {
  assert.deepEqual(references().toSorted(), [...Object.keys(PLACES), ...ELSEWHERE].toSorted());
});

async function ask(place, id) {
  const [name, member] = place.split(" "), operation = operations[name], more = PLACES[place][1];
  const made = { ...await operation.make(b), ...(typeof more === "function" ? more() : more) };
  const request = requestOf(operation, made), list = member.endsWith("[]");
  if (operation.method === "GET")
    request.uri = `${request.uri.split("?")[0]}?${member}=${id}`;
  else
    request.body = { ...request.body, [member.replace("[]", "")]: list ? [id] : id };
  return lw.api(operation.method, request.uri, { token: b.owner.token, body: request.body, headers: request.headers });
}

/** An answer without what is another one each time. */
function essence({ status, json, text }, id) {
  const { request_id, ...rest } = json ?? { text };
  return JSON.stringify({ status, ...Object.assign(Array.isArray(json) ? { json } : rest) }).replaceAll(id, "the id");
}

for (const place of Object.keys(PLACES))
  test(`${place}: another tenant's is nobody's`, async () => {
    const [of] = PLACES[place], own = of(b.things), foreign = of(a.things), nobodys = unknownId(own);
    const good = await ask(place, own);
    assert.ok(good.status < 300, `one's own: ${good.status} ${good.text}`);
    const [theirs, none] = [await ask(place, foreign), await ask(place, nobodys)];
    assert.equal(essence(theirs, foreign), essence(none, nobodys));
    assert.ok(theirs.status >= 400 || theirs.text === "[]", theirs.text);
  });
