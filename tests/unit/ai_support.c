#include "ai_support.h"

#include <string.h>

#include "base/json_read.h"

struct arena *arena;

int ai_set_up(void **state)
{
	(void)state;
	assert_int_equal(json_setup(), OK);
	arena = arena_new(16 << 20);
	return arena ? 0 : 1;
}

int ai_tear_down(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

struct str quoted(const char *text)
{
	size_t n = strlen(text);
	char *copy = arena_alloc(arena, n + 1);

	assert_non_null(copy);
	for (size_t i = 0; i < n; i++)
		copy[i] = text[i] == '\'' ? '"' : text[i];
	return (struct str){ copy, n };
}

const json_t *tree(const char *text)
{
	json_t *json = NULL;

	assert_int_equal(json_read(arena, quoted(text), &json, NULL), OK);
	return json;
}

void assert_text(struct str got, const char *want)
{
	if (!str_eq(got, str_of(want)))
		fail_msg("%.*s\ninstead of\n%s", STR_ARG(got), want ? want : "nothing");
}
