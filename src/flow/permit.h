/*
 * Who may save what lets a workflow or an agent use credentials. Whoever runs it needn't be allowed to read them: so
 * where they are sent to is decided when it is saved.
 */
#ifndef LW_FLOW_PERMIT_H
#define LW_FLOW_PERMIT_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "flow/definition.h"

/* What names a credential or a connector at that place is saved with an API token: ERR_SCOPE_MISSING without
 * credentials:use. */
enum err permit_use(struct ctx *cx, const char *place) MUST_CHECK;

/*
 * A definition is to be saved in place of `before` (absent: of none).
 *
 * A step that names a credential or a connector: permit_use. An http step with a credential of no type, which no
 * connector type says the hosts of: its url begins with a literal host, else ERR_BAD_INPUT; and only an admin, or an
 * API token with credentials:use, may send that credential to a host to which no step of `before` did: else ERR_DENIED.
 */
enum err permit_definition(struct ctx *cx, const struct flow *flow, struct str before) MUST_CHECK;

#endif
