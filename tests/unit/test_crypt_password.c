/* Password hashes: who gets in, who doesn't, and when nobody can say. */
#include "crypt/password.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypt_support.h"
#include "fcgi/sandbox.h"

/* Cheap: these tests are about answers, not about cost. */
static const struct password_cost CHEAP = { 256, 2, 1 };

static enum err verify(const char *password, const char *hash)
{
	struct secret secret = secret_of(password);
	enum err e = password_verify(&secret, str_of(hash));

	secret_done(&secret);
	return e;
}

static void the_right_password_gets_in_and_no_other(void **state)
{
	struct secret password = secret_of("correct horse battery staple");
	char hash[PASSWORD_HASH_MAX];

	(void)state;
	assert_int_equal(password_hash(&password, &CHEAP, hash), OK);
	assert_int_equal(strncmp(hash, "$argon2id$v=19$m=256,t=2,p=1$", 29), 0);
	assert_int_equal(verify("correct horse battery staple", hash), OK);
	assert_int_equal(verify("correct horse battery stapl", hash), ERR_BAD_LOGIN);
	assert_int_equal(verify("correct horse battery staple ", hash), ERR_BAD_LOGIN);
	assert_int_equal(verify("", hash), ERR_BAD_LOGIN);
	secret_done(&password);
}

static void new_hashes_cost_what_owasp_says(void **state)
{
	struct secret password = secret_of("x");
	char hash[PASSWORD_HASH_MAX];

	(void)state;
	assert_int_equal(password_hash(&password, &PASSWORD_COST_DEFAULT, hash), OK);
	assert_int_equal(strncmp(hash, "$argon2id$v=19$m=19456,t=2,p=1$", 31), 0);
	assert_int_equal(verify("x", hash), OK);
	secret_done(&password);
}

static void the_same_password_never_has_the_same_hash(void **state)
{
	struct secret password = secret_of("x");
	char first[PASSWORD_HASH_MAX], second[PASSWORD_HASH_MAX];

	(void)state;
	assert_int_equal(password_hash(&password, &CHEAP, first), OK);
	assert_int_equal(password_hash(&password, &CHEAP, second), OK);
	assert_string_not_equal(first, second);
	secret_done(&password);
}

/* The vectors of the Argon2 reference implementation (test.c, version 0x13). */
static void argon2id_is_the_reference(void **state)
{
	static const char hash[] =
		"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi"
		"/4";

	(void)state;
	assert_int_equal(verify("password", hash), OK);
	assert_int_equal(verify("passwore", hash), ERR_BAD_LOGIN);
}

/* The vectors of crypt_blowfish (wrapper.c). */
static void bcrypt_hashes_of_earlier_backends_verify(void **state)
{
	static const struct {
		const char *password, *hash;
	} good[] = {
		{ "U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "U*U", "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "U*U", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW" },
		{ "U*U*U", "$2a$05$XXXXXXXXXXXXXXXXXXXXXOAcXxm9kjPGEMsLznoKqmqw7tc8WCx4a" },
		{ "", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy" },
		{ "0123456789abcdefghijklmnopqrstuvwxyz"
		  "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
		  "chars after 72 are ignored",
		  "$2a$05$abcdefghijklmnopqrstuu5s2v8.iXieOjg/.AySBTTZIIVFJeBui" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(verify(good[i].password, good[i].hash), OK);
		assert_int_equal(verify("another", good[i].hash), ERR_BAD_LOGIN);
	}
}

static void a_nul_in_a_password_isn_t_its_end(void **state)
{
	struct secret password;

	(void)state;
	assert_int_equal(secret_copy("U*U\0more", 8, &password), OK);
	assert_int_equal(password_verify(&password, STR("$2a$05$CCCCCCCCCCCCCCCCCCCCC."
							"E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW")),
			 ERR_BAD_LOGIN);
	secret_done(&password);
}

static void a_hash_that_can_t_be_read_is_a_failure_and_not_a_mismatch(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"plain",
		"$argon2id$v=19$m=256,t=2,p=1$",
		"$argon2id$v=19$m=256,t=2$c29tZXNhbHQ$nf65EOgLrQMR",
		"$argon2id$v=16$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi"
		"/4",
		"$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
		/* asks for 4 TiB, for 10^9 passes, for 255 threads */
		"$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg",
		"$argon2id$v=19$m=256,t=999999999,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg",
		"$argon2id$v=19$m=4096,t=1,p=255$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEg",
		"$2x$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$31$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOe",
		"$2a$05$!CCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$2a$0x$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
		"$1$salt$qJH7.N4xYta3aEG/dfqo/0",
		"$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYE"
		"dFCoEOfaS35inz1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(verify("U*U", bad[i]), ERR_CRYPTO);
}

static void a_password_of_a_megabyte_is_refused_before_it_is_hashed(void **state)
{
	struct secret password;
	char hash[PASSWORD_HASH_MAX];

	(void)state;
	assert_int_equal(secret_new(PASSWORD_BYTES_MAX + 1, &password), OK);
	assert_int_equal(password_hash(&password, &CHEAP, hash), ERR_BAD_INPUT);
	assert_int_equal(password_verify_nothing(&password, &CHEAP), ERR_BAD_LOGIN);
	secret_cut(&password, PASSWORD_BYTES_MAX);
	assert_int_equal(password_hash(&password, &CHEAP, hash), OK);
	assert_int_equal(password_verify(&password, str_of(hash)), OK);
	secret_done(&password);
}

static void an_unknown_account_is_a_mismatch(void **state)
{
	struct secret password = secret_of("x");
	struct password_cost absurd = { UINT32_MAX, 2, 1 };

	(void)state;
	assert_int_equal(password_verify_nothing(&password, &CHEAP), ERR_BAD_LOGIN);
	assert_int_equal(password_verify_nothing(&password, &absurd), ERR_CRYPTO);
	secret_done(&password);
}

static void cheaper_and_older_hashes_ask_for_an_upgrade(void **state)
{
	static const struct {
		const char *hash;
		bool upgrade;
	} cases[] = {
		{ "$2b$12$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW", true },
		{ "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$nf65", false },
		{ "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$nf65", false },
		{ "$argon2id$v=19$m=19455,t=2,p=1$c29tZXNhbHQ$nf65", true },
		{ "$argon2id$v=19$m=65536,t=1,p=1$c29tZXNhbHQ$nf65", true },
		{ "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$nf65", true },
		{ "$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$nf65", true },
		{ "", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(
			password_needs_upgrade(str_of(cases[i].hash), &PASSWORD_COST_DEFAULT),
			cases[i].upgrade);
}

/* In a process of its own: what it may not have any more it never gets back. */
static void without_memory(void)
{
	static const struct password_cost GIBIBYTE = { 1 << 20, 2, 1 };
	const struct rlimit half = { 512 << 20, 512 << 20 };
	struct secret password = secret_of("x");
	char hash[PASSWORD_HASH_MAX];

	if (setrlimit(RLIMIT_AS, &half) != 0)
		_exit(1);
	_exit(password_hash(&password, &GIBIBYTE, hash) == ERR_NO_MEMORY &&
			      password_verify_nothing(&password, &GIBIBYTE) == ERR_NO_MEMORY
		      ? 0
		      : 2);
}

static void without_memory_nobody_is_told_that_something_is_broken(void **state)
{
	int status;

	(void)state;
	if (!SANDBOX_LIMITS_MEMORY)
		skip();
	pid_t pid = fork();
	if (pid == 0)
		without_memory();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_right_password_gets_in_and_no_other),
		cmocka_unit_test(new_hashes_cost_what_owasp_says),
		cmocka_unit_test(the_same_password_never_has_the_same_hash),
		cmocka_unit_test(argon2id_is_the_reference),
		cmocka_unit_test(bcrypt_hashes_of_earlier_backends_verify),
		cmocka_unit_test(a_nul_in_a_password_isn_t_its_end),
		cmocka_unit_test(a_hash_that_can_t_be_read_is_a_failure_and_not_a_mismatch),
		cmocka_unit_test(a_password_of_a_megabyte_is_refused_before_it_is_hashed),
		cmocka_unit_test(an_unknown_account_is_a_mismatch),
		cmocka_unit_test(cheaper_and_older_hashes_ask_for_an_upgrade),
		cmocka_unit_test(without_memory_nobody_is_told_that_something_is_broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
