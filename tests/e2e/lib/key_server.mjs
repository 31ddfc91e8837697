// A provider's server of public keys: certificates and JWK sets at their addresses, made for a test.
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { root } from "./instance.mjs";

const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });

/** A supplied connector type. */
export const shippedType = (id) => JSON.parse(fs.readFileSync(path.join(root, "conf/connectors", `${id}.json`), "utf8"));

/** {privateKey, publicKey} */
export const rsaKey = (bits = 2048) => crypto.generateKeyPairSync("rsa", { modulusLength: bits });

export class KeyServer {
  calls = [];
  documents = new Map();
  /** Cuts every connection, as a server in trouble does. */
  broken = false;

  constructor(ca) {
    this.ca = ca;
    this.certificate = ca.issue();
    this.made = 0;
  }

  async start() {
    this.server = https.createServer({ key: this.certificate.key, cert: this.certificate.cert }, (request, response) => {
      this.calls.push({ method: request.method, path: request.url });
      const document = this.documents.get(request.url);
      if (this.broken)
        return response.destroy();
      if (document === undefined && !request.url.startsWith("/?Action="))
        response.statusCode = 404;
      return response.end(typeof document === "object" ? JSON.stringify(document) : document);
    });
    this.server.keepAliveTimeout = 1000;
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.port = this.server.address().port;
    this.url = `https://localhost:${this.port}`;
    return this;
  }

  reset() {
    Object.assign(this, { calls: [], broken: false });
    this.documents.clear();
  }

  asked(uri) {
    return this.calls.filter((call) => call.path === uri);
  }

  put(uri, document) {
    this.documents.set(uri, document);
    return { path: uri, url: this.url + uri };
  }

  /** A certificate of that owner's at that address, and its key: {privateKey, path, url}. */
  certified(uri, owner, { bits = 2048, days = 2, selfSigned = false, prefix = "" } = {}) {
    const base = `${this.ca.directory}/key${++this.made}`, { privateKey } = rsaKey(bits), ca = ["-CA", this.ca.file, "-CAkey", `${this.ca.directory}/ca.key`];
    fs.writeFileSync(`${base}.key`, privateKey.export({ type: "pkcs8", format: "pem" }));
    openssl("req", "-new", "-key", `${base}.key`, "-subj", `/CN=${owner}`, "-out", `${base}.csr`);
    openssl("x509", "-req", "-in", `${base}.csr`, "-sha256", "-days", String(days), "-out", `${base}.pem`,
      ...(selfSigned ? ["-signkey", `${base}.key`] : [...ca, "-set_serial", String(1000 + this.made)]));
    return { privateKey, ...this.put(uri, prefix + fs.readFileSync(`${base}.pem`, "utf8")) };
  }

  /** One more key in the set at that address: {privateKey, kid, path, url}. */
  addJwk(uri) {
    const { privateKey, publicKey } = rsaKey(), kid = crypto.randomBytes(8).toString("hex"), { keys } = this.documents.get(uri) ?? { keys: [] };
    return { privateKey, kid, ...this.put(uri, { keys: [...keys, { ...publicKey.export({ format: "jwk" }), kid, use: "sig", alg: "RS256" }] }) };
  }

  dropJwk(uri, kid) {
    this.put(uri, { keys: this.documents.get(uri).keys.filter((key) => key.kid !== kid) });
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
