/* Members, roles and invitations. */
#include <pthread.h>

#include "identity_support.h"

static struct client *owner; /* Ada's process of the vault pool */
static struct client *front; /* the same person at the front */

static int an_owner_signs_in(void **state)
{
	if (empty_identity(state))
		return -1;
	owner = registered("ada@example.test");
	front = client_open("front");
	client_follow(front, owner);
	return 0;
}

static int she_leaves(void **state)
{
	(void)state;
	client_close(owner);
	client_close(front);
	return 0;
}

/* Invites and joins: a client of the vault pool, signed in to Ada's tenant. */
static struct client *joined(const char *email, const char *role)
{
	struct client *client = client_open("vault");
	char token[128];

	assert_ok(CALL(front, invitation_create, .email = str_of(email), .role = str_of(role)));
	assert_int_equal(front->reply.status, 201);
	mailed_token(client, email, token);
	assert_ok(
		CALL(client, invitation_accept, .token = str_of(token), .password = STR(PASSWORD)));
	assert_str(answered(client, "role"), role);
	return client;
}

static struct client *at_the_front(const struct client *vault)
{
	struct client *client = client_open("front");

	client_follow(client, vault);
	return client;
}

static struct id id_of(const struct client *client)
{
	return answered_id(client, "user.id", ID_USER);
}

/* --- invitations --------------------------------------------------------- */
static void somebody_new_joins_by_a_link_that_works_once(void **state)
{
	struct client *client = client_open("vault");
	char token[128];

	(void)state;
	assert_ok(
		CALL(front, member_add, .email = STR("Grace@Example.test"), .role = STR("member")));
	mailed_token(client, "grace@example.test", token);
	assert_int_equal(CALL(client, invitation_accept, .token = str_of(token)), ERR_BAD_INPUT);
	assert_int_equal(CALL(client, invitation_accept, .token = str_of(token),
			      .password = STR("password123")),
			 ERR_BAD_INPUT);
	assert_ok(CALL(client, invitation_accept, .token = str_of(token), .password = STR(PASSWORD),
		       .name = STR("Grace")));
	assert_str(answered(client, "user.name"), "Grace");
	assert_true(json_is_true(json_member(json_member(client->json, "user"), "email_verified")));
	client->access[0] = '\0';
	assert_int_equal(
		CALL(client, invitation_accept, .token = str_of(token), .password = STR(PASSWORD)),
		ERR_LINK_USED);
	assert_ok(GET(front, member_list, .limit = 50));
	assert_int_equal(json_length(front->json), 2);
	assert_ok(GET(front, invitation_list, .limit = 50));
	assert_int_equal(json_length(front->json), 0);
	client_close(client);
}

static void an_account_that_exists_signs_in_before_it_joins(void **state)
{
	struct client *eve = registered("eve@example.test");
	char token[128], access[CLIENT_TEXT];

	(void)state;
	assert_ok(CALL(front, invitation_create, .email = STR("eve@example.test"),
		       .role = STR("viewer")));
	mailed_token(eve, "eve@example.test", token);
	memcpy(access, eve->access, sizeof(access));
	eve->access[0] = '\0';
	assert_int_equal(
		CALL(eve, invitation_accept, .token = str_of(token), .password = STR(PASSWORD)),
		ERR_NO_TOKEN);
	memcpy(eve->access, access, sizeof(access));
	assert_ok(CALL(eve, invitation_accept, .token = str_of(token)));
	assert_str(answered(eve, "role"), "viewer");
	assert_true(json_is_true(json_member(json_member(eve->json, "user"), "email_verified")));
	assert_int_equal(CALL(front, invitation_create, .email = STR("eve@example.test"),
			      .role = STR("viewer")),
			 ERR_CONFLICT);
	client_close(eve);
}

static void the_newest_invitation_counts_and_one_taken_back_is_void(void **state)
{
	struct client *client = client_open("vault");
	char first[128], second[128];
	struct id id;

	(void)state;
	assert_ok(CALL(front, invitation_create, .email = STR("bob@example.test"),
		       .role = STR("member")));
	mailed_token(client, "bob@example.test", first);
	now_ms += 1000;
	assert_ok(CALL(front, invitation_create, .email = STR("BOB@example.test"),
		       .role = STR("viewer")));
	id = answered_id(front, "id", ID_INVITATION);
	mailed_token(client, "bob@example.test", second);
	assert_int_equal(
		CALL(client, invitation_accept, .token = str_of(first), .password = STR(PASSWORD)),
		ERR_LINK_USED);
	assert_ok(CALL(front, invitation_delete, .invitation_id = id));
	assert_int_equal(
		CALL(client, invitation_accept, .token = str_of(second), .password = STR(PASSWORD)),
		ERR_LINK_USED);
	assert_int_equal(CALL(front, invitation_delete, .invitation_id = id), ERR_NOT_FOUND);
	client_close(client);
}

static void somebody_who_was_disabled_lets_nobody_in(void **state)
{
	struct client *client = client_open("vault");
	char token[128];

	(void)state;
	assert_ok(CALL(front, invitation_create, .email = STR("bob@example.test"),
		       .role = STR("admin")));
	mailed_token(client, "bob@example.test", token);
	run_sql("UPDATE user SET disabled_at = 1 WHERE email_key = 'ada@example.test'");
	assert_int_equal(
		CALL(client, invitation_accept, .token = str_of(token), .password = STR(PASSWORD)),
		ERR_LINK_USED);
	run_sql("UPDATE user SET disabled_at = NULL");
	assert_ok(
		CALL(client, invitation_accept, .token = str_of(token), .password = STR(PASSWORD)));
	client_close(client);
}

static void an_invitation_ends(void **state)
{
	struct client *client = client_open("vault");
	char token[128];

	(void)state;
	assert_ok(CALL(front, invitation_create, .email = STR("bob@example.test"),
		       .role = STR("member")));
	mailed_token(client, "bob@example.test", token);
	now_ms += config.auth_invitation_ms;
	assert_int_equal(
		CALL(client, invitation_accept, .token = str_of(token), .password = STR(PASSWORD)),
		ERR_LINK_USED);
	client_close(client);
}

static void another_tenants_invitation_is_not_there(void **state)
{
	struct client *eve = registered("eve@example.test"), *eve_front = at_the_front(eve);
	struct id id;

	(void)state;
	assert_ok(CALL(front, invitation_create, .email = STR("bob@example.test"),
		       .role = STR("member")));
	id = answered_id(front, "id", ID_INVITATION);
	assert_int_equal(CALL(eve_front, invitation_delete, .invitation_id = id), ERR_NOT_FOUND);
	assert_int_equal(
		CALL(eve_front, invitation_update, .invitation_id = id, .role = STR("owner")),
		ERR_NOT_FOUND);
	assert_ok(GET(eve_front, invitation_list, .limit = 50));
	assert_int_equal(json_length(eve_front->json), 0);
	client_close(eve);
	client_close(eve_front);
}

/* --- roles --------------------------------------------------------------- */
static void a_change_of_role_stops_the_tokens_of_the_old_one_at_once(void **state)
{
	struct client *bob = joined("bob@example.test", "admin"), *bob_front = at_the_front(bob);
	struct id id = id_of(bob);

	(void)state;
	assert_ok(GET(bob_front, me_get, 0));
	assert_ok(GET(bob_front, me_get, 0));
	assert_ok(CALL(front, member_update, .user_id = id, .role = STR("viewer")));
	assert_int_equal(GET(bob_front, me_get, 0), ERR_SESSION_ENDED);
	bob_front->access[0] = '\0';
	assert_ok(CALL(bob_front, auth_refresh, .refresh_token = str_of(bob_front->refresh)));
	assert_str(answered(bob_front, "role"), "viewer");
	assert_ok(GET(bob_front, me_get, 0));
	client_close(bob);
	client_close(bob_front);
}

static void who_is_removed_is_out_with_tokens_and_invitations(void **state)
{
	struct client *bob = joined("bob@example.test", "admin"), *bob_front = at_the_front(bob);
	struct client *program = client_open("front");
	struct id id = id_of(bob);
	char way_back[128];

	(void)state;
	assert_ok(CALL(bob_front, token_create, .name = STR("ci")));
	snprintf(program->access, sizeof(program->access), "%.*s",
		 STR_ARG(answered(bob_front, "token")));
	assert_ok(GET(program, me_get, 0));
	assert_ok(CALL(bob_front, invitation_create, .email = STR("bob2@example.test"),
		       .role = STR("admin")));
	mailed_token(bob_front, "bob2@example.test", way_back);
	assert_ok(CALL(front, member_remove, .user_id = id));
	assert_int_equal(GET(bob_front, me_get, 0), ERR_SESSION_ENDED);
	assert_int_equal(GET(program, me_get, 0), ERR_BAD_TOKEN);
	bob->access[0] = '\0';
	assert_int_equal(
		CALL(bob, invitation_accept, .token = str_of(way_back), .password = STR(PASSWORD)),
		ERR_LINK_USED);
	assert_int_equal(sign_in(bob, "bob@example.test", PASSWORD), ERR_DENIED);
	assert_int_equal(CALL(front, member_remove, .user_id = id), ERR_NOT_FOUND);
	client_close(bob);
	client_close(bob_front);
	client_close(program);
}

static void the_tokens_of_somebody_who_may_not_make_tokens_rest(void **state)
{
	struct client *bob = joined("bob@example.test", "admin"), *bob_front = at_the_front(bob);
	struct client *program = client_open("front");
	struct id id = id_of(bob);

	(void)state;
	assert_ok(CALL(bob_front, token_create, .name = STR("ci")));
	snprintf(program->access, sizeof(program->access), "%.*s",
		 STR_ARG(answered(bob_front, "token")));
	assert_ok(CALL(front, member_update, .user_id = id, .role = STR("member")));
	assert_int_equal(GET(program, me_get, 0), ERR_BAD_TOKEN);
	assert_ok(CALL(front, member_update, .user_id = id, .role = STR("admin")));
	assert_ok(GET(program, me_get, 0));
	client_close(bob);
	client_close(bob_front);
	client_close(program);
}

static void only_an_owner_touches_owners(void **state)
{
	struct client *bob = joined("bob@example.test", "admin"), *bob_front = at_the_front(bob);
	struct id ada_id = id_of(owner), bob_id = id_of(bob);

	(void)state;
	assert_int_equal(CALL(bob_front, member_update, .user_id = bob_id, .role = STR("owner")),
			 ERR_DENIED);
	assert_int_equal(CALL(bob_front, member_update, .user_id = ada_id, .role = STR("viewer")),
			 ERR_DENIED);
	assert_int_equal(CALL(bob_front, member_remove, .user_id = ada_id), ERR_DENIED);
	assert_int_equal(CALL(bob_front, invitation_create, .email = STR("x@example.test"),
			      .role = STR("owner")),
			 ERR_DENIED);
	client_close(bob);
	client_close(bob_front);
}

static void an_owner_stays(void **state)
{
	struct id ada_id = id_of(owner);

	(void)state;
	assert_int_equal(CALL(front, member_update, .user_id = ada_id, .role = STR("admin")),
			 ERR_LAST_OWNER);
	assert_int_equal(CALL(front, member_remove, .user_id = ada_id), ERR_LAST_OWNER);
	assert_ok(CALL(front, member_update, .user_id = ada_id, .role = STR("owner")));
}

static void a_stale_entity_tag_changes_nobody(void **state)
{
	struct client *bob = joined("bob@example.test", "member");
	struct id id = id_of(bob);

	(void)state;
	snprintf(front->header[0], CLIENT_TEXT, "HTTP_IF_MATCH=\"old\"");
	assert_int_equal(CALL(front, member_update, .user_id = id, .role = STR("viewer")),
			 ERR_PRECONDITION_FAILED);
	assert_int_equal(CALL(front, member_remove, .user_id = id), ERR_PRECONDITION_FAILED);
	client_close(bob);
}

/* --- at the same time ---------------------------------------------------- */
enum { CROWD = 8 };

struct rival {
	pthread_t thread;
	struct client *client;
	struct id target;
	char token[128];
	enum err e;
};

static void run_all(struct rival *rivals, size_t n, void *(*what)(void *))
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(pthread_create(&rivals[i].thread, NULL, what, &rivals[i]), 0);
	for (size_t i = 0; i < n; i++)
		pthread_join(rivals[i].thread, NULL);
}

static void *demote(void *arg)
{
	struct rival *rival = arg;

	rival->e =
		CALL(rival->client, member_update, .user_id = rival->target, .role = STR("viewer"));
	return NULL;
}

static void two_owners_who_demote_each_other_at_once_leave_an_owner(void **state)
{
	struct client *bob = joined("bob@example.test", "owner");
	struct rival rivals[2] = { { .client = front, .target = id_of(bob) },
				   { .client = at_the_front(bob), .target = id_of(owner) } };

	(void)state;
	run_all(rivals, 2, demote);
	assert_int_equal(number_of("SELECT COUNT(*) FROM membership WHERE role = 'owner'"), 1);
	assert_true((rivals[0].e == OK) != (rivals[1].e == OK));
	client_close(rivals[1].client);
	client_close(bob);
}

static void *accept_it(void *arg)
{
	struct rival *rival = arg;

	for (int i = 0; i < 3; i++) {
		rival->e = CALL(rival->client, invitation_accept, .token = str_of(rival->token),
				.password = STR(PASSWORD));
		if (rival->e != ERR_DB_RETRY)
			break;
	}
	return NULL;
}

static void of_many_who_redeem_one_invitation_at_once_one_gets_in(void **state)
{
	struct rival rivals[CROWD] = { { .client = NULL } };
	int in = 0;

	(void)state;
	assert_ok(CALL(front, invitation_create, .email = STR("bob@example.test"),
		       .role = STR("member")));
	for (size_t i = 0; i < CROWD; i++) {
		rivals[i].client = client_open("vault");
		mailed_token(rivals[i].client, "bob@example.test", rivals[i].token);
	}
	run_all(rivals, CROWD, accept_it);
	for (size_t i = 0; i < CROWD; i++) {
		in += rivals[i].e == OK;
		if (rivals[i].e != OK)
			assert_int_equal(rivals[i].e, ERR_LINK_USED);
		client_close(rivals[i].client);
	}
	assert_int_equal(in, 1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM membership"), 2);
}

static void *refresh_it(void *arg)
{
	struct rival *rival = arg;

	rival->client->access[0] = '\0';
	rival->e = CALL(rival->client, auth_refresh, .refresh_token = str_of(rival->token));
	return NULL;
}

static void of_many_who_use_one_refresh_token_at_once_one_gets_tokens(void **state)
{
	struct rival rivals[CROWD] = { { .client = NULL } };
	int in = 0;

	(void)state;
	for (size_t i = 0; i < CROWD; i++) {
		rivals[i].client = client_open("front");
		snprintf(rivals[i].token, sizeof(rivals[i].token), "%.100s", front->refresh);
	}
	run_all(rivals, CROWD, refresh_it);
	for (size_t i = 0; i < CROWD; i++) {
		in += rivals[i].e == OK;
		client_close(rivals[i].client);
	}
	assert_int_equal(in, 1);
	/* The others' use of it was a second one. */
	assert_int_equal(GET(front, me_get, 0), ERR_SESSION_ENDED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, an_owner_signs_in, she_leaves)
		TEST(somebody_new_joins_by_a_link_that_works_once),
		TEST(an_account_that_exists_signs_in_before_it_joins),
		TEST(the_newest_invitation_counts_and_one_taken_back_is_void),
		TEST(somebody_who_was_disabled_lets_nobody_in),
		TEST(an_invitation_ends),
		TEST(another_tenants_invitation_is_not_there),
		TEST(a_change_of_role_stops_the_tokens_of_the_old_one_at_once),
		TEST(who_is_removed_is_out_with_tokens_and_invitations),
		TEST(the_tokens_of_somebody_who_may_not_make_tokens_rest),
		TEST(only_an_owner_touches_owners),
		TEST(an_owner_stays),
		TEST(a_stale_entity_tag_changes_nobody),
		TEST(two_owners_who_demote_each_other_at_once_leave_an_owner),
		TEST(of_many_who_redeem_one_invitation_at_once_one_gets_in),
		TEST(of_many_who_use_one_refresh_token_at_once_one_gets_tokens),
	};

	return cmocka_run_group_tests_name("identity: people", tests, start_identity,
					   stop_feature);
}
