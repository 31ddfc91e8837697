#include "vault/credential.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "core/config.h"
#include "store/db.h"
#include "store/sql_credential.h"
#include "store/sql_token_refresh.h"
#include "vault/data.h"
#include "vault/row.h"
#include "vault/seal.h"

static const struct vault_verification UNTESTED = { 0 };

/* Who made a version. */
#define PERSON STR("person")
#define REFRESH STR("refresh")

/* The plain data of a version in the making, and its masked form. */
struct plain {
	struct buf json;   /* secret */
	struct str masked; /* the arena's */
	struct opt_int token_ends_at; /* of an access token that can be renewed */
};

static void plain_done(struct plain *plain) { buf_done(&plain->json); }
#define PLAIN_AUTO CLEANUP(plain_done)

static enum err type_of(struct ctx *cx, struct str text, enum credential_type *ret_type)
{
	if (vault_type_parse(text, ret_type))
		return OK;
	return ctx_bad_field(cx, "type", "NOT_ALLOWED", "isn't a type of credential");
}

static struct opt_int token_end(enum credential_type type, const json_t *data)
{
	int64_t ends_at;

	if (type != CREDENTIAL_OAUTH2 || json_member_text(data, "refresh_token").n == 0 ||
	    !time_parse(json_member_text(data, "expires_at"), &ends_at))
		return (struct opt_int){ 0 };
	return (struct opt_int){ true, ends_at };
}

/* What a person stored is renewed before its end, too, without somebody who asks for it. */
static enum err note_due(struct ctx *cx, const struct credential *c, struct opt_int ends_at)
{
	int64_t ahead = cx->config->oauth_refresh_ahead_ms, life = ends_at.v - c->updated_at;

	if (!ends_at.set)
		return OK;
	/* A token that lives for less than twice that is renewed at half of its life. */
	if (ahead > life / 2)
		ahead = life / 2;
	const struct sql_token_refresh_expect_in in = { .credential_id = c->id, .due_at = ends_at.v - ahead };

	return sql_token_refresh_expect(cx->db, &in, NULL);
}

static enum err mask_of(struct ctx *cx, enum credential_type type, const json_t *data,
			struct str *ret_masked)
{
	BUF_AUTO struct buf masked = { 0 };

	buf_init(&masked, VAULT_MASKED_MAX);
	vault_mask(type, data, &masked);
	TRY(buf_error(&masked));
	*ret_masked = arena_copy(cx->arena, buf_str(&masked));
	return str_absent(*ret_masked) ? ERR_NO_MEMORY : OK;
}

/* Too large is the client's mistake, not ours. */
static enum err size_error(struct ctx *cx, enum err e)
{
	return e == ERR_TOO_BIG ? ctx_bad_field(cx, "data", "TOO_LONG", "is larger than 64 KiB")
				: e;
}

/*
 * Checks a change, puts it into what is stored (NULL: nothing) and checks the result. With a masked form, a member
 * that comes back as its own mask stays.
 */
static enum err make_plain(struct ctx *cx, enum credential_type type, const json_t *stored,
			   struct str stored_masked, const json_t *change, struct plain *ret_plain)
{
	json_t *masked = NULL, *merged;

	buf_init(&ret_plain->json, VAULT_DATA_MAX);
	TRY(vault_check_members(cx, type, change));
	if (!str_absent(stored_masked))
		TRY(json_read(cx->arena, stored_masked, &masked, NULL));
	vault_merge(type, stored, masked, change, &ret_plain->json);
	TRY(size_error(cx, buf_error(&ret_plain->json)));
	TRY(json_read(cx->arena, buf_str(&ret_plain->json), &merged, NULL));
	TRY(vault_check_complete(cx, type, merged));
	ret_plain->token_ends_at = token_end(type, merged);
	return mask_of(cx, type, merged, &ret_plain->masked);
}

/* Seals the plain data as the credential's version, which the caller has set. A refresh of nobody is its owner's. */
static enum err add_version(struct ctx *cx, const struct credential *c, struct str plain, struct str made_by)
{
	TENANT_KEY_AUTO struct tenant_key key = { 0 };
	const struct vault_place place = { c->id, c->created_by, c->type, c->version };
	BUF_AUTO struct buf sealed = { 0 };

	buf_init(&sealed, VAULT_SEALED_MAX);
	TRY(tenant_key_to_seal(cx, &key));
	TRY(vault_seal(cx, &key, &place, plain, &sealed));
	const struct sql_version_insert_in in = {
		.credential_id = c->id,
		.version = c->version,
		.type = c->type,
		.owner = c->created_by,
		.key_generation = key.generation,
		.ciphertext = buf_str(&sealed),
		.masked = c->masked,
		.created_by = id_is_nil(&cx->who.user) ? c->created_by : cx->who.user,
		.created_at = cx->now_ms,
		.made_by = made_by,
	};
	return sql_version_insert(cx->db, &in, NULL);
}

enum err vault_create(struct ctx *cx, const struct vault_new *new,
		      struct credential *ret_credential)
{
	PLAIN_AUTO struct plain plain = { 0 };
	enum credential_type type;
	struct credential c = {
		.name = new->name,
		.type = new->type,
		.service = new->service,
		.key_service = new->key_service,
		.status = STR("untested"),
		.version = 1,
		.created_by = cx->who.user,
		.created_at = cx->now_ms,
		.updated_at = cx->now_ms,
		.expires_at = new->expires_at,
	};

	cx->audit.service = new->service;
	TRY(type_of(cx, new->type, &type));
	TRY(make_plain(cx, type, NULL, STR_NONE, new->data, &plain));
	c.masked = plain.masked;
	if (new->id.set)
		c.id = new->id.v;
	else
		TRY(id_new(&c.id));
	ctx_audit_target(cx, ID_CREDENTIAL, &c.id);
	TRY(vault_insert_row(cx->db, &c));
	TRY(add_version(cx, &c, buf_str(&plain.json), PERSON));
	TRY(note_due(cx, &c, plain.token_ends_at));
	*ret_credential = c;
	return OK;
}

enum err vault_lock(struct ctx *cx, const struct id *id, struct credential *ret_credential)
{
	const struct sql_credential_lock_in in = { .credential_id = *id };
	struct sql_credential_lock_row row;

	ctx_audit_target(cx, ID_CREDENTIAL, id);
	TRY(sql_credential_lock(cx->db, &in, &row));
	*ret_credential = CREDENTIAL_OF(row);
	cx->audit.service = row.service;
	return OK;
}

static enum err write_change(struct ctx *cx, struct credential *c)
{
	enum err e;

	c->updated_at = ctx_next_update(cx, c->updated_at);
	e = vault_update_row(cx->db, c);
	if (e == ERR_DB_DUPLICATE)
		return ctx_fail(cx, ERR_CONFLICT,
				"That service has an API key of its own already.");
	return e;
}

static enum err prune(struct ctx *cx, const struct credential *c)
{
	const struct sql_version_beyond_in in = { .credential_id = c->id,
						  .kept = cx->config->credentials_versions_kept };
	struct sql_version_beyond_row row;
	enum err e = sql_version_beyond(cx->db, &in, &row);

	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	return sql_version_prune(
		cx->db, &(struct sql_version_prune_in){ .credential_id = c->id, .through = row.version }, NULL);
}

/* The new version is in place; the verification was of another secret. */
static enum err write_new_version(struct ctx *cx, struct credential *c, const struct plain *plain)
{
	c->version++;
	c->masked = plain->masked;
	c->status = STR("untested");
	c->verify = UNTESTED;
	TRY(add_version(cx, c, buf_str(&plain->json), PERSON));
	TRY(prune(cx, c));
	TRY(write_change(cx, c));
	return note_due(cx, c, plain->token_ends_at);
}

static enum err read_stored(struct ctx *cx, struct str plain, const json_t **ret_data)
{
	json_t *data;

	TRY(json_read(cx->arena, plain, &data, NULL));
	*ret_data = data;
	return OK;
}

/* What `data` becomes; `ret_differs` is false when it stays as it is. */
static enum err merge_data(struct ctx *cx, const struct credential *c,
			   const struct vault_change *change, struct plain *ret_plain, bool *ret_differs)
{
	SECRET_AUTO struct secret stored = SECRET_EMPTY;
	enum credential_type type;
	const json_t *data;
	int64_t version;

	TRY(type_of(cx, c->type, &type));
	TRY(vault_open(cx, &c->id, (struct opt_int){ true, c->version }, &version, &stored));
	TRY(read_stored(cx, secret_str(&stored), &data));
	TRY(make_plain(cx, type, data, c->masked, change->data, ret_plain));
	if (change->by_hand)
		TRY(vault_check_address(cx, type, data, change->data));
	*ret_differs = !str_eq(secret_str(&stored), buf_str(&ret_plain->json));
	return OK;
}

/* The columns beside `data`. */
static bool change_columns(struct credential *c, const struct vault_change *change)
{
	struct credential before = *c;

	if (!str_absent(change->name))
		c->name = change->name;
	if (!str_absent(change->service)) {
		c->service = change->service;
		if (!str_absent(c->key_service))
			c->key_service = change->service;
	}
	if (change->expires_at.set)
		c->expires_at = change->expires_at;
	return !str_eq(c->name, before.name) || !str_eq(c->service, before.service) ||
	       c->expires_at.set != before.expires_at.set || c->expires_at.v != before.expires_at.v;
}

enum err vault_change(struct ctx *cx, struct credential *credential,
		      const struct vault_change *change, bool *ret_changed)
{
	PLAIN_AUTO struct plain plain = { 0 };
	bool columns = change_columns(credential, change);
	bool data = false;

	if (change->data)
		TRY(merge_data(cx, credential, change, &plain, &data));
	*ret_changed = columns || data;
	cx->audit.service = credential->service;
	if (data)
		return write_new_version(cx, credential, &plain);
	return columns ? write_change(cx, credential) : OK;
}

enum err vault_restore_version(struct ctx *cx, struct credential *credential, int64_t version,
			       bool *ret_changed)
{
	SECRET_AUTO struct secret stored = SECRET_EMPTY;
	PLAIN_AUTO struct plain plain = { 0 };
	enum credential_type type;
	const json_t *data;

	*ret_changed = false;
	TRY(type_of(cx, credential->type, &type));
	TRY(vault_open(cx, &credential->id, (struct opt_int){ true, version }, &version, &stored));
	if (version == credential->version)
		return OK;
	TRY(read_stored(cx, secret_str(&stored), &data));
	buf_init(&plain.json, VAULT_DATA_MAX);
	buf_add_str(&plain.json, secret_str(&stored));
	TRY(buf_error(&plain.json));
	TRY(mask_of(cx, type, data, &plain.masked));
	plain.token_ends_at = token_end(type, data);
	*ret_changed = true;
	return write_new_version(cx, credential, &plain);
}

enum err vault_put_refreshed(struct ctx *cx, struct credential *credential, const json_t *stored,
			     const json_t *change)
{
	const struct sql_version_drop_refreshed_in older = { .credential_id = credential->id,
							     .before = credential->version + 1 };
	PLAIN_AUTO struct plain plain = { 0 };
	enum credential_type type;

	TRY(type_of(cx, credential->type, &type));
	TRY(make_plain(cx, type, stored, STR_NONE, change, &plain));
	credential->version++;
	credential->masked = plain.masked;
	TRY(add_version(cx, credential, buf_str(&plain.json), REFRESH));
	TRY(sql_version_drop_refreshed(cx->db, &older, NULL));
	TRY(prune(cx, credential));
	return write_change(cx, credential);
}

enum err vault_put_alone(struct ctx *cx, struct credential *credential, const json_t *stored, const json_t *change)
{
	const struct sql_version_overwrite_in overwrite = { .credential_id = credential->id };
	const struct sql_version_delete_in all = { .credential_id = credential->id };
	PLAIN_AUTO struct plain plain = { 0 };
	enum credential_type type;

	TRY(type_of(cx, credential->type, &type));
	TRY(make_plain(cx, type, stored, STR_NONE, change, &plain));
	TRY(sql_version_overwrite(cx->db, &overwrite, NULL));
	TRY(sql_version_delete(cx->db, &all, NULL));
	return write_new_version(cx, credential, &plain);
}
