#include "knowledge/source.h"

#include "core/answer.h"
#include "fcgi/reply.h"
#include "knowledge/knowledge.h"
#include "knowledge/passage.h"
#include "knowledge/words.h"
#include "store/sql_knowledge.h"

void source_write(struct json_writer *w, const struct source *source)
{
	answer_id(w, "id", ID_KNOWLEDGE, &source->id);
	jw_put_text(w, "kind", source->kind);
	jw_put_text(w, "title", source->title);
	jw_put_text(w, "source", source->source);
	jw_put_text(w, "status", source->status);
	answer_error(w, "error", source->error_code, source->error_message);
	jw_put_bool(w, "enabled", source->enabled);
	jw_put_int(w, "characters", source->characters);
	answer_id(w, "created_by", ID_USER, &source->created_by);
	answer_time(w, "created_at", source->created_at);
	answer_time(w, "updated_at", source->updated_at);
}

enum err source_answer(struct ctx *cx, const struct source *source, struct reply *reply)
{
	struct json_writer w;

	TRY(ctx_etag(cx, reply, &source->id, source->updated_at));
	jw_start(&w, &reply->body);
	jw_object(&w);
	source_write(&w, source);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* The question is a part of it, so that it is found by its words. */
enum err source_manual_text(struct ctx *cx, struct str question, struct str answer, struct str *ret_text)
{
	BUF_AUTO struct buf raw = { 0 };
	BUF_AUTO struct buf text = { 0 };

	buf_init(&raw, KNOWLEDGE_TEXT_MAX);
	buf_init(&text, KNOWLEDGE_TEXT_MAX);
	buf_add_str(&raw, question);
	buf_add_c(&raw, "\n\n");
	buf_add_str(&raw, answer);
	TRY(buf_error(&raw));
	passage_tidy(buf_str(&raw), &text);
	TRY(buf_error(&text));
	*ret_text = arena_copy(cx->arena, buf_str(&text));
	return str_absent(*ret_text) ? ERR_NO_MEMORY : OK;
}

enum err source_put_passages(struct ctx *cx, const struct id *id, struct str text)
{
	struct sql_knowledge_passage_insert_in row = { .knowledge_id = *id };
	BUF_AUTO struct buf words = { 0 };

	buf_init(&words, WORDS_MARKED_MAX);
	TRY(sql_knowledge_passage_delete(cx->db, &(struct sql_knowledge_passage_delete_in){ *id }, NULL));
	for (; passage_next(&text, &row.text); row.position++) {
		buf_clear(&words);
		knowledge_words_mark(&cx->who.tenant, row.text, &words);
		TRY(buf_error(&words));
		row.words = words.n > 0 ? buf_str(&words) : STR("");
		TRY(sql_knowledge_passage_insert(cx->db, &row, NULL));
	}
	return OK;
}
