#!/usr/bin/env python3
"""Turns sql/statements/*.sql into typed C functions, grants, and a list for the tests.

    sqlgen.py --sql sql --headers <dir> --source <statements.c> --grants <file> --json <file>

It reads the schema from sql/migrations and sql/views.sql and refuses what breaks a rule
(sqlgen_lint.py): `file:line: message` for each violation, exit status 1. Files are written only
when they change, so that make doesn't compile the world again.
"""
import argparse
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import sqlgen_emit as emit  # noqa: E402
from sqlgen_lint import check  # noqa: E402
from sqlgen_read import Reader, expand, read_macros  # noqa: E402
from sqlgen_schema import Schema  # noqa: E402
from sqlgen_tables import Analysis  # noqa: E402
from sqlgen_tokens import Fail  # noqa: E402

MIGRATION = re.compile(r"(\d{4})_[a-z0-9_]+\.sql\Z")


def load(path):
    with open(path, "rb") as file:
        data = file.read()
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Fail(path, data[:error.start].count(b"\n") + 1, "not UTF-8") from None


def sql_files(directory):
    if not os.path.isdir(directory):
        return []
    return sorted(os.path.join(directory, n) for n in os.listdir(directory) if n.endswith(".sql"))


def read_schema(root, failures):
    schema = Schema()
    paths = sql_files(os.path.join(root, "migrations"))
    seen = {}
    for path in paths:
        match = MIGRATION.match(os.path.basename(path))
        if not match:
            failures.append(Fail(path, 1, "a migration is named NNNN_words.sql"))
            continue
        version = int(match.group(1))
        if version in seen:
            failures.append(Fail(path, 1, f"version {version} is {seen[version]} already"))
        seen[version] = os.path.basename(path)
        schema.version = max(schema.version, version)
    views = os.path.join(root, "views.sql")
    for path in paths + ([views] if os.path.exists(views) else []):
        try:
            schema.read(load(path), path)
        except Fail as failure:
            failures.append(failure)
    return schema


def read_statements(root, macros, failures):
    """{module: statements that could be read}, in the order of the files."""
    modules, names = {}, {}
    for path in sql_files(os.path.join(root, "statements")):
        try:
            reader = Reader(path, load(path)).read()
        except Fail as failure:
            failures.append(failure)
            continue
        failures += reader.failures
        good = modules.setdefault(os.path.basename(path)[:-len(".sql")], [])
        for statement in reader.statements:
            if statement.name in names:
                failures.append(statement.fail(f"{statement.name} is in {names[statement.name]} already"))
                continue
            names[statement.name] = f"{path}:{statement.line}"
            if statement in reader.broken:
                continue
            try:
                expand(statement, macros)
                good.append(statement)
            except Fail as failure:
                failures.append(failure)
    return modules


def build(root):
    """(modules, analyses, schema, failures) of a sql directory."""
    failures = []
    schema = read_schema(root, failures)
    macro_file = os.path.join(root, "macros.sql")
    try:
        macros = read_macros(macro_file, load(macro_file)) if os.path.exists(macro_file) else {}
    except Fail as failure:
        failures.append(failure)
        macros = {}
    modules = read_statements(root, macros, failures)
    analyses = {}
    for statement in [s for statements in modules.values() for s in statements]:
        try:
            analyses[statement] = Analysis(statement, schema)
            failures += check(statement, analyses[statement], schema)
        except Fail as failure:
            failures.append(failure)
    return modules, analyses, schema, failures


def write(path, text):
    try:
        with open(path, encoding="utf-8") as file:
            if file.read() == text:
                return
    except OSError:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
    os.replace(temporary, path)


def write_all(arguments, modules, analyses, schema):
    statements = [s for many in modules.values() for s in many]
    if arguments.headers:
        for module, own in modules.items():
            write(os.path.join(arguments.headers, f"sql_{module}.h"), emit.header(module, own))
        write(os.path.join(arguments.headers, "schema_version.h"), emit.schema_header(schema))
    if arguments.source:
        write(arguments.source, emit.source(modules, analyses))
    if arguments.grants:
        write(arguments.grants, emit.grants(statements, analyses, schema))
    if arguments.json:
        write(arguments.json, emit.description(statements, analyses, schema))


def main(argv):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sql", required=True, help="directory with migrations, statements, views.sql")
    parser.add_argument("--headers", help="directory for sql_<file>.h and schema_version.h")
    parser.add_argument("--source", help="the C file")
    parser.add_argument("--grants")
    parser.add_argument("--json")
    arguments = parser.parse_args(argv)
    modules, analyses, schema, failures = build(arguments.sql)
    for failure in sorted(failures, key=lambda f: (f.file, f.line)):
        print(failure, file=sys.stderr)
    if failures:
        return 1
    write_all(arguments, modules, analyses, schema)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
