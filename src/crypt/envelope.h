/*
 * Envelope encryption: root key -> tenant key -> one key for each version of each credential.
 *
 *	wrapped tenant key  01 01 generation[4] | nonce | ciphertext | tag
 *	                    under a root key
 *	credential version  01 02 generation[4] | nonce | ciphertext | tag
 *	                    under HKDF(tenant key, who and what it is)
 *	small sealed thing  01 03 n root_id[n]  | nonce | ciphertext | tag
 *	                    under HKDF(root key, label and context)
 *
 * The first byte is the format, the second the purpose; numbers are big-endian. Everything that
 * says where a value belongs is authenticated with it, so that a row moved to another tenant,
 * credential, version, type or owner doesn't open. Each failure to open is ERR_UNREADABLE,
 * whatever the reason: what differs would be an oracle.
 */
#ifndef LW_CRYPT_ENVELOPE_H
#define LW_CRYPT_ENVELOPE_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/aead.h"
#include "crypt/hash.h"
#include "crypt/keyring.h"

enum {
	ENVELOPE_KEY_BYTES = 32,
	ENVELOPE_HEADER_BYTES = 6,
	ENVELOPE_OVERHEAD = ENVELOPE_HEADER_BYTES + AEAD_OVERHEAD, /* of a credential version */
	ENVELOPE_WRAPPED_BYTES = ENVELOPE_OVERHEAD + ENVELOPE_KEY_BYTES
};

/* A new random tenant key. */
enum err envelope_new_key(struct secret *ret_key) MUST_CHECK;

/* Appends the tenant's key of that generation, ENVELOPE_WRAPPED_BYTES, under the root key. */
enum err envelope_wrap(const struct root_key *root, const struct id *tenant, uint32_t generation,
		       const struct secret *tenant_key, struct buf *out) MUST_CHECK;
enum err envelope_unwrap(const struct root_key *root, const struct id *tenant, uint32_t generation,
			 struct str wrapped, struct secret *ret_tenant_key) MUST_CHECK;

/* Where a credential version belongs. */
struct envelope_context {
	struct id tenant;
	struct id credential;
	struct id owner; /* the user who created the credential */
	struct str type; /* "oauth2" */
	uint32_t version;
	uint32_t generation; /* of the tenant's key */
};

/* Appends the sealed version to `out`. */
enum err envelope_seal(const struct secret *tenant_key, const struct envelope_context *context,
		       struct str plain, struct buf *out) MUST_CHECK;
enum err envelope_open(const struct secret *tenant_key, const struct envelope_context *context,
		       struct str sealed, struct secret *ret_plain) MUST_CHECK;
/* The generation that the header of a wrapped key or a credential version names: which tenant key
 * to ask for. It is only a hint until the value has opened. ERR_UNREADABLE for anything else. */
enum err envelope_generation(struct str sealed, uint32_t *ret_generation) MUST_CHECK;

/*
 * Small things that aren't credentials (payloads of the mail outbox, saved idempotent answers):
 * sealed under a key that is derived from the root key, a label ("mail outbox v1") and the context
 * they belong to (ids, a name). The header carries the root key's id; envelope_root_id reads it, so
 * that the reader can ask keyring_find for the key.
 */
enum err envelope_seal_with(const struct root_key *root, struct str label,
			    struct byte_parts context, struct str plain,
			    struct buf *out) MUST_CHECK;
enum err envelope_open_with(const struct root_key *root, struct str label,
			    struct byte_parts context, struct str sealed,
			    struct secret *ret_plain) MUST_CHECK;
/* Points into `sealed`. */
enum err envelope_root_id(struct str sealed, struct str *ret_root_id) MUST_CHECK;

#endif
