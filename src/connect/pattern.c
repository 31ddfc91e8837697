#include "connect/pattern.h"

#include <regex.h>
#include <string.h>

#include "base/buf.h"

/* Values are texts that a person types or pastes; a longer one has no pattern to be checked against. */
enum { VALUE_MAX = 64 << 10, GROUPS_MAX = 16, SIZE_LIMIT = 4096, BOUND_LIMIT = 1000 };

/* The number before '}' or ',' from *at on; BOUND_LIMIT when it is larger or isn't one. */
static size_t read_bound(struct str pattern, size_t *at)
{
	size_t number = 0;

	while (*at < pattern.n && pattern.p[*at] >= '0' && pattern.p[*at] <= '9') {
		number = number * 10 + (size_t)(pattern.p[(*at)++] - '0');
		if (number > BOUND_LIMIT)
			number = BOUND_LIMIT;
	}
	return number;
}

/* The larger number of "{m,n}", whose '{' is at *at; *at is left behind its '}'. */
static size_t read_repetition(struct str pattern, size_t *at)
{
	size_t least, most;

	(*at)++;
	most = least = read_bound(pattern, at);
	if (*at < pattern.n && pattern.p[*at] == ',') {
		(*at)++;
		most = read_bound(pattern, at);
	}
	while (*at < pattern.n && pattern.p[(*at)++] != '}')
		;
	return most > least ? most : least;
}

/* Behind a bracket expression whose '[' is at `at`: its ']' isn't the first character, nor one of "[:alpha:]". */
static size_t behind_bracket(struct str pattern, size_t at)
{
	at++;
	if (at < pattern.n && pattern.p[at] == '^')
		at++;
	if (at < pattern.n && pattern.p[at] == ']')
		at++;
	while (at < pattern.n && pattern.p[at] != ']') {
		if (pattern.p[at] == '[' && at + 1 < pattern.n &&
		    strchr(":.=", pattern.p[at + 1])) {
			char end = pattern.p[at + 1];

			for (at += 2; at + 1 < pattern.n &&
				      !(pattern.p[at] == end && pattern.p[at + 1] == ']');
			     at++)
				;
			at++;
		}
		at++;
	}
	return at + 1;
}

/*
 * How many atoms the C library makes of a pattern: it writes repetitions out, so "((a{99}){99}){99}" takes
 * gigabytes. SIZE_LIMIT + 1 when it is too many.
 */
static size_t expanded_size(struct str pattern)
{
	size_t sum[GROUPS_MAX + 1] = { 0 }, last = 0, depth = 0;

	for (size_t at = 0; at < pattern.n;) {
		char c = pattern.p[at];

		if (c == '{') {
			size_t times = read_repetition(pattern, &at);

			sum[depth] += last * times;
			last *= times > 0 ? times : 1;
		} else if (c == '(') {
			if (++depth > GROUPS_MAX)
				return SIZE_LIMIT + 1;
			sum[depth] = 0;
			at++;
		} else if (c == ')' && depth > 0) {
			last = sum[depth--] + 1;
			sum[depth] += last;
			at++;
		} else {
			last = 1;
			sum[depth]++;
			at = c == '[' ? behind_bracket(pattern, at) : at + 1 + (c == '\\');
		}
		if (sum[depth] > SIZE_LIMIT || last > SIZE_LIMIT)
			return SIZE_LIMIT + 1;
	}
	return sum[0];
}

static bool compile(struct str pattern, regex_t *ret_regex)
{
	char text[PATTERN_MAX + 1];

	if (pattern.n > PATTERN_MAX || memchr(pattern.p, '\0', pattern.n))
		return false;
	memcpy(text, pattern.p, pattern.n);
	text[pattern.n] = '\0';
	return regcomp(ret_regex, text, REG_EXTENDED) == 0;
}

const char *pattern_fault(struct str pattern)
{
	regex_t regex;

	if (pattern.n > PATTERN_MAX)
		return "a pattern has at most 512 characters";
	if (!str_starts(pattern, STR("^")) || !str_ends(pattern, STR("$")))
		return "a pattern is for the whole value: ^...$";
	/* A back reference makes the C library search, with no bound on the time. */
	for (size_t i = 0; i + 1 < pattern.n; i++)
		if (pattern.p[i] == '\\' && pattern.p[++i] >= '1' && pattern.p[i] <= '9')
			return "a pattern has no back references";
	if (expanded_size(pattern) > SIZE_LIMIT)
		return "the pattern repeats too much";
	if (!compile(pattern, &regex))
		return "this isn't a POSIX extended regular expression";
	regfree(&regex);
	return NULL;
}

bool pattern_holds(struct str pattern, struct str value)
{
	BUF_AUTO struct buf text = { 0 };
	regmatch_t match;
	regex_t regex;
	bool holds;

	if (str_absent(pattern))
		return true;
	buf_init(&text, VALUE_MAX + 1);
	buf_add_str(&text, value);
	buf_add(&text, "", 1);
	if (buf_error(&text) != OK || memchr(text.p, '\0', value.n) || pattern_fault(pattern) ||
	    !compile(pattern, &regex))
		return false;
	/* The longest match from the first place on: if all of the value matches, that is it (POSIX, 9.1). */
	holds = regexec(&regex, text.p, 1, &match, 0) == 0 && match.rm_so == 0 &&
		(size_t)match.rm_eo == value.n;
	regfree(&regex);
	return holds;
}
