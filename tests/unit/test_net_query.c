/* Queries in databases: real ones, and ones that mean no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "net/egress.h"
#include "net/query.h"
#include "net_login_support.h"

enum { PATIENCE_MS = 60000, SHORT_MS = 1500 };

static struct egress_policy *policy;
static struct query_answer answer;
static char rows[4096];

static enum err lookup(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	(void)arg;
	(void)host;
	ret_addresses->count = 1;
	assert_true(address_parse(STR("127.0.0.1"), &ret_addresses->v[0]));
	return OK;
}

static int set_up(void **state)
{
	char hosts[4000] = "db.example.com:1", why[EGRESS_WHY_MAX];

	(void)state;
	for (size_t i = 0; i < servers.count; i++)
		if (servers.v[i].port != 0)
			snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), ", db.example.com:%u", servers.v[i].port);
	return egress_policy_new(&(struct egress_settings){ .allow_hosts = hosts, .ca_file = servers.ca_file,
							    .timeout_ms = PATIENCE_MS, .resolver = lookup },
				 why, &policy) == OK
		       ? 0
		       : -1;
}

static int tear_down(void **state)
{
	(void)state;
	egress_policy_free(policy);
	return 0;
}

/* "a=1 b=x|": numbers, texts and flags as they are, null as nothing. */
static enum err note_row(void *arg, const struct query_cell *cell, size_t cells)
{
	(void)arg;
	for (size_t i = 0; i < cells; i++)
		snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "%s%.*s=%.*s", i > 0 ? " " : "",
			 STR_ARG(cell[i].column), STR_ARG(cell[i].text));
	snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "|");
	return OK;
}

static void ask_with(const char *server, const char *text, const struct query_value *value, size_t values)
{
	const struct query query = {
		.login = { .host = STR("db.example.com"), .port = port_of(server), .user = STR("reader"),
			   .password = STR("good"), .database = STR("shop"),
			   .timeout_ms = strstr(server, "silent") || strstr(server, "drip") ? SHORT_MS : 0 },
		.text = str_of(text),
		.value = value,
		.values = values,
		.rows_max = 3,
		.bytes_max = 256 << 10,
		.row = note_row,
	};
	bool mysql = strncmp(server, "mysql", 5) == 0 || strcmp(server, "mariadb") == 0;

	rows[0] = '\0';
	assert_int_equal((mysql ? query_mysql : query_postgresql)(&query, policy, &answer), OK);
}

static void ask(const char *server, const char *text) { ask_with(server, text, NULL, 0); }

static void assert_rows(const char *want, bool truncated)
{
	if (answer.end != LOGIN_DONE || answer.state[0] != '\0' || strcmp(rows, want) != 0)
		fail_msg("%s instead of %s (%d, %s, %s)", rows, want, answer.end, answer.state,
			 answer.words ? answer.words : "");
	assert_int_equal(answer.truncated, truncated);
	assert_false(answer.maybe_done);
}

static void rows_are_handed_over_up_to_a_number(void **state)
{
	(void)state;
	ask("postgresql", "select n, null as x from generate_series(1, 3) n");
	assert_rows("n=1 x=|n=2 x=|n=3 x=|", false);
	ask("postgresql", "with recursive s(n) as (select 1 union all select n + 1 from s) select n from s");
	assert_rows("n=1|n=2|n=3|", true);
	ask("mariadb", "select seq from seq_1_to_3");
	assert_rows("seq=1|seq=2|seq=3|", false);
	ask("mariadb", "select seq from seq_1_to_1000000000");
	assert_rows("seq=1|seq=2|seq=3|", true);
}

static void parameters_are_values(void **state)
{
	static const struct query_value VALUES[] = { { QUERY_TEXT, STR("'; select 1; --"), 0 },
						     { QUERY_NUMBER, STR_NONE, -7 }, { QUERY_NULL, STR_NONE, 0 },
						     { QUERY_BOOL, STR_NONE, 1 } };

	(void)state;
	ask_with("postgresql", "select $1::text a, $2::int b, $3::text c, $4::boolean d", VALUES, 4);
	assert_rows("a='; select 1; -- b=-7 c= d=t|", false);
	ask_with("mariadb", "select ? a, ? b, ? c, ? d", VALUES, 4);
	assert_rows("a='; select 1; -- b=-7 c= d=1|", false);
	ask_with("mariadb", "select ?", VALUES, 4);
	assert_string_equal(answer.state, "07001");
	ask_with("postgresql", "select $1::text", VALUES, 4);
	assert_int_not_equal(answer.state[0], '\0');
}

static void a_second_statement_is_refused(void **state)
{
	(void)state;
	for (const char *const *server = (const char *const[]){ "postgresql", "mariadb", NULL }; *server; server++) {
		ask(*server, "select 1; select 2");
		assert_int_equal(answer.end, LOGIN_DONE);
		assert_int_not_equal(answer.state[0], '\0');
		assert_string_equal(rows, "");
		assert_false(answer.maybe_done);
	}
}

static void a_refusal_is_a_state_and_nothing_else(void **state)
{
	(void)state;
	ask("postgresql", "select 'secret' from nowhere");
	assert_string_equal(answer.state, "42P01");
	ask("mariadb", "select 'secret' from nowhere");
	assert_true(answer.state[0] == '4');
	assert_null(answer.words);
	ask("pg_evil", "select 1");
	assert_int_equal(answer.end, LOGIN_REFUSED);
	ask("postgresql", "copy (select 1) to stdout");
	assert_string_equal(answer.state, "0A000");
	ask("postgresql", "");
	assert_int_not_equal(answer.state[0], '\0');
}

static void servers_that_mean_no_good_are_left(void **state)
{
	static const char *const BAD[] = { "silent", "pg_plain", "pg_self", "pg_notices", "pg_huge", "noise", "mysql_plain",
					   "mysql_self", "mysql_switches", "mysql_columns", "mysql_infile", "mysql_clear",
					   "mysql_drip" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		ask(BAD[i], "select 1");
		if (answer.end == LOGIN_DONE && answer.state[0] == '\0' && !answer.too_large)
			fail_msg("%s was believed", BAD[i]);
		assert_string_equal(rows, "");
	}
	assert_false(seen("mysql_infile got the file"));
	assert_false(seen("mysql_clear got the password"));
}

static void too_much_is_told_from_other_trouble(void **state)
{
	(void)state;
#ifndef __SANITIZE_ADDRESS__ /* its malloc has no cap that libpq could meet (base/free.h) */
	ask("postgresql", "select repeat('x', 3000000) as x");
	assert_true(answer.too_large);
	ask("postgresql", "select repeat('x', 100000000) as x");
	assert_true(answer.too_large);
#endif
	ask("mariadb", "select repeat('x', 3000000) as x");
	assert_true(answer.too_large);
	assert_string_equal(rows, "");
}

#define QUERY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		QUERY_TEST(rows_are_handed_over_up_to_a_number),
		QUERY_TEST(parameters_are_values),
		QUERY_TEST(a_second_statement_is_refused),
		QUERY_TEST(a_refusal_is_a_state_and_nothing_else),
		QUERY_TEST(servers_that_mean_no_good_are_left),
		QUERY_TEST(too_much_is_told_from_other_trouble),
	};

	if (!login_servers_start())
		return login_servers_stop() == LOGIN_SERVERS_MISSING ? LOGIN_SERVERS_MISSING : EXIT_FAILURE;
	if (port_of("postgresql") == 0 || port_of("mariadb") == 0) {
		login_servers_stop();
		return LOGIN_SERVERS_MISSING;
	}
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	login_servers_stop();
	return failures;
}
