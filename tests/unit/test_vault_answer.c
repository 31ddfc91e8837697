/* What a row keeps of its credential's answer: as good as one that is made anew, or not used. */
#include "vault_support.h"

#include "base/arena.h"
#include "core/operations.h"
#include "fcgi/request.h"
#include "vault/answer.h"

#define KEY "{\"api_key\":\"canary-0123456789\"}"
#define KEEPS "SELECT COUNT(*) FROM credential WHERE credential_id = ID AND answer IS NOT NULL"

struct scene {
	struct ctx *vault, *front;
	struct id id; /* a credential */
};

static int set_up(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	if (!s || empty_vault(state) != 0)
		return -1;
	s->vault = open_vault("vault", &TENANT_A);
	s->front = open_vault("front", &TENANT_A);
	*state = s;
	return store(s->vault, "api_key", KEY, &s->id) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
	struct scene *s = *state;

	close_vault(s->vault);
	close_vault(s->front);
	free(s);
	return 0;
}

/* Headers and body of an answer, in one text of the arena. */
static struct str told(struct ctx *cx, const struct reply *reply)
{
	return arena_printf(cx->arena, "%d\n%.*s\n%.*s", reply->status, STR_ARG(buf_str(&reply->head)),
			    STR_ARG(buf_str(&reply->body)));
}

static struct str get(const struct scene *s)
{
	const struct credential_get_in in = { .credential_id = s->id };
	struct reply reply;

	reply_init(&reply);
	assert_ok(credential_get(s->front, &in, &reply));
	struct str text = told(s->front, &reply);
	reply_done(&reply);
	return text;
}

/* The first page of two. */
static struct str list(const struct scene *s)
{
	const struct request request = { .path = STR("/api/v1/credentials"), .query = STR("limit=2") };
	const struct credential_list_in in = { .limit = 2 };
	struct reply reply;

	reply_init(&reply);
	s->front->request = &request;
	assert_ok(credential_list(s->front, &in, &reply));
	s->front->request = NULL;
	struct str text = told(s->front, &reply);
	reply_done(&reply);
	return text;
}

static void forget_answers(void) { run_sql("UPDATE credential SET answer = NULL", &ID_NIL); }

static bool holds(struct str text, const char *part) { return memmem(text.p, text.n, part, strlen(part)); }

static void assert_same(struct str a, struct str b)
{
	if (!str_eq(a, b))
		fail_msg("%.*s instead of %.*s", STR_ARG(a), STR_ARG(b));
}

static void an_answer_that_was_kept_is_the_one_that_is_made(void **state)
{
	const struct scene *s = *state;
	struct str kept, made;

	assert_int_equal(number_of(KEEPS, &s->id), 1);
	kept = get(s);
	forget_answers();
	assert_int_equal(number_of(KEEPS, &s->id), 0);
	made = get(s);
	assert_same(kept, made);
	assert_true(holds(kept, "\nETag: \"") || str_starts(kept, STR("200\nETag: \"")));
	assert_true(holds(kept, "cana****"));
}

static void a_page_of_kept_answers_is_the_one_that_is_made(void **state)
{
	const struct scene *s = *state;
	struct str kept;

	for (int i = 0; i < 3; i++)
		assert_ok(store(s->vault, "api_key", KEY, NULL));
	kept = list(s);
	assert_true(holds(kept, "rel=\"next\""));
	forget_answers();
	assert_same(kept, list(s));
}

static void a_page_with_one_answer_that_was_not_kept_is_whole(void **state)
{
	const struct scene *s = *state;
	struct str kept;

	assert_ok(store(s->vault, "api_key", KEY, NULL));
	kept = list(s);
	run_sql("UPDATE credential SET answer = NULL WHERE credential_id = ID", &s->id);
	assert_same(kept, list(s));
}

static void whoever_changes_a_row_without_a_new_answer_takes_the_old_one_away(void **state)
{
	const struct scene *s = *state;

	run_sql("UPDATE credential SET name = 'changed by hand' WHERE credential_id = ID", &s->id);
	assert_int_equal(number_of(KEEPS, &s->id), 0);
	assert_true(holds(get(s), "changed by hand"));
	assert_true(holds(list(s), "changed by hand"));
}

static void a_change_brings_a_new_answer_with_it(void **state)
{
	const struct scene *s = *state;
	struct str kept;

	assert_ok(change(s->vault, &s->id, "{\"api_key\":\"other-0123456789\"}"));
	assert_int_equal(number_of(KEEPS, &s->id), 1);
	kept = get(s);
	assert_true(holds(kept, "othe****"));
	forget_answers();
	assert_same(kept, get(s));
}

static void an_answer_of_another_version_of_the_program_is_not_shown(void **state)
{
	const struct scene *s = *state;
	static const char *const others[] = { "", "0\\\"tag\\\"{\\\"id\\\":\\\"stale\\\"}", "stale", "1", "1\\\"tag\\\"" };
	struct str made = get(s);

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		char sql[200];

		snprintf(sql, sizeof(sql), "UPDATE credential SET answer = \"%s\" WHERE credential_id = ID", others[i]);
		run_sql(sql, &s->id);
		assert_int_equal(number_of(KEEPS, &s->id), 1);
		assert_same(get(s), made);
	}
}

static void a_large_credential_is_not_kept_and_is_told_all_the_same(void **state)
{
	struct scene s = *(const struct scene *)*state;
	char data[4096];
	size_t n = (size_t)snprintf(data, sizeof(data), "{\"client_id\":\"c\",\"scopes\":\"");

	memset(data + n, 's', sizeof(data) - n - 3);
	memcpy(data + sizeof(data) - 3, "\"}", 3);
	assert_ok(store(s.vault, "oauth2", data, &s.id));
	assert_int_equal(number_of(KEEPS, &s.id), 0);
	assert_true(get(&s).n > VAULT_ANSWER_MAX);
	assert_true(list(&s).n > VAULT_ANSWER_MAX);
}

static void a_hidden_credential_is_told_of_nowhere(void **state)
{
	const struct scene *s = *state;
	const struct credential_get_in in = { .credential_id = s->id };
	struct reply reply;

	reply_init(&reply);
	run_sql("UPDATE credential SET deleted_at = 1, answer = CONCAT(answer, 'x') WHERE credential_id = ID", &s->id);
	assert_int_equal(number_of(KEEPS, &s->id), 1);
	assert_int_equal(credential_get(s->front, &in, &reply), ERR_NOT_FOUND);
	assert_false(holds(list(s), "cana****"));
	reply_done(&reply);
}

/* When this fails, what is kept has another shape than what older rows hold: give ANSWER_FORMAT the next number. */
static void the_format_has_a_number_of_its_own(void **state)
{
	const struct credential c = {
		.id = { { 1 } },
		.name = STR("n"),
		.type = STR("api_key"),
		.service = STR("s"),
		.status = STR("verified"),
		.masked = STR("{\"a\":1}"),
		.version = 2,
		.created_by = { { 2 } },
		.created_at = 1,
		.updated_at = 255,
		.expires_at = { true, 3 },
		.verify = { STR("passed"), STR("E"), STR("m"), STR("{}"), { true, 4 } },
	};
	struct kept_answer kept;
	struct buf out;
	struct id id;

	(void)state;
	buf_init(&out, 4096);
	vault_keep_answer(&out, &c);
	assert_ok(buf_error(&out));
	assert_str(buf_str(&out),
		   "1\"01000000000000000000000000-ff\"{\"id\":\"cred-01000000000000000000000000\",\"name\":\"n\","
		   "\"type\":\"api_key\",\"service\":\"s\",\"status\":\"verified\",\"data\":{\"a\":1},\"version\":2,"
		   "\"created_by\":\"usr-02000000000000000000000000\",\"created_at\":\"1970-01-01T00:00:00.001Z\","
		   "\"updated_at\":\"1970-01-01T00:00:00.255Z\",\"expires_at\":\"1970-01-01T00:00:00.003Z\","
		   "\"verify\":{\"status\":\"passed\",\"error_code\":\"E\",\"message\":\"m\",\"account\":{},"
		   "\"checked_at\":\"1970-01-01T00:00:00.004Z\"}}");
	assert_true(vault_take_answer(buf_str(&out), &kept));
	assert_str(kept.tag, "\"01000000000000000000000000-ff\"");
	assert_ok(vault_answer_id(&kept, &id));
	assert_memory_equal(&id, &c.id, sizeof(id));
	buf_done(&out);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(an_answer_that_was_kept_is_the_one_that_is_made),
		T(a_page_of_kept_answers_is_the_one_that_is_made),
		T(a_page_with_one_answer_that_was_not_kept_is_whole),
		T(whoever_changes_a_row_without_a_new_answer_takes_the_old_one_away),
		T(a_change_brings_a_new_answer_with_it),
		T(an_answer_of_another_version_of_the_program_is_not_shown),
		T(a_large_credential_is_not_kept_and_is_told_all_the_same),
		T(a_hidden_credential_is_told_of_nowhere),
		cmocka_unit_test(the_format_has_a_number_of_its_own),
	};
#undef T

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
