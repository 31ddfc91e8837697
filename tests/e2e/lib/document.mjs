// Holds answers against the API document: an answer that it doesn't describe is a bug in one of them.
import fs from "node:fs";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

const METHODS = new Set(["get", "put", "post", "delete", "options", "head", "patch", "trace"]);

function pathPattern(template) {
  const escaped = template.replace(/[.*+?^$()|[\]\\]/g, "\\$&");
  return new RegExp(`^${escaped.replace(/\{[^}]+\}/g, "[^/]+")}$`);
}

/** The document's operations and a checker of answers. */
export class Document {
  constructor(file) {
    this.document = JSON.parse(fs.readFileSync(file, "utf8"));
    this.ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats(this.ajv);
    this.ajv.addSchema(this.document, "openapi.json");
    this.validators = new Map();
    this.operations = [];
    for (const [path, item] of Object.entries(this.document.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (METHODS.has(method))
          this.operations.push({ path, method, operation, pattern: pathPattern(path), variables: (path.match(/\{/g) ?? []).length });
      }
    }
    // The path with fewer variables is the better match: /credentials/test before /credentials/{id}.
    this.operations.sort((a, b) => a.variables - b.variables);
  }

  /** The operation of a request, or undefined. */
  find(method, path) {
    const wanted = method === "HEAD" ? "get" : method.toLowerCase();
    return this.operations.find((o) => o.method === wanted && o.pattern.test(path.split("?")[0]));
  }

  pointer(parts) {
    return "openapi.json#/" + parts.map((part) => encodeURIComponent(String(part).replaceAll("~", "~0").replaceAll("/", "~1"))).join("/");
  }

  validator(parts) {
    const pointer = this.pointer(parts);
    if (!this.validators.has(pointer))
      this.validators.set(pointer, this.ajv.compile({ $ref: pointer }));
    return this.validators.get(pointer);
  }

  resolve(parts) {
    let value = this.document;
    for (const part of parts)
      value = value?.[part];
    return value?.$ref ? this.resolve(this.refParts(value.$ref)) : value;
  }

  refParts(ref) {
    return ref.replace(/^#\//, "").split("/").map((part) => decodeURIComponent(part).replaceAll("~1", "/").replaceAll("~0", "~"));
  }

  locate(parts) {
    let value = this.document, at = [];
    for (const part of parts) {
      value = value[part];
      at.push(part);
      if (value?.$ref) {
        at = this.refParts(value.$ref);
        value = this.resolve(at);
      }
    }
    return at;
  }

  /** Throws when the answer isn't one that the document describes for the operation. */
  check(method, path, answer) {
    const found = this.find(method, path), where = `${method} ${path} -> ${answer.status}`;
    if (!found) {
      // A path or method that isn't in the document: only the common refusals may come back.
      if (![400, 404, 405, 413, 414, 421, 429, 431, 503].includes(answer.status) && method !== "OPTIONS")
        throw new Error(`${where}: the document has no such operation`);
      return this.checkProblem(where, answer);
    }
    const responses = found.operation.responses;
    const status = String(answer.status) in responses ? String(answer.status) : answer.status >= 400 ? "default" : undefined;
    if (!status || !(status in responses))
      throw new Error(`${where}: the document doesn't know that status for ${found.operation.operationId}`);
    const at = this.locate(["paths", found.path, found.method, "responses", status]);
    const content = this.resolve(at).content, media = answer.headers["content-type"]?.split(";")[0].trim();
    if (method === "HEAD" || answer.status === 304)
      return undefined;
    if (!content) {
      if (answer.text !== "")
        throw new Error(`${where}: the document says there is no body; there is ${answer.text.slice(0, 200)}`);
      return undefined;
    }
    if (!media || !(media in content))
      throw new Error(`${where}: the media type is ${media}; the document knows ${Object.keys(content).join(", ")}`);
    if (answer.json !== undefined && content[media].schema)
      this.checkSchema(where, [...at, "content", media, "schema"], answer.json);
    return undefined;
  }

  checkProblem(where, answer) {
    if (answer.json && "Problem" in (this.document.components.schemas ?? {}) && answer.status >= 400)
      this.checkSchema(where, ["components", "schemas", "Problem"], answer.json);
  }

  checkSchema(where, parts, value) {
    const validate = this.validator(parts);
    if (!validate(value)) {
      const words = validate.errors.slice(0, 5).map((e) => `${e.instancePath || "/"} ${e.message} ${JSON.stringify(e.params)}`);
      throw new Error(`${where}: not what the document says: ${words.join("; ")}`);
    }
  }
}
