"""Reads a YAML file into dicts and lists that remember their lines.

Only what JSON can hold comes out: anchors, tags, duplicate members and values that YAML
versions read differently stop with the line. Times stay texts.
"""
import math
import re

import yaml


class Map(dict):
    """A mapping: `line` is its own, `lines[key]` a member's."""
    line = 1
    lines = {}


class List(list):
    """A sequence: `line` is its own, `lines[i]` an item's."""
    line = 1
    lines = ()


class Problems:
    """Everything wrong with a document, to be shown at once."""

    def __init__(self, path):
        self.path = path
        self.found = []

    def add(self, line, message):
        if (line, message) not in self.found:
            self.found.append((line, message))

    def lines(self):
        return ["%s:%d: %s" % (self.path, line, message) for line, message in sorted(self.found)]


class NoAnchors(yaml.SafeLoader):
    def compose_node(self, parent, index):
        event = self.peek_event()
        if self.check_event(yaml.AliasEvent) or getattr(event, "anchor", None):
            raise yaml.MarkedYAMLError(problem="anchors and aliases aren't used here; write a $ref",
                                       problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def scalar(node, line, problems):
    kind, text = node.tag.rpartition(":")[2], node.value
    if kind == "null":
        return None
    if kind == "bool":  # YAML 1.1 also reads yes, no, on and off so; here they are words
        return {"true": True, "false": False}.get(text, text)
    if kind == "int":
        if re.fullmatch(r"-?(0|[1-9][0-9]{0,18})", text) and -2**63 <= int(text) < 2**63:
            return int(text)
        problems.add(line, "%s isn't a plain decimal number that fits 64 bits; quote a text" % text[:40])
        return 0
    if kind == "float":
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if math.isfinite(value):
            return value
        problems.add(line, "%s isn't a number that JSON has" % text[:40])
        return 0
    if kind not in ("str", "timestamp"):
        problems.add(line, "the tag %s isn't used here" % node.tag[:40])
    return text


def build(node, problems):
    line = node.start_mark.line + 1
    if isinstance(node, yaml.ScalarNode):
        return scalar(node, line, problems)
    if isinstance(node, yaml.SequenceNode):
        result = List(build(item, problems) for item in node.value)
        result.lines = [item.start_mark.line + 1 for item in node.value]
    else:
        result, result_lines = Map(), {}
        for key, value in node.value:
            at = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value in result:
                problems.add(at, "the member %s stands here twice" % key.value
                             if isinstance(key, yaml.ScalarNode) else "a member's name must be a text")
                continue
            result[key.value] = build(value, problems)
            result_lines[key.value] = at
        result.lines = result_lines
    if node.tag.rpartition(":")[2] not in ("map", "seq"):
        problems.add(line, "the tag %s isn't used here" % node.tag[:40])
    result.line = line
    return result


def read(path, problems):
    """The document as Map, or None with the reason in `problems`."""
    line = 1
    try:
        with open(path, "rb") as file:
            data = file.read()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as e:
            problems.add(data.count(b"\n", 0, e.start) + 1, "the file isn't UTF-8")
            return None
        document = yaml.compose(text, Loader=NoAnchors)
        if isinstance(document, yaml.MappingNode):
            return build(document, problems)
        problems.add(line, "the document must be a mapping")
    except OSError as e:
        problems.add(line, "can't be read: %s" % e.strerror)
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        problems.add(mark.line + 1 if mark else line, e.problem or e.context or "this isn't YAML")
    except yaml.reader.ReaderError as e:
        problems.add(text.count("\n", 0, e.position) + 1, "a character that YAML doesn't take")
    except RecursionError:
        problems.add(line, "nested too deeply")
    return None
