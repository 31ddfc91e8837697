/*
 * Connector types: what is read from a file, and what is refused with its place. A fault that passes sends secrets
 * astray.
 */
#include "connect_support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_read.h"
#include "connect/pattern.h"

static void assert_text(struct str text, const char *expected)
{
	assert_true(str_eq(text, str_of(expected)));
}

/* --- what is read --------------------------------------------------------------- */

static void a_file_fills_the_struct(void **state)
{
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	const struct connector_type *type = only_type(catalog);

	(void)state;
	assert_text(type->id, "sample");
	assert_int_equal(type->regions.n, 2);
	assert_int_equal(type->ways, 3);
	assert_text(type->way[0].id, "oauth2_authorization_code");
	assert_int_equal(type->way[0].mode, AUTH_OAUTH2);
	assert_text(type->way[1].id, "key");
	assert_text(type->way[1].headers.v[1].name, "X-Account");
	assert_true(type->way[2].basic);
	assert_text(type->way[2].basic_user, "{username}");
	assert_text(type->way[2].basic_password, "{password}");
	assert_int_equal(type->fields, 10);
	assert_true(type->field[3].secret && type->field[3].required && !type->field[3].integer);
	assert_int_equal(type->field[6].choices.n, 2);
	assert_int_equal(type->placeholders, 1);
	assert_text(type->placeholder[0].name, "version");
	assert_text(type->api_base, "https://{shop}/api/{version}");
	assert_text(type->wizard_done, "Done.");
	assert_text(json_member_text(json_member(type->file, "webhook"), "scheme"), "hmac");
	catalog_free(catalog);
}

static void oauth_is_read_with_its_token_rules(void **state)
{
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	const struct connector_type *type = only_type(catalog);
	const struct oauth2_spec *oauth2 = &type->oauth2;

	(void)state;
	assert_true(type->has_oauth2 && !type->has_client_credentials && !type->has_service_account);
	assert_true(oauth2->pkce && oauth2->token_json && !oauth2->shopify_hmac && oauth2->has_revoke);
	assert_int_equal(oauth2->client_auth, CLIENT_BASIC);
	assert_text(oauth2->scope_separator, ",");
	assert_int_equal(oauth2->token.access_token.n, 2);
	assert_text(oauth2->token.access_token.v[0], "user.token");
	assert_int_equal(oauth2->token.expiry, EXPIRY_AT);
	assert_text(oauth2->revoke.method, "POST");
	assert_true(oauth2->revoke.basic);
	catalog_free(catalog);
}

static void what_a_file_leaves_out_has_the_usual_value(void **state)
{
	struct catalog *catalog = sample_catalog(
		SAMPLE,
		"'scopes': ['read', 'write'], 'scope_separator': ',', 'pkce': true, 'client_auth': 'basic',\n"
		"  'token_format': 'json', 'callback_params': ['realm'],\n"
		"  'token': {'access_token': ['user.token', 'access_token'], 'expiry': 'at', 'expiry_path': 'expires_at',\n"
		"   'keep': ['team.id'], 'refresh_issued': true, 'rotates': true, 'grace_s': 60,\n"
		"   'terminal_errors': ['account_closed']},\n",
		"'callback_params': ['realm', 'team_id'],");
	const struct connector_type *type = only_type(catalog);
	const struct token_rules *token = &type->oauth2.token;

	(void)state;
	assert_text(type->oauth2.scope_separator, " ");
	assert_text(type->oauth2.scope_param, "scope");
	assert_text(type->oauth2.refresh_grant, "refresh_token");
	assert_int_equal(type->oauth2.client_auth, CLIENT_POST);
	assert_false(type->oauth2.pkce || type->oauth2.token_json || token->error_in_200);
	assert_int_equal(token->access_token.n, 1);
	assert_text(token->access_token.v[0], "access_token");
	assert_text(token->refresh_token, "refresh_token");
	assert_text(token->expiry_path, "expires_in");
	assert_int_equal(token->expiry, EXPIRY_IN);
	assert_true(str_absent(token->refresh_expiry));
	assert_text(type->verify[0].request.method, "GET");
	catalog_free(catalog);
}

static void ways_fields_and_tests_are_found_by_what_they_are_for(void **state)
{
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	const struct connector_type *type = only_type(catalog);

	(void)state;
	assert_ptr_equal(connector_way(type, STR_NONE), &type->way[0]);
	assert_ptr_equal(connector_way(type, STR("key")), &type->way[1]);
	assert_null(connector_way(type, STR("api_key")));
	assert_ptr_equal(connector_field(type, STR("shop")), &type->field[0]);
	assert_null(connector_field(type, STR("version")));
	assert_true(connector_asks(&type->way[2], connector_field(type, STR("shop"))));
	assert_false(connector_asks(&type->way[2], connector_field(type, STR("token"))));
	assert_ptr_equal(connector_verify(type, &type->way[0]), &type->verify[0]);
	assert_ptr_equal(connector_verify(type, &type->way[2]), &type->verify[1]);
	catalog_free(catalog);
}

static void a_kept_value_has_a_name(void **state)
{
	char text[KEPT_NAME_MAX];

	(void)state;
	assert_text(kept_name(STR("team.id"), text), "team_id");
	assert_text(kept_name(STR("orgs[0].id"), text), "orgs_0_id");
	assert_text(kept_name(STR("orgs[].id"), text), "orgs_id");
	assert_text(kept_name(STR("instance_url"), text), "instance_url");
	assert_text(kept_name(STR("ia::result"), text), "ia_result");
}

/* --- what is refused ---------------------------------------------------------------- */

struct mistake {
	const char *find, *replace, *why;
};

static void refuse_each(const struct mistake *mistakes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *why = sample_fault(SAMPLE, mistakes[i].find, mistakes[i].replace);

		if (!strstr(why, mistakes[i].why))
			fail_msg("for %s: \"%s\" instead of \"%s\"", mistakes[i].replace, why, mistakes[i].why);
	}
}

static void a_members_shape_is_checked_with_its_place(void **state)
{
	static const struct mistake mistakes[] = {
		{ "'name': 'Sample'", "'nome': 'Sample'", "sample.json: nome: there is no such member" },
		{ "'name': 'Sample', ", "", "sample.json: name: it is missing" },
		{ "'id': 'sample'", "'id': 'Sample'", "id: it has to be lower case" },
		{ "'id': 'sample'", "'id': '../sample'", "id: it has to be lower case" },
		{ "'name': 'Sample'", "'name': 5", "name: it has to be a text" },
		{ "'name': 'Sample'", "'name': ''", "name: it is empty" },
		{ "'name': 'Sample'", "'name': 'a\\u0007b'", "name: it holds a control character" },
		{ "'name': 'Sample'", "'name': 'a', 'name': 'b'", "a member's name is there twice" },
		{ "'category': 'custom'", "'category': 'other'", "category: it has to be one of ai|" },
		{ "['eu', 'us']", "'eu'", "regions: it has to be a list" },
		{ "['eu', 'us']", "['eu', 'eu']", "regions[1]: it is there twice" },
		{ "['eu', 'us']", "['eu', null]", "regions[1]: it has to be a text" },
		{ "'https://docs.example.com/auth'", "'http://docs.example.com'", "docs_url: it has to be an https URL" },
		{ "'mode': 'api_key'", "'mode': 'apikey'", "auth[1].mode: it has to be one of" },
		{ "'basic': ['{username}', '{password}']", "'basic': ['{username}']", "auth[2].basic: it has to be a list of two" },
		{ "'required': true, 'pattern'", "'required': 'yes', 'pattern'", "fields[0].required: it has to be true or false" },
		{ "'^[a-z0-9-]+\\\\.shop\\\\.example$'", "'^[a-z$'", "fields[0].pattern: this isn't a POSIX" },
		{ "'^[a-z0-9-]+\\\\.shop\\\\.example$'", "'[a-z]+'", "fields[0].pattern: a pattern is for the whole" },
		{ "'^[a-z0-9-]+\\\\.shop\\\\.example$'", "'^(a)\\\\1$'", "fields[0].pattern: a pattern has no back" },
		{ "'^[a-z0-9-]+\\\\.shop\\\\.example$'", "'^(((a{99}){99}){99}){99}$'", "fields[0].pattern: the pattern repeats" },
		{ "'^[a-z0-9-]+\\\\.shop\\\\.example$'", "'^a{255}{255}$'", "fields[0].pattern: the pattern repeats" },
		{ "'grace_s': 60", "'grace_s': -1", "oauth2.token.grace_s: it has to be a whole number" },
		{ "'grace_s': 60", "'grace_s': 1.5", "oauth2.token.grace_s: it has to be a whole number" },
		{ "'grace_s': 60", "'grace_s': 99999999999", "oauth2.token.grace_s: it has to be a whole number" },
		{ "'keep': ['team.id']", "'keep': ['team..id']", "oauth2.token.keep[0]: it isn't a path" },
		{ "'data.id', 'account_id'", "'data.', 'account_id'", "verify[0].must_have: it isn't a path" },
		{ "'json:data.id'", "'data.id'", "verify[0].account_id[0]: it has to be json:PATH" },
		{ "{'version': {", "{'version/x': {", "placeholders.version/x: its name" },
		{ "'webhook': {'scheme': 'hmac'}", "'webhook': []", "webhook: it has to be an object" },
		{ "'2+'", "'3'", "confidence.oauth2.token_url: it has to be 2+, 1 or memory" },
		{ "'regions': ['eu', 'us']", "'regions': {'eu': 1}", "regions: it has to be a list" },
	};

	(void)state;
	refuse_each(mistakes, ARRAY_SIZE(mistakes));
}

static void members_have_to_fit_together(void **state)
{
	static const struct mistake mistakes[] = {
		{ "Bearer {access_token}", "Bearer {acess_token}", "auth[0].headers.Authorization: {acess_token} is no" },
		{ "'mode': 'basic'", "'mode': 'basic', 'id': 'key'", "auth[2]: another way has that id" },
		{ "'mode': 'basic'", "'mode': 'service_account'", "auth[2]: the file has no part for that mode" },
		{ "'basic': ['{username}', '{password}']}", "'help': 'x'}", "auth[2]: it doesn't say how a request" },
		{ "'headers': {'Authorization'", "'headers': {'Host'", "auth[0].headers.Host: that header isn't" },
		{ "'headers': {'Authorization'", "'headers': {'transfer-ENCODING'", "that header isn't a type's to set" },
		{ "'headers': {'Authorization'", "'headers': {'Bad Name'", "that isn't a header's name" },
		{ "'required': true, 'member': 'api_key'", "'member': 'api_key'", "auth[1]: no required field gives the credential its api_key" },
		{ "'member': 'username'", "'member': 'extra.username'", "auth[2]: no required field gives the credential its username" },
		{ "'member': 'header'", "'member': 'heather'", "fields[4]: api_key has no member heather" },
		{ "'member': 'extra.account'", "'member': 'extra.a b'", "fields[5]: what follows extra. has to be a name" },
		{ "'label': 'Header',", "'label': 'Header', 'secret': true,", "fields[4]: header is shown to everybody" },
		{ "'name': 'header'", "'name': 'token'", "fields[4]: another field has that name" },
		{ "'member': 'extra.account', 'auth': ['key']", "'member': 'extra.account', 'auth': ['kay']", "fields[5]: there is no way kay" },
		{ "'default': 'free'", "'default': 'gold'", "fields[6]: the default isn't one of the choices" },
		{ "'default': 'v2'", "'default': '2'", "placeholders[0]: the default doesn't hold the pattern" },
		{ "'kind': 'none', 'auth': ['basic']", "'kind': 'none'", "verify[1]: another entry is for the same way" },
		{ "'kind': 'none', 'auth': ['basic']", "'kind': 'http', 'auth': ['basic']", "verify[1].request: it is missing" },
		{ "{'request': {'url'", "{'kind': 'smtp', 'request': {'url'", "verify[0]: only the kind http has a request" },
		{ "{'request': {'url'", "{'auth': ['key'], 'request': {'url'", "verify: nothing says how oauth2_authorization_code is tried" },
		{ "'form': {'token'", "'json': '{}', 'form': {'token'", "oauth2.revoke: a body is a form or JSON" },
		{ "\\'first\\': 5", "\\'first\\': ", "preview.request.json: it isn't JSON" },
		{ "\\'{realm}\\'", "\\'{relm}\\'", "preview.request.json: {relm} is no" },
		{ "'{team_id?}'", "'{taem_id?}'", "verify[0].request.query.team: {taem_id} is no" },
	};

	(void)state;
	refuse_each(mistakes, ARRAY_SIZE(mistakes));
}

/* Else whoever connects could have the client's secret sent to a server of his own. */
static void the_consent_stays_with_the_provider_or_the_file_is_refused(void **state)
{
	static const char ANY[] = "'pattern': '^[a-z0-9.-]+$'";
	static const char OWN[] = "'pattern': '^[a-z0-9-]+\\\\.shop\\\\.example$'";
	char of_client[100];

	(void)state;
	snprintf(of_client, sizeof(of_client), "'of_client': true, %s", ANY);
	assert_non_null(strstr(sample_fault(SAMPLE, OWN, ANY),
			       "oauth2.authorization_url: {shop} can be any host"));
	assert_string_equal(sample_fault(SAMPLE, OWN, of_client), "");
}

static void a_url_leads_to_a_declared_host_or_the_file_is_refused(void **state)
{
	static const struct mistake mistakes[] = {
		{ "https://api.example.com/token", "http://api.example.com/token", "oauth2.token_url: it has to be https" },
		{ "https://api.example.com/token", "ftp://api.example.com/token", "oauth2.token_url: it has to begin with https://" },
		{ "https://api.example.com/token", "//api.example.com/token", "oauth2.token_url: it has to begin with https://" },
		{ "https://api.example.com/token", "https://api.example.org/token", "api.example.org isn't in hosts" },
		{ "https://api.example.com/token", "https://api.example.com:8443/token", "api.example.com:8443 isn't in hosts" },
		{ "https://api.example.com/token", "https://api.example.com.evil.test/", "isn't in hosts" },
		{ "https://api.example.com/token", "https://evil.test?api.example.com/token", "evil.test isn't in hosts" },
		{ "https://api.example.com/token", "https://evil.test/@api.example.com/", "evil.test isn't in hosts" },
		{ "https://api.example.com/token", "https://api.example.com@evil.test/", "oauth2.token_url: the URL names a user" },
		{ "https://api.example.com/token", "https://tenants.example.com/", "isn't in hosts" },
		{ "https://api.example.com/token", "https://xtenants.example.com/", "isn't in hosts" },
		{ "https://api.example.com/token", "https://api.example.com\\\\x", "a character that a URL can't hold" },
		{ "https://api.example.com/token", "https://api.example.com/a b", "a character that a URL can't hold" },
		{ "https://api.example.com/token", "https://{version}/", "{version} isn't in hosts" },
		{ "https://api.example.com/token", "https://{shop}.evil.test/", "{shop}.evil.test isn't in hosts" },
		{ "https://api.example.com/token", "https://{nobody}/", "{nobody} is no field" },
		{ "https://api.example.com/token", "{shop}.evil.test/x", "what follows {shop} has to begin with a slash" },
		{ "'{shop}', 'api", "'{realm}', '{shop}', 'api", "hosts[0]: {realm} in a host has to be a field" },
		{ "'{shop}', 'api", "'{team_id}.example.com', '{shop}', 'api", "{team_id} in a host has to be a field" },
		{ "'{shop}', 'api", "'{account}.example.com', '{shop}', 'api", "{account} in a host needs a pattern" },
		{ "'.tenants.example.com'", "'.com'", "a suffix is a domain" },
		{ "'.tenants.example.com'", "'https://x.example.com'", "this isn't host, host:port" },
		{ "'.tenants.example.com'", "'x.example.com/y'", "this isn't host, host:port" },
		{ "'.tenants.example.com'", "'*'", "this isn't host, host:port" },
		{ "'.tenants.example.com'", "'0x7f.1'", "this isn't host, host:port" },
	};

	(void)state;
	refuse_each(mistakes, ARRAY_SIZE(mistakes));
}

static void a_server_in_the_own_network_may_be_named_by_its_address(void **state)
{
	(void)state;
	assert_string_equal(sample_fault(SAMPLE, "'hosts': [", "'hosts': ['127.0.0.1:9240', "), "");
	struct catalog *catalog = sample_catalog(
		SAMPLE, "'https://api.example.com/token'", "'https://a.tenants.example.com/token'");
	catalog_free(catalog);
}

static void a_large_file_is_refused(void **state)
{
	static char text[300 << 10];
	char why[CATALOG_WHY_MAX];
	struct catalog *catalog;

	(void)state;
	memset(text, ' ', sizeof text);
	assert_int_equal(catalog_load_text(STR("big.json"), (struct str){ text, sizeof text }, why, &catalog), ERR_CONFIG);
	assert_string_equal(why, "big.json: it is larger than 256 KiB");
}

/* --- patterns ------------------------------------------------------------------------------ */

static void a_pattern_is_for_the_whole_value(void **state)
{
	static const struct {
		const char *pattern, *value;
		bool holds;
	} cases[] = {
		{ "^[0-9a-f]{64}$|^[0-9]{3}$", "123", true },
		{ "^[0-9a-f]{64}$|^[0-9]{3}$", "1234", false },
		{ "^a|b$", "ab", false }, /* either half would match a part of it */
		{ "^a|b$", "a", true },
		{ "^(a|ab)(c|bcd)?$", "abcd", true },
		{ "^[a-z]+$", "abc\nevil", false },
		{ "^[a-z]+$", "abc\n", false },
		{ "^[a-z]*$", "", true },
		{ "^[^@[:space:]]+@[]x[-]+$", "a@]x-", true },
		{ "^a{1,2}$", "aaa", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (pattern_holds(str_of(cases[i].pattern), str_of(cases[i].value)) != cases[i].holds)
			fail_msg("%s and %s", cases[i].pattern, cases[i].value);
	assert_true(pattern_holds(STR_NONE, STR("anything")));
	assert_false(pattern_holds(STR("^a.*$"), (struct str){ "a\0b", 3 }));
	assert_false(pattern_holds(STR("a"), STR("a")));
}

/* --- directories ----------------------------------------------------------------------- */

struct place {
	char supplied[64], own[64];
	struct config config;
};

static void write_file(const char *directory, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof path, "%s/%s", directory, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_place(void **state)
{
	struct place *place = calloc(1, sizeof *place);

	if (!place)
		return 1;
	snprintf(place->supplied, sizeof place->supplied, "/tmp/lw-catalog-XXXXXX");
	snprintf(place->own, sizeof place->own, "/tmp/lw-catalog-XXXXXX");
	if (!mkdtemp(place->supplied) || !mkdtemp(place->own))
		return 1;
	place->config.connectors_catalog_dir = place->supplied;
	place->config.connectors_dir = place->own;
	*state = place;
	return 0;
}

static void remove_files(const char *directory)
{
	static const char *const NAMES[] = { "sample.json", "other.json", ".hidden.json", "notes.txt" };
	char path[256];

	for (size_t i = 0; i < ARRAY_SIZE(NAMES); i++) {
		snprintf(path, sizeof path, "%s/%s", directory, NAMES[i]);
		(void)remove(path);
	}
	rmdir(directory);
}

static int remove_place(void **state)
{
	struct place *place = *state;

	remove_files(place->supplied);
	remove_files(place->own);
	free(place);
	return 0;
}

static void the_operators_file_replaces_the_supplied_one(void **state)
{
	struct place *place = *state;
	char why[CATALOG_WHY_MAX];
	struct catalog *catalog;

	write_file(place->supplied, "sample.json", sample_text(SAMPLE, NULL, NULL));
	write_file(place->supplied, "other.json", sample_text(SAMPLE, "'sample', 'name': 'Sample'", "'other', 'name': 'another'"));
	write_file(place->supplied, ".hidden.json", "{");
	write_file(place->supplied, "notes.txt", "not JSON");
	write_file(place->own, "sample.json", sample_text(SAMPLE, "'name': 'Sample'", "'name': 'Ours'"));
	assert_int_equal(catalog_load(&place->config, why, &catalog), OK);
	assert_int_equal(catalog_count(catalog), 2);
	assert_text(catalog_at(catalog, 0)->name, "another");
	assert_text(catalog_find(catalog, STR("sample"))->name, "Ours");
	assert_null(catalog_find(catalog, STR("none")));
	catalog_free(catalog);
}

static void a_wrong_file_is_named_and_nothing_is_loaded(void **state)
{
	struct place *place = *state;
	char why[CATALOG_WHY_MAX];
	struct catalog *catalog;

	write_file(place->supplied, "other.json", sample_text(SAMPLE, NULL, NULL));
	assert_int_equal(catalog_load(&place->config, why, &catalog), ERR_CONFIG);
	assert_non_null(strstr(why, "/other.json: the file's name has to be id and .json"));
	write_file(place->supplied, "other.json", "{\"id\": }");
	assert_int_equal(catalog_load(&place->config, why, &catalog), ERR_CONFIG);
	assert_non_null(strstr(why, "/other.json: "));
	assert_non_null(strstr(why, "/other.json: it isn't valid JSON: its syntax is wrong (line 1, column 8)."));
	assert_null(catalog);
}

static void a_directory_that_is_not_there_is_an_error(void **state)
{
	struct place *place = *state;
	char why[CATALOG_WHY_MAX], nowhere[] = "/nonexistent/connectors";
	struct catalog *catalog;

	place->config.connectors_dir = nowhere;
	assert_int_equal(catalog_load(&place->config, why, &catalog), ERR_CONFIG);
	assert_string_equal(why, "/nonexistent/connectors: No such file or directory");
}

static int set_up(void **state)
{
	(void)state;
	return json_setup();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_fills_the_struct),
		cmocka_unit_test(oauth_is_read_with_its_token_rules),
		cmocka_unit_test(what_a_file_leaves_out_has_the_usual_value),
		cmocka_unit_test(ways_fields_and_tests_are_found_by_what_they_are_for),
		cmocka_unit_test(a_kept_value_has_a_name),
		cmocka_unit_test(a_members_shape_is_checked_with_its_place),
		cmocka_unit_test(members_have_to_fit_together),
		cmocka_unit_test(the_consent_stays_with_the_provider_or_the_file_is_refused),
		cmocka_unit_test(a_url_leads_to_a_declared_host_or_the_file_is_refused),
		cmocka_unit_test(a_server_in_the_own_network_may_be_named_by_its_address),
		cmocka_unit_test(a_large_file_is_refused),
		cmocka_unit_test(a_pattern_is_for_the_whole_value),
		cmocka_unit_test_setup_teardown(the_operators_file_replaces_the_supplied_one, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_wrong_file_is_named_and_nothing_is_loaded, make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_an_error, make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
