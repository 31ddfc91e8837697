/*
 * What a process needs to tell who asks: the keys that our own tokens are
 * signed with, and the external issuers whose tokens are accepted.
 *
 * Made once at the start of a process from the configuration and the front's
 * root keys, and made anew on SIGHUP. A pool's request carries it in
 * cx->identity.
 */
#ifndef LW_IDENTITY_IDENTITY_H
#define LW_IDENTITY_IDENTITY_H

#include "base/attr.h"
#include "base/err.h"
#include "core/config.h"
#include "crypt/keyring.h"

enum { IDENTITY_WHY_MAX = 512 };

struct identity;

/*
 * Reads the issuers' key files. The configuration and the keyring are borrowed and must outlive it.
 * ERR_CONFIG, and then `ret_why` names the issuer and what is wrong with it; ERR_NO_MEMORY, ERR_CRYPTO.
 */
enum err identity_new(const struct config *config, struct keyring *front_keys,
		      char ret_why[IDENTITY_WHY_MAX], struct identity **ret_identity) MUST_CHECK;
/* Wipes the keys. NULL-safe. */
void identity_free(struct identity *identity);

#endif
