// The processes of an instance: killed, started again, started wrongly. Each one is ended by its pid.
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { ask, children } from "./fcgi.mjs";
import { eventually } from "./instance.mjs";

const asRoot = process.getuid() === 0;
const PATH = `/usr/sbin:/usr/bin:/sbin:/bin:${process.env.PATH}`;

/** False for a process that is gone, or that nobody has waited for yet. */
export function alive(pid) {
  try {
    return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

export async function endProcess(pid, signal = "SIGTERM") {
  process.kill(pid, signal);
  await eventually(`process ${pid} ends after ${signal}`, () => !alive(pid), 120);
}

/** Starts a program; {child, log(), ended}: `ended` resolves to {status, signal}. */
function start(program, args, { env = {}, output } = {}) {
  const said = [];
  const child = spawn(program, args, { env: { PATH, ...env }, stdio: ["ignore", output ?? "pipe", output ?? "pipe"] });
  child.stdout?.on("data", (bytes) => said.push(bytes));
  child.stderr?.on("data", (bytes) => said.push(bytes));
  const ended = new Promise((done, failed) => {
    child.once("error", failed);
    child.once("close", (status, signal) => done({ status, signal }));
  });
  return { child, ended, log: () => Buffer.concat(said).toString("utf8") };
}

/** latchctl beside the event loop, which clients of ours need meanwhile. */
export function startLatchctl(lw, args, env = {}) {
  return start(path.join(lw.program, "bin/latchctl"), args, { env: { LATCHWORK_CONF: lw.conf, ...env } });
}

const as = (user, command) => (asRoot ? ["setpriv", "--reuid", user, "--regid", user, "--init-groups", "--", ...command] : command);

const poolCommand = (lw, pool) => as(`latch-${pool}`, [path.join(lw.program, "sbin/latchd"), "--config", lw.conf, "--pool", pool]);

/** A latchd of our own, as the pool's user, with an environment of its own. */
export function startPool(lw, pool, env = {}) {
  const [program, ...args] = poolCommand(lw, pool);
  return start(program, args, { env });
}

/** A worker of our own, with an environment of its own; the instance's has to have ended. */
export function startWorker(lw, env = {}) {
  const [program, ...args] = as("latch-vault", [path.join(lw.program, "sbin/latch-worker"), "--config", lw.conf]);
  return start(program, args, { env });
}

/** Ends a pool, if it runs, and starts it with that environment; it ends with the instance. */
export async function replacePool(lw, pool, env = {}) {
  const old = await lw.pid(pool);
  if (old)
    await endProcess(old);
  const started = startPool(lw, pool, env);
  await eventually(`${pool} is ready`, async () => {
    if (started.child.exitCode !== null)
      throw new Error(`${pool} ended: ${started.log()}`);
    return started.log().includes('"ready"') && await lw.pid(pool) !== undefined;
  }, 60);
  return started;
}

/** The workers of a pool. */
export const workers = async (lw, pool) => children(await lw.pid(pool));

/** Starts the instance's MariaDB again, after it was ended. */
export async function startDatabase(lw) {
  const log = fs.openSync(lw.at("log", "mariadb.log"), "a");
  const { child } = start("mariadbd", [`--defaults-file=${lw.at("etc", "mariadb.cnf")}`, ...(asRoot ? ["--user=mysql"] : [])],
    { output: log });
  fs.closeSync(log);
  await eventually("MariaDB answers", () => {
    if (child.exitCode !== null)
      throw new Error(`mariadbd ended: ${fs.readFileSync(lw.at("log", "mariadb.log"), "utf8").slice(-2000)}`);
    return spawnSync("mariadb-admin", ["--no-defaults", `--socket=${lw.database}`, "--silent", "ping"]).status === 0;
  }, 120);
}

/** Holds a pool's sockets open and starts latchd on them whenever that has ended, as systemd does. */
const HOLDER = `
import fcntl, grp, os, signal, socket, sys
paths, group, *argv = sys.argv[1:]
paths = paths.split(":")
def listener(path):
    if os.path.exists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    os.chmod(path, 0o660)
    if group:
        os.chown(path, -1, grp.getgrnam(group).gr_gid)
    s.listen(1024)
    return fcntl.fcntl(s.detach(), fcntl.F_DUPFD_CLOEXEC, 16)
listeners = [listener(path) for path in paths]
def end(*_):
    for path in paths:
        os.unlink(path)
    os._exit(0)
signal.signal(signal.SIGTERM, end)
while True:
    pid = os.fork()
    if pid == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        for place, fd in enumerate(listeners):
            os.dup2(fd, 3 + place)
        os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(listeners)))
        os.execvp(argv[0], argv)
    os.waitpid(pid, 0)
`;

/** A pool on sockets that are held open: whenever it ends, it is started again. */
export async function startHeldPool(lw, pool) {
  const [program, ...args] = poolCommand(lw, pool);
  const sockets = [pool, ...(pool === "vault" ? ["quick"] : [])].map((name) => lw.at("run", pool, `${name}.sock`));
  const holder = start("python3", ["-c", HOLDER, sockets.join(":"), asRoot ? "www-data" : "", program, ...args]);
  await eventually(`${pool} runs on held sockets`, async () => {
    if (holder.child.exitCode !== null)
      throw new Error(holder.log());
    return lw.pid(pool);
  }, 60);
  return {
    log: holder.log,
    async stop() {
      const pid = await lw.pid(pool);
      await endProcess(holder.child.pid);
      await endProcess(pid);
    },
  };
}

/** A vault pool beside the instance's own, as on another host: ask() speaks to it without nginx. */
export async function startPoolBeside(lw, env = {}) {
  const shared = fs.statSync(lw.at("run", "vault")), directory = fs.mkdtempSync(lw.at("run", "vault", "b-"));
  if (asRoot)
    fs.chownSync(directory, shared.uid, shared.gid);
  fs.chmodSync(directory, 0o2770); // a socket inherits the group of its directory
  const socket = `${directory}/s`, pidfile = `${directory}/pid`;
  const pool = startPool(lw, "vault", { LATCHWORK_VAULT_SOCKET: socket, LATCHWORK_VAULT_QUICK_SOCKET: `${directory}/q`,
    LATCHWORK_VAULT_PIDFILE: pidfile, ...env });
  await eventually("the other pool is ready", () => {
    if (pool.child.exitCode !== null)
      throw new Error(`the other pool ended: ${pool.log()}`);
    return fs.existsSync(pidfile) && pool.log().includes('"ready"');
  }, 60);
  const pid = Number(fs.readFileSync(pidfile, "utf8"));
  return {
    pid, log: pool.log,
    /** {status, headers, text, json}; rejects when no whole answer comes. */
    async ask(method, uri, { token, body, silence } = {}) {
      const params = [...(token ? [["HTTP_AUTHORIZATION", `Bearer ${token}`]] : []), ...(body ? [["CONTENT_TYPE", "application/json"]] : [])];
      const answer = await ask(socket, { method, uri, params, body: body ? JSON.stringify(body) : "", silence });
      return { ...answer, json: JSON.parse(answer.text) };
    },
    async stop() {
      await endProcess(pid);
      await pool.ended;
    },
  };
}
