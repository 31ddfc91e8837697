/* Which deliveries are genuine: decided on bytes, times and keys, without a database. */
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
#include "hook/signature.h"

#define assert_ok(expression) assert_int_equal((expression), OK)

enum { HEADERS_MAX = 8 };

/* A delivery in the making; the header's names are lower case. */
struct world {
	struct arena *arena;
	struct hook_scheme scheme;
	struct hook_delivery delivery;
	struct hook_key key[4];
	struct buf bytes[4];
	struct hook_keys keys;
	size_t headers;
	struct {
		const char *name;
		struct str value;
	} header[HEADERS_MAX];
};

static struct world w;

static struct str header_of(const void *arg, struct str name)
{
	const struct world *world = arg;

	for (size_t i = 0; i < world->headers; i++)
		if (str_eq(name, str_of(world->header[i].name)))
			return world->header[i].value;
	return STR_NONE;
}

static int set_up(void **state)
{
	(void)state;
	w = (struct world){ .arena = arena_new(1 << 20) };
	assert_non_null(w.arena);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		buf_done(&w.bytes[i]);
	arena_free(w.arena);
	return 0;
}

static void scheme(const char *json)
{
	json_t *tree;
	const char *why = NULL;

	assert_ok(json_read(w.arena, str_of(json), &tree, NULL));
	assert_ok(hook_scheme_read(tree, &w.scheme, &why));
}

static void key(const char *field, const char *value)
{
	struct buf *bytes = &w.bytes[w.keys.n];

	buf_init(bytes, HOOK_KEY_BYTES_MAX);
	assert_ok(hook_key_make(&w.scheme.proof[0], str_of(value), bytes));
	w.key[w.keys.n++] = (struct hook_key){ str_of(field), buf_str(bytes) };
	w.keys.v = w.key;
}

static void header(const char *name, const char *value)
{
	w.header[w.headers].name = name;
	w.header[w.headers++].value = str_of(value);
}

static void body(const char *text, int64_t now_ms)
{
	json_t *json = NULL;

	w.delivery = (struct hook_delivery){
		.arena = w.arena,
		.method = STR("POST"),
		.url = STR("https://hooks.example.test/api/webhooks/x/y"),
		.content_type = STR("application/json"),
		.body = str_of(text),
		.now_ms = now_ms,
		.header = header_of,
		.header_arg = &w,
	};
	if (json_read(w.arena, str_of(text), &json, NULL) == OK)
		w.delivery.json = json;
}

static enum err check(void)
{
	const char *why;

	return hook_check(&w.scheme, &w.delivery, &w.keys, &why);
}

#define PLAIN "{\"scheme\":\"hmac\",\"key_field\":\"k\",\"source\":\"header:x-sig\",\"prefix\":\"sha256=\",\"encoding\":\"hex\",\"signed\":\"{body}\"}"

/* The example of GitHub's page "Validating webhook deliveries". */
static void githubs_own_example_is_genuine_and_another_byte_is_not(void **state)
{
	(void)state;
	scheme(PLAIN);
	key("k", "It's a Secret to Everybody");
	header("x-sig", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	body("Hello, World!", 0);
	assert_ok(check());
	body("Hello, World.", 0);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

static void no_key_another_key_and_no_header_are_refused(void **state)
{
	(void)state;
	scheme(PLAIN);
	header("x-sig", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
	body("Hello, World!", 0);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
	key("k", "another");
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
	key("k", "It's a Secret to Everybody");
	assert_ok(check());
	w.headers = 0;
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

static void a_header_that_came_twice_is_refused(void **state)
{
	(void)state;
	scheme(PLAIN);
	key("k", "It's a Secret to Everybody");
	header("x-sig", "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17, sha256=00");
	body("Hello, World!", 0);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

#define STANDARD                                                                                    \
	"{\"scheme\":\"hmac\",\"key_field\":\"k\",\"key_encoding\":\"whsec\",\"source\":\"header:webhook-signature\","   \
	"\"prefix\":\"v1,\",\"encoding\":\"base64\",\"list\":\"words\","                                  \
	"\"signed\":\"{header:webhook-id}.{header:webhook-timestamp}.{body}\","                           \
	"\"timestamp\":{\"source\":\"header:webhook-timestamp\",\"unit\":\"s\",\"tolerance_s\":300}}"

static void standard_headers(const char *signature)
{
	w.headers = 0;
	header("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek");
	header("webhook-timestamp", "1614265330");
	header("webhook-signature", signature);
}

#define SIGNED "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="

/* The example of the Standard Webhooks specification's own libraries. */
static void standard_webhooks_own_example_is_genuine_within_its_minutes(void **state)
{
	const int64_t at = 1614265330000;
	(void)state;

	scheme(STANDARD);
	key("k", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	standard_headers("v1," SIGNED);
	body("{\"test\": 2432232314}", at);
	assert_int_equal(w.keys.n, 1);
	assert_ok(check());
	w.delivery.now_ms = at + 300000;
	assert_ok(check());
	w.delivery.now_ms = at + 300001;
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
	w.delivery.now_ms = at - 300001;
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

static void among_several_signatures_one_of_ours_is_enough_and_joined_lines_are_refused(void **state)
{
	(void)state;
	scheme(STANDARD);
	key("k", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	body("{\"test\": 2432232314}", 1614265330000);
	standard_headers("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= v1a,xx v1," SIGNED);
	assert_ok(check());
	standard_headers("v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=, v1," SIGNED);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
	standard_headers("v2," SIGNED);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

#define PARAMS                                                                                      \
	"{\"scheme\":\"hmac\",\"key_field\":\"k\",\"source\":\"header:x-sig\",\"encoding\":\"hex\",\"list\":\"params\","  \
	"\"param\":\"v1\",\"signed\":\"{timestamp}.{body}\","                                             \
	"\"timestamp\":{\"source\":\"sigparam:t\",\"unit\":\"s\",\"tolerance_s\":300}}"

static void a_second_timestamp_in_the_header_is_refused(void **state)
{
	/* HMAC-SHA256("secret", "1000.x") */
	static const char GOOD[] = "t=1000,v1=6a7572e9008fe94525a54c3ea995637925bdab466fb1ecfdd7824971ac2a64c8";
	char twice[256];
	(void)state;

	scheme(PARAMS);
	key("k", "secret");
	body("x", 1000000);
	header("x-sig", GOOD);
	assert_ok(check());
	snprintf(twice, sizeof(twice), "%s, t=2000", GOOD);
	w.headers = 0;
	header("x-sig", twice);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

static void a_shared_text_must_be_the_whole_text(void **state)
{
	(void)state;
	scheme("{\"scheme\":\"shared_token\",\"key_field\":\"k\",\"source\":\"header:x-token\"}");
	key("k", "a token, 0123456789");
	header("x-token", "a token, 0123456789");
	body("", 0);
	assert_ok(check());
	w.headers = 0;
	header("x-token", "a token, 012345678");
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
	w.headers = 0;
	header("x-token", "");
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

static void what_the_front_gets_of_a_key_is_not_the_key(void **state)
{
	(void)state;
	scheme(PLAIN);
	key("k", "It's a Secret to Everybody");
	assert_null(memmem(w.bytes[0].p, w.bytes[0].n, "Secret", 6));
	assert_int_equal(w.bytes[0].n, 64);
}

static void a_key_that_is_none_is_told(void **state)
{
	BUF_AUTO struct buf out = { 0 };
	(void)state;

	buf_init(&out, HOOK_KEY_BYTES_MAX);
	scheme(STANDARD);
	assert_int_equal(hook_key_make(&w.scheme.proof[0], STR("whsec_not base64!"), &out), ERR_BAD_INPUT);
	scheme("{\"scheme\":\"ed25519\",\"key_field\":\"k\",\"key_encoding\":\"hex\",\"source\":\"header:s\",\"encoding\":\"hex\",\"signed\":\"{body}\"}");
	assert_int_equal(hook_key_make(&w.scheme.proof[0], STR("abcd"), &out), ERR_BAD_INPUT);
}

/* RFC 8032, section 7.1, TEST 3. */
static void an_ed25519_signature_is_checked_on_the_bytes(void **state)
{
	static const char message[] = { (char)0xaf, (char)0x82, 0 };
	(void)state;

	scheme("{\"scheme\":\"ed25519\",\"key_field\":\"k\",\"key_encoding\":\"hex\",\"source\":\"header:s\",\"encoding\":\"hex\",\"signed\":\"{body}\"}");
	key("k", "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025");
	header("s", "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
		    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a");
	body(message, 0);
	assert_ok(check());
	body("other", 0);
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
}

#define HMAC_OF "\"scheme\":\"hmac\",\"key_field\":\"k\",\"source\":\"header:s\",\"encoding\":\"hex\",\"signed\":\"p={body}\""
#define CHALLENGE "\"handshakes\":[{\"method\":\"GET\",\"when\":\"query:c\",\"text\":\"{hmac_hex:query:c}\"}]"

static void what_a_stranger_can_have_signed_as_a_challenge_is_not_a_delivery(void **state)
{
	(void)state;
	scheme("{" HMAC_OF "}");
	key("k", "key");
	header("s", "4898ddae78f3f4806245d6f0c9add5c9495d9c84a2f85a5a027da1a96c92b49b");
	body("abc", 0);
	assert_ok(check());
	scheme("{" HMAC_OF "," CHALLENGE "}");
	assert_int_equal(check(), ERR_BAD_SIGNATURE);
	w.headers = 0;
	header("s", "431672c489c7e31603c2f2c7661127af02d9d16194209f6339904b0ee5a107ff");
	body("{\"a\":1}", 0);
	assert_ok(check());
}

static void a_challenge_is_short_and_plain(void **state)
{
	static const char *const NONE[] = { "{}", "a b", "\"a\"", "a\nb", "[1]", "a:b", "\xc3\xa9", "%7b" };
	char longest[HOOK_CHALLENGE_MAX + 1];
	struct str pieces[] = { STR("ab"), { longest, HOOK_CHALLENGE_MAX - 2 } };

	(void)state;
	memset(longest, 'a', sizeof(longest));
	assert_true(hook_could_be_challenge(&STR("890e4665-4dfe_ab1~b6.9+/=Z"), 1));
	assert_true(hook_could_be_challenge(pieces, 2));
	pieces[1].n++;
	assert_false(hook_could_be_challenge(pieces, 2));
	assert_false(hook_could_be_challenge(&(struct str){ "a\0b", 3 }, 1));
	for (size_t i = 0; i < ARRAY_SIZE(NONE); i++)
		assert_false(hook_could_be_challenge(&(struct str){ NONE[i], strlen(NONE[i]) }, 1));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(githubs_own_example_is_genuine_and_another_byte_is_not),
		TEST(no_key_another_key_and_no_header_are_refused),
		TEST(a_header_that_came_twice_is_refused),
		TEST(standard_webhooks_own_example_is_genuine_within_its_minutes),
		TEST(among_several_signatures_one_of_ours_is_enough_and_joined_lines_are_refused),
		TEST(a_second_timestamp_in_the_header_is_refused),
		TEST(a_shared_text_must_be_the_whole_text),
		TEST(what_the_front_gets_of_a_key_is_not_the_key),
		TEST(a_key_that_is_none_is_told),
		TEST(an_ed25519_signature_is_checked_on_the_bytes),
		TEST(what_a_stranger_can_have_signed_as_a_challenge_is_not_a_delivery),
		TEST(a_challenge_is_short_and_plain),
	};

	if (json_setup() != OK)
		return 1;
	return cmocka_run_group_tests_name("webhook signatures", tests, NULL, NULL);
}
