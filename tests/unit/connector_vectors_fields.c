/* What a person fills in: each field's flags, and the credential's data that comes of it. */
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "connect/values.h"
#include "connector_vectors.h"
#include "core/ctx.h"
#include "crypt_keys.h"

enum { DATA_MAX = 256 << 10 };

static json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

/* $RSA_KEY in a text stands for the private key of RFC 7515, appendix A.2. */
static json_t *with_key(json_t *value)
{
	const char *text = json_string_value(value), *at = text ? strstr(text, "$RSA_KEY") : NULL;
	bool in_json = text && text[0] == '{';
	BUF_AUTO struct buf out = { 0 };

	if (!at)
		return json_incref(value);
	buf_init(&out, DATA_MAX);
	buf_add(&out, text, (size_t)(at - text));
	for (const char *c = RFC7515_RSA_PRIVATE; *c; c++)
		buf_add_c(&out, in_json && *c == '\n' ? "\\n" : (char[]){ *c, '\0' });
	buf_add_c(&out, at + strlen("$RSA_KEY"));
	return json_stringn(out.p, out.n);
}

static json_t *with_keys(const json_t *object)
{
	json_t *copy = json_object(), *value;
	const char *name;

	json_object_foreach((json_t *)(uintptr_t)object, name, value)
		json_object_set_new(copy, name, with_key(value));
	return copy;
}

/* --- fields ---------------------------------------------------------------------- */

static bool field_is(struct vector_run *run, const struct connector_field *f)
{
	const char *want = json_string_value(member(member(run->vector, "fields"), f->name.p));
	const json_t *choices = member(member(run->vector, "choices"), f->name.p);
	char got[80];

	snprintf(got, sizeof got, "%s%s%s%s", f->required ? " required" : "",
		 f->secret ? " secret" : "", f->integer ? " integer" : "",
		 f->multiline ? " multiline" : "");
	if (!want || strcmp(got[0] ? got + 1 : got, want) != 0)
		return vector_fails(run, "fields.%s is \"%s\"", f->name.p, got);
	if (f->choices.n != json_array_size(choices))
		return vector_fails(run, "choices.%s has %zu items", f->name.p, f->choices.n);
	for (size_t i = 0; i < f->choices.n; i++)
		if (!str_eq(f->choices.v[i], str_of(json_string_value(json_array_get(choices, i)))))
			return vector_fails(run, "choices.%s[%zu]", f->name.p, i);
	return true;
}

static bool fields_are(struct vector_run *run)
{
	if (run->type->fields != json_object_size(member(run->vector, "fields")))
		return vector_fails(run, "there are %zu fields", run->type->fields);
	for (size_t i = 0; i < run->type->fields; i++)
		if (!field_is(run, &run->type->field[i]))
			return false;
	return true;
}

/* --- what was filled in, as a credential's data ------------------------------------ */

struct filled {
	struct vector_run *run;
	const struct auth_way *way;
	const json_t *vector; /* of the way */
	struct ctx cx;
};

static bool wants_data(struct filled *f, json_t *config, json_t **ret_data)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, DATA_MAX);
	problem_clear(&f->cx.problem);
	*ret_data = NULL;
	if (values_to_data(&f->cx, f->run->type, f->way, config, &text) != OK)
		return false;
	*ret_data = json_loadb(text.p, text.n, 0, NULL);
	return true;
}

static bool takes(struct filled *f)
{
	json_t *config = with_keys(member(f->vector, "config")),
	       *want = with_keys(member(f->vector, "data")), *data;
	bool taken = wants_data(f, config, &data), same = taken && json_equal(data, want);

	if (!same)
		vector_fails(f->run, "ways.%s.config: %s", f->way->id.p,
			     taken                     ? "it becomes other data"
			     : f->cx.problem.count > 0 ? f->cx.problem.field[0].field.p
						       : "it is refused");
	json_decref(config);
	json_decref(want);
	json_decref(data);
	return same;
}

static bool is_among_problems(const struct filled *f, const char *field)
{
	for (size_t i = 0; i < f->cx.problem.count; i++)
		if (str_eq(str_slice(f->cx.problem.field[i].field, strlen("config."), SIZE_MAX),
			   str_of(field)))
			return true;
	return false;
}

/* `config` has a value for each field that the way asks for, but for those with a default. */
static bool asks(struct filled *f)
{
	const json_t *config = member(f->vector, "config");

	for (size_t i = 0; i < f->run->type->fields; i++) {
		const struct connector_field *field = &f->run->type->field[i];

		if (connector_asks(f->way, field) && str_absent(field->default_value) &&
		    !member(config, field->name.p))
			return vector_fails(f->run, "ways.%s.config: %s isn't there", f->way->id.p,
					    field->name.p);
	}
	return true;
}

/* Nothing filled in: exactly what is required is missing. Bad values: exactly those are refused. */
static bool refuses(struct filled *f)
{
	const json_t *refused = member(f->vector, "refused");
	json_t *none = json_object(), *bad = with_keys(member(f->vector, "config")), *data, *name;
	bool good = true;
	size_t i;

	(void)wants_data(f, none, &data);
	json_decref(data);
	for (i = 0; good && i < f->run->type->fields; i++) {
		const struct connector_field *field = &f->run->type->field[i];
		bool needed = field->required && connector_asks(f->way, field) &&
			      str_absent(field->default_value);

		if (needed != is_among_problems(f, field->name.p))
			good = vector_fails(f->run, "ways.%s: %s is%s required", f->way->id.p,
					    field->name.p, needed ? "n't" : "");
	}
	json_array_foreach(refused, i, name)
		json_object_set_new(bad, json_string_value(name), json_string("no *good*"));
	(void)wants_data(f, bad, &data);
	json_decref(data);
	if (good && f->cx.problem.count != json_array_size(refused))
		good = vector_fails(f->run, "ways.%s.refused: %zu fields", f->way->id.p,
				    f->cx.problem.count);
	json_array_foreach(refused, i,
			   name) if (good && !is_among_problems(f, json_string_value(name))) good =
		vector_fails(f->run, "ways.%s.refused: %s is taken", f->way->id.p,
			     json_string_value(name));
	json_decref(none);
	json_decref(bad);
	return good;
}

bool vector_values(struct vector_run *run, const char *way, struct values *values)
{
	const json_t *vector = member(member(run->vector, "ways"), way);
	json_t *data = with_keys(member(vector, "data")), *value;
	bool good = values_read(run->type, data, values) == OK;
	const char *name;

	json_object_foreach(member(vector, "values"), name, value) good =
		good && values_set(values, str_of(name), str_of(json_string_value(value))) == OK;
	json_decref(data);
	return good || vector_fails(run, "ways.%s: no values", way);
}

bool vector_fields_hold(struct vector_run *run)
{
	if (!fields_are(run))
		return false;
	for (size_t i = 0; i < run->type->ways; i++) {
		const struct auth_way *way = &run->type->way[i];
		struct filled f = { .run = run, .way = way };

		f.vector = member(member(run->vector, "ways"), way->id.p);
		f.cx.arena = run->arena;
		if (!f.vector)
			return vector_fails(run, "ways.%s: the vector doesn't say it", way->id.p);
		if (!asks(&f) || !takes(&f) || !refuses(&f))
			return false;
	}
	return true;
}
