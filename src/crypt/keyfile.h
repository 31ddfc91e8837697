/* The format of key files and of `current`. Of this room: others use keyring.h. */
#ifndef LW_CRYPT_KEYFILE_H
#define LW_CRYPT_KEYFILE_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/keydir.h"
#include "crypt/keyring.h"

#define KEYFILE_SUFFIX ".key"

/* The key of that id, a valid one. ERR_NO_KEY when there is no file; the rest as keyring_open. */
enum err keyfile_read(const struct key_directory *directory, struct str id,
		      const struct secret *passphrase, struct root_key *ret_key) MUST_CHECK;
/* Writes the key, sealed when there is a passphrase. ERR_CONFLICT when there is such a file. */
enum err keyfile_write(const struct key_directory *directory, const struct root_key *key,
		       const struct secret *passphrase, mode_t mode) MUST_CHECK;
/* ERR_NO_KEY when there is no file for that id. */
enum err keyfile_exists(const struct key_directory *directory, struct str id) MUST_CHECK;

/* The id that `current` names. ERR_NO_KEY without the file, ERR_CONFIG when it holds no id. */
enum err keyfile_read_current(const struct key_directory *directory,
			      char ret_id[KEYRING_ID_MAX + 1]) MUST_CHECK;
enum err keyfile_write_current(const struct key_directory *directory, struct str id) MUST_CHECK;

#endif
