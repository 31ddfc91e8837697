// A MySQL server that wants more than a login: a password in clear, or a file of its client's.
import net from "node:net";

const CAPABILITIES = 0x81ffffff & ~0x00000800; // everything but TLS

function packet(sequence, ...parts) {
  const body = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part))));
  const head = Buffer.alloc(4);
  head.writeUIntLE(body.length, 0, 3);
  head[3] = sequence;
  return Buffer.concat([head, body]);
}

function greeting() {
  const caps = Buffer.alloc(4);
  caps.writeUInt32LE(CAPABILITIES >>> 0);
  return packet(0, [10], "5.5.5-10.11.6-MariaDB\0", [1, 0, 0, 0], "12345678\0", caps.subarray(0, 2), [33, 2, 0], caps.subarray(2), [21],
    Buffer.alloc(10),
    "123456789012\0", "mysql_native_password\0");
}

const OK = (sequence) => packet(sequence, [0, 0, 0, 2, 0, 0, 0]);

/** `asks`: "clear password" or "file". What clients said is in `heard`. */
export async function startHostileMysql(asks) {
  const heard = [], sockets = new Set(), server = net.createServer((socket) => {
    let state = "greeted";
    sockets.add(socket);
    socket.on("error", () => {});
    socket.write(greeting());
    socket.on("data", (bytes) => {
      heard.push(bytes.toString("latin1"));
      const sequence = bytes[3] + 1;
      if (state === "greeted") {
        state = "answered";
        socket.write(asks === "clear password" ? packet(sequence, [0xfe], "mysql_clear_password\0") : OK(sequence));
      } else if (asks === "file") {
        socket.write(packet(sequence, [0xfb], "/etc/passwd"));
      } else {
        socket.write(OK(sequence));
      }
    });
  });
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return {
    heard, port: server.address().port,
    stop() {
      sockets.forEach((socket) => socket.destroy());
      return new Promise((done) => server.close(done));
    },
  };
}
