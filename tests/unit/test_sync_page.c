/* Pages of lists as good and as hostile providers give them: the next request, or why there is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "connect/catalog.h"
#include "sync/page.h"
#include "sync/store.h"

enum { ARENA_MAX = 8 << 20, FILE_MAX = 8192 };

#define LIST(page)                                                                                 \
	"\"request\": {\"url\": \"https://api.example.com/things\"}, \"rows\": \"data\", \"page\": " page

static struct {
	struct arena *arena;
	struct catalog *catalog;
	const struct connector_type *type;
	struct values values;
	struct sync_page page;
} it;

/* A type with that one list. */
static void begin(const char *list)
{
	char text[FILE_MAX], why[CATALOG_WHY_MAX];

	catalog_free(it.catalog);
	it.catalog = NULL;
	snprintf(
		text, sizeof text,
		"{\"id\": \"t\", \"name\": \"T\", \"category\": \"custom\", \"regions\": [\"global\"], \"summary\": \"T.\","
		"\"auth\": [{\"mode\": \"api_key\", \"label\": \"Key\", \"credential\": \"api_key\", \"query\": {\"key\": \"{key}\"}}],"
		"\"fields\": [{\"name\": \"key\", \"label\": \"Key\", \"secret\": true, \"required\": true, \"member\": \"api_key\"}],"
		"\"hosts\": [\"api.example.com\"], \"verify\": [{\"kind\": \"none\"}],"
		"\"sync\": [{\"collection\": \"things\", %s}]}",
		list);
	if (catalog_load_text(STR("t"), str_of(text), why, &it.catalog) != OK)
		fail_msg("%s", why);
	it.type = catalog_find(it.catalog, STR("t"));
}

static enum err read_page(const char *next, const char *body, const char *link)
{
	CALL_AUTO struct call call;
	const struct sync_place place = { .page = next ? 1 : 0, .next = str_of(next) };
	const struct sync_spec *list = sync_list(it.type, &it.values, 0);
	struct sync_answer answer = { .link = str_of(link) };
	struct sync_paths paths;
	struct str missing;
	json_t *json;

	call_init(&call);
	assert_non_null(list);
	assert_int_equal(sync_paths(it.arena, list, &it.values, &paths), OK);
	assert_int_equal(
		sync_request(it.type, it.type->way, list, &it.values, &place, 0, &call, &missing),
		OK);
	assert_int_equal(json_read(it.arena, str_of(body), &json, NULL), OK);
	answer.json = json;
	return sync_read(it.arena, it.type->way, list, &it.values, &paths, &place, &call, &answer,
			 &it.page);
}

static void assert_next(const char *next, const char *body, const char *want)
{
	if (read_page(next, body, NULL) != OK)
		fail_msg("%s: %.*s", body, STR_ARG(it.page.code));
	if (!str_eq(it.page.next, str_of(want)))
		fail_msg("%s: next is \"%.*s\"", body, STR_ARG(it.page.next));
}

static void assert_refused(const char *next, const char *body, const char *link, const char *code)
{
	if (read_page(next, body, link) != ERR_UPSTREAM || !str_eq(it.page.code, str_of(code)))
		fail_msg("%s is no %s but \"%.*s\"", body, code, STR_ARG(it.page.code));
}

static void assert_asked(const char *next, const char *want)
{
	CALL_AUTO struct call call;
	const struct sync_place place = { .next = str_of(next) };
	struct str missing;

	call_init(&call);
	assert_int_equal(sync_request(it.type, it.type->way, &it.type->sync[0], &it.values, &place,
				      0, &call, &missing),
			 OK);
	if (!str_eq(buf_str(&call.url), str_of(want)))
		fail_msg("asks %.*s", STR_ARG(buf_str(&call.url)));
}

static int set_up(void **state)
{
	(void)state;
	if (json_setup() != OK)
		return 1;
	it.arena = arena_new(ARENA_MAX);
	values_init(&it.values);
	return values_set(&it.values, STR("key"), STR("k-0123456789")) == OK && it.arena ? 0 : 1;
}

static int tear_down(void **state)
{
	(void)state;
	values_done(&it.values);
	catalog_free(it.catalog);
	arena_free(it.arena);
	return 0;
}

/* --- how lists go on ------------------------------------------------------------------- */

static void a_cursor_is_what_the_answer_says(void **state)
{
	(void)state;
	begin(LIST(
		"{\"kind\": \"cursor\", \"param\": \"after\", \"next\": \"paging.next\", \"size_param\": \"limit\", \"size\": 2}"));
	assert_asked(NULL, "https://api.example.com/things?key=k-0123456789&limit=2");
	assert_asked(
		"a b&{key}",
		"https://api.example.com/things?key=k-0123456789&limit=2&after=a%20b%26%7Bkey%7D");
	assert_next(NULL, "{\"data\": [{\"id\": 1}], \"paging\": {\"next\": \"c2\"}}", "c2");
	assert_next("c2", "{\"data\": [], \"paging\": {\"next\": 17}}", "17");
	assert_next("c2", "{\"data\": [{\"id\": 1}], \"paging\": {\"next\": \"\"}}", NULL);
	assert_next("c2", "{\"data\": [{\"id\": 1}], \"paging\": {\"next\": null}}", NULL);
	assert_next("c2", "{\"data\": [{\"id\": 1}, {\"id\": 2}], \"paging\": {\"next\": {}}}",
		    NULL);
	assert_next("c2", "{\"data\": [{\"id\": 1}, {\"id\": 2}]}", NULL);
}

static void a_cursor_is_the_last_rows_id_where_the_answer_says_none(void **state)
{
	(void)state;
	begin(LIST("{\"kind\": \"cursor\", \"param\": \"after\", \"more\": \"has_more\"}"));
	assert_next(NULL, "{\"data\": [{\"id\": \"x\"}, {\"id\": \"y\"}], \"has_more\": true}",
		    "y");
	assert_next("y", "{\"data\": [{\"id\": \"z\"}], \"has_more\": false}", NULL);
	assert_next("y", "{\"data\": [{\"id\": \"z\"}], \"has_more\": \"yes\"}", NULL);
	assert_next("y", "{\"data\": [{\"id\": \"z\"}]}", NULL);
	assert_next("y", "{\"data\": [], \"has_more\": true}", NULL);
}

static void pages_are_counted_until_one_is_short(void **state)
{
	(void)state;
	begin(LIST("{\"kind\": \"page\", \"param\": \"page\", \"first\": 1, \"size\": 2}"));
	assert_asked(NULL, "https://api.example.com/things?key=k-0123456789&page=1");
	assert_next(NULL, "{\"data\": [{\"id\": 1}, {\"id\": 2}]}", "2");
	assert_next("2", "{\"data\": [{\"id\": 3}, {\"id\": 4}]}", "3");
	assert_next("3", "{\"data\": [{\"id\": 5}]}", NULL);
	assert_next("3", "{\"data\": []}", NULL);
	assert_refused("18446744073709551616", "{\"data\": [{\"id\": 1}, {\"id\": 2}]}", NULL,
		       "BAD_NEXT_PAGE");
	assert_refused("18446744073709551615", "{\"data\": [{\"id\": 1}, {\"id\": 2}]}", NULL,
		       "BAD_NEXT_PAGE");
	assert_refused("-1", "{\"data\": [{\"id\": 1}, {\"id\": 2}]}", NULL, "BAD_NEXT_PAGE");
}

static void rows_are_counted_by_those_that_came(void **state)
{
	(void)state;
	begin(LIST("{\"kind\": \"offset\", \"param\": \"offset\"}"));
	assert_asked(NULL, "https://api.example.com/things?key=k-0123456789&offset=0");
	assert_next(NULL, "{\"data\": [{\"id\": 1}, {\"id\": 2}, {\"no\": 3}]}", "3");
	assert_next("3", "{\"data\": [{\"id\": 4}]}", "4");
	assert_next("4", "{\"data\": []}", NULL);
}

static void a_list_of_one_page_ends_with_it(void **state)
{
	(void)state;
	begin(LIST("{}"));
	assert_next(NULL, "{\"data\": [{\"id\": 1}], \"has_more\": true, \"next\": \"x\"}", NULL);
}

/* --- hostile answers --------------------------------------------------------------------- */

static void the_same_page_again_ends_the_list(void **state)
{
	(void)state;
	begin(LIST("{\"kind\": \"cursor\", \"param\": \"after\", \"next\": \"next\"}"));
	assert_refused("c", "{\"data\": [{\"id\": 1}], \"next\": \"c\"}", NULL, "PAGES_REPEAT");
	begin(LIST("{\"kind\": \"link\"}"));
	assert_refused("/things?page=2", "{\"data\": [{\"id\": 1}]}",
		       "</things?key=k-0123456789&page=2>; rel=next", "PAGES_REPEAT");
}

static void a_cursor_without_measure_is_refused(void **state)
{
	static char body[3 * SYNC_NEXT_MAX];

	(void)state;
	begin(LIST("{\"kind\": \"cursor\", \"param\": \"after\", \"next\": \"next\"}"));
	snprintf(body, sizeof body, "{\"data\": [], \"next\": \"%0*d\"}", SYNC_NEXT_MAX, 1);
	assert_refused(NULL, body, NULL, "BAD_NEXT_PAGE");
}

static void a_link_to_another_host_is_refused(void **state)
{
	(void)state;
	begin(LIST("{\"kind\": \"link\"}"));
	assert_refused(NULL, "{\"data\": []}", "<https://evil.example/things>; rel=next",
		       "BAD_NEXT_PAGE");
	begin(LIST("{\"kind\": \"link\", \"next\": \"links.next\"}"));
	assert_refused(NULL, "{\"data\": [], \"links\": {\"next\": \"https://evil.example/\"}}",
		       NULL, "BAD_NEXT_PAGE");
	assert_next(
		NULL,
		"{\"data\": [], \"links\": {\"next\": \"https://api.example.com/things?p=2&key=k-0123456789\"}}",
		"/things?p=2");
	assert_asked("/things?p=2", "https://api.example.com/things?p=2&key=k-0123456789");
	assert_next(NULL, "{\"data\": [], \"links\": {\"next\": null}}", NULL);
}

static void what_isnt_a_list_is_no_page(void **state)
{
	static const char *const BODIES[] = { "{\"data\": {\"id\": 1}}",
					      "{\"data\": \"x\"}",
					      "{\"data\": null}",
					      "{}",
					      "[]",
					      "17",
					      "null",
					      "\"x\"",
					      "[[{\"id\": 1}]]" };

	(void)state;
	begin(LIST("{}"));
	for (size_t i = 0; i < ARRAY_SIZE(BODIES); i++)
		assert_refused(NULL, BODIES[i], NULL, "BAD_RESPONSE");
	begin(LIST("{}, \"rows_optional\": true"));
	assert_next(NULL, "{}", NULL);
	assert_next(NULL, "{\"data\": null}", NULL);
	assert_refused(NULL, "{\"data\": {}}", NULL, "BAD_RESPONSE");
	assert_refused(NULL, "[]", NULL, "BAD_RESPONSE");
}

static void rows_without_an_id_are_left_out_and_a_page_of_them_is_refused(void **state)
{
	static char body[2048];

	(void)state;
	begin(LIST("{}"));
	assert_next(
		NULL,
		"{\"data\": [{\"id\": \"\"}, {\"id\": null}, {\"id\": {}}, {\"id\": \"a\\u0001\"}, 17, null, \"x\", [], {\"id\": 1.5}, {\"id\": \"ключ\"}]}",
		NULL);
	assert_int_equal(it.page.rows, 2);
	assert_int_equal(it.page.left_out, 8);
	snprintf(body, sizeof body, "{\"data\": [{\"id\": \"%0255d\"}, {\"id\": \"%0256d\"}]}", 1,
		 1);
	assert_next(NULL, body, NULL);
	assert_int_equal(it.page.rows, 1);
	assert_refused(NULL, "{\"data\": [{\"key\": 1}, {\"key\": 2}]}", NULL, "ROWS_WITHOUT_ID");
}

/* --- a type's file ---------------------------------------------------------------------------- */

static void assert_fault(const char *list, const char *words)
{
	char text[FILE_MAX], why[CATALOG_WHY_MAX] = "";
	struct catalog *catalog = NULL;

	snprintf(
		text, sizeof text,
		"{\"id\": \"t\", \"name\": \"T\", \"category\": \"custom\", \"regions\": [\"global\"], \"summary\": \"T.\","
		"\"auth\": [{\"mode\": \"none\", \"label\": \"None\", \"credential\": \"oauth2\"}], \"hosts\": [\"api.example.com\"],"
		"\"fields\": [{\"name\": \"path\", \"label\": \"Path\", \"member\": \"extra.path\"}],"
		"\"verify\": [{\"kind\": \"none\"}], \"sync\": [%s]}",
		list);
	assert_int_equal(catalog_load_text(STR("t"), str_of(text), why, &catalog), ERR_CONFIG);
	if (!strstr(why, words))
		fail_msg("%s", why);
}

#define OF(collection, rest)                                                                       \
	"{\"collection\": \"" collection                                                           \
	"\", \"request\": {\"url\": \"https://api.example.com/x\"}" rest "}"

static void a_list_that_cant_be_pulled_is_a_fault_of_its_file(void **state)
{
	(void)state;
	assert_fault("{\"collection\": \"a\"}", "sync[0]");
	assert_fault(OF("a", ", \"page\": {\"kind\": \"cursor\"}"), "param is missing");
	assert_fault(OF("a", ", \"page\": {\"kind\": \"link\", \"param\": \"p\"}"), "has no param");
	assert_fault(OF("a", ", \"page\": {\"kind\": \"page\", \"param\": \"p\", \"next\": \"n\"}"),
		     "has no next");
	assert_fault(OF("a", ", \"page\": {\"kind\": \"link\", \"more\": \"m\"}"), "has no more");
	assert_fault(OF("a", ", \"page\": {\"kind\": \"offset\", \"param\": \"p\", \"first\": 1}"),
		     "has a first");
	assert_fault(OF("a", ", \"page\": {\"size_param\": \"limit\"}"), "size is missing");
	assert_fault(OF("a", ", \"page\": {\"kind\": \"scroll\"}"), "one of");
	assert_fault(OF("a", ", \"rows\": \"a..b\""), "a path such as");
	assert_fault(OF("a", ", \"id\": \"{nobody}\""), "sync[0].id");
	assert_fault(OF("a", ", \"needs\": \"nothing\""), "names no field");
	assert_fault(OF("a", "") "," OF("a", ", \"needs\": \"path\""), "always taken instead");
	assert_fault("{\"collection\": \"a\", \"request\": {\"url\": \"https://evil.example/x\"}}",
		     "sync[0].request.url");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_cursor_is_what_the_answer_says),
		cmocka_unit_test(a_cursor_is_the_last_rows_id_where_the_answer_says_none),
		cmocka_unit_test(pages_are_counted_until_one_is_short),
		cmocka_unit_test(rows_are_counted_by_those_that_came),
		cmocka_unit_test(a_list_of_one_page_ends_with_it),
		cmocka_unit_test(the_same_page_again_ends_the_list),
		cmocka_unit_test(a_cursor_without_measure_is_refused),
		cmocka_unit_test(a_link_to_another_host_is_refused),
		cmocka_unit_test(what_isnt_a_list_is_no_page),
		cmocka_unit_test(rows_without_an_id_are_left_out_and_a_page_of_them_is_refused),
		cmocka_unit_test(a_list_that_cant_be_pulled_is_a_fault_of_its_file),
	};

	return cmocka_run_group_tests_name("sync pages", tests, set_up, tear_down);
}
