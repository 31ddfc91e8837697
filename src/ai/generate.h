/* One question to a model, as a person or a step puts it. */
#ifndef LW_AI_GENERATE_H
#define LW_AI_GENERATE_H

#include <jansson.h>

#include "ai/ask.h"
#include "ai/speaking.h"
#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"

struct question {
	struct str prompt, system;
	struct str provider, model; /* absent: the configuration's */
	struct opt_id credential;
	const json_t *history; /* see conversation.h; NULL: none */
	bool knowledge;
	bool json;
	const json_t *schema; /* of the JSON; NULL: any */
	struct opt_int max_output_tokens;
	const char *source; /* of the row of usage */
	struct opt_id source_id;
	int64_t deadline_ms; /* see ask.h */
	struct audience to;
};

struct generated {
	struct model_choice choice;
	struct model_answer answer;
	json_t *value; /* of an answer that is to be JSON; else NULL */
	bool sent;     /* something may have left the house */
};

/* Which model, and with which key: before it is asked. */
enum err question_choose(struct ctx *cx, const struct question *question,
			 struct generated *ret) MUST_CHECK;
/*
 * Asks it. Errors of model_ask; ERR_AI_BLOCKED for an answer of which a part was held back, ERR_AI_ANSWER_UNREADABLE
 * for one that should be JSON and isn't; ERR_BAD_INPUT: the history.
 */
enum err question_ask(struct ctx *cx, const struct question *question,
		      struct generated *generated) MUST_CHECK;

#endif
