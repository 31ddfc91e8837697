/* A tenant that is deleted takes its knowledge along. */
#include "knowledge/knowledge.h"
#include "store/sql_knowledge.h"

enum err knowledge_forget_tenant(struct ctx *cx)
{
	TRY(sql_knowledge_forget_passages(cx->db, NULL));
	TRY(sql_knowledge_forget_files(cx->db, NULL));
	return sql_knowledge_forget_all(cx->db, NULL);
}
