/* The members that each step has, whatever its type. */
#include <string.h>

#include "flow/draft.h"

enum {
	ID_MOST = 64,
	NAME_MOST = 800, /* 200 characters */
	DELAY_MOST_MS = 3600 * 1000,
	DELAY_USUAL_MS = 1000,
	TIMEOUT_LEAST_MS = 100,
	TIMEOUT_MOST_MS = 120 * 1000,
	TIMEOUT_USUAL_MS = 30 * 1000,
	TIMEOUT_MODEL_MS = 120 * 1000
};

static bool is_id(struct str id)
{
	for (size_t i = 0; i < id.n; i++) {
		char c = id.p[i];

		if (!char_is_letter(c) && !char_is_digit(c) && c != '_' && (c != '-' || i == 0))
			return false;
	}
	return id.n > 0 && id.n <= ID_MOST;
}

void step_read_id(struct draft *draft, const json_t *value, struct flow_step *step)
{
	size_t before = draft_enter(draft, "id");

	if (!value)
		draft_fault(draft, "REQUIRED", "is missing");
	else if (!is_id(json_text(value)))
		draft_fault(draft, "BAD_FORMAT", "must be 1 to %d letters, digits, _ and -, and not begin with -",
			    ID_MOST);
	else if (draft_find(draft, json_text(value)) < draft->n)
		draft_fault(draft, "DUPLICATE", "is the id of another step");
	else
		step->id = json_text(value);
	draft_leave(draft, before);
}

bool step_read_type(struct draft *draft, const json_t *value, enum step_type *ret_type)
{
	bool known = false;
	size_t before = draft_enter(draft, "type");

	if (!value)
		draft_fault(draft, "REQUIRED", "is missing");
	else if (draft_expect(draft, value, JSON_STRING)) {
		known = step_type_parse(json_text(value), ret_type);
		if (!known)
			draft_fault(draft, "UNKNOWN_TYPE", "isn't a type of step");
	}
	draft_leave(draft, before);
	return known;
}

/* A number of the object at the place. */
static int64_t read_number(struct draft *draft, const json_t *object, const char *member, int64_t least, int64_t most,
			   int64_t fallback)
{
	size_t before = draft_enter(draft, member);
	int64_t number = draft_number(draft, json_member(object, member), least, most, fallback);

	draft_leave(draft, before);
	return number;
}

static void read_retry(struct draft *draft, const json_t *retry, struct flow_step *step)
{
	size_t before = draft_enter(draft, "retry");

	if (draft_expect(draft, retry, JSON_OBJECT))
		draft_members(draft, retry, "attempts|delay_ms");
	step->attempts = read_number(draft, retry, "attempts", 1, FLOW_TRY_MAX, 0);
	step->delay_ms = read_number(draft, retry, "delay_ms", 0, DELAY_MOST_MS, DELAY_USUAL_MS);
	draft_leave(draft, before);
}

static void read_on_error(struct draft *draft, const json_t *value, struct flow_step *step)
{
	size_t before = draft_enter(draft, "on_error");

	if (draft_expect(draft, value, JSON_STRING)) {
		step->goes_on = str_eq(json_text(value), STR("continue"));
		if (!step->goes_on && !str_eq(json_text(value), STR("fail")))
			draft_fault(draft, "NOT_ALLOWED", "must be fail or continue");
	}
	draft_leave(draft, before);
}

static void read_timeout(struct draft *draft, const json_t *at, struct flow_step *step)
{
	bool model = step->type == STEP_AI || step->type == STEP_AGENT;

	step->timeout_ms = read_number(draft, at, "timeout_ms", TIMEOUT_LEAST_MS, TIMEOUT_MOST_MS,
				       model ? TIMEOUT_MODEL_MS : TIMEOUT_USUAL_MS);
}

static void read_name(struct draft *draft, const json_t *at, struct flow_step *step)
{
	const char *member = json_member(at, "name") ? "name" : "label";
	size_t before = draft_enter(draft, member);
	struct str name = draft_text(draft, json_member(at, member), NAME_MOST);

	if (name.n > 0)
		step->name = name;
	draft_leave(draft, before);
}

void step_read(struct draft *draft, const json_t *at, struct flow_step *step)
{
	size_t before;

	if (str_absent(step->name))
		step->name = step->id;
	read_name(draft, at, step);
	read_retry(draft, json_member(at, "retry"), step);
	read_timeout(draft, at, step);
	read_on_error(draft, json_member(at, "on_error"), step);
	before = draft_enter(draft, "config");
	step->config = json_member(at, "config");
	if (!step->config || draft_expect(draft, step->config, JSON_OBJECT))
		config_read(draft, step);
	draft_leave(draft, before);
}
