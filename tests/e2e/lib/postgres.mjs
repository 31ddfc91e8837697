// A PostgreSQL of a test's own: new data, TLS with the test's CA, one user with a password.
import { execFileSync, spawn } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { freePort } from "./http.mjs";

const asRoot = process.getuid() === 0;
const binaries = () => {
  const versions = fs.existsSync("/usr/lib/postgresql") ? fs.readdirSync("/usr/lib/postgresql").sort((a, b) => b - a) : [];
  return versions.length ? `/usr/lib/postgresql/${versions[0]}/bin/` : "";
};
/** PostgreSQL refuses to be root. */
const asPostgres = (program, args) => (asRoot ? ["setpriv", ["--reuid=postgres", "--regid=postgres", "--init-groups", "--", program,
  ...args]] : [program, args]);

export async function startPostgres(ca) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-postgres-")), data = path.join(directory, "data");
  const user = "reader", password = `password-${crypto.randomBytes(12).toString("hex")}`, database = "shop", port = await freePort();
  const { key, cert } = ca.issue();
  for (const [name, bytes] of Object.entries({ "server.key": key, "server.pem": cert, password }))
    fs.writeFileSync(path.join(directory, name), bytes, { mode: 0o600 });
  if (asRoot)
    execFileSync("chown", ["-R", "postgres:", directory]);
  const run = (name, ...args) => execFileSync(...asPostgres(`${binaries()}${name}`, args), { stdio: "pipe", cwd: "/" });
  run("initdb", "--pgdata", data, `--username=${user}`, "--auth=scram-sha-256", "--auth-local=scram-sha-256",
    `--pwfile=${directory}/password`, "--no-sync", "--encoding=UTF8", "--locale=C");
  fs.writeFileSync(path.join(data, "pg_hba.conf"), "host all cleartext 127.0.0.1/32 scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n");
  const log = fs.openSync(path.join(directory, "log"), "a");
  const [program, args] = asPostgres(`${binaries()}postgres`, ["-D", data, "-p", String(port), "-c", "listen_addresses=127.0.0.1", "-c",
    `unix_socket_directories=${directory}`,
    "-c", "ssl=on", "-c", `ssl_cert_file=${directory}/server.pem`, "-c", `ssl_key_file=${directory}/server.key`, "-c", "fsync=off", "-c",
      "log_connections=on"]);
  const server = spawn(program, args, { stdio: ["ignore", log, log], cwd: "/" });
  const ended = new Promise((done) => server.once("exit", done));
  const sql = (text, name = database) => execFileSync("psql", ["--no-psqlrc", "--quiet", "--tuples-only", "--no-align",
    `host=127.0.0.1 port=${port} user=${user} dbname=${name} sslmode=require connect_timeout=5`], { input: text, encoding: "utf8",
      env: { ...process.env, PGPASSWORD: password }, stdio: ["pipe", "pipe", "pipe"] });
  for (let i = 0; ; i++) {
    try {
      sql("CREATE DATABASE shop", "postgres");
      break;
    } catch (error) {
      if (i > 1200 || server.exitCode !== null)
        throw new Error(`PostgreSQL did not start: ${error.stderr} ${fs.readFileSync(path.join(directory, "log"), "utf8").slice(-2000)}`);
      await new Promise((done) => setTimeout(done, 100));
    }
  }
  return {
    port, user, password, database, sql,
    log: () => fs.readFileSync(path.join(directory, "log"), "utf8"),
    async stop() {
      server.kill("SIGINT");
      await ended;
      fs.closeSync(log);
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
