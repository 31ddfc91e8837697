/* A tenant's connectors: their rows, and how what happens to a connection is written down. */
#ifndef LW_CONNECT_CONNECTOR_H
#define LW_CONNECT_CONNECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/type.h"
#include "connect/verify.h"
#include "core/ctx.h"

struct connector {
	struct id id;
	struct str type, display_name, auth, status;
	struct opt_id credential;
	bool owns_credential; /* it was made with the connector, and is hidden with it */
	struct str account_id, account_label; /* absent: not known */
	struct str scopes;                    /* separated by one space */
	bool limited;
	struct str sync_frequency;
	struct opt_int last_sync_at, next_sync_at;
	struct opt_int next_check_at; /* of the background; not set: it isn't tried */
	struct str error_code, error_message;
	struct opt_int error_at;
	struct id created_by;
	int64_t created_at, updated_at; /* updated_at is the state of the ETag */
	struct opt_int hook_generation; /* of the secret in its webhooks' address; not set: it takes none */
	struct str hook_root_key;
};

/* Out of the row of connector_list, connector_get or connector_lock: their columns are the same. */
#define CONNECTOR_OF(row)                                                                          \
	((struct connector){                                                                       \
		.id = (row).connector_id,                                                          \
		.type = (row).connector_type,                                                      \
		.display_name = (row).display_name,                                                \
		.auth = (row).auth,                                                                \
		.status = (row).status,                                                            \
		.credential = (row).credential_id,                                                 \
		.owns_credential = (row).owns_credential,                                          \
		.account_id = (row).account_id,                                                    \
		.account_label = (row).account_label,                                              \
		.scopes = (row).scopes,                                                            \
		.limited = (row).limited,                                                          \
		.sync_frequency = (row).sync_frequency,                                            \
		.last_sync_at = (row).last_sync_at,                                                \
		.next_sync_at = (row).next_sync_at,                                                \
		.next_check_at = (row).next_check_at,                                              \
		.error_code = (row).error_code,                                                    \
		.error_message = (row).error_message,                                              \
		.error_at = (row).error_at,                                                        \
		.created_by = (row).created_by,                                                    \
		.created_at = (row).created_at,                                                    \
		.updated_at = (row).updated_at,                                                    \
		.hook_generation = (row).hook_generation,                                          \
		.hook_root_key = (row).hook_root_key,                                              \
	})

/* ERR_NOT_FOUND for none of the tenant's. Texts are the statement's. */
enum err connector_read(struct ctx *cx, const struct id *id,
			struct connector *ret_connector) MUST_CHECK;
/* The same, locked until the transaction ends; it becomes the audit row's target. */
enum err connector_lock(struct ctx *cx, const struct id *id,
			struct connector *ret_connector) MUST_CHECK;
/*
 * A new row, and the audit row's target; `id`, times and `created_by` are set here, and `sync_frequency` is manual
 * when it is absent.
 */
enum err connector_insert(struct ctx *cx, struct connector *connector) MUST_CHECK;
/* Writes everything that can change and raises updated_at. The row is locked. */
enum err connector_write(struct ctx *cx, struct connector *connector) MUST_CHECK;
/* Nothing uses it, and the background doesn't try it, until it is enabled again. */
void connector_disable(struct connector *connector);
/* When it is synchronised next, after `from_ms`: not set for "manual". */
struct opt_int connector_next_sync(struct str sync_frequency, int64_t from_ms);

/* How long after a good and after a bad outcome a connector is tried again; a fifth more or less, by chance. */
enum { CONNECTOR_CHECK_MS = 24 * 3600 * 1000, CONNECTOR_CHECK_BAD_MS = 3600 * 1000 };

/*
 * Writes down how trying went, within the caller's transaction: the credential's verify members and status, and the
 * status, account, error and next check of the connectors that use it. What the audit row is about stays as it is.
 *
 * Good: credential and connectors are active, their errors are gone; what isn't known of the account stays. Bad: they
 * are in error, and connectors show code and words. TIMEOUT, RATE_LIMITED, HOST_UNREACHABLE and BAD_RESPONSE say more
 * about the moment than about the connection: what was active stays active, and only shows them. UNSUPPORTED says
 * nothing: nothing is written. A connector that is disabled stays so, whatever happens, and one that needs_reconnect
 * leaves that state only by a good outcome. When `version` is set and the credential has another one by now, nothing is
 * written either: what was tried isn't what is stored.
 */
enum err connector_note_outcome(struct ctx *cx, const struct id *credential, struct opt_int version,
				const struct verify_outcome *outcome) MUST_CHECK;
/* A refresh ended for good: credential and connectors say needs_reconnect and why. Within a transaction. */
enum err connector_note_dead(struct ctx *cx, const struct id *credential, struct str code,
			     struct str message) MUST_CHECK;

/*
 * Removes what the scope's tenant has connected, and what it is used for. Part of the caller's transaction that
 * deletes the tenant. latchctl only.
 */
enum err connector_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif
