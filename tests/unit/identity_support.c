#include "identity_support.h"

#include "base/clock.h"
#include "identity/outbox.h"
#include "store/sql_mail.h"

int64_t now_ms;

/* --- the server ---------------------------------------------------------- */
int start_identity(void **state)
{
	char key[KEYRING_ID_MAX + 1];

	(void)state;
	start_feature(key);
	return 0;
}

int empty_identity(void **state)
{
	static char public_url[] = "https://lw.example", audience[] = "latchwork", empty[] = "";

	(void)state;
	now_ms = clock_now_ms();
	config = (struct config){
		.server_public_url = public_url,
		.auth_issuer = empty,
		.auth_audience = audience,
		.auth_access_token_ms = 900000,
		.auth_refresh_token_ms = 604800000,
		.auth_session_ms = 2592000000,
		.auth_reset_link_ms = 3600000,
		.auth_verify_link_ms = 86400000,
		.auth_invitation_ms = 604800000,
		.auth_registration = true,
		.auth_argon2_memory_kib = 8192,
		.auth_argon2_passes = 1,
		.auth_clock_leeway_ms = 30000,
	};
	run_sql("DELETE FROM user; DELETE FROM tenant; DELETE FROM membership; DELETE FROM session;"
		"DELETE FROM refresh_token; DELETE FROM one_time_token; DELETE FROM invitation; DELETE FROM api_token;"
		"DELETE FROM login_throttle; DELETE FROM issuer_tenant; DELETE FROM issuer_join; DELETE FROM jwks;"
		"DELETE FROM jwks_refresh; DELETE FROM mail; DELETE FROM audit");
	return 0;
}

long number_of(const char *sql) { return private_mariadb_number(&server, "latchwork", sql); }

void run_sql(const char *sql) { private_mariadb_run(&server, "latchwork", sql); }

/* --- clients ------------------------------------------------------------- */
void client_reload(struct client *client)
{
	char why[IDENTITY_WHY_MAX];

	identity_free(client->cx.identity);
	if (identity_new(&config, client->cx.front_keys, why, &client->cx.identity) != OK)
		fail_msg("%s", why);
}

struct client *client_open(const char *pool)
{
	struct client *client = calloc(1, sizeof(*client));

	assert_non_null(client);
	client->address = "192.0.2.1";
	open_context(&client->cx, pool);
	client->cx.front_keys = open_key_directory();
	client_reload(client);
	reply_init(&client->reply);
	return client;
}

void client_close(struct client *client)
{
	reply_done(&client->reply);
	identity_free(client->cx.identity);
	close_context(&client->cx);
	free(client);
}

void client_follow(struct client *client, const struct client *other)
{
	memcpy(client->access, other->access, sizeof(client->access));
	memcpy(client->refresh, other->refresh, sizeof(client->refresh));
	memcpy(client->header, other->header, sizeof(client->header));
}

static void make_request(struct client *client, const char *method)
{
	size_t n = 0;

	if (client->access[0]) {
		snprintf(client->authorization, sizeof(client->authorization),
			 "HTTP_AUTHORIZATION=Bearer %s", client->access);
		client->params[n++] = client->authorization;
	}
	for (size_t i = 0; i < CLIENT_HEADERS; i++)
		if (client->header[i][0])
			client->params[n++] = client->header[i];
	client->params[n] = NULL;
	client->decoder = (struct decoder){ .params = client->params };
	client->request = (struct request){ .method = str_of(method),
					    .path = STR("/api/v1/test"),
					    .query = STR_NONE,
					    .fcgi = &client->decoder };
}

enum err client_begin(struct client *client, const char *method)
{
	struct ctx *cx = &client->cx;

	arena_reset(cx->arena);
	reply_reset(&client->reply);
	client->json = NULL;
	make_request(client, method);
	cx->request = &client->request;
	cx->now_ms = now_ms;
	cx->address = str_of(client->address);
	cx->problem = (struct problem){ .count = 0 };
	cx->audit = (struct audit_note){ 0 };
	cx->keep_changes = false;
	TRY(identity_authenticate(cx, strcmp(method, "GET") == 0));
	if (strcmp(method, "GET") == 0)
		return OK;
	TRY(identity_check_csrf(cx));
	return db_begin(cx->db);
}

static void read_answer(struct client *client)
{
	struct str text;

	if (client->reply.body.n == 0)
		return;
	assert_ok(json_read(client->cx.arena, buf_str(&client->reply.body), &client->json, NULL));
	text = json_member_text(client->json, "access_token");
	if (!str_absent(text))
		snprintf(client->access, sizeof(client->access), "%.*s", STR_ARG(text));
	text = json_member_text(client->json, "refresh_token");
	if (!str_absent(text))
		snprintf(client->refresh, sizeof(client->refresh), "%.*s", STR_ARG(text));
}

enum err client_end(struct client *client, enum err e)
{
	struct db *db = client->cx.db;
	enum err committed = OK;

	if (db_in_transaction(db)) {
		if (e == OK || client->cx.keep_changes)
			committed = db_commit(db);
		else
			db_rollback(db);
	}
	db_leave(db);
	if (e == OK)
		e = committed;
	if (e == OK)
		read_answer(client);
	return e;
}

enum err client_end_read(struct client *client, enum err e)
{
	if (client->cx.who.who != WHO_NOBODY && !client->cx.who.live &&
	    !db_live_confirmed(client->cx.db)) {
		enum err confirmed = identity_confirm_live(&client->cx);

		if (confirmed != OK)
			e = confirmed;
	}
	return client_end(client, e == ERR_END ? OK : e);
}

/* --- people -------------------------------------------------------------- */
struct client *registered(const char *email)
{
	struct client *client = client_open("vault");

	assert_ok(CALL(client, auth_register, .email = str_of(email), .password = STR(PASSWORD)));
	return client;
}

enum err sign_in(struct client *client, const char *email, const char *password)
{
	client->access[0] = '\0';
	return CALL(client, auth_login, .email = str_of(email), .password = str_of(password));
}

struct str answered(const struct client *client, const char *path)
{
	const json_t *value = client->json;
	struct str rest = str_of(path), text;

	while (!str_absent(rest)) {
		struct str part = str_cut(&rest, '.');
		char name[64];

		snprintf(name, sizeof(name), "%.*s", STR_ARG(part));
		value = json_member(value, name);
	}
	text = json_text(value);
	if (str_absent(text))
		fail_msg("no %s in %.*s", path, STR_ARG(buf_str(&client->reply.body)));
	return text;
}

struct id answered_id(const struct client *client, const char *path, enum id_kind kind)
{
	struct id id;

	assert_true(id_parse(kind, answered(client, path), &id));
	return id;
}

void answered_header(const struct client *client, const char *start, char ret_value[CLIENT_TEXT])
{
	struct str rest = buf_str(&client->reply.head);

	while (rest.n > 0) {
		struct str line = str_cut(&rest, '\n');

		if (!str_starts(line, str_of(start)))
			continue;
		line = str_slice(line, strlen(start), line.n);
		line = str_cut(&line, ';');
		snprintf(ret_value, CLIENT_TEXT, "%.*s", STR_ARG(line));
		return;
	}
	fail_msg("no header %s", start);
}

/* --- mails --------------------------------------------------------------- */
void mailed_token(struct client *client, const char *recipient, char ret_token[128])
{
	struct db *db = connect_as("ctl");
	struct sql_mail_unsent_in in = { .before = ID_MAX, .limit = 50 };
	struct sql_mail_unsent_row row;
	struct secret json = SECRET_EMPTY;
	bool found = false;
	enum err e;

	assert_ok(sql_mail_unsent(db, &in));
	while ((e = sql_mail_unsent_next(db, &row)) == OK) {
		json_t *mail;
		struct str link;

		if (found || !str_eq(row.recipient, str_of(recipient)))
			continue;
		found = true;
		assert_ok(mail_open(client->cx.front_keys, &row.mail_id, row.recipient, row.payload,
				    &json));
		assert_ok(json_read(client->cx.arena, secret_str(&json), &mail, NULL));
		link = json_member_text(mail, "link");
		str_cut(&link, '=');
		snprintf(ret_token, 128, "%.*s", STR_ARG(link));
		secret_done(&json);
	}
	assert_int_equal(e, ERR_END);
	if (!found)
		fail_msg("no mail to %s", recipient);
	db_free(db);
}
