// Access tokens signed with an instance's own key: genuine in everything but what a test changes in them.
import crypto from "node:crypto";
import fs from "node:fs";

const LABEL = "latchwork access token v1"; // src/identity/signing.c
const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const decode = (part) => JSON.parse(Buffer.from(part, "base64url").toString());

export class Signer {
  constructor(lw) {
    this.kid = fs.readFileSync(lw.at("etc/keys/front/current"), "utf8").trim();
    const root = fs.readFileSync(lw.at("etc/keys/front", `${this.kid}.key`));
    this.key = Buffer.from(crypto.hkdfSync("sha256", root, "", LABEL, 32));
  }

  /** `token` again, with other claims (undefined: without that one), another header, or another key. */
  resign(token, { claims = {}, header = {}, key = this.key } = {}) {
    const [head, payload] = token.split(".").map((part, i) => (i < 2 ? decode(part) : part));
    const text = `${encode({ ...head, ...header })}.${encode({ ...payload, ...claims })}`;
    return `${text}.${crypto.createHmac("sha256", key).update(text).digest("base64url")}`;
  }

  /** `token` as it will be when its time is over. */
  expired(token) {
    const now = Math.floor(Date.now() / 1000);
    return this.resign(token, { claims: { iat: now - 4000, exp: now - 3 } });
  }

  claims(token) {
    return decode(token.split(".")[1]);
  }
}
