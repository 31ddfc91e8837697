#include "knowledge/passage.h"

#include <string.h>

#include "knowledge/knowledge.h"

/* --- tidying ------------------------------------------------------------------------- */

/* What is between two words: nothing, a blank, the end of a line, or of a paragraph. */
enum gap { NO_GAP, BLANK, LINE, PARAGRAPH };

static struct str gap_text(enum gap gap)
{
	switch (gap) {
	case BLANK: return STR(" ");
	case LINE: return STR("\n");
	case PARAGRAPH: return STR("\n\n");
	default: return STR("");
	}
}

static enum gap later(enum gap a, enum gap b) { return a > b ? a : b; }

/* Characters that show nothing: soft hyphen, zero width space to right-to-left mark, byte order mark. */
static bool is_unseen(struct str c)
{
	return str_eq(c, STR("\xc2\xad")) || str_eq(c, STR("\xef\xbb\xbf")) ||
	       (c.n == 3 && memcmp(c.p, "\xe2\x80", 2) == 0 && (unsigned char)c.p[2] >= 0x8b &&
		(unsigned char)c.p[2] <= 0x8f);
}

/* Of C1, U+0080 to U+009F. */
static bool is_control(struct str c)
{
	unsigned char first = (unsigned char)c.p[0];

	return (c.n == 1 && (first < 0x20 || first == 0x7f)) ||
	       (c.n == 2 && first == 0xc2 && (unsigned char)c.p[1] < 0xa0);
}

static bool is_blank(struct str c)
{
	return str_eq(c, STR(" ")) || str_eq(c, STR("\t")) || str_eq(c, STR("\r")) || str_eq(c, STR("\v")) ||
	       str_eq(c, STR("\xc2\xa0")) || str_eq(c, STR("\xe3\x80\x80"));
}

/* The gap that the character makes; NO_GAP for one that is seen, and for one that is nothing. */
static enum gap gap_of(struct str c, enum gap before)
{
	if (str_eq(c, STR("\n")))
		return before >= LINE ? PARAGRAPH : LINE;
	if (str_eq(c, STR("\f")))
		return PARAGRAPH;
	return is_blank(c) ? BLANK : NO_GAP;
}

void passage_tidy(struct str raw, struct buf *out)
{
	enum gap gap = NO_GAP;
	bool begun = false;

	for (size_t at = 0, n; at < raw.n && buf_error(out) == OK; at += n) {
		size_t step = str_utf8_step(raw, at);
		struct str c = step ? str_slice(raw, at, step) : STR("\xef\xbf\xbd");
		enum gap made = gap_of(c, gap);

		n = step ? step : 1;
		gap = later(gap, made);
		if (made != NO_GAP || is_control(c) || is_unseen(c))
			continue;
		if (begun)
			buf_add_str(out, gap_text(gap));
		buf_add_str(out, c);
		begun = true;
		gap = NO_GAP;
	}
}

/* --- cutting -------------------------------------------------------------------------- */

/* The place behind the last `end` in the text's second half; 0: there is none. */
static size_t behind_last(struct str s, struct str end)
{
	for (size_t at = s.n; at >= end.n && at > s.n / 2; at--)
		if (memcmp(s.p + at - end.n, end.p, end.n) == 0)
			return at;
	return 0;
}

static size_t behind_last_of(struct str s, const struct str *end, size_t n)
{
	size_t best = 0;

	for (size_t i = 0; i < n; i++) {
		size_t at = behind_last(s, end[i]);

		best = at > best ? at : best;
	}
	return best;
}

static size_t cut_place(struct str window)
{
	const struct str paragraph[] = { STR("\n\n") };
	const struct str sentence[] = { STR(". "), STR("! "), STR("? "), STR(".\n"), STR("!\n"), STR("?\n"), STR("…"),
					STR("。"), STR("！"), STR("？") };
	const struct str line[] = { STR("\n") };
	const struct str word[] = { STR(" ") };
	size_t at = behind_last_of(window, paragraph, ARRAY_SIZE(paragraph));

	if (at == 0)
		at = behind_last_of(window, sentence, ARRAY_SIZE(sentence));
	if (at == 0)
		at = behind_last_of(window, line, ARRAY_SIZE(line));
	if (at == 0)
		at = behind_last_of(window, word, ARRAY_SIZE(word));
	return at > 0 ? at : window.n;
}

bool passage_next(struct str *rest, struct str *ret_passage)
{
	struct str window;
	size_t at;

	*rest = str_trim(*rest);
	if (rest->n == 0)
		return false;
	window = str_utf8_cut(*rest, KNOWLEDGE_PASSAGE_CHARS);
	at = window.n == rest->n ? window.n : cut_place(window);
	*ret_passage = str_trim(str_slice(window, 0, at));
	*rest = str_slice(*rest, at, rest->n);
	return true;
}
