/* Keys are replaced while others write, and by processes that are killed in the middle. */
#include "vault_support.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/secret.h"
#include "store/sql_tenant_key.h"
#include "vault/root_key.h"
#include "vault/rotate.h"
#include "vault/tenant_key.h"

enum { CREDENTIALS = 1200 }; /* three batches */

static void store_many(struct ctx *cx, int n)
{
	for (int i = 0; i < n; i++) {
		char data[64];

		snprintf(data, sizeof(data), "{\"api_key\":\"secret number %d\"}", i);
		assert_ok(store(cx, "api_key", data, NULL));
		arena_reset(cx->arena);
	}
}

static void assert_all_readable(const struct id *tenant, int64_t versions)
{
	struct ctx *cx = open_vault("ctl", tenant);
	struct vault_rotated found;

	assert_ok(vault_verify_tenant(cx, NULL, &found));
	assert_int_equal(found.unreadable, 0);
	if (versions >= 0)
		assert_int_equal(found.done, versions);
	close_vault(cx);
}

static void a_rotated_tenant_key_opens_everything_and_the_old_one_is_gone(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_rotated rotated;
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", "{\"api_key\":\"one\"}", &id));
	assert_ok(change(cx, &id, "{\"api_key\":\"two\"}"));
	assert_ok(vault_rotate_tenant(cx, NULL, &rotated));
	assert_int_equal(rotated.done, 2);
	assert_int_equal(rotated.generation, 2);
	assert_opens_as(cx, &id, "{\"api_key\":\"two\"}");
	assert_int_equal(
		number_of("SELECT MIN(generation) FROM tenant_key WHERE tenant_id = ID", &TENANT_A),
		2);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential_version WHERE key_generation <> 2",
			  &ID_NIL),
		0);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'tenant_key.rotate'", &ID_NIL),
		1);
	assert_ok(change(cx, &id, "{\"api_key\":\"three\"}"));
	assert_ok(vault_rotate_tenant(cx, NULL, &rotated));
	assert_int_equal(rotated.generation, 3);
	assert_opens_as(cx, &id, "{\"api_key\":\"three\"}");
	close_vault(cx);
}

static void a_tenant_without_a_key_has_nothing_to_rotate(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_rotated rotated;

	(void)state;
	assert_ok(vault_rotate_tenant(cx, NULL, &rotated));
	assert_int_equal(rotated.generation, 0);
	close_vault(cx);
}

static void a_version_that_doesnt_open_keeps_the_old_key_and_is_told(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_rotated rotated;
	struct id bad, good;

	(void)state;
	assert_ok(store(cx, "api_key", "{\"api_key\":\"one\"}", &bad));
	assert_ok(store(cx, "api_key", "{\"api_key\":\"two\"}", &good));
	run_sql("UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE "
		"credential_id = ID",
		&bad);
	assert_int_equal(vault_rotate_tenant(cx, NULL, &rotated), ERR_UNREADABLE);
	assert_int_equal(rotated.unreadable, 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 2);
	assert_opens_as(cx, &good, "{\"api_key\":\"two\"}");
	/* Repaired from a backup, the rotation comes to its end. */
	run_sql("UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE "
		"credential_id = ID",
		&bad);
	assert_ok(vault_rotate_tenant(cx, NULL, &rotated));
	assert_int_equal(rotated.generation, 2);
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 1);
	assert_opens_as(cx, &bad, "{\"api_key\":\"one\"}");
	close_vault(cx);
}

/* --- killed in the middle ------------------------------------------------------- */
static void die_at(void *arg, int64_t done, int64_t total)
{
	int *left = arg;

	(void)done;
	(void)total;
	if ((*left)-- == 0)
		raise(SIGKILL);
}

static void run_and_die(const char *crash_at, int batches,
			enum err (*rotate)(struct ctx *, const struct vault_progress *))
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0) {
		struct vault_progress progress = { die_at, &batches };
		struct ctx *cx;

		if (crash_at)
			setenv("LATCHWORK_CRASH_AT", crash_at, 1);
		cx = open_vault("ctl", &TENANT_A);
		_exit(rotate(cx, crash_at ? NULL : &progress) == OK ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

static enum err rotate_tenant(struct ctx *cx, const struct vault_progress *progress)
{
	struct vault_rotated rotated;

	return vault_rotate_tenant(cx, progress, &rotated);
}

static char next_root[KEYRING_ID_MAX + 1];

static enum err rotate_root(struct ctx *cx, const struct vault_progress *progress)
{
	struct vault_rotated rotated;

	return vault_rotate_root(cx, str_of(next_root), progress, &rotated);
}

static void a_rotation_that_is_killed_between_batches_is_gone_on_with(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_rotated rotated;

	(void)state;
	store_many(cx, CREDENTIALS);
	run_and_die(NULL, 1, rotate_tenant);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential_version WHERE key_generation = 2",
			  &ID_NIL),
		1000);
	assert_all_readable(&TENANT_A, CREDENTIALS);
	assert_ok(vault_rotate_tenant(cx, NULL, &rotated));
	assert_int_equal(rotated.generation, 2);
	assert_int_equal(rotated.done, CREDENTIALS - 1000);
	assert_all_readable(&TENANT_A, CREDENTIALS);
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 1);
	close_vault(cx);
}

#ifdef LATCHWORK_CRASH_POINTS
static void a_rotation_that_dies_at_any_crash_point_loses_nothing(void **state)
{
	static const char *const points[] = {
		"rotate_tenant_before_start",  "rotate_tenant_after_start",
		"rotate_tenant_before_commit", "rotate_tenant_before_commit:2",
		"rotate_tenant_after_commit",  "rotate_tenant_before_end",
	};
	struct ctx *cx = open_vault("ctl", &TENANT_A);

	(void)state;
	store_many(cx, 600);
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		run_and_die(points[i], 0, rotate_tenant);
		assert_all_readable(&TENANT_A, 600);
	}
	assert_ok(rotate_tenant(cx, NULL));
	assert_all_readable(&TENANT_A, 600);
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 1);
	close_vault(cx);
}
#endif

/* --- with writers ---------------------------------------------------------------- */
/*
 * A process that stores and changes until it is told to stop; its exit status says whether all went
 * well.
 */
static pid_t start_writer(int seed, int stop)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	struct ctx *cx = open_vault("vault", &TENANT_A);
	char byte, data[64];

	for (int i = 0; recv(stop, &byte, 1, MSG_DONTWAIT) < 0; i++) {
		SECRET_AUTO struct secret plain = SECRET_EMPTY;
		struct id id;

		snprintf(data, sizeof(data), "{\"api_key\":\"writer %d, %d\"}", seed, i);
		if (store(cx, "api_key", "{\"api_key\":\"first\"}", &id) != OK ||
		    change(cx, &id, data) != OK || plain_of(cx, &id, &plain) != OK ||
		    !str_eq(secret_str(&plain), str_of(data)))
			_exit(1);
		arena_reset(cx->arena);
	}
	_exit(0);
}

static void stop_writers(pid_t *pids, int n, int stop)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(send(stop, "x", 1, 0), 1);
	for (int i = 0; i < n; i++) {
		int status;

		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void no_writer_fails_and_no_row_stays_on_the_old_key_while_keys_rotate(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	int stop[2];
	pid_t pids[3];

	(void)state;
	store_many(cx, 300);
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, stop), 0);
	for (int i = 0; i < 3; i++)
		pids[i] = start_writer(i, stop[1]);
	for (int round = 2; round <= 6; round++) {
		struct vault_rotated rotated;
		char id[KEYRING_ID_MAX + 1];

		run_and_die(NULL, round % 2, rotate_tenant);
		assert_ok(vault_rotate_tenant(cx, NULL, &rotated));
		make_root_key(id);
		assert_ok(vault_rotate_root(cx, str_of(id), NULL, &rotated));
		assert_int_equal(rotated.unreadable, 0);
	}
	stop_writers(pids, 3, stop[0]);
	assert_all_readable(&TENANT_A, -1);
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM credential_version v JOIN tenant t USING (tenant_id)"
			" WHERE v.key_generation <> t.key_generation",
			&ID_NIL),
		0);
	close(stop[0]);
	close(stop[1]);
	close_vault(cx);
}

static void the_first_key_of_a_tenant_is_made_once_by_many_at_a_time(void **state)
{
	pid_t pids[4];
	int stop[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, stop), 0);
	for (int round = 0; round < 5; round++) {
		assert_int_equal(empty_vault(NULL), 0);
		for (int i = 0; i < 4; i++)
			pids[i] = start_writer(i, stop[1]);
		usleep(50000);
		stop_writers(pids, 4, stop[0]);
		assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 1);
		assert_all_readable(&TENANT_A, -1);
	}
	close(stop[0]);
	close(stop[1]);
}

/* --- against one writer whose transaction is still open --------------------------- */
static pid_t in_child(enum err (*rotate)(struct ctx *, const struct vault_progress *))
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(rotate(open_vault("ctl", &TENANT_A), NULL) == OK ? 0 : 1);
	usleep(200000); /* time enough for what must not happen */
	return pid;
}

static void assert_went_well(pid_t pid)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_rotation_waits_for_a_writer_who_took_the_old_key(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct vault_new new = { .name = STR("late"), .type = STR("api_key") };
	struct credential c;
	pid_t pid;

	(void)state;
	assert_ok(store(cx, "api_key", "{\"api_key\":\"early\"}", NULL));
	new.data = tree(cx, "{\"api_key\":\"late\"}");
	assert_ok(db_begin(cx->db));
	assert_ok(vault_create(cx, &new, &c));
	pid = in_child(rotate_tenant);
	assert_int_equal(
		number_of("SELECT key_generation FROM tenant WHERE tenant_id = ID", &TENANT_A), 1);
	assert_ok(db_commit(cx->db));
	assert_went_well(pid);
	assert_int_equal(number_of("SELECT MIN(key_generation) FROM credential_version", &ID_NIL),
			 2);
	assert_opens_as(cx, &c.id, "{\"api_key\":\"late\"}");
	close_vault(cx);
}

static void a_root_rotation_waits_for_whoever_wraps_with_the_old_key(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct vault_new new = { .name = STR("first"), .type = STR("api_key") };
	struct credential c;
	pid_t pid;

	(void)state;
	make_root_key(next_root);
	new.data = tree(cx, "{\"api_key\":\"first\"}");
	assert_ok(db_begin(cx->db));
	assert_ok(vault_create(cx, &new, &c)); /* makes the tenant's key */
	pid = in_child(rotate_root);
	assert_ok(db_commit(cx->db));
	assert_went_well(pid);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM tenant_key k JOIN root_key r USING (root_key_id)"
			  " WHERE r.state <> 'current'",
			  &ID_NIL),
		0);
	assert_opens_as(cx, &c.id, "{\"api_key\":\"first\"}");
	close_vault(cx);
}

static void a_key_that_a_row_needs_cant_be_deleted(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	const struct sql_tenant_key_delete_old_in all = { .generation = 1000 };

	(void)state;
	assert_ok(store(cx, "api_key", "{\"api_key\":\"one\"}", NULL));
	assert_int_equal(sql_tenant_key_delete_old(cx->db, &all, NULL), ERR_DB_REFUSED);
	close_vault(cx);
}

/* --- root keys ------------------------------------------------------------------- */
static void a_rotated_root_key_wraps_everything_and_the_old_one_is_retired(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A), *other = open_vault("ctl", &TENANT_B);
	SECRET_AUTO struct secret system = SECRET_EMPTY, again = SECRET_EMPTY;
	struct vault_rotated rotated;
	char key[KEYRING_ID_MAX + 1];
	uint32_t generation;
	struct id id;

	(void)state;
	make_root_key(key);
	assert_ok(store(cx, "api_key", "{\"api_key\":\"one\"}", &id));
	assert_ok(store(other, "api_key", "{\"api_key\":\"two\"}", NULL));
	assert_ok(vault_system_key_newest(cx, &generation, &system));
	assert_ok(vault_rotate_root(cx, str_of(key), NULL, &rotated));
	assert_int_equal(rotated.done, 3);
	assert_int_equal(number_of("SELECT COUNT(DISTINCT root_key_id) FROM tenant_key", &ID_NIL),
			 1);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM root_key WHERE state = 'current'", &ID_NIL), 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM root_key WHERE state = 'old'", &ID_NIL),
			 0);
	assert_opens_as(cx, &id, "{\"api_key\":\"one\"}");
	assert_ok(vault_system_key(cx, generation, &again));
	assert_true(secret_eq(&system, &again));
	close_vault(cx);
	close_vault(other);
}

static void a_key_that_isnt_on_disk_cant_become_current(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_rotated rotated;

	(void)state;
	assert_int_equal(vault_rotate_root(cx, STR("vnowhere"), NULL, &rotated), ERR_NO_KEY);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM root_key WHERE state = 'current'", &ID_NIL), 1);
	close_vault(cx);
}

#ifdef LATCHWORK_CRASH_POINTS
static void a_root_rotation_that_dies_anywhere_is_gone_on_with(void **state)
{
	static const char *const points[] = {
		"root_key_before_register",  "root_key_after_register",
		"rotate_root_before_commit", "rotate_root_after_commit",
		"rotate_root_before_retire",
	};
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct id id;

	(void)state;
	make_root_key(next_root);
	assert_ok(store(cx, "api_key", "{\"api_key\":\"one\"}", &id));
	for (size_t i = 0; i < ARRAY_SIZE(points); i++) {
		run_and_die(points[i], 0, rotate_root);
		assert_opens_as(cx, &id, "{\"api_key\":\"one\"}");
	}
	assert_ok(rotate_root(cx, NULL));
	assert_int_equal(number_of("SELECT COUNT(*) FROM root_key WHERE state = 'old'", &ID_NIL),
			 0);
	assert_opens_as(cx, &id, "{\"api_key\":\"one\"}");
	close_vault(cx);
}
#endif

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, empty_vault)
	const struct CMUnitTest tests[] = {
		T(a_rotated_tenant_key_opens_everything_and_the_old_one_is_gone),
		T(a_tenant_without_a_key_has_nothing_to_rotate),
		T(a_version_that_doesnt_open_keeps_the_old_key_and_is_told),
		T(a_rotation_that_is_killed_between_batches_is_gone_on_with),
		T(no_writer_fails_and_no_row_stays_on_the_old_key_while_keys_rotate),
		T(the_first_key_of_a_tenant_is_made_once_by_many_at_a_time),
		T(a_rotation_waits_for_a_writer_who_took_the_old_key),
		T(a_root_rotation_waits_for_whoever_wraps_with_the_old_key),
		T(a_key_that_a_row_needs_cant_be_deleted),
		T(a_rotated_root_key_wraps_everything_and_the_old_one_is_retired),
		T(a_key_that_isnt_on_disk_cant_become_current),
#ifdef LATCHWORK_CRASH_POINTS
		T(a_rotation_that_dies_at_any_crash_point_loses_nothing),
		T(a_root_rotation_that_dies_anywhere_is_gone_on_with),
#endif
	};
#undef T

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
