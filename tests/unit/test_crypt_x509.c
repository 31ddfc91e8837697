/* Whose certificate is believed to hold somebody's key. */
#include "crypt/x509.h"

#include <stdlib.h>
#include <unistd.h>

#include "crypt/checksum.h"
#include "crypt/pubkey.h"
#include "crypt_support.h"
#include "x509_support.h"

static struct world {
	time_t now;
	gnutls_x509_privkey_t key, ca_key, other_key;
	gnutls_x509_crt_t ca, other_ca;
	char ca_file[64];
	struct x509_rules rules;
} w;

static bool is_owner(const void *arg, struct str name) { return str_eq(name, str_of(arg)); }

static int set_up(void **state)
{
	BUF_AUTO struct buf pem = { 0 };
	int fd;

	(void)state;
	w.now = time(NULL);
	w.key = rsa_new(2048);
	w.ca_key = rsa_new(2048);
	w.other_key = rsa_new(2048);
	const struct made_up ca = { .name = "a CA", .begins_at = w.now - DAY_S, .ends_at = w.now + DAY_S, .ca = true };

	w.ca = certificate_new(w.ca_key, &ca, NULL, w.ca_key);
	w.other_ca = certificate_new(w.other_key, &ca, NULL, w.other_key);
	buf_init(&pem, 8192);
	certificate_write(w.ca, &pem);
	snprintf(w.ca_file, sizeof(w.ca_file), "/tmp/lw-x509-XXXXXX");
	fd = mkstemp(w.ca_file);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, pem.p, pem.n), pem.n);
	close(fd);
	w.rules = (struct x509_rules){ .now_ms = (int64_t)w.now * 1000,
				       .is_owner = is_owner,
				       .arg = "signer.example.test",
				       .chained = true,
				       .ca_file = w.ca_file };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	gnutls_x509_privkey_deinit(w.key);
	gnutls_x509_privkey_deinit(w.ca_key);
	gnutls_x509_privkey_deinit(w.other_key);
	gnutls_x509_crt_deinit(w.ca);
	gnutls_x509_crt_deinit(w.other_ca);
	return unlink(w.ca_file);
}

static struct made_up good(void)
{
	return (struct made_up){ .name = "signer.example.test", .begins_at = w.now - DAY_S, .ends_at = w.now + DAY_S };
}

/* The PEM of a certificate that the CA, or the other one, has signed. */
static void make(const struct made_up *what, bool by_other, struct buf *pem)
{
	gnutls_x509_crt_t crt =
		certificate_new(w.key, what, by_other ? w.other_ca : w.ca, by_other ? w.other_key : w.ca_key);

	buf_init(pem, 32 << 10);
	certificate_write(crt, pem);
	gnutls_x509_crt_deinit(crt);
}

static enum err look(struct str pem, const struct x509_rules *rules)
{
	BUF_AUTO struct buf der = { 0 };
	const char *why = NULL;
	int64_t ends_at;
	enum err e;

	buf_init(&der, 4096);
	e = x509_key(pem, rules, &der, &ends_at, &why);
	assert_non_null(why);
	assert_true((e == OK) == (der.n > 0));
	return e;
}

static enum err try(const struct made_up *what, bool by_other)
{
	BUF_AUTO struct buf pem = { 0 };

	make(what, by_other, &pem);
	return look(buf_str(&pem), &w.rules);
}

static void a_good_ones_key_checks_what_its_owner_signs(void **state)
{
	BUF_AUTO struct buf pem = { 0 }, der = { 0 }, signature = { 0 };
	const struct made_up what = good();
	struct pubkey *key;
	const char *why;
	int64_t ends_at;

	(void)state;
	make(&what, false, &pem);
	buf_init(&der, 4096);
	buf_init(&signature, 1024);
	assert_int_equal(x509_key(buf_str(&pem), &w.rules, &der, &ends_at, &why), OK);
	assert_true(ends_at == (int64_t)what.ends_at * 1000);
	assert_int_equal(pubkey_from_der(buf_str(&der), &key), OK);
	rsa_sign(w.key, GNUTLS_SIGN_RSA_SHA256, STR("text"), &signature);
	assert_true(pubkey_verify(key, SIGNATURE_RSA_SHA256, STR("text"), buf_str(&signature)));
	assert_false(pubkey_verify(key, SIGNATURE_RSA_SHA256, STR("next"), buf_str(&signature)));
	pubkey_free(key);
}

static void somebody_elses_is_refused(void **state)
{
	struct made_up what = good();

	(void)state;
	what.name = "signer.example.test.evil.test";
	assert_int_equal(try(&what, false), ERR_BAD_INPUT);
	what.name = NULL;
	assert_int_equal(try(&what, false), ERR_BAD_INPUT);
}

static void a_dns_name_counts_and_a_common_name_beside_it_does_not(void **state)
{
	struct made_up what = good();

	(void)state;
	what.name = "some words";
	what.dns = "signer.example.test";
	assert_int_equal(try(&what, false), OK);
	what.name = "signer.example.test";
	what.dns = "evil.test";
	assert_int_equal(try(&what, false), ERR_BAD_INPUT);
}

static void one_of_yesterday_or_of_tomorrow_is_refused(void **state)
{
	struct made_up what = good();

	(void)state;
	w.rules.chained = false;
	what.ends_at = w.now - 60;
	assert_int_equal(try(&what, false), ERR_BAD_INPUT);
	what = good();
	what.begins_at = w.now + 60;
	assert_int_equal(try(&what, false), ERR_BAD_INPUT);
}

static void whom_nobody_vouches_for_is_refused_where_that_is_asked(void **state)
{
	const struct made_up what = good();

	(void)state;
	assert_int_equal(try(&what, true), ERR_BAD_INPUT);
	w.rules.chained = false;
	assert_int_equal(try(&what, true), OK);
}

/* A certificate that isn't a CA's vouches for nobody, wherever it comes from itself. */
static void the_holder_of_a_certificate_is_no_ca(void **state)
{
	BUF_AUTO struct buf pem = { 0 };
	struct made_up what = good(), between = good();
	gnutls_x509_crt_t holder, forged;

	(void)state;
	between.name = "evil.test";
	holder = certificate_new(w.other_key, &between, w.ca, w.ca_key);
	forged = certificate_new(w.key, &what, holder, w.other_key);
	buf_init(&pem, 32 << 10);
	certificate_write(forged, &pem);
	certificate_write(holder, &pem);
	assert_int_equal(look(buf_str(&pem), &w.rules), ERR_BAD_INPUT);
	gnutls_x509_crt_deinit(holder);
	gnutls_x509_crt_deinit(forged);
}

static void a_chain_leads_over_the_certificates_behind_it(void **state)
{
	BUF_AUTO struct buf pem = { 0 };
	struct made_up what = good(), between = good();
	gnutls_x509_crt_t middle, leaf;

	(void)state;
	between.name = "a CA in between";
	between.ca = true;
	middle = certificate_new(w.other_key, &between, w.ca, w.ca_key);
	leaf = certificate_new(w.key, &what, middle, w.other_key);
	buf_init(&pem, 32 << 10);
	certificate_write(leaf, &pem);
	assert_int_equal(look(buf_str(&pem), &w.rules), ERR_BAD_INPUT);
	certificate_write(middle, &pem);
	assert_int_equal(look(buf_str(&pem), &w.rules), OK);
	gnutls_x509_crt_deinit(middle);
	gnutls_x509_crt_deinit(leaf);
}

static void text_in_front_is_refused_and_so_is_what_is_none(void **state)
{
	BUF_AUTO struct buf pem = { 0 }, hidden = { 0 };
	const struct made_up what = good();

	(void)state;
	make(&what, false, &pem);
	buf_init(&hidden, 32 << 10);
	buf_add_c(&hidden, "<ErrorResponse><Message>");
	buf_add_str(&hidden, buf_str(&pem));
	assert_int_equal(look(buf_str(&hidden), &w.rules), ERR_BAD_INPUT);
	assert_int_equal(look(STR(""), &w.rules), ERR_BAD_INPUT);
	assert_int_equal(look(STR("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), &w.rules), ERR_BAD_INPUT);
	assert_int_equal(look(str_slice(buf_str(&pem), 0, pem.n / 2), &w.rules), ERR_BAD_INPUT);
	buf_clear(&hidden);
	for (int i = 0; i < 9; i++)
		buf_add_str(&hidden, buf_str(&pem));
	assert_int_equal(buf_error(&hidden), OK);
	assert_int_equal(look(buf_str(&hidden), &w.rules), ERR_BAD_INPUT);
}

static void a_small_key_is_refused(void **state)
{
	gnutls_x509_privkey_t large = w.key;
	const struct made_up what = good();
	enum err e;

	(void)state;
	w.key = rsa_new(1024);
	w.rules.chained = false;
	e = try(&what, false);
	gnutls_x509_privkey_deinit(w.key);
	w.key = large;
	assert_int_equal(e, ERR_BAD_INPUT);
}

static void without_cas_nothing_is_decided(void **state)
{
	const struct made_up what = good();

	(void)state;
	w.rules.ca_file = "/nonexistent/ca.pem";
	assert_int_equal(try(&what, false), ERR_IO);
}

/* The check value of every catalogue of CRCs. */
static void the_checksum_is_gzips(void **state)
{
	(void)state;
	assert_int_equal(crc32_of(STR("123456789")), 0xcbf43926);
	assert_int_equal(crc32_of(STR("")), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_good_ones_key_checks_what_its_owner_signs),
		TEST(somebody_elses_is_refused),
		TEST(a_dns_name_counts_and_a_common_name_beside_it_does_not),
		TEST(one_of_yesterday_or_of_tomorrow_is_refused),
		TEST(whom_nobody_vouches_for_is_refused_where_that_is_asked),
		TEST(the_holder_of_a_certificate_is_no_ca),
		TEST(a_chain_leads_over_the_certificates_behind_it),
		TEST(text_in_front_is_refused_and_so_is_what_is_none),
		TEST(a_small_key_is_refused),
		TEST(without_cas_nothing_is_decided),
		cmocka_unit_test(the_checksum_is_gzips),
	};

	return cmocka_run_group_tests_name("certificates", tests, NULL, NULL);
}
