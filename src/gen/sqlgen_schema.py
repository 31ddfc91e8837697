"""What tables, views and functions there are: read from sql/migrations and sql/views.sql."""
from sqlgen_tokens import Fail, is_op, scripts, split, tree, walk

NOT_A_COLUMN = {"PRIMARY", "UNIQUE", "KEY", "INDEX", "CONSTRAINT", "FOREIGN", "FULLTEXT",
                "SPATIAL", "CHECK", "PERIOD"}


class Relation:
    """A table or a view: its columns in order, and whether it holds tenants' rows."""

    def __init__(self, name, columns, file, line, is_view=False, tenant=None):
        self.name, self.columns, self.file, self.line = name, columns, file, line
        self.is_view = is_view
        self._tenant = tenant

    @property
    def tenant(self):
        return "tenant_id" in self.columns if self._tenant is None else self._tenant


class Schema:
    def __init__(self):
        self.relations = {}
        self.routines = {}  # by name: FUNCTION or PROCEDURE
        self.version = 0

    def tables(self):
        return [r for r in self.relations.values() if not r.is_view]

    def read(self, text, file):
        for line, tokens in scripts(text, file):
            Definition(self, tree(tokens, file), file, line).apply()

    def need(self, name, file, line):
        if name not in self.relations:
            raise Fail(file, line, f"there is no table or view {name}")
        return self.relations[name]


def item_name(items):
    """The name of a select item: its alias, or the column's own; None for an expression."""
    if not items:
        return None
    if len(items) == 1 or is_op(items[-2], ".") or items[-2].word() == "AS":
        return items[-1].name() or None
    # `expression alias`, without AS
    if items[-1].name() and items[-1].word() not in ("NULL", "TRUE", "FALSE", "END") \
            and (items[-2].kind in ("group", "string", "number", "placeholder", "quoted")
                 or items[-2].word() == "END"):
        return items[-1].name()
    return None


class Definition:
    """One DDL statement of a script, read item by item."""

    def __init__(self, schema, items, file, line):
        self.schema, self.items, self.file, self.line = schema, items, file, line
        self.at = 0

    def peek(self):
        return self.items[self.at] if self.at < len(self.items) else None

    def take(self, *words):
        """Skips these keywords if they are next."""
        got = [i.word() for i in self.items[self.at:self.at + len(words)]]
        if got == list(words):
            self.at += len(words)
            return True
        return False

    def take_name(self, what):
        item = self.peek()
        if item is None or not item.name():
            raise Fail(self.file, item.line if item else self.line, f"{what}: a name is missing")
        self.at += 1
        return item.name()

    def apply(self):
        if self.take("CREATE"):
            self.take("OR", "REPLACE")
            self.skip_view_options()
            if self.take("TABLE"):
                self.create_table()
            elif self.take("VIEW"):
                self.create_view()
            elif self.take("FUNCTION"):
                self.create_routine("FUNCTION")
            elif self.take("PROCEDURE"):
                self.create_routine("PROCEDURE")
        elif self.take("ALTER", "TABLE"):
            self.take("IF", "EXISTS")
            self.alter_table()
        elif self.take("DROP"):
            self.drop()
        elif self.take("RENAME", "TABLE"):
            for pair in split(self.items[self.at:], ","):
                if len(pair) == 3:
                    self.rename(pair[0].name(), pair[2].name())

    def skip_view_options(self):
        while self.peek() is not None and self.peek().word() not in ("TABLE", "VIEW", "FUNCTION", "PROCEDURE"):
            self.at += 1

    def create_routine(self, kind):
        self.take("IF", "NOT", "EXISTS")
        self.schema.routines[self.take_name(f"CREATE {kind}")] = kind

    def create_table(self):
        self.take("IF", "NOT", "EXISTS")
        line = self.line
        name = self.take_name("CREATE TABLE")
        body = self.peek()
        if body is None or body.kind != "group":
            raise Fail(self.file, line, f"CREATE TABLE {name}: the list of columns is missing")
        columns = {}
        for part in split(body.items, ","):
            if part and part[0].name() and part[0].word() not in NOT_A_COLUMN:
                columns[part[0].name()] = column_type(part[1:])
        self.schema.relations[name] = Relation(name, columns, self.file, line)

    def alter_table(self):
        name = self.take_name("ALTER TABLE")
        columns = self.schema.need(name, self.file, self.line).columns
        for part in split(self.items[self.at:], ","):
            words = [i.word() for i in part]
            rest = [i for i in part if i.word() not in ("COLUMN", "IF", "NOT", "EXISTS")]
            if words[:1] == ["ADD"] and len(rest) > 1:
                if rest[1].kind == "group":
                    for column in split(rest[1].items, ","):
                        if column:
                            columns[column[0].name()] = column_type(column[1:])
                elif rest[1].word() not in NOT_A_COLUMN:
                    columns[rest[1].name()] = column_type(rest[2:])
            elif words[:1] == ["DROP"] and len(rest) > 1 and rest[1].word() not in NOT_A_COLUMN:
                columns.pop(rest[1].name(), None)
            elif words[:1] == ["CHANGE"] and len(rest) > 2:
                columns.pop(rest[1].name(), None)
                columns[rest[2].name()] = column_type(rest[3:])
            elif words[:1] == ["RENAME"] and len(rest) > 3 and words[1] == "COLUMN":
                columns[rest[3].name()] = columns.pop(rest[1].name(), "")
            elif words[:1] == ["RENAME"] and words[1:2] not in (["KEY"], ["INDEX"]) and rest[1:]:
                self.rename(name, rest[-1].name())

    def rename(self, old, new):
        relation = self.schema.need(old, self.file, self.line)
        del self.schema.relations[old]
        relation.name = new
        self.schema.relations[new] = relation

    def drop(self):
        if self.take("TABLE") or self.take("VIEW"):
            self.take("IF", "EXISTS")
            for part in split(self.items[self.at:], ","):
                if part:
                    self.schema.relations.pop(part[0].name(), None)

    def create_view(self):
        self.take("IF", "NOT", "EXISTS")
        line = self.line
        name = self.take_name("CREATE VIEW")
        while self.peek() is not None and not self.take("AS"):
            self.at += 1
        body = self.items[self.at:]
        if not body or body[0].word() != "SELECT":
            raise Fail(self.file, line, f"CREATE VIEW {name}: AS SELECT is missing")
        columns = self.view_columns(name, body, line)
        tenant = any(t.name() == "lw_tenant" for t in walk(body))
        self.schema.relations[name] = Relation(name, columns, self.file, line, True, tenant)

    def view_columns(self, name, body, line):
        words = [i.word() for i in body]
        if "FROM" not in words:
            raise Fail(self.file, line, f"CREATE VIEW {name}: FROM is missing")
        start = words.index("FROM")
        first = self.schema.need(body[start + 1].name() if len(body) > start + 1 else "",
                                 self.file, line)
        columns = {}
        for part in split(body[1:start], ","):
            column = item_name(part)
            if len(part) == 1 and is_op(part[0], "*"):
                columns.update(first.columns)
            elif column is None:
                raise Fail(self.file, line, f"CREATE VIEW {name}: name each column (AS ...)")
            else:
                columns[column] = first.columns.get(column, "")
        return columns


def column_type(items):
    """`VARCHAR(200)`, `BIGINT`: upper case, without the rest of the definition."""
    if not items or not items[0].name():
        return ""
    size = ""
    if len(items) > 1 and items[1].kind == "group":
        size = "(" + ",".join(t.text for t in walk(items[1].items)) + ")"
    return items[0].name().upper() + size
