/*
 * What a save looks at beside the form: whether each expression can be compiled, and whether what is named is there.
 * Compiling takes milliseconds however short the program, and longer than in proportion for a long one: so as many as
 * make a program of middling length are tried at once, and what fails is looked for by the line that jq names.
 */
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "expr/expr.h"
#include "flow/draft.h"
#include "store/sql_workflow.h"

enum {
	FAULTS_MAX = 8,
	MESSAGE_MAX = EXPR_WORDS_MAX + 64,
	AT_ONCE_BYTES = 8 << 10,
	/* In all. Whoever sends what takes longer than this keeps others waiting. */
	COMPILING_MS = 1500
};

struct check {
	struct ctx *cx;
	struct draft_notes *notes; /* what was told of has no code any more */
	size_t faults;
	int64_t until_us; /* of the clock that never steps */
	struct buf program;
};

/* --- expressions ------------------------------------------------------------------------------------ */

static enum err late(struct check *check)
{
	(void)ctx_bad_field(check->cx, "definition", "TOO_LARGE", "has expressions that take too long to compile");
	return ERR_END;
}

/* All from `from` on below `to`, each in brackets of its own, which it can't leave: code_fault has seen to that. */
static enum err compile(struct check *check, size_t from, size_t to, struct expr_failure *failure)
{
	if (clock_monotonic_us() > check->until_us)
		return late(check);
	buf_clear(&check->program);
	for (size_t i = from; i < to; i++) {
		if (str_absent(check->notes->expression[i].code))
			continue;
		buf_add_c(&check->program, check->program.n > 0 ? "\n,(" : "(");
		buf_add_str(&check->program, check->notes->expression[i].code);
		buf_add_c(&check->program, "\n)");
	}
	TRY(buf_error(&check->program));
	return check->program.n > 0 ? expr_check(check->cx->expr, buf_str(&check->program), failure) : OK;
}

/* The bracket that closes it has one of its own: that is where jq misses what isn't finished. */
static size_t lines_of(struct str code)
{
	size_t n = 2;

	for (size_t i = 0; i < code.n; i++)
		n += code.p[i] == '\n';
	return n;
}

static enum err tell(struct check *check, const struct draft_expression *expression,
		     const struct expr_failure *failure)
{
	char words[MESSAGE_MAX];
	struct str message;

	check->faults++;
	/* The brackets around it are ours. */
	if (failure->line >= (int)lines_of(expression->code))
		snprintf(words, sizeof words, "%s (at its end)", failure->words);
	else if (failure->line > 0 && failure->column > 0)
		snprintf(words, sizeof words, "%s (line %d, column %d)", failure->words, failure->line,
			 failure->line == 1 && failure->column > 1 ? failure->column - 1 : failure->column);
	else
		snprintf(words, sizeof words, "%s", failure->words);
	message = arena_copy(check->cx->arena, str_of(words));
	if (str_absent(message))
		return ERR_NO_MEMORY;
	(void)problem_field(&check->cx->problem, expression->place, "BAD_EXPRESSION", message.p);
	return OK;
}

/* Which one has that line of the program; `to` for none. */
static size_t at_line(const struct check *check, size_t from, size_t to, int line)
{
	size_t begins = 1;

	for (size_t i = from; i < to && line > 0; i++) {
		struct str code = check->notes->expression[i].code;

		if (str_absent(code))
			continue;
		begins += lines_of(code);
		if ((size_t)line < begins)
			return i;
	}
	return to;
}

/* Whether that one alone is bad: then it is told of, and passed over from now on. */
static enum err try_alone(struct check *check, size_t i, bool *ret_bad)
{
	struct expr_failure failure = { 0 };
	enum err e = compile(check, i, i + 1, &failure);

	*ret_bad = e == ERR_BAD_INPUT;
	if (!*ret_bad)
		return e;
	TRY(tell(check, &check->notes->expression[i], &failure));
	check->notes->expression[i].code = STR_NONE;
	return OK;
}

static enum err check_range(struct check *check, size_t from, size_t to)
{
	struct expr_failure failure = { 0 };
	size_t middle = from + (to - from) / 2, at;
	bool bad = true;
	enum err e;

	while (bad && check->faults < FAULTS_MAX) {
		e = compile(check, from, to, &failure);
		if (e != ERR_BAD_INPUT)
			return e;
		at = to - from == 1 ? from : at_line(check, from, to, failure.line);
		bad = at < to;
		if (bad)
			TRY(try_alone(check, at, &bad));
	}
	if (check->faults == FAULTS_MAX || to - from == 1)
		return OK;
	/* The line is another's, such as when a string goes on for too long, or there is none. */
	TRY(check_range(check, from, middle));
	return check_range(check, middle, to);
}

/* As many as make a program of that length, or one. */
static size_t range_end(const struct draft_notes *notes, size_t from)
{
	size_t to = from, bytes = 0;

	while (to < notes->expressions && (to == from || bytes + notes->expression[to].code.n <= AT_ONCE_BYTES))
		bytes += notes->expression[to++].code.n;
	return to;
}

static enum err check_expressions(struct check *check)
{
	enum err e = OK;

	if (check->notes->expressions == 0)
		return OK;
	if (!check->cx->expr)
		return ERR_EXPRESSION_AWAY;
	check->until_us = clock_monotonic_us() + COMPILING_MS * INT64_C(1000);
	buf_init(&check->program, EXPR_PROGRAM_MAX);
	for (size_t from = 0, to; e == OK && from < check->notes->expressions; from = to) {
		to = range_end(check->notes, from);
		e = check_range(check, from, to);
	}
	buf_done(&check->program);
	/* It took too long: that has been told. */
	return e == ERR_END ? ERR_BAD_INPUT : e;
}

/* --- what is named ---------------------------------------------------------------------------------- */

static enum err look_up(struct ctx *cx, const struct draft_id *named)
{
	struct sql_workflow_has_connector_row connector;
	struct sql_workflow_has_credential_row credential;
	struct sql_workflow_has_workflow_row workflow;

	switch (named->kind) {
	case ID_CONNECTOR:
		return sql_workflow_has_connector(cx->db, &(struct sql_workflow_has_connector_in){ named->id },
						  &connector);
	case ID_CREDENTIAL:
		return sql_workflow_has_credential(cx->db, &(struct sql_workflow_has_credential_in){ named->id },
						   &credential);
	default:
		return sql_workflow_has_workflow(cx->db, &(struct sql_workflow_has_workflow_in){ named->id },
						 &workflow);
	}
}

static bool seen_before(const struct draft_notes *notes, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (id_eq(&notes->id[k].id, &notes->id[i].id))
			return true;
	return false;
}

static enum err check_ids(struct check *check)
{
	for (size_t i = 0; i < check->notes->ids && check->faults < FAULTS_MAX; i++) {
		const struct draft_id *named = &check->notes->id[i];
		enum err e = seen_before(check->notes, i) ? OK : look_up(check->cx, named);

		if (e != OK && e != ERR_NOT_FOUND)
			return e;
		if (e == OK)
			continue;
		check->faults++;
		(void)problem_field(&check->cx->problem, named->place, "NOT_FOUND", "isn't one of this tenant's");
	}
	return OK;
}

enum err flow_check(struct ctx *cx, const json_t *definition, const struct flow **ret_flow)
{
	struct draft_notes *notes = ARENA_NEW(cx->arena, struct draft_notes);
	struct check check = { .cx = cx, .notes = notes };

	*ret_flow = NULL;
	if (!notes)
		return ERR_NO_MEMORY;
	TRY(draft_read(cx, cx->arena, definition, notes, ret_flow));
	TRY(check_expressions(&check));
	TRY(check_ids(&check));
	return check.faults > 0 ? ERR_BAD_INPUT : OK;
}
