// AWS STS GetCallerIdentity, and a check of Signature Version 4 that is written from its documentation.
import crypto from "node:crypto";

export const KEYS = { access_key_id: "AKIAEXAMPLEEXAMPLE00", secret_access_key: `secret/of+aws/${crypto.randomBytes(12).toString("hex")}`,
  region: "eu-central-1" };

const hmac = (key, text) => crypto.createHmac("sha256", key).update(text).digest();
const sha256 = (text) => crypto.createHash("sha256").update(text).digest("hex");
const escape = (text) => encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);

const FORM = new RegExp("^AWS4-HMAC-SHA256 Credential=([^/]+)/(\\d{8})/([^/]+)/sts/aws4_request, ?" +
  "SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$");

/** Why a request isn't signed with the keys; undefined when it is. */
function wrong(request) {
  const match = FORM.exec(request.headers.authorization ?? "");
  if (!match)
    return "IncompleteSignature";
  const [, id, day, region, names, signature] = match, time = request.headers["x-amz-date"];
  if (!names.split(";").includes("host") || !names.split(";").includes("x-amz-date") || !time?.startsWith(day))
    return "IncompleteSignature";
  if (id !== KEYS.access_key_id)
    return "InvalidClientTokenId";
  const query = [...request.target.searchParams].map(([name, value]) => [escape(name), escape(value)]).sort().map((pair) =>
    pair.join("=")).join("&");
  const headers = names.split(";").map((name) => `${name}:${request.headers[name].trim().replace(/ +/g, " ")}\n`).join("");
  const canonical = [request.method, request.target.pathname, query, headers, names, sha256(request.text)].join("\n");
  const scope = `${day}/${region}/sts/aws4_request`;
  const key = [day, region, "sts", "aws4_request"].reduce(hmac, `AWS4${KEYS.secret_access_key}`);
  const expected = hmac(key, ["AWS4-HMAC-SHA256", time, scope, sha256(canonical)].join("\n")).toString("hex");
  return expected === signature ? undefined : "SignatureDoesNotMatch";
}

/** A script for lib/provider.mjs. */
export function sts(request, response) {
  const code = wrong(request), action = new URLSearchParams(request.text || request.target.search).get("Action");
  if (code || action !== "GetCallerIdentity") {
    return response.writeHead(403, { "Content-Type": "application/json" })
      .end(JSON.stringify({ Error: { Code: code ?? "InvalidAction", Message: "no", Type: "Sender" } }));
  }
  return response.writeHead(200, { "Content-Type": "application/json" })
    .end(JSON.stringify({ GetCallerIdentityResponse: { GetCallerIdentityResult: { Account: "123456789012",
      Arn: "arn:aws:iam::123456789012:user/ada", UserId: "AIDA" } } }));
}
