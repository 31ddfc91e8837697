/* What a model is told besides the question: who it is, what it knows, and what was said before. */
#ifndef LW_AI_CONVERSATION_H
#define LW_AI_CONVERSATION_H

#include <jansson.h>

#include "ai/model.h"
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"

enum { CONVERSATION_MAX = 100 };

/*
 * The personality, and behind it what the tenant's knowledge says to that question; an absent question: nothing. In the
 * context's arena; the absent text when there is neither.
 */
enum err conversation_system(struct ctx *cx, struct str personality, struct str question,
			     struct str *ret_system) MUST_CHECK;
/*
 * The turns of [{"role": "user" | "model", "text"}] and the question behind them, in the arena; the list may be NULL.
 * ERR_BAD_INPUT when it isn't such a list, or too long.
 */
enum err conversation_turns(struct arena *arena, const json_t *history, struct str question,
			    const struct model_turn **ret_turn, size_t *ret_n) MUST_CHECK;
/*
 * The text of an answer as JSON; some models put it between fences of Markdown. ERR_AI_ANSWER_UNREADABLE when it is
 * none.
 */
enum err conversation_json(struct arena *arena, struct str text, json_t **ret_json) MUST_CHECK;

#endif
