#include "ai/tool.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/blot.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "connect/connection_values.h"
#include "connect/connector.h"
#include "net/egress.h"

enum { BODY_MAX = 128 << 10, NAME_MAX_BYTES = 48, QUOTED_MAX = 12 << 10 };

/* --- which there are ----------------------------------------------------------------------------- */

static const char PARAMETERS[] =
	"{\"type\":\"object\",\"properties\":{"
	"\"method\":{\"type\":\"string\",\"enum\":[\"GET\",\"POST\",\"PUT\",\"PATCH\",\"DELETE\"]},"
	"\"path\":{\"type\":\"string\",\"description\":\"Begins with a slash; may have a query\"},"
	"\"body\":{\"type\":\"object\",\"description\":\"Sent as JSON\"}},"
	"\"required\":[\"method\",\"path\"]}";

static bool can_be_called(const struct tool *tool, const struct connector *c)
{
	return tool->type && tool->way && tool->type->api_base.n > 0 &&
	       !str_eq(c->status, STR("disabled")) && !str_eq(c->status, STR("needs_reconnect"));
}

static bool has_name(const struct tools *tools, struct str name)
{
	for (size_t i = 0; i < tools->n; i++)
		if (str_eq(tools->v[i].name, name))
			return true;
	return false;
}

/* The type's id, with a number for the second one: what models may call a function has no other characters. */
static struct str name_of(struct ctx *cx, const struct tools *tools,
			  const struct connector_type *type)
{
	const struct str id = str_slice(type->id, 0, NAME_MAX_BYTES);
	struct str name = id;

	for (int n = 2; !str_absent(name) && has_name(tools, name); n++)
		name = arena_printf(cx->arena, "%.*s_%d", STR_ARG(id), n);
	return name;
}

static enum err add(struct ctx *cx, const struct id *connector, const json_t *parameters,
		    struct tools *tools)
{
	struct tool tool = { .connector = *connector };
	struct connector c;
	enum err e = connector_read(cx, connector, &c);

	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	tool.credential = c.credential;
	tool.type = catalog_find(cx->catalog, c.type);
	tool.way = tool.type ? connector_way(tool.type, c.auth) : NULL;
	if (!can_be_called(&tool, &c))
		return OK;
	tool.name = name_of(cx, tools, tool.type);
	tool.description = arena_printf(
		cx->arena,
		"Sends a request to the API of %.*s (%.*s) below its address %.*s, signed in as \"%.*s\".",
		STR_ARG(tool.type->name), STR_ARG(tool.type->summary), STR_ARG(tool.type->api_base),
		STR_ARG(c.display_name));
	if (str_absent(tool.name) || str_absent(tool.description))
		return ERR_NO_MEMORY;
	tools->model[tools->n] = (struct model_tool){ tool.name, tool.description, parameters };
	tools->v[tools->n++] = tool;
	return OK;
}

enum err tools_load(struct ctx *cx, const struct id *connector, size_t n, struct tools *ret_tools)
{
	json_t *parameters;

	ret_tools->n = 0;
	if (n == 0)
		return OK;
	TRY(json_read(cx->arena, str_of(PARAMETERS), &parameters, NULL));
	for (size_t i = 0; i < n && ret_tools->n < AGENT_TOOLS_MAX; i++)
		TRY(add(cx, &connector[i], parameters, ret_tools));
	return OK;
}

/* --- a call --------------------------------------------------------------------------------------- */

struct calling {
	const struct tool_order *order;
	const struct tool *tool;
	struct str method, path;
	const json_t *body;
	struct call call;
	struct values values;
	struct buf answer;
	struct http_answer http;
};

static enum err failed(struct model_result *result, const char *words)
{
	result->failed = true;
	result->content = str_of(words);
	return OK;
}

/* What the other side or the connection is to blame for: the model may try something else, or say so. */
static bool is_theirs(enum err e)
{
	switch (e) {
	case ERR_UPSTREAM:
	case ERR_UPSTREAM_TIMEOUT:
	case ERR_PROVIDER_BUSY:
	case ERR_HOST_FORBIDDEN:
	case ERR_NEEDS_RECONNECT:
	case ERR_NOT_CONNECTED:
	case ERR_NO_TOKEN_HERE:
	case ERR_OAUTH_NO_CLIENT:
	case ERR_OAUTH_REFUSED: return true;
	default: return false;
	}
}

static const char *read_arguments(struct ctx *cx, struct str arguments, struct calling *c)
{
	json_t *tree = NULL;

	if (json_read(cx->arena, arguments, &tree, NULL) != OK)
		return "The arguments can't be read.";
	c->method = json_member_text(tree, "method");
	c->path = json_member_text(tree, "path");
	c->body = json_member(tree, "body");
	if (str_absent(c->method))
		return "The method is missing.";
	if (!call_path_ok(c->path))
		return "The path must begin with a slash, stay below the address and have its odd characters encoded.";
	if (c->body && !json_is_kind(c->body, JSON_OBJECT) && !json_is_kind(c->body, JSON_ARRAY))
		return "The body must be an object or a list.";
	return NULL;
}

/* Behind the templates, as it is: what a model wrote is never filled in. A path that is good has no braces. */
static enum err add_body(struct calling *c)
{
	struct json_writer w;

	if (!c->body)
		return OK;
	buf_done(&c->call.body);
	buf_init(&c->call.body, BODY_MAX);
	jw_start(&w, &c->call.body);
	jw_add_tree(&w, c->body);
	c->call.has_body = true;
	TRY(buf_error(&c->call.body));
	return str_absent(call_header_value(&c->call, STR("Content-Type")))
		       ? call_header(&c->call, "Content-Type", STR("application/json"))
		       : OK;
}

static enum err make(struct ctx *cx, struct calling *c)
{
	const struct connector_type *type = c->tool->type;
	struct str missing = STR_NONE;
	struct request_spec spec = { .method = c->method };

	spec.url = arena_printf(cx->arena, "%.*s%.*s", STR_ARG(type->api_base), STR_ARG(c->path));
	if (str_absent(spec.url))
		return ERR_NO_MEMORY;
	/* A signature covers the body, which isn't there yet. */
	if (c->tool->way->aws_sigv4 && c->body)
		return ERR_BAD_INPUT;
	TRY(call_make(type, c->tool->way, &spec, &c->values, cx->now_ms, &c->call, &missing));
	if (!str_eq(c->method, STR("GET")))
		TRY(call_header(&c->call, "Idempotency-Key", c->order->key));
	return add_body(c);
}

/* JSON as it is, if there is room for it; else the beginning as text. */
static void write_body(struct ctx *cx, struct json_writer *w, struct str body)
{
	json_t *tree;

	if (body.n <= QUOTED_MAX && json_read(cx->arena, body, &tree, NULL) == OK) {
		jw_key(w, "body");
		jw_add_tree(w, tree);
		return;
	}
	jw_put_text(w, "body", str_utf8_cut(body, QUOTED_MAX));
	if (body.n > QUOTED_MAX)
		jw_put_bool(w, "truncated", true);
}

static enum err write_result(struct ctx *cx, struct calling *c, struct model_result *result)
{
	struct str secret[CONNECTION_SECRETS_MAX], text;
	struct texts secrets = connection_secrets(c->tool->type, &c->values, &c->call, secret);
	BUF_AUTO struct buf out = { 0 };
	struct json_writer w;

	buf_init(&out, (size_t)TOOL_RESULT_MAX * 4);
	jw_start(&w, &out);
	jw_object(&w);
	jw_put_int(&w, "status", c->http.status);
	write_body(cx, &w, buf_str(&c->answer));
	jw_object_end(&w);
	TRY(buf_error(&out));
	text = buf_str(&out);
	TRY(blot_spellings(cx->arena, secrets, &secrets));
	TRY(blot_text(cx->arena, secrets, &text));
	result->content = arena_copy(cx->arena, text);
	result->failed = c->http.status >= 400;
	return str_absent(result->content) ? ERR_NO_MEMORY : OK;
}

/* No longer than other calls, and not beyond the deadline. */
static enum err set_time(const struct ctx *cx, struct calling *c)
{
	int64_t left = c->order->deadline_ms - clock_now_ms();

	if (c->order->deadline_ms == 0)
		return OK;
	if (left <= 0)
		return ERR_AI_TIMEOUT;
	if (left < egress_timeout_ms(cx->egress))
		c->call.timeout_ms = (int)left;
	return OK;
}

/* What the connection or the other side is to blame for. */
static enum err call_out(struct ctx *cx, struct calling *c)
{
	struct opt_int version;
	enum err e;

	TRY(connection_values(cx, c->tool->type, c->tool->way, c->tool->credential, &c->values,
			      &version));
	e = make(cx, c);
	if (e == ERR_BAD_INPUT || e == ERR_TOO_BIG)
		return ERR_UPSTREAM;
	TRY(e);
	TRY(set_time(cx, c));
	return call_send(cx, &c->call, &c->answer, &c->http);
}

static enum err perform(struct ctx *cx, struct calling *c, struct model_result *result)
{
	enum err e = c->order->guard ? c->order->guard(cx, c->order->arg, c->tool) : OK;

	TRY(e);
	e = call_out(cx, c);
	if (is_theirs(e)) {
		problem_clear(&cx->problem);
		return failed(result, err_words(e));
	}
	TRY(e);
	return write_result(cx, c, result);
}

static const struct tool *find(const struct tools *tools, struct str name)
{
	for (size_t i = 0; tools && i < tools->n; i++)
		if (str_eq(tools->v[i].name, name))
			return &tools->v[i];
	return NULL;
}

enum err tool_call(struct ctx *cx, const struct tool_order *order, struct tool_done *ret_done,
		   struct model_result *ret_result)
{
	struct calling c = { .order = order, .tool = find(order->tools, order->call->name) };
	const char *wrong;
	enum err e;

	*ret_done = (struct tool_done){ .tool = c.tool };
	*ret_result = (struct model_result){ .id = order->call->id, .name = order->call->name };
	if (!c.tool)
		return failed(ret_result, "There is no such tool.");
	wrong = read_arguments(cx, order->call->arguments, &c);
	ret_done->method = c.method;
	ret_done->path = c.path;
	if (wrong)
		return failed(ret_result, wrong);
	call_init(&c.call);
	values_init(&c.values);
	buf_init(&c.answer, CALL_ANSWER_MAX);
	e = perform(cx, &c, ret_result);
	ret_done->status = c.http.status;
	buf_done(&c.answer);
	values_done(&c.values);
	call_done(&c.call);
	return e;
}
