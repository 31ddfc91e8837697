/* The step `ai`: one question to a model. Its output is the answer; with `json` it is the value that was answered. */
#include "ai/generate.h"
#include "base/json_read.h"
#include "flow/step.h"
#include "flow/use.h"

static struct opt_int count_member(const json_t *config, const char *name)
{
	struct opt_int count = { 0 };

	count.set = json_integer_of(json_member(config, name), &count.v);
	return count;
}

static bool flag_member(const json_t *config, const char *name)
{
	bool flag = false;

	return json_bool_of(json_member(config, name), &flag) && flag;
}

static const json_t *value_member(const json_t *config, const char *name)
{
	const json_t *value = json_member(config, name);

	return json_is_kind(value, JSON_NULL) ? NULL : value;
}

static enum err read_config(struct ctx *cx, const struct step_run *run, struct question *ret)
{
	struct str credential = json_member_text(run->config, "credential_id");

	*ret = (struct question){
		.prompt = json_member_text(run->config, "prompt"),
		.system = json_member_text(run->config, "system"),
		.provider = json_member_text(run->config, "provider"),
		.model = json_member_text(run->config, "model"),
		.history = value_member(run->config, "history"),
		.knowledge = flag_member(run->config, "knowledge"),
		.json = flag_member(run->config, "json"),
		.schema = value_member(run->config, "schema"),
		.max_output_tokens = count_member(run->config, "max_output_tokens"),
		.source = "step",
		.source_id = { true, run->execution },
		.deadline_ms = run->deadline_ms,
		.to = { .run = run->run,
			.execution = { true, run->execution },
			.node = run->step_id,
			.attempt = run->attempt },
	};
	if (ret->prompt.n == 0)
		return ctx_fail(cx, ERR_BAD_INPUT, "The prompt is empty, or no text.");
	ret->credential.set = id_parse(ID_CREDENTIAL, credential, &ret->credential.v);
	return OK;
}

static void write_output(const struct generated *g, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	if (g->value) {
		jw_add_tree(&w, g->value);
		return;
	}
	jw_object(&w);
	jw_put_text(&w, "text", g->answer.text);
	jw_put_text(&w, "finish", str_of(model_finish_text(g->answer.finish)));
	jw_put_bool(&w, "fallback", false);
	jw_put_text(&w, "provider", g->choice.provider);
	jw_put_text(&w, "model", g->choice.model);
	model_put_tokens(&w, &g->answer);
	jw_object_end(&w);
}

/* A text stands where the model's would; anything else is the output itself. */
static void write_fallback(const json_t *fallback, bool json, enum err silence, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	if (json || !json_is_kind(fallback, JSON_STRING)) {
		jw_add_tree(&w, fallback);
		return;
	}
	jw_object(&w);
	jw_put_text(&w, "text", json_text(fallback));
	jw_put_bool(&w, "fallback", true);
	jw_put_text(&w, "code", str_of(err_code(silence)));
	jw_object_end(&w);
}

static enum err ask(struct ctx *cx, struct step_run *run, const struct question *question,
		    struct generated *generated)
{
	TRY(question_choose(cx, question, generated));
	TRY(step_note_use(cx, run, &generated->choice.credential, generated->choice.provider));
	return question_ask(cx, question, generated);
}

enum err step_ai(struct ctx *cx, struct step_run *run)
{
	struct generated generated = { .sent = false };
	const json_t *fallback = value_member(run->config, "fallback");
	struct question question;
	enum err e = read_config(cx, run, &question);

	if (e == OK)
		e = ask(cx, run, &question, &generated);
	if (e == OK) {
		write_output(&generated, &run->output);
		return OK;
	}
	/* Asking once more costs a little and changes nothing. */
	run->unsent = model_may_answer_later(e);
	run->hopeless = !run->unsent && (model_is_silent(e) || e == ERR_BAD_INPUT);
	run->retry_after_ms = cx->problem.retry_after_s * 1000;
	if (!fallback || !model_is_silent(e))
		return e;
	problem_clear(&cx->problem);
	write_fallback(fallback, question.json, e, &run->output);
	return OK;
}
