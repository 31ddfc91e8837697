#include "flow/trigger_input.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "core/query.h"
#include "fcgi/request.h"

enum { PAIRS_MAX = 200, HEADER_VALUE_MAX = 500 };

/* No other header is kept: it may be a secret, and each sender has its own names for those. */
static const char *const SAFE_HEADERS[] = { "accept",          "accept-language", "content-type",
					    "idempotency-key", "origin",          "referer",
					    "user-agent",      "x-event-id",      "x-event-type",
					    "x-github-event",  "x-request-id" };

struct pairs {
	size_t n;
	struct {
		struct str name, value;
	} v[PAIRS_MAX];
};

static enum err read_pairs(struct ctx *cx, struct str text, struct pairs *ret_pairs)
{
	struct str rest = text, name, value;
	enum err e;

	ret_pairs->n = 0;
	while ((e = query_next(&rest, cx->arena, &name, &value)) == OK) {
		if (ret_pairs->n == PAIRS_MAX)
			return ctx_fail(cx, ERR_BAD_REQUEST, "There are more than 200 parameters.");
		ret_pairs->v[ret_pairs->n].name = name;
		ret_pairs->v[ret_pairs->n++].value = value;
	}
	return e == ERR_END ? OK : e;
}

static size_t count_of(const struct pairs *pairs, struct str name, size_t before)
{
	size_t n = 0;

	for (size_t i = 0; i < before; i++)
		n += str_eq(pairs->v[i].name, name);
	return n;
}

static void write_pairs(struct json_writer *w, const struct pairs *pairs)
{
	jw_object(w);
	for (size_t i = 0; i < pairs->n; i++) {
		struct str name = pairs->v[i].name;

		if (count_of(pairs, name, i) > 0)
			continue;
		jw_key_str(w, name);
		if (count_of(pairs, name, pairs->n) == 1) {
			jw_add_text(w, pairs->v[i].value);
			continue;
		}
		jw_array(w);
		for (size_t k = i; k < pairs->n; k++)
			if (str_eq(pairs->v[k].name, name))
				jw_add_text(w, pairs->v[k].value);
		jw_array_end(w);
	}
	jw_object_end(w);
}

static enum err write_form(struct ctx *cx, struct json_writer *w, struct str text)
{
	struct pairs pairs;

	TRY(read_pairs(cx, text, &pairs));
	write_pairs(w, &pairs);
	return OK;
}

static enum err write_json(struct ctx *cx, struct json_writer *w, struct str body)
{
	json_t *json = NULL;

	TRY(json_read(cx->arena, body, &json, &cx->problem.detail));
	jw_add_tree(w, json);
	return OK;
}

static enum err write_text(struct ctx *cx, struct json_writer *w, struct str body)
{
	if (!str_is_utf8(body))
		return ctx_fail(cx, ERR_BAD_REQUEST,
				"The body is neither JSON, nor a form, nor text in UTF-8.");
	jw_object(w);
	jw_put_text(w, "body", body);
	jw_object_end(w);
	return OK;
}

static bool is_json(struct str content_type)
{
	struct str rest = content_type;

	return str_is_media_type(content_type, STR("application/json")) ||
	       (!str_absent(rest) && str_ends(str_trim(str_cut(&rest, ';')), STR("+json")));
}

enum err trigger_input(struct ctx *cx, struct buf *out)
{
	const struct request *request = cx->request;
	struct json_writer w;

	jw_start(&w, out);
	if (request->body.n == 0)
		TRY(write_form(cx, &w, request->query));
	else if (is_json(request->content_type))
		TRY(write_json(cx, &w, request->body));
	else if (str_is_media_type(request->content_type, STR("application/x-www-form-urlencoded")))
		TRY(write_form(cx, &w, request->body));
	else
		TRY(write_text(cx, &w, request->body));
	return buf_error(out);
}

enum err trigger_request(struct ctx *cx, struct buf *out)
{
	const struct request *request = cx->request;
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	jw_put_text(&w, "method", request->method);
	jw_key(&w, "headers");
	jw_object(&w);
	for (size_t i = 0; i < ARRAY_SIZE(SAFE_HEADERS); i++) {
		struct str value = request_header_named(request, str_of(SAFE_HEADERS[i]));

		if (str_eq(str_of(SAFE_HEADERS[i]), STR("content-type")))
			value = request->content_type;
		if (!str_absent(value) && str_is_utf8(value))
			jw_put_text(&w, SAFE_HEADERS[i], str_utf8_cut(value, HEADER_VALUE_MAX));
	}
	jw_object_end(&w);
	jw_key(&w, "query");
	TRY(write_form(cx, &w, request->query));
	jw_put_text(&w, "address", cx->address);
	jw_object_end(&w);
	return buf_error(out);
}
