// A second MariaDB, somebody else's: on a port, with TLS by the test's CA and one user with a password.
import { execFileSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { freePort } from "./http.mjs";
import { startMariadb } from "./mariadb.mjs";

export async function startMariadbTls(ca) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-mariadb-tls-")), port = await freePort();
  const user = "reader", password = `password-${crypto.randomBytes(12).toString("hex")}`, database = "shop";
  fs.chmodSync(directory, 0o755);
  const { key, cert } = ca.issue();
  fs.writeFileSync(path.join(directory, "server.key"), key, { mode: 0o600 });
  fs.writeFileSync(path.join(directory, "server.pem"), cert);
  if (process.getuid() === 0)
    execFileSync("chown", ["mysql:", path.join(directory, "server.key")]);
  const server = await startMariadb({ settings: ["--skip-skip-networking", "--bind-address=127.0.0.1", `--port=${port}`,
    `--ssl-cert=${directory}/server.pem`, `--ssl-key=${directory}/server.key`] });
  server.run(`CREATE DATABASE ${database}; CREATE USER '${user}'@'%' IDENTIFIED BY '${password}'; GRANT SELECT ON ${database}.* TO '${user}'@'%';`);
  return {
    port, user, password, database, rows: server.rows,
    async stop() {
      await server.stop();
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
