#include "connect/catalog_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 16384 };

static bool is_ours(const char *name)
{
	return name[0] != '.' && str_ends(str_of(name), STR(".json"));
}

static int wanted(const struct dirent *entry) { return is_ours(entry->d_name); }

static enum err visit(const char *directory, const char *name, catalog_file_fn fn, void *arg)
{
	char path[4096 + 256];
	struct str id = str_of(name);

	snprintf(path, sizeof path, "%s/%s", directory, name);
	id.n -= strlen(".json");
	return fn(arg, path, id);
}

enum err catalog_each_file(const char *directory, catalog_file_fn fn, void *arg,
			   char ret_why[CATALOG_WHY_MAX])
{
	struct dirent **entries;
	int n = scandir(directory, &entries, wanted, alphasort);
	enum err e = OK;

	if (n < 0) {
		snprintf(ret_why, CATALOG_WHY_MAX, "%s: %s", directory, strerror(errno));
		return ERR_CONFIG;
	}
	for (int i = 0; i < n; i++) {
		if (e == OK)
			e = visit(directory, entries[i]->d_name, fn, arg);
		free(entries[i]);
	}
	free(entries);
	return e;
}

static enum err read_all(int fd, struct buf *text)
{
	ssize_t got;

	do {
		void *place = buf_reserve(text, 1);
		size_t room = text->max - text->n < CHUNK ? text->max - text->n : CHUNK;

		place = place ? buf_reserve(text, room) : NULL;
		if (!place)
			return buf_error(text);
		got = read(fd, place, room);
		if (got > 0)
			buf_advance(text, (size_t)got);
	} while (got > 0 || (got < 0 && errno == EINTR));
	return got < 0 ? ERR_IO : OK;
}

enum err catalog_read_file(const char *path, struct buf *text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	enum err e = OK;

	if (fd < 0)
		return ERR_IO;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) {
		errno = EINVAL;
		e = ERR_IO;
	}
	if (e == OK)
		e = read_all(fd, text);
	int kept = errno;
	close(fd);
	errno = kept;
	return e;
}
