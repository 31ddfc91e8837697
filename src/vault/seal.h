/* Sealing and opening one version of one credential. */
#ifndef LW_VAULT_SEAL_H
#define LW_VAULT_SEAL_H

#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "crypt/envelope.h"
#include "vault/tenant_key.h"

/* Longer than any plain text that is sealed: VAULT_DATA_MAX and what the envelope adds. */
enum { VAULT_SEALED_MAX = (64 << 10) + ENVELOPE_OVERHEAD };

/* What a version belongs to, within the scope's tenant. */
struct vault_place {
	struct id credential;
	struct id owner; /* who made the credential */
	struct str type;
	int64_t version;
};

/* A stored version as it was read, with the wrapped key that it needs. */
struct vault_sealed {
	struct vault_place place;
	int64_t generation;
	struct str ciphertext;
	struct str root_key_id, wrapped; /* absent: the key was destroyed */
};

enum err vault_seal(struct ctx *cx, const struct tenant_key *key, const struct vault_place *place,
		    struct str plain, struct buf *out) MUST_CHECK;
/*
 * One generic ERR_UNREADABLE whatever is wrong with it; ERR_NO_KEY when the root key isn't here.
 * Tells nobody.
 */
enum err vault_unseal(struct ctx *cx, const struct vault_sealed *sealed,
		      struct secret *ret_plain) MUST_CHECK;
/* The same with a key that is plain already, for batches. */
enum err vault_unseal_with(struct ctx *cx, const struct tenant_key *key,
			   const struct vault_place *place, struct str ciphertext,
			   struct secret *ret_plain) MUST_CHECK;

/*
 * The plain data of a credential of the scope's tenant: of that version, or of the newest. It is
 * JSON text. ERR_NOT_FOUND when either isn't there. When it can't be opened (ERR_UNREADABLE, also
 * for a root key that isn't here: a forged row may name any), an audit row says so: the caller's
 * transaction, which has failed, is rolled back for that, and the row is committed on its own.
 */
enum err vault_open(struct ctx *cx, const struct id *credential, struct opt_int version,
		    int64_t *ret_version, struct secret *ret_plain) MUST_CHECK;

/*
 * The newest plain data with what its use depends on; the texts are the statement's until the next such call. The check
 * of the session is folded in. Errors and audit rows as with vault_open.
 */
struct vault_opened {
	struct str type, service, status;
	int64_t version;
	struct secret plain;
};
enum err vault_open_newest(struct ctx *cx, const struct id *credential, struct vault_opened *ret_opened) MUST_CHECK;

/*
 * The same for several of one caller in one round trip: credentials[i] is asked for in cx[i]. Those that are there and
 * open are given to `take`, one after the other; what it is given is gone when it returns. Nobody is told of one that
 * doesn't open: whoever asks for it alone is.
 */
typedef void vault_take(void *arg, size_t i, const struct vault_opened *opened);
enum { VAULT_OPEN_MAX = 24 };
enum err vault_open_some(struct ctx *const *cx, const struct id *credentials, size_t n, vault_take *take,
			 void *arg) MUST_CHECK;

#endif
