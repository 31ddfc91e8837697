/* UUIDv7 (RFC 9562, section 5.7) and its public form in Crockford's base 32. */
#include "base/id.h"

#include <string.h>

#include "base/clock.h"
#include "base/random.h"

enum { DIGITS = 26 }; /* 130 bits for 128: the first digit is at most 7 */

const struct id ID_NIL = { { 0 } };
const struct id ID_MAX = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			     0xff, 0xff, 0xff, 0xff } };

static const struct str PREFIXES[ID_KIND_COUNT] = {
#define ID_KIND(name, prefix) [ID_##name] = { prefix, sizeof(prefix) - 1 },
#include "base/id_kinds.def"
#undef ID_KIND
};

/* Prefix, '-', digits and a NUL must fit into the room that callers bring. */
#define ID_KIND(name, prefix)                                                                      \
	_Static_assert(sizeof(prefix) + 1 + DIGITS <= ID_TEXT_MAX, "prefix too long: " prefix);
#include "base/id_kinds.def"
#undef ID_KIND

static const char ALPHABET[32] = { '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a',
				   'b', 'c', 'd', 'e', 'f', 'g', 'h', 'j', 'k', 'm', 'n',
				   'p', 'q', 'r', 's', 't', 'v', 'w', 'x', 'y', 'z' };

/* The value of a digit plus one; 0 for what isn't a digit (i, l, o, u and upper case among it). */
static const uint8_t VALUES[256] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,
	['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14,
	['e'] = 15, ['f'] = 16, ['g'] = 17, ['h'] = 18, ['j'] = 19, ['k'] = 20, ['m'] = 21,
	['n'] = 22, ['p'] = 23, ['q'] = 24, ['r'] = 25, ['s'] = 26, ['t'] = 27, ['v'] = 28,
	['w'] = 29, ['x'] = 30, ['y'] = 31, ['z'] = 32,
};

struct id id_first_at(int64_t ms)
{
	struct id id = ID_NIL;
	uint64_t rest = ms < 0 ? 0 : (uint64_t)ms;

	for (int i = 5; i >= 0; i--) {
		id.b[i] = (uint8_t)rest;
		rest >>= 8;
	}
	return id;
}

enum err id_new(struct id *ret_id)
{
	struct id id = id_first_at(clock_now_ms());

	*ret_id = ID_NIL;
	TRY(random_bytes(id.b + 6, sizeof(id.b) - 6));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f)); /* version 7 */
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f)); /* the variant of RFC 9562 */
	*ret_id = id;
	return OK;
}

struct str id_format(enum id_kind kind, const struct id *id, char text[ID_TEXT_MAX])
{
	struct str prefix = PREFIXES[kind];
	unsigned __int128 value = 0;
	char *digits = text + prefix.n + 1;

	for (size_t i = 0; i < sizeof(id->b); i++)
		value = value << 8 | id->b[i];
	memcpy(text, prefix.p, prefix.n);
	text[prefix.n] = '-';
	for (int i = DIGITS - 1; i >= 0; i--) {
		digits[i] = ALPHABET[value & 31];
		value >>= 5;
	}
	digits[DIGITS] = '\0';
	return (struct str){ text, prefix.n + 1 + DIGITS };
}

bool id_parse(enum id_kind kind, struct str text, struct id *ret_id)
{
	struct str prefix = PREFIXES[kind];
	unsigned __int128 value = 0;

	*ret_id = ID_NIL;
	if (text.n != prefix.n + 1 + DIGITS || !str_starts(text, prefix) || text.p[prefix.n] != '-')
		return false;
	const char *digits = text.p + prefix.n + 1;
	if (digits[0] > '7')
		return false;
	for (size_t i = 0; i < DIGITS; i++) {
		uint8_t digit = VALUES[(unsigned char)digits[i]];
		if (digit == 0)
			return false;
		value = value << 5 | (unsigned)(digit - 1);
	}
	for (int i = (int)sizeof(ret_id->b) - 1; i >= 0; i--) {
		ret_id->b[i] = (uint8_t)value;
		value >>= 8;
	}
	return true;
}

bool id_kind_of_prefix(struct str prefix, enum id_kind *ret_kind)
{
	for (int kind = 0; kind < ID_KIND_COUNT; kind++) {
		if (str_eq(prefix, PREFIXES[kind])) {
			*ret_kind = (enum id_kind)kind;
			return true;
		}
	}
	return false;
}

const char *id_prefix(enum id_kind kind) { return PREFIXES[kind].p; }

bool id_eq(const struct id *a, const struct id *b) { return memcmp(a->b, b->b, sizeof(a->b)) == 0; }

int64_t id_time_ms(const struct id *id)
{
	int64_t ms = 0;

	for (int i = 0; i < 6; i++)
		ms = ms << 8 | id->b[i];
	return ms;
}
