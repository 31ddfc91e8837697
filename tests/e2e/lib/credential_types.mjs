// The types of credentials as the program knows them: read from its own table, so that a new member is in the tests.
import fs from "node:fs";
import path from "node:path";
import { root } from "./instance.mjs";

const VALUES = { TEXT: () => "text", LINE: () => "line", HEADER: () => "X-Header", INT: () => 1, BOOL: () => true, TIME: () => "2030-01-01T00:00:00Z",
  LIST: () => ["one"], WORD: (words) => words.split("|")[0] };

/** {type: {members: [{name, secret, value()}]}} */
export function credentialTypes() {
  const table = fs.readFileSync(path.join(root, "src/vault/credential_types.def"), "utf8"), types = {};
  const kinds = Object.fromEntries([...table.matchAll(/^CREDENTIAL_TYPE\((\w+), "(\w+)"\)/gm)].map(([, kind, text]) => [kind, text]));
  for (const text of Object.values(kinds))
    types[text] = [];
  for (const [, kind, name, flags, form, words] of table.matchAll(/^CREDENTIAL_MEMBER\((\w+), "(\w+)", ([^,]+), (\w+), \d+, (?:NULL|"([^"]*)")\)/gm))
    types[kinds[kind]].push({ name, secret: /\bSECRET\b/.test(flags), value: () => VALUES[form](words) });
  return types;
}
