/* Making tokens: the only file that calls libjwt. */
#include <jwt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_write.h"
#include "crypt/jwt_key.h"

enum { PAYLOAD_MAX = 64 << 10 };

static void jwt_close(jwt_t **jwt) { jwt_free(*jwt); }

/* Appends the token of a JSON object, which ends with a NUL. ERR_BAD_INPUT when libjwt refuses. */
static enum err sign(jwt_alg_t alg, const struct secret *key, struct str kid, const char *payload,
		     struct buf *out)
{
	CLEANUP(jwt_close) jwt_t *jwt = NULL;
	char kid_text[JWT_KID_MAX + 1];
	char *token;

	/* An empty key would make libjwt write an unsigned token. */
	if (key->n == 0 || key->n > INT_MAX || kid.n > JWT_KID_MAX)
		return ERR_BAD_INPUT;
	if (jwt_new(&jwt) != 0)
		return ERR_NO_MEMORY;
	if (kid.n > 0)
		memcpy(kid_text, kid.p, kid.n);
	kid_text[kid.n] = '\0';
	if (jwt_set_alg(jwt, alg, key->p, (int)key->n) != 0 ||
	    (!str_absent(kid) && jwt_add_header(jwt, "kid", kid_text) != 0) ||
	    jwt_add_grants_json(jwt, payload) != 0)
		return ERR_BAD_INPUT;
	token = jwt_encode_str(jwt);
	if (!token)
		return ERR_BAD_INPUT;
	buf_add_c(out, token);
	wipe(token, strlen(token));
	free(token);
	return buf_error(out);
}

static void put_text(struct json_writer *w, const char *name, struct str text)
{
	if (!str_absent(text))
		jw_put_text(w, name, text);
}

/* Whole seconds, cut down: RFC 7519's NumericDate. */
static void put_time(struct json_writer *w, const char *name, int64_t ms)
{
	if (ms != 0)
		jw_put_int(w, name, ms / 1000);
}

static void claims_write(const struct jwt_claims *claims, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	put_text(&w, "iss", claims->issuer);
	put_text(&w, "aud", claims->audience);
	put_text(&w, "sub", claims->subject);
	put_text(&w, "tid", claims->tenant);
	put_text(&w, "sid", claims->session);
	put_text(&w, "role", claims->role);
	put_text(&w, "jti", claims->token);
	put_time(&w, "iat", claims->issued_at);
	put_time(&w, "nbf", claims->not_before);
	put_time(&w, "exp", claims->expires_at);
	jw_object_end(&w);
	buf_add_char(out, '\0');
}

enum err jwt_sign(const struct jwt_key *key, struct str kid, const struct jwt_claims *claims,
		  struct buf *out)
{
	BUF_AUTO struct buf payload = { 0 };
	enum err e;

	if (key->algorithm != JWT_HS256)
		return ERR_CRYPTO;
	buf_init(&payload, PAYLOAD_MAX);
	claims_write(claims, &payload);
	TRY(buf_error(&payload));
	e = sign(JWT_ALG_HS256, &key->secret, kid, payload.p, out);
	return e == ERR_BAD_INPUT ? ERR_CRYPTO : e;
}

enum err jwt_sign_rs256(const struct secret *private_pem, struct str kid, struct str payload_json,
			struct buf *out)
{
	BUF_AUTO struct buf payload = { 0 };

	buf_init(&payload, PAYLOAD_MAX);
	buf_add_str(&payload, payload_json);
	buf_add_char(&payload, '\0');
	TRY(buf_error(&payload));
	return sign(JWT_ALG_RS256, private_pem, kid, payload.p, out);
}
