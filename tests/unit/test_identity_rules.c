/* Rules that need no database: keys, brakes, texts, cookies. */
#include <unistd.h>

#include "identity/api_token.h"
#include "identity/cookie.h"
#include "identity/password_rules.h"
#include "identity/signing.h"
#include "identity/text.h"
#include "identity/throttle.h"
#include "identity_support.h"

/* --- keys ---------------------------------------------------------------- */
static char keys[64];

static struct keyring *open_keys(void)
{
	struct keyring *keyring;

	assert_ok(keyring_open(keys, NULL, NULL, &keyring));
	return keyring;
}

static void add_key(char ret_id[KEYRING_ID_MAX + 1])
{
	assert_ok(keyring_create(keys, NULL, 0400, NULL, ret_id));
	assert_ok(keyring_set_current(keys, str_of(ret_id), NULL));
}

static int make_keys(void **state)
{
	char id[KEYRING_ID_MAX + 1];

	(void)state;
	snprintf(keys, sizeof(keys), "/tmp/lw-test-keys-XXXXXX");
	assert_non_null(mkdtemp(keys));
	add_key(id);
	return 0;
}

static int remove_keys(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", keys);
	return system(command);
}

static void a_key_that_was_rotated_elsewhere_is_found_without_a_restart(void **state)
{
	struct keyring *keyring = open_keys();
	struct signing *signing = calloc(1, sizeof(*signing));
	const struct jwt_key *key;
	char id[KEYRING_ID_MAX + 1];

	(void)state;
	assert_ok(signing_init(signing, keyring));
	assert_int_equal(signing->n, 1);
	add_key(id);
	assert_ok(signing_find(signing, str_of(id), &key));
	assert_non_null(key);
	assert_int_equal(signing_find(signing, STR("../../etc/passwd"), &key), ERR_BAD_TOKEN);
	assert_int_equal(signing_find(signing, STR("nosuchkey"), &key), ERR_BAD_TOKEN);
	signing_done(signing);
	keyring_free(keyring);
	free(signing);
}

static void a_csrf_token_survives_a_rotation_and_fits_one_session(void **state)
{
	struct keyring *old_ring = open_keys(), *new_ring;
	struct signing *before = calloc(1, sizeof(*before)), *after = calloc(1, sizeof(*after));
	const struct id session = { { 1 } }, other = { { 2 } };
	char text[CSRF_CHARS + 1], id[KEYRING_ID_MAX + 1];

	(void)state;
	assert_ok(signing_init(before, old_ring));
	signing_csrf(before, &session, text);
	add_key(id);
	new_ring = open_keys();
	assert_ok(signing_init(after, new_ring));
	assert_true(signing_csrf_good(after, &session, str_of(text)));
	assert_false(signing_csrf_good(after, &other, str_of(text)));
	text[5] = text[5] == 'A' ? 'B' : 'A';
	assert_false(signing_csrf_good(after, &session, str_of(text)));
	assert_false(signing_csrf_good(after, &session, STR("")));
	assert_false(signing_csrf_good(after, &session, STR_NONE));
	signing_done(before);
	signing_done(after);
	keyring_free(old_ring);
	keyring_free(new_ring);
	free(before);
	free(after);
}

/* --- brakes -------------------------------------------------------------- */
static void an_account_is_guessed_less_than_a_hundred_times_in_any_hour(void **state)
{
	int64_t at[400];
	size_t n = 0;

	(void)state;
	/* The fastest thief: each try at the first moment that is allowed, over three windows. */
	for (int64_t start = 0; start < 3 * 3600000; start += 3600000) {
		int64_t now = start;

		for (int64_t failures = 1; now < start + 3600000 && n < ARRAY_SIZE(at);
		     failures++) {
			at[n++] = now;
			now += throttle_delay_ms(&THROTTLE_ACCOUNT, failures);
		}
	}
	for (size_t i = 0; i + 100 < n; i++)
		assert_true(at[i + 99] - at[i] > 3600000);
	assert_int_equal(throttle_delay_ms(&THROTTLE_ACCOUNT, 1000000), 60000);
	assert_int_equal(throttle_delay_ms(&THROTTLE_PAIR, 4), 0);
	assert_int_equal(throttle_delay_ms(&THROTTLE_PAIR, 1000000), 900000);
}

/* --- texts --------------------------------------------------------------- */
static void the_list_of_common_passwords_is_in_order_and_found_in_any_case(void **state)
{
	(void)state;
#define COMMON_PASSWORD(text) assert_true(password_is_common(STR(text)));
#include "identity/common_passwords.def"
#undef COMMON_PASSWORD
	assert_true(password_is_common(STR("PassWord123")));
	assert_false(password_is_common(STR("correct horse battery staple")));
	assert_false(password_is_common(STR("")));
}

static void a_few_characters_over_and_over_are_common_however_many_they_are(void **state)
{
	static const char *const FEW[] = { "        ", "qqqqqqqqq", "1212121212", "abcabcabc", "Ab1!Ab1!Ab1!Ab1!", "abcdabcda",
					   "\xf0\x9f\x98\x80\xf0\x9f\x98\x80" };
	static const char *const OTHERS[] = { "abcdeabcde", "aaaaaaab", "1212121213", "q", "correct horse correct horse" };
	char many[PASSWORD_BYTES_MAX];

	(void)state;
	memset(many, 'x', sizeof(many));
	assert_true(password_is_common((struct str){ many, sizeof(many) }));
	for (size_t i = 0; i < ARRAY_SIZE(FEW); i++)
		assert_true(password_is_common(str_of(FEW[i])));
	for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++)
		assert_false(password_is_common(str_of(OTHERS[i])));
}

static void an_address_has_one_key_however_it_is_typed(void **state)
{
	struct arena *arena = arena_new(1 << 16);
	struct str key;

	(void)state;
	assert_ok(email_fold(arena, STR(" ADA@Example.TEST\t"), &key));
	assert_str(key, "ada@example.test");
	/* Not ASCII: left as it is, and so another key for the look-up and the throttle alike. */
	assert_ok(email_fold(arena, STR("\xc3\x81@example.test"), &key));
	assert_str(key, "\xc3\x81@example.test");
	assert_str(text_cut(STR("\xc3\xa9\xc3\xa9\xc3\xa9"), 2), "\xc3\xa9\xc3\xa9");
	assert_str(text_cut(STR("ab"), 5), "ab");
	arena_free(arena);
}

static void scopes_read_as_they_were_written(void **state)
{
	char text[SCOPES_TEXT_MAX];
	scopes all = ((scopes)1 << SCOPE_COUNT) - 1;

	(void)state;
	assert_int_equal(scopes_parse(scopes_format(all, text)), all);
	assert_int_equal(scopes_parse(STR("")), 0);
	assert_int_equal(scopes_parse(STR("audit:read nonsense")), SCOPE_SET(AUDIT_READ));
}

static void a_cookie_is_found_by_its_whole_name(void **state)
{
	char header[] =
		"HTTP_COOKIE=x__Host-latchwork=1; __Host-latchwork-refresh=r; __Host-latchwork=t; empty=; flag";
	char *params[] = { header, NULL };
	struct decoder decoder = { .params = params };
	struct request request = { .fcgi = &decoder };
	struct ctx cx = { .request = &request };
	struct str value;

	(void)state;
	assert_ok(cookie_get(&cx, STR(COOKIE_ACCESS), &value));
	assert_str(value, "t");
	assert_ok(cookie_get(&cx, STR(COOKIE_REFRESH), &value));
	assert_str(value, "r");
	assert_ok(cookie_get(&cx, STR("empty"), &value));
	assert_true(str_absent(value));
	assert_ok(cookie_get(&cx, STR("flag"), &value));
	assert_true(str_absent(value));
}

static void a_cookie_is_set_for_this_host_over_tls_and_out_of_reach_of_scripts(void **state)
{
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_ok(cookie_set(&reply, COOKIE_ACCESS, STR("t"), 900000));
	assert_str(
		buf_str(&reply.head),
		"Set-Cookie: __Host-latchwork=t; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=900\r\n");
	reply_done(&reply);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_key_that_was_rotated_elsewhere_is_found_without_a_restart, make_keys,
			remove_keys),
		cmocka_unit_test_setup_teardown(
			a_csrf_token_survives_a_rotation_and_fits_one_session, make_keys,
			remove_keys),
		cmocka_unit_test(an_account_is_guessed_less_than_a_hundred_times_in_any_hour),
		cmocka_unit_test(the_list_of_common_passwords_is_in_order_and_found_in_any_case),
		cmocka_unit_test(a_few_characters_over_and_over_are_common_however_many_they_are),
		cmocka_unit_test(an_address_has_one_key_however_it_is_typed),
		cmocka_unit_test(scopes_read_as_they_were_written),
		cmocka_unit_test(a_cookie_is_found_by_its_whole_name),
		cmocka_unit_test(
			a_cookie_is_set_for_this_host_over_tls_and_out_of_reach_of_scripts),
	};

	return cmocka_run_group_tests_name("identity: rules", tests, NULL, NULL);
}
