"""Reads openapi.yaml into operations, and finds everything that is wrong with it."""
import os
import re
from dataclasses import dataclass, field

import yamldoc
from apischema import BOOL, INTEGER, NULL, OBJECT, STRING, Compiler, Schema
from yamldoc import List, Map

METHODS = ("get", "post", "put", "patch", "delete")
PIPELINE_HEADERS = {"If-Match", "If-None-Match", "Idempotency-Key", "Last-Event-ID", "Accept", "X-Csrf-Token",
                    "X-Api-Key"}  # read by the pipeline or the handler itself; never in the input struct
C_WORDS = set("""auto break case char const continue default do double else enum extern float for goto if inline int
    long register restrict return short signed sizeof static struct switch typedef union unsigned void volatile while
    asm typeof bool true false none""".split())
MEMBERS = {  # what each object of the document may hold, besides x- members
    "document": "openapi info servers tags paths components externalDocs security",
    "path": "summary description parameters servers " + " ".join(METHODS),
    "operation": "operationId summary description tags parameters requestBody responses deprecated externalDocs security",
    "parameter": "name in required description schema example examples deprecated",
    "body": "description required content", "media": "schema example examples"}
VENDOR = {"x-pool", "x-auth", "x-scope", "x-role", "x-rate", "x-audit", "x-body-limit", "x-transaction",
          "x-raw-body", "x-any-query", "x-keeps-answer", "x-defers-session", "x-slow", "x-repeatable"}
BODY_MAX = 1 << 20
PARAMS_MAX, QUERY_MAX = 8, 64  # ROUTE_PARAMS_MAX, and the bits in which read.c notes what it has seen


@dataclass
class Field:
    """One member of an input struct."""
    name: str
    place: str
    schema: Schema
    required: bool
    line: int
    node: object = None

    def __post_init__(self):
        self.c_name = re.sub(r"[^A-Za-z0-9_]", "_", self.name)
        if self.c_name in C_WORDS or not re.match(r"[A-Za-z_]", self.c_name):
            self.c_name += "_"
        solid, optional = self.schema.solid, not self.required and self.schema.default is None
        self.slot = "SLOT_TREE"
        if solid == STRING and self.schema.kind:
            self.slot = "SLOT_OPT_ID" if optional else "SLOT_ID"
        elif solid == INTEGER or (solid == STRING and self.schema.format == "CHECK_TIME"):
            self.slot = "SLOT_OPT_INT" if optional else "SLOT_INT"
        elif solid in (STRING, BOOL):
            self.slot = "SLOT_TEXT" if solid == STRING else "SLOT_BOOL"
        self.says_set = optional and self.slot == "SLOT_BOOL"
        self.says_null = bool(self.schema.types & NULL) and self.slot != "SLOT_TREE"
        self.c_names = [self.c_name] + [self.c_name + "_set"] * self.says_set + [self.c_name + "_null"] * self.says_null


@dataclass
class Operation:
    id: str
    method: str
    path: str
    node: Map
    pool: str = "front"
    auth: str = "none"
    scope: str = "none"
    role: str = None
    rate: str = "default"
    audit: str = None
    media: str = None
    body: str = "NONE"
    body_required: bool = False
    body_max: int = 4096
    transaction: bool = False
    keeps_answer: bool = True
    defers_session: bool = False
    slow: bool = False
    any_query: bool = False
    schema: Schema = None
    example: object = None
    fields: list = field(default_factory=list)

    @property
    def segments(self):
        return self.path[1:].split("/")

    def at(self, place):
        return [f for f in self.fields if f.place == place]


def table(source_dir, name, macro):
    """An X-macro table as {its last text: its name}: {"credentials:read": "CREDENTIALS_READ"}."""
    with open(os.path.join(source_dir, name), encoding="utf-8") as file:
        return {text: symbol for symbol, text in re.findall(r'^%s\((\w+), "([^"]*)"' % macro, file.read(), re.M)}


def compare_paths(a, b):
    """None when no path matches both; else which is the narrower: "first", "second", "same" or "neither"."""
    if len(a) != len(b):
        return None
    narrower = set()
    for x, y in zip(a, b):
        if x[:1] != "{" and y[:1] != "{":
            if x != y:
                return None
        elif x[:1] != y[:1]:
            narrower.add("second" if x[:1] == "{" else "first")
    return "neither" if len(narrower) == 2 else (narrower or {"same"}).pop()


class Reader:
    def __init__(self, path, source_dir):
        self.problems = yamldoc.Problems(path)
        self.kinds = {v: k for k, v in table(source_dir, "base/id_kinds.def", "ID_KIND").items()}
        self.roles = table(source_dir, "core/roles.def", "ROLE")
        self.scopes = table(source_dir, "core/scopes.def", "SCOPE")
        self.rates = table(source_dir, "core/rate.def", "RATE_CLASS")
        self.actions = table(source_dir, "core/audit_actions.def", "AUDIT_ACTION")
        self.compiler = Compiler(self.problems, self.resolve, self.kinds)
        self.operations, self.tags = [], set()
        self.doc = yamldoc.read(path, self.problems)
        if self.doc is not None:
            self.document()

    # --- small helpers -------------------------------------------------------
    def get(self, node, key, kind, default=None):
        """node[key] when it has the type; else the default, and a problem when it is there."""
        if key not in node:
            return default
        value = node[key]
        if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
            return value
        names = {Map: "a mapping", List: "a list", str: "a text", bool: "true or false", int: "a whole number"}
        self.problems.add(node.lines[key], "%s must be %s" % (key, names[kind]))
        return default

    def need(self, node, key, kind, what):
        if key not in node:
            self.problems.add(node.line, "%s lacks %s" % (what, key))
        return self.get(node, key, kind, kind())

    def only(self, node, what, vendor=frozenset()):
        for key in node:
            if key not in vendor and key not in MEMBERS[what].split():
                self.problems.add(node.lines[key], "%s isn't a member that a %s may have here" % (key, what))

    def resolve(self, node, line):
        """What a $ref leads to, or the node itself; None after a problem."""
        for _ in range(32):
            if not isinstance(node, Map) or "$ref" not in node:
                return node
            ref, line = node["$ref"], node.lines["$ref"]
            node = self.doc
            for part in ref[2:].split("/") if isinstance(ref, str) and ref.startswith("#/components/") else [None]:
                node = node.get(part.replace("~1", "/").replace("~0", "~")) if part and isinstance(node, Map) else None
            if node is None:
                self.problems.add(line, "the reference %s leads nowhere" % ref)
                return None
        self.problems.add(line, "the reference %s goes in a circle" % ref)
        return None

    def all_refs(self, node):
        for value in node.values() if isinstance(node, Map) else node:
            if isinstance(value, (Map, List)):
                self.all_refs(value)
        if isinstance(node, Map) and "$ref" in node:
            self.resolve(node, node.line)

    # --- the document --------------------------------------------------------
    def document(self):
        doc = self.doc
        self.only(doc, "document")
        if not str(doc.get("openapi", "")).startswith("3.1."):
            self.problems.add(doc.lines.get("openapi", 1), "`openapi` must be 3.1.x")
        self.need(doc, "info", Map, "the document")
        for tag in self.get(doc, "tags", List, List()):
            self.tags.add(str(tag.get("name")) if isinstance(tag, Map) else "")
        base = self.base(doc, "")
        paths = self.need(doc, "paths", Map, "the document")
        for path, item in paths.items():
            item = self.get(paths, path, Map)
            if item is not None:
                self.path(path, item, paths.lines[path], base)
        self.all_refs(doc)
        self.between_operations()

    def base(self, node, otherwise):
        """The path of the one server, which goes before the paths of the document."""
        servers = self.get(node, "servers", List)
        if servers is None:
            return otherwise
        url = servers[0].get("url") if len(servers) == 1 and isinstance(servers[0], Map) else None
        if not isinstance(url, str) or not re.fullmatch(r"/|(/[A-Za-z0-9._~-]+)+", url):
            self.problems.add(node.lines["servers"], "servers must be one `url` that is a path, e.g. /api/v1")
            return otherwise
        return url.rstrip("/")

    def path(self, path, item, line, base):
        self.only(item, "path")
        if not re.fullmatch(r"(/([A-Za-z0-9._~-]+|\{[A-Za-z][A-Za-z0-9_]*\}))+", path) or "/../" in path + "/" \
                or "/./" in path + "/":
            self.problems.add(line, "the path may hold whole segments of letters, digits and . _ ~ - or {name} only")
            return
        names = re.findall(r"\{(\w+)\}", path)
        if len(set(names)) != len(names) or len(names) > PARAMS_MAX:
            self.problems.add(line, "a path has up to %d parameters, each once" % PARAMS_MAX)
        if not set(METHODS) & set(item):
            self.problems.add(line, "the path has no operation")
        for method in METHODS:
            node = self.get(item, method, Map)
            if node is not None:
                op = Operation("", method.upper(), self.base(item, base) + path, node)
                self.operations.append(op)
                self.operation(op, item, names)

    def operation(self, op, item, names):
        node = op.node
        self.only(node, "operation", VENDOR)
        op.id = self.need(node, "operationId", str, "the operation")
        if op.id and (not re.fullmatch(r"[a-z][a-z0-9_]{0,60}", op.id) or op.id in C_WORDS):
            self.problems.add(node.lines["operationId"], "operationId must be a C name in lower case")
            op.id = ""
        self.need(node, "summary", str, "the operation")
        tags = self.need(node, "tags", List, "the operation")
        if "tags" in node and (not tags or any(tag not in self.tags for tag in map(str, tags))):
            self.problems.add(node.lines["tags"], "each operation has tags that the document lists")
        self.vendor(op, node)
        self.parameters(op, item, names)
        self.body(op, node)
        self.responses(node)
        names = {}
        for f in op.fields:
            for name in f.c_names:
                if names.setdefault(name, f) is not f:
                    self.problems.add(f.line, "%s and %s would share the name %s in the input struct"
                                      % (f.name, names[name].name, name))
            self.defaults(f)

    def vendor(self, op, node):
        def word(key, default, allowed):
            value = self.get(node, key, str, default)
            if value not in allowed and value != default:
                self.problems.add(node.lines[key], "%s %s isn't known; it may be: %s" % (
                    key, value[:40], " ".join(allowed)))
                return default
            return value
        for key in ("x-pool", "x-auth"):
            self.need(node, key, str, "the operation")
        op.pool = word("x-pool", "front", ("front", "vault"))
        op.auth = word("x-auth", "none", ("user", "optional", "none"))
        op.scope = word("x-scope", "none", ("none", "any", *self.scopes))
        op.role = word("x-role", None, self.roles)
        for key in ("x-scope", "x-role"):
            if op.auth == "user" and key not in node:
                self.problems.add(node.line, "an operation with x-auth user needs %s" % key)
            if node.get("x-auth") == "none" and key in node:
                self.problems.add(node.lines[key], "%s has no meaning with x-auth none" % key)
        op.rate = word("x-rate", "default", self.rates)
        op.audit = word("x-audit", None, self.actions)
        security = self.get(node, "security", List, self.get(self.doc, "security", List, List()))
        if op.auth != ("optional" if {} in security and len(security) > 1 else "user" if security else "none"):
            self.problems.add(node.lines.get("security", node.line), "`security` and x-auth disagree: user needs schemes, "
                              "none an empty list, optional schemes and {}")
        op.keeps_answer = self.get(node, "x-keeps-answer", bool, True)
        op.transaction = self.get(node, "x-transaction", bool, op.method != "GET")
        op.any_query = self.get(node, "x-any-query", bool, False)
        op.defers_session = self.get(node, "x-defers-session", bool, op.method == "GET")
        op.slow = self.get(node, "x-slow", bool, False)
        op.repeatable = self.get(node, "x-repeatable", bool, False)
        if op.repeatable and op.pool != "vault":
            self.problems.add(node.line, "x-repeatable is for operations of the vault: the front keeps all connections")
        if op.method == "POST" and op.auth == "none" and op.keeps_answer and not op.transaction:
            self.problems.add(node.line, "whoever proves himself to the handler would be given another's answer before that: "
                              "x-keeps-answer has to be false")
        if op.defers_session and op.transaction:
            self.problems.add(node.line, "x-defers-session leaves a transaction open to anybody: x-transaction has to be false")

    # --- inputs --------------------------------------------------------------
    def parameters(self, op, item, names):
        found = {}
        for owner in (item, op.node):
            listed = self.get(owner, "parameters", List, List())
            for i, entry in enumerate(listed):
                entry = self.resolve(entry, listed.lines[i])
                if isinstance(entry, Map):
                    self.parameter(op, entry, names, found)
                elif entry is not None:
                    self.problems.add(listed.lines[i], "a parameter must be a mapping")
        for name in names:
            if ("path", name) not in found:
                self.problems.add(op.node.line, "the path parameter %s isn't declared" % name)
        op.fields = [found["path", name] for name in names if ("path", name) in found]
        op.fields += [f for (place, _), f in found.items() if place == "query"]
        if len(op.at("query")) > QUERY_MAX:
            self.problems.add(op.node.line, "an operation has up to %d query parameters" % QUERY_MAX)

    def parameter(self, op, node, names, found):
        self.only(node, "parameter")
        name, place = (self.need(node, key, str, "the parameter") for key in ("name", "in"))
        required = self.get(node, "required", bool, False)
        if (place, name) in found:
            self.problems.add(node.line, "the parameter %s stands here twice" % name)
        elif place == "header" and name in PIPELINE_HEADERS:
            pass
        elif place not in ("path", "query"):
            self.problems.add(node.line, "only path and query parameters, and the headers %s, are supported"
                              % " ".join(sorted(PIPELINE_HEADERS)))
        elif place == "path" and (name not in names or not required):
            self.problems.add(node.line, "the path parameter %s must be in the path, and required" % name)
        elif not re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", name):
            self.problems.add(node.line, "a parameter's name is made of letters, digits and . _ -")
        elif self.need(node, "schema", Map, "the parameter"):
            schema = self.compiler.compile(node["schema"], node.lines["schema"])
            f = found[place, name] = Field(name, place, schema, required, node.line, node)
            if schema.types not in (STRING, INTEGER, BOOL) or (place == "path" and f.slot == "SLOT_BOOL"):
                self.problems.add(node.line, "the %s parameter %s must be a string, an integer%s" % (
                    place, name, " or a boolean" if place == "query" else ""))

    def body(self, op, node):
        body = self.resolve(self.get(node, "requestBody", Map), node.line)
        raw = self.get(node, "x-raw-body", bool, False)
        if not isinstance(body, Map):
            for key in {"x-body-limit", "x-raw-body"} & set(node):
                self.problems.add(node.lines[key], "%s has no meaning without a requestBody" % key)
            return
        if op.method in ("GET", "DELETE"):
            self.problems.add(node.lines["requestBody"], "%s takes no body" % op.method)
        self.only(body, "body")
        op.body, op.body_required = "RAW" if raw else "JSON", self.get(body, "required", bool, False)
        op.body_max = self.get(node, "x-body-limit", int, BODY_MAX)
        if not 0 < op.body_max <= 1 << 30:
            self.problems.add(node.lines["x-body-limit"], "x-body-limit must be a number of bytes up to 1 GiB")
        content = self.need(body, "content", Map, "the requestBody")
        if len(content) != 1:
            self.problems.add(body.line, "a body has one media type")
            return
        op.media = next(iter(content))
        media = self.get(content, op.media, Map, Map())
        if raw or not media:
            if not raw:
                self.problems.add(content.lines[op.media], "the body lacks a schema")
            op.media = "any" if op.media == "*/*" else op.media
        elif op.media != "application/json":
            self.problems.add(content.lines[op.media], "a body that isn't application/json needs x-raw-body: true")
        else:
            self.json_body(op, media)

    def json_body(self, op, media):
        self.only(media, "media")
        node = self.need(media, "schema", Map, "the body")
        if not node:
            self.problems.add(media.line, "the body lacks a schema")
            return
        schema = op.schema = self.compiler.compile(node, media.line)
        op.example = media
        if schema.types != OBJECT:
            self.problems.add(schema.line, "a JSON body must be of type object")
        for m in schema.members:
            op.fields.append(Field(m.name, "body", m.schema, m.required and op.body_required, m.line))
        self.trees(schema, set())

    def trees(self, schema, seen):
        """Defaults inside of a tree would be promised and never applied."""
        inner = [m.schema for m in schema.members] if seen else \
            [s for m in schema.members for s in (m.schema.items, *(n.schema for n in m.schema.members)) if s]
        for s in (*inner, schema.items, schema.others, schema.names):
            if s is not None and id(s) not in seen:
                seen.add(id(s))
                if s.default is not None:
                    self.problems.add(s.line, "a default works at the top of a body only")
                self.trees(s, seen)

    def defaults(self, f):
        value, s = f.schema.default, f.schema
        if value is None:
            return
        if f.slot == "SLOT_TEXT" and isinstance(value, str) and s.format == "CHECK_PLAIN":
            fits = s.length[0] <= len(value) <= s.length[1] and (not s.words or value in s.words) \
                and (s.pattern is None or re.search(s.pattern, value))
        elif f.slot == "SLOT_INT" and type(value) is int and s.solid == INTEGER:
            fits = s.value[0] <= value <= s.value[1]
        else:
            fits = f.slot == "SLOT_BOOL" and isinstance(value, bool)
        if not fits or f.required:
            self.problems.add(s.line, "the default of %s doesn't fit (an optional string, integer or boolean may have "
                              "one that its schema takes)" % f.name)

    def responses(self, node):
        responses = self.need(node, "responses", Map, "the operation")
        for code in responses:
            if not re.fullmatch(r"[1-5]([0-9][0-9]|XX)|default", code):
                self.problems.add(responses.lines[code], "%s isn't a status" % code)
        if not any(code.startswith(("1", "2", "3")) for code in responses):
            self.problems.add(node.line, "the operation lacks a response for success")
        if not any(code.startswith(("d", "4", "5")) for code in responses):
            self.problems.add(node.line, "the operation lacks a problem response (`default`)")

    # --- between operations --------------------------------------------------
    def between_operations(self):
        ids, paths = {}, {}
        for op in self.operations:
            first = ids.setdefault(op.id, op)
            if op.id and first is not op:
                self.problems.add(op.node.lines["operationId"], "the operationId %s is taken by line %d"
                                  % (op.id, first.node.line))
            paths.setdefault(op.path, op)
        listed = list(paths.items())
        for i, (path, op) in enumerate(listed):
            for other, earlier in listed[:i]:
                how = compare_paths(op.segments, earlier.segments)
                if how in ("same", "neither"):
                    self.problems.add(op.node.line, "the paths %s and %s can match the same request" % (path, other))
