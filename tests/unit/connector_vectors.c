#include "connector_vectors.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "connect/call.h"
#include "connect/values.h"
#include "crypt/encode.h"
#include "crypt_keys.h"

enum { TEXT_MAX = 64 << 10, PAIRS_MAX = 64 };

bool vector_fails(struct vector_run *run, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(run->why, sizeof run->why, format, args);
	va_end(args);
	return false;
}

/* --- calls --------------------------------------------------------------------- */

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Parameters in any order: both texts are cut at '?' and '&' and sorted. */
static bool same_parameters(const char *one, const char *other)
{
	char *copy[2] = { strdup(one), strdup(other) }, *part[2][PAIRS_MAX];
	size_t n[2] = { 0, 0 };
	bool same;

	for (int i = 0; i < 2; i++) {
		char *rest = copy[i];

		while (rest && n[i] < PAIRS_MAX)
			part[i][n[i]++] = strsep(&rest, "?&");
		qsort(part[i], n[i], sizeof part[i][0], by_text);
	}
	same = n[0] == n[1];
	for (size_t i = 0; same && i < n[0]; i++)
		same = strcmp(part[0][i], part[1][i]) == 0;
	free(copy[0]);
	free(copy[1]);
	return same;
}

static char *text_of(struct vector_run *run, struct str s)
{
	struct str copy = arena_printf(run->arena, "%.*s", STR_ARG(s));

	return (char *)(uintptr_t)copy.p;
}

static bool url_is(struct vector_run *run, const char *place, const struct call *call,
		   const char *want)
{
	const char *got = text_of(run, buf_str(&call->url));

	return same_parameters(got, want) ||
	       vector_fails(run, "%s: url %s, not %s", place, got, want);
}

/* Accept is what every request has, and Content-Type is told by the body's kind: the vectors leave both out. */
static bool headers_are(struct vector_run *run, const char *place, const struct call *call,
			const json_t *want)
{
	size_t counted = 0;
	const char *name;
	json_t *value;

	for (size_t i = 0; i < call->headers; i++) {
		const char *sent = call->headers_text.p + call->header[i].name_at;
		bool plain_accept =
			strcasecmp(sent, "Accept") == 0 &&
			str_eq(call_header_value(call, STR("Accept")), STR("application/json"));

		counted += !plain_accept && strcasecmp(sent, "Content-Type") != 0;
	}
	json_object_foreach((json_t *)(uintptr_t)want, name, value)
	{
		struct str got = call_header_value(call, str_of(name));

		if (!str_eq(got, str_of(json_string_value(value))))
			return vector_fails(run, "%s: header %s is \"%.*s\", not \"%s\"", place,
					    name, STR_ARG(got), json_string_value(value));
	}
	return counted == json_object_size(want) ||
	       vector_fails(run, "%s: %zu headers, not %zu", place, counted,
			    json_object_size(want));
}

static bool form_is(struct vector_run *run, const char *place, const struct call *call,
		    const json_t *want)
{
	BUF_AUTO struct buf text = { 0 };
	const char *name, *got = text_of(run, buf_str(&call->body));
	json_t *value;

	buf_init(&text, TEXT_MAX);
	json_object_foreach((json_t *)(uintptr_t)want, name, value)
	{
		if (text.n > 0)
			buf_add_char(&text, '&');
		buf_add_percent(&text, str_of(name));
		buf_add_char(&text, '=');
		buf_add_percent(&text, str_of(json_string_value(value)));
	}
	buf_add_char(&text, '\0');
	return buf_error(&text) == OK &&
	       (same_parameters(got, text.p) ||
		vector_fails(run, "%s: form %s, not %s", place, got, text.p));
}

static bool json_is(struct vector_run *run, const char *place, const struct call *call,
		    const json_t *want)
{
	json_t *got = json_loadb(call->body.p ? call->body.p : "", call->body.n, 0, NULL);
	bool same = json_equal(got, want);

	json_decref(got);
	return same || vector_fails(run, "%s: body %.*s", place, STR_ARG(buf_str(&call->body)));
}

static bool body_is(struct vector_run *run, const char *place, const struct call *call,
		    const json_t *want)
{
	const json_t *form = json_object_get(want, "form"), *json = json_object_get(want, "json");
	struct str type = call_header_value(call, STR("Content-Type"));

	if (form)
		return (str_eq(type, STR("application/x-www-form-urlencoded")) ||
			vector_fails(run, "%s: a form of the type %.*s", place, STR_ARG(type))) &&
		       form_is(run, place, call, form);
	if (json)
		return (str_eq(type, STR("application/json")) ||
			vector_fails(run, "%s: JSON of the type %.*s", place, STR_ARG(type))) &&
		       json_is(run, place, call, json);
	return call->body.n == 0 || vector_fails(run, "%s: there is a body", place);
}

/* GitHub's and Google's statements are signed: their claims are compared. */
static bool claims_are(struct vector_run *run, const char *place, struct str token,
		       const json_t *want)
{
	BUF_AUTO struct buf text = { 0 };
	struct str rest = token;
	json_t *got;
	bool same;

	buf_init(&text, TEXT_MAX);
	(void)str_cut(&rest, '.');
	if (base64url_decode(&text, str_cut(&rest, '.')) != OK)
		return vector_fails(run, "%s: no assertion", place);
	got = json_loadb(text.p, text.n, 0, NULL);
	same = json_equal(got, want);
	json_decref(got);
	return same || vector_fails(run, "%s: claims %.*s", place, STR_ARG(buf_str(&text)));
}

static bool assertion_is(struct vector_run *run, const char *place, const struct call *call,
			 const json_t *want)
{
	static const struct str
		BEARER = { "Bearer ", 7 },
		FORM = STR(
			"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
	bool in_form = str_starts(buf_str(&call->body), FORM);
	struct str token = call_header_value(call, STR("Authorization"));

	if (in_form != run->type->service_account.google)
		return vector_fails(run, "%s: the assertion is in the wrong place", place);
	token = in_form ? str_slice(buf_str(&call->body), FORM.n, SIZE_MAX)
			: str_slice(token, BEARER.n, SIZE_MAX);
	return claims_are(run, place, token, json_object_get(want, "assertion"));
}

bool vector_call_is(struct vector_run *run, const char *place, const struct call *call,
		    const json_t *want)
{
	const char *method = json_string_value(json_object_get(want, "method"));

	if (!want)
		return vector_fails(run, "%s: the vector doesn't say it", place);
	if (strcmp(call->method, method ? method : "GET") != 0)
		return vector_fails(run, "%s: method %s", place, call->method);
	if (!url_is(run, place, call, json_string_value(json_object_get(want, "url"))))
		return false;
	if (json_object_get(want, "assertion"))
		return assertion_is(run, place, call, want);
	return headers_are(run, place, call, json_object_get(want, "headers")) &&
	       body_is(run, place, call, want);
}

bool vector_request_is(struct vector_run *run, const char *place, const struct auth_way *way,
		       const struct request_spec *spec, const struct values *values,
		       const json_t *want)
{
	CALL_AUTO struct call call;
	struct str missing = STR_NONE;
	enum err e;

	call_init(&call);
	e = call_make(run->type, way, spec, values, VECTOR_NOW_MS, &call, &missing);
	if (e != OK)
		return vector_fails(run, "%s: it can't be made: %d (%.*s)", place, e,
				    STR_ARG(missing));
	return vector_call_is(run, place, &call, want);
}

/* --- all of it ------------------------------------------------------------------ */

static bool loads(struct vector_run *run, const char *id, struct str file,
		  struct catalog **ret_catalog)
{
	char words[CATALOG_WHY_MAX] = "";

	if (catalog_load_text(str_of(id), file, words, ret_catalog) != OK)
		return vector_fails(run, "it doesn't load: %s", words);
	run->type = catalog_find(*ret_catalog, str_of(id));
	return run->type || vector_fails(run, "it is another type");
}

bool vector_holds(struct arena *arena, const char *id, struct str file, const json_t *vector,
		  const json_t *shared, char why[VECTOR_WHY_MAX])
{
	struct vector_run run = { .arena = arena, .vector = vector, .shared = shared };
	struct catalog *catalog = NULL;
	bool good = loads(&run, id, file, &catalog) && vector_tokens_hold(&run) &&
		    vector_ways_hold(&run) && vector_fields_hold(&run) && vector_lists_hold(&run);

	memcpy(why, run.why, VECTOR_WHY_MAX);
	catalog_free(catalog);
	return good;
}
