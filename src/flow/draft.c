#include "flow/draft.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "flow/scan.h"

enum { WORDS_MAX = 400, NAME_TOLD_MAX = 64 };

/* A place that is too long for its array is cut: it only helps a person to look. */
static size_t enter(struct draft *draft, const char *format, ...) PRINTF_LIKE(2, 3);
static size_t enter(struct draft *draft, const char *format, ...)
{
	size_t before = draft->n_place, room = sizeof draft->place - before;
	va_list args;
	int written;

	va_start(args, format);
	written = vsnprintf(draft->place + before, room, format, args);
	va_end(args);
	if (written > 0)
		draft->n_place += (size_t)written < room ? (size_t)written : room - 1;
	return before;
}

size_t draft_enter_str(struct draft *draft, struct str member)
{
	struct str told = str_utf8_cut(member, NAME_TOLD_MAX);

	if (draft->n_place + told.n + 2 > sizeof draft->place)
		return draft->n_place;
	return enter(draft, "%s%.*s", draft->n_place > 0 ? "." : "", STR_ARG(told));
}

size_t draft_enter(struct draft *draft, const char *member) { return draft_enter_str(draft, str_of(member)); }

size_t draft_enter_item(struct draft *draft, size_t index) { return enter(draft, "[%zu]", index); }

void draft_leave(struct draft *draft, size_t before)
{
	draft->n_place = before;
	draft->place[before] = '\0';
}

void draft_fault(struct draft *draft, const char *code, const char *format, ...)
{
	struct problem *problem = &draft->cx->problem;
	char words[WORDS_MAX];
	struct str place, message;
	va_list args;

	draft->faults++;
	if (problem->count == PROBLEM_FIELDS_MAX)
		return;
	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	place = arena_copy(draft->cx->arena, (struct str){ draft->place, draft->n_place });
	message = arena_copy(draft->cx->arena, str_of(words));
	if (str_absent(place) || str_absent(message))
		draft->error = ERR_NO_MEMORY;
	else
		(void)problem_field(problem, place, code, message.p);
}

void draft_fault_at(struct draft *draft, const char *member, const char *code, const char *words)
{
	size_t before = draft_enter(draft, member);

	draft_fault(draft, code, "%s", words);
	draft_leave(draft, before);
}

static const char *kind_words(json_type kind)
{
	switch (kind) {
	case JSON_OBJECT: return "must be an object";
	case JSON_ARRAY: return "must be an array";
	case JSON_STRING: return "must be a string";
	default: return "must be a whole number";
	}
}

bool draft_expect(struct draft *draft, const json_t *value, json_type kind)
{
	if (!value)
		return false;
	if (json_is_kind(value, kind))
		return true;
	draft_fault(draft, "WRONG_TYPE", "%s", kind_words(kind));
	return false;
}

bool draft_is_word(struct str text, const char *words)
{
	struct str rest = str_of(words);

	while (!str_absent(rest))
		if (str_eq(str_cut(&rest, '|'), text))
			return true;
	return false;
}

void draft_members(struct draft *draft, const json_t *object, const char *names)
{
	for (void *i = json_first(object); i; i = json_next(object, i)) {
		size_t before;

		if (draft_is_word(json_iter_key(i), names))
			continue;
		before = draft_enter_str(draft, json_iter_key(i));
		draft_fault(draft, "UNKNOWN_FIELD", "isn't known here");
		draft_leave(draft, before);
	}
}

struct str draft_text(struct draft *draft, const json_t *value, size_t most)
{
	struct str text = json_text(value);

	if (!draft_expect(draft, value, JSON_STRING))
		return STR_NONE;
	if (text.n <= most)
		return text;
	draft_fault(draft, "TOO_LONG", "must have at most %zu bytes", most);
	return STR_NONE;
}

int64_t draft_number(struct draft *draft, const json_t *value, int64_t least, int64_t most, int64_t fallback)
{
	int64_t number;

	if (!value)
		return fallback;
	if (!json_integer_of(value, &number))
		draft_fault(draft, "WRONG_TYPE", "%s", kind_words(JSON_INTEGER));
	else if (number < least)
		draft_fault(draft, "TOO_SMALL", "must be at least %" PRId64, least);
	else if (number > most)
		draft_fault(draft, "TOO_LARGE", "must be at most %" PRId64, most);
	else
		return number;
	return fallback;
}

void draft_expression(struct draft *draft, struct str code)
{
	struct draft_notes *notes = draft->notes;
	const char *why = code_fault(code);
	struct str place;

	if (code.n > FLOW_EXPRESSION_MAX)
		draft_fault(draft, "TOO_LONG", "an expression has at most %d bytes", FLOW_EXPRESSION_MAX);
	else if (why)
		draft_fault(draft, "BAD_EXPRESSION", "%s", why);
	else if (notes && notes->expressions == DRAFT_EXPRESSIONS_MAX)
		draft_fault(draft, "TOO_MANY", "a definition has at most %d expressions", DRAFT_EXPRESSIONS_MAX);
	if (!notes || notes->expressions == DRAFT_EXPRESSIONS_MAX)
		return;
	place = arena_copy(draft->arena, (struct str){ draft->place, draft->n_place });
	if (str_absent(place))
		draft->error = ERR_NO_MEMORY;
	notes->expression[notes->expressions++] = (struct draft_expression){ place, str_trim(code) };
}

void draft_flag(struct draft *draft, const json_t *value)
{
	bool flag;

	if (value && !json_bool_of(value, &flag))
		draft_fault(draft, "WRONG_TYPE", "must be true or false");
}

void draft_id_read(struct draft *draft, enum id_kind kind, const json_t *value)
{
	struct draft_notes *notes = draft->notes;
	struct id id;
	struct str place;

	if (!draft_expect(draft, value, JSON_STRING))
		return;
	if (!id_parse(kind, json_text(value), &id)) {
		draft_fault(draft, "BAD_FORMAT", "must be an id that begins with %s-", id_prefix(kind));
		return;
	}
	if (!notes)
		return;
	if (notes->ids == DRAFT_IDS_MAX) {
		draft_fault(draft, "TOO_MANY", "a definition names at most %d objects", DRAFT_IDS_MAX);
		return;
	}
	place = arena_copy(draft->arena, (struct str){ draft->place, draft->n_place });
	if (str_absent(place))
		draft->error = ERR_NO_MEMORY;
	notes->id[notes->ids++] = (struct draft_id){ place, kind, id };
}

size_t draft_find(const struct draft *draft, struct str id)
{
	size_t i = 0;

	while (i < draft->n && !str_eq(draft->step[i].id, id))
		i++;
	return i;
}

void draft_read_steps(struct draft *draft, const json_t *list, const char *word,
		      void (*read)(struct draft *draft, const json_t *one))
{
	size_t n = json_length(list);

	if (!draft_expect(draft, list, JSON_ARRAY))
		return;
	if (n == 0)
		draft_fault(draft, "TOO_FEW", "must have at least one %s", word);
	if (n > FLOW_STEPS_MAX) {
		draft_fault(draft, "TOO_MANY", "must have at most %d %ss", FLOW_STEPS_MAX, word);
		return;
	}
	draft->step = arena_array(draft->arena, n + 1, sizeof *draft->step);
	if (!draft->step) {
		draft->error = ERR_NO_MEMORY;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		size_t before = draft_enter_item(draft, i);

		read(draft, json_item(list, i));
		draft->n++;
		draft_leave(draft, before);
	}
}
