#include "ai/forget.h"

#include "store/sql_ai.h"

enum err ai_forget_tenant(struct ctx *cx)
{
	TRY(sql_ai_forget_messages(cx->db, NULL));
	TRY(sql_ai_forget_usage(cx->db, NULL));
	return sql_ai_forget_agents(cx->db, NULL);
}
