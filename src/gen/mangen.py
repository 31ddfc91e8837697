"""Makes the manual pages: fills the templates in contrib/man with what the tables say.

A template is mdoc(7). A line `@CONFIG@`, `@ISSUER@`, `@CLIENT@`, `@CONNECTOR@`, `@STEPS@`, `@VERBS@`,
`@ERRORS@` or `@ACTIONS@` is replaced by a list made from the table of that name; @VERSION@
and @CONF@ are replaced wherever they stand.

    mangen.py --src DIR --version V --conf FILE TEMPLATE OUT
"""

import argparse
import ast
import json
import re
import sys
from pathlib import Path

ENTRY = re.compile(r"^([A-Z_]+)\((.*)\)\s*$")


def fail(path, line, message):
    sys.exit(f"{path}:{line}: {message}")


def split_arguments(path, line, text):
    """The arguments of one X-macro entry: C strings as text, anything else as it stands."""
    parts = re.findall(r'(?:"(?:[^"\\]|\\.)*"\s*)+|[^,"]+', text)
    if not parts:
        fail(path, line, "an entry without arguments")
    return [ast.literal_eval(p.strip()) if p.strip().startswith('"') else p.strip() for p in parts if p.strip()]


def read_table(path):
    """Yields (macro, arguments) for each entry of a .def file, which has one entry a line."""
    comment = False
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("/*"):
            comment = True
        if comment or not line.strip():
            comment = comment and "*/" not in line
            continue
        match = ENTRY.match(line)
        if not match:
            fail(path, number, "this isn't an entry of one line")
        yield match.group(1), split_arguments(path, number, match.group(2))


def escape(text):
    """Text that roff must not read as a request or an escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"([.;]) (?=[A-Z])", r"\1\n", text)
    return "\\&" + text if text[:1] in ".'" else text


def duration(key, number):
    """`900000` of a key in milliseconds, with a unit that people read."""
    if not key.endswith("_ms"):
        return number
    for size, unit in ((86400000, "days"), (3600000, "hours"), (60000, "minutes"), (1000, "seconds")):
        if int(number) and int(number) % size == 0:
            return f"{number}, {int(number) // size} {unit}"
    return number


def config_entry(macro, arguments):
    section, key = arguments[:2]
    words = arguments[-1]
    if macro == "NUMBER":
        _, _, default, least, most, _ = arguments
        return section, key, words, f"A number from {least} to {most}; default {duration(key, default)}."
    if macro == "FLAG":
        return section, key, words, f"yes or no; default {'yes' if arguments[2] == 'true' else 'no'}."
    if macro == "LIST":
        return section, key, words, "A list, separated by commas; it may go on in indented lines."
    default = arguments[2]
    return section, key, words, f"Default: {default}." if default else "No default."


def config_list(src):
    out, last = [], None
    for macro, arguments in read_table(src / "core/config.def"):
        section, key, words, values = config_entry(macro, arguments)
        if section != last:
            out += ([".El"] if last else []) + [f".Ss [{section}]", ".Bl -tag -width Ds"]
            last = section
        out += [f".It Cm {key}", escape(words), ".br", escape(values)]
    return out + [".El"]


def simple_list(path, term):
    out = [".Bl -tag -width Ds"]
    for _, arguments in read_table(path):
        name, words = term(arguments)
        out += [f".It {name}", escape(words)]
    return out + [".El"]


KINDS = {
    "ID": "lower case letters, digits and _",
    "NAME": "letters, digits, _ and -",
    "LINE": "a text of one line",
    "TEXT": "a text",
    "TEMPLATE": "a template",
    "URL": "a URL, a template",
    "LINK": "an https URL",
    "JSON": "a text that holds JSON, a template",
    "REGEX": "a regular expression",
    "PATH": "a path",
    "INT": "a number",
    "FLAG": "true or false",
    "LINES": "a list of texts",
    "NAMES": "a list of names",
    "HOSTS": "a list of hosts",
    "PATHS": "a list of paths",
    "SOURCES": "a list of sources",
    "PAIRS": "an object of templates",
    "GRADES": "an object",
    "ANY": "an object",
    "SOURCE": "a source",
}


def webhook_member(macro, arguments):
    """The same of hook/scheme.def, whose members are fields of no struct."""
    if macro != "MEMBER":
        member_of, name, item, words = arguments
        return member_of, name, words, item, {"PART": "an object", "LIST": "a list of objects"}[macro]
    member_of, name, kind, fallback, of, words = arguments
    if kind == "CHOICES":
        form = "an object whose values are " + " | ".join(json.dumps(w) for w in of.split("|"))
        return member_of, name, words, None, form
    return connector_member("MEMBER", [member_of, None, name, kind, 0, fallback, of, words])


def connector_member(macro, arguments):
    """A member's object, name, words, the object that its values are, and what a value looks like."""
    if macro == "MEMBER":
        member_of, _field, name, kind, flags, fallback, of, words = arguments
        form = " | ".join(json.dumps(w) for w in of.split("|")) if kind in ("WORD", "ENUM", "EITHER") else KINDS[kind]
        if flags == "REQUIRED":
            form += "; required"
        elif fallback != "NULL":
            form += f"; default {json.dumps(fallback)}"
        return member_of, name, words, None, form
    words = arguments[-1]
    if macro == "INSIDE" or macro == "RAW":
        item = arguments[2] if macro == "INSIDE" else arguments[1].upper()
        return arguments[0], arguments[1], words, item, "an object"
    if macro == "PART":
        return arguments[0], arguments[2], words, arguments[3], "an object"
    if macro == "BASIC":
        return arguments[0], arguments[3], words, None, "a list of two templates"
    item, name = arguments[-2], arguments[3]
    form = {"OPTIONAL": "an object", "MAP": "an object of objects", "LIST": "a list of objects"}[macro]
    return arguments[0], name, words, item, form + ("; required" if "REQUIRED" in arguments else "")


# What reads a RAW member has a table of its own, with an object of that name, or none.
CONNECTOR_TABLES = (("connect/members.def", connector_member), ("hook/scheme.def", webhook_member))


def connector_list(src):
    """Each kind of object in the file with its members, under the names of the members that it is found at."""
    objects, members = [], []
    for path, member in CONNECTOR_TABLES:
        for macro, arguments in read_table(src / path):
            if macro == "OBJECT":
                objects.append((arguments[0], arguments[-1]))
            else:
                members.append(member(macro, arguments))
    out = []
    for made_of, words in objects:
        found_at = list(dict.fromkeys(name for _, name, _, item, _ in members if item == made_of))
        out += [f".Ss {', '.join(found_at) or 'The file'}", escape(words), ".Bl -tag -width Ds"]
        for member_of, name, words, _, form in members:
            if member_of == made_of:
                out += [f".It Cm {escape(name)}", escape(words), ".br", escape(f"({form})")]
        out.append(".El")
    return out


# What a member of a step's config looks like, by its kind in flow/step_members.def.
STEP_KINDS = {
    "EXPRESSION": "jq",
    "TEMPLATE": "a template",
    "VALUE": "any JSON; its texts are templates",
    "MAP": "an object of templates",
    "TEXT": "a text",
    "FLAG": "true or false",
    "COUNT": "a number",
    "DURATION": "milliseconds",
    "ID_CONNECTOR": "a connector's id",
    "ID_CREDENTIAL": "a credential's id",
    "ID_WORKFLOW": "a workflow's id",
    "CASES": "a list of objects",
    "STEP_BODY": "an object",
}


def step_list(src):
    """Each type of step with the members of its config."""
    members = [arguments for _, arguments in read_table(src / "flow/step_members.def")]
    out = []
    for _, (name, text, _kind, words) in read_table(src / "flow/steps.def"):
        out += [f".Ss {escape(text)}", escape(words) + "."]
        mine = [arguments for arguments in members if arguments[0] == name]
        out += [".Bl -tag -width Ds"] if mine else []
        for _, member, kind, need, member_words in mine:
            form = STEP_KINDS[kind] + ("; required" if need == "REQUIRED" else "")
            out += [f".It Cm {escape(member)}", escape(member_words) + ".", ".br", escape(f"({form})")]
        out += [".El"] if mine else []
    return out


def verb_list(src):
    out = [".Bl -tag -width Ds"]
    for _, (verb, usage, _handler, words) in read_table(src / "main/verbs.def"):
        out += [f".It Cm {escape(verb)}" + (f" Ar {escape(usage)}" if usage else ""), escape(words)]
    return out + [".El"]


def lists(src):
    return {
        "@CONFIG@": lambda: config_list(src),
        "@ISSUER@": lambda: simple_list(src / "core/config_issuer.def", lambda a: (f"Cm {a[0]}", a[-1])),
        "@CLIENT@": lambda: simple_list(src / "core/config_client.def", lambda a: (f"Cm {a[0]}", a[-1])),
        "@CONNECTOR@": lambda: connector_list(src),
        "@STEPS@": lambda: step_list(src),
        "@VERBS@": lambda: verb_list(src),
        "@OPTIONS@": lambda: simple_list(
            src / "main/options.def", lambda a: (f"Fl -{escape(a[0])}" + (f" Ar {a[1]}" if a[1] else ""), a[-1])
        ),
        "@ERRORS@": lambda: simple_list(src / "base/errors.def", lambda a: (f"Er {a[1]} Pq {a[2]}", a[-1])),
        "@ACTIONS@": lambda: simple_list(src / "core/audit_actions.def", lambda a: (f"Cm {a[1]}", a[-1])),
    }


def fill(template, src, version, conf):
    made = lists(src)
    out = []
    for number, line in enumerate(template.read_text().splitlines(), 1):
        if line in made:
            out += made[line]()
        elif re.fullmatch(r"@[A-Z]+@", line):
            fail(template, number, f"no table is called {line}")
        else:
            out.append(line.replace("@VERSION@", version).replace("@CONF@", conf))
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--src", type=Path, required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--conf", required=True)
    parser.add_argument("template", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.write_text(fill(options.template, options.src, options.version, options.conf))


if __name__ == "__main__":
    main()
