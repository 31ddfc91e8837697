// A FastCGI application for tests of nginx's configuration: it answers with what it was told.
import net from "node:net";

const BEGIN = 1, END = 3, PARAMS = 4, STDIN = 5, STDOUT = 6;

function readLength(bytes, at) {
  return bytes[at] < 128 ? [bytes[at], at + 1] : [bytes.readUInt32BE(at) & 0x7fffffff, at + 4];
}

function readParams(bytes) {
  const params = [];
  let at = 0;
  while (at < bytes.length) {
    let nameLength, valueLength;
    [nameLength, at] = readLength(bytes, at);
    [valueLength, at] = readLength(bytes, at);
    params.push([bytes.toString("latin1", at, at + nameLength),
      bytes.toString("latin1", at + nameLength, at + nameLength + valueLength)]);
    at += nameLength + valueLength;
  }
  return params;
}

function record(type, id, content) {
  const header = Buffer.alloc(8);
  header[0] = 1;
  header[1] = type;
  header.writeUInt16BE(id, 2);
  header.writeUInt16BE(content.length, 4);
  return Buffer.concat([header, content]);
}

function answer(socket, request, respond) {
  const { head, body } = respond({
    params: Object.fromEntries(request.params),
    names: request.params.map(([name]) => name),
    body: Buffer.concat(request.body),
    connection: socket.number,
    keep: request.keep,
  });
  const out = Buffer.concat([Buffer.from(head.join("\r\n") + "\r\n\r\n"), Buffer.from(body)]);
  for (let at = 0; at < out.length; at += 65528)
    socket.write(record(STDOUT, request.id, out.subarray(at, at + 65528)));
  socket.write(record(STDOUT, request.id, Buffer.alloc(0)));
  socket.write(record(END, request.id, Buffer.alloc(8)));
  if (!request.keep)
    socket.end();
}

function take(socket, type, id, content, respond) {
  const request = socket.request;
  if (type === BEGIN) {
    socket.request = { id, keep: (content[2] & 1) === 1, paramBytes: [], params: [], body: [] };
  } else if (type === PARAMS) {
    if (content.length)
      request.paramBytes.push(content);
    else
      request.params = readParams(Buffer.concat(request.paramBytes));
  } else if (type === STDIN) {
    if (content.length)
      request.body.push(content);
    else
      answer(socket, request, respond);
  }
}

/** Listens on a unix socket. respond(request) gives {head: [lines], body}. Resolves to {close()}. */
export async function fastcgiServer(path, respond) {
  const sockets = new Set();
  let connections = 0;
  const server = net.createServer((socket) => {
    let pending = Buffer.alloc(0);
    socket.number = ++connections;
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    socket.on("data", (chunk) => {
      pending = Buffer.concat([pending, chunk]);
      while (pending.length >= 8) {
        const length = pending.readUInt16BE(4), whole = 8 + length + pending[6];
        if (pending.length < whole)
          return;
        take(socket, pending[1], pending.readUInt16BE(2), pending.subarray(8, 8 + length), respond);
        pending = pending.subarray(whole);
      }
    });
  });
  await new Promise((done, failed) => server.once("error", failed).listen(path, done));
  return {
    async close() {
      for (const socket of sockets)
        socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}
