// A client that other people's tools made of the document, used: types, paths and answers fit a running service.
import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import openapiTypescript, { astToString } from "openapi-typescript";
import {  } from "./lib/hostile.mjs";
import { NO_LIMITS, root, startInstance } from "./lib/instance.mjs";

const modules = path.join(root, "tests/node_modules");
let lw, directory;

before(async () => {
  lw = await startInstance({ conf: NO_LIMITS });
  directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-client-"));
  fs.symlinkSync(modules, path.join(directory, "node_modules"));
  fs.writeFileSync(path.join(directory, "package.json"), '{"type": "module"}');
});
after(async () => {
  if (directory)
    fs.rmSync(directory, { recursive: true, force: true });
  await lw?.stop();
});

const CLIENT = `
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

type Credential = components["schemas"]["Credential"];

declare const process: { env: Record<string, string | undefined> };
const { LW_URL: baseUrl, LW_EMAIL: email, LW_PASSWORD: password } = process.env;
if (!baseUrl || !email || !password)
  throw new Error("where, and who?");
const client = createClient<paths>({ baseUrl });

/** The data of an answer that has to be good. */
function good<T>({ data, error, response }: { data?: T; error?: components["schemas"]["Problem"]; response: Response }): T {
  if (error !== undefined || data === undefined)
    throw new Error(\`\${response.url}: \${response.status} \${error?.code}\`);
  return data;
}

const signedIn = good(await client.POST("/api/v1/auth/login", { body: { email, password } }));
const headers = { Authorization: \`Bearer \${signedIn.access_token}\` };

const made: Credential = good(await client.POST("/api/v1/credentials",
  { headers, params: { header: { "Idempotency-Key": "once" } }, body: { name: "typed", type: "api_key", data: { api_key: "a typed secret" } } }));
const params = { path: { credential_id: made.id } };
const read = await client.GET("/api/v1/credentials/{credential_id}", { headers, params });
const tag = read.response.headers.get("ETag") ?? "";
const changed = good(await client.PUT("/api/v1/credentials/{credential_id}",
  { headers, params: { ...params, header: { "If-Match": tag } }, body: { name: "typed again" } }));
const stale = await client.PUT("/api/v1/credentials/{credential_id}", { headers, params: { ...params, header: { "If-Match": tag } },
  body: { name: "too late" } });
const list: Credential[] = good(await client.GET("/api/v1/credentials", { headers, params: { query: { type: "api_key", limit: 10 } } }));
const revealed = good(await client.POST("/api/v1/credentials/{credential_id}/reveal", { headers, params }));
const absent = await client.GET("/api/v1/credentials/{credential_id}", { headers,
  params: { path: { credential_id: "cred-00000000000000000000000000" } } });
const deleted = await client.DELETE("/api/v1/credentials/{credential_id}", { headers, params });

console.log(JSON.stringify({
  role: signedIn.role, name: changed.name, status: made.verify.status, names: list.map((each) => each.name), secret: revealed.data["api_key"],
  stale: stale.error?.code, absent: absent.error?.code, deleted: deleted.response.status,
}));
`;

const MISTAKES = `
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

const client = createClient<paths>({ baseUrl: "https://localhost" });
// @ts-expect-error a path that doesn't exist
void client.GET("/api/v1/nothing");
// @ts-expect-error a method that the path doesn't take
void client.PUT("/api/v1/audit");
// @ts-expect-error a number for a text
void client.POST("/api/v1/auth/login", { body: { email: "a@example.test", password: 1 } });
// @ts-expect-error a word that isn't one of the type's
void client.POST("/api/v1/credentials", { body: { name: "x", type: "password", data: {} } });
// @ts-expect-error without the id
void client.GET("/api/v1/credentials/{credential_id}", {});
`;

test("the generated client compiles, knows the service's mistakes before they are made, and works", async () => {
  const served = await lw.api("GET", "/api/v1/openapi.json");
  fs.writeFileSync(path.join(directory, "openapi.json"), served.text);
  fs.writeFileSync(path.join(directory, "api.ts"), astToString(await openapiTypescript(new URL(`file://${directory}/openapi.json`))));
  fs.writeFileSync(path.join(directory, "client.ts"), CLIENT);
  fs.writeFileSync(path.join(directory, "mistakes.ts"), MISTAKES);
  try {
    execFileSync(path.join(modules, ".bin/tsc"), ["--strict", "--target", "es2022", "--lib", "es2022,dom,dom.iterable", "--module", "nodenext",
      "--moduleResolution", "nodenext", "--skipLibCheck", "client.ts", "mistakes.ts"], { cwd: directory, encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    assert.fail(error.stdout || error.stack);
  }
  const { email, password } = await lw.newTenant("typed");
  fs.writeFileSync(path.join(directory, "ca.pem"), lw.ca);
  const { stdout } = await promisify(execFile)(process.execPath, ["client.js"], { cwd: directory, encoding: "utf8",
    env: { PATH: process.env.PATH, NODE_EXTRA_CA_CERTS: path.join(directory, "ca.pem"), LW_URL: lw.url, LW_EMAIL: email, LW_PASSWORD: password } });
  assert.deepEqual(JSON.parse(stdout), { role: "owner", name: "typed again", status: "untested", names: ["typed again"], secret: "a typed secret",
    stale: "PRECONDITION_FAILED", absent: "NOT_FOUND", deleted: 204 });
});
