/* Making a hook, and keeping its keys those of the credential. In the vault and in the worker. */
#include "hook/publish.h"

#include "base/json_read.h"
#include "base/json_write.h"
#include "base/log.h"
#include "connect/catalog.h"
#include "connect/connector.h"
#include "connect/hook_address.h"
#include "connect/token.h"
#include "connect/values.h"
#include "core/operations.h"
#include "crypt/hash.h"
#include "fcgi/reply.h"
#include "hook/keys.h"
#include "hook/scheme.h"
#include "store/db.h"
#include "store/sql_hook.h"
#include "vault/seal.h"

static enum err scheme_of(const struct connector_type *type, struct hook_scheme *ret_scheme)
{
	const char *why;

	return hook_scheme_read(json_member(type->file, "webhook"), ret_scheme, &why);
}

/* --- what a credential says about keys ------------------------------------------------- */

static enum err read_values(struct ctx *cx, const struct connector_type *type, const struct id *credential,
			    struct opt_int version, struct values *values)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	int64_t opened;
	json_t *data;
	enum err e = vault_open(cx, credential, version, &opened, &plain);

	/* Nothing is genuine then. */
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	TRY(json_read(cx->arena, secret_str(&plain), &data, NULL));
	return values_read(type, data, values);
}

/* Many providers sign with the secret of the OAuth client, which need not be the connection's own. */
static enum err add_client(struct ctx *cx, const struct connector_type *type, const struct hook_scheme *scheme,
			   struct values *values)
{
	const struct str name = STR("client_secret");
	struct opt_id credential;
	enum err e;

	if (!str_eq(scheme->proof[0].key_field, name) || values_get(values, name).n > 0 || !type->has_oauth2)
		return OK;
	e = oauth_client(cx, type, (struct opt_id){ 0 }, values, &credential);
	problem_clear(&cx->problem);
	return e == ERR_OAUTH_NO_CLIENT ? OK : e;
}

/* A key that can't be one checks nothing: the delivery is refused. A known one isn't there twice. */
static enum err add_key(const struct hook_proof *proof, const struct values *values, struct key_list *list)
{
	struct str value = values_get(values, proof->key_field);
	BUF_AUTO struct buf key = { 0 };

	if (str_absent(proof->key_field) || value.n == 0)
		return OK;
	buf_init(&key, HOOK_KEY_BYTES_MAX);
	if (hook_key_make(proof, value, &key) != OK)
		return OK;
	return key_list_add(list, proof->key_field, buf_str(&key));
}

static enum err add_keys(const struct hook_scheme *scheme, const struct values *values, struct key_list *list)
{
	for (size_t i = 0; i < scheme->proofs; i++) {
		const struct hook_proof pin = { .kind = HOOK_SHARED_TOKEN, .key_field = scheme->proof[i].pin_field };

		TRY(add_key(&scheme->proof[i], values, list));
		TRY(add_key(&pin, values, list));
	}
	for (size_t i = 0; i < scheme->handshakes; i++) {
		const struct hook_proof shared = { .kind = HOOK_SHARED_TOKEN,
						   .key_field = scheme->handshake[i].check_field };

		TRY(add_key(&shared, values, list));
	}
	return OK;
}

/* The newest version's keys and, for a while, those of the one before: `ret_until` is when they are over. */
static enum err collect(struct ctx *cx, const struct connector_type *type, const struct id *credential,
			const struct hook_scheme *scheme, struct key_list *list, struct opt_int *ret_until)
{
	VALUES_AUTO struct values now, before;
	struct sql_hook_credential_row row;
	size_t bytes;
	enum err e;

	values_init(&now);
	values_init(&before);
	e = sql_hook_credential(cx->db, &(struct sql_hook_credential_in){ .credential_id = *credential }, &row);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	TRY(read_values(cx, type, credential, (struct opt_int){ 0 }, &now));
	TRY(add_client(cx, type, scheme, &now));
	TRY(add_keys(scheme, &now, list));
	bytes = list->text.n;
	if (!row.earlier.set || row.created_at + HOOK_OLD_KEY_MS <= cx->now_ms)
		return OK;
	TRY(read_values(cx, type, credential, row.earlier, &before));
	TRY(add_keys(scheme, &before, list));
	if (list->text.n > bytes)
		*ret_until = (struct opt_int){ true, row.created_at + HOOK_OLD_KEY_MS };
	return OK;
}

/*
 * Behind the hook's lock, so that a credential that changes meanwhile makes it due again afterwards. Nothing happens
 * without a hook.
 */
static enum err publish(struct ctx *cx, const struct connector_type *type, const struct connector *connector)
{
	struct sql_hook_set_keys_in keys = { .connector_id = connector->id };
	KEY_LIST_AUTO struct key_list list;
	BUF_AUTO struct buf sealed = { 0 };
	struct sql_hook_lock_row row;
	struct hook_scheme scheme;
	enum err e = sql_hook_lock(cx->db, &(struct sql_hook_lock_in){ .connector_id = connector->id }, &row);

	key_list_init(&list);
	if (e == ERR_NOT_FOUND)
		return OK;
	TRY(e);
	TRY(scheme_of(type, &scheme));
	if (connector->credential.set)
		TRY(collect(cx, type, &connector->credential.v, &scheme, &list, &keys.due_at));
	buf_init(&sealed, HOOK_KEYS_SEALED_MAX);
	TRY(key_list_seal(cx, &connector->id, &list, &sealed));
	keys.check_keys = buf_str(&sealed);
	return sql_hook_set_keys(cx->db, &keys, NULL);
}

/* --- POST /connectors/{id}/webhook-secret -------------------------------------------------- */

/* The next secret; the old address ends at once. */
static enum err renew(struct ctx *cx, struct connector *connector)
{
	const struct root_key *root = keyring_current(cx->front_keys);
	int64_t generation = connector->hook_generation.set ? connector->hook_generation.v + 1 : 1;
	char secret[HOOK_SECRET_CHARS + 1];
	uint8_t hash[SHA256_BYTES];
	enum err e;

	TRY(hook_secret_of(root, &connector->id, generation, secret));
	sha256_of(BYTES(str_of(secret)), hash);
	const struct sql_hook_insert_in in = {
		.connector_id = connector->id,
		.connector_type = connector->type,
		.secret_hash = { (const char *)hash, sizeof(hash) },
		.secret_generation = generation,
		.root_key_id = root_key_id(root),
	};
	const struct sql_hook_replace_secret_in renewed = { in.connector_id, in.secret_hash, in.secret_generation,
							    in.root_key_id };

	e = generation == 1 ? sql_hook_insert(cx->db, &in, NULL) : sql_hook_replace_secret(cx->db, &renewed, NULL);
	connector->hook_generation = (struct opt_int){ true, generation };
	connector->hook_root_key = in.root_key_id;
	return e;
}

static enum err write_url(struct ctx *cx, const struct connector *connector, struct reply *reply)
{
	BUF_AUTO struct buf url = { 0 };
	struct json_writer w;

	buf_init(&url, HOOK_ADDRESS_MAX);
	TRY(hook_address(cx, connector, &url));
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_text(&w, "webhook_url", buf_str(&url));
	jw_object_end(&w);
	return buf_error(&reply->body);
}

enum err connector_webhook_secret(struct ctx *cx, const struct connector_webhook_secret_in *in, struct reply *reply)
{
	const struct connector_type *type;
	struct hook_scheme scheme;
	struct connector connector;
	enum err e;

	TRY(connector_lock(cx, &in->connector_id, &connector));
	type = catalog_find(cx->catalog, connector.type);
	e = type ? scheme_of(type, &scheme) : ERR_NOT_FOUND;
	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_CONFLICT, "This provider sends no webhooks.");
	TRY(e);
	TRY(renew(cx, &connector));
	TRY(publish(cx, type, &connector));
	/* The address is part of what the connector's ETag stands for. */
	TRY(connector_write(cx, &connector));
	return write_url(cx, &connector, reply);
}

/* --- in the worker ----------------------------------------------------------------------- */

struct due {
	struct ctx *cx;
	struct id connector;
};

static enum err publish_again(struct db *db, void *arg)
{
	const struct due *due = arg;
	const struct connector_type *type;
	struct connector connector;

	(void)db;
	TRY(connector_lock(due->cx, &due->connector, &connector));
	type = catalog_find(due->cx->catalog, connector.type);
	return type ? publish(due->cx, type, &connector) : ERR_NOT_FOUND;
}

static enum err put_off(struct ctx *cx, const struct id *connector, enum err why)
{
	const struct sql_hook_put_off_in in = { .connector_id = *connector, .due_at = cx->now_ms + HOOK_PUT_OFF_MS };
	char text[ID_TEXT_MAX];

	log_write(LOG_WARN, "a connector's webhook keys can't be made; the old ones stay",
		  LOG_FIELDS(log_str("connector", id_format(ID_CONNECTOR, connector, text)), log_err(why)));
	return sql_hook_put_off(cx->db, &in, NULL);
}

static enum err publish_one(struct ctx *cx, void *arg)
{
	struct due *due = arg;
	enum err e = db_run(cx->db, publish_again, due);

	return e == OK || e == ERR_DB_LOST || e == ERR_DB_UNSURE ? e : put_off(cx, &due->connector, e);
}

enum err hook_publish_due(struct ctx *cx, int *ret_published)
{
	const struct sql_hook_due_in in = { .before = cx->now_ms, .limit = HOOK_DUE_BATCH };
	struct sql_hook_due_row row[HOOK_DUE_BATCH];
	size_t n = 0;
	enum err e;

	*ret_published = 0;
	TRY(sql_hook_due(cx->db, &in));
	while (n < HOOK_DUE_BATCH && (e = sql_hook_due_next(cx->db, &row[n])) == OK)
		n++;
	if (n < HOOK_DUE_BATCH && e != ERR_END)
		return e;
	for (size_t i = 0; i < n; i++, (*ret_published)++) {
		struct due due = { cx, row[i].connector_id };

		TRY(ctx_as_system(cx, &row[i].tenant_id, 0, publish_one, &due));
	}
	return OK;
}
