/* A model at work: what it says is told to whoever watches, a few words at a time. */
#ifndef LW_AI_SPEAKING_H
#define LW_AI_SPEAKING_H

#include "ai/ask.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "core/ctx.h"

/* Who watches, and what. */
struct audience {
	struct opt_id run;       /* not set: nobody, and nothing below does anything */
	struct opt_id execution; /* whose step speaks: it's on record; not set: it has no number */
	struct str node;         /* the step; absent: none */
	int64_t attempt;
};

struct speaking {
	struct ctx *cx;
	struct audience to;
	struct buf text; /* not said yet */
	int64_t said_ms;
};

void speaking_init(struct speaking *speaking, struct ctx *cx, const struct audience *to);
void speaking_done(struct speaking *speaking);
/* NULL: nobody listens. */
model_listener speaking_listener(const struct speaking *speaking);
/* Errors of execution_say. */
enum err speaking_begin(struct speaking *speaking, const struct model_choice *choice) MUST_CHECK;
/* The rest of the text, and how it ended. */
enum err speaking_end(struct speaking *speaking, const struct model_answer *answer,
		      enum err outcome) MUST_CHECK;

#endif
