#include "expr/program.h"

#include <jq.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expr/value.h"
#include "expr/words.h"

struct program {
	jq_state *jq;
};

/* What the compiler says; the first message is the cause. */
struct report {
	struct str text;
	struct expr_failure *failure;
};

static void (*end_without_memory)(void *);

void program_on_no_memory(void (*end)(void *))
{
	end_without_memory = end;
	jv_nomem_handler(end, NULL);
}

static struct str text_of(jv string)
{
	return (struct str){ jv_string_value(string), (size_t)jv_string_length_bytes(jv_copy(string)) };
}

static void hear(void *arg, jv message)
{
	struct report *report = arg;
	jv text = jq_format_error(message);

	if (report->failure->words[0] == '\0' && jv_get_kind(text) == JV_KIND_STRING)
		words_of_compiler(text_of(text), report->text, report->failure);
	jv_free(text);
}

static void ignore(void *arg, jv message)
{
	(void)arg;
	jv_free(message);
}

/* There is one input, and it has been given. */
static jv no_input(jq_state *jq, void *unused)
{
	(void)jq;
	(void)unused;
	return jv_invalid();
}

/* Without a list of its own, empty, and a place of origin, the search for modules runs into an assertion. */
static void close_search(jq_state *jq)
{
	jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), jv_array());
	jq_set_attr(jq, jv_string("JQ_ORIGIN"), jv_string("/nonexistent"));
	jq_set_attr(jq, jv_string("PROGRAM_ORIGIN"), jv_string("/nonexistent"));
}

static enum expr_why compile(jq_state *jq, struct str text, struct expr_failure *failure)
{
	struct report report = { text, failure };
	char *terminated = malloc(text.n + 1);

	if (!terminated)
		return EXPR_MEMORY;
	memcpy(terminated, text.p, text.n);
	terminated[text.n] = '\0';
	/* All of them: jq_init leaves some as they come, and calls them nevertheless. */
	jq_set_nomem_handler(jq, end_without_memory, NULL);
	jq_set_error_cb(jq, hear, &report);
	jq_set_input_cb(jq, no_input, NULL);
	jq_set_debug_cb(jq, ignore, NULL);
	close_search(jq);
	int compiled = jq_compile(jq, terminated);
	jq_set_error_cb(jq, ignore, NULL);
	free(terminated);
	return compiled ? EXPR_OK : EXPR_SYNTAX;
}

enum expr_why program_compile(struct str text, struct program **ret_program, struct expr_failure *ret_failure)
{
	struct program *program = NULL;

	*ret_failure = (struct expr_failure){ .why = EXPR_SYNTAX };
	if (!str_is_utf8(text) || (text.n > 0 && memchr(text.p, '\0', text.n))) {
		snprintf(ret_failure->words, sizeof(ret_failure->words), "the expression isn't UTF-8, or holds U+0000");
		return EXPR_SYNTAX;
	}
	program = calloc(1, sizeof(*program));
	ret_failure->why = EXPR_MEMORY;
	if (!program || !(program->jq = jq_init())) {
		free(program);
		return EXPR_MEMORY;
	}
	ret_failure->why = compile(program->jq, text, ret_failure);
	if (ret_failure->why != EXPR_OK) {
		program_free(program);
		return ret_failure->why;
	}
	*ret_program = program;
	return EXPR_OK;
}

/* --- running -------------------------------------------------------------------- */

static enum expr_why fail(struct expr_failure *failure, const char *words)
{
	failure->why = EXPR_FAILED;
	snprintf(failure->words, sizeof(failure->words), "%s", words);
	return EXPR_FAILED;
}

/* What the program raised: a text, as error("...") does, or another value. Takes `message`. */
static enum expr_why raise_error(jv message, struct expr_failure *failure)
{
	failure->why = EXPR_FAILED;
	if (jv_get_kind(message) != JV_KIND_STRING)
		message = jv_dump_string(message, 0);
	words_clean(text_of(message), failure->words);
	jv_free(message);
	/* What jq's `input` says at the end. */
	return strcmp(failure->words, "break") == 0 ? fail(failure, "there is no further input") : EXPR_FAILED;
}

/* Resetting jq frees what it halted with and keeps the pointers: they'd be freed again the next time. */
static void forget_halt(jq_state *jq)
{
	jq_start(jq, jv_null(), 0);
	jq_halt(jq, jv_invalid(), jv_invalid());
}

/* The end of what the program yields: how it ended. Takes `end`, which is no value. */
static enum expr_why finish(jq_state *jq, jv end, struct expr_failure *failure)
{
	if (jv_invalid_has_msg(jv_copy(end)))
		return raise_error(jv_invalid_get_msg(end), failure);
	jv_free(end);
	if (!jq_halted(jq))
		return EXPR_OK;
	forget_halt(jq);
	return fail(failure, "the expression halted");
}

/* Takes the first result that there was. */
static enum expr_why look_for_more(jq_state *jq, jv result, struct buf *out, struct expr_failure *failure)
{
	jv next = jq_next(jq);
	enum expr_why why;

	if (jv_is_valid(next)) {
		jv_free(next);
		why = fail(failure, "the expression yields more than one value");
	} else {
		why = finish(jq, next, failure);
	}
	if (why == EXPR_OK)
		return value_write(result, out, failure);
	jv_free(result);
	return why;
}

enum expr_why program_run(struct program *program, struct str input, struct buf *out,
			  struct expr_failure *ret_failure)
{
	jv value;

	*ret_failure = (struct expr_failure){ .why = EXPR_OK };
	enum expr_why why = value_read(input, &value, ret_failure);
	if (why != EXPR_OK)
		return why;
	jq_start(program->jq, value, 0);
	jv result = jq_next(program->jq);
	if (jv_is_valid(result))
		return look_for_more(program->jq, result, out, ret_failure);
	why = finish(program->jq, result, ret_failure);
	if (why == EXPR_OK)
		buf_add_c(out, "null");
	return why;
}

void program_rest(struct program *program) { jq_start(program->jq, jv_null(), 0); }

void program_free(void *program)
{
	struct program *p = program;

	if (!p)
		return;
	jq_teardown(&p->jq);
	free(p);
}
