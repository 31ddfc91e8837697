/* Renewing tokens exactly once: by many at once, through crashes, lost answers and a database in trouble. */
#include "token_support.h"

#include <unistd.h>

#include "base/clock.h"
#include "connect/refresh.h"

enum { PROCESSES = 6, CALLS = 8 };

/* --- one exchange ------------------------------------------------------------------------ */

static void an_expired_token_is_renewed_and_then_given_as_it_is(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "");

	(void)state;
	assert_ok(ask(cx, &c));
	assert_ok(ask(cx, &c));
	assert_int_equal(counted(cx, &c, "exchanges"), 1);
	assert_int_equal(stored(cx, &c).version, 2);
	assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.refresh' AND outcome = 'ok'", &ID_NIL), 1);
	assert_int_equal(number_of("SELECT due_at IS NOT NULL AND due_at < expires_at AND intent_id IS NULL FROM token_refresh",
				   &ID_NIL), 1);
	close_tokens(cx);
}

static enum err ask_often(struct ctx *cx, const struct connection *c)
{
	for (int i = 0; i < CALLS; i++)
		TRY(ask(cx, c));
	return OK;
}

static void race(const char *service, const char *query, int64_t exchanges)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, service, query);
	pid_t pids[PROCESSES];

	for (int i = 0; i < PROCESSES; i++)
		pids[i] = in_process(NULL, NULL, ask_often, &c);
	for (int i = 0; i < PROCESSES; i++)
		assert_int_equal(ended(pids[i]), 0);
	assert_int_equal(counted(cx, &c, "exchanges"), exchanges);
	assert_int_equal(counted(cx, &c, "reuses"), 0);
	close_tokens(cx);
}

static void many_who_ask_at_once_cause_one_exchange_and_all_get_a_good_token(void **state)
{
	(void)state;
	for (int round = 0; round < 5; round++)
		race("acme", "delay=100", 1);
}

static void the_same_goes_for_a_provider_that_the_credential_describes(void **state)
{
	(void)state;
	race(NULL, "delay=50", 1);
}

static void a_token_that_lives_a_minute_is_not_renewed_for_each_who_asks(void **state)
{
	(void)state;
	race("acme", "delay=50&expires_in=60", 1);
}

static void a_failed_exchange_is_the_failure_of_all_who_waited_for_it(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "delay=500&fail=down");
	pid_t pids[PROCESSES];

	(void)state;
	for (int i = 0; i < PROCESSES; i++)
		pids[i] = in_process(NULL, NULL, ask, &c);
	for (int i = 0; i < PROCESSES; i++)
		assert_int_equal(ended(pids[i]), ERR_UPSTREAM);
	assert_int_equal(counted(cx, &c, "seen"), 1);
	close_tokens(cx);
}

/* --- what is kept --------------------------------------------------------------------------- */

static void a_refresh_token_that_does_not_come_is_kept(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "rotate=0");
	struct str before = stored(cx, &c).refresh;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_ok(ask(cx, &c));
		expire(cx, &c);
	}
	assert_true(str_eq(stored(cx, &c).refresh, before));
	assert_int_equal(counted(cx, &c, "exchanges"), 3);
	close_tokens(cx);
}

static void refreshes_push_no_version_of_a_person_out_of_the_history(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "expires_in=1");

	(void)state;
	edit(cx, &c, "{\"scopes\":\"read\"}");
	for (int i = 0; i < 12; i++) {
		assert_ok(ask(cx, &c));
		run_sql("UPDATE token_refresh SET expires_at = 1, failures = 0 WHERE credential_id = ID", &c.credential);
	}
	assert_true(stored(cx, &c).version >= 14);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential_version WHERE made_by = 'refresh'", &ID_NIL), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential_version WHERE made_by = 'person'", &ID_NIL), 2);
	edit(cx, &c, "{\"scopes\":\"a\"}");
	edit(cx, &c, "{\"scopes\":\"b\"}");
	edit(cx, &c, "{\"scopes\":\"c\"}");
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential_version", &ID_NIL), 5);
	close_tokens(cx);
}

static void a_person_edits_while_the_exchange_is_under_way_and_both_changes_stay(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "delay=800");
	struct str before = stored(cx, &c).refresh;
	pid_t pid = in_process(NULL, NULL, ask, &c);

	(void)state;
	while (counted(cx, &c, "seen") == 0)
		usleep(20000);
	edit(cx, &c, "{\"extra\":{\"note\":\"mine\"}}");
	assert_int_equal(ended(pid), 0);
	assert_str(json_member_text(json_member(stored(cx, &c).data, "extra"), "note"), "mine");
	assert_false(str_eq(stored(cx, &c).refresh, before));
	assert_int_equal(counted(cx, &c, "exchanges"), 1);
	expire(cx, &c);
	assert_ok(ask(cx, &c));
	assert_int_equal(counted(cx, &c, "reuses"), 0);
	close_tokens(cx);
}

static void tokens_of_a_connection_that_was_made_anew_meanwhile_are_not_overwritten(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection old = connect_family(cx, "acme", "delay=800"), new = connect_family(cx, "acme", "");
	char data[1024];
	struct token_source anew = stored(cx, &new);
	pid_t pid = in_process(NULL, NULL, ask, &old);

	(void)state;
	while (counted(cx, &old, "seen") == 0)
		usleep(20000);
	snprintf(data, sizeof(data), "{\"access_token\":\"%.*s\",\"refresh_token\":\"%.*s\",\"expires_at\":\"2090-01-01T00:00:00Z\"}",
		 STR_ARG(anew.access), STR_ARG(anew.refresh));
	edit(cx, &old, data);
	(void)ended(pid); /* its token is one of the new family */
	assert_true(str_eq(stored(cx, &old).refresh, anew.refresh));
	assert_true(str_eq(stored(cx, &old).access, anew.access));
	close_tokens(cx);
}

/* --- crashes ---------------------------------------------------------------------------------- */

/* The intent of a process that died has run out. */
static void intent_runs_out(const struct connection *c)
{
	run_sql("UPDATE token_refresh SET intent_until = 1 WHERE credential_id = ID AND intent_id IS NOT NULL", &c->credential);
}

static const char *const POINTS[] = { "refresh_before_intent", "refresh_intent_committed", "refresh_answer_received",
				      "refresh_before_commit", "refresh_committed" };

static void a_crash_at_any_point_loses_nothing_within_the_grace_time(void **state)
{
	struct ctx *cx = open_tokens("vault");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(POINTS); i++) {
		struct connection c = connect_family(cx, "acme", "grace=60000");

		assert_int_equal(ended(in_process(POINTS[i], NULL, ask, &c)), 137);
		intent_runs_out(&c);
		if (ask(cx, &c) != OK)
			fail_msg("%s: %.*s", POINTS[i], STR_ARG(cx->problem.detail));
		assert_int_equal(counted(cx, &c, "revoked"), 0);
		expire(cx, &c);
		assert_ok(ask(cx, &c));
	}
	close_tokens(cx);
}

static void without_grace_only_a_lost_answer_loses_a_connection_and_it_is_counted(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(POINTS); i++) {
		struct ctx *cx = open_tokens("vault");
		struct connection c = connect_family(cx, "acme", "");
		bool lost = i == 2 || i == 3; /* the answer was there, and was not stored */
		enum err e;

		assert_int_equal(ended(in_process(POINTS[i], NULL, ask, &c)), 137);
		intent_runs_out(&c);
		e = ask(cx, &c);
		if (e != (lost ? ERR_NEEDS_RECONNECT : OK))
			fail_msg("%s: %s", POINTS[i], err_code(e));
		assert_int_equal(uncertain_lost(cx), lost);
		if (lost) {
			assert_non_null(memmem(cx->problem.detail.p, cx->problem.detail.n, "was lost", 8));
			assert_str(stored(cx, &c).status, "needs_reconnect");
			/* Nobody asks the provider again. */
			assert_int_equal(ask(cx, &c), ERR_NEEDS_RECONNECT);
			assert_int_equal(counted(cx, &c, "seen"), 2);
		}
		close_tokens(cx);
	}
}

static void a_living_intent_keeps_others_from_the_provider(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "grace=60000");
	pid_t waiting;

	(void)state;
	assert_int_equal(ended(in_process("refresh_intent_committed", NULL, ask, &c)), 137);
	waiting = in_process(NULL, NULL, ask, &c);
	usleep(700000);
	assert_int_equal(counted(cx, &c, "seen"), 0);
	intent_runs_out(&c);
	assert_int_equal(ended(waiting), 0);
	assert_int_equal(counted(cx, &c, "exchanges"), 1);
	close_tokens(cx);
}

static void an_answer_that_is_lost_on_the_wire_is_asked_for_again(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection kind = connect_family(cx, "acme", "grace=60000&lose=1"), strict = connect_family(cx, "acme", "lose=1");

	(void)state;
	assert_int_equal(ask(cx, &kind), ERR_UPSTREAM);
	assert_int_equal(number_of("SELECT uncertain FROM token_refresh WHERE credential_id = ID", &kind.credential), 1);
	usleep(1100000);
	assert_ok(ask(cx, &kind));
	assert_int_equal(number_of("SELECT uncertain FROM token_refresh WHERE credential_id = ID", &kind.credential), 0);
	assert_int_equal(ask(cx, &strict), ERR_UPSTREAM);
	usleep(1100000);
	assert_int_equal(ask(cx, &strict), ERR_NEEDS_RECONNECT);
	assert_int_equal(uncertain_lost(cx), 1);
	close_tokens(cx);
}

/* A process that was stopped between the two is too late: others may have taken it for dead. */
static void an_exchange_that_was_announced_too_long_ago_is_not_begun(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "");
	char data[80], time[TIME_TEXT_MAX];
	RENEWAL_AUTO struct renewal r;

	(void)state;
	snprintf(data, sizeof(data), "{\"expires_at\":\"%.*s\"}", STR_ARG(time_format(cx->now_ms + 60000, time)));
	edit(cx, &c, data);
	renewal_init(&r);
	assert_ok(token_source_open(cx, &c.credential, &r.source));
	assert_ok(renewal_look(cx, &r));
	assert_ok(renewal_plan(cx, &r));
	assert_ok(renewal_claim(cx, &r));
	assert_int_equal(r.state, RENEWAL_MINE);
	r.claimed_us -= 60000000;
	assert_ok(renewal_exchange(cx, &r));
	assert_int_equal(r.state, RENEWAL_AGAIN);
	assert_int_equal(counted(cx, &c, "seen"), 0);
	/* And what was stored for a minute isn't taken for new by that. */
	assert_ok(ask(cx, &c));
	assert_int_equal(counted(cx, &c, "exchanges"), 1);
	close_tokens(cx);
}

/* --- the database ------------------------------------------------------------------------------- */

static void a_commit_whose_answer_is_lost_loses_no_token(void **state)
{
	static const char *const FAULTS[] = { "before_commit:1", "before_commit:2", "after_commit:1", "after_commit:2" };
	struct ctx *cx = open_tokens("vault");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(FAULTS); i++) {
		struct connection c = connect_family(cx, "acme", "");
		int status = ended(in_process(NULL, FAULTS[i], ask, &c));

		if (status != 0 && status != ERR_DB_LOST)
			fail_msg("%s: %s", FAULTS[i], err_code((enum err)status));
		intent_runs_out(&c);
		if (ask(cx, &c) != OK)
			fail_msg("%s: %.*s", FAULTS[i], STR_ARG(cx->problem.detail));
		assert_int_equal(counted(cx, &c, "exchanges"), 1);
		assert_int_equal(counted(cx, &c, "reuses"), 0);
		assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.refresh' AND target_id = ID",
					   &c.credential), 1);
	}
	close_tokens(cx);
}

/* --- providers that answer badly -------------------------------------------------------------------- */

static void a_bad_answer_keeps_the_old_tokens_and_has_a_clear_code(void **state)
{
	static const struct {
		const char *how, *code;
		enum err e;
		bool saved; /* a new refresh token came with it */
	} ANSWERS[] = {
		{ "html", "BAD_RESPONSE", ERR_UPSTREAM, false },
		{ "error200", "REFUSED", ERR_OAUTH_REFUSED, false },
		{ "rate", "RATE_LIMITED", ERR_PROVIDER_BUSY, false },
		{ "down", "PROVIDER_ERROR", ERR_UPSTREAM, false },
		{ "client", "INVALID_CLIENT", ERR_OAUTH_REFUSED, false },
		{ "redirect", "BAD_RESPONSE", ERR_UPSTREAM, false },
		{ "no_token", "BAD_RESPONSE", ERR_UPSTREAM, true },
		{ "control", "BAD_RESPONSE", ERR_UPSTREAM, true },
		{ "negative", "BAD_RESPONSE", ERR_UPSTREAM, true },
	};
	struct ctx *cx = open_tokens("vault");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) {
		struct connection c = connect_family(cx, "acme", "");
		struct token_source before = stored(cx, &c);
		char sql[256];

		provider_fails(cx, &c, ANSWERS[i].how);
		if (ask(cx, &c) != ANSWERS[i].e)
			fail_msg("%s", ANSWERS[i].how);
		assert_true(cx->problem.retry_after_s > 0);
		assert_true(str_eq(stored(cx, &c).access, before.access));
		assert_true(str_eq(stored(cx, &c).refresh, before.refresh));
		assert_int_equal(!str_absent(stored(cx, &c).untried), ANSWERS[i].saved);
		snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM token_refresh WHERE credential_id = ID AND error_code LIKE '%.3s%%' "
					   "AND failures = 1 AND retry_at > 0 AND intent_id IS NULL", ANSWERS[i].code);
		assert_int_equal(number_of(sql, &c.credential), 1);
		/* It is well again, and nobody had to connect anew. */
		provider_fails(cx, &c, "");
		run_sql("UPDATE token_refresh SET failed_at = 1, retry_at = 1 WHERE credential_id = ID", &c.credential);
		assert_ok(ask(cx, &c));
		assert_int_equal(counted(cx, &c, "reuses"), 0);
		assert_true(str_absent(stored(cx, &c).untried));
	}
	close_tokens(cx);
}

static void a_bad_answer_with_a_refresh_token_that_is_none_costs_nothing(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "fail=made_up");

	(void)state;
	assert_int_equal(ask(cx, &c), ERR_UPSTREAM);
	assert_false(str_absent(stored(cx, &c).untried));
	provider_fails(cx, &c, "");
	run_sql("UPDATE token_refresh SET failed_at = 1, retry_at = 1 WHERE credential_id = ID", &c.credential);
	assert_ok(ask(cx, &c));
	assert_int_equal(counted(cx, &c, "exchanges"), 1);
	assert_true(str_absent(stored(cx, &c).untried));
	close_tokens(cx);
}

static void a_refusal_for_good_is_written_down_with_its_reason(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "fail=invalid_grant");

	(void)state;
	assert_int_equal(ask(cx, &c), ERR_NEEDS_RECONNECT);
	assert_non_null(memmem(cx->problem.detail.p, cx->problem.detail.n, "invalid_grant", 13));
	assert_str(stored(cx, &c).status, "needs_reconnect");
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential WHERE verify_error_code LIKE 'INV%GRANT'", &ID_NIL), 1);
	assert_int_equal(number_of("SELECT due_at IS NULL AND intent_id IS NULL FROM token_refresh", &ID_NIL), 1);
	assert_int_equal(uncertain_lost(cx), 0);
	/* A person brings a good one. */
	provider_fails(cx, &c, "");
	edit(cx, &c, "{\"extra\":{\"a\":\"b\"}}");
	assert_ok(ask(cx, &c));
	close_tokens(cx);
}

static void a_failure_gives_the_old_token_while_it_lives(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "fail=down");
	char data[80], time[TIME_TEXT_MAX];

	(void)state;
	snprintf(data, sizeof(data), "{\"expires_at\":\"%.*s\"}", STR_ARG(time_format(cx->now_ms + 120000, time)));
	edit(cx, &c, data);
	assert_ok(ask(cx, &c));
	assert_ok(ask(cx, &c));
	assert_int_equal(counted(cx, &c, "seen"), 1);
	close_tokens(cx);
}

int main(void)
{
#define TOKEN_TEST(name) cmocka_unit_test_setup(name, empty_tokens)
	const struct CMUnitTest tests[] = {
		TOKEN_TEST(an_expired_token_is_renewed_and_then_given_as_it_is),
		TOKEN_TEST(many_who_ask_at_once_cause_one_exchange_and_all_get_a_good_token),
		TOKEN_TEST(the_same_goes_for_a_provider_that_the_credential_describes),
		TOKEN_TEST(a_token_that_lives_a_minute_is_not_renewed_for_each_who_asks),
		TOKEN_TEST(a_failed_exchange_is_the_failure_of_all_who_waited_for_it),
		TOKEN_TEST(a_refresh_token_that_does_not_come_is_kept),
		TOKEN_TEST(refreshes_push_no_version_of_a_person_out_of_the_history),
		TOKEN_TEST(a_person_edits_while_the_exchange_is_under_way_and_both_changes_stay),
		TOKEN_TEST(tokens_of_a_connection_that_was_made_anew_meanwhile_are_not_overwritten),
		TOKEN_TEST(a_crash_at_any_point_loses_nothing_within_the_grace_time),
		TOKEN_TEST(without_grace_only_a_lost_answer_loses_a_connection_and_it_is_counted),
		TOKEN_TEST(a_living_intent_keeps_others_from_the_provider),
		TOKEN_TEST(an_answer_that_is_lost_on_the_wire_is_asked_for_again),
		TOKEN_TEST(an_exchange_that_was_announced_too_long_ago_is_not_begun),
		TOKEN_TEST(a_commit_whose_answer_is_lost_loses_no_token),
		TOKEN_TEST(a_bad_answer_keeps_the_old_tokens_and_has_a_clear_code),
		TOKEN_TEST(a_bad_answer_with_a_refresh_token_that_is_none_costs_nothing),
		TOKEN_TEST(a_refusal_for_good_is_written_down_with_its_reason),
		TOKEN_TEST(a_failure_gives_the_old_token_while_it_lives),
	};

	return cmocka_run_group_tests(tests, start_provider, stop_provider);
}
