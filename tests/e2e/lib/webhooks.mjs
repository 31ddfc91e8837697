// Deliveries as providers make them: signed by their own npm packages where those sign, by node's crypto where they only
// verify, and then the package has to accept the very same bytes.
import assert from "node:assert/strict";
import crypto from "node:crypto";
import { createRequire } from "node:module";
import { isValidSlackRequest } from "@slack/bolt";
import { sign as signGithub } from "@octokit/webhooks-methods";
import { Signature as HubspotSignature } from "@hubspot/api-client";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import "@shopify/shopify-api/adapters/node";
import { ApiVersion, shopifyApi } from "@shopify/shopify-api";
import { verifyKey } from "discord-interactions";
import { SignJWT } from "jose";
import { WebhooksHelper } from "square";
import { Webhook as StandardWebhook } from "standardwebhooks";
import Stripe from "stripe";
import { Webhook as SvixWebhook } from "svix";
import twilio from "twilio";
import { request } from "./http.mjs";

const { EventWebhook } = createRequire(import.meta.url)("@sendgrid/eventwebhook");

export const hmac = (key, text, encoding = "hex", hash = "sha256") => crypto.createHmac(hash, key).update(text).digest(encoding);
const seconds = (at) => String(Math.floor(at / 1000));
const secret = () => crypto.randomBytes(24).toString("hex");
const whsec = () => `whsec_${crypto.randomBytes(32).toString("base64")}`;
// A space behind each colon: whoever writes the JSON anew writes other bytes.
const spaced = (value) => JSON.stringify(value, null, 1);

/** A credential with what signatures are checked with; `in`: where its data has the key. */
const apiKey = (field, more = {}) => (key) => ({ type: "api_key", data: { api_key: secret(), extra: { [field]: key, ...more } } });
const oauth = (field, more = {}) => (key) => ({
  type: "oauth2", data: { client_id: "client-0123456789", client_secret: secret(), access_token: secret(), extra: { [field]: key, ...more } },
});
const client = (key) => ({ type: "oauth2", data: { client_id: "client-0123456789", client_secret: key, access_token: secret() } });
const basic = (field) => (key) => ({ type: "basic_auth", data: { username: "name", password: secret(), extra: { [field]: key } } });

const standard = (Webhook, prefix) => ({ key, at, body, id }) => ({
  [`${prefix}-id`]: `msg_${id}`, [`${prefix}-timestamp`]: seconds(at),
  [`${prefix}-signature`]: new Webhook(key).sign(`msg_${id}`, new Date(at), body),
});

const ed25519 = () => {
  const { publicKey, privateKey } = crypto.generateKeyPairSync("ed25519");
  return { privateKey, shown: publicKey.export({ format: "der", type: "spki" }).subarray(-32).toString("hex") };
};
const p256 = () => {
  const { publicKey, privateKey } = crypto.generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const der = publicKey.export({ format: "der", type: "spki" });
  return { privateKey, shown: der.toString("base64"), pem: publicKey.export({ format: "pem", type: "spki" }) };
};

let shopify;

/*
 * type: of the connector. credential(key): what it is connected with. newKey(): {shown, ...} or a text.
 * body(id, at): the event. sign({key, at, body, id, url}): the headers. signature: the header that is the proof.
 * timed: a time is signed. unsigned: the body isn't.
 * accepts(...): the provider's own package, asked whether these bytes are genuine.
 */
export const PROVIDERS = {
  stripe: {
    type: "stripe", credential: apiKey("webhook_secret"), newKey: whsec, signature: "stripe-signature", timed: true,
    body: (id) => spaced({ id: `evt_${id}`, type: "invoice.paid", created: 1700000000, data: { object: { object: "invoice", id: "in_1" } } }),
    sign: ({ key, at, body }) => ({ "stripe-signature": Stripe.webhooks.generateTestHeaderString({ payload: body, secret: key, timestamp: Number(seconds(at)) }) }),
  },
  github: {
    type: "github", credential: apiKey("webhook_secret"), newKey: secret, signature: "x-hub-signature-256",
    body: () => spaced({ action: "opened", repository: { full_name: "o/r" } }),
    sign: async ({ key, body, id }) => ({ "x-hub-signature-256": await signGithub(key, body), "x-github-event": "issues", "x-github-delivery": id }),
  },
  "standardwebhooks (anthropic)": {
    type: "anthropic", credential: apiKey("webhook_secret"), newKey: whsec, signature: "webhook-signature", timed: true,
    body: () => spaced({ type: "batch.done" }), sign: standard(StandardWebhook, "webhook"),
  },
  "svix (openai)": {
    type: "openai", credential: apiKey("webhook_secret"), newKey: whsec, signature: "webhook-signature", timed: true,
    body: () => spaced({ type: "response.completed", data: { id: "resp_1" } }), sign: standard(SvixWebhook, "webhook"),
  },
  "standardwebhooks (rest_api)": {
    type: "rest_api", credential: apiKey("webhook_secret", { base_url: "https://api.example.test" }), newKey: whsec, signature: "webhook-signature", timed: true,
    body: () => spaced({ type: "thing.made" }), sign: standard(StandardWebhook, "webhook"),
  },
  slack: {
    type: "slack", credential: apiKey("signing_secret"), newKey: secret, signature: "x-slack-signature", timed: true,
    body: (id) => spaced({ type: "event_callback", event_id: `Ev${id}`, event: { type: "message", channel: "C1" }, event_time: 1700000000 }),
    sign: ({ key, at, body }) => ({ "x-slack-signature": `v0=${hmac(key, `v0:${seconds(at)}:${body}`)}`, "x-slack-request-timestamp": seconds(at) }),
    accepts: ({ key, body, headers }) => isValidSlackRequest({ signingSecret: key, body, headers: { "x-slack-signature": headers["x-slack-signature"],
      "x-slack-request-timestamp": Number(headers["x-slack-request-timestamp"]) } }),
  },
  shopify: {
    type: "shopify", credential: (key) => ({ type: "oauth2", data: { client_id: "client-0123456789", client_secret: key, access_token: secret(), extra: { shop: "a.myshopify.com" } } }),
    newKey: secret, signature: "x-shopify-hmac-sha256",
    body: () => spaced({ id: 820982911946154500, email: "jon@example.test" }),
    sign: ({ key, body, id }) => ({ "x-shopify-hmac-sha256": hmac(key, body, "base64"), "x-shopify-topic": "orders/create", "x-shopify-api-version": "2026-01",
      "x-shopify-shop-domain": "a.myshopify.com", "x-shopify-webhook-id": `w-${id}`, "x-shopify-event-id": `e-${id}` }),
    async accepts({ key, body, headers }) {
      shopify = shopifyApi({ apiKey: "k", apiSecretKey: key, scopes: ["read_orders"], hostName: "app.example.test", apiVersion: Object.values(ApiVersion).at(-1), isEmbeddedApp: false });
      return (await shopify.webhooks.validate({ rawBody: body, rawRequest: { method: "POST", url: "/", headers }, rawResponse: {} })).valid;
    },
  },
  square: {
    type: "square", credential: apiKey("webhook_signature_key"), newKey: secret, signature: "x-square-hmacsha256-signature",
    body: (id) => spaced({ event_id: id, type: "payment.updated", merchant_id: "M1", created_at: "2026-01-02T03:04:05Z", data: { type: "payment", id: "P1" } }),
    sign: ({ key, body, url }) => ({ "x-square-hmacsha256-signature": hmac(key, url + body, "base64") }),
    accepts: ({ key, body, url, headers }) => WebhooksHelper.verifySignature({ requestBody: body, signatureHeader: headers["x-square-hmacsha256-signature"], signatureKey: key, notificationUrl: url }),
  },
  "twilio (form)": {
    type: "twilio", credential: (key) => ({ type: "basic_auth", data: { username: `AC${"0".repeat(32)}`, password: key } }), newKey: secret, signature: "x-twilio-signature", form: true,
    parameters: (id) => ({ MessageSid: `SM${id}`, MessageStatus: "delivered", AccountSid: "AC1", Body: "Grüße & more = 1+1", Z: "", Media: "x" }),
    body(id) { return new URLSearchParams(this.parameters(id)).toString(); },
    sign: ({ key, body, url }) => ({ "content-type": "application/x-www-form-urlencoded",
      "x-twilio-signature": twilio.getExpectedTwilioSignature(key, url, Object.fromEntries(new URLSearchParams(body))) }),
  },
  "twilio (JSON)": {
    type: "twilio", credential: (key) => ({ type: "basic_auth", data: { username: `AC${"0".repeat(32)}`, password: key } }), newKey: secret, signature: "x-twilio-signature",
    body: () => spaced({ specversion: "1.0", type: "com.twilio.x" }),
    query: (body) => `?bodySHA256=${crypto.createHash("sha256").update(body).digest("hex")}`,
    sign: ({ key, url, id }) => ({ "x-twilio-signature": twilio.getExpectedTwilioSignature(key, url, {}), "i-twilio-idempotency-token": id }),
    accepts: ({ key, body, url, headers }) => twilio.validateRequestWithBody(key, headers["x-twilio-signature"], url, body),
  },
  hubspot: {
    type: "hubspot", credential: client, newKey: secret, signature: "x-hubspot-signature-v3", timed: true,
    body: (id) => spaced([{ eventId: id, subscriptionType: "contact.creation", portalId: 1, occurredAt: 1700000000000, objectId: 2 }]),
    sign: ({ key, at, body, url }) => ({ "x-hubspot-request-timestamp": String(at),
      "x-hubspot-signature-v3": HubspotSignature.getSignature("POST", "v3", { clientSecret: key, requestBody: body, url, timestamp: at }) }),
  },
  linear: {
    type: "linear", credential: apiKey("webhook_secret"), newKey: secret, signature: "linear-signature", timed: true,
    body: (id, at) => spaced({ type: "Issue", action: "create", organizationId: "o", webhookTimestamp: at, createdAt: "2026-01-02T03:04:05.000Z", data: { id } }),
    sign: ({ key, body, id }) => ({ "linear-signature": hmac(key, body), "linear-delivery": id, "linear-event": "Issue" }),
    accepts: ({ key, body, at, headers }) => new LinearWebhookClient(key).verify(Buffer.from(body), headers["linear-signature"], at),
  },
  discord: {
    type: "discord", credential: apiKey("public_key"), newKey: ed25519, signature: "x-signature-ed25519", timed: true,
    body: (id) => spaced({ id, type: 2, data: { name: "hello" } }),
    sign: ({ key, at, body }) => ({ "x-signature-timestamp": seconds(at), "x-signature-ed25519": crypto.sign(null, Buffer.from(seconds(at) + body), key.privateKey).toString("hex") }),
    accepts: ({ key, body, headers }) => verifyKey(body, headers["x-signature-ed25519"], headers["x-signature-timestamp"], key.shown),
  },
  sendgrid: {
    type: "sendgrid", credential: apiKey("webhook_public_key"), newKey: p256, signature: "x-twilio-email-event-webhook-signature", timed: true,
    body: (id) => `${spaced([{ sg_event_id: id, event: "delivered", timestamp: 1700000000, sg_message_id: "m" }])}\r\n`,
    sign: ({ key, at, body }) => ({ "x-twilio-email-event-webhook-timestamp": seconds(at),
      "x-twilio-email-event-webhook-signature": crypto.sign("sha256", Buffer.from(seconds(at) + body), key.privateKey).toString("base64") }),
    accepts: ({ key, body, headers }) => {
      const own = new EventWebhook();
      return own.verifySignature(own.convertPublicKeyToECDSA(key.pem), body, headers["x-twilio-email-event-webhook-signature"], headers["x-twilio-email-event-webhook-timestamp"]);
    },
  },

  /* --- without a package that knows the scheme: by the providers' documents ------------------------- */
  xero: {
    type: "xero", credential: oauth("webhook_key"), newKey: secret, signature: "x-xero-signature", silent: true,
    body: (id) => spaced({ events: [{ tenantId: "t", resourceId: id, eventDateUtc: "2026-01-02T03:04:05.123", eventCategory: "INVOICE", eventType: "UPDATE" }] }),
    sign: ({ key, body }) => ({ "x-xero-signature": hmac(key, body, "base64") }),
  },
  quickbooks: {
    type: "quickbooks", credential: oauth("webhook_verifier_token", { realmId: "1" }), newKey: secret, signature: "intuit-signature",
    body: (id) => spaced([{ specversion: "1.0", id, type: "qbo.customer.created.v1", time: "2026-01-02T03:04:05Z", intuitentityid: "1", intuitaccountid: "2" }]),
    sign: ({ key, body }) => ({ "intuit-signature": hmac(key, body, "base64") }),
  },
  zendesk: {
    type: "zendesk", credential: basic("webhook_secret"), newKey: secret, signature: "x-zendesk-webhook-signature", timed: true,
    body: () => spaced({ type: "zen:event-type:ticket.created", id: "35436", account_id: 1 }),
    sign: ({ key, at, body, id }) => { const time = new Date(at).toISOString(); return { "x-zendesk-webhook-signature-timestamp": time,
      "x-zendesk-webhook-signature": hmac(key, time + body, "base64"), "x-zendesk-webhook-invocation-id": id }; },
  },
  zoom: {
    type: "zoom", credential: oauth("webhook_secret_token"), newKey: secret, signature: "x-zm-signature", timed: true,
    body: (id) => spaced({ event: "meeting.started", event_ts: 1700000000000, payload: { account_id: "a", object: { uuid: id } } }),
    sign: ({ key, at, body }) => ({ "x-zm-request-timestamp": seconds(at), "x-zm-signature": `v0=${hmac(key, `v0:${seconds(at)}:${body}`)}` }),
  },
  box: {
    type: "box", credential: oauth("webhook_primary_key"), newKey: secret, signature: "box-signature-primary", timed: true,
    body: (id) => spaced({ id, trigger: "FILE.UPLOADED", source: { type: "file", id: "1" } }),
    sign: ({ key, at, body }) => { const time = new Date(at).toISOString(); return { "box-delivery-timestamp": time, "box-signature-primary": hmac(key, body + time, "base64") }; },
  },
  calendly: {
    type: "calendly", credential: apiKey("webhook_signing_key"), newKey: secret, signature: "calendly-webhook-signature", timed: true,
    body: (id) => spaced({ event: "invitee.created", created_at: "2026-01-02T03:04:05Z", payload: { uri: id } }),
    sign: ({ key, at, body }) => ({ "calendly-webhook-signature": `t=${seconds(at)},v1=${hmac(key, `${seconds(at)}.${body}`)}` }),
  },
  airtable: {
    type: "airtable", credential: apiKey("mac_secret"), newKey: () => crypto.randomBytes(32).toString("base64"), signature: "x-airtable-content-mac",
    body: (id) => spaced({ base: { id: "app1" }, webhook: { id }, timestamp: "2026-01-02T03:04:05.000Z" }),
    sign: ({ key, body }) => ({ "x-airtable-content-mac": `hmac-sha256=${hmac(Buffer.from(key, "base64"), body)}` }),
  },
  typeform: {
    type: "typeform", credential: apiKey("webhook_secret"), newKey: secret, signature: "typeform-signature",
    body: (id) => spaced({ event_id: id, event_type: "form_response", form_response: { form_id: "f" } }),
    sign: ({ key, body }) => ({ "typeform-signature": `sha256=${hmac(key, body, "base64")}` }),
  },
  woocommerce: {
    type: "woocommerce", credential: basic("webhook_secret"), newKey: secret, signature: "x-wc-webhook-signature",
    body: () => spaced({ id: 1 }),
    sign: ({ key, body, id }) => ({ "x-wc-webhook-signature": hmac(key, body, "base64"), "x-wc-webhook-topic": "order.created", "x-wc-webhook-delivery-id": id }),
  },
  meta: {
    type: "meta", credential: client, newKey: secret, signature: "x-hub-signature-256",
    body: (id) => spaced({ object: "page", entry: [{ id, time: 1 }] }),
    sign: async ({ key, body }) => ({ "x-hub-signature-256": await signGithub(key, body) }),
  },
  intercom: {
    type: "intercom", credential: client, newKey: secret, signature: "x-hub-signature",
    body: (id) => spaced({ id: `notif_${id}`, topic: "contact.created", app_id: "a", created_at: 1700000000, data: { item: { type: "contact", id: "1" } } }),
    sign: ({ key, body }) => ({ "x-hub-signature": `sha1=${hmac(key, body, "hex", "sha1")}` }),
  },
  trello: {
    type: "trello", credential: apiKey("oauth_secret"), newKey: secret, signature: "x-trello-webhook",
    body: (id) => spaced({ action: { id, type: "createCard", date: "2026-01-02T03:04:05.000Z" }, model: { id: "m" } }),
    sign: ({ key, body, url }) => ({ "x-trello-webhook": hmac(key, body + url, "base64", "sha1") }),
  },
  x: {
    type: "x", credential: oauth("consumer_secret"), newKey: secret, signature: "x-twitter-webhooks-signature",
    body: (id) => spaced({ for_user_id: "1", tweet_create_events: [{ id }] }),
    sign: ({ key, body }) => ({ "x-twitter-webhooks-signature": `sha256=${hmac(key, body, "base64")}` }),
  },
  linkedin: {
    type: "linkedin", credential: client, newKey: secret, signature: "x-li-signature",
    body: (id) => spaced({ type: "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", notifications: [id] }),
    sign: ({ key, body }) => ({ "x-li-signature": hmac(key, `hmacsha256=${body}`) }),
  },
  clickup: {
    type: "clickup", credential: apiKey("webhook_secret"), newKey: secret, signature: "x-signature",
    body: (id) => spaced({ event: "taskCreated", task_id: "t", history_items: [{ id }] }),
    sign: ({ key, body }) => ({ "x-signature": hmac(key, body) }),
  },
  dropbox: {
    type: "dropbox", credential: client, newKey: secret, signature: "x-dropbox-signature", repeats: true,
    body: () => spaced({ list_folder: { accounts: ["dbid:1"] } }), sign: ({ key, body }) => ({ "x-dropbox-signature": hmac(key, body) }),
  },
  jira: {
    type: "jira", credential: basic("webhook_secret"), newKey: secret, signature: "x-hub-signature",
    body: () => spaced({ webhookEvent: "jira:issue_created", timestamp: 1700000000000, issue: { key: "A-1" } }),
    sign: ({ key, body, id }) => ({ "x-hub-signature": `sha256=${hmac(key, body)}`, "x-atlassian-webhook-identifier": id }),
  },
  "gitlab (token)": {
    type: "gitlab", credential: apiKey("webhook_secret"), newKey: secret, signature: "x-gitlab-token", unsigned: true,
    body: () => spaced({ project: { path_with_namespace: "g/p" } }), sign: ({ key, id }) => ({ "x-gitlab-token": key, "x-gitlab-event": "Push Hook", "x-gitlab-event-uuid": id }),
  },
  "gitlab (signed)": {
    type: "gitlab", credential: apiKey("webhook_secret"), newKey: whsec, signature: "webhook-signature", timed: true,
    body: () => spaced({ project: { path_with_namespace: "g/p" } }), sign: standard(StandardWebhook, "webhook"),
  },
  monday: {
    type: "monday", credential: apiKey("signing_secret"), newKey: secret, signature: "authorization", unsigned: true, timed: true,
    body: (id) => spaced({ event: { triggerUuid: id, type: "create_pulse", pulseId: 1 } }),
    sign: async ({ key, at, url }) => ({ authorization: await new SignJWT({ accountId: 1 }).setProtectedHeader({ alg: "HS256" }).setAudience(url)
      .setNotBefore(Number(seconds(at)) - 10).setExpirationTime(Number(seconds(at)) + 300).sign(Buffer.from(key)) }),
  },
  pipedrive: {
    type: "pipedrive", credential: apiKey("webhook_password"), newKey: secret, signature: "authorization", unsigned: true,
    body: (id) => spaced({ meta: { id, action: "create", entity: "deal", entity_id: "1", timestamp: "2026-01-02T03:04:05Z" } }),
    sign: ({ key }) => ({ authorization: `Basic ${Buffer.from(`latchwork:${key}`).toString("base64")}` }),
  },
  google_drive: {
    type: "google_drive", credential: oauth("channel_token"), newKey: secret, signature: "x-goog-channel-token", unsigned: true,
    body: () => "", sign: ({ key, id }) => ({ "x-goog-channel-token": key, "x-goog-channel-id": id, "x-goog-message-number": "7", "x-goog-resource-state": "update", "x-goog-resource-id": "r" }),
  },
};

// Who connects by a key of their own says the secret of the app that signs in a field of its own.
for (const name of ["hubspot", "intercom", "meta", "shopify"])
  PROVIDERS[`${name} (API key)`] = { ...PROVIDERS[name], credential: apiKey("webhook_secret", { shop: "a.myshopify.com" }) };

export const shown = (key) => key.shown ?? key;

/** A connector of that provider with a key, and its address: {id, url, key, deliver(...)}. */
export async function connectHook(lw, token, provider, { key = provider.newKey() } = {}) {
  const { type, data } = provider.credential(shown(key));
  const made = await lw.api("POST", "/api/v1/credentials", { token, body: { name: `key of ${provider.type}`, type, service: provider.type, data } });
  assert.equal(made.status, 201, `${provider.type}: ${made.text}`);
  const connected = await lw.api("POST", "/api/v1/connectors", { token, body: { connector_type: provider.type, credential_id: made.json.id } });
  assert.equal(connected.status, 201, `${provider.type}: ${connected.text}`);
  const hook = { id: connected.json.id, credential: made.json.id, key, provider, lw, token };
  hook.url = await newAddress(lw, token, hook.id);
  return hook;
}

export async function newAddress(lw, token, connector) {
  const answer = await lw.api("POST", `/api/v1/connectors/${connector}/webhook-secret`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.json.webhook_url;
}

/** One delivery as the provider makes it: {url, headers, body, key, at}. */
export async function deliveryOf(hook, { key = hook.key, at = Date.now(), id = crypto.randomUUID(), body } = {}) {
  const { provider } = hook;
  const text = body ?? provider.body(id, at), url = hook.url + (provider.query ? provider.query(text) : "");
  const headers = await provider.sign({ key, at, body: text, id, url });
  return { url, body: text, key, at, id, headers: { "content-type": "application/json", ...headers } };
}

/** Sends it through nginx; {status, headers, text, json}. */
export function send(lw, { url, headers = {}, body, method = "POST" }) {
  const target = new URL(url);
  return request(lw.url, { method, path: target.pathname + target.search, headers, body, ca: lw.ca });
}

/** The connector's events, newest first. */
export async function eventsOf({ lw, token, id }, query = "") {
  const answer = await lw.api("GET", `/api/v1/events?connector_id=${id}&limit=100${query}`, { token });
  assert.equal(answer.status, 200, answer.text);
  return answer.json;
}
