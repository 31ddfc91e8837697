/* What a person fills in becomes the data of a credential, and that becomes what templates name. */
#include "connect_support.h"

#include <string.h>

#include "base/json_read.h"
#include "core/ctx.h"

static struct ctx cx;

static int set_up(void **state)
{
	(void)state;
	cx.arena = arena_new(8 << 20);
	return cx.arena ? json_setup() : 1;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(cx.arena);
	return 0;
}

static json_t *tree_of(const char *text)
{
	struct str copy = arena_copy(cx.arena, str_of(sample_text(text, NULL, NULL)));
	json_t *tree;

	assert_int_equal(json_read(cx.arena, copy, &tree, NULL), OK);
	return tree;
}

/* --- values ------------------------------------------------------------------------ */

static void assert_value(const struct values *values, const char *name, const char *expected)
{
	struct str value = values_get(values, str_of(name));

	if (!str_eq(value, str_of(expected)))
		fail_msg("{%s} is %.*s, not %s", name, STR_ARG(value), expected ? expected : "absent");
}

static void a_later_value_replaces_an_earlier_one(void **state)
{
	VALUES_AUTO struct values values;

	(void)state;
	values_init(&values);
	assert_value(&values, "a", NULL);
	set_value(&values, "a", "1");
	set_value(&values, "b", "");
	set_value(&values, "a", "22");
	assert_value(&values, "a", "22");
	assert_value(&values, "b", "");
	assert_int_equal(values.n, 2);
}

static void there_is_an_end_to_how_many_values_there_are(void **state)
{
	VALUES_AUTO struct values values;

	(void)state;
	values_init(&values);
	for (int i = 0; i < VALUES_MAX; i++) {
		char name[8];

		name[0] = (char)('a' + i / 26);
		name[1] = (char)('a' + i % 26);
		name[2] = '\0';
		set_value(&values, name, "v");
	}
	assert_int_equal(values_set(&values, STR("one-more"), STR("v")), ERR_TOO_BIG);
	set_value(&values, "aa", "again");
}

static void values_come_from_fields_data_and_defaults_in_that_order(void **state)
{
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	VALUES_AUTO struct values values;

	(void)state;
	values_init(&values);
	assert_int_equal(values_read(only_type(catalog),
				     tree_of("{'api_key': 'k', 'username': 'u', 'scopes': ['a', 'b'], 'expires_at': null,"
					     " 'extra': {'shop': 's', 'seats': 5, 'version': 'v9', 'kept': true, 'api_key': 'no'}}"),
				     &values),
			 OK);
	assert_value(&values, "token", "k"); /* the field whose member it is */
	assert_value(&values, "api_key", "k"); /* the member itself; not that of extra */
	assert_value(&values, "user", "u");
	assert_value(&values, "shop", "s");
	assert_value(&values, "seats", "5");
	assert_value(&values, "scopes", "a b");
	assert_value(&values, "kept", "true");
	assert_value(&values, "version", "v9"); /* a value before the placeholder's default */
	assert_value(&values, "plan", "free"); /* the field's default */
	assert_value(&values, "expires_at", NULL);
	catalog_free(catalog);
}

static void without_a_type_the_data_speaks_for_itself(void **state)
{
	VALUES_AUTO struct values values;

	(void)state;
	values_init(&values);
	assert_int_equal(values_read(NULL, tree_of("{'host': 'h', 'port': 5432, 'tls': false, 'extra': {'x': 'y'}}"), &values), OK);
	assert_value(&values, "host", "h");
	assert_value(&values, "port", "5432");
	assert_value(&values, "tls", "false");
	assert_value(&values, "x", "y");
	assert_int_equal(values_read(NULL, NULL, &values), OK);
}

/* --- data ------------------------------------------------------------------------------ */

static enum err data_of(const struct connector_type *type, const char *way, const char *config, char *ret_text,
			size_t size)
{
	BUF_AUTO struct buf data = { 0 };
	enum err e;

	problem_clear(&cx.problem);
	buf_init(&data, size - 1);
	e = values_to_data(&cx, type, connector_way(type, str_of(way)), tree_of(config), &data);
	memcpy(ret_text, data.n > 0 ? data.p : "", data.n);
	ret_text[data.n] = '\0';
	return e;
}

static void assert_data(const struct connector_type *type, const char *way, const char *config, const char *expected)
{
	char text[4096];

	assert_int_equal(data_of(type, way, config, text, sizeof text), OK);
	assert_string_equal(text, sample_text(expected, NULL, NULL));
}

static void fields_go_where_their_members_are(void **state)
{
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	const struct connector_type *type = only_type(catalog);

	(void)state;
	assert_data(type, "basic", "{'shop': 'a.shop.example', 'user': 'u', 'password': 'p'}",
		    "{'username':'u','password':'p','extra':{'shop':'a.shop.example'}}");
	assert_data(type, "key", "{'shop': 'a.shop.example', 'token': 'k', 'plan': 'paid', 'seats': 3, 'account': null}",
		    "{'api_key':'k','header':'X-Key','extra':{'shop':'a.shop.example','plan':'paid','seats':3}}");
	assert_data(type, "key", "{'shop': 'a.shop.example', 'token': 'k', 'header': '', 'seats': '12'}",
		    "{'api_key':'k','header':'X-Key','extra':{'shop':'a.shop.example','plan':'free','seats':12}}");
	catalog_free(catalog);
}

static void what_is_filled_in_wrongly_is_named(void **state)
{
	static const struct {
		const char *way, *config, *field, *code;
	} cases[] = {
		{ "basic", "{'user': 'u', 'password': 'p'}", "config.shop", "REQUIRED" },
		{ "basic", "{'shop': '', 'user': 'u', 'password': 'p'}", "config.shop", "REQUIRED" },
		{ "basic", "{'shop': 'evil.test', 'user': 'u', 'password': 'p'}", "config.shop", "BAD_FORMAT" },
		{ "basic", "{'shop': 'a.shop.example', 'user': 'a\\nb', 'password': 'p'}", "config.user", "BAD_FORMAT" },
		{ "basic", "{'shop': 'a.shop.example', 'user': {}, 'password': 'p'}", "config.user", "WRONG_TYPE" },
		{ "basic", "{'shop': 'a.shop.example', 'user': 'u', 'password': 'p', 'token': 't'}", "config.token", "UNKNOWN_FIELD" },
		{ "basic", "{'shop': 'a.shop.example', 'user': 'u', 'password': 'p', 'tenant_id': 't'}", "config.tenant_id", "UNKNOWN_FIELD" },
		{ "key", "{'shop': 'a.shop.example', 'token': 'k', 'plan': 'gold'}", "config.plan", "NOT_ALLOWED" },
		{ "key", "{'shop': 'a.shop.example', 'token': 'k', 'seats': 'many'}", "config.seats", "WRONG_TYPE" },
		{ "key", "{'shop': 'a.shop.example', 'token': 'k', 'seats': -1}", "config.seats", "WRONG_TYPE" },
		{ "key", "[]", "config", "WRONG_TYPE" },
	};
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	char text[4096];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(data_of(only_type(catalog), cases[i].way, cases[i].config, text, sizeof text),
				 ERR_BAD_INPUT);
		assert_string_equal(text, "");
		assert_int_equal(cx.problem.count, 1);
		assert_true(str_eq(cx.problem.field[0].field, str_of(cases[i].field)));
		assert_string_equal(cx.problem.field[0].code, cases[i].code);
	}
	catalog_free(catalog);
}

static void everything_that_is_wrong_is_said_at_once(void **state)
{
	struct catalog *catalog = sample_catalog(SAMPLE, NULL, NULL);
	char text[4096];

	(void)state;
	assert_int_equal(data_of(only_type(catalog), "basic", "{'x': 1, 'shop': 'no'}", text, sizeof text), ERR_BAD_INPUT);
	assert_int_equal(cx.problem.count, 4);
	catalog_free(catalog);
}

static const char DATABASE[] =
	"{'id': 'db', 'name': 'DB', 'category': 'database', 'regions': ['global'], 'summary': 'D.',\n"
	" 'auth': [{'mode': 'database', 'label': 'Login', 'credential': 'database', 'data': {'engine': 'postgresql'}}],\n"
	" 'fields': [{'name': 'server', 'label': 'Server', 'required': true, 'member': 'host'},\n"
	"  {'name': 'port', 'label': 'Port', 'default': '5432', 'member': 'port'},\n"
	"  {'name': 'tls', 'label': 'TLS', 'choices': ['true', 'false'], 'default': 'true', 'member': 'tls'}],\n"
	" 'verify': [{'kind': 'postgresql'}]}";

static void numbers_and_flags_are_what_the_credential_wants(void **state)
{
	struct catalog *catalog = sample_catalog(DATABASE, NULL, NULL);

	(void)state;
	assert_data(only_type(catalog), "database", "{'server': 'db.example', 'tls': false}",
		    "{'engine':'postgresql','host':'db.example','port':5432,'tls':false,'extra':{}}");
	catalog_free(catalog);
}

static const char KEY_FILE[] =
	"{'id': 'g', 'name': 'G', 'category': 'custom', 'regions': ['global'], 'summary': 'G.',\n"
	" 'auth': [{'mode': 'service_account', 'label': 'Key file', 'credential': 'service_account',\n"
	"           'headers': {'Authorization': 'Bearer {access_token}'}}],\n"
	" 'fields': [{'name': 'file', 'label': 'File', 'secret': true, 'required': true, 'multiline': true, 'member': '*'},\n"
	"  {'name': 'scopes', 'label': 'Scopes', 'member': 'scopes'}],\n"
	" 'hosts': ['api.example.com'],\n"
	" 'service_account': {'token_url': 'https://api.example.com/token', 'issuer': '{client_email}', 'key_field': 'file',\n"
	"                     'google': true},\n"
	" 'verify': [{'kind': 'token'}]}";

static void a_key_files_members_become_the_credentials(void **state)
{
	static const char DATA[] = "{'private_key':'-----BEGIN','client_email':'a@b','scopes':'x','extra':{}}";
	struct catalog *catalog = sample_catalog(KEY_FILE, NULL, NULL);
	const struct connector_type *type = only_type(catalog);
	char text[4096];

	(void)state;
	assert_data(type, "service_account", "{'file': {'private_key': '-----BEGIN', 'client_email': 'a@b', 'extra': {'a': 1}, 'scopes': 'evil'}, 'scopes': 'x'}", DATA);
	assert_data(type, "service_account", "{'file': '{\\'private_key\\': \\'-----BEGIN\\', \\'client_email\\': \\'a@b\\'}', 'scopes': 'x'}", DATA);
	assert_int_equal(data_of(type, "service_account", "{'file': 'not JSON'}", text, sizeof text), ERR_BAD_INPUT);
	assert_int_equal(data_of(type, "service_account", "{'file': '[]'}", text, sizeof text), ERR_BAD_INPUT);
	assert_int_equal(data_of(type, "service_account", "{'file': 5}", text, sizeof text), ERR_BAD_INPUT);
	catalog_free(catalog);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_later_value_replaces_an_earlier_one),
		cmocka_unit_test(there_is_an_end_to_how_many_values_there_are),
		cmocka_unit_test(values_come_from_fields_data_and_defaults_in_that_order),
		cmocka_unit_test(without_a_type_the_data_speaks_for_itself),
		cmocka_unit_test(fields_go_where_their_members_are),
		cmocka_unit_test(what_is_filled_in_wrongly_is_named),
		cmocka_unit_test(everything_that_is_wrong_is_said_at_once),
		cmocka_unit_test(numbers_and_flags_are_what_the_credential_wants),
		cmocka_unit_test(a_key_files_members_become_the_credentials),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
