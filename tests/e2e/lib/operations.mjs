// Every operation of the API with its place among tenants, and how it is called on things of one of them. The list
// that the build makes of the document is compared with this one: an operation without a place fails the tests.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { KEYS } from "./model_server.mjs";
import { pdf, uploadOf } from "./pdf.mjs";
import { unknownId } from "./tenants.mjs";
import { GREETING } from "./workflows.mjs";

/*
 * PUBLIC  is for everybody and takes no token: nothing here says whose data it is about.
 * OBJECT  names a thing of tenant `a`: for a stranger it is absent, in the very words of an id that nobody has.
 * LIST    shows what is the tenant's own.
 * OWN     is about who asks: a stranger may call it, and changes nothing but their own things.
 */
export const [PUBLIC, OBJECT, LIST, OWN] = ["public", "object", "list", "own"];

const credential = (more = {}) => async (a) => ({ params: { credential_id: (await a.newCredential()).id }, ...more });
const nothing = () => ({});
const open = [PUBLIC, nothing];
const list = [LIST, nothing];
const own = [OWN, nothing];
/** As somebody new with the least role: what follows ends sessions, or changes a password. */
const byNobodyElse = async (a) => ({ as: await a.newMember("viewer") });

async function aSession(a) {
  const as = await a.newMember("viewer");
  return { params: { session_id: (await currentSession(a, await a.signIn(as))) }, as, personal: true };
}

async function currentSession(a, { token }) {
  const sessions = await a.does("GET", "/api/v1/auth/sessions", undefined, token);
  return sessions.find((session) => session.current).id;
}

async function aRestorableVersion(a) {
  const { id } = await a.newCredential();
  await a.does("PUT", `/api/v1/credentials/${id}`, { data: { api_key: "another-0123456789" } });
  return { params: { credential_id: id, version: 1 } };
}

async function aKey(a) {
  const service = `service-${crypto.randomBytes(6).toString("hex")}`;
  await a.does("POST", "/api/v1/keys", { service, api_key: `short-${a.name}-0123456789` });
  return { params: { service } };
}

/** A connector of the type that lib/key_type.mjs makes; its provider has to be there for what calls it. */
const connector = (more = {}) => async (a) => ({ params: { connector_id: (await a.newConnector()).id }, ...more });

const newTokens = (a) => a.newCredential({ access_token: `access-${a.name}-0123456789`, expires_at: "2099-01-01T00:00:00Z" }, { type: "oauth2", service: "fake" });
const aTokenThatLasts = async (a) => ({ params: { credential_id: (await newTokens(a)).id } });
const aConnectorWithTokens = async (a) =>
  ({ params: { connector_id: (await a.newConnector({ connector_type: "fake", config: undefined, credential_id: (await newTokens(a)).id })).id } });

const aConfig = (a) => ({ connector_type: "keyed", config: { secret_key: a.key } });
const aService = async (a) => ({ params: { name: "figures" }, body: { credential_id: (await a.newCredential()).id } });
/** A connector with an address for webhooks, and what came there. */
async function aHook(a) {
  const { id } = await a.newConnector({ config: { secret_key: a.key, webhook_secret: `of ${a.name}, 0123456789` } });
  const { webhook_url: url } = await a.does("POST", `/api/v1/connectors/${id}/webhook-secret`);
  return { id, uri: url.slice(url.indexOf("/api/")) };
}

async function anEvent(a) {
  const { uri } = await aHook(a);
  const { event_id } = await a.does("POST", uri, { id: crypto.randomUUID(), type: "thing.made" }, undefined, { "X-Token": `of ${a.name}, 0123456789` });
  return { params: { event_id } };
}

async function aJob(a) {
  const { params: { event_id } } = await anEvent(a);
  return { params: await a.does("POST", `/api/v1/events/${event_id}/replay`) };
}

async function aDeadJob(a) {
  const made = await aJob(a);
  await a.bury(made.params.job_id);
  return made;
}

const aSubscription = (more = {}) => async (a) =>
  ({ params: { subscription_id: (await a.does("POST", "/api/v1/subscriptions", { url: `https://app.example.test/${a.name}` })).id }, ...more });

const newWorkflow = (a) => a.does("POST", "/api/v1/workflows", { name: `workflow of ${a.name}`, definition: GREETING });
const aWorkflow = (more = {}) => async (a) => ({ params: { workflow_id: (await newWorkflow(a)).id }, ...more });
const aSchedule = (more = {}) => async (a) => {
  const { id } = await newWorkflow(a), schedule = await a.does("POST", `/api/v1/workflows/${id}/schedules`, { cron: "0 0 1 1 *" });
  return { params: { workflow_id: id, schedule_id: schedule.id }, ...more };
};
async function anExecution(a, more = {}) {
  const { id } = await newWorkflow(a);
  const { execution_id } = await a.does("POST", `/api/v1/workflows/${id}/execute`, { input_data: { name: a.name } });
  return { params: { execution_id }, ...more };
}

async function anExecutionThatIsOver(a) {
  const made = await anExecution(a, { body: { from_step: "greet" } });
  await a.does("POST", `/api/v1/executions/${made.params.execution_id}/cancel`);
  return made;
}
const aTrigger = (more = {}) => async (a) => {
  const { id } = await newWorkflow(a), trigger = await a.does("POST", `/api/v1/webhooks/${id}/triggers`, { name: `of ${a.name}` });
  return { params: { workflow_id: id, trigger_id: trigger.id }, ...more };
};
const aTriggerOfNobody = () => ({ params: { workflow_id: unknownId("workflow"), trigger_id: unknownId("trigger") } });
const aRunOfNobody = () => ({ params: { run_id: unknownId("run") }, query: { ticket: "of-nobody" } });
const aRun = (more = {}) => async (a) =>
  ({ params: { run_id: (await a.does("POST", "/api/v1/runs", { workflow_id: (await newWorkflow(a)).id })).id }, ...more });
const aTemplate = (more = {}) => async (a) => ({ params: { template_id: (await a.does("GET", "/api/v1/templates"))[0].id }, ...more });

const agentBody = () => ({ name: `agent-${crypto.randomUUID()}`, instructions: "Be kind." });
const newAgent = (a) => a.does("POST", "/api/v1/agents", agentBody());
const anAgent = (more = nothing) => async (a) => ({ params: { agent_id: (await newAgent(a)).id }, ...more() });
const newSource = (a) => a.does("POST", "/api/v1/knowledge/manual", { question: `Who is ${a.name}?`, answer: "A tenant." });
const aSource = (more = nothing) => async (a) => ({ params: { knowledge_id: (await newSource(a)).id }, ...more() });
/** Who asks a model needs a key of its provider. */
const asking = (make) => async (a) => {
  await a.does("POST", "/api/v1/keys", { service: "gemini", api_key: KEYS.gemini });
  return { body: await make(a) };
};

const aType = (type, more = {}) => () => ({ params: { type }, ...more });

/**
 * operationId: [place, async (tenant) => {params, query, body, as, personal, refusal}]. `as`: who does it in the end, somebody
 * new; `personal`: not even the tenant's owner may; `refusal`: what a stranger gets instead of 404; `headers`: more of them.
 */
export const PLACES = {
  health_get: open, ready_get: open, document_get: open,
  auth_register: open, auth_login: open, auth_refresh: open,
  password_forgot: open, password_reset: open, email_verify: open,
  invitation_accept: open, // a link is for whoever has it

  auth_logout: [OWN, byNobodyElse],
  auth_switch: [OBJECT, (a) => ({ body: { tenant_id: a.id }, refusal: 403 })],
  me_get: own, me_update: own,
  password_change: [OWN, async (a) => {
    const as = await a.newMember("viewer");
    return { as, body: { old_password: as.password, new_password: `${as.password}-new` } };
  }],
  session_list: [LIST, nothing],
  session_end_others: [OWN, byNobodyElse],
  session_end: [OBJECT, aSession],

  tenant_get: own, tenant_update: own,
  member_list: list,
  member_add: own,
  member_update: [OBJECT, async (a) => ({ params: { user_id: (await a.newMember("member")).id } })],
  member_remove: [OBJECT, async (a) => ({ params: { user_id: (await a.newMember("member")).id } })],
  invitation_list: list,
  invitation_create: own,
  invitation_update: [OBJECT, async (a) => ({ params: { invitation_id: (await a.newInvitation("member")).id } })],
  invitation_delete: [OBJECT, async (a) => ({ params: { invitation_id: (await a.newInvitation()).id } })],
  token_list: list,
  token_create: [OWN, () => ({ body: { name: "made by a program or a person", scopes: ["admin"] } })],
  token_delete: [OBJECT, async (a) => ({ params: { token_id: (await a.newToken(["admin"])).id } })],

  credential_list: [LIST, (a) => ({ query: { name: `credential of ${a.name}` } })],
  credential_create: own,
  credential_get: [OBJECT, credential()],
  credential_update: [OBJECT, credential()],
  credential_delete: [OBJECT, credential({ query: { purge: "true" } })],
  credential_status: [OBJECT, credential()],
  version_list: [OBJECT, credential()],
  version_restore: [OBJECT, aRestorableVersion],
  credential_reveal: [OBJECT, credential()],
  credential_test: [OBJECT, credential()],
  credential_test_unsaved: [OWN, (a) => ({ body: { type: "api_key", service: "keyed", data: { api_key: a.key } } })],
  credential_token: [OBJECT, aTokenThatLasts],
  key_list: list,
  key_set: [OWN, async (a) => ({ body: { service: (await aKey(a)).params.service, api_key: "of somebody else" } })],
  key_delete: [OBJECT, aKey],

  catalog_list: open,
  catalog_get: [PUBLIC, aType("keyed")],
  connector_list: [LIST, nothing],
  connector_create: [OWN, (a) => ({ body: aConfig(a) })],
  connector_get: [OBJECT, connector()],
  connector_update: [OBJECT, connector({ body: { sync_frequency: "daily" } })],
  connector_delete: [OBJECT, connector()],
  connector_test: [OBJECT, connector()],
  connector_test_unsaved: [OWN, (a) => ({ body: aConfig(a) })],
  connector_preview: [OBJECT, connector()],
  connector_sync: [OBJECT, connector()],
  connector_syncs: [OBJECT, connector()],
  connector_records: [OBJECT, connector()],
  connector_revoke: [OBJECT, aConnectorWithTokens],
  service_list: list,
  service_enable: [OWN, aService],
  service_disable: [OWN, () => ({ params: { name: "figures" } })],
  sheet_mapping_list: list,
  sheet_mapping_set: own,
  oauth_start: [OWN, aType("fake", { headers: { Accept: "application/json" } })],
  oauth_callback: [PUBLIC, aType("fake")], // whoever brings a state that was begun in the same browser

  hook_receive: [PUBLIC, aType("keyed", { params: { type: "keyed", secret: "of-nobody" } })], // the secret in the address says whose it is
  hook_handshake: [PUBLIC, aType("keyed", { params: { type: "keyed", secret: "of-nobody" } })],
  connector_webhook_secret: [OBJECT, connector()],
  event_list: list,
  event_get: [OBJECT, anEvent],
  event_replay: [OBJECT, anEvent],
  job_list: list,
  job_get: [OBJECT, aJob],
  job_retry: [OBJECT, aDeadJob],
  job_retry_dead: [OWN, () => ({ body: {} })],
  subscription_list: list,
  subscription_create: own,
  subscription_get: [OBJECT, aSubscription()],
  subscription_update: [OBJECT, aSubscription({ body: { status: "paused" } })],
  subscription_delete: [OBJECT, aSubscription()],

  workflow_list: list,
  workflow_create: own,
  workflow_check: [OWN, () => ({ body: { definition: GREETING } })],
  workflow_get: [OBJECT, aWorkflow()],
  workflow_update: [OBJECT, aWorkflow({ body: { name: "changed", definition: GREETING } })],
  workflow_delete: [OBJECT, aWorkflow()],
  workflow_clone: [OBJECT, aWorkflow()],
  workflow_versions: [OBJECT, aWorkflow()],
  workflow_version_get: [OBJECT, async (a) => ({ params: { workflow_id: (await newWorkflow(a)).id, version: 1 } })],
  workflow_execute: [OBJECT, aWorkflow({ body: { input_data: { name: "Ada" } } })],
  workflow_executions: [OBJECT, aWorkflow()],
  execution_get: [OBJECT, anExecution],
  execution_cancel: [OBJECT, anExecution],
  execution_retry: [OBJECT, anExecutionThatIsOver],
  execution_events: [OBJECT, anExecution],
  schedule_list: [OBJECT, aWorkflow()],
  schedule_create: [OBJECT, aWorkflow({ body: { cron: "0 9 * * *" } })],
  schedule_get: [OBJECT, aSchedule()],
  schedule_update: [OBJECT, aSchedule({ body: { cron: "0 9 * * *" } })],
  schedule_delete: [OBJECT, aSchedule()],
  trigger_list: [OBJECT, aWorkflow()],
  trigger_create: [OBJECT, aWorkflow({ body: { name: "orders" } })],
  trigger_get: [OBJECT, aTrigger()],
  trigger_update: [OBJECT, aTrigger({ body: { name: "orders" } })],
  trigger_delete: [OBJECT, aTrigger()],
  trigger_run_get: [PUBLIC, aTriggerOfNobody], // the trigger says whose it is, and who may
  trigger_run_post: [PUBLIC, aTriggerOfNobody],
  trigger_run_put: [PUBLIC, aTriggerOfNobody],
  run_create: [OBJECT, async (a) => ({ body: { workflow_id: (await newWorkflow(a)).id } })],
  run_get: [OBJECT, aRun()],
  run_message: [OBJECT, aRun({ body: { type: "session:end" } })],
  run_stream: [PUBLIC, aRunOfNobody], // a token or a ticket says who: live.test.mjs tries them, since a stream doesn't end
  run_socket: [PUBLIC, aRunOfNobody],
  run_socket_message: [PUBLIC, aRunOfNobody],
  template_list: own, // what is there is everybody's; a copy is who asked's
  template_get: [OWN, aTemplate()],
  template_clone: [OWN, aTemplate()],

  ai_generate: [OWN, asking(() => ({ prompt: "Hi" }))],
  ai_generate_workflow: [OWN, asking(() => ({ prompt: "Greet them.", model: "workflow" }))],
  ai_usage_list: list,
  agent_list: list,
  agent_create: [OWN, () => ({ body: agentBody() })],
  agent_get: [OBJECT, anAgent()],
  agent_update: [OBJECT, anAgent(() => ({ body: agentBody() }))],
  agent_delete: [OBJECT, anAgent()],
  knowledge_list: list,
  knowledge_pdf: [OWN, () => uploadOf(pdf("A text."))],
  knowledge_scrape: [OWN, () => ({ body: { url: "https://inside.test/" } })],
  knowledge_manual: [OWN, () => ({ body: { question: "Who?", answer: "Nobody." } })],
  knowledge_get: [OBJECT, aSource()],
  knowledge_update: [OBJECT, aSource(() => ({ body: { enabled: false } }))],
  knowledge_delete: [OBJECT, aSource()],
  agent_execute: [OBJECT, asking(async (a) => ({ agent: (await newAgent(a)).id, input: "Hi" }))],

  audit_list: [LIST, async (a) => ({ query: { target: (await a.newCredential()).id } })],
  audit_summary: list,
};

/** Names in paths that are everybody's: a provider's, and what the tenant who asks calls a service. */
const NAMES = new Set(["catalog_get type", "oauth_start type", "oauth_callback type", "hook_receive type", "hook_receive secret", "hook_handshake type", "hook_handshake secret", "service_enable name", "service_disable name",
  "template_get template_id", "template_clone template_id", "run_stream run_id", "run_socket run_id", "run_socket_message run_id",
  ...["get", "post", "put"].flatMap((method) => [`trigger_run_${method} workflow_id`, `trigger_run_${method} trigger_id`])]);

/** The list that an instance's build made, by name, each with its place; refuses to leave one out. */
export function operationsWithPlaces(lw) {
  const built = JSON.parse(fs.readFileSync(path.join(path.dirname(lw.program), "obj/tests/e2e/operations.json"), "utf8"));
  const names = built.map((operation) => operation.operationId);
  assert.deepEqual(names.filter((name) => !(name in PLACES)), [], "these operations have no place in lib/operations.mjs");
  assert.deepEqual(Object.keys(PLACES).filter((name) => !names.includes(name)), [], "there are no such operations any more");
  for (const operation of built) {
    const [place] = PLACES[operation.operationId];
    assert.equal(place === PUBLIC, operation.auth !== "user", `${operation.operationId}: auth is ${operation.auth}, its place ${place}`);
    const ids = operation.parameters.filter((parameter) => parameter.in === "path" && !NAMES.has(`${operation.operationId} ${parameter.name}`));
    assert.ok(ids.length === 0 || place === OBJECT, `${operation.operationId} names a thing in its path`);
  }
  return Object.fromEntries(built.map((operation) => [operation.operationId,
    { ...operation, place: PLACES[operation.operationId][0], make: PLACES[operation.operationId][1] }]));
}

/** The request of an operation: {method, uri, body, headers}. */
export function requestOf(operation, { params = {}, query, body, headers } = {}) {
  const uri = operation.path.replace(/\{(\w+)\}/g, (_, name) => {
    assert.ok(name in params, `${operation.operationId}: what is ${name}?`);
    return encodeURIComponent(params[name]);
  });
  return { method: operation.method, uri: query ? `${uri}?${new URLSearchParams(query)}` : uri, headers,
    body: body ?? operation.body ?? undefined };
}

/** The same request about a thing that nobody has. */
export function aboutNobody(operation, made) {
  const strange = (value) => (/^[a-z]+-[0-9a-z]{26}$/.test(value) ? unknownId(value) : typeof value === "number" ? value : "service-of-nobody");
  const all = (values) => values && Object.fromEntries(Object.entries(values).map(([name, value]) => [name, strange(value)]));
  return requestOf(operation, { ...made, params: all(made.params), body: made.params ? made.body : all(made.body) });
}
