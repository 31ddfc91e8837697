/* What goes into a prompt: by the full-text index, else by looking for the words themselves. */
#include "knowledge/knowledge.h"
#include "knowledge/words.h"
#include "store/sql_knowledge.h"

enum { ROWS_MAX = 40, PASSAGES_LOOKED_AT = 20000 };

struct picking {
	struct buf *out;
	size_t end; /* of the room */
	size_t picked;
};

static const struct str BEFORE = STR("## "), BETWEEN = STR("\n"), BEHIND = STR("\n\n");

/* One that doesn't fit makes place for a shorter one. */
static void take(struct picking *p, struct str title, struct str text)
{
	size_t n = BEFORE.n + title.n + BETWEEN.n + text.n + BEHIND.n;

	if (n > p->end - p->out->n)
		return;
	buf_add_str(p->out, BEFORE);
	buf_add_str(p->out, title);
	buf_add_str(p->out, BETWEEN);
	buf_add_str(p->out, text);
	buf_add_str(p->out, BEHIND);
	p->picked++;
}

static enum err pick_by_index(struct ctx *cx, struct str clean, struct picking *p)
{
	BUF_AUTO struct buf words = { 0 };
	struct sql_knowledge_pick_row row;
	enum err e;

	buf_init(&words, WORDS_MARKED_MAX);
	knowledge_words_mark(&cx->who.tenant, clean, &words);
	TRY(buf_error(&words));
	if (words.n == 0)
		return OK;
	TRY(sql_knowledge_pick(cx->db, &(struct sql_knowledge_pick_in){ .words = buf_str(&words), .limit = ROWS_MAX }));
	while ((e = sql_knowledge_pick_next(cx->db, &row)) == OK)
		take(p, row.title, row.text);
	return e == ERR_END ? OK : e;
}

static enum err pick_by_pieces(struct ctx *cx, struct str clean, struct picking *p)
{
	struct str piece[WORDS_PIECES_MAX] = { STR_NONE };
	struct sql_knowledge_pick_pieces_row row;
	enum err e;

	if (knowledge_words_pieces(clean, piece) == 0)
		return OK;
	TRY(sql_knowledge_pick_pieces(cx->db, &(struct sql_knowledge_pick_pieces_in){ .a = piece[0],
										      .b = piece[1],
										      .c = piece[2],
										      .d = piece[3],
										      .e = piece[4],
										      .f = piece[5],
										      .most = PASSAGES_LOOKED_AT,
										      .limit = ROWS_MAX }));
	while ((e = sql_knowledge_pick_pieces_next(cx->db, &row)) == OK)
		take(p, row.title, row.text);
	return e == ERR_END ? OK : e;
}

enum err knowledge_pick(struct ctx *cx, struct str question, size_t room, struct buf *out)
{
	struct picking p = { .out = out, .end = out->n + room };
	BUF_AUTO struct buf clean = { 0 };

	buf_init(&clean, WORDS_CHARS_MAX * 4);
	knowledge_words_clean(question, &clean);
	TRY(buf_error(&clean));
	if (clean.n == 0)
		return OK;
	TRY(pick_by_index(cx, buf_str(&clean), &p));
	if (p.picked == 0)
		TRY(pick_by_pieces(cx, buf_str(&clean), &p));
	return buf_error(out);
}
