/* What is in a JWT key. Of this room: others use jwt.h. */
#ifndef LW_CRYPT_JWT_KEY_H
#define LW_CRYPT_JWT_KEY_H

#include "base/secret.h"
#include "base/str.h"
#include "crypt/jwt.h"
#include "crypt/pubkey.h"

struct jwt_key {
	enum jwt_algorithm algorithm;
	struct secret secret;  /* HS256 */
	struct pubkey *pubkey; /* RS256, ES256 */
};

#endif
