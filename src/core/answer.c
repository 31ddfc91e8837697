#include "core/answer.h"

#include "base/clock.h"

enum err answer_pass_on(struct ctx *cx, struct reply *reply)
{
	cx->passed_on = true;
	return reply_header(reply, "X-Accel-Redirect", STR("@passed_on"));
}

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

void answer_opt_id(struct json_writer *w, const char *key, enum id_kind kind, const struct opt_id *id)
{
	if (id->set)
		answer_id(w, key, kind, &id->v);
	else
		jw_put_null(w, key);
}

void answer_opt_time(struct json_writer *w, const char *key, struct opt_int ms)
{
	if (ms.set)
		answer_time(w, key, ms.v);
	else
		jw_put_null(w, key);
}

void answer_error(struct json_writer *w, const char *key, struct str code, struct str message)
{
	jw_key(w, key);
	if (str_absent(code)) {
		jw_add_null(w);
		return;
	}
	jw_object(w);
	jw_put_text(w, "code", code);
	jw_put_text(w, "message", str_absent(message) ? STR("") : message);
	jw_object_end(w);
}

void answer_words(struct json_writer *w, const char *key, struct str words)
{
	jw_key(w, key);
	jw_array(w);
	while (words.n > 0) {
		struct str word = str_cut(&words, ' ');

		if (word.n > 0)
			jw_add_text(w, word);
	}
	jw_array_end(w);
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

void answer_page_full(struct answer_page *page) { page->room = 0; }

void answer_page_on(struct answer_page *page, const struct id *id)
{
	page->more = true;
	page->last = *id;
}

enum err answer_page_end(struct answer_page *page, struct ctx *cx, struct reply *reply, enum err e)
{
	if (e != OK && e != ERR_END)
		return e;
	jw_array_end(&page->w);
	TRY(buf_error(&reply->body));
	return page->more ? ctx_cursor_next(cx, reply, &page->last) : OK;
}
