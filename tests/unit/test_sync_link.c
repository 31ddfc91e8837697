/* Links to a next page: what a provider may write into its header, and where it may lead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "sync/page.h"

enum { ARENA_MAX = 1 << 20 };

static const struct str URL = STR("https://api.example.com:8443/v1/things?limit=2");

static void assert_text(struct str got, const char *want)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("\"%.*s\", not \"%s\"", STR_ARG(got), want ? want : "(absent)");
}

static void the_next_page_is_found_among_other_links(void **state)
{
	static const struct {
		const char *header, *next;
	} HEADERS[] = {
		{ "<https://a/2>; rel=\"next\"", "https://a/2" },
		{ "<https://a/0>; rel=\"previous\", <https://a/2>; rel=\"next\"", "https://a/2" },
		{ "<https://a/9>;rel=last , <https://a/2>;rel=next", "https://a/2" },
		{ "<https://a/2>; title=\"a, b; <c>\"; rel=\"foo Next\"", "https://a/2" },
		{ "<https://a/2>; title=\"\\\"; rel=next\"; REL=NEXT", "https://a/2" },
		{ "</v1/things?page=2>; rel=next", "/v1/things?page=2" },
		{ "< https://a/2 >; rel=next", "https://a/2" },
		{ "<https://a/2>; rel=\"previous\"; rel=\"next\"", NULL },
		{ "<https://a/2>; rel=nextish", NULL },
		{ "<https://a/2>; title=\"rel=next\"", NULL },
		{ "<https://a/2>", NULL },
		{ "<https://a/2; rel=next", NULL },
		{ "https://a/2; rel=next", NULL },
		{ ">; rel=next <", NULL },
		{ "<>; rel=\"", NULL },
		{ ",,,;;;\"", NULL },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(HEADERS); i++)
		assert_text(sync_link_next(str_of(HEADERS[i].header)), HEADERS[i].next);
	assert_text(sync_link_next(STR_NONE), NULL);
}

/* A link that was followed to another host would take the credential there. */
static void a_link_leads_to_the_host_that_it_came_from_and_to_no_other(void **state)
{
	static const char *const ELSEWHERE[] = {
		"https://evil.example/v1/things",
		"http://api.example.com:8443/v1/things",
		"https://api.example.com/v1/things",
		"https://api.example.com:8443@evil.example/",
		"https://api.example.com:8443.evil.example/",
		"https://evil.example\\@api.example.com:8443/",
		"https://x@api.example.com:8443/",
		"javascript:alert(1)",
		"things?page=2",
		"?page=2",
		"https:/api.example.com:8443/",
		"https://",
		"",
	};
	static const struct {
		const char *link, *path;
	} HERE[] = {
		{ "https://api.example.com:8443/v1/things?page=2", "/v1/things?page=2" },
		{ "HTTPS://API.example.com:8443/v1/Things", "/v1/Things" },
		{ "https://api.example.com:8443?page=2", "/?page=2" },
		{ "https://api.example.com:8443", "/" },
		{ "/v1/things?page=2#there", "/v1/things?page=2" },
		{ "//evil.example/v1",
		  "//evil.example/v1" }, /* a path here: the host stands before it */
	};
	struct arena *arena = arena_new(ARENA_MAX);
	struct str path;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ELSEWHERE); i++)
		if (sync_link_path(arena, URL, str_of(ELSEWHERE[i]), (struct texts){ NULL, 0 },
				   &path) != ERR_BAD_INPUT)
			fail_msg("%s leads to %.*s", ELSEWHERE[i], STR_ARG(path));
	for (size_t i = 0; i < ARRAY_SIZE(HERE); i++) {
		assert_int_equal(sync_link_path(arena, URL, str_of(HERE[i].link),
						(struct texts){ NULL, 0 }, &path),
				 OK);
		assert_text(path, HERE[i].path);
	}
	arena_free(arena);
}

/* What is stored for the next page would hold the key otherwise. */
static void a_key_that_comes_back_in_a_link_is_cut_out_of_it(void **state)
{
	const struct str names[] = { STR("api_key"), STR("user") };
	const struct texts own = { names, ARRAY_SIZE(names) };
	struct arena *arena = arena_new(ARENA_MAX);
	struct str path;

	(void)state;
	assert_int_equal(sync_link_path(arena, URL,
					STR("/t?api_key=secret&page=2&user=u&api_keys=1&&user"),
					own, &path),
			 OK);
	assert_text(path, "/t?page=2&api_keys=1");
	assert_int_equal(sync_link_path(arena, URL, STR("/t?api_key=secret"), own, &path), OK);
	assert_text(path, "/t");
	arena_free(arena);
}

static void a_link_without_measure_is_refused(void **state)
{
	static char text[2 * SYNC_NEXT_MAX];
	struct arena *arena = arena_new(ARENA_MAX);
	struct str path;

	(void)state;
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = i == 0 ? '/' : 'x';
	assert_int_equal(sync_link_path(arena, URL, (struct str){ text, sizeof text },
					(struct texts){ NULL, 0 }, &path),
			 ERR_BAD_INPUT);
	arena_free(arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_next_page_is_found_among_other_links),
		cmocka_unit_test(a_link_leads_to_the_host_that_it_came_from_and_to_no_other),
		cmocka_unit_test(a_key_that_comes_back_in_a_link_is_cut_out_of_it),
		cmocka_unit_test(a_link_without_measure_is_refused),
	};

	return cmocka_run_group_tests_name("sync links", tests, NULL, NULL);
}
