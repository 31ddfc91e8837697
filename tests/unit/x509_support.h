/* Keys and certificates that a test makes up, and signatures by them. */
#ifndef LW_TESTS_X509_SUPPORT_H
#define LW_TESTS_X509_SUPPORT_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "base/str.h"

#define DAY_S (24 * 3600)

/* RSA. Fails the test when it can't be made. */
static inline gnutls_x509_privkey_t rsa_new(unsigned bits)
{
	gnutls_x509_privkey_t key;

	assert_int_equal(gnutls_x509_privkey_init(&key), 0);
	assert_int_equal(gnutls_x509_privkey_generate(key, GNUTLS_PK_RSA, bits, 0), 0);
	return key;
}

/* PKCS #1 v1.5 over the text, appended as bytes. */
static inline void rsa_sign(gnutls_x509_privkey_t key, gnutls_sign_algorithm_t algorithm, struct str text,
			    struct buf *out)
{
	gnutls_datum_t data = { (unsigned char *)(uintptr_t)text.p, (unsigned)text.n }, signature;
	gnutls_privkey_t signer;

	assert_int_equal(gnutls_privkey_init(&signer), 0);
	assert_int_equal(gnutls_privkey_import_x509(signer, key, 0), 0);
	assert_int_equal(gnutls_privkey_sign_data2(signer, algorithm, 0, &data, &signature), 0);
	buf_add(out, signature.data, signature.size);
	gnutls_free(signature.data);
	gnutls_privkey_deinit(signer);
}

/* SubjectPublicKeyInfo, appended. */
static inline void rsa_public(gnutls_x509_privkey_t key, struct buf *out)
{
	gnutls_datum_t der;
	gnutls_privkey_t private;
	gnutls_pubkey_t public;

	assert_int_equal(gnutls_privkey_init(&private), 0);
	assert_int_equal(gnutls_pubkey_init(&public), 0);
	assert_int_equal(gnutls_privkey_import_x509(private, key, 0), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(public, private, 0, 0), 0);
	assert_int_equal(gnutls_pubkey_export2(public, GNUTLS_X509_FMT_DER, &der), 0);
	buf_add(out, der.data, der.size);
	gnutls_free(der.data);
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(private);
}

struct made_up {
	const char *name;     /* the common name; NULL: none */
	const char *dns;      /* a DNS name; NULL: none */
	time_t begins_at, ends_at;
	bool ca;
};

static inline gnutls_x509_crt_t certificate_new(gnutls_x509_privkey_t key, const struct made_up *what,
						gnutls_x509_crt_t issuer, gnutls_x509_privkey_t issuer_key)
{
	static unsigned char serial = 1;
	gnutls_x509_crt_t crt;

	assert_int_equal(gnutls_x509_crt_init(&crt), 0);
	gnutls_x509_crt_set_version(crt, 3);
	gnutls_x509_crt_set_serial(crt, &serial, 1);
	serial++;
	gnutls_x509_crt_set_key(crt, key);
	gnutls_x509_crt_set_activation_time(crt, what->begins_at);
	gnutls_x509_crt_set_expiration_time(crt, what->ends_at);
	if (what->name)
		gnutls_x509_crt_set_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, what->name,
					      (unsigned)strlen(what->name));
	if (what->dns)
		gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_DNSNAME, what->dns, (unsigned)strlen(what->dns),
						     GNUTLS_FSAN_SET);
	gnutls_x509_crt_set_basic_constraints(crt, what->ca, -1);
	if (what->ca)
		gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_KEY_CERT_SIGN);
	assert_int_equal(gnutls_x509_crt_sign2(crt, issuer ? issuer : crt, issuer_key, GNUTLS_DIG_SHA256, 0), 0);
	return crt;
}

/* In PEM, appended. */
static inline void certificate_write(gnutls_x509_crt_t crt, struct buf *out)
{
	gnutls_datum_t pem;

	assert_int_equal(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &pem), 0);
	buf_add(out, pem.data, pem.size);
	gnutls_free(pem.data);
}

#endif
