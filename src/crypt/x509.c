#include "crypt/x509.h"

#include <gnutls/abstract.h>
#include <gnutls/x509.h>

#include "crypt/pubkey.h"

enum { CHAIN_MAX = 8, NAME_MAX_BYTES = 256, NAMES_MAX = 64 };

static const struct str BEGIN = STR("-----BEGIN CERTIFICATE-----");

/* The certificates of one text; the first is the owner's. */
struct chain {
	gnutls_x509_crt_t v[CHAIN_MAX];
	unsigned n;
};

static void chain_done(struct chain *chain)
{
	for (unsigned i = 0; i < chain->n; i++)
		gnutls_x509_crt_deinit(chain->v[i]);
	chain->n = 0;
}

/* Text in front would let a certificate be hidden in an answer that somebody else has written the rest of. */
static bool chain_read(struct str pem, struct chain *ret_chain)
{
	/* GnuTLS only reads it. */
	gnutls_datum_t text = { (unsigned char *)(uintptr_t)pem.p, (unsigned)pem.n };

	ret_chain->n = CHAIN_MAX;
	if (!str_starts(pem, BEGIN) ||
	    gnutls_x509_crt_list_import(ret_chain->v, &ret_chain->n, &text, GNUTLS_X509_FMT_PEM,
					GNUTLS_X509_CRT_LIST_IMPORT_FAIL_IF_EXCEED) < 1) {
		ret_chain->n = 0;
		return false;
	}
	return true;
}

/* --- whose it is ---------------------------------------------------------------------- */

static bool alternative_name(gnutls_x509_crt_t crt, unsigned i, char name[NAME_MAX_BYTES], struct str *ret_name,
			     bool *ret_end)
{
	size_t n = NAME_MAX_BYTES;
	int kind = gnutls_x509_crt_get_subject_alt_name(crt, i, name, &n, NULL);

	*ret_end = kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE;
	*ret_name = (struct str){ name, n };
	return kind == GNUTLS_SAN_DNSNAME;
}

static bool common_name_fits(gnutls_x509_crt_t crt, const struct x509_rules *rules)
{
	char name[NAME_MAX_BYTES];
	size_t n = sizeof(name);

	return gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &n) == 0 &&
	       rules->is_owner(rules->arg, (struct str){ name, n });
}

/* The common name counts only where there is no other (RFC 6125, section 6.4.4). */
static bool owner_fits(gnutls_x509_crt_t crt, const struct x509_rules *rules)
{
	char text[NAME_MAX_BYTES];
	bool named = false, end = false;
	struct str name;

	for (unsigned i = 0; i < NAMES_MAX && !end; i++) {
		if (!alternative_name(crt, i, text, &name, &end))
			continue;
		named = true;
		if (rules->is_owner(rules->arg, name))
			return true;
	}
	return !named && common_name_fits(crt, rules);
}

/* --- who says so ------------------------------------------------------------------------ */

static enum err trust_read(const struct x509_rules *rules, gnutls_x509_trust_list_t trust)
{
	int read = 0;

	if (rules->ca_file)
		read = gnutls_x509_trust_list_add_trust_file(trust, rules->ca_file, NULL, GNUTLS_X509_FMT_PEM, 0, 0);
	if (read >= 0 && rules->ca_directory) {
		int more = gnutls_x509_trust_list_add_trust_dir(trust, rules->ca_directory, NULL,
								GNUTLS_X509_FMT_PEM, 0, 0);

		read = more < 0 ? more : read + more;
	}
	return read > 0 ? OK : ERR_IO;
}

static enum err check_chain(struct chain *chain, const struct x509_rules *rules)
{
	gnutls_x509_trust_list_t trust;
	unsigned status = GNUTLS_CERT_INVALID;
	int code = -1;
	enum err e;

	if (gnutls_x509_trust_list_init(&trust, 0) != 0)
		return ERR_NO_MEMORY;
	e = trust_read(rules, trust);
	if (e == OK)
		code = gnutls_x509_trust_list_verify_crt2(trust, chain->v, chain->n, NULL, 0,
							  GNUTLS_PROFILE_TO_VFLAGS(GNUTLS_PROFILE_MEDIUM), &status,
							  NULL);
	gnutls_x509_trust_list_deinit(trust, 1);
	if (e == OK && (code != 0 || status != 0))
		e = ERR_BAD_INPUT;
	return e;
}

/* --- its key ---------------------------------------------------------------------------- */

static enum err check_key(struct str der)
{
	struct pubkey *key;

	TRY(pubkey_from_der(der, &key));
	pubkey_free(key);
	return OK;
}

static enum err add_key(gnutls_x509_crt_t crt, struct buf *out)
{
	gnutls_datum_t der = { NULL, 0 };
	gnutls_pubkey_t key;
	enum err e = ERR_BAD_INPUT;

	if (gnutls_pubkey_init(&key) != 0)
		return ERR_NO_MEMORY;
	if (gnutls_pubkey_import_x509(key, crt, 0) == 0 && gnutls_pubkey_export2(key, GNUTLS_X509_FMT_DER, &der) == 0)
		e = check_key((struct str){ (const char *)der.data, der.size });
	if (e == OK)
		buf_add(out, der.data, der.size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(key);
	return e == OK ? buf_error(out) : e;
}

static enum err check(struct chain *chain, const struct x509_rules *rules, struct buf *out, int64_t *ret_ends_at,
		      const char **ret_why)
{
	const time_t begins_at = gnutls_x509_crt_get_activation_time(chain->v[0]);
	const time_t ends_at = gnutls_x509_crt_get_expiration_time(chain->v[0]);

	*ret_why = "the certificate isn't of today";
	*ret_ends_at = (int64_t)ends_at * 1000;
	if (begins_at < 0 || ends_at < 0 || rules->now_ms < (int64_t)begins_at * 1000 || rules->now_ms >= *ret_ends_at)
		return ERR_BAD_INPUT;
	*ret_why = "the certificate is somebody else's";
	if (!owner_fits(chain->v[0], rules))
		return ERR_BAD_INPUT;
	*ret_why = "nobody who is trusted here vouches for the certificate";
	if (rules->chained)
		TRY(check_chain(chain, rules));
	*ret_why = "the certificate's key is of no kind that is taken";
	return add_key(chain->v[0], out);
}

enum err x509_key(struct str pem, const struct x509_rules *rules, struct buf *out, int64_t *ret_ends_at,
		  const char **ret_why)
{
	struct chain chain;
	enum err e;

	*ret_why = "there is no certificate, or too many";
	if (!chain_read(str_trim(pem), &chain))
		return ERR_BAD_INPUT;
	e = check(&chain, rules, out, ret_ends_at, ret_why);
	chain_done(&chain);
	return e;
}
