// Every statement there is: it runs as its pool's account, uses an index, and shows no other tenant's rows.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { startMariadb } from "./lib/mariadb.mjs";

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
const DATABASE = "latchwork";
const ROWS = 3000;
const TENANTS = 20;
const OWN = "X'00000000000000000000000000000005'"; // has rows
const STRANGER = "X'FF0000000000000000000000000000FF'"; // has none
const ROW = 105; // a row of OWN: 105 % 20

let mariadb, statements;

// --- the schema, filled ------------------------------------------------------------
function generate(directory) {
  execFileSync("python3", ["-B", `${root}/src/gen/sqlgen.py`, "--sql", `${root}/sql`, "--grants", `${directory}/grants.sql`,
    "--json", `${directory}/statements.json`], { stdio: "inherit" });
  return JSON.parse(fs.readFileSync(`${directory}/statements.json`, "utf8")).statements;
}

function makeSchema(directory) {
  const migrations = fs.readdirSync(`${root}/sql/migrations`).filter((n) => n.endsWith(".sql")).sort();
  mariadb.run(`CREATE DATABASE ${DATABASE}`);
  for (const file of [...migrations.map((n) => `migrations/${n}`), "views.sql"]) {
    const text = fs.readFileSync(`${root}/sql/${file}`, "utf8");
    mariadb.run(text.replaceAll("-- :begin", "DELIMITER //").replaceAll("-- :end", "//\nDELIMITER ;"), { database: DATABASE });
  }
  for (const pool of ["front", "vault", "worker", "ctl"]) {
    mariadb.run(`CREATE USER ${pool}@localhost`);
  }
  mariadb.run(fs.readFileSync(`${directory}/grants.sql`, "utf8").replace(/@(\w+)@/g, "'$1'@'localhost'"),
    { database: DATABASE });
}

// What row number `seq` holds in a column; the same number is the same id in every table.
function filler(name, type, size, nullable) {
  if (name === "tenant_id") {
    return `UNHEX(LPAD(HEX(seq % ${TENANTS}), 32, '0'))`;
  }
  if (type === "binary") {
    return `UNHEX(LPAD(HEX(seq), ${2 * size}, '0'))`;
  }
  if (/int$/.test(type)) {
    const value = type === "bigint" ? "seq" : type === "int" ? "seq % 1000" : "seq % 100";
    return nullable ? `IF(seq % 3 = 0, NULL, ${value})` : value;
  }
  return `LEFT(CONCAT('v', seq), ${size || 20})`;
}

function columnsOfTables() {
  const columns = mariadb.rows(`SELECT c.TABLE_NAME, c.COLUMN_NAME, c.DATA_TYPE, IFNULL(c.CHARACTER_MAXIMUM_LENGTH, 0),
    c.IS_NULLABLE, c.EXTRA FROM information_schema.COLUMNS c JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME)
    WHERE c.TABLE_SCHEMA = '${DATABASE}' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY c.TABLE_NAME, c.ORDINAL_POSITION`);
  const tables = new Map();
  for (const [table, name, type, size, nullable, extra] of columns) {
    if (!/auto_increment|GENERATED/.test(extra)) {
      tables.set(table, [...(tables.get(table) ?? []), [name, filler(name, type, Number(size), nullable === "YES")]]);
    }
  }
  tables.delete("schema_migration");
  return tables;
}

function fill() {
  for (const [table, own] of columnsOfTables()) {
    mariadb.run(`INSERT IGNORE INTO ${table} (${own.map(([n]) => `\`${n}\``).join(", ")})
      SELECT ${own.map(([, v]) => v).join(", ")} FROM seq_1_to_${ROWS}; ANALYZE TABLE ${table};`, { database: DATABASE });
  }
}

// --- statements with values in place of `?` --------------------------------------------
function literal(value, tenant) {
  if (value.source === "scope" && value.name === "tenant") {
    return tenant;
  }
  if (value.nullable) {
    return "NULL"; // filters that aren't set
  }
  if (/^(before|until)/.test(value.name)) {
    return value.type === "id" ? `X'${"FF".repeat(16)}'` : "1000000000000";
  }
  if (/^(after|from|since)/.test(value.name)) {
    return value.type === "id" ? `X'${"00".repeat(16)}'` : "0";
  }
  switch (value.type) {
    case "id": return `X'${ROW.toString(16).padStart(32, "0")}'`;
    case "int": return "5";
    case "bool": return "1";
    case "time": return "50";
    case "json": return "'{}'";
    case "bytes": return `X'${ROW.toString(16).padStart(2 * Math.min(value.max, 64), "0")}'`;
    default: return `LEFT('v${ROW}', ${value.max})`;
  }
}

// JSON arrays are what a text is where JSON_TABLE reads it.
function filled(sql, inputs, tenant, given = {}) {
  const values = inputs.map((v) => given[v.name] ?? literal(v, tenant));
  return sql.replace(/'(?:[^'\\]|''|\\.)*'|\?/g, (piece) => (piece === "?" ? values.shift() : piece));
}

const quoted = (sql) => `'${sql.replace(/\\/g, "\\\\").replace(/'/g, "''")}'`;
const texts = (s) => [[s.sql, s.in], ...(s.checked ? [[s.checked.sql, s.checked.in]] : [])];
const named = (s) => `${s.file}:${s.line} ${s.name}`;

// Runs one line of SQL for each entry, in one session of the pool's account: its rows, and the error's number.
function runLines(pool, lines) {
  const script = lines.map((l, i) => `SELECT '@@${i}'; ${l}`).join("\n");
  const { out, err } = mariadb.run(`${script}\n`, { database: DATABASE, user: pool, force: true });
  const results = lines.map(() => ({ rows: [], error: 0, message: "" }));
  let current;
  for (const line of out.split("\n").filter((l) => l !== "")) {
    const mark = /^@@(\d+)$/.exec(line);
    if (mark) {
      current = results[Number(mark[1])];
    } else {
      current.rows.push(line.split("\t"));
    }
  }
  for (const [, number, line, message] of err.matchAll(/^ERROR (\d+) .*?at line (\d+): (.*)$/gm)) {
    Object.assign(results[Number(line) - 1], { error: Number(number), message });
  }
  return results;
}

function forEachPool(wanted, line, check) {
  const wrong = [];
  let done = 0;
  for (const pool of ["front", "vault", "worker", "ctl"]) {
    const own = statements.filter((s) => s.pools.includes(pool) && wanted(s)).flatMap((s) => texts(s).map((t) => [s, t]));
    const results = runLines(pool, own.map(([s, [sql, inputs]]) => line(sql, inputs, s)));
    own.forEach(([s], i) => {
      const why = check(results[i], s);
      done++;
      if (why) {
        wrong.push(`${named(s)} as ${pool}: ${why}`);
      }
    });
  }
  assert.ok(done > 0);
  assert.deepEqual(wrong, []);
}

const inTransaction = (tenant, sql) =>
  `SET @lw_tenant = ${tenant}; START TRANSACTION; ${sql}; SELECT CONCAT('rows:', ROW_COUNT()); ROLLBACK;`;

// Rows that say something: not the count, and not the one row of zeros that an aggregate always gives.
const telling = (result) => result.rows.filter((r) => !r[0].startsWith("rows:") && r.some((v) => v !== "0" && v !== "NULL"));
const changed = (result) => result.rows.filter((r) => r[0].startsWith("rows:")).some((r) => Number(r[0].slice(5)) > 0);
const isLock = (s) => /\b(GET_LOCK|RELEASE_LOCK)\b/.test(s.sql);
const ofTenant = (s) => s.flags.includes("STMT_TENANT") && !s.global;
const inserts = (s) => s.verb === "INSERT" || s.verb === "REPLACE";

before(async () => {
  mariadb = await startMariadb();
  const directory = fs.mkdtempSync(path.join(mariadb.directory, "generated-"));
  statements = generate(directory);
  makeSchema(directory);
});
after(async () => { await mariadb?.stop(); });

test("every statement prepares on a fresh schema as each of its pools", () => {
  forEachPool(() => true, (sql) => `PREPARE s FROM ${quoted(sql)}; DEALLOCATE PREPARE s;`,
    (result) => result.error && result.message);
});

test("every statement runs with its pool's grants and no more", () => {
  fill();
  // A row that is there already, a foreign key, a check: the data's business, not the grants'.
  const allowed = new Set([0, 1062, 1452, 4025]);
  forEachPool((s) => !isLock(s), (sql, inputs) => inTransaction(OWN, filled(sql, inputs, OWN)),
    (result) => !allowed.has(result.error) && result.message);
});

test("no statement walks through a whole table", () => {
  const wrong = [];
  for (const s of statements.filter((x) => !x.scan && x.verb !== "SET" && !x.sql.startsWith("SET STATEMENT"))) {
    for (const [sql, inputs] of texts(s)) {
      const plan = mariadb.rows(`SET @lw_tenant = ${OWN}; EXPLAIN ${filled(sql, inputs, OWN)}`, { database: DATABASE });
      for (const [, , table, type, , key, , , rows] of plan) {
        if ((type === "ALL" || type === "index") && !table.startsWith("<") && Number(rows) >= ROWS / 3) {
          wrong.push(`${named(s)}: ${type} of ${table}, key ${key}, ${rows} rows`);
        }
      }
    }
  }
  assert.deepEqual([...new Set(wrong)], []);
});

test("a tenant without rows sees and changes nobody else's, whatever ids it names", () => {
  forEachPool((s) => ofTenant(s) && !inserts(s), (sql, inputs) => inTransaction(STRANGER, filled(sql, inputs, STRANGER)),
    (result, s) => (telling(result).length && s.kind !== "exec" && `shows ${telling(result)[0]}`)
      || (s.kind === "exec" && changed(result) && "changes rows"));
});

test("a statement that names another tenant than the session's meets the views", () => {
  forEachPool(ofTenant, (sql, inputs) => inTransaction(STRANGER, filled(sql, inputs, OWN)),
    (result, s) => (telling(result).length && s.kind !== "exec" && `shows ${telling(result)[0]}`)
      || (s.kind === "exec" && changed(result) && "changes rows"));
});

// --- far down a list ---------------------------------------------------------------------

const DEEP = 20_000;
const READS = 50; // for five rows of a list
const FEW = new Set(["trigger_list", "schedule_list"]); // a workflow has
const idOf = (n) => `X'${n.toString(16).padStart(32, "0")}'`;

/** Rows of OWN that differ in their id: the older half belongs to ROW, to whom the list is about, the newer one to another. */
function fillDeep(table, own, column) {
  const value = ([name, filled]) => (name === "tenant_id" ? OWN
    : name === column || /_(hash|key|service)$|^(name|email|subject|external_id)$/.test(name) ? filled
    : filled.startsWith("UNHEX") ? `IF(seq > ${DEEP / 2}, ${idOf(ROW + 1)}, ${idOf(ROW)})`
    : filled.startsWith("IF(seq") ? "NULL" : filled.replaceAll("seq", ROW));
  mariadb.run(`DELETE FROM ${table}; INSERT IGNORE INTO ${table} (${own.map(([n]) => `\`${n}\``).join(", ")})
    SELECT ${own.map(value).join(", ")} FROM seq_1_to_${DEEP}; ANALYZE TABLE ${table};`, { database: DATABASE });
}

/** How many rows a page from there has, and how many MariaDB read for it. */
function readPage(s, [sql, inputs], before) {
  const isId = inputs.some(({ name, type }) => name === "before" && type === "id"), id = isId ? idOf : String;
  // What looks for rare rows has both of its ends near each other.
  const given = { before: id(before), to: idOf(2 * DEEP), skip: "0", connector_id: idOf(ROW), ...(s.name === "audit_list" && { from: id(Math.max(0, before - 1000)) }) };
  const rows = mariadb.rows(`SET @lw_tenant = ${OWN}; FLUSH STATUS; ${filled(sql, inputs, OWN, given)}; SHOW STATUS LIKE 'Handler_read%'`, { database: DATABASE });
  const first = rows.findIndex(([name]) => name.startsWith("Handler_read"));
  return { found: first, reads: rows.slice(first).reduce((sum, [, n]) => sum + Number(n), 0) };
}

test("a page far down a list, or of one who has been quiet for long, reads no more than it shows", () => {
  const tables = columnsOfTables(), full = new Set(), wrong = [];
  const views = fs.readFileSync(`${root}/sql/views.sql`, "utf8").matchAll(/VIEW (\w+) AS\nSELECT[^;]*?\nFROM (\w+)/g);
  const tableOf = new Map([...views].map(([, view, table]) => [view, table]));
  const lists = statements.filter((s) => s.kind === "many" && !s.scan && !FEW.has(s.name) && s.in.some(({ name }) => name === "before") && / < \?.* DESC LIMIT \?/.test(s.sql));
  fillDeep("user", tables.get("user"), "user_id");
  for (const s of lists) {
    const text = texts(s).at(-1), [, from] = /^SELECT .*? FROM (\w+)/.exec(text[0]), table = tableOf.get(from) ?? from;
    if (!full.has(table))
      fillDeep(table, tables.get(table), /(\w+) < \?/.exec(text[0])[1]);
    full.add(table);
    for (const part of [1, 0.49, 0.25, 0.1, 0.01]) {
      const { found, reads } = readPage(s, text, Math.floor(DEEP * part) + 1);
      if (found !== 5 || reads > READS)
        wrong.push(`${named(s)} from ${part}: ${found} rows, ${reads} read`);
    }
  }
  assert.ok(lists.length > 20, `${lists.length} lists`);
  assert.deepEqual(wrong, []);
});
