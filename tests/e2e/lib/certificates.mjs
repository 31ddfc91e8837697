// A certificate authority of a test's own, which nobody trusts who isn't told to.
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-sha256", "-days", "2"];
const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });

export class CertificateAuthority {
  constructor(name = "tests' CA") {
    this.directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-ca-"));
    fs.chmodSync(this.directory, 0o755);
    this.file = path.join(this.directory, "ca.pem");
    openssl("req", "-x509", ...NEW_KEY, "-keyout", `${this.directory}/ca.key`, "-out", this.file, "-subj", `/CN=${name}`,
      "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign");
    fs.chmodSync(this.file, 0o644);
    this.issued = 0;
  }

  /** A server's certificate for this machine and these names: {key, cert} as PEM, {keyFile, certFile} where they are. */
  issue(more = [], own = ["DNS:localhost", "IP:127.0.0.1", "IP:::1"]) {
    const base = `${this.directory}/server${++this.issued}`, keyFile = `${base}.key`, certFile = `${base}.pem`;
    openssl("req", "-x509", ...NEW_KEY, "-CA", this.file, "-CAkey", `${this.directory}/ca.key`, "-keyout", keyFile, "-out", certFile,
      "-subj", "/CN=a test's server", "-addext", `subjectAltName=${[...own, ...more].join(",")}`,
        "-addext", "basicConstraints=critical,CA:FALSE");
    return { keyFile, certFile, key: fs.readFileSync(keyFile), cert: fs.readFileSync(certFile) };
  }

  remove() {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/** What a browser calls a key: base64 of the SHA-256 of its SubjectPublicKeyInfo. */
export function keyHash(pem) {
  const spki = new crypto.X509Certificate(pem).publicKey.export({ type: "spki", format: "der" });
  return crypto.createHash("sha256").update(spki).digest("base64");
}
