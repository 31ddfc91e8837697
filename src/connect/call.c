/*
 * A request put together from its templates. What authenticates it comes from
 * the connection's way alone; nothing is added that a type's file doesn't say.
 */
#include "connect/call.h"

#include <string.h>

#include "base/json_write.h"
#include "connect/sigv4.h"
#include "connect/template.h"
#include "crypt/encode.h"

/* A header's text is cut by http_fetch at 16 KiB; a JWT or a session token fits well. */
enum {
	URL_MAX = 8 << 10,
	HEADERS_TEXT_MAX = 128 << 10,
	BODY_MAX = 1 << 20,
	VALUE_MAX = 64 << 10,
	NAME_MAX_BYTES = 256
};

void call_init(struct call *call)
{
	*call = (struct call){ .method = "GET" };
	buf_init(&call->url, URL_MAX);
	buf_init(&call->headers_text, HEADERS_TEXT_MAX);
	buf_init(&call->body, BODY_MAX);
}

void call_done(struct call *call)
{
	buf_done(&call->url);
	buf_done(&call->headers_text);
	buf_done(&call->body);
}

/* --- headers ---------------------------------------------------------------- */

static enum err add_header(struct call *call, struct str name, struct str value)
{
	struct buf *text = &call->headers_text;

	if (call->headers == CALL_HEADERS_MAX)
		return ERR_TOO_BIG;
	/* Nothing that ends a line or that a log would show as something else; a tab isn't needed either. */
	if (str_has_control(name) || str_has_control(value))
		return ERR_BAD_INPUT;
	call->header[call->headers].name_at = text->n;
	buf_add_str(text, name);
	buf_add_char(text, '\0');
	call->header[call->headers].value_at = text->n;
	call->header[call->headers].value_n = value.n;
	buf_add_str(text, value);
	call->headers++;
	return buf_error(text);
}

enum err call_header(struct call *call, const char *name, struct str value)
{
	return add_header(call, str_of(name), value);
}

struct str call_header_value(const struct call *call, struct str name)
{
	for (size_t i = 0; i < call->headers; i++)
		if (str_eq_nocase(str_of(call->headers_text.p + call->header[i].name_at), name))
			return (struct str){ call->headers_text.p + call->header[i].value_at,
					     call->header[i].value_n };
	return STR_NONE;
}

static bool has_header(const struct call *call, struct str name)
{
	return !str_absent(call_header_value(call, name));
}

enum err call_want(struct call *call, struct str name, size_t *ret_at)
{
	for (*ret_at = 0; *ret_at < call->wanteds; ++*ret_at)
		if (str_eq_nocase(call->wanted[*ret_at], name))
			return OK;
	if (call->wanteds == HTTP_WANTED_MAX)
		return ERR_TOO_BIG;
	call->wanted[call->wanteds++] = name;
	return OK;
}

/* --- putting it together ---------------------------------------------------- */

struct making {
	struct call *call;
	const struct values *values;
	struct str *ret_missing;
	bool literal; /* what is put in is no template */
};

static enum err fill(const struct making *m, struct str text, struct buf *out)
{
	buf_clear(out);
	if (m->literal) {
		buf_add_str(out, text);
		return buf_error(out);
	}
	TRY(template_fill(text, m->values, ESCAPE_NONE, out, m->ret_missing));
	return buf_error(out);
}

/* A pair filled in. ERR_NOT_FOUND: its optional value isn't there, the pair is left out. */
static enum err fill_pair(const struct making *m, const struct pair *pair, struct buf *name,
			  struct buf *value)
{
	TRY(fill(m, pair->name, name));
	return fill(m, pair->value, value);
}

static enum err add_headers(const struct making *m, struct pairs headers)
{
	BUF_AUTO struct buf name = { 0 };
	BUF_AUTO struct buf value = { 0 };

	buf_init(&name, NAME_MAX_BYTES);
	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; i < headers.n; i++) {
		enum err e = fill_pair(m, &headers.v[i], &name, &value);

		/* The request's own comes first, and a header is sent once. */
		if (e == OK && m->literal && has_header(m->call, buf_str(&name)))
			return ERR_CONFLICT;
		if (e == ERR_NOT_FOUND || (e == OK && has_header(m->call, buf_str(&name))))
			continue;
		TRY(e);
		TRY(add_header(m->call, buf_str(&name), buf_str(&value)));
	}
	return OK;
}

/* name=value&name=value, percent-encoded. */
static enum err add_pairs(const struct making *m, struct pairs pairs, char separator,
			  struct buf *out)
{
	BUF_AUTO struct buf name = { 0 };
	BUF_AUTO struct buf value = { 0 };

	buf_init(&name, NAME_MAX_BYTES);
	buf_init(&value, VALUE_MAX);
	for (size_t i = 0; i < pairs.n; i++) {
		enum err e = fill_pair(m, &pairs.v[i], &name, &value);

		if (e == ERR_NOT_FOUND)
			continue;
		TRY(e);
		if (separator)
			buf_add_char(out, separator);
		separator = '&';
		buf_add_percent(out, buf_str(&name));
		buf_add_char(out, '=');
		buf_add_percent(out, buf_str(&value));
	}
	return buf_error(out);
}

static enum err add_query(const struct making *m, struct pairs query)
{
	struct buf *url = &m->call->url;

	if (query.n == 0)
		return OK;
	return add_pairs(m, query, str_find(buf_str(url), '?') < url->n ? '&' : '?', url);
}

static enum err add_json_members(const struct making *m, struct pairs pairs)
{
	BUF_AUTO struct buf name = { 0 };
	BUF_AUTO struct buf value = { 0 };
	struct json_writer w;

	buf_init(&name, NAME_MAX_BYTES);
	buf_init(&value, VALUE_MAX);
	jw_start(&w, &m->call->body);
	jw_object(&w);
	for (size_t i = 0; i < pairs.n; i++) {
		enum err e = fill_pair(m, &pairs.v[i], &name, &value);

		if (e == ERR_NOT_FOUND)
			continue;
		TRY(e);
		jw_key_str(&w, buf_str(&name));
		jw_add_text(&w, buf_str(&value));
	}
	jw_object_end(&w);
	return buf_error(&m->call->body);
}

static enum err add_body(const struct making *m, const struct request_spec *spec)
{
	static const struct str FORM = STR("application/x-www-form-urlencoded"),
				JSON = STR("application/json");
	struct call *call = m->call;
	bool form = spec->form.n > 0 && !spec->form_as_json;

	if (spec->form.n == 0 && str_absent(spec->json) && str_absent(spec->body))
		return OK;
	call->has_body = true;
	if (!str_absent(spec->body)) {
		buf_add_str(&call->body, spec->body);
		return buf_error(&call->body);
	}
	if (!has_header(call, STR("Content-Type")))
		TRY(call_header(call, "Content-Type", form ? FORM : JSON));
	if (form)
		return add_pairs(m, spec->form, '\0', &call->body);
	if (spec->form.n > 0)
		return add_json_members(m, spec->form);
	TRY(template_fill(spec->json, m->values, ESCAPE_JSON, &call->body, m->ret_missing));
	return buf_error(&call->body);
}

/* RFC 7617, section 2: the user can't have a colon, because the first one ends it. */
static enum err add_basic(const struct making *m, struct str user, struct str password)
{
	BUF_AUTO struct buf pair = { 0 };
	BUF_AUTO struct buf value = { 0 };

	buf_init(&pair, VALUE_MAX);
	buf_init(&value, 2 * VALUE_MAX);
	TRY(template_fill(user, m->values, ESCAPE_NONE, &pair, m->ret_missing));
	if (str_find(buf_str(&pair), ':') < pair.n)
		return ERR_BAD_INPUT;
	buf_add_char(&pair, ':');
	TRY(template_fill(password, m->values, ESCAPE_NONE, &pair, m->ret_missing));
	TRY(buf_error(&pair));
	buf_add_c(&value, "Basic ");
	base64_encode(&value, buf_str(&pair));
	TRY(buf_error(&value));
	return call_header(m->call, "Authorization", buf_str(&value));
}

static enum err add_credentials(const struct making *m, const struct request_spec *spec,
				const struct auth_way *way)
{
	if (spec->basic)
		TRY(add_basic(m, spec->basic_user, spec->basic_password));
	if (!way)
		return OK;
	if (way->basic && !has_header(m->call, STR("Authorization")))
		TRY(add_basic(m, way->basic_user, way->basic_password));
	return add_headers(m, way->headers);
}

static struct str value_or(const struct values *values, struct str name, struct str otherwise)
{
	struct str value = values_get(values, name);

	return value.n > 0 ? value : otherwise;
}

/*
 * The host says for which service and region a request is signed; a user's region counts for hosts without one. Hosts
 * that aren't AWS's own stand for the service that tells whose keys these are.
 */
static enum err sign(const struct making *m, int64_t now_ms)
{
	struct sigv4_keys keys = {
		.access_key_id = values_get(m->values, STR("access_key_id")),
		.secret_access_key = values_get(m->values, STR("secret_access_key")),
		.session_token = values_get(m->values, STR("session_token")),
	};
	struct str region;

	sigv4_place(buf_str(&m->call->url), &keys.service, &region);
	if (str_absent(keys.service))
		keys.service = STR("sts");
	keys.region =
		!str_absent(region) ? region : value_or(m->values, STR("region"), STR("us-east-1"));
	if (str_absent(keys.access_key_id) || str_absent(keys.secret_access_key)) {
		*m->ret_missing = str_absent(keys.access_key_id) ? STR("access_key_id")
								 : STR("secret_access_key");
		return ERR_BAD_INPUT;
	}
	return sigv4_sign(m->call, &keys, now_ms);
}

static const char *method_of(struct str method)
{
	static const char *const METHODS[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };

	if (str_absent(method) || method.n == 0)
		return METHODS[0];
	for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
		if (str_eq(method, str_of(METHODS[i])))
			return METHODS[i];
	return NULL;
}

/* A stranger's headers come behind the way's, which they can't replace. */
static enum err add_all_headers(const struct making *m, const struct making *own, const struct request_spec *spec,
				const struct auth_way *way)
{
	if (!spec->literal)
		TRY(add_headers(own, spec->headers));
	TRY(add_credentials(m, spec, way));
	if (spec->literal)
		TRY(add_headers(own, spec->headers));
	if (has_header(m->call, STR("Accept")))
		return OK;
	return call_header(m->call, "Accept", STR("application/json"));
}

enum err call_make(const struct connector_type *type, const struct auth_way *way,
		   const struct request_spec *spec, const struct values *values, int64_t now_ms,
		   struct call *call, struct str *ret_missing)
{
	const struct making m = { call, values, ret_missing, false };
	const struct making own = { call, values, ret_missing, spec->literal };

	*ret_missing = STR_NONE;
	call->method = method_of(spec->method);
	if (!call->method)
		return ERR_BAD_INPUT;
	TRY(template_url(type, spec->url, values, &call->url, ret_missing));
	TRY(add_query(&own, spec->query));
	if (way)
		TRY(add_query(&m, way->query));
	TRY(add_all_headers(&m, &own, spec, way));
	TRY(add_body(&own, spec));
	return way && way->aws_sigv4 ? sign(&m, now_ms) : OK;
}

/* --- the next page ---------------------------------------------------------- */

enum err call_add_query(struct call *call, struct str name, struct str value)
{
	struct buf *url = &call->url;

	buf_add_char(url, str_find(buf_str(url), '?') < url->n ? '&' : '?');
	buf_add_percent(url, name);
	buf_add_char(url, '=');
	buf_add_percent(url, value);
	return buf_error(url);
}

size_t call_origin(struct str url)
{
	size_t at = str_find(url, ':');

	if (!str_starts(str_slice(url, at, 3), STR("://")))
		return 0;
	for (at += 3; at < url.n; at++)
		if (url.p[at] == '/' || url.p[at] == '?' || url.p[at] == '#')
			break;
	return at;
}

/* Printable, and nothing that an address has to have encoded. */
static bool is_path(struct str path)
{
	for (size_t i = 0; i < path.n; i++)
		if (path.p[i] <= ' ' || path.p[i] >= 0x7f || strchr("\"#<>\\^`{|}", path.p[i]))
			return false;
	return str_starts(path, STR("/"));
}

/* A dot, a slash or a backslash in hexadecimal: some servers decode before they look where a path leads. */
static bool hides_a_step(struct str path, size_t at)
{
	static const struct str STEPS[] = { STR("%2e"), STR("%2f"), STR("%5c") };

	for (size_t i = 0; i < ARRAY_SIZE(STEPS); i++)
		if (str_eq_nocase(str_slice(path, at, STEPS[i].n), STEPS[i]))
			return true;
	return false;
}

bool call_path_ok(struct str path)
{
	struct str rest = path, walk;

	if (!is_path(path))
		return false;
	walk = str_cut(&rest, '?');
	for (size_t i = 0; i < walk.n; i++)
		if (hides_a_step(walk, i))
			return false;
	while (!str_absent(walk)) {
		struct str segment = str_cut(&walk, '/');

		if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
			return false;
	}
	return true;
}

enum err call_go(struct call *call, const struct auth_way *way, const struct values *values, struct str path)
{
	BUF_AUTO struct buf origin = { 0 };
	struct str missing = STR_NONE;
	const struct making m = { call, values, &missing, false };

	if (!is_path(path))
		return ERR_BAD_INPUT;
	buf_init(&origin, URL_MAX);
	buf_add_str(&origin, str_slice(buf_str(&call->url), 0, call_origin(buf_str(&call->url))));
	TRY(buf_error(&origin));
	buf_clear(&call->url);
	buf_add_str(&call->url, buf_str(&origin));
	buf_add_str(&call->url, path);
	return way ? add_query(&m, way->query) : buf_error(&call->url);
}
