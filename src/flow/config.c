#include "flow/config.h"

#include "flow/draft.h"
#include "flow/scan.h"

enum {
	TEXT_MOST = 64 << 10,
	ENTRIES_MAX = 100,
	CASES_MAX = 50,
	BRANCH_MOST = 64,
	DURATION_MOST_MS = 30 * 24 * 3600 * INT64_C(1000),
	COUNT_MOST = 1000000
};

static const struct config_member MEMBERS[] = {
#define STEP_MEMBER(step, name, kind, need, words) { STEP_##step, #name, CONFIG_##kind, NEED_##need },
#define NEED_REQUIRED true
#define NEED_OPTIONAL false
#include "flow/step_members.def"
#undef STEP_MEMBER
};

/* What the table's words say of some members, so that it is known before they run. */
static const struct {
	enum step_type type;
	const char *name, *words;
} CHOICES[] = {
	{ STEP_HTTP, "method", "GET|HEAD|POST|PUT|PATCH|DELETE" },
	{ STEP_HTTP, "body_type", "json|form|text" },
	{ STEP_AI, "provider", "gemini|openai|anthropic" },
};
static const struct {
	enum step_type type;
	const char *name;
	int64_t least, most;
} COUNTS[] = {
	{ STEP_DATABASE, "max_rows", 1, 1000 },
	{ STEP_AI, "max_output_tokens", 1, 200000 },
	{ STEP_FOR_EACH, "concurrency", 1, 8 },
};
/* One of them at most; and one at least. */
static const struct {
	enum step_type type;
	const char *a, *b;
	bool needed;
} PAIRS[] = {
	{ STEP_HTTP, "connector_id", "credential_id", false },
	{ STEP_DELAY, "delay_ms", "until", true },
};

const struct config_member *config_member_next(enum step_type type, const struct config_member *before)
{
	const struct config_member *end = MEMBERS + ARRAY_SIZE(MEMBERS);

	for (const struct config_member *m = before ? before + 1 : MEMBERS; m < end; m++)
		if (m->type == type)
			return m;
	return NULL;
}

const struct config_member *config_member_find(enum step_type type, struct str name)
{
	const struct config_member *m = NULL;

	while ((m = config_member_next(type, m)))
		if (str_eq(name, str_of(m->name)))
			return m;
	return NULL;
}

/* --- texts with expressions ------------------------------------------------------------------------ */

static void read_template(struct draft *draft, struct str text)
{
	struct str rest = text;
	struct text_piece piece;
	const char *why;

	while (text_next(&rest, &piece, &why))
		if (!str_absent(piece.code))
			draft_expression(draft, piece.code);
	if (why)
		draft_fault(draft, "BAD_EXPRESSION", "%s", why);
}

static void read_value(struct draft *draft, const json_t *value)
{
	size_t before;

	if (json_is_kind(value, JSON_STRING))
		read_template(draft, json_text(value));
	for (size_t i = 0; json_is_kind(value, JSON_ARRAY) && i < json_length(value); i++) {
		before = draft_enter_item(draft, i);
		read_value(draft, json_item(value, i));
		draft_leave(draft, before);
	}
	for (void *i = json_first(value); i; i = json_next(value, i)) {
		before = draft_enter_str(draft, json_iter_key(i));
		read_value(draft, json_iter_value(i));
		draft_leave(draft, before);
	}
}

static void read_map(struct draft *draft, const json_t *map)
{
	if (!draft_expect(draft, map, JSON_OBJECT))
		return;
	if (json_length(map) > ENTRIES_MAX)
		draft_fault(draft, "TOO_MANY", "must have at most %d members", ENTRIES_MAX);
	for (void *i = json_first(map); i; i = json_next(map, i)) {
		const json_t *value = json_iter_value(i);
		size_t before = draft_enter_str(draft, json_iter_key(i));

		if (json_is_kind(value, JSON_OBJECT) || json_is_kind(value, JSON_ARRAY))
			draft_fault(draft, "WRONG_TYPE", "must be a string, a number or true or false");
		else
			read_value(draft, value);
		draft_leave(draft, before);
	}
}

/* --- the other kinds --------------------------------------------------------------------------------- */

static void read_text(struct draft *draft, const struct config_member *m, const json_t *value)
{
	struct str text = draft_text(draft, value, TEXT_MOST);

	if (m->required && !str_absent(text) && text.n == 0)
		draft_fault(draft, "REQUIRED", "is empty");
	for (size_t i = 0; !str_absent(text) && i < ARRAY_SIZE(CHOICES); i++)
		if (CHOICES[i].type == m->type && str_eq(str_of(CHOICES[i].name), str_of(m->name)) &&
		    !draft_is_word(text, CHOICES[i].words))
			draft_fault(draft, "NOT_ALLOWED", "must be one of %s", CHOICES[i].words);
}

static void read_count(struct draft *draft, const struct config_member *m, const json_t *value)
{
	int64_t least = 0, most = m->kind == CONFIG_DURATION ? DURATION_MOST_MS : COUNT_MOST;

	for (size_t i = 0; i < ARRAY_SIZE(COUNTS); i++) {
		if (COUNTS[i].type != m->type || !str_eq(str_of(COUNTS[i].name), str_of(m->name)))
			continue;
		least = COUNTS[i].least;
		most = COUNTS[i].most;
	}
	(void)draft_number(draft, value, least, most, 0);
}

static void read_case(struct draft *draft, const json_t *one)
{
	const json_t *when = json_member(one, "when");
	struct str branch = json_member_text(one, "branch");
	size_t before;

	if (!draft_expect(draft, one, JSON_OBJECT))
		return;
	draft_members(draft, one, "when|branch");
	if (!when)
		draft_fault_at(draft, "when", "REQUIRED", "is missing");
	if (branch.n == 0 || branch.n > BRANCH_MOST)
		draft_fault_at(draft, "branch", "REQUIRED", "must be a name of at most 64 bytes");
	before = draft_enter(draft, "when");
	if (draft_expect(draft, when, JSON_STRING))
		draft_expression(draft, json_text(when));
	draft_leave(draft, before);
}

static void read_cases(struct draft *draft, const json_t *cases)
{
	if (!draft_expect(draft, cases, JSON_ARRAY))
		return;
	if (json_length(cases) == 0)
		draft_fault(draft, "TOO_FEW", "must have at least one case");
	if (json_length(cases) > CASES_MAX)
		draft_fault(draft, "TOO_MANY", "must have at most %d cases", CASES_MAX);
	for (size_t i = 0; i < json_length(cases); i++) {
		size_t before = draft_enter_item(draft, i);

		read_case(draft, json_item(cases, i));
		draft_leave(draft, before);
	}
}

static void read_body(struct draft *draft, const json_t *value, struct flow_step *step)
{
	struct flow_step *body = ARENA_NEW(draft->arena, struct flow_step);

	if (!body)
		draft->error = ERR_NO_MEMORY;
	if (!body || !draft_expect(draft, value, JSON_OBJECT))
		return;
	draft_members(draft, value, "type|name|config|retry|timeout_ms");
	body->id = step->id;
	body->name = step->name;
	if (!step_read_type(draft, json_member(value, "type"), &body->type))
		return;
	if (step_type_kind(body->type) == STEP_IS_WAIT || body->type == STEP_TRIGGER) {
		draft_fault_at(draft, "type", "NOT_ALLOWED", "can't be run for each element");
		return;
	}
	step_read(draft, value, body);
	step->body = body;
}

/* --- a config ------------------------------------------------------------------------------------------ */

static void read_member(struct draft *draft, const struct config_member *m, const json_t *value,
			struct flow_step *step)
{
	switch (m->kind) {
	case CONFIG_EXPRESSION:
		if (draft_expect(draft, value, JSON_STRING))
			draft_expression(draft, json_text(value));
		break;
	case CONFIG_TEMPLATE:
		if (draft_expect(draft, value, JSON_STRING))
			read_template(draft, json_text(value));
		break;
	case CONFIG_VALUE: read_value(draft, value); break;
	case CONFIG_MAP: read_map(draft, value); break;
	case CONFIG_TEXT: read_text(draft, m, value); break;
	case CONFIG_FLAG: draft_flag(draft, value); break;
	case CONFIG_COUNT:
	case CONFIG_DURATION: read_count(draft, m, value); break;
	case CONFIG_ID_CONNECTOR: draft_id_read(draft, ID_CONNECTOR, value); break;
	case CONFIG_ID_CREDENTIAL: draft_id_read(draft, ID_CREDENTIAL, value); break;
	case CONFIG_ID_WORKFLOW: draft_id_read(draft, ID_WORKFLOW, value); break;
	case CONFIG_CASES: read_cases(draft, value); break;
	case CONFIG_STEP_BODY: read_body(draft, value, step); break;
	}
}

/* null stands for what is still to be chosen; what the graph is made of can't be left open. */
static bool may_be_open(enum config_kind kind)
{
	return kind != CONFIG_EXPRESSION && kind != CONFIG_CASES && kind != CONFIG_STEP_BODY;
}

static bool is_id(enum config_kind kind)
{
	return kind == CONFIG_ID_CONNECTOR || kind == CONFIG_ID_CREDENTIAL || kind == CONFIG_ID_WORKFLOW;
}

static void read_or_miss(struct draft *draft, const struct config_member *m, struct flow_step *step)
{
	const json_t *value = json_member(step->config, m->name);
	bool null = json_is_kind(value, JSON_NULL);
	size_t before = draft_enter(draft, m->name);

	if (m->required && (!value || (null && !may_be_open(m->kind)))) {
		draft_fault(draft, "REQUIRED", "is missing");
	} else if (null && (m->required || is_id(m->kind)) && str_absent(draft->unchosen)) {
		draft->unchosen = arena_copy(draft->arena, (struct str){ draft->place, draft->n_place });
		if (str_absent(draft->unchosen))
			draft->error = ERR_NO_MEMORY;
	} else if (value && !null) {
		read_member(draft, m, value, step);
	}
	draft_leave(draft, before);
}

static void check_pairs(struct draft *draft, const struct flow_step *step)
{
	for (size_t i = 0; i < ARRAY_SIZE(PAIRS); i++) {
		bool a = json_member(step->config, PAIRS[i].a) != NULL;
		bool b = json_member(step->config, PAIRS[i].b) != NULL;

		if (PAIRS[i].type != step->type)
			continue;
		if (a && b)
			draft_fault_at(draft, PAIRS[i].b, "NOT_ALLOWED",
				       "is one of two of which there can only be one");
		if (!a && !b && PAIRS[i].needed)
			draft_fault_at(draft, PAIRS[i].a, "REQUIRED", "is missing");
	}
}

void config_read(struct draft *draft, struct flow_step *step)
{
	const struct config_member *m = NULL;
	size_t faults = draft->faults;
	enum err e;

	for (void *i = json_first(step->config); i; i = json_next(step->config, i)) {
		size_t before = draft_enter_str(draft, json_iter_key(i));

		if (!config_member_find(step->type, json_iter_key(i)))
			draft_fault(draft, "UNKNOWN_FIELD", "isn't known to a step of this type");
		draft_leave(draft, before);
	}
	while ((m = config_member_next(step->type, m)))
		read_or_miss(draft, m, step);
	check_pairs(draft, step);
	if (draft->faults > faults || draft->error != OK)
		return;
	e = config_program(draft->arena, step, &step->program);
	if (e == ERR_TOO_BIG)
		draft_fault(draft, "TOO_LONG", "is too large for one with expressions in it: 64 KiB at most");
	else if (e != OK)
		draft->error = e;
	step->plain = config_is_plain(step);
}
