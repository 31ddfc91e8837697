#include "ai/agent.h"

#include "ai/conversation.h"
#include "base/json_read.h"
#include "core/answer.h"

enum { PATH_SHOWN = 500 };

struct working {
	const struct agent_question *question;
	struct agent_reply *reply;
	struct tools tools;
	struct model_request request;
	struct model_turn *turn; /* the request's, with room for all rounds */
	struct tool_done *done;
	int64_t round;
};

/* --- what it is told --------------------------------------------------------------------------- */

static enum err make_system(struct ctx *cx, const struct agent *agent, struct str input,
			    struct str *ret_system)
{
	return conversation_system(cx, agent->instructions, agent->use_knowledge ? input : STR_NONE,
				   ret_system);
}

static enum err load_tools(struct ctx *cx, const struct agent *agent, struct tools *tools)
{
	struct id connector[AGENT_TOOLS_MAX];
	json_t *list;
	size_t n = 0;

	TRY(json_read(cx->arena, agent->connectors, &list, NULL));
	for (size_t i = 0; i < json_length(list) && n < AGENT_TOOLS_MAX; i++)
		n += id_parse(ID_CONNECTOR, json_text(json_item(list, i)), &connector[n]);
	return tools_load(cx, connector, n, tools);
}

/* The conversation so far, and two turns for each round: what the model said, what came of its calls. */
static enum err begin(struct ctx *cx, const struct agent *agent, struct working *w)
{
	const struct agent_question *question = w->question;
	size_t rounds = (size_t)cx->config->ai_tool_rounds;

	TRY(make_system(cx, agent, question->input, &w->request.system));
	TRY(load_tools(cx, agent, &w->tools));
	w->turn = arena_array(cx->arena, question->turns + 2 * rounds, sizeof *w->turn);
	w->done = arena_array(cx->arena, AGENT_CALLS_MAX, sizeof *w->done);
	if (!w->turn || !w->done)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < question->turns; i++)
		w->turn[i] = question->turn[i];
	w->request.turn = w->turn;
	w->request.turns = question->turns;
	w->request.tool = w->tools.model;
	w->request.tools = w->tools.n;
	w->reply->call = w->done;
	return OK;
}

/* --- asking -------------------------------------------------------------------------------------- */

static void add_count(struct opt_int *sum, struct opt_int more)
{
	if (more.set)
		*sum = (struct opt_int){ .set = true, .v = sum->v + more.v };
}

static enum err ask(struct ctx *cx, const struct agent *agent, struct working *w)
{
	struct agent_reply *reply = w->reply;
	struct opt_int in = reply->answer.tokens_in, out = reply->answer.tokens_out;
	struct model_asking asking = {
		.choice = &reply->choice,
		.request = &w->request,
		.source = w->question->source,
		.source_id = w->question->execution.set ? w->question->execution
							: (struct opt_id){ true, agent->id },
		.deadline_ms = w->question->deadline_ms,
		.listen = w->question->listen,
		.arg = w->question->arg,
	};
	enum err e;

	reply->sent = true;
	e = model_ask(cx, &asking, &reply->answer);
	add_count(&in, reply->answer.tokens_in);
	add_count(&out, reply->answer.tokens_out);
	reply->answer.tokens_in = in;
	reply->answer.tokens_out = out;
	/* Half an answer that was held back for its content is no answer. */
	return e == OK && reply->answer.finish == MODEL_SAFETY ? ERR_AI_BLOCKED : e;
}

/* "<key>.<round>.<call>": the same when the same answer is worked on again. */
static struct str key_of(struct ctx *cx, const struct working *w, size_t n)
{
	return arena_printf(cx->arena, "%.*s.%d.%zu", STR_ARG(w->question->key), (int)w->round, n);
}

static enum err call_one(struct ctx *cx, struct working *w, size_t n, struct model_result *result)
{
	struct agent_reply *reply = w->reply;
	struct tool_order order = { .tools = &w->tools,
				    .call = &reply->answer.call[n],
				    .key = key_of(cx, w, n),
				    .deadline_ms = w->question->deadline_ms,
				    .guard = w->question->guard,
				    .arg = w->question->guard_arg };

	if (str_absent(order.key))
		return ERR_NO_MEMORY;
	if (reply->calls == AGENT_CALLS_MAX)
		return ERR_AI_ROUNDS;
	return tool_call(cx, &order, &w->done[reply->calls++], result);
}

static enum err call_tools(struct ctx *cx, struct working *w)
{
	const struct model_answer *answer = &w->reply->answer;
	struct model_result *results = arena_array(cx->arena, answer->calls, sizeof *results);
	size_t turns = w->request.turns;

	if (!results)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < answer->calls; i++)
		TRY(call_one(cx, w, i, &results[i]));
	w->turn[turns] = (struct model_turn){ .who = MODEL_MODEL,
					      .text = answer->text,
					      .call = answer->call,
					      .calls = answer->calls };
	w->turn[turns + 1] = (struct model_turn){ .who = MODEL_TOOL,
						  .result = results,
						  .results = answer->calls };
	w->request.turns += 2;
	return OK;
}

static enum err work(struct ctx *cx, const struct agent *agent, struct working *w)
{
	TRY(begin(cx, agent, w));
	for (w->round = 0; w->round < cx->config->ai_tool_rounds; w->round++) {
		TRY(ask(cx, agent, w));
		if (w->reply->answer.finish != MODEL_TOOLS)
			return OK;
		TRY(call_tools(cx, w));
	}
	return ERR_AI_ROUNDS;
}

static enum err fall_back(struct ctx *cx, const struct agent *agent, enum err e,
			  struct agent_reply *reply)
{
	if (!model_is_silent(e) || str_absent(agent->fallback))
		return e;
	problem_clear(&cx->problem);
	reply->fallback = true;
	reply->silence = e;
	reply->answer.text = agent->fallback;
	return OK;
}

enum err agent_begin(struct ctx *cx, const struct agent *agent, struct agent_reply *ret_reply)
{
	*ret_reply = (struct agent_reply){ .answer = { .text = STR("") } };
	return fall_back(cx, agent,
			 model_choose(cx, agent->provider, agent->model, agent->credential,
				      &ret_reply->choice),
			 ret_reply);
}

enum err agent_ask(struct ctx *cx, const struct agent *agent, const struct agent_question *question,
		   struct agent_reply *reply)
{
	struct working *w = ARENA_NEW(cx->arena, struct working);

	if (!w)
		return ERR_NO_MEMORY;
	*w = (struct working){ .question = question, .reply = reply };
	return fall_back(cx, agent, work(cx, agent, w), reply);
}

/* --- shown ---------------------------------------------------------------------------------------- */

static void write_call(struct json_writer *w, const struct tool_done *done)
{
	jw_object(w);
	if (done->tool)
		answer_id(w, "connector_id", ID_CONNECTOR, &done->tool->connector);
	else
		jw_put_null(w, "connector_id");
	jw_put_text(w, "method", done->method);
	jw_put_text(w, "path", str_utf8_cut(done->path, PATH_SHOWN));
	jw_put_int(w, "status", done->status);
	jw_object_end(w);
}

void agent_write_reply(struct json_writer *w, const struct agent_reply *reply)
{
	jw_put_text(w, "text", reply->answer.text);
	jw_put_bool(w, "fallback", reply->fallback);
	jw_key(w, "tool_calls");
	jw_array(w);
	for (size_t i = 0; i < reply->calls; i++)
		write_call(w, &reply->call[i]);
	jw_array_end(w);
	jw_put_text(w, "provider", reply->choice.provider);
	jw_put_text(w, "model", reply->choice.model);
	model_put_tokens(w, &reply->answer);
}
