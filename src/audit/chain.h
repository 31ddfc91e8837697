/* What one link of the audit chain is made of: sealing and verifying share it. */
#ifndef LW_AUDIT_CHAIN_H
#define LW_AUDIT_CHAIN_H

#include <stdint.h>

#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/hash.h"

/* A row as it is sealed: what the statements of sealing and verifying both know of it. */
struct chain_row {
	int64_t seq, at;
	struct id audit_id, tenant_id;
	struct opt_id actor_id, target_id, request_id;
	struct str actor_kind, action, outcome, code, target_kind, service, address, details;
};

#define CHAIN_ROW(row, row_seq, row_at, row_audit_id, row_tenant_id)                              \
	((struct chain_row){                                                                      \
		.seq = (row_seq), .at = (row_at), .audit_id = (row_audit_id), .tenant_id = (row_tenant_id), \
		.actor_id = (row)->actor_id, .target_id = (row)->target_id, .request_id = (row)->request_id, \
		.actor_kind = (row)->actor_kind, .action = (row)->action, .outcome = (row)->outcome, \
		.code = (row)->code, .target_kind = (row)->target_kind, .service = (row)->service, \
		.address = (row)->address, .details = (row)->details })

/*
 * HMAC(key, position | previous hash | each field). A field is its length and its bytes, an absent one the
 * length -1, so that no two rows give the same text.
 */
void chain_hash(const struct secret *key, int64_t position, const uint8_t previous[SHA256_BYTES],
		     const struct chain_row *row, uint8_t ret_hash[SHA256_BYTES]);

#endif
