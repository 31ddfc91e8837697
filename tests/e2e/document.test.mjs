// The API document by itself: other people's tools must be able to read it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { createConfig, lint } from "@redocly/openapi-core";
import openapiTypescript, { astToString } from "openapi-typescript";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const yaml = path.join(root, "src/api/openapi.yaml");

test("the document is valid OpenAPI 3.1 by an independent linter", async () => {
  const config = await createConfig({
    extends: ["recommended-strict"],
    rules: {
      "operation-operationId": "error", "operation-operationId-unique": "error", "operation-summary": "error",
      "no-ambiguous-paths": "off", // /credentials/test beside /credentials/{id}: the router prefers the literal one
      "no-unused-components": "error", "no-invalid-media-type-examples": "error", "path-parameters-defined": "error",
      "security-defined": "error", "operation-4xx-response": "off", // errors stand under `default`
    },
  });
  const problems = await lint({ ref: yaml, config });
  assert.deepEqual(problems.map((p) => `${p.location[0]?.pointer}: ${p.ruleId}: ${p.message}`), []);
});

test("a client in TypeScript can be generated from it, and compiles", async () => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), "lw-types-"));
  try {
    const types = astToString(await openapiTypescript(new URL(`file://${yaml}`)));
    fs.writeFileSync(path.join(directory, "api.ts"), types);
    fs.writeFileSync(path.join(directory, "use.ts"), `
      import type { operations } from "./api";
      type Login = operations["auth_login"]["requestBody"]["content"]["application/json"];
      export const login: Login = { email: "a@example.test", password: "p" };
      // @ts-expect-error a member that the document doesn't know
      export const wrong: Login = { email: "a@example.test", password: "p", role: "owner" };
    `);
    execFileSync(path.join(root, "tests/node_modules/.bin/tsc"),
      ["--strict", "--noEmit", "--target", "es2022", "--moduleResolution", "node", "--module", "es2022", path.join(directory, "use.ts")],
      { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    assert.fail(error.stdout || error.stack);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
});

test("every operation says who may call it and what a failure looks like", async () => {
  const { document } = await import("./lib/document.mjs").then(({ Document }) => {
    const file = path.join(process.env.LATCHWORK_BUILD ?? root, "inst/share/latchwork/openapi.json");
    return new Document(file);
  });
  for (const [uri, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) {
      if (!operation.operationId)
        continue;
      const where = `${method} ${uri}`;
      assert.ok("default" in operation.responses, `${where} has no default answer`);
      if (!("security" in operation))
        assert.ok(document.security.length > 0, where);
    }
  }
});
