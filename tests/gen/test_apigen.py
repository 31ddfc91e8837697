"""src/gen/apigen.py: what it makes of a good document, and what it says about bad ones."""
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
TOP = os.path.dirname(os.path.dirname(HERE))
GEN = os.path.join(TOP, "src", "gen")
sys.path.insert(0, GEN)

import apidoc  # noqa: E402
import apigen  # noqa: E402
import apischema  # noqa: E402

with open(os.path.join(HERE, "fixtures", "good.yaml"), encoding="utf-8") as fixture:
    GOOD = fixture.read()
CFLAGS = ["-std=gnu11", "-Wall", "-Wextra", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wwrite-strings",
          "-Wredundant-decls", "-Werror", "-fsyntax-only"]

# What is wrong, the text that is replaced (its first place), by what, the line where it is told (the first that holds
# this), and the words.
BAD = [
    ("no x-auth", "      x-auth: none\n", "", "operationId: ping", "the operation lacks x-auth"),
    ("no x-pool", "      x-pool: front\n", "", "operationId: ping", "the operation lacks x-pool"),
    ("a pool that isn't", "x-pool: front", "x-pool: back", "x-pool: back", "x-pool back isn't known"),
    ("an auth that isn't", "x-auth: none", "x-auth: all", "x-auth: all", "x-auth all isn't known"),
    ("no scope", "      x-scope: credentials:read\n", "", "operationId: thing_list", "needs x-scope"),
    ("no role", "      x-role: viewer\n", "", "operationId: thing_list", "needs x-role"),
    ("a scope that isn't", "x-scope: credentials:read", "x-scope: credentials:eat", "credentials:eat", "isn't known"),
    ("a role that isn't", "x-role: viewer", "x-role: king", "x-role: king", "x-role king isn't known"),
    ("a scope without auth", "x-rate: none", "x-scope: none", "x-scope: none", "no meaning with x-auth none"),
    ("a rate class that isn't", "x-rate: none", "x-rate: slow", "x-rate: slow", "x-rate slow isn't known"),
    ("an audit action that isn't", "x-audit: credential.create", "x-audit: thing.made", "x-audit:", "isn't known"),
    ("a vendor member that isn't", "x-rate: none", "x-cache: none", "x-cache", "x-cache isn't a member"),
    ("security against x-auth", "      security: []\n", "", "operationId: ping", "disagree"),
    ("no operationId", "      operationId: ping\n", "", "tags: [things]", "lacks operationId"),
    ("an operationId that isn't C", "operationId: ping", "operationId: get-ping", "get-ping", "must be a C name"),
    ("an operationId that is C's own", "operationId: ping", "operationId: double", "double", "must be a C name"),
    ("an operationId twice", "operationId: thing_get", "operationId: ping", ("operationId: ping", 2), "taken by line"),
    ("no summary", "      summary: No inputs\n", "", "operationId: ping", "lacks summary"),
    ("no tags", "      tags: [things]\n", "", "operationId: ping", "lacks tags"),
    ("a tag that isn't listed", "tags: [things]", "tags: [stuff]", "tags: [stuff]", "tags that the document lists"),
    ("no responses", '      responses: { "200": { description: Alive }', '      description: { "200": { description: Alive }',
     "operationId: ping", "lacks responses"),
    ("no success", '"200": { description: Alive }, ', "", "operationId: ping", "lacks a response for success"),
    ("no problem", ', default: { $ref: "#/components/responses/Problem" }', "", "operationId: ping", "lacks a problem"),
    ("a status that isn't", '"200": { description: Alive }', '"2000": {}, "200": {}', '"2000"', "2000 isn't a status"),
    ("a reference to nothing", "schemas/NewThing", "schemas/NoThing", "schemas/NoThing", "leads nowhere"),
    ("a reference in a circle", 'Problem: { description: What went wrong }',
     'Problem: { $ref: "#/components/responses/Problem" }', "    Problem: {", "goes in a circle"),
    ("a reference elsewhere", "#/components/schemas/UserId", "other.yaml#/UserId", "other.yaml", "leads nowhere"),
    ("a path parameter that isn't declared", "/things/{thing_id}/status:\n    parameters:",
     "/things/{thing_id}/status:\n    description: x\n    x-old:", "operationId: thing_status", "thing_id isn't declared"),
    ("a path parameter that isn't in the path", "name: version, in: path", "name: revision, in: path", "name: revision",
     "must be in the path"),
    ("a parameter twice", "- { name: below", "- { name: limit", "- { name: limit, in: query, schema: { type: integer, format",
     "limit stands here twice"),
    ("a cookie parameter", "name: limit, in: query", "name: limit, in: cookie", "in: cookie", "only path and query"),
    ("an array in the query", "{ type: integer, format: int64 }", "{ type: array, items: {} }", "items: {}",
     "must be a string, an integer or a boolean"),
    ("two names that are one in C", "name: below", "name: hub_mode", "name: hub.mode", "would share the name hub_mode"),
    ("a name that a flag has", "name: below", "name: active_set", "name: active,", "would share the name active_set"),
    ("the same path twice", "/things/{thing_id}/status:", "/things/{id}/versions/{v}:", "operationId: version_get",
     "can match the same request"),
    ("paths that cross", "/things/{thing_id}/status:", "/{thing_id}/test:", "operationId: thing_status", "can match the same"),
    ("a path with half a parameter", "/things/test:", "/things/test-{id}:", "/things/test-{id}", "whole segments"),
    ("a path with a slash at its end", "/things/test:", "/things/test/:", "/things/test/:", "whole segments"),
    ("a keyword that isn't enforced", "minimum: -5", "multipleOf: 5", "multipleOf", "keyword multipleOf isn't supported"),
    ("allOf", "anything: { description: Any JSON at all }", "anything: { allOf: [] }", "allOf", "allOf isn't supported"),
    ("a keyword of another type", "minimum: -5", "minLength: 5", "minLength: 5", "needs a `type` that it applies to"),
    ("a keyword without a type", "anything: { description: Any JSON at all }", "anything: { maximum: 3 }", "maximum: 3",
     "needs a `type`"),
    ("a keyword beside a reference", 'owner: { $ref: "#/components/schemas/UserId" }',
     'owner: { $ref: "#/components/schemas/UserId", maxLength: 3 }', "owner: { $ref", "beside a $ref"),
    ("a type that isn't", "size: { type: integer, min", "size: { type: int, min", "type: int,", "`type` must be among"),
    ("a format that isn't", "format: email", "format: hostname", "format: hostname", "the format isn't one of"),
    ("a bound that isn't a number", "maxLength: 5", 'maxLength: "5"', 'maxLength: "5"', "must be a whole number"),
    ("bounds the wrong way round", "minimum: -5, maximum: 5", "minimum: 6, maximum: 5", "minimum: 6", "is above maximum"),
    ("an enumeration of numbers", "enum: [small, large]", "enum: [1, 2]", "enum: [1, 2]", "only different strings"),
    ("a required member that isn't there", "required: [name, kind,", "required: [nome, kind,", "nome",
     "nome is required but"),
    ("an object that takes nothing", "data: { type: object, additionalProperties: true, maxProperties: 2 }",
     "data: { type: object }", "data: { type: object }", "takes nothing"),
    ("an array of what", "items: { type: integer, maximum: 9 } }", "description: x }", "numbers:", "an array needs `items`"),
    ("unique items without a limit", "minItems: 1, maxItems: 3, uniqueItems", "minItems: 1, uniqueItems", "scopes:",
     "uniqueItems needs"),
    ("a pattern with a class of ECMA", '"^[a-z0-9][a-z0-9._-]*$"', '"^\\\\d+$"', '"^\\\\d+$"', "uses \\d"),
    ("a pattern that looks ahead", '"^[a-z0-9][a-z0-9._-]*$"', '"^(?=a)b$"', '"^(?=a)b$"', "uses (?"),
    ("a pattern that isn't anchored", '"^[a-z0-9][a-z0-9._-]*$"', '"[a-z]+"', '"[a-z]+"', "must be anchored"),
    ("a pattern with an alternative that isn't", '"^[a-z0-9][a-z0-9._-]*$"', '"^a|b$"', '"^a|b$"', "outside of a group"),
    ("a kind of id that isn't", "x-id: CREDENTIAL", "x-id: SECRET", "x-id: SECRET", "must be a name in base/id_kinds.def"),
    ("an id with another's pattern", "^cred-", "^usr-", "x-id: CREDENTIAL", "needs the pattern ^cred-"),
    ("a default that doesn't fit", "maximum: 200, default: 50", "maximum: 20, default: 50", "default: 50", "doesn't fit"),
    ("a default that the pattern refuses", 'schema: { type: string, pattern: "^[A-Za-z0-9_-]+$" }',
     'schema: { type: string, pattern: "^[A-Za-z0-9_-]+$", default: "a b" }', 'default: "a b"', "doesn't fit"),
    ("a default inside of a tree", "x: { type: number }", "x: { type: integer, default: 3 }", " x: {",
     "at the top of a body only"),
    ("a default for what is required", "size: { type: integer,", "size: { type: integer, default: 1,", "default: 1,",
     "doesn't fit"),
    ("a body of another media type", "application/json:", "text/plain:", "text/plain", "needs x-raw-body"),
    ("a body that isn't an object", 'schema: { $ref: "#/components/schemas/NewThing" }', "schema: { type: string }",
     ("schema: { type: string }", 2), "must be of type object"),
    ("a body of a DELETE", "operationId: thing_delete", "requestBody: { content: {} }\n      operationId: thing_delete",
     "requestBody: { content: {} }", "DELETE takes no body"),
    ("a limit for no body", "x-transaction: false", "x-body-limit: 5", "x-body-limit: 5", "without a requestBody"),
    ("a front's operation that is repeatable", "      x-pool: front\n", "      x-pool: front\n      x-repeatable: true\n",
     "operationId", "x-repeatable is for operations of the vault"),
    ("an answer that is kept for nobody", """      x-auth: user
      x-scope: credentials:use
      x-role: admin
      x-transaction: false
      x-repeatable: true
      x-keeps-answer: false
""", "      x-auth: none\n      x-transaction: false\n      security: []\n", "operationId: thing_use",
     "would be given another's answer"),
    ("another version", "openapi: 3.1.0", "openapi: 3.0.3", "openapi:", "must be 3.1.x"),
    ("a server elsewhere", "url: /api/v1", "url: https://example.com", "servers:", "`url` that is a path"),
    ("a member twice", "      x-pool: front\n", "      x-pool: front\n      x-pool: vault\n", "x-pool: vault",
     "stands here twice"),
    ("an anchor", "tags: [things]", "tags: &tags [things]", "&tags", "anchors and aliases"),
    ("a tag of YAML", "summary: No inputs", "summary: !!binary aGk=", "!!binary", "the tag"),
    ("a number that YAML reads in two ways", "maximum: 200", "maximum: 0200", "0200", "isn't a plain decimal"),
    ("broken YAML", "summary: No inputs", "summary: [No inputs", "security: []", ""),
    ("a tab", "      summary: No inputs", "\tsummary: No inputs", "\tsummary", ""),
]


def read(text):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "openapi.yaml")
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        return apidoc.Reader(path, os.path.join(TOP, "src"))


def outputs(reader):
    return {name: make(reader) for name, make in apigen.OUTPUTS.items()}


class GoodDocument(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.reader = read(GOOD)
        cls.texts = outputs(cls.reader)

    def test_it_has_no_problems(self):
        self.assertEqual(self.reader.problems.lines(), [])

    def test_the_c_it_makes_compiles_without_a_warning(self):
        with tempfile.TemporaryDirectory() as directory:
            for name, path in (("operations", "core/operations.h"), ("routes", "routes.c"), ("document", "document.c"),
                               ("fake-handlers", "handlers.c")):
                apigen.write_changed(os.path.join(directory, path), self.texts[name])
            for name in ("routes.c", "document.c", "handlers.c"):
                subprocess.run([os.environ.get("CC", "gcc").split()[0], *CFLAGS, "-I" + directory,
                                "-I" + os.path.join(TOP, "src"), os.path.join(directory, name)], check=True)

    def test_the_served_document_keeps_scope_and_role_and_nothing_else_of_ours(self):
        document = json.loads(self.texts["openapi"])
        operation = document["paths"]["/things"]["post"]
        self.assertEqual({key for key in operation if key.startswith("x-")}, {"x-scope", "x-role"})
        self.assertNotIn("x-id", self.texts["openapi"])
        self.assertEqual(document["components"]["schemas"]["ThingId"]["type"], "string")

    def test_the_embedded_document_is_the_served_one(self):
        pieces = re.findall(r'^\t\t"(.*)"', self.texts["document"], re.M)
        text = re.sub(r"\\([0-7]{3})", lambda m: chr(int(m.group(1), 8)), "".join(pieces)).encode("latin-1")
        self.assertEqual(text.decode(), self.texts["openapi"])
        self.assertIn(".n = %d" % len(text), self.texts["document"])

    def pool(self, key):
        """What nginx would choose: the first expression that matches."""
        for pattern, pool in re.findall(r'^\t"~([^"]*)" (\w+);$', self.texts["pools"], re.M):
            if re.search(pattern, key):
                return pool
        return "front"

    def test_nginx_sends_every_operation_to_its_pool(self):
        for op in self.reader.operations:
            path = re.sub(r"\{\w+\}", "cred-00000000000000000000000000", op.path)
            pool = "quick" if op.id == "thing_use" else op.pool
            self.assertEqual(self.pool("%s:%s" % (op.method, path)), pool, op.id)
            self.assertEqual(self.pool("%s:%s?a=/b" % (op.method, path)), pool, op.id)

    def test_nginx_sends_what_no_operation_has_to_the_front(self):
        for key in ("POST:/api/v1/thingsx", "POST:/api/v1/things/a/b", "GET:/api/v1/things", "XPOST:/api/v1/things",
                    "POST:/x/api/v1/things"):
            self.assertEqual(self.pool(key), "front", key)

    def test_the_list_for_the_tests_has_an_example_of_every_required_input(self):
        for entry in json.loads(self.texts["list"]):
            for parameter in entry["parameters"]:
                self.assertIsNotNone(parameter["example"], entry["operationId"])
        body = {entry["operationId"]: entry["body"] for entry in json.loads(self.texts["list"])}
        self.assertEqual(body["thing_create"]["kind"], "small")
        self.assertEqual(body["thing_test"], {"url": "https://example.com/"})

    def test_a_file_is_written_only_when_it_changes(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "deep", "operations.h")
            command = [sys.executable, "-B", os.path.join(GEN, "apigen.py"), os.path.join(HERE, "fixtures", "good.yaml"),
                       "--operations", path]
            subprocess.run(command, check=True, cwd=directory)
            os.utime(path, (1, 1))
            subprocess.run(command, check=True, cwd=directory)
            self.assertEqual(os.stat(path).st_mtime, 1)
            self.assertEqual(os.listdir(os.path.dirname(path)), ["operations.h"])


class BadDocument(unittest.TestCase):
    def check(self, old, new, at, words):
        self.assertIn(old, GOOD)
        text = GOOD.replace(old, new, 1)
        needle, nth = at if isinstance(at, tuple) else (at, 1)
        line = [i for i, content in enumerate(text.splitlines(), 1) if needle in content][nth - 1]
        lines = read(text).problems.lines()
        self.assertTrue(any(re.search(r"openapi\.yaml:%d: " % line, got) and words in got for got in lines),
                        "no `%s` at line %d in:\n%s" % (words, line, "\n".join(lines)))

    def test_each_mistake_is_told_with_its_line(self):
        for what, old, new, at, words in BAD:
            with self.subTest(what):
                self.check(old, new, at, words)

    def test_the_program_prints_all_mistakes_and_writes_nothing(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "openapi.yaml")
            with open(path, "w", encoding="utf-8") as file:
                file.write(GOOD.replace("x-pool: front", "x-pool: back", 1).replace("x-rate: write", "x-rate: slow", 1))
            done = subprocess.run([sys.executable, "-B", os.path.join(GEN, "apigen.py"), "openapi.yaml", "--routes", "r.c"],
                                  cwd=directory, capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 1)
            lines = done.stderr.splitlines()
            self.assertEqual(len(lines), 2)
            for line in lines:
                self.assertRegex(line, r"^openapi\.yaml:\d+: ")
            self.assertEqual(os.listdir(directory), ["openapi.yaml"])

    def test_files_that_are_not_yaml_are_told_so(self):
        for text in ("", "[]", "x", "\x00", "a: \x01", "{" * 3000, "- " * 3000, ": : :", "%YAML 9.9\n---\na: b",
                     "---\n---\n"):
            self.assertTrue(read(text).problems.found, repr(text[:20]))

    def test_a_file_that_is_not_there_or_not_utf8_is_told_so(self):
        self.assertIn("can't be read", apidoc.Reader("/nonexistent.yaml", os.path.join(TOP, "src")).problems.lines()[0])
        with tempfile.NamedTemporaryFile(suffix=".yaml") as file:
            file.write(b"a: b\nc: \xff\n")
            file.flush()
            self.assertIn(":2: the file isn't UTF-8", apidoc.Reader(file.name, os.path.join(TOP, "src")).problems.lines()[0])


class Patterns(unittest.TestCase):
    def test_what_means_the_same_in_both_languages_is_taken(self):
        for pattern in ("^a$", "^[A-Za-z0-9_-]+$", "^(usr|tok)-[0-9]{26}$", r"^\.\/\-\$$", "^.+$", "^[^ ]*$", r"^\\$",
                        "^a{2,}(b|c)?$"):
            apischema.ere(pattern)
        self.assertEqual(apischema.ere(r"^a\/b\-c$"), "^a/b-c$")

    def test_what_would_mean_something_else_is_refused(self):
        for pattern in ("", "a", "^a", "a$", r"^a\$", r"^\d$", r"^[\w]$", "^(?:a)$", "^a*?$", "^a|b$", "^[[:alpha:]]$", "^[]a]$",
                        "^a{$", "^a{1001}$", "^.{3}$", "^[^a]{2}$", "^(.){2}$", "^\u00e9$", "^(a$", "^a)$", r"^(a)\1$",
                        "^a^b$", "^a$b$", "^[z-a]$", "^*a$", "^a{2,1}$"):
            with self.assertRaises(ValueError, msg=pattern):
                apischema.ere(pattern)


class PathsThatMeet(unittest.TestCase):
    def test_only_paths_of_which_one_is_narrower_may_meet(self):
        for a, b, how in (("a/b", "a/c", None), ("a/b", "a", None), ("a/{x}", "a/{y}", "same"), ("a/b", "a/{x}", "first"),
                          ("{x}/{y}", "a/{y}", "second"), ("a/{x}", "{y}/b", "neither"), ("{x}", "b", "second")):
            self.assertEqual(apidoc.compare_paths(a.split("/"), b.split("/")), how, (a, b))


class MutatedDocument(unittest.TestCase):
    """Whatever is typed, the answer is a list of mistakes or good output: never a traceback."""
    TOKENS = ["null", "true", "-1", "[]", "{}", "\"\"", "x", "99999999999999999999", "[null]", "{ x: y }", "[[]]", "string",
              "integer", "object", "array", "default", "{ $ref: \"#/components/schemas/Step\" }", "{ $ref: 3 }", "1.5",
              "\"^(a$\"", "2026-11-20", "\u00e9", "\"\\u0001\"", "~", "1e999"]

    def mutate(self, rng, lines):
        i = rng.randrange(len(lines))
        kind = rng.randrange(6)
        if kind == 0:
            del lines[i]
        elif kind == 1:
            lines.insert(rng.randrange(len(lines)), lines[i])
        elif kind == 2:
            lines[i] = " " * rng.randrange(12) + lines[i].strip()
        elif kind == 3:
            lines[i] = re.sub(r": [^{\[,}\]]+", lambda m: ": " + rng.choice(self.TOKENS), lines[i], count=1)
        elif kind == 4:
            words = [m.span() for m in re.finditer(r"[\w$-]+", lines[i])] or [(0, 0)]
            start, end = rng.choice(words)
            lines[i] = lines[i][:start] + rng.choice(self.TOKENS) + lines[i][end:]
        else:
            start = rng.randrange(len(lines[i]) + 1)
            lines[i] = lines[i][:start] + rng.choice("{}[]:,#&*!|>'\"%@`-? \t0a") + lines[i][start + rng.randrange(2):]

    def test_mutations_never_end_in_a_traceback(self):
        # Whole paths are left out to be fast; what is kept uses every kind of schema.
        small = re.sub(r"(?s)  /things/test:\n.*?(?=  /hooks)", "", GOOD)
        read_well = 0
        for seed in range(250):
            rng = random.Random(seed)
            lines = small.splitlines()
            for _ in range(rng.randrange(1, 4)):
                self.mutate(rng, lines)
            text = "\n".join(lines)
            try:
                reader = read(text)
                if not reader.problems.found:
                    read_well += 1
                    outputs(reader)
            except Exception as e:  # pylint: disable=broad-except
                self.fail("seed %d: %r" % (seed, e))
        self.assertGreater(read_well, 5)


if __name__ == "__main__":
    unittest.main()
