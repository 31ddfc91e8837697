// The instance that is measured, and the floor beside it: both behind the same nginx, on the same MariaDB.
import { execFileSync, spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { freePort, request } from "../e2e/lib/http.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const user = os.userInfo().username;
const asRoot = process.getuid() === 0;

/** Where make has put floor, rotation_floor and tenant_keys. */
export const programs = process.env.BENCH_PROGRAMS ?? path.join(root, "tests/bench");

// Limits would measure themselves; tokens must last until the end.
const CONF = `
[limits]
address_per_minute = 0
token_per_minute = 0
tenant_per_minute = 0
write_per_minute = 0
login_per_minute = 0
hook_per_minute = 0
[auth]
access_token_ms = 86400000
`;

const FLOOR_UPSTREAM = `
upstream lw_floor {
	server unix:@RUN@/floor/floor.sock;
	keepalive 32;
	keepalive_requests 100000;
	keepalive_timeout 60s;
}
upstream lw_floor_single {
	server unix:@RUN@/floor/single.sock;
}
`;
const FLOOR_LOCATIONS = `
	location = /floor/polling {
		include fastcgi-params.conf;
		fastcgi_pass_request_headers off;
		fastcgi_keep_conn on;
		fastcgi_pass lw_floor;
	}
	location = /floor/single {
		include fastcgi-params.conf;
		fastcgi_pass_request_headers off;
		fastcgi_pass lw_floor_single;
	}
`;

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export async function eventually(words, condition, seconds = 20) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await pause(50)) {
    const value = await condition();
    if (value)
      return value;
  }
  throw new Error(`never came true: ${words}`);
}

export class Stack {
  /** `conf`: more lines of the configuration. */
  static async start(conf = "") {
    const stack = new Stack();
    stack.more = conf;
    const home = process.env.BENCH_HOME;
    stack.directory = home ? path.resolve(home) : fs.mkdtempSync(path.join(os.tmpdir(), "lw-bench-"));
    stack.keep = Boolean(home);
    stack.port = Number(process.env.BENCH_PORT ?? await freePort());
    stack.build = process.env.LATCHWORK_BUILD || undefined;
    stack.processes = [];
    try {
      await stack.#begin();
    } catch (error) {
      await stack.stop();
      throw error;
    }
    return stack;
  }

  at(...names) {
    return path.join(this.directory, ...names);
  }

  async #begin() {
    fs.mkdirSync(this.at("etc"), { recursive: true });
    fs.chmodSync(this.directory, 0o755);
    fs.writeFileSync(this.at("etc/latchwork.local.conf"), CONF + this.more);
    this.quickstart("start");
    this.environment = Object.fromEntries([...fs.readFileSync(this.at("quickstart.env"), "utf8")
      .matchAll(/^([A-Z_]+)='?([^'\n]*)'?$/gm)].map((match) => [match[1], match[2]]));
    this.conf = this.environment.LATCHWORK_CONF;
    this.program = path.join(this.build ?? this.at("build"), "inst");
    this.run = path.dirname(path.dirname(this.environment.LATCHWORK_DB_SOCKET));
    this.ca = fs.readFileSync(this.environment.LATCHWORK_CA);
    this.url = `https://localhost:${this.port}`;
    this.workers = Number(/^\[front\][^[]*^workers = (\d+)$/m.exec(fs.readFileSync(this.conf, "utf8"))[1]);
    this.session = await this.login(this.environment.LATCHWORK_OWNER_EMAIL, this.environment.LATCHWORK_OWNER_PASSWORD);
    await this.#startFloor();
  }

  quickstart(action) {
    const args = ["--home", this.directory, "--port", String(this.port), "--no-docs", "--no-demo"];
    if (this.build)
      args.push("--build", this.build);
    const ran = spawnSync(path.join(root, "contrib/quickstart"), [...args, action], { encoding: "utf8" });
    if (ran.status !== 0)
      throw new Error(`contrib/quickstart ${action}: ${ran.stderr}`);
  }

  async api(method, uri, { token, body } = {}) {
    const headers = { ...token && { Authorization: `Bearer ${token}` }, ...body && { "Content-Type": "application/json" } };
    const answer = await request(this.url, { method, path: uri, headers, ca: this.ca, body: body && JSON.stringify(body) });
    if (answer.status >= 300)
      throw new Error(`${method} ${uri}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  login(email, password) {
    return this.api("POST", "/api/v1/auth/login", { body: { email, password } });
  }

  /** latchctl's standard output. */
  latchctl(...args) {
    const ran = spawnSync(path.join(this.program, "bin/latchctl"), ["--config", this.conf, ...args],
      { encoding: "utf8", env: { PATH: process.env.PATH }, maxBuffer: 64 << 20 });
    if (ran.status !== 0)
      throw new Error(`latchctl ${args.join(" ")}: ${ran.stderr}`);
    return ran.stdout;
  }

  /** Runs SQL as the database's administrator; rows of texts. */
  sql(text, database = "latchwork") {
    const out = execFileSync("mariadb", ["--no-defaults", "--batch", "--skip-column-names",
      `--socket=${this.environment.LATCHWORK_DB_SOCKET}`, `--user=${user}`, database],
    { input: text, encoding: "utf8", maxBuffer: 256 << 20 });
    return out.split("\n").filter((line) => line !== "").map((line) => line.split("\t"));
  }

  #pidFrom(...names) {
    return Number(fs.readFileSync(path.join(this.run, ...names), "utf8"));
  }

  /** {part: [pid, ...]}: of front and vault the workers, beside their masters. */
  pids() {
    const children = (pid) => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number);
    const front = this.#pidFrom("front/front.pid"), vault = this.#pidFrom("vault/vault.pid");
    return {
      "front master": [front], "front worker": children(front), "vault master": [vault], "vault worker": children(vault),
      "latch-worker": [this.#pidFrom("vault/worker.pid")], "nginx worker": children(this.#pidFrom("nginx.pid")),
      mariadbd: [this.#pidFrom("db/mariadb.pid")],
    };
  }

  // --- the floor ---------------------------------------------------------------

  #floorTable() {
    this.sql(`CREATE DATABASE IF NOT EXISTS latchwork_floor;
      CREATE TABLE IF NOT EXISTS latchwork_floor.floor_row (id BINARY(16) PRIMARY KEY, body VARCHAR(600) NOT NULL);
      INSERT IGNORE INTO latchwork_floor.floor_row
        SELECT UNHEX(MD5(seq)), REPEAT('x', 600) FROM seq_1_to_1000;`);
  }

  #floorNginx() {
    const file = this.at("etc/nginx/latchwork.conf"), text = fs.readFileSync(file, "utf8");
    if (!text.includes("lw_floor"))
      fs.writeFileSync(file, text
        .replace("upstream lw_vault {", `${FLOOR_UPSTREAM.replaceAll("@RUN@", this.run)}upstream lw_vault {`)
        .replace("\tlocation ^~ /api/ {", `${FLOOR_LOCATIONS}\tlocation ^~ /api/ {`));
    process.kill(this.#pidFrom("nginx.pid"), "SIGHUP");
  }

  async #startFloor() {
    const directory = path.join(this.run, "floor");
    if (!fs.existsSync(path.join(programs, "floor")))
      throw new Error(`${programs}/floor is missing: run make bench, which builds it`);
    this.#floorTable();
    fs.mkdirSync(directory, { recursive: true });
    fs.chmodSync(directory, 0o755);
    for (const [way, name] of [["polling", "floor.sock"], ["single", "single.sock"]])
      this.processes.push(spawn(path.join(programs, "floor"), [way, String(this.workers), path.join(directory, name),
        this.environment.LATCHWORK_DB_SOCKET, user, "latchwork_floor"], { stdio: ["ignore", "inherit", "inherit"] }));
    this.#floorNginx();
    for (const way of ["polling", "single"])
      await eventually(`the floor answers (${way})`, () => request(this.url, { path: `/floor/${way}`, ca: this.ca })
        .then((answer) => answer.bytes.length === 1024, () => false)); // nginx may close what the reload found
  }

  /** Ends latch-worker, or lets quickstart start it again. */
  worker(action) {
    if (action === "start")
      return this.quickstart("start");
    const file = path.join(this.run, "vault/worker.pid");
    if (!fs.existsSync(file))
      return undefined;
    const pid = this.#pidFrom("vault/worker.pid");
    return execFileSync("sh", ["-c", `kill ${pid}; while kill -0 ${pid} 2>/dev/null; do sleep 0.1; done`]);
  }

  // --- starting the front ----------------------------------------------------------

  /** Milliseconds from the start of the front's latchd to the first 200 of /readyz through nginx. */
  async frontStart() {
    const pid = this.#pidFrom("front/front.pid");
    process.kill(pid, "SIGTERM");
    await eventually("the front ends", () => !fs.existsSync(`/proc/${pid}`));
    const latchd = [path.join(this.program, "sbin/latchd"), "--config", this.conf, "--pool", "front"];
    const command = asRoot ? ["setpriv", "--reuid", "latch-front", "--regid", "latch-front", "--init-groups",
      "--no-new-privs", "--inh-caps=-all", "--ambient-caps=-all", "--bounding-set=-all", "--", ...latchd] : latchd;
    const log = fs.openSync(this.at("log/front.log"), "a");
    const began = performance.now();
    spawn("setsid", command, { stdio: ["ignore", log, log], cwd: "/", env: { PATH: process.env.PATH, LANG: "C.UTF-8" } })
      .unref();
    fs.closeSync(log);
    await eventually("the front is ready", async () => {
      for (let i = 0; i < 20; i++, await pause(1))
        if ((await request(this.url, { path: "/readyz", ca: this.ca })).status === 200)
          return true;
      return false;
    });
    return performance.now() - began;
  }

  async stop() {
    for (const child of this.processes)
      child.kill();
    try {
      this.quickstart("stop");
    } catch (error) {
      process.stderr.write(`${error.message}\n`);
    }
    if (!this.keep)
      fs.rmSync(this.directory, { recursive: true, force: true });
  }
}
