#include "identity/external.h"

#include "audit/audit.h"
#include "base/json_read.h"
#include "identity/text.h"
#include "store/db.h"
#include "store/sql_invitation.h"
#include "store/sql_issuer.h"
#include "store/sql_member.h"
#include "store/sql_tenant.h"

enum { CLAIM_MAX = 255, SHOWN_NAME_MAX = 200, SHOWN_EMAIL_MAX = 254 };

/* What the token says, with all that our columns ask for checked. */
struct external {
	struct str issuer;
	struct str subject;
	struct str
		claim; /* the name of the claim that stands for the tenant; "sub": a tenant of one's own */
	struct str value;
	enum role role; /* ROLE_NONE: the issuer doesn't say */
	struct str name, email;
	bool email_verified;
};

/* --- reading the claims -------------------------------------------------- */
static bool claim_good(struct str text) { return text.n > 0 && str_utf8_length(text) <= CLAIM_MAX; }

/* Texts that are only shown: what doesn't fit is left out. */
static struct str shown(const json_t *payload, const char *name, size_t longest)
{
	struct str text = json_member_text(payload, name);

	return text.n > 0 && str_utf8_length(text) <= longest ? text : STR_NONE;
}

static enum err read_tenant(const struct config_issuer *config, const json_t *payload,
			    struct external *ext)
{
	const char *name = config->tenant_claim;
	const json_t *claim = name && name[0] ? json_member(payload, name) : NULL;

	if (!claim || json_is_kind(claim, JSON_NULL)) {
		ext->claim = STR("sub");
		ext->value = ext->subject;
		return OK;
	}
	ext->claim = str_of(name);
	ext->value = json_text(claim);
	return claim_good(ext->value) ? OK : ERR_BAD_TOKEN;
}

static enum err read_role(const struct config_issuer *config, const json_t *payload,
			  struct external *ext)
{
	const char *name = config->role_claim;
	const json_t *claim = name && name[0] ? json_member(payload, name) : NULL;

	if (!name || !name[0])
		return OK;
	/* An issuer that is asked for roles and names none means the least that can do something. */
	ext->role = claim ? role_parse(json_text(claim)) : ROLE_MEMBER;
	return ext->role == ROLE_NONE ? ERR_BAD_TOKEN : OK;
}

static enum err read_claims(const struct issuer *issuer, const struct jwt_claims *claims,
			    struct external *ext)
{
	*ext = (struct external){ .issuer = str_of(issuer->config->issuer),
				  .subject = claims->subject };
	if (!claim_good(ext->subject))
		return ERR_BAD_TOKEN;
	TRY(read_tenant(issuer->config, claims->payload, ext));
	TRY(read_role(issuer->config, claims->payload, ext));
	ext->name = shown(claims->payload, "name", SHOWN_NAME_MAX);
	ext->email = shown(claims->payload, "email", SHOWN_EMAIL_MAX);
	if (!json_bool_of(json_member(claims->payload, "email_verified"), &ext->email_verified))
		ext->email_verified = false;
	return OK;
}

/* --- first sight --------------------------------------------------------- */
struct first_sight {
	struct ctx *cx;
	const struct external *ext;
	struct id user;
	bool new_tenant;
};

/* The scope of the tenant in question, for the statements that make it and its rows. */
static void enter(struct first_sight *first, const struct id *tenant)
{
	struct ctx *cx = first->cx;

	cx->who = (struct principal){
		.who = WHO_USER, .user = first->user, .tenant = *tenant, .live = true
	};
	ctx_enter(cx);
}

/* Two first requests at once: the second finds what the first made. */
static enum err lost_race(enum err e) { return e == ERR_DB_DUPLICATE ? ERR_DB_RETRY : e; }

static enum err find_or_make_user(struct db *db, struct first_sight *first)
{
	const struct external *ext = first->ext;
	struct sql_issuer_user_in in = { .issuer = ext->issuer, .subject = ext->subject };
	struct sql_issuer_user_row row;
	struct sql_issuer_user_insert_in made = { .issuer = ext->issuer,
						  .subject = ext->subject,
						  .name = ext->name };
	enum err e = sql_issuer_user(db, &in, &row);

	if (e == OK) {
		first->user = row.user_id;
		return row.disabled_at.set ? ERR_DENIED : OK;
	}
	if (e != ERR_NOT_FOUND)
		return e;
	TRY(id_new(&made.user_id));
	first->user = made.user_id;
	made.email = str_absent(ext->email) ? STR("") : ext->email;
	made.email_verified_at =
		(struct opt_int){ .set = ext->email_verified, .v = first->cx->now_ms };
	return lost_race(sql_issuer_user_insert(db, &made, NULL));
}

static struct str tenant_name(const struct external *ext)
{
	struct str name = str_eq(ext->claim, STR("sub")) ? ext->name : ext->value;

	if (str_absent(name))
		name = str_absent(ext->email) ? ext->subject : ext->email;
	return text_cut(name, SHOWN_NAME_MAX);
}

static enum err find_or_make_tenant(struct db *db, struct first_sight *first)
{
	const struct external *ext = first->ext;
	struct sql_issuer_tenant_get_in in = { .issuer = ext->issuer,
					       .claim = ext->claim,
					       .value = ext->value };
	struct sql_issuer_tenant_get_row row;
	struct sql_tenant_insert_in made = { .name = tenant_name(ext) };
	struct sql_issuer_tenant_insert_in named = { .issuer = ext->issuer,
						     .claim = ext->claim,
						     .value = ext->value };
	struct id tenant;
	enum err e = sql_issuer_tenant_get(db, &in, &row);

	if (e == OK) {
		enter(first, &row.tenant_id);
		return row.deleted_at.set ? ERR_DENIED : OK;
	}
	if (e != ERR_NOT_FOUND)
		return e;
	TRY(id_new(&tenant));
	enter(first, &tenant);
	first->new_tenant = true;
	TRY(sql_tenant_insert(db, &made, NULL));
	return lost_race(sql_issuer_tenant_insert(db, &named, NULL));
}

/* Somebody who joined before and isn't a member now was removed here, and stays out. */
static enum err join(struct db *db, struct first_sight *first)
{
	enum role role = first->ext->role;
	struct sql_member_get_in in = { .user_id = first->user };
	struct sql_member_get_row row;
	struct sql_issuer_join_insert_in once = { .user_id = first->user };
	struct sql_member_insert_in made = { .user_id = first->user };
	enum err e = sql_member_get(db, &in, &row);

	if (e != ERR_NOT_FOUND)
		return e; /* also OK: they joined meanwhile, or by an invitation */
	e = sql_issuer_join_insert(db, &once, NULL);
	if (e != OK)
		return e == ERR_DB_DUPLICATE ? ERR_DENIED : e;
	if (role == ROLE_NONE)
		role = first->new_tenant ? ROLE_OWNER : ROLE_MEMBER;
	made.new_role = str_of(role_text(role));
	first->cx->who.role = role;
	return sql_member_insert(db, &made, NULL);
}

static enum err make(struct db *db, void *arg)
{
	struct first_sight *first = arg;
	struct ctx *cx = first->cx;

	first->new_tenant = false;
	cx->audit = (struct audit_note){ 0 };
	cx->who = (struct principal){ .who = WHO_NOBODY };
	ctx_enter(cx);
	TRY(find_or_make_user(db, first));
	TRY(find_or_make_tenant(db, first));
	TRY(join(db, first));
	ctx_audit_target(cx, ID_USER, &first->user);
	ctx_audit_detail(cx, "issuer", first->ext->issuer);
	return audit_write(cx, AUDIT_AUTH_EXTERNAL, OK);
}

/* --- every request ------------------------------------------------------- */
struct role_change {
	struct ctx *cx;
	struct str old_role;
};

static enum err follow_role(struct db *db, void *arg)
{
	struct role_change *change = arg;
	struct ctx *cx = change->cx;
	struct sql_member_set_role_in in = { .user_id = cx->who.user,
					     .new_role = str_of(role_text(cx->who.role)) };
	struct sql_invitation_take_back_of_in lost = { .user_id = cx->who.user };

	cx->audit = (struct audit_note){ 0 };
	TRY(sql_member_turn(db, NULL));
	TRY(sql_member_set_role(db, &in, NULL));
	if (cx->who.role < ROLE_ADMIN)
		TRY(sql_invitation_take_back_of(db, &lost, NULL));
	ctx_audit_target(cx, ID_USER, &cx->who.user);
	ctx_audit_detail(cx, "role", in.new_role);
	ctx_audit_detail(cx, "old_role", change->old_role);
	ctx_audit_detail(cx, "by", STR("issuer"));
	return audit_write(cx, AUDIT_MEMBER_UPDATE, OK);
}

static enum err enter_known(struct ctx *cx, const struct external *ext,
			    const struct sql_issuer_enter_row *row)
{
	struct role_change change = { .cx = cx,
				      .old_role = str_of(role_text(role_parse(row->role))) };
	enum role stored = role_parse(row->role);
	enum err e;

	cx->who = (struct principal){ .who = WHO_USER,
				      .tenant = row->tenant_id,
				      .user = row->user_id,
				      .role = stored,
				      .live = true };
	if (ext->role == ROLE_NONE || ext->role == stored)
		return OK;
	cx->who.role = ext->role;
	ctx_enter(cx);
	e = db_run(cx->db, follow_role, &change);
	cx->audit = (struct audit_note){ 0 };
	return e;
}

enum err external_enter(struct ctx *cx, const struct issuer *issuer,
			const struct jwt_claims *claims)
{
	struct sql_issuer_enter_in in;
	struct sql_issuer_enter_row row;
	struct external ext;
	struct first_sight first = { .cx = cx, .ext = &ext };
	enum err e;

	TRY(read_claims(issuer, claims, &ext));
	in = (struct sql_issuer_enter_in){
		.issuer = ext.issuer, .subject = ext.subject, .claim = ext.claim, .value = ext.value
	};
	e = sql_issuer_enter(cx->db, &in, &row);
	if (e == ERR_NOT_FOUND) {
		e = db_run(cx->db, make, &first);
		cx->audit = (struct audit_note){ 0 };
		if (e == OK)
			e = sql_issuer_enter(cx->db, &in, &row);
	}
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_DENIED : e;
	return enter_known(cx, &ext, &row);
}
