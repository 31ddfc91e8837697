"""The part of the analysis that reads INSERT, REPLACE, UPDATE, DELETE, SET and CALL."""
from sqlgen_blocks import Condition
from sqlgen_tokens import is_op, split


class Changes:
    """Mixed into Analysis."""

    def update(self, items, parent):
        block = self.block("UPDATE", parent)
        parts = self.clauses(items[1:], {"SET", "WHERE", "ORDER", "LIMIT"})
        tables = [i for i in parts[0][1] if i.word() not in ("IGNORE", "LOW_PRIORITY")]
        self.references(tables, block)
        for word, part in parts[1:]:
            block.clauses.add(word)
            self.expression(part, block)
            if word == "WHERE":
                block.conditions.append(Condition(part))
            elif word == "SET":
                self.assignments(part, block, "UPDATE")
        if "SET" not in block.clauses:
            raise self.fail(items[0], "UPDATE without SET")
        return block

    def assignments(self, items, block, access):
        for part in split(items, ","):
            if len(part) > 2 and is_op(part[1], "."):
                use, column = block.find(part[0].name()), part[2].name()
            else:
                column = part[0].name() if part else ""
                known = [u for u in block.uses if u.columns is not None and column in u.columns]
                use = known[0] if known else None
            if use is None or use.derived:
                raise self.fail(part[0] if part else items[0] if items else None,
                                "SET: no table here has that column")
            use.access.add(access)
            if column == "tenant_id" and not self.statement.exempt:
                raise self.fail(part[0], "a row doesn't change its tenant")

    def delete(self, items, parent):
        block = self.block("DELETE", parent)
        parts = self.clauses(items[1:], {"FROM", "WHERE", "ORDER", "LIMIT", "RETURNING"})
        for word, part in parts:
            if word == "FROM":
                self.references(part, block)
        targets = [i.name() for i in parts[0][1] if i.name() and i.word() not in ("IGNORE", "QUICK")]
        for use in block.uses:
            if not targets or use.alias in targets:
                use.access.add("DELETE")
        for word, part in parts:
            block.clauses.add(word)
            if word == "RETURNING":
                self.select_items(part, block)
            elif word not in (None, "FROM"):
                self.expression(part, block)
            if word == "WHERE":
                block.conditions.append(Condition(part))
        if not block.uses:
            raise self.fail(items[0], "DELETE FROM a table expected")
        return block

    def insert(self, items, parent):
        block = self.block(self.verb, parent)
        at = 1
        while at < len(items) and items[at].word() in ("IGNORE", "INTO"):
            at += 1
        if at >= len(items) or not items[at].name():
            raise self.fail(items[0], f"{self.verb} INTO a table expected")
        target = self.table(items[at], block)
        target.access = {"INSERT", "DELETE", "SELECT"} if self.verb == "REPLACE" else {"INSERT"}
        block.uses.append(target)
        at += 1
        if at >= len(items) or items[at].kind != "group":
            raise self.fail(items[at - 1], f"{self.verb}: name the columns behind the table")
        self.insert_columns = [part[0].name() for part in split(items[at].items, ",") if part]
        rest, duplicate, returning = self.insert_tail(items[at + 1:])
        self.insert_values(rest, block, items[at])
        if duplicate:
            target.access |= {"UPDATE", "SELECT"}
            self.expression(duplicate, block)
            self.assignments(duplicate, block, "UPDATE")
        if returning:
            target.access.add("SELECT")
            self.select_items(returning, block)
        return block

    def insert_tail(self, items):
        """The parts before and behind ON DUPLICATE KEY UPDATE, and those behind RETURNING."""
        returning, duplicate = [], []
        words = [i.word() for i in items]
        if "RETURNING" in words:
            at = words.index("RETURNING")
            items, returning, words = items[:at], items[at + 1:], words[:at]
        for at in range(len(words) - 3):
            if words[at:at + 4] == ["ON", "DUPLICATE", "KEY", "UPDATE"]:
                return items[:at], items[at + 4:], returning
        return items, duplicate, returning

    def insert_values(self, items, block, where):
        word = items[0].word() if items else ""
        if word in ("VALUES", "VALUE"):
            for part in split(items[1:], ","):
                if len(part) != 1 or part[0].kind != "group":
                    raise self.fail(where, "VALUES: rows in parentheses expected")
                row = split(part[0].items, ",")
                if len(row) != len(self.insert_columns):
                    raise self.fail(part[0], f"{len(row)} values for {len(self.insert_columns)} columns")
                self.insert_rows.append(row)
                self.subqueries(part[0].items, block)
        elif word in ("SELECT", "WITH"):
            self.insert_select = self.select(items, None)
            if len(self.insert_select.out) != len(self.insert_columns):
                raise self.fail(where, f"{len(self.insert_select.out)} values for "
                                f"{len(self.insert_columns)} columns")
            # ON DUPLICATE KEY UPDATE may name what the SELECT reads
            block.names |= {c for u in self.insert_select.uses for c in (u.columns or ())}
        else:
            raise self.fail(where, f"{self.verb}: VALUES or SELECT expected")

    def set(self, items, parent):
        block = self.block("SET", parent)
        for part in split(items[1:], ","):
            if not part or part[0].kind != "variable" or part[0].text.startswith("@@"):
                raise self.fail(items[0], "SET assigns user variables (@name) only")
        self.subqueries(items, block)
        return block

    def call(self, items, parent):
        block = self.block("CALL", parent)
        if len(items) != 3 or not items[1].name() or items[2].kind != "group":
            raise self.fail(items[0], "CALL procedure(...) expected")
        self.expression(items[2].items, block)
        return block
