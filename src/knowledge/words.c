#include "knowledge/words.h"

#include <stdbool.h>
#include <stdint.h>

enum { CANDIDATES_MAX = 200, LEAST_CHARS = 2 };

static bool is_ascii_other(char c) { return (unsigned char)c < 0x80 && !char_is_letter(c) && !char_is_digit(c); }

void knowledge_words_clean(struct str question, struct buf *out)
{
	struct str s = str_utf8_cut(question, WORDS_CHARS_MAX);
	bool gap = false;
	size_t from = out->n;

	for (size_t i = 0; i < s.n; i++) {
		bool other = is_ascii_other(s.p[i]);

		if (!other && gap && out->n > from)
			buf_add_char(out, ' ');
		if (!other)
			buf_add_char(out, s.p[i]);
		gap = other;
	}
}

/* Of valid UTF-8. */
static uint32_t code_point(struct str c)
{
	static const unsigned char first[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t code = (unsigned char)c.p[0] & first[c.n];

	for (size_t i = 1; i < c.n; i++)
		code = code << 6 | ((unsigned char)c.p[i] & 0x3f);
	return code;
}

/* Thai to Myanmar, Khmer, and what begins with the radicals of Chinese: scripts that write words without blanks. */
static bool is_unspaced(uint32_t code)
{
	return (code >= 0x0e00 && code <= 0x109f) || (code >= 0x1780 && code <= 0x17ff) ||
	       (code >= 0x2e80 && code <= 0xd7ff) || (code >= 0xf900 && code <= 0xfaff) || code >= 0x20000;
}

/* Hiragana is what Japanese grammar is made of: two of them say nothing of the subject. */
static bool is_hiragana(uint32_t code) { return code >= 0x3040 && code <= 0x309f; }

struct candidates {
	struct str v[CANDIDATES_MAX];
	size_t n;
};

static void add(struct candidates *all, struct str piece)
{
	size_t chars = str_utf8_length(piece);

	if (all->n < CANDIDATES_MAX && chars >= LEAST_CHARS)
		all->v[all->n++] = chars <= WORDS_PIECE_CHARS ? piece : str_utf8_cut(piece, WORDS_PIECE_CHARS);
}

static void add_pairs(struct candidates *all, struct str word)
{
	uint32_t before = 0;
	size_t from = 0;

	for (size_t at = 0, step; (step = str_utf8_step(word, at)) > 0; at += step) {
		uint32_t code = code_point(str_slice(word, at, step));

		if (at > 0 && is_unspaced(code) && is_unspaced(before) && !(is_hiragana(code) && is_hiragana(before)))
			add(all, str_slice(word, from, at + step - from));
		before = code;
		from = at;
	}
}

static bool has_unspaced(struct str word)
{
	for (size_t at = 0, step; (step = str_utf8_step(word, at)) > 0; at += step)
		if (is_unspaced(code_point(str_slice(word, at, step))))
			return true;
	return false;
}

/* Takes the longest out, the first of several. */
static struct str take_longest(struct candidates *all)
{
	size_t best = 0;
	struct str found;

	for (size_t i = 1; i < all->n; i++)
		if (str_utf8_length(all->v[i]) > str_utf8_length(all->v[best]))
			best = i;
	found = all->v[best];
	all->n--;
	for (size_t i = best; i < all->n; i++)
		all->v[i] = all->v[i + 1];
	return found;
}

size_t knowledge_words_pieces(struct str clean, struct str ret_piece[WORDS_PIECES_MAX])
{
	struct candidates all = { .n = 0 };
	struct str rest = clean;
	size_t n = 0;

	while (!str_absent(rest)) {
		struct str word = str_cut(&rest, ' ');

		if (has_unspaced(word))
			add_pairs(&all, word);
		else
			add(&all, word);
	}
	while (n < WORDS_PIECES_MAX && all.n > 0)
		ret_piece[n++] = take_longest(&all);
	return n;
}
