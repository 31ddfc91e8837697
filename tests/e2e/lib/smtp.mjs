// A mail server of a test's own: implicit TLS on one port, STARTTLS on the other, one account.
import { SMTPServer } from "smtp-server";

export const ACCOUNT = { username: "sender@mail.test", password: "a password for mail, 0123456789" };

/** The headers of a message, by their names in small letters, and its text. */
function read(raw) {
  const [, head, body] = /^(.*?)\r\n\r\n(.*)$/s.exec(raw);
  const headers = Object.fromEntries(head.replace(/\r\n[ \t]+/g, " ").split("\r\n").map((line) => [line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 2)]));
  const bytes = body.replace(/=\r\n/g, "").replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return { raw, headers, text: Buffer.from(headers["content-transfer-encoding"] === "quoted-printable" ? bytes : body, "latin1").toString("utf8") };
}

export async function startSmtp(ca) {
  const { key, cert } = ca.issue(), tries = [], mails = [], letters = [], state = { refuse: undefined };
  const refusal = (where) => state.refuse?.at === where && Object.assign(new Error(state.refuse.words ?? "no"), { responseCode: state.refuse.code });
  const listen = (options) => new Promise((done, failed) => {
    const server = new SMTPServer({
      key, cert, authMethods: ["PLAIN", "LOGIN"], logger: false, ...options,
      onAuth({ username, password }, session, callback) {
        const good = username === ACCOUNT.username && password === ACCOUNT.password;
        tries.push({ username, password, good, secure: session.secure });
        callback(good ? null : Object.assign(new Error("Invalid username or password"), { responseCode: 535 }), good ? { user: username } : undefined);
      },
      onMailFrom(address, session, callback) {
        mails.push(address.address);
        callback(refusal("from") || undefined);
      },
      onRcptTo(address, session, callback) {
        callback(refusal("to") || undefined);
      },
      onData(stream, session, callback) {
        const chunks = [];
        stream.on("data", (bytes) => chunks.push(bytes));
        stream.on("end", () => {
          const failed = refusal("data");
          if (!failed)
            letters.push({ from: session.envelope.mailFrom.address, to: session.envelope.rcptTo.map(({ address }) => address), secure: session.secure,
              ...read(Buffer.concat(chunks).toString("latin1")) });
          callback(failed || undefined);
        });
      },
    });
    server.on("error", () => {}); // a client that goes away
    server.listen(0, "127.0.0.1", () => done(server)).once("error", failed);
  });
  const servers = { tls: await listen({ secure: true }), starttls: await listen({ secure: false }),
    plain: await listen({ secure: false, disabledCommands: ["STARTTLS"], allowInsecureAuth: true }) };
  return {
    tries, mails, letters, ports: Object.fromEntries(Object.entries(servers).map(([name, { server }]) => [name, server.address().port])),
    /** From now on {at: "from", "to" or "data", code} is the answer there; nothing: all is well again. */
    refuse(how) { state.refuse = how; },
    async stop() {
      await Promise.all(Object.values(servers).map((server) => new Promise((done) => server.close(done))));
    },
  };
}
