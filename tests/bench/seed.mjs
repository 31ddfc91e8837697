// Rows to measure with. What is only read is copied inside the database; what is decrypted is made by the product.
import crypto from "node:crypto";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { programs } from "./stack.mjs";

const SAMPLE = 20000;
const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";

/** The public form of an id: Crockford's base 32 of its 128 bits. */
function idText(prefix, hex) {
  let value = BigInt(`0x${hex}`), text = "";
  for (let i = 0; i < 26; i++, value >>= 5n)
    text = DIGITS[Number(value & 31n)] + text;
  return `${prefix}-${text}`;
}

export function idHex(text) {
  let value = 0n;
  for (const digit of text.slice(text.indexOf("-") + 1))
    value = value << 5n | BigInt(DIGITS.indexOf(digit));
  return value.toString(16).padStart(32, "0");
}

export const CREDENTIAL = {
  name: "Bench: payments, live account of the German shop", type: "api_key", service: "payments",
  data: { api_key: "sk_live_0123456789abcdefghijklmnopqrstuvwxyz", extra: { region: "eu-central-1", contact: "ops@example.test" } },
};

/** The same in SQL: CONV's digits are 0 to 9 and A to V, Crockford's leave I, L, O and U out. */
function idSql(id) {
  const part = (from, digits, characters) => `LPAD(CONV(SUBSTR(HEX(${id}), ${from}, ${digits}), 16, 32), ${characters}, '0')`;
  const text = `CONCAT(${part(1, 2, 2)}, ${[3, 13, 23].map((from) => part(from, 10, 8)).join(", ")})`;
  return `LOWER(${[..."IJKLMNOPQRSTUV"].reduce((sql, c, i) => `REPLACE(${sql}, '${c}', '${DIGITS[18 + i]}')`, text)})`;
}

const timeSql = (ms) => `CONCAT(LEFT(DATE_FORMAT(FROM_UNIXTIME(${ms} / 1000), '%Y-%m-%dT%H:%i:%s.%f'), 23), 'Z')`;

/** Copies of one credential of the API until the tenant has `count`, with ids as their times would make them. */
export async function growTo(stack, count) {
  const { token, tenant } = stack;
  const [[have]] = stack.sql(`SELECT COUNT(*) FROM credential WHERE tenant_id = 0x${tenant}`);
  if (Number(have) === 0)
    await stack.api("POST", "/api/v1/credentials", { token, body: CREDENTIAL });
  const missing = count - Math.max(Number(have), 1);
  if (missing <= 0)
    return;
  // What a row keeps of its answer (src/vault/answer.h) names its id, name and times.
  stack.sql(`SET SESSION unique_checks = 0, SESSION tx_isolation = 'READ-COMMITTED', SESSION time_zone = '+00:00';
    CREATE TEMPORARY TABLE one AS SELECT * FROM credential WHERE tenant_id = 0x${tenant} AND answer IS NOT NULL LIMIT 1;
    SELECT UNIX_TIMESTAMP() * 1000 - 86400000 INTO @ms;
    INSERT INTO credential
    SELECT one.tenant_id, copy.id,
      REPLACE(REPLACE(REPLACE(REPLACE(answer, ${idSql("credential_id")}, ${idSql("copy.id")}), one.name, copy.name),
        ${timeSql("one.created_at")}, ${timeSql("copy.ms")}), LOWER(CONCAT('-', HEX(updated_at), '"')), LOWER(CONCAT('-', HEX(copy.ms), '"'))),
      copy.name, type, service, NULL, status, masked, version, created_by, copy.ms, copy.ms,
      expires_at, verify_status, verify_error_code, verify_message, verify_account, verify_checked_at, NULL
    FROM one, (SELECT CONCAT('Bench ', seq) AS name, @ms + seq AS ms,
      UNHEX(CONCAT(LPAD(HEX(@ms + seq), 12, '0'), '7', SUBSTR(MD5(seq + ${have}), 1, 3), '8', SUBSTR(MD5(seq + ${have}), 4, 15))) AS id
      FROM seq_1_to_${missing}) copy;
    ANALYZE TABLE credential;`);
}

/** Ids of credentials, from everywhere in the tenant. */
export function sampleIds(stack) {
  return stack.sql(`SELECT HEX(credential_id) FROM credential WHERE tenant_id = 0x${stack.tenant}
    AND RAND() < ${SAMPLE} / (SELECT COUNT(*) FROM credential WHERE tenant_id = 0x${stack.tenant})`)
    .map(([hex]) => idText("cred", hex)).sort(() => Math.random() - 0.5);
}

/** Fernet, the format of earlier backends that latchctl imports (version | time | IV | AES-128-CBC | HMAC). */
function fernet(key, text) {
  const head = Buffer.alloc(9), iv = crypto.randomBytes(16);
  head[0] = 0x80;
  head.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)), 1);
  const cipher = crypto.createCipheriv("aes-128-cbc", key.subarray(16), iv);
  const signed = Buffer.concat([head, iv, cipher.update(text), cipher.final()]);
  const token = Buffer.concat([signed, crypto.createHmac("sha256", key.subarray(0, 16)).update(signed).digest()]);
  return token.toString("base64").replaceAll("+", "-").replaceAll("/", "_");
}

/** A tenant of its own with that many credentials, imported by latchctl; its id. */
export function importedTenant(stack, count) {
  const email = `import-${crypto.randomBytes(4).toString("hex")}@example.test`, key = crypto.randomBytes(32);
  const made = JSON.parse(stack.latchctl("user", "create", "--json", "--email", email, "--tenant-name", "Import"));
  const file = stack.at("import.jsonl"), keyFile = stack.at("import.key"), out = fs.openSync(file, "w", 0o600);
  fs.writeFileSync(keyFile, `${key.toString("base64").replaceAll("+", "-").replaceAll("/", "_")}\n`, { mode: 0o600 });
  for (let i = 0; i < count; i += 1000)
    fs.writeSync(out, Array.from({ length: Math.min(1000, count - i) }, (_, n) => JSON.stringify({
      name: `Bench ${i + n}`, type: CREDENTIAL.type, service: CREDENTIAL.service,
      token: fernet(key, JSON.stringify(CREDENTIAL.data)) })).join("\n") + "\n");
  fs.closeSync(out);
  stack.latchctl("import", "fernet", file, "--tenant", made.tenant, "--email", email, "--key-file", keyFile, "--quiet");
  fs.rmSync(file);
  fs.rmSync(keyFile);
  return made.tenant;
}

/** Tenants with wrapped keys and nothing else. */
export function keyedTenants(stack, count) {
  const sql = execFileSync(path.join(programs, "tenant_keys"), [stack.at("etc/keys/vault"), String(count)],
    { encoding: "utf8", maxBuffer: 256 << 20 });
  stack.sql(sql);
}
