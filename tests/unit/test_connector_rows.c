/* Connectors in a database: what is written down of how trying went, and of whom. */
#include "vault_support.h"

#include "connect/connector.h"

static const struct verify_outcome GOOD = { .code = VERIFY_OK,
					    .account_id = { "acct-1", 6 },
					    .account_label = { "Acme", 4 } };

static int empty(void **state)
{
	private_mariadb_run(&server, "latchwork",
			    "DELETE FROM connector; DELETE FROM token_refresh;");
	return empty_vault(state);
}

/* --- doing it in transactions -------------------------------------------------------- */

static void add(struct ctx *cx, const char *status, const struct id *credential, struct id *ret_id)
{
	struct connector c = { .type = STR("stripe"),
			       .display_name = STR("Stripe"),
			       .auth = STR("api_key"),
			       .status = str_of(status) };

	if (credential)
		c.credential = (struct opt_id){ true, *credential };
	assert_ok(db_begin(cx->db));
	assert_ok(connector_insert(cx, &c));
	assert_ok(db_commit(cx->db));
	*ret_id = c.id;
}

static void add_with_credential(struct ctx *cx, const char *status, struct id *ret_credential,
				struct id *ret_id)
{
	assert_ok(store(cx, "api_key", "{\"api_key\":\"canary-0123456789\"}", ret_credential));
	add(cx, status, ret_credential, ret_id);
}

static void note(struct ctx *cx, const struct id *credential, const struct verify_outcome *outcome)
{
	assert_ok(db_begin(cx->db));
	assert_ok(connector_note_outcome(cx, credential, (struct opt_int){ 0 }, outcome));
	assert_ok(db_commit(cx->db));
}

static void note_code(struct ctx *cx, const struct id *credential, enum verify_code code)
{
	note(cx, credential, &(struct verify_outcome){ .code = code });
}

static void note_dead(struct ctx *cx, const struct id *credential)
{
	assert_ok(db_begin(cx->db));
	assert_ok(connector_note_dead(cx, credential, STR("INVALID_GRANT"),
				      STR("The provider took it back.")));
	assert_ok(db_commit(cx->db));
}

static void assert_status(struct ctx *cx, const struct id *id, const char *status)
{
	struct connector c;

	assert_ok(connector_read(cx, id, &c));
	assert_str(c.status, status);
}

static void assert_credential(const struct id *id, const char *status, const char *verify)
{
	char sql[256];

	snprintf(
		sql, sizeof(sql),
		"SELECT status = '%s' AND verify_status <=> '%s' FROM credential WHERE credential_id = ID",
		status, verify);
	assert_int_equal(number_of(sql, id), 1);
}

/* --- the tests -------------------------------------------------------------------------- */

static void a_good_outcome_makes_every_connector_of_the_credential_active(void **state)
{
	static const char *const BEFORE[] = { "pending", "error", "needs_reconnect", "active",
					      "disabled" };
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id[5], other, others;
	struct connector c;

	(void)state;
	assert_ok(store(cx, "api_key", "{\"api_key\":\"canary-0123456789\"}", &credential));
	for (size_t i = 0; i < 5; i++)
		add(cx, BEFORE[i], &credential, &id[i]);
	add_with_credential(cx, "pending", &other, &others);
	note(cx, &credential, &GOOD);
	for (size_t i = 0; i < 4; i++)
		assert_status(cx, &id[i], "active");
	assert_status(cx, &id[4], "disabled");
	assert_status(cx, &others, "pending");
	assert_ok(connector_read(cx, &id[0], &c));
	assert_str(c.account_id, "acct-1");
	assert_str(c.account_label, "Acme");
	assert_in_range(c.next_check_at.v, cx->now_ms + CONNECTOR_CHECK_MS / 2,
			cx->now_ms + 2 * CONNECTOR_CHECK_MS);
	assert_credential(&credential, "active", "passed");
	assert_int_equal(
		number_of("SELECT next_check_at IS NULL FROM connector WHERE connector_id = ID",
			  &id[4]),
		1);
	close_vault(cx);
}

static void an_account_that_is_known_is_not_forgotten_when_an_answer_names_none(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id;
	struct connector c;

	(void)state;
	add_with_credential(cx, "pending", &credential, &id);
	note(cx, &credential, &GOOD);
	note_code(cx, &credential, VERIFY_OK);
	note_code(cx, &credential, VERIFY_INVALID_CREDENTIALS);
	assert_ok(connector_read(cx, &id, &c));
	assert_str(c.account_id, "acct-1");
	assert_int_equal(
		number_of(
			"SELECT JSON_VALUE(verify_account, '$.label') = 'Acme' FROM credential WHERE credential_id = ID",
			&credential),
		1);
	close_vault(cx);
}

static void a_refusal_shows_its_code_and_words_until_a_good_outcome_comes(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id;
	struct connector c;

	(void)state;
	add_with_credential(cx, "active", &credential, &id);
	note_code(cx, &credential, VERIFY_INVALID_CREDENTIALS);
	assert_ok(connector_read(cx, &id, &c));
	assert_str(c.status, "error");
	assert_str(c.error_code, "INVALID_CREDENTIALS");
	assert_true(c.error_message.n > 0 && c.error_at.set);
	assert_true(c.next_check_at.v < cx->now_ms + 2 * CONNECTOR_CHECK_BAD_MS);
	assert_credential(&credential, "error", "failed");
	note(cx, &credential, &GOOD);
	assert_ok(connector_read(cx, &id, &c));
	assert_true(str_absent(c.error_code) && str_absent(c.error_message) && !c.error_at.set);
	close_vault(cx);
}

static void a_bad_moment_does_not_take_an_active_connection_out_of_use(void **state)
{
	static const enum verify_code MOMENTS[] = { VERIFY_TIMEOUT, VERIFY_RATE_LIMITED,
						    VERIFY_HOST_UNREACHABLE, VERIFY_BAD_RESPONSE };
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id, pending_credential, pending;
	struct connector c;

	(void)state;
	add_with_credential(cx, "active", &credential, &id);
	note(cx, &credential, &GOOD);
	add_with_credential(cx, "pending", &pending_credential, &pending);
	for (size_t i = 0; i < 4; i++) {
		note_code(cx, &credential, MOMENTS[i]);
		assert_ok(connector_read(cx, &id, &c));
		assert_str(c.status, "active");
		assert_str(c.error_code, verify_code_text(MOMENTS[i]));
		assert_credential(&credential, "active", "failed");
	}
	note_code(cx, &pending_credential, VERIFY_TIMEOUT);
	assert_status(cx, &pending, "error");
	close_vault(cx);
}

static void what_cannot_be_tried_changes_nothing(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id;

	(void)state;
	add_with_credential(cx, "active", &credential, &id);
	note_code(cx, &credential, VERIFY_UNSUPPORTED);
	assert_status(cx, &id, "active");
	assert_int_equal(
		number_of(
			"SELECT verify_checked_at IS NULL FROM credential WHERE credential_id = ID",
			&credential),
		1);
	close_vault(cx);
}

static void a_dead_connection_says_so_until_a_good_outcome_comes(void **state)
{
	struct ctx *cx = open_vault("worker", &TENANT_A), *vault = open_vault("vault", &TENANT_A);
	struct id credential, id, off;
	struct connector c;

	(void)state;
	add_with_credential(vault, "active", &credential, &id);
	add(vault, "disabled", &credential, &off);
	note_dead(cx, &credential);
	assert_ok(connector_read(cx, &id, &c));
	assert_str(c.status, "needs_reconnect");
	assert_str(c.error_code, "INVALID_GRANT");
	assert_false(c.next_check_at.set);
	assert_status(cx, &off, "disabled");
	assert_credential(&credential, "needs_reconnect", "failed");
	note_code(cx, &credential, VERIFY_TOKEN_EXPIRED);
	assert_status(cx, &id, "needs_reconnect");
	assert_credential(&credential, "needs_reconnect", "failed");
	note(cx, &credential, &GOOD);
	assert_status(cx, &id, "active");
	close_vault(vault);
	close_vault(cx);
}

static void texts_of_a_provider_fit_whatever_their_length(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id;
	char long_text[3000];
	struct verify_outcome outcome = GOOD;
	struct connector c;

	(void)state;
	for (size_t i = 0; i + 1 < sizeof(long_text); i += 2)
		memcpy(long_text + i, "\xc3\xa9", 2);
	outcome.account_label = (struct str){ long_text, sizeof(long_text) };
	add_with_credential(cx, "pending", &credential, &id);
	note(cx, &credential, &outcome);
	assert_ok(connector_read(cx, &id, &c));
	assert_int_equal(str_utf8_length(c.account_label), 255);
	outcome = (struct verify_outcome){ .code = VERIFY_TLS_FAILED,
					   .message = { long_text, sizeof(long_text) } };
	note(cx, &credential, &outcome);
	assert_ok(connector_read(cx, &id, &c));
	assert_int_equal(str_utf8_length(c.error_message), 500);
	close_vault(cx);
}

static void a_change_within_one_millisecond_still_changes_the_etag(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id;
	struct connector c;
	int64_t before;

	(void)state;
	add_with_credential(cx, "active", &credential, &id);
	assert_ok(db_begin(cx->db));
	assert_ok(connector_lock(cx, &id, &c));
	before = c.updated_at;
	c.display_name = STR("Another");
	assert_ok(connector_write(cx, &c));
	assert_true(c.updated_at > before);
	assert_ok(db_commit(cx->db));
	note_code(cx, &credential, VERIFY_TIMEOUT);
	assert_ok(connector_read(cx, &id, &c));
	assert_true(c.updated_at > before + 1);
	assert_str(c.display_name, "Another");
	close_vault(cx);
}

static void another_tenant_finds_no_connector_and_notes_nothing(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A), *other = open_vault("vault", &TENANT_B);
	struct id credential, id;
	struct connector c;

	(void)state;
	add_with_credential(cx, "active", &credential, &id);
	assert_int_equal(connector_read(other, &id, &c), ERR_NOT_FOUND);
	assert_ok(db_begin(other->db));
	assert_int_equal(connector_lock(other, &id, &c), ERR_NOT_FOUND);
	assert_int_equal(connector_note_outcome(other, &credential, (struct opt_int){ 0 }, &GOOD), ERR_NOT_FOUND);
	db_rollback(other->db);
	assert_ok(connector_read(cx, &id, &c));
	assert_true(str_absent(c.account_id));
	close_vault(other);
	close_vault(cx);
}

static void noting_an_outcome_leaves_the_audit_row_about_whom_it_was(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id credential, id;

	(void)state;
	add_with_credential(cx, "active", &credential, &id);
	cx->audit = (struct audit_note){ 0 };
	ctx_audit_target(cx, ID_CONNECTOR, &id);
	note(cx, &credential, &GOOD);
	assert_int_equal(cx->audit.target_kind, ID_CONNECTOR);
	assert_true(id_eq(&cx->audit.target, &id));
	close_vault(cx);
}

static void the_next_sync_is_as_far_away_as_its_frequency(void **state)
{
	(void)state;
	assert_false(connector_next_sync(STR("manual"), 1000).set);
	assert_int_equal(connector_next_sync(STR("hourly"), 1000).v, 1000 + 3600000);
	assert_int_equal(connector_next_sync(STR("daily"), 1000).v, 1000 + 24 * 3600000);
	assert_int_equal(connector_next_sync(STR("weekly"), 1000).v, 1000 + 7 * 24 * 3600000);
}

#define T(name) cmocka_unit_test_setup(name, empty)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_good_outcome_makes_every_connector_of_the_credential_active),
		T(an_account_that_is_known_is_not_forgotten_when_an_answer_names_none),
		T(a_refusal_shows_its_code_and_words_until_a_good_outcome_comes),
		T(a_bad_moment_does_not_take_an_active_connection_out_of_use),
		T(what_cannot_be_tried_changes_nothing),
		T(a_dead_connection_says_so_until_a_good_outcome_comes),
		T(texts_of_a_provider_fit_whatever_their_length),
		T(a_change_within_one_millisecond_still_changes_the_etag),
		T(another_tenant_finds_no_connector_and_notes_nothing),
		T(noting_an_outcome_leaves_the_audit_row_about_whom_it_was),
		T(the_next_sync_is_as_far_away_as_its_frequency),
	};

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
