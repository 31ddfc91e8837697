// nginx with the shipped configuration, in front of echoing pools: no database, no latchd.
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { fastcgiServer } from "./fastcgi.mjs";
import { freePort } from "./http.mjs";

export const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../../..");
/** Of the vault's two kinds of workers each is one here: they have a socket each. */
const POOLS = ["front", "vault", "quick"];

/** The map, made of the document as the build makes it. */
function makePools(file) {
  execFileSync("python3", ["-B", path.join(root, "src/gen/apigen.py"), path.join(root, "src/api/openapi.yaml"), "--pools", file], { stdio: "pipe" });
}

function echo(pool) {
  return (request) => {
    // A quick worker can't answer it.
    if (pool === "quick" && request.params.LW_URI?.includes("passed-on"))
      return { head: ["X-Accel-Redirect: @passed_on"], body: "" };
    const big = /^\/api\/v1\/big\?n=(\d+)$/.exec(request.params.LW_URI ?? "");
    if (big)
      return { head: ["Status: 200", "Content-Type: application/octet-stream"], body: Buffer.alloc(Number(big[1]), "x") };
    const status = /^\/api\/v1\/status\/(\d+)/.exec(request.params.LW_URI ?? "");
    return {
      head: [`Status: ${status ? status[1] : 200}`, "Content-Type: application/json", "X-Request-Id: from-the-pool",
        ...(request.params.HTTP_X_API_KEY === "page" ? ["Content-Security-Policy: default-src 'self'"] : [])],
      body: JSON.stringify({ pool, params: request.params, names: request.names, length: request.body.length,
        connection: request.connection, keep: request.keep }),
    };
  };
}

function makeCertificate(directory) {
  const key = path.join(directory, "key.pem"), certificate = path.join(directory, "cert.pem");
  execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost",
    "-addext", "subjectAltName=DNS:localhost,DNS:latch.example,IP:127.0.0.1"], { stdio: "ignore" });
  return { key, certificate };
}

function makeDocs(directory) {
  for (const page of ["docs", "redoc"]) {
    fs.mkdirSync(path.join(directory, page), { recursive: true });
    fs.writeFileSync(path.join(directory, page, "index.html"), `<!doctype html><title>${page}</title>\n`);
  }
}

/** Starts it; resolves to {url, ca, directory, log(), pools, stop()}. */
export async function startFrontDoor() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-door-"));
  fs.chmodSync(directory, 0o755);
  const at = (...names) => path.join(directory, ...names);
  for (const name of ["run", "run/metrics", "run/live", "run/await", "log", "temp", "conf", "docs"])
    fs.mkdirSync(at(name));
  makePools(at("pools.conf"));
  makeDocs(at("docs"));
  const { key, certificate } = makeCertificate(directory), port = await freePort();
  const values = { ADDRESS: "127.0.0.1", PORT: port, SERVER_NAME: "latch.example", USER: process.getuid() === 0 ? "www-data" : "",
    RUN: at("run"), LOG: at("log"), TEMP: at("temp"), FRONT_SOCKET: at("run", "front.sock"),
    VAULT_SOCKET: at("run", "vault.sock"), QUICK_SOCKET: at("run", "quick.sock"), TLS_CERTIFICATE: certificate, TLS_KEY: key, DOCS: at("docs") };
  execFileSync("bash", ["-euc", '. "$0"; nginx_render "$@"', path.join(root, "contrib/lib/nginx.sh"),
    path.join(root, "conf/nginx"), at("pools.conf"), at("conf"), ...Object.entries(values).map(([k, v]) => `${k}=${v}`)]);

  const servers = {};
  const open = async (pool) => {
    servers[pool] = await fastcgiServer(at("run", `${pool}.sock`), echo(pool));
    fs.chmodSync(at("run", `${pool}.sock`), 0o666);
  };
  const close = async (pool) => {
    await servers[pool]?.close();
    servers[pool] = null;
  };
  for (const pool of POOLS)
    await open(pool);
  const nginx = (...args) => spawnSync("nginx",
    ["-e", at("log", "nginx-error.log"), "-p", at("conf"), "-c", at("conf", "nginx.conf"), ...args], { encoding: "utf8" });
  const started = nginx();
  if (started.status !== 0)
    throw new Error(`nginx did not start: ${started.stderr}`);
  return {
    url: `https://localhost:${port}`, port, directory, ca: fs.readFileSync(certificate), open, close,
    config: () => nginx("-T").stdout,
    log: () => fs.readFileSync(at("log", "access.log"), "utf8") + fs.readFileSync(at("log", "nginx-error.log"), "utf8"),
    async stop() {
      nginx("-s", "quit");
      for (const pool of POOLS)
        await close(pool);
      for (let i = 0; i < 1200 && fs.existsSync(at("run", "nginx.pid")); i++)
        await new Promise((done) => setTimeout(done, 50));
      fs.rmSync(directory, { recursive: true, force: true });
    },
  };
}
