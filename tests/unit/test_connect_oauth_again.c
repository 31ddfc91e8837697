/* A connector that is connected again: the same account, never another, and nobody else's. */
#include "oauth_support.h"

/* --- once more ------------------------------------------------------------------------------ */

static void the_same_account_is_connected_again_and_not_twice(void **state)
{
	struct browser *b = browser_open(&TENANT_A), *other = browser_open(&TENANT_B);

	(void)state;
	connect_to(b, "A1");
	run("UPDATE connector SET status = 'needs_reconnect', error_code = 'X', display_name = 'Mine'");
	connect_to(b, "A1");
	assert_int_equal(
		number("SELECT COUNT(*) FROM connector WHERE status = 'active' AND error_code IS NULL AND "
		       "display_name = 'Mine'"),
		1);
	assert_int_equal(number("SELECT COUNT(*) FROM credential WHERE deleted_at IS NULL"), 1);
	connect_to(b, "a1");
	assert_int_equal(number("SELECT COUNT(*) FROM connector"), 2);
	connect_to(other, "A1");
	assert_int_equal(number("SELECT COUNT(*) FROM connector"), 3);
	browser_close(b);
	browser_close(other);
}

static void a_connector_may_be_connected_again_without_asking_for_everything(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id id;

	(void)state;
	connect_to(b, "A1");
	id = only_connector();
	assert_ok(START(b, "connector_id=x", .connector_id = { true, id }));
	assert_starts(b->location, "https://one.acme.example/");
	assert_ok(back(b, "acme", with_state(b, "code=c2")));
	only_connector();
	browser_close(b);
}

static void a_connector_is_never_handed_to_another_account(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id id;

	(void)state;
	connect_to(b, "A1");
	id = only_connector();
	provider.outcome.account_id = STR("A2");
	assert_ok(START(b, SHOP, RETURN_TO, .connector_id = { true, id }));
	assert_int_equal(back(b, "acme", with_state(b, "code=c2")), ERR_OTHER_ACCOUNT);
	assert_sent_to(
		b, "https://app.example/done?a=b&error=OAUTH_OTHER_ACCOUNT&connector_type=acme#c");
	provider.outcome = (struct verify_outcome){ .code = VERIFY_TIMEOUT };
	assert_ok(START(b, SHOP, .connector_id = { true, id }));
	assert_int_equal(back(b, "acme", with_state(b, "code=c2")), ERR_OTHER_ACCOUNT);
	assert_page(b, 409, "OAUTH_OTHER_ACCOUNT");
	assert_int_equal(
		number("SELECT COUNT(*) FROM connector WHERE account_id = 'A1' AND status = 'active'"),
		1);
	assert_int_equal(number("SELECT version FROM credential WHERE deleted_at IS NULL"), 1);
	browser_close(b);
}

static void a_connector_without_an_account_takes_the_first(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id id;

	(void)state;
	provider.outcome = (struct verify_outcome){ .code = VERIFY_TIMEOUT };
	assert_ok(START(b, SHOP));
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	id = only_connector();
	provider.outcome = (struct verify_outcome){ .account_id = STR("A2") };
	assert_ok(START(b, SHOP, .connector_id = { true, id }));
	assert_ok(back(b, "acme", with_state(b, "code=c2")));
	assert_int_equal(
		number("SELECT COUNT(*) FROM connector WHERE account_id = 'A2' AND status = 'active'"),
		1);
	browser_close(b);
}

static void only_the_tenants_own_connectors_of_that_type_are_connected_again(void **state)
{
	struct browser *a = browser_open(&TENANT_A), *b = browser_open(&TENANT_B);
	struct id id;

	(void)state;
	connect_to(a, "A1");
	id = only_connector();
	assert_int_equal(START(b, SHOP, .connector_id = { true, id }), ERR_NOT_FOUND);
	run("UPDATE connector SET connector_type = 'signed'");
	assert_int_equal(START(a, SHOP, .connector_id = { true, id }), ERR_BAD_INPUT);
	assert_str(a->cx->problem.field[0].field, "query.connector_id");
	browser_close(a);
	browser_close(b);
}

static void a_connector_that_went_away_meanwhile_is_not_made_anew(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id id;

	(void)state;
	connect_to(b, "A1");
	id = only_connector();
	assert_ok(START(b, SHOP, .connector_id = { true, id }));
	run("DELETE FROM connector");
	assert_int_equal(back(b, "acme", with_state(b, "code=c2")), ERR_NOT_FOUND);
	assert_page(b, 404, "is gone");
	assert_int_equal(number("SELECT COUNT(*) FROM connector"), 0);
	browser_close(b);
}

static void a_connector_whose_credential_is_gone_gets_a_new_one(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct id id;

	(void)state;
	connect_to(b, "A1");
	id = only_connector();
	run("UPDATE credential SET deleted_at = 1");
	assert_ok(START(b, SHOP, .connector_id = { true, id }));
	assert_ok(back(b, "acme", with_state(b, "code=c2")));
	assert_int_equal(
		number("SELECT COUNT(*) FROM connector c JOIN credential d ON d.credential_id = c.credential_id "
		       "WHERE d.deleted_at IS NULL AND c.status = 'active'"),
		1);
	browser_close(b);
}

static void a_new_root_key_does_not_break_a_consent_under_way(void **state)
{
	struct browser *b = browser_open(&TENANT_A);
	struct keyring *before = b->cx->vault_keys;
	char key[KEYRING_ID_MAX + 1], old[KEYRING_ID_MAX + 1], why[KEYRING_WHY_MAX];

	(void)state;
	connect_to(b, "A1"); /* the tenant's key stays under the old root key */
	assert_ok(START(b, SHOP));
	snprintf(old, sizeof(old), "%s", keyring_current(before)->id);
	make_root_key(key);
	assert_ok(keyring_set_current(key_directory, str_of(key), why));
	assert_ok(keyring_reload(before, why));
	assert_string_equal(keyring_current(before)->id, key);
	assert_ok(back(b, "acme", with_state(b, "code=c1")));
	assert_string_equal(provider.challenge, b->challenge);
	assert_ok(keyring_set_current(key_directory, str_of(old), why));
	browser_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_same_account_is_connected_again_and_not_twice),
		TEST(a_connector_may_be_connected_again_without_asking_for_everything),
		TEST(a_connector_is_never_handed_to_another_account),
		TEST(a_connector_without_an_account_takes_the_first),
		TEST(only_the_tenants_own_connectors_of_that_type_are_connected_again),
		TEST(a_connector_that_went_away_meanwhile_is_not_made_anew),
		TEST(a_connector_whose_credential_is_gone_gets_a_new_one),
		TEST(a_new_root_key_does_not_break_a_consent_under_way),
	};

	return cmocka_run_group_tests(tests, start_oauth, stop_oauth);
}
