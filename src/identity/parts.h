/* What struct identity is made of, for the files of this room. */
#ifndef LW_IDENTITY_PARTS_H
#define LW_IDENTITY_PARTS_H

#include "core/config.h"
#include "identity/issuer.h"
#include "identity/signing.h"
#include "identity/verified.h"

struct identity {
	const struct config *config;
	struct signing signing;
	struct issuers issuers;
	struct verified_tokens verified;
};

/* The `iss` of our own tokens. */
static inline struct str identity_own_issuer(const struct config *config)
{
	return str_of(config->auth_issuer[0] ? config->auth_issuer : config->server_public_url);
}

#endif
