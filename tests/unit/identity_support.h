/* Clients that call operations as the pipeline does. */
#ifndef LW_TESTS_IDENTITY_SUPPORT_H
#define LW_TESTS_IDENTITY_SUPPORT_H

#include "core/operations.h"
#include "fcgi/decode.h"
#include "fcgi/request.h"
#include "feature_support.h"
#include "identity/authenticate.h"
#include "identity/identity.h"

enum { CLIENT_HEADERS = 8, CLIENT_TEXT = 4096 };

/* Somebody who calls: what they send, and what they got. */
struct client {
	const char *address;
	char access[CLIENT_TEXT]; /* sent as a bearer token when it isn't empty */
	char refresh[256];
	char header[CLIENT_HEADERS][CLIENT_TEXT]; /* "HTTP_COOKIE=…": sent as they are */
	struct ctx cx;
	struct reply reply;
	json_t *json; /* of the answer; NULL without one */
	/* private */
	char *params[CLIENT_HEADERS + 2];
	char authorization[CLIENT_TEXT + 64];
	struct decoder decoder;
	struct request request;
};

extern int64_t now_ms; /* what all clients take for the time */

/* The group setup; stop_feature is the teardown. */
int start_identity(void **state);
/* Before each test: nobody, and the configuration as it is. */
int empty_identity(void **state);

/* A client behind one process of that pool ("front", "vault"). */
struct client *client_open(const char *pool);
void client_close(struct client *client);
/* Makes the process's keys and issuers anew, as after a reload. */
void client_reload(struct client *client);
/* The same person at a process of another pool: takes over their tokens. */
void client_follow(struct client *client, const struct client *other);

/* CALL(client, auth_login, .email = STR("…"), …): authenticates, runs in a transaction; the error or OK. */
#define CALL(client, operation, ...)                                                               \
	({                                                                                         \
		struct operation##_in call_in_ = { __VA_ARGS__ };                                  \
		enum err call_e_ = client_begin(client, "POST");                                   \
		if (call_e_ == OK)                                                                 \
			call_e_ = operation(&(client)->cx, &call_in_, &(client)->reply);           \
		client_end(client, call_e_);                                                       \
	})
/* A GET: no transaction; the check of the session may be left to the statement. */
#define GET(client, operation, ...)                                                                \
	({                                                                                         \
		struct operation##_in call_in_ = { __VA_ARGS__ };                                  \
		enum err call_e_ = client_begin(client, "GET");                                    \
		if (call_e_ == OK)                                                                 \
			call_e_ = operation(&(client)->cx, &call_in_, &(client)->reply);           \
		client_end_read(client, call_e_);                                                  \
	})
enum err client_begin(struct client *client, const char *method);
enum err client_end(struct client *client, enum err e);
enum err client_end_read(struct client *client, enum err e);

/* Each makes an account (with a tenant) at a vault client and signs in as it. */
struct client *registered(const char *email);
enum err sign_in(struct client *client, const char *email, const char *password);
/* The answer's text at "user.email"; the test fails without it. */
struct str answered(const struct client *client, const char *path);
struct id answered_id(const struct client *client, const char *path, enum id_kind kind);
/* A header of the answer that begins so ("Set-Cookie: __Host-latchwork="): its rest up to ';', copied. */
void answered_header(const struct client *client, const char *start, char ret_value[CLIENT_TEXT]);

/* The token in the link of the newest mail to that address, opened with the root key. */
void mailed_token(struct client *client, const char *recipient, char ret_token[128]);
/* A number out of the database, asked as root. */
long number_of(const char *sql);
void run_sql(const char *sql);

#define PASSWORD "a good and long passphrase"

#endif
