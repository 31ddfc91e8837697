/* Logins to databases and mail servers: real ones, and ones that mean no good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/free.h"
#include "fcgi/sandbox.h"
#include "net/egress.h"
#include "net/login.h"
#include "net_login_support.h"

enum { PATIENCE_MS = 20000, SHORT_MS = 1500, MEMORY_MAX_KB = 32 << 10 };

/* How often a name was looked up, and what the second look-up gives. */
static int lookups;
static const char *address_later = "127.0.0.1";

static enum err lookup(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	(void)arg;
	(void)host;
	ret_addresses->count = 1;
	assert_true(address_parse(str_of(lookups++ == 0 ? "127.0.0.1" : address_later),
				  &ret_addresses->v[0]));
	return OK;
}

static struct egress_policy *policy;

static struct egress_policy *policy_with(const char *ca_file)
{
	char hosts[4000] = "", why[EGRESS_WHY_MAX];
	struct egress_policy *made;

	for (size_t i = 0; i < servers.count; i++)
		if (servers.v[i].port != 0)
			snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts),
				 "db.example.com:%u, other.example.com:%u, ", servers.v[i].port,
				 servers.v[i].port);
	snprintf(hosts + strlen(hosts), sizeof hosts - strlen(hosts), "db.example.com:1");
	if (egress_policy_new(&(struct egress_settings){ .allow_hosts = hosts,
							 .ca_file = ca_file,
							 .timeout_ms = PATIENCE_MS,
							 .resolver = lookup },
			      why, &made) != OK)
		fail_msg("%s", why);
	return made;
}

static int set_up(void **state)
{
	(void)state;
	lookups = 0;
	policy = policy_with(servers.ca_file);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	egress_policy_free(policy);
	return 0;
}

typedef enum err (*login_function)(const struct login *, const struct egress_policy *,
				   struct login_answer *);
static struct login_answer answer;

static enum login_end end_of(login_function function, struct login login)
{
	assert_int_equal(function(&login, policy, &answer), OK);
	return answer.end;
}

static struct login to(const char *server, const char *password)
{
	return (struct login){ .host = STR("db.example.com"),
			       .port = port_of(server),
			       .user = STR("reader"),
			       .password = str_of(password),
			       .database =
				       str_of(strncmp(server, "smtp", 4) == 0 ? NULL : "shop") };
}

/* --- what works --------------------------------------------------------------------- */

static void a_good_login_says_who_it_is(void **state)
{
	struct login login = to("smtp_starttls", "good");

	(void)state;
	assert_int_equal(end_of(login_postgresql, to("postgresql", "good")), LOGIN_DONE);
	assert_string_equal(answer.account, "reader");
	assert_int_equal(end_of(login_mysql, to("mariadb", "good")), LOGIN_DONE);
	assert_string_equal(answer.account, "reader@%");
	assert_int_equal(end_of(login_smtp, to("smtp_tls", "good")), LOGIN_DONE);
	login.starttls = true;
	assert_int_equal(end_of(login_smtp, login), LOGIN_DONE);
	login.user = login.password = STR("");
	assert_int_equal(end_of(login_smtp, login), LOGIN_DONE);
}

static void a_wrong_password_is_told_from_a_missing_database(void **state)
{
	static const char *const DATABASES[] = { "nowhere", "closed" };

	(void)state;
	assert_int_equal(end_of(login_postgresql, to("postgresql", "bad")), LOGIN_REFUSED);
	assert_int_equal(end_of(login_postgresql, to("postgresql", "")), LOGIN_REFUSED);
	assert_int_equal(end_of(login_mysql, to("mariadb", "bad")), LOGIN_REFUSED);
	assert_int_equal(end_of(login_mysql, to("mariadb", "")), LOGIN_REFUSED);
	assert_int_equal(end_of(login_smtp, to("smtp_tls", "bad")), LOGIN_REFUSED);
	for (size_t i = 0; i < ARRAY_SIZE(DATABASES); i++) {
		struct login pg = to("postgresql", "good"), my = to("mariadb", "good");

		pg.database = my.database = str_of(DATABASES[i]);
		assert_int_equal(end_of(login_postgresql, pg), LOGIN_NOT_ALLOWED);
		assert_int_equal(end_of(login_mysql, my), LOGIN_NOT_ALLOWED);
	}
}

static void a_database_is_a_name_and_no_connection_string(void **state)
{
	static const char *const NAMES[] = { "shop host=127.0.0.1", "postgresql://127.0.0.1/shop",
					     "dbname=shop sslmode=disable" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
		struct login login = to("postgresql", "good");

		login.database = str_of(NAMES[i]);
		assert_int_equal(end_of(login_postgresql, login), LOGIN_NOT_ALLOWED);
	}
}

static void a_ca_of_ones_own_is_enough(void **state)
{
	struct login pg = to("postgresql", "good"), my = to("mariadb", "good"),
		     mail = to("smtp_tls", "good");

	(void)state;
	egress_policy_free(policy);
	policy = policy_with(NULL);
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_NO_TLS);
	assert_int_equal(end_of(login_mysql, my), LOGIN_NO_TLS);
	assert_int_equal(end_of(login_smtp, mail), LOGIN_NO_TLS);
	pg.ca = my.ca = mail.ca = str_of(servers.ca);
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_DONE);
	assert_int_equal(end_of(login_mysql, my), LOGIN_DONE);
	assert_int_equal(end_of(login_smtp, mail), LOGIN_DONE);
}

static struct str pem_of(const char *name, char *text, size_t size)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", servers.directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	size_t n = fread(text, 1, size, file);
	fclose(file);
	return (struct str){ text, n };
}

static void a_user_may_have_a_certificate(void **state)
{
	char certificate[4096], key[4096], other[4096];
	struct login pg = to("postgresql", ""), my = to("mariadb", "good");

	(void)state;
	pg.user = my.user = STR("carol");
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_REFUSED);
	assert_int_equal(end_of(login_mysql, my), LOGIN_REFUSED);
	pg.certificate = my.certificate = pem_of("carol.pem", certificate, sizeof certificate);
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_ODD);
	pg.key = my.key = pem_of("carol.key", key, sizeof key);
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_DONE);
	assert_string_equal(answer.account, "carol");
	assert_int_equal(end_of(login_mysql, my), LOGIN_DONE);
	pg.key = my.key = pem_of("good.key", other, sizeof other);
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_NO_TLS);
	assert_int_equal(end_of(login_mysql, my), LOGIN_NO_TLS);
	pg.key = my.key = pem_of("locked.key", other, sizeof other);
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_NO_TLS);
	assert_int_equal(end_of(login_mysql, my), LOGIN_NO_TLS);
	pg.key = my.key = STR("no PEM");
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_NO_TLS);
	assert_int_equal(end_of(login_mysql, my), LOGIN_NO_TLS);
}

/* --- certificates -------------------------------------------------------------------- */

static void the_certificate_must_name_the_host(void **state)
{
	static const enum login_end ENDS[] = { [LOGIN_TLS_VERIFY_NAME] = LOGIN_NO_TLS,
					       [LOGIN_TLS_VERIFY_CA] = LOGIN_DONE,
					       [LOGIN_TLS_ANY] = LOGIN_DONE };
	struct login mail = to("smtp_tls", "good");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
		struct login pg = to("postgresql", "good"), my = to("mariadb", "good");

		pg.host = my.host = STR("other.example.com");
		pg.tls = my.tls = (enum login_tls)i;
		assert_int_equal(end_of(login_postgresql, pg), ENDS[i]);
		assert_int_equal(end_of(login_mysql, my), ENDS[i]);
	}
	mail.host = STR("other.example.com");
	assert_int_equal(end_of(login_smtp, mail), LOGIN_NO_TLS);
}

static void a_certificate_that_nobody_vouches_for_gets_no_login(void **state)
{
	struct login pg = to("pg_self", "good"), my = to("mysql_self", "good");

	(void)state;
	for (int tls = LOGIN_TLS_VERIFY_NAME; tls <= LOGIN_TLS_VERIFY_CA; tls++) {
		pg.tls = my.tls = (enum login_tls)tls;
		assert_int_equal(end_of(login_postgresql, pg), LOGIN_NO_TLS);
		assert_int_equal(end_of(login_mysql, my), LOGIN_NO_TLS);
	}
	assert_int_equal(end_of(login_smtp, to("smtp_self", "good")), LOGIN_NO_TLS);
	assert_false(seen("_self"));
	/* Who asks for it in words gets it. */
	pg.tls = my.tls = LOGIN_TLS_ANY;
	pg.timeout_ms = my.timeout_ms = SHORT_MS;
	assert_int_equal(end_of(login_postgresql, pg), LOGIN_TIMEOUT);
	assert_int_equal(end_of(login_mysql, my), LOGIN_TIMEOUT);
	assert_true(seen("pg_self"));
	assert_true(seen("mysql_self"));
}

static void nothing_is_said_to_a_server_without_tls(void **state)
{
	struct login mail = to("smtp_stripped", "good");

	(void)state;
	for (int tls = LOGIN_TLS_VERIFY_NAME; tls <= LOGIN_TLS_ANY; tls++) {
		struct login pg = to("pg_plain", "good"), my = to("mysql_plain", "good");

		pg.tls = my.tls = (enum login_tls)tls;
		assert_int_equal(end_of(login_postgresql, pg), LOGIN_NO_TLS);
		assert_int_equal(end_of(login_mysql, my), LOGIN_NO_TLS);
	}
	mail.starttls = true;
	assert_int_equal(end_of(login_smtp, mail), LOGIN_NO_TLS);
	assert_false(seen("_plain"));
	assert_false(seen("password"));
	assert_int_equal(end_of(login_smtp, to("smtp_no_auth", "good")), LOGIN_REFUSED);
}

/* --- servers that mean no good --------------------------------------------------------- */

static void a_server_gets_no_file_and_no_password_in_clear(void **state)
{
	struct login file = to("mysql_infile", "good"), clear = to("mysql_clear", "good");

	(void)state;
	file.timeout_ms = clear.timeout_ms = SHORT_MS;
	(void)end_of(login_mysql, file);
	assert_false(seen("mysql_infile"));
	assert_int_equal(end_of(login_mysql, clear), LOGIN_ODD);
	assert_false(seen("mysql_clear"));
}

static void what_never_ends_is_ended(void **state)
{
	static const struct {
		login_function function;
		const char *server;
	} CASES[] = {
		{ login_mysql, "mysql_switches" }, { login_mysql, "mysql_columns" },
		{ login_mysql, "mysql_drip" },     { login_mysql, "silent" },
		{ login_mysql, "noise" },          { login_postgresql, "pg_notices" },
		{ login_postgresql, "pg_huge" },   { login_postgresql, "silent" },
		{ login_postgresql, "noise" },     { login_smtp, "silent" },
		{ login_smtp, "noise" },
	};
	struct rusage before, after;

	(void)state;
	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		struct login login = to(CASES[i].server, "good");

		login.database = STR_NONE;
		login.timeout_ms = SHORT_MS;
		enum login_end end = end_of(CASES[i].function, login);
		/* A MySQL login was done before its question was answered. */
		if (end != LOGIN_TIMEOUT && end != LOGIN_ODD && end != LOGIN_NO_TLS)
			fail_msg("%s: %d", CASES[i].server, end);
	}
	getrusage(RUSAGE_SELF, &after);
	if (free_wipes())
		assert_true(after.ru_maxrss - before.ru_maxrss < MEMORY_MAX_KB);
}

static void another_protocol_is_no_login(void **state)
{
	struct login mail = to("noise", "good");

	(void)state;
	mail.starttls = true;
	mail.database = STR_NONE;
	assert_int_equal(end_of(login_smtp, mail), LOGIN_ODD);
	assert_int_equal(end_of(login_mysql, to("noise", "good")), LOGIN_ODD);
}

static void a_servers_words_go_nowhere(void **state)
{
	(void)state;
	assert_int_equal(end_of(login_postgresql, to("pg_evil", "good")), LOGIN_REFUSED);
	assert_true(!answer.words || !strstr(answer.words, "script"));
	assert_string_equal(answer.account, "");
}

/* --- the guard --------------------------------------------------------------------------- */

static const login_function ALL[] = { login_postgresql, login_mysql, login_smtp };

static void private_hosts_see_no_packet(void **state)
{
	static const char *const HOSTS[] = {
		"127.0.0.1",
		"localhost",
		"LOCALHOST.",
		"127.1",
		"2130706433",
		"0x7f000001",
		"0177.0.0.1",
		"127.0.0.1.",
		"::1",
		"[::1]",
		"::ffff:127.0.0.1",
		"::ffff:a9fe:a9fe",
		"64:ff9b::7f00:1",
		"2002:7f00:1::",
		"fe80::1%eth0",
		"10.0.0.1",
		"100.64.0.1",
		"169.254.169.254",
		"172.16.0.1",
		"192.168.0.1",
		"224.0.0.1",
		"255.255.255.255",
		"0.0.0.0",
		"168.63.129.16",
		"100.100.100.200",
		"fd00:ec2::254",
		"metadata.google.internal",
		"/run/mysqld/mysqld.sock",
		"@abstract",
		"db.example.com,127.0.0.1",
		"user@127.0.0.1",
		"db.example.com:5432",
		"127.0.0.1\\@db.example.com",
		"",
		"leads-inside.example.com",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(HOSTS); i++) {
		for (size_t f = 0; f < ARRAY_SIZE(ALL); f++) {
			struct login login = to("sink", "good");

			login.host = str_of(HOSTS[i]);
			if (end_of(ALL[f], login) != LOGIN_FORBIDDEN)
				fail_msg("%s: %d", HOSTS[i], answer.end);
		}
	}
	assert_false(seen("sink"));
}

static void a_name_is_looked_up_once(void **state)
{
	static const char *const SERVERS[] = { "postgresql", "mariadb", "smtp_tls" };

	(void)state;
	address_later = "169.254.169.254";
	for (size_t i = 0; i < ARRAY_SIZE(SERVERS); i++) {
		lookups = 0;
		assert_int_equal(end_of(ALL[i], to(SERVERS[i], "good")), LOGIN_DONE);
		assert_int_equal(lookups, 1);
	}
	address_later = "127.0.0.1";
}

static void nothing_listens_there(void **state)
{
	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(ALL); f++) {
		struct login login = to("sink", "good");

		login.port = 1;
		assert_int_equal(end_of(ALL[f], login), LOGIN_UNREACHABLE);
	}
}

static void the_environment_has_no_say(void **state)
{
	static const char *const NAMES[] = { "PGHOSTADDR",    "PGHOST",     "PGSERVICE",
					     "PGSERVICEFILE", "PGPASSWORD", "PGSSLROOTCERT",
					     "PGDATABASE",    "MYSQL_PWD",  "MYSQL_HOST",
					     "https_proxy",   "ALL_PROXY" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
		setenv(NAMES[i], "/nonsense", 1);
	setenv("PGSSLMODE", "disable", 1);
	assert_int_equal(end_of(login_postgresql, to("postgresql", "good")), LOGIN_DONE);
	assert_int_equal(end_of(login_mysql, to("mariadb", "good")), LOGIN_DONE);
	setenv("MYSQL_PWD", "good", 1);
	setenv("PGPASSWORD", "good", 1);
	assert_int_equal(end_of(login_mysql, to("mariadb", "")), LOGIN_REFUSED);
	assert_int_equal(end_of(login_postgresql, to("postgresql", "")), LOGIN_REFUSED);
	assert_int_equal(end_of(login_smtp, to("smtp_tls", "good")), LOGIN_DONE);
	for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++)
		unsetenv(NAMES[i]);
}

/* In a child: a sandbox is for ever. */
static void the_vaults_sandbox_lets_them_work(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	assert_true(pid >= 0);
	if (pid == 0) {
		struct login logins[] = { to("postgresql", "good"), to("mariadb", "good"),
					  to("smtp_tls", "good") };
		int worked = 0;

		logins[0].ca = logins[1].ca = str_of(servers.ca); /* a file in memory */
		if (sandbox_vault() != OK)
			_exit(100);
		for (size_t i = 0; i < ARRAY_SIZE(ALL); i++)
			if (ALL[i](&logins[i], policy, &answer) == OK && answer.end == LOGIN_DONE)
				worked |= 1 << i;
		logins[1] = to("mysql_switches", "good");
		logins[1].timeout_ms = SHORT_MS;
		if (login_mysql(&logins[1], policy, &answer) == OK && answer.end != LOGIN_DONE)
			worked |= 8;
		_exit(worked);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 15);
}

static void values_that_end_a_line_are_not_sent(void **state)
{
	static const struct str BAD[] = { STR("a\r\nRCPT TO:<b@c>"), STR("a\nb"), STR("a\0b") };
	struct login mail = to("sink", "a\r\nb");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		for (size_t f = 0; f < ARRAY_SIZE(ALL); f++) {
			struct login user = to("sink", "good"), database = to("sink", "good");

			user.user = BAD[i];
			database.database = BAD[i];
			assert_int_equal(end_of(ALL[f], user), LOGIN_ODD);
			assert_int_equal(end_of(ALL[f], database), LOGIN_ODD);
		}
	}
	assert_int_equal(end_of(login_smtp, mail), LOGIN_ODD);
	assert_false(seen("sink"));
}

#define LOGIN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOGIN_TEST(a_good_login_says_who_it_is),
		LOGIN_TEST(a_wrong_password_is_told_from_a_missing_database),
		LOGIN_TEST(a_database_is_a_name_and_no_connection_string),
		LOGIN_TEST(a_ca_of_ones_own_is_enough),
		LOGIN_TEST(a_user_may_have_a_certificate),
		LOGIN_TEST(the_certificate_must_name_the_host),
		LOGIN_TEST(a_certificate_that_nobody_vouches_for_gets_no_login),
		LOGIN_TEST(nothing_is_said_to_a_server_without_tls),
		LOGIN_TEST(a_server_gets_no_file_and_no_password_in_clear),
		LOGIN_TEST(what_never_ends_is_ended),
		LOGIN_TEST(another_protocol_is_no_login),
		LOGIN_TEST(a_servers_words_go_nowhere),
		LOGIN_TEST(private_hosts_see_no_packet),
		LOGIN_TEST(a_name_is_looked_up_once),
		LOGIN_TEST(nothing_listens_there),
		LOGIN_TEST(the_environment_has_no_say),
		LOGIN_TEST(the_vaults_sandbox_lets_them_work),
		LOGIN_TEST(values_that_end_a_line_are_not_sent),
	};

	if (!login_servers_start()) {
		fprintf(stderr, "node and openssl are needed for this test\n");
		return login_servers_stop() == LOGIN_SERVERS_MISSING ? LOGIN_SERVERS_MISSING
								     : EXIT_FAILURE;
	}
	if (port_of("postgresql") == 0 || port_of("mariadb") == 0) {
		fprintf(stderr, "PostgreSQL and MariaDB are needed for this test\n");
		login_servers_stop();
		return LOGIN_SERVERS_MISSING;
	}
	int failures = cmocka_run_group_tests(tests, NULL, NULL);
	login_servers_stop();
	return failures;
}
