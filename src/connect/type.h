/*
 * A connector type: one provider, as its file in conf/connectors/ tells it.
 *
 * The files are data. What a member means is said once, in members.def; a
 * struct below holds what the program asks for at run time. Texts that may hold
 * `{name}` are called templates: a name stands for a value of the connection
 * (values.h). Everything lives as long as the catalogue.
 */
#ifndef LW_CONNECT_TYPE_H
#define LW_CONNECT_TYPE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

struct texts {
	const struct str *v;
	size_t n;
};

struct pair {
	struct str name, value; /* both are templates; with a missing {name?} the pair is left out */
};

struct pairs {
	const struct pair *v;
	size_t n;
};

/* How a connection proves itself to the provider. */
enum auth_mode {
	AUTH_OAUTH2,             /* authorization code: RFC 6749, section 4.1 */
	AUTH_CLIENT_CREDENTIALS, /* RFC 6749, section 4.4 */
	AUTH_SERVICE_ACCOUNT,    /* JWT bearer: RFC 7523, section 2.1 */
	AUTH_API_KEY,
	AUTH_BASIC,
	AUTH_DATABASE,
	AUTH_SMTP,
	AUTH_AWS,
	AUTH_NONE,
	AUTH_MODES
};

/* "oauth2_authorization_code" ...: as in the files, in the API and in the database. */
const char *auth_mode_text(enum auth_mode mode);

/* A request to the provider; url and the rest are templates. */
struct request_spec {
	struct str method;
	struct str url;
	struct pairs headers;
	struct pairs query;
	struct pairs form;  /* application/x-www-form-urlencoded */
	struct str json;    /* or a JSON text, in which {name} is escaped as a JSON string's content */
	bool form_as_json;  /* `form` is sent as a JSON object */
	bool basic;         /* Authorization: Basic, of the two below */
	struct str basic_user, basic_password;
	/*
	 * Not of a file: a stranger's request. Headers, query and form are no templates then; the URL is one still.
	 * `body` is sent as it is.
	 */
	bool literal;
	struct str body; /* absent: none */
};

/* One way to authenticate: what it asks the user for, where that is kept, how a request carries it. */
struct auth_way {
	enum auth_mode mode;
	struct str id;         /* of the way within its type: the mode's text unless a type has two of one mode */
	struct str label;      /* for a person: "Sign in with Xero", "Private app token" */
	struct str help;
	struct str credential; /* the type of credential that keeps it: oauth2, api_key, basic_auth ... */
	struct pairs data;     /* members of the credential that nobody is asked for: the engine of a database */
	struct pairs headers;
	struct pairs query;
	bool basic;
	struct str basic_user, basic_password;
	bool aws_sigv4; /* requests are signed */
};

/* What a person fills in. */
struct connector_field {
	struct str name, label, help, where_found;
	struct str pattern; /* POSIX extended; absent: any text */
	struct str default_value;
	struct str member; /* where the credential's data keeps it: "api_key", "extra.shop"; "*": its text is a JSON
			    * object whose members are the data (a Google key file) */
	struct texts choices; /* none: any */
	struct texts choice_labels; /* words for them; none: they speak for themselves */
	struct texts ways;    /* of auth_way.id; none: every way asks for it */
	bool secret, required, integer, multiline;
	bool of_client; /* the OAuth client's secret is sent there: whoever connects can't choose it */
};

/* Where an answer says when the token ends. */
enum expiry_kind {
	EXPIRY_IN,          /* seconds, as a number or a text */
	EXPIRY_AT,          /* an RFC 3339 time */
	EXPIRY_NONE         /* not told: access_ttl_s, or it doesn't end */
};

/* What a token answer looks like and how the tokens behave. */
struct token_rules {
	struct texts access_token;  /* JSON paths; the first that is there wins */
	struct str refresh_token;   /* JSON path */
	struct str expiry_path;     /* JSON path */
	struct str scope;           /* JSON path */
	enum expiry_kind expiry;
	int64_t access_ttl_s;       /* when the answer doesn't tell; 0: it doesn't end */
	struct str refresh_expiry;  /* JSON path of seconds; absent: not told */
	bool error_in_200;          /* an error may come with status 200: `error` or ok=false */
	struct texts keep;          /* JSON paths whose values become values of the connection ("team.id" -> team_id) */
	int64_t idle_ttl_s;         /* of the refresh token; 0: none known */
	struct texts terminal_errors; /* besides invalid_grant: the connection is dead */
};

enum client_auth { CLIENT_POST, CLIENT_BASIC, CLIENT_NO_SECRET };

struct after_token_spec {
	struct request_spec request;
	struct pairs values; /* name, JSON path */
};

struct oauth2_spec {
	struct str authorization_url; /* templates */
	struct str token_url;
	struct str issuer; /* of callbacks, exactly (RFC 9207); absent: by the host of either URL */
	struct texts scopes;
	struct str scope_separator;
	struct str scope_param; /* "scope" unless the provider calls it otherwise; empty: not sent */
	bool pkce;              /* S256 (RFC 7636) */
	enum client_auth client_auth;
	bool token_json;        /* the token request is JSON, else a form */
	struct pairs authorize_params, token_params, token_headers;
	bool omit_response_type;
	struct texts callback_params; /* of the callback's query, kept as values of the connection ("realmId") */
	bool shopify_hmac;            /* the callback is signed as Shopify does it */
	struct str refresh_grant;     /* refresh_token, or fb_exchange_token */
	struct token_rules token;
	bool has_revoke;
	struct request_spec revoke;
	/*
	 * One more question between the token and the account ("which organisation is this?"): the request says its own
	 * authentication (call_make with no way), and each path of its answer that is there becomes a value of the
	 * connection, kept in `extra` like `keep` and the callback's parameters.
	 */
	bool has_after_token;
	struct after_token_spec after_token;
};

struct client_credentials_spec {
	struct str token_url;
	struct texts scopes;
	enum client_auth client_auth;
	bool token_json;
	struct pairs token_params;
	struct token_rules token;
};

struct service_account_spec {
	struct str token_url, audience;
	struct texts scopes;
	struct str issuer, subject; /* templates */
	struct str key_field;       /* the field with the private key (PEM), or with the key file that holds it */
	/*
	 * The JWT is an assertion in a form (RFC 7523, section 2.1): iss, aud, scope when there are scopes, sub when
	 * there is a subject. Else it is the bearer of an empty POST to token_url with iss, iat, exp alone (GitHub
	 * App).
	 */
	bool google;
	int64_t life_s; /* of an assertion; 0: an hour */
	struct token_rules token;
};

enum verify_kind { VERIFY_HTTP, VERIFY_POSTGRESQL, VERIFY_MYSQL, VERIFY_SMTP, VERIFY_TOKEN, VERIFY_NONE };

/*
 * How a connection is tried. A source of the account is "json:<path>", "header:<name>" or "value:<name>";
 * the first that gives something wins.
 */
struct verify_spec {
	enum verify_kind kind;
	struct request_spec request;
	struct texts ways;         /* of auth_way.id that this one is for; none: all others */
	struct str must_have;      /* JSON path of a good answer, not null, not false; absent: the status is enough */
	struct texts account_id, account_label; /* sources */
	struct texts bad_key;      /* texts in a 4xx body that mean INVALID_CREDENTIALS whatever the status */
};

struct preview_spec {
	struct request_spec request;
	struct str rows; /* JSON path of the list */
};

struct placeholder {
	struct str name, pattern, default_value, help;
};

/* How a list goes on behind its first page. */
enum sync_paging {
	SYNC_ONE_PAGE,
	SYNC_BY_LINK,   /* the answer has the next page's address: `next` of its Link header (RFC 8288), or at `next` */
	SYNC_BY_CURSOR, /* the answer has a text to ask with: at `next`, or else its last row's id */
	SYNC_BY_PAGE,   /* pages are counted */
	SYNC_BY_OFFSET  /* rows are counted */
};

struct sync_pages {
	enum sync_paging kind;
	struct str param;      /* template: the parameter that carries a cursor or a number */
	struct str next;       /* JSON path; absent: see above */
	struct str more;       /* JSON path of a flag that says whether there is a next page; absent: none says so */
	struct str size_param; /* absent: the size isn't asked for */
	int64_t size;          /* rows a page; 0: not known */
	int64_t first;         /* number of the first page */
};

/* A list of things that can be pulled. */
struct sync_spec {
	struct str collection; /* what its records are called */
	struct str needs;      /* a value without which it isn't pulled; absent: none */
	struct request_spec request;
	struct str rows;       /* templates of JSON paths: the list in an answer; absent or empty: the answer itself */
	struct str id, updated_at; /* in a row; without the second nothing says so */
	bool rows_optional;    /* an answer without the list is one without rows */
	struct sync_pages pages;
};

struct connector_type {
	struct str id, name, category, summary, docs_url;
	struct texts regions;
	const struct auth_way *way;
	size_t ways;
	const struct connector_field *field;
	size_t fields;
	const struct placeholder *placeholder;
	size_t placeholders;
	/*
	 * Templates: a credential is sent to these hosts only. "host", "host:port", ".example.com" for every host below
	 * it, or a name whose value is a URL, "{base_url}", for that URL's host.
	 */
	struct texts hosts;
	bool has_oauth2, has_client_credentials, has_service_account, has_preview;
	struct oauth2_spec oauth2;
	struct client_credentials_spec client_credentials;
	struct service_account_spec service_account;
	const struct verify_spec *verify;
	size_t verifies;
	struct str api_base; /* template; absent: none */
	struct preview_spec preview;
	const struct sync_spec *sync; /* of several of one collection, the first that has what it needs */
	size_t syncs;
	struct str wizard_intro, wizard_auth, wizard_done;
	const json_t *file; /* the whole file, checked: what later rooms read */
	struct str entry;   /* the answers of the catalogue's list and, but for redirect_uri and the end, of one type */
	struct str detail;
};

/* The way of that id; the type's first for an absent id; NULL for none. */
const struct auth_way *connector_way(const struct connector_type *type, struct str id);
/* NULL when the type has no such field. */
const struct connector_field *connector_field(const struct connector_type *type, struct str name);
/* NULL when the type has no such placeholder. */
const struct placeholder *connector_placeholder(const struct connector_type *type, struct str name);
/* Whether that way asks a person for the field. */
bool connector_asks(const struct auth_way *way, const struct connector_field *field);
/* How a connection that authenticates this way is tried; NULL when it can't be. */
const struct verify_spec *connector_verify(const struct connector_type *type, const struct auth_way *way);
bool texts_have(const struct texts *texts, struct str text);

/* The name of a value that was kept from "team.id" or "orgs[0].id": team_id, orgs_0_id. Its text is in `text`. */
enum { KEPT_NAME_MAX = 64 };
struct str kept_name(struct str path, char text[KEPT_NAME_MAX]);

#endif
