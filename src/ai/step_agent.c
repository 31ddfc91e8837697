/* The step `agent`: a named agent works on an input. */
#include "ai/agent.h"
#include "ai/speaking.h"
#include "base/json_read.h"
#include "core/answer.h"
#include "flow/step.h"
#include "flow/use.h"

static enum err note_tool(struct ctx *cx, void *arg, const struct tool *tool)
{
	const struct step_run *run = arg;

	return tool->credential.set ? step_note_use(cx, run, &tool->credential.v, tool->type->id)
				    : OK;
}

static enum err ask(struct ctx *cx, struct step_run *run, const struct agent *agent,
		    struct str input, struct agent_reply *reply)
{
	const struct audience to = { .run = run->run,
				     .execution = { true, run->execution },
				     .node = run->step_id,
				     .attempt = run->attempt };
	const struct model_turn turn = { .who = MODEL_USER, .text = input };
	struct speaking speaking;
	struct agent_question question = { .input = input,
					   .turn = &turn,
					   .turns = 1,
					   .source = "step",
					   .execution = { true, run->execution },
					   .key = run->effect_key,
					   .deadline_ms = run->deadline_ms,
					   .guard = note_tool,
					   .arg = &speaking,
					   .guard_arg = run };
	enum err e, told;

	TRY(step_note_use(cx, run, &reply->choice.credential, reply->choice.provider));
	speaking_init(&speaking, cx, &to);
	question.listen = speaking_listener(&speaking);
	e = speaking_begin(&speaking, &reply->choice);
	if (e == OK) {
		e = agent_ask(cx, agent, &question, reply);
		told = speaking_end(&speaking, &reply->answer, e);
		e = e == OK ? told : e;
	}
	speaking_done(&speaking);
	return e;
}

static void write_output(const struct agent *agent, const struct agent_reply *reply,
			 struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	answer_id(&w, "agent_id", ID_AGENT, &agent->id);
	agent_write_reply(&w, reply);
	jw_object_end(&w);
}

static enum err work(struct ctx *cx, struct step_run *run, struct agent_reply *reply)
{
	struct str input = json_member_text(run->config, "input");
	struct agent agent;
	enum err e = agent_find(cx, json_member_text(run->config, "agent"), &agent);

	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_NOT_FOUND, "There is no such agent.");
	TRY(e);
	if (input.n == 0)
		return ctx_fail(cx, ERR_BAD_INPUT, "The input is empty, or no text.");
	TRY(agent_begin(cx, &agent, reply));
	if (!reply->fallback)
		TRY(ask(cx, run, &agent, input, reply));
	write_output(&agent, reply, &run->output);
	return OK;
}

enum err step_agent(struct ctx *cx, struct step_run *run)
{
	struct agent_reply reply = { .calls = 0 };
	enum err e = work(cx, run, &reply);

	if (e == OK)
		return OK;
	/* Tools may have changed something: only a question that led to none is asked again by itself. */
	run->unsent = reply.calls == 0 && model_may_answer_later(e);
	run->hopeless = (model_is_silent(e) && !model_may_answer_later(e)) || e == ERR_NOT_FOUND ||
			e == ERR_BAD_INPUT;
	run->retry_after_ms = cx->problem.retry_after_s * 1000;
	return e;
}
