/* POST /ai/generate, GET /ai/usage */
#include "ai/generate.h"
#include "ai/watching.h"
#include "audit/transact.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_ai.h"

/* --- an answer ---------------------------------------------------------------------------------------- */

static struct question question_of(const struct ctx *cx, const struct ai_generate_in *in)
{
	return (struct question){ .prompt = in->prompt,
				  .system = in->system,
				  .provider = in->provider,
				  .model = in->model,
				  .credential = in->credential_id,
				  .knowledge = in->knowledge,
				  .json = in->json,
				  .max_output_tokens = in->max_output_tokens,
				  .source = "generate",
				  .deadline_ms = cx->now_ms + MODEL_REQUEST_MS };
}

static enum err write_answer(const struct generated *g, bool fallback, struct reply *reply)
{
	struct json_writer w;

	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_text(&w, "text", g->answer.text);
	jw_key(&w, "value");
	if (g->value)
		jw_add_tree(&w, g->value);
	else
		jw_add_null(&w);
	jw_put_text(&w, "provider", g->choice.provider);
	jw_put_text(&w, "model", g->choice.model);
	jw_put_text(&w, "finish", str_of(model_finish_text(g->answer.finish)));
	jw_put_bool(&w, "fallback", fallback);
	model_put_tokens(&w, &g->answer);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

struct note {
	const struct generated *generated;
	bool chosen; /* there is a key */
	enum err silence;
};

/* Only the audit row: nothing else changes. */
static enum err write_note(struct ctx *cx, void *arg)
{
	const struct note *note = arg;

	cx->audit.service = note->generated->choice.provider;
	if (note->chosen)
		ctx_audit_target(cx, ID_CREDENTIAL, &note->generated->choice.credential);
	ctx_audit_detail(cx, "model", note->generated->choice.model);
	if (note->silence != OK)
		ctx_audit_detail(cx, "fallback_for", str_of(err_code(note->silence)));
	return OK;
}

enum err ai_generate(struct ctx *cx, const struct ai_generate_in *in, struct reply *reply)
{
	struct question question = question_of(cx, in);
	struct generated generated;
	struct note note = { .generated = &generated };
	struct str fallback = str_of(cx->config->ai_fallback);
	enum err e;

	TRY(watching_run(cx, in->run_id, &question.to));
	e = question_choose(cx, &question, &generated);
	if (e == OK) {
		note.chosen = true;
		TRY(write_note(cx, &note));
		e = question_ask(cx, &question, &generated);
	}
	if (model_is_silent(e) && fallback.n > 0 && !in->json) {
		problem_clear(&cx->problem);
		note.silence = e;
		generated.answer.text = fallback;
		generated.answer.finish = MODEL_STOP;
		e = OK;
	}
	TRY(e);
	TRY(audit_transact(cx, AUDIT_AI_GENERATE, write_note, &note));
	return write_answer(&generated, note.silence != OK, reply);
}

/* --- what it cost --------------------------------------------------------------------------------------- */

static void write_usage(struct json_writer *w, const struct sql_ai_usage_list_row *row)
{
	enum id_kind kind = str_eq(row->source, STR("agent")) ? ID_AGENT : ID_EXECUTION;

	jw_object(w);
	jw_put_text(w, "provider", row->provider);
	jw_put_text(w, "model", row->model);
	jw_put_text(w, "source", row->source);
	answer_opt_id(w, "source_id", kind, &row->source_id);
	jw_key(w, "tokens");
	jw_object(w);
	jw_put_int(w, "input", row->tokens_in);
	jw_put_int(w, "output", row->tokens_out);
	jw_object_end(w);
	jw_put_text(w, "outcome", row->outcome);
	jw_put_int(w, "duration_ms", row->duration_ms);
	answer_time(w, "created_at", row->created_at);
	jw_object_end(w);
}

enum err ai_usage_list(struct ctx *cx, const struct ai_usage_list_in *in, struct reply *reply)
{
	struct sql_ai_usage_list_in query = { .limit = in->limit + 1 };
	struct sql_ai_usage_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	TRY(sql_ai_usage_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_ai_usage_list_next(cx->db, &row)) == OK &&
	       answer_page_item(&page, &row.usage_id))
		write_usage(&page.w, &row);
	return answer_page_end(&page, cx, reply, e);
}
