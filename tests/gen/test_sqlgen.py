"""The generator of statements: what it makes, and what it refuses."""
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
FIXTURE = os.path.join(HERE, "fixtures", "sql")
GENERATOR = os.path.join(ROOT, "src", "gen", "sqlgen.py")
sys.path.insert(0, os.path.dirname(GENERATOR))

import sqlgen  # noqa: E402

LINE = re.compile(r"\A[^:\n]+:\d+: [^\n]+\Z")


class Directory:
    """A copy of the fixture whose statements can be changed."""

    def __init__(self, test):
        self.path = tempfile.mkdtemp()
        test.addCleanup(shutil.rmtree, self.path)
        for name in os.listdir(FIXTURE):
            source, target = os.path.join(FIXTURE, name), os.path.join(self.path, name)
            (shutil.copytree if os.path.isdir(source) else shutil.copy)(source, target)

    def write(self, name, text):
        with open(os.path.join(self.path, name), "w", encoding="utf-8") as file:
            file.write(text)

    def failures(self, statement=None):
        if statement is not None:
            self.write("statements/other.sql", statement)
        return [str(f)[len(self.path) + 1:] for f in sqlgen.build(self.path)[3]]


def statement(sql, *annotations, name="other_thing"):
    heading = "".join(f"-- :{a}\n" for a in annotations)
    return f"-- :name {name}\n-- :pools front\n{heading}{sql}\n"


class Output(unittest.TestCase):
    """What colleagues write C against."""

    @classmethod
    def setUpClass(cls):
        cls.path = tempfile.mkdtemp()
        subprocess.run([sys.executable, "-B", GENERATOR, "--sql", FIXTURE, "--headers", cls.path, "--source",
                        f"{cls.path}/s.c", "--grants", f"{cls.path}/g.sql", "--json", f"{cls.path}/s.json"],
                       check=True)
        cls.files = {}
        for name in os.listdir(cls.path):
            with open(os.path.join(cls.path, name), encoding="utf-8") as file:
                cls.files[name] = file.read()

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.path)

    def test_a_header_has_only_its_own_statements(self):
        self.assertIn("enum err sql_note_get(struct db *db, const struct sql_note_get_in *in, "
                      "struct sql_note_get_row *ret_row) MUST_CHECK;", self.files["sql_note.h"])
        self.assertIn("enum err sql_note_list_next(struct db *db, struct sql_note_list_row *ret_row) MUST_CHECK;",
                      self.files["sql_note.h"])

    def test_nullable_members_have_types_of_their_own(self):
        for member in ("struct opt_id parent_id;", "struct opt_int remind_at;", "bool pinned;", "struct str body;"):
            self.assertIn(member, self.files["sql_note.h"])

    def test_without_inputs_there_is_no_in_parameter(self):
        self.assertIn("sql_fix_connection_id(struct db *db, struct sql_fix_connection_id_row *ret_row)",
                      self.files["sql_note.h"])

    def test_the_comment_above_a_statement_comes_along(self):
        self.assertIn("/* Adds a note. */\nstruct sql_note_insert_in {", self.files["sql_note.h"])

    def test_each_pool_gets_what_its_statements_do_and_no_more(self):
        self.assertEqual([line for line in self.files["g.sql"].splitlines() if not line.startswith("--")], [
            "GRANT SELECT, INSERT, UPDATE ON counter TO @front@;",
            "GRANT SELECT, INSERT, UPDATE ON session TO @front@;",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON v_note TO @front@;",
            "GRANT SELECT, INSERT ON v_note TO @vault@;"])

    def test_the_description_names_types_in_the_order_of_the_placeholders(self):
        described = {s["name"]: s for s in json.loads(self.files["s.json"])["statements"]}
        note = described["note_get_live"]
        self.assertEqual([v["name"] for v in note["in"]],
                         ["tenant", "note_id", "session", "holder", "now"])
        self.assertEqual([v["name"] for v in note["checked"]["in"]], ["tenant", "note_id"])
        self.assertEqual(note["sql"].count("?"), len(note["in"]))
        self.assertEqual(note["flags"], ["STMT_READ", "STMT_TENANT", "STMT_LIVE"])
        self.assertTrue(described["counter_set_now"]["sql"].startswith("SET STATEMENT innodb_lock_wait_timeout=0 FOR "))

    def test_files_that_stay_the_same_are_not_written_again(self):
        path = os.path.join(self.path, "sql_note.h")
        os.utime(path, (1, 1))
        subprocess.run([sys.executable, "-B", GENERATOR, "--sql", FIXTURE, "--headers", self.path], check=True)
        self.assertEqual(os.stat(path).st_mtime, 1)

    def test_literals_survive_into_c(self):
        self.assertEqual(sqlgen.emit.c_string('a "b" \\ c').strip(), '"a \\"b\\" \\\\ c"')


class Refusals(unittest.TestCase):
    """Each rule: the line that breaks it, and what is said."""

    def setUp(self):
        self.directory = Directory(self)

    def refused(self, text, wanted, line=None):
        failures = self.directory.failures(text)
        self.assertTrue(failures, f"accepted, instead of: {wanted}")
        self.assertTrue(any(wanted in f for f in failures), f"{failures} lacks {wanted!r}")
        if line is not None:
            self.assertTrue(any(f.startswith(f"statements/other.sql:{line}: ") for f in failures), failures)

    def accepted(self, text):
        self.assertEqual(self.directory.failures(text), [])

    # --- annotations
    def test_annotations_that_do_not_exist(self):
        self.refused(statement("SELECT 1 AS a;", "one", "out a:int", "fast"), "unknown annotation :fast", 5)
        self.refused(statement("SELECT 1 AS a;", "one", "out a:number"), "unknown type 'number'", 4)
        self.refused(statement("SELECT 1 AS a;", "one", "out a:text"), "text(n) needs a size", 4)
        self.refused(statement("SELECT 1 AS a;", "one", "out a:int(4)"), "int has no size", 4)
        self.refused(statement("SELECT 1 AS a;", "one", "out a"), "isn't name:type", 4)
        self.refused("-- :name x\n-- :pools back\n-- :one\n-- :out a:int\nSELECT 1 AS a;", "unknown pool 'back'", 2)
        self.refused(statement("SELECT 1 AS a;", "out a:int"), "one of :one, :many, :exec, :group is missing", 1)
        self.refused(statement("SELECT 1 AS a;", "one", "many", "out a:int"), "is :one already", 4)
        self.refused("-- :name x\n-- :one\n-- :out a:int\nSELECT 1 AS a;", ":pools is missing")
        self.refused("-- :name Bad-Name\n-- :pools front\n-- :one\n-- :out a:int\nSELECT 1 AS a;", "isn't a name", 1)

    def test_a_reason_must_be_given(self):
        self.refused(statement("SELECT 1 AS a;", "one", "out a:int", "global"), ":global needs a reason", 5)
        self.refused(statement("SELECT 1 AS a;", "one", "out a:int", "scan "), ":scan needs a reason", 5)

    def test_names_are_given_once(self):
        self.refused(statement("SELECT value FROM counter WHERE name = 'x';", "one", "out value:int", name="note_get"),
                     "note_get is in", 1)
        self.refused(statement("SELECT 1 AS a;", "one", "out a:int a:int"), "a is named twice")

    def test_a_word_of_c_is_no_name(self):
        self.refused(statement("SELECT 1 AS `default`;", "one", "out default:int"), "is a word of C")

    def test_inputs_and_placeholders_match(self):
        self.refused(statement("SELECT value FROM counter WHERE name = 'x';", "one", "in name:text(9)", "out value:int"),
                     ":name is in :in and not used", 4)
        self.refused(statement("SELECT value\nFROM counter WHERE name = :name;", "one", "out value:int"),
                     ":name is neither in :in", 6)
        self.refused(statement("SELECT value FROM counter WHERE name = ?;", "one", "out value:int"), "instead of ?")

    def test_a_handler_cannot_pass_the_tenant(self):
        self.refused(statement("SELECT title FROM v_note WHERE tenant_id = :tenant AND note_id = 'x';", "one",
                               "in tenant:id", "out title:text(100)"), ":tenant is bound by the store")

    def test_outputs_and_columns_match(self):
        self.refused(statement("SELECT value, name FROM counter WHERE name = 'x';", "one", "out value:int"),
                     "1 in :out, and the statement gives 2 columns")
        self.refused(statement("SELECT name, value FROM counter WHERE name = 'x';", "one", "out value:int name:text(32)"),
                     "value stands where the statement gives name", 4)
        self.refused(statement("UPDATE counter SET value = 1 WHERE name = 'x';", "one", "out value:int"),
                     "the statement gives no columns")
        self.refused(statement("SELECT value FROM counter WHERE name = 'x';", "exec"), "a SELECT is :one or :many")

    def test_a_group_is_of_functions(self):
        self.accepted(statement("SELECT LENGTH(:a) AS n;", "group 3", "in a:text(9)", "out n:int"))
        self.refused(statement("SELECT LENGTH(:a) AS n;", "group", "in a:text(9)", "out n:int"), "a number from 2 to", 3)
        self.refused(statement("SELECT LENGTH(:a) AS n;", "group 1", "in a:text(9)", "out n:int"), "a number from 2 to", 3)
        self.refused(statement("SELECT LENGTH(:a) AS n;", "group 3", "in a:text(9)"), "needs :out")
        self.refused(statement("SELECT value AS n FROM counter WHERE name = :a;", "group 3", "in a:text(9)", "out n:int"),
                     "is a SELECT of functions")

    def test_a_group_may_be_of_rows(self):
        insert = "INSERT INTO counter (name, value) "
        self.accepted(statement(insert + "VALUES (:a, 1);", "group 3", "in a:text(9)"))
        for rest in ("VALUES (:a, 1), ('b', 2);", "SELECT :a, 1;", "VALUES (:a, 1) ON DUPLICATE KEY UPDATE value = 2;"):
            self.refused(statement(insert + rest, "group 3", "in a:text(9)"), "or an INSERT of one row")

    # --- SQL
    def test_a_statement_is_one_whole_statement(self):
        self.refused(statement("SELECT 1 AS a", "one", "out a:int"), "doesn't end with ;")
        self.refused(statement("SELECT 1 AS a; SELECT 2 AS a;", "one", "out a:int"), "more than one statement")
        self.refused(statement("", "one", "out a:int"), "has no SQL")
        self.refused(statement("SELECT (1 AS a;", "one", "out a:int"), "a ( without its )")
        self.refused(statement("SELECT 1) AS a;", "one", "out a:int"), "a ) without its (")
        self.refused(statement("SELECT 'x AS a;", "one", "out a:int"), "can't read SQL here")
        self.refused(statement("DROP TABLE counter;", "exec"), "a statement is a SELECT")
        self.refused(statement("SELECT /*! 1 */ 1 AS a;", "one", "out a:int"), "can't read SQL here")

    def test_changes_name_their_rows(self):
        self.refused(statement("UPDATE counter SET value = 1;", "exec"), "UPDATE without WHERE")
        self.refused(statement("DELETE FROM counter;", "exec"), "DELETE without WHERE")

    def test_columns_are_named(self):
        self.refused(statement("SELECT * FROM counter WHERE name = 'x';", "one", "out name:text(32) value:int"), "SELECT *")
        self.refused(statement("SELECT c.* FROM counter c WHERE name = 'x';", "one", "out name:text(32) value:int"),
                     "SELECT *")
        self.accepted(statement("SELECT COUNT(*) AS n, 2 * value AS v FROM counter WHERE name = 'x' GROUP BY value;",
                                "one", "out n:int v:int"))
        self.refused(statement("INSERT INTO counter VALUES ('x', 1);", "exec"), "name the columns")

    def test_names_that_do_not_exist(self):
        self.refused(statement("SELECT value FROM counters WHERE name = 'x';", "one", "out value:int"),
                     "no table or view counters")
        self.refused(statement("SELECT valeu AS v FROM counter WHERE name = 'x';", "one", "out v:int"),
                     "no table here has a column valeu")
        self.refused(statement("SELECT c.valeu AS v FROM counter c WHERE name = 'x';", "one", "out v:int"),
                     "counter has no column valeu")
        self.refused(statement("SELECT d.value FROM counter c WHERE c.name = 'x';", "one", "out value:int"),
                     "d isn't in FROM")
        self.refused(statement("INSERT INTO counter (name, valeu) VALUES ('x', 1);", "exec"), "counter has no column valeu")
        self.refused(statement("INSERT INTO counter (name, value) VALUES ('x');", "exec"), "1 values for 2 columns")
        self.refused(statement("SELECT lw_tenent() AS t;", "one", "out t:id"), "there is no function lw_tenent")

    def test_no_statement_is_made_of_texts(self):
        self.refused(statement("SELECT value FROM counter WHERE name = (EXECUTE 'x');", "one", "out value:int"), "EXECUTE")

    # --- tenants
    def tenant_query(self, rest):
        return statement(f"SELECT n.title FROM {rest};", "many", "in id:id", "out title:text(100)")

    def test_a_tenants_rows_are_read_with_the_tenant(self):
        missing = "tenant_id = :tenant is missing"
        self.refused(self.tenant_query("v_note n WHERE n.note_id = :id"), missing, 6)
        self.refused(self.tenant_query("v_note n WHERE n.note_id = :id OR n.tenant_id = :tenant"), missing)
        self.refused(self.tenant_query("v_note n WHERE n.note_id = :id AND (n.tenant_id = :tenant OR 1)"), missing)
        self.refused(self.tenant_query("v_note n WHERE n.note_id = :id AND NOT n.tenant_id = :tenant"), missing)
        self.refused(self.tenant_query("v_note n WHERE n.tenant_id <> :tenant AND n.note_id = :id"), missing)
        self.refused(self.tenant_query("v_note n WHERE n.tenant_id = :id"), missing)
        self.refused(self.tenant_query("v_note n WHERE n.parent_id = :tenant AND n.note_id = :id"), missing)
        self.accepted(self.tenant_query("v_note n WHERE (n.tenant_id = :tenant) AND n.note_id = :id"))
        self.accepted(self.tenant_query("v_note n WHERE :tenant = n.tenant_id AND n.note_id = :id"))

    def test_each_table_of_a_join_names_the_tenant(self):
        self.refused(self.tenant_query("v_note n JOIN v_tag t ON t.note_id = n.note_id "
                                       "WHERE n.tenant_id = :tenant AND n.note_id = :id"),
                     "t.tenant_id = :tenant is missing")
        self.accepted(self.tenant_query("v_note n JOIN v_tag t ON t.tenant_id = n.tenant_id AND t.note_id = n.note_id "
                                        "WHERE n.tenant_id = :tenant AND n.note_id = :id"))
        self.accepted(self.tenant_query("v_note n JOIN v_tag t USING (tenant_id, note_id) "
                                        "WHERE t.tenant_id = :tenant AND n.note_id = :id"))
        self.accepted(self.tenant_query("v_note n LEFT JOIN v_tag t ON t.tenant_id = n.tenant_id AND t.note_id = n.note_id "
                                        "WHERE n.tenant_id = :tenant AND n.note_id = :id"))

    def test_an_outer_join_restricts_its_right_side_only(self):
        self.refused(self.tenant_query("v_note n LEFT JOIN v_tag t ON t.tenant_id = :tenant AND n.tenant_id = t.tenant_id "
                                       "WHERE n.note_id = :id"), "n.tenant_id = :tenant is missing")

    def test_subqueries_are_looked_into(self):
        outer = "v_note n WHERE n.tenant_id = :tenant AND n.note_id = :id AND EXISTS (SELECT 1 FROM v_tag t WHERE {})"
        self.refused(self.tenant_query(outer.format("t.note_id = n.note_id")), "t.tenant_id = :tenant is missing")
        self.accepted(self.tenant_query(outer.format("t.tenant_id = n.tenant_id AND t.note_id = n.note_id")))
        self.refused(self.tenant_query("(SELECT title FROM v_note x WHERE x.note_id = :id) n"),
                     "x.tenant_id = :tenant is missing")
        self.refused(statement("WITH n AS (SELECT title FROM v_note) SELECT n.title FROM n;", "many",
                               "out title:text(100)"), "v_note.tenant_id = :tenant is missing")
        self.refused(self.tenant_query("v_note n WHERE n.tenant_id = :tenant AND n.note_id = :id UNION "
                                       "SELECT title FROM v_note m"), "m.tenant_id = :tenant is missing")

    def test_changes_of_tenants_rows_name_the_tenant(self):
        self.refused(statement("UPDATE v_note SET title = 'x' WHERE note_id = :id;", "exec", "in id:id"), "is missing")
        self.refused(statement("DELETE FROM v_note WHERE note_id = :id;", "exec", "in id:id"), "is missing")
        self.refused(statement("UPDATE v_note SET tenant_id = :id WHERE tenant_id = :tenant;", "exec", "in id:id"),
                     "a row doesn't change its tenant")
        must = "the new row's tenant_id must be :tenant"
        self.refused(statement("INSERT INTO v_note (note_id, title) VALUES (:id, 'x');", "exec", "in id:id"), must)
        self.refused(statement("INSERT INTO v_note (tenant_id, note_id, title) VALUES (:id, :id, 'x');", "exec",
                               "in id:id"), must)
        self.refused(statement("INSERT INTO v_tag (tenant_id, note_id, tag) SELECT note_id, note_id, title FROM v_note "
                               "WHERE tenant_id = :tenant;", "exec"), must)
        self.accepted(statement("INSERT INTO v_tag (tenant_id, note_id, tag) SELECT tenant_id, note_id, 'x' FROM v_note "
                                "WHERE tenant_id = :tenant;", "exec"))

    def test_tables_of_tenants_are_reached_through_views(self):
        query = "SELECT title FROM note WHERE tenant_id = :tenant AND note_id = 'x';"
        self.refused(statement(query, "one", "out title:text(100)"), "use v_note", 5)
        self.accepted(statement(query, "one", "out title:text(100)", "global a reason"))
        self.refused(statement("SELECT title FROM v_note WHERE note_id = 'x';", "one", "out title:text(100)",
                               "global a reason"), "use the table")

    def test_only_a_binding_statement_touches_the_sessions_tenant(self):
        bind = "SELECT @lw_tenant := tenant_id AS tenant_id FROM session WHERE session_id = 'x';"
        self.refused(statement(bind, "one", "out tenant_id:id", "global a reason"), "only a :binds statement")
        self.refused(statement("SELECT tenant_id FROM session WHERE session_id = 'x';", "one", "out tenant_id:id",
                               "global a reason", "binds"), ":binds needs")

    # --- sessions
    def test_a_row_proves_that_the_session_is_live(self):
        where = "FROM v_note WHERE tenant_id = :tenant AND"
        joined = ":live must be one of the parts"
        self.accepted(statement(f"SELECT title {where} :live;", "many", "out title:text(100)"))
        self.accepted(statement(f"SELECT title, COUNT(*) AS n {where} :live GROUP BY title;", "many",
                                "out title:text(100) n:int"))
        self.accepted(statement("UPDATE v_note SET pinned = 1 WHERE tenant_id = :tenant AND :live;", "exec"))
        self.refused(statement(f"SELECT title {where} (pinned OR :live);", "many", "out title:text(100)"), joined)
        self.refused(statement(f"SELECT title {where} NOT :live;", "many", "out title:text(100)"), joined)
        self.refused(statement(f"SELECT :live AS title {where} 1;", "many", "out title:bool"), joined)
        self.refused(statement(f"SELECT title {where} :live UNION SELECT title {where} 1;", "many",
                               "out title:text(100)"), joined)
        self.refused(statement(f"SELECT COUNT(*) AS n {where} :live;", "one", "out n:int"), "an aggregate without GROUP BY")

    def test_a_join_with_the_session_proves_it_too(self):
        where, out = "WHERE n.tenant_id = :tenant", "out title:text(100)"
        self.accepted(statement(f"SELECT n.title FROM v_note n :live_join {where};", "many", out))
        self.accepted(statement(f"SELECT n.title FROM v_note n LEFT JOIN counter c ON c.name = n.title :live_join {where};",
                                "many", out))
        for broken in (f"SELECT n.title FROM v_note n LEFT :live_join {where};",
                       f"SELECT n.title FROM v_note n :live_join OR n.pinned {where};",
                       f"SELECT n.title FROM v_note n :live_join {where} UNION SELECT n.title FROM v_note n {where};",
                       f"SELECT n.title FROM v_note n {where} AND n.title IN (SELECT m.title FROM v_note m :live_join "
                       "WHERE m.tenant_id = :tenant);"):
            self.refused(statement(broken, "many", out), ":live must be one of the parts")
        self.refused(statement(f"SELECT COUNT(*) AS n FROM v_note n :live_join {where};", "one", "out n:int"),
                     "an aggregate without GROUP BY")

    def test_without_the_check_the_join_is_gone(self):
        self.directory.write("statements/other.sql", statement(
            "SELECT n.title FROM v_note n :live_join WHERE n.tenant_id = :tenant;", "many", "out title:text(100)"))
        sql, params = sqlgen.build(self.directory.path)[0]["other"][0].checked
        self.assertEqual(sql, "SELECT n.title FROM v_note n WHERE n.tenant_id = ?")
        self.assertEqual([v.name for v in params], ["tenant"])

    # --- the rest of the directory
    def test_migrations_are_numbered_once(self):
        self.directory.write("migrations/0001_again.sql", "CREATE TABLE again (a INT);")
        self.assertIn("version 1 is 0001_again.sql already", self.directory.failures()[0])
        self.directory.write("migrations/next.sql", "CREATE TABLE next_one (a INT);")
        self.assertTrue(any("NNNN_words.sql" in f for f in self.directory.failures()))

    def test_later_migrations_change_what_columns_there_are(self):
        self.directory.write("migrations/0002_more.sql",
                             "ALTER TABLE counter ADD COLUMN extra INT, DROP COLUMN value, ADD KEY extra (extra);\n"
                             "ALTER TABLE counter RENAME COLUMN extra TO spare; DROP TABLE tag;")
        failures = self.directory.failures(statement("SELECT spare FROM counter WHERE name = 'x';", "one", "out spare:int"))
        self.assertTrue(failures)
        self.assertFalse(any("other.sql" in f for f in failures), failures)
        self.assertTrue(any("no column" in f or "no table here" in f for f in failures), failures)


ROUTINES = """
-- :begin
CREATE OR REPLACE FUNCTION lw_count(in_name VARCHAR(32)) RETURNS BIGINT MODIFIES SQL DATA SQL SECURITY DEFINER
BEGIN
	UPDATE counter SET value = value + 1 WHERE name = in_name;
	RETURN (SELECT value FROM counter WHERE name = in_name);
END
-- :end
-- :begin
CREATE OR REPLACE PROCEDURE lw_forget(in_name VARCHAR(32))
BEGIN
	CREATE TABLE inner_table (a INT);
	DELETE FROM counter WHERE name = in_name;
END
-- :end
CREATE TABLE outer_table (a INT);
"""


class Routines(unittest.TestCase):
    """Functions and procedures of views.sql: blocks with semicolons of their own, and the statements that call them."""

    def setUp(self):
        self.directory = Directory(self)
        with open(os.path.join(self.directory.path, "views.sql"), "a", encoding="utf-8") as file:
            file.write(ROUTINES)

    def refused(self, text, wanted):
        failures = self.directory.failures(text)
        self.assertTrue(any(wanted in f for f in failures), f"{failures} lacks {wanted!r}")

    def generate(self, text):
        """The grants and the description of one statement more."""
        self.assertEqual(self.directory.failures(text), [])
        path = self.directory.path
        subprocess.run([sys.executable, "-B", GENERATOR, "--sql", path, "--grants", f"{path}/g.sql", "--json", f"{path}/s.json"],
                       check=True)
        with open(f"{path}/g.sql", encoding="utf-8") as grants, open(f"{path}/s.json", encoding="utf-8") as described:
            return grants.read(), {s["name"]: s for s in json.load(described)["statements"]}["other_thing"]

    def test_a_block_ends_with_its_mark_and_not_with_a_semicolon(self):
        self.assertEqual(self.directory.failures(statement("SELECT a FROM outer_table;", "many", "out a:int", "scan all")), [])
        self.refused(statement("SELECT a FROM inner_table;", "many", "out a:int", "scan all"), "inner_table")

    def test_who_calls_a_procedure_may_execute_it_and_nobody_else(self):
        grants, described = self.generate(statement("CALL lw_forget(:name);", "exec", "in name:text(32)"))
        self.assertEqual([line for line in grants.splitlines() if "EXECUTE" in line],
                         ["GRANT EXECUTE ON PROCEDURE lw_forget TO @front@;"])
        self.assertEqual(([v["name"] for v in described["in"]], described["sql"]), (["name"], "CALL lw_forget(?)"))
        self.assertNotIn("STMT_READ", described["flags"])

    def test_who_selects_from_a_function_may_execute_it(self):
        grants, described = self.generate(statement("SELECT lw_count(:name) AS value;", "one", "in name:text(32)", "out value:int"))
        self.assertIn("GRANT EXECUTE ON FUNCTION lw_count TO @front@;", grants)
        self.assertEqual([v["name"] for v in described["out"]], ["value"])

    def test_a_call_has_the_scopes_values_like_any_statement(self):
        _, described = self.generate(statement("CALL lw_forget(CONCAT(:now, HEX(:tenant), :now));", "exec"))
        self.assertEqual([v["name"] for v in described["in"]], ["now", "tenant", "now"])
        self.assertIn("STMT_TENANT", described["flags"])

    def test_a_call_is_of_a_procedure_that_there_is(self):
        self.refused(statement("CALL lw_forgotten();", "exec"), "there is no function lw_forgotten")

    def test_a_call_is_written_whole(self):
        for sql in ("CALL lw_forget;", "CALL (1);", "CALL lw_forget(1) + 2;"):
            self.refused(statement(sql, "exec"), "CALL procedure(...) expected")

    def test_what_a_call_reads_by_itself_is_looked_into(self):
        self.refused(statement("CALL lw_forget((SELECT title FROM v_note WHERE note_id = :note_id));", "exec", "in note_id:id"),
                     "tenant_id = :tenant is missing")
        self.refused(statement("CALL lw_forget((SELECT nothing FROM counter WHERE name = 'x'));", "exec"), "nothing")


class Status(unittest.TestCase):
    def run_generator(self, path):
        return subprocess.run([sys.executable, "-B", GENERATOR, "--sql", path, "--json", f"{path}/out.json"],
                              capture_output=True, text=True, check=False)

    def test_violations_end_with_status_1_and_write_nothing(self):
        directory = Directory(self)
        directory.write("statements/other.sql", statement("DELETE FROM counter;", "exec")
                        + statement("SELECT * FROM counter;", "many", "out a:int", name="other_two"))
        result = self.run_generator(directory.path)
        self.assertEqual(result.returncode, 1)
        self.assertEqual(len(result.stderr.splitlines()), 2)
        for line in result.stderr.splitlines():
            self.assertRegex(line, LINE)
        self.assertFalse(os.path.exists(f"{directory.path}/out.json"))

    def test_a_file_that_is_not_utf_8_is_named(self):
        directory = Directory(self)
        with open(os.path.join(directory.path, "statements", "other.sql"), "wb") as file:
            file.write(b"-- :name x\n\xff")
        result = self.run_generator(directory.path)
        self.assertEqual(result.returncode, 1)
        self.assertIn("other.sql:2: not UTF-8", result.stderr)


class Mutations(unittest.TestCase):
    """Whatever is in a file, the answer is a message with a place, never a traceback."""

    WORDS = ["SELECT", "FROM", "WHERE", "JOIN", "LEFT", "ON", "USING", "AS", "AND", "OR", "(", ")", ",", ".", ";", "=",
             "*", "UNION", "WITH", "INSERT INTO", "VALUES", "SET", "UPDATE", "DELETE", "'", "`", "--", "/*", ":tenant",
             ":live", ":live_join", ":x", "@lw_tenant", ":=", "-- :name x\n", "-- :out", "-- :in a:id\n", "ON DUPLICATE KEY UPDATE",
             "RETURNING", "FOR UPDATE", "JSON_TABLE", "EXISTS", "\n", "0x", "?", "\x00", "é", "(((", "LIMIT", "RECURSIVE",
             "CREATE VIEW", "ALTER TABLE", "ADD", "DROP", "RENAME", "REPLACE", "information_schema.", "GROUP BY"]

    def mutate(self, chance, text):
        pieces = re.findall(r"\w+|\s+|[^\w\s]", text)
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(pieces))
            kind = chance.randrange(4)
            if kind == 0:
                del pieces[at:at + chance.randint(1, 6)]
            elif kind == 1:
                pieces.insert(at, f" {chance.choice(self.WORDS)} ")
            elif kind == 2:
                pieces[at] = chance.choice(self.WORDS)
            else:
                other = chance.randrange(len(pieces))
                pieces[at], pieces[other] = pieces[other], pieces[at]
            if not pieces:
                break
        return "".join(pieces)

    def test_mutated_files_give_messages_and_no_tracebacks(self):
        chance = random.Random(20261120)
        directory = Directory(self)
        originals = {}
        for name in ("statements/note.sql", "views.sql", "macros.sql", "migrations/0001_note.sql"):
            with open(os.path.join(directory.path, name), encoding="utf-8") as file:
                originals[name] = file.read()
        refused = 0
        for round_ in range(400):
            name = chance.choice(["statements/note.sql"] * 5 + list(originals))
            directory.write(name, self.mutate(chance, originals[name]))
            try:
                modules, analyses, schema, failures = sqlgen.build(directory.path)
                if not failures:
                    sqlgen.emit.source(modules, analyses)
                    sqlgen.emit.grants(list(analyses), analyses, schema)
            except Exception as error:  # the very thing that must not happen
                raise AssertionError(f"round {round_} of {name}: {error!r}") from error
            for failure in failures:
                self.assertRegex(str(failure), LINE)
            refused += bool(failures)
            directory.write(name, originals[name])
        self.assertGreater(refused, 200)


if __name__ == "__main__":
    unittest.main()
