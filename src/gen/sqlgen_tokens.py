"""SQL as tokens, and tokens as a tree of parentheses."""
import re


class Fail(Exception):
    """Something in a file of sql/ that stops the build."""

    def __init__(self, file, line, message):
        super().__init__(f"{file}:{line}: {message}")
        self.file, self.line, self.message = file, line, message


class Token:
    __slots__ = ("kind", "text", "line", "macro")

    def __init__(self, kind, text, line, macro=None):
        self.kind, self.text, self.line, self.macro = kind, text, line, macro

    def __repr__(self):
        return f"{self.kind}:{self.text}"

    def word(self):
        """The keyword in upper case; empty for anything that can't be one."""
        return self.text.upper() if self.kind == "word" else ""

    def name(self):
        """The identifier, without its quotes; empty for anything that can't be one."""
        return self.text if self.kind in ("word", "quoted") else ""


class Group:
    """What is between two parentheses."""
    __slots__ = ("items", "line")
    kind = "group"
    text = "("
    macro = None

    def __init__(self, items, line):
        self.items, self.line = items, line

    def __repr__(self):
        return f"({self.items})"

    def word(self):
        return ""

    def name(self):
        return ""


TOKEN = re.compile(r"""
    (?P<space>\s+)
  | (?P<comment>--(?:[ \t][^\n]*)?(?=\n|\Z) | \#[^\n]* | /\*(?!!|M!).*?\*/)
  | (?P<string>(?:_utf8mb4\s*)?'(?:[^'\\]|''|\\.)*' | "(?:[^"\\]|""|\\.)*")
  | (?P<hex>[xX]'[0-9A-Fa-f]*')
  | (?P<quoted>`[^`\n]+`)
  | (?P<variable>@@?[A-Za-z_][A-Za-z0-9_.]*)
  | (?P<placeholder>:[A-Za-z_][A-Za-z0-9_]*)
  | (?P<number>0[xX][0-9A-Fa-f]+ | [0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
  | (?P<word>[A-Za-z_][A-Za-z0-9_$]*)
  | (?P<op>:=|<=>|<=|>=|<>|!=|\|\||&&|<<|>>|[-+*/%=<>!&|^~.,;()?])
""", re.VERBOSE | re.DOTALL)


def lex(text, file, line=1):
    """All pieces of the text, white space and comments too."""
    tokens, at = [], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        # A comment that isn't closed, or one whose text the server runs.
        if not match or (text.startswith("/*", at) and match.lastgroup != "comment"):
            raise Fail(file, line, f"can't read SQL here: {text[at:at + 20].splitlines()[0]!r}")
        kind, piece = match.lastgroup, match.group()
        if kind == "hex":
            kind = "string"
        tokens.append(Token(kind, piece.strip("`") if kind == "quoted" else piece, line))
        line += piece.count("\n")
        at = match.end()
    return tokens


def tokenize(text, file, line=1):
    """The tokens without white space and comments."""
    return [t for t in lex(text, file, line) if t.kind not in ("space", "comment")]


DEPTH_MAX = 50


def tree(tokens, file):
    """The same tokens, with a Group for each pair of parentheses."""
    stack = [[]]
    opened = []
    for token in tokens:
        if token.text == "(" and token.kind == "op":
            if len(stack) > DEPTH_MAX:
                raise Fail(file, token.line, "too many parentheses within each other")
            opened.append(token.line)
            stack.append([])
        elif token.text == ")" and token.kind == "op":
            if not opened:
                raise Fail(file, token.line, "a ) without its (")
            items = stack.pop()
            stack[-1].append(Group(items, opened.pop()))
        else:
            stack[-1].append(token)
    if opened:
        raise Fail(file, opened[-1], "a ( without its )")
    return stack[0]


def is_op(item, text):
    return item.kind == "op" and item.text == text


def split(items, separator):
    """Parts between separators of this level; no part for nothing at all."""
    parts = [[]]
    for item in items:
        if is_op(item, separator):
            parts.append([])
        else:
            parts[-1].append(item)
    return parts if len(parts) > 1 or parts[0] else []


def walk(items):
    """Every token, those in groups too."""
    for item in items:
        if item.kind == "group":
            yield from walk(item.items)
        else:
            yield item


def blocks(text):
    """For each line between `-- :begin` and `-- :end` the number of its block; the others have none."""
    inside, found = {}, 0
    within = False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("-- :begin"):
            found, within = found + 1, True
        elif line.startswith("-- :end"):
            within = False
        elif within:
            inside[number] = found
    return inside


def scripts(text, file):
    """The statements of a script, cut at each `;` outside quotes and blocks: (first line, tokens)."""
    part, block, inside = [], None, blocks(text)
    for token in tokenize(text, file):
        if part and inside.get(token.line) != block:
            yield part[0].line, part
            part = []
        block = inside.get(token.line)
        if is_op(token, ";") and block is None:
            if part:
                yield part[0].line, part
            part = []
        else:
            part.append(token)
    if part:
        yield part[0].line, part
