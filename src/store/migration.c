/* Reading the directory of migrations. */
#include "store/migration.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"

enum { FILE_MAX = 16 << 20, PATH_BYTES_MAX = 4096 };

static enum err file_failed(const char *path)
{
	log_write(LOG_ERROR, "a file can't be read",
		  LOG_FIELDS(log_text("file", path), log_errno(errno)));
	return ERR_IO;
}

enum err migration_read_file(const char *path, struct buf *ret_text)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = 0;

	buf_init(ret_text, FILE_MAX);
	if (fd < 0)
		return file_failed(path);
	do {
		void *room = buf_reserve(ret_text, 64 << 10);

		n = room ? read(fd, room, 64 << 10) : 0;
		if (n > 0)
			buf_advance(ret_text, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	if (n < 0) {
		enum err e = file_failed(path);

		close(fd);
		return e;
	}
	close(fd);
	return buf_error(ret_text);
}

/* "0012_words.sql" */
static bool is_migration(const char *name, int64_t *ret_version)
{
	struct str s = str_of(name);
	uint64_t version;

	if (s.n < strlen("0000_x.sql") || s.n > 100 || s.p[4] != '_' || !str_ends(s, STR(".sql")) ||
	    !str_to_u64(str_slice(s, 0, 4), &version))
		return false;
	*ret_version = (int64_t)version;
	return true;
}

static enum err load(const char *directory, const char *name, int64_t version,
		     struct migration *ret_migration)
{
	char path[PATH_BYTES_MAX];
	struct migration *m = ret_migration;
	struct str part;

	*m = (struct migration){ .version = version };
	snprintf(m->name, sizeof(m->name), "%s", name);
	if ((size_t)snprintf(path, sizeof(path), "%s/%s", directory, name) >= sizeof(path))
		return ERR_TOO_BIG;
	TRY(migration_read_file(path, &m->text));
	part = buf_str(&m->text);
	sha256_of((struct byte_parts){ &part, 1 }, m->checksum);
	return OK;
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int wanted(const struct dirent *entry)
{
	int64_t version;

	return is_migration(entry->d_name, &version);
}

enum err migrations_load(const char *directory, struct migrations *ret_all)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, wanted, by_name);
	enum err e = OK;

	*ret_all = (struct migrations){ NULL, 0 };
	if (n < 0)
		return file_failed(directory);
	ret_all->v = calloc((size_t)n + 1, sizeof(*ret_all->v));
	if (!ret_all->v)
		e = ERR_NO_MEMORY;
	for (int i = 0; i < n; i++) {
		int64_t version;

		if (e == OK && is_migration(entries[i]->d_name, &version))
			e = load(directory, entries[i]->d_name, version, &ret_all->v[ret_all->n++]);
		free(entries[i]);
	}
	free(entries);
	return e;
}

void migrations_done(struct migrations *all)
{
	for (size_t i = 0; i < all->n; i++)
		buf_done(&all->v[i].text);
	free(all->v);
	*all = (struct migrations){ NULL, 0 };
}
