/* A key directory and the small files in it. Of this room: others use keyring.h. */
#ifndef LW_CRYPT_KEYDIR_H
#define LW_CRYPT_KEYDIR_H

#include <sys/types.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/keyring.h"

enum { KEY_DIRECTORY_FILE_MAX = 256 };

/* A directory that is open, and where the words about it go (KEYRING_WHY_MAX bytes, or NULL). */
struct key_directory {
	int fd;
	const char *name;
	char *why;
};

/* Opens the directory and empties `why`. ERR_CONFIG for one that others may write to; ERR_IO. */
enum err key_directory_open(const char *name, char *why,
			    struct key_directory *ret_directory) MUST_CHECK;
void key_directory_close(struct key_directory *directory);

/* Write the words and return the error. */
enum err key_directory_fail(const struct key_directory *directory, enum err e, const char *format,
			    ...) PRINTF_LIKE(3, 4) MUST_CHECK;
enum err key_directory_fail_file(const struct key_directory *directory, enum err e,
				 const char *file, const char *what) MUST_CHECK;

/*
 * The first KEY_DIRECTORY_FILE_MAX bytes of a regular file. ERR_NOT_FOUND when there is none,
 * without words; ERR_CONFIG when its mode has one of the forbidden bits.
 */
enum err key_directory_read(const struct key_directory *directory, const char *file,
			    mode_t forbidden, struct secret *ret_bytes) MUST_CHECK;
/* A new file under a name that nobody reads, complete and on disk, to be renamed or linked. */
enum err key_directory_write_aside(const struct key_directory *directory, const char *aside,
				   struct str bytes, mode_t mode) MUST_CHECK;
/* Makes renames and links durable. */
enum err key_directory_sync(const struct key_directory *directory) MUST_CHECK;

#endif
