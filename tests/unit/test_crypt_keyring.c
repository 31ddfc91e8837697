/* Root keys on disk: what is refused at the start, and what survives a crash or a rotation. */
#include "crypt/keyring.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt_support.h"

enum { PATH_MAX_HERE = 256 };

/* A directory of its own for each test; its files are removed with it. */
static char directory[PATH_MAX_HERE];

static int make_directory(void **state)
{
	const char *tmp = getenv("TMPDIR");

	(void)state;
	snprintf(directory, sizeof(directory), "%s/lw-keys-XXXXXX", tmp ? tmp : "/tmp");
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_directory(void **state)
{
	char command[PATH_MAX_HERE + 16];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", directory);
	return system(command);
}

static const char *path_of(const char *file)
{
	static char path[2 * PATH_MAX_HERE];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	return path;
}

static void write_file(const char *file, const void *bytes, size_t n, mode_t mode)
{
	int fd = open(path_of(file), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, n), (ssize_t)n);
	assert_int_equal(fchmod(fd, mode), 0);
	close(fd);
}

static size_t read_file(const char *file, void *bytes, size_t max)
{
	int fd = open(path_of(file), O_RDONLY);
	ssize_t n = read(fd, bytes, max);

	assert_true(fd >= 0 && n >= 0);
	close(fd);
	return (size_t)n;
}

static const char KEY_A[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
static const char KEY_B[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

static void two_keys(void)
{
	write_file("v1.key", KEY_A, 32, 0400);
	write_file("v2.key", KEY_B, 32, 0400);
	write_file("current", "v2\n", 3, 0644);
}

static char why[KEYRING_WHY_MAX];

static struct keyring *open_good(const struct secret *passphrase)
{
	struct keyring *keyring;

	assert_int_equal(keyring_open(directory, passphrase, why, &keyring), OK);
	assert_string_equal(why, "");
	return keyring;
}

static void assert_refused(enum err e, const char *word)
{
	struct keyring *keyring;

	assert_int_equal(keyring_open(directory, NULL, why, &keyring), e);
	assert_null(keyring);
	if (!strstr(why, word))
		fail_msg("\"%s\" doesn't say \"%s\"", why, word);
	/* The words are wished for, not needed. */
	assert_int_equal(keyring_open(directory, NULL, NULL, &keyring), e);
}

static void every_key_is_there_and_one_is_current(void **state)
{
	struct keyring *keyring;
	const struct root_key *key;

	(void)state;
	two_keys();
	write_file("README", "x", 1, 0666);
	write_file("UPPER.key", "x", 1, 0666);
	keyring = open_good(NULL);
	assert_int_equal(keyring_count(keyring), 2);
	assert_string_equal(keyring_at(keyring, 0)->id, "v1");
	assert_string_equal(keyring_at(keyring, 1)->id, "v2");
	assert_null(keyring_at(keyring, 2));
	assert_string_equal(keyring_current(keyring)->id, "v2");
	assert_memory_equal(keyring_current(keyring)->key.p, KEY_B, 32);
	assert_int_equal(keyring_find(keyring, STR("v1"), why, &key), OK);
	assert_memory_equal(key->key.p, KEY_A, 32);
	keyring_free(keyring);
	keyring_free(NULL);
}

static void a_missing_key_is_named(void **state)
{
	struct keyring *keyring;
	const struct root_key *key;

	(void)state;
	two_keys();
	keyring = open_good(NULL);
	assert_int_equal(keyring_find(keyring, STR("v3"), why, &key), ERR_NO_KEY);
	assert_non_null(strstr(why, "v3"));
	assert_null(key);
	assert_int_equal(keyring_find(keyring, STR("v3"), NULL, &key), ERR_NO_KEY);
	assert_int_equal(keyring_find(keyring, STR("../v1"), why, &key), ERR_NO_KEY);
	assert_int_equal(keyring_find(keyring, STR(""), why, &key), ERR_NO_KEY);
	assert_int_equal(keyring_find(keyring, STR_NONE, why, &key), ERR_NO_KEY);
	keyring_free(keyring);
	write_file("current", "v9\n", 3, 0644);
	assert_refused(ERR_NO_KEY, "v9");
}

static void a_directory_without_keys_is_refused(void **state)
{
	(void)state;
	assert_refused(ERR_NO_KEY, "current");
	write_file("v1.key", KEY_A, 32, 0400);
	assert_refused(ERR_NO_KEY, "current");
	write_file("current", "../v1", 5, 0644);
	assert_refused(ERR_CONFIG, "current");
	write_file("current", "", 0, 0644);
	assert_refused(ERR_CONFIG, "current");
	assert_int_equal(rmdir(directory), -1);
	snprintf(directory + strlen(directory), 8, "/none");
	assert_refused(ERR_IO, "none");
	directory[strlen(directory) - 5] = '\0';
}

static void a_key_that_others_can_touch_is_refused(void **state)
{
	static const mode_t bad[] = { 0404, 0402, 0401, 0420, 0644, 0666, 0604 };
	static const mode_t good[] = { 0400, 0600, 0440, 0640 };

	(void)state;
	two_keys();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(chmod(path_of("v1.key"), bad[i]), 0);
		assert_refused(ERR_CONFIG, "v1.key");
	}
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(chmod(path_of("v1.key"), good[i]), 0);
		keyring_free(open_good(NULL));
	}
	assert_int_equal(chmod(path_of("current"), 0666), 0);
	assert_refused(ERR_CONFIG, "current");
	assert_int_equal(chmod(path_of("current"), 0644), 0);
	assert_int_equal(chmod(directory, 0777), 0);
	assert_refused(ERR_CONFIG, "write");
}

static void a_damaged_key_file_is_refused(void **state)
{
	char bytes[256] = "";

	(void)state;
	two_keys();
	write_file("v1.key", bytes, 31, 0600);
	assert_refused(ERR_CONFIG, "v1.key");
	write_file("v1.key", bytes, 33, 0600);
	assert_refused(ERR_CONFIG, "v1.key");
	write_file("v1.key", bytes, 0, 0600);
	assert_refused(ERR_CONFIG, "v1.key");
	write_file("v1.key", bytes, 256, 0600);
	assert_refused(ERR_CONFIG, "v1.key");
	assert_int_equal(unlink(path_of("v1.key")), 0);
	assert_int_equal(mkfifo(path_of("v1.key"), 0600), 0);
	assert_refused(ERR_CONFIG, "regular");
}

static void a_new_key_is_written_and_found_without_a_restart(void **state)
{
	struct keyring *keyring;
	const struct root_key *current, *key;
	struct stat status;
	char id[KEYRING_ID_MAX + 1], name[KEYRING_ID_MAX + 8], bytes[64];

	(void)state;
	two_keys();
	keyring = open_good(NULL);
	current = keyring_current(keyring);
	assert_int_equal(keyring_create(directory, NULL, 0400, why, id), OK);
	assert_true(keyring_id_valid(str_of(id)));
	assert_int_equal(strlen(id), 17);
	assert_int_equal(id[0], 'v');
	snprintf(name, sizeof(name), "%s.key", id);
	assert_int_equal(stat(path_of(name), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0400);
	assert_int_equal(read_file(name, bytes, sizeof(bytes)), 32);
	assert_int_equal(keyring_find(keyring, str_of(id), why, &key), OK);
	assert_memory_equal(key->key.p, bytes, 32);
	/* What callers hold stays where it is. */
	assert_ptr_equal(keyring_current(keyring), current);
	assert_string_equal(current->id, "v2");
	assert_int_equal(keyring_count(keyring), 3);
	keyring_free(keyring);
}

static void the_file_mode_doesn_t_depend_on_the_umask(void **state)
{
	struct stat status;
	char id[KEYRING_ID_MAX + 1], name[KEYRING_ID_MAX + 8];
	mode_t mask = umask(0777);
	enum err e = keyring_create(directory, NULL, 0440, why, id);

	(void)state;
	umask(mask);
	assert_int_equal(e, OK);
	snprintf(name, sizeof(name), "%s.key", id);
	assert_int_equal(stat(path_of(name), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0440);
}

static void a_rotation_is_seen_at_the_reload(void **state)
{
	struct keyring *keyring;
	char id[KEYRING_ID_MAX + 1], text[64] = "";

	(void)state;
	two_keys();
	keyring = open_good(NULL);
	assert_int_equal(keyring_create(directory, NULL, 0400, why, id), OK);
	assert_int_equal(keyring_set_current(directory, str_of(id), why), OK);
	assert_string_equal(keyring_current(keyring)->id, "v2");
	assert_int_equal(keyring_reload(keyring, why), OK);
	assert_string_equal(keyring_current(keyring)->id, id);
	assert_int_equal(read_file("current", text, sizeof(text)), strlen(id) + 1);
	keyring_free(keyring);
}

static void only_a_key_that_is_there_becomes_current(void **state)
{
	(void)state;
	two_keys();
	assert_int_equal(keyring_set_current(directory, STR("v3"), why), ERR_NO_KEY);
	assert_non_null(strstr(why, "v3"));
	assert_int_equal(keyring_set_current(directory, STR("../v1"), why), ERR_NO_KEY);
	assert_int_equal(keyring_set_current(directory, STR("v1"), NULL), OK);
}

static void a_failed_reload_keeps_what_was_loaded(void **state)
{
	struct keyring *keyring;
	const struct root_key *current;

	(void)state;
	two_keys();
	keyring = open_good(NULL);
	current = keyring_current(keyring);
	write_file("v3.key", "short", 5, 0400);
	assert_int_equal(keyring_reload(keyring, why), ERR_CONFIG);
	assert_non_null(strstr(why, "v3.key"));
	assert_ptr_equal(keyring_current(keyring), current);
	assert_memory_equal(current->key.p, KEY_B, 32);
	keyring_free(keyring);
}

static void leftovers_of_a_crash_are_in_nobody_s_way(void **state)
{
	char id[KEYRING_ID_MAX + 1];

	(void)state;
	two_keys();
	write_file("current.new", "v", 1, 0600);
	write_file("v20261120a1b2c3d4.new", "half a key", 10, 0600);
	keyring_free(open_good(NULL));
	assert_int_equal(keyring_set_current(directory, STR("v1"), why), OK);
	assert_int_equal(keyring_create(directory, NULL, 0400, why, id), OK);
	keyring_free(open_good(NULL));
}

static void a_sealed_key_opens_with_its_passphrase_only(void **state)
{
	struct secret passphrase = secret_of("open sesame"), wrong = secret_of("open barley");
	struct keyring *keyring;
	char id[KEYRING_ID_MAX + 1], name[KEYRING_ID_MAX + 8], bytes[256];
	size_t n;

	(void)state;
	assert_int_equal(keyring_create(directory, &passphrase, 0600, why, id), OK);
	assert_int_equal(keyring_set_current(directory, str_of(id), why), OK);
	snprintf(name, sizeof(name), "%s.key", id);
	n = read_file(name, bytes, sizeof(bytes));
	assert_int_equal(n, 88);
	assert_memory_equal(bytes, "LWKEY\0\1\n\0\x09\x27\xc0", 12);
	keyring = open_good(&passphrase);
	assert_int_equal(keyring_current(keyring)->key.n, 32);
	keyring_free(keyring);
	assert_refused(ERR_CONFIG, "passphrase");
	assert_int_equal(keyring_open(directory, &wrong, why, &keyring), ERR_UNREADABLE);
	assert_non_null(strstr(why, name));
	/* Another name, another number of iterations, a flipped bit. */
	write_file("v1.key", bytes, n, 0600);
	assert_int_equal(keyring_open(directory, &passphrase, why, &keyring), ERR_UNREADABLE);
	bytes[11] = 0;
	write_file("v1.key", bytes, n, 0600);
	assert_int_equal(keyring_open(directory, &passphrase, why, &keyring), ERR_CONFIG);
	bytes[8] = 0x7f;
	write_file("v1.key", bytes, n, 0600);
	assert_int_equal(keyring_open(directory, &passphrase, why, &keyring), ERR_CONFIG);
	secret_done(&passphrase);
	secret_done(&wrong);
}

static void the_check_value_tells_two_keys_apart(void **state)
{
	struct root_key key = { .id = "v1", .key = secret_of(KEY_A) };
	uint8_t check[KEYRING_CHECK_BYTES];

	(void)state;
	keyring_check_value(&key, check);
	assert_bytes(check, sizeof(check), "e42844585b5cbfe7f6811432861bae7d");
	secret_done(&key.key);
}

static void key_ids_are_short_and_plain(void **state)
{
	(void)state;
	assert_true(keyring_id_valid(STR("v")));
	assert_true(keyring_id_valid(STR("0123456789abcdefghijklmnopqrstuv")));
	assert_false(keyring_id_valid(STR("0123456789abcdefghijklmnopqrstuvw")));
	assert_false(keyring_id_valid(STR("")));
	assert_false(keyring_id_valid(STR_NONE));
	assert_false(keyring_id_valid(STR("V1")));
	assert_false(keyring_id_valid(STR("v-1")));
	assert_false(keyring_id_valid(STR("v.1")));
	assert_false(keyring_id_valid((struct str){ "v\0", 2 }));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, make_directory, remove_directory)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_key_is_there_and_one_is_current),
		TEST(a_missing_key_is_named),
		TEST(a_directory_without_keys_is_refused),
		TEST(a_key_that_others_can_touch_is_refused),
		TEST(a_damaged_key_file_is_refused),
		TEST(a_new_key_is_written_and_found_without_a_restart),
		TEST(the_file_mode_doesn_t_depend_on_the_umask),
		TEST(a_rotation_is_seen_at_the_reload),
		TEST(only_a_key_that_is_there_becomes_current),
		TEST(a_failed_reload_keeps_what_was_loaded),
		TEST(leftovers_of_a_crash_are_in_nobody_s_way),
		TEST(a_sealed_key_opens_with_its_passphrase_only),
		cmocka_unit_test(the_check_value_tells_two_keys_apart),
		cmocka_unit_test(key_ids_are_short_and_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
