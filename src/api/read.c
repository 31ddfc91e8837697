/* Fills the input struct of an operation from path, query and body. */
#include <string.h>

#include "api/check.h"
#include "api/checking.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "core/query.h"

/* What a checked text or JSON value is, in the forms that slots take. */
struct value {
	struct str text;
	int64_t number;
	struct id id;
	const json_t *tree;
};

static void put_flag(void *in, uint16_t offset)
{
	if (offset != CHECK_NO_PLACE)
		*(bool *)((unsigned char *)in + offset) = true;
}

static void put(const struct check_member *member, const struct value *value, void *in)
{
	void *place = (unsigned char *)in + member->offset;

	switch (member->slot) {
	case SLOT_NONE: break;
	case SLOT_TEXT: *(struct str *)place = value->text; break;
	case SLOT_ID: *(struct id *)place = value->id; break;
	case SLOT_OPT_ID: *(struct opt_id *)place = (struct opt_id){ true, value->id }; break;
	case SLOT_INT: *(int64_t *)place = value->number; break;
	case SLOT_OPT_INT:
		*(struct opt_int *)place = (struct opt_int){ true, value->number };
		break;
	case SLOT_BOOL: *(bool *)place = value->number != 0; break;
	case SLOT_TREE: *(const json_t **)place = value->tree; break;
	}
}

static void put_default(const struct check_member *member, void *in)
{
	if (member->slot == SLOT_TEXT || member->slot == SLOT_INT || member->slot == SLOT_BOOL)
		put(member, &(struct value){ .text = member->text, .number = member->number }, in);
}

/* Ids and times as the slots want them; the text has been checked. */
static bool value_of_checked(const struct check_schema *schema, struct str text,
			     struct value *ret_value)
{
	ret_value->text = text;
	if (schema->format == CHECK_ID)
		return id_parse(schema->kind, text, &ret_value->id);
	if (schema->format == CHECK_TIME)
		return time_parse(text, &ret_value->number);
	return true;
}

/* --- parameters: always texts --- */

/* -?(0|[1-9][0-9]*), as JSON writes it; false when it is something else or doesn't fit. */
static bool parse_integer(struct str text, int64_t *ret_number)
{
	bool negative = text.n > 0 && text.p[0] == '-';
	struct str digits = str_slice(text, negative, text.n);
	uint64_t size;

	if (!str_to_u64(digits, &size) || (digits.p[0] == '0' && (digits.n > 1 || negative)))
		return false;
	if (size > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret_number = negative ? (int64_t)(0 - size) : (int64_t)size;
	return true;
}

static void read_parameter(struct checking *check, const struct place *at,
			   const struct check_member *member, struct str text, void *in)
{
	const struct check_schema *schema = member->schema;
	struct value value = { .text = text };
	size_t bad = check->bad;

	if (schema->types & CHECK_STRING) {
		check_text(check, at, schema, text);
		if (check->bad == bad && !value_of_checked(schema, text, &value))
			check_complain(check, at, "BAD_FORMAT", "has a wrong form");
	} else if (schema->types & CHECK_INTEGER) {
		if (parse_integer(text, &value.number))
			check_number(check, at, schema, value.number);
		else
			check_complain(check, at, "WRONG_TYPE", "must be a whole number");
	} else {
		value.number = str_eq(text, STR("true"));
		if (!value.number && !str_eq(text, STR("false")))
			check_complain(check, at, "WRONG_TYPE", "must be true or false");
	}
	if (check->bad > bad)
		return;
	put(member, &value, in);
	put_flag(in, member->offset_set);
}

/* What can't be the name of anything names nothing: the same answer as for what is absent. */
static enum err read_path(const struct route_match *match, void *in)
{
	struct checking check = { .problem = NULL };

	for (size_t i = 0; i < match->route->path_count; i++)
		read_parameter(&check, NULL, &match->route->path_params[i], match->param[i], in);
	return check.bad ? ERR_NOT_FOUND : OK;
}

static const struct check_member *query_member(const struct route *route, struct str name)
{
	for (size_t i = 0; i < route->query_count; i++)
		if (str_eq(route->query[i].name, name))
			return &route->query[i];
	return NULL;
}

static void read_pair(struct checking *check, const struct route *route, const struct place *at,
		      struct str text, uint64_t *seen, void *in)
{
	const struct check_member *member = query_member(route, at->name);

	if (!member) {
		if (!route->any_query)
			check_complain(check, at, "UNKNOWN_FIELD",
				       "isn't a parameter that is known here");
		return;
	}
	uint64_t bit = UINT64_C(1) << (member - route->query);
	if (*seen & bit) {
		check_complain(check, at, "DUPLICATE", "is there twice");
		return;
	}
	*seen |= bit;
	read_parameter(check, at, member, text, in);
}

static enum err read_query(struct checking *check, const struct route *route, struct str query,
			   void *in)
{
	const struct place all = { .name = STR("query") };
	struct str rest = query, text;
	uint64_t seen = 0;
	enum err e;

	for (size_t i = 0; i < route->query_count; i++)
		put_default(&route->query[i], in);
	for (;;) {
		struct place at = { .up = &all };
		e = query_next(&rest, check->arena, &at.name, &text);
		if (e == OK)
			read_pair(check, route, &at, text, &seen, in);
		else if (e == ERR_END || e == ERR_NO_MEMORY)
			break;
		else if (!route->any_query)
			check_complain(check, &all, "BAD_FORMAT",
				       "holds an escape or a character that isn't UTF-8");
	}
	for (size_t i = 0; i < route->query_count; i++) {
		struct place at = { .up = &all, .name = route->query[i].name };
		if (route->query[i].required && !(seen >> i & 1))
			check_complain(check, &at, "REQUIRED", "is missing");
	}
	return e == ERR_END ? OK : e;
}

/* --- the body --- */

static bool value_of_json(const struct check_schema *schema, const json_t *json,
			  struct value *ret_value)
{
	struct str text = json_text(json);
	bool flag;

	*ret_value = (struct value){ .tree = json };
	if (!str_absent(text))
		return value_of_checked(schema, text, ret_value);
	if (json_bool_of(json, &flag))
		ret_value->number = flag;
	else if (!json_integer_of(json, &ret_value->number))
		ret_value->number = 0;
	return true;
}

/* null in a slot of another type leaves it as if nothing had been sent, and sets the flag beside it. */
static enum err read_member(const struct check_member *member, const json_t *json, void *in)
{
	struct value value;

	if (!json) {
		put_default(member, in);
		return OK;
	}
	if (member->slot != SLOT_TREE && json_is_kind(json, JSON_NULL)) {
		put_flag(in, member->offset_null);
		return OK;
	}
	if (!value_of_json(member->schema, json, &value))
		return ERR_INTERNAL; /* it was checked */
	put(member, &value, in);
	put_flag(in, member->offset_set);
	return OK;
}

static enum err read_body(struct checking *check, const struct route *route, const json_t *body,
			  void *in)
{
	const struct check_schema *schema = route->schema;

	if (body)
		check_value(check, NULL, schema, body);
	else if (route->body_required)
		check_complain(check, NULL, "REQUIRED", "is missing");
	if (check->bad)
		return OK;
	for (size_t i = 0; i < schema->member_count; i++) {
		const struct check_member *member = &schema->members[i];
		TRY(read_member(member, body ? json_member(body, member->name.p) : NULL, in));
	}
	return OK;
}

enum err route_read(const struct route_match *match, struct str query, const json_t *body,
		    struct arena *arena, struct problem *problem, void **ret_in)
{
	struct checking check = { .arena = arena, .problem = problem };

	*ret_in = NULL;
	void *in = arena_alloc(arena, match->route->in_size);
	if (!in)
		return ERR_NO_MEMORY;
	TRY(read_path(match, in));
	TRY(read_query(&check, match->route, query, in));
	if (match->route->schema)
		TRY(read_body(&check, match->route, body, in));
	TRY(check.error);
	if (check.bad)
		return ERR_BAD_INPUT;
	*ret_in = in;
	return OK;
}
