/*
 * The rules of the vault: storing, changing, restoring and destroying
 * credentials of the scope's tenant.
 *
 * Everything that changes needs an open transaction. Texts of a struct
 * credential are borrowed from the arena or from the statement that read it
 * (valid until that statement runs again).
 */
#ifndef LW_VAULT_CREDENTIAL_H
#define LW_VAULT_CREDENTIAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "core/ctx.h"

struct vault_verification {
	struct str status; /* passed or failed; absent: untested */
	struct str error_code;
	struct str message;
	struct str account; /* JSON */
	struct opt_int checked_at;
};

struct credential {
	struct id id;
	struct str name, type;
	struct str service;     /* may be absent */
	struct str key_service; /* set on the key that the short form keeps for a service */
	struct str status;
	struct str masked; /* the data as answers show it: JSON */
	int64_t version;
	struct id created_by;
	int64_t created_at;
	int64_t updated_at; /* grows with each change: the state of the ETag */
	struct opt_int expires_at;
	struct vault_verification verify;
};

struct vault_new {
	struct opt_id id; /* not set: a new one */
	struct str name, type, service, key_service;
	const json_t *data;
	struct opt_int expires_at;
};

/* What isn't set stays as it is. */
struct vault_change {
	struct str name, service;
	const json_t *data;
	struct opt_int expires_at;
	/* Data of a person who need not know the secrets: pointing them to another host takes all of them. */
	bool by_hand;
};

/*
 * Stores a new credential as version 1. ERR_BAD_INPUT with fields below `data`; ERR_DB_DUPLICATE
 * when the id or the short form's service is taken; errors of tenant_key_to_seal.
 */
enum err vault_create(struct ctx *cx, const struct vault_new *new,
		      struct credential *ret_credential) MUST_CHECK;

/*
 * The credential, locked against other changes until the transaction ends; it becomes the audit
 * row's target. ERR_NOT_FOUND when it is hidden, absent or another tenant's.
 */
enum err vault_lock(struct ctx *cx, const struct id *id,
		    struct credential *ret_credential) MUST_CHECK;

/*
 * Puts a change into a locked credential. A new version is made only when the plain data differs,
 * and then the credential is untested again; when nothing at all differs, nothing is written and
 * `ret_changed` is false. ERR_BAD_INPUT; ERR_CONFLICT when a short-form key moves to a service that
 * has one; ERR_UNREADABLE.
 */
enum err vault_change(struct ctx *cx, struct credential *credential,
		      const struct vault_change *change, bool *ret_changed) MUST_CHECK;

/*
 * Makes an old version of a locked credential the newest. ERR_NOT_FOUND when it isn't kept any
 * more.
 */
enum err vault_restore_version(struct ctx *cx, struct credential *credential, int64_t version,
			       bool *ret_changed) MUST_CHECK;

/*
 * Puts what a provider gave out into a locked credential, whose plain data the caller has: a new version, made by a
 * refresh. An older one of that kind goes; people's versions stay in the history, and what a test said of the
 * credential stays, too. ERR_BAD_INPUT, ERR_TOO_BIG.
 */
enum err vault_put_refreshed(struct ctx *cx, struct credential *credential, const json_t *stored,
			     const json_t *change) MUST_CHECK;

/*
 * The same by a person who wants what was there gone for good: every earlier version is overwritten and deleted.
 */
enum err vault_put_alone(struct ctx *cx, struct credential *credential, const json_t *stored,
			 const json_t *change) MUST_CHECK;

/* Hides a locked credential; vault_purge_expired destroys it later. */
enum err vault_hide(struct ctx *cx, const struct credential *credential) MUST_CHECK;

/*
 * Destroys every version of a credential and its row, then counts what is left: `ret_verified` says
 * that it is nothing.
 */
enum err vault_destroy(struct ctx *cx, const struct id *id, bool *ret_verified) MUST_CHECK;

/* --- deleted credentials and tenants (purge.c) --- */
/*
 * Destroys at most `limit` credentials, of all tenants, that were hidden longer ago than the
 * retention time; each in a transaction of its own, with an audit row of the system. For the
 * worker, outside of a transaction. cx->who is as before afterwards.
 */
enum err vault_purge_expired(struct ctx *cx, int limit, int *ret_purged) MUST_CHECK;
/*
 * Crypto-shreds the scope's tenant: all versions, all credentials, and the keys that could open a
 * copy of them. Part of the caller's transaction that deletes the tenant. Worker and latchctl only.
 */
enum err vault_forget_tenant(struct ctx *cx) MUST_CHECK;

#endif
