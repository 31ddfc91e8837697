/* Small files of one directory: read with suspicion, written to last. */
#include "crypt/keydir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum err key_directory_fail(const struct key_directory *directory, enum err e, const char *format,
			    ...)
{
	va_list args;

	if (!directory->why)
		return e;
	va_start(args, format);
	vsnprintf(directory->why, KEYRING_WHY_MAX, format, args);
	va_end(args);
	return e;
}

enum err key_directory_open(const char *name, char *why, struct key_directory *ret_directory)
{
	struct key_directory directory = { -1, name, why };
	struct stat status;

	if (why)
		why[0] = '\0';
	*ret_directory = directory;
	directory.fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (directory.fd < 0)
		return key_directory_fail(&directory, ERR_IO, "key directory %s: %s", name,
					  strerror(errno));
	if (fstat(directory.fd, &status) != 0 || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
		key_directory_close(&directory);
		return key_directory_fail(&directory, ERR_CONFIG,
					  "key directory %s: the group or others may write to it",
					  name);
	}
	*ret_directory = directory;
	return OK;
}

void key_directory_close(struct key_directory *directory)
{
	if (directory->fd >= 0)
		close(directory->fd);
	directory->fd = -1;
}

static void fd_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

enum err key_directory_fail_file(const struct key_directory *directory, enum err e,
				 const char *file, const char *what)
{
	return key_directory_fail(directory, e, "key file %s/%s: %s", directory->name, file, what);
}

/* Fills the buffer, unless the file ends before; false on an error. */
static bool read_all(int fd, uint8_t *bytes, size_t max, size_t *ret_n)
{
	size_t n = 0;

	while (n < max) {
		ssize_t got = read(fd, bytes + n, max - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		if (got == 0)
			break;
		n += (size_t)got;
	}
	*ret_n = n;
	return true;
}

enum err key_directory_read(const struct key_directory *directory, const char *file,
			    mode_t forbidden, struct secret *ret_bytes)
{
	struct stat status;
	size_t n = 0;
	/* O_NONBLOCK: a pipe of that name mustn't hang the start. */
	CLEANUP(fd_close) int fd = openat(directory->fd, file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	*ret_bytes = SECRET_EMPTY;
	if (fd < 0 && errno == ENOENT)
		return ERR_NOT_FOUND;
	if (fd < 0 || fstat(fd, &status) != 0)
		return key_directory_fail_file(directory, ERR_IO, file, strerror(errno));
	if (!S_ISREG(status.st_mode))
		return key_directory_fail_file(directory, ERR_CONFIG, file, "not a regular file");
	if ((status.st_mode & forbidden) != 0)
		return key_directory_fail_file(
			directory, ERR_CONFIG, file,
			"too open: the group may not write, others may do nothing");
	TRY(secret_new(KEY_DIRECTORY_FILE_MAX, ret_bytes));
	if (!read_all(fd, ret_bytes->p, KEY_DIRECTORY_FILE_MAX, &n)) {
		secret_done(ret_bytes);
		return key_directory_fail_file(directory, ERR_IO, file, strerror(errno));
	}
	secret_cut(ret_bytes, n);
	return OK;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t put = write(fd, bytes, n);

		if (put < 0 && errno == EINTR)
			continue;
		if (put < 0)
			return false;
		bytes += put;
		n -= (size_t)put;
	}
	return true;
}

enum err key_directory_write_aside(const struct key_directory *directory, const char *aside,
				   struct str bytes, mode_t mode)
{
	CLEANUP(fd_close) int fd = -1;

	/* What an earlier crash left. */
	(void)unlinkat(directory->fd, aside, 0);
	fd = openat(directory->fd, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    mode & 0700);
	if (fd < 0)
		return key_directory_fail_file(directory, ERR_IO, aside, strerror(errno));
	/* fchmod: the mode that was asked for, whatever the umask is. */
	if (!write_all(fd, bytes.p, bytes.n) || fchmod(fd, mode) != 0 || fsync(fd) != 0) {
		enum err e = key_directory_fail_file(directory, ERR_IO, aside, strerror(errno));

		(void)unlinkat(directory->fd, aside, 0);
		return e;
	}
	return OK;
}

enum err key_directory_sync(const struct key_directory *directory)
{
	if (fsync(directory->fd) == 0)
		return OK;
	return key_directory_fail(directory, ERR_IO, "key directory %s: %s", directory->name,
				  strerror(errno));
}
