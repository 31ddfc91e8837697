/*
 * A trial: which type and way a stored credential, a connector or data of somebody's own is tried by, and how that
 * went. verify.h does the trying.
 */
#ifndef LW_CONNECT_TRIAL_H
#define LW_CONNECT_TRIAL_H

#include <jansson.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/connector.h"
#include "connect/type.h"
#include "connect/verify.h"
#include "core/ctx.h"

/*
 * All of these set the audit row's target and service, fetch or renew a token where one is needed, and call out: no
 * transaction may be open. OK with any outcome; ERR_NOT_FOUND, ERR_UNREADABLE, ERR_PROVIDER_BUSY, ours.
 */
/* What an outcome is noted for: a credential as it was in that version. */
struct tried {
	struct id credential;
	int64_t version;
};

/* A stored credential: by its service's type, or by the type of a database, a mail server, AWS or a service account. */
enum err trial_of_credential(struct ctx *cx, const struct id *credential, struct tried *ret_tried,
			     struct verify_outcome *ret_outcome) MUST_CHECK;
/* A connector; ERR_NOT_CONNECTED for one without a credential. Where its type has no such way, nothing is tried. */
enum err trial_of_connector(struct ctx *cx, const struct id *connector, struct tried *ret_tried,
			    struct verify_outcome *ret_outcome) MUST_CHECK;
/* Notes the outcome, unless the credential has changed since. Within a transaction. */
enum err trial_note(struct ctx *cx, const struct tried *tried, const struct verify_outcome *outcome) MUST_CHECK;
/* Data of a credential's type, checked by the caller; the service may be absent. */
enum err trial_of_data(struct ctx *cx, struct str credential_type, struct str service,
		       const json_t *data, struct verify_outcome *ret_outcome) MUST_CHECK;
/* Data of a type and way. */
enum err trial_of_way(struct ctx *cx, const struct connector_type *type, const struct auth_way *way,
		      const json_t *data, struct verify_outcome *ret_outcome) MUST_CHECK;

/*
 * The background's: tries at most `limit` connectors of all tenants whose turn it is, and notes the outcomes. Stops
 * after a few seconds: what is left is due still. For the worker.
 */
enum err trial_due(struct ctx *cx, int limit, int *ret_tried) MUST_CHECK;

#endif
