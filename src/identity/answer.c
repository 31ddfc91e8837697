#include "identity/answer.h"

#include "base/clock.h"

void answer_id(struct json_writer *w, const char *key, enum id_kind kind, const struct id *id)
{
	char text[ID_TEXT_MAX];

	jw_put_text(w, key, id_format(kind, id, text));
}

void answer_time(struct json_writer *w, const char *key, int64_t ms)
{
	char text[TIME_TEXT_MAX];

	jw_put_text(w, key, time_format(ms, text));
}

void answer_opt_time(struct json_writer *w, const char *key, struct opt_int ms)
{
	if (ms.set)
		answer_time(w, key, ms.v);
	else
		jw_put_null(w, key);
}

enum err answer_nothing(struct reply *reply)
{
	reply->status = 204;
	reply->content_type = NULL;
	return OK;
}

void answer_page_start(struct answer_page *page, struct reply *reply, int64_t limit)
{
	*page = (struct answer_page){ .room = limit };
	jw_start(&page->w, &reply->body);
	jw_array(&page->w);
}

bool answer_page_item(struct answer_page *page, const struct id *id)
{
	if (page->room == 0) {
		page->more = true;
		return false;
	}
	page->room--;
	page->last = *id;
	return true;
}

enum err answer_page_end(struct answer_page *page, struct ctx *cx, struct reply *reply, enum err e)
{
	if (e != ERR_END)
		return e;
	jw_array_end(&page->w);
	TRY(buf_error(&reply->body));
	return page->more ? ctx_cursor_next(cx, reply, &page->last) : OK;
}
