#include "connect/token_source.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/random.h"
#include "connect/template.h"
#include "connect/token.h"
#include "vault/types.h"

/* In `extra`: {"token": …, "instead_of": …}. A person who puts another refresh token there is not overruled by it. */
#define UNTRIED "untried_refresh"

enum { CHANGE_MAX = 256 << 10, SCOPES_MAX = 16 << 10, LEAST_LIFE_MS = 1000 };

/* --- reading ---------------------------------------------------------------------- */

static struct str scopes_of(struct ctx *cx, const json_t *data)
{
	const json_t *value = json_member(data, "scopes");
	BUF_AUTO struct buf text = { 0 };

	if (!json_is_kind(value, JSON_ARRAY))
		return json_text(value);
	buf_init(&text, SCOPES_MAX);
	for (size_t i = 0; i < json_length(value); i++) {
		if (i > 0)
			buf_add_char(&text, ' ');
		buf_add_str(&text, json_text(json_item(value, i)));
	}
	return buf_error(&text) == OK && text.n > 0 ? arena_copy(cx->arena, buf_str(&text)) : STR_NONE;
}

/* An empty text is none. */
static struct str text_of(const json_t *object, const char *name)
{
	struct str text = json_member_text(object, name);

	return text.n > 0 ? text : STR_NONE;
}

static struct str untried_of(const json_t *data, struct str refresh)
{
	const json_t *kept = json_member(json_member(data, VAULT_EXTRA), UNTRIED);
	struct str token = text_of(kept, "token");

	return !str_absent(token) && str_eq(text_of(kept, "instead_of"), refresh) ? token : STR_NONE;
}

static enum err read_source(struct ctx *cx, struct str plain, struct token_source *source)
{
	json_t *data;
	const json_t *home;
	int64_t ms;

	TRY(json_read(cx->arena, plain, &data, NULL));
	source->data = data;
	source->in_extra = !str_eq(source->type, STR("oauth2"));
	home = source->in_extra ? json_member(data, VAULT_EXTRA) : data;
	source->access = text_of(home, "access_token");
	source->refresh = text_of(home, "refresh_token");
	source->untried = source->in_extra ? STR_NONE : untried_of(data, source->refresh);
	source->scopes = scopes_of(cx, data);
	if (time_parse(json_member_text(home, "expires_at"), &ms))
		source->expires_at = (struct opt_int){ true, ms };
	return OK;
}

static enum err copy(struct ctx *cx, struct str text, struct str *ret_text)
{
	*ret_text = str_absent(text) ? STR_NONE : arena_copy(cx->arena, text);
	return str_absent(text) || !str_absent(*ret_text) ? OK : ERR_NO_MEMORY;
}

enum err token_source_of(struct ctx *cx, const struct id *credential, const struct vault_opened *opened,
			 struct token_source *ret_source)
{
	struct token_source s = { .credential = *credential, .version = opened->version };

	TRY(copy(cx, opened->type, &s.type));
	TRY(copy(cx, opened->service, &s.service));
	TRY(copy(cx, opened->status, &s.status));
	TRY(read_source(cx, secret_str(&opened->plain), &s));
	*ret_source = s;
	return OK;
}

enum err token_source_open(struct ctx *cx, const struct id *credential, struct token_source *ret_source)
{
	struct vault_opened opened;
	enum err e = vault_open_newest(cx, credential, &opened);

	*ret_source = (struct token_source){ .credential = *credential };
	if (e == OK)
		e = token_source_of(cx, credential, &opened, ret_source);
	secret_done(&opened.plain);
	return e;
}

enum err token_source_locked(struct ctx *cx, const struct credential *locked, struct token_source *ret_source)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct token_source s = { .credential = locked->id };

	TRY(copy(cx, locked->type, &s.type));
	TRY(copy(cx, locked->service, &s.service));
	TRY(copy(cx, locked->status, &s.status));
	TRY(vault_open(cx, &locked->id, (struct opt_int){ true, locked->version }, &s.version, &plain));
	TRY(read_source(cx, secret_str(&plain), &s));
	*ret_source = s;
	return OK;
}

bool token_is_fresh(const struct token_source *source, int64_t now_ms)
{
	return !str_absent(source->access) &&
	       (!source->expires_at.set || source->expires_at.v >= now_ms + TOKEN_VALID_MS);
}

bool token_is_alive(const struct token_source *source, int64_t now_ms)
{
	return !str_absent(source->access) &&
	       (!source->expires_at.set || source->expires_at.v > now_ms + LEAST_LIFE_MS);
}

/* --- changing --------------------------------------------------------------------- */

/* Whether the answer itself gives a value of that name: it goes before what was kept earlier. */
static bool is_answered(struct ctx *cx, const struct token_rules *rules, const json_t *body, struct str wanted)
{
	char name[KEPT_NAME_MAX];

	for (size_t i = 0; i < rules->keep.n; i++)
		if (str_eq(kept_name(rules->keep.v[i], name), wanted) &&
		    !str_absent(json_text_at(cx->arena, body, rules->keep.v[i])))
			return true;
	return false;
}

static void put_kept(struct json_writer *w, struct ctx *cx, const struct token_rules *rules, const json_t *body,
		     const struct values *kept)
{
	char name[KEPT_NAME_MAX];

	for (size_t i = 0; i < rules->keep.n; i++) {
		struct str value = json_text_at(cx->arena, body, rules->keep.v[i]);

		if (str_absent(value))
			continue;
		jw_key_str(w, kept_name(rules->keep.v[i], name));
		jw_add_text(w, value);
	}
	for (size_t i = 0; kept && i < kept->n; i++) {
		const char *text = kept->text.p;
		struct str kept_as = { text + kept->v[i].name_at, kept->v[i].name_n };

		if (is_answered(cx, rules, body, kept_as))
			continue;
		jw_key_str(w, kept_as);
		jw_add_text(w, (struct str){ text + kept->v[i].value_at, kept->v[i].value_n });
	}
}

static void put_tokens(struct json_writer *w, const struct token_answer *answer)
{
	char time[TIME_TEXT_MAX];

	jw_put_text(w, "access_token", answer->access_token);
	if (!str_absent(answer->refresh_token))
		jw_put_text(w, "refresh_token", answer->refresh_token);
	/* null takes the old one's end away. */
	jw_put_text(w, "expires_at", answer->expires_at.set ? time_format(answer->expires_at.v, time) : STR_NONE);
}

/* A change as it is written: the data's own members, then those of `extra`. */
struct change {
	struct buf text;
	struct json_writer w;
};

static void change_done(struct change *change) { buf_done(&change->text); }

static void change_begin(struct change *change)
{
	*change = (struct change){ .text = { 0 } };
	buf_init(&change->text, CHANGE_MAX);
	jw_start(&change->w, &change->text);
	jw_object(&change->w);
}

static void change_extra(struct change *change)
{
	jw_key(&change->w, VAULT_EXTRA);
	jw_object(&change->w);
}

static enum err change_end(struct change *change, struct ctx *cx, json_t **ret_change)
{
	jw_object_end(&change->w);
	jw_object_end(&change->w);
	TRY(buf_error(&change->text));
	return json_read(cx->arena, buf_str(&change->text), ret_change, NULL);
}

enum err token_change(struct ctx *cx, bool in_extra, const struct token_rules *rules, const struct token_answer *answer,
		      const struct values *kept, json_t **ret_change)
{
	CLEANUP(change_done) struct change change;

	change_begin(&change);
	if (!in_extra)
		put_tokens(&change.w, answer);
	if (!in_extra && !str_absent(answer->scopes))
		jw_put_text(&change.w, "scopes", answer->scopes);
	change_extra(&change);
	if (in_extra)
		put_tokens(&change.w, answer);
	else
		jw_put_null(&change.w, UNTRIED);
	put_kept(&change.w, cx, rules, answer->body, kept);
	return change_end(&change, cx, ret_change);
}

enum err token_change_untried(struct ctx *cx, struct str refresh, struct str instead_of, json_t **ret_change)
{
	CLEANUP(change_done) struct change change;

	change_begin(&change);
	change_extra(&change);
	jw_key(&change.w, UNTRIED);
	if (str_absent(refresh)) {
		jw_add_null(&change.w);
	} else {
		jw_object(&change.w);
		jw_put_text(&change.w, "token", refresh);
		jw_put_text(&change.w, "instead_of", instead_of);
		jw_object_end(&change.w);
	}
	return change_end(&change, cx, ret_change);
}

static void put_no_tokens(struct json_writer *w)
{
	jw_put_null(w, "access_token");
	jw_put_null(w, "refresh_token");
	jw_put_null(w, "expires_at");
}

enum err token_change_revoked(struct ctx *cx, bool in_extra, json_t **ret_change)
{
	CLEANUP(change_done) struct change change;

	change_begin(&change);
	if (!in_extra)
		put_no_tokens(&change.w);
	change_extra(&change);
	if (in_extra)
		put_no_tokens(&change.w);
	else
		jw_put_null(&change.w, UNTRIED);
	return change_end(&change, cx, ret_change);
}

/* --- when it is due --------------------------------------------------------------- */

/* What was stored together isn't to be due together: up to that much earlier. */
static int64_t jitter(int64_t most_ms)
{
	uint32_t r = 0;

	if (most_ms < 1 || random_bytes(&r, sizeof r) != OK)
		return 0;
	return (int64_t)(r % (uint64_t)(most_ms + 1));
}

static void due_by(struct opt_int *due, int64_t at)
{
	if (!due->set || at < due->v)
		*due = (struct opt_int){ true, at };
}

struct opt_int token_due_at(const struct ctx *cx, const struct token_rules *rules, struct opt_int expires_at,
			    struct opt_int refresh_expires_at, bool exchanged)
{
	struct opt_int due = { 0 };

	if (expires_at.set) {
		int64_t life = expires_at.v - cx->now_ms, ahead = cx->config->oauth_refresh_ahead_ms;

		/* A token that lives for less than twice that is renewed at half of its life. */
		if (ahead > life / 2)
			ahead = life / 2;
		if (exchanged && ahead < life / 5)
			ahead = life / 5;
		due_by(&due, expires_at.v - ahead - jitter(ahead / 5));
	}
	if (exchanged)
		return due;
	if (refresh_expires_at.set) {
		int64_t life = refresh_expires_at.v - cx->now_ms;

		due_by(&due, refresh_expires_at.v - life / 5 - jitter(life / 20));
	}
	if (rules->idle_ttl_s > 0) {
		int64_t life = rules->idle_ttl_s * 1000;

		due_by(&due, cx->now_ms + life - life / 5 - jitter(life / 20));
	}
	return due;
}
