/* GET, PUT, DELETE /knowledge */
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "knowledge/knowledge.h"
#include "knowledge/source.h"
#include "store/sql_knowledge.h"

enum { TEXT_SHOWN_MAX = 1 << 20, PASSAGES_SHOWN = 2000 };

enum err knowledge_list(struct ctx *cx, const struct knowledge_list_in *in, struct reply *reply)
{
	struct sql_knowledge_list_in query = { .limit = in->limit + 1 };
	struct sql_knowledge_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_knowledge_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_knowledge_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.knowledge_id)) {
		jw_object(&page.w);
		source_write(&page.w, &SOURCE_OF(row));
		jw_object_end(&page.w);
	}
	return answer_page_end(&page, cx, reply, e);
}

/* As many of its passages as the buffer takes, an empty line between them. */
static enum err read_text(struct ctx *cx, const struct id *id, struct buf *text)
{
	const struct sql_knowledge_passage_list_in query = { .knowledge_id = *id, .limit = PASSAGES_SHOWN };
	struct sql_knowledge_passage_list_row row;
	enum err e;

	TRY(sql_knowledge_passage_list(cx->db, &query));
	while ((e = sql_knowledge_passage_list_next(cx->db, &row)) == OK) {
		if (text->n + row.text.n + 2 > text->max)
			return OK;
		buf_add_c(text, text->n > 0 ? "\n\n" : "");
		buf_add_str(text, row.text);
	}
	TRY(e == ERR_END ? OK : e);
	return buf_error(text);
}

enum err knowledge_get(struct ctx *cx, const struct knowledge_get_in *in, struct reply *reply)
{
	BUF_AUTO struct buf text = { 0 };
	struct sql_knowledge_get_row row;
	struct json_writer w;

	TRY(sql_knowledge_get(cx->db, &(struct sql_knowledge_get_in){ in->knowledge_id }, &row));
	TRY(ctx_etag(cx, reply, &row.knowledge_id, row.updated_at));
	buf_init(&text, TEXT_SHOWN_MAX);
	TRY(read_text(cx, &in->knowledge_id, &text));
	jw_start(&w, &reply->body);
	jw_object(&w);
	source_write(&w, &SOURCE_OF(row));
	jw_put_text(&w, "text", buf_str(&text));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

/* The texts live until the next lock. */
static enum err lock(struct ctx *cx, const struct id *id, struct source *ret_source)
{
	struct sql_knowledge_lock_row row;

	ctx_audit_target(cx, ID_KNOWLEDGE, id);
	TRY(sql_knowledge_lock(cx->db, &(struct sql_knowledge_lock_in){ *id }, &row));
	*ret_source = SOURCE_OF(row);
	return ctx_if_match(cx, id, row.updated_at);
}

/* What was answered until now: the passages without the question that they begin with. */
static enum err old_answer(struct ctx *cx, const struct source *source, struct str *ret_answer)
{
	BUF_AUTO struct buf text = { 0 };
	struct str question, all;

	buf_init(&text, TEXT_SHOWN_MAX);
	TRY(read_text(cx, &source->id, &text));
	all = buf_str(&text);
	TRY(source_manual_text(cx, source->title, STR(""), &question));
	if (str_starts(all, question))
		all = str_slice(all, question.n, all.n);
	*ret_answer = arena_copy(cx->arena, str_trim(all));
	return str_absent(*ret_answer) ? ERR_NO_MEMORY : OK;
}

/* Its question is its title: both make its text. */
static enum err write_answer(struct ctx *cx, const struct knowledge_update_in *in, struct source *source)
{
	struct str answer = in->answer, text;

	if (str_absent(answer))
		TRY(old_answer(cx, source, &answer));
	TRY(source_manual_text(cx, str_absent(in->title) ? source->title : in->title, answer, &text));
	source->characters = (int64_t)str_utf8_length(text);
	return source_put_passages(cx, &source->id, text);
}

enum err knowledge_update(struct ctx *cx, const struct knowledge_update_in *in, struct reply *reply)
{
	struct source source;

	TRY(lock(cx, &in->knowledge_id, &source));
	if (!str_absent(in->answer) && !str_eq(source.kind, STR("manual")))
		return ctx_bad_field(cx, "answer", "NOT_ALLOWED", "only goes with a question that somebody answered");
	if (str_eq(source.kind, STR("manual")) && !(str_absent(in->answer) && str_absent(in->title)))
		TRY(write_answer(cx, in, &source));
	if (!str_absent(in->title))
		source.title = in->title;
	source.enabled = in->enabled;
	source.updated_at = ctx_next_update(cx, source.updated_at);
	TRY(sql_knowledge_update(cx->db,
				 &(struct sql_knowledge_update_in){ .knowledge_id = source.id,
								    .title = source.title,
								    .enabled = source.enabled,
								    .characters = source.characters,
								    .updated_at = source.updated_at },
				 NULL));
	return source_answer(cx, &source, reply);
}

enum err knowledge_delete(struct ctx *cx, const struct knowledge_delete_in *in, struct reply *reply)
{
	struct source source;

	TRY(lock(cx, &in->knowledge_id, &source));
	TRY(sql_knowledge_passage_delete(cx->db, &(struct sql_knowledge_passage_delete_in){ source.id }, NULL));
	TRY(sql_knowledge_file_delete(cx->db, &(struct sql_knowledge_file_delete_in){ source.id }, NULL));
	TRY(sql_knowledge_delete(cx->db, &(struct sql_knowledge_delete_in){ source.id }, NULL));
	return answer_nothing(reply);
}
