/* The files of sql/migrations. */
#ifndef LW_STORE_MIGRATION_H
#define LW_STORE_MIGRATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "crypt/hash.h"

/* One file of the directory, and what schema_migration says of it. */
struct migration {
	int64_t version;
	char name[101];
	struct buf text;
	uint8_t checksum[SHA256_BYTES];
	bool known; /* there is a row */
	bool applied;
	bool mended; /* its text is not the one that the row was made for */
	int64_t started;
	int64_t done;
};

struct migrations {
	struct migration *v;
	size_t n;
};

/*
 * Every NNNN_words.sql of the directory, by version. The caller lets go of them in any case.
 * ERR_IO, ERR_TOO_BIG.
 */
enum err migrations_load(const char *directory, struct migrations *ret_all) MUST_CHECK;
void migrations_done(struct migrations *all);
/* A whole file, at most 16 MiB; the buffer is the caller's to let go. */
enum err migration_read_file(const char *path, struct buf *ret_text) MUST_CHECK;

#endif
