#define _GNU_SOURCE
#include "net/trust.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 16 << 10 };

/* Where distributions keep the one file: Debian and its kin, Fedora and its kin, Alpine, SUSE. */
static const char *const FILES[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/cert.pem",
	"/etc/ssl/ca-bundle.pem",
};

#define DIRECTORY "/etc/ssl/certs"

struct trust trust_system(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(FILES); i++)
		if (access(FILES[i], R_OK) == 0)
			return (struct trust){ .file = FILES[i] };
	return (struct trust){ .directory = DIRECTORY };
}

static bool write_all(int fd, const char *bytes, size_t n)
{
	while (n > 0) {
		ssize_t written = write(fd, bytes, n);

		if (written < 0 && errno != EINTR)
			return false;
		if (written > 0) {
			bytes += written;
			n -= (size_t)written;
		}
	}
	return true;
}

static bool append(int to, const char *path)
{
	char piece[PIECE];
	ssize_t n = 1;
	int from = open(path, O_RDONLY | O_CLOEXEC);

	if (from < 0)
		return false;
	while (n > 0) {
		n = read(from, piece, sizeof piece);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0 && !write_all(to, piece, (size_t)n))
			n = -1;
	}
	close(from);
	return n == 0;
}

static void set_path(struct trust_joined *joined)
{
	snprintf(joined->path, sizeof joined->path, "/proc/self/fd/%d", joined->fd);
}

enum err trust_join(const char *ca_file, struct trust_joined *ret_joined)
{
	struct trust system = trust_system();

	*ret_joined = (struct trust_joined){ .fd = -1, .alone = ca_file };
	if (access(ca_file, R_OK) != 0)
		return ERR_IO;
	if (!system.file)
		return OK;
	ret_joined->fd = memfd_create("trusted", MFD_CLOEXEC);
	/* A file may end without a line end. */
	if (ret_joined->fd >= 0 && append(ret_joined->fd, ca_file) &&
	    write_all(ret_joined->fd, "\n", 1) && append(ret_joined->fd, system.file)) {
		set_path(ret_joined);
		return OK;
	}
	trust_close(ret_joined);
	return ERR_IO;
}

enum err trust_text(struct str pem, struct trust_joined *ret_joined)
{
	*ret_joined = (struct trust_joined){ .fd = memfd_create("trusted", MFD_CLOEXEC) };
	/* libpq takes no key that others could read. */
	if (ret_joined->fd >= 0 && fchmod(ret_joined->fd, S_IRUSR | S_IWUSR) == 0 &&
	    write_all(ret_joined->fd, pem.p, pem.n)) {
		set_path(ret_joined);
		return OK;
	}
	trust_close(ret_joined);
	return ERR_IO;
}

struct trust trust_of(const struct trust_joined *joined)
{
	if (joined->fd >= 0)
		return (struct trust){ .file = joined->path };
	return (struct trust){ .file = joined->alone, .directory = DIRECTORY };
}

void trust_close(struct trust_joined *joined)
{
	if (joined->fd >= 0)
		close(joined->fd);
	joined->fd = -1;
}
