"""Makes values that a schema takes, for the tests that call every operation."""
import re

from apischema import ARRAY, BOOL, INTEGER, OBJECT, STRING
from yamldoc import List, Map

DEPTH_MAX = 16
FORMATS = {"CHECK_EMAIL": "ada@example.com", "CHECK_URI": "https://example.com/",
           "CHECK_TIME": "2026-11-20T10:34:00.000Z"}
GUESSES = ("example text", "example", "a", "1", "usr-" + "0" * 25 + "1")


def given(reader, node):
    """The example that a schema, parameter or media type gives, or None."""
    if "example" in node:
        return node["example"]
    examples = node.get("examples")
    if not examples or not isinstance(examples, (Map, List)):
        return None
    first = reader.resolve(next(iter(examples.values() if isinstance(examples, Map) else examples)), node.line)
    return first.get("value") if isinstance(first, Map) and "value" in first else first


def parameter(reader, field):
    value = given(reader, field.node)
    return schema(reader, field.node.get("schema")) if value is None else value


def body(reader, operation):
    if not isinstance(operation.example, Map):
        return None
    value = given(reader, operation.example)
    return schema(reader, operation.example.get("schema")) if value is None else value


def schema(reader, node, depth=0):
    node = reader.resolve(node, 1)
    if not isinstance(node, Map) or depth > DEPTH_MAX:
        return {}
    if given(reader, node) is not None:
        return given(reader, node)
    s = reader.compiler.compile(node, node.line)
    if s.default is not None:
        return s.default
    if s.types & OBJECT:
        properties = node.get("properties", {})
        return {m.name: schema(reader, properties[m.name], depth + 1) for m in s.members if m.required}
    if s.types & ARRAY:
        return [schema(reader, node.get("items"), depth + 1)] * min(s.count[0], 100)
    if s.types & STRING:
        return text(reader, s)
    if s.types & INTEGER:
        return min(max(s.value[0], 1), s.value[1])
    return False if s.types & BOOL else 1


def text(reader, s):
    if s.words:
        return s.words[0]
    if s.kind:
        return reader.kinds[s.kind] + "-" + "0" * 25 + "1"  # all zero is no id
    if s.format in FORMATS:
        return FORMATS[s.format]
    if s.pattern is None:
        return "example text".ljust(min(s.length[0], 4096), "x")[:s.length[1]]
    for guess in GUESSES:
        if re.search(s.pattern, guess) and s.length[0] <= len(guess) <= s.length[1]:
            return guess
    reader.problems.add(s.line, "this pattern needs an example")
    return ""
