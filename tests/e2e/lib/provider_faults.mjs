// What providers do when they don't do their work: scripts for lib/provider.mjs. Each gets (request, response, work).
import zlib from "node:zlib";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const json = (status, body, headers = {}) => (_, response) =>
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(typeof body === "string" ? body : JSON.stringify(body));
const token = (members) => json(200, { access_token: "access-of-a-fault-0123456789", token_type: "Bearer", expires_in: 3600, ...members });

/** Works, but not at once. */
export const slow = (ms) => async (request, response, work) => {
  await pause(ms);
  return work();
};

/** Does its work, and the answer gets lost on its way. */
export const answerLost = (request, response, work) => {
  response.end = () => { response.destroy(); return response; };
  return work();
};

export const hangs = () => new Promise(() => {});
export const resets = (request) => request.socket.resetAndDestroy?.() ?? request.socket.destroy();

/** A byte now and then, for ever. */
export async function dripFeeds(request, response) {
  response.writeHead(200, { "Content-Type": "application/json" });
  while (!response.destroyed) {
    response.write(" ");
    await pause(100);
  }
}

export function truncated(request, response) {
  response.writeHead(200, { "Content-Type": "application/json", "Content-Length": "400" });
  response.write('{"access_token":"access-of-a-fault-0123456789","expires_', () => response.destroy());
}

/** As much as anybody takes. */
export async function huge(request, response) {
  response.writeHead(200, { "Content-Type": "application/json" });
  const chunk = Buffer.alloc(1 << 20, "a");
  response.write('{"access_token":"');
  for (let i = 0; i < 256 && !response.destroyed; i++) {
    if (!response.write(chunk))
      await new Promise((done) => { response.once("drain", done); response.once("close", done); });
  }
  response.end('"}');
}

/** 100 KiB that are 100 MiB. */
export const gzipBomb = (() => {
  // Made at once: whoever asks for it has only so much patience.
  const bomb = zlib.gzipSync(Buffer.concat([Buffer.from('{"access_token":"'), Buffer.alloc(100 << 20, "a"), Buffer.from('"}')]), { level: 1 });
  return (request, response) =>
    response.writeHead(200, { "Content-Type": "application/json", "Content-Encoding": "gzip", "Content-Length": bomb.length }).end(bomb);
})();

export const manyHeaders = (request, response) => {
  request.socket.write("HTTP/1.1 200 OK\r\n");
  for (let i = 0; i < 20000 && !request.socket.destroyed; i++)
    request.socket.write(`X-Header-${i}: ${"a".repeat(100)}\r\n`);
  request.socket.end("\r\n");
};

/** Answers to a token request that have no good token in them. */
export const BAD_TOKEN_ANSWERS = {
  "isn't JSON": json(200, "access_token=access-of-a-fault-0123456789"),
  "is a page with status 200": (_, response) => response.writeHead(200,
    { "Content-Type": "text/html" }).end("<!doctype html><title>Sorry</title>"),
  "is an error with status 200": json(200, { error: "temporarily_unavailable", error_description: "<b>later</b>" }),
  "is empty": json(200, ""),
  "is null": json(200, "null"),
  "is a list": json(200, "[]"),
  "has no token": token({ access_token: undefined }),
  "has an empty token": token({ access_token: "" }),
  "has a number for a token": token({ access_token: 17 }),
  "has a negative expires_in": token({ expires_in: -1 }),
  "has words in expires_in": token({ expires_in: "soon" }),
  "has a line break in the token": token({ access_token: "access-of-a-fault\r\nX-Injected: 1" }),
  "has a NUL in the token": token({ access_token: "access-of-a-fault\u0000" }),
  "has a token of 100 KiB": token({ access_token: "a".repeat(100 << 10) }),
  "has 10,000 levels": json(200, "[".repeat(10000) + "]".repeat(10000)),
  "names a token twice": json(200, '{"access_token":"access-of-a-fault-1","access_token":"access-of-a-fault-2","expires_in":3600}'),
};

export const status = (code, headers = {}, body = { error: "server_error" }) => json(code, body, headers);
export const redirect = (location, code = 302) => (_, response) => response.writeHead(code, { Location: location }).end();
