// A connector type of keys and passwords, at the scriptable provider (provider.mjs).

/** With every kind of field: a secret with a pattern, a choice, a number, a text that may be left out. */
export const keyType = ({ host, url }, more = {}) => ({
  id: "keyed", name: "Keyed", hosts: [host],
  auth: [
    { mode: "api_key", label: "Key", credential: "api_key", headers: { Authorization: "Bearer {secret_key}" } },
    { mode: "basic", label: "User and password", credential: "basic_auth", basic: ["{user}", "{password}"] },
  ],
  fields: [
    { name: "secret_key", label: "Secret key", secret: true, required: true, pattern: "^key-[A-Za-z0-9_-]{8,100}$", member: "api_key", auth: ["api_key"] },
    { name: "user", label: "User", required: true, member: "username", auth: ["basic"] },
    { name: "password", label: "Password", secret: true, required: true, member: "password", auth: ["basic"] },
    { name: "region", label: "Region", choices: ["eu", "us"], default: "eu", member: "extra.region" },
    { name: "page", label: "Rows a page", integer: true, member: "extra.page" },
    { name: "note", label: "Note", member: "extra.note" },
    { name: "webhook_secret", label: "Webhook secret", secret: true, member: "extra.webhook_secret" },
  ],
  verify: [
    { kind: "http", request: { method: "GET", url: `${url}/check/bearer` }, account_id: ["json:id"], account_label: ["json:name"] },
    { kind: "http", auth: ["basic"], request: { method: "GET", url: `${url}/check/basic` }, account_id: ["json:id"], account_label: ["json:name"] },
  ],
  webhook: { scheme: "shared_token", key_field: "webhook_secret", source: "header:x-token", event_id: "json:id", event_type: "json:type",
    handshakes: [{ method: "GET", when: "query:challenge", text: "{query:challenge}" }] },
  sync: [{ collection: "rows", request: { url: `${url}/rows` }, rows: "rows", id: "number" }],
  preview: { request: { method: "GET", url: `${url}/rows` }, rows: "rows" },
  ...more,
});
