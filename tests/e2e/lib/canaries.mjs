// Secrets that are recognised wherever they turn up: in answers, files and the memory of processes.
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";

const SHOWN = "Kana"; // what a mask may show
const MARK = "qX7vBirdsong"; // what it may not: in every canary, and in nothing else
const WINDOW = 8 << 20, OVERLAP = 4096;

/** A text as it may be written elsewhere. Base64 has three forms of it, by where it begins. */
function writings(text) {
  const bytes = Buffer.from(text);
  const base64 = [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before, "x"), bytes]).toString("base64").replace(/=+$/, "");
    return encoded.slice(before ? before + 1 : 0, -2);
  });
  return [text, ...base64, bytes.toString("hex"), bytes.toString("hex").toUpperCase()].map((w) => Buffer.from(w))
    .concat(Buffer.from(text, "utf16le"));
}

export class Canaries {
  #marks = writings(MARK);
  #given = new Map(); // name -> bytes: secrets that the service made

  /** A new secret; the name is in it: [a-z0-9_]+. */
  make(name) {
    return `${SHOWN}${MARK}${name}.${crypto.randomBytes(12).toString("hex")}.`;
  }

  /** From here on this text is looked for, too. */
  add(name, secret) {
    this.#given.set(name, Buffer.from(secret));
  }

  /** The names of those in the bytes, each once. */
  found(bytes) {
    const names = new Set();
    for (const [i, mark] of this.#marks.entries()) {
      for (let at = bytes.indexOf(mark); at >= 0; at = bytes.indexOf(mark, at + mark.length)) {
        const [, name] = /^([a-z0-9_]+)\./.exec(bytes.toString("latin1", at + mark.length, at + mark.length + 60)) ?? [];
        const around = bytes.toString("latin1", Math.max(0, at - 20), at + mark.length + 60);
        names.add(i === 0 && name ? name : `${i === 0 ? "part of" : "written otherwise:"} ${around}`);
      }
    }
    for (const [name, secret] of this.#given) {
      if (bytes.includes(secret))
        names.add(name);
    }
    return [...names];
  }

  /** The same for something large that is read piece by piece: read(position, n) gives bytes, or none. */
  #foundInPieces(from, to, read) {
    const names = new Set();
    for (let at = from; at < to; at += WINDOW) {
      for (const name of this.found(read(at, Math.min(WINDOW + OVERLAP, to - at))))
        names.add(name);
    }
    return [...names];
  }

  /** Every file below a directory: [[file, names]], those that hold none left out. `looked` gets the files. */
  foundBelow(directory, looked = []) {
    const hits = [];
    for (const entry of fs.readdirSync(directory, { recursive: true, withFileTypes: true })) {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      if (!entry.isFile())
        continue;
      looked.push(path.relative(directory, file));
      const fd = fs.openSync(file), buffer = Buffer.allocUnsafe(WINDOW + OVERLAP);
      const names = this.#foundInPieces(0, fs.fstatSync(fd).size, (at, n) => buffer.subarray(0, fs.readSync(fd, buffer, 0, n, at)));
      fs.closeSync(fd);
      if (names.length > 0 || this.found(Buffer.from(file)).length > 0)
        hits.push([path.relative(directory, file), names]);
    }
    return hits;
  }

  /** The memory of a process, which only root can read: [[region, names]]. */
  foundInMemory(pid) {
    const hits = [], fd = fs.openSync(`/proc/${pid}/mem`), buffer = Buffer.allocUnsafe(WINDOW + OVERLAP);
    const read = (at, n) => {
      try {
        return buffer.subarray(0, fs.readSync(fd, buffer, 0, n, BigInt(at)));
      } catch (error) {
        if (error.code === "EIO") // a guard page, or one that is gone
          return Buffer.alloc(0);
        throw error;
      }
    };
    for (const line of fs.readFileSync(`/proc/${pid}/maps`, "utf8").trim().split("\n")) {
      const [, from, to, rights, name] = /^([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)$/.exec(line);
      if (!rights.startsWith("r") || name.startsWith("[v"))
        continue;
      const names = this.#foundInPieces(Number.parseInt(from, 16), Number.parseInt(to, 16), read);
      if (names.length > 0)
        hits.push([`${from} ${rights} ${name}`, names]);
    }
    fs.closeSync(fd);
    return hits;
  }
}
