/* Tokens by every grant, what a consent brings, renewing in the background, and giving access back. */
#include "token_support.h"

#include <unistd.h>

#include "base/clock.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "core/operations.h"
#include "crypt_keys.h"
#include "fcgi/reply.h"

#define VALID "\"2090-01-01T00:00:00Z\""

/* A credential of any type; the port of the provider stands for PORT. */
static struct id keep(struct ctx *cx, const char *type, const char *service, const char *data)
{
	char text[8192], *at;
	struct vault_new new = { .name = STR("a credential"), .type = str_of(type), .service = str_of(service) };
	struct credential c;

	snprintf(text, sizeof(text), "%s", data);
	while ((at = strstr(text, "PORT"))) {
		char rest[8192];

		snprintf(rest, sizeof(rest), "%s", at + 4);
		snprintf(at, sizeof(text) - (size_t)(at - text), "%u%s", provider_port(), rest);
	}
	new.data = tree(cx, text);
	assert_ok(db_begin(cx->db));
	assert_ok(vault_create(cx, &new, &c));
	assert_ok(db_commit(cx->db));
	return c.id;
}

static enum err give(struct ctx *cx, const struct id *id, struct str *ret_text)
{
	struct token token;
	enum err e;

	cx->now_ms = clock_now_ms();
	problem_clear(&cx->problem);
	e = token_give(cx, id, &token);
	*ret_text = e == OK ? arena_copy(cx->arena, secret_str(&token.text)) : STR_NONE;
	secret_done(&token.text);
	return e;
}

static void expect(struct ctx *cx, const struct id *id, enum err wanted)
{
	struct str text;
	enum err e = give(cx, id, &text);

	if (e != wanted)
		fail_msg("%s instead of %s: %.*s", err_code(e), err_code(wanted), STR_ARG(cx->problem.detail));
}

static void detail_has(struct ctx *cx, const char *words)
{
	struct str detail = cx->problem.detail;

	if (!detail.p || !memmem(detail.p, detail.n, words, strlen(words)))
		fail_msg("%.*s", STR_ARG(detail));
}

/* --- what can't be renewed ------------------------------------------------------------------- */

static void a_credential_without_tokens_has_none_to_give(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct id key = keep(cx, "api_key", NULL, "{\"api_key\":\"k\",\"extra\":{\"access_token\":\"not one\"}}");
	struct id empty = keep(cx, "oauth2", NULL, "{\"client_id\":\"x\"}");

	(void)state;
	expect(cx, &key, ERR_NO_TOKEN_HERE);
	expect(cx, &empty, ERR_NO_TOKEN_HERE);
	expect(cx, &USER_A, ERR_NOT_FOUND);
	close_tokens(cx);
}

static void a_token_that_cannot_be_renewed_is_given_while_it_lives(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct id good = keep(cx, "oauth2", NULL, "{\"access_token\":\"t\",\"expires_at\":" VALID "}");
	struct id endless = keep(cx, "oauth2", "acme", "{\"access_token\":\"t\"}");
	struct id over = keep(cx, "oauth2", NULL, "{\"access_token\":\"t\",\"expires_at\":\"2020-01-01T00:00:00Z\"}");
	char data[100], time[TIME_TEXT_MAX];
	struct id soon;

	(void)state;
	snprintf(data, sizeof(data), "{\"access_token\":\"t\",\"expires_at\":\"%.*s\"}", STR_ARG(time_format(cx->now_ms + 60000, time)));
	soon = keep(cx, "oauth2", NULL, data);
	expect(cx, &good, OK);
	expect(cx, &endless, OK);
	expect(cx, &soon, OK);
	expect(cx, &over, ERR_NEEDS_RECONNECT);
	close_tokens(cx);
}

/* --- clients that act for themselves ------------------------------------------------------------ */

static void a_client_gets_its_token_once_and_keeps_it(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct id id = keep(cx, "oauth2", "acme", "{\"client_id\":\"the id\",\"client_secret\":\"the secret\"}");
	struct str first, second;

	(void)state;
	provider_get(cx, "/clients?reset=1&expires_in=3600");
	assert_ok(give(cx, &id, &first));
	assert_ok(give(cx, &id, &second));
	assert_true(str_eq(first, second));
	assert_int_equal(number_at(provider_get(cx, "/clients"), "exchanges"), 1);
	/* It is asked for when somebody needs it, and not before. */
	assert_int_equal(number_of("SELECT due_at IS NULL FROM token_refresh", &ID_NIL), 1);
	close_tokens(cx);
}

static void a_clients_token_that_lives_a_minute_is_not_asked_for_each_time(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct id id = keep(cx, "oauth2", "acme", "{\"client_id\":\"the id\",\"client_secret\":\"the secret\"}");

	(void)state;
	provider_get(cx, "/clients?reset=1&expires_in=60");
	for (int i = 0; i < 5; i++)
		expect(cx, &id, OK);
	assert_int_equal(number_at(provider_get(cx, "/clients"), "exchanges"), 1);
	close_tokens(cx);
}

static void a_wrong_client_is_said_to_be_wrong_and_works_when_it_is_corrected(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = { .credential = keep(cx, "oauth2", "acme", "{\"client_id\":\"the id\",\"client_secret\":\"wrong\"}") };

	(void)state;
	expect(cx, &c.credential, ERR_OAUTH_REFUSED);
	detail_has(cx, "invalid_client");
	assert_str(stored(cx, &c).status, "untested");
	edit(cx, &c, "{\"client_secret\":\"the secret\"}");
	expect(cx, &c.credential, OK);
	close_tokens(cx);
}

static const char ACCOUNT[] = "{\"type\":\"service_account\",\"client_email\":\"robot@example.com\",\"scopes\":[\"x\",\"y\"],"
			      "\"token_uri\":\"http://127.0.0.1:PORT/token\",\"private_key\":\"%s\"}";

/* The key as one JSON text; `line_end` is how its lines end there. */
static const char *account_with(const char *line_end)
{
	static char text[8192], key[4096];
	size_t n = 0;

	for (const char *c = RFC7515_RSA_PRIVATE; *c; c++)
		n += (size_t)(*c == '\n' ? sprintf(key + n, "%s", line_end) : sprintf(key + n, "%c", *c));
	snprintf(text, sizeof(text), ACCOUNT, key);
	return text;
}

static void a_service_account_signs_for_its_token(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = { .credential = keep(cx, "service_account", NULL, account_with("\\n")) };
	struct id pasted = keep(cx, "service_account", NULL, account_with("\\\\n"));
	json_t *claims;

	(void)state;
	provider_post_key(cx, RFC7515_RSA_PUBLIC);
	expect(cx, &c.credential, OK);
	claims = json_member(provider_get(cx, "/clients"), "claims");
	assert_str(json_member_text(claims, "iss"), "robot@example.com");
	assert_str(json_member_text(claims, "scope"), "x y");
	assert_non_null(json_member(json_member(stored(cx, &c).data, "extra"), "access_token"));
	expect(cx, &c.credential, OK);
	assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.refresh'", &ID_NIL), 1);
	/* Lines that end with the two characters \n are what people paste. */
	expect(cx, &pasted, OK);
	close_tokens(cx);
}

static void a_key_that_the_provider_refuses_does_not_end_the_connection(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = { .credential = keep(cx, "service_account", NULL, account_with("\\n")) };

	(void)state;
	provider_post_key(cx, RSA_1024_PUBLIC);
	expect(cx, &c.credential, ERR_OAUTH_REFUSED);
	assert_str(stored(cx, &c).status, "untested");
	close_tokens(cx);
}

/* --- consents -------------------------------------------------------------------------------------- */

static enum err store_it(struct ctx *cx, struct token_store *store, struct id *ret_id)
{
	enum err e;

	TRY(db_begin(cx->db));
	e = token_store(cx, store, ret_id);
	if (e == OK)
		return db_commit(cx->db);
	db_rollback(cx->db);
	return e;
}

/* What a consent brings: a pair of tokens of a new family. */
static struct token_answer consent(struct ctx *cx, struct connection *c)
{
	json_t *made = provider_get(cx, "/new?"), *body;

	snprintf(c->family, sizeof(c->family), "%.*s", STR_ARG(json_member_text(made, "family")));
	assert_ok(json_read(cx->arena, STR("{\"team\":{\"id\":\"T1\"}}"), &body, NULL));
	return (struct token_answer){ .access_token = json_member_text(made, "access_token"),
				      .refresh_token = json_member_text(made, "refresh_token"),
				      .expires_at = { true, cx->now_ms + 1000 },
				      .body = body };
}

static void a_consent_is_stored_and_renewed_by_the_client_that_it_was_given_to(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c;
	struct token_answer answer = consent(cx, &c);
	struct token_store store = { .type = catalog_find(cx->catalog, STR("acme")),
				     .name = STR("Acme"), .answer = &answer, .scopes = STR("read") };
	struct id client = keep(cx, "oauth2", NULL, "{\"client_id\":\"tenants\",\"client_secret\":\"the secret\"}");
	struct token_source now;

	(void)state;
	store.client_credential = (struct opt_id){ true, client };
	assert_ok(store_it(cx, &store, &c.credential));
	now = stored(cx, &c);
	assert_str(now.service, "acme");
	assert_str(now.scopes, "read");
	assert_str(json_member_text(json_member(now.data, "extra"), "team_id"), "T1");
	assert_null(json_member(now.data, "client_secret"));
	assert_int_equal(number_of("SELECT due_at <= expires_at FROM token_refresh", &ID_NIL), 1);
	assert_ok(ask(cx, &c));
	/* Connected again: the answer without a refresh token leaves the one that is there. */
	expire(cx, &c);
	store.credential = (struct opt_id){ true, c.credential };
	answer.refresh_token = STR_NONE;
	now = stored(cx, &c);
	assert_ok(store_it(cx, &store, &c.credential));
	assert_true(str_eq(stored(cx, &c).refresh, now.refresh));
	assert_ok(ask(cx, &c));
	close_tokens(cx);
}

static void the_operators_client_stays_the_operators(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c;
	struct token_answer answer = consent(cx, &c);
	struct token_store store = { .type = catalog_find(cx->catalog, STR("acme")), .name = STR("Acme"), .answer = &answer };

	(void)state;
	assert_ok(store_it(cx, &store, &c.credential));
	assert_int_equal(ask(cx, &c), ERR_OAUTH_NO_CLIENT);
	config.client_count = 1;
	config.client[0].name = (char *)(uintptr_t)"acme";
	config.client[0].client_id = (char *)(uintptr_t)"operators";
	assert_ok(ask(cx, &c));
	config.client_count = 0;
	close_tokens(cx);
}

/* --- the background --------------------------------------------------------------------------------- */

static enum err renew_due(struct ctx *cx, const struct connection *unused)
{
	int renewed;

	(void)unused;
	cx->who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(cx);
	return token_refresh_due(cx, 100, &renewed);
}

static void make_due(const struct connection *c)
{
	run_sql("INSERT INTO token_refresh (tenant_id, credential_id, due_at) SELECT tenant_id, credential_id, 1 FROM credential "
		"WHERE credential_id = ID ON DUPLICATE KEY UPDATE due_at = 1", &c->credential);
}

static struct ctx *open_worker(void)
{
	struct ctx *cx = open_tokens("worker");

	cx->who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(cx);
	return cx;
}

static void what_is_due_is_renewed_before_anybody_asks_and_once(void **state)
{
	enum { CONNECTIONS = 10, WORKERS = 3 };
	struct ctx *cx = open_tokens("vault"), *worker = open_worker();
	struct connection c[CONNECTIONS];
	pid_t pids[WORKERS];
	int renewed;

	(void)state;
	for (int i = 0; i < CONNECTIONS; i++) {
		c[i] = connect_family(cx, i % 2 ? "acme" : NULL, "delay=20");
		make_due(&c[i]);
	}
	for (int i = 0; i < WORKERS; i++)
		pids[i] = in_process_as("worker", NULL, NULL, renew_due, NULL);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(ended(pids[i]), 0);
	for (int i = 0; i < CONNECTIONS; i++)
		assert_int_equal(counted(cx, &c[i], "exchanges"), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM token_refresh WHERE due_at > 1 AND failures = 0", &ID_NIL), CONNECTIONS);
	assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE actor_kind = 'system' AND action = 'credential.refresh'",
				   &ID_NIL), CONNECTIONS);
	assert_ok(token_refresh_due(worker, 100, &renewed));
	assert_int_equal(renewed, 0);
	close_tokens(worker);
	close_tokens(cx);
}

static void tokens_that_a_person_stored_are_renewed_before_anybody_asks(void **state)
{
	struct ctx *cx = open_tokens("vault"), *worker = open_worker();
	struct connection c = connect_family(cx, NULL, "");
	int renewed;

	(void)state;
	/* As they came: nobody has asked for a token yet. Their end is over, so that they are due. */
	assert_int_equal(number_of("SELECT due_at IS NOT NULL AND intent_at IS NULL FROM token_refresh WHERE credential_id = ID",
				   &c.credential), 1);
	assert_ok(token_refresh_due(worker, 100, &renewed));
	assert_int_equal(renewed, 1);
	assert_int_equal(counted(cx, &c, "exchanges"), 1);
	close_tokens(worker);
	close_tokens(cx);
}

static void stored_tokens_are_due_ahead_of_their_end_and_a_change_makes_them_due_anew(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct id id = keep(cx, "oauth2", "acme", "{\"refresh_token\":\"r\",\"access_token\":\"t\",\"expires_at\":" VALID "}");
	struct id none = keep(cx, "oauth2", "acme", "{\"access_token\":\"t\",\"expires_at\":" VALID "}");
	struct vault_change change = { .data = tree(cx, "{\"expires_at\":\"2091-01-01T00:00:00Z\"}") };
	struct credential locked;
	bool changed;

	(void)state;
	assert_int_equal(number_of("SELECT due_at FROM token_refresh WHERE credential_id = ID", &id),
			 3786912000000 - config.oauth_refresh_ahead_ms);
	assert_int_equal(number_of("SELECT COUNT(*) FROM token_refresh WHERE credential_id = ID", &none), 0);
	run_sql("UPDATE token_refresh SET due_at = NULL WHERE credential_id = ID", &id); /* as when it couldn't be renewed */
	assert_ok(db_begin(cx->db));
	assert_ok(vault_lock(cx, &id, &locked));
	assert_ok(vault_change(cx, &locked, &change, &changed));
	assert_ok(db_commit(cx->db));
	assert_int_equal(number_of("SELECT due_at FROM token_refresh WHERE credential_id = ID", &id),
			 3818448000000 - config.oauth_refresh_ahead_ms);
	close_tokens(cx);
}

/* A hundred providers may answer one after the other: what they say isn't held together. */
static void a_renewal_in_the_background_leaves_nothing_in_the_workers_memory(void **state)
{
	struct ctx *cx = open_tokens("vault"), *worker = open_worker();
	struct connection c = connect_family(cx, "acme", "delay=0");
	size_t used = arena_used(worker->arena);
	int renewed;

	(void)state;
	make_due(&c);
	assert_ok(token_refresh_due(worker, 100, &renewed));
	assert_int_equal(renewed, 1);
	assert_int_equal(arena_used(worker->arena), used);
	assert_true(worker->who.who == WHO_SYSTEM && id_is_nil(&worker->who.tenant));
	close_tokens(worker);
	close_tokens(cx);
}

static void an_exchange_that_died_is_taken_up_by_the_background(void **state)
{
	struct ctx *cx = open_tokens("vault"), *worker = open_worker();
	struct connection c = connect_family(cx, "acme", "grace=60000");
	int renewed;

	(void)state;
	assert_int_equal(ended(in_process("refresh_answer_received", NULL, ask, &c)), 137);
	assert_ok(token_refresh_due(worker, 100, &renewed));
	assert_int_equal(renewed, 0);
	run_sql("UPDATE token_refresh SET due_at = 1, intent_until = 1 WHERE due_at <= intent_until AND credential_id = ID", &c.credential);
	assert_ok(token_refresh_due(worker, 100, &renewed));
	assert_int_equal(renewed, 1);
	assert_int_equal(counted(cx, &c, "revoked"), 0);
	close_tokens(worker);
	close_tokens(cx);
}

static void one_service_that_hangs_keeps_no_other_from_its_turn(void **state)
{
	enum { HANGING = 5 };
	struct ctx *cx = open_tokens("vault"), *worker = open_worker();
	struct connection slow[HANGING], good = connect_family(cx, NULL, "");
	int renewed, all = 0, seen = 0;

	(void)state;
	for (int i = 0; i < HANGING; i++) {
		slow[i] = connect_family(cx, "acme", "delay=60000");
		make_due(&slow[i]);
	}
	make_due(&good);
	/* The call that hangs may take all the time of its run; it is the only one of that service. */
	for (int run = 0; run < 2; run++) {
		assert_ok(token_refresh_due(worker, 100, &renewed));
		all += renewed;
	}
	assert_int_equal(all, 1);
	for (int i = 0; i < HANGING; i++)
		seen += (int)counted(cx, &slow[i], "seen");
	assert_int_equal(seen, 1);
	close_tokens(worker);
	close_tokens(cx);
}

static void what_cannot_be_renewed_is_not_tried_each_second(void **state)
{
	struct ctx *cx = open_tokens("vault"), *worker = open_worker();
	struct connection dead = connect_family(cx, "acme", "fail=invalid_grant"), down = connect_family(cx, "acme", "fail=down");
	struct connection none = { .credential = keep(cx, "oauth2", "acme", "{\"refresh_token\":\"r\"}") };
	int renewed;

	(void)state;
	make_due(&dead);
	make_due(&down);
	make_due(&none); /* there is no client */
	for (int i = 0; i < 3; i++)
		assert_ok(token_refresh_due(worker, 100, &renewed));
	assert_int_equal(counted(cx, &dead, "seen"), 1);
	assert_int_equal(counted(cx, &down, "seen"), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM token_refresh WHERE due_at > 1 AND failures = 1", &ID_NIL), 2);
	assert_int_equal(number_of("SELECT due_at IS NULL FROM token_refresh WHERE credential_id = ID", &dead.credential), 1);
	close_tokens(worker);
	close_tokens(cx);
}

/* --- over HTTP ---------------------------------------------------------------------------------------- */

static void the_answer_holds_the_token_and_the_trail_says_who_took_it(void **state)
{
	struct ctx *cx = open_tokens("vault"), *other = open_vault("vault", &TENANT_B);
	struct id id = keep(cx, "oauth2", "acme", "{\"access_token\":\"the token\",\"expires_at\":" VALID "}");
	const struct credential_token_in in = { .credential_id = id };
	struct reply reply;
	json_t *answer;

	(void)state;
	reply_init(&reply);
	assert_ok(credential_token(cx, &in, &reply));
	assert_ok(json_read(cx->arena, buf_str(&reply.body), &answer, NULL));
	assert_str(json_member_text(answer, "access_token"), "the token");
	assert_str(json_member_text(answer, "token_type"), "Bearer");
	assert_true(number_at(answer, "expires_in") > 1000000);
	assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.token' AND outcome = 'ok' AND "
				   "service = 'acme' AND target_id = ID", &id), 1);
	assert_int_equal(credential_token(other, &in, &reply), ERR_NOT_FOUND);
	reply_done(&reply);
	close_vault(other);
	close_tokens(cx);
}

/* --- giving back ---------------------------------------------------------------------------------------- */

static struct id connector_of(struct ctx *cx, const struct connection *c)
{
	struct connector connector = { .type = STR("acme"), .display_name = STR("Acme"), .status = STR("active"),
				       .auth = STR("oauth2_authorization_code"), .sync_frequency = STR("manual"),
				       .credential = { true, c->credential } };

	assert_ok(db_begin(cx->db));
	assert_ok(connector_insert(cx, &connector));
	assert_ok(db_commit(cx->db));
	return connector.id;
}

static void revoked_with(struct ctx *cx, const struct connection *c, const char *told)
{
	const struct connector_revoke_in in = { .connector_id = connector_of(cx, c) };
	struct reply reply;
	char expected[64];

	reply_init(&reply);
	cx->audit = (struct audit_note){ 0 };
	assert_ok(connector_revoke(cx, &in, &reply));
	snprintf(expected, sizeof(expected), "{\"revoked\":true,\"told\":%s,", told);
	assert_true(str_starts(buf_str(&reply.body), str_of(expected)));
	reply_done(&reply);
	assert_true(str_absent(stored(cx, c).access));
	assert_true(str_absent(stored(cx, c).refresh));
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential_version WHERE credential_id = ID", &c->credential), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM connector WHERE credential_id = ID AND status = 'needs_reconnect'",
				   &c->credential), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM audit WHERE action = 'connector.revoke' AND target_id = ID AND "
				   "outcome = 'ok'", &in.connector_id), 1);
}

static void access_that_is_given_back_is_told_and_destroyed(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "");

	(void)state;
	assert_ok(ask(cx, &c));
	edit(cx, &c, "{\"scopes\":\"a\"}");
	revoked_with(cx, &c, "true");
	assert_int_equal(counted(cx, &c, "revoked"), 1);
	/* Not even the client's own secret brings another one. */
	expect(cx, &c.credential, ERR_NEEDS_RECONNECT);
	close_tokens(cx);
}

static void a_provider_that_is_down_keeps_nobody_from_destroying_the_tokens(void **state)
{
	struct ctx *cx = open_tokens("vault");
	struct connection c = connect_family(cx, "acme", "");

	(void)state;
	provider_fails(cx, &c, "down");
	revoked_with(cx, &c, "false");
	close_tokens(cx);
}

int main(void)
{
#define GRANT_TEST(name) cmocka_unit_test_setup(name, empty_tokens)
	const struct CMUnitTest tests[] = {
		GRANT_TEST(a_credential_without_tokens_has_none_to_give),
		GRANT_TEST(a_token_that_cannot_be_renewed_is_given_while_it_lives),
		GRANT_TEST(a_client_gets_its_token_once_and_keeps_it),
		GRANT_TEST(a_clients_token_that_lives_a_minute_is_not_asked_for_each_time),
		GRANT_TEST(a_wrong_client_is_said_to_be_wrong_and_works_when_it_is_corrected),
		GRANT_TEST(a_service_account_signs_for_its_token),
		GRANT_TEST(a_key_that_the_provider_refuses_does_not_end_the_connection),
		GRANT_TEST(a_consent_is_stored_and_renewed_by_the_client_that_it_was_given_to),
		GRANT_TEST(the_operators_client_stays_the_operators),
		GRANT_TEST(what_is_due_is_renewed_before_anybody_asks_and_once),
		GRANT_TEST(tokens_that_a_person_stored_are_renewed_before_anybody_asks),
		GRANT_TEST(stored_tokens_are_due_ahead_of_their_end_and_a_change_makes_them_due_anew),
		GRANT_TEST(a_renewal_in_the_background_leaves_nothing_in_the_workers_memory),
		GRANT_TEST(an_exchange_that_died_is_taken_up_by_the_background),
		GRANT_TEST(what_cannot_be_renewed_is_not_tried_each_second),
		GRANT_TEST(the_answer_holds_the_token_and_the_trail_says_who_took_it),
		GRANT_TEST(access_that_is_given_back_is_told_and_destroyed),
		GRANT_TEST(a_provider_that_is_down_keeps_nobody_from_destroying_the_tokens),
		/* Last: this process lets the service rest for a while. */
		GRANT_TEST(one_service_that_hangs_keeps_no_other_from_its_turn),
	};

	return cmocka_run_group_tests(tests, start_provider, stop_provider);
}
