/*
 * A change put into what is stored, without a tree of its own: both are walked and the result is
 * written.
 */
#include "base/json_read.h"
#include "base/json_write.h"
#include "vault/data.h"

/* The parts of one object; any of them may be NULL. */
struct layers {
	const json_t *stored, *masked, *change;
	bool all_secret; /* `extra` */
	enum credential_type type;
};

static bool is_secret(const struct layers *l, struct str name)
{
	const struct vault_member *member;

	if (l->all_secret)
		return true;
	member = vault_member_find(l->type, name);
	return member && member->secret;
}

static bool sent_back_as_mask(const struct layers *l, struct str name, const json_t *sent)
{
	struct str mask = json_member_text(l->masked, name.p);

	return !str_absent(mask) && is_secret(l, name) && str_eq(json_text(sent), mask);
}

/* Whether anything is left of an object: an empty `extra` isn't kept. */
static bool anything_left(const struct layers *l)
{
	for (void *i = json_first(l->change); i; i = json_next(l->change, i))
		if (!json_is_kind(json_iter_value(i), JSON_NULL))
			return true;
	for (void *i = json_first(l->stored); i; i = json_next(l->stored, i))
		if (!json_member(l->change, json_iter_key(i).p))
			return true;
	return false;
}

static void add_members(struct json_writer *w, const struct layers *l);

static void add_object(struct json_writer *w, const struct layers *l)
{
	jw_object(w);
	add_members(w, l);
	jw_object_end(w);
}

/* The merged member: `stored` and `sent` may be NULL, not both. */
static void add_member(struct json_writer *w, const struct layers *l, struct str name,
		       const json_t *stored, const json_t *sent)
{
	if (json_is_kind(sent, JSON_NULL))
		return;
	if (!l->all_secret && str_eq(name, STR(VAULT_EXTRA)) && json_is_kind(sent, JSON_OBJECT)) {
		struct layers inner = { stored, json_member(l->masked, name.p), sent, true,
					l->type };

		if (!anything_left(&inner))
			return;
		jw_key_str(w, name);
		add_object(w, &inner);
		return;
	}
	jw_key_str(w, name);
	if (sent && !(stored && sent_back_as_mask(l, name, sent)))
		jw_add_tree(w, sent);
	else
		jw_add_tree(w, stored);
}

static void add_members(struct json_writer *w, const struct layers *l)
{
	for (void *i = json_first(l->stored); i; i = json_next(l->stored, i)) {
		struct str name = json_iter_key(i);

		add_member(w, l, name, json_iter_value(i), json_member(l->change, name.p));
	}
	for (void *i = json_first(l->change); i; i = json_next(l->change, i)) {
		struct str name = json_iter_key(i);

		if (!json_member(l->stored, name.p))
			add_member(w, l, name, NULL, json_iter_value(i));
	}
}

void vault_merge(enum credential_type type, const json_t *stored, const json_t *masked,
		 const json_t *change, struct buf *out)
{
	struct layers top = { stored, masked, change, false, type };
	struct json_writer w;

	jw_start(&w, out);
	add_object(&w, &top);
}
