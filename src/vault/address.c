/*
 * Where a secret goes to. Who may change a credential need not be one who may read it: whoever points it to another
 * host has to bring its secrets along.
 */
#include <string.h>

#include "base/json_read.h"
#include "vault/data.h"

/* A shorter one of `extra`, whose members aren't known here, is a region, a number of rows, a name. */
enum { SECRET_EXTRA_MIN = 16, MASK_MAX = 64, LABEL_MAX = 63 };

struct moving {
	struct ctx *cx;
	enum credential_type type;
	const json_t *stored, *change;
	const json_t *stored_extra, *change_extra; /* may be NULL */
};

/* --- what an address looks like --------------------------------------------------------- */

/*
 * Labels with dots between: a host's name, whose last one isn't a number, or an IPv4 address. A version is neither.
 */
static bool is_dotted(struct str host)
{
	size_t dots = 0, label = 0;
	bool letters = false;

	for (size_t i = 0; i < host.n; i++) {
		if (host.p[i] == '.') {
			if (label == 0)
				return false;
			dots++;
			label = 0;
			letters = i + 1 < host.n ? false
						 : letters; /* one at the end changes nothing */
			continue;
		}
		if (!(char_is_letter(host.p[i]) || char_is_digit(host.p[i]) || host.p[i] == '-' ||
		      host.p[i] == '_') ||
		    ++label > LABEL_MAX)
			return false;
		letters = letters || char_is_letter(host.p[i]);
	}
	return dots > 0 && (letters || dots == 3);
}

/* A URL, or a host with or without port and path. */
static bool is_address(struct str text)
{
	struct str host = str_slice(text, 0, str_find(text, '/'));

	if (text.n == 0)
		return false;
	host = str_slice(host, 0, str_find(host, ':'));
	return memmem(text.p, text.n, "://", 3) || str_starts(text, STR("[")) ||
	       str_eq_nocase(host, STR("localhost")) || is_dotted(host);
}

/* --- does it move? ------------------------------------------------------------------------ */

/* What was sent says something new; taking a value away points to nowhere. */
static bool differs(const json_t *stored, const json_t *sent)
{
	char before[JSON_SCALAR_MAX], now[JSON_SCALAR_MAX];
	struct str text = json_scalar_text(sent, now);

	return !str_absent(text) && !str_eq(json_scalar_text(stored, before), text);
}

static bool moves(const struct moving *m)
{
	const struct vault_member *member = NULL;

	while ((member = vault_member_next(m->type, member)))
		if (member->address && differs(json_member(m->stored, member->name),
					       json_member(m->change, member->name)))
			return true;
	for (void *i = json_first(m->change_extra); i; i = json_next(m->change_extra, i))
		if (is_address(json_text(json_iter_value(i))) &&
		    differs(json_member(m->stored_extra, json_iter_key(i).p), json_iter_value(i)))
			return true;
	return false;
}

/* --- are its secrets there? ----------------------------------------------------------------- */

static bool is_mask_of(struct str sent, struct str stored)
{
	BUF_AUTO struct buf mask = { 0 };

	if (sent.n > MASK_MAX)
		return false;
	buf_init(&mask, MASK_MAX);
	vault_mask_text(stored, &mask);
	return buf_error(&mask) == OK && str_eq(buf_str(&mask), sent);
}

/* Sent as itself, or taken away; its mask is no proof of knowing it. */
static bool is_brought(const json_t *stored, const json_t *sent)
{
	return sent &&
	       (str_absent(json_text(sent)) || !is_mask_of(json_text(sent), json_text(stored)));
}

static enum err want(const struct moving *m, const char *place, struct str name)
{
	struct str field = arena_printf(m->cx->arena, "%s.%.*s", place, STR_ARG(name));

	if (str_absent(field))
		return ERR_NO_MEMORY;
	return ctx_bad_field(m->cx, field.p, "REQUIRED",
			     "must be sent again: it would go to another address");
}

static enum err want_members(const struct moving *m)
{
	const struct vault_member *member = NULL;
	enum err e = OK;

	while ((member = vault_member_next(m->type, member))) {
		const json_t *stored = json_member(m->stored, member->name);

		if (member->secret && stored &&
		    !is_brought(stored, json_member(m->change, member->name)))
			e = want(m, "data", str_of(member->name));
	}
	return e;
}

static enum err want_extras(const struct moving *m)
{
	enum err e = OK;

	for (void *i = json_first(m->stored_extra); i; i = json_next(m->stored_extra, i)) {
		const json_t *stored = json_iter_value(i);
		struct str text = json_text(stored);

		if (text.n >= SECRET_EXTRA_MIN && !is_address(text) &&
		    !is_brought(stored, json_member(m->change_extra, json_iter_key(i).p)))
			e = want(m, "data.extra", json_iter_key(i));
	}
	return e;
}

enum err vault_check_address(struct ctx *cx, enum credential_type type, const json_t *stored,
			     const json_t *change)
{
	const struct moving m = { cx,
				  type,
				  stored,
				  change,
				  json_member(stored, VAULT_EXTRA),
				  json_member(change, VAULT_EXTRA) };
	enum err members, extras;

	if (!moves(&m))
		return OK;
	members = want_members(&m);
	extras = want_extras(&m);
	return members != OK ? members : extras;
}
