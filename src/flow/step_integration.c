/* The step `integration`: what a connector's type can do by itself, its preview or one of its lists. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/blot.h"
#include "connect/preview.h"
#include "connect/sample.h"
#include "flow/execution.h"
#include "flow/reach.h"
#include "flow/step.h"
#include "flow/use.h"
#include "sync/pull.h"

enum { PAGES_MAX = 20, ROWS_MAX = 1000, ROWS_BYTES_MAX = EXECUTION_OUTPUT_MAX - 1024 };

/* --- the preview ---------------------------------------------------------------------------------------- */

static enum err preview(struct ctx *cx, struct step_run *run, struct reach *reach)
{
	BUF_AUTO struct buf rows = { 0 };
	struct json_writer w;
	bool truncated;

	if (!reach->type->has_preview)
		return ERR_NO_PREVIEW;
	buf_init(&rows, SAMPLE_BYTES + 64);
	if (reach->credential.set)
		TRY(step_note_use(cx, run, &reach->credential.v, reach->service));
	TRY(preview_read(cx, &reach->connected, &rows, &truncated));
	jw_start(&w, &run->output);
	jw_object(&w);
	jw_put_raw(&w, "rows", buf_str(&rows));
	jw_put_bool(&w, "truncated", truncated);
	jw_object_end(&w);
	return OK;
}

/* --- a list ------------------------------------------------------------------------------------------------ */

struct listing {
	struct step_run *run;
	struct reach *reach;
	const struct sync_spec *list;
	struct pulling pulling;
	struct json_writer w;
	size_t rows;
	bool truncated;
};

static const struct sync_spec *find_list(const struct reach *reach, struct str collection)
{
	const struct sync_spec *list;

	for (size_t n = 0; (list = sync_list(reach->type, &reach->values, n)); n++)
		if (str_eq(list->collection, collection))
			return list;
	return NULL;
}

/* A row that there is no room for ends the list. */
static enum err add_row(struct ctx *cx, struct listing *l, struct texts secrets, const json_t *row)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;
	enum err e;

	if (l->rows == ROWS_MAX) {
		l->truncated = true;
		return ERR_END;
	}
	buf_init(&text, ROWS_BYTES_MAX - (l->run->output.n < ROWS_BYTES_MAX ? l->run->output.n : ROWS_BYTES_MAX));
	jw_start(&w, &text);
	e = blot_json(cx->arena, secrets, row, &w);
	if (e == ERR_TOO_BIG) {
		l->truncated = true;
		return ERR_END;
	}
	TRY(e);
	jw_add_raw(&l->w, buf_str(&text));
	l->rows++;
	return OK;
}

static enum err add_page(struct ctx *cx, struct listing *l, const struct pulled *pulled)
{
	struct texts secrets;

	TRY(reach_secrets(cx, l->reach, &pulled->call, &secrets));
	for (size_t i = 0; i < pulled->page.rows; i++)
		TRY(add_row(cx, l, secrets, pulled->page.row[i].json));
	return str_absent(pulled->page.next) ? ERR_END : OK;
}

/* Lists are asked for by requests that change nothing: trying again is safe. */
static enum err in_trouble(struct ctx *cx, struct listing *l, const struct trouble *trouble)
{
	struct step_run *run = l->run;

	run->hopeless = trouble->kind != TROUBLE_PASSES;
	run->unsent = true;
	if (trouble->retry_at > cx->now_ms)
		run->retry_after_ms = trouble->retry_at - cx->now_ms;
	cx->problem.detail = arena_copy(cx->arena, trouble->words);
	return str_eq(trouble->code, STR("HOST_FORBIDDEN")) ? ERR_HOST_FORBIDDEN : ERR_UPSTREAM;
}

/* ERR_END: there is no further page, or no room for one. */
static enum err pull(struct ctx *cx, struct listing *l, struct sync_place *place)
{
	PULLED_AUTO struct pulled pulled;
	struct trouble trouble;

	pulled_init(&pulled);
	pulled.call.timeout_ms = step_left_ms(l->run);
	TRY(pull_page(cx, &l->pulling, l->list, place, &pulled, &trouble));
	if (trouble.kind != TROUBLE_NONE)
		return in_trouble(cx, l, &trouble);
	TRY(add_page(cx, l, &pulled));
	place->page++;
	place->next = arena_copy(cx->arena, pulled.page.next);
	return str_absent(place->next) ? ERR_NO_MEMORY : OK;
}

static enum err pull_all(struct ctx *cx, struct listing *l)
{
	struct sync_place place = { .next = STR_NONE };
	enum err e = OK;

	jw_start(&l->w, &l->run->output);
	jw_object(&l->w);
	jw_key(&l->w, "rows");
	jw_array(&l->w);
	for (int i = 0; i < PAGES_MAX && e == OK; i++)
		e = pull(cx, l, &place);
	if (e != OK && e != ERR_END)
		return e;
	jw_array_end(&l->w);
	jw_put_bool(&l->w, "truncated", l->truncated || e == OK);
	jw_object_end(&l->w);
	return OK;
}

static enum err list(struct ctx *cx, struct step_run *run, struct reach *reach, struct str collection)
{
	struct listing l = { .run = run, .reach = reach };
	enum err e;

	TRY(reach_open(cx, run, reach));
	l.list = find_list(reach, collection);
	if (!l.list)
		return ctx_fail(cx, ERR_NO_SYNC, "The connector's type declares no list of that name.");
	/* The values are lent: what a pull needs of a reach. */
	l.pulling = (struct pulling){ .type = reach->type, .way = reach->way, .values = reach->values };
	e = pull_all(cx, &l);
	if (e != OK)
		buf_clear(&run->output);
	return e;
}

/* --- both -------------------------------------------------------------------------------------------------- */

static enum err perform(struct ctx *cx, struct step_run *run, struct reach *reach)
{
	static const struct str LIST = STR("list:");
	struct str action = json_member_text(run->config, "action");

	TRY(reach_connector(cx, json_member_text(run->config, "connector_id"), reach));
	if (str_eq(action, STR("preview")))
		return preview(cx, run, reach);
	if (str_starts(action, LIST))
		return list(cx, run, reach, str_slice(action, LIST.n, SIZE_MAX));
	return step_wrong(cx, run, "`action` is preview, or list: and the name of a collection.");
}

enum err step_integration(struct ctx *cx, struct step_run *run)
{
	REACH_AUTO struct reach reach;
	enum err e;

	reach_init(&reach);
	e = perform(cx, run, &reach);
	return run->hopeless || run->unsent ? e : reach_failed(cx, run, e);
}
