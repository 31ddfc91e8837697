#include "ai/speaking.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/answer.h"
#include "flow/say.h"
#include "live/live.h"

/* Each time is a commit: words a few times a second look like speech, and a reader isn't faster. */
enum { PAUSE_MS = 300, TEXT_MAX = 4 << 10, EVENT_MAX = 64 << 10 };

void speaking_init(struct speaking *speaking, struct ctx *cx, const struct audience *to)
{
	*speaking = (struct speaking){ .cx = cx, .to = *to, .said_ms = clock_now_ms() };
	buf_init(&speaking->text, (size_t)TEXT_MAX + MODEL_EVENT_MAX);
}

void speaking_done(struct speaking *speaking) { buf_done(&speaking->text); }

/* Opens the data of an event: {"node_id": ... */
static void open_data(const struct speaking *s, struct json_writer *w, struct buf *out)
{
	buf_init(out, EVENT_MAX);
	jw_start(w, out);
	jw_object(w);
	if (!str_absent(s->to.node))
		jw_put_text(w, "node_id", s->to.node);
}

/* Without an execution there is no record that it could have a number in. */
static enum err tell_unnumbered(struct speaking *s, const char *type, struct str data)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, EVENT_MAX + data.n);
	jw_start(&w, &text);
	jw_array(&w);
	jw_object(&w);
	jw_put_null(&w, "id");
	jw_put_null(&w, "number");
	jw_put_text(&w, "type", str_of(type));
	jw_put_null(&w, "execution_id");
	answer_time(&w, "at", clock_now_ms());
	jw_put_raw(&w, "data", data);
	jw_object_end(&w);
	jw_array_end(&w);
	TRY(buf_error(&text));
	if (live_tell(s->cx, &s->to.run.v, buf_str(&text)) != OK)
		log_write(LOG_WARN, "what a model said wasn't told to a run", LOG_NO_FIELDS);
	return OK;
}

static enum err say(struct speaking *s, const char *type, struct json_writer *w)
{
	struct said said = { .type = type };

	jw_object_end(w);
	TRY(buf_error(w->out));
	said.data = buf_str(w->out);
	s->said_ms = clock_now_ms();
	return s->to.execution.set ? execution_say(s->cx, &s->to.execution.v, s->to.run, &said, 1)
				   : tell_unnumbered(s, type, said.data);
}

/* One event of at most TEXT_MAX bytes, whole characters: however long a piece is, a reader gets it in portions. */
static enum err say_portion(struct speaking *s, struct str *rest)
{
	BUF_AUTO struct buf data = { 0 };
	struct json_writer w;
	size_t n = 0, step;

	while (n < TEXT_MAX && (step = str_utf8_step(*rest, n)) > 0)
		n += step;
	n = n > 0 ? n : rest->n;
	open_data(s, &w, &data);
	jw_put_text(&w, "text", str_slice(*rest, 0, n));
	*rest = str_slice(*rest, n, SIZE_MAX);
	return say(s, "ai:chunk", &w);
}

static enum err flush(struct speaking *s)
{
	struct str rest = buf_str(&s->text);

	while (rest.n > 0)
		TRY(say_portion(s, &rest));
	buf_clear(&s->text);
	return OK;
}

static enum err listen(void *arg, struct str text)
{
	struct speaking *s = arg;

	buf_add_str(&s->text, text);
	TRY(buf_error(&s->text));
	return s->text.n >= TEXT_MAX || clock_now_ms() - s->said_ms >= PAUSE_MS ? flush(s) : OK;
}

model_listener speaking_listener(const struct speaking *speaking)
{
	return speaking->to.run.set ? listen : NULL;
}

enum err speaking_begin(struct speaking *speaking, const struct model_choice *choice)
{
	BUF_AUTO struct buf data = { 0 };
	struct json_writer w;

	if (!speaking->to.run.set)
		return OK;
	open_data(speaking, &w, &data);
	jw_put_text(&w, "provider", choice->provider);
	jw_put_text(&w, "model", choice->model);
	if (speaking->to.attempt > 0)
		jw_put_int(&w, "attempt", speaking->to.attempt);
	return say(speaking, "ai:processing_start", &w);
}

enum err speaking_end(struct speaking *speaking, const struct model_answer *answer,
		      enum err outcome)
{
	BUF_AUTO struct buf data = { 0 };
	struct json_writer w;

	if (!speaking->to.run.set)
		return OK;
	TRY(flush(speaking));
	open_data(speaking, &w, &data);
	jw_put_bool(&w, "whole", outcome == OK && answer->whole);
	if (outcome == OK)
		jw_put_text(&w, "finish", str_of(model_finish_text(answer->finish)));
	else
		jw_put_text(&w, "code", str_of(err_code(outcome)));
	model_put_tokens(&w, answer);
	return say(speaking, "ai:processing_end", &w);
}
