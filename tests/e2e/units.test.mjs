// The units of contrib/systemd, as far as they can be judged where systemd itself doesn't run.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { CertificateAuthority } from "./lib/certificates.mjs";
import { freePort } from "./lib/http.mjs";
import { root } from "./lib/instance.mjs";

const SOURCES = path.join(root, "contrib/systemd"), NGINX = path.join(root, "conf/nginx");
const canAnalyze = { skip: spawnSync("systemd-analyze", ["--version"]).status !== 0 && "no systemd-analyze here" };
/** Those that filter their own system calls (fcgi/sandbox.h). */
const CONFINED = ["expr", "front", "vault", "worker"];
/** Of systemd-analyze security, in tenths: 0 is closed, 100 is open. nginx begins as root. */
const EXPOSURE = { expr: 10, front: 10, vault: 20, worker: 20, nginx: 30 };
let directory, ca;

before(() => {
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "latchwork-units-"));
  ca = new CertificateAuthority();
  fs.writeFileSync(path.join(directory, "program"), "#!/bin/sh\n", { mode: 0o755 });
  for (const name of fs.readdirSync(SOURCES).filter((each) => /\.(service\.in|socket)$/.test(each)))
    fs.writeFileSync(path.join(directory, name.replace(/\.in$/, "")),
      fs.readFileSync(path.join(SOURCES, name), "utf8").replace(/@sbindir@\/\S+/g, path.join(directory, "program")));
});
after(() => {
  fs.rmSync(directory, { recursive: true });
  ca.remove();
});

const unit = (name) => path.join(directory, `latchwork-${name}.service`);
/** The values of a key, one of each line. */
const values = (name, key) => [...fs.readFileSync(unit(name), "utf8").matchAll(new RegExp(`^${key}=(.*)$`, "gm"))].map(([, value]) => value);

test("systemd understands every line of every unit", canAnalyze, () => {
  const files = fs.readdirSync(directory).filter((name) => name.startsWith("latchwork-")).map((name) => path.join(directory, name));
  assert.equal(files.length, 7);
  const { status, stderr } = spawnSync("systemd-analyze", ["verify", "--man=no", ...files], { encoding: "utf8" });
  const ours = stderr.split("\n").filter((line) => line.includes("latchwork"));
  assert.deepEqual(ours, [], String(status));
});

test("each unit is closed as far as it was", canAnalyze, () => {
  for (const [name, most] of Object.entries(EXPOSURE)) {
    const { status, stdout, stderr } = spawnSync("systemd-analyze", ["security", "--no-pager", "--offline=yes", `--threshold=${most}`, unit(name)], { encoding: "utf8" });
    assert.equal(status, 0, `${name}: ${stdout.split("\n").at(-2)} ${stderr}`);
  }
});

test("a program that filters its own system calls may do so", () => {
  for (const name of CONFINED)
    assert.ok(values(name, "SystemCallFilter").at(-1).split(" ").includes("seccomp"), name);
});

test("where nothing but the program can be run, the rest is run outside", () => {
  for (const name of [...CONFINED, "nginx"].filter((each) => values(each, "NoExecPaths").length > 0)) {
    const others = ["ExecStartPre", "ExecReload", "ExecStop", "ExecStopPost"].flatMap((key) => values(name, key));
    assert.ok(others.length > 0, name);
    for (const line of others)
      assert.match(line, /^\+/, name);
  }
});

const needsBuild = { skip: !process.env.LATCHWORK_BUILD && "needs LATCHWORK_BUILD" };

test("nginx takes the configuration that is written for its unit", needsBuild, async () => {
  const sources = path.join(directory, "nginx"), made = path.join(directory, "made");
  fs.cpSync(NGINX, sources, { recursive: true });
  fs.copyFileSync(path.join(process.env.LATCHWORK_BUILD, "inst/share/latchwork/nginx/pools.conf"), path.join(sources, "pools.conf"));
  fs.copyFileSync(path.join(root, "contrib/lib/nginx.sh"), path.join(sources, "nginx.sh"));
  fs.copyFileSync(path.join(SOURCES, "render-nginx"), path.join(sources, "render-nginx"));
  const { keyFile, certFile } = ca.issue(), port = await freePort();
  assert.equal(spawnSync("bash", [path.join(sources, "render-nginx")]).status, 2);
  execFileSync("bash", [path.join(sources, "render-nginx"), "--name", "latchwork.example.com", "--directory", made, "--key", keyFile, "--certificate", certFile]);
  for (const name of ["run/live", "run/await", "run/metrics", "log", "temp"])
    fs.mkdirSync(path.join(directory, name), { recursive: true });
  for (const file of ["nginx.conf", "latchwork.conf"].map((name) => path.join(made, name))) {
    const text = fs.readFileSync(file, "utf8");
    fs.writeFileSync(file, text.replaceAll("/run/latchwork/", `${directory}/run/`).replaceAll("/var/log/latchwork/", `${directory}/log/`)
      .replaceAll("/var/lib/latchwork/nginx/", `${directory}/temp/`).replaceAll(":443 ", `:${port} `).replace(/^user .*/m, process.getuid() === 0 ? "$&" : ""));
  }
  assert.match(fs.readFileSync(path.join(made, "latchwork.conf"), "utf8"), /server_name localhost .* latchwork\.example\.com;/);
  const { status, stderr } = spawnSync("nginx", ["-t", "-e", "stderr", "-p", made, "-c", path.join(made, "nginx.conf")],
    { encoding: "utf8", env: { PATH: `${process.env.PATH}:/usr/sbin` } });
  assert.equal(status, 0, stderr);
});
