/*
 * What the tests of the OAuth dance share: browsers of two tenants, and a provider that is a script. token_fetch,
 * call_send and verify_connection are the script's (-Wl,--wrap); everything else is as it is.
 */
#ifndef LW_TESTS_OAUTH_SUPPORT_H
#define LW_TESTS_OAUTH_SUPPORT_H

#include "connect/catalog.h"
#include "connect/connector.h"
#include "connect/oauth_state.h"
#include "connect/token.h"
#include "connect/verify.h"
#include "core/operations.h"
#include "fcgi/decode.h"
#include "fcgi/request.h"
#include "vault_support.h"

/* What the provider was asked, and what it answers. */
struct provider {
	int calls; /* of the token URL */
	char code[64], redirect_uri[256], challenge[64], client_id[64], client_secret[64],
		asked[64], shop[64];
	enum err answer;
	struct token_failure failure;
	const char *granted; /* scopes; NULL: not told */
	struct verify_outcome outcome;
	int verified;
	int orgs_status; /* of the question after the token */
};

extern struct provider provider;
/* "acme" is any provider; "signed" signs its callbacks as Shopify does. One catalogue has one type. */
extern struct catalog *acme_catalog, *signed_catalog;

/* Somebody at the console of a tenant, with a cookie jar. */
struct browser {
	struct ctx *cx;
	struct reply reply; /* its body ends with a NUL */
	char jar[256];      /* HTTP_COOKIE=… */
	char accept[64];    /* HTTP_ACCEPT=… */
	char location[8192];
	char state[64], challenge[64]; /* of the last location */
	/* private */
	char query[1024];
	char *params[4];
	struct decoder decoder;
	struct request request;
	struct id tenant;
};

/* Group setup and teardown, and before each test: no consents, no connectors; USER_A is a member of both tenants. */
int start_oauth(void **state);
int stop_oauth(void **state);
int fresh_oauth(void **state);
#define TEST(function) cmocka_unit_test_setup(function, fresh_oauth)

struct browser *browser_open(const struct id *tenant);
void browser_close(struct browser *b);

/* A request as the pipeline prepares it, and what the browser keeps of the answer. */
void begin_request(struct browser *b, const char *query);
void end_request(struct browser *b);
/* The query as it stands, and what of it the pipeline would have read. */
enum err start_with(struct browser *b, const char *query, const struct oauth_start_in *in);
#define START(b, query, ...)                                                                       \
	start_with(b, query, &(struct oauth_start_in){ .type = STR("acme"), __VA_ARGS__ })
#define SHOP "shop=one.acme.example"
#define RETURN_TO .return_to = STR("https://app.example/done?a=b#c")
/* A callback: nobody is signed in. */
enum err back(struct browser *b, const char *type, const char *query);
/* "state=…&rest" of the browser's last start; valid until the next call. */
const char *with_state(const struct browser *b, const char *rest);
/* A whole dance to a connector. */
void connect_to(struct browser *b, const char *account);
struct id only_connector(void);

/* The rest of the header line that begins so, up to one of those characters; empty without one. */
void take_header(const struct browser *b, const char *start, const char *ends, char *to,
		 size_t size);
bool page_says(const struct browser *b, const char *text);
void assert_page(const struct browser *b, int status, const char *text);
void assert_sent_to(const struct browser *b, const char *location);
void assert_starts(const char *text, const char *start);
void copy(char *to, size_t size, struct str text);

/* Out of the database, asked as root. */
long number(const char *sql);
void run(const char *sql);

#endif
