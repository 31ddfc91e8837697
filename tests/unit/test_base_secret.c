/* Secrets: wiped, locked, compared, and what free() leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/free.h"
#include "base/random.h"
#include "base/secret.h"

enum { MANY = 6000 }; /* more than the slab has room for */

static size_t count_of(const volatile uint8_t *p, size_t n, uint8_t byte)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += p[i] == byte;
	return count;
}

static void a_secret_is_wiped_when_it_is_let_go(void **state)
{
	(void)state;
	uint8_t key[32];
	memset(key, 'S', sizeof(key));
	struct secret secret;

	assert_int_equal(secret_copy(key, sizeof(key), &secret), OK);
	const volatile uint8_t *place = secret.p;
	assert_int_equal(count_of(place, 32, 'S'), 32);
	secret_done(&secret);
	assert_null(secret.p);
	assert_int_equal(secret.n, 0);
	/* The cell stays mapped, so this may still look at it. */
	assert_int_equal(count_of(place, 32, 0), 32);
	secret_done(&secret);
	secret_done(NULL);
}

static void a_new_secret_is_zeroed_even_where_another_lay(void **state)
{
	(void)state;
	for (size_t n = 0; n < 20000; n = n * 3 + 1) {
		struct secret secret;
		assert_int_equal(secret_new(n, &secret), OK);
		assert_non_null(secret.p);
		assert_int_equal(secret.n, n);
		assert_int_equal(count_of(secret.p, n, 0), n);
		memset(secret.p, 'S', n);
		secret_done(&secret);
	}
}

static void secrets_do_not_overlap_and_outgrow_the_slab(void **state)
{
	(void)state;
	static struct secret all[MANY];

	for (unsigned i = 0; i < MANY; i++) {
		size_t n = i % 7 == 0 ? 200 : 32;
		assert_int_equal(secret_new(n, &all[i]), OK);
		memset(all[i].p, (int)(i & 0xff), n);
	}
	/* Every other one goes, and others take their places. */
	for (unsigned i = 0; i < MANY; i += 2)
		secret_done(&all[i]);
	for (unsigned i = 0; i < MANY; i += 2) {
		size_t n = i % 5 == 0 ? 130 : 64;
		assert_int_equal(secret_new(n, &all[i]), OK);
		assert_int_equal(count_of(all[i].p, n, 0), n);
		memset(all[i].p, (int)(i & 0xff), n);
	}
	for (unsigned i = 0; i < MANY; i++)
		assert_int_equal(count_of(all[i].p, all[i].n, (uint8_t)i), all[i].n);
	for (unsigned i = 0; i < MANY; i++)
		secret_done(&all[i]);
}

static void a_cut_secret_forgets_its_end(void **state)
{
	(void)state;
	struct secret secret;

	assert_int_equal(secret_copy("passwordSSSS", 12, &secret), OK);
	secret_cut(&secret, 20);
	assert_int_equal(secret.n, 12);
	secret_cut(&secret, 8);
	assert_int_equal(secret.n, 8);
	assert_memory_equal(secret.p, "password\0\0\0\0", 12);
	secret_done(&secret);
	/* One with pages of its own, cut to nothing, is given back whole. */
	assert_int_equal(secret_new(1 << 20, &secret), OK);
	memset(secret.p, 'S', secret.n);
	secret_cut(&secret, 0);
	secret_done(&secret);
}

static void impossible_sizes_are_out_of_memory(void **state)
{
	(void)state;
	struct secret secret = { (uint8_t *)1, 1 };

	assert_int_equal(secret_new(SIZE_MAX, &secret), ERR_NO_MEMORY);
	assert_null(secret.p);
	assert_int_equal(secret_new(SIZE_MAX / 2, &secret), ERR_NO_MEMORY);
}

static void secrets_are_equal_only_byte_for_byte(void **state)
{
	(void)state;
	SECRET_AUTO struct secret a = SECRET_EMPTY;
	SECRET_AUTO struct secret b = SECRET_EMPTY;
	SECRET_AUTO struct secret shorter = SECRET_EMPTY;
	uint8_t bytes[40];

	assert_int_equal(random_bytes(bytes, sizeof(bytes)), OK);
	assert_int_equal(secret_copy(bytes, sizeof(bytes), &a), OK);
	assert_int_equal(secret_copy(bytes, sizeof(bytes), &b), OK);
	assert_int_equal(secret_copy(bytes, sizeof(bytes) - 1, &shorter), OK);
	assert_true(secret_eq(&a, &b));
	assert_false(secret_eq(&a, &shorter));
	for (size_t i = 0; i < sizeof(bytes) * 8; i++) {
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
		assert_false(secret_eq(&a, &b));
		b.p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	assert_true(bytes_eq_constant_time("", "", 0));
}

/* One line of /proc/self/smaps about the mapping that holds `p`, as text behind its name. */
static bool smaps_line(const void *p, const char *name, char *ret_value, size_t size)
{
	char line[256];
	bool inside = false, found = false;
	FILE *smaps = fopen("/proc/self/smaps", "r");

	assert_non_null(smaps);
	while (!found && fgets(line, sizeof(line), smaps)) {
		uintptr_t from, to;
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			inside = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (inside && strncmp(line, name, strlen(name)) == 0)
			found = true;
	}
	fclose(smaps);
	snprintf(ret_value, size, "%s", found ? line + strlen(name) : "");
	return found;
}

/* Sanitizers turn mlock into nothing; a small limit makes it fail, which is allowed. */
static bool memory_can_be_locked(void)
{
	struct rlimit lock;

	return free_wipes() && getrlimit(RLIMIT_MEMLOCK, &lock) == 0 && lock.rlim_cur >= 1 << 20;
}

static void keys_stay_out_of_core_dumps_and_swap(void **state)
{
	(void)state;
	char value[256];
	SECRET_AUTO struct secret secret = SECRET_EMPTY;

	assert_int_equal(secret_new(32, &secret), OK);
	if (!smaps_line(secret.p, "VmFlags:", value, sizeof(value)))
		skip();
	assert_non_null(strstr(value, " dd"));
	if (memory_can_be_locked())
		assert_non_null(strstr(value, " lo"));
}

/* Runs check in a child; its exit status is the verdict. */
static int verdict_of_child(int (*check)(const struct secret *), const struct secret *secret)
{
	int status;
	fflush(NULL);
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		_exit(check(secret));
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 100 + WTERMSIG(status);
}

static int child_has_the_key_locked(const struct secret *secret)
{
	char value[256];

	if (secret->n != 3 || memcmp(secret->p, "key", 3) != 0)
		return 1;
	if (!memory_can_be_locked() || !smaps_line(secret->p, "VmFlags:", value, sizeof(value)))
		return 0;
	return strstr(value, " lo") && strstr(value, " dd") ? 0 : 2;
}

static void a_worker_has_its_masters_keys_and_locks_them_again(void **state)
{
	(void)state;
	SECRET_AUTO struct secret secret = SECRET_EMPTY;

	assert_int_equal(secret_copy("key", 3, &secret), OK);
	assert_int_equal(verdict_of_child(child_has_the_key_locked, &secret), 0);
}

static void pages_that_cannot_be_touched_lie_around_the_keys(void **state)
{
	(void)state;
	char line[256], mode[8], before[8] = "";
	uintptr_t from, to, end_before = 0, end = 0;
	SECRET_AUTO struct secret secret = SECRET_EMPTY;

	assert_int_equal(secret_new(1, &secret), OK);
	FILE *maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3)
			continue;
		if (end != 0) {
			assert_true(from == end);
			assert_string_equal(mode, "---p");
			break;
		}
		if ((uintptr_t)secret.p >= from && (uintptr_t)secret.p < to) {
			assert_true(end_before == from);
			assert_string_equal(before, "---p");
			end = to;
		}
		end_before = to;
		memcpy(before, mode, sizeof(before));
	}
	fclose(maps);
	assert_true(end != 0);
}

static int guarded_process(const struct secret *secret)
{
	struct rlimit core;

	(void)secret;
	process_guard_secrets();
	getrlimit(RLIMIT_CORE, &core);
	if (core.rlim_cur != 0 || core.rlim_max != 0)
		return 1;
	return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 2;
}

static void a_guarded_process_leaves_no_core(void **state)
{
	(void)state;
	assert_int_equal(verdict_of_child(guarded_process, NULL), 0);
}

/* The address as a number: the compiler may not reason about memory that was freed. */
static const volatile uint8_t *launder(const void *p)
{
	volatile uintptr_t address = (uintptr_t)p;

	return (const volatile uint8_t *)address;
}

/*
 * What is left of `n` bytes of a letter, where it is least: the allocator's own words, which lie in what is free, have
 * any bytes, but not each of these.
 */
static size_t left(size_t (*of)(size_t n, uint8_t letter), size_t n)
{
	size_t least = SIZE_MAX;

	for (const char *letter = "SECR"; *letter; letter++) {
		size_t found = of(n, (uint8_t)*letter);

		least = found < least ? found : least;
	}
	return least;
}

static size_t of_freed(size_t n, uint8_t letter)
{
	char *p = malloc(n);
	const volatile uint8_t *place = launder(p);

	assert_non_null(p);
	memset(p, letter, n);
	free(p);
	return count_of(place, n, letter);
}

static void freed_memory_of_any_size_holds_nothing_of_before(void **state)
{
	(void)state;
	if (!free_wipes())
		skip();
	/* Up to 64 KiB: larger pieces may be unmapped at once. */
	for (size_t n = 24; n < 64 << 10; n = n * 2 + 8)
		assert_int_equal(left(of_freed, n), 0);
}

static size_t of_grown(size_t n, uint8_t letter)
{
	char *p = malloc(n), *grown;
	const volatile uint8_t *place = launder(p);
	size_t found;

	assert_non_null(p);
	memset(p, letter, n);
	grown = realloc(p, 50 * n);
	assert_non_null(grown);
	assert_int_equal(count_of((uint8_t *)grown, n, letter), n);
	found = count_of(place, n, letter);
	free(grown);
	return found;
}

static size_t of_shrunk(size_t n, uint8_t letter)
{
	char *p = malloc(n);
	const volatile uint8_t *place = launder(p);
	size_t found;

	assert_non_null(p);
	memset(p, letter, n);
	p = realloc(p, 50);
	assert_non_null(p);
	assert_int_equal(count_of((uint8_t *)p, 50, letter), 50);
	found = count_of(place + 50, n - 50, letter);
	p = realloc(p, 48);
	assert_non_null(p);
	assert_int_equal(count_of((uint8_t *)p, 48, letter), 48);
	free(p);
	return found;
}

static void realloc_leaves_no_copy_behind(void **state)
{
	(void)state;
	if (!free_wipes())
		skip();
	assert_int_equal(left(of_grown, 100), 0);
	assert_int_equal(left(of_shrunk, 5000), 0);
	char *p = realloc(NULL, 10);
	assert_non_null(p);
	free(p);
}

static size_t of_a_library(size_t n, uint8_t letter)
{
	char *text = calloc(1, n + 1);
	const volatile uint8_t *place;
	json_t *value;

	assert_non_null(text);
	memset(text, letter, n);
	value = json_string(text);
	assert_non_null(value);
	place = launder(json_string_value(value));
	json_decref(value);
	free(text);
	return count_of(place, n, letter);
}

static void a_library_frees_through_us(void **state)
{
	(void)state;
	if (!free_wipes())
		skip();
	assert_int_equal(left(of_a_library, 300), 0);
}

static void a_block_does_not_grow_beyond_the_limit(void **state)
{
	char *p = malloc(100);
	size_t before;

	(void)state;
	if (!free_wipes()) {
		free(p);
		skip();
	}
	assert_non_null(p);
	memcpy(p, "kept", 5);
	before = free_set_largest(4096);
	char *volatile kept = p; /* the compiler takes p for freed, whatever realloc says */
	assert_null(realloc(p, 1 << 30));
	p = kept;
	assert_string_equal(p, "kept");
	p = realloc(p, 4096);
	assert_int_equal(free_set_largest(before), 4096);
	assert_string_equal(p, "kept");
	p = realloc(p, 8192);
	assert_string_equal(p, "kept");
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_secret_is_wiped_when_it_is_let_go),
		cmocka_unit_test(a_new_secret_is_zeroed_even_where_another_lay),
		cmocka_unit_test(secrets_do_not_overlap_and_outgrow_the_slab),
		cmocka_unit_test(a_cut_secret_forgets_its_end),
		cmocka_unit_test(impossible_sizes_are_out_of_memory),
		cmocka_unit_test(secrets_are_equal_only_byte_for_byte),
		cmocka_unit_test(keys_stay_out_of_core_dumps_and_swap),
		cmocka_unit_test(a_worker_has_its_masters_keys_and_locks_them_again),
		cmocka_unit_test(pages_that_cannot_be_touched_lie_around_the_keys),
		cmocka_unit_test(a_guarded_process_leaves_no_core),
		cmocka_unit_test(freed_memory_of_any_size_holds_nothing_of_before),
		cmocka_unit_test(realloc_leaves_no_copy_behind),
		cmocka_unit_test(a_block_does_not_grow_beyond_the_limit),
		cmocka_unit_test(a_library_frees_through_us),
	};

	return cmocka_run_group_tests_name("base: secrets", tests, NULL, NULL);
}
