// Bodies that an operation must refuse, made from its schema and its example in the API document.

const nested = (depth, open = "[", close = "]") => open.repeat(depth) + close.repeat(depth);
const utf8 = (text, ...bytes) => Buffer.concat([Buffer.from(text), Buffer.from(bytes)]);

/** One value of every JSON type. */
const VALUES = { null: null, boolean: true, integer: 7, number: 1.5, string: "text", array: ["x"], object: { x: 1 } };

/** The schema behind references. */
function resolved(document, schema) {
  return schema?.$ref ? resolved(document, document.resolve(document.refParts(schema.$ref))) : schema;
}

/** The schema of an operation's JSON body; undefined when it takes none, or any bytes. */
export function bodySchema(document, operation) {
  const { operation: described } = document.operations.find((o) => o.operation.operationId === operation.operationId);
  const body = described.requestBody?.$ref ? document.resolve(document.refParts(described.requestBody.$ref)) : described.requestBody;
  return resolved(document, body?.content["application/json"]?.schema);
}

/** Whether it can't do without one. */
export function needsBody(document, operation) {
  const { operation: described } = document.operations.find((o) => o.operation.operationId === operation.operationId);
  return Boolean((described.requestBody?.$ref ? document.resolve(document.refParts(described.requestBody.$ref)) : described.requestBody)?.required);
}

function* wrongTypes(types) {
  for (const [name, value] of Object.entries(VALUES))
    if (!types.includes(name) && !(name === "integer" && types.includes("number")))
      yield [`is ${name}`, value];
}

const otherCase = (word) => (word === word.toUpperCase() ? word.toLowerCase() : word.toUpperCase());

function* wrongTexts(schema) {
  if (schema.minLength > 0)
    yield ["is empty", ""];
  if (schema.minLength > 1)
    yield ["is too short", "a".repeat(schema.minLength - 1)];
  if (schema.maxLength)
    yield ["is too long", "a".repeat(schema.maxLength + 1)], yield ["is far too long", "é".repeat(Math.max(100000, schema.maxLength + 1))];
  if (schema.enum)
    yield ["is not allowed", "no-such-word"], yield ["is in the other case", otherCase(schema.enum[0])];
  const [, prefix] = /^\^([a-z]+-)/.exec(schema.pattern ?? "") ?? [];
  if (prefix)
    yield ["is all zero, as the system's own", prefix + "0".repeat(26)], yield ["is another kind of id", `x${prefix}01jd${"0".repeat(22)}`];
  if (schema.pattern)
    yield ["doesn't fit", "!"], yield ["has a line behind it", `${schema.pattern.includes("ten-") ? "ten-01jd0000000000000000000000" : "a"}\n`];
  if (schema.format)
    yield ["has no such form", "definitely\u202enot"];
}

function* wrongArrays(schema) {
  const word = "credentials:read";
  if (schema.minItems > 0)
    yield ["holds nothing", []];
  yield ["holds one twice", [word, word]];
  yield ["holds another type", [word, 1]];
  yield ["holds null", [null]];
  yield ["is nested", [[word]]];
  yield ["holds too many", Array(schema.maxItems + 1).fill(word)];
}

/** [words, value] that are no value of the schema. */
function* wrongValues(document, given) {
  const schema = resolved(document, given), types = [schema.type].flat();
  if (!schema.type)
    return; // any JSON will do
  yield* wrongTypes(types);
  if (types.includes("string"))
    yield* wrongTexts(schema);
  if (types.includes("array"))
    yield* wrongArrays(schema);
  if (types.includes("object") && schema.maxProperties)
    yield ["has too many members", Object.fromEntries(Array.from({ length: schema.maxProperties + 1 }, (_, i) => [`m${i}`, "x"]))];
}

/** Bodies that are JSON objects, but not the operation's: {words, field, body}. */
export function* wrongMembers(document, operation) {
  const schema = bodySchema(document, operation), example = operation.body;
  for (const [name, member] of Object.entries(schema.properties)) {
    for (const [words, value] of wrongValues(document, member))
      yield { words: `${name} ${words}`, field: name, body: JSON.stringify({ ...example, [name]: value }) };
  }
  for (const name of schema.required ?? [])
    yield { words: `${name} is missing`, field: name, body: JSON.stringify({ ...example, [name]: undefined }) };
  for (const name of ["tenant_id", "role", "id", "user_id", "__proto__", "constructor", "is_admin", "Email", "email "])
    if (!(name in schema.properties))
      yield { words: `${name} is unknown`, field: name, body: `${JSON.stringify({ ...example, zz: 0 }).replace('"zz"', JSON.stringify(name))}` };
}

function isJson(body) {
  try {
    JSON.parse(body);
    return true;
  } catch {
    return false;
  }
}

/** The same for an operation; where its first member may be any JSON, only what is none. */
export function* wrongDocumentsOf(document, operation) {
  const [first] = Object.keys(operation.body), anything = !resolved(document, bodySchema(document, operation).properties[first]).type;
  for (const wrong of wrongDocuments(operation.body))
    if (!anything || !wrong.body.includes(`{"${first}":`) || !isJson(wrong.body))
      yield wrong;
}

/** Bodies that aren't JSON objects: {words, body}. Those whose words start with "!" are heavy. */
export function* wrongDocuments(example) {
  const good = JSON.stringify(example), [first] = Object.keys(example), member = (raw) => `{"${first}":${raw}}`;
  const doubled = good.replace("{", `{${JSON.stringify(first)}:${JSON.stringify(example[first])},`);
  const bodies = {
    "an array": `[${good}]`, "a text": '"text"', "a number": "7", "null": "null", "true": "true", "only spaces": "   ",
    "a member twice": doubled,
    "a member twice, escaped": doubled.replace(`"${first}"`, `"\\u00${first.charCodeAt(0).toString(16)}${first.slice(1)}"`),
    "a byte order mark": `\ufeff${good}`, "UTF-16": Buffer.from(good, "utf16le"), "Latin-1": utf8(`{"${first}":"`, 0xe9, 0x22, 0x7d),
    "an overlong NUL": utf8(`{"${first}":"`, 0xc0, 0x80, 0x22, 0x7d),
    "a surrogate in UTF-8": utf8(`{"${first}":"`, 0xed, 0xa0, 0x80, 0x22, 0x7d),
    "half a character": utf8(`{"${first}":"`, 0xf0, 0x9f, 0x22, 0x7d), "a lone surrogate": member('"\\ud800"'),
    "surrogates the wrong way round": member('"\\udc00\\ud800"'), "a cut escape": member('"\\u12"'),
    "an escaped NUL": member('"a\\u0000b"'), "an escaped NUL in a name": '{"a\\u0000b":1}', "a NUL": `${good}\0`,
    "a NUL in a text": member('"a\0b"'), "a line in a text": member('"a\nb"'), "NaN": member("NaN"), "Infinity": member("-Infinity"),
    "a huge number": member("1e999"), "hexadecimal": member("0x10"), "a leading zero": member("012"), "a plus": member("+1"),
    "a bare point": member("1."), "a comment": `/* */${good}`, "single quotes": good.replaceAll('"', "'"),
    "a comma at the end": good.replace(/}$/, ",}"), "something behind it": `${good}{}`, "half of it": good.slice(0, -2),
    "only an opening": "{", "an XML document": "<?xml version='1.0'?><a/>", "a form": "email=a%40b.example&password=x",
    "depth 65": member(nested(65)), "depth 65 of objects": `${'{"a":'.repeat(65)}1${"}".repeat(65)}`, "!depth 100,000": nested(100000),
    "!an open depth of a million": "[".repeat(1000000), "!an integer of 100,000 digits": member("1".repeat(100000)),
    "!a fraction of 100,000 digits": member(`0.${"1".repeat(100000)}`),
    "!an exponent of 100,000 digits": member(`1e${"1".repeat(100000)}`),
    "!100,000 members": `{${Array.from({ length: 100000 }, (_, i) => `"${i.toString(36)}":0`).join()}}`,
    "!100,000 times the same member": `{${Array(90000).fill('"a":0').join()}}`, "!500,000 values": member(`[${"0,".repeat(500000)}0]`),
    "!one long text": member(JSON.stringify("a".repeat(1000000))), "!a name of 1,000,000 characters": `{"${"n".repeat(1000000)}":0}`,
    "!150,000 escapes": member(`"${"\\u00e9".repeat(150000)}"`),
  };
  for (const [words, body] of Object.entries(bodies))
    yield { words, body };
}
