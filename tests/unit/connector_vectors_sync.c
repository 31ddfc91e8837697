/* The lists that are pulled: each page's request, what is read of its answer, and where it goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect/call.h"
#include "connect/values.h"
#include "connector_vectors.h"
#include "sync/page.h"

enum { PLACE_MAX = 120 };

struct list_case {
	struct vector_run *run;
	const json_t *vector;
	const struct auth_way *way;
	const struct sync_spec *list;
	struct values values;
	struct sync_paths paths;
	char place[PLACE_MAX];
};

static json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

/* As if the values had never been given. */
static void forget(struct values *values, const json_t *names)
{
	json_t *name;
	size_t n;

	json_array_foreach((json_t *)(uintptr_t)names, n, name)
	{
		for (size_t i = values->n; i-- > 0;) {
			struct str is = { values->text.p + values->v[i].name_at,
					  values->v[i].name_n };

			if (str_eq(is, str_of(json_string_value(name))))
				values->v[i] = values->v[--values->n];
		}
	}
}

static const struct sync_spec *find(const struct list_case *c)
{
	struct str collection = str_of(json_string_value(member(c->vector, "collection")));
	const struct sync_spec *list;

	for (size_t n = 0; (list = sync_list(c->run->type, &c->values, n)); n++)
		if (str_eq(list->collection, collection))
			return list;
	return NULL;
}

/* `times`: the one row so often, with the ids 1, 2 ... */
static json_t *answer_of(const json_t *step)
{
	const json_t *answer = member(step, "answer"), *times = member(step, "times");
	json_t *all;

	if (!times)
		return json_incref((json_t *)(uintptr_t)answer);
	all = json_array();
	for (json_int_t i = 1; i <= json_integer_value(times); i++) {
		json_t *row = json_deep_copy(json_array_get(answer, 0));

		json_object_set_new(row, "id", json_integer(i));
		json_array_append_new(all, row);
	}
	return all;
}

static bool rows_are(struct list_case *c, const json_t *step, const struct sync_page *page)
{
	const json_t *want = member(step, "rows"), *times = member(step, "times");
	size_t rows = times ? (size_t)json_integer_value(times) : json_array_size(want);

	if (page->rows != rows || page->left_out > 0)
		return vector_fails(c->run, "%s: %zu rows", c->place, page->rows);
	for (size_t i = 0; i < json_array_size(want); i++) {
		const json_t *row = json_array_get(want, i);

		if (!str_eq(page->row[i].id, str_of(json_string_value(json_array_get(row, 0)))) ||
		    !str_eq(page->row[i].updated_at,
			    str_of(json_string_value(json_array_get(row, 1)))))
			return vector_fails(c->run, "%s: row %zu is %.*s of %.*s", c->place, i,
					    STR_ARG(page->row[i].id),
					    STR_ARG(page->row[i].updated_at));
	}
	return true;
}

static bool step_is(struct list_case *c, const json_t *step, bool last, struct sync_place *place)
{
	CALL_AUTO struct call call;
	struct sync_answer answer = { .link = str_of(json_string_value(member(step, "link"))) };
	struct sync_page page = { .rows = 0 };
	struct str missing = STR_NONE;
	json_t *body;
	enum err e;

	call_init(&call);
	if (sync_request(c->run->type, c->way, c->list, &c->values, place, VECTOR_NOW_MS, &call,
			 &missing) != OK)
		return vector_fails(c->run, "%s: it can't be asked for (%.*s)", c->place,
				    STR_ARG(missing));
	if (!vector_call_is(c->run, c->place, &call, member(step, "request")))
		return false;
	answer.json = body = answer_of(step);
	e = sync_read(c->run->arena, c->way, c->list, &c->values, &c->paths, place, &call, &answer,
		      &page);
	if (e != OK)
		vector_fails(c->run, "%s: %.*s", c->place, STR_ARG(page.code));
	bool good = e == OK && rows_are(c, step, &page);
	if (good && str_absent(page.next) != last)
		good = vector_fails(c->run, "%s: next is %.*s", c->place, STR_ARG(page.next));
	/* It is the answer's or the arena's, and the answer goes. */
	place->next = str_absent(page.next) ? STR_NONE : arena_copy(c->run->arena, page.next);
	place->page++;
	json_decref(body);
	return good;
}

static bool steps_are(struct list_case *c)
{
	const json_t *steps = member(c->vector, "steps");
	struct sync_place place = { .page = 0 };

	c->list = find(c);
	if (!c->list || json_array_size(steps) == 0)
		return !c->list == (json_array_size(steps) == 0) ||
		       vector_fails(c->run, "%s: the list", c->place);
	if (sync_paths(c->run->arena, c->list, &c->values, &c->paths) != OK)
		return vector_fails(c->run, "%s: its paths", c->place);
	for (size_t i = 0; i < json_array_size(steps); i++)
		if (!step_is(c, json_array_get(steps, i), i + 1 == json_array_size(steps), &place))
			return false;
	return true;
}

static bool case_is(struct vector_run *run, const json_t *vector, size_t n)
{
	struct list_case c = { .run = run, .vector = vector };
	const char *way = json_string_value(member(vector, "way"));
	bool good;

	snprintf(c.place, sizeof c.place, "sync[%zu]", n);
	c.way = connector_way(run->type, str_of(way));
	if (!c.way)
		return vector_fails(run, "%s: there is no such way", c.place);
	values_init(&c.values);
	good = vector_values(run, way, &c.values);
	forget(&c.values, member(vector, "without"));
	good = good && steps_are(&c);
	values_done(&c.values);
	return good;
}

bool vector_lists_hold(struct vector_run *run)
{
	const json_t *cases = member(run->vector, "sync");

	if ((run->type->syncs > 0) != (json_array_size(cases) > 0))
		return vector_fails(run, "sync: %zu lists", run->type->syncs);
	for (size_t i = 0; i < json_array_size(cases); i++)
		if (!case_is(run, json_array_get(cases, i), i))
			return false;
	return true;
}
