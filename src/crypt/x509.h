/* Certificates (X.509, RFC 5280) that hold other people's signing keys, read by GnuTLS. */
#ifndef LW_CRYPT_X509_H
#define LW_CRYPT_X509_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

/* What makes a certificate a good one. */
struct x509_rules {
	int64_t now_ms;
	/* Whether that is a name of the owner: asked for each DNS name, or the common name of one without. */
	bool (*is_owner)(const void *arg, struct str name);
	const void *arg;
	/*
	 * It must lead to a CA in this file or directory (PEM; either may be NULL), over the certificates behind it.
	 * Without `chained`: whoever gave it to us vouches for it.
	 */
	bool chained;
	const char *ca_file, *ca_directory;
};

/*
 * The first certificate of a PEM text with nothing in front of it: its key as SubjectPublicKeyInfo in DER is appended,
 * `ret_ends_at` is when it ends. ERR_BAD_INPUT, and static words, for one that isn't good, and for keys that pubkey.h
 * doesn't take. ERR_IO when the CAs can't be read.
 */
enum err x509_key(struct str pem, const struct x509_rules *rules, struct buf *out, int64_t *ret_ends_at,
		  const char **ret_why) MUST_CHECK;

#endif
