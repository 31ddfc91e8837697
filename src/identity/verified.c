#include "identity/verified.h"

#include <string.h>

#include "base/secret.h"

static size_t place_of(const uint8_t hash[SHA256_BYTES]) { return (size_t)(hash[0] << 8 | hash[1]) % VERIFIED_TOKENS; }

bool verified_find(const struct verified_tokens *all, struct str token, struct own_token *ret_says)
{
	uint8_t hash[SHA256_BYTES];
	size_t at;

	sha256_of(BYTES(token), hash);
	at = place_of(hash);
	*ret_says = all->v[at].says;
	return all->v[at].says.role != ROLE_NONE && bytes_eq_constant_time(all->v[at].hash, hash, SHA256_BYTES);
}

void verified_keep(struct verified_tokens *all, struct str token, const struct own_token *says)
{
	uint8_t hash[SHA256_BYTES];
	size_t at;

	sha256_of(BYTES(token), hash);
	at = place_of(hash);
	memcpy(all->v[at].hash, hash, SHA256_BYTES);
	all->v[at].says = *says;
}
