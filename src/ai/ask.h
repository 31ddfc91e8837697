/*
 * Asking a model: with the key of a credential, through the egress guard,
 * within the caps of its tenant and its provider. No transaction may be open.
 */
#ifndef LW_AI_ASK_H
#define LW_AI_ASK_H

#include "ai/model.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json_write.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"

/* How long a person who asks over HTTP waits at most, all calls together: nginx gives the vault pool up after 90 s. */
enum { MODEL_REQUEST_MS = 80000 };

/* Who answers. */
struct model_choice {
	enum model_wire wire;
	struct str provider, model;
	struct id credential; /* the key */
};

/*
 * What isn't said is the configuration's, and the key is the tenant's of that provider: of the service that it has
 * switched on, or of the short form. ERR_AI_NO_PROVIDER when there is none.
 */
enum err model_choose(struct ctx *cx, struct str provider, struct str model,
		      struct opt_id credential, struct model_choice *ret_choice) MUST_CHECK;

struct model_asking {
	const struct model_choice *choice;
	const struct model_request *request; /* its model is the choice's */
	const char *source; /* of the row of usage: "generate", "workflow", "agent", "step" */
	struct opt_id source_id;
	int64_t deadline_ms; /* on the clock of cx->now_ms; 0: the configuration's time alone counts */
	model_listener listen; /* hears the text as it comes; NULL: the answer comes whole */
	void *arg;
};

/*
 * The answer, in the context's arena; after an error it holds what came until then. Errors of model.h; ERR_AI_TIMEOUT,
 * ERR_AI_UNAVAILABLE, ERR_AI_CUT, ERR_HOST_FORBIDDEN, ERR_PROVIDER_BUSY; ERR_AI_NO_PROVIDER when the credential isn't
 * one of that provider. A wish to wait is in cx->problem.retry_after_s. The key is nowhere in the answer, not even when
 * the other side repeats it. What it cost is written down.
 */
enum err model_ask(struct ctx *cx, const struct model_asking *asking,
		   struct model_answer *ret_answer) MUST_CHECK;
/* The same with the values of a connection, and nothing is written down. */
enum err model_send(struct ctx *cx, const struct model_asking *asking,
		    const struct connector_type *type, struct values *values,
		    struct model_answer *ret_answer) MUST_CHECK;

/* Errors that mean: there is no answer of a model. A fallback stands in for it. */
bool model_is_silent(enum err e);
/* Those of them after which the same question may be answered in a while. */
bool model_may_answer_later(enum err e);

/* The member `tokens` {input, output}. */
void model_put_tokens(struct json_writer *w, const struct model_answer *answer);

#endif
