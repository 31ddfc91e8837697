// Small HTTPS helpers: requests with a CA of one's own, raw bytes over TLS, free ports.
import crypto from "node:crypto";
import dgram from "node:dgram";
import dns from "node:dns";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";

// "localhost" may be listed as ::1 on a machine without IPv6.
dns.setDefaultResultOrder("ipv4first");

/**
 * Resolves to {status, headers, text, json}. `path` is sent as it is. Without an `agent` of the caller's, connections are kept:
 * one that nginx has closed meanwhile, since nobody asked for long or since it has read its configuration again, says nothing.
 */
export function request(url, options = {}) {
  const { method = "GET", path, headers = {}, body, ca, agent } = options, target = new URL(url);
  return new Promise((done, failed) => {
    const req = https.request({
      host: target.hostname, port: target.port, ca, agent,
      servername: net.isIP(target.hostname) ? "" : target.hostname, method, headers,
      path: path ?? target.pathname + target.search,
    }, (res) => {
      const chunks = [];
      res.on("data", (chunk) => chunks.push(chunk));
      res.on("error", failed);
      res.on("end", () => {
        const bytes = Buffer.concat(chunks), text = bytes.toString("utf8");
        let json;
        if (/[/+]json\b/.test(res.headers["content-type"] ?? "") && text !== "")
          json = JSON.parse(text);
        done({ status: res.statusCode, headers: res.headers, rawHeaders: res.rawHeaders, bytes, text, json });
      });
    });
    req.on("error", (error) => {
      const closed = req.reusedSocket && !agent && ["ECONNRESET", "EPIPE"].includes(error.code);
      return closed ? done(request(url, options)) : failed(error);
    });
    req.end(body);
  });
}

/** The head of an answer that doesn't end, a stream's or a socket's: {status, headers, text: ""}. */
export function requestHead(url, { path, headers = {}, ca }) {
  const target = new URL(url);
  return new Promise((done, failed) => {
    const req = https.request({ host: target.hostname, port: target.port, ca, servername: target.hostname, path, headers });
    const leave = ({ statusCode: status, headers }) => {
      req.destroy();
      done({ status, headers, text: "" });
    };
    req.on("response", leave).on("upgrade", leave).on("error", failed).end();
  });
}

/** Sends bytes over TLS (or in clear) and resolves to everything that came back: until `wait` ms after the last of it. */
export function rawRequest(url, bytes, { ca, clear = false, wait = 5000 } = {}) {
  const target = new URL(url), options = { host: target.hostname, port: Number(target.port) };
  return new Promise((done, failed) => {
    const chunks = [];
    const socket = clear ? net.connect(options) : tls.connect({ ...options, servername: target.hostname, ca });
    socket.setTimeout(60000, () => socket.destroy());
    socket.on(clear ? "connect" : "secureConnect", () => socket.write(bytes));
    socket.on("data", (chunk) => { socket.setTimeout(wait); chunks.push(chunk); });
    // Whoever closes with something unread, or is tired of waiting, resets the connection: what came before that came.
    socket.on("error", (error) => (error.code === "ECONNRESET" ? undefined : failed(error)));
    socket.on("close", () => done(Buffer.concat(chunks).toString("latin1")));
  });
}

/** Whether it could be opened. */
const opens = (socket, open) => new Promise((done) => {
  socket.once("error", () => done(false)).once("listening", () => done(true));
  open();
});

/**
 * A TCP port that nobody listens on, nor will: it is none of those that the system gives to whoever asks for any, and as long
 * as this process lives it isn't found by the test file beside it, which sees that the UDP port of that number is taken.
 */
export async function freePort() {
  for (;;) {
    const port = crypto.randomInt(20000, 30000), claim = dgram.createSocket("udp4"), server = net.createServer();
    const isClaimed = await opens(claim, () => claim.bind({ port, address: "127.0.0.1", exclusive: true }));
    if (isClaimed && await opens(server, () => server.listen(port))) {
      await new Promise((done) => server.close(done));
      claim.unref();
      return port;
    }
    claim.close();
  }
}
