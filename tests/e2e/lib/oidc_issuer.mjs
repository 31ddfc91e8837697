// An OpenID Connect issuer of a test's own: an HTTPS server with a CA that nobody else knows, which serves its
// keys at /jwks and signs tokens with them.
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import os from "node:os";
import path from "node:path";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256", "-days", "2"];
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

export class OidcIssuer {
  asked = 0; // requests for the keys
  /** Overrides the answer at /jwks: (response) => void. */
  answer = null;

  async start() {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-issuer-"));
    fs.chmodSync(this.directory, 0o755);
    const at = (name) => path.join(this.directory, name), openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
    openssl("req", "-x509", ...NEW_KEY, "-keyout", at("ca.key"), "-out", at("ca.pem"), "-subj", "/CN=issuer's CA",
      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign");
    openssl("req", "-x509", ...NEW_KEY, "-CA", at("ca.pem"), "-CAkey", at("ca.key"), "-keyout", at("server.key"),
      "-out", at("server.pem"), "-subj", "/CN=issuer", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
      "-addext", "basicConstraints=critical,CA:FALSE");
    this.ca = at("ca.pem");
    fs.chmodSync(this.ca, 0o644);
    this.rotate("first");
    this.server = https.createServer({ key: fs.readFileSync(at("server.key")), cert: fs.readFileSync(at("server.pem")) },
      (request, response) => this.#serve(request, response));
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.port = this.server.address().port;
    this.url = `https://127.0.0.1:${this.port}`;
    return this;
  }

  /** From now on there is one key, a new one of that id. */
  rotate(kid) {
    const { privateKey, publicKey } = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
    this.kid = kid;
    this.privateKey = privateKey;
    this.keys = { keys: [{ ...publicKey.export({ format: "jwk" }), kid, alg: "RS256", use: "sig" }] };
  }

  /** A signed token; `claims` are added to (or replace) the usual ones. */
  token(claims) {
    const now = Math.floor(Date.now() / 1000);
    const text = `${encode({ alg: "RS256", typ: "JWT", kid: this.kid })}.${encode({
      iss: this.url, aud: "latchwork", sub: "somebody", iat: now, exp: now + 600, ...claims,
    })}`;
    return `${text}.${crypto.sign("sha256", Buffer.from(text), this.privateKey).toString("base64url")}`;
  }

  #serve(request, response) {
    if (request.url !== "/jwks")
      return response.writeHead(404).end();
    this.asked++;
    if (this.answer)
      return this.answer(response);
    response.setHeader("Content-Type", "application/jwk-set+json").end(JSON.stringify(this.keys));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
