/* Tokens and sessions: what works, and what stops working when. */
#include "base/clock.h"
#include "crypt/encode.h"
#include "crypt/token.h"
#include "identity/admin.h"
#include "identity_support.h"

/* Two processes for one person: the vault's, where they signed in, and the front's. */
static struct client *vault, *front;

static int someone_signs_in(void **state)
{
	if (empty_identity(state))
		return -1;
	vault = registered("ada@example.test");
	front = client_open("front");
	client_follow(front, vault);
	return 0;
}

static int they_leave(void **state)
{
	(void)state;
	client_close(vault);
	client_close(front);
	return 0;
}

static long statements(void)
{
	return number_of("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS "
			 "WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'");
}

/* --- what a read costs --------------------------------------------------- */
static void reading_oneself_again_costs_one_round_trip(void **state)
{
	long before;

	(void)state;
	assert_ok(GET(front, me_get, 0));
	assert_ok(GET(front, me_get, 0));
	before = statements();
	assert_ok(GET(front, me_get, 0));
	assert_int_equal(statements() - before, 1);
	assert_str(answered(front, "user.email"), "ada@example.test");
	assert_str(answered(front, "role"), "owner");
	assert_int_equal(json_length(json_member(front->json, "memberships")), 1);
}

static void an_unchanged_profile_is_not_sent_again(void **state)
{
	char tag[CLIENT_TEXT];

	(void)state;
	assert_ok(GET(front, me_get, 0));
	answered_header(front, "ETag: ", tag);
	tag[strcspn(tag, "\r")] = '\0';
	snprintf(front->header[0], CLIENT_TEXT, "HTTP_IF_NONE_MATCH=%.200s", tag);
	assert_ok(GET(front, me_get, 0));
	assert_int_equal(front->reply.status, 304);
	assert_int_equal(front->reply.body.n, 0);
	snprintf(front->header[0], CLIENT_TEXT, "HTTP_IF_MATCH=%.200s", tag);
	assert_ok(CALL(front, me_update, .name = STR("Ada L.")));
	assert_str(answered(front, "user.name"), "Ada L.");
	assert_int_equal(CALL(front, me_update, .name = STR("Eve")), ERR_PRECONDITION_FAILED);
}

/* --- tokens that aren't good --------------------------------------------- */
static enum err with_token(const char *token)
{
	snprintf(front->access, sizeof(front->access), "%s", token);
	return GET(front, me_get, 0);
}

static void a_token_that_was_tampered_with_is_refused(void **state)
{
	char token[CLIENT_TEXT];
	size_t n;

	(void)state;
	snprintf(token, sizeof(token), "%s", vault->access);
	n = strlen(token);
	token[n - 2] = token[n - 2] == 'A' ? 'B' : 'A';
	assert_int_equal(with_token(token), ERR_BAD_TOKEN);
	/* {"alg":"none"} */
	snprintf(token, sizeof(token), "eyJhbGciOiJub25lIn0%s", strchr(vault->access, '.'));
	assert_int_equal(with_token(token), ERR_BAD_TOKEN);
	assert_int_equal(with_token("lw_x"), ERR_BAD_TOKEN);
	assert_int_equal(with_token("x"), ERR_BAD_TOKEN);
	assert_int_equal(with_token(vault->refresh), ERR_BAD_TOKEN);
	front->access[0] = '\0';
	snprintf(front->header[0], CLIENT_TEXT, "HTTP_AUTHORIZATION=Basic QWRhOng=");
	assert_int_equal(GET(front, me_get, 0), ERR_BAD_TOKEN);
	front->header[0][0] = '\0';
	assert_ok(with_token(vault->access));
}

static void an_access_token_ends_to_the_second_even_with_leeway_for_others(void **state)
{
	int64_t issued = now_ms / 1000 * 1000;

	(void)state;
	now_ms = issued + config.auth_access_token_ms - 1;
	assert_ok(GET(front, me_get, 0));
	now_ms = issued + config.auth_access_token_ms;
	assert_int_equal(GET(front, me_get, 0), ERR_TOKEN_EXPIRED);
}

static void a_token_of_another_audience_is_refused(void **state)
{
	static char other[] = "another service";

	(void)state;
	config.auth_audience = other;
	assert_int_equal(GET(front, me_get, 0), ERR_BAD_TOKEN);
}

/* A process remembers tokens that it has verified: nothing else may pass for one of them, nor outlive its time. */
static void a_token_that_was_good_before_vouches_for_no_other_one(void **state)
{
	char token[CLIENT_TEXT];
	int64_t issued = now_ms / 1000 * 1000;

	(void)state;
	assert_ok(GET(front, me_get, 0));
	assert_ok(GET(front, me_get, 0));
	snprintf(token, sizeof(token), "%s", front->access);
	for (size_t at = strlen(token) - 2; at > 0; at /= 2) {
		char was = front->access[at];

		front->access[at] = was == 'A' ? 'B' : 'A';
		assert_int_equal(GET(front, me_get, 0), ERR_BAD_TOKEN);
		front->access[at] = was;
		assert_ok(GET(front, me_get, 0));
	}
	token[strlen(token) - 1] = '\0';
	assert_int_equal(with_token(token), ERR_BAD_TOKEN);
	client_follow(front, vault);
	now_ms = issued + config.auth_access_token_ms;
	assert_int_equal(GET(front, me_get, 0), ERR_TOKEN_EXPIRED);
}

static void without_a_token_nobody_asks(void **state)
{
	(void)state;
	front->access[0] = '\0';
	assert_ok(client_begin(front, "GET"));
	assert_int_equal(front->cx.who.who, WHO_NOBODY);
	assert_ok(client_end(front, OK));
}

/* --- refreshing ---------------------------------------------------------- */
static enum err refresh(struct client *client, const char *token)
{
	char access[CLIENT_TEXT];
	enum err e;

	memcpy(access, client->access, sizeof(access));
	client->access[0] = '\0';
	e = CALL(client, auth_refresh, .refresh_token = str_of(token));
	if (e != OK)
		memcpy(client->access, access, sizeof(access));
	return e;
}

static void a_refresh_token_works_once_and_a_second_use_ends_the_session(void **state)
{
	char first[256], second[256];

	(void)state;
	snprintf(first, sizeof(first), "%s", front->refresh);
	now_ms += 1000;
	assert_ok(refresh(front, first));
	assert_ok(GET(front, me_get, 0));
	snprintf(second, sizeof(second), "%s", front->refresh);
	assert_string_not_equal(first, second);
	assert_int_equal(refresh(front, first), ERR_SESSION_ENDED);
	assert_true(front->cx.keep_changes);
	assert_true(front->cx.audit.about_tenant.set);
	assert_int_equal(refresh(front, second), ERR_SESSION_ENDED);
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
	assert_int_equal(refresh(front, "lwr_nobody"), ERR_BAD_TOKEN);
}

static void a_refresh_token_ends_and_so_does_a_session_however_busy(void **state)
{
	int64_t start = now_ms;

	(void)state;
	now_ms = start + config.auth_refresh_token_ms;
	assert_int_equal(refresh(front, front->refresh), ERR_TOKEN_EXPIRED);
	now_ms = start;
	while (now_ms + 600000000 < start + config.auth_session_ms) {
		now_ms += 600000000;
		assert_ok(refresh(front, front->refresh));
	}
	now_ms = start + config.auth_session_ms;
	assert_int_equal(refresh(front, front->refresh), ERR_SESSION_ENDED);
}

/* --- ending -------------------------------------------------------------- */
static void after_a_logout_neither_token_works(void **state)
{
	(void)state;
	assert_ok(CALL(front, auth_logout, 0));
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
	assert_int_equal(refresh(front, front->refresh), ERR_SESSION_ENDED);
}

static void one_ends_the_other_sessions_and_nobody_elses(void **state)
{
	struct client *other = client_open("vault"), *eve = registered("eve@example.test");
	struct client *eve_front = client_open("front");
	struct id mine;

	(void)state;
	client_follow(eve_front, eve);
	assert_ok(sign_in(other, "ada@example.test", PASSWORD));
	assert_ok(GET(front, session_list, .limit = 50));
	assert_int_equal(json_length(front->json), 2);
	assert_true(id_parse(ID_SESSION, json_member_text(json_item(front->json, 0), "id"), &mine));
	assert_int_equal(CALL(eve_front, session_end, .session_id = mine), ERR_NOT_FOUND);
	assert_ok(GET(front, session_list, .limit = 1));
	assert_int_equal(json_length(front->json), 1);
	assert_ok(CALL(front, session_end_others, 0));
	assert_ok(GET(front, session_list, .limit = 50));
	assert_int_equal(json_length(front->json), 1);
	assert_true(json_is_true(json_member(json_item(front->json, 0), "current")));
	assert_ok(GET(eve_front, me_get, 0));
	client_follow(eve_front, other);
	assert_int_equal(GET(eve_front, me_get, 0), ERR_SESSION_ENDED);
	client_close(other);
	client_close(eve);
	client_close(eve_front);
}

static void a_disabled_user_is_out_at_once(void **state)
{
	struct client *ctl = client_open("ctl");
	struct id user = answered_id(vault, "user.id", ID_USER);

	(void)state;
	assert_ok(GET(front, me_get, 0));
	assert_ok(client_begin(ctl, "POST"));
	ctl->cx.who.who = WHO_SYSTEM;
	assert_ok(client_end(ctl, identity_user_disable(&ctl->cx, &user)));
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
	assert_int_equal(refresh(front, front->refresh), ERR_SESSION_ENDED);
	assert_int_equal(sign_in(vault, "ada@example.test", PASSWORD), ERR_BAD_LOGIN);
	client_close(ctl);
}

static void the_tokens_of_a_deleted_tenant_stop_at_once(void **state)
{
	struct client *ctl = client_open("ctl");
	struct id tenant = answered_id(vault, "tenant.id", ID_TENANT);
	char token[CLIENT_TEXT];

	(void)state;
	assert_ok(CALL(front, token_create, .name = STR("t"), .scopes = NULL));
	snprintf(token, sizeof(token), "%.*s", STR_ARG(answered(front, "token")));
	assert_ok(client_begin(ctl, "POST"));
	ctl->cx.who = (struct principal){ .who = WHO_SYSTEM, .tenant = tenant, .live = true };
	ctx_enter(&ctl->cx);
	assert_ok(client_end(ctl, identity_tenant_end(&ctl->cx)));
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
	assert_int_equal(with_token(token), ERR_BAD_TOKEN);
	assert_int_equal(sign_in(vault, "ada@example.test", PASSWORD), ERR_DENIED);
	client_close(ctl);
}

/* --- another tenant ------------------------------------------------------ */
static void switching_tenants_ends_the_tokens_of_the_one_that_was_left(void **state)
{
	struct client *ctl = client_open("ctl"), *eve = registered("eve@example.test");
	struct id user = answered_id(vault, "user.id", ID_USER),
		  foreign = answered_id(eve, "tenant.id", ID_TENANT);
	struct id second;
	char old_access[CLIENT_TEXT], old_refresh[256];

	(void)state;
	assert_ok(client_begin(ctl, "POST"));
	ctl->cx.who.who = WHO_SYSTEM;
	assert_ok(client_end(ctl, identity_tenant_create(&ctl->cx, &user, STR("Second"), &second)));
	memcpy(old_access, front->access, sizeof(old_access));
	memcpy(old_refresh, front->refresh, sizeof(old_refresh));
	assert_int_equal(CALL(front, auth_switch, .tenant_id = foreign), ERR_DENIED);
	assert_ok(GET(front, me_get, 0));
	assert_ok(CALL(front, auth_switch, .tenant_id = second));
	assert_str(answered(front, "tenant.name"), "Second");
	assert_ok(GET(front, me_get, 0));
	assert_str(answered(front, "tenant.name"), "Second");
	assert_int_equal(json_length(json_member(front->json, "memberships")), 2);
	assert_int_equal(with_token(old_access), ERR_SESSION_ENDED);
	client_close(ctl);
	client_close(eve);
}

/* --- the console's cookies ----------------------------------------------- */
static void take_cookies(const struct client *from, struct client *to)
{
	char access[CLIENT_TEXT], refresh_text[CLIENT_TEXT];

	answered_header(from, "Set-Cookie: __Host-latchwork=", access);
	answered_header(from, "Set-Cookie: __Host-latchwork-refresh=", refresh_text);
	memset(to->header, 0, sizeof(to->header));
	to->access[0] = '\0';
	snprintf(to->header[0], CLIENT_TEXT,
		 "HTTP_COOKIE=a=b; __Host-latchwork=%.2000s; __Host-latchwork-refresh=%.200s",
		 access, refresh_text);
}

static void csrf_header(struct client *client, const char *token)
{
	snprintf(client->header[1], CLIENT_TEXT, "HTTP_X_CSRF_TOKEN=%s", token);
}

static void a_console_session_reads_by_cookie_and_writes_with_its_csrf_token(void **state)
{
	char csrf[128];

	(void)state;
	vault->access[0] = '\0';
	assert_ok(CALL(vault, auth_login, .email = STR("ada@example.test"),
		       .password = STR(PASSWORD), .session = STR("cookie")));
	assert_null(json_member(vault->json, "access_token"));
	assert_null(json_member(vault->json, "refresh_token"));
	snprintf(csrf, sizeof(csrf), "%.*s", STR_ARG(answered(vault, "csrf_token")));
	take_cookies(vault, front);
	assert_ok(GET(front, me_get, 0));
	assert_int_equal(CALL(front, me_update, .name = STR("Eve")), ERR_CSRF);
	csrf_header(front, "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	assert_int_equal(CALL(front, me_update, .name = STR("Eve")), ERR_CSRF);
	csrf_header(front, csrf);
	assert_ok(CALL(front, me_update, .name = STR("Ada")));
	snprintf(front->header[2], CLIENT_TEXT, "HTTP_SEC_FETCH_SITE=cross-site");
	assert_int_equal(CALL(front, me_update, .name = STR("Eve")), ERR_CSRF);
	snprintf(front->header[2], CLIENT_TEXT, "HTTP_SEC_FETCH_SITE=same-origin");
	assert_ok(CALL(front, me_update, .name = STR("Ada")));
}

static void a_refresh_by_cookie_needs_the_csrf_token_too(void **state)
{
	char csrf[128], cleared[CLIENT_TEXT];

	(void)state;
	vault->access[0] = '\0';
	assert_ok(CALL(vault, auth_login, .email = STR("ada@example.test"),
		       .password = STR(PASSWORD), .session = STR("cookie")));
	snprintf(csrf, sizeof(csrf), "%.*s", STR_ARG(answered(vault, "csrf_token")));
	take_cookies(vault, front);
	assert_int_equal(CALL(front, auth_refresh, .refresh_token = STR_NONE), ERR_CSRF);
	csrf_header(front, csrf);
	assert_ok(CALL(front, auth_refresh, .refresh_token = STR_NONE));
	take_cookies(front, front);
	csrf_header(front, csrf);
	assert_ok(CALL(front, auth_logout, 0));
	answered_header(front, "Set-Cookie: __Host-latchwork=", cleared);
	assert_string_equal(cleared, "");
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
}

static void a_cookie_that_comes_twice_is_believed_in_neither_form(void **state)
{
	(void)state;
	front->access[0] = '\0';
	snprintf(front->header[0], CLIENT_TEXT,
		 "HTTP_COOKIE=__Host-latchwork=%.1500s; __Host-latchwork=x", vault->access);
	assert_int_equal(GET(front, me_get, 0), ERR_BAD_TOKEN);
	snprintf(front->header[0], CLIENT_TEXT, "HTTP_COOKIE=__Host-latchwork=%.1500s",
		 vault->access);
	assert_ok(GET(front, me_get, 0));
}

/* --- API tokens ---------------------------------------------------------- */
static json_t *scope_list(const char *text)
{
	json_t *list;

	assert_ok(json_read(vault->cx.arena, str_of(text), &list, NULL));
	return list;
}

static void an_api_token_is_shown_once_stored_hashed_and_dies_when_revoked(void **state)
{
	struct client *program = client_open("front");
	json_t *both = scope_list("[\"credentials:read\",\"audit:read\"]");
	struct id id;

	(void)state;
	assert_ok(CALL(front, token_create, .name = STR("ci"), .scopes = both));
	id = answered_id(front, "id", ID_TOKEN);
	snprintf(program->access, sizeof(program->access), "%.*s",
		 STR_ARG(answered(front, "token")));
	assert_ok(GET(program, me_get, 0));
	assert_str(answered(program, "token.name"), "ci");
	assert_int_equal(json_length(json_member(json_member(program->json, "token"), "scopes")),
			 2);
	assert_true(json_is_null(json_member(program->json, "role")));
	assert_int_equal(json_length(json_member(program->json, "memberships")), 0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM api_token WHERE last_used_at IS NOT NULL"),
			 1);
	assert_ok(GET(front, token_list, .limit = 50));
	assert_int_equal(json_length(front->json), 1);
	assert_null(json_member(json_item(front->json, 0), "token"));
	assert_ok(CALL(front, token_delete, .token_id = id));
	assert_int_equal(GET(program, me_get, 0), ERR_BAD_TOKEN);
	assert_int_equal(CALL(front, token_delete, .token_id = id), ERR_NOT_FOUND);
	client_close(program);
}

static void an_api_token_with_the_wrong_secret_or_after_its_time_is_refused(void **state)
{
	struct client *program = client_open("front");
	char token[CLIENT_TEXT];

	(void)state;
	assert_int_equal(
		CALL(front, token_create, .name = STR("ci"), .expires_at = { true, now_ms }),
		ERR_BAD_INPUT);
	assert_ok(CALL(front, token_create, .name = STR("ci"),
		       .expires_at = { true, now_ms + 1000 }));
	snprintf(token, sizeof(token), "%.*s", STR_ARG(answered(front, "token")));
	memcpy(program->access, token, sizeof(token));
	assert_ok(GET(program, me_get, 0));
	program->access[40] = program->access[40] == 'A' ? 'B' : 'A';
	assert_int_equal(GET(program, me_get, 0), ERR_BAD_TOKEN);
	memcpy(program->access, token, sizeof(token));
	now_ms += 1000;
	assert_int_equal(GET(program, me_get, 0), ERR_TOKEN_EXPIRED);
	client_close(program);
}

static void an_api_token_gives_away_no_scope_that_it_lacks(void **state)
{
	struct client *program = client_open("front");
	json_t *admin = scope_list("[\"admin\"]"), *use = scope_list("[\"credentials:use\"]");

	(void)state;
	assert_ok(CALL(front, token_create, .name = STR("admin"), .scopes = admin));
	snprintf(program->access, sizeof(program->access), "%.*s",
		 STR_ARG(answered(front, "token")));
	assert_int_equal(CALL(program, token_create, .name = STR("more"), .scopes = use),
			 ERR_SCOPE_MISSING);
	assert_ok(CALL(program, token_create, .name = STR("same"), .scopes = admin));
	client_close(program);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, someone_signs_in, they_leave)
		TEST(reading_oneself_again_costs_one_round_trip),
		TEST(an_unchanged_profile_is_not_sent_again),
		TEST(a_token_that_was_tampered_with_is_refused),
		TEST(an_access_token_ends_to_the_second_even_with_leeway_for_others),
		TEST(a_token_of_another_audience_is_refused),
		TEST(a_token_that_was_good_before_vouches_for_no_other_one),
		TEST(without_a_token_nobody_asks),
		TEST(a_refresh_token_works_once_and_a_second_use_ends_the_session),
		TEST(a_refresh_token_ends_and_so_does_a_session_however_busy),
		TEST(after_a_logout_neither_token_works),
		TEST(one_ends_the_other_sessions_and_nobody_elses),
		TEST(a_disabled_user_is_out_at_once),
		TEST(the_tokens_of_a_deleted_tenant_stop_at_once),
		TEST(switching_tenants_ends_the_tokens_of_the_one_that_was_left),
		TEST(a_console_session_reads_by_cookie_and_writes_with_its_csrf_token),
		TEST(a_refresh_by_cookie_needs_the_csrf_token_too),
		TEST(a_cookie_that_comes_twice_is_believed_in_neither_form),
		TEST(an_api_token_is_shown_once_stored_hashed_and_dies_when_revoked),
		TEST(an_api_token_with_the_wrong_secret_or_after_its_time_is_refused),
		TEST(an_api_token_gives_away_no_scope_that_it_lacks),
	};

	return cmocka_run_group_tests_name("identity: sessions", tests, start_identity,
					   stop_feature);
}
