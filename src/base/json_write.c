/* The JSON writer: commas, escapes and numbers, straight into a buffer. */
#include "base/json_write.h"

#include <string.h>

/* A deeper tree is a mistake of ours, perhaps one that holds itself: it must not eat the stack. */
enum { TREE_DEPTH_MAX = 256 };

void jw_start(struct json_writer *w, struct buf *out) { *w = (struct json_writer){ .out = out }; }

static void comma(struct json_writer *w)
{
	if (w->comma)
		buf_add_char(w->out, ',');
	w->comma = true;
}

static void open_with(struct json_writer *w, char bracket)
{
	comma(w);
	buf_add_char(w->out, bracket);
	w->comma = false;
}

static void close_with(struct json_writer *w, char bracket)
{
	buf_add_char(w->out, bracket);
	w->comma = true;
}

void jw_object(struct json_writer *w) { open_with(w, '{'); }

void jw_object_end(struct json_writer *w) { close_with(w, '}'); }

void jw_array(struct json_writer *w) { open_with(w, '['); }

void jw_array_end(struct json_writer *w) { close_with(w, ']'); }

/* In one piece: an answer has more keys than anything else. */
void jw_key(struct json_writer *w, const char *key)
{
	size_t n = strlen(key), size = n + 3 + w->comma;
	char *p = buf_reserve(w->out, size);

	if (p) {
		if (w->comma)
			*p++ = ',';
		*p++ = '"';
		memcpy(p, key, n);
		memcpy(p + n, "\":", 2);
		buf_advance(w->out, size);
	}
	w->comma = false;
}

void jw_key_str(struct json_writer *w, struct str key)
{
	comma(w);
	json_escape(w->out, key);
	buf_add_char(w->out, ':');
	w->comma = false;
}

void jw_add_text(struct json_writer *w, struct str s)
{
	if (str_absent(s)) {
		jw_add_null(w);
		return;
	}
	comma(w);
	json_escape(w->out, s);
}

void jw_add_int(struct json_writer *w, int64_t number)
{
	char digits[STR_INT_MAX];

	comma(w);
	buf_add_str(w->out, str_of_int(number, digits));
}

void jw_add_bool(struct json_writer *w, bool flag)
{
	comma(w);
	buf_add_str(w->out, flag ? STR("true") : STR("false"));
}

void jw_add_null(struct json_writer *w)
{
	comma(w);
	buf_add_str(w->out, STR("null"));
}

void jw_add_raw(struct json_writer *w, struct str json)
{
	comma(w);
	buf_add_str(w->out, str_absent(json) ? STR("null") : json);
}

/* Jansson writes reals: it knows how to keep every digit and the ".0" that keeps a real a real. */
static void add_real(struct json_writer *w, const json_t *value)
{
	char text[64];
	size_t n = json_dumpb(value, text, sizeof(text), JSON_ENCODE_ANY);

	if (n == 0 || n > sizeof(text))
		jw_add_null(w);
	else
		jw_add_raw(w, (struct str){ text, n });
}

static void add_tree(struct json_writer *w, const json_t *value, int depth);

static void add_members(struct json_writer *w, json_t *object, int depth)
{
	jw_object(w);
	for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
		jw_key_str(w, (struct str){ json_object_iter_key(i), json_object_iter_key_len(i) });
		add_tree(w, json_object_iter_value(i), depth);
	}
	jw_object_end(w);
}

static void add_items(struct json_writer *w, const json_t *array, int depth)
{
	jw_array(w);
	for (size_t i = 0; i < json_array_size(array); i++)
		add_tree(w, json_array_get(array, i), depth);
	jw_array_end(w);
}

static void add_tree(struct json_writer *w, const json_t *value, int depth)
{
	if (depth > TREE_DEPTH_MAX) {
		if (w->out->error == OK)
			w->out->error = ERR_TOO_BIG;
		return;
	}
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_OBJECT: add_members(w, (json_t *)(uintptr_t)value, depth + 1); break;
	case JSON_ARRAY: add_items(w, value, depth + 1); break;
	case JSON_STRING:
		jw_add_text(w, (struct str){ json_string_value(value), json_string_length(value) });
		break;
	case JSON_INTEGER: jw_add_int(w, json_integer_value(value)); break;
	case JSON_REAL: add_real(w, value); break;
	case JSON_TRUE:
	case JSON_FALSE: jw_add_bool(w, json_is_true(value)); break;
	default: jw_add_null(w);
	}
}

void jw_add_tree(struct json_writer *w, const json_t *value) { add_tree(w, value, 1); }

void jw_put_text(struct json_writer *w, const char *key, struct str s)
{
	jw_key(w, key);
	jw_add_text(w, s);
}

void jw_put_int(struct json_writer *w, const char *key, int64_t number)
{
	jw_key(w, key);
	jw_add_int(w, number);
}

void jw_put_bool(struct json_writer *w, const char *key, bool flag)
{
	jw_key(w, key);
	jw_add_bool(w, flag);
}

void jw_put_null(struct json_writer *w, const char *key)
{
	jw_key(w, key);
	jw_add_null(w);
}

void jw_put_raw(struct json_writer *w, const char *key, struct str json)
{
	jw_key(w, key);
	jw_add_raw(w, json);
}

static void escape_ascii(struct buf *out, unsigned char c)
{
	static const char SHORT[256] = { ['"'] = '"',  ['\\'] = '\\', ['\b'] = 'b', ['\f'] = 'f',
					 ['\n'] = 'n', ['\r'] = 'r',  ['\t'] = 't' };
	char long_form[6];

	if (SHORT[c]) {
		buf_add(out, (const char[2]){ '\\', SHORT[c] }, 2);
		return;
	}
	str_escape_unit(c, long_form);
	buf_add(out, long_form, sizeof(long_form));
}

/* The high bit of each byte of `word` that is zero is set; other bits may be, above the first. */
#define ONES UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)
#define ZERO_BYTES(word) (((word)-ONES) & ~(word)&HIGHS)

/*
 * Bytes at the start of p[0..n) that stand for themselves in JSON, eight at a time: ASCII from the
 * space on, without quote and backslash. (Anderson, "Bit Twiddling Hacks": does a word have a byte
 * equal to n, less than n.) Stops early at worst: the caller looks at the next byte anyway.
 */
static size_t plain_run(const char *p, size_t n)
{
	size_t i = 0;
	uint64_t eight;

	for (; n - i >= sizeof(eight); i += sizeof(eight)) {
		memcpy(&eight, p + i, sizeof(eight));
		uint64_t special = (eight & HIGHS) | ((eight - ONES * 0x20) & ~eight & HIGHS) |
				   ZERO_BYTES(eight ^ (ONES * '"')) |
				   ZERO_BYTES(eight ^ (ONES * '\\'));
		if (special != 0)
			break;
	}
	return i;
}

/* A whole text that stands for itself, as most do. */
static bool add_plain(struct buf *out, struct str s)
{
	size_t i = plain_run(s.p, s.n);
	char *p;

	while (i < s.n && s.p[i] >= 0x20 && s.p[i] < 0x7f && s.p[i] != '"' && s.p[i] != '\\')
		i++;
	if (i < s.n)
		return false;
	p = buf_reserve(out, s.n + 2);
	if (p) {
		p[0] = '"';
		if (s.n > 0)
			memcpy(p + 1, s.p, s.n);
		p[s.n + 1] = '"';
		buf_advance(out, s.n + 2);
	}
	return true;
}

void json_escape(struct buf *out, struct str s)
{
	size_t run = 0, i = 0; /* s[run..i) needs no escape and isn't written yet */

	if (add_plain(out, s))
		return;
	buf_add_char(out, '"');
	while (i < s.n) {
		i += plain_run(s.p + i, s.n - i);
		if (i == s.n)
			break;
		unsigned char c = (unsigned char)s.p[i];
		size_t step = 1;
		if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
			i++;
			continue;
		}
		if (c >= 0x80 && (step = str_utf8_step(s, i)) > 0) {
			i += step;
			continue;
		}
		buf_add(out, s.p + run, i - run);
		if (c >= 0x80)
			buf_add_c(out, "\xef\xbf\xbd"); /* U+FFFD */
		else
			escape_ascii(out, c);
		run = ++i;
	}
	buf_add_str(out, str_slice(s, run, s.n - run));
	buf_add_char(out, '"');
}
