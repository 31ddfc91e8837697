#include "identity/authenticate.h"

#include "base/secret.h"
#include "crypt/jwt.h"
#include "crypt/token.h"
#include "fcgi/request.h"
#include "identity/api_token.h"
#include "identity/cookie.h"
#include "identity/external.h"
#include "identity/parts.h"
#include "store/db.h"
#include "store/sql_session.h"
#include "store/sql_token.h"

static void be_nobody(struct ctx *cx)
{
	cx->who = (struct principal){ .who = WHO_NOBODY };
	ctx_enter(cx);
}

/* --- the token ----------------------------------------------------------- */
/* Absent without one. Another scheme than Bearer is a token that we can't take, not none at all. */
static enum err find_token(const struct ctx *cx, struct str *ret_token, bool *ret_by_cookie)
{
	struct str header = request_header(cx->request, "AUTHORIZATION");
	struct str scheme;

	*ret_by_cookie = false;
	if (str_absent(header)) {
		TRY(cookie_get(cx, STR(COOKIE_ACCESS), ret_token));
		*ret_by_cookie = !str_absent(*ret_token);
		return OK;
	}
	scheme = str_cut(&header, ' ');
	*ret_token = str_trim(header);
	return str_eq_nocase(scheme, STR("Bearer")) && ret_token->n > 0 ? OK : ERR_BAD_TOKEN;
}

/* --- tokens of ours and of external issuers ------------------------------ */
struct key_search {
	struct ctx *cx;
	struct str audience;   /* of our own tokens */
	struct issuer *issuer; /* NULL: ourselves */
};

static enum err find_key(void *context, const struct jwt_hint *hint, struct jwt_trust *ret_trust)
{
	struct key_search *search = context;
	struct identity *identity = search->cx->identity;
	struct str own = identity_own_issuer(identity->config);

	if (str_eq(hint->issuer, own)) {
		*ret_trust = (struct jwt_trust){ .issuer = own,
						 .audiences = &search->audience,
						 .audience_count = 1 };
		if (hint->algorithm != JWT_HS256 || str_absent(hint->kid))
			return ERR_BAD_TOKEN;
		return signing_find(&identity->signing, hint->kid, &ret_trust->key);
	}
	search->issuer = issuers_find(&identity->issuers, hint->issuer);
	if (!search->issuer)
		return ERR_BAD_TOKEN;
	*ret_trust = (struct jwt_trust){ .issuer = hint->issuer,
					 .audiences = search->issuer->audience,
					 .audience_count = search->issuer->audience_count };
	return issuer_key(search->cx, search->issuer, hint, &ret_trust->key);
}

static enum err read_own(const struct jwt_claims *claims, struct own_token *ret_says)
{
	*ret_says = (struct own_token){ .role = role_parse(claims->role), .expires_at = claims->expires_at };
	if (ret_says->role == ROLE_NONE || !id_parse(ID_USER, claims->subject, &ret_says->user) ||
	    !id_parse(ID_TENANT, claims->tenant, &ret_says->tenant) ||
	    !id_parse(ID_SESSION, claims->session, &ret_says->session))
		return ERR_BAD_TOKEN;
	return OK;
}

/* A token of ours names a session; the row of the session decides, now or in the handler's statement. */
static enum err enter_session(struct ctx *cx, const struct own_token *says, bool may_defer)
{
	struct id bound;

	if (says->expires_at <= cx->now_ms) /* the leeway is for other people's clocks */
		return ERR_TOKEN_EXPIRED;
	cx->who = (struct principal){ .who = WHO_USER,
				      .role = says->role,
				      .user = says->user,
				      .tenant = says->tenant,
				      .session = says->session };
	if (may_defer && db_bound_tenant(cx->db, &bound) && id_eq(&bound, &says->tenant))
		return OK;
	return identity_confirm_live(cx);
}

static enum err enter_jwt(struct ctx *cx, struct str token, bool may_defer)
{
	struct verified_tokens *verified = &cx->identity->verified;
	struct key_search search = { .cx = cx, .audience = str_of(cx->config->auth_audience) };
	struct jwt_policy policy = { .find_key = find_key,
				     .context = &search,
				     .now_ms = cx->now_ms,
				     .leeway_ms = cx->config->auth_clock_leeway_ms };
	struct jwt_claims claims;
	struct own_token says;

	if (verified_find(verified, token, &says))
		return enter_session(cx, &says, may_defer);
	TRY(jwt_verify(cx->arena, token, &policy, &claims));
	if (search.issuer)
		return external_enter(cx, search.issuer, &claims);
	TRY(read_own(&claims, &says));
	verified_keep(verified, token, &says);
	return enter_session(cx, &says, may_defer);
}

enum err identity_authenticate(struct ctx *cx, bool may_defer)
{
	struct str token;
	bool by_cookie;
	enum err e = find_token(cx, &token, &by_cookie);

	be_nobody(cx);
	if (e != OK || str_absent(token))
		return e;
	/* API tokens are for programs: a browser's cookie is never one. */
	if (api_token_looks_like(token))
		e = by_cookie ? ERR_BAD_TOKEN : api_token_enter(cx, token);
	else
		e = enter_jwt(cx, token, may_defer);
	if (e != OK)
		cx->who = (struct principal){ .who = WHO_NOBODY };
	cx->who.by_cookie = e == OK && by_cookie;
	ctx_enter(cx);
	return e;
}

/* An API token that was checked before: still there, and its maker still who may have one. */
static enum err confirm_token(const struct ctx *cx)
{
	struct sql_api_token_enter_row row;

	TRY(sql_api_token_enter(cx->db, &(struct sql_api_token_enter_in){ .token_id = cx->who.token }, &row));
	if (!id_eq(&row.tenant_id, &cx->who.tenant) || (row.expires_at.set && row.expires_at.v <= cx->now_ms))
		return ERR_NOT_FOUND;
	return OK;
}

/* A person of an external issuer, who has no session with us: still a member, in that role. */
static enum err confirm_member(const struct ctx *cx)
{
	struct sql_session_subject_row row;

	TRY(sql_session_subject(cx->db, &row));
	return role_parse(row.role) == cx->who.role ? OK : ERR_NOT_FOUND;
}

enum err identity_confirm_again(struct ctx *cx)
{
	enum err e;

	if (cx->who.who == WHO_USER && !id_is_nil(&cx->who.session))
		return identity_confirm_live(cx);
	e = cx->who.who == WHO_TOKEN ? confirm_token(cx) : confirm_member(cx);
	if (e == ERR_NOT_FOUND)
		be_nobody(cx);
	cx->who.live = e == OK;
	return e == ERR_NOT_FOUND ? ERR_SESSION_ENDED : e;
}

enum err identity_confirm_live(struct ctx *cx)
{
	struct sql_session_enter_in in = { .session_id = cx->who.session,
					   .user_id = cx->who.user,
					   .tenant_id = cx->who.tenant,
					   .as_role = str_of(role_text(cx->who.role)) };
	struct sql_session_enter_row row;
	enum err e;

	if (cx->who.live || id_is_nil(&cx->who.session))
		return OK;
	if (!db_live_confirmed(cx->db)) {
		e = sql_session_enter(cx->db, &in, &row);
		if (e == ERR_NOT_FOUND)
			be_nobody(cx);
		if (e != OK)
			return e == ERR_NOT_FOUND ? ERR_SESSION_ENDED : e;
	}
	cx->who.live = true;
	return OK;
}

/* --- requests that another site makes a browser send --------------------- */
enum err identity_check_csrf_of(struct ctx *cx, const struct id *session)
{
	struct str site = request_header(cx->request, "SEC_FETCH_SITE");
	struct str token = request_header(cx->request, "X_CSRF_TOKEN");

	if (!str_absent(site) && !str_eq(site, STR("same-origin")) && !str_eq(site, STR("none")))
		return ERR_CSRF;
	return signing_csrf_good(&cx->identity->signing, session, token) ? OK : ERR_CSRF;
}

enum err identity_check_csrf(struct ctx *cx)
{
	return cx->who.by_cookie ? identity_check_csrf_of(cx, &cx->who.session) : OK;
}
