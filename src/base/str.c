/* Text as pointer and length: comparing, cutting, UTF-8. */
#include "base/str.h"

#include <string.h>

struct str str_of(const char *c_string)
{
	return (struct str){ c_string, c_string ? strlen(c_string) : 0 };
}

bool str_eq(struct str a, struct str b)
{
	if (str_absent(a) || str_absent(b))
		return str_absent(a) && str_absent(b);
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* Not tolower(3): that one follows the locale. */
static unsigned char lower(char c)
{
	return (unsigned char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

bool str_eq_nocase(struct str a, struct str b)
{
	if (str_absent(a) || str_absent(b))
		return str_absent(a) && str_absent(b);
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	return true;
}

bool str_starts(struct str s, struct str prefix)
{
	return prefix.n <= s.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
	return suffix.n <= s.n &&
	       (suffix.n == 0 || memcmp(s.p + (s.n - suffix.n), suffix.p, suffix.n) == 0);
}

struct str str_slice(struct str s, size_t from, size_t n)
{
	if (str_absent(s))
		return s;
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return (struct str){ s.p + from, n };
}

size_t str_find(struct str s, char c)
{
	const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

	return at ? (size_t)(at - s.p) : s.n;
}

struct str str_cut(struct str *rest, char c)
{
	struct str all = *rest;
	size_t at = str_find(all, c);

	if (at == all.n) {
		*rest = STR_NONE;
		return all;
	}
	*rest = (struct str){ all.p + at + 1, all.n - at - 1 };
	return (struct str){ all.p, at };
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

struct str str_trim(struct str s)
{
	while (s.n > 0 && is_space(s.p[0])) {
		s.p++;
		s.n--;
	}
	while (s.n > 0 && is_space(s.p[s.n - 1]))
		s.n--;
	return s;
}

bool str_to_u64(struct str s, uint64_t *ret_value)
{
	uint64_t value = 0;

	*ret_value = 0;
	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
		uint64_t digit = (uint64_t)(s.p[i] - '0');
		if (value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	*ret_value = value;
	return true;
}

struct str str_of_int(int64_t number, char text[STR_INT_MAX])
{
	size_t at = STR_INT_MAX;
	uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;

	do
		text[--at] = (char)('0' + rest % 10);
	while ((rest /= 10) != 0);
	if (number < 0)
		text[--at] = '-';
	return (struct str){ text + at, STR_INT_MAX - at };
}

bool str_has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return true;
	return false;
}

bool str_is_token(struct str s)
{
	static const char OTHERS[] = "!#$%&'*+-.^_`|~";

	for (size_t i = 0; i < s.n; i++)
		if (!char_is_letter(s.p[i]) && !char_is_digit(s.p[i]) && !memchr(OTHERS, s.p[i], sizeof(OTHERS) - 1))
			return false;
	return s.n > 0;
}

int str_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void str_escape_unit(uint16_t unit, char ret_text[6])
{
	static const char HEX[] = "0123456789abcdef";

	memcpy(ret_text, "\\u", 2);
	for (int i = 0; i < 4; i++)
		ret_text[2 + i] = HEX[unit >> (12 - 4 * i) & 15];
}

/*
 * RFC 3629, section 4: the second byte's range depends on the first one; that
 * is what keeps out long forms (E0, F0), surrogates (ED) and what lies past U+10FFFF (F4).
 */
size_t str_utf8_step(struct str s, size_t at)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n, left = s.n - at;

	if (left == 0)
		return 0;
	const unsigned char *p = (const unsigned char *)s.p + at;
	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf) {
		n = 2;
	} else if (p[0] >= 0xe0 && p[0] <= 0xef) {
		n = 3;
		low = p[0] == 0xe0 ? 0xa0 : 0x80;
		high = p[0] == 0xed ? 0x9f : 0xbf;
	} else if (p[0] >= 0xf0 && p[0] <= 0xf4) {
		n = 4;
		low = p[0] == 0xf0 ? 0x90 : 0x80;
		high = p[0] == 0xf4 ? 0x8f : 0xbf;
	} else {
		return 0;
	}
	if (left < n || p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

bool str_is_media_type(struct str content_type, struct str type)
{
	struct str rest = content_type;

	return !str_absent(rest) && str_eq_nocase(str_trim(str_cut(&rest, ';')), type);
}

bool str_is_utf8(struct str s)
{
	size_t i = 0;

	while (i < s.n) {
		uint64_t eight;

		/* Most text is ASCII: eight bytes at a time while no high bit is set. */
		if (s.n - i >= sizeof(eight)) {
			memcpy(&eight, s.p + i, sizeof(eight));
			if ((eight & UINT64_C(0x8080808080808080)) == 0) {
				i += sizeof(eight);
				continue;
			}
		}
		size_t step = str_utf8_step(s, i);
		if (step == 0)
			return false;
		i += step;
	}
	return true;
}

size_t str_utf8_length(struct str s)
{
	size_t count = 0;

	/* Every byte that doesn't continue a character starts one. */
	for (size_t i = 0; i < s.n; i++)
		count += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return count;
}

struct str str_utf8_cut(struct str s, size_t most)
{
	size_t at = 0, step;

	for (size_t n = 0; n < most && (step = str_utf8_step(s, at)) > 0; n++)
		at += step;
	return (struct str){ s.p, at };
}
