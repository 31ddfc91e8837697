#!/usr/bin/env python3
"""Generates from openapi.yaml what has to agree with it.

    apigen.py openapi.yaml [--operations core/operations.h] [--routes routes.c] ...

Everything wrong with the document is printed as `file:line: message`, and then nothing
is written and the exit status is 1. A file is only written when its text changes.
"""
import argparse
import itertools
import json
import os
import re
import sys

import apisample
from apidoc import VENDOR, Reader, compare_paths
from apischema import SIZES, WIDEST
from yamldoc import List, Map

NOTE = "/* Generated from openapi.yaml by src/gen/apigen.py. Change the document, not this. */\n"
C_TYPES = {"SLOT_TEXT": "struct str ", "SLOT_ID": "struct id ", "SLOT_OPT_ID": "struct opt_id ", "SLOT_INT": "int64_t ",
           "SLOT_OPT_INT": "struct opt_int ", "SLOT_BOOL": "bool ", "SLOT_TREE": "const json_t *"}


def c_text(text):
    """A C string literal; octal escapes end after three digits, so any character may follow."""
    return '"%s"' % "".join(chr(b) if 0x20 <= b < 0x7f and b not in b'"\\?' else "\\%03o" % b for b in text.encode())


def c_str(text):
    return "STR(%s)" % c_text(text)


def c_int(value):
    return "INT64_MIN" if value == WIDEST[0] else "INT64_MAX" if value == WIDEST[1] else "INT64_C(%d)" % value


def c_flag(flag):
    return "true" if flag else "false"


def prototype(op):
    return "enum err %s(struct ctx *cx, const struct %s_in *in, struct reply *reply)" % (op.id, op.id)


def operations_h(reader):
    out = [NOTE, "#ifndef LW_CORE_OPERATIONS_H\n#define LW_CORE_OPERATIONS_H\n\n#include <jansson.h>\n"
           "#include <stdbool.h>\n#include <stdint.h>\n\n" + "".join(
               '#include "base/%s.h"\n' % name for name in ("attr", "err", "id", "str")),
           "\nstruct ctx;\nstruct reply;\n\nenum operation {\n"]
    out += ["\tOP_%s,\n" % op.id.upper() for op in reader.operations] + ["\tOPERATION_COUNT\n};\n"]
    for op in reader.operations:
        out.append("\n/* %s %s */\nstruct %s_in {\n" % (op.method, op.path, op.id))
        for f in op.fields:
            out.append("\t%s%s;\n" % (C_TYPES[f.slot], f.c_name))
            out += ["\tbool %s;\n" % name for name in f.c_names[1:]]
        out.append("%s};\n%s MUST_CHECK;\n" % ("" if op.fields else "\tchar none; /* no inputs */\n", prototype(op)))
    return "".join(out) + "\n#endif\n"


def fake_handlers_c(reader):
    """Handlers that do nothing: the tests of the checks link them instead of the features."""
    out = [NOTE, '#include "core/operations.h"\n']
    for op in reader.operations:
        out.append("\n%s\n{\n\t(void)cx;\n\t(void)in;\n\t(void)reply;\n\treturn OK;\n}\n" % prototype(op))
    return "".join(out)


class Routes:
    """routes.c: patterns, schemas, inputs, rows, and the tree that finds a row."""

    def __init__(self, reader):
        self.reader, self.patterns, self.names = reader, [], {}
        self.schemas, self.inputs, self.rows, self.tree = [], [], [], []

    def text(self):
        for op in self.reader.operations:
            self.row(op)
        self.node([(op.segments, op) for op in self.reader.operations], "ROUTE_ROOT")
        patterns = ["\t{ .ere = %s },\n" % c_text(p) for p in self.patterns] or ["\t{ .ere = NULL },\n"]
        forward = ["static const struct check_schema %s;\n" % name for name in self.names.values()]
        return "".join([NOTE, '#include "api/check.h"\n#include "api/route.h"\n\n',
                        "struct check_pattern CHECK_PATTERNS[] = {\n", *patterns,
                        "};\nconst size_t CHECK_PATTERN_COUNT = %d;\n\n" % len(self.patterns), *forward, *self.schemas,
                        *self.inputs, "\nconst struct route ROUTES[OPERATION_COUNT] = {\n", *self.rows, "};\n",
                        *self.tree])

    def ref(self, schema):
        """The name of a schema's descriptor, which is written once however often it is used."""
        if schema is None:
            return "NULL"
        if id(schema) not in self.names:
            name = self.names[id(schema)] = "schema_%d" % len(self.names)
            self.schema(name, schema, [self.member(m) for m in schema.members])
        return "&" + self.names[id(schema)]

    def schema(self, name, s, members):
        parts = [".types = %d" % s.types, ".format = %s" % s.format]
        for key, value, widest in (("length", s.length, SIZES), ("value", s.value, WIDEST), ("count", s.count, SIZES)):
            parts.append(".%s = { %s, %s }" % (key, c_int(value[0]), c_int(value[1])))
        if s.kind:
            parts.append(".kind = ID_%s" % s.kind)
        if s.words:
            self.schemas.append("static const struct str %s_words[] = { %s };\n" % (
                name, ", ".join("{ %s, %d }" % (c_text(w), len(w.encode())) for w in s.words)))
            parts.append(".words = %s_words, .word_count = %d" % (name, len(s.words)))
        if s.pattern is not None and not s.kind:
            if s.pattern not in self.patterns:
                self.patterns.append(s.pattern)
            parts.append(".pattern = &CHECK_PATTERNS[%d]" % self.patterns.index(s.pattern))
        parts += [".unique = true"] * s.unique + [".open = true"] * s.open
        parts += [".%s = %s" % (key, self.ref(value)) for key, value in
                  (("items", s.items), ("others", s.others), ("names", s.names)) if value is not None]
        if members:
            self.schemas.append("static const struct check_member %s_members[] = {\n%s};\n" % (name, "".join(members)))
            parts.append(".members = %s_members, .member_count = %d" % (name, len(members)))
        self.schemas.append("static const struct check_schema %s = {\n\t%s\n};\n" % (name, ",\n\t".join(parts)))

    def member(self, m, op=None, field=None):
        """A row for a member of a tree, or with `field` for one that goes into the operation's struct."""
        places = {"offset_set": "CHECK_NO_PLACE", "offset_null": "CHECK_NO_PLACE"}
        if field:
            places["offset"] = field.c_name
            if field.says_set:
                places["offset_set"] = field.c_name + "_set"
            if field.says_null:
                places["offset_null"] = field.c_name + "_null"
        parts = ["{ %s, %d }" % (c_text(m.name), len(m.name.encode())), self.ref(m.schema), c_flag(m.required),
                 field.slot if field else "SLOT_NONE"]
        parts += [".%s = %s" % (key, place if place == "CHECK_NO_PLACE" else "offsetof(struct %s_in, %s)" % (op.id, place))
                  for key, place in places.items()]
        value = m.schema.default if field else None
        if isinstance(value, str):
            parts.append(".text = { %s, %d }" % (c_text(value), len(value.encode())))
        elif value is not None:
            parts.append(".number = %s" % c_int(int(value)))
        return "\t{ %s },\n" % ", ".join(parts)

    def row(self, op):
        before = []
        sets = {"path_params": op.at("path"), "query": op.at("query")}
        for key, fields in sets.items():
            if fields:
                before.append("static const struct check_member %s_%s[] = {\n%s};\n" % (
                    op.id, key, "".join(self.member(f, op, f) for f in fields)))
        if op.schema:
            fields = op.at("body")
            self.names[id(op)] = "%s_body" % op.id
            self.schema("%s_body" % op.id, op.schema,
                        [self.member(m, op, f) for m, f in zip(op.schema.members, fields)])
        values = {
            "operation": "OP_" + op.id.upper(), "name": c_text(op.id), "path": c_text(op.path), "method": "METHOD_" + op.method,
            "pool": "ROUTE_" + op.pool.upper(), "auth": "ROUTE_AUTH_" + op.auth.upper(),
            "scope": "SCOPE_SET(%s)" % self.reader.scopes[op.scope] if op.scope in self.reader.scopes else
                     {"any": "~(scopes)0", "none": "0"}[op.scope],
            "role": "ROLE_" + self.reader.roles.get(op.role, "NONE"), "rate": c_text(op.rate),
            "audit": c_text(op.audit) if op.audit else "NULL", "body": "ROUTE_BODY_" + op.body,
            "media": c_text(op.media) if op.media else "NULL", "body_required": c_flag(op.body_required),
            "body_max": str(op.body_max), "transaction": c_flag(op.transaction),
            "keeps_answer": c_flag(op.keeps_answer), "any_query": c_flag(op.any_query),
            "defers_session": c_flag(op.defers_session), "slow": c_flag(op.slow), "run": "run_" + op.id,
            "in_size": "sizeof(struct %s_in)" % op.id, "path_params": op.id + "_path_params", "query": op.id + "_query",
            "path_count": str(len(sets["path_params"])), "query_count": str(len(sets["query"])),
            "schema": "&%s_body" % op.id if op.schema else "NULL"}
        for key in sets:
            values[key] = values[key] if sets[key] else "NULL"
        before.append("\nstatic enum err run_%s(struct ctx *cx, const void *in, struct reply *reply)\n{\n"
                      "\treturn %s(cx, in, reply);\n}\n" % (op.id, op.id))
        self.inputs += before
        self.rows.append("\t[OP_%s] = {\n%s\t},\n" % (op.id.upper(), "".join(
            "\t\t.%s = %s,\n" % item for item in values.items())))

    def node(self, rest, name):
        """Writes the node for operations that share what came before, its children first."""
        branches, ends = {}, {}
        for segments, op in rest:
            if segments:
                branches.setdefault("{}" if segments[0][0] == "{" else segments[0], []).append((segments[1:], op))
            else:
                ends[op.method] = op
        children = {}
        for i, (segment, below) in enumerate(branches.items()):
            children[segment] = "%s_%d" % (name.replace("ROUTE_ROOT", "node"), i)
            self.node(below, children[segment])
        parts = []
        edges = ["{ %s, &%s }" % ("{ %s, %d }" % (c_text(s), len(s)), child) for s, child in children.items() if s != "{}"]
        if edges:
            self.tree.append("static const struct route_edge %s_edges[] = { %s };\n" % (name.lower(), ", ".join(edges)))
            parts.append(".edges = %s_edges, .edge_count = %d" % (name.lower(), len(edges)))
        if "{}" in children:
            parts.append(".param = &%s" % children["{}"])
        if ends:
            self.tree.append("static const struct route *const %s_routes[METHOD_COUNT] = { %s };\n" % (
                name, ", ".join("[METHOD_%s] = &ROUTES[OP_%s]" % (m, op.id.upper()) for m, op in ends.items())))
            parts.append(".routes = %s_routes" % name)
        self.tree.append("%sconst struct route_node %s = { %s };\n" % (
            "" if name == "ROUTE_ROOT" else "static ", name, ", ".join(parts) or "0"))


def served(node, drop=frozenset(VENDOR - {"x-scope", "x-role"}) | {"x-id"}):
    """The document without what is only ours to know."""
    if isinstance(node, Map):
        return {key: served(value) for key, value in node.items() if key not in drop}
    return [served(item) for item in node] if isinstance(node, List) else node


def openapi_json(reader):
    return json.dumps(served(reader.doc), separators=(",", ":"), ensure_ascii=False)


def document_c(reader):
    text = openapi_json(reader)
    lines = ["\t\t%s\n" % c_text(piece) for piece in re.findall(r"(?s).{1,72}", text)]
    return NOTE + '#include "api/document.h"\n\nconst struct str API_DOCUMENT = {\n\t.p =\n%s,\n\t.n = %d\n};\n' % (
        "".join(lines).rstrip("\n"), len(text.encode()))


def pools_conf(reader):
    """nginx's map: vault operations (quick: its quick workers'), and front ones that a vault template would catch; the
    narrower first. One expression for many paths: nginx tries one after the other, for every request."""
    paths = []
    for op in reader.operations:
        near = [o for o in reader.operations if o.method == op.method and o.pool != op.pool
                and compare_paths(o.segments, op.segments)]
        if op.pool == "vault" or near:
            path = "/".join(r"[^/?]+" if s[0] == "{" else s.replace(".", r"\.") for s in op.segments)
            method = "(?:GET|HEAD)" if op.method == "GET" else op.method
            paths.append((sum(s[0] == "{" for s in op.segments), "quick" if op.repeatable else op.pool, method + ":/" + path))
    paths.sort(key=lambda path: path[:2])
    groups = [(way, [path[2] for path in group]) for (_, way), group in itertools.groupby(paths, key=lambda path: path[:2])]
    return "# Generated from openapi.yaml: the pool that answers an operation. The first expression that matches decides.\n" \
        'map "$request_method:$lw_uri" $lw_pool {\n\tdefault front;\n%s}\n' % "".join(
            '\t"~(?x)^(?:\n\t\t%s\n\t)(?:\\?|$)" %s;\n' % (" |\n\t\t".join(group), way) for way, group in groups)


def list_json(reader):
    result = []
    for op in reader.operations:
        result.append({
            "operationId": op.id, "method": op.method, "path": op.path, "pool": op.pool, "auth": op.auth, "scope": op.scope,
            "role": op.role, "rate": op.rate, "audit": op.audit, "transaction": op.transaction, "media": op.media,
            "parameters": [{"name": f.name, "in": f.place, "required": f.required, "kind": f.schema.kind or None,
                            "example": apisample.parameter(reader, f)} for f in op.fields if f.place != "body"],
            "body": apisample.body(reader, op), "responses": sorted(op.node["responses"])})
    return json.dumps(result, indent=1, ensure_ascii=False) + "\n"


OUTPUTS = {"operations": operations_h, "routes": lambda reader: Routes(reader).text(), "document": document_c,
           "openapi": openapi_json, "pools": pools_conf, "list": list_json, "fake-handlers": fake_handlers_c}


def write_changed(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except OSError:
        pass
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(path + ".new", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("yaml", help="the document")
    parser.add_argument("--source", default=os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                        help="where base/id_kinds.def, core/scopes.def and the like are")
    for name in OUTPUTS:
        parser.add_argument("--" + name, metavar="FILE")
    args = parser.parse_args()
    reader = Reader(args.yaml, args.source)
    texts = {}
    if not reader.problems.found:
        texts = {getattr(args, name.replace("-", "_")): make(reader) for name, make in OUTPUTS.items()}
    for line in reader.problems.lines():
        print(line, file=sys.stderr)
    if reader.problems.found:
        return 1
    for path, text in texts.items():
        if path is not None:
            write_changed(path, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
