"""A statement's query blocks: the tables of each, and the conditions that its rows fulfil."""
from sqlgen_schema import item_name


class Use:
    """One table in a FROM (or the target of a change), under its alias."""

    def __init__(self, name, alias, item, columns=None, derived=False):
        self.name, self.alias, self.line = name, alias, item.line
        self.macro = item.macro
        self.columns = columns  # names, or None when they aren't known
        self.derived = derived
        self.access = {"SELECT"}


class Condition:
    """An expression that rows fulfil. `only`: it restricts these uses alone (ON of a LEFT JOIN)."""

    def __init__(self, items, only=None):
        self.items, self.only = items, only


class Using:
    """JOIN ... USING (tenant_id): the two sides have the same."""

    def __init__(self, before, last, only):
        self.before, self.last, self.only = before, last, only


class Block:
    """One SELECT, or the statement that changes rows."""

    def __init__(self, verb, parent):
        self.verb, self.parent = verb, parent
        self.uses, self.conditions, self.out = [], [], []
        self.names = set()      # aliases of select items
        self.loose = []         # items whose identifiers are columns
        self.clauses = set()
        self.ctes = dict(parent.ctes) if parent else {}

    def find(self, alias):
        """The use of that alias here or further out, or None."""
        for use in self.uses:
            if use.alias == alias:
                return use
        return self.parent.find(alias) if self.parent else None


def output_names(block):
    """The columns of a derived table, or None when one has no name."""
    names = [item_name(part) for part in block.out]
    return None if None in names else set(names)
