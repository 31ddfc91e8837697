/* Keys at rest, handshakes, and what becomes of a genuine delivery: in a real database. */
#include "feature_support.h"

#include "base/clock.h"
#include "hook/handshake.h"
#include "hook/hook.h"
#include "hook/intake.h"
#include "hook/keys.h"
#include "hook/signature.h"

static const struct id TENANT = { .b = { 0xaa, 1 } }, CONNECTOR = { .b = { 0xcc, 1 } };

enum { HEADERS_MAX = 8 };

static struct world {
	struct ctx cx;
	struct hook hook;
	struct hook_scheme scheme;
	struct hook_delivery delivery;
	struct reply reply;
	size_t headers;
	struct {
		const char *name;
		struct str value;
	} header[HEADERS_MAX];
} w;

static int start(void **state)
{
	char key[KEYRING_ID_MAX + 1];

	(void)state;
	config = (struct config){ 0 };
	start_feature(key);
	return 0;
}

static int open_world(void **state)
{
	(void)state;
	private_mariadb_run(&server, "latchwork",
			    "DELETE FROM hook; DELETE FROM event; DELETE FROM event_key; DELETE FROM job; DELETE FROM audit;"
			    "INSERT INTO hook (tenant_id, connector_id, connector_type, secret_hash, secret_generation, root_key_id,"
			    " updated_at) VALUES (RPAD(X'AA01', 16, X'00'), RPAD(X'CC01', 16, X'00'), 'x', REPEAT('h', 32), 1, 'k', 7)");
	w = (struct world){ .hook = { TENANT, CONNECTOR, STR("x"), STR_NONE, STR_NONE, 7 } };
	open_context(&w.cx, "front");
	w.cx.front_keys = open_key_directory();
	w.cx.now_ms = clock_now_ms();
	w.cx.who = (struct principal){ .who = WHO_NOBODY, .tenant = TENANT, .live = true };
	w.cx.address = STR("192.0.2.1");
	ctx_enter(&w.cx);
	reply_init(&w.reply);
	return 0;
}

static int close_world(void **state)
{
	(void)state;
	reply_done(&w.reply);
	close_context(&w.cx);
	return 0;
}

static long number(const char *query) { return private_mariadb_number(&server, "latchwork", query); }
static long events(void) { return number("SELECT COUNT(*) FROM event"); }

static struct str header_of(const void *arg, struct str name)
{
	(void)arg;
	for (size_t i = 0; i < w.headers; i++)
		if (str_eq(name, str_of(w.header[i].name)))
			return w.header[i].value;
	return STR_NONE;
}

static void header(const char *name, struct str value)
{
	w.header[w.headers].name = name;
	w.header[w.headers++].value = value;
}

/* Written with ' for ". */
static struct str json_of(const char *text)
{
	struct str copy = arena_copy(w.cx.arena, str_of(text));

	assert_false(str_absent(copy));
	for (char *c = (char *)(uintptr_t)copy.p; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return copy;
}

static void scheme(const char *text)
{
	const char *why;
	json_t *tree;

	assert_ok(json_read(w.cx.arena, json_of(text), &tree, NULL));
	assert_ok(hook_scheme_read(tree, &w.scheme, &why));
}

static void delivery(const char *text)
{
	json_t *json = NULL;

	w.delivery = (struct hook_delivery){ .arena = w.cx.arena,
					     .method = STR("POST"),
					     .url = STR("https://x.test/api/webhooks/x/y"),
					     .content_type = STR("application/json"),
					     .body = json_of(text),
					     .now_ms = w.cx.now_ms,
					     .header = header_of };
	if (json_read(w.cx.arena, w.delivery.body, &json, NULL) == OK)
		w.delivery.json = json;
}

static enum err keep_intake(void *arg, enum err e, const struct intake *intake)
{
	*(struct intake *)arg = *intake;
	return e;
}

static enum err try_to_take(struct intake *ret_intake)
{
	return hook_take_in(&w.cx, &w.hook, &w.scheme, &w.delivery, keep_intake, ret_intake, &w.reply);
}

static struct intake take(void)
{
	struct intake intake;

	assert_ok(try_to_take(&intake));
	return intake;
}

/* --- keys ----------------------------------------------------------------------------- */

static void seal(struct buf *sealed)
{
	KEY_LIST_AUTO struct key_list list;

	key_list_init(&list);
	assert_ok(key_list_add(&list, STR("one"), STR("first")));
	assert_ok(key_list_add(&list, STR("one"), STR("second")));
	assert_ok(key_list_add(&list, STR("one"), STR("first")));
	buf_init(sealed, HOOK_KEYS_SEALED_MAX);
	assert_ok(key_list_seal(&w.cx, &CONNECTOR, &list, sealed));
}

static void sealed_keys_come_back_each_once(void **state)
{
	BUF_AUTO struct buf sealed = { 0 };
	KEY_LIST_AUTO struct key_list list;

	(void)state;
	key_list_init(&list);
	seal(&sealed);
	assert_null(memmem(sealed.p, sealed.n, "first", 5));
	assert_ok(key_list_open(&w.cx, &CONNECTOR, buf_str(&sealed), &list));
	assert_int_equal(list.n, 2);
	assert_str(list.v[0].field, "one");
	assert_str(list.v[0].bytes, "first");
	assert_str(list.v[1].bytes, "second");
	assert_ok(key_list_open(&w.cx, &CONNECTOR, STR_NONE, &list));
	assert_ok(key_list_open(&w.cx, &CONNECTOR, buf_str(&sealed), &list));
	assert_int_equal(list.n, 4);
}

static void keys_that_were_touched_or_moved_can_not_be_read(void **state)
{
	const struct id other = { .b = { 0xcc, 2 } };
	BUF_AUTO struct buf sealed = { 0 };

	(void)state;
	seal(&sealed);
	for (size_t i = 0; i <= sealed.n; i++) {
		KEY_LIST_AUTO struct key_list list;
		const struct id *connector = i < sealed.n ? &CONNECTOR : &other;
		enum err e;

		key_list_init(&list);
		if (i < sealed.n)
			sealed.p[i] ^= 1;
		e = key_list_open(&w.cx, connector, buf_str(&sealed), &list);
		if (i < sealed.n)
			sealed.p[i] ^= 1;
		/* Within the key's name it is another key's, which isn't here. */
		assert_true(e == ERR_UNREADABLE || e == ERR_NO_KEY);
		assert_int_equal(list.n, 0);
	}
	for (size_t n = 0; n < sealed.n; n++) {
		KEY_LIST_AUTO struct key_list list;

		key_list_init(&list);
		assert_int_not_equal(key_list_open(&w.cx, &CONNECTOR, str_slice(buf_str(&sealed), 0, n), &list), OK);
	}
	w.cx.who.tenant.b[1] = 2;
	KEY_LIST_AUTO struct key_list list;
	key_list_init(&list);
	assert_int_equal(key_list_open(&w.cx, &CONNECTOR, buf_str(&sealed), &list), ERR_UNREADABLE);
}

/* --- handshakes ------------------------------------------------------------------------- */

#define ASANA                                                                                                 \
	"{'scheme':'hmac','key_field':'k','source':'header:x-sig','encoding':'hex','signed':'{body}','handshakes':[" \
	"{'when':'header:x-secret','store_field':'k','store':'header:x-secret','header':'X-Secret','header_value':'header:x-secret'}]}"

static enum err answer(const struct hook_keys *keys)
{
	const struct hook_handshake *handshake = hook_handshake_of(&w.scheme, &w.delivery);

	assert_non_null(handshake);
	return hook_handshake_answer(&w.cx, &w.hook, &w.scheme, handshake, &w.delivery, keys, &w.reply);
}

static void a_secret_that_is_handed_over_is_stored_once_and_sealed(void **state)
{
	const struct hook_keys none = { 0 };

	(void)state;
	scheme(ASANA);
	delivery("");
	header("x-secret", STR("0123456789abcdef"));
	assert_ok(answer(&none));
	assert_int_equal(w.reply.status, 200);
	assert_non_null(memmem(w.reply.head.p, w.reply.head.n, "0123456789abcdef", 16));
	assert_int_equal(number("SELECT COUNT(*) FROM hook WHERE stored_keys IS NOT NULL AND INSTR(stored_keys, '0123456789') = 0"), 1);
	/* Whoever read the row before loses against whoever wrote it. */
	assert_int_equal(answer(&none), ERR_CONFLICT);
	w.hook.stored_keys = STR("something");
	assert_int_equal(answer(&none), ERR_DENIED);
}

static void a_challenge_is_escaped_where_the_answer_is_json(void **state)
{
	const struct hook_keys none = { 0 };

	(void)state;
	scheme("{'scheme':'secret_url','handshakes':[{'when':'json:c','content_type':'application/json','text':'{{\\'c\\':\\'{json:c}\\'}}'}]}");
	delivery("{'c':'a\\'b{{}}'}");
	assert_ok(answer(&none));
	assert_str(buf_str(&w.reply.body), "{\"c\":\"a\\\"b{{}}\"}");
}

static void an_answer_that_lacks_a_value_or_a_key_is_refused(void **state)
{
	const struct hook_keys none = { 0 };

	(void)state;
	scheme("{'scheme':'hmac','key_field':'k','source':'header:s','encoding':'hex','signed':'{body}','handshakes':["
	       "{'when':'json:c','text':'{json:d}'},{'when':'json:e','text':'{hmac_hex:json:e}'}]}");
	delivery("{'c':'x'}");
	assert_int_equal(answer(&none), ERR_BAD_INPUT);
	delivery("{'e':'x'}");
	assert_int_equal(answer(&none), ERR_BAD_INPUT);
	delivery("{'f':'x'}");
	assert_null(hook_handshake_of(&w.scheme, &w.delivery));
}

/* --- events --------------------------------------------------------------------------------- */

#define PLAIN "{'scheme':'secret_url','event_id':'json:id','event_type':'json:type','occurred_at':'json:at'}"

static void an_event_is_stored_with_its_job_and_its_audit_row_once(void **state)
{
	struct intake first, again;

	(void)state;
	scheme(PLAIN);
	delivery("{'id':'a','type':'t','at':1700000000}");
	first = take();
	again = take();
	assert_false(first.duplicate);
	assert_true(again.duplicate);
	assert_true(id_eq(&first.event, &again.event));
	assert_int_equal(events(), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM job WHERE kind = 'event_process'"), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'event.receive'"), 1);
	assert_int_equal(number("SELECT COUNT(*) FROM event WHERE occurred_at = 1700000000000"), 1);
}

static void ids_that_differ_behind_their_255th_character_are_two_events(void **state)
{
	char text[400];

	(void)state;
	scheme(PLAIN);
	for (int i = 0; i < 2; i++) {
		snprintf(text, sizeof(text), "{'id':'%0300d%d'}", 0, i);
		delivery(text);
		assert_false(take().duplicate);
	}
	assert_int_equal(events(), 2);
}

static void an_id_is_never_taken_for_a_body(void **state)
{
	(void)state;
	scheme("{'scheme':'secret_url','event_id':'header:x-id'}");
	delivery("abc");
	assert_false(take().duplicate);
	assert_true(take().duplicate);
	header("x-id", STR("abc"));
	delivery("other");
	assert_false(take().duplicate);
	assert_int_equal(number("SELECT COUNT(*) FROM event WHERE type = 'unknown'"), 2);
}

static void notices_that_say_the_same_each_time_are_all_kept(void **state)
{
	(void)state;
	scheme("{'scheme':'secret_url','repeats':true,'event_id':'json:id'}");
	delivery("{'look':'again'}");
	assert_false(take().duplicate);
	assert_false(take().duplicate);
	delivery("{'id':1}");
	assert_false(take().duplicate);
	assert_true(take().duplicate);
}

static void what_is_too_long_for_its_column_is_cut_and_not_refused(void **state)
{
	static char long_text[5000];

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	scheme("{'scheme':'secret_url','event_type':'header:x-type','account':'header:x-account','subject_id':'header:x-bad'}");
	header("x-type", str_of(long_text));
	header("x-account", str_of(long_text));
	header("x-bad", STR("good\xff\xfe"));
	delivery("{}");
	w.delivery.content_type = str_of(long_text);
	assert_false(take().duplicate);
	assert_int_equal(number("SELECT COUNT(*) FROM event WHERE LENGTH(type) = 128 AND LENGTH(account) = 255 AND subject_id = 'good'"), 1);
}

static void only_headers_that_it_was_read_from_are_kept(void **state)
{
	(void)state;
	scheme("{'scheme':'secret_url','event_type':'header:x-a|header:x-type','event_id':'header:x-id+header:x-n'}");
	header("x-type", STR("t"));
	header("x-id", STR("1"));
	header("x-n", STR("2"));
	header("authorization", STR("secret"));
	delivery("{}");
	assert_false(take().duplicate);
	assert_int_equal(number("SELECT COUNT(*) FROM event WHERE provider_event_id = '1-2' AND headers = "
				"'{\"content-type\":\"application/json\",\"x-id\":\"1\",\"x-n\":\"2\",\"x-type\":\"t\"}'"),
			 1);
}

static void a_list_is_taken_whole_or_not_at_all(void **state)
{
	struct intake intake;

	(void)state;
	scheme("{'scheme':'secret_url','list_path':'.','event_id':'json:id'}");
	delivery("[{'id':1},{'id':2},{'id':1}]");
	intake = take();
	assert_int_equal(intake.events, 3);
	assert_false(intake.duplicate);
	assert_int_equal(events(), 2);
	delivery("[{'id':1},{'id':3}]");
	assert_false(take().duplicate);
	delivery("[{'id':1},{'id':3}]");
	assert_true(take().duplicate);
	delivery("[]");
	assert_int_equal(take().events, 0);
	/* The hook changes: nothing of the list is there. */
	delivery("[{'id':7},{'id':8}]");
	w.hook.state = 8;
	assert_int_equal(try_to_take(&intake), ERR_CONFLICT);
	assert_int_equal(events(), 3);
}

static void a_list_that_is_none_is_one_event(void **state)
{
	(void)state;
	scheme("{'scheme':'secret_url','list_path':'events'}");
	delivery("{'events':5}");
	assert_int_equal(take().events, 1);
	delivery("not JSON");
	assert_int_equal(take().events, 1);
	assert_int_equal(number("SELECT COUNT(*) FROM event WHERE body = 'not JSON'"), 1);
}

/* --- deliveries that are stored together ------------------------------------------------ */

enum { TOGETHER = 5 };

/* Deliveries of one round: held, written together, and gone on with. */
static struct round {
	struct hold hold[TOGETHER];
	struct intake intake[TOGETHER];
	struct hold_outcome outcome[TOGETHER];
	enum err e[TOGETHER];
	size_t n;
} r;

static void hold(const char *text)
{
	delivery(text);
	w.cx.may_hold = true;
	assert_ok(try_to_take(&r.intake[r.n]));
	assert_non_null(w.cx.hold.shared);
	r.hold[r.n++] = w.cx.hold;
	w.cx.hold = (struct hold){ 0 };
}

static void settle(void)
{
	const struct hold *holds[TOGETHER];

	for (size_t i = 0; i < r.n; i++)
		holds[i] = &r.hold[i];
	hold_run_all(w.cx.db, holds, r.n, r.outcome);
	for (size_t i = 0; i < r.n; i++)
		r.e[i] = r.hold[i].resume(&w.cx, r.hold[i].arg, r.outcome[i].e, r.outcome[i].row, &w.reply);
}

static long commits(void)
{
	return number("SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'HANDLER_COMMIT'");
}

static void deliveries_of_a_round_are_stored_in_one_commit(void **state)
{
	(void)state;
	static const char *const SENT[] = { "{'id':1}", "{'id':2}", "{'id':1}", "{'id':3}", "{'id':4}" };
	long before;

	scheme("{'scheme':'secret_url','event_id':'json:id'}");
	r = (struct round){ 0 };
	before = commits();
	hold(SENT[0]);
	settle();
	long alone = commits() - before;

	r = (struct round){ 0 };
	before = commits();
	for (size_t i = 0; i < TOGETHER; i++)
		hold(SENT[i]);
	settle();
	assert_in_range(commits() - before, 1, alone);
	for (size_t i = 0; i < TOGETHER; i++) {
		assert_ok(r.e[i]);
		assert_int_equal(r.intake[i].events, 1);
	}
	assert_true(r.intake[0].duplicate); /* of the one before the round */
	assert_false(r.intake[1].duplicate);
	assert_true(r.intake[2].duplicate);
	assert_true(id_eq(&r.intake[2].event, &r.intake[0].event));
	assert_int_equal(events(), 4);
	assert_int_equal(number("SELECT COUNT(*) FROM job"), 4);
	assert_int_equal(number("SELECT COUNT(*) FROM audit WHERE action = 'event.receive'"), 4);
}

static void one_that_cannot_be_stored_takes_no_other_with_it(void **state)
{
	(void)state;
	scheme("{'scheme':'secret_url','event_id':'json:id'}");
	r = (struct round){ 0 };
	hold("{'id':1}");
	w.hook.state = 8; /* changed since it was read */
	hold("{'id':2}");
	w.hook.state = 7;
	hold("{'id':3}");
	settle();
	assert_ok(r.e[0]);
	assert_int_equal(r.e[1], ERR_CONFLICT);
	assert_ok(r.e[2]);
	assert_int_equal(events(), 2);
	/* The statement fails as a whole: it refuses the body of one. */
	private_mariadb_run(&server, "latchwork", "ALTER TABLE event ADD CONSTRAINT no_nine CHECK (provider_event_id <> '9')");
	r = (struct round){ 0 };
	hold("{'id':8}");
	hold("{'id':9}");
	hold("{'id':10}");
	settle();
	assert_ok(r.e[0]);
	assert_int_not_equal(r.e[1], OK);
	assert_ok(r.e[2]);
	assert_int_equal(events(), 4);
	private_mariadb_run(&server, "latchwork", "ALTER TABLE event DROP CONSTRAINT no_nine");
}

static void a_large_one_goes_alone(void **state)
{
	char *text;

	(void)state;
	scheme("{'scheme':'secret_url'}");
	r = (struct round){ 0 };
	text = test_malloc((64 << 10) + 8);
	memset(text, 'x', 64 << 10);
	strcpy(text + (64 << 10), "y");
	delivery(text);
	test_free(text);
	w.cx.may_hold = true;
	assert_ok(try_to_take(&r.intake[0]));
	assert_null(w.cx.hold.shared);
	assert_int_equal(events(), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, open_world, close_world)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(sealed_keys_come_back_each_once),
		TEST(keys_that_were_touched_or_moved_can_not_be_read),
		TEST(a_secret_that_is_handed_over_is_stored_once_and_sealed),
		TEST(a_challenge_is_escaped_where_the_answer_is_json),
		TEST(an_answer_that_lacks_a_value_or_a_key_is_refused),
		TEST(an_event_is_stored_with_its_job_and_its_audit_row_once),
		TEST(ids_that_differ_behind_their_255th_character_are_two_events),
		TEST(an_id_is_never_taken_for_a_body),
		TEST(notices_that_say_the_same_each_time_are_all_kept),
		TEST(what_is_too_long_for_its_column_is_cut_and_not_refused),
		TEST(only_headers_that_it_was_read_from_are_kept),
		TEST(a_list_is_taken_whole_or_not_at_all),
		TEST(a_list_that_is_none_is_one_event),
		TEST(deliveries_of_a_round_are_stored_in_one_commit),
		TEST(one_that_cannot_be_stored_takes_no_other_with_it),
		TEST(a_large_one_goes_alone),
	};

	return cmocka_run_group_tests_name("webhook rows", tests, start, stop_feature);
}
