/* for_each: its items are steps of their own, some at a time. */
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "flow/engine.h"

enum {
	AT_ONCE_MAX = 8,
	ROOM_LEAST = 16,
	ITEMS_OF_ALL_MAX = 5000 /* of one execution; its rows are read whenever a job takes it up */
};

/* Those that are known already, of the execution that this one repeats, stay. */
enum err each_set_items(struct execution *x, size_t step, size_t n)
{
	struct each *each = &x->each[step];
	struct step_state *item;

	if (n > each->room) {
		size_t room = n < ROOM_LEAST ? ROOM_LEAST : 2 * n;

		item = arena_array(x->arena, room, sizeof(*item));
		if (!item)
			return ERR_NO_MEMORY;
		if (each->n > 0)
			memcpy(item, each->item, each->n * sizeof(*item));
		each->item = item;
		each->room = room;
	}
	each->n = n;
	return OK;
}

static enum err read_list(struct execution *x, size_t step, struct str config)
{
	struct each *each = &x->each[step];
	json_t *json;

	TRY(json_read(x->arena, config, &json, NULL));
	each->list = json_member(json, "items");
	if (!json_is_kind(each->list, JSON_ARRAY))
		return ERR_STEP_CONFIG;
	if (!json_integer_of(json_member(json, "concurrency"), &each->at_once) || each->at_once < 1)
		each->at_once = 1;
	if (each->at_once > AT_ONCE_MAX)
		each->at_once = AT_ONCE_MAX;
	if (json_length(each->list) > FLOW_ITEMS_MAX)
		return ERR_TOO_MANY_ITEMS;
	return each_set_items(x, step, json_length(each->list));
}

enum err each_read_list(struct execution *x, size_t step)
{
	enum err e = read_list(x, step, x->step[step].state);

	return e == ERR_STEP_CONFIG || e == ERR_TOO_MANY_ITEMS ? ERR_INTERNAL : e;
}

enum err each_read_lists(struct execution *x)
{
	for (size_t i = 0; i < x->flow->n; i++)
		if (x->flow->step[i].type == STEP_FOR_EACH && !str_absent(x->step[i].state) && !x->each[i].list)
			TRY(each_read_list(x, i));
	return OK;
}

static size_t count_items(const struct execution *x)
{
	size_t n = 0;

	for (size_t i = 0; i < x->flow->n; i++)
		n += x->each[i].n;
	return n;
}

enum err each_begin(struct ctx *cx, struct execution *x, size_t step)
{
	BUF_AUTO struct buf config = { 0 };
	struct place place = { .step = step };
	enum err e;

	buf_init(&config, CONFIG_MAX);
	e = scope_config(cx, x, &x->flow->step[step], NULL, EXECUTION_OUTPUT_MAX, &config);
	if (e == OK)
		e = read_list(x, step, buf_str(&config));
	if (e == OK && count_items(x) > ITEMS_OF_ALL_MAX)
		e = ERR_TOO_MANY_ITEMS;
	if (e == OK && x->output_bytes + config.n > EXECUTION_TOTAL_MAX)
		e = ERR_EXECUTION_TOO_LARGE;
	if (e != OK)
		return step_fail_by(cx, x, place, e);
	x->step[step].state = arena_copy(x->arena, buf_str(&config));
	if (str_absent(x->step[step].state))
		return ERR_NO_MEMORY;
	x->output_bytes += config.n;
	x->pending_bytes += config.n;
	step_begin(x, place, STEP_WAITING);
	return OK;
}

static enum err begin_item(struct ctx *cx, struct execution *x, struct place place)
{
	const struct scope_item item = { json_item(x->each[place.step].list, place.item), place.item };

	if (step_type_kind(place_step(x, place)->type) == STEP_IS_PURE)
		return pure_run(cx, x, place, &item);
	step_begin(x, place, STEP_RUNNING);
	return OK;
}

static size_t count_under_way(const struct each *each)
{
	size_t n = 0;

	for (size_t i = 0; i < each->n; i++)
		n += each->item[i].status == STEP_RUNNING || each->item[i].status == STEP_WAITING;
	return n;
}

static const struct step_state *find_failed(const struct each *each)
{
	for (size_t i = 0; i < each->n; i++)
		if (each->item[i].status == STEP_FAILED)
			return &each->item[i];
	return NULL;
}

enum err each_output(const struct execution *x, size_t step, struct buf *out)
{
	const struct each *each = &x->each[step];
	struct json_writer w;

	jw_start(&w, out);
	jw_array(&w);
	for (size_t i = 0; i < each->n; i++)
		scope_output(&w, &each->item[i]);
	jw_array_end(&w);
	return buf_error(out);
}

static enum err conclude_each(struct execution *x, size_t step)
{
	const struct step_state *failed = find_failed(&x->each[step]);
	struct place place = { .step = step };
	BUF_AUTO struct buf out = { 0 };

	if (failed)
		return step_fail(x, place, failed->error_code, failed->error_message);
	buf_init(&out, 2 * EXECUTION_TOTAL_MAX);
	TRY(each_output(x, step, &out));
	return step_complete(x, place, buf_str(&out));
}

enum err each_advance(struct ctx *cx, struct execution *x, size_t step, bool ends)
{
	struct each *each = &x->each[step];
	size_t under_way = count_under_way(each), i = 0;

	ends = ends || find_failed(each);
	for (; i < each->n && !ends && under_way < (size_t)each->at_once; i++) {
		struct place place = { .step = step, .is_item = true, .item = i };

		if (each->item[i].status != STEP_NOT_BEGUN)
			continue;
		if (turn_is_full(x)) {
			x->more = true;
			return OK;
		}
		TRY(begin_item(cx, x, place));
		under_way += each->item[i].status == STEP_RUNNING;
		ends = each->item[i].status == STEP_FAILED;
	}
	if (under_way > 0)
		return OK;
	if (ends && !find_failed(each)) {
		step_cancel(x, (struct place){ .step = step });
		return OK;
	}
	return conclude_each(x, step);
}
