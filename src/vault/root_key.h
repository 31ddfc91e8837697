/*
 * The register of root keys in the database: which there are, which one wraps
 * now, and a check value that tells a wrong key file before anything is written.
 *
 * A key is `current`, then `old` (it still opens), then `retired` (no row needs
 * it any more: its file may be destroyed).
 */
#ifndef LW_VAULT_ROOT_KEY_H
#define LW_VAULT_ROOT_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "crypt/keyring.h"

struct db;

#define VAULT_PURPOSE "vault" /* wraps tenants' keys */
#define FRONT_PURPOSE "front" /* signs our own tokens */

/*
 * At the start of a process, before it listens; writes nothing. Every key of that purpose that
 * isn't retired must be in the keyring and be the right one, and the keyring's current key must be
 * registered. ERR_NO_KEY otherwise, and then `ret_why` names the key id that is wanted.
 */
enum err vault_check_keys(struct db *db, struct keyring *keyring, const char *purpose,
			  char ret_why[KEYRING_WHY_MAX]) MUST_CHECK;

/*
 * Registers a key of the keyring as the current one of its purpose; the one before becomes old.
 * Nothing happens when it is current already. In a transaction of its own. ERR_CONFLICT when
 * another key was registered under that id, ERR_NO_KEY when the keyring hasn't got it.
 */
enum err vault_register_key(struct db *db, struct keyring *keyring, const char *purpose,
			    struct str id, int64_t now_ms) MUST_CHECK;

/*
 * Marks the old keys of a purpose retired: for `front`, once no token that they signed is still
 * valid.
 */
enum err vault_retire_keys(struct db *db, const char *purpose) MUST_CHECK;

struct vault_root_key {
	struct str id; /* valid during the call */
	struct str state;
	int64_t created_at;
	bool present; /* the keyring has it, and it is the right one */
};

/* Calls `each` for every registered key, oldest first. */
enum err vault_list_keys(struct db *db, struct keyring *keyring, const char *purpose,
			 void (*each)(void *arg, const struct vault_root_key *key),
			 void *arg) MUST_CHECK;

/*
 * The key that wraps from now on, locked in share mode until the transaction ends, so that a
 * rotation knows of everything that is wrapped. ERR_NO_KEY when none is registered or the keyring
 * hasn't got it.
 */
enum err vault_root_to_wrap(struct ctx *cx, const struct root_key **ret_key) MUST_CHECK;

#endif
