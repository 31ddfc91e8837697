/* Workflows as they are stored: a name, a status, and versions of a definition. Of this room. */
#ifndef LW_FLOW_WORKFLOW_H
#define LW_FLOW_WORKFLOW_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/str.h"
#include "core/ctx.h"
#include "fcgi/reply.h"
#include "flow/definition.h"

enum { WORKFLOWS_MAX = 1000, SCHEDULES_MAX = 100 };

struct workflow {
	struct id id;
	struct str name, description;
	bool active; /* false: nothing starts it but a person */
	int64_t version;
	struct id created_by;
	int64_t created_at, updated_at;
};

/* A definition that may be saved. */
struct definition {
	struct str text; /* compact JSON */
	const struct flow *flow;
};

/* flow_check, and its text within FLOW_DEFINITION_MAX; nothing in it is left open when it is to be active. */
enum err definition_accept(struct ctx *cx, const json_t *json, bool active,
			   struct definition *ret_definition) MUST_CHECK;
/* One that is stored, or a template's: its form only, since what it names may be gone by now. */
enum err definition_reuse(struct ctx *cx, struct str text, struct definition *ret_definition) MUST_CHECK;

/* Its version 1, of who asks, now; fills in the rest of `workflow`. ERR_CONFLICT: the tenant has as many as it may. */
enum err workflow_add(struct ctx *cx, struct workflow *workflow, const struct definition *definition) MUST_CHECK;
/* The newest version of it. Texts live until the next statement of that name. */
enum err workflow_read(struct ctx *cx, const struct id *id, struct workflow *ret_workflow,
		       struct str *ret_definition) MUST_CHECK;
/* ERR_NOT_FOUND when there is no such workflow of the tenant's. */
enum err workflow_must_be(struct ctx *cx, const struct id *id) MUST_CHECK;

/* {"id", "name" ...}; `definition` absent: without it. */
void workflow_write(struct json_writer *w, const struct workflow *workflow, struct str definition);
/* With its ETag. */
enum err workflow_answer(struct ctx *cx, const struct workflow *workflow, struct str definition,
			 struct reply *reply) MUST_CHECK;

#endif
