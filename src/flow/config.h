/* The members that each type's config has (step_members.def), and what is made of them. Of this room. */
#ifndef LW_FLOW_CONFIG_H
#define LW_FLOW_CONFIG_H

#include "flow/definition.h"

enum config_kind {
	CONFIG_EXPRESSION,
	CONFIG_TEMPLATE,
	CONFIG_VALUE,
	CONFIG_MAP,
	CONFIG_TEXT,
	CONFIG_FLAG,
	CONFIG_COUNT,
	CONFIG_DURATION,
	CONFIG_ID_CONNECTOR,
	CONFIG_ID_CREDENTIAL,
	CONFIG_ID_WORKFLOW,
	CONFIG_CASES,
	CONFIG_STEP_BODY
};

struct config_member {
	enum step_type type;
	const char *name;
	enum config_kind kind;
	bool required;
};

/* One after the other of that type; NULL at the end. `before` NULL: the first. */
const struct config_member *config_member_next(enum step_type type, const struct config_member *before);
/* NULL for none of that name. */
const struct config_member *config_member_find(enum step_type type, struct str name);

/*
 * The jq of flow_step.program, of a config without faults; absent when it holds no expression. ERR_TOO_BIG: it has more
 * than EXPR_PROGRAM_MAX bytes.
 */
enum err config_program(struct arena *arena, const struct flow_step *step, struct str *ret_program) MUST_CHECK;

/*
 * Whether all its expressions are plain paths: `.input.order.id`, `.steps["a-b"].rows[0]`. Then plain_config does
 * without the program, nearly always.
 */
bool config_is_plain(const struct flow_step *step);

#endif
