// Requests byte by byte over TLS: what no HTTP client would send.
import tls from "node:tls";
import { rawRequest } from "./http.mjs";

/** The answers in what came back: [{status, headers, text}]; several when several requests were understood. */
export function answersIn(bytes) {
  const answers = [];
  for (let rest = bytes; /^HTTP\/1\.[01] \d{3}/.test(rest);) {
    const split = rest.indexOf("\r\n\r\n"), [line, ...lines] = rest.slice(0, split).split("\r\n");
    const headers = Object.fromEntries(lines.map((each) => [each.slice(0, each.indexOf(":")).toLowerCase(),
      each.slice(each.indexOf(":") + 1).trim()]));
    const status = Number(line.split(" ")[1]), behind = rest.slice(split + 4);
    const length = headers["content-length"] === undefined ? behind.length : Number(headers["content-length"]);
    answers.push({ status, headers, text: behind.slice(0, length) });
    rest = behind.slice(length);
  }
  for (const answer of answers)
    if (/[/+]json\b/.test(answer.headers["content-type"] ?? "") && answer.text !== "" && !answer.headers["transfer-encoding"])
      answer.json = JSON.parse(answer.text);
  return answers;
}

/** Sends lines as they are (no Host, no end of line is added but the last empty one); the answers. */
export async function sendLines(lw, lines, { body = "", end = "\r\n" } = {}) {
  return answersIn(await rawRequest(lw.url, Buffer.from(lines.join(end) + end + end + body, "latin1"), { ca: lw.ca, wait: 3000 }));
}

/** A request line with the usual headers. */
export async function sendPath(lw, path, { method = "GET", token, headers = [], version = "HTTP/1.1" } = {}) {
  const [answer] = await sendLines(lw, [`${method} ${path} ${version}`, "Host: localhost", "Connection: close",
    ...(token ? [`Authorization: Bearer ${token}`] : []), ...headers]);
  return answer;
}

const [HEADERS, RST, SETTINGS, GOAWAY] = [1, 3, 4, 7];

function frame(type, flags, stream, payload = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** HPACK without a table: literal names and values of up to 126 bytes (RFC 7541, 6.2.2). */
const literal = ([name, value]) => Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);

/** The statuses that HPACK's table knows (RFC 7541, appendix A), as nginx writes them first. */
const STATUS = new Map([[0x88, 200], [0x89, 204], [0x8a, 206], [0x8b, 304], [0x8c, 400], [0x8d, 404], [0x8e, 500]]);

/** One HTTP/2 request of any header fields: {refused, status (undefined for those outside HPACK's table)}. */
export function sendH2(lw, fields) {
  const target = new URL(lw.url);
  const bytes = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(SETTINGS, 0, 0),
    frame(HEADERS, 5, 1, Buffer.concat(fields.map(literal)))]);
  return new Promise((done, failed) => {
    let got = Buffer.alloc(0);
    const socket = tls.connect({ host: target.hostname, port: Number(target.port), servername: target.hostname, ca: lw.ca, ALPNProtocols: ["h2"] });
    const types = () => {
      const list = [];
      for (let at = 0; at + 9 <= got.length; at += 9 + got.readUIntBE(at, 3))
        list.push({ type: got[at + 3], stream: got.readUInt32BE(at + 5), end: (got[at + 4] & 1) === 1, first: got[at + 9] });
      return list;
    };
    const over = () => types().some(({ type, stream, end }) => type === GOAWAY || (stream === 1 && (type === RST || end)));
    socket.setTimeout(60000, () => socket.destroy());
    socket.on("secureConnect", () => socket.write(bytes));
    socket.on("data", (chunk) => {
      got = Buffer.concat([got, chunk]);
      if (over())
        socket.destroy();
    });
    socket.on("error", (error) => (error.code === "ECONNRESET" ? undefined : failed(error)));
    socket.on("close", () => done({
      refused: types().some(({ type }) => type === GOAWAY || type === RST), // the stream or the connection
      status: STATUS.get(types().find(({ type }) => type === HEADERS)?.first),
    }));
  });
}

/** The fields of a good request. */
export const H2_BASICS = [[":method", "GET"], [":scheme", "https"], [":authority", "localhost"], [":path", "/healthz"]];
