#include "connect/blot.h"

#include <string.h>

#include "base/json_read.h"
#include "crypt/encode.h"

/* One of a few characters is in too many texts to mean a secret. */
enum { SECRET_MIN = 6, HELD_MAX = 2 << 20, NUMBER_MAX = 512 };

static const struct str INK = { "****", 4 };

enum { SECRETS_MAX = 640 };

#define NOWHERE SIZE_MAX

/* A walk through a text: each secret is looked for once behind the last hit, however many hits there are. */
struct search {
	struct texts secrets;
	struct str text;
	size_t next[SECRETS_MAX]; /* where each is found next */
};

static size_t look_for(struct str secret, struct str text, size_t from)
{
	const char *at = secret.n >= SECRET_MIN && from < text.n
				 ? memmem(text.p + from, text.n - from, secret.p, secret.n)
				 : NULL;

	return at ? (size_t)(at - text.p) : NOWHERE;
}

static enum err search_start(struct search *search, struct texts secrets, struct str text)
{
	if (secrets.n > SECRETS_MAX)
		return ERR_TOO_BIG;
	search->secrets = secrets;
	search->text = text;
	for (size_t i = 0; i < secrets.n; i++)
		search->next[i] = look_for(secrets.v[i], text, 0);
	return OK;
}

/* The first secret from there on: its place, or NOWHERE; of several that begin there the longest. */
static size_t search_next(struct search *search, size_t from, size_t *ret_n)
{
	size_t first = NOWHERE;

	*ret_n = 0;
	for (size_t i = 0; i < search->secrets.n; i++) {
		const struct str secret = search->secrets.v[i];

		if (search->next[i] != NOWHERE && search->next[i] < from)
			search->next[i] = look_for(secret, search->text, from);
		if (search->next[i] == NOWHERE || search->next[i] > first ||
		    (search->next[i] == first && secret.n <= *ret_n))
			continue;
		first = search->next[i];
		*ret_n = secret.n;
	}
	return first;
}

bool blot_finds(struct str text, struct texts secrets)
{
	for (size_t i = 0; i < secrets.n; i++)
		if (look_for(secrets.v[i], text, 0) != NOWHERE)
			return true;
	return false;
}

/* --- piece by piece --------------------------------------------------------------------------------- */

void blot_init(struct blot *blot, struct texts secrets, blot_listener listen, void *arg)
{
	*blot = (struct blot){ .secrets = secrets, .listen = listen, .arg = arg };
	buf_init(&blot->held, HELD_MAX);
}

void blot_done(struct blot *blot) { buf_done(&blot->held); }

/* How much of the text's end may be the beginning of a secret. */
static size_t open_end(struct texts secrets, struct str text)
{
	size_t longest = 0;

	for (size_t i = 0; i < secrets.n; i++) {
		const struct str *secret = &secrets.v[i];
		size_t n = secret->n < SECRET_MIN ? 0 : secret->n - 1;

		for (n = n < text.n ? n : text.n; n > longest; n--)
			if (memcmp(text.p + text.n - n, secret->p, n) == 0)
				longest = n;
	}
	return longest;
}

static enum err say(struct blot *blot, struct str text)
{
	return text.n > 0 && blot->listen ? blot->listen(blot->arg, text) : OK;
}

static enum err pass(struct blot *blot, struct str text, bool over)
{
	BUF_AUTO struct buf rest = { 0 };
	struct search search;
	size_t n, at, behind = 0;

	TRY(search_start(&search, blot->secrets, text));
	while ((at = search_next(&search, behind, &n)) != NOWHERE) {
		TRY(say(blot, str_slice(text, behind, at - behind)));
		TRY(say(blot, INK));
		behind = at + n;
	}
	text = str_slice(text, behind, SIZE_MAX);
	n = over ? 0 : open_end(blot->secrets, text);
	TRY(say(blot, str_slice(text, 0, text.n - n)));
	/* The text may lie in what holds it. */
	buf_init(&rest, HELD_MAX);
	buf_add_str(&rest, str_slice(text, text.n - n, n));
	TRY(buf_error(&rest));
	buf_clear(&blot->held);
	buf_add_str(&blot->held, buf_str(&rest));
	return buf_error(&blot->held);
}

enum err blot_listen(void *arg, struct str text)
{
	struct blot *blot = arg;

	if (blot->held.n == 0)
		return pass(blot, text, false);
	buf_add_str(&blot->held, text);
	TRY(buf_error(&blot->held));
	return pass(blot, buf_str(&blot->held), false);
}

enum err blot_end(struct blot *blot) { return pass(blot, buf_str(&blot->held), true); }

/* --- as a whole ------------------------------------------------------------------------------------- */

static enum err add_text(void *arg, struct str text)
{
	buf_add_str(arg, text);
	return buf_error(arg);
}

enum err blot_text(struct arena *arena, struct texts secrets, struct str *text)
{
	BUF_AUTO struct buf clean = { 0 };
	struct blot blot;
	enum err e;

	if (!blot_finds(*text, secrets))
		return OK;
	/* No secret is shorter than its ink. */
	buf_init(&clean, text->n);
	blot_init(&blot, secrets, add_text, &clean);
	e = pass(&blot, *text, true);
	blot_done(&blot);
	TRY(e);
	*text = arena_copy(arena, buf_str(&clean));
	return str_absent(*text) ? ERR_NO_MEMORY : OK;
}

struct cleaning {
	struct arena *arena;
	struct texts secrets;
	struct json_writer *w;
};

static enum err write_value(const struct cleaning *c, const json_t *value);

static enum err write_object(const struct cleaning *c, const json_t *object)
{
	jw_object(c->w);
	for (void *i = json_first(object); i; i = json_next(object, i)) {
		struct str name = json_iter_key(i);

		TRY(blot_text(c->arena, c->secrets, &name));
		jw_key_str(c->w, name);
		TRY(write_value(c, json_iter_value(i)));
	}
	jw_object_end(c->w);
	return OK;
}

static enum err write_array(const struct cleaning *c, const json_t *array)
{
	jw_array(c->w);
	for (size_t i = 0; i < json_length(array); i++)
		TRY(write_value(c, json_item(array, i)));
	jw_array_end(c->w);
	return OK;
}

/* Digits alone may be a key, too. */
static enum err write_number(const struct cleaning *c, const json_t *number)
{
	BUF_AUTO struct buf text = { 0 };
	struct json_writer w;

	buf_init(&text, NUMBER_MAX);
	jw_start(&w, &text);
	jw_add_tree(&w, number);
	TRY(buf_error(&text));
	if (blot_finds(buf_str(&text), c->secrets))
		jw_add_text(c->w, INK);
	else
		jw_add_raw(c->w, buf_str(&text));
	return OK;
}

static enum err write_value(const struct cleaning *c, const json_t *value)
{
	struct str text = json_text(value);

	if (json_is_kind(value, JSON_OBJECT))
		return write_object(c, value);
	if (json_is_kind(value, JSON_ARRAY))
		return write_array(c, value);
	if (json_is_kind(value, JSON_INTEGER) || json_is_kind(value, JSON_REAL))
		return write_number(c, value);
	if (!str_absent(text)) {
		TRY(blot_text(c->arena, c->secrets, &text));
		jw_add_text(c->w, text);
	} else {
		jw_add_tree(c->w, value);
	}
	return OK;
}

enum err blot_json(struct arena *arena, struct texts secrets, const json_t *value, struct json_writer *w)
{
	const struct cleaning cleaning = { arena, secrets, w };

	TRY(write_value(&cleaning, value));
	return buf_error(w->out);
}

/* --- spelled otherwise ------------------------------------------------------------------------------- */

enum { SPELLINGS = 14, BASE64_STARTS = 3, QUOTES = 2 };

struct spelling {
	struct arena *arena;
	struct str *all;
	size_t n;
};

static enum err keep(struct spelling *s, struct str secret, struct str text)
{
	if (text.n < SECRET_MIN || str_eq(text, secret))
		return OK;
	s->all[s->n] = arena_copy(s->arena, text);
	return str_absent(s->all[s->n++]) ? ERR_NO_MEMORY : OK;
}

/* Some write the digits of %2F small. */
static enum err keep_percent(struct spelling *s, struct str secret, struct buf *text)
{
	buf_add_percent(text, secret);
	TRY(buf_error(text));
	TRY(keep(s, secret, buf_str(text)));
	for (size_t i = 0; i + 2 < text->n; i++)
		for (size_t k = 1; text->p[i] == '%' && k <= 2; k++)
			if (text->p[i + k] >= 'A' && text->p[i + k] <= 'F')
				text->p[i + k] = (char)(text->p[i + k] - 'A' + 'a');
	return keep(s, secret, buf_str(text));
}

/* Some write a slash as \/. */
static enum err keep_json(struct spelling *s, struct str secret, struct buf *text)
{
	BUF_AUTO struct buf slashes = { 0 };

	json_escape(text, secret);
	TRY(buf_error(text));
	TRY(keep(s, secret, str_slice(buf_str(text), 1, text->n - QUOTES)));
	buf_init(&slashes, 2 * text->n);
	for (size_t i = 1; i + 1 < text->n; i++) {
		if (text->p[i] == '/')
			buf_add_char(&slashes, '\\');
		buf_add_char(&slashes, text->p[i]);
	}
	TRY(buf_error(&slashes));
	return keep(s, secret, buf_str(&slashes));
}

/* Behind `before` bytes of something else: without the characters that hold bits of those, or of what follows. */
static enum err keep_base64(struct spelling *s, struct str secret, size_t before, struct buf *text)
{
	BUF_AUTO struct buf bytes = { 0 };
	size_t from = (before * 8 + 5) / 6, to = (before + secret.n) * 8 / 6;

	buf_init(&bytes, before + secret.n);
	for (size_t i = 0; i < before; i++)
		buf_add_char(&bytes, ' ');
	buf_add_str(&bytes, secret);
	base64_encode(text, buf_str(&bytes));
	TRY(buf_error(text));
	TRY(keep(s, secret, str_slice(buf_str(text), from, to - from)));
	for (size_t i = 0; i < text->n; i++)
		text->p[i] = text->p[i] == '+' ? '-' : text->p[i] == '/' ? '_' : text->p[i];
	return keep(s, secret, str_slice(buf_str(text), from, to - from));
}

static enum err keep_hex(struct spelling *s, struct str secret, struct buf *text)
{
	hex_encode(text, secret);
	TRY(buf_error(text));
	TRY(keep(s, secret, buf_str(text)));
	for (size_t i = 0; i < text->n; i++)
		if (text->p[i] >= 'a')
			text->p[i] = (char)(text->p[i] - 'a' + 'A');
	return keep(s, secret, buf_str(text));
}

static enum err keep_all(struct spelling *s, struct str secret)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, 8 * secret.n + 64);
	TRY(keep_percent(s, secret, &text));
	buf_clear(&text);
	TRY(keep_json(s, secret, &text));
	for (size_t before = 0; before < BASE64_STARTS; before++) {
		buf_clear(&text);
		TRY(keep_base64(s, secret, before, &text));
	}
	buf_clear(&text);
	return keep_hex(s, secret, &text);
}

enum err blot_spellings(struct arena *arena, struct texts secrets, struct texts *ret_all)
{
	struct spelling s = { .arena = arena };

	s.all = arena_array(arena, secrets.n * SPELLINGS + 1, sizeof *s.all);
	if (!s.all)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < secrets.n; i++) {
		if (secrets.v[i].n < SECRET_MIN)
			continue;
		s.all[s.n++] = secrets.v[i];
		TRY(keep_all(&s, secrets.v[i]));
	}
	*ret_all = (struct texts){ s.all, s.n };
	return OK;
}
