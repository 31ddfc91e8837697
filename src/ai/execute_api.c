/* POST /agents/execute: a question to an agent, and the conversation that it belongs to. */
#include <string.h>

#include "ai/agent.h"
#include "ai/conversation.h"
#include "ai/watching.h"
#include "audit/transact.h"
#include "base/clock.h"
#include "core/answer.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_ai.h"

enum { HISTORY_MAX = 40, HISTORY_BYTES_MAX = 200 << 10, ID_TIME_BYTES = 6 };

struct executing {
	const struct agent_execute_in *in;
	struct agent agent;
	struct id conversation;
	struct model_turn turn[HISTORY_MAX + 1]; /* the last of it, and the question */
	size_t first;                            /* of them that is there */
	struct agent_reply reply;
};

/* --- the conversation ------------------------------------------------------------------------------------- */

/* Newest first, as far as there is room; the question stands at the end. */
static enum err read_messages(struct ctx *cx, struct executing *x, size_t *ret_messages)
{
	const struct sql_agent_message_list_in query = { .conversation_id = x->conversation,
							 .agent_id = x->agent.id,
							 .limit = HISTORY_MAX };
	struct sql_agent_message_list_row row;
	size_t bytes = 0;
	enum err e;

	TRY(sql_agent_message_list(cx->db, &query));
	for (*ret_messages = 0; (e = sql_agent_message_list_next(cx->db, &row)) == OK;
	     ++*ret_messages) {
		bytes += row.text.n;
		if (bytes > HISTORY_BYTES_MAX || x->first == 0)
			continue;
		struct model_turn *turn = &x->turn[--x->first];

		*turn = (struct model_turn){ .who = str_eq(row.who, STR("model")) ? MODEL_MODEL
										  : MODEL_USER,
					     .text = arena_copy(cx->arena, row.text) };
		if (str_absent(turn->text))
			return ERR_NO_MEMORY;
	}
	/* A conversation begins with a question. */
	while (x->first < HISTORY_MAX && x->turn[x->first].who == MODEL_MODEL)
		x->first++;
	return e == ERR_END ? OK : e;
}

static enum err go_on(struct ctx *cx, struct executing *x)
{
	size_t messages;

	x->first = HISTORY_MAX;
	x->turn[HISTORY_MAX] = (struct model_turn){ .who = MODEL_USER, .text = x->in->input };
	if (!x->in->conversation_id.set)
		return id_new(&x->conversation);
	x->conversation = x->in->conversation_id.v;
	TRY(read_messages(cx, x, &messages));
	return messages > 0 ? OK
			    : ctx_bad_field(cx, "conversation_id", "NOT_FOUND",
					    "isn't a conversation with this agent");
}

/* A conversation's order is that of its ids, and these begin with a time: the answer's is behind the question's. */
static enum err add_message(struct ctx *cx, const struct executing *x, const char *who,
			    struct str text, int64_t said_at)
{
	const struct id first = id_first_at(said_at);
	struct sql_agent_message_insert_in row = { .conversation_id = x->conversation,
						   .agent_id = x->agent.id,
						   .who = str_of(who),
						   .text = text,
						   .created_at = said_at };

	TRY(id_new(&row.message_id));
	memcpy(row.message_id.b, first.b, ID_TIME_BYTES);
	return sql_agent_message_insert(cx->db, &row, NULL);
}

/* What was said is kept with the audit row. An agent's fallback isn't part of the conversation: nobody answered. */
static enum err keep(struct ctx *cx, void *arg)
{
	const struct executing *x = arg;
	char number[STR_INT_MAX];
	int64_t now_ms;

	ctx_audit_target(cx, ID_AGENT, &x->agent.id);
	cx->audit.service = x->reply.choice.provider;
	ctx_audit_detail(cx, "model", x->reply.choice.model);
	ctx_audit_detail(cx, "tool_calls",
			 arena_copy(cx->arena, str_of_int((int64_t)x->reply.calls, number)));
	if (x->reply.fallback) {
		ctx_audit_detail(cx, "fallback_for", str_of(err_code(x->reply.silence)));
		return OK;
	}
	now_ms = clock_now_ms();
	TRY(add_message(cx, x, "user", x->in->input, cx->now_ms));
	return add_message(cx, x, "model", x->reply.answer.text,
			   now_ms > cx->now_ms ? now_ms : cx->now_ms + 1);
}

/* --- the operation ------------------------------------------------------------------------------------------ */

struct use {
	const struct executing *x;
	const struct tool *tool;
};

static enum err note_use(struct ctx *cx, void *arg)
{
	const struct use *use = arg;
	char agent[ID_TEXT_MAX], connector[ID_TEXT_MAX];

	ctx_audit_target(cx, ID_CREDENTIAL, &use->tool->credential.v);
	cx->audit.service = use->tool->type->id;
	ctx_audit_detail(cx, "agent", arena_copy(cx->arena, id_format(ID_AGENT, &use->x->agent.id, agent)));
	ctx_audit_detail(cx, "connector",
			 arena_copy(cx->arena, id_format(ID_CONNECTOR, &use->tool->connector, connector)));
	return OK;
}

/* A row of its own before the call: no row, no use. */
static enum err note_tool(struct ctx *cx, void *arg, const struct tool *tool)
{
	const struct audit_note before = cx->audit;
	struct use use = { .x = arg, .tool = tool };
	enum err e;

	if (!tool->credential.set)
		return OK;
	cx->audit = (struct audit_note){ 0 };
	e = audit_transact(cx, AUDIT_AGENT_CREDENTIAL, note_use, &use);
	cx->audit = before;
	return e;
}

static enum err ask(struct ctx *cx, struct executing *x, struct speaking *speaking)
{
	const struct agent_question question = { .input = x->in->input,
						 .turn = &x->turn[x->first],
						 .turns = HISTORY_MAX + 1 - x->first,
						 .source = "agent",
						 .key = cx->request_text,
						 .deadline_ms = cx->now_ms + MODEL_REQUEST_MS,
						 .listen = speaking_listener(speaking),
						 .guard = note_tool,
						 .arg = speaking,
						 .guard_arg = x };
	enum err e, told;

	TRY(speaking_begin(speaking, &x->reply.choice));
	e = agent_ask(cx, &x->agent, &question, &x->reply);
	told = speaking_end(speaking, &x->reply.answer, e);
	return e == OK ? told : e;
}

static enum err answer(struct executing *x, struct reply *reply)
{
	struct json_writer w;

	jw_start(&w, &reply->body);
	jw_object(&w);
	answer_id(&w, "agent_id", ID_AGENT, &x->agent.id);
	answer_id(&w, "conversation_id", ID_CONVERSATION, &x->conversation);
	agent_write_reply(&w, &x->reply);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err agent_execute(struct ctx *cx, const struct agent_execute_in *in, struct reply *reply)
{
	struct executing *x = ARENA_NEW(cx->arena, struct executing);
	struct speaking speaking;
	struct audience to;
	enum err e;

	if (!x)
		return ERR_NO_MEMORY;
	x->in = in;
	TRY(agent_find(cx, in->agent, &x->agent));
	ctx_audit_target(cx, ID_AGENT, &x->agent.id);
	TRY(watching_run(cx, in->run_id, &to));
	TRY(go_on(cx, x));
	TRY(agent_begin(cx, &x->agent, &x->reply));
	speaking_init(&speaking, cx, &to);
	e = x->reply.fallback ? OK : ask(cx, x, &speaking);
	speaking_done(&speaking);
	TRY(e);
	TRY(audit_transact(cx, AUDIT_AGENT_EXECUTE, keep, x));
	return answer(x, reply);
}
