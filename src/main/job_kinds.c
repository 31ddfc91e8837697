#include "main/job_kinds.h"

#include "connect/revoke.h"
#include "flow/execution.h"
#include "hook/forward.h"
#include "hook/visit.h"
#include "identity/mailer.h"
#include "knowledge/knowledge.h"
#include "sync/sync.h"

const job_handler JOB_HANDLERS[] = {
#define JOB_KIND(name, function, queue, lease_ms, attempts, words) [JOB_##name] = job_##function,
#include "jobs/kinds.def"
#undef JOB_KIND
};

const job_burial JOB_BURIALS[JOB_KIND_COUNT] = {
	[JOB_EVENT_PROCESS] = event_process_buried,
	[JOB_EXECUTION_RUN] = execution_buried,
	[JOB_EXECUTION_CALL] = execution_buried,
	[JOB_KNOWLEDGE_READ] = knowledge_read_buried,
};
