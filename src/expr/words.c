#include "expr/words.h"

#include <string.h>

enum { WORDS_BYTES = 500 };

void words_clean(struct str message, char ret_words[EXPR_WORDS_MAX])
{
	size_t n = 0;

	message = str_trim(message);
	for (size_t at = 0; at < message.n;) {
		size_t step = str_utf8_step(message, at);
		const unsigned char *p = (const unsigned char *)message.p + at;
		/* U+0080 to U+009F are control characters too. */
		bool control = step == 0 || *p < 0x20 || *p == 0x7f || (step == 2 && *p == 0xc2 && p[1] < 0xa0);

		if (n + (control ? 1 : step) > WORDS_BYTES)
			break;
		if (control)
			ret_words[n++] = ' ';
		else
			memcpy(ret_words + n, p, step), n += step;
		at += step == 0 ? 1 : step;
	}
	ret_words[n] = '\0';
}

static bool find(struct str text, struct str wanted, size_t *ret_at)
{
	const char *found = text.n > 0 ? memmem(text.p, text.n, wanted.p, wanted.n) : NULL;

	if (found)
		*ret_at = (size_t)(found - text.p);
	return found != NULL;
}

/* The line of that number, from 1; absent when there are fewer. */
static struct str line_of(struct str program, uint64_t number)
{
	struct str line = str_cut(&program, '\n');

	while (--number > 0 && !str_absent(program))
		line = str_cut(&program, '\n');
	return number == 0 ? line : STR_NONE;
}

/* "12:\n<the line><spaces>" */
static void read_place(struct str place, struct str program, struct expr_failure *failure)
{
	struct str digits = str_cut(&place, ':');
	uint64_t number;

	if (!str_to_u64(digits, &number) || number == 0 || number > EXPR_PROGRAM_MAX + 1)
		return;
	failure->line = (int)number;
	struct str line = line_of(program, number);
	if (str_absent(line) || !str_starts(place, STR("\n")))
		return;
	place = str_slice(place, 1, place.n);
	if (!str_starts(place, line) || place.n - line.n > line.n)
		return;
	failure->column = (int)str_utf8_length(str_slice(line, 0, place.n - line.n)) + 1;
}

void words_of_compiler(struct str message, struct str program, struct expr_failure *ret_failure)
{
	const struct str prefix = STR("jq: error: "), place = STR(" at <top-level>, line ");
	const struct str shell = STR(" (Unix shell quoting issues?)");
	size_t at;

	if (str_starts(message, prefix))
		message = str_slice(message, prefix.n, message.n);
	if (find(message, place, &at)) {
		read_place(str_slice(message, at + place.n, message.n), program, ret_failure);
		message = str_slice(message, 0, at);
	}
	if (str_ends(message, shell))
		message = str_slice(message, 0, message.n - shell.n);
	words_clean(message, ret_failure->words);
}
