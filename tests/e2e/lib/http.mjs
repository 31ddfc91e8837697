// Small HTTPS helpers: requests with a CA of one's own, raw bytes over TLS, free ports.
import dns from "node:dns";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";

// "localhost" may be listed as ::1 on a machine without IPv6.
dns.setDefaultResultOrder("ipv4first");

/** Resolves to {status, headers, text, json}. `path` is sent as it is. */
export function request(url, { method = "GET", path, headers = {}, body, ca, agent } = {}) {
  const target = new URL(url);
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
    req.on("error", failed);
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

/** Sends bytes over TLS (or in clear) and resolves to everything that came back. */
export function rawRequest(url, bytes, { ca, clear = false, wait = 5000 } = {}) {
  const target = new URL(url), options = { host: target.hostname, port: Number(target.port) };
  return new Promise((done, failed) => {
    const chunks = [];
    const socket = clear ? net.connect(options) : tls.connect({ ...options, servername: target.hostname, ca });
    socket.setTimeout(wait, () => socket.destroy());
    socket.on(clear ? "connect" : "secureConnect", () => socket.write(bytes));
    socket.on("data", (chunk) => chunks.push(chunk));
    socket.on("error", failed);
    socket.on("close", () => done(Buffer.concat(chunks).toString("latin1")));
  });
}

/** A TCP port that nobody listens on right now. */
export async function freePort() {
  const server = net.createServer();
  await new Promise((done, failed) => server.once("error", failed).listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}
