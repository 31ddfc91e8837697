#include "knowledge/words.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "crypt/encode.h"

enum { CANDIDATES_MAX = 400, LEAST_CHARS = 2 }; /* a passage has fewer words that count */
enum { MARKED_LEAST = 3, MARKED_MOST = 40, MARK_BYTES = 5 };

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

/* --- as the index has them ------------------------------------------------------------------ */

/*
 * Latin, Greek, Cyrillic, Hebrew, Arabic: scripts whose words end where something else begins, for MariaDB, too. Others
 * are looked for by pieces.
 */
static bool is_of_word(uint32_t code)
{
	if (code < 0x80)
		return code == '_' || char_is_letter((char)code) || char_is_digit((char)code);
	return (code >= 0xc0 && code <= 0x24f && code != 0xd7 && code != 0xf7) || (code >= 0x370 && code <= 0x481) ||
	       (code >= 0x48a && code <= 0x52f) || (code >= 0x5d0 && code <= 0x5ea) ||
	       (code >= 0x620 && code <= 0x669) || (code >= 0x1e00 && code <= 0x1fff);
}

/* Cuts the next word off; the absent text at the end. */
static struct str next_word(struct str *rest)
{
	size_t from = 0, at = 0;

	for (size_t step; (step = str_utf8_step(*rest, at)) > 0; at += step) {
		if (is_of_word(code_point(str_slice(*rest, at, step))))
			continue;
		if (at > from)
			break;
		from = at + step;
	}
	struct str word = str_slice(*rest, from, at - from);
	*rest = str_slice(*rest, at, rest->n);
	return word.n > 0 ? word : STR_NONE;
}

/* What InnoDB would leave out by itself (innodb_ft_default_stopword), of three characters and more. */
static bool is_everywhere(struct str word)
{
	static const char *const WORDS[] = { "about", "are",  "com",  "for",  "from", "how", "that", "the", "this",
					     "und",   "was",  "what", "when", "where", "who", "will", "with", "www" };

	for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
		if (str_eq_nocase(word, str_of(WORDS[i])))
			return true;
	return false;
}

static bool is_among(const struct candidates *all, struct str word)
{
	for (size_t i = 0; i < all->n; i++)
		if (str_eq_nocase(all->v[i], word))
			return true;
	return false;
}

void knowledge_words_mark(const struct id *tenant, struct str text, struct buf *out)
{
	char mark[HEX_CHARS(MARK_BYTES) + 1];
	struct candidates seen = { .n = 0 };
	struct str rest = text, word;

	/* An id ends in random bits. */
	hex_encode_to((struct str){ (const char *)tenant->b + sizeof(tenant->b) - MARK_BYTES, MARK_BYTES }, mark);
	while (!str_absent(word = next_word(&rest))) {
		word = str_utf8_cut(word, MARKED_MOST);
		if (str_utf8_length(word) < MARKED_LEAST || is_everywhere(word) || is_among(&seen, word))
			continue;
		if (seen.n < CANDIDATES_MAX)
			seen.v[seen.n++] = word;
		if (out->n > 0)
			buf_add_char(out, ' ');
		buf_add_c(out, mark);
		buf_add_str(out, word);
	}
}
