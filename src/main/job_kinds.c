#include "main/job_kinds.h"

#include "hook/forward.h"
#include "hook/visit.h"
#include "identity/mailer.h"
#include "sync/sync.h"

const job_handler JOB_HANDLERS[] = {
#define JOB_KIND(name, function, queue, lease_ms, attempts, words) [JOB_##name] = job_##function,
#include "jobs/kinds.def"
#undef JOB_KIND
};
