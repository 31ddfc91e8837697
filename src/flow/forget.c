/* A tenant that is deleted takes its workflows along, and all that came of them. */
#include "flow/execution.h"
#include "store/sql_execution.h"
#include "store/sql_live_run.h"
#include "store/sql_trigger.h"
#include "store/sql_workflow.h"

enum err flow_forget_tenant(struct ctx *cx)
{
	TRY(sql_live_run_forget_all(cx->db, NULL));
	TRY(sql_execution_forget_signals(cx->db, NULL));
	TRY(sql_execution_forget_events(cx->db, NULL));
	TRY(sql_execution_forget_steps(cx->db, NULL));
	TRY(sql_execution_forget_all(cx->db, NULL));
	TRY(sql_execution_forget_live(cx->db, NULL));
	TRY(sql_trigger_forget_all(cx->db, NULL));
	TRY(sql_workflow_forget_schedules(cx->db, NULL));
	TRY(sql_workflow_forget_listeners(cx->db, NULL));
	TRY(sql_workflow_forget_versions(cx->db, NULL));
	return sql_workflow_forget_all(cx->db, NULL);
}
