/* Credentials in a database: stored, changed, restored, hidden, destroyed. */
#include "vault_support.h"

#include "base/arena.h"
#include "core/operations.h"
#include "vault/seal.h"

#define LONG_KEY "{\"api_key\":\"canary-0123456789\"}"

/*
 * Runs a handler of a changing operation as the pipeline does: in a transaction that an error rolls
 * back.
 */
#define IN_TRANSACTION(cx, call)                                                                   \
	({                                                                                         \
		assert_ok(db_begin((cx)->db));                                                     \
		(cx)->audit = (struct audit_note){ 0 };                                            \
		problem_clear(&(cx)->problem);                                                     \
		enum err in_transaction_ = (call);                                                 \
		if (in_transaction_ == OK)                                                         \
			assert_ok(db_commit((cx)->db));                                            \
		else                                                                               \
			db_rollback((cx)->db);                                                     \
		in_transaction_;                                                                   \
	})

static json_t *body(struct ctx *cx, struct reply *reply)
{
	json_t *json;

	assert_ok(json_read(cx->arena, buf_str(&reply->body), &json, NULL));
	return json;
}

static bool reply_holds(const struct reply *reply, const char *text)
{
	return memmem(reply->body.p, reply->body.n, text, strlen(text)) != NULL;
}

static int64_t int_of(const json_t *object, const char *name)
{
	int64_t number;

	assert_true(json_integer_of(json_member(object, name), &number));
	return number;
}

static void a_stored_credential_is_read_masked_and_opens_to_what_was_sent(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A), *front = open_vault("front", &TENANT_A);
	struct credential_create_in in = { .name = STR("Stripe"),
					   .type = STR("api_key"),
					   .service = STR("stripe") };
	struct credential_get_in get;
	struct reply reply;
	json_t *answer;

	(void)state;
	reply_init(&reply);
	in.data = tree(cx, LONG_KEY);
	assert_ok(IN_TRANSACTION(cx, credential_create(cx, &in, &reply)));
	assert_int_equal(reply.status, 201);
	answer = body(cx, &reply);
	assert_true(id_parse(ID_CREDENTIAL, json_member_text(answer, "id"), &get.credential_id));
	reply_reset(&reply);
	assert_ok(credential_get(front, &get, &reply));
	answer = body(front, &reply);
	assert_str(json_member_text(answer, "name"), "Stripe");
	assert_str(json_member_text(answer, "status"), "untested");
	assert_str(json_member_text(json_member(answer, "data"), "api_key"), "cana****");
	assert_str(json_member_text(json_member(answer, "verify"), "status"), "untested");
	assert_int_equal(int_of(answer, "version"), 1);
	assert_false(reply_holds(&reply, "canary-"));
	assert_opens_as(cx, &get.credential_id, LONG_KEY);
	reply_done(&reply);
	close_vault(cx);
	close_vault(front);
}

static void reveal_answers_the_plain_data_and_nothing_else_does(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct credential_reveal_in in;
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &in.credential_id));
	assert_ok(IN_TRANSACTION(cx, credential_reveal(cx, &in, &reply)));
	assert_str(json_member_text(json_member(body(cx, &reply), "data"), "api_key"),
		   "canary-0123456789");
	assert_true(cx->audit.has_target);
	reply_done(&reply);
	close_vault(cx);
}

static void the_database_holds_no_plain_secret(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);

	(void)state;
	assert_ok(store(cx, "api_key", LONG_KEY, NULL));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential_version WHERE LOCATE('canary-', "
			  "ciphertext) > 0"
			  " OR LOCATE('canary-', masked) > 0",
			  &ID_NIL),
		0);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE LOCATE('canary-', masked) > 0",
			  &ID_NIL),
		0);
	close_vault(cx);
}

static void another_tenants_credential_is_absent_everywhere(void **state)
{
	struct ctx *a = open_vault("vault", &TENANT_A), *b = open_vault("vault", &TENANT_B),
		   *front = open_vault("front", &TENANT_B);
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	struct reply reply;
	struct id id;

	(void)state;
	reply_init(&reply);
	assert_ok(store(a, "api_key", LONG_KEY, &id));
	assert_int_equal(plain_of(b, &id, &plain), ERR_NOT_FOUND);
	assert_int_equal(change(b, &id, "{\"api_key\":\"x\"}"), ERR_NOT_FOUND);
	assert_int_equal(credential_get(front, &(struct credential_get_in){ id }, &reply),
			 ERR_NOT_FOUND);
	assert_int_equal(version_list(front, &(struct version_list_in){ id }, &reply),
			 ERR_NOT_FOUND);
	assert_int_equal(
		IN_TRANSACTION(b, credential_delete(b,
						    &(struct credential_delete_in){
							    .credential_id = id, .purge = true },
						    &reply)),
		ERR_NOT_FOUND);
	assert_opens_as(a, &id, LONG_KEY);
	reply_done(&reply);
	close_vault(a);
	close_vault(b);
	close_vault(front);
}

static void a_change_makes_a_version_only_when_the_data_differs(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", LONG_KEY, &id));
	assert_ok(change(cx, &id, "{}"));
	assert_ok(change(cx, &id, LONG_KEY));
	assert_ok(change(cx, &id, "{\"api_key\":\"cana****\"}"));
	assert_int_equal(number_of("SELECT version FROM credential WHERE credential_id = ID", &id),
			 1);
	assert_ok(change(cx, &id, "{\"api_key\":\"another-0123456789\"}"));
	assert_int_equal(number_of("SELECT version FROM credential WHERE credential_id = ID", &id),
			 2);
	assert_opens_as(cx, &id, "{\"api_key\":\"another-0123456789\"}");
	close_vault(cx);
}

static void a_change_that_takes_a_required_secret_away_is_refused_and_changes_nothing(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", LONG_KEY, &id));
	assert_int_equal(change(cx, &id, "{\"api_key\":null}"), ERR_BAD_INPUT);
	assert_str(cx->problem.field[0].field, "data.api_key");
	assert_opens_as(cx, &id, LONG_KEY);
	close_vault(cx);
}

static void a_new_secret_is_untested_and_a_new_name_is_not(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct credential_update_in in = { .name = STR("renamed") };
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &in.credential_id));
	run_sql("UPDATE credential SET status = 'active', verify_status = 'passed', "
		"verify_account = '{\"id\":\"acct\"}'"
		" WHERE credential_id = ID",
		&in.credential_id);
	assert_ok(IN_TRANSACTION(cx, credential_update(cx, &in, &reply)));
	assert_str(json_member_text(body(cx, &reply), "status"), "active");
	assert_str(json_member_text(json_member(json_member(body(cx, &reply), "verify"), "account"),
				    "id"),
		   "acct");
	assert_ok(change(cx, &in.credential_id, "{\"api_key\":\"new\"}"));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE credential_id = ID AND status = "
			  "'untested'"
			  " AND verify_status IS NULL AND verify_account IS NULL AND name = "
			  "'renamed'",
			  &in.credential_id),
		1);
	reply_done(&reply);
	close_vault(cx);
}

static void an_update_that_changes_nothing_writes_nothing_and_keeps_its_tag(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct credential_update_in in = { .name = STR("a name") };
	struct reply reply;
	long before;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &in.credential_id));
	before = number_of("SELECT updated_at FROM credential WHERE credential_id = ID",
			   &in.credential_id);
	in.data = tree(cx, "{\"api_key\":\"cana****\"}");
	cx->now_ms += 1000;
	assert_ok(IN_TRANSACTION(cx, credential_update(cx, &in, &reply)));
	assert_int_equal(cx->audit.details, 1);
	assert_string_equal(cx->audit.detail[0].name, "unchanged");
	assert_str(cx->audit.detail[0].value, "yes");
	assert_int_equal(number_of("SELECT updated_at FROM credential WHERE credential_id = ID",
				   &in.credential_id),
			 before);
	reply_done(&reply);
	close_vault(cx);
}

static void two_changes_within_one_millisecond_have_different_tags(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", LONG_KEY, &id));
	assert_ok(change(cx, &id, "{\"api_key\":\"one\"}"));
	assert_ok(change(cx, &id, "{\"api_key\":\"two\"}"));
	assert_int_equal(
		number_of("SELECT updated_at - created_at FROM credential WHERE credential_id = ID",
			  &id),
		2);
	close_vault(cx);
}

static void only_the_newest_versions_are_kept(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A), *front = open_vault("front", &TENANT_A);
	struct version_list_in in;
	struct reply reply;
	json_t *list;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", "{\"api_key\":\"v1\"}", &in.credential_id));
	for (int i = 2; i <= 5; i++) {
		char data[64];

		snprintf(data, sizeof(data), "{\"api_key\":\"version number %d of it\"}", i);
		assert_ok(change(cx, &in.credential_id, data));
	}
	assert_ok(version_list(front, &in, &reply));
	list = body(front, &reply);
	assert_int_equal(json_length(list), config.credentials_versions_kept);
	assert_int_equal(int_of(json_item(list, 0), "version"), 5);
	assert_true(json_is_kind(json_member(json_item(list, 0), "current"), JSON_TRUE));
	assert_true(json_is_kind(json_member(json_item(list, 1), "current"), JSON_FALSE));
	assert_int_equal(int_of(json_item(list, 2), "version"), 3);
	assert_false(reply_holds(&reply, "version number"));
	reply_done(&reply);
	close_vault(cx);
	close_vault(front);
}

static void a_restored_version_becomes_the_newest(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct version_restore_in in = { .version = 1 };
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &in.credential_id));
	assert_ok(change(cx, &in.credential_id, "{\"api_key\":\"short\"}"));
	assert_ok(IN_TRANSACTION(cx, version_restore(cx, &in, &reply)));
	assert_int_equal(int_of(body(cx, &reply), "version"), 3);
	assert_str(json_member_text(json_member(body(cx, &reply), "data"), "api_key"), "cana****");
	assert_opens_as(cx, &in.credential_id, LONG_KEY);
	in.version = 9;
	assert_int_equal(IN_TRANSACTION(cx, version_restore(cx, &in, &reply)), ERR_NOT_FOUND);
	reply_done(&reply);
	close_vault(cx);
}

static void data_of_more_than_64_kib_is_refused(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	char *data = calloc(1, 70000);

	(void)state;
	assert_non_null(data);
	strcpy(data, "{\"extra\":{\"a\":\"");
	memset(data + 15, 'x', 66000);
	strcpy(data + 15 + 66000, "\"}}");
	assert_int_equal(store(cx, "oauth2", data, NULL), ERR_BAD_INPUT);
	assert_str(cx->problem.field[0].field, "data");
	free(data);
	close_vault(cx);
}

static void a_hidden_credential_is_gone_at_once_and_destroyed_after_its_time(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A), *worker = open_vault("worker", &ID_NIL);
	struct credential_delete_in in = { 0 };
	struct reply reply;
	int purged;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &in.credential_id));
	assert_ok(IN_TRANSACTION(cx, credential_delete(cx, &in, &reply)));
	assert_int_equal(reply.status, 204);
	assert_int_equal(IN_TRANSACTION(cx, credential_delete(cx, &in, &reply)), ERR_NOT_FOUND);
	worker->now_ms = cx->now_ms + config.credentials_retention_ms;
	assert_ok(vault_purge_expired(worker, 10, &purged));
	assert_int_equal(purged, 0);
	worker->now_ms++;
	assert_ok(vault_purge_expired(worker, 10, &purged));
	assert_int_equal(purged, 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential_version", &ID_NIL), 0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential", &ID_NIL), 0);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.purge' AND "
			  "actor_kind = 'system'"
			  " AND target_id = ID",
			  &in.credential_id),
		1);
	assert_true(id_is_nil(&worker->who.tenant));
	reply_done(&reply);
	close_vault(cx);
	close_vault(worker);
}

static void a_purge_leaves_no_row_and_says_so(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct credential_delete_in in = { .purge = true };
	struct reply reply;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &in.credential_id));
	assert_ok(change(cx, &in.credential_id, "{\"api_key\":\"x\"}"));
	assert_ok(IN_TRANSACTION(cx, credential_delete(cx, &in, &reply)));
	assert_str(buf_str(&reply.body), "{\"purged\":true,\"verified\":true}");
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential_version WHERE credential_id = ID",
			  &in.credential_id),
		0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential WHERE credential_id = ID",
				   &in.credential_id),
			 0);
	reply_done(&reply);
	close_vault(cx);
}

static void a_list_is_filtered_and_shows_no_secret(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A), *front = open_vault("front", &TENANT_A);
	struct credential_list_in in = { .limit = 50 };
	struct reply reply;
	struct id id;

	(void)state;
	reply_init(&reply);
	assert_ok(store(cx, "api_key", LONG_KEY, &id));
	assert_ok(store(cx, "oauth2", "{\"client_secret\":\"canary-0123456789\"}", NULL));
	assert_ok(credential_list(front, &in, &reply));
	assert_int_equal(json_length(body(front, &reply)), 2);
	assert_str(json_member_text(json_item(body(front, &reply), 0), "type"),
		   "oauth2"); /* newest first */
	assert_false(reply_holds(&reply, "canary-"));
	reply_reset(&reply);
	in.type = STR("api_key");
	in.status = STR("untested");
	in.name = STR("a name");
	assert_ok(credential_list(front, &in, &reply));
	assert_int_equal(json_length(body(front, &reply)), 1);
	reply_reset(&reply);
	in.service = STR("stripe");
	assert_ok(credential_list(front, &in, &reply));
	assert_str(buf_str(&reply.body), "[]");
	reply_done(&reply);
	close_vault(cx);
	close_vault(front);
}

static void set_key(struct ctx *cx, const char *service, const char *key, int status)
{
	const struct key_set_in in = { .service = str_of(service), .api_key = str_of(key) };
	struct reply reply;

	reply_init(&reply);
	assert_ok(IN_TRANSACTION(cx, key_set(cx, &in, &reply)));
	assert_int_equal(reply.status, status);
	assert_false(reply_holds(&reply, key));
	reply_done(&reply);
}

static void a_service_has_one_key_that_is_made_replaced_listed_and_removed(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A), *front = open_vault("front", &TENANT_A);
	struct key_list_in list = { .limit = 50 };
	struct key_delete_in delete = { .service = STR("openai") };
	struct reply reply;

	(void)state;
	reply_init(&reply);
	set_key(cx, "openai", "sk-0123456789abcdef", 201);
	set_key(cx, "openai", "sk-fedcba9876543210", 200);
	set_key(cx, "stripe", "sk\"\\\x01/0123456789abcdef", 201);
	assert_ok(key_list(front, &list, &reply));
	assert_int_equal(json_length(body(front, &reply)), 2);
	assert_str(json_member_text(json_item(body(front, &reply), 0), "api_key"), "sk\"\\****");
	assert_str(json_member_text(json_item(body(front, &reply), 1), "api_key"), "sk-f****");
	assert_ok(IN_TRANSACTION(front, key_delete(front, &delete, &reply)));
	assert_int_equal(reply.status, 204);
	assert_int_equal(IN_TRANSACTION(front, key_delete(front, &delete, &reply)), ERR_NOT_FOUND);
	set_key(cx, "openai", "sk-0000000000000000", 201);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE key_service = 'openai'", &ID_NIL),
		1);
	reply_done(&reply);
	close_vault(cx);
	close_vault(front);
}

static void a_key_cant_be_moved_to_a_service_that_has_one(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);
	struct credential_update_in in = { .service = STR("b") };
	struct reply reply;
	long version;

	(void)state;
	reply_init(&reply);
	set_key(cx, "a", "key of a", 201);
	set_key(cx, "b", "key of b", 201);
	version = private_mariadb_number(&server, "latchwork",
					 "SELECT COUNT(*) FROM credential WHERE key_service = 'a'");
	assert_int_equal(version, 1);
	{
		struct ctx *front = open_vault("front", &TENANT_A);
		struct key_list_in list = { .limit = 50 };

		assert_ok(key_list(front, &list, &reply));
		const json_t *keys = body(front, &reply), *key = json_item(keys, 0);

		/* Two ids of one millisecond stand in any order. */
		if (!str_eq(json_member_text(key, "service"), STR("a")))
			key = json_item(keys, 1);
		assert_true(id_parse(ID_CREDENTIAL, json_member_text(key, "credential_id"), &in.credential_id));
		close_vault(front);
	}
	assert_int_equal(IN_TRANSACTION(cx, credential_update(cx, &in, &reply)), ERR_CONFLICT);
	reply_done(&reply);
	close_vault(cx);
}

static void a_deleted_tenants_keys_and_secrets_are_destroyed(void **state)
{
	struct ctx *cx = open_vault("ctl", &TENANT_A), *other = open_vault("vault", &TENANT_B);
	struct id id, kept;

	(void)state;
	assert_ok(store(cx, "api_key", LONG_KEY, &id));
	assert_ok(store(other, "api_key", LONG_KEY, &kept));
	assert_ok(IN_TRANSACTION(cx, vault_forget_tenant(cx)));
	assert_int_equal(number_of("SELECT COUNT(*) FROM tenant_key", &ID_NIL), 1);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential_version WHERE credential_id = ID", &id),
		0);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential WHERE credential_id = ID", &id),
			 0);
	assert_opens_as(other, &kept, LONG_KEY);
	close_vault(cx);
	close_vault(other);
}

static void a_deleted_tenant_cant_store_a_secret(void **state)
{
	struct ctx *cx = open_vault("vault", &TENANT_A);

	(void)state;
	run_sql("UPDATE tenant SET deleted_at = 1 WHERE tenant_id = ID", &TENANT_A);
	assert_int_equal(store(cx, "api_key", LONG_KEY, NULL), ERR_NOT_FOUND);
	close_vault(cx);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, empty_vault)
	const struct CMUnitTest tests[] = {
		T(a_stored_credential_is_read_masked_and_opens_to_what_was_sent),
		T(reveal_answers_the_plain_data_and_nothing_else_does),
		T(the_database_holds_no_plain_secret),
		T(another_tenants_credential_is_absent_everywhere),
		T(a_change_makes_a_version_only_when_the_data_differs),
		T(a_change_that_takes_a_required_secret_away_is_refused_and_changes_nothing),
		T(a_new_secret_is_untested_and_a_new_name_is_not),
		T(an_update_that_changes_nothing_writes_nothing_and_keeps_its_tag),
		T(two_changes_within_one_millisecond_have_different_tags),
		T(only_the_newest_versions_are_kept),
		T(a_restored_version_becomes_the_newest),
		T(data_of_more_than_64_kib_is_refused),
		T(a_hidden_credential_is_gone_at_once_and_destroyed_after_its_time),
		T(a_purge_leaves_no_row_and_says_so),
		T(a_list_is_filtered_and_shows_no_secret),
		T(a_service_has_one_key_that_is_made_replaced_listed_and_removed),
		T(a_key_cant_be_moved_to_a_service_that_has_one),
		T(a_deleted_tenants_keys_and_secrets_are_destroyed),
		T(a_deleted_tenant_cant_store_a_secret),
	};
#undef T

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
