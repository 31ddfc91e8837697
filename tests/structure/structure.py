#!/usr/bin/env python3
"""What the compiler doesn't see: who may include whom, and what may not be written at all."""

import json
import os
import pathlib
import re
import unittest

ROOT = pathlib.Path(os.environ.get("top_srcdir", pathlib.Path(__file__).parents[2]))

# From the top to the ground. A room includes its own floor and those below it.
FLOORS = [
    {"main"},
    {"api"},
    {"vault", "connect", "hook", "sync", "flow", "live", "ai", "knowledge", "identity", "audit", "ops"},
    {"jobs"},
    {"core"},
    {"store"},
    {"crypt"},
    {"net", "expr"},
    {"fcgi"},
    {"base"},
]
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
NOT_C_ROOMS = {"gen", "console"}

# Headers of libraries, and the only rooms that may include each.
WALLS = {
    r"fcgi(app|_config|_stdio|misc|os)\.h": "fcgi",
    r"seccomp\.h": "fcgi",
    # The store for our own database; net for logging in to other people's.
    r"(mariadb/|mysql/)?(mysql|errmsg|mysqld_error|ma_\w+)\.h": "store net",
    r"libpq-fe\.h": "net",
    r"(nettle|gnutls|hogweed)/.*": "crypt",
    r"(jwt|argon2|crypt|gmp|zlib)\.h": "crypt",
    r"curl/.*": "net",
    r"ini\.h": "core",
    r"(jq|jv)\.h": "expr",
    r"libxml/.*": "knowledge",
}
JANSSON_CALLS = re.compile(
    r"\bjson_(load\w*|dump\w*|object_get\w*|object_iter\w*|object_foreach\w*|array_get|array_foreach|"
    r"string_value|string_length|integer_value|real_value|number_value|boolean_value|v?unpack\w*)\s*\(")

BANNED = {
    "strcpy": "snprintf or arena_copy", "stpcpy": "snprintf", "strcat": "buf_add_c", "strncpy": "snprintf",
    "strncat": "buf_add", "sprintf": "snprintf", "vsprintf": "vsnprintf", "gets": "fgets", "scanf": "str_cut",
    "sscanf": "str_cut and str_to_u64", "strtok": "str_cut", "strtok_r": "str_cut", "atoi": "str_to_u64",
    "atol": "str_to_u64", "atoll": "str_to_u64", "atof": "strtod", "system": "no shell", "popen": "no shell",
    "alloca": "the arena", "rand": "random_bytes", "srand": "random_bytes", "random": "random_bytes",
    "drand48": "random_bytes", "tmpnam": "mkostemp", "tempnam": "mkostemp", "mktemp": "mkostemp",
    "gmtime": "gmtime_r", "localtime": "localtime_r", "asctime": "time_format", "ctime": "time_format",
    "gethostbyname": "getaddrinfo", "getenv": "the configuration", "setenv": "the configuration",
    "putenv": "the configuration", "vfork": "fork", "bzero": "memset or wipe",
    "explicit_bzero": "wipe",
}
# Where a banned name is the right one, and why.
ALLOWED = {
    ("src/core/config", "getenv"): "the configuration itself",
    ("src/base/secret", "explicit_bzero"): "what wipe is made of",
    ("src/base/free", "explicit_bzero"): "what frees wipe with",
    ("src/base/crash", "getenv"): "crash points, in test builds only",
    ("src/store/faults", "getenv"): "database faults, in test builds only",
    ("src/api/route", "stpcpy"): "texts of a fixed table into a buffer that holds all of them",
    ("src/crypt/password", "sscanf"): "three numbers of a fixed form, each with its width",
    ("src/main/start_process", "getenv"): "where the configuration is",
    ("src/fcgi/notify", "getenv"): "NOTIFY_SOCKET is systemd's",
    ("src/fcgi/listen", "getenv"): "LISTEN_FDS is systemd's",
    ("src/fcgi/pool", "getenv"): "NOTIFY_SOCKET is systemd's",
}

FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 60
COLUMNS_MAX = 120
SQL = re.compile(
    r'"\s*(SELECT\s|INSERT\s+(IGNORE\s+)?INTO\s|REPLACE\s+INTO\s|UPDATE\s+\w+\s+SET\s|DELETE\s+FROM\s|'
    r"(CREATE|ALTER|DROP|TRUNCATE)\s+(TABLE|VIEW|INDEX|USER|DATABASE|FUNCTION|PROCEDURE|TRIGGER)\s|"
    r"(GRANT|REVOKE)\s)")


def files(pattern):
    return sorted(p for p in ROOT.glob(pattern) if p.is_file() and "node_modules" not in p.parts)


def name(path):
    return str(path.relative_to(ROOT))


def c_files():
    return [p for suffix in ("c", "h", "def") for p in files(f"src/*/**/*.{suffix}")]


TOKEN = re.compile(
    r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)


def code_of(text):
    """The text without comments and without what is inside quotes; its lines stay where they are."""
    def blank(match):
        token = match.group(0)
        kept = token[0] if token[0] in "\"'" else " "
        return kept + "\n" * token.count("\n") + (kept if kept != " " else "")
    return TOKEN.sub(blank, text)


def without_comments(text):
    return TOKEN.sub(lambda m: m.group(0) if m.group(0)[0] in "\"'" else "\n" * m.group(0).count("\n"), text)


def without_texts(text):
    """What is inside quotes may be long: breaking it would only make it harder to read and to find."""
    return TOKEN.sub(lambda m: m.group(0)[0] * 2 if m.group(0)[0] in "\"'" else m.group(0), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


class Structure(unittest.TestCase):
    def none(self, findings):
        if findings:
            self.fail("\n" + "\n".join(findings))

    def test_there_is_something_to_look_at(self):
        self.assertGreater(len(c_files()), 20)

    def test_every_room_stands_on_a_floor(self):
        rooms = {p.parts[len(ROOT.parts) + 1] for p in c_files()}
        self.none([f"src/{room} is on no floor" for room in sorted(rooms - set(FLOOR) - NOT_C_ROOMS)])

    def test_rooms_include_their_own_floor_and_lower_ones(self):
        findings = []
        for path in c_files():
            room = path.relative_to(ROOT / "src").parts[0]
            text = path.read_text()
            for match in re.finditer(r'^\s*#\s*include\s+"([^"]+)"', text, re.MULTILINE):
                other = match.group(1).split("/")[0]
                if "/" not in match.group(1):
                    findings.append(f'{name(path)}:{line_of(text, match.start())}: "{match.group(1)}" names no room')
                elif FLOOR.get(other, -1) < FLOOR[room]:
                    findings.append(f"{name(path)}:{line_of(text, match.start())}: {room} includes {match.group(1)}, above it")
        self.none(findings)

    def test_a_librarys_headers_stay_in_one_room(self):
        findings = []
        for path in c_files():
            room = path.relative_to(ROOT / "src").parts[0]
            text = path.read_text()
            for match in re.finditer(r'^\s*#\s*include\s+[<"]([^>"]+)[>"]', text, re.MULTILINE):
                for pattern, wall in WALLS.items():
                    if re.fullmatch(pattern, match.group(1)) and room not in wall.split():
                        findings.append(f"{name(path)}:{line_of(text, match.start())}: {match.group(1)} belongs to src/{wall.replace(' ', ', src/')}")
        self.none(findings)

    def test_only_base_parses_and_walks_json(self):
        findings = []
        for path in c_files():
            if path.relative_to(ROOT / "src").parts[0] == "base":
                continue
            code = code_of(path.read_text())
            ours = set(re.findall(r"\bjson_\w+", "".join(p.read_text() for p in files("src/base/json_*.h"))))
            for match in JANSSON_CALLS.finditer(code):
                if match.group(0).rstrip("( \t") not in ours:
                    findings.append(f"{name(path)}:{line_of(code, match.start())}: {match.group(0)}")
        self.none(findings)

    def test_there_is_no_sql_in_c(self):
        findings = []
        for path in c_files():
            text = without_comments(path.read_text())
            findings += [f"{name(path)}:{line_of(text, m.start())}: {m.group(0)}" for m in SQL.finditer(text)]
        self.none(findings)

    def test_functions_with_a_safer_twin_are_not_called(self):
        findings = []
        for path in c_files():
            code = code_of(path.read_text())
            for match in re.finditer(r"(?<![\w.>])(\w+)\s*\(", code):
                banned = match.group(1)
                if banned in BANNED and (str(path.relative_to(ROOT).with_suffix("")), banned) not in ALLOWED:
                    findings.append(f"{name(path)}:{line_of(code, match.start())}: {banned}: use {BANNED[banned]}")
        self.none(findings)

    def test_a_file_tells_one_story(self):
        findings = []
        for path in c_files():
            lines = len(path.read_text().splitlines())
            if lines > FILE_LINES_MAX:
                findings.append(f"{name(path)}: {lines} lines, at most {FILE_LINES_MAX}")
        self.none(findings)

    def test_a_function_fits_on_a_screen(self):
        findings = []
        for path in files("src/*/**/*.c"):
            start = None
            for number, line in enumerate(path.read_text().splitlines(), 1):
                if line == "{":
                    start = number
                elif line == "}" and start:
                    if number - start > FUNCTION_LINES_MAX:
                        findings.append(f"{name(path)}:{start}: {number - start} lines, at most {FUNCTION_LINES_MAX}")
                    start = None
        self.none(findings)

    def test_a_function_has_one_home(self):
        """Of two with one name in two libraries, the linker takes the first without a word: whatever its arguments."""
        homes = {}
        for path in files("src/*/**/*.c"):
            for match in re.finditer(r"^(?!static\b)\w[\w \t*]*?[ *](\w+)\([^;{}]*\)\s*\{", code_of(path.read_text()), re.MULTILINE):
                homes.setdefault(match.group(1), set()).add(name(path))
        self.assertGreater(len(homes), 500)
        self.none([f"{function}: {', '.join(sorted(paths))}" for function, paths in sorted(homes.items())
                   if len(paths) > 1 and function != "main"])

    def test_lines_are_indented_by_tabs_and_fit(self):
        findings = []
        for path in c_files() + files("tests/unit/**/*.[ch]") + files("tests/fuzz/*.c"):
            text = path.read_text()
            bare = without_texts(text).splitlines()
            for number, line in enumerate(text.splitlines(), 1):
                if line != line.rstrip():
                    findings.append(f"{name(path)}:{number}: white space at the end")
                if re.match(r" {2,}\S", line) and not line.startswith(" *"):
                    findings.append(f"{name(path)}:{number}: indented by spaces")
                if path.suffix != ".def" and "http" not in line and len(bare[number - 1].expandtabs(8)) > COLUMNS_MAX:
                    findings.append(f"{name(path)}:{number}: longer than {COLUMNS_MAX} columns")
        self.none(findings)

    def test_nothing_is_left_unfinished(self):
        findings = []
        marks = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
        for path in c_files() + files("sql/**/*.sql") + files("contrib/**/*") + files("conf/**/*") + files("tests/**/*.[cm]*"):
            if path.suffix in (".png", ".ico") or "corpus" in path.parts:
                continue
            text = path.read_text(errors="replace")
            findings += [f"{name(path)}:{line_of(text, m.start())}: {m.group(0)}" for m in marks.finditer(text)]
        self.none(findings)

    def test_lock_files_name_no_registry(self):
        findings = []
        for path in files("**/package-lock.json"):
            packages = json.loads(path.read_text()).get("packages", {})
            findings += [f"{name(path)}: {package}" for package, facts in packages.items() if "resolved" in facts]
            findings += [f"{name(path)}: {package} has no checksum" for package, facts in packages.items()
                         if package and not facts.get("link") and "integrity" not in facts]
        self.none(findings)


class Registration(unittest.TestCase):
    """A test that is written and never run protects nobody."""

    def none(self, findings):
        if findings:
            self.fail("\n" + "\n".join(findings))

    def test_every_source_file_is_built(self):
        findings = []
        for path in files("src/*/**/*.c"):
            room = path.relative_to(ROOT / "src").parts[0]
            fragment = ROOT / "src" / room / "local.am"
            if not re.search(rf"(?<![\w/]){re.escape(name(path))}(?![\w])", fragment.read_text()):
                findings.append(f"{name(path)} is not in src/{room}/local.am")
        self.none(findings)

    def test_every_unit_test_and_fuzz_target_is_registered(self):
        fragments = "".join(p.read_text() for p in files("tests/**/*.am"))
        programs = set(re.findall(r"tests/(?:unit|fuzz)/(?:test|fuzz)_\w+", " ".join(
            re.findall(r"^(?:check_PROGRAMS|fuzz_targets|\w+_tests) *\+?= *((?:.*\\\n)*.*)$", fragments, re.MULTILINE))))
        findings = [f"{name(p)} is in no check_PROGRAMS" for p in files("tests/unit/test_*.c") + files("tests/fuzz/fuzz_*.c")
                    if str(p.relative_to(ROOT).with_suffix("")) not in programs]
        self.none(findings)

    def test_every_test_function_is_run(self):
        findings = []
        for path in files("tests/unit/**/test_*.c"):
            code = code_of(path.read_text())
            for match in re.finditer(r"^static void (\w+)\(void \*\*\w+\)", code, re.MULTILINE):
                if len(re.findall(rf"\b{match.group(1)}\b", code)) < 2:
                    findings.append(f"{name(path)}:{line_of(code, match.start())}: {match.group(1)} is never run")
        self.none(findings)

    def test_every_fuzz_target_has_a_corpus(self):
        findings = []
        for path in files("tests/fuzz/fuzz_*.c"):
            corpus = path.parent / "corpus" / path.stem[len("fuzz_"):]
            if not corpus.is_dir() or not any(corpus.iterdir()):
                findings.append(f"{name(path)}: {name(corpus)} is empty")
        self.none(findings)

    def test_every_corpus_has_a_target(self):
        findings = [name(p) for p in (ROOT / "tests/fuzz/corpus").glob("*")
                    if not (ROOT / "tests/fuzz" / f"fuzz_{p.name}.c").exists()]
        self.none(findings)

    def test_scripts_of_the_suite_are_called(self):
        calls = (ROOT / "tests/local.am").read_text() + (ROOT / "contrib/check").read_text()
        findings = [name(p) for p in files("tests/*/*.sh") + files("tests/structure/*.py") if p.name not in calls]
        self.none(findings)

    def test_a_process_dies_in_a_test_at_every_place_that_is_made_for_it(self):
        tests = "".join(p.read_text() for p in files("tests/unit/*.c") + files("tests/e2e/*.mjs"))
        findings = [f"{name(p)}: nobody dies at {point}" for p in c_files()
                    for point in re.findall(r'\blw_crash_point\("(\w+)"\)', without_comments(p.read_text()))
                    if not re.search(rf"\b{point}\b", tests)]
        self.none(findings)

    def test_a_test_of_the_generators_is_found_by_its_name(self):
        findings = [name(p) for p in files("tests/gen/*.py") if "unittest" in p.read_text() and not p.name.startswith("test_")]
        self.none(findings)


if __name__ == "__main__":
    unittest.main(verbosity=2)
