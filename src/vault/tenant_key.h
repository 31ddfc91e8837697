/*
 * Tenants' keys: wrapped by a root key in the database, plain only while one
 * request or batch needs them.
 *
 * They aren't kept between requests: the wrapped key comes with the row that
 * it opens, in the same statement, and unwrapping costs two microseconds. So a
 * rotated or destroyed key is gone from every process at once.
 */
#ifndef LW_VAULT_TENANT_KEY_H
#define LW_VAULT_TENANT_KEY_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"

struct tenant_key {
	uint32_t generation; /* 0: there is no key here */
	struct secret key;
};

/* Wipes: there is no key then. NULL-safe. */
void tenant_key_done(struct tenant_key *key);
#define TENANT_KEY_AUTO CLEANUP(tenant_key_done)

/*
 * The key that the scope's tenant writes under from now on; the first use makes it. Needs a
 * transaction: the tenant's row is locked in share mode until it ends, so that a rotation knows
 * when nobody writes under the old key any more. ERR_NOT_FOUND for a tenant that isn't there or is
 * deleted, ERR_NO_KEY, ERR_UNREADABLE.
 */
enum err tenant_key_to_seal(struct ctx *cx, struct tenant_key *ret_key) MUST_CHECK;

/*
 * A tenant's key out of its row. An absent `wrapped`, that is a key that was destroyed, is
 * ERR_UNREADABLE; ERR_NO_KEY when the root key isn't in the keyring. There is no key after an error.
 */
enum err tenant_key_unwrap(struct ctx *cx, const struct id *tenant, int64_t generation,
			   struct str root_key_id, struct str wrapped,
			   struct tenant_key *ret_key) MUST_CHECK;

/*
 * A new key of that generation, wrapped for the scope's tenant and inserted. ERR_DB_DUPLICATE when
 * there is one.
 */
enum err tenant_key_make(struct ctx *cx, uint32_t generation,
			 struct tenant_key *ret_key) MUST_CHECK;

/*
 * The key of the service itself (of the nil tenant), for what belongs to no tenant: the audit
 * chain. The newest one is made when there is none. Worker and latchctl only.
 */
enum err vault_system_key_newest(struct ctx *cx, uint32_t *ret_generation,
				 struct secret *ret_key) MUST_CHECK;
/* That of a generation; `arg` is the struct ctx: an audit_key_of. */
enum err vault_system_key(void *arg, uint32_t generation, struct secret *ret_key) MUST_CHECK;

#endif
