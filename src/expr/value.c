#include "expr/value.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "expr/words.h"

enum { NUMBER_MAX = 32, DIGITS_LEAST = 15, DIGITS_MOST = 17 };

static enum expr_why fail(struct expr_failure *failure, enum expr_why why, const char *words)
{
	failure->why = why;
	snprintf(failure->words, sizeof(failure->words), "%s", words);
	return why;
}

/* --- reading ------------------------------------------------------------------ */

static enum expr_why refuse(jv invalid, struct expr_failure *failure)
{
	jv message = jv_invalid_get_msg(invalid);
	char words[EXPR_WORDS_MAX] = "it is empty";

	if (jv_get_kind(message) == JV_KIND_STRING)
		words_clean(str_of(jv_string_value(message)), words);
	jv_free(message);
	failure->why = EXPR_FAILED;
	snprintf(failure->words, sizeof(failure->words), "the input isn't JSON: %.400s", words);
	return EXPR_FAILED;
}

/* Not by jv_parse_sized: when that fails, it reads on behind the text. */
enum expr_why value_read(struct str text, jv *ret_value, struct expr_failure *ret_failure)
{
	/* jq's parser takes it for the end of a number. */
	if (text.n > 0 && memchr(text.p, '\0', text.n))
		return fail(ret_failure, EXPR_FAILED, "the input isn't JSON: it holds U+0000");
	jv_parser *parser = jv_parser_new(0);

	jv_parser_set_buf(parser, text.p, (int)text.n, 0);
	jv value = jv_parser_next(parser);
	enum expr_why why = EXPR_OK;
	if (!jv_is_valid(value)) {
		why = refuse(value, ret_failure);
	} else {
		jv more = jv_parser_next(parser);

		if (jv_is_valid(more) || jv_invalid_has_msg(jv_copy(more))) {
			why = fail(ret_failure, EXPR_FAILED, "the input isn't JSON: there is something behind the value");
			jv_free(value);
		} else {
			*ret_value = value;
		}
		jv_free(more);
	}
	jv_parser_free(parser);
	return why;
}

/* --- writing ------------------------------------------------------------------ */

struct writing {
	struct buf *out;
	struct expr_failure *failure;
	size_t values;
};

static enum expr_why write_value(struct writing *w, jv value, int depth);

/* As few digits as give the same number. */
static void add_number(struct buf *out, double number)
{
	char text[NUMBER_MAX];
	int digits = DIGITS_LEAST;

	if (isnan(number)) {
		buf_add_c(out, "null");
		return;
	}
	/* Whole numbers, by far the most, that an integer of 64 bits takes: no need to try. */
	if (number == trunc(number) && fabs(number) < 0x1p63) {
		buf_add_str(out, str_of_int((int64_t)number, text));
		return;
	}
	if (isinf(number))
		number = copysign(DBL_MAX, number);
	do {
		snprintf(text, sizeof(text), "%.*g", digits, number);
	} while (digits++ < DIGITS_MOST && strtod(text, NULL) != number);
	buf_add_c(out, text);
	/* Digits alone would be read as an integer, and may be too large for one. */
	if (!strpbrk(text, ".e"))
		buf_add_c(out, ".0");
}

static enum expr_why add_text(struct writing *w, jv string)
{
	struct str text = { jv_string_value(string), (size_t)jv_string_length_bytes(jv_copy(string)) };

	if (memchr(text.p, '\0', text.n))
		return fail(w->failure, EXPR_FAILED, "the result holds the character U+0000");
	json_escape(w->out, text);
	return EXPR_OK;
}

static enum expr_why add_array(struct writing *w, jv array, int depth)
{
	int n = jv_array_length(jv_copy(array));
	enum expr_why why = EXPR_OK;

	buf_add_char(w->out, '[');
	for (int i = 0; i < n && why == EXPR_OK; i++) {
		if (i > 0)
			buf_add_char(w->out, ',');
		why = write_value(w, jv_array_get(jv_copy(array), i), depth + 1);
	}
	buf_add_char(w->out, ']');
	return why;
}

static enum expr_why add_object(struct writing *w, jv object, int depth)
{
	enum expr_why why = EXPR_OK;
	bool comma = false;

	buf_add_char(w->out, '{');
	for (int i = jv_object_iter(object); why == EXPR_OK && jv_object_iter_valid(object, i);
	     i = jv_object_iter_next(object, i)) {
		jv key = jv_object_iter_key(object, i);

		if (comma)
			buf_add_char(w->out, ',');
		comma = true;
		why = add_text(w, key);
		jv_free(key);
		buf_add_char(w->out, ':');
		if (why == EXPR_OK)
			why = write_value(w, jv_object_iter_value(object, i), depth + 1);
	}
	buf_add_char(w->out, '}');
	return why;
}

static enum expr_why add_value(struct writing *w, jv value, int depth)
{
	switch (jv_get_kind(value)) {
	case JV_KIND_NULL: buf_add_c(w->out, "null"); break;
	case JV_KIND_TRUE: buf_add_c(w->out, "true"); break;
	case JV_KIND_FALSE: buf_add_c(w->out, "false"); break;
	case JV_KIND_NUMBER: add_number(w->out, jv_number_value(value)); break;
	case JV_KIND_STRING: return add_text(w, value);
	case JV_KIND_ARRAY: return add_array(w, value, depth);
	case JV_KIND_OBJECT: return add_object(w, value, depth);
	default: return fail(w->failure, EXPR_FAILED, "the result is no value");
	}
	return EXPR_OK;
}

static enum expr_why write_value(struct writing *w, jv value, int depth)
{
	jv_kind kind = jv_get_kind(value);
	bool holds_values = kind == JV_KIND_ARRAY || kind == JV_KIND_OBJECT;
	enum expr_why why;

	w->values += holds_values ? 2 : 1; /* an empty one counts twice for json_read */
	if (holds_values && depth >= JSON_DEPTH_MAX)
		why = fail(w->failure, EXPR_TOO_LARGE, "the result is nested too deep");
	else if (w->values >= JSON_VALUES_MAX)
		why = fail(w->failure, EXPR_TOO_LARGE, "the result has too many values");
	else
		why = add_value(w, value, depth);
	if (why == EXPR_OK && buf_error(w->out) == ERR_TOO_BIG)
		why = fail(w->failure, EXPR_TOO_LARGE, "the result is too long");
	else if (why == EXPR_OK && buf_error(w->out) != OK)
		why = fail(w->failure, EXPR_MEMORY, "");
	jv_free(value);
	return why;
}

enum expr_why value_write(jv value, struct buf *out, struct expr_failure *ret_failure)
{
	struct writing w = { .out = out, .failure = ret_failure };

	return write_value(&w, value, 0);
}
