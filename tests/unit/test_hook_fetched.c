/* Which deliveries are genuine whose key was fetched: of certificates and of issuers. Nothing is fetched here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/json_read.h"
#include "base/secret.h"
#include "crypt/checksum.h"
#include "crypt/encode.h"
#include "crypt/jwt.h"
#include "hook/fetched_key.h"
#include "hook/signature.h"
#include "x509_support.h"

#define assert_ok(expression) assert_int_equal((expression), OK)
#define NOW_MS 1767323045000 /* 2026-01-02T03:04:05Z */
#define URL "https://hooks.example.test/api/webhooks/x/y"
#define ADDRESS "https://keys.example.test/certs/CERT-1"
#define JWKS "https://keys.example.test/jwks"

enum { HEADERS_MAX = 8, KEYS_MAX = 6 };

static struct world {
	struct arena *arena;
	struct hook_scheme scheme;
	struct hook_delivery delivery;
	struct hook_key key[KEYS_MAX];
	struct hook_keys keys;
	size_t headers;
	struct {
		const char *name;
		struct str value;
	} header[HEADERS_MAX];
} w;

static gnutls_x509_privkey_t signer, stranger;

static struct str header_of(const void *arg, struct str name)
{
	const struct world *world = arg;

	for (size_t i = 0; i < world->headers; i++)
		if (str_eq(name, str_of(world->header[i].name)))
			return world->header[i].value;
	return STR_NONE;
}

static int make_keys(void **state)
{
	(void)state;
	signer = rsa_new(2048);
	stranger = rsa_new(2048);
	return 0;
}

static int forget_keys(void **state)
{
	(void)state;
	gnutls_x509_privkey_deinit(signer);
	gnutls_x509_privkey_deinit(stranger);
	return 0;
}

static int set_up(void **state)
{
	(void)state;
	w = (struct world){ .arena = arena_new(4 << 20) };
	assert_non_null(w.arena);
	w.keys.v = w.key;
	w.delivery = (struct hook_delivery){ .arena = w.arena,
					     .method = STR("POST"),
					     .url = STR(URL),
					     .content_type = STR("application/json"),
					     .now_ms = NOW_MS,
					     .header = header_of,
					     .header_arg = &w };
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_free(w.arena);
	return 0;
}

static enum err read_scheme(const char *json)
{
	const char *why = NULL;
	json_t *tree;
	enum err e;

	assert_ok(json_read(w.arena, str_of(json), &tree, NULL));
	e = hook_scheme_read(tree, &w.scheme, &why);
	if (e != OK)
		assert_true(strlen(why) > 0);
	return e;
}

static void scheme(const char *json) { assert_ok(read_scheme(json)); }

static void header(const char *name, struct str value)
{
	size_t i = 0;

	while (i < w.headers && strcmp(w.header[i].name, name) != 0)
		i++;
	w.header[i].name = name;
	w.header[i].value = value;
	if (i == w.headers)
		w.headers++;
}

static void body(struct str text)
{
	json_t *json = NULL;

	w.delivery.body = text;
	w.delivery.json = json_read(w.arena, text, &json, NULL) == OK ? json : NULL;
}

static void add(const char *field, struct str bytes)
{
	w.key[w.keys.n++] = (struct hook_key){ str_of(field), bytes };
}

static struct str keep(struct buf *buf)
{
	struct str text;

	assert_ok(buf_error(buf));
	text = arena_copy(w.arena, buf_str(buf));
	buf_done(buf);
	return text;
}

static void add_certificate(gnutls_x509_privkey_t key)
{
	struct buf der = { 0 };

	buf_init(&der, 4096);
	rsa_public(key, &der);
	add(ADDRESS, keep(&der));
}

/* What a field of the connection becomes for the front. */
static void add_field(const char *field, const char *value, enum hook_kind kind)
{
	const struct hook_proof proof = { .kind = kind, .key_field = str_of(field) };
	struct buf made = { 0 };

	buf_init(&made, HOOK_KEY_BYTES_MAX);
	assert_ok(hook_key_make(&proof, str_of(value), &made));
	add(field, keep(&made));
}

static struct str signature_of(gnutls_x509_privkey_t key, gnutls_sign_algorithm_t algorithm, struct str text)
{
	BUF_AUTO struct buf bytes = { 0 };
	struct buf base64 = { 0 };

	buf_init(&bytes, 1024);
	buf_init(&base64, 2048);
	rsa_sign(key, algorithm, text, &bytes);
	base64_encode(&base64, buf_str(&bytes));
	return keep(&base64);
}

static bool holds(void)
{
	const char *why;

	return hook_check(&w.scheme, &w.delivery, &w.keys, &why) == OK;
}

/* --- with a checksum of the body ------------------------------------------------------------ */

#define CERTIFICATE \
	"\"certificate\":{\"source\":\"header:x-cert-url\",\"address\":\"^https://keys\\\\.example\\\\.test/certs/[A-Z0-9-]+$\","  \
	"\"owner\":\"^signer\\\\.example\\\\.test$\"}"
#define CHECKSUMMED \
	"{\"scheme\":\"rsa_certificate\",\"source\":\"header:x-sig\",\"encoding\":\"base64\"," CERTIFICATE \
	",\"key_field\":\"webhook_id\",\"signed\":\"{header:x-id}|{timestamp}|{key}|{crc32}\"," \
	"\"timestamp\":{\"source\":\"header:x-time\",\"unit\":\"rfc3339\",\"tolerance_s\":600}}"

static void checksummed(gnutls_x509_privkey_t key, const char *webhook_id)
{
	struct str text = arena_printf(w.arena, "id-1|2026-01-02T03:04:05Z|%s|%u", webhook_id, crc32_of(STR("{\"id\":1}")));

	header("x-id", STR("id-1"));
	header("x-time", STR("2026-01-02T03:04:05Z"));
	header("x-cert-url", STR(ADDRESS));
	header("x-sig", signature_of(key, GNUTLS_SIGN_RSA_SHA256, text));
	body(STR("{\"id\":1}"));
}

static void begin_checksummed(void)
{
	scheme(CHECKSUMMED);
	add_certificate(signer);
	add_field("webhook_id", "WH1", HOOK_CERTIFICATE);
	checksummed(signer, "WH1");
	assert_true(holds());
}

static void another_key_body_webhook_or_time_is_refused(void **state)
{
	(void)state;
	begin_checksummed();
	body(STR("{\"id\":2}"));
	assert_false(holds());
	checksummed(stranger, "WH1");
	assert_false(holds());
	checksummed(signer, "WH2");
	assert_false(holds());
	checksummed(signer, "WH1");
	header("x-time", STR("2026-01-02T03:04:06Z"));
	assert_false(holds());
	checksummed(signer, "WH1");
	w.delivery.now_ms = NOW_MS + 600001;
	assert_false(holds());
	w.delivery.now_ms = NOW_MS + 600000;
	assert_true(holds());
}

static void while_the_field_is_changed_both_its_values_count(void **state)
{
	(void)state;
	begin_checksummed();
	add_field("webhook_id", "WH2", HOOK_CERTIFICATE);
	assert_true(holds());
	checksummed(signer, "WH2");
	assert_true(holds());
	checksummed(signer, "WH3");
	assert_false(holds());
}

static void without_the_certificate_or_the_field_nothing_is_genuine(void **state)
{
	(void)state;
	scheme(CHECKSUMMED);
	checksummed(signer, "WH1");
	assert_false(holds());
	add_field("webhook_id", "WH1", HOOK_CERTIFICATE);
	assert_false(holds());
	add_certificate(signer);
	assert_true(holds());
	header("x-cert-url", STR("https://keys.example.test/certs/CERT-2"));
	assert_false(holds());
	/* A field's name is no address, whatever the field holds. */
	header("x-cert-url", STR("webhook_id"));
	assert_false(holds());
}

static void only_the_types_own_addresses_are_taken(void **state)
{
	static const char *const OTHERS[] = {
		"http://keys.example.test/certs/CERT-1",	"https://keys.example.test.evil.test/certs/CERT-1",
		"https://evil.test/certs/CERT-1",		"https://keys.example.test/certs/../CERT-1",
		"https://keys.example.test/certs/CERT-1?x",	"https://keys.example.test/certs/CERT-1\n",
		"https://keys.example.test@evil.test/certs/C", "xhttps://keys.example.test/certs/CERT-1",
		"https://keys-example.test/certs/CERT-1",	"",
	};

	(void)state;
	scheme(CHECKSUMMED);
	assert_ptr_equal(hook_proof_of_address(&w.scheme, STR(ADDRESS)), &w.scheme.proof[0]);
	for (size_t i = 0; i < ARRAY_SIZE(OTHERS); i++)
		assert_null(hook_proof_of_address(&w.scheme, str_of(OTHERS[i])));
	assert_null(hook_proof_of_address(&w.scheme, STR("https://keys.example.test/certs/CERT-1\0.evil")));
	assert_null(hook_proof_of_address(&w.scheme, STR_NONE));
}

/* --- with members of the body ------------------------------------------------------------------ */

#define MEMBERS \
	"{\"scheme\":\"rsa_certificate\",\"source\":\"json:Signature\",\"encoding\":\"base64\"," CERTIFICATE \
	",\"version\":\"json:Version\",\"versions\":{\"1\":\"sha1\",\"2\":\"sha256\"}," \
	"\"signed_keys\":[\"Message\",\"Id\",\"Subject\",\"Time\",\"Topic\"],\"pin\":\"json:Topic\",\"pin_field\":\"topic\","  \
	"\"timestamp\":{\"source\":\"json:Time\",\"unit\":\"rfc3339\",\"tolerance_s\":600}}"
#define TIME "\"Time\":\"2026-01-02T03:04:05Z\""

/* `members`: JSON without the braces. */
static void members(gnutls_x509_privkey_t key, const char *version, const char *text, const char *members)
{
	gnutls_sign_algorithm_t algorithm = version[0] == '1' ? GNUTLS_SIGN_RSA_SHA1 : GNUTLS_SIGN_RSA_SHA256;
	struct str signature = signature_of(key, algorithm, str_of(text));

	header("x-cert-url", STR(ADDRESS));
	body(arena_printf(w.arena, "{\"Signature\":\"%.*s\",\"Version\":\"%s\",%s}", STR_ARG(signature), version, members));
}

#define TEXT "Message\nhello\nworld\nId\n1\nTime\n2026-01-02T03:04:05Z\nTopic\nt\n"
#define SENT "\"Topic\":\"t\",\"Id\":\"1\",\"Message\":\"hello\\nworld\"," TIME

static void members_are_signed_in_the_types_order_by_the_hash_of_the_version(void **state)
{
	(void)state;
	scheme(MEMBERS);
	add_certificate(signer);
	for (int version = 1; version <= 2; version++) {
		const char *text = version == 1 ? "1" : "2";

		members(signer, text, TEXT, SENT);
		assert_true(holds());
		members(stranger, text, TEXT, SENT);
		assert_false(holds());
	}
	members(signer, "2", TEXT, SENT ",\"Subject\":null");
	assert_true(holds());
	members(signer, "2", TEXT, SENT ",\"Subject\":\"s\"");
	assert_false(holds());
	members(signer, "3", TEXT, SENT);
	assert_false(holds());
	members(signer, "2", TEXT, "\"Topic\":\"t\",\"Id\":1,\"Message\":\"hello\\nworld\"," TIME);
	assert_false(holds());
}

/* "Id" of one text is the "Subject" of another: only one of the readings may be good. */
static void one_text_has_one_reading(void **state)
{
	static const char TWICE[] = "Message\na\nId\n1\nSubject\ns\nId\n2\nTime\n2026-01-02T03:04:05Z\n";

	(void)state;
	scheme(MEMBERS);
	add_certificate(signer);
	members(signer, "2", TWICE, "\"Message\":\"a\\nId\\n1\\nSubject\\ns\",\"Id\":\"2\"," TIME);
	assert_true(holds());
	members(signer, "2", TWICE, "\"Message\":\"a\",\"Id\":\"1\",\"Subject\":\"s\\nId\\n2\"," TIME);
	assert_false(holds());
}

static void a_genuine_one_from_elsewhere_is_refused_where_the_field_says_so(void **state)
{
	(void)state;
	scheme(MEMBERS);
	add_certificate(signer);
	members(signer, "2", TEXT, SENT);
	assert_true(holds());
	add_field("topic", "another", HOOK_SHARED_TOKEN);
	assert_false(holds());
	add_field("topic", "t", HOOK_SHARED_TOKEN);
	assert_true(holds());
	members(signer, "2", "Message\nm\nTime\n2026-01-02T03:04:05Z\n", "\"Message\":\"m\"," TIME);
	assert_false(holds());
}

/* --- with a token ---------------------------------------------------------------------------------- */

#define ISSUER \
	"{\"scheme\":\"jwt_rs256\",\"source\":\"header:authorization\",\"prefix\":\"Bearer \",\"jwks\":\"" JWKS "\"," \
	"\"issuer\":\"https://issuer.example.test\",\"pin\":\"email\",\"pin_field\":\"pusher\"}"
#define CLAIMS(aud, iss, exp, more) \
	"{\"aud\":\"" aud "\",\"iss\":\"" iss "\",\"exp\":" exp ",\"iat\":1767323000" more "}"
#define GOOD CLAIMS(URL, "https://issuer.example.test", "1767326645", ",\"email\":\"a@example.test\",\"email_verified\":true")

static void token(gnutls_x509_privkey_t key, const char *kid, const char *claims)
{
	SECRET_AUTO struct secret pem = SECRET_EMPTY;
	struct buf text = { 0 };
	gnutls_datum_t out;

	assert_int_equal(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, GNUTLS_PKCS_PLAIN, &out), 0);
	assert_ok(secret_copy(out.data, out.size, &pem));
	gnutls_free(out.data);
	buf_init(&text, 8192);
	buf_add_c(&text, "Bearer ");
	assert_ok(jwt_sign_rs256(&pem, str_of(kid), str_of(claims), &text));
	header("authorization", keep(&text));
	body(STR("{\"message\":{}}"));
}

static void add_number(struct buf *out, const char *name, const gnutls_datum_t *number)
{
	buf_printf(out, ",\"%s\":\"", name);
	base64url_encode(out, (struct str){ (const char *)number->data, number->size });
	buf_add_c(out, "\"");
}

/* A set of one key. */
static struct str jwks_of(gnutls_x509_privkey_t key, const char *kid)
{
	gnutls_datum_t n, e;
	gnutls_privkey_t private;
	gnutls_pubkey_t public;
	struct buf text = { 0 };

	assert_int_equal(gnutls_privkey_init(&private), 0);
	assert_int_equal(gnutls_pubkey_init(&public), 0);
	assert_int_equal(gnutls_privkey_import_x509(private, key, 0), 0);
	assert_int_equal(gnutls_pubkey_import_privkey(public, private, 0, 0), 0);
	assert_int_equal(gnutls_pubkey_export_rsa_raw2(public, &n, &e, GNUTLS_EXPORT_FLAG_NO_LZ), 0);
	buf_init(&text, 4096);
	buf_printf(&text, "{\"keys\":[{\"kty\":\"RSA\",\"use\":\"sig\",\"kid\":\"%s\"", kid);
	add_number(&text, "n", &n);
	add_number(&text, "e", &e);
	buf_add_c(&text, "}]}");
	gnutls_free(n.data);
	gnutls_free(e.data);
	gnutls_pubkey_deinit(public);
	gnutls_privkey_deinit(private);
	return keep(&text);
}

static void a_token_counts_for_its_issuer_address_and_time(void **state)
{
	static const char *const BAD[] = {
		CLAIMS("https://elsewhere.test/", "https://issuer.example.test", "1767326645", ""),
		CLAIMS(URL "/", "https://issuer.example.test", "1767326645", ""),
		CLAIMS(URL, "https://issuer.example.test.evil.test", "1767326645", ""),
		CLAIMS(URL, "https://issuer.example.test", "1767322984", ""),
		CLAIMS(URL, "https://issuer.example.test", "\"1767326645\"", ""),
		"{\"iss\":\"https://issuer.example.test\",\"exp\":1767326645}",
		"{\"aud\":\"" URL "\",\"exp\":1767326645}",
		"{\"aud\":\"" URL "\",\"iss\":\"https://issuer.example.test\"}",
	};

	(void)state;
	scheme(ISSUER);
	token(signer, "k1", GOOD);
	assert_false(holds());
	add(JWKS, jwks_of(signer, "k1"));
	assert_true(holds());
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		token(signer, "k1", BAD[i]);
		assert_false(holds());
	}
	token(stranger, "k1", GOOD);
	assert_false(holds());
	token(signer, "k2", GOOD);
	assert_false(holds());
	token(signer, "k1", GOOD);
	assert_true(holds());
	header("authorization", STR("Bearer "));
	assert_false(holds());
}

static void another_account_or_one_that_is_not_verified_is_refused_where_the_field_says_so(void **state)
{
	(void)state;
	scheme(ISSUER);
	add(JWKS, jwks_of(signer, "k1"));
	add_field("pusher", "a@example.test", HOOK_SHARED_TOKEN);
	token(signer, "k1", GOOD);
	assert_true(holds());
	token(signer, "k1", CLAIMS(URL, "https://issuer.example.test", "1767326645", ",\"email\":\"b@example.test\",\"email_verified\":true"));
	assert_false(holds());
	token(signer, "k1", CLAIMS(URL, "https://issuer.example.test", "1767326645", ",\"email\":\"a@example.test\",\"email_verified\":false"));
	assert_false(holds());
	token(signer, "k1", CLAIMS(URL, "https://issuer.example.test", "1767326645", ",\"email\":\"a@example.test\""));
	assert_false(holds());
	token(signer, "k1", CLAIMS(URL, "https://issuer.example.test", "1767326645", ""));
	assert_false(holds());
}

/* That is when the set is fetched again. */
static void a_set_misses_the_keys_that_it_does_not_hold(void **state)
{
	struct str jwks = jwks_of(signer, "k1");

	(void)state;
	scheme(ISSUER);
	token(stranger, "k1", GOOD);
	assert_false(hook_jwt_rs256_misses(&w.scheme.proof[0], &w.delivery, jwks));
	token(signer, "k2", GOOD);
	assert_true(hook_jwt_rs256_misses(&w.scheme.proof[0], &w.delivery, jwks));
	header("authorization", STR("Bearer nothing.of.that"));
	assert_false(hook_jwt_rs256_misses(&w.scheme.proof[0], &w.delivery, jwks));
}

/* --- what a type may declare -------------------------------------------------------------------------- */

#define CERTIFICATE_OF(address, owner) \
	"{\"scheme\":\"rsa_certificate\",\"source\":\"header:s\",\"encoding\":\"base64\",\"signed\":\"{body}\",\"certificate\":"  \
	"{\"source\":\"header:u\",\"address\":\"" address "\",\"owner\":\"" owner "\"}"

static void a_type_that_would_believe_too_much_is_refused(void **state)
{
	static const char *const BAD[] = {
		CERTIFICATE_OF("^http://a\\\\.test/$", "^a$") "}",
		CERTIFICATE_OF("https://a\\\\.test/", "^a$") "}",
		CERTIFICATE_OF("^https://a\\\\.test/($", "^a$") "}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "(") "}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "") "}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") ",\"pin\":\"json:a\"}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") ",\"pin\":\"a\",\"pin_field\":\"a\"}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") ",\"version\":\"json:v\"}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") ",\"version\":\"json:v\",\"versions\":{\"1\":\"md5\"}}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") ",\"signed_keys\":[\"a\"]}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") ",\"issuer\":\"a\"}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$")
			",\"timestamp\":{\"source\":\"header:t\",\"unit\":\"s\",\"tolerance_s\":600}}",
		CERTIFICATE_OF("^https://a\\\\.test/$", "^a$")
			",\"handshakes\":[{\"when\":\"json:t\",\"visit\":\"json:u\",\"visit_address\":\"^https://a\\\\.test/$\"}]}",
		"{\"scheme\":\"jwt_rs256\",\"source\":\"header:a\",\"jwks\":\"http://a.test/\",\"issuer\":\"i\"}",
		"{\"scheme\":\"jwt_rs256\",\"source\":\"header:a\",\"jwks\":\"https://a.test/\"}",
		"{\"scheme\":\"hmac\",\"source\":\"header:a\",\"key_field\":\"k\",\"encoding\":\"hex\",\"signed\":\"{body}\",\"jwks\":\"https://a.test/\"}",
		"{\"scheme\":\"hmac\",\"source\":\"header:a\",\"key_field\":\"k\",\"encoding\":\"hex\",\"signed\":\"{crc32}\"}",
	};

	(void)state;
	scheme(CERTIFICATE_OF("^https://a\\\\.test/$", "^a$") "}");
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		assert_int_equal(read_scheme(BAD[i]), ERR_CONFIG);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(another_key_body_webhook_or_time_is_refused),
		TEST(while_the_field_is_changed_both_its_values_count),
		TEST(without_the_certificate_or_the_field_nothing_is_genuine),
		TEST(only_the_types_own_addresses_are_taken),
		TEST(members_are_signed_in_the_types_order_by_the_hash_of_the_version),
		TEST(one_text_has_one_reading),
		TEST(a_genuine_one_from_elsewhere_is_refused_where_the_field_says_so),
		TEST(a_token_counts_for_its_issuer_address_and_time),
		TEST(another_account_or_one_that_is_not_verified_is_refused_where_the_field_says_so),
		TEST(a_set_misses_the_keys_that_it_does_not_hold),
		TEST(a_type_that_would_believe_too_much_is_refused),
	};

	if (json_setup() != OK)
		return 1;
	return cmocka_run_group_tests_name("webhooks by fetched keys", tests, make_keys, forget_keys);
}
