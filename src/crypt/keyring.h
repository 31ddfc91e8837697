/*
 * Root keys: a directory of `<id>.key` files, and a file `current` that names
 * the one that seals from now on. The others stay to open what they sealed.
 *
 * A key file is 32 raw bytes, or the same sealed by a passphrase:
 *
 *	"LWKEY\0\1\n" | iterations u32be | salt[16] | nonce[12] | key[32] | tag[16]
 *
 * (PBKDF2-HMAC-SHA256, then AES-256-GCM; AAD is everything in front of the
 * nonce, and the id: a renamed file doesn't open.) A file that the group may
 * write or that others may touch at all is refused.
 *
 * Where a function has `ret_why`, it gets words for the operator that name the
 * directory, the file or the key id (empty on success; may be NULL).
 */
#ifndef LW_CRYPT_KEYRING_H
#define LW_CRYPT_KEYRING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"

enum {
	KEYRING_ID_MAX = 32, /* [a-z0-9]{1,32} */
	KEYRING_KEY_BYTES = 32,
	KEYRING_CHECK_BYTES = 16,
	KEYRING_WHY_MAX = 512,
	KEYRING_ITERATIONS = 600000, /* OWASP Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256 */
	KEYRING_KEYS_MAX = 256
};

struct keyring;

struct root_key {
	char id[KEYRING_ID_MAX + 1];
	struct secret key; /* KEYRING_KEY_BYTES */
};

static inline struct str root_key_id(const struct root_key *key) { return str_of(key->id); }

/*
 * Reads every key of the directory; the passphrase (NULL: none) is copied, it opens sealed files
 * now and later. The directory stays open, so that a later chroot or sandbox doesn't cut it off.
 * ERR_NO_KEY when `current` is missing or names a key that isn't there; ERR_CONFIG for a file that
 * is malformed, too open, or sealed while there is no passphrase; ERR_UNREADABLE for a wrong
 * passphrase; ERR_IO.
 */
enum err keyring_open(const char *directory, const struct secret *passphrase,
		      char ret_why[KEYRING_WHY_MAX], struct keyring **ret_keyring) MUST_CHECK;
/* Wipes the keys. NULL-safe. */
void keyring_free(struct keyring *keyring);

/* The key that seals now; never NULL. It and what keyring_find gives live until keyring_reload or
 * keyring_free. */
const struct root_key *keyring_current(const struct keyring *keyring);
/*
 * The key of that id. One that isn't loaded is looked for on disk once more, so that a rotation
 * needs no restart. ERR_NO_KEY when there is none (also for text that isn't a key id), else as
 * keyring_open.
 */
enum err keyring_find(struct keyring *keyring, struct str id, char ret_why[KEYRING_WHY_MAX],
		      const struct root_key **ret_key) MUST_CHECK;
/* Reads the directory again. On failure the keyring stays as it was. */
enum err keyring_reload(struct keyring *keyring, char ret_why[KEYRING_WHY_MAX]) MUST_CHECK;

/* The loaded keys in the order of their ids: index 0 to keyring_count - 1. */
size_t keyring_count(const struct keyring *keyring);
const struct root_key *keyring_at(const struct keyring *keyring, size_t index);

/*
 * Makes a key with an id of today's date and random digits (v20261120a1b2c3d4) and writes it,
 * sealed when there is a passphrase, with that file mode (0400). It is on disk when this returns;
 * it isn't current yet.
 */
enum err keyring_create(const char *directory, const struct secret *passphrase, mode_t mode,
			char ret_why[KEYRING_WHY_MAX], char ret_id[KEYRING_ID_MAX + 1]) MUST_CHECK;
/* Makes that key the current one, atomically and durably. ERR_NO_KEY when there is no such file. */
enum err keyring_set_current(const char *directory, struct str id,
			     char ret_why[KEYRING_WHY_MAX]) MUST_CHECK;

/*
 * What the database keeps of a root key, so that a wrong one is noticed before anything is written:
 * the first 16 bytes of HMAC-SHA256(key, "latchwork key check v1").
 */
void keyring_check_value(const struct root_key *key, uint8_t ret_check[KEYRING_CHECK_BYTES]);

/* [a-z0-9]{1,32} */
bool keyring_id_valid(struct str id);

#endif
