"""Which tables a statement touches, in which query block, and by which conditions."""
from sqlgen_blocks import Block, Condition, Use, Using, output_names
from sqlgen_changes import Changes
from sqlgen_schema import item_name
from sqlgen_tokens import is_op, split

CLAUSES = {"FROM", "WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "FOR", "LOCK", "INTO", "WINDOW"}
JOINS = {"JOIN", "INNER", "CROSS", "LEFT", "RIGHT", "NATURAL", "STRAIGHT_JOIN"}
BEHIND_TABLE = JOINS | CLAUSES | {"ON", "USING", "USE", "FORCE", "IGNORE", "UNION", "EXCEPT",
                                  "INTERSECT", "PARTITION", "OUTER", "SET", "VALUES", "RETURNING"}
UNIONS = {"UNION", "EXCEPT", "INTERSECT"}


class Analysis(Changes):
    """The blocks of one statement, outermost first."""

    def __init__(self, statement, schema):
        self.statement, self.schema = statement, schema
        self.blocks = []
        self.locks = False
        self.insert_columns = None  # of INSERT: names
        self.insert_rows = []       # of INSERT ... VALUES: lists of expressions
        self.insert_select = None   # of INSERT ... SELECT: its block
        self.branches = []          # the SELECTs (of a UNION) that give the statement's rows
        items = statement.items
        self.verb = items[0].word() if items else ""
        read = {"SELECT": self.select, "WITH": self.select, "INSERT": self.insert,
                "REPLACE": self.insert, "UPDATE": self.update, "DELETE": self.delete,
                "SET": self.set, "CALL": self.call}.get(self.verb)
        if read is None:
            raise statement.fail("a statement is a SELECT, INSERT, REPLACE, UPDATE, DELETE, SET or CALL",
                                 statement.sql_line)
        self.top = read(items, None)

    def fail(self, item, message):
        return self.statement.fail(message, item.line if item is not None else None)

    def uses(self):
        return [use for block in self.blocks for use in block.uses]

    def block(self, verb, parent):
        block = Block(verb, parent)
        self.blocks.append(block)
        return block

    # --- clauses -------------------------------------------------------------
    def clauses(self, items, stops=CLAUSES):
        """[(keyword, items)]: the parts that the keywords of this level begin."""
        parts = [(None, [])]
        for at, item in enumerate(items):
            word = item.word()
            behind_dot = at > 0 and is_op(items[at - 1], ".")
            if word in stops and not behind_dot:
                parts.append((word, []))
            else:
                parts[-1][1].append(item)
        return parts

    def subqueries(self, items, block):
        """Reads the SELECTs in the parentheses of an expression."""
        for item in items:
            if item.kind != "group":
                continue
            if item.items and item.items[0].word() in ("SELECT", "WITH"):
                self.select(item.items, block)
            else:
                self.subqueries(item.items, block)

    def expression(self, items, block):
        self.subqueries(items, block)
        block.loose.append(items)

    # --- SELECT --------------------------------------------------------------
    def select(self, items, parent):
        ctes = {}
        if items and items[0].word() == "WITH":
            items = self.common_tables(items, parent, ctes)
        parts = [[]]
        for item in items:
            if item.word() in UNIONS:
                parts.append([])
            elif not (parts[-1] == [] and item.word() in ("ALL", "DISTINCT")):
                parts[-1].append(item)
        first = None
        for part in parts:
            if len(part) == 1 and part[0].kind == "group":
                block = self.select(part[0].items, parent)
            else:
                block = self.simple_select(part, parent, ctes)
                if parent is None:
                    self.branches.append(block)
            first = first or block
        return first

    def common_tables(self, items, parent, ctes):
        at = 1
        recursive = len(items) > 1 and items[1].word() == "RECURSIVE"
        at += recursive
        holder = Block("WITH", parent)
        holder.ctes.update(ctes)
        while at < len(items):
            name = items[at].name()
            at += 1
            columns = None
            if at < len(items) and items[at].kind == "group":
                columns = {t.name() for t in items[at].items if t.name()}
                at += 1
            if at + 1 >= len(items) or items[at].word() != "AS" or items[at + 1].kind != "group":
                raise self.fail(items[min(at, len(items) - 1)], "WITH: name AS (SELECT ...) expected")
            if recursive:
                holder.ctes[name] = columns
            block = self.select(items[at + 1].items, holder)
            holder.ctes[name] = ctes[name] = columns or output_names(block)
            at += 2
            if at < len(items) and is_op(items[at], ","):
                at += 1
                continue
            break
        return items[at:]

    def simple_select(self, items, parent, ctes):
        if not items or items[0].word() != "SELECT":
            raise self.fail(items[0] if items else None, "SELECT expected")
        block = self.block("SELECT", parent)
        block.ctes.update(ctes)
        parts = self.clauses(items[1:])
        for word, part in parts:
            if word == "FROM":
                self.references(part, block)
        for word, part in parts:
            block.clauses.add(word)
            if word is None:
                self.select_items(part, block)
            elif word == "WHERE":
                block.conditions.append(Condition(part))
                self.expression(part, block)
            elif word in ("FOR", "LOCK"):
                self.locks = True
            elif word == "INTO":
                raise self.fail(items[0], "SELECT ... INTO isn't used here")
            elif word != "FROM":
                self.expression(part, block)
        return block

    def select_items(self, items, block):
        while items and items[0].word() in ("DISTINCT", "ALL", "STRAIGHT_JOIN", "SQL_NO_CACHE"):
            items = items[1:]
        self.expression(items, block)
        block.out = split(items, ",")
        for part in block.out:
            name = item_name(part)
            if name and len(part) > 1:
                block.names.add(name)
            if part and is_op(part[-1], "*") and (len(part) == 1 or is_op(part[-2], ".")):
                raise self.fail(part[-1], "SELECT * : name the columns")

    # --- FROM ----------------------------------------------------------------
    def references(self, items, block):
        """Reads table references; returns the uses that they brought."""
        brought, at, left, last = [], 0, False, []
        while at < len(items):
            word = items[at].word()
            if word in ("ON", "USING"):
                start, at = at + 1, self.condition_end(items, at + 1)
                self.join_condition(word, items[start:at], block, brought, last if left else None,
                                    last)
                left = False
                continue
            if word in ("NATURAL", "RIGHT"):
                raise self.fail(items[at], f"{word} JOIN isn't used here: write it as (LEFT) JOIN ... ON")
            if word in JOINS or word == "OUTER":
                left = word == "LEFT" or (left and word in ("OUTER", "JOIN"))
                at += 1
                continue
            if is_op(items[at], ","):
                left = False
                at += 1
                continue
            at, last = self.factor(items, at, block)
            brought += last
        return brought

    def condition_end(self, items, at):
        while at < len(items) and items[at].word() not in JOINS | {"ON", "USING"} \
                and not is_op(items[at], ","):
            at += 1
            # LEFT(...) and RIGHT(...) are functions as well
            while at + 1 < len(items) and items[at].word() in ("LEFT", "RIGHT") \
                    and items[at + 1].kind == "group":
                at += 2
        return at

    def join_condition(self, word, items, block, brought, only, last):
        if word == "ON":
            block.conditions.append(Condition(items, only))
            self.expression(items, block)
            return
        if len(items) != 1 or items[0].kind != "group":
            raise self.fail(items[0] if items else None, "USING (columns) expected")
        if any(t.name() == "tenant_id" for t in items[0].items):
            block.conditions.append(Using([u for u in brought if u not in last], last, only))

    def factor(self, items, at, block):
        """One table, or a derived one, with its alias and index hints: (next, uses)."""
        item = items[at]
        use, nested = None, []
        if item.kind == "group":
            if item.items and item.items[0].word() in ("SELECT", "WITH"):
                outside = Block("FROM", block.parent)  # a derived table doesn't see its neighbours
                outside.ctes = block.ctes
                inner = self.select(item.items, outside)
                use = Use("", "", item, output_names(inner), True)
            else:
                nested = self.references(item.items, block)
        elif item.word() == "JSON_TABLE" and at + 1 < len(items) and items[at + 1].kind == "group":
            use = Use("", "", item, None, True)
            at += 1
        elif item.name().lower() == "information_schema" and len(items) > at + 2 \
                and is_op(items[at + 1], ".") and items[at + 2].name():
            at += 2
            use = Use("", items[at].name(), item, None, True)  # the server's own: anybody may read it
        elif item.name() and item.word() not in BEHIND_TABLE:
            use = self.table(item, block)
        else:
            raise self.fail(item, f"a table expected before {item.text!r}")
        at += 1
        if at < len(items) and is_op(items[at], "."):
            raise self.fail(item, "no database's name before a table's")
        at = self.alias(items, at, use)
        at = self.index_hint(items, at)
        if use:
            if any(u.alias == use.alias for u in block.uses):
                raise self.fail(item, f"{use.alias} is in FROM twice: give one an alias")
            block.uses.append(use)
        return at, [use] if use else nested

    def table(self, item, block):
        name = item.name()
        if name in block.ctes:
            return Use(name, name, item, block.ctes[name], True)
        relation = self.schema.need(name, self.statement.file, item.line)
        return Use(name, name, item, set(relation.columns))

    def alias(self, items, at, use):
        explicit = at < len(items) and items[at].word() == "AS"
        at += explicit
        if at < len(items) and items[at].name() and (explicit or items[at].word() not in BEHIND_TABLE):
            if use:
                use.alias = items[at].name()
            return at + 1
        return at

    def index_hint(self, items, at):
        while at + 1 < len(items) and items[at].word() in ("USE", "FORCE", "IGNORE") \
                and items[at + 1].word() in ("INDEX", "KEY"):
            at += 2
            while at < len(items) and items[at].word() in ("FOR", "JOIN", "ORDER", "GROUP", "BY"):
                at += 1
            if at < len(items) and items[at].kind == "group":
                at += 1
        return at


def identifiers(items):
    """(items, index) of each token, group by group."""
    for at, item in enumerate(items):
        if item.kind == "group":
            yield from identifiers(item.items)
        else:
            yield items, at


def functions(items):
    """The names that are called like functions."""
    for at, item in enumerate(items):
        if item.kind == "group":
            yield from functions(item.items)
        elif item.name() and at + 1 < len(items) and items[at + 1].kind == "group":
            yield item.name()
