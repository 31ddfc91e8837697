/*
 * Agents: a model that is asked, does what it asks for with its tools, and is
 * asked again, until it has an answer or has had its rounds.
 */
#ifndef LW_AI_AGENT_H
#define LW_AI_AGENT_H

#include "ai/ask.h"
#include "ai/tool.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "core/ctx.h"

struct agent {
	struct id id;
	struct str name, description;
	struct str provider, model; /* absent: the configuration's */
	struct opt_id credential;   /* not set: the tenant's key of that provider */
	struct str instructions;
	bool use_knowledge;
	struct str connectors; /* JSON: a list of ids */
	struct str fallback;   /* absent: the error */
	struct id created_by;
	int64_t created_at, updated_at; /* updated_at is the state of the ETag */
};

/* Out of the rows of agent_list, agent_get and agent_named: their columns are the same. */
#define AGENT_OF(row)                                                                              \
	((struct agent){ .id = (row).agent_id,                                                     \
			 .name = (row).name,                                                       \
			 .description = (row).description,                                         \
			 .provider = (row).provider,                                               \
			 .model = (row).model,                                                     \
			 .credential = (row).credential_id,                                        \
			 .instructions = (row).instructions,                                       \
			 .use_knowledge = (row).use_knowledge,                                     \
			 .connectors = (row).connectors,                                           \
			 .fallback = (row).fallback,                                               \
			 .created_by = (row).created_by,                                           \
			 .created_at = (row).created_at,                                           \
			 .updated_at = (row).updated_at })

/* By its id or its name; texts are the arena's. ERR_NOT_FOUND. */
enum err agent_find(struct ctx *cx, struct str id_or_name, struct agent *ret_agent) MUST_CHECK;

struct agent_question {
	struct str input;
	const struct model_turn *turn; /* the conversation so far; the last one is the input */
	size_t turns;
	const char
		*source; /* of the rows of usage; their source_id is the agent, or the execution */
	struct opt_id execution;
	struct str key; /* what a repeated effect is known by */
	int64_t deadline_ms; /* on the clock of cx->now_ms; 0: each answer has the configuration's time */
	model_listener listen; /* hears what the model says in all rounds; may be NULL */
	tool_guard guard;      /* asked before a connector's credential is used; may be NULL */
	void *arg;             /* of the listener */
	void *guard_arg;
};

enum { AGENT_CALLS_MAX = 200 };

struct agent_reply {
	struct model_choice choice;
	struct model_answer answer; /* the last; its counts are those of all rounds */
	bool fallback;              /* no model answered: the text is the agent's */
	enum err silence;           /* why */
	const struct tool_done *call;
	size_t calls;
	bool sent; /* something may have left the house */
};

/*
 * Which model it is, before it is asked: errors of model_choose. Without one, an agent that has a fallback has answered
 * already: reply->fallback.
 */
enum err agent_begin(struct ctx *cx, const struct agent *agent,
		     struct agent_reply *ret_reply) MUST_CHECK;
/*
 * Asks it, after agent_begin. Errors of model_ask; ERR_AI_ROUNDS when the model only went on calling, ERR_AI_TIMEOUT
 * past the deadline. The reply holds what there is in any case. Without a model's answer an agent that has a fallback
 * answers with it. No transaction may be open.
 */
enum err agent_ask(struct ctx *cx, const struct agent *agent, const struct agent_question *question,
		   struct agent_reply *reply) MUST_CHECK;

/* The members text, fallback, tool_calls, provider, model and tokens of an answer. */
void agent_write_reply(struct json_writer *w, const struct agent_reply *reply);

#endif
