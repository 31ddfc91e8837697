/* Key files, raw or sealed by a passphrase (see keyring.h), and the file that names the current. */
#include "crypt/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/random.h"
#include "crypt/aead.h"
#include "crypt/hash.h"

enum {
	MAGIC_BYTES = 8,
	SALT_BYTES = 16,
	SALT_AT = MAGIC_BYTES + 4,
	HEAD_BYTES = SALT_AT + SALT_BYTES,
	SEALED_BYTES = HEAD_BYTES + AEAD_OVERHEAD + KEYRING_KEY_BYTES,
	CONTEXT_BYTES = HEAD_BYTES + KEYRING_ID_MAX,
	/* What a later version may raise the number to; more would be a way to stall the start. */
	ITERATIONS_MAX = 20 * 1000 * 1000,
	FILE_NAME_MAX = KEYRING_ID_MAX + 16,
	CURRENT_MODE = 0644 /* an id is no secret */
};

static const char MAGIC[MAGIC_BYTES] = { 'L', 'W', 'K', 'E', 'Y', 0, 1, '\n' };

#define CURRENT_FILE "current"

/* --- sealing by a passphrase --------------------------------------------- */

static uint32_t iterations_of(const uint8_t *head)
{
	const uint8_t *p = head + MAGIC_BYTES;

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static enum err wrapping_key(const uint8_t *head, const struct secret *passphrase,
			     struct secret *ret_key)
{
	struct str salt = { (const char *)head + SALT_AT, SALT_BYTES };

	return pbkdf2_sha256(passphrase, salt, iterations_of(head), AEAD_KEY_BYTES, ret_key);
}

/* What is authenticated beside the key: the file's head, and the id that the file is named by. */
static struct str sealing_context(const uint8_t *head, struct str id, char text[CONTEXT_BYTES])
{
	memcpy(text, head, HEAD_BYTES);
	memcpy(text + HEAD_BYTES, id.p, id.n);
	return (struct str){ text, HEAD_BYTES + id.n };
}

static enum err key_seal(const struct root_key *key, const struct secret *passphrase,
			 struct buf *out)
{
	SECRET_AUTO struct secret wrapping = SECRET_EMPTY;
	char context[CONTEXT_BYTES];
	uint8_t head[HEAD_BYTES];

	memcpy(head, MAGIC, MAGIC_BYTES);
	for (int i = 0; i < 4; i++)
		head[MAGIC_BYTES + i] = (uint8_t)((uint32_t)KEYRING_ITERATIONS >> (24 - 8 * i));
	TRY(random_bytes(head + SALT_AT, SALT_BYTES));
	TRY(wrapping_key(head, passphrase, &wrapping));
	buf_add(out, head, sizeof(head));
	return aead_seal(&wrapping, sealing_context(head, root_key_id(key), context),
			 secret_str(&key->key), out);
}

static enum err key_unseal(const struct key_directory *directory, const char *file, struct str id,
			   const struct secret *sealed, const struct secret *passphrase,
			   struct secret *ret_key)
{
	SECRET_AUTO struct secret wrapping = SECRET_EMPTY;
	char context[CONTEXT_BYTES];
	uint32_t n = iterations_of(sealed->p);
	enum err e;

	if (!passphrase)
		return key_directory_fail_file(directory, ERR_CONFIG, file,
					       "sealed, and no passphrase was given");
	if (n < KEYRING_ITERATIONS || n > ITERATIONS_MAX)
		return key_directory_fail_file(directory, ERR_CONFIG, file,
					       "the number of iterations isn't acceptable");
	TRY(wrapping_key(sealed->p, passphrase, &wrapping));
	e = aead_open(&wrapping, sealing_context(sealed->p, id, context),
		      str_slice(secret_str(sealed), HEAD_BYTES, sealed->n), ret_key);
	if (e == ERR_UNREADABLE)
		return key_directory_fail_file(directory, e, file,
					       "doesn't open with this passphrase");
	return e;
}

/* --- key files ----------------------------------------------------------- */

static void file_name(struct str id, const char *suffix, char ret_name[FILE_NAME_MAX])
{
	snprintf(ret_name, FILE_NAME_MAX, "%.*s%s", STR_ARG(id), suffix);
}

static enum err fail_absent(const struct key_directory *directory, struct str id)
{
	return key_directory_fail(directory, ERR_NO_KEY, "root key %.*s is missing in %s",
				  STR_ARG(id), directory->name);
}

/* The key out of the file's bytes, which are taken over when they are the key themselves. */
static enum err key_decode(const struct key_directory *directory, const char *file, struct str id,
			   const struct secret *passphrase, struct secret *bytes,
			   struct secret *ret_key)
{
	if (bytes->n == KEYRING_KEY_BYTES) {
		*ret_key = *bytes;
		*bytes = SECRET_EMPTY;
		return OK;
	}
	if (bytes->n != SEALED_BYTES || memcmp(bytes->p, MAGIC, MAGIC_BYTES) != 0)
		return key_directory_fail_file(directory, ERR_CONFIG, file,
					       "neither 32 raw bytes nor a sealed key");
	return key_unseal(directory, file, id, bytes, passphrase, ret_key);
}

enum err keyfile_read(const struct key_directory *directory, struct str id,
		      const struct secret *passphrase, struct root_key *ret_key)
{
	SECRET_AUTO struct secret bytes = SECRET_EMPTY;
	char file[FILE_NAME_MAX];
	enum err e;

	*ret_key = (struct root_key){ .key = SECRET_EMPTY };
	file_name(id, KEYFILE_SUFFIX, file);
	e = key_directory_read(directory, file, S_IWGRP | S_IRWXO, &bytes);
	if (e == ERR_NOT_FOUND)
		return fail_absent(directory, id);
	TRY(e);
	TRY(key_decode(directory, file, id, passphrase, &bytes, &ret_key->key));
	memcpy(ret_key->id, id.p, id.n);
	return OK;
}

enum err keyfile_exists(const struct key_directory *directory, struct str id)
{
	char file[FILE_NAME_MAX];

	file_name(id, KEYFILE_SUFFIX, file);
	return faccessat(directory->fd, file, F_OK, 0) == 0 ? OK : fail_absent(directory, id);
}

enum err keyfile_write(const struct key_directory *directory, const struct root_key *key,
		       const struct secret *passphrase, mode_t mode)
{
	BUF_AUTO struct buf bytes = { 0 };
	char file[FILE_NAME_MAX], aside[FILE_NAME_MAX];
	enum err e = OK;

	file_name(root_key_id(key), KEYFILE_SUFFIX, file);
	file_name(root_key_id(key), ".new", aside);
	buf_init(&bytes, KEY_DIRECTORY_FILE_MAX);
	if (passphrase)
		TRY(key_seal(key, passphrase, &bytes));
	else
		buf_add_str(&bytes, secret_str(&key->key));
	TRY(buf_error(&bytes));
	TRY(key_directory_write_aside(directory, aside, buf_str(&bytes), mode));
	/* A link, unlike a rename, never replaces a key that is there. */
	if (linkat(directory->fd, aside, directory->fd, file, 0) != 0)
		e = key_directory_fail_file(directory, errno == EEXIST ? ERR_CONFLICT : ERR_IO,
					    file, strerror(errno));
	(void)unlinkat(directory->fd, aside, 0);
	TRY(e);
	return key_directory_sync(directory);
}

/* --- the current one ----------------------------------------------------- */

enum err keyfile_read_current(const struct key_directory *directory,
			      char ret_id[KEYRING_ID_MAX + 1])
{
	SECRET_AUTO struct secret bytes = SECRET_EMPTY;
	struct str id;
	enum err e = key_directory_read(directory, CURRENT_FILE, S_IWGRP | S_IWOTH, &bytes);

	if (e == ERR_NOT_FOUND)
		return key_directory_fail(directory, ERR_NO_KEY,
					  "key directory %s has no file `current`",
					  directory->name);
	TRY(e);
	id = str_trim(secret_str(&bytes));
	if (!keyring_id_valid(id))
		return key_directory_fail_file(directory, ERR_CONFIG, CURRENT_FILE,
					       "holds no key id");
	memcpy(ret_id, id.p, id.n);
	ret_id[id.n] = '\0';
	return OK;
}

enum err keyfile_write_current(const struct key_directory *directory, struct str id)
{
	static const char aside[] = CURRENT_FILE ".new";
	char line[KEYRING_ID_MAX + 2];
	int n = snprintf(line, sizeof(line), "%.*s\n", STR_ARG(id));

	TRY(key_directory_write_aside(directory, aside, (struct str){ line, (size_t)n },
				      CURRENT_MODE));
	if (renameat(directory->fd, aside, directory->fd, CURRENT_FILE) != 0)
		return key_directory_fail_file(directory, ERR_IO, CURRENT_FILE, strerror(errno));
	return key_directory_sync(directory);
}
