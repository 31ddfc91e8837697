/* What this room's answers share: ids, times, pages. */
#ifndef LW_IDENTITY_ANSWER_H
#define LW_IDENTITY_ANSWER_H

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
void answer_opt_time(struct json_writer *w, const char *key, struct opt_int ms);
/* 204 without a body. */
enum err answer_nothing(struct reply *reply) MUST_CHECK;

/* A page of a list. The statement is asked for one row more than the page holds: it tells whether another follows. */
struct answer_page {
	struct json_writer w;
	int64_t room;
	bool more;
	struct id last;
};
void answer_page_start(struct answer_page *page, struct reply *reply, int64_t limit);
/* Whether the row with that id still belongs to the page; the caller writes it then. */
bool answer_page_item(struct answer_page *page, const struct id *id) MUST_CHECK;
/* `e` is what ended the rows. Sets the Link header when another page follows. */
enum err answer_page_end(struct answer_page *page, struct ctx *cx, struct reply *reply,
			 enum err e) MUST_CHECK;

#endif
