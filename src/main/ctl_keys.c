/* latchctl key init, list, rotate, verify. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "crypt/keyring.h"
#include "main/ctl.h"
#include "store/db.h"
#include "store/sql_root_key.h"
#include "store/sql_tenant.h"
#include "vault/root_key.h"
#include "vault/rotate.h"

/* Root makes the files; the directory's group (setgid) may read them: the vault's alone, or both pools' common one. */
enum { VAULT_KEY_MODE = 0440, FRONT_KEY_MODE = 0440, TENANT_BATCH = 100 };

struct set {
	const char *purpose, *directory;
	unsigned needs;
	mode_t mode;
};

static enum err read_set(const struct ctl *ctl, struct set *ret_set)
{
	const char *name = ctl->argument[0];

	if (strcmp(name, VAULT_PURPOSE) == 0)
		*ret_set = (struct set){ VAULT_PURPOSE, ctl->config->keys_vault_dir, CTL_VAULT_KEYS, VAULT_KEY_MODE };
	else if (strcmp(name, FRONT_PURPOSE) == 0)
		*ret_set = (struct set){ FRONT_PURPOSE, ctl->config->keys_front_dir, CTL_FRONT_KEYS, FRONT_KEY_MODE };
	else
		return ctl_fail(ERR_BAD_INPUT, "%s is no set of keys: vault, front or tenant", name);
	return OK;
}

static struct keyring *set_keyring(const struct ctl *ctl, const struct set *set)
{
	return set->needs == CTL_VAULT_KEYS ? ctl->cx.vault_keys : ctl->cx.front_keys;
}

/* A new key file, which isn't current yet; sealed when a passphrase is configured and wanted. */
static enum err make_file(const struct ctl *ctl, const struct set *set, bool sealed, char ret_id[KEYRING_ID_MAX + 1])
{
	SECRET_AUTO struct secret passphrase = SECRET_EMPTY;
	const char *file = ctl->config->keys_passphrase_file;
	char why[KEYRING_WHY_MAX];
	enum err e;

	if (sealed && file[0] == '\0')
		return ctl_fail(ERR_CONFIG, "keys.passphrase_file names no file");
	if (sealed)
		TRY(ctl_say(secret_read_file(file, 4096, &passphrase), file));
	e = keyring_create(set->directory, sealed ? &passphrase : NULL, set->mode, why, ret_id);
	return e == OK ? OK : ctl_fail(e, "%s", why);
}

static enum err make_current(const struct set *set, const char *id)
{
	char why[KEYRING_WHY_MAX];
	enum err e = keyring_set_current(set->directory, str_of(id), why);

	return e == OK ? OK : ctl_fail(e, "%s", why);
}

static enum err write_row(struct ctl *ctl, void *arg) { (void)ctl, (void)arg; return OK; }

static enum err note_key(struct ctl *ctl, enum audit_action action)
{
	return ctl_say(ctl_change(ctl, action, write_row, NULL), "the audit row");
}

static enum err set_is_empty(struct ctl *ctl, const struct set *set)
{
	struct sql_root_key_list_row row;
	enum err e;

	TRY(ctl_say(sql_root_key_list(ctl->cx.db, &(struct sql_root_key_list_in){ str_of(set->purpose) }), "the register"));
	e = sql_root_key_list_next(ctl->cx.db, &row);
	if (e == OK)
		return ctl_fail(ERR_CONFLICT, "the set %s has root keys already; see latchctl key rotate", set->purpose);
	return e == ERR_END ? OK : ctl_say(e, "the register");
}

enum err ctl_key_init(struct ctl *ctl)
{
	char id[KEYRING_ID_MAX + 1];
	struct set set = { 0 };

	TRY(read_set(ctl, &set));
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(set_is_empty(ctl, &set));
	TRY(make_file(ctl, &set, ctl_option(ctl, "passphrase") != NULL, id));
	TRY(make_current(&set, id));
	if (set.needs == CTL_VAULT_KEYS)
		TRY(start_keys(ctl->config, KEYS_VAULT, &ctl->cx.vault_keys));
	else
		TRY(start_keys(ctl->config, KEYS_FRONT, &ctl->cx.front_keys));
	TRY(ctl_say(vault_register_key(ctl->cx.db, set_keyring(ctl, &set), set.purpose, str_of(id), ctl->cx.now_ms),
		    "the register"));
	TRY(note_key(ctl, AUDIT_ROOT_KEY_CREATE));
	ctl_note(ctl, "root key %s of the set %s was made in %s: keep a copy of it apart from the database", id, set.purpose,
		 set.directory);
	return OK;
}

/* --- list ---------------------------------------------------------------------- */

static const char *const KEY_COLUMNS[] = { "set", "id", "state", "created_at", "file" };

struct listing {
	struct ctl_list list;
	const char *purpose;
};

static void list_key(void *arg, const struct vault_root_key *key)
{
	struct listing *listing = arg;
	char time[TIME_TEXT_MAX];
	const struct str row[] = { str_of(listing->purpose), key->id, key->state, time_format(key->created_at, time),
				   key->present ? STR("present") : STR("missing") };

	ctl_list_row(&listing->list, row);
}

enum err ctl_key_list(struct ctl *ctl)
{
	struct listing listing;

	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_FRONT_KEYS | CTL_VAULT_KEYS));
	ctl_list_begin(&listing.list, ctl, KEY_COLUMNS, ARRAY_SIZE(KEY_COLUMNS));
	listing.purpose = VAULT_PURPOSE;
	TRY(ctl_say(vault_list_keys(ctl->cx.db, ctl->cx.vault_keys, VAULT_PURPOSE, list_key, &listing), "the register"));
	listing.purpose = FRONT_PURPOSE;
	TRY(ctl_say(vault_list_keys(ctl->cx.db, ctl->cx.front_keys, FRONT_PURPOSE, list_key, &listing), "the register"));
	ctl_list_end(&listing.list);
	return OK;
}

/* --- rotate -------------------------------------------------------------------- */

static bool key_is_old(const struct ctl *ctl, const struct set *set, struct str *ret_current)
{
	struct sql_root_key_list_row row;
	bool old = false;

	if (sql_root_key_list(ctl->cx.db, &(struct sql_root_key_list_in){ str_of(set->purpose) }) != OK)
		return false;
	while (sql_root_key_list_next(ctl->cx.db, &row) == OK) {
		if (str_eq(row.state, STR("current")))
			*ret_current = arena_copy(ctl->cx.arena, row.root_key_id);
		old = old || str_eq(row.state, STR("old"));
	}
	return old && !str_absent(*ret_current);
}

static enum err rotate_vault(struct ctl *ctl, const struct set *set)
{
	const struct vault_progress progress = { ctl_progress, ctl };
	struct vault_rotated rotated = { 0 };
	char id[KEYRING_ID_MAX + 1];
	struct str current = STR_NONE;

	/* One that was cut off is finished first; it left a key that is old and not retired. */
	if (key_is_old(ctl, set, &current)) {
		ctl_note(ctl, "a rotation to %.*s was cut off: going on with it", STR_ARG(current));
		snprintf(id, sizeof id, "%.*s", STR_ARG(current));
	} else {
		TRY(make_file(ctl, set, ctl->config->keys_passphrase_file[0] != '\0', id));
	}
	/* The file names the new key before the old one can be retired: a restart in between finds all it needs. */
	TRY(ctl_say(vault_register_key(ctl->cx.db, ctl->cx.vault_keys, set->purpose, str_of(id), ctl->cx.now_ms),
		    "the register"));
	TRY(make_current(set, id));
	TRY(ctl_say(vault_rotate_root(&ctl->cx, str_of(id), &progress, &rotated), "the rotation"));
	ctl_note(ctl, "root key %s wraps now; %" PRId64 " keys were rewrapped, 0 are on an older one", id, rotated.done);
	return OK;
}

/* Old front keys verify what they signed until it has expired; the next rotation retires them. */
static enum err rotate_front(struct ctl *ctl, const struct set *set)
{
	char id[KEYRING_ID_MAX + 1], why[KEYRING_WHY_MAX];
	enum err e;

	TRY(make_file(ctl, set, ctl->config->keys_passphrase_file[0] != '\0', id));
	e = keyring_reload(ctl->cx.front_keys, why);
	if (e != OK)
		return ctl_fail(e, "%s", why);
	TRY(ctl_say(vault_retire_keys(ctl->cx.db, FRONT_PURPOSE), "the register"));
	TRY(ctl_say(vault_register_key(ctl->cx.db, ctl->cx.front_keys, FRONT_PURPOSE, str_of(id), ctl->cx.now_ms),
		    "the register"));
	TRY(make_current(set, id));
	TRY(note_key(ctl, AUDIT_ROOT_KEY_ROTATE));
	ctl_note(ctl, "root key %s signs after the pools' next SIGHUP; tokens of the one before stay valid until they expire", id);
	return OK;
}

static enum err rotate_one_tenant(struct ctl *ctl, const char *tenant)
{
	const struct vault_progress progress = { ctl_progress, ctl };
	struct vault_rotated rotated = { 0 };

	TRY(ctl_enter_tenant(ctl, tenant));
	TRY(ctl_say(vault_rotate_tenant(&ctl->cx, &progress, &rotated), tenant));
	if (rotated.generation == 0)
		return OK;
	ctl_note(ctl, "%s: generation %" PRId64 ", %" PRId64 " versions were sealed again, 0 are under an older key", tenant,
		 rotated.generation, rotated.done);
	return OK;
}

static enum err rotate_each_tenant(struct ctl *ctl)
{
	struct sql_tenant_list_row row;
	char ids[TENANT_BATCH][ID_TEXT_MAX];
	struct id after = ID_NIL;
	size_t n;
	enum err e;

	do {
		n = 0;
		TRY(ctl_say(sql_tenant_list(ctl->cx.db, &(struct sql_tenant_list_in){ after, TENANT_BATCH }), "tenants"));
		while ((e = sql_tenant_list_next(ctl->cx.db, &row)) == OK) {
			after = row.tenant_id;
			if (!row.deleted_at.set) {
				struct str id = id_format(ID_TENANT, &row.tenant_id, ids[n]);

				ids[n++][id.n] = '\0';
			}
		}
		if (e != ERR_END)
			return ctl_say(e, "tenants");
		for (size_t i = 0; i < n; i++)
			TRY(rotate_one_tenant(ctl, ids[i]));
	} while (n > 0);
	return OK;
}

enum err ctl_key_rotate(struct ctl *ctl)
{
	struct set set = { 0 };

	if (strcmp(ctl->argument[0], "tenant") == 0) {
		TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_VAULT_KEYS));
		return ctl_option(ctl, "tenant") ? rotate_one_tenant(ctl, ctl_option(ctl, "tenant")) : rotate_each_tenant(ctl);
	}
	TRY(read_set(ctl, &set));
	TRY(ctl_open(ctl, ACCOUNT_CTL, set.needs));
	return set.needs == CTL_VAULT_KEYS ? rotate_vault(ctl, &set) : rotate_front(ctl, &set);
}

/* --- verify -------------------------------------------------------------------- */

static enum err check_set(struct ctl *ctl, struct keyring *keyring, const char *purpose)
{
	char why[KEYRING_WHY_MAX];
	enum err e = vault_check_keys(ctl->cx.db, keyring, purpose, why);

	if (e != OK)
		return ctl_fail(e, "%s: %s", purpose, why[0] ? why : err_words(e));
	ctl_note(ctl, "%s: every registered root key is there and right", purpose);
	return OK;
}

enum err ctl_key_verify(struct ctl *ctl)
{
	struct vault_rotated found = { 0 };

	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_FRONT_KEYS | CTL_VAULT_KEYS));
	TRY(check_set(ctl, ctl->cx.front_keys, FRONT_PURPOSE));
	TRY(check_set(ctl, ctl->cx.vault_keys, VAULT_PURPOSE));
	TRY(ctl_say(vault_verify_wrapped(&ctl->cx, &found), "tenants' keys"));
	if (found.unreadable > 0)
		return ctl_fail(ERR_UNREADABLE, "%" PRId64 " tenants' keys can't be opened", found.unreadable);
	ctl_note(ctl, "%" PRId64 " tenants' keys open", found.done);
	return OK;
}
