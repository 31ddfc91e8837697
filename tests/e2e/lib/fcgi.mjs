// A FastCGI client that also says what nginx never would: raw records to a pool's socket.
//
//	await ask(socket, { method: "GET", uri: "/healthz" })      {status, headers, text, kept}
//	for (const [words, bytes] of evils()) await send(socket, bytes)
import fs from "node:fs";
import net from "node:net";

export const BEGIN = 1, ABORT = 2, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6, DATA = 8, GET_VALUES = 9;
const CHUNK = 32768;

/** One record. `length` and `padding` are what the header claims, whatever follows it. */
export function record(type, content = Buffer.alloc(0), { version = 1, id = 1, length, padding = 0 } = {}) {
  const body = Buffer.from(content);
  const header = Buffer.from([version, type, id >> 8, id & 255, 0, 0, padding, 0]);
  header.writeUInt16BE(length ?? body.length, 4);
  return Buffer.concat([header, body]);
}

/** A stream in records, with the empty one that ends it. */
export function stream(type, content = Buffer.alloc(0)) {
  const bytes = Buffer.from(content), records = [];
  for (let at = 0; at < bytes.length; at += CHUNK)
    records.push(record(type, bytes.subarray(at, at + CHUNK)));
  return Buffer.concat([...records, record(type)]);
}

export const begin = (role = 1, keep = false) => record(BEGIN, [role >> 8, role & 255, keep ? 1 : 0, 0, 0, 0, 0, 0]);

function length(n) {
  if (n < 128)
    return Buffer.from([n]);
  const four = Buffer.alloc(4);
  four.writeUInt32BE((n | 0x80000000) >>> 0);
  return four;
}

export function pair(name, value) {
  const [n, v] = [Buffer.from(name), Buffer.from(value)];
  return Buffer.concat([length(n.length), length(v.length), n, v]);
}

/** A whole request, as nginx would send it. `params`: more pairs, [name, value]. */
export function requestBytes({ method = "GET", uri, body = "", keep = false, params = [] }) {
  const content = Buffer.from(body);
  const all = [["REQUEST_METHOD", method], ["LW_URI", uri], ["REMOTE_ADDR", "192.0.2.1"],
    ["CONTENT_LENGTH", content.length ? String(content.length) : ""], ...params];
  return Buffer.concat([begin(1, keep), stream(PARAMS, Buffer.concat(all.map(([n, v]) => pair(n, v)))), stream(STDIN, content)]);
}

function readAnswer(bytes) {
  const out = [];
  let ended = false, behind = 0;
  for (let at = 0; at + 8 <= bytes.length;) {
    const n = bytes.readUInt16BE(at + 4), next = at + 8 + n + bytes[at + 6];
    if (next > bytes.length)
      break;
    if (ended)
      behind++;
    if (bytes[at + 1] === STDOUT)
      out.push(bytes.subarray(at + 8, at + 8 + n));
    ended ||= bytes[at + 1] === END;
    at = next;
  }
  return { ended, behind, out: Buffer.concat(out).toString("latin1") };
}

/**
 * Connects, sends the bytes, and reads until an answer is whole, the other side closes, or `silence` ms pass.
 * {answered, closed, out}. A side that closes in the middle of our sending is no error: that is what it should do.
 */
export function send(socketPath, bytes, { silence = 60000 } = {}) {
  return new Promise((done, failed) => {
    const parts = [];
    let connected = false;
    const socket = net.connect(socketPath);
    const finish = (closed) => {
      socket.destroy();
      const { ended, behind, out } = readAnswer(Buffer.concat(parts));
      done({ answered: ended, closed, kept: ended && behind === 0, out });
    };
    socket.setTimeout(silence, () => finish(false));
    socket.on("connect", () => { connected = true; socket.write(bytes); });
    socket.on("data", (part) => {
      parts.push(part);
      if (readAnswer(Buffer.concat(parts)).ended)
        finish(false);
    });
    socket.on("end", () => finish(true));
    socket.on("error", (error) => (connected ? finish(true) : failed(error)));
  });
}

/** A good request; {status, headers, text}. Rejects when there is no whole answer. */
export async function ask(socketPath, { silence, ...options }) {
  const { answered, out, kept } = await send(socketPath, requestBytes(options), { silence });
  if (!answered)
    throw new Error(`no answer to ${options.method ?? "GET"} ${options.uri}`);
  const split = out.indexOf("\r\n\r\n");
  const headers = Object.fromEntries(out.slice(0, split).split("\r\n").map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  }));
  return { status: Number.parseInt(headers.status ?? "200", 10), headers, text: out.slice(split + 4), kept };
}

/** What a pool must survive: [words, bytes]. It closes the connection on each, or answers with an error. */
export function evils() {
  const params = (bytes) => Buffer.concat([begin(1, true), stream(PARAMS, bytes), record(STDIN)]);
  const fill = (n) => Buffer.alloc(n, 0x41);
  return [
    ["lengths of 0x7fffffff", params(Buffer.concat([fill(8).fill(0xff), fill(4)]))],
    ["lengths whose sum overflows", params(Buffer.concat([Buffer.from("fffffffefffffffe", "hex"), fill(4)]))],
    ["a name longer than all that came", params(Buffer.from([0x81, 0, 0, 0, 1, 65]))],
    ["another version", record(BEGIN, [0, 1, 0, 0, 0, 0, 0, 0], { version: 2 })],
    ["two requests at once", Buffer.concat([begin(), begin()])],
    ["a second BEGIN among the parameters", Buffer.concat([begin(), record(PARAMS, pair("A", "b")), begin()])],
    ["a body before the parameters", Buffer.concat([begin(), stream(STDIN, "body")])],
    ["100,000 tiny parameters", params(Buffer.concat(Array(100000).fill(pair("A", "b"))))],
    ["a parameter of 16 MiB", params(Buffer.concat([Buffer.from([1, 0x81, 0, 0, 0, 65]), fill(16 << 20)]))],
    ["a '=' in a name", params(pair("LW_URI=/", "x"))],
    ["a NUL in a value", params(pair("LW_URI", "/\0x"))],
    ["ABORT", Buffer.concat([begin(), record(ABORT)])],
    ["a type that doesn't exist", record(77, fill(8), { id: 0 })],
    ["GET_VALUES that names a variable 100 times",
      record(GET_VALUES, Buffer.concat(Array(100).fill(pair("FCGI_MPXS_CONNS", ""))), { id: 0 })],
    ["another role", begin(3)],
    ["DATA", Buffer.concat([begin(), stream(PARAMS), record(DATA, "x")])],
    ["another request's number", Buffer.concat([begin(), record(PARAMS, pair("A", "b"), { id: 2 })])],
    ["HTTP", Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ["no URI", params(pair("REQUEST_METHOD", "GET"))],
  ];
}

/** A request that stops in the middle: in its head, in padding that never comes, and in its body. */
export const truncated = () => [
  Buffer.concat([begin(), record(PARAMS, "abc", { padding: 255 }), record(77)]),
  requestBytes({ uri: "/healthz" }).subarray(0, 21),
  requestBytes({ method: "POST", uri: "/api/v1/auth/login", body: "x".repeat(1000) }).subarray(0, -500),
];

/** A request whose body is as large as you like. */
export const huge = (bytes, uri = "/api/v1/auth/login") =>
  requestBytes({ method: "POST", uri, body: Buffer.alloc(bytes, 0x78), params: [["CONTENT_TYPE", "application/json"]] });

/** Resident memory of a process in KiB. */
export const residentKib = (pid) => Number(/^VmRSS:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, "utf8"))[1]);

/** The children of a process: the workers of a pool's master. */
export const children = (pid) =>
  fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
