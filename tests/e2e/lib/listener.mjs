// Ports on this machine's own addresses at which nobody may ever knock.
import net from "node:net";
import os from "node:os";
import { freePort } from "./http.mjs";

/** Listens on every address; `knocks` are the connections that came: {to, from, family}. */
export class Listener {
  knocks = [];

  async start() {
    this.server = net.createServer((socket) => {
      this.knocks.push({ to: socket.localAddress, from: socket.remoteAddress });
      socket.on("error", () => {});
      socket.destroy();
    });
    this.port = await freePort();
    await new Promise((done, failed) => this.server.once("error", failed).listen(this.port, "::", done));
    return this;
  }

  /** This machine's addresses besides the loopback. */
  static addresses() {
    return Object.values(os.networkInterfaces()).flat().filter(({ internal, scopeid }) => !internal && !scopeid).map(({ address }) => address);
  }

  /** That it hears at all: knocks itself, and forgets that. */
  async hears() {
    const before = this.knocks.length;
    await new Promise((done) => net.connect(this.port, "127.0.0.1").on("close", done).on("error", done));
    for (let i = 0; i < 3000 && this.knocks.length === before; i++)
      await new Promise((done) => setTimeout(done, 20));
    return this.knocks.length > before && Boolean(this.knocks.splice(before));
  }

  async stop() {
    await new Promise((done) => this.server.close(done));
  }
}
