/* What a client may put into `data`: the table's members, and `extra` for the rest. */
#include "vault/data.h"

#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_read.h"

enum { NAME_SHOWN_MAX = 64, LIST_ITEMS_MAX = 200 };

static enum err bad(struct ctx *cx, struct str name, const char *code, const char *message)
{
	struct str field =
		arena_printf(cx->arena, "data.%.*s", STR_ARG(str_slice(name, 0, NAME_SHOWN_MAX)));

	if (str_absent(field))
		return ERR_NO_MEMORY;
	return ctx_bad_field(cx, field.p, code, message);
}

static enum err too_long(struct ctx *cx, const struct vault_member *member)
{
	struct str words =
		arena_printf(cx->arena, "must have at most %" PRId64 " characters", member->most);

	return str_absent(words) ? ERR_NO_MEMORY
				 : bad(cx, str_of(member->name), "TOO_LONG", words.p);
}

static enum err too_large(struct ctx *cx, const struct vault_member *member)
{
	struct str words = arena_printf(cx->arena, "must be at most %" PRId64, member->most);

	return str_absent(words) ? ERR_NO_MEMORY
				 : bad(cx, str_of(member->name), "TOO_LARGE", words.p);
}

static enum err not_a_word(struct ctx *cx, const struct vault_member *member)
{
	struct str words = arena_printf(cx->arena, "must be one of: %s", member->words);

	return str_absent(words) ? ERR_NO_MEMORY
				 : bad(cx, str_of(member->name), "NOT_ALLOWED", words.p);
}

static bool is_word_of(struct str text, const char *words)
{
	struct str rest = str_of(words);

	while (!str_absent(rest))
		if (str_eq(str_cut(&rest, '|'), text))
			return true;
	return false;
}

static enum err check_text(struct ctx *cx, const struct vault_member *member, struct str text)
{
	struct str name = str_of(member->name);
	int64_t ms;

	if (member->required && text.n == 0)
		return bad(cx, name, "TOO_SHORT", "must not be empty");
	if (member->kind == MEMBER_WORD)
		return is_word_of(text, member->words) ? OK : not_a_word(cx, member);
	if ((int64_t)str_utf8_length(text) > member->most)
		return too_long(cx, member);
	if (member->kind == MEMBER_HEADER && !str_is_token(text))
		return bad(cx, name, "BAD_FORMAT", "must be the name of an HTTP header");
	if (member->kind == MEMBER_TIME && !time_parse(text, &ms))
		return bad(cx, name, "BAD_FORMAT", "must be a time as in RFC 3339");
	if (member->kind != MEMBER_TEXT && str_has_control(text))
		return bad(cx, name, "BAD_FORMAT", "must not hold control characters");
	return OK;
}

static enum err check_list(struct ctx *cx, const struct vault_member *member, const json_t *value)
{
	struct str name = str_of(member->name);

	if (json_is_kind(value, JSON_STRING))
		return check_text(cx, member, json_text(value));
	if (!json_is_kind(value, JSON_ARRAY))
		return bad(cx, name, "WRONG_TYPE", "must be a list of texts");
	if (json_length(value) > LIST_ITEMS_MAX)
		return bad(cx, name, "TOO_MANY", "has too many items");
	for (size_t i = 0; i < json_length(value); i++) {
		if (!json_is_kind(json_item(value, i), JSON_STRING))
			return bad(cx, name, "WRONG_TYPE", "must be a list of texts");
		TRY(check_text(cx, member, json_text(json_item(value, i))));
	}
	return OK;
}

static enum err check_member(struct ctx *cx, const struct vault_member *member, const json_t *value)
{
	struct str name = str_of(member->name);
	int64_t number;

	switch (member->kind) {
	case MEMBER_INT:
		if (!json_integer_of(value, &number))
			return bad(cx, name, "WRONG_TYPE", "must be a whole number");
		if (number < 1)
			return bad(cx, name, "TOO_SMALL", "must be at least 1");
		return number > member->most ? too_large(cx, member) : OK;
	case MEMBER_BOOL:
		if (!json_is_kind(value, JSON_TRUE) && !json_is_kind(value, JSON_FALSE))
			return bad(cx, name, "WRONG_TYPE", "must be true or false");
		return OK;
	case MEMBER_LIST: return check_list(cx, member, value);
	default:
		if (!json_is_kind(value, JSON_STRING))
			return bad(cx, name, "WRONG_TYPE", "must be a text");
		return check_text(cx, member, json_text(value));
	}
}

static enum err unknown(struct ctx *cx, enum credential_type type, struct str name)
{
	struct str message = arena_printf(
		cx->arena, "isn't a member of %s; what the type doesn't know goes into data.extra",
		vault_type_text(type));

	return str_absent(message) ? ERR_NO_MEMORY : bad(cx, name, "UNKNOWN_FIELD", message.p);
}

static enum err check_one(struct ctx *cx, enum credential_type type, struct str name,
			  const json_t *value)
{
	const struct vault_member *member = vault_member_find(type, name);
	bool extra = str_eq(name, STR(VAULT_EXTRA));

	if (!member && !extra)
		return unknown(cx, type, name);
	if (json_is_kind(value, JSON_NULL))
		return OK;
	if (member)
		return check_member(cx, member, value);
	return json_is_kind(value, JSON_OBJECT) ? OK
						: bad(cx, name, "WRONG_TYPE", "must be an object");
}

/* Every bad place is told, not only the first; anything but bad input ends it. */
static bool goes_on(enum err e, enum err *sum)
{
	if (e != OK)
		*sum = e;
	return e == OK || e == ERR_BAD_INPUT;
}

enum err vault_check_members(struct ctx *cx, enum credential_type type, const json_t *data)
{
	enum err sum = OK;

	for (void *i = json_first(data); i; i = json_next(data, i))
		if (!goes_on(check_one(cx, type, json_iter_key(i), json_iter_value(i)), &sum))
			break;
	return sum;
}

enum err vault_check_complete(struct ctx *cx, enum credential_type type, const json_t *data)
{
	const struct vault_member *member = NULL;
	enum err sum = OK;

	while ((member = vault_member_next(type, member)))
		if (member->required && !json_member(data, member->name) &&
		    !goes_on(bad(cx, str_of(member->name), "REQUIRED", "is missing"), &sum))
			break;
	return sum;
}
