/* The configuration stops the start at the first mistake, and says where it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/config.h"

static char path[] = "/tmp/latchwork-test-config-XXXXXX";
static char why[CONFIG_WHY_MAX];

static enum err load(const char *text, struct config **ret_config)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	*ret_config = NULL;
	return config_load(path, why, ret_config);
}

static void refused(const char *text, const char *words)
{
	struct config *config;

	assert_int_equal(load(text, &config), ERR_CONFIG);
	if (!strstr(why, words))
		fail_msg("\"%s\" doesn't say \"%s\"", why, words);
}

static void an_empty_file_gives_the_defaults(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(load("", &config), OK);
	assert_string_equal(config->server_public_url, "https://localhost:8443");
	assert_int_equal(config->auth_access_token_ms, 900000);
	assert_true(config->server_sandbox);
	assert_int_equal(config->issuer_count, 0);
	config_free(config);
}

static void what_the_file_says_is_taken(void **state)
{
	struct config *config;

	(void)state;
	assert_int_equal(load("[front]\nworkers = 7\n[server]\nsandbox = no\n", &config), OK);
	assert_int_equal(config->front_workers, 7);
	assert_false(config->server_sandbox);
	config_free(config);
}

static void a_list_may_go_on_in_further_lines(void **state)
{
	struct config *config;
	struct str rest;

	(void)state;
	assert_int_equal(load("[server]\ncors_origins = https://a.example,\n  https://b.example\n", &config), OK);
	rest = str_of(config->server_cors_origins);
	assert_true(str_eq(config_list_next(&rest), STR("https://a.example")));
	assert_true(str_eq(config_list_next(&rest), STR("https://b.example")));
	assert_true(str_absent(config_list_next(&rest)));
	config_free(config);
}

static void the_environment_wins(void **state)
{
	struct config *config;

	(void)state;
	setenv("LATCHWORK_FRONT_WORKERS", "9", 1);
	assert_int_equal(load("[front]\nworkers = 7\n", &config), OK);
	assert_int_equal(config->front_workers, 9);
	config_free(config);
	unsetenv("LATCHWORK_FRONT_WORKERS");
}

static void mistakes_name_the_file_the_line_and_the_key(void **state)
{
	char place[80];

	(void)state;
	snprintf(place, sizeof place, "%s:3: [front] worker: there is no such key", path);
	refused("[front]\nworkers = 2\nworker = 3\n", place);
	refused("[frond]\nworkers = 2\n", "there is no such section");
	refused("[front]\nworkers = many\n", "whole number from 1 to 256");
	refused("[front]\nworkers = 257\n", "whole number from 1 to 256");
	refused("[front]\nworkers = -1\n", "whole number");
	refused("[front]\nworkers = 2\nworkers = 3\n", "given twice");
	refused("[server]\nsandbox = maybe\n", "yes or no");
	refused("[front\nworkers = 2\n", ":1:");
	refused("workers = 2\n", "there is no such section");
	refused("[server]\nlog_level = verboseness\n", "longer than");
	refused("[server]\nlog_level = loud\n", "debug, info, warn or error");
	refused("[server]\npublic_url = https://a.example/\n", "needs https://");
	refused("[server]\npublic_url = a.example\n", "needs https://");
}

static void a_mistake_in_the_environment_stops_the_start(void **state)
{
	(void)state;
	setenv("LATCHWORK_FRONT_WORKER", "9", 1);
	refused("", "[front] worker: there is no such key");
	unsetenv("LATCHWORK_FRONT_WORKER");
}

static void names_of_others_in_the_environment_are_left_alone(void **state)
{
	struct config *config;

	(void)state;
	setenv("LATCHWORK_URL", "https://localhost:1", 1);
	setenv("LATCHWORK_DB_SOCKET", "/x", 1);
	assert_int_equal(load("", &config), OK);
	config_free(config);
	unsetenv("LATCHWORK_URL");
	unsetenv("LATCHWORK_DB_SOCKET");
}

static void a_line_that_the_parser_would_cut_is_refused(void **state)
{
	char text[512];

	(void)state;
	snprintf(text, sizeof text, "[server]\npublic_url = https://%0300d\n", 1);
	refused(text, ":2: the line is too long");
}

static void an_issuer_needs_its_keys(void **state)
{
	struct config *config;

	(void)state;
	refused("[issuer a]\nissuer = https://a.example\n", "needs issuer and audience");
	refused("[issuer a]\nissuer = https://a.example\naudience = x\n", "needs one of");
	refused("[issuer a]\nissuer = https://a.example\naudience = x\njwks_url = http://a.example\n", "https://");
	refused("[issuer a]\nissuers = x\n", "there is no such key");
	refused("[issuer a]\naudience = x\n  y\n", "given twice");
	assert_int_equal(load("[issuer a]\nissuer = https://a.example\naudience = x\npem_file = /k.pem\n", &config), OK);
	assert_int_equal(config->issuer_count, 1);
	assert_string_equal(config->issuer[0].name, "a");
	assert_string_equal(config->issuer[0].pem_file, "/k.pem");
	config_free(config);
}

static void each_provider_has_one_client_of_the_operators(void **state)
{
	struct config *config;

	(void)state;
	refused("[client xero]\nclient_secret_file = /s\n", "[client] xero: needs client_id");
	refused("[client xero]\nclient_id = 1\nclient_id = 2\n", "given twice");
	refused("[client xero]\nclient_secret = 1\n", "there is no such key");
	refused("[client]\nclient_id = 1\n", "there is no such section");
	refused("[clients xero]\nclient_id = 1\n", "there is no such section");
	assert_int_equal(load("[client xero]\nclient_id = 1\n[client slack]\nclient_id = 2\nclient_secret_file = /s\n"
			      "[client xero]\nclient_secret_file = /x\n",
			      &config),
			 OK);
	assert_int_equal(config->client_count, 2);
	assert_string_equal(config->client[0].name, "xero");
	assert_string_equal(config->client[0].client_secret_file, "/x");
	assert_string_equal(config->client[1].client_id, "2");
	config_free(config);
}

static void origins_to_return_to_have_nothing_behind_them(void **state)
{
	struct config *config;

	(void)state;
	refused("[oauth]\nreturn_origins = https://app.example, https://b.example/\n", "[oauth] return_origins: needs");
	refused("[oauth]\nreturn_origins = *\n", "[oauth] return_origins: needs");
	assert_int_equal(load("[oauth]\nreturn_origins = https://app.example, http://localhost:3000\n", &config), OK);
	config_free(config);
}

static int make_file(void **state)
{
	(void)state;
	close(mkstemp(path));
	return 0;
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_file_gives_the_defaults),
		cmocka_unit_test(what_the_file_says_is_taken),
		cmocka_unit_test(a_list_may_go_on_in_further_lines),
		cmocka_unit_test(the_environment_wins),
		cmocka_unit_test(mistakes_name_the_file_the_line_and_the_key),
		cmocka_unit_test(a_mistake_in_the_environment_stops_the_start),
		cmocka_unit_test(names_of_others_in_the_environment_are_left_alone),
		cmocka_unit_test(a_line_that_the_parser_would_cut_is_refused),
		cmocka_unit_test(an_issuer_needs_its_keys),
		cmocka_unit_test(each_provider_has_one_client_of_the_operators),
		cmocka_unit_test(origins_to_return_to_have_nothing_behind_them),
	};

	return cmocka_run_group_tests(tests, make_file, remove_file);
}
