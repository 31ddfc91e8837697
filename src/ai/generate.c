#include "ai/generate.h"

#include "ai/conversation.h"

enum err question_choose(struct ctx *cx, const struct question *question, struct generated *ret)
{
	*ret = (struct generated){ .answer = { .text = STR("") } };
	return model_choose(cx, question->provider, question->model, question->credential,
			    &ret->choice);
}

static enum err make_request(struct ctx *cx, const struct question *question,
			     struct model_request *ret_request)
{
	*ret_request = (struct model_request){ .max_output_tokens = question->max_output_tokens,
					       .json = question->json,
					       .schema = question->schema };
	TRY(conversation_turns(cx->arena, question->history, question->prompt, &ret_request->turn,
			       &ret_request->turns));
	return conversation_system(cx, question->system,
				   question->knowledge ? question->prompt : STR_NONE,
				   &ret_request->system);
}

static enum err read_value(struct ctx *cx, const struct question *question,
			   struct generated *generated)
{
	if (generated->answer.finish == MODEL_SAFETY)
		return ERR_AI_BLOCKED;
	return question->json
		       ? conversation_json(cx->arena, generated->answer.text, &generated->value)
		       : OK;
}

enum err question_ask(struct ctx *cx, const struct question *question, struct generated *generated)
{
	struct speaking speaking;
	struct model_request request;
	struct model_asking asking = { .choice = &generated->choice,
				       .request = &request,
				       .source = question->source,
				       .source_id = question->source_id,
				       .deadline_ms = question->deadline_ms,
				       .arg = &speaking };
	enum err e, told;

	TRY(make_request(cx, question, &request));
	speaking_init(&speaking, cx, &question->to);
	asking.listen = speaking_listener(&speaking);
	e = speaking_begin(&speaking, &generated->choice);
	if (e == OK) {
		generated->sent = true;
		e = model_ask(cx, &asking, &generated->answer);
		if (e == OK)
			e = read_value(cx, question, generated);
		told = speaking_end(&speaking, &generated->answer, e);
		e = e == OK ? told : e;
	}
	speaking_done(&speaking);
	return e;
}
