/*
 * What a token endpoint answers. Providers differ, and some answer things that
 * no standard knows: what can be understood is, and what can't is a failure that
 * costs nobody a connection.
 */
#include <string.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/template.h"
#include "connect/token_reading.h"

enum { TYPE_MAX = 64, SCOPES_MAX = 4096, FORM_MEMBERS_MAX = 64, BOTH_TOKENS_MAX = 48 << 10 };

static const int64_t YEAR_S = 365 * 24 * 60 * 60;
/* A number so large is no time in seconds since 1970 before the year 5138. */
static const int64_t MS_FROM = 100000000000;

/* --- the body ----------------------------------------------------------------- */

static bool type_is(const struct http_answer *answer, struct str wanted)
{
	struct str type = str_of(answer->content_type);

	return str_eq_nocase(str_trim(str_cut(&type, ';')), wanted);
}

/* application/x-www-form-urlencoded; what isn't an escape stays as it is. */
static void add_decoded(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++) {
		int high = i + 2 < text.n ? str_hex_digit(text.p[i + 1]) : -1;
		int low = i + 2 < text.n ? str_hex_digit(text.p[i + 2]) : -1;

		if (text.p[i] == '%' && high >= 0 && low >= 0) {
			buf_add_char(out, (char)(high * 16 + low));
			i += 2;
		} else {
			buf_add_char(out, text.p[i] == '+' ? ' ' : text.p[i]);
		}
	}
}

/* A form as a JSON object of texts, so that there is one way to read both. A name that comes twice is no answer. */
static enum err read_form(struct reading *r, struct str body, json_t **ret_json)
{
	BUF_AUTO struct buf json = { 0 };
	BUF_AUTO struct buf part = { 0 };
	struct json_writer w;
	size_t members = 0;

	buf_init(&json, CALL_ANSWER_MAX * 2);
	buf_init(&part, CALL_ANSWER_MAX);
	jw_start(&w, &json);
	jw_object(&w);
	for (struct str rest = body; !str_absent(rest) && members < FORM_MEMBERS_MAX; members++) {
		struct str value = str_cut(&rest, '&'), name = str_cut(&value, '=');

		buf_clear(&part);
		add_decoded(&part, name);
		TRY(buf_error(&part));
		jw_key_str(&w, buf_str(&part));
		buf_clear(&part);
		add_decoded(&part, value);
		TRY(buf_error(&part));
		jw_add_text(&w, buf_str(&part));
	}
	jw_object_end(&w);
	TRY(buf_error(&json));
	return json_read(r->arena, buf_str(&json), ret_json, NULL);
}

/* ERR_NO_MEMORY, or OK with `r->body` NULL for what isn't an object. */
static enum err read_body(struct reading *r, struct str body)
{
	json_t *json = NULL;
	enum err e;

	if (type_is(r->http, STR("application/x-www-form-urlencoded")))
		e = read_form(r, body, &json);
	else
		e = json_read(r->arena, body, &json, NULL);
	if (e == ERR_NO_MEMORY)
		return e;
	r->body = e == OK && json_is_kind(json, JSON_OBJECT) ? json : NULL;
	return OK;
}

/* --- tokens --------------------------------------------------------------------- */

/* Any visible character, as RFC 6749, appendix A.12 has it: it goes into a header. */
static bool is_token(struct str token)
{
	if (token.n == 0 || token.n > TOKEN_TEXT_MAX)
		return false;
	for (size_t i = 0; i < token.n; i++)
		if ((unsigned char)token.p[i] < 0x20 || (unsigned char)token.p[i] > 0x7e)
			return false;
	return true;
}

static struct str or_default(struct str path, struct str otherwise) { return path.n > 0 ? path : otherwise; }

static struct str access_token(const struct reading *r)
{
	const struct texts *paths = &r->rules->access_token;

	if (paths->n == 0)
		return json_text(json_at(r->body, STR("access_token")));
	for (size_t i = 0; i < paths->n; i++) {
		struct str token = json_text(json_at(r->body, paths->v[i]));

		if (!str_absent(token))
			return token;
	}
	return STR_NONE;
}

static struct str refresh_token(const struct reading *r)
{
	return json_text(json_at(r->body, or_default(r->rules->refresh_token, STR("refresh_token"))));
}

/* --- times ---------------------------------------------------------------------- */

/* Whole seconds of "3600", "3599.9" or "1e9"; false for anything that isn't a number. Huge ones are cut. */
static bool read_seconds(struct str text, int64_t *ret_seconds)
{
	char copy[32], *end;
	double number;

	if (text.n == 0 || text.n >= sizeof copy || strchr("+-.0123456789", text.p[0]) == NULL)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	for (const char *c = copy; *c != '\0'; c++)
		if (strchr("+-.0123456789eE", *c) == NULL)
			return false;
	number = strtod(copy, &end);
	if (*end != '\0')
		return false;
	*ret_seconds = number > 1e15 ? (int64_t)1000000000000000 : number < -1e15 ? -1 : (int64_t)number;
	return true;
}

static int64_t after(const struct reading *r, int64_t seconds)
{
	return r->request->now_ms + (seconds < 10 * YEAR_S ? seconds : 10 * YEAR_S) * 1000;
}

/* RFC 3339, or seconds or milliseconds since the epoch. */
static bool read_moment(struct str text, int64_t *ret_ms)
{
	uint64_t number;

	if (time_parse(text, ret_ms))
		return true;
	if (!str_to_u64(text, &number) || number > (uint64_t)MS_FROM * 1000)
		return false;
	*ret_ms = (int64_t)number < MS_FROM ? (int64_t)number * 1000 : (int64_t)number;
	return true;
}

/* Not told: as long as the type's file says. */
static struct opt_int untold(const struct reading *r)
{
	int64_t seconds = r->rules->access_ttl_s;

	return seconds > 0 ? (struct opt_int){ true, after(r, seconds) } : (struct opt_int){ 0 };
}

/* False: it is told, and makes no sense. 0 seconds is how some say that it doesn't end. */
static bool read_expiry(const struct reading *r, struct opt_int *ret_at)
{
	bool moment = r->rules->expiry == EXPIRY_AT;
	struct str path = or_default(r->rules->expiry_path, moment ? STR("expires_at") : STR("expires_in"));
	const json_t *value = json_at(r->body, path);
	struct str text = json_text_at(r->arena, r->body, path);
	int64_t number;

	*ret_at = untold(r);
	if (r->rules->expiry == EXPIRY_NONE || !value || json_is_kind(value, JSON_NULL) || str_eq(text, STR("")))
		return true;
	if (str_absent(text))
		return false;
	if (moment) {
		if (!read_moment(text, &number) || number <= r->request->now_ms)
			return false;
		*ret_at = (struct opt_int){ true, number < after(r, 10 * YEAR_S) ? number : after(r, 10 * YEAR_S) };
		return true;
	}
	if (!read_seconds(text, &number) || number < 0)
		return false;
	if (number > 0)
		*ret_at = (struct opt_int){ true, after(r, number) };
	return true;
}

static struct opt_int refresh_expiry(const struct reading *r)
{
	int64_t seconds;

	if (r->rules->refresh_expiry.n == 0 ||
	    !read_seconds(json_text_at(r->arena, r->body, r->rules->refresh_expiry), &seconds) || seconds <= 0)
		return (struct opt_int){ 0 };
	return (struct opt_int){ true, after(r, seconds) };
}

/* --- scopes --------------------------------------------------------------------- */

static void add_scope(struct buf *out, struct str scope)
{
	scope = str_trim(scope);
	if (scope.n == 0)
		return;
	if (out->n > 0)
		buf_add_char(out, ' ');
	buf_add_str(out, scope);
}

/*
 * Separated by spaces, by commas whatever the request had (GitHub, Shopify), or a list. What can't be kept is as if not
 * told.
 */
static struct str read_scopes(const struct reading *r)
{
	const json_t *value = json_at(r->body, or_default(r->rules->scope, STR("scope")));
	struct str rest = json_text(value);
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, SCOPES_MAX);
	for (size_t i = 0; json_is_kind(value, JSON_ARRAY) && i < json_length(value); i++)
		add_scope(&text, json_text(json_item(value, i)));
	while (!str_absent(rest)) {
		struct str words = str_cut(&rest, ',');

		while (!str_absent(words))
			add_scope(&text, str_cut(&words, ' '));
	}
	if (text.n == 0 || buf_error(&text) != OK || str_has_control(buf_str(&text)))
		return STR_NONE;
	return arena_copy(r->arena, buf_str(&text));
}

/* --- the answer ----------------------------------------------------------------- */

static bool says_no(const struct reading *r)
{
	bool ok;

	if (json_bool_of(json_member(r->body, "ok"), &ok) && !ok)
		return true;
	return !str_absent(json_text_at(r->arena, r->body, STR("error"))) ||
	       json_is_kind(json_member(r->body, "error"), JSON_OBJECT);
}

static enum err copy_tokens(const struct reading *r, struct str access, struct token_answer *answer)
{
	struct str type = json_member_text(r->body, "token_type");

	answer->access_token = arena_copy(r->arena, access);
	answer->token_type = is_token(type) && type.n <= TYPE_MAX ? arena_copy(r->arena, type) : STR("Bearer");
	answer->scopes = read_scopes(r);
	answer->refresh_expires_at = refresh_expiry(r);
	answer->body = r->body;
	return str_absent(answer->access_token) || str_absent(answer->token_type) ? ERR_NO_MEMORY : OK;
}

static enum err read_tokens(const struct reading *r, struct token_answer *answer, struct token_failure *failure)
{
	struct str access = access_token(r), refresh = refresh_token(r);

	if (says_no(r) && (r->rules->error_in_200 || str_absent(access)))
		return token_refused(r, failure);
	if (is_token(refresh)) {
		answer->refresh_token = arena_copy(r->arena, refresh);
		if (str_absent(answer->refresh_token))
			return ERR_NO_MEMORY;
	}
	if (str_absent(access))
		return token_bad_response(failure, "The provider's answer has no access token.");
	if (!is_token(access) || (refresh.n > 0 && !is_token(refresh)))
		return token_bad_response(failure, "The provider's answer has a token that can't be one.");
	if (access.n + refresh.n > BOTH_TOKENS_MAX)
		return token_bad_response(failure, "The provider's tokens are too long to be kept.");
	if (!read_expiry(r, &answer->expires_at))
		return token_bad_response(failure, "The provider's answer says of no sensible time when the token ends.");
	return copy_tokens(r, access, answer);
}

enum err token_answer_read(struct arena *arena, const struct token_request *request,
			   const struct http_answer *answer, struct str body,
			   struct token_answer *ret_answer, struct token_failure *ret_failure)
{
	struct reading r = { arena, request, token_rules_of(request), answer, NULL };

	*ret_answer = (struct token_answer){ 0 };
	*ret_failure = (struct token_failure){ 0 };
	TRY(read_body(&r, body));
	if (answer->status < 200 || answer->status > 299)
		return token_read_failure(&r, ret_failure);
	if (!r.body)
		return token_bad_response(ret_failure, "The provider's answer can't be read.");
	return read_tokens(&r, ret_answer, ret_failure);
}
