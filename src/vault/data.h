/*
 * The free-form `data` of a credential: checked against its type, merged into
 * what is stored, and masked for the answers.
 */
#ifndef LW_VAULT_DATA_H
#define LW_VAULT_DATA_H

#include <jansson.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "vault/types.h"

enum {
	VAULT_DATA_MAX = 64 << 10,    /* the plain JSON of one version */
	VAULT_MASKED_MAX = 512 << 10, /* escapes may make a member that isn't secret grow */
	VAULT_MASK_SHOWS = 4,         /* characters of a secret that its mask shows ... */
	VAULT_MASK_SHOWS_FROM = 16    /* ... if it has so many */
};

/*
 * Checks the members that a client sent: unknown ones, types, lengths, words. null stands for "take
 * it away" and is no error here. ERR_BAD_INPUT, with every bad place in cx->problem as
 * "data.<member>".
 */
enum err vault_check_members(struct ctx *cx, enum credential_type type,
			     const json_t *data) MUST_CHECK;
/* Checks that what will be stored has every required member. ERR_BAD_INPUT. */
enum err vault_check_complete(struct ctx *cx, enum credential_type type,
			      const json_t *data) MUST_CHECK;

/*
 * Checks that a person's change of where the secrets go (a member that is an address; a host or a URL in `extra`)
 * brings every stored secret again, and not as its mask. ERR_BAD_INPUT, with those that are missing.
 */
enum err vault_check_address(struct ctx *cx, enum credential_type type, const json_t *stored,
			     const json_t *change) MUST_CHECK;

/*
 * Appends the stored object with the change's members put in: a member sent as null goes away, a
 * secret that comes back as its own mask stays as it is; `extra` is merged member by member.
 * `stored` and its `masked` form are NULL for a new credential. The order of members is kept, so
 * that a change that changes nothing gives the same bytes. The text is secret: `out`, of
 * VAULT_DATA_MAX, is wiped by its owner. Errors stick in it; ERR_TOO_BIG is the client's.
 */
void vault_merge(enum credential_type type, const json_t *stored, const json_t *masked,
		 const json_t *change, struct buf *out);

/* Appends the object as answers show it. Errors stick in `out`. */
void vault_mask(enum credential_type type, const json_t *data, struct buf *out);
/*
 * Appends the mask of one secret text: its first characters if it is long enough, and four stars.
 */
void vault_mask_text(struct str secret, struct buf *out);

#endif
