/* latchctl import fernet, export, restore. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypt/fernet.h"
#include "main/ctl.h"
#include "vault/archive.h"
#include "vault/import.h"

enum { FERNET_ITERATIONS_MAX = 10000000 };

static void close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}
#define FILE_AUTO CLEANUP(close_file)

static enum err open_to_read(const char *path, FILE **ret_file)
{
	*ret_file = fopen(path, "re");
	return *ret_file ? OK : ctl_fail(ERR_IO, "%s: %s", path, strerror(errno));
}

static void print_counts(const struct ctl *ctl, const char *const *columns, const int64_t *counts, size_t n)
{
	char text[CTL_COLUMNS_MAX][24];
	struct str values[CTL_COLUMNS_MAX];
	struct ctl_list list;

	for (size_t i = 0; i < n; i++)
		values[i] = (struct str){ text[i], (size_t)snprintf(text[i], sizeof text[i], "%" PRId64, counts[i]) };
	ctl_object_begin(&list, ctl, columns, n);
	ctl_list_row(&list, values);
	ctl_list_end(&list);
}

/* --- import ---------------------------------------------------------------------- */

static enum err read_iterations(const struct ctl *ctl, uint32_t *ret_iterations)
{
	const char *text = ctl_option(ctl, "iterations");
	uint64_t number;

	if (!text || !str_to_u64(str_of(text), &number) || number == 0 || number > FERNET_ITERATIONS_MAX)
		return ctl_fail(ERR_BAD_INPUT, "--salt needs --iterations, a number up to %d", FERNET_ITERATIONS_MAX);
	*ret_iterations = (uint32_t)number;
	return OK;
}

/* The file holds the key itself, or with a salt the passphrase that it was derived from. */
static enum err read_fernet_key(struct ctl *ctl, struct secret *ret_key)
{
	SECRET_AUTO struct secret text = SECRET_EMPTY;
	const char *salt = ctl_option(ctl, "salt");
	uint32_t iterations = 0;

	TRY(ctl_secret(ctl, "key-file", &text));
	if (!salt)
		return ctl_say(fernet_key_parse(secret_str(&text), ret_key), "the key");
	TRY(read_iterations(ctl, &iterations));
	return ctl_say(fernet_key_derive(&text, str_of(salt), iterations, ret_key), "the key");
}

static void tell_failed(void *arg, int64_t line, const char *why)
{
	const struct ctl *ctl = arg;

	fprintf(stderr, "%s:%" PRId64 ": %s\n", ctl->argument[0], line, why);
}

enum err ctl_import_fernet(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "stored", "known", "failed" };
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	FILE_AUTO FILE *in = NULL;
	struct vault_imported imported = { 0 };
	struct vault_import import = { .key = &key, .failed = tell_failed, .arg = ctl };

	TRY(open_to_read(ctl->argument[0], &in));
	import.in = in;
	TRY(read_fernet_key(ctl, &key));
	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_VAULT_KEYS));
	TRY(ctl_enter_tenant(ctl, NULL));
	TRY(ctl_act_as(ctl));
	TRY(ctl_say(vault_import_fernet(&ctl->cx, &import, &imported), "the import"));
	print_counts(ctl, COLUMNS, (const int64_t[]){ imported.stored, imported.known, imported.failed },
		     ARRAY_SIZE(COLUMNS));
	return imported.failed == 0 ? OK : ctl_fail(ERR_BAD_INPUT, "%" PRId64 " lines were left out", imported.failed);
}

/* --- export and restore ------------------------------------------------------------ */

static const char *const ARCHIVE_COLUMNS[] = { "credentials", "versions", "unreadable" };

static void print_archived(const struct ctl *ctl, const struct vault_archived *archived)
{
	print_counts(ctl, ARCHIVE_COLUMNS,
		     (const int64_t[]){ archived->credentials, archived->versions, archived->unreadable },
		     ARRAY_SIZE(ARCHIVE_COLUMNS));
}

/* A new file, never an old one's bytes; it is on disk before success is said. */
static enum err open_new(const char *path, FILE **ret_file)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	*ret_file = fd >= 0 ? fdopen(fd, "w") : NULL;
	return *ret_file ? OK : ctl_fail(ERR_IO, "%s: %s", path, strerror(errno));
}

static enum err finish_file(FILE *file, const char *path)
{
	if (fflush(file) != 0 || fsync(fileno(file)) != 0)
		return ctl_fail(ERR_IO, "%s: %s", path, strerror(errno));
	return OK;
}

static enum err write_archive(struct ctl *ctl, const struct secret *passphrase, FILE *out,
			      struct vault_archived *ret_archived)
{
	const struct vault_progress progress = { ctl_progress, ctl };

	TRY(ctl_say(vault_export(&ctl->cx, passphrase, out, &progress, ret_archived), "the export"));
	return finish_file(out, ctl->argument[0]);
}

enum err ctl_export(struct ctl *ctl)
{
	SECRET_AUTO struct secret passphrase = SECRET_EMPTY;
	FILE_AUTO FILE *out = NULL;
	struct vault_archived archived = { 0 };
	enum err e;

	TRY(ctl_secret(ctl, "passphrase-file", &passphrase));
	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_VAULT_KEYS));
	TRY(ctl_enter_tenant(ctl, NULL));
	TRY(open_new(ctl->argument[0], &out));
	e = write_archive(ctl, &passphrase, out, &archived);
	if (e != OK) {
		unlink(ctl->argument[0]);
		return e;
	}
	print_archived(ctl, &archived);
	return archived.unreadable == 0 ? OK
					: ctl_fail(ERR_UNREADABLE, "%" PRId64 " versions can't be opened and aren't in it",
						   archived.unreadable);
}

enum err ctl_restore(struct ctl *ctl)
{
	const struct vault_progress progress = { ctl_progress, ctl };
	SECRET_AUTO struct secret passphrase = SECRET_EMPTY;
	FILE_AUTO FILE *in = NULL;
	struct vault_archived archived = { 0 };
	char why[ARCHIVE_WHY_MAX] = "";
	enum err e;

	TRY(open_to_read(ctl->argument[0], &in));
	TRY(ctl_secret(ctl, "passphrase-file", &passphrase));
	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_VAULT_KEYS));
	TRY(ctl_enter_tenant(ctl, NULL));
	TRY(ctl_act_as(ctl));
	e = vault_restore_archive(&ctl->cx, &passphrase, in, &progress, why, &archived);
	if (e != OK)
		return ctl_fail(e, "%s: %s; nothing was stored", ctl->argument[0], why[0] ? why : err_words(e));
	print_archived(ctl, &archived);
	return OK;
}
