/*
 * The OAuth dance (RFC 6749, section 4.1; RFC 7636; RFC 9700): what is pure in it. The address that a person is sent
 * to, where they may be sent back to, and what a callback has to hold.
 */
#ifndef LW_CONNECT_OAUTH_H
#define LW_CONNECT_OAUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/config.h"

/* An address has to fit into a header, with others, and into a browser. */
enum {
	OAUTH_URL_MAX = 8192,
	OAUTH_RETURN_MAX = 2048,
	OAUTH_PARAMS_MAX = 64,
	OAUTH_VALUE_MAX = 512,
	OAUTH_SIGNED_FOR_MS = 90000 /* Shopify's rule for the age of a signed callback */
};

/* --- the way out ------------------------------------------------------------ */
/* The type's way that goes over a consent page; NULL when it has none. */
const struct auth_way *oauth_way(const struct connector_type *type);

/*
 * Appends the address of the provider's consent page. `values` hold client_id and what the templates name;
 * `challenge` is sent when the type takes PKCE (S256); `wanted` scopes are separated by one space, absent: the type's.
 * ERR_BAD_INPUT when a value is missing (`ret_missing`, may be NULL), ERR_HOST_FORBIDDEN.
 */
enum err oauth_authorize_url(const struct connector_type *type, const struct values *values,
			     struct str state, struct str challenge, struct str redirect_uri,
			     struct str wanted, struct buf *url,
			     struct str *ret_missing) MUST_CHECK;

/* Appends the one redirect URI of a type: from server.public_url, never from a request (RFC 9700, section 2.1). */
enum err oauth_redirect_uri(const struct config *config, struct str type,
			    struct buf *uri) MUST_CHECK;

/*
 * A value that a person or a provider gave for a field or placeholder: not empty, plain text, and what the type's
 * pattern and choices take.
 */
bool oauth_value_good(const struct connector_type *type, struct str name, struct str value);

/* Appends the type's own scopes, separated by one space. */
void oauth_default_scopes(const struct connector_type *type, struct buf *out);
/* Scope tokens with one space between them (RFC 6749, section 3.3). */
bool oauth_scopes_valid(struct str wanted);
/*
 * Whether all that was asked for was granted; both are separated by spaces. What a provider spells otherwise counts
 * as granted: letters' case, a prefix in front of a '/' (User.Read, https://graph.microsoft.com/User.Read), write_x
 * for read_x, and OpenID Connect's own scopes, which many never repeat.
 */
bool oauth_scopes_granted(struct str asked, struct str granted);

/* --- the way back to the application ----------------------------------------- */
/*
 * Appends the address to return to as a whole URL. It must be on one of oauth.return_origins or server.public_url,
 * which are compared byte by byte, or a path ("/x"), which is taken below server.public_url: ERR_BAD_INPUT for
 * everything else, ERR_TOO_BIG past OAUTH_RETURN_MAX (RFC 9700, section 4.11).
 */
enum err oauth_return_read(const struct config *config, struct str text,
			   struct buf *url) MUST_CHECK;
/* Appends that address with the outcome behind its query and before its fragment. */
void oauth_return_with(struct str url, struct pairs outcome, struct buf *out);

/* --- the callback ------------------------------------------------------------ */
struct oauth_params {
	size_t n;
	struct pair v[OAUTH_PARAMS_MAX];
};

/*
 * ERR_BAD_CALLBACK for a parameter that comes twice (RFC 6749, section 3.1), and for too many. What can't be decoded
 * is left out.
 */
enum err oauth_params_read(struct arena *arena, struct str query,
			   struct oauth_params *ret_params) MUST_CHECK;
/* The absent text when it wasn't sent. */
struct str oauth_param(const struct oauth_params *params, struct str name);

/*
 * Whether `iss` is this provider's (RFC 9207): the declared issuer, or else one with the scheme, host and port of
 * the authorization or of the token URL.
 */
bool oauth_issuer_good(const struct connector_type *type, const struct values *values,
		       struct str iss);
/*
 * Whether Shopify signed these parameters with the client's secret, at most OAUTH_SIGNED_FOR_MS ago or ahead, for the
 * shop in `values`.
 */
bool oauth_shopify_good(const struct oauth_params *params, const struct values *values,
			int64_t now_ms);
/* The provider's error code when it is one that may be shown: [a-z_]{1,64}; else the absent text. */
struct str oauth_error_code(struct str error);

#endif
