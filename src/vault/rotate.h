/*
 * Replacing root keys and tenants' keys while the service runs.
 *
 * Each step is a transaction, and the database says at every moment how far it
 * is: a rotation that was killed anywhere is gone on with by calling it again.
 * It ends when a query finds no row on the old key, and only then the old key
 * is retired or deleted (which a foreign key would refuse otherwise). For
 * latchctl; outside of a transaction.
 */
#ifndef LW_VAULT_ROTATE_H
#define LW_VAULT_ROTATE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"

struct vault_progress {
	void (*step)(void *arg, int64_t done, int64_t total); /* NULL: nobody wants to know */
	void *arg;
};

struct vault_rotated {
	int64_t done;       /* rows that were put under the new key now */
	int64_t unreadable; /* rows that don't open: they stay, and so does the old key */
	int64_t generation; /* of a tenant's key: the new one; 0 when the tenant has none yet */
};

/*
 * Makes the keyring's key `new_id` the root key that wraps, wraps every tenant's key and the
 * service's own again, and retires the keys before it. With the id of the current key it goes on
 * with a rotation that was cut off. ERR_NO_KEY; ERR_CONFLICT when another rotation overtook this
 * one; ERR_UNREADABLE when rows are left that don't open (`ret_rotated` counts them).
 */
enum err vault_rotate_root(struct ctx *cx, struct str new_id, const struct vault_progress *progress,
			   struct vault_rotated *ret_rotated) MUST_CHECK;

/*
 * Gives the scope's tenant a new key, seals every version of its credentials again and deletes the
 * old key. Goes on with a rotation that was cut off instead of beginning another. Errors as above,
 * ERR_NOT_FOUND.
 */
enum err vault_rotate_tenant(struct ctx *cx, const struct vault_progress *progress,
			     struct vault_rotated *ret_rotated) MUST_CHECK;

/* Opens every wrapped key of all tenants; `done` counts those that open. Changes nothing. */
enum err vault_verify_wrapped(struct ctx *cx, struct vault_rotated *ret_found) MUST_CHECK;
/* Opens every version of the scope's tenant; `done` counts those that open. Changes nothing. */
enum err vault_verify_tenant(struct ctx *cx, const struct vault_progress *progress,
			     struct vault_rotated *ret_found) MUST_CHECK;

#endif
