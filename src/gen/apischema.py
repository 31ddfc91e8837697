"""Compiles the JSON Schemas of parameters and request bodies into descriptors.

Every keyword is enforced by check.c, a known annotation, or an error: nothing that the
document promises is left unchecked. Responses aren't compiled.
"""
import re
from dataclasses import dataclass, field

from yamldoc import List, Map

TYPES = {"null": 1, "boolean": 2, "integer": 4, "number": 8, "string": 16, "array": 32, "object": 64}
NULL, BOOL, INTEGER, NUMBER, STRING, ARRAY, OBJECT = TYPES.values()
ANY = 127
ANNOTATIONS = {"title", "description", "example", "examples", "deprecated", "readOnly", "writeOnly", "$comment"}
KEYWORDS = {  # which types a keyword says something about
    "type": ANY, "default": ANY, "enum": STRING, "const": STRING, "x-id": STRING, "minLength": STRING,
    "maxLength": STRING, "pattern": STRING, "format": STRING | INTEGER, "minimum": INTEGER, "maximum": INTEGER,
    "items": ARRAY, "minItems": ARRAY, "maxItems": ARRAY, "uniqueItems": ARRAY, "properties": OBJECT,
    "required": OBJECT, "additionalProperties": OBJECT, "propertyNames": OBJECT, "minProperties": OBJECT,
    "maxProperties": OBJECT}
FORMATS = {"email": "CHECK_EMAIL", "uri": "CHECK_URI", "date-time": "CHECK_TIME", "password": "CHECK_PLAIN"}
WIDEST = (-2**63, 2**63 - 1)
SIZES = (0, 2**63 - 1)
UNIQUE_MAX = 500  # items are compared in pairs


@dataclass
class Schema:
    line: int
    types: int = ANY
    format: str = "CHECK_PLAIN"
    kind: str = ""
    length: tuple = SIZES
    value: tuple = WIDEST
    count: tuple = SIZES
    words: list = None
    pattern: str = None
    unique: bool = False
    items: "Schema" = None
    members: list = field(default_factory=list)
    open: bool = False
    others: "Schema" = None
    names: "Schema" = None
    default: object = None

    @property
    def solid(self):
        return self.types & ~NULL


@dataclass
class Member:
    name: str
    schema: Schema
    required: bool
    line: int


def ere(pattern):
    """The POSIX ERE for an ECMA pattern that means the same in both; ValueError says what doesn't."""
    if not pattern.isascii() or not pattern.isprintable():
        raise ValueError("may hold printable ASCII only")
    if not (pattern.startswith("^") and re.search(r"(?<!\\)(\\\\)*\$$", pattern)):
        raise ValueError("must be anchored with ^ and $")
    result, depth, i, wide, seen_wide = ["^"], 0, 1, False, False
    while i < len(pattern) - 1:
        atom = pattern[i]
        if atom == "\\":
            atom = pattern[i:i + 2]
            if not re.fullmatch(r"\\[.\[\](){}*+?^$|\\/-]", atom):
                raise ValueError("uses %s, which POSIX patterns lack" % atom)
            if atom[1] in "/-":
                atom = atom[1]
            result.append(atom)
            i += len(pattern[i:i + 2])
            wide = False
            continue
        if atom == "[":
            found = re.match(r"\[\^?[^\]\\\[]+\]", pattern[i:])
            if not found:
                raise ValueError("has a bracket with an escape, a class or a bracket in it")
            atom = found.group()
        elif atom == "{":
            found = re.match(r"\{[0-9]{1,3}(,[0-9]{0,3})?\}", pattern[i:])
            if not found:
                raise ValueError("has a { that isn't a count up to 999")
            if wide:
                raise ValueError("counts characters that may be wider than a byte; use maxLength")
            atom = found.group()
        elif atom == "(" and pattern[i + 1] == "?":
            raise ValueError("uses (?, which POSIX patterns lack")
        elif atom in "*+?" and pattern[i + 1] in "*+?{":
            raise ValueError("uses %s, which POSIX patterns lack" % pattern[i:i + 2])
        elif atom in "^$}" or (atom == "|" and depth == 0):
            raise ValueError("has a %s outside of a group" % atom)
        depth += (atom == "(") - (atom == ")")
        wide = atom == "." or atom.startswith("[^") or (atom == ")" and seen_wide)
        seen_wide = seen_wide or wide
        result.append(atom)
        i += len(atom)
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as e:
        raise ValueError("isn't a pattern: %s" % e) from e
    return "".join(result) + "$"


class Compiler:
    """`resolve(node)` follows $refs; `kinds` are the names that x-id may have."""

    def __init__(self, problems, resolve, kinds):
        self.problems, self.resolve, self.kinds = problems, resolve, kinds
        self.done = {}

    def compile(self, node, line):
        """The descriptor of a schema. The same node always gives the same one, also while it is being made."""
        ref = node
        node = self.resolve(node, line)
        if node is None:
            return Schema(line)
        if not isinstance(node, Map):
            self.problems.add(line, "a schema must be a mapping")
            return Schema(line)
        if ref is not node:
            for key in set(ref) - {"$ref"} - ANNOTATIONS:
                self.problems.add(ref.lines[key], "%s beside a $ref isn't supported" % key)
        if id(node) not in self.done:
            schema = self.done[id(node)] = Schema(node.line)
            self.fill(schema, node)
        return self.done[id(node)]

    def fill(self, s, node):
        self.types(s, node)
        for key in node:
            if key in ANNOTATIONS:
                continue
            if key not in KEYWORDS:
                self.bad(node, key, "the keyword %s isn't supported in requests" % key)
            elif key not in ("type", "default") and (s.types == ANY or not s.types & KEYWORDS[key]):
                self.bad(node, key, "%s needs a `type` that it applies to" % key)
        s.default = node.get("default")
        s.length = self.bounds(node, "minLength", "maxLength", SIZES)
        s.value = self.bounds(node, "minimum", "maximum", WIDEST)
        s.count = self.bounds(node, "minItems", "maxItems", self.bounds(node, "minProperties", "maxProperties", SIZES))
        if s.types & ARRAY and s.types & OBJECT and s.types != ANY:
            self.bad(node, "type", "array and object in one schema aren't supported")
        self.string(s, node)
        if s.types != ANY and s.types & ARRAY:
            self.array(s, node)
        if s.types != ANY and s.types & OBJECT:
            self.object(s, node)

    def types(self, s, node):
        names = node.get("type", list(TYPES))
        names = [names] if isinstance(names, str) else names
        if not isinstance(names, list) or not names or any(not isinstance(n, str) or n not in TYPES for n in names):
            self.bad(node, "type", "`type` must be among %s" % " ".join(TYPES))
            return
        s.types = sum({TYPES[n] for n in names})
        if "type" not in node and ("enum" in node or "const" in node):
            self.bad(node, "enum" if "enum" in node else "const", "an enumeration needs a `type`")

    def bounds(self, node, low, high, widest):
        result = []
        for key, end in zip((low, high), widest):
            value = node.get(key, end)
            if type(value) is not int or not widest[0] <= value <= widest[1]:
                self.bad(node, key, "%s must be a whole number%s" % (key, "" if widest[0] else " from 0"))
                value = end
            result.append(value)
        if result[0] > result[1]:
            self.bad(node, low, "%s is above %s" % (low, high))
        return tuple(result)

    def string(self, s, node):
        words = node.get("enum", [node["const"]] if "const" in node else None)
        if words is not None:
            ok = isinstance(words, list) and all(isinstance(w, str) or (w is None and s.types & NULL) for w in words)
            if not ok or not words or len(set(words)) != len(words):
                self.bad(node, "enum" if "enum" in node else "const", "only different strings can be enumerated")
            elif s.types & NULL and None not in words:
                self.bad(node, "type", "null is a type here but not in the enumeration")
            else:
                s.words = [w for w in words if w is not None]
        if "format" in node:
            name = node["format"]
            if s.solid == INTEGER and name == "int64":
                pass
            elif not isinstance(name, str) or name not in FORMATS or not s.types & STRING:
                self.bad(node, "format", "the format isn't one of %s" % " ".join(FORMATS))
            else:
                s.format = FORMATS[name]
        if "x-id" in node:
            s.format, s.kind = "CHECK_ID", node["x-id"]
            if not isinstance(s.kind, str) or s.kind not in self.kinds:
                self.bad(node, "x-id", "x-id must be a name in base/id_kinds.def")
                s.kind = next(iter(self.kinds))
            for key in {"enum", "const", "format", "minLength", "maxLength"} & set(node):
                self.bad(node, key, "%s beside x-id says nothing more" % key)
            if node.get("pattern") != "^%s-[0-7][0-9a-hjkmnp-tv-z]{25}$" % self.kinds[s.kind]:
                self.problems.add(node.line, "an id of this kind needs the pattern ^%s-[0-7][0-9a-hjkmnp-tv-z]{25}$"
                                  % self.kinds[s.kind])
        elif "pattern" in node:
            try:
                s.pattern = ere(str(node["pattern"]))
            except ValueError as e:
                self.bad(node, "pattern", "the pattern %s" % e)

    def array(self, s, node):
        if "items" not in node:
            self.problems.add(node.line, "an array needs `items` ({} for anything)")
            return
        s.items = self.compile(node["items"], node.lines["items"])
        s.unique = self.flag(node, "uniqueItems")
        if s.unique and (s.items.types not in (STRING, INTEGER) or s.count[1] > UNIQUE_MAX):
            self.bad(node, "uniqueItems", "uniqueItems needs items of type string or integer and maxItems up to %d"
                     % UNIQUE_MAX)

    def object(self, s, node):
        properties = node.get("properties", Map())
        if not isinstance(properties, Map):
            self.bad(node, "properties", "properties must be a mapping")
            return
        required = node.get("required", List())
        if not isinstance(required, List) or not all(isinstance(n, str) for n in required):
            self.bad(node, "required", "required must be a list of names")
            required = []
        for name in required:
            if name not in properties:
                self.bad(node, "required", "%s is required but isn't among the properties" % name)
        for name, value in properties.items():
            line = properties.lines[name]
            if not name.isprintable():
                self.problems.add(line, "a member's name must be printable")
            s.members.append(Member(name, self.compile(value, line), name in required, line))
        others = node.get("additionalProperties", False)
        s.open = others is not False
        if isinstance(others, Map):
            s.others = self.compile(others, node.lines["additionalProperties"])
        elif not isinstance(others, bool):
            self.bad(node, "additionalProperties", "additionalProperties must be true, false or a schema")
        if not properties and not s.open:
            self.problems.add(node.line, "an object without properties takes nothing; say additionalProperties: true")
        if "propertyNames" in node:
            s.names = self.compile(node["propertyNames"], node.lines["propertyNames"])
            if s.names.types != STRING:
                self.bad(node, "propertyNames", "propertyNames must be a schema of type string")

    def flag(self, node, key):
        value = node.get(key, False)
        if not isinstance(value, bool):
            self.bad(node, key, "%s must be true or false" % key)
        return value is True

    def bad(self, node, key, message):
        self.problems.add(node.lines.get(key, node.line), message)
