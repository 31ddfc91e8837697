/* Envelope encryption. If one of these fails, a row that was moved or touched still opens. */
#include "crypt/envelope.h"

#include "crypt_support.h"

static struct id id_of(uint8_t n)
{
	struct id id;

	memset(id.b, n, sizeof(id.b));
	return id;
}

static struct root_key root_of(const char *id, uint8_t byte)
{
	struct root_key root = { .key = SECRET_EMPTY };

	memcpy(root.id, id, strlen(id));
	assert_int_equal(secret_new(KEYRING_KEY_BYTES, &root.key), OK);
	memset(root.key.p, byte, root.key.n);
	return root;
}

static struct envelope_context context_of(void)
{
	return (struct envelope_context){
		.tenant = id_of(1),
		.credential = id_of(2),
		.owner = id_of(3),
		.type = STR("oauth2"),
		.version = 7,
		.generation = 4,
	};
}

static struct secret tenant_key_of(uint8_t byte)
{
	struct secret key;

	assert_int_equal(secret_new(ENVELOPE_KEY_BYTES, &key), OK);
	memset(key.p, byte, key.n);
	return key;
}

static void a_credential_opens_where_it_belongs(void **state)
{
	struct secret key = tenant_key_of(9);
	struct envelope_context context = context_of();
	BUF_AUTO struct buf sealed;
	struct secret plain;
	uint32_t generation;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(envelope_seal(&key, &context, STR("{\"api_key\":\"x\"}"), &sealed), OK);
	assert_int_equal(sealed.n, 15 + ENVELOPE_OVERHEAD);
	assert_memory_equal(sealed.p, "\1\2\0\0\0\4", ENVELOPE_HEADER_BYTES);
	assert_int_equal(envelope_generation(buf_str(&sealed), &generation), OK);
	assert_int_equal(generation, 4);
	assert_int_equal(envelope_open(&key, &context, buf_str(&sealed), &plain), OK);
	assert_text(secret_str(&plain), "{\"api_key\":\"x\"}");
	secret_done(&plain);
	secret_done(&key);
}

static void assert_closed(const struct secret *key, const struct envelope_context *context,
			  struct str sealed)
{
	struct secret plain;

	assert_int_equal(envelope_open(key, context, sealed, &plain), ERR_UNREADABLE);
	assert_null(plain.p);
}

static void no_flipped_bit_of_a_credential_opens(void **state)
{
	struct secret key = tenant_key_of(9);
	struct envelope_context context = context_of();
	BUF_AUTO struct buf sealed;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(envelope_seal(&key, &context, STR("secret"), &sealed), OK);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_closed(&key, &context, buf_str(&sealed));
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t n = 0; n < sealed.n; n++)
		assert_closed(&key, &context, str_slice(buf_str(&sealed), 0, n));
	buf_add_char(&sealed, '\0');
	assert_closed(&key, &context, buf_str(&sealed));
	secret_done(&key);
}

static void a_credential_opens_nowhere_else(void **state)
{
	struct secret key = tenant_key_of(9), other_key = tenant_key_of(8);
	const struct envelope_context here = context_of();
	struct envelope_context elsewhere;
	BUF_AUTO struct buf sealed;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(envelope_seal(&key, &here, STR("secret"), &sealed), OK);
	assert_closed(&other_key, &here, buf_str(&sealed));
#define ELSEWHERE(change)                                                                          \
	do {                                                                                       \
		elsewhere = here;                                                                  \
		elsewhere.change;                                                                  \
		assert_closed(&key, &elsewhere, buf_str(&sealed));                                 \
	} while (0)
	ELSEWHERE(tenant = id_of(5));
	ELSEWHERE(tenant.b[15] ^= 1);
	ELSEWHERE(credential = id_of(5));
	ELSEWHERE(owner = id_of(5));
	ELSEWHERE(type = STR("oauth1"));
	ELSEWHERE(type = STR("oauth"));
	ELSEWHERE(type = STR_NONE);
	ELSEWHERE(version = 8);
	ELSEWHERE(generation = 5);
	ELSEWHERE(tenant = here.credential);
	secret_done(&key);
	secret_done(&other_key);
}

/* The generation in the header changed along with the context: still another key's message. */
static void a_rewritten_generation_opens_nothing(void **state)
{
	struct secret key = tenant_key_of(9);
	struct envelope_context context = context_of();
	BUF_AUTO struct buf sealed;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(envelope_seal(&key, &context, STR("secret"), &sealed), OK);
	sealed.p[5] = 5;
	context.generation = 5;
	assert_closed(&key, &context, buf_str(&sealed));
	secret_done(&key);
}

static void a_key_of_the_wrong_size_seals_nothing(void **state)
{
	struct secret key = secret_of("short");
	struct envelope_context context = context_of();
	struct root_key root = root_of("v1", 6);
	struct id tenant = id_of(1);
	BUF_AUTO struct buf sealed;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(envelope_seal(&key, &context, STR("x"), &sealed), ERR_CRYPTO);
	assert_int_equal(envelope_wrap(&root, &tenant, 1, &key, &sealed), ERR_CRYPTO);
	assert_int_equal(sealed.n, 0);
	secret_done(&key);
	secret_done(&root.key);
}

/* --- tenant keys --------------------------------------------------------- */

static void assert_wrapped_shut(const struct root_key *root, const struct id *tenant,
				uint32_t generation, struct str wrapped)
{
	struct secret key;

	assert_int_equal(envelope_unwrap(root, tenant, generation, wrapped, &key), ERR_UNREADABLE);
	assert_null(key.p);
}

static void a_tenant_key_unwraps_under_its_root_key_only(void **state)
{
	struct root_key root = root_of("v20261120a1b2", 6);
	struct root_key renamed = root_of("v20261120a1b3", 6), other = root_of("v20261120a1b2", 7);
	struct id tenant = id_of(1), stranger = id_of(2);
	BUF_AUTO struct buf wrapped;
	struct secret key, back;

	(void)state;
	buf_init(&wrapped, 1000);
	assert_int_equal(envelope_new_key(&key), OK);
	assert_int_equal(envelope_wrap(&root, &tenant, 3, &key, &wrapped), OK);
	assert_int_equal(wrapped.n, ENVELOPE_WRAPPED_BYTES);
	assert_int_equal(envelope_unwrap(&root, &tenant, 3, buf_str(&wrapped), &back), OK);
	assert_true(secret_eq(&key, &back));
	assert_wrapped_shut(&root, &stranger, 3, buf_str(&wrapped));
	assert_wrapped_shut(&root, &tenant, 4, buf_str(&wrapped));
	assert_wrapped_shut(&renamed, &tenant, 3, buf_str(&wrapped));
	assert_wrapped_shut(&other, &tenant, 3, buf_str(&wrapped));
	for (size_t bit = 0; bit < wrapped.n * 8; bit++) {
		wrapped.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_wrapped_shut(&root, &tenant, 3, buf_str(&wrapped));
		wrapped.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t n = 0; n < wrapped.n; n++)
		assert_wrapped_shut(&root, &tenant, 3, str_slice(buf_str(&wrapped), 0, n));
	secret_done(&key);
	secret_done(&back);
	secret_done(&root.key);
	secret_done(&renamed.key);
	secret_done(&other.key);
}

static void two_new_keys_differ(void **state)
{
	struct secret a, b;

	(void)state;
	assert_int_equal(envelope_new_key(&a), OK);
	assert_int_equal(envelope_new_key(&b), OK);
	assert_int_equal(a.n, ENVELOPE_KEY_BYTES);
	assert_false(secret_eq(&a, &b));
	secret_done(&a);
	secret_done(&b);
}

/* --- small things -------------------------------------------------------- */

static void assert_small_shut(const struct root_key *root, struct str label,
			      struct byte_parts context, struct str sealed)
{
	struct secret plain;

	assert_int_equal(envelope_open_with(root, label, context, sealed, &plain), ERR_UNREADABLE);
	assert_null(plain.p);
}

static void a_small_thing_opens_with_its_label_and_context_only(void **state)
{
	struct root_key root = root_of("v1", 6), other = root_of("v2", 6);
	const struct id mail = id_of(4);
	BUF_AUTO struct buf sealed;
	struct secret plain;
	struct str root_id;

	(void)state;
	buf_init(&sealed, 1000);
	assert_int_equal(envelope_seal_with(&root, STR("mail outbox v1"),
					    BYTES(ID_BYTES(&mail), STR("ab")), STR("hello"),
					    &sealed),
			 OK);
	assert_int_equal(envelope_root_id(buf_str(&sealed), &root_id), OK);
	assert_text(root_id, "v1");
	assert_int_equal(envelope_open_with(&root, STR("mail outbox v1"),
					    BYTES(ID_BYTES(&mail), STR("ab")), buf_str(&sealed),
					    &plain),
			 OK);
	assert_text(secret_str(&plain), "hello");
	secret_done(&plain);
	assert_small_shut(&other, STR("mail outbox v1"), BYTES(ID_BYTES(&mail), STR("ab")),
			  buf_str(&sealed));
	assert_small_shut(&root, STR("mail outbox v2"), BYTES(ID_BYTES(&mail), STR("ab")),
			  buf_str(&sealed));
	assert_small_shut(&root, STR("mail outbox v1"), BYTES(ID_BYTES(&mail), STR("a"), STR("b")),
			  buf_str(&sealed));
	assert_small_shut(&root, STR("mail outbox v1"), BYTES(ID_BYTES(&mail)), buf_str(&sealed));
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
		assert_small_shut(&root, STR("mail outbox v1"), BYTES(ID_BYTES(&mail), STR("ab")),
				  buf_str(&sealed));
		sealed.p[bit / 8] ^= (char)(1 << bit % 8);
	}
	secret_done(&root.key);
	secret_done(&other.key);
}

static void a_header_that_lies_is_refused(void **state)
{
	uint32_t generation;
	struct str id;

	(void)state;
	assert_int_equal(envelope_root_id((struct str){ "\1\3\5v1", 5 }, &id), ERR_UNREADABLE);
	assert_int_equal(envelope_root_id((struct str){ "\1\3\0v1", 5 }, &id), ERR_UNREADABLE);
	assert_int_equal(envelope_root_id((struct str){ "\1\3\2v/", 5 }, &id), ERR_UNREADABLE);
	assert_int_equal(envelope_root_id((struct str){ "\1\2\2v1", 5 }, &id), ERR_UNREADABLE);
	assert_int_equal(envelope_root_id(STR_NONE, &id), ERR_UNREADABLE);
	assert_true(str_absent(id));
	assert_int_equal(envelope_generation((struct str){ "\1\2\0\0\0\1", 6 }, &generation),
			 ERR_UNREADABLE);
	assert_int_equal(envelope_generation(STR_NONE, &generation), ERR_UNREADABLE);
}

/* A purpose's message isn't another's, even under the same key bytes. */
static void a_wrapped_key_isn_t_a_credential(void **state)
{
	struct root_key root = root_of("v1", 6);
	struct envelope_context context = context_of();
	BUF_AUTO struct buf wrapped;

	(void)state;
	buf_init(&wrapped, 1000);
	assert_int_equal(envelope_wrap(&root, &context.tenant, 4, &root.key, &wrapped), OK);
	assert_closed(&root.key, &context, buf_str(&wrapped));
	wrapped.p[1] = 2;
	assert_closed(&root.key, &context, buf_str(&wrapped));
	secret_done(&root.key);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_credential_opens_where_it_belongs),
		cmocka_unit_test(no_flipped_bit_of_a_credential_opens),
		cmocka_unit_test(a_credential_opens_nowhere_else),
		cmocka_unit_test(a_rewritten_generation_opens_nothing),
		cmocka_unit_test(a_key_of_the_wrong_size_seals_nothing),
		cmocka_unit_test(a_tenant_key_unwraps_under_its_root_key_only),
		cmocka_unit_test(two_new_keys_differ),
		cmocka_unit_test(a_small_thing_opens_with_its_label_and_context_only),
		cmocka_unit_test(a_header_that_lies_is_refused),
		cmocka_unit_test(a_wrapped_key_isn_t_a_credential),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
