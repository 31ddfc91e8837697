#include "vault/seal.h"

#include "audit/audit.h"
#include "base/log.h"
#include "core/metrics.h"
#include "store/db.h"
#include "store/sql_credential.h"

static void count(struct ctx *cx, enum metric metric)
{
	if (cx->metrics)
		metrics_add(cx->metrics, metric, 1);
}

static struct envelope_context context_of(const struct ctx *cx, const struct vault_place *place,
					  uint32_t generation)
{
	return (struct envelope_context){
		.tenant = cx->who.tenant,
		.credential = place->credential,
		.owner = place->owner,
		.type = place->type,
		.version = (uint32_t)place->version,
		.generation = generation,
	};
}

enum err vault_seal(struct ctx *cx, const struct tenant_key *key, const struct vault_place *place,
		    struct str plain, struct buf *out)
{
	struct envelope_context context = context_of(cx, place, key->generation);

	TRY(envelope_seal(&key->key, &context, plain, out));
	count(cx, METRIC_SECRETS_SEALED);
	return OK;
}

enum err vault_unseal_with(struct ctx *cx, const struct tenant_key *key,
			   const struct vault_place *place, struct str ciphertext,
			   struct secret *ret_plain)
{
	struct envelope_context context = context_of(cx, place, key->generation);
	enum err e = envelope_open(&key->key, &context, ciphertext, ret_plain);

	count(cx, e == OK ? METRIC_SECRETS_OPENED : METRIC_SECRETS_UNREADABLE);
	return e;
}

enum err vault_unseal(struct ctx *cx, const struct vault_sealed *sealed, struct secret *ret_plain)
{
	TENANT_KEY_AUTO struct tenant_key key = { 0 };
	enum err e;

	*ret_plain = SECRET_EMPTY;
	e = tenant_key_unwrap(cx, &cx->who.tenant, sealed->generation, sealed->root_key_id,
			      sealed->wrapped, &key);
	if (e == OK)
		return vault_unseal_with(cx, &key, &sealed->place, sealed->ciphertext, ret_plain);
	if (e == ERR_UNREADABLE)
		count(cx, METRIC_SECRETS_UNREADABLE);
	return e;
}

/* In a transaction of its own: what failed is rolled back, and this is to stay. */
static enum err write_unreadable(struct ctx *cx, const struct id *credential)
{
	struct audit_note note = cx->audit;
	enum err e;

	db_rollback(cx->db);
	TRY(db_begin(cx->db));
	ctx_audit_target(cx, ID_CREDENTIAL, credential);
	e = audit_write(cx, AUDIT_CREDENTIAL_UNREADABLE, ERR_UNREADABLE);
	cx->audit = note;
	if (e == OK)
		return db_commit(cx->db);
	db_rollback(cx->db);
	return e;
}

/* Only the log says whether a root key was missing, and which. */
static void tell_unreadable(struct ctx *cx, const struct vault_sealed *sealed, enum err why)
{
	const struct id *credential = &sealed->place.credential;
	char text[ID_TEXT_MAX];
	enum err e;

	if (why == ERR_NO_KEY)
		log_write(LOG_ERROR, "a root key is missing",
			  LOG_FIELDS(log_str("root_key", sealed->root_key_id)));
	e = write_unreadable(cx, credential);
	log_write(LOG_ERROR, "a stored credential can't be opened",
		  LOG_FIELDS(log_str("credential", id_format(ID_CREDENTIAL, credential, text)),
			     log_text("audit", e == OK ? "ok" : err_code(e))));
}

static enum err unseal_or_tell(struct ctx *cx, const struct vault_sealed *sealed, struct secret *ret_plain)
{
	enum err e = vault_unseal(cx, sealed, ret_plain);

	if (e != ERR_UNREADABLE && e != ERR_NO_KEY)
		return e;
	tell_unreadable(cx, sealed, e);
	return ERR_UNREADABLE;
}

/* What each of the rows has of a version. */
#define SEALED_OF(credential, row)                                                                 \
	{                                                                                          \
		.place = { (credential), (row).owner, (row).type, (row).version },                 \
		.generation = (row).key_generation, .ciphertext = (row).ciphertext,                \
		.root_key_id = (row).root_key_id, .wrapped = (row).wrapped                         \
	}

#define OPENED_OF(row)                                                                             \
	((struct vault_opened){ .type = (row).type, .service = (row).service,                      \
				.status = (row).status, .version = (row).version,                  \
				.plain = SECRET_EMPTY })

enum err vault_open(struct ctx *cx, const struct id *credential, struct opt_int version,
		    int64_t *ret_version, struct secret *ret_plain)
{
	const struct sql_credential_open_in in = { .credential_id = *credential,
						   .version = version };
	struct sql_credential_open_row row;

	*ret_plain = SECRET_EMPTY;
	TRY(sql_credential_open(cx->db, &in, &row));
	const struct vault_sealed sealed = SEALED_OF(*credential, row);

	*ret_version = row.version;
	return unseal_or_tell(cx, &sealed, ret_plain);
}

enum err vault_open_newest(struct ctx *cx, const struct id *credential, struct vault_opened *ret_opened)
{
	const struct sql_credential_use_in in = { .credential_id = *credential };
	struct sql_credential_use_row row;

	*ret_opened = (struct vault_opened){ .plain = SECRET_EMPTY };
	TRY(sql_credential_use(cx->db, &in, &row));
	const struct vault_sealed sealed = SEALED_OF(*credential, row);

	*ret_opened = OPENED_OF(row);
	return unseal_or_tell(cx, &sealed, &ret_opened->plain);
}

/* --- several at once --------------------------------------------------------- */

/* Of one statement: its rows are mostly under one key, which is unwrapped once. */
struct opening {
	struct ctx *const *cx;
	vault_take *take;
	void *arg;
	struct tenant_key key; /* the last one that was needed */
};

static enum err unwrap_for(struct opening *o, struct ctx *cx, const struct vault_sealed *sealed)
{
	if (o->key.generation != 0 && o->key.generation == sealed->generation)
		return OK;
	tenant_key_done(&o->key);
	return tenant_key_unwrap(cx, &cx->who.tenant, sealed->generation, sealed->root_key_id, sealed->wrapped,
				 &o->key);
}

/* For the i-th that asked. */
static void open_for(struct opening *o, size_t i, const struct vault_sealed *sealed, struct vault_opened *opened)
{
	struct ctx *cx = o->cx[i];

	if (unwrap_for(o, cx, sealed) == OK &&
	    vault_unseal_with(cx, &o->key, &sealed->place, sealed->ciphertext, &opened->plain) == OK)
		o->take(o->arg, i, opened);
	secret_done(&opened->plain);
}

static enum err open_single(struct opening *o, const struct id *credential)
{
	const struct sql_credential_use_in in = { .credential_id = *credential };
	struct sql_credential_use_row row;
	enum err e = sql_credential_use(o->cx[0]->db, &in, &row);

	if (e != OK)
		return e == ERR_NOT_FOUND ? OK : e;
	open_for(o, 0, &(struct vault_sealed)SEALED_OF(*credential, row), &OPENED_OF(row));
	return OK;
}

static enum err open_several(struct opening *o, const struct id *credentials, size_t n)
{
	struct id id[VAULT_OPEN_MAX];
	struct db *db = o->cx[0]->db;
	struct sql_credential_use_some_row row;
	enum err e;

	/* The places that are left over ask for the first once more. */
	for (size_t i = 0; i < VAULT_OPEN_MAX; i++)
		id[i] = credentials[i < n ? i : 0];
	TRY(sql_credential_use_some(db, &(struct sql_credential_use_some_in){
		id[0], id[1], id[2], id[3], id[4], id[5], id[6], id[7], id[8], id[9], id[10], id[11], id[12], id[13],
		id[14], id[15], id[16], id[17], id[18], id[19], id[20], id[21], id[22], id[23] }));
	while ((e = sql_credential_use_some_next(db, &row)) == OK)
		for (size_t i = 0; i < n; i++)
			if (id_eq(&credentials[i], &row.credential_id))
				open_for(o, i, &(struct vault_sealed)SEALED_OF(row.credential_id, row),
					 &OPENED_OF(row));
	return e == ERR_END ? OK : e;
}

enum err vault_open_some(struct ctx *const *cx, const struct id *credentials, size_t n, vault_take *take, void *arg)
{
	struct opening o = { cx, take, arg, { 0 } };
	enum err e = n == 1 ? open_single(&o, &credentials[0]) : open_several(&o, credentials, n);

	tenant_key_done(&o.key);
	return e;
}
