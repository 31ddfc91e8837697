/*
 * How a provider signs its webhooks: the member "webhook" of its connector
 * file, read into a struct. Texts point into the catalogue.
 *
 * A source says where in a delivery a value is:
 *	header:<name>  json:<path>  form:<name>  query:<name>  sigparam:<name>
 * Several with '|' between: the first that is there. Several with '+' between: joined by '-'.
 */
#ifndef LW_HOOK_SCHEME_H
#define LW_HOOK_SCHEME_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum hook_kind {
	HOOK_HMAC,
	HOOK_ED25519,
	HOOK_ECDSA_P256,
	HOOK_JWT_HS256,
	HOOK_SHARED_TOKEN, /* a text that both know, sent as it is */
	HOOK_BASIC,        /* HTTP Basic with such a text as the password */
	HOOK_SECRET_URL,   /* nothing but the address itself */
	HOOK_CERTIFICATE,  /* RSA, by the certificate at an address that the delivery names (certificate.c) */
	HOOK_JWT_RS256     /* a token of the provider's own issuer, by the keys that it publishes (jwt_rs256.c) */
};

enum hook_hash { HOOK_SHA256, HOOK_SHA1 };
enum hook_encoding { HOOK_HEX, HOOK_BASE64 };
/* How the key is written in its field. */
enum hook_key_form { HOOK_KEY_RAW, HOOK_KEY_BASE64, HOOK_KEY_WHSEC, HOOK_KEY_HEX };
enum hook_unit { HOOK_SECONDS, HOOK_MILLISECONDS, HOOK_RFC3339 };

/* What a signature header looks like. */
enum hook_list {
	HOOK_ONE,    /* one signature behind `prefix` */
	HOOK_PARAMS, /* "t=…,v1=…,v1=…" (`param` holds signatures; the others are sigparam sources) */
	HOOK_WORDS   /* "v1,… v1,…": separated by spaces; those with `prefix` count */
};

/* One way to prove that a delivery is genuine. */
struct hook_proof {
	enum hook_kind kind;
	struct str key_field; /* of the connector's fields */
	enum hook_key_form key_form;
	enum hook_hash hash;
	enum hook_encoding encoding;
	struct str source;    /* where the signature or token is */
	enum hook_list list;
	struct str prefix, param;
	struct str signed_text; /* template: {body} {crc32} {form} {key} {method} {timestamp} {url} and {<source>} */
	struct str body_hash;   /* a source that must equal the hex SHA-256 of the body */
	struct str timestamp;   /* a source; absent: none */
	enum hook_unit unit;
	int64_t tolerance_ms;
	/* Of keys that the worker fetches (fetched_key.h). */
	struct str key_url;     /* HOOK_CERTIFICATE: a source; HOOK_JWT_RS256: the address itself */
	struct str key_address; /* a pattern: what the certificate's address must look like, all of it */
	struct str key_owner;   /* a pattern: whose certificate it must be, by a DNS name in it */
	bool key_chained;       /* a CA that is trusted here must vouch for it */
	struct str version;     /* a source: which of `versions` (text: hash) was signed with; absent: `hash` */
	const json_t *versions;
	const json_t *signed_keys; /* instead of `signed_text`: members of the body, "name\nvalue\n" for each */
	struct str issuer;
	struct str pin, pin_field; /* a source, or a claim, that must equal the field if that has a value */
	bool challenged; /* strangers get HMACs of challenges: what could be one isn't signed (delivery.h) */
};

enum { HOOK_PROOFS_MAX = 4, HOOK_HANDSHAKES_MAX = 4 };

/* An answer that a provider wants before, or instead of, an event. */
struct hook_handshake {
	struct str method;      /* absent: any */
	struct str when;        /* a source that is there ... */
	struct str equals;      /* ... and, when this isn't absent, is this text */
	struct str check;       /* a source that must equal the field below, constant time; absent: none */
	struct str check_field;
	bool is_signed;         /* the delivery must be genuine as well */
	int status;
	struct str text;        /* template of {<source>}, {hmac_hex:<source>}, {hmac_base64:<source>}; {{ is a brace */
	bool json;
	struct str header;      /* a header that is answered with `header_value`'s source */
	struct str header_value;
	struct str store_field; /* the value of the source below becomes this field's key */
	struct str store;
	struct str visit;         /* a source: an address that the worker calls, to say yes (visit.c) */
	struct str visit_address; /* a pattern that it must match */
};

struct hook_scheme {
	struct hook_proof proof[HOOK_PROOFS_MAX];
	size_t proofs;
	struct hook_handshake handshake[HOOK_HANDSHAKES_MAX];
	size_t handshakes;
	struct str event_id, event_type, occurred_at, account; /* sources; absent: none */
	struct str subject_kind, subject_id;
	struct str list;   /* JSON path of a list of events in one delivery; absent: the delivery is one event */
	bool repeats;      /* without an id, equal bodies are several events: each says "look again" */
	bool empty_answer; /* 200 and 401 have no body at all */
};

/*
 * ERR_NOT_FOUND when the type has no webhooks; ERR_CONFIG for what is missing, unknown, of another kind or can't be,
 * and `ret_why` is the first such member's name. Strict, so that a slip of the pen never makes a check weaker.
 */
enum err hook_scheme_read(const json_t *webhook, struct hook_scheme *ret_scheme, const char **ret_why) MUST_CHECK;

#endif
