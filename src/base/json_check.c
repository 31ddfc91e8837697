/* Looking over a JSON text without building a tree (RFC 8259), by descent: the depth is bounded. */
#include <string.h>

#include "base/json_read.h"

struct look {
	struct str rest;
	size_t values;
};

static bool look_at_value(struct look *look, int depth);

static bool next_is(const struct look *look, char c) { return look->rest.n > 0 && look->rest.p[0] == c; }

static void skip(struct look *look, size_t n) { look->rest = str_slice(look->rest, n, look->rest.n); }

static void skip_space(struct look *look)
{
	while (next_is(look, ' ') || next_is(look, '\t') || next_is(look, '\n') || next_is(look, '\r'))
		skip(look, 1);
}

static bool take(struct look *look, char c)
{
	if (!next_is(look, c))
		return false;
	skip(look, 1);
	return true;
}

static bool take_word(struct look *look, struct str word)
{
	if (!str_starts(look->rest, word))
		return false;
	skip(look, word.n);
	return true;
}

static bool take_digits(struct look *look)
{
	size_t n = 0;

	while (n < look->rest.n && char_is_digit(look->rest.p[n]))
		n++;
	skip(look, n);
	return n > 0;
}

static bool look_at_number(struct look *look)
{
	take(look, '-');
	if (!take(look, '0') && !take_digits(look))
		return false;
	if (take(look, '.') && !take_digits(look))
		return false;
	if (!take(look, 'e') && !take(look, 'E'))
		return true;
	if (!take(look, '+'))
		take(look, '-');
	return take_digits(look);
}

/* The four digits of \u; -1 when they aren't. */
static int take_unit(struct look *look)
{
	int unit = 0;

	if (look->rest.n < 4)
		return -1;
	for (size_t i = 0; i < 4; i++) {
		int digit = str_hex_digit(look->rest.p[i]);

		if (digit < 0)
			return -1;
		unit = unit * 16 + digit;
	}
	skip(look, 4);
	return unit;
}

/* U+0000 and halves of a pair are no characters of ours. */
static bool take_escape(struct look *look)
{
	if (!take(look, 'u')) {
		if (look->rest.n == 0 || !memchr("\"\\/bfnrt", look->rest.p[0], 8))
			return false;
		skip(look, 1);
		return true;
	}
	int unit = take_unit(look);
	if (unit < 0xd800 || unit > 0xdfff)
		return unit > 0;
	if (unit > 0xdbff || !take_word(look, STR("\\u")))
		return false;
	unit = take_unit(look);
	return unit >= 0xdc00 && unit <= 0xdfff;
}

static bool look_at_text(struct look *look)
{
	if (!take(look, '"'))
		return false;
	for (;;) {
		size_t n = 0;

		while (n < look->rest.n && (unsigned char)look->rest.p[n] >= 0x20 && look->rest.p[n] != '"' &&
		       look->rest.p[n] != '\\')
			n++;
		skip(look, n);
		if (take(look, '"'))
			return true;
		if (!take(look, '\\') || !take_escape(look))
			return false;
	}
}

static bool look_at_member(struct look *look, int depth)
{
	skip_space(look);
	if (!look_at_text(look))
		return false;
	skip_space(look);
	return take(look, ':') && look_at_value(look, depth);
}

static bool take_comma(struct look *look)
{
	if (!take(look, ','))
		return false;
	look->values++;
	return true;
}

static bool look_at_array(struct look *look, int depth)
{
	skip_space(look);
	if (take(look, ']'))
		return true;
	do {
		if (!look_at_value(look, depth))
			return false;
	} while (take_comma(look));
	return take(look, ']');
}

static bool look_at_object(struct look *look, int depth)
{
	skip_space(look);
	if (take(look, '}'))
		return true;
	do {
		if (!look_at_member(look, depth))
			return false;
	} while (take_comma(look));
	return take(look, '}');
}

/* Counted as json_read counts: brackets and commas. */
static bool look_at_value(struct look *look, int depth)
{
	bool sound;

	skip_space(look);
	bool holds_values = next_is(look, '[') || next_is(look, '{');
	look->values += holds_values;
	if (look->values > JSON_VALUES_MAX || (holds_values && depth >= JSON_DEPTH_MAX))
		return false;
	if (take(look, '['))
		sound = look_at_array(look, depth + 1);
	else if (take(look, '{'))
		sound = look_at_object(look, depth + 1);
	else if (next_is(look, '"'))
		sound = look_at_text(look);
	else
		sound = take_word(look, STR("true")) || take_word(look, STR("false")) || take_word(look, STR("null")) ||
			look_at_number(look);
	skip_space(look);
	return sound;
}

enum err json_check(struct str text)
{
	struct look look = { .rest = text, .values = 1 };

	if (str_absent(text) || !str_is_utf8(text) || !look_at_value(&look, 0) || look.rest.n > 0)
		return ERR_BAD_JSON;
	return OK;
}
