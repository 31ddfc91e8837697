/* Cutting SQL files: a wrong cut would run half a statement on a live schema. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "store/script.h"

static void assert_statements(const char *script, const char *const *wanted)
{
	struct str rest = str_of(script), statement;

	for (; *wanted; wanted++) {
		assert_true(script_next(&rest, &statement));
		assert_int_equal(statement.n, strlen(*wanted));
		assert_memory_equal(statement.p, *wanted, statement.n);
	}
	assert_false(script_next(&rest, &statement));
}

#define ASSERT_STATEMENTS(script, ...)                                                             \
	assert_statements(script, (const char *const[]){ __VA_ARGS__, NULL })

static void a_script_is_cut_at_its_semicolons(void **state)
{
	(void)state;
	ASSERT_STATEMENTS("A;\nB ;; C", "A", "B", "C");
	ASSERT_STATEMENTS("\n -- only\n/* words */ # here\n A\n", "A");
	assert_statements("", (const char *const[]){ NULL });
	assert_statements(" ; -- nothing ; at all", (const char *const[]){ NULL });
}

static void semicolons_in_quotes_and_comments_cut_nothing(void **state)
{
	(void)state;
	ASSERT_STATEMENTS("A 'x;''y;' \"a;\\\";\" `b;`; B", "A 'x;''y;' \"a;\\\";\" `b;`", "B");
	ASSERT_STATEMENTS("A -- x;\n+ 1; B", "A -- x;\n+ 1", "B");
	ASSERT_STATEMENTS("A /* ; */ 1; B # ;\n 2", "A /* ; */ 1", "B # ;\n 2");
	ASSERT_STATEMENTS("A 5--1; B", "A 5--1", "B");
}

static void what_is_never_closed_reaches_to_the_end(void **state)
{
	(void)state;
	ASSERT_STATEMENTS("A 'x; B", "A 'x; B");
	ASSERT_STATEMENTS("A /* x; B", "A /* x; B");
	ASSERT_STATEMENTS("-- :begin\nA; B;", "A; B");
}

static void a_block_is_one_statement(void **state)
{
	(void)state;
	ASSERT_STATEMENTS("A;\n-- :begin\nCREATE x BEGIN\n\tB;\n\tC;\nEND;\n-- :end\nD;", "A",
			  "CREATE x BEGIN\n\tB;\n\tC;\nEND", "D");
}

static void only_changes_of_rows_share_a_transaction(void **state)
{
	(void)state;
	assert_true(script_changes_rows(STR("insert into x")));
	assert_true(script_changes_rows(STR("UPDATE\nx")));
	assert_false(script_changes_rows(STR("CREATE TABLE x")));
	assert_false(script_changes_rows(STR("INSERTED")));
	assert_false(script_changes_rows(STR("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_script_is_cut_at_its_semicolons),
		cmocka_unit_test(semicolons_in_quotes_and_comments_cut_nothing),
		cmocka_unit_test(what_is_never_closed_reaches_to_the_end),
		cmocka_unit_test(a_block_is_one_statement),
		cmocka_unit_test(only_changes_of_rows_share_a_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
