/* What is remembered of tokens that were handed out: enough to choose a way, and nothing that outlives them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "connect/token.h"
#include "connect/token_hint.h"

enum { NOW = 1000000, MANY = 100000 };

static const struct opt_int FOR_EVER = { 0 };

static struct id id_of(uint32_t n)
{
	return (struct id){ { 1, [12] = (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n } };
}

static void test_unknown(void **state)
{
	struct id id = id_of(1);

	(void)state;
	assert_false(token_hint_is_fresh(&ID_NIL, NOW));
	assert_false(token_hint_is_fresh(&id, NOW));
}

static void test_end(void **state)
{
	struct id id = id_of(2);

	(void)state;
	token_hint_note(&id, (struct opt_int){ true, NOW + TOKEN_VALID_MS });
	assert_true(token_hint_is_fresh(&id, NOW));
	assert_false(token_hint_is_fresh(&id, NOW + 1));
	token_hint_note(&id, FOR_EVER);
	assert_true(token_hint_is_fresh(&id, INT64_MAX));
}

static void test_forget(void **state)
{
	struct id id = id_of(3), other = id_of(4);

	(void)state;
	token_hint_note(&id, FOR_EVER);
	token_hint_forget(&other);
	assert_true(token_hint_is_fresh(&id, NOW));
	token_hint_forget(&id);
	assert_false(token_hint_is_fresh(&id, NOW));
}

/* Whichever share a place: what is said of one is never said of another. */
static void test_many(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < MANY; n += 2) {
		struct id id = id_of(n), next = id_of(n + 1);

		token_hint_note(&id, FOR_EVER);
		assert_true(token_hint_is_fresh(&id, NOW));
		assert_false(token_hint_is_fresh(&next, NOW));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		{ "nothing is known of what wasn't handed out", test_unknown, NULL, NULL, NULL },
		{ "a token is fresh as long as it may be handed out", test_end, NULL, NULL, NULL },
		{ "what is forgotten is one token's", test_forget, NULL, NULL, NULL },
		{ "no token is taken for another", test_many, NULL, NULL, NULL },
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
