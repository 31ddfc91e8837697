"""What a statement must fulfil. Each rule yields a message; the first word of trouble is a line."""
from sqlgen_blocks import Using
from sqlgen_schema import item_name
from sqlgen_tables import functions, identifiers
from sqlgen_tokens import Fail, is_op, split, walk

# Words of SQL that may stand where a column could, without parentheses behind them.
KEYWORDS = set("""ALL AND ANY AS ASC BETWEEN BINARY BOTH BY CASE CHAR CHARSET COLLATE CROSS CURRENT
CURRENT_DATE CURRENT_TIMESTAMP CURRENT_USER DATE DATETIME DAY DECIMAL DEFAULT DESC DISTINCT DIV
DOUBLE ELSE END ESCAPE EXCEPT EXISTS FALSE FIRST FOLLOWING FOR FROM GROUP HAVING HOUR IN INTEGER
INTERVAL IS JSON KEY LAST LEADING LIKE LIMIT LOCKED MICROSECOND MINUTE MOD MODE MONTH NEXT NOT
NOWAIT NULL NULLS OF OFFSET ON OR ORDER OVER PARTITION PRECEDING RANGE REGEXP RLIKE ROLLUP ROW ROWS
SECOND SELECT SEPARATOR SET SHARE SIGNED SKIP SOME THEN TIES TRAILING TRUE UNBOUNDED UNKNOWN
UNSIGNED UPDATE USING UTC_TIMESTAMP VALUE VALUES WAIT WEEK WHEN WHERE WITH XOR YEAR FORCE INDEX USE
IGNORE QUARTER DUPLICATE""".split())
OR_WORDS = {"OR", "XOR"}


def check(statement, analysis, schema):
    """All violations of one statement."""
    for rule in (heading, values, pools, rows, relations, tenants, inserted_tenant, live, columns, unsafe):
        for message, line in rule(statement, analysis, schema):
            yield Fail(statement.file, line or statement.line, message)


def heading(statement, analysis, _schema):
    if statement.kind is None:
        yield f"{statement.name}: one of :one, :many, :exec, :group is missing", None
    if not statement.pools:
        yield f"{statement.name}: :pools is missing", None
    if statement.kind == "exec" and statement.outputs:
        yield f"{statement.name}: :exec has no :out", None
    if statement.kind == "group" and not is_repeatable(statement, analysis):
        yield f"{statement.name}: a :group is a SELECT of functions, from no table, or an INSERT of one row of VALUES", None
    if statement.kind in ("one", "many") and not statement.outputs \
            or statement.kind == "group" and analysis.verb == "SELECT" and not statement.outputs:
        yield f"{statement.name}: :{statement.kind} needs :out", None
    if statement.kind == "exec" and analysis.verb in ("SELECT", "WITH"):
        yield f"{statement.name}: a SELECT is :one or :many", None
    if "binds" in statement.flags:
        assigns = any(t.text == "@lw_tenant" for t in walk(statement.items))
        if statement.kind != "one" or not assigns \
                or not any(v.name == "tenant_id" and v.type == "id" for v in statement.outputs):
            yield (f"{statement.name}: :binds needs :one, an assignment to @lw_tenant and "
                   "tenant_id:id in :out"), None


def is_repeatable(statement, analysis):
    """Whether what stands behind the first word, or behind VALUES, can stand there several times."""
    if analysis.verb == "INSERT":
        return len(analysis.insert_rows) == 1 and statement.items[-1].kind == "group" \
            and statement.items[-2].word() == "VALUES" and not statement.outputs
    return analysis.verb == "SELECT" and not analysis.top.clauses - {None}


def values(statement, _analysis, _schema):
    used = {v.name for v in statement.params if v.source == "in"}
    for value in statement.inputs:
        if value.name not in used:
            yield f"{statement.name}: :{value.name} is in :in and not used", value.line


def pools(statement, analysis, schema):
    """Outside of :global, tenants' rows are reached through views only."""
    for use in analysis.uses():
        relation = schema.relations.get(use.name)
        if use.derived or use.macro or relation is None or not relation.tenant:
            continue
        if not statement.exempt and not relation.is_view:
            yield (f"{statement.name} uses the table {use.name}: use v_{use.name}, or say "
                   "-- :global <reason>"), use.line
        if statement.exempt and relation.is_view:
            yield (f"{statement.name} is :global, and {use.name} shows the bound tenant's rows only: "
                   "use the table"), use.line


def rows(statement, analysis, _schema):
    for block in analysis.blocks:
        if block.verb in ("UPDATE", "DELETE") and "WHERE" not in block.clauses:
            yield f"{block.verb} without WHERE", statement.sql_line
    block = analysis.top
    if block.out and statement.outputs and len(block.out) != len(statement.outputs):
        yield (f"{statement.name}: {len(statement.outputs)} in :out, and the statement gives "
               f"{len(block.out)} columns"), None
    elif block.out and statement.outputs:
        yield from swapped(statement, block)
    elif statement.outputs and not block.out:
        yield f"{statement.name}: :out, and the statement gives no columns", None


def swapped(statement, block):
    """Columns are taken by their place: the same names in another order are a mistake."""
    names = [item_name(part) for part in block.out]
    for value, name in zip(statement.outputs, names):
        if name != value.name and value.name in names:
            yield (f"{statement.name}: {value.name} stands where the statement gives {name}",
                   value.line)


# --- sessions ----------------------------------------------------------------
AGGREGATES = {"AVG", "BIT_AND", "BIT_OR", "BIT_XOR", "COUNT", "GROUP_CONCAT", "JSON_ARRAYAGG",
              "JSON_OBJECTAGG", "MAX", "MIN", "STD", "STDDEV", "SUM", "VARIANCE"}


def live(statement, analysis, _schema):
    """A row, or a change, proves that the session is live: so there must be none when it isn't."""
    if not statement.checks_session:
        return
    blocks = [analysis.top] if analysis.verb in ("UPDATE", "DELETE") else analysis.branches
    for block in blocks or [analysis.top]:
        if not any(proves_live(condition) for condition in block.conditions):
            yield (f"{statement.name}: :live must be one of the parts that AND joins in WHERE, or :live_join "
                   "stand in FROM (of each SELECT of a UNION)"), statement.sql_line
        called = {name.upper() for part in block.out for name in own_functions(part)}
        if called & AGGREGATES and "GROUP" not in block.clauses:
            yield (f"{statement.name}: an aggregate without GROUP BY gives a row although the session "
                   "isn't live"), statement.sql_line


def proves_live(condition):
    """Whether all rows fulfil the session's check. What a LEFT JOIN asks for restricts one side only."""
    return not isinstance(condition, Using) and condition.only is None \
        and any(is_live(part) for part in conjuncts(condition.items))


def is_live(part):
    if part[0].macro == "live_join":  # the first of its conditions: all of them are in one pair of parentheses
        return True
    return len(part) == 2 and part[0].word() == "EXISTS" and part[0].macro == "live"


def own_functions(items):
    """Functions that are called outside subqueries and windows."""
    for at, item in enumerate(items):
        if item.kind == "group":
            if not item.items or item.items[0].word() not in ("SELECT", "WITH"):
                yield from own_functions(item.items)
        elif item.name() and at + 1 < len(items) and items[at + 1].kind == "group" \
                and not (at + 2 < len(items) and items[at + 2].word() == "OVER"):
            yield item.name()


# --- columns -----------------------------------------------------------------
def relations(statement, analysis, schema):
    for name in sorted(set(functions(statement.items))):
        if name.startswith("lw_") and name not in schema.routines:
            yield f"there is no function {name}", statement.sql_line


def columns(statement, analysis, _schema):
    for block in analysis.blocks:
        for items in block.loose:
            yield from unknown_columns(items, block, analysis)
    if analysis.insert_columns is not None:
        target = analysis.top.uses[0]
        for name in analysis.insert_columns:
            if name not in target.columns:
                yield f"{target.name} has no column {name}", target.line


def visible(block):
    """The names that may stand alone here, or None when a derived table's aren't known."""
    names = set()
    while block is not None:
        for use in block.uses:
            if use.columns is None:
                return None
            names |= use.columns
        names |= block.names
        block = block.parent
    return names


def unknown_columns(items, block, analysis):
    names = visible(block)
    for level, at in own_identifiers(items):
        token = level[at]
        behind = level[at + 1] if at + 1 < len(level) else None
        before = level[at - 1] if at else None
        if not token.name() or (behind is not None and behind.kind == "group"):
            continue
        if before is not None and is_op(before, "."):
            continue
        if behind is not None and is_op(behind, "."):
            use = block.find(token.name())
            column = level[at + 2].name() if at + 2 < len(level) else ""
            if use is None:
                yield f"{token.text} isn't in FROM", token.line
            elif use.columns is not None and column not in use.columns:
                yield f"{use.name} has no column {column}", token.line
        elif names is not None and token.name() not in names and token.word() not in KEYWORDS \
                and not (before is not None and before.word() in ("AS", "COLLATE")) \
                and not is_alias(before):
            yield f"no table here has a column {token.text}", token.line


def is_alias(before):
    """Whether the token behind this one can only be an alias: `count(1) n`."""
    return before is not None and (before.kind in ("group", "string", "number", "placeholder",
                                                   "quoted", "variable") or before.word() == "END")


def own_identifiers(items):
    """Like identifiers(), without subqueries: they are blocks of their own."""
    for at, item in enumerate(items):
        if item.kind == "group":
            first = item.items[0].word() if item.items else ""
            if first not in ("SELECT", "WITH"):
                yield from own_identifiers(item.items)
        else:
            yield items, at


# --- tenants -----------------------------------------------------------------
TENANT = "the tenant"


def conjuncts(items):
    """What must hold: the parts between ANDs, unless an OR makes them alternatives."""
    if any(i.word() in OR_WORDS or is_op(i, "||") for i in items):
        return
    part = []
    for item in items + [None]:
        if item is not None and item.word() != "AND" and not is_op(item, "&&"):
            part.append(item)
            continue
        if len(part) == 1 and part[0].kind == "group":
            yield from conjuncts(part[0].items)
        elif part:
            yield part
        part = []


def side(items, block):
    """TENANT, the use whose tenant_id this is, or None."""
    if len(items) == 1 and items[0].kind == "placeholder" and items[0].text == ":tenant":
        return TENANT
    if len(items) == 3 and is_op(items[1], ".") and items[2].name() == "tenant_id":
        return block.find(items[0].name())
    if len(items) == 1 and items[0].name() == "tenant_id":
        while block is not None:
            known = [u for u in block.uses if u.columns is not None and "tenant_id" in u.columns]
            if known:
                return known[0] if len(known) == 1 else None
            block = block.parent
    return None


def equalities(block):
    """(a, b, only) for each equality of two tenants that all rows of the block fulfil."""
    for condition in block.conditions:
        if isinstance(condition, Using):
            for before in condition.before:
                for last in condition.last:
                    yield before, last, condition.only
            continue
        for part in conjuncts(condition.items):
            halves = split(part, "=")
            if len(halves) == 2:
                yield side(halves[0], block), side(halves[1], block), condition.only


def constrained(analysis):
    """The uses whose tenant_id is proven to be :tenant. A subquery may lean on what is around it."""
    proven = {TENANT}
    for block in analysis.blocks:  # outermost first
        pairs = [p for p in equalities(block) if p[0] is not None and p[1] is not None]
        changed = True
        while changed:
            changed = False
            for a, b, only in pairs:
                for known, new in ((a, b), (b, a)):
                    if known in proven and new not in proven and new in block.uses \
                            and (only is None or new in only):
                        proven.add(new)
                        changed = True
    return proven


def tenants(statement, analysis, schema):
    if statement.exempt:
        return
    proven = constrained(analysis)
    for block in analysis.blocks:
        for use in block.uses:
            relation = schema.relations.get(use.name)
            if use.derived or use.macro or relation is None or not relation.tenant:
                continue
            if "INSERT" in use.access and block.uses[0] is use:
                continue  # inserted_tenant
            if use not in proven:
                yield (f"{statement.name}: {use.alias}.tenant_id = :tenant is missing (tenants' rows), "
                       "or -- :global <reason>"), use.line


def inserted_tenant(statement, analysis, schema):
    if analysis.insert_columns is None or statement.exempt:
        return
    target = analysis.top.uses[0]
    relation = schema.relations.get(target.name)
    if relation is None or not relation.tenant:
        return
    message = f"{statement.name}: the new row's tenant_id must be :tenant"
    if "tenant_id" not in analysis.insert_columns:
        yield message, target.line
        return
    place = analysis.insert_columns.index("tenant_id")
    for row in analysis.insert_rows:
        if side(row[place], analysis.top) is not TENANT:
            yield message, target.line
    if analysis.insert_select is not None:
        proven = constrained(analysis)
        if side(analysis.insert_select.out[place], analysis.insert_select) not in proven:
            yield message, target.line


def unsafe(statement, _analysis, _schema):
    """No SQL is made of texts, and no literal of the operator's own escapes the typed inputs."""
    for items, at in identifiers(statement.items):
        word = items[at].word()
        if word in ("EXECUTE", "PREPARE"):
            yield f"{statement.name}: no statement is made of texts ({word})", items[at].line
        if items[at].kind == "variable" and items[at].text.lower() == "@lw_tenant" \
                and "binds" not in statement.flags:
            yield f"{statement.name}: only a :binds statement touches @lw_tenant", items[at].line
