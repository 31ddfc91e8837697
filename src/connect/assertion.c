/*
 * What a service account signs instead of typing a password: a short JWT that
 * says who it is. Google exchanges it for a token (RFC 7523); a GitHub App calls
 * with it.
 */
#include "base/json_write.h"
#include "base/secret.h"
#include "connect/template.h"
#include "connect/token_request.h"
#include "crypt/jwt.h"

enum {
	PAYLOAD_MAX = 32 << 10,
	CLAIM_MAX = 8 << 10,
	PEM_MAX = 16 << 10,
	GOOGLE_LIFE_S = 3600, /* the most that Google takes */
	APP_LIFE_S = 540,     /* GitHub takes ten minutes, and clocks differ */
	APP_BEFORE_S = 60
};

/* A claim out of its template; left out when an optional value is missing, or the template is. */
static enum err put_claim(struct json_writer *w, const char *name, struct str template,
			  const struct token_request *r, struct str *ret_missing)
{
	BUF_AUTO struct buf value = { 0 };
	enum err e;

	if (template.n == 0)
		return OK;
	buf_init(&value, CLAIM_MAX);
	e = template_fill(template, r->values, ESCAPE_NONE, &value, ret_missing);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	TRY(buf_error(&value));
	if (value.n > 0)
		jw_put_text(w, name, buf_str(&value));
	return OK;
}

/* For whom the account acts, if for anybody: it may always be missing. */
static enum err put_subject(struct json_writer *w, const struct token_request *r)
{
	struct str missing = STR_NONE;
	enum err e = put_claim(w, "sub", r->type->service_account.subject, r, &missing);

	return str_absent(missing) ? e : OK;
}

static enum err put_scopes(struct json_writer *w, const struct token_request *r)
{
	const struct texts *all = &r->type->service_account.scopes;
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, CLAIM_MAX);
	buf_add_str(&text, r->scopes);
	for (size_t i = 0; str_absent(r->scopes) && i < all->n; i++) {
		if (i > 0)
			buf_add_char(&text, ' ');
		buf_add_str(&text, all->v[i]);
	}
	TRY(buf_error(&text));
	if (text.n > 0)
		jw_put_text(w, "scope", buf_str(&text));
	return OK;
}

static enum err write_claims(const struct token_request *r, struct str audience, struct buf *out,
			     struct str *ret_missing)
{
	const struct service_account_spec *spec = &r->type->service_account;
	int64_t now_s = r->now_ms / 1000;
	struct json_writer w;

	jw_start(&w, out);
	jw_object(&w);
	TRY(put_claim(&w, "iss", spec->issuer, r, ret_missing));
	if (spec->google) {
		TRY(put_subject(&w, r));
		TRY(put_scopes(&w, r));
		if (spec->audience.n > 0)
			TRY(put_claim(&w, "aud", spec->audience, r, ret_missing));
		else
			jw_put_text(&w, "aud", audience);
	}
	jw_put_int(&w, "iat", spec->google ? now_s : now_s - APP_BEFORE_S);
	jw_put_int(&w, "exp", now_s + (!spec->google ? APP_LIFE_S : spec->life_s > 0 ? spec->life_s : GOOGLE_LIFE_S));
	jw_object_end(&w);
	return buf_error(out);
}

/* A key that was pasted out of a JSON text or an environment has the two characters \n where its lines end. */
static enum err read_key(struct str pem, struct secret *ret_key)
{
	size_t n = 0;

	if (pem.n > PEM_MAX)
		return ERR_BAD_INPUT;
	TRY(secret_copy(pem.p, pem.n, ret_key));
	for (size_t i = 0; i < ret_key->n; i++, n++) {
		bool line_end = ret_key->p[i] == '\\' && i + 1 < ret_key->n && ret_key->p[i + 1] == 'n';

		ret_key->p[n] = line_end ? '\n' : ret_key->p[i];
		i += line_end;
	}
	secret_cut(ret_key, n);
	return OK;
}

static struct str key_of(const struct token_request *r)
{
	struct str key = values_get(r->values, STR("private_key"));

	return key.n > 0 ? key : values_get(r->values, r->type->service_account.key_field);
}

enum err token_assertion(const struct token_request *request, struct str audience, struct buf *out,
			 struct str *ret_missing)
{
	BUF_AUTO struct buf claims = { 0 };
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	struct str pem = key_of(request), kid = values_get(request->values, STR("private_key_id"));

	if (pem.n == 0) {
		*ret_missing = STR("private_key");
		return ERR_BAD_INPUT;
	}
	buf_init(&claims, PAYLOAD_MAX);
	TRY(write_claims(request, audience, &claims, ret_missing));
	TRY(read_key(pem, &key));
	return jwt_sign_rs256(&key, kid.n > 0 ? kid : STR_NONE, buf_str(&claims), out);
}
