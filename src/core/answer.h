/* What the features' answers share: ids, times, errors that are remembered, pages of lists. */
#ifndef LW_CORE_ANSWER_H
#define LW_CORE_ANSWER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json_write.h"
#include "core/ctx.h"
#include "fcgi/reply.h"

void answer_id(struct json_writer *w, const char *key, enum id_kind kind, const struct id *id);
void answer_time(struct json_writer *w, const char *key, int64_t ms);
/* null when it isn't set */
void answer_opt_id(struct json_writer *w, const char *key, enum id_kind kind, const struct opt_id *id);
void answer_opt_time(struct json_writer *w, const char *key, struct opt_int ms);
/* {code, message} of what went wrong last; null when there is no code. */
void answer_error(struct json_writer *w, const char *key, struct str code, struct str message);
/* What is stored as words with a space between each, as an array of them. */
void answer_words(struct json_writer *w, const char *key, struct str words);
/*
 * No answer: nginx asks a worker that may take its time. For a request of which nothing is done yet, in a context that
 * is_quick. It costs a connection: nginx closes the one on which it got such an answer.
 */
enum err answer_pass_on(struct ctx *cx, struct reply *reply) MUST_CHECK;
/* 204 without a body. */
enum err answer_nothing(struct reply *reply) MUST_CHECK;

/*
 * A page of a list. The statement is asked for one row more than the page holds: it tells whether another follows.
 *
 *	answer_page_start(&page, reply, in->limit);
 *	while ((e = sql_x_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.x_id))
 *		write_x(&page.w, &row);
 *	return answer_page_end(&page, cx, reply, e);
 */
enum {
	ANSWER_PAGE_BYTES = 4 << 20, /* of a list of large things: it ends early behind so much */
	ANSWER_PAGE_MOST = 201       /* the largest limit, and the row that tells of more */
};
struct answer_page {
	struct json_writer w;
	int64_t room;
	bool more;
	struct id last;
};
void answer_page_start(struct answer_page *page, struct reply *reply, int64_t limit);
/* Whether the row with that id still belongs to the page; the caller writes it then. */
bool answer_page_item(struct answer_page *page, const struct id *id) MUST_CHECK;
/* Another row begins the next page, however many were asked for. */
void answer_page_full(struct answer_page *page);
/* The page has no more rows; the next one begins behind that id. */
void answer_page_on(struct answer_page *page, const struct id *id);
/* `e` is what the last row's reading gave. Sets the Link header when another page follows. */
enum err answer_page_end(struct answer_page *page, struct ctx *cx, struct reply *reply, enum err e) MUST_CHECK;

#endif
