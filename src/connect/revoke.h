/* Giving access back in the background. */
#ifndef LW_CONNECT_REVOKE_H
#define LW_CONNECT_REVOKE_H

#include "base/attr.h"
#include "core/ctx.h"
#include "jobs/runner.h"

/* Of the kind connector_revoke: what POST /connectors/{id}/revoke does, to the job's subject, for the operator. */
enum err job_connector_revoke(struct ctx *cx, struct run *run) MUST_CHECK;

#endif
