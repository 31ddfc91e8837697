// All that the database holds, as a backup would have it.
import { execFileSync } from "node:child_process";
import os from "node:os";

export function dumpDatabase(lw) {
  return execFileSync("mariadb-dump", ["--no-defaults", `--socket=${lw.database}`, `--user=${os.userInfo().username}`, "--all-databases"],
    { maxBuffer: 512 << 20 });
}
