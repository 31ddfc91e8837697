#include "vault/tenant_key.h"

#include "crypt/envelope.h"
#include "store/db.h"
#include "store/sql_tenant_key.h"
#include "vault/root_key.h"

void tenant_key_done(struct tenant_key *key)
{
	if (!key)
		return;
	secret_done(&key->key);
	key->generation = 0;
}

enum err tenant_key_unwrap(struct ctx *cx, const struct id *tenant, int64_t generation,
			   struct str root_key_id, struct str wrapped, struct tenant_key *ret_key)
{
	const struct root_key *root;

	*ret_key = (struct tenant_key){ 0 };
	if (str_absent(wrapped))
		return ERR_UNREADABLE;
	TRY(keyring_find(cx->vault_keys, root_key_id, NULL, &root));
	TRY(envelope_unwrap(root, tenant, (uint32_t)generation, wrapped, &ret_key->key));
	ret_key->generation = (uint32_t)generation;
	return OK;
}

/* A new key and its wrapped form, under the root key that is current now. */
static enum err new_wrapped(struct ctx *cx, const struct id *tenant, uint32_t generation,
			    const struct root_key **ret_root, struct tenant_key *ret_key,
			    struct buf *ret_wrapped)
{
	*ret_key = (struct tenant_key){ .generation = generation };
	TRY(vault_root_to_wrap(cx, ret_root));
	TRY(envelope_new_key(&ret_key->key));
	return envelope_wrap(*ret_root, tenant, generation, &ret_key->key, ret_wrapped);
}

enum err tenant_key_make(struct ctx *cx, uint32_t generation, struct tenant_key *ret_key)
{
	TENANT_KEY_AUTO struct tenant_key key = { 0 };
	const struct root_key *root;
	BUF_AUTO struct buf wrapped = { 0 };

	buf_init(&wrapped, ENVELOPE_WRAPPED_BYTES);
	*ret_key = (struct tenant_key){ 0 };
	TRY(new_wrapped(cx, &cx->who.tenant, generation, &root, &key, &wrapped));
	const struct sql_tenant_key_insert_in in = {
		.generation = generation,
		.root_key_id = root_key_id(root),
		.wrapped = buf_str(&wrapped),
		.created_at = cx->now_ms,
	};
	TRY(sql_tenant_key_insert(cx->db, &in, NULL));
	*ret_key = key;
	key.key = SECRET_EMPTY;
	return OK;
}

enum err tenant_key_to_seal(struct ctx *cx, struct tenant_key *ret_key)
{
	struct sql_tenant_key_current_row row;
	enum err e;

	*ret_key = (struct tenant_key){ 0 };
	TRY(sql_tenant_key_current(cx->db, &row));
	if (!str_absent(row.wrapped))
		return tenant_key_unwrap(cx, &cx->who.tenant, row.generation, row.root_key_id,
					 row.wrapped, ret_key);
	e = tenant_key_make(cx, (uint32_t)row.generation, ret_key);
	if (e != ERR_DB_DUPLICATE)
		return e;
	/* Another request made it meanwhile; its insert was waited for. */
	TRY(sql_tenant_key_current(cx->db, &row));
	return tenant_key_unwrap(cx, &cx->who.tenant, row.generation, row.root_key_id, row.wrapped,
				 ret_key);
}

/* --- the key of the service itself ------------------------------------------ */

static enum err make_system_key(struct ctx *cx, uint32_t generation, struct tenant_key *ret_key)
{
	TENANT_KEY_AUTO struct tenant_key key = { 0 };
	const struct root_key *root;
	BUF_AUTO struct buf wrapped = { 0 };

	buf_init(&wrapped, ENVELOPE_WRAPPED_BYTES);
	TRY(new_wrapped(cx, &ID_NIL, generation, &root, &key, &wrapped));
	const struct sql_system_key_insert_in in = {
		.generation = generation,
		.root_key_id = root_key_id(root),
		.wrapped = buf_str(&wrapped),
		.created_at = cx->now_ms,
	};
	TRY(sql_system_key_insert(cx->db, &in, NULL));
	*ret_key = key;
	key.key = SECRET_EMPTY;
	return OK;
}

static enum err read_newest(struct ctx *cx, struct tenant_key *ret_key)
{
	struct sql_system_key_newest_row row;

	TRY(sql_system_key_newest(cx->db, &row));
	return tenant_key_unwrap(cx, &ID_NIL, row.generation, row.root_key_id, row.wrapped,
				 ret_key);
}

/* Two processes may both want to make the first one. */
struct making {
	struct ctx *cx;
	struct tenant_key key;
};

static enum err read_or_make(struct db *db, void *arg)
{
	struct making *m = arg;
	enum err e = read_newest(m->cx, &m->key);

	(void)db;
	if (e != ERR_NOT_FOUND)
		return e;
	e = make_system_key(m->cx, 1, &m->key);
	return e == ERR_DB_DUPLICATE ? read_newest(m->cx, &m->key) : e;
}

enum err vault_system_key_newest(struct ctx *cx, uint32_t *ret_generation, struct secret *ret_key)
{
	struct making m = { .cx = cx };
	enum err e = db_in_transaction(cx->db) ? read_or_make(cx->db, &m)
					       : db_run(cx->db, read_or_make, &m);

	if (e != OK)
		tenant_key_done(&m.key);
	*ret_generation = m.key.generation;
	*ret_key = m.key.key;
	return e;
}

enum err vault_system_key(void *arg, uint32_t generation, struct secret *ret_key)
{
	const struct sql_system_key_at_in in = { .generation = generation };
	struct sql_system_key_at_row row;
	struct tenant_key key;
	struct ctx *cx = arg;

	*ret_key = SECRET_EMPTY;
	TRY(sql_system_key_at(cx->db, &in, &row));
	TRY(tenant_key_unwrap(cx, &ID_NIL, generation, row.root_key_id, row.wrapped, &key));
	*ret_key = key.key;
	return OK;
}
