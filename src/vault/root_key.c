#include "vault/root_key.h"

#include <stdio.h>
#include <string.h>

#include "base/crash.h"
#include "base/log.h"
#include "store/db.h"
#include "store/sql_root_key.h"

static bool is_right(const struct root_key *key, struct str check_value)
{
	uint8_t check[KEYRING_CHECK_BYTES];

	keyring_check_value(key, check);
	return check_value.n == sizeof(check) &&
	       bytes_eq_constant_time(check, check_value.p, sizeof(check));
}

static enum err check_row(struct keyring *keyring, const char *purpose,
			  const struct sql_root_key_list_row *row, char ret_why[KEYRING_WHY_MAX])
{
	char why[KEYRING_WHY_MAX] = "";
	const struct root_key *key;

	if (str_eq(row->state, STR("retired")))
		return OK;
	if (keyring_find(keyring, row->root_key_id, why, &key) != OK) {
		snprintf(ret_why, KEYRING_WHY_MAX,
			 "the %s root key %.*s is wanted and can't be had: %.200s", purpose,
			 STR_ARG(row->root_key_id), why);
		return ERR_NO_KEY;
	}
	if (!is_right(key, row->check_value)) {
		snprintf(
			ret_why, KEYRING_WHY_MAX,
			"the file of the %s root key %.*s holds another key than the one that this "
			"database was written with",
			purpose, STR_ARG(row->root_key_id));
		return ERR_NO_KEY;
	}
	return OK;
}

enum err vault_check_keys(struct db *db, struct keyring *keyring, const char *purpose,
			  char ret_why[KEYRING_WHY_MAX])
{
	const struct sql_root_key_list_in in = { .purpose = str_of(purpose) };
	struct str current = root_key_id(keyring_current(keyring));
	struct sql_root_key_list_row row;
	bool current_known = false;
	enum err e;

	ret_why[0] = '\0';
	TRY(sql_root_key_list(db, &in));
	while ((e = sql_root_key_list_next(db, &row)) == OK) {
		TRY(check_row(keyring, purpose, &row, ret_why));
		if (str_eq(row.root_key_id, current))
			current_known = true;
	}
	if (e != ERR_END)
		return e;
	if (current_known)
		return OK;
	snprintf(
		ret_why, KEYRING_WHY_MAX,
		"the current %s root key %.*s isn't registered in this database: latchctl key init",
		purpose, STR_ARG(current));
	return ERR_NO_KEY;
}

struct registration {
	const char *purpose;
	const struct root_key *key;
	int64_t now_ms;
};

/*
 * The state of a registered key, with all keys of the purpose locked; absent when it isn't
 * registered.
 */
static enum err lock_all(struct db *db, const char *purpose, struct str id, bool *ret_known,
			 bool *ret_current)
{
	const struct sql_root_key_lock_in in = { .purpose = str_of(purpose) };
	struct sql_root_key_lock_row row;
	enum err e;

	*ret_known = *ret_current = false;
	TRY(sql_root_key_lock(db, &in));
	while ((e = sql_root_key_lock_next(db, &row)) == OK) {
		if (!str_eq(row.root_key_id, id))
			continue;
		*ret_known = true;
		*ret_current = str_eq(row.state, STR("current"));
	}
	return e == ERR_END ? OK : e;
}

static enum err promote(struct db *db, const struct registration *r, struct str check)
{
	const struct sql_root_key_promote_in in = { .purpose = str_of(r->purpose),
						    .root_key_id = root_key_id(r->key),
						    .check_value = check };
	int64_t rows;

	TRY(sql_root_key_promote(db, &in, &rows));
	return rows == 1 ? OK : ERR_CONFLICT;
}

static enum err insert(struct db *db, const struct registration *r, struct str check)
{
	const struct sql_root_key_insert_in in = {
		.purpose = str_of(r->purpose),
		.root_key_id = root_key_id(r->key),
		.check_value = check,
		.created_at = r->now_ms,
	};

	return sql_root_key_insert(db, &in, NULL);
}

static enum err register_in_transaction(struct db *db, void *arg)
{
	const struct registration *r = arg;
	const struct sql_root_key_demote_in demote = { .purpose = str_of(r->purpose) };
	uint8_t bytes[KEYRING_CHECK_BYTES];
	const struct str check = { (const char *)bytes, sizeof(bytes) };
	bool known, current;

	keyring_check_value(r->key, bytes);
	TRY(lock_all(db, r->purpose, root_key_id(r->key), &known, &current));
	if (!current)
		TRY(sql_root_key_demote(db, &demote, NULL));
	TRY(known ? promote(db, r, check) : insert(db, r, check));
	lw_crash_point("root_key_before_register");
	return OK;
}

enum err vault_register_key(struct db *db, struct keyring *keyring, const char *purpose,
			    struct str id, int64_t now_ms)
{
	struct registration r = { .purpose = purpose, .now_ms = now_ms };

	TRY(keyring_find(keyring, id, NULL, &r.key));
	TRY(db_run(db, register_in_transaction, &r));
	lw_crash_point("root_key_after_register");
	return OK;
}

enum err vault_retire_keys(struct db *db, const char *purpose)
{
	const struct sql_root_key_retire_in in = { .purpose = str_of(purpose) };

	return sql_root_key_retire(db, &in, NULL);
}

enum err vault_list_keys(struct db *db, struct keyring *keyring, const char *purpose,
			 void (*each)(void *arg, const struct vault_root_key *key), void *arg)
{
	const struct sql_root_key_list_in in = { .purpose = str_of(purpose) };
	struct sql_root_key_list_row row;
	enum err e;

	TRY(sql_root_key_list(db, &in));
	while ((e = sql_root_key_list_next(db, &row)) == OK) {
		const struct root_key *key;
		bool found = keyring_find(keyring, row.root_key_id, NULL, &key) == OK;
		struct vault_root_key told = { row.root_key_id, row.state, row.created_at,
					       found && is_right(key, row.check_value) };

		each(arg, &told);
	}
	return e == ERR_END ? OK : e;
}

enum err vault_root_to_wrap(struct ctx *cx, const struct root_key **ret_key)
{
	const struct sql_root_key_current_in in = { .purpose = STR(VAULT_PURPOSE) };
	struct sql_root_key_current_row row;
	enum err e = sql_root_key_current(cx->db, &in, &row);

	if (e == ERR_NOT_FOUND) {
		log_write(LOG_ERROR, "no vault root key is registered", LOG_NO_FIELDS);
		return ERR_NO_KEY;
	}
	TRY(e);
	TRY(keyring_find(cx->vault_keys, row.root_key_id, NULL, ret_key));
	/* A file that was swapped since the start: what it wrapped, nobody else could open. */
	if (is_right(*ret_key, row.check_value))
		return OK;
	log_write(LOG_ERROR, "the current vault root key's file holds another key",
		  LOG_FIELDS(log_str("root_key", row.root_key_id)));
	*ret_key = NULL;
	return ERR_NO_KEY;
}
