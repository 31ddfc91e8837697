// A Latchwork of a test file's own: its database, pools, worker and nginx, started by contrib/quickstart.
//
//	const lw = await startInstance();
//	const answer = await lw.api("POST", "/api/v1/credentials", { token, body: {...} });
//	await lw.stop();
//
// LATCHWORK_BUILD names a build directory of contrib/check or contrib/quickstart; without it the first
// instance builds one. LATCHWORK_KEEP=1 keeps the directory of a stopped instance, to look at its logs.
import { execFile, execFileSync, spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Document } from "./document.mjs";
import { freePort, request } from "./http.mjs";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
const run = promisify(execFile);

function readEnvironment(file) {
  const values = {};
  for (const line of fs.readFileSync(file, "utf8").split("\n")) {
    const match = /^([A-Z_]+)='?([^']*)'?$/.exec(line);
    if (match)
      values[match[1]] = match[2];
  }
  return values;
}

export class Instance {
  constructor(directory, port, build) {
    Object.assign(this, { directory, port, build, url: `https://localhost:${port}` });
  }

  at(...names) {
    return path.join(this.directory, ...names);
  }

  /** Runs contrib/quickstart for this instance. */
  async quickstart(action, ...options) {
    const args = ["--home", this.directory, "--port", String(this.port), "--no-docs", "--no-demo", ...options];
    if (this.build)
      args.push("--build", this.build);
    return run(path.join(root, "contrib/quickstart"), [...args, action], { maxBuffer: 16 << 20 });
  }

  async start() {
    await this.quickstart("start");
    const environment = readEnvironment(this.at("quickstart.env"));
    this.ca = fs.readFileSync(environment.LATCHWORK_CA);
    this.conf = environment.LATCHWORK_CONF;
    this.database = environment.LATCHWORK_DB_SOCKET;
    this.owner = { email: environment.LATCHWORK_OWNER_EMAIL, password: environment.LATCHWORK_OWNER_PASSWORD };
    this.program = path.join(this.build ?? this.at("build"), "inst");
    this.document = new Document(path.join(this.program, "share/latchwork/openapi.json"));
    return this;
  }

  /**
   * One request. `body` is an object (sent as JSON), a string or a Buffer; `token` goes into Authorization.
   * The answer, {status, headers, text, json}, is held against the API document unless `unchecked`.
   */
  async api(method, uri, { token, body, headers = {}, unchecked = false, agent } = {}) {
    const sent = { ...headers };
    let bytes = body;
    if (token)
      sent.Authorization = `Bearer ${token}`;
    if (body !== undefined && typeof body !== "string" && !Buffer.isBuffer(body)) {
      bytes = JSON.stringify(body);
      sent["Content-Type"] ??= "application/json";
    }
    const answer = await request(this.url, { method, path: uri, headers: sent, body: bytes, ca: this.ca, agent });
    if (!unchecked)
      this.document.check(method, uri, answer);
    return answer;
  }

  /** Signs in; the answer's JSON ({access_token, refresh_token, ...}). */
  async login(email = this.owner.email, password = this.owner.password) {
    const answer = await this.api("POST", "/api/v1/auth/login", { body: { email, password } });
    if (answer.status !== 200)
      throw new Error(`login of ${email}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  /** A new user who owns a new tenant: {email, password, token, ...the answer's JSON}. */
  async newTenant(words = "tenant") {
    const email = `${words}-${crypto.randomBytes(6).toString("hex")}@example.test`;
    const password = crypto.randomBytes(18).toString("base64url");
    const answer = await this.api("POST", "/api/v1/auth/register", { body: { email, password, tenant_name: words } });
    if (answer.status !== 201)
      throw new Error(`register of ${email}: ${answer.status} ${answer.text}`);
    return { ...answer.json, email, password, token: answer.json.access_token };
  }

  /** Runs latchctl; {status, stdout, stderr}. Options: input. */
  latchctl(...args) {
    const options = typeof args.at(-1) === "object" ? args.pop() : {};
    return spawnSync(path.join(this.program, "bin/latchctl"), args,
      { encoding: "utf8", env: { PATH: process.env.PATH, LATCHWORK_CONF: this.conf }, maxBuffer: 64 << 20, ...options });
  }

  /** Runs SQL as the database's administrator; rows of texts. */
  sql(text, database = "latchwork") {
    const out = execFileSync("mariadb", ["--no-defaults", "--batch", "--skip-column-names", `--socket=${this.database}`,
      `--user=${os.userInfo().username}`, database], { input: text, encoding: "utf8", maxBuffer: 64 << 20 });
    return out.split("\n").filter((line) => line !== "").map((line) => line.split("\t"));
  }

  /** The pid of a part: front, vault, worker, nginx or MariaDB. */
  async pid(part) {
    const { stdout } = await this.quickstart("status").catch((error) => error);
    const match = new RegExp(`^${part}\\s+runs, pid (\\d+)$`, "m").exec(stdout);
    return match ? Number(match[1]) : undefined;
  }

  log(name) {
    return fs.readFileSync(this.at("log", `${name}.log`), "utf8");
  }

  async stop() {
    await this.quickstart("stop");
    if (!process.env.LATCHWORK_KEEP)
      fs.rmSync(this.directory, { recursive: true, force: true });
  }
}

/** The limits off, so that a refusal is about the request and not about how many came before it. */
export const NO_LIMITS = "[limits]\n" +
  ["address", "token", "tenant", "write", "login"].map((name) => `${name}_per_minute = 0\n`).join("");

/** Nobody's sign-in ends while a file runs, however long that takes; but for who says when it does. */
const lasting = (conf) => (conf.startsWith(NO_LIMITS) && !/^access_token_ms/m.test(conf) ? `${conf}[auth]\naccess_token_ms = 86400000\n` : conf);

/** Starts an instance. `conf`: lines that are added to its configuration; `port`: one that somebody was told before. */
export async function startInstance({ conf, port } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-"));
  fs.chmodSync(directory, 0o755);
  const instance = new Instance(directory, port ?? await freePort(), process.env.LATCHWORK_BUILD);
  if (conf) {
    fs.mkdirSync(instance.at("etc"), { recursive: true });
    fs.writeFileSync(instance.at("etc", "latchwork.local.conf"), lasting(conf));
  }
  try {
    return await instance.start();
  } catch (error) {
    await instance.stop().catch(() => {});
    throw new Error(`the instance did not start: ${error.stderr ?? error.stack}`);
  }
}

/** Resolves when condition() is truthy, to what it gave; fails after `seconds`: a machine may be slow, or busy with others. */
export async function eventually(words, condition, seconds = 90) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end;) {
    const value = await condition();
    if (value)
      return value;
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`never came true: ${words}`);
}
