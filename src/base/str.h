/*
 * Text: a pointer and a length, not terminated, not owned.
 *
 * `p == NULL` means absent (a member that wasn't sent, a column that is NULL);
 * an empty text has a pointer and n == 0.
 */
#ifndef LW_BASE_STR_H
#define LW_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct str {
	const char *p;
	size_t n;
};

/* A literal as text: STR("GET"). */
#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
#define STR_NONE ((struct str){ NULL, 0 })
enum { STR_INT_MAX = 20 }; /* a sign and 19 digits */
/* For printf's "%.*s": printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, ((s).p ? (s).p : "")

/* The text of a C string; NULL gives the absent text. */
struct str str_of(const char *c_string);

static inline bool str_absent(struct str s) { return s.p == NULL; }

/* The same bytes; the absent text equals only itself, not the empty one. */
bool str_eq(struct str a, struct str b);
/* ASCII letters compared without case: header names, host names, methods. */
bool str_eq_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
/* The part from `from` on, at most `n` bytes; clamped to the text. */
struct str str_slice(struct str s, size_t from, size_t n);
/* Index of the first `c`, or s.n when there is none. */
size_t str_find(struct str s, char c);
/* Cuts the part before the first `c` off `*rest` and returns it; without `c`, all of it (and rest is absent). */
struct str str_cut(struct str *rest, char c);
/* Without ASCII white space at both ends. */
struct str str_trim(struct str s);
/* A decimal without sign or spaces that fits; false otherwise. */
bool str_to_u64(struct str s, uint64_t *ret_value) MUST_CHECK;
/* The number in decimal; the text is in the caller's array, without a NUL. */
struct str str_of_int(int64_t number, char text[STR_INT_MAX]);
/* Of ASCII. */
static inline bool char_is_digit(char c) { return c >= '0' && c <= '9'; }
static inline bool char_is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
/* A control character of ASCII: what ends a line, a field or a text. */
bool str_has_control(struct str s);
/* A token of RFC 9110, section 5.6.2: what a method or the name of a header may be. */
bool str_is_token(struct str s);
/* The value of a hex digit in either case; -1 for another character. */
int str_hex_digit(char c);
/* JSON's long form of a UTF-16 unit, "\u001b", into six characters (RFC 8259, section 7). */
void str_escape_unit(uint16_t unit, char ret_text[6]);
/* Whether a Content-Type is that media type, whatever its parameters and case (RFC 9110, section 8.3.1). */
bool str_is_media_type(struct str content_type, struct str type);
/* Valid UTF-8 (RFC 3629: shortest form, no surrogates, at most U+10FFFF). */
bool str_is_utf8(struct str s);
/* Bytes of the UTF-8 character that starts at `at` (at <= s.n); 0 at the end and for what isn't UTF-8. */
size_t str_utf8_step(struct str s, size_t at);
/* Number of code points of valid UTF-8: JSON Schema's minLength and maxLength count these. */
size_t str_utf8_length(struct str s);
/* The beginning: at most `most` code points, up to what isn't UTF-8. The absent text stays absent. */
struct str str_utf8_cut(struct str s, size_t most);

#endif
