/* Somebody who can write to the database, but has no root key, gets no secret out of place. */
#include "vault_support.h"

#include <unistd.h>

#include "base/arena.h"
#include "core/operations.h"
#include "vault/root_key.h"
#include "vault/rotate.h"

#define PLAIN_ONE "{\"api_key\":\"the first secret\"}"
#define PLAIN_TWO "{\"api_key\":\"the other secret\"}"

static void assert_unreadable(struct ctx *cx, const struct id *id)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	long before = number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.unreadable'",
				&ID_NIL);

	assert_ok(db_begin(cx->db));
	assert_int_equal(plain_of(cx, id, &plain), ERR_UNREADABLE);
	assert_null(plain.p);
	db_rollback(cx->db);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.unreadable' AND "
			  "outcome = 'failed'"
			  " AND target_kind = 'cred'",
			  &ID_NIL),
		before + 1);
}

static void a_swapped_ciphertext_doesnt_open(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id one, two;

	(void)state;
	assert_ok(store(cx, "api_key", PLAIN_ONE, &one));
	assert_ok(store(cx, "api_key", PLAIN_TWO, &two));
	run_sql("CREATE OR REPLACE TABLE kept AS SELECT ciphertext FROM credential_version WHERE "
		"credential_id = ID",
		&two);
	run_sql("UPDATE credential_version SET ciphertext = (SELECT ciphertext FROM kept) WHERE "
		"credential_id = ID; DROP TABLE kept",
		&one);
	assert_unreadable(cx, &one);
	assert_opens_as(cx, &two, PLAIN_TWO);
	close_vault(cx);
}

static void an_old_versions_ciphertext_doesnt_open_as_the_newest(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", PLAIN_ONE, &id));
	assert_ok(change(cx, &id, PLAIN_TWO));
	run_sql("CREATE OR REPLACE TABLE kept AS SELECT ciphertext FROM credential_version WHERE "
		"credential_id = ID AND version = 1;"
		"UPDATE credential_version SET ciphertext = (SELECT ciphertext FROM kept) WHERE "
		"credential_id = ID AND version = 2;"
		"DROP TABLE kept",
		&id);
	assert_unreadable(cx, &id);
	close_vault(cx);
}

static void a_row_moved_to_another_tenant_doesnt_open_there(void **state)
{
	struct ctx *a = open_vault("vault", &TENANT_A), *b = open_vault("vault", &TENANT_B);
	struct id id;

	(void)state;
	assert_ok(store(a, "api_key", PLAIN_ONE, &id));
	assert_ok(store(b, "api_key", PLAIN_TWO, NULL));
	run_sql("UPDATE credential_version SET tenant_id = RPAD(x'bb02', 16, x'00') WHERE "
		"credential_id = ID;"
		"UPDATE credential SET tenant_id = RPAD(x'bb02', 16, x'00') WHERE credential_id = "
		"ID",
		&id);
	assert_unreadable(b, &id);
	/* With the key's row moved as well. */
	run_sql("UPDATE tenant_key a JOIN tenant_key b ON a.tenant_id < b.tenant_id SET b.wrapped "
		"= a.wrapped WHERE ID IS NOT NULL",
		&id);
	assert_unreadable(b, &id);
	close_vault(a);
	close_vault(b);
}

static void a_changed_type_owner_version_or_generation_doesnt_open(void **state)
{
	static const char *const changes[] = {
		"UPDATE credential SET type = 'oauth2' WHERE credential_id = ID",
		"UPDATE credential SET created_by = x'00112233445566778899aabbccddeeff' WHERE "
		"credential_id = ID",
		"UPDATE credential_version SET version = 7 WHERE credential_id = ID;"
		"UPDATE credential SET version = 7 WHERE credential_id = ID",
		"INSERT INTO tenant_key SELECT tenant_id, 2, root_key_id, wrapped, created_at "
		"FROM tenant_key;"
		"UPDATE credential_version SET key_generation = 2 WHERE credential_id = ID",
		"UPDATE tenant_key SET root_key_id = root_key_id, wrapped = x'00' WHERE ID IS NOT "
		"NULL",
		"UPDATE credential_version SET ciphertext = '' WHERE credential_id = ID",
		"UPDATE credential_version SET ciphertext = SUBSTRING(ciphertext, 1, "
		"LENGTH(ciphertext) - 1) WHERE credential_id = ID",
		"UPDATE credential_version SET ciphertext = CONCAT(ciphertext, x'00') WHERE "
		"credential_id = ID",
	};

	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		struct ctx *cx;
		struct id id;

		empty_vault(state);
		cx = open_vault("vault", &TENANT_A);
		assert_ok(store(cx, "api_key", PLAIN_ONE, &id));
		run_sql(changes[i], &id);
		assert_unreadable(cx, &id);
		close_vault(cx);
	}
}

/* Bit by bit: the header, the nonce, the ciphertext and the tag. */
static void no_flipped_bit_goes_unnoticed(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct id id;
	long bytes;

	(void)state;
	assert_ok(store(cx, "api_key", PLAIN_ONE, &id));
	bytes = number_of(
		"SELECT LENGTH(ciphertext) FROM credential_version WHERE credential_id = ID", &id);
	assert_in_range(bytes, 50, 100);
	for (long bit = 0; bit < bytes * 8; bit += 3) {
		char sql[400];

		snprintf(sql, sizeof(sql),
			 "UPDATE credential_version SET ciphertext = INSERT(ciphertext, %ld, 1, "
			 "CHAR(ORD(SUBSTRING(ciphertext, %ld, 1)) ^ %d)) WHERE credential_id = ID",
			 bit / 8 + 1, bit / 8 + 1, 1 << (bit % 8));
		run_sql(sql, &id);
		assert_int_equal(plain_of(cx, &id, &plain), ERR_UNREADABLE);
		assert_null(plain.p);
		run_sql(sql, &id);
	}
	assert_opens_as(cx, &id, PLAIN_ONE);
	close_vault(cx);
}

static void a_failed_reveal_answers_nothing_and_leaves_an_audit_row(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct credential_reveal_in in;
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", PLAIN_ONE, &in.credential_id));
	run_sql("UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE "
		"credential_id = ID",
		&in.credential_id);
	assert_ok(db_begin(cx->db));
	assert_int_equal(credential_reveal(cx, &in, &reply), ERR_UNREADABLE);
	assert_int_equal(reply.body.n, 0);
	assert_false(db_in_transaction(cx->db));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.unreadable' AND "
			  "target_id = ID",
			  &in.credential_id),
		1);
	reply_done(&reply);
	close_vault(cx);
}

/* --- root keys at the start --------------------------------------------------- */
static void in_copy(const char *change, enum err wanted, const char *word)
{
	char copy[] = "/tmp/lw-test-copy-XXXXXX", command[512], why[KEYRING_WHY_MAX] = "";
	struct ctx *cx = open_vault("front", &ID_NIL);
	const char *id = keyring_current(cx->vault_keys)->id;
	struct keyring *keyring;

	assert_non_null(mkdtemp(copy));
	snprintf(command, sizeof(command), "cd %s && cp -p %s/* . && ID=%s && %s", copy,
		 key_directory, id, change);
	assert_int_equal(system(command), 0);
	assert_ok(keyring_open(copy, NULL, why, &keyring));
	assert_int_equal(vault_check_keys(cx->db, keyring, VAULT_PURPOSE, why), wanted);
	if (wanted != OK)
		assert_non_null(strstr(why, word ? word : id));
	keyring_free(keyring);
	snprintf(command, sizeof(command), "rm -rf %s", copy);
	assert_int_equal(system(command), 0);
	close_vault(cx);
}

static void the_right_root_key_passes(void **state)
{
	(void)state;
	in_copy("true", OK, NULL);
}

static void a_wrong_root_key_file_is_named_before_anything_is_written(void **state)
{
	(void)state;
	in_copy("chmod 600 $ID.key && head -c 32 /dev/urandom > $ID.key && chmod 400 $ID.key",
		ERR_NO_KEY, NULL);
}

static void a_root_key_file_that_was_swapped_since_the_start_wraps_nothing(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);

	(void)state;
	run_sql("UPDATE root_key SET check_value = REVERSE(check_value)", &ID_NIL);
	assert_int_equal(store(cx, "api_key", PLAIN_ONE, NULL), ERR_NO_KEY);
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 0);
	run_sql("UPDATE root_key SET check_value = REVERSE(check_value)", &ID_NIL);
	assert_ok(store(cx, "api_key", PLAIN_ONE, NULL));
	close_vault(cx);
}

static void a_missing_root_key_is_named(void **state)
{
	(void)state;
	in_copy("rm -f $ID.key && head -c 32 /dev/urandom > vother.key && chmod 400 vother.key && "
		"echo vother > current",
		ERR_NO_KEY, NULL);
}

static void a_current_key_that_isnt_registered_is_named(void **state)
{
	(void)state;
	in_copy("head -c 32 /dev/urandom > vother.key && chmod 400 vother.key && rm -f current && "
		"echo vother > current",
		ERR_NO_KEY, "vother");
}

static void verifying_counts_keys_and_versions_that_dont_open(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_rotated found;
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", PLAIN_ONE, &id));
	assert_ok(store(cx, "api_key", PLAIN_TWO, NULL));
	assert_ok(vault_verify_tenant(cx, NULL, &found));
	assert_int_equal(found.done, 2);
	assert_int_equal(found.unreadable, 0);
	assert_ok(vault_verify_wrapped(cx, &found));
	assert_int_equal(found.done, 1);
	run_sql("UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE "
		"credential_id = ID",
		&id);
	assert_ok(vault_verify_tenant(cx, NULL, &found));
	assert_int_equal(found.done, 1);
	assert_int_equal(found.unreadable, 1);
	run_sql("UPDATE tenant_key SET wrapped = REVERSE(wrapped) WHERE tenant_id = ID", &TENANT_A);
	assert_ok(vault_verify_wrapped(cx, &found));
	assert_int_equal(found.unreadable, 1);
	close_vault(cx);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, empty_vault)
	const struct CMUnitTest tests[] = {
		T(a_swapped_ciphertext_doesnt_open),
		T(an_old_versions_ciphertext_doesnt_open_as_the_newest),
		T(a_row_moved_to_another_tenant_doesnt_open_there),
		T(a_changed_type_owner_version_or_generation_doesnt_open),
		T(no_flipped_bit_goes_unnoticed),
		T(a_failed_reveal_answers_nothing_and_leaves_an_audit_row),
		T(the_right_root_key_passes),
		T(a_wrong_root_key_file_is_named_before_anything_is_written),
		T(a_root_key_file_that_was_swapped_since_the_start_wraps_nothing),
		T(a_missing_root_key_is_named),
		T(a_current_key_that_isnt_registered_is_named),
		T(verifying_counts_keys_and_versions_that_dont_open),
	};
#undef T

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
