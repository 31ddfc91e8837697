/* Lists that are asked for at the same moment: one statement for those that are alike, and to each what is its own. */
#include "vault_support.h"

#include "core/operations.h"
#include "fcgi/request.h"

#define KEY "{\"api_key\":\"canary-0123456789\"}"
#define STATEMENTS                                                                                                  \
	"SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'COM_STMT_EXECUTE'"

static const struct id LIVE = { { 0x11 } }, ENDED = { { 0x22 } };

/* One that asks for a list, and its answer. */
struct asker {
	struct ctx cx;
	struct request request;
	struct credential_list_in in;
	struct reply reply;
	enum err e;
};

struct scene {
	struct ctx *vault, *front;
	struct asker asker[HOLD_TOGETHER_MAX];
	size_t n;
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s || empty_vault(state) != 0)
		return -1;
	s->vault = open_vault("vault", &TENANT_A);
	s->front = open_vault("front", &TENANT_A);
	for (size_t i = 0; i < HOLD_TOGETHER_MAX; i++)
		reply_init(&s->asker[i].reply);
	*state = s;
	for (int i = 0; i < 3; i++)
		assert_ok(store(s->vault, "api_key", KEY, NULL));
	return 0;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	for (size_t i = 0; i < HOLD_TOGETHER_MAX; i++)
		reply_done(&s->asker[i].reply);
	close_vault(s->vault);
	close_vault(s->front);
	free(s);
	return 0;
}

/* Somebody of that tenant, in that session (nil: none, as a token), who asks with that query. */
static struct asker *ask(struct scene *s, const struct id *tenant, const struct id *session, const char *query,
			 struct credential_list_in in)
{
	struct asker *a = &s->asker[s->n++];

	a->cx = *s->front;
	a->request = (struct request){ .path = STR("/api/v1/credentials"), .query = str_of(query) };
	a->in = in;
	a->cx.request = &a->request;
	a->cx.may_hold = true;
	a->cx.who.tenant = *tenant;
	a->cx.who.session = *session;
	a->cx.who.live = id_is_nil(session);
	assert_ok(credential_list(&a->cx, &a->in, &a->reply));
	assert_non_null(a->cx.hold.shared);
	return a;
}

static struct asker *ask_for(struct scene *s, const char *query, int64_t limit)
{
	return ask(s, &TENANT_A, &ID_NIL, query, (struct credential_list_in){ .limit = limit });
}

/* Answers all that have asked. */
static void settle(struct scene *s)
{
	struct hold_outcome outcome[HOLD_TOGETHER_MAX];
	const struct hold *hold[HOLD_TOGETHER_MAX];

	for (size_t i = 0; i < s->n; i++)
		hold[i] = &s->asker[i].cx.hold;
	hold_run_all(s->front->db, hold, s->n, outcome);
	for (size_t i = 0; i < s->n; i++) {
		struct asker *a = &s->asker[i];

		ctx_enter(&a->cx);
		a->e = hold[i]->resume(&a->cx, hold[i]->arg, outcome[i].e, outcome[i].row, &a->reply);
	}
}

static size_t items(const struct asker *a)
{
	struct str body = buf_str(&a->reply.body);
	size_t n = 0;

	assert_ok(a->e);
	assert_true(str_starts(body, STR("[")) && body.p[body.n - 1] == ']');
	for (size_t i = 0; i + 6 < body.n; i++)
		n += memcmp(body.p + i, "\"cred-", 6) == 0;
	return n;
}

static bool is_same(const struct asker *a, const struct asker *b)
{
	return str_eq(buf_str(&a->reply.body), buf_str(&b->reply.body));
}

static void assert_link(const struct asker *a, const char *start)
{
	if (!str_starts(buf_str(&a->reply.head), str_of(start)))
		fail_msg("%.*s instead of %s", STR_ARG(buf_str(&a->reply.head)), start);
}

static void lists_that_are_alike_are_one_statement(void **state)
{
	struct scene *s = *state;
	long before;

	for (int i = 0; i < HOLD_TOGETHER_MAX; i++)
		ask_for(s, "limit=2", 2);
	before = number_of(STATEMENTS, &ID_NIL);
	settle(s);
	assert_in_range(number_of(STATEMENTS, &ID_NIL) - before, 1, 2); /* the tenant may have to be bound first */
	for (size_t i = 0; i < s->n; i++) {
		assert_int_equal(items(&s->asker[i]), 2);
		assert_true(is_same(&s->asker[i], &s->asker[0]));
		assert_link(&s->asker[i], "Link: </api/v1/credentials?limit=2&cursor=req-");
	}
}

static void each_gets_the_page_that_it_has_asked_for(void **state)
{
	struct scene *s = *state;
	const struct asker *two = ask_for(s, "limit=2", 2), *same = ask_for(s, "lim%69t=2", 2),
			   *all = ask_for(s, "limit=3", 3), *again = ask_for(s, "limit=3", 3);
	struct str cursor;

	settle(s);
	assert_true(is_same(two, same));
	assert_link(same, "Link: </api/v1/credentials?lim%69t=2&cursor=req-");
	assert_int_equal(items(all), 3);
	assert_true(is_same(all, again));
	assert_int_equal(all->reply.headers, 0);

	cursor = str_slice(buf_str(&two->reply.head), strlen("Link: </api/v1/credentials?limit=2&cursor="), 30);
	s->n = 4;
	const struct asker *first = ask_for(s, "limit=2", 2),
			   *next = ask(s, &TENANT_A, &ID_NIL, "limit=2",
				       (struct credential_list_in){ .limit = 2, .cursor = cursor });
	settle(s);
	assert_true(is_same(first, two));
	assert_int_equal(items(next), 1);
	assert_int_equal(next->reply.headers, 0);
}

static void a_tenant_gets_nothing_of_another(void **state)
{
	struct scene *s = *state;
	const struct asker *ours = ask_for(s, "", 50),
			   *theirs = ask(s, &TENANT_B, &ID_NIL, "", (struct credential_list_in){ .limit = 50 }),
			   *again = ask_for(s, "", 50);

	settle(s);
	assert_int_equal(items(ours), 3);
	assert_int_equal(items(theirs), 0);
	assert_true(is_same(ours, again));
}

static void a_session_that_has_ended_gets_nothing_of_a_live_one(void **state)
{
	struct scene *s = *state;
	const struct credential_list_in in = { .limit = 50 };

	run_sql("DELETE FROM session", &ID_NIL);
	for (size_t i = 0; i < 2; i++)
		run_sql("INSERT INTO session (session_id, user_id, tenant_id, role, address, created_at, last_used_at, expires_at)"
			" VALUES (ID, RPAD(x'aa11', 16, x'00'), RPAD(x'aa01', 16, x'00'), 'admin', '', 1, 1, 1 << 60)",
			i == 0 ? &LIVE : &ENDED);
	run_sql("UPDATE session SET revoked_at = 1 WHERE session_id = ID", &ENDED);
	const struct asker *live = ask(s, &TENANT_A, &LIVE, "", in), *ended = ask(s, &TENANT_A, &ENDED, "", in),
			   *other = ask(s, &TENANT_A, &LIVE, "", in);
	settle(s);
	assert_int_equal(items(live), 3);
	assert_true(is_same(live, other));
	assert_int_equal(items(ended), 0);
	/* What proves a session's life is a row of its own. */
	assert_true(live->cx.who.live && other->cx.who.live);
	assert_false(ended->cx.who.live);
}

static void what_is_stored_before_they_are_answered_is_in_them(void **state)
{
	struct scene *s = *state;

	ask_for(s, "", 50);
	ask_for(s, "", 50);
	assert_ok(store(s->vault, "api_key", KEY, NULL));
	settle(s);
	assert_int_equal(items(&s->asker[0]), 4);
	assert_int_equal(items(&s->asker[1]), 4);
}

static void lists_of_rows_that_keep_no_answer_are_made_for_each(void **state)
{
	struct scene *s = *state;

	run_sql("UPDATE credential SET answer = NULL", &ID_NIL);
	ask_for(s, "limit=2", 2);
	ask_for(s, "limit=2", 2);
	settle(s);
	assert_int_equal(items(&s->asker[0]), 2);
	assert_true(is_same(&s->asker[0], &s->asker[1]));
	assert_link(&s->asker[1], "Link: </api/v1/credentials?limit=2&cursor=req-");
}

static void one_without_room_for_its_answer_takes_no_other_with_it(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 3; i++)
		ask_for(s, "", 50);
	s->asker[0].reply.body.max = s->asker[2].reply.body.max = 100;
	settle(s);
	assert_int_equal(buf_error(&s->asker[0].reply.body), ERR_TOO_BIG);
	assert_int_equal(items(&s->asker[1]), 3);
	assert_int_equal(buf_error(&s->asker[2].reply.body), ERR_TOO_BIG);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(lists_that_are_alike_are_one_statement),
		T(each_gets_the_page_that_it_has_asked_for),
		T(a_tenant_gets_nothing_of_another),
		T(a_session_that_has_ended_gets_nothing_of_a_live_one),
		T(what_is_stored_before_they_are_answered_is_in_them),
		T(lists_of_rows_that_keep_no_answer_are_made_for_each),
		T(one_without_room_for_its_answer_takes_no_other_with_it),
	};
#undef T

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
