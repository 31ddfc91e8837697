/* What each kind of job does: its handler, from the room that knows about it. */
#ifndef LW_MAIN_JOB_KINDS_H
#define LW_MAIN_JOB_KINDS_H

#include "jobs/runner.h"

extern const job_handler JOB_HANDLERS[JOB_KIND_COUNT];
extern const job_burial JOB_BURIALS[JOB_KIND_COUNT];

#endif
