#include "ai/workflow_words.h"

#include "base/json_write.h"
#include "store/sql_ai.h"

enum { WORDS_MAX = 64 << 10, CONNECTORS_MAX = 50 };

static const char FORMAT[] =
	"You write workflows. Answer with one JSON object, a definition, and nothing else:\n"
	"{\"steps\": [{\"id\": \"a\", \"type\": \"transform\", \"name\": \"words for a person\", \"config\": {...}}],\n"
	" \"dependencies\": {\"b\": [\"a\"]}, \"conditions\": {\"b\": \"jq that is true or false\"}}\n\n"
	"An id is of letters, digits, _ and -. A step runs when those that it depends on are over, and its condition, if it "
	"has one, is true. There must be no cycle. A step may have \"on_error\": \"continue\" and \"timeout_ms\".\n"
	"Expressions are jq 1.6. They see .input (what the workflow was started with), .steps.<id> (the output of a step "
	"that is over), .request and .execution; within for_each .item and .index, too. In a template, {{ jq }} "
	"stands for a value; a text that is nothing but one becomes the value itself. Let a respond step give the result.\n"
	"Secrets are never written down: a connector or a credential is named by its id, or null where none fits: a "
	"person chooses it then.\n\n"
	"The types of steps, each with the members of its config (* must be there):\n";

static const char EXAMPLE[] =
	"\nAn example:\n"
	"{\"steps\": [{\"id\": \"greet\", \"type\": \"transform\", \"config\": {\"expression\": \"{greeting: (\\\"Hello, \\\" + .input.name)}\"}},\n"
	" {\"id\": \"answer\", \"type\": \"respond\", \"config\": {\"body\": \"{{ .steps.greet }}\"}}], \"dependencies\": {\"answer\": [\"greet\"]}}\n";

struct type_words {
	const char *step, *text, *words;
};
struct member_words {
	const char *step, *name, *kind, *words;
	bool required;
};

static const struct type_words TYPES[] = {
#define STEP(name, text, kind, words) { #name, text, words },
#include "flow/steps.def"
#undef STEP
};

static const struct member_words MEMBERS[] = {
#define STEP_MEMBER(step, name, kind, need, words) { #step, #name, #kind, words, NEED_##need },
#define NEED_REQUIRED true
#define NEED_OPTIONAL false
#include "flow/step_members.def"
#undef STEP_MEMBER
};

static void add_type(struct buf *out, const struct type_words *type)
{
	buf_printf(out, "- %s: %s\n", type->text, type->words);
	for (size_t i = 0; i < ARRAY_SIZE(MEMBERS); i++)
		if (str_eq(str_of(MEMBERS[i].step), str_of(type->step)))
			buf_printf(out, "    %s%s (%s): %s\n", MEMBERS[i].name,
				   MEMBERS[i].required ? "*" : "", MEMBERS[i].kind,
				   MEMBERS[i].words);
}

static enum err add_connectors(struct ctx *cx, struct buf *out)
{
	const struct sql_ai_connectors_in query = { .limit = CONNECTORS_MAX };
	struct sql_ai_connectors_row row;
	char text[ID_TEXT_MAX];
	enum err e;

	TRY(sql_ai_connectors(cx->db, &query));
	buf_add_c(out, "\nThe connectors that there are:\n");
	while ((e = sql_ai_connectors_next(cx->db, &row)) == OK) {
		buf_add_str(out, id_format(ID_CONNECTOR, &row.connector_id, text));
		buf_printf(out, ": %.*s, ", STR_ARG(row.connector_type));
		json_escape(out, row.display_name);
		buf_add_char(out, '\n');
	}
	return e == ERR_END ? OK : e;
}

static enum err keep(struct ctx *cx, const struct buf *text, struct str *ret_words)
{
	TRY(buf_error(text));
	*ret_words = arena_copy(cx->arena, buf_str(text));
	return str_absent(*ret_words) ? ERR_NO_MEMORY : OK;
}

enum err workflow_words(struct ctx *cx, struct str *ret_words)
{
	BUF_AUTO struct buf words = { 0 };

	buf_init(&words, WORDS_MAX);
	buf_add_c(&words, FORMAT);
	for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++)
		add_type(&words, &TYPES[i]);
	buf_add_c(&words, EXAMPLE);
	TRY(add_connectors(cx, &words));
	return keep(cx, &words, ret_words);
}

enum err workflow_faults(struct ctx *cx, struct str *ret_words)
{
	const struct problem *problem = &cx->problem;
	BUF_AUTO struct buf words = { 0 };

	buf_init(&words, WORDS_MAX);
	buf_add_c(
		&words,
		"This definition doesn't pass the checks. Mend it, and answer with the whole of it.\n");
	for (size_t i = 0; i < problem->count && i < PROBLEM_FIELDS_MAX; i++)
		buf_printf(&words, "- %.*s: %s (%.*s)\n", STR_ARG(problem->field[i].field),
			   problem->field[i].code, STR_ARG(problem->field[i].message));
	if (problem->count == 0)
		buf_add_c(&words, "- It isn't one JSON object.\n");
	return keep(cx, &words, ret_words);
}
