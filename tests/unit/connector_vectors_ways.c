/* How a request carries what was filled in, and how the connection is tried. */
#include <stdio.h>
#include <string.h>

#include "connect/call.h"
#include "connect/template.h"
#include "connect/values.h"
#include "connect/verify.h"
#include "connector_vectors.h"

enum { PLACE_MAX = 120 };

static const char *const KINDS[] = { "http", "postgresql", "mysql", "smtp", "token", "none" };

static json_t *member(const json_t *object, const char *name)
{
	return json_object_get(object, name);
}

/* --- trying it ----------------------------------------------------------------------- */

static bool text_is(struct str got, const json_t *want)
{
	return want ? str_eq(got, str_of(json_string_value(want))) : got.n == 0;
}

static void put_headers(const struct call *call, const json_t *headers, struct http_answer *answer)
{
	for (size_t i = 0; i < call->wanteds; i++) {
		const char *value = json_string_value(
			json_object_getn(headers, call->wanted[i].p, call->wanted[i].n));

		snprintf(answer->wanted[i], sizeof answer->wanted[i], "%s", value ? value : "");
	}
}

/* One answer of the provider; a body that is a text is sent as it stands. */
static bool outcome_is(struct vector_run *run, const char *place, const struct verify_spec *spec,
		       const struct values *values, const struct call *call, const json_t *vector)
{
	const json_t *body = member(vector, "body"), *want = member(vector, "expect"),
		     *status = member(vector, "status");
	struct http_answer answer = { .status = status ? (int)json_integer_value(status) : 200,
				      .retry_after_s = -1 };
	char *text = json_is_string(body) ? strdup(json_string_value(body))
					  : json_dumps(body, JSON_COMPACT);
	const char *code = json_string_value(member(want, "code"));
	struct verify_outcome outcome = { 0 };
	bool good;

	snprintf(answer.content_type, sizeof answer.content_type, "application/json");
	put_headers(call, member(vector, "headers"), &answer);
	good = verify_answer_read(run->arena, spec, values, &answer, str_of(text), &outcome) == OK;
	if (!good || strcmp(verify_code_text(outcome.code), code ? code : "") != 0)
		good = vector_fails(run, "%s: %s gives \"%s\", not \"%s\"", place, text,
				    verify_code_text(outcome.code), code ? code : "");
	else if (!code && !text_is(outcome.account_id, member(want, "account_id")))
		good = vector_fails(run, "%s: %s: account %.*s", place, text,
				    STR_ARG(outcome.account_id));
	else if (!code && !text_is(outcome.account_label, member(want, "account_label")))
		good = vector_fails(run, "%s: %s: account's label %.*s", place, text,
				    STR_ARG(outcome.account_label));
	free(text);
	return good;
}

/* The answers of another way may be named instead of written once more. */
static const json_t *answers_of(struct vector_run *run, const json_t *verify)
{
	const json_t *answers = member(verify, "answers");
	const char *other = json_string_value(answers);

	return other ? member(member(member(member(run->vector, "ways"), other), "verify"),
			      "answers")
		     : answers;
}

static bool outcomes_are(struct vector_run *run, const char *place, const struct auth_way *way,
			 const struct verify_spec *spec, const struct values *values,
			 const json_t *want)
{
	const json_t *lists[] = { answers_of(run, want), member(run->shared, "verify") };
	CALL_AUTO struct call call;
	struct str missing = STR_NONE;
	json_t *answer;
	size_t n;

	call_init(&call);
	if (verify_request_make(run->type, way, spec, values, VECTOR_NOW_MS, &call, &missing) != OK)
		return vector_fails(run, "%s: it can't be made (%.*s)", place, STR_ARG(missing));
	if (!vector_call_is(run, place, &call, member(want, "request")))
		return false;
	for (size_t i = 0; i < 2; i++)
		json_array_foreach(lists[i], n,
				   answer) if (!outcome_is(run, place, spec, values, &call,
							   answer)) return false;
	return true;
}

/* A login or a token: the sources of its account are compared, for nothing is sent here. */
static bool sources_are(struct vector_run *run, const char *place, const struct texts *got,
			const json_t *want)
{
	if (got->n != json_array_size(want))
		return vector_fails(run, "%s: %zu sources", place, got->n);
	for (size_t i = 0; i < got->n; i++)
		if (!str_eq(got->v[i], str_of(json_string_value(json_array_get(want, i)))))
			return vector_fails(run, "%s: source %.*s", place, STR_ARG(got->v[i]));
	return true;
}

static bool verify_is(struct vector_run *run, const struct auth_way *way,
		      const struct values *values, const json_t *want)
{
	const struct verify_spec *spec = connector_verify(run->type, way);
	const char *kind = json_string_value(member(want, "kind"));
	const json_t *account = member(want, "account");
	char place[PLACE_MAX];

	snprintf(place, sizeof place, "ways.%s.verify", way->id.p);
	if (!spec || strcmp(KINDS[spec->kind], kind ? kind : "http") != 0)
		return vector_fails(run, "%s: it is another kind", place);
	if (spec->kind == VERIFY_HTTP)
		return outcomes_are(run, place, way, spec, values, want);
	return sources_are(run, place, &spec->account_id, json_array_get(account, 0)) &&
	       sources_are(run, place, &spec->account_label, json_array_get(account, 1));
}

/* --- a way -------------------------------------------------------------------------------- */

static bool requests_are(struct vector_run *run, const struct auth_way *way,
			 const struct values *values, const json_t *vector)
{
	const struct request_spec call = { .method = STR("GET"), .url = run->type->api_base };
	char place[PLACE_MAX];

	snprintf(place, sizeof place, "ways.%s.call", way->id.p);
	if (member(vector, "call") &&
	    !vector_request_is(run, place, way, &call, values, member(vector, "call")))
		return false;
	snprintf(place, sizeof place, "ways.%s.preview", way->id.p);
	if (member(vector, "preview") &&
	    !vector_request_is(run, place, way, &run->type->preview.request, values,
			       member(vector, "preview")))
		return false;
	return verify_is(run, way, values, member(vector, "verify"));
}

static bool way_is(struct vector_run *run, const struct auth_way *way)
{
	const json_t *vector = member(member(run->vector, "ways"), way->id.p);
	VALUES_AUTO struct values values;

	values_init(&values);
	if (!vector)
		return vector_fails(run, "ways.%s: the vector doesn't say it", way->id.p);
	return vector_values(run, way->id.p, &values) && requests_are(run, way, &values, vector);
}

/* --- a value that leads elsewhere ------------------------------------------------------------ */

static bool goes(struct vector_run *run, const struct auth_way *way,
		 const struct request_spec *spec, const struct values *values)
{
	CALL_AUTO struct call call;
	struct str missing;

	call_init(&call);
	return str_absent(spec->url) ||
	       call_make(run->type, way, spec, values, VECTOR_NOW_MS, &call, &missing) == OK;
}

static bool goes_everywhere(struct vector_run *run, const struct auth_way *way,
			    const struct values *values)
{
	const struct connector_type *type = run->type;
	const struct request_spec more[] = { { .url = type->api_base },
					     { .url = type->has_oauth2 ? type->oauth2.token_url
								       : STR_NONE } };
	const struct verify_spec *verify = connector_verify(type, way);

	return goes(run, way, &verify->request, values) && goes(run, way, &more[0], values) &&
	       goes(run, NULL, &more[1], values);
}

/* Whether every request of the type can be made, each way, with these values in place of its own. */
static bool all_go(struct vector_run *run, const json_t *instead)
{
	for (size_t i = 0; i < run->type->ways; i++) {
		VALUES_AUTO struct values values;
		const char *name;
		json_t *value;

		values_init(&values);
		if (!vector_values(run, run->type->way[i].id.p, &values))
			return false;
		json_object_foreach((json_t *)(uintptr_t)instead, name,
				    value) if (values_set(&values, str_of(name),
							  str_of(json_string_value(value))) !=
					       OK) return false;
		if (!goes_everywhere(run, &run->type->way[i], &values))
			return false;
	}
	return true;
}

/* `right` goes, `wrong` is stopped. */
static bool values_lead(struct vector_run *run, const char *list, bool right)
{
	json_t *item;
	size_t n;

	json_array_foreach(member(run->vector, list), n,
			   item) if (all_go(run, item) != right) return vector_fails(run, "%s[%zu]",
										     list, n);
	return true;
}

static bool preview_is(struct vector_run *run)
{
	const json_t *want = member(run->vector, "preview"), *body = member(want, "body"),
		     *rows = body;

	if (!want || !run->type->has_preview)
		return !want == !run->type->has_preview || vector_fails(run, "preview");
	if (run->type->preview.rows.n > 0)
		rows = json_at(body, run->type->preview.rows);
	return json_array_size(rows) == (size_t)json_integer_value(member(want, "rows")) ||
	       vector_fails(run, "preview: %zu rows", json_array_size(rows));
}

bool vector_ways_hold(struct vector_run *run)
{
	if (run->type->ways != json_object_size(member(run->vector, "ways")))
		return vector_fails(run, "there are %zu ways", run->type->ways);
	if (!preview_is(run))
		return false;
	for (size_t i = 0; i < run->type->ways; i++)
		if (!way_is(run, &run->type->way[i]))
			return false;
	return values_lead(run, "right", true) && values_lead(run, "wrong", false);
}
