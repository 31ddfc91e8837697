// What steps of workflows call: a server that says back all that it hears, and a connector type that leads there.

/** Every secret that a request may hold, in every spelling that a server could think of. */
export function echo(request, response) {
  const said = request.headers.authorization ?? request.headers["x-api-key"] ?? "", secret = said.split(" ").at(-1);
  response.setHeader("X-Request-Id", `req-${secret}`);
  response.setHeader("Set-Cookie", `session=${secret}`);
  if (request.target.searchParams.get("as") === "text")
    return response.writeHead(200, { "Content-Type": "text/plain" }).end(`you sent ${said} and ${encodeURIComponent(secret)}`);
  const spellings = [secret, encodeURIComponent(secret), encodeURIComponent(secret).replace(/%../g, (hex) => hex.toLowerCase()), `{"in":${JSON.stringify(said)}}`,
    said.replaceAll("/", "\\/"), ...["", "x", "xy", "Bearer "].flatMap((before) => ["base64", "base64url"].map((to) => Buffer.from(before + secret + before).toString(to))),
    Buffer.from(secret).toString("hex"), Buffer.from(secret).toString("hex").toUpperCase()];
  return response.writeHead(200, { "Content-Type": "application/json; charset=utf-8" }).end(JSON.stringify({ method: request.method, url: request.url, headers: request.headers,
    raw: request.rawHeaders, body: request.text, [secret || "none"]: "as a name", spellings, long: secret.repeat(20) }));
}

export const echoType = ({ host, url }) => ({
  id: "echoing", hosts: [host], api: { base_url: `${url}/api` },
  auth: [{ mode: "api_key", label: "Key", credential: "api_key", headers: { Authorization: "Bearer {key}" } }],
  fields: [{ name: "key", label: "Key", secret: true, required: true, member: "api_key" }],
  verify: [{ kind: "http", request: { url: `${url}/check/bearer` } }],
  preview: { request: { method: "GET", url: `${url}/rows` }, rows: "rows" },
  sync: [{ collection: "things", request: { url: `${url}/things` }, rows: "things", id: "id", page: { kind: "link" } }],
});
