// What a process looks up and connects to, seen from inside its libraries (witness.c): nothing of it leaves the machine.
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const SOURCE = path.join(path.dirname(fileURLToPath(import.meta.url)), "witness.c");

export class Witness {
  /** `names`: {"flip.test": ["93.184.216.34", "127.0.0.1"]}, one answer after the other. */
  constructor(directory, names = {}) {
    const library = path.join(directory, "witness.so");
    this.file = path.join(directory, "witness.log");
    execFileSync("gcc", ["-shared", "-fPIC", "-O1", "-o", library, SOURCE, "-ldl"], { stdio: "pipe" });
    fs.chmodSync(library, 0o755);
    fs.writeFileSync(this.file, "");
    fs.chmodSync(this.file, 0o666);
    fs.writeFileSync(path.join(directory, "witness.names"), Object.entries(names).map(([name, answers]) =>
      `${name} ${answers.join(" ")}\n`).join(""), { mode: 0o644 });
    this.env = { LD_PRELOAD: library, WITNESS_LOG: this.file, WITNESS_NAMES: path.join(directory, "witness.names") };
  }

  /** What happened since the last time: texts. */
  seen() {
    const lines = fs.readFileSync(this.file, "utf8").split("\n").filter(Boolean), news = lines.slice(this.read ?? 0);
    this.read = lines.length;
    return news;
  }

  /** Of that, what went or would have gone over the network. */
  connections() {
    return this.seen().filter((line) => !line.startsWith("lookup "));
  }
}
