#include "identity/identity.h"

#include <stdio.h>
#include <stdlib.h>

#include "identity/parts.h"

/* An external issuer that calls itself by our name would let its tokens and ours be taken for each other. */
static enum err check_names(const struct config *config, char *ret_why)
{
	struct str own = identity_own_issuer(config);

	for (size_t i = 0; i < config->issuer_count; i++) {
		if (!str_eq(str_of(config->issuer[i].issuer), own))
			continue;
		snprintf(ret_why, IDENTITY_WHY_MAX,
			 "[issuer %s] issuer: this is the issuer of our own tokens",
			 config->issuer[i].name);
		return ERR_CONFIG;
	}
	return OK;
}

enum err identity_new(const struct config *config, struct keyring *front_keys,
		      char ret_why[IDENTITY_WHY_MAX], struct identity **ret_identity)
{
	struct identity *identity;
	enum err e;

	*ret_identity = NULL;
	ret_why[0] = '\0';
	TRY(check_names(config, ret_why));
	identity = calloc(1, sizeof(*identity));
	if (!identity)
		return ERR_NO_MEMORY;
	identity->config = config;
	e = signing_init(&identity->signing, front_keys);
	if (e == OK)
		e = issuers_init(&identity->issuers, config, ret_why);
	if (e != OK) {
		identity_free(identity);
		return e;
	}
	*ret_identity = identity;
	return OK;
}

void identity_free(struct identity *identity)
{
	if (!identity)
		return;
	signing_done(&identity->signing);
	issuers_done(&identity->issuers);
	free(identity);
}
