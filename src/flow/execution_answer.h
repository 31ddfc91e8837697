/* An execution as JSON: its row, and its steps with what they got. */
#ifndef LW_FLOW_EXECUTION_ANSWER_H
#define LW_FLOW_EXECUTION_ANSWER_H

#include "base/json_write.h"
#include "core/ctx.h"
#include "flow/engine.h"

struct execution_row {
	struct id id, workflow;
	int64_t version;
	struct str status, source;
	struct opt_id source_id;
	struct str request, input, output, output_step, error_code, error_message, error_step;
	int64_t started_at;
	struct opt_int completed_at;
};

/* What the rows of all statements that show executions have, as an initialiser. */
#define EXECUTION_ROW(row)                                                                                             \
	((struct execution_row){ (row).execution_id, (row).workflow_id, (row).version, (row).status, (row).source,     \
				 (row).source_id, (row).request, (row).input_data, (row).output_data,                 \
				 (row).output_step, (row).error_code, (row).error_message, (row).error_step,          \
				 (row).started_at, (row).completed_at })

/* The texts are copied before another statement runs. `x` holds the memory: see execution_done. */
enum err execution_write(struct ctx *cx, struct execution *x, const struct execution_row *row,
			 struct json_writer *w) MUST_CHECK;
/* {code, message, step_id}; null without a code. */
void execution_write_error(struct json_writer *w, struct str code, struct str message, struct str step);

#endif
