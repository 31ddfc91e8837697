/*
 * External issuers (Clerk, Auth0, Keycloak, any OIDC provider): which tokens of
 * theirs are accepted, and the public keys to check them by.
 *
 * Keys come from a PEM or JWK file that is read at the start, or from a URL. The
 * front can't call out: the worker fetches a URL's keys (jwks.h), and here they
 * are read from the database and kept for a minute. A key id that isn't known
 * asks for a new fetch.
 */
#ifndef LW_IDENTITY_ISSUER_H
#define LW_IDENTITY_ISSUER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/config.h"
#include "core/ctx.h"
#include "crypt/jwt.h"

enum { ISSUER_AUDIENCES_MAX = 16 };

struct issuer {
	const struct config_issuer *config; /* borrowed */
	struct str audience[ISSUER_AUDIENCES_MAX];
	size_t audience_count;
	struct jwt_key *pem; /* the one key, whatever a token's kid; NULL: the set below */
	struct jwks keys;
	bool from_database;
	int64_t read_at;   /* from the database; 0: never */
	int64_t wanted_at; /* when this process last asked for a fetch */
};

struct issuers {
	size_t n;
	struct issuer v[CONFIG_ISSUERS_MAX];
};

/* As identity_new. */
enum err issuers_init(struct issuers *issuers, const struct config *config,
		      char *ret_why) MUST_CHECK;
void issuers_done(struct issuers *issuers);

/* The issuer of that exact name; NULL: nobody is trusted by it. */
struct issuer *issuers_find(struct issuers *issuers, struct str name);
/*
 * The key of that id and algorithm. ERR_BAD_TOKEN when there is none; a fetch was asked for then.
 * Reads the database at most once a second for unknown ids, else once a minute.
 */
enum err issuer_key(struct ctx *cx, struct issuer *issuer, const struct jwt_hint *hint,
		    const struct jwt_key **ret_key) MUST_CHECK;

#endif
