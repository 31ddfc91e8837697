"""Makes the manual pages: fills the templates in contrib/man with what the tables say.

A template is mdoc(7). A line `@CONFIG@`, `@ISSUER@`, `@VERBS@`, `@ERRORS@` or
`@ACTIONS@` is replaced by a list made from the table of that name; @VERSION@
and @CONF@ are replaced wherever they stand.

    mangen.py --src DIR --version V --conf FILE TEMPLATE OUT
"""

import argparse
import ast
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


def verb_list(src):
    out = [".Bl -tag -width Ds"]
    for _, (verb, usage, _handler, words) in read_table(src / "main/verbs.def"):
        out += [f".It Cm {escape(verb)}" + (f" Ar {escape(usage)}" if usage else ""), escape(words)]
    return out + [".El"]


def lists(src):
    return {
        "@CONFIG@": lambda: config_list(src),
        "@ISSUER@": lambda: simple_list(src / "core/config_issuer.def", lambda a: (f"Cm {a[0]}", a[-1])),
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
