#include "flow/trigger.h"

#include <string.h>

#include "base/json_read.h"
#include "base/random.h"
#include "crypt/encode.h"
#include "crypt/envelope.h"
#include "crypt/hash.h"
#include "crypt/keyring.h"
#include "fcgi/request.h"

#define SECRET_LABEL STR("latchwork trigger secret v1")

enum { SECRET_BYTES = 32, SECRET_MIN = 16, SECRET_MAX = 256, HEADER_MAX = 64 };

static const struct {
	const char *text, *member;
} AUTHS[] = {
	[TRIGGER_OPEN] = { "none", NULL },
	[TRIGGER_API_KEY] = { "api_key", "key" },
	[TRIGGER_BEARER] = { "bearer", "token" },
	[TRIGGER_HMAC] = { "hmac", "secret" },
};

enum trigger_auth trigger_auth_parse(struct str text)
{
	for (size_t i = TRIGGER_OPEN; i < ARRAY_SIZE(AUTHS); i++)
		if (str_eq(text, str_of(AUTHS[i].text)))
			return (enum trigger_auth)i;
	return TRIGGER_UNKNOWN;
}

void trigger_proof_done(struct trigger_proof *proof) { secret_done(&proof->secret); }

/* --- what the user wants --------------------------------------------------------------- */

static enum err make_secret(struct secret *ret_secret)
{
	uint8_t bytes[SECRET_BYTES];
	char text[BASE64URL_CHARS(SECRET_BYTES) + 1];
	enum err e = random_bytes(bytes, sizeof(bytes));

	if (e == OK) {
		struct str made = base64url_encode_to(
			(struct str){ (const char *)bytes, sizeof(bytes) }, text);

		e = secret_copy(made.p, made.n, ret_secret);
	}
	wipe(bytes, sizeof(bytes));
	wipe(text, sizeof(text));
	return e;
}

static enum err read_secret(struct ctx *cx, const char *member, struct str text,
			    struct secret *ret_secret)
{
	struct str field = arena_printf(cx->arena, "auth_config.%s", member);

	if (str_absent(text))
		return make_secret(ret_secret);
	if (text.n < SECRET_MIN || text.n > SECRET_MAX || str_has_control(text))
		return ctx_bad_field(
			cx, str_absent(field) ? "auth_config" : field.p, "BAD_LENGTH",
			"must have 16 to 256 characters, none of them a control character");
	return secret_copy(text.p, text.n, ret_secret);
}

static enum err check_members(struct ctx *cx, const json_t *config, enum trigger_auth auth)
{
	for (void *i = json_first(config); i; i = json_next(config, i)) {
		struct str key = json_iter_key(i);
		bool known = AUTHS[auth].member && str_eq(key, str_of(AUTHS[auth].member));
		struct str field = arena_printf(cx->arena, "auth_config.%.*s", STR_ARG(key));

		if (str_absent(field))
			return ERR_NO_MEMORY;
		if (!known && !(auth == TRIGGER_HMAC && str_eq(key, STR("header"))))
			return ctx_bad_field(cx, field.p, "UNKNOWN_FIELD",
					     "isn't one of this auth_type's");
		if (str_absent(json_text(json_iter_value(i))))
			return ctx_bad_field(cx, field.p, "BAD_TYPE", "must be a text");
	}
	return OK;
}

enum err trigger_proof_read(struct ctx *cx, enum trigger_auth auth, const json_t *config,
			    struct trigger_proof *ret_proof)
{
	struct str header = json_member_text(config, "header");

	*ret_proof = (struct trigger_proof){ .auth = auth, .secret = SECRET_EMPTY };
	TRY(check_members(cx, config, auth));
	if (auth == TRIGGER_OPEN)
		return OK;
	if (auth == TRIGGER_HMAC) {
		ret_proof->header = str_absent(header) ? STR("X-Signature") : header;
		if (!str_is_token(ret_proof->header) || ret_proof->header.n > HEADER_MAX)
			return ctx_bad_field(cx, "auth_config.header", "BAD_FORMAT",
					     "isn't the name of a header");
	}
	return read_secret(cx, AUTHS[auth].member, json_member_text(config, AUTHS[auth].member),
			   &ret_proof->secret);
}

/* --- kept ------------------------------------------------------------------------------- */

enum err trigger_proof_seal(struct ctx *cx, const struct id *trigger,
			    const struct trigger_proof *proof, struct buf *sealed)
{
	if (proof->auth == TRIGGER_OPEN)
		return OK;
	return envelope_seal_with(keyring_current(cx->front_keys), SECRET_LABEL,
				  BYTES(ID_BYTES(&cx->who.tenant), ID_BYTES(trigger)),
				  secret_str(&proof->secret), sealed);
}

enum err trigger_proof_open(struct ctx *cx, const struct id *trigger, enum trigger_auth auth,
			    struct str header, struct str sealed, struct trigger_proof *ret_proof)
{
	const struct root_key *root;
	struct str root_id;

	*ret_proof =
		(struct trigger_proof){ .auth = auth, .header = header, .secret = SECRET_EMPTY };
	if (auth == TRIGGER_OPEN || auth == TRIGGER_UNKNOWN)
		return OK;
	TRY(envelope_root_id(sealed, &root_id));
	TRY(keyring_find(cx->front_keys, root_id, NULL, &root));
	return envelope_open_with(root, SECRET_LABEL,
				  BYTES(ID_BYTES(&cx->who.tenant), ID_BYTES(trigger)), sealed,
				  &ret_proof->secret);
}

/* --- a request --------------------------------------------------------------------------- */

static struct str bearer_of(const struct request *request)
{
	struct str value = request_header(request, "AUTHORIZATION");

	if (str_absent(value) || !str_eq_nocase(str_cut(&value, ' '), STR("Bearer")))
		return STR_NONE;
	return str_trim(value);
}

static enum err check_text(const struct secret *secret, struct str text)
{
	uint8_t wanted[SHA256_BYTES], sent[SHA256_BYTES];

	if (str_absent(text))
		return ERR_NO_TOKEN;
	/* Hashes: what is compared has one length, whatever was sent. */
	sha256_of(BYTES(secret_str(secret)), wanted);
	sha256_of(BYTES(text), sent);
	return bytes_eq_constant_time(wanted, sent, sizeof(wanted)) ? OK : ERR_BAD_TOKEN;
}

static bool read_mac(struct str text, uint8_t ret_mac[SHA256_BYTES])
{
	if (str_starts(text, STR("sha256=")))
		text = str_slice(text, strlen("sha256="), text.n);
	return text.n == HEX_CHARS(SHA256_BYTES) ? hex_decode_to(text, ret_mac, SHA256_BYTES)
						 : base64_decode_to(text, ret_mac, SHA256_BYTES);
}

static enum err check_signature(const struct request *request, const struct trigger_proof *proof)
{
	struct str text = request_header_named(request, proof->header);
	struct str bytes = str_eq(request->method, STR("GET")) ? request->query : request->body;
	uint8_t wanted[SHA256_BYTES], sent[SHA256_BYTES];

	if (str_absent(text))
		return ERR_NO_TOKEN;
	hmac_sha256_of(&proof->secret, BYTES(str_absent(bytes) ? STR("") : bytes), wanted);
	return read_mac(text, sent) && bytes_eq_constant_time(wanted, sent, sizeof(wanted))
		       ? OK
		       : ERR_BAD_SIGNATURE;
}

enum err trigger_proof_check(struct ctx *cx, const struct trigger_proof *proof)
{
	struct str key;

	switch (proof->auth) {
	case TRIGGER_UNKNOWN: return ERR_BAD_TOKEN;
	case TRIGGER_OPEN: return OK;
	case TRIGGER_API_KEY:
		key = request_header(cx->request, "X_API_KEY");
		return check_text(&proof->secret, str_absent(key) ? bearer_of(cx->request) : key);
	case TRIGGER_BEARER: return check_text(&proof->secret, bearer_of(cx->request));
	case TRIGGER_HMAC: return check_signature(cx->request, proof);
	}
	return ERR_INTERNAL;
}
