/* Jansson's parser and getters behind our limits and our text type. */
#include "base/json_read.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/secret.h"

static void *take(size_t n) { return malloc(n); }

static void wipe_and_free(void *p)
{
	if (!p)
		return;
	wipe(p, malloc_usable_size(p));
	free(p);
}

enum err json_setup(void)
{
	size_t seed;

	TRY(random_bytes(&seed, sizeof(seed)));
	/* Keys that collide in an unknown seed can't be made ahead. 0 would mean "choose one". */
	json_object_seed(seed | 1);
	json_set_alloc_funcs(take, wipe_and_free);
	return OK;
}

/*
 * Depth, number of values and NUL bytes, found before Jansson sees the text: it descends up to 2048 levels by
 * recursion and builds the whole tree first. This only has to be right about texts that are JSON;
 * of others the worst is that Jansson refuses them a moment later.
 */
static const char *too_much(struct str text)
{
	size_t depth = 0, values = 1;
	bool in_string = false;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if (c == '{' || c == '[') {
			values++;
			if (++depth > JSON_DEPTH_MAX)
				return "it is nested too deeply";
		} else if (c == '}' || c == ']') {
			depth -= depth > 0;
		} else if (c == ',') {
			values++;
		} else if (c == '\0') {
			return "its syntax is wrong"; /* Jansson takes it for the end, behind a number */
		}
		if (values > JSON_VALUES_MAX)
			return "it holds too many values";
	}
	return NULL;
}

/* Our words for Jansson's codes: its own texts quote the body. */
static const char *words_of(enum json_error_code code)
{
	switch (code) {
	case json_error_duplicate_key: return "a member's name is there twice";
	case json_error_invalid_utf8: return "a text isn't valid UTF-8";
	case json_error_numeric_overflow: return "a number is too large";
	case json_error_null_character:
	case json_error_null_byte_in_key: return "a text holds a NUL character";
	case json_error_premature_end_of_input: return "it ends too early";
	case json_error_end_of_input_expected: return "something follows its end";
	case json_error_stack_overflow: return "it is nested too deeply";
	case json_error_out_of_memory: return "it takes too much memory";
	default: return "its syntax is wrong";
	}
}

static enum err refuse(struct arena *arena, const char *words, const json_error_t *at,
		       struct str *ret_why)
{
	if (at && ret_why)
		*ret_why =
			arena_printf(arena, "The body isn't valid JSON: %s (line %d, column %d).",
				     words, at->line, at->column);
	else if (ret_why)
		*ret_why = arena_printf(arena, "The body isn't accepted: %s.", words);
	return ERR_BAD_JSON;
}

static void drop(void *value) { json_decref(value); }

enum err json_read(struct arena *arena, struct str text, json_t **ret_value, struct str *ret_why)
{
	json_error_t at;

	*ret_value = NULL;
	if (ret_why)
		*ret_why = STR_NONE;
	const char *words = too_much(text);
	if (words)
		return refuse(arena, words, NULL, ret_why);
	json_t *value = json_loadb(text.p ? text.p : "", text.n,
				   JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &at);
	if (!value && json_error_code(&at) == json_error_out_of_memory)
		return ERR_NO_MEMORY;
	if (!value)
		return refuse(arena, words_of(json_error_code(&at)), &at, ret_why);
	TRY(arena_defer(arena, drop, value));
	*ret_value = value;
	return OK;
}

bool json_is_kind(const json_t *value, json_type type)
{
	return value && json_typeof(value) == type;
}

json_t *json_member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

struct str json_text(const json_t *value)
{
	if (!json_is_string(value))
		return STR_NONE;
	return (struct str){ json_string_value(value), json_string_length(value) };
}

struct str json_member_text(const json_t *object, const char *name)
{
	return json_text(json_object_get(object, name));
}

bool json_integer_of(const json_t *value, int64_t *ret_number)
{
	*ret_number = json_integer_value(value);
	return json_is_integer(value);
}

bool json_bool_of(const json_t *value, bool *ret_flag)
{
	*ret_flag = json_is_true(value);
	return json_is_boolean(value);
}

/* 15 digits unless they would read as another number: 1.1, not 1.1000000000000001. */
static int print_real(double number, char text[JSON_SCALAR_MAX])
{
	int n = snprintf(text, JSON_SCALAR_MAX, "%.15g", number);

	return strtod(text, NULL) == number ? n : snprintf(text, JSON_SCALAR_MAX, "%.17g", number);
}

struct str json_scalar_text(const json_t *value, char text[JSON_SCALAR_MAX])
{
	int n;

	if (json_is_boolean(value))
		return json_is_true(value) ? STR("true") : STR("false");
	if (json_is_integer(value))
		n = snprintf(text, JSON_SCALAR_MAX, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		n = print_real(json_real_value(value), text);
	else
		return json_text(value);
	return (struct str){ text, (size_t)n };
}

size_t json_length(const json_t *array_or_object)
{
	return json_is_object(array_or_object) ? json_object_size(array_or_object)
					       : json_array_size(array_or_object);
}

json_t *json_item(const json_t *array, size_t index) { return json_array_get(array, index); }

/* Jansson's iterators want a tree that may change; ours isn't changed by walking it. */
static json_t *walkable(const json_t *object) { return (json_t *)(uintptr_t)object; }

void *json_first(const json_t *object) { return json_object_iter(walkable(object)); }

void *json_next(const json_t *object, void *iterator)
{
	return json_object_iter_next(walkable(object), iterator);
}

struct str json_iter_key(void *iterator)
{
	return (struct str){ json_object_iter_key(iterator), json_object_iter_key_len(iterator) };
}

json_t *json_iter_value(void *iterator) { return json_object_iter_value(iterator); }
