/* Several credentials that are opened with one statement, for as many requests of one caller. */
#include "vault_support.h"

#include "vault/seal.h"

static struct id under_first, under_second;
static struct ctx *cx;

/* What each of those that asked was given. */
struct given {
	int times[VAULT_OPEN_MAX];
	char plain[VAULT_OPEN_MAX][64];
};

static void note(void *arg, size_t i, const struct vault_opened *opened)
{
	struct given *given = arg;

	assert_true(opened->plain.n < sizeof(given->plain[i]));
	given->times[i]++;
	memcpy(given->plain[i], opened->plain.p, opened->plain.n);
}

static struct given open_all(const struct id *credentials, size_t n)
{
	struct ctx *asking[VAULT_OPEN_MAX];
	struct given given = { 0 };

	for (size_t i = 0; i < n; i++)
		asking[i] = cx;
	assert_ok(vault_open_some(asking, credentials, n, note, &given));
	return given;
}

static void assert_given(const struct given *given, size_t i, const char *plain)
{
	assert_int_equal(given->times[i], 1);
	assert_string_equal(given->plain[i], plain);
}

#define FIRST "{\"api_key\":\"under the first key\"}"
#define SECOND "{\"api_key\":\"under the second key\"}"

/* As in the middle of a rotation: one is sealed under the old key still. */
static int two_generations(void **state)
{
	if (empty_vault(state) != 0)
		return -1;
	cx = open_vault("vault", &TENANT_A);
	assert_ok(store(cx, "api_key", FIRST, &under_first));
	run_sql("UPDATE tenant SET key_generation = 2 WHERE ID IS NOT NULL", &ID_NIL);
	assert_ok(store(cx, "api_key", SECOND, &under_second));
	assert_int_equal(number_of("SELECT COUNT(DISTINCT key_generation) FROM credential_version", &ID_NIL), 2);
	return 0;
}

static int leave(void **state)
{
	(void)state;
	close_vault(cx);
	return 0;
}

static void each_is_opened_with_the_key_that_it_is_sealed_under(void **state)
{
	const struct id asked[] = { under_second, under_first, under_second, under_first };
	const struct given given = open_all(asked, ARRAY_SIZE(asked));

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		assert_given(&given, i, i % 2 ? FIRST : SECOND);
}

static void as_many_as_fit_are_opened_and_one_by_itself(void **state)
{
	struct id asked[VAULT_OPEN_MAX];
	struct given given;

	(void)state;
	for (size_t i = 0; i < VAULT_OPEN_MAX; i++)
		asked[i] = i % 3 ? under_first : under_second;
	given = open_all(asked, VAULT_OPEN_MAX);
	for (size_t i = 0; i < VAULT_OPEN_MAX; i++)
		assert_given(&given, i, i % 3 ? FIRST : SECOND);
	given = open_all(&under_second, 1);
	assert_given(&given, 0, SECOND);
}

static void what_doesnt_open_is_given_to_nobody_and_takes_no_other_with_it(void **state)
{
	const struct id asked[] = { under_first, under_second, under_first, { { 1, 2, 3 } } };
	struct given given;

	(void)state;
	run_sql("UPDATE tenant_key SET wrapped = x'00' WHERE generation = 1 AND ID IS NOT NULL", &ID_NIL);
	given = open_all(asked, ARRAY_SIZE(asked));
	assert_int_equal(given.times[0] + given.times[2] + given.times[3], 0);
	assert_given(&given, 1, SECOND);
	given = open_all(&under_first, 1);
	assert_int_equal(given.times[0], 0);
}

static void another_tenants_is_not_there(void **state)
{
	const struct id asked[] = { under_first, under_second };
	struct given given;

	(void)state;
	close_vault(cx);
	cx = open_vault("vault", &TENANT_B);
	given = open_all(asked, ARRAY_SIZE(asked));
	assert_int_equal(given.times[0] + given.times[1], 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, two_generations, leave)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(each_is_opened_with_the_key_that_it_is_sealed_under),
		T(as_many_as_fit_are_opened_and_one_by_itself),
		T(what_doesnt_open_is_given_to_nobody_and_takes_no_other_with_it),
		T(another_tenants_is_not_there),
	};

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
