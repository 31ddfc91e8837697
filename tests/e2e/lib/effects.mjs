// A server whose answers are effects, each under the Idempotency-Key it was asked with: done once however often it is
// asked for, and every question noted with its time.
import https from "node:https";

export class EffectServer {
  /** {key, path, at}: each request as it came. */
  calls = [];
  /** key -> what was done, once. */
  effects = new Map();
  /** Milliseconds until it answers, or a promise of them. */
  slow = () => 0;
  /** What it answers with, beside doing it. */
  status = () => 200;

  constructor(ca) {
    this.certificate = ca.issue();
  }

  async start() {
    this.server = https.createServer({ key: this.certificate.key, cert: this.certificate.cert }, (request, response) => {
      const chunks = [];
      request.on("data", (chunk) => chunks.push(chunk));
      request.on("error", () => {});
      request.on("end", async () => setTimeout(() => this.#answer(request, Buffer.concat(chunks).toString("utf8"), response), await this.slow(request)));
    });
    await new Promise((done) => this.server.listen(0, "127.0.0.1", done));
    this.host = `localhost:${this.server.address().port}`;
    this.url = `https://${this.host}`;
    return this;
  }

  #answer(request, body, response) {
    const key = request.headers["idempotency-key"], status = this.status(request);
    this.calls.push({ key, path: request.url, at: Date.now() });
    if (status < 300 && !this.effects.has(key))
      this.effects.set(key, { path: request.url, body, number: this.effects.size + 1 });
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify({ done: this.effects.get(key)?.number ?? null }));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
