#include "identity/signed_in.h"

#include "base/random.h"
#include "base/secret.h"
#include "core/answer.h"
#include "crypt/token.h"
#include "identity/cookie.h"
#include "identity/parts.h"

enum { JTI_BYTES = 16 };

struct tokens {
	struct buf access;
	struct secret refresh;
	int64_t refresh_lifetime_ms;
};

static void tokens_done(struct tokens *tokens)
{
	buf_done(&tokens->access);
	secret_done(&tokens->refresh);
}

static enum err sign_access(struct ctx *cx, struct buf *out)
{
	char user[ID_TEXT_MAX], tenant[ID_TEXT_MAX], session[ID_TEXT_MAX],
		jti[BASE64URL_CHARS(JTI_BYTES) + 1];
	uint8_t random[JTI_BYTES];
	struct jwt_claims claims = {
		.issuer = identity_own_issuer(cx->config),
		.audience = str_of(cx->config->auth_audience),
		.subject = id_format(ID_USER, &cx->who.user, user),
		.tenant = id_format(ID_TENANT, &cx->who.tenant, tenant),
		.session = id_format(ID_SESSION, &cx->who.session, session),
		.role = str_of(role_text(cx->who.role)),
		.issued_at = cx->now_ms,
		.expires_at = cx->now_ms + cx->config->auth_access_token_ms,
	};

	TRY(random_bytes(random, sizeof(random)));
	claims.token =
		base64url_encode_to((struct str){ (const char *)random, sizeof(random) }, jti);
	return signing_sign(&cx->identity->signing, &claims, out);
}

static enum err make_tokens(struct ctx *cx, struct tokens *tokens)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct sql_refresh_insert_in in = { .token_hash = { (const char *)hash, sizeof(hash) },
					    .session_id = cx->who.session };

	tokens->refresh_lifetime_ms = cx->config->auth_refresh_token_ms;
	in.expires_at = cx->now_ms + tokens->refresh_lifetime_ms;
	TRY(token_new("lwr_", &tokens->refresh, hash));
	TRY(sql_refresh_insert(cx->db, &in, NULL));
	TRY(sign_access(cx, &tokens->access));
	return buf_error(&tokens->access);
}

static enum err put_cookies(struct ctx *cx, const struct tokens *tokens, struct json_writer *w,
			    struct reply *reply)
{
	char csrf[CSRF_CHARS + 1];

	signing_csrf(&cx->identity->signing, &cx->who.session, csrf);
	jw_put_text(w, "csrf_token", str_of(csrf));
	TRY(cookie_set(reply, COOKIE_ACCESS, buf_str(&tokens->access),
		       cx->config->auth_access_token_ms));
	return cookie_set(reply, COOKIE_REFRESH, secret_str(&tokens->refresh),
			  tokens->refresh_lifetime_ms);
}

static enum err put_tokens(struct ctx *cx, const struct tokens *tokens, struct json_writer *w)
{
	jw_put_text(w, "access_token", buf_str(&tokens->access));
	jw_put_text(w, "token_type", STR("Bearer"));
	jw_put_int(w, "expires_in", cx->config->auth_access_token_ms / 1000);
	jw_put_text(w, "refresh_token", secret_str(&tokens->refresh));
	return OK;
}

void write_user(struct json_writer *w, const struct id *id, struct str email, struct str name,
		bool verified, int64_t created_at)
{
	jw_object(w);
	answer_id(w, "id", ID_USER, id);
	jw_put_text(w, "email", email);
	jw_put_text(w, "name", name);
	jw_put_bool(w, "email_verified", verified);
	answer_time(w, "created_at", created_at);
	jw_object_end(w);
}

void write_tenant(struct json_writer *w, const struct id *id, struct str name, int64_t created_at)
{
	jw_object(w);
	answer_id(w, "id", ID_TENANT, id);
	jw_put_text(w, "name", name);
	answer_time(w, "created_at", created_at);
	jw_object_end(w);
}

enum err signed_in_answer(struct ctx *cx, const struct signed_in *person, struct reply *reply)
{
	const struct sql_session_subject_row *subject = &person->subject;
	CLEANUP(tokens_done) struct tokens tokens = { .refresh = SECRET_EMPTY };
	struct json_writer w;

	buf_init(&tokens.access, JWT_TOKEN_MAX);
	TRY(make_tokens(cx, &tokens));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_key(&w, "user");
	write_user(&w, &cx->who.user, subject->email, subject->name, subject->email_verified_at.set,
		   subject->created_at);
	jw_key(&w, "tenant");
	write_tenant(&w, &cx->who.tenant, subject->tenant_name, subject->tenant_created_at);
	jw_put_text(&w, "role", subject->role);
	TRY(person->cookie ? put_cookies(cx, &tokens, &w, reply) : put_tokens(cx, &tokens, &w));
	jw_object_end(&w);
	return buf_error(&reply->body);
}
