/* Making accounts and signing in. */
#include <pthread.h>
#include <unistd.h>

#include "identity/throttle.h"
#include "identity_support.h"

static void someone_registers_and_owns_a_new_tenant(void **state)
{
	struct client *client = registered("Ada@Example.test");

	(void)state;
	assert_int_equal(client->reply.status, 201);
	assert_str(answered(client, "user.email"), "Ada@Example.test");
	assert_str(answered(client, "tenant.name"), "Ada");
	assert_str(answered(client, "role"), "owner");
	assert_str(answered(client, "token_type"), "Bearer");
	assert_int_equal(strncmp(client->refresh, "lwr_", 4), 0);
	assert_ok(sign_in(client, " ADA@example.TEST ", PASSWORD));
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM user WHERE password_hash LIKE '$argon2id$v=19$m=8192,t=1,p=1$%'"),
		1);
	client_close(client);
}

static void an_address_is_registered_once_whatever_its_case(void **state)
{
	struct client *client = registered("ada@example.test");

	(void)state;
	client->access[0] = '\0';
	assert_int_equal(CALL(client, auth_register, .email = STR(" ADA@example.test"),
			      .password = STR(PASSWORD)),
			 ERR_EMAIL_TAKEN);
	/* A collation that folds accents would take this for the same person. */
	assert_ok(CALL(client, auth_register, .email = STR("ad\303\241@example.test"),
		       .password = STR(PASSWORD)));
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant"), 2);
	client_close(client);
}

static void a_common_password_or_the_own_address_is_refused(void **state)
{
	static const char *const bad[] = { "password123", "PassWord123", "Eve@example.test",
					   "iloveyou" };
	struct client *client = client_open("vault");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(CALL(client, auth_register, .email = STR("eve@example.test"),
				      .password = str_of(bad[i])),
				 ERR_BAD_INPUT);
	assert_int_equal(number_of("SELECT COUNT(*) FROM user"), 0);
	client_close(client);
}

static void a_password_counts_beyond_its_72nd_byte(void **state)
{
	static const char base[] =
		"0123456789 abcdefghijklmnopqrstuvwxyz 0123456789 abcdefghijklmnopqrstuvwxyz";
	struct client *client = client_open("vault");
	char right[100], wrong[100];

	(void)state;
	snprintf(right, sizeof(right), "%s-right", base);
	snprintf(wrong, sizeof(wrong), "%s-wrong", base);
	assert_ok(CALL(client, auth_register, .email = STR("long@example.test"),
		       .password = str_of(right)));
	assert_int_equal(sign_in(client, "long@example.test", wrong), ERR_BAD_LOGIN);
	assert_ok(sign_in(client, "long@example.test", right));
	client_close(client);
}

/* Whoever asks must not learn which addresses have accounts. */
static void unknown_wrong_disabled_and_passwordless_are_refused_alike(void **state)
{
	struct client *client = registered("ada@example.test");
	static const char *const who[] = { "nobody@example.test", "ada@example.test",
					   "off@example.test", "none@example.test" };

	(void)state;
	client_close(registered("off@example.test"));
	client_close(registered("none@example.test"));
	run_sql("UPDATE user SET disabled_at = 1 WHERE email_key = 'off@example.test';"
		"UPDATE user SET password_hash = NULL WHERE email_key = 'none@example.test'");
	for (size_t i = 0; i < ARRAY_SIZE(who); i++) {
		const char *password = i == 1 ? "not the password" : PASSWORD;

		assert_int_equal(sign_in(client, who[i], password), ERR_BAD_LOGIN);
		assert_true(str_absent(client->cx.problem.detail));
		assert_int_equal(client->cx.problem.count, 0);
		assert_true(client->cx.keep_changes);
	}
	/* Three who signed in from here before: counted for the address only. */
	assert_int_equal(number_of("SELECT COUNT(*) FROM login_throttle WHERE failures = 1"), 5);
	client_close(client);
}

/* Every hash that is computed is a failure that is counted, so the count of failures is the count of hashes. */
static void two_hundred_addresses_together_guess_less_than_a_hundred_times_an_hour(void **state)
{
	static const char *const spellings[] = { "ada@example.test", "ADA@example.test",
						 " ada@example.test ", "Ada@Example.Test" };
	struct client *owner = registered("ada@example.test");
	struct client *thief = client_open("vault");
	int64_t start = now_ms;
	int hashes = 0, refused = 0;
	char address[32];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(address, sizeof(address), "198.51.100.%d", i % 200);
		thief->address = address;
		now_ms = start + i * INT64_C(3600);
		if (sign_in(thief, spellings[i % 4], "not the password") == ERR_BAD_LOGIN) {
			hashes++;
			continue;
		}
		assert_true(thief->cx.problem.retry_after_s > 0);
		assert_true(thief->cx.problem.retry_after_s <= 60);
		refused++;
	}
	assert_true(hashes > 10);
	assert_true(hashes < 100);
	assert_int_equal(hashes + refused, 1000);
	/* The owner signed in from this address lately. */
	assert_ok(sign_in(owner, "ada@example.test", PASSWORD));
	client_close(owner);
	client_close(thief);
}

static void one_address_that_guesses_waits_longer_each_time(void **state)
{
	struct client *client = registered("ada@example.test");

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(sign_in(client, "ada@example.test", "not the password"),
				 ERR_BAD_LOGIN);
	assert_int_equal(sign_in(client, "ada@example.test", PASSWORD), ERR_RATE_LIMITED);
	now_ms += 1000;
	assert_int_equal(sign_in(client, "ada@example.test", "not the password"), ERR_BAD_LOGIN);
	now_ms += 1000;
	assert_int_equal(sign_in(client, "ada@example.test", PASSWORD), ERR_RATE_LIMITED);
	now_ms += 1000;
	assert_ok(sign_in(client, "ada@example.test", PASSWORD));
	/* The count starts anew. */
	assert_int_equal(sign_in(client, "ada@example.test", "not the password"), ERR_BAD_LOGIN);
	assert_ok(sign_in(client, "ada@example.test", PASSWORD));
	client_close(client);
}

static void a_hash_of_an_earlier_backend_is_replaced_at_the_next_login(void **state)
{
	struct client *client = registered("ada@example.test");

	(void)state;
	/* bcrypt, cost 5, of "U*U": Openwall's crypt_blowfish test vector. */
	run_sql("UPDATE user SET password_hash = '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW'");
	assert_int_equal(sign_in(client, "ada@example.test", PASSWORD), ERR_BAD_LOGIN);
	assert_ok(sign_in(client, "ada@example.test", "U*U"));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM user WHERE password_hash LIKE '$argon2id$%'"), 1);
	assert_ok(sign_in(client, "ada@example.test", "U*U"));
	client_close(client);
}

static void a_login_picks_the_tenant_that_is_asked_for_if_it_is_ones_own(void **state)
{
	struct client *client = registered("ada@example.test");
	struct client *other = registered("eve@example.test");
	struct id foreign = answered_id(other, "tenant.id", ID_TENANT),
		  own = answered_id(client, "tenant.id", ID_TENANT);
	struct id unknown = { { 1 } };

	(void)state;
	client->access[0] = '\0';
	assert_ok(CALL(client, auth_login, .email = STR("ada@example.test"),
		       .password = STR(PASSWORD), .tenant_id = { true, own }));
	client->access[0] = '\0';
	assert_int_equal(CALL(client, auth_login, .email = STR("ada@example.test"),
			      .password = STR(PASSWORD), .tenant_id = { true, foreign }),
			 ERR_DENIED);
	assert_int_equal(CALL(client, auth_login, .email = STR("ada@example.test"),
			      .password = STR(PASSWORD), .tenant_id = { true, unknown }),
			 ERR_DENIED);
	client_close(client);
	client_close(other);
}

static void nobody_registers_where_registration_is_closed(void **state)
{
	struct client *client = client_open("vault");

	(void)state;
	config.auth_registration = false;
	assert_int_equal(CALL(client, auth_register, .email = STR("ada@example.test"),
			      .password = STR(PASSWORD)),
			 ERR_DENIED);
	client_close(client);
}

/* --- links --------------------------------------------------------------- */
static void a_reset_link_sets_a_password_once_and_ends_every_session(void **state)
{
	struct client *client = registered("ada@example.test");
	struct client *front = client_open("front");
	char token[128];

	(void)state;
	client_follow(front, client);
	assert_ok(GET(front, me_get, 0));
	client->access[0] = '\0';
	assert_ok(CALL(client, password_forgot, .email = STR("ADA@example.test")));
	mailed_token(client, "ada@example.test", token);
	assert_int_equal(CALL(client, password_reset, .token = str_of(token),
			      .password = STR("password123")),
			 ERR_BAD_INPUT);
	assert_ok(CALL(client, password_reset, .token = str_of(token),
		       .password = STR("another good passphrase")));
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
	assert_int_equal(CALL(client, password_reset, .token = str_of(token),
			      .password = STR("a third passphrase")),
			 ERR_LINK_USED);
	assert_int_equal(sign_in(client, "ada@example.test", PASSWORD), ERR_BAD_LOGIN);
	assert_ok(sign_in(client, "ada@example.test", "another good passphrase"));
	client_close(client);
	client_close(front);
}

static void a_link_for_one_purpose_does_nothing_for_another_nor_after_its_time(void **state)
{
	struct client *client = registered("ada@example.test");
	char token[128];

	(void)state;
	client->access[0] = '\0';
	mailed_token(client, "ada@example.test", token); /* the one of the registration */
	assert_int_equal(CALL(client, password_reset, .token = str_of(token),
			      .password = STR("another good passphrase")),
			 ERR_LINK_USED);
	now_ms += config.auth_verify_link_ms;
	assert_int_equal(CALL(client, email_verify, .token = str_of(token)), ERR_LINK_USED);
	now_ms -= 1;
	assert_ok(CALL(client, email_verify, .token = str_of(token)));
	assert_int_equal(number_of("SELECT COUNT(*) FROM user WHERE email_verified_at IS NOT NULL"),
			 1);
	client_close(client);
}

static void asking_for_a_link_says_nothing_and_sends_three_an_hour_at_most(void **state)
{
	struct client *client = registered("ada@example.test");

	(void)state;
	client->access[0] = '\0';
	run_sql("DELETE FROM mail");
	for (int i = 0; i < 6; i++) {
		assert_ok(CALL(client, password_forgot, .email = STR("ada@example.test")));
		assert_int_equal(client->reply.status, 202);
		assert_int_equal(client->reply.body.n, 0);
	}
	assert_ok(CALL(client, password_forgot, .email = STR("nobody@example.test")));
	assert_int_equal(client->reply.status, 202);
	assert_int_equal(client->reply.body.n, 0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM mail"), 3);
	client_close(client);
}

static void a_reset_lets_the_owner_in_from_the_address_that_guessed_too_often(void **state)
{
	struct client *client = registered("ada@example.test");
	char token[128];

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(sign_in(client, "ada@example.test", "not the password"),
				 ERR_BAD_LOGIN);
	assert_int_equal(sign_in(client, "ada@example.test", PASSWORD), ERR_RATE_LIMITED);
	client->access[0] = '\0';
	assert_ok(CALL(client, password_forgot, .email = STR("ada@example.test")));
	mailed_token(client, "ada@example.test", token);
	assert_ok(CALL(client, password_reset, .token = str_of(token),
		       .password = STR("another good passphrase")));
	assert_ok(sign_in(client, "ada@example.test", "another good passphrase"));
	client_close(client);
}

static void *sign_in_slowly(void *arg)
{
	return (void *)(intptr_t)sign_in(arg, "ada@example.test", PASSWORD);
}

/* Whoever knows the old password must not have a session that began while it was being changed. */
static void a_sign_in_that_a_change_of_the_password_overtakes_is_tried_again(void **state)
{
	struct client *client = registered("ada@example.test");
	struct client *holder = client_open("vault");
	struct throttle throttle;
	bool waits = false;
	pthread_t thread;
	void *result;

	(void)state;
	client->access[0] = '\0';
	assert_ok(client_begin(holder, "POST"));
	assert_ok(throttle_enter(&holder->cx, STR("ada@example.test"), true, &throttle));
	assert_int_equal(pthread_create(&thread, NULL, sign_in_slowly, client), 0);
	/* Not more often: InnoDB shows the table anew only when nobody has read it for 0.1 s. */
	for (int i = 0; i < 100 && !waits; i++) {
		usleep(200000);
		waits = number_of("SELECT COUNT(*) FROM information_schema.INNODB_TRX "
				  "WHERE trx_state = 'LOCK WAIT'") > 0;
	}
	assert_true(waits);
	run_sql("UPDATE user SET password_hash = NULL");
	assert_ok(client_end(holder, OK));
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_int_equal((enum err)(intptr_t)result, ERR_DB_RETRY);
	assert_int_equal(number_of("SELECT COUNT(*) FROM session"), 1);
	client_close(holder);
	client_close(client);
}

static void a_changed_password_ends_the_other_sessions_only(void **state)
{
	struct client *here = registered("ada@example.test");
	struct client *there = client_open("vault");

	(void)state;
	assert_ok(sign_in(there, "ada@example.test", PASSWORD));
	assert_int_equal(CALL(here, password_change, .old_password = STR("wrong"),
			      .new_password = STR("a new passphrase")),
			 ERR_BAD_INPUT);
	assert_ok(CALL(here, password_change, .old_password = STR(PASSWORD),
		       .new_password = STR("a new passphrase")));
	assert_int_equal(CALL(there, password_change, .old_password = STR("a new passphrase"),
			      .new_password = STR("x new passphrase")),
			 ERR_SESSION_ENDED);
	assert_ok(CALL(here, password_change, .old_password = STR("a new passphrase"),
		       .new_password = STR("another passphrase")));
	client_close(here);
	client_close(there);
}

static void a_borrowed_session_does_not_guess_the_password(void **state)
{
	struct client *client = registered("ada@example.test");

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_int_equal(CALL(client, password_change, .old_password = STR("wrong"),
				      .new_password = STR("a new passphrase")),
				 ERR_BAD_INPUT);
	assert_int_equal(CALL(client, password_change, .old_password = STR(PASSWORD),
			      .new_password = STR("a new passphrase")),
			 ERR_RATE_LIMITED);
	client_close(client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(someone_registers_and_owns_a_new_tenant, empty_identity),
		cmocka_unit_test_setup(an_address_is_registered_once_whatever_its_case,
				       empty_identity),
		cmocka_unit_test_setup(a_common_password_or_the_own_address_is_refused,
				       empty_identity),
		cmocka_unit_test_setup(a_password_counts_beyond_its_72nd_byte, empty_identity),
		cmocka_unit_test_setup(unknown_wrong_disabled_and_passwordless_are_refused_alike,
				       empty_identity),
		cmocka_unit_test_setup(
			two_hundred_addresses_together_guess_less_than_a_hundred_times_an_hour,
			empty_identity),
		cmocka_unit_test_setup(one_address_that_guesses_waits_longer_each_time,
				       empty_identity),
		cmocka_unit_test_setup(a_hash_of_an_earlier_backend_is_replaced_at_the_next_login,
				       empty_identity),
		cmocka_unit_test_setup(a_login_picks_the_tenant_that_is_asked_for_if_it_is_ones_own,
				       empty_identity),
		cmocka_unit_test_setup(nobody_registers_where_registration_is_closed,
				       empty_identity),
		cmocka_unit_test_setup(a_reset_link_sets_a_password_once_and_ends_every_session,
				       empty_identity),
		cmocka_unit_test_setup(
			a_link_for_one_purpose_does_nothing_for_another_nor_after_its_time,
			empty_identity),
		cmocka_unit_test_setup(
			asking_for_a_link_says_nothing_and_sends_three_an_hour_at_most,
			empty_identity),
		cmocka_unit_test_setup(
			a_reset_lets_the_owner_in_from_the_address_that_guessed_too_often,
			empty_identity),
		cmocka_unit_test_setup(
			a_sign_in_that_a_change_of_the_password_overtakes_is_tried_again,
			empty_identity),
		cmocka_unit_test_setup(a_changed_password_ends_the_other_sessions_only,
				       empty_identity),
		cmocka_unit_test_setup(a_borrowed_session_does_not_guess_the_password,
				       empty_identity),
	};

	return cmocka_run_group_tests_name("identity: signing in", tests, start_identity,
					   stop_feature);
}
