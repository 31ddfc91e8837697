/* POST /ai/generate-workflow: a definition from words, which passes the checks of a save, or an error. */
#include "ai/ask.h"
#include "ai/conversation.h"
#include "ai/workflow_words.h"
#include "audit/transact.h"
#include "base/json_read.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "flow/definition.h"

enum { TRIES = 3 };

struct writing {
	struct model_choice choice;
	struct model_turn
		turn[2 *
		     TRIES]; /* the wish; what the model wrote, what was wrong with it, and again */
	struct model_request request;
	struct model_answer answer;
	struct opt_int tokens_in, tokens_out; /* of all tries */
	const json_t *definition;
};

static void add_count(struct opt_int *sum, struct opt_int more)
{
	if (more.set)
		*sum = (struct opt_int){ .set = true, .v = sum->v + more.v };
}

static enum err ask(struct ctx *cx, struct writing *w)
{
	const struct model_asking asking = { .choice = &w->choice,
					     .request = &w->request,
					     .source = "workflow",
					     .deadline_ms = cx->now_ms + MODEL_REQUEST_MS };
	enum err e = model_ask(cx, &asking, &w->answer);

	add_count(&w->tokens_in, w->answer.tokens_in);
	add_count(&w->tokens_out, w->answer.tokens_out);
	return e == OK && w->answer.finish == MODEL_SAFETY ? ERR_AI_BLOCKED : e;
}

/* The object itself, or within the `definition` that some models put around it. */
static enum err read_definition(struct ctx *cx, struct writing *w)
{
	json_t *json = NULL;
	enum err e = conversation_json(cx->arena, w->answer.text, &json);

	if (e == ERR_AI_ANSWER_UNREADABLE || (e == OK && !json_is_kind(json, JSON_OBJECT)))
		return ERR_BAD_INPUT;
	TRY(e);
	w->definition = json_is_kind(json_member(json, "definition"), JSON_OBJECT)
				? json_member(json, "definition")
				: json;
	return OK;
}

static enum err check(struct ctx *cx, struct writing *w)
{
	const struct flow *flow;

	problem_clear(&cx->problem);
	TRY(read_definition(cx, w));
	return flow_check(cx, w->definition, &flow);
}

/* The model is told the places and the words that a person would be told. */
static enum err tell_faults(struct ctx *cx, struct writing *w)
{
	struct model_turn *turn = &w->turn[w->request.turns];

	turn[0] = (struct model_turn){ .who = MODEL_MODEL,
				       .text = w->answer.text.n > 0 ? w->answer.text : STR("{}") };
	turn[1] = (struct model_turn){ .who = MODEL_USER };
	w->request.turns += 2;
	return workflow_faults(cx, &turn[1].text);
}

static enum err write_workflow(struct ctx *cx, struct writing *w)
{
	enum err e = ERR_BAD_INPUT;

	for (int i = 0; i < TRIES && e == ERR_BAD_INPUT; i++) {
		if (i > 0)
			TRY(tell_faults(cx, w));
		TRY(ask(cx, w));
		e = check(cx, w);
	}
	/* The faults that are left are shown with it. */
	return e == ERR_BAD_INPUT ? ERR_AI_BAD_DEFINITION : e;
}

static enum err begin(struct ctx *cx, const struct ai_generate_workflow_in *in, struct writing *w)
{
	w->turn[0] = (struct model_turn){ .who = MODEL_USER, .text = in->prompt };
	w->request = (struct model_request){ .turn = w->turn, .turns = 1, .json = true };
	TRY(model_choose(cx, in->provider, in->model, in->credential_id, &w->choice));
	return workflow_words(cx, &w->request.system);
}

/* Only the audit row: a person saves the workflow, or doesn't. */
static enum err note(struct ctx *cx, void *arg)
{
	const struct writing *w = arg;

	cx->audit.service = w->choice.provider;
	ctx_audit_target(cx, ID_CREDENTIAL, &w->choice.credential);
	ctx_audit_detail(cx, "model", w->choice.model);
	return OK;
}

enum err ai_generate_workflow(struct ctx *cx, const struct ai_generate_workflow_in *in,
			      struct reply *reply)
{
	struct writing *w = ARENA_NEW(cx->arena, struct writing);
	struct json_writer out;

	if (!w)
		return ERR_NO_MEMORY;
	TRY(begin(cx, in, w));
	TRY(note(cx, w));
	TRY(write_workflow(cx, w));
	TRY(audit_transact(cx, AUDIT_AI_GENERATE_WORKFLOW, note, w));
	w->answer.tokens_in = w->tokens_in;
	w->answer.tokens_out = w->tokens_out;
	jw_start(&out, &reply->body);
	jw_object(&out);
	jw_key(&out, "definition");
	jw_add_tree(&out, w->definition);
	jw_put_text(&out, "provider", w->choice.provider);
	jw_put_text(&out, "model", w->choice.model);
	model_put_tokens(&out, &w->answer);
	jw_object_end(&out);
	return buf_error(&reply->body);
}
