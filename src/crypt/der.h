/* The little DER (X.690) that public keys and signatures need. Of this room. */
#ifndef LW_CRYPT_DER_H
#define LW_CRYPT_DER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

/* What a SubjectPublicKeyInfo holds: its two object identifiers' contents, and the key's bytes. */
struct der_key_info {
	struct str algorithm;
	struct str parameters; /* the named curve; absent when there is none, or NULL */
	struct str key;
};

/* Points into `der`. False for anything that isn't exactly one SubjectPublicKeyInfo. */
bool der_key_info(struct str der, struct der_key_info *ret_info) MUST_CHECK;
/* SEQUENCE of two positive INTEGERs: an RSA key (PKCS #1), an ECDSA signature. No zero in front. */
bool der_integer_pair(struct str der, struct str *ret_first, struct str *ret_second) MUST_CHECK;

#endif
