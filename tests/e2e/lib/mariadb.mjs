// A MariaDB of a test's own: new data under the temporary directory, a unix socket, no network.
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

const asRoot = process.getuid() === 0;
const environment = { ...process.env, PATH: `/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH}` };

function install(directory) {
  if (asRoot) {
    execFileSync("chown", ["mysql:", directory]);
  }
  execFileSync("mariadb-install-db", ["--no-defaults", ...(asRoot ? ["--user=mysql"] : []),
    `--datadir=${directory}/data`, `--tmpdir=${directory}`, "--skip-test-db", "--auth-root-authentication-method=normal"],
  { env: environment, stdio: ["ignore", "ignore", "pipe"] });
}

async function waitUntil(condition, what) {
  for (let i = 0; i < 1200; i++) {
    if (condition()) {
      return;
    }
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
  throw new Error(`${what}: not within a minute`);
}

/**
 * Starts the server. `socket` is its unix socket; `run(sql, {database, user, force})` gives what the mariadb client
 * prints, {out, err}, and throws on an error unless it is forced; `rows(sql, options)` gives arrays of texts.
 */
export async function startMariadb({ settings = [] } = {}) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-mariadb-"));
  fs.chmodSync(directory, 0o755);
  install(directory);
  const socket = path.join(directory, "socket");
  const log = fs.openSync(path.join(directory, "log"), "a");
  const server = spawn("mariadbd", ["--no-defaults", ...(asRoot ? ["--user=mysql"] : []), `--datadir=${directory}/data`,
    `--socket=${socket}`, `--tmpdir=${directory}`, "--skip-networking", "--innodb-buffer-pool-size=64M",
    "--character-set-server=utf8mb4", "--collation-server=utf8mb4_unicode_ci", ...settings],
  { env: environment, stdio: ["ignore", log, log] });
  const ended = new Promise((resolve) => { server.once("exit", resolve); });

  const run = (sql, { database, user = "root", force = false } = {}) => {
    const argv = ["--no-defaults", "--batch", "--skip-column-names", "--default-character-set=utf8mb4", "--binary-mode",
      `--socket=${socket}`, `--user=${user}`, ...(force ? ["--force"] : []), ...(database ? [database] : [])];
    const err = path.join(directory, "client.err");
    const fd = fs.openSync(err, "w");
    try {
      const out = execFileSync("mariadb", argv, { input: sql, encoding: "utf8", maxBuffer: 1 << 28, env: environment,
        stdio: ["pipe", "pipe", fd] });
      return { out, err: fs.readFileSync(err, "utf8") };
    } catch (error) {
      if (force && error.stdout !== undefined) {
        return { out: error.stdout, err: fs.readFileSync(err, "utf8") };
      }
      throw new Error(`${error.message}\n${fs.readFileSync(err, "utf8")}`);
    } finally {
      fs.closeSync(fd);
    }
  };
  const alive = () => {
    try {
      run("SELECT 1");
      return true;
    } catch {
      return false;
    }
  };
  await waitUntil(() => server.exitCode !== null || alive(), "mariadbd starts");
  if (server.exitCode !== null) {
    throw new Error(`mariadbd ended:\n${fs.readFileSync(path.join(directory, "log"), "utf8")}`);
  }
  return {
    directory, socket, pid: server.pid, run,
    rows: (sql, options) => run(sql, options).out.split("\n").filter((l) => l !== "").map((l) => l.split("\t")),
    async stop() {
      server.kill("SIGTERM");
      await ended;
      fs.closeSync(log);
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
