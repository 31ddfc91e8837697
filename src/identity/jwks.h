/*
 * Keys of external issuers that come from a URL: kept in the database, fetched
 * by the worker (the front has no way out).
 *
 *	for each that identity_jwks_due names:
 *		fetch its URL through the egress guard, then identity_jwks_store
 */
#ifndef LW_IDENTITY_JWKS_H
#define LW_IDENTITY_JWKS_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/config.h"
#include "store/db.h"

enum { JWKS_DOCUMENT_MAX = 256 << 10 };

/*
 * The issuers whose keys are to be fetched now: never fetched, asked for since the last try, or older than an
 * hour; a minute at least lies between two tries. Marks them as tried, so that of several workers about one
 * fetches. The entries point into the configuration.
 */
enum err identity_jwks_due(struct db *db, const struct config *config, int64_t now_ms,
			   const struct config_issuer *ret_due[CONFIG_ISSUERS_MAX],
			   size_t *ret_count) MUST_CHECK;

/*
 * Stores what the URL gave: the public members of its usable keys, and nothing else. ERR_BAD_JSON,
 * ERR_BAD_INPUT (no JWK set, or no usable key in it), ERR_TOO_BIG; what was stored before stays then.
 */
enum err identity_jwks_store(struct db *db, struct str issuer, struct str document,
			     int64_t now_ms) MUST_CHECK;

#endif
