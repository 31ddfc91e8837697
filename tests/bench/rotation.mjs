// Key rotations beside their floor: the same number of rows of the same size, opened, sealed and updated by a bare loop.
import { execFileSync } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { median } from "./load.mjs";
import { idHex, importedTenant, keyedTenants } from "./seed.mjs";
import { programs } from "./stack.mjs";

// The floor's tables are copies of the product's own.
const versions = (tenant) => ({
  table: "floor_version", like: "credential_version", rows: `tenant_id = 0x${tenant}`,
  select: `SELECT credential_id, version, ciphertext FROM floor_version WHERE tenant_id = 0x${tenant}
    AND credential_id > ? ORDER BY credential_id, version LIMIT 500`,
  update: `UPDATE floor_version SET ciphertext = ?, key_generation = ? WHERE tenant_id = 0x${tenant}
    AND credential_id = ? AND version = ?`,
});
const keys = {
  table: "floor_key", like: "tenant_key", rows: "TRUE",
  select: "SELECT tenant_id, generation, wrapped FROM floor_key WHERE tenant_id > ? ORDER BY tenant_id, generation LIMIT 500",
  update: "UPDATE floor_key SET wrapped = ?, root_key_id = ? WHERE tenant_id = ? AND generation = ?",
};

function runFloor(stack, what, action) {
  const out = execFileSync(path.join(programs, "rotation_floor"), [action, stack.environment.LATCHWORK_DB_SOCKET,
    os.userInfo().username, "latchwork_floor", what.select, what.update], { encoding: "utf8" });
  const { rows, seconds } = JSON.parse(out);
  return rows / seconds;
}

function makeFloor(stack, what) {
  stack.sql(`DROP TABLE IF EXISTS ${what.table};
    CREATE TABLE ${what.table} LIKE latchwork.${what.like};
    INSERT INTO ${what.table} SELECT * FROM latchwork.${what.like} WHERE ${what.rows};`, "latchwork_floor");
  runFloor(stack, what, "fill");
}

/** The product's command, with its start and its end: rows a second. */
function runProduct(stack, rows, args) {
  const began = performance.now();
  stack.latchctl("key", "rotate", ...args, "--quiet");
  return rows / ((performance.now() - began) / 1000);
}

function measure(stack, what, args, rounds) {
  const [[rows]] = stack.sql(`SELECT COUNT(*) FROM ${what.like} WHERE ${what.rows}`), runs = [];
  makeFloor(stack, what);
  for (let i = 0; i < rounds; i++) {
    const floor = runFloor(stack, what, "rotate"), rate = runProduct(stack, Number(rows), args);
    runs.push({ floor, rate, ratio: rate / floor });
  }
  stack.sql(`DROP TABLE ${what.table}`, "latchwork_floor");
  const of = (key) => median(runs.map((run) => run[key]));
  return { rows: Number(rows), floor: of("floor"), rate: of("rate"), ratio: of("ratio") };
}

export function rotations(stack, { tenants, credentials, rounds }) {
  const tenant = importedTenant(stack, credentials);
  keyedTenants(stack, tenants);
  return {
    "tenant key": measure(stack, versions(idHex(tenant)), ["tenant", "--tenant", tenant], rounds),
    "root key": measure(stack, keys, ["vault"], rounds),
  };
}
