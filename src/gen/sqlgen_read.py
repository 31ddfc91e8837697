"""Reading sql/statements/*.sql and sql/macros.sql: annotations, inputs, outputs, the SQL with its `?`."""
import re

from sqlgen_tokens import Fail, Token, is_op, lex, tree

POOLS = ("front", "vault", "worker", "ctl")
FIXED = {"id", "int", "bool", "time", "json"}
SIZED = {"text": 1 << 20, "bytes": 4 << 20}
JSON_MAX = 1 << 20
# What the store binds itself: the member of struct db_scope and its type.
SCOPE = {"tenant": "id", "user": "id", "session": "id", "role": "text", "holder": "bytes", "now": "time"}
SCOPE_MAX = {"role": 32, "holder": 64}
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}\Z")
VALUE = re.compile(r"([a-z][a-z0-9_]*):([a-z]+)(?:\((\d{1,8})\))?(\?)?\Z")
C_WORDS = set("""auto break case char const continue default do double else enum extern float for
goto if inline int long register restrict return short signed sizeof static struct switch typedef
union unsigned void volatile while bool true false""".split())
KINDS = ("one", "many", "exec")
GROUP_MAX = 64
# The session's check, and what stands in its place when the session was checked already.
CHECKS = {"live": "TRUE", "live_join": ""}
FLAGS = ("binds", "nowait", "wipe")


class Value:
    """A typed input or output."""

    def __init__(self, name, type_, max_, nullable, line, source="in"):
        self.name, self.type, self.max, self.nullable = name, type_, max_, nullable
        self.line, self.source = line, source


class Statement:
    def __init__(self, name, file, line, doc):
        self.name, self.file, self.line, self.doc = name, file, line, doc
        self.kind = None
        self.group = 0      # of :group: how many at once
        self.pools, self.inputs, self.outputs = [], [], []
        self.exempt = None  # the reason of :global
        self.scan = None    # the reason of :scan
        self.flags = set()
        self.text, self.sql_line = "", 0
        self.sql, self.items = "", []  # with `?`; as a tree
        self.params = []               # one Value for each `?`
        self.checked = None            # with one of CHECKS: (sql, params) without it
        self.macros = set()

    @property
    def module(self):
        return self.file.rsplit("/", 1)[-1][:-len(".sql")]

    @property
    def checks_session(self):
        return not self.macros.isdisjoint(CHECKS)

    def fail(self, message, line=None):
        return Fail(self.file, line or self.line, message)


class Macro:
    def __init__(self, name, pieces, line):
        self.name, self.pieces, self.line = name, pieces, line


def parse_value(word, file, line):
    match = VALUE.match(word)
    if not match:
        raise Fail(file, line, f"{word!r} isn't name:type, name:type? or name:text(200)")
    name, type_, size, nullable = match.groups()
    if type_ not in FIXED and type_ not in SIZED:
        raise Fail(file, line, f"unknown type {type_!r} of {name}: id, int, bool, time, text(n), "
                   "bytes(n) or json")
    if name in C_WORDS:
        raise Fail(file, line, f"{name!r} is a word of C")
    if type_ in SIZED:
        if size is None or not 0 < int(size) <= SIZED[type_]:
            raise Fail(file, line, f"{name}: {type_}(n) needs a size from 1 to {SIZED[type_]}")
    elif size is not None:
        raise Fail(file, line, f"{name}: {type_} has no size")
    return Value(name, type_, int(size) if size else JSON_MAX if type_ == "json" else 0,
                 nullable is not None, line)


def group_size(text, file, line):
    if not text.isdecimal() or not 2 <= int(text) <= GROUP_MAX:
        raise Fail(file, line, f":group needs a number from 2 to {GROUP_MAX}: how many at once")
    return int(text)


class Reader:
    """One file, line by line. Violations are collected; each spoils its own statement only."""

    def __init__(self, file, text):
        self.file, self.lines = file, text.split("\n")
        self.failures, self.statements, self.broken = [], [], set()

    def read(self):
        current, doc = None, []
        for number, line in enumerate(self.lines, 1):
            bare = line.strip()
            try:
                if bare.startswith("-- :name"):
                    current = self.begin(bare, number, doc)
                    doc = []
                elif bare.startswith("-- :"):
                    self.annotate(current, bare, number)
                elif bare == "--" or bare.startswith("-- "):
                    before_sql = current is not None and not current.text
                    (current.doc if before_sql else doc).append(bare[3:])
                elif bare and current is None:
                    raise Fail(self.file, number, "SQL before the first -- :name")
                elif bare:
                    current.sql_line = current.sql_line or number
                    current.text += line + "\n"
                    doc = []
                else:
                    doc = []
                    if current is not None and current.text:
                        current.text += "\n"
            except Fail as failure:
                self.failures.append(failure)
                if current is not None:
                    self.broken.add(current)
        return self

    def begin(self, bare, number, doc):
        name = bare[len("-- :name"):].strip()
        statement = Statement(name, self.file, number, list(doc))
        self.statements.append(statement)
        if not NAME.match(name):
            self.broken.add(statement)
            self.failures.append(Fail(self.file, number,
                                      f"{name!r} isn't a name (a-z, 0-9 and _)"))
        return statement

    def annotate(self, current, bare, number):
        word, _, rest = bare[len("-- :"):].partition(" ")
        rest = rest.strip()
        if current is None:
            raise Fail(self.file, number, f":{word} before the first -- :name")
        if current.text:
            raise Fail(self.file, number, f":{word} behind the SQL of {current.name}")
        if word in KINDS or word == "group":
            if current.kind:
                raise Fail(self.file, number, f"{current.name} is :{current.kind} already")
            current.kind = word
            if word == "group":
                current.group = group_size(rest, self.file, number)
        elif word == "pools":
            for pool in rest.split():
                if pool not in POOLS:
                    raise Fail(self.file, number, f"unknown pool {pool!r}: {' '.join(POOLS)}")
                current.pools.append(pool)
        elif word in ("in", "out"):
            values = current.inputs if word == "in" else current.outputs
            for piece in rest.split():
                value = parse_value(piece, self.file, number)
                if any(v.name == value.name for v in values):
                    raise Fail(self.file, number, f"{value.name} is named twice in :{word}")
                if word == "in" and value.name in SCOPE:
                    raise Fail(self.file, number, f":{value.name} is bound by the store: "
                               "take it out of :in")
                values.append(value)
        elif word in ("global", "scan"):
            if not rest:
                raise Fail(self.file, number, f":{word} needs a reason")
            setattr(current, "exempt" if word == "global" else "scan", rest)
        elif word in FLAGS:
            current.flags.add(word)
        else:
            raise Fail(self.file, number, f"unknown annotation :{word}")


def read_macros(file, text):
    """`-- :macro name`, then an expression that `:name` stands for."""
    macros, name, start, body = {}, None, 0, ""
    for number, line in enumerate(text.split("\n") + ["-- :macro"], 1):
        if line.strip().startswith("-- :macro"):
            if name is not None:
                macros[name] = Macro(name, lex(body.strip().rstrip(";"), file, start), start)
            name, start, body = line.strip()[len("-- :macro"):].strip(), number, ""
            if name and not NAME.match(name):
                raise Fail(file, number, f"{name!r} isn't a name")
        elif not line.strip().startswith("--"):
            body += line + "\n"
    macros.pop("", None)
    return macros


def spliced(statement, macros):
    """All pieces of the statement's text, with the macros' pieces in place of their names."""
    raw = []
    for piece in lex(statement.text, statement.file, statement.sql_line):
        macro = macros.get(piece.text[1:]) if piece.kind == "placeholder" else None
        if macro is None:
            raw.append(piece)
            continue
        statement.macros.add(macro.name)
        raw += [Token(p.kind, p.text, piece.line, macro.name) for p in unfolded(macro, macros)]
    return raw


def unfolded(macro, macros):
    """The macro's pieces; it may name another one, which names none."""
    for piece in macro.pieces:
        inner = macros.get(piece.text[1:]) if piece.kind == "placeholder" else None
        yield from inner.pieces if inner else [piece]


def code(pieces):
    return [p for p in pieces if p.kind not in ("space", "comment")]


def params(statement, pieces):
    return [param(statement, p) for p in pieces if p.kind == "placeholder"]


def expand(statement, macros):
    """Sets sql, items and params from the statement's text."""
    raw = spliced(statement, macros)
    tokens = code(raw)
    if not tokens:
        raise statement.fail(f"{statement.name} has no SQL")
    if not is_op(tokens[-1], ";"):
        raise statement.fail(f"{statement.name} doesn't end with ;", tokens[-1].line)
    for token in tokens[:-1]:
        if is_op(token, ";"):
            raise statement.fail("more than one statement under one -- :name", token.line)
        if is_op(token, "?"):
            raise statement.fail("write :name instead of ?", token.line)
    statement.params = params(statement, raw)
    statement.items = tree(tokens[:-1], statement.file)
    statement.sql = sql_text(raw)
    if statement.checks_session:
        raw = spliced(statement, macros | {name: Macro(name, lex(text, statement.file), statement.line)
                                           for name, text in CHECKS.items()})
        statement.checked = (sql_text(raw), params(statement, raw))


def param(statement, token):
    name = token.text[1:]
    for value in statement.inputs:
        if value.name == name:
            return value
    if name in SCOPE:
        return Value(name, SCOPE[name], SCOPE_MAX.get(name, 0), False, token.line, "scope")
    raise statement.fail(f"{token.text} is neither in :in nor one of the scope's "
                         f"({' '.join(':' + s for s in SCOPE)})", token.line)


def sql_text(pieces):
    """The SQL as the server gets it: without comments, on one line, with a `?` for each value."""
    text = ""
    for piece in pieces:
        if piece.kind in ("space", "comment"):
            text += " " if text and not text.endswith(" ") else ""
        elif piece.kind == "placeholder":
            text += "?"
        elif piece.kind == "quoted":
            text += f"`{piece.text}`"
        elif not is_op(piece, ";"):
            text += piece.text
    return text.strip()
