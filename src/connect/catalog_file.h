/* The files of connector types: finding them, reading them, and every fault of one. */
#ifndef LW_CONNECT_CATALOG_FILE_H
#define LW_CONNECT_CATALOG_FILE_H

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/catalog.h"
#include "connect/faults.h"

enum { CATALOG_FILE_MAX = 256 << 10 };

/* Called for each <id>.json; an error ends the walk and is returned. */
typedef enum err (*catalog_file_fn)(void *arg, const char *path, struct str id);

/*
 * Walks the *.json of a directory in the order of their names; those that begin with a dot aren't seen. ERR_CONFIG, and
 * `ret_why` when it can't be opened.
 */
enum err catalog_each_file(const char *directory, catalog_file_fn fn, void *arg,
			   char ret_why[CATALOG_WHY_MAX]) MUST_CHECK;
/* Appends a file to `text`, whose cap is the longest file. ERR_IO with errno; ERR_TOO_BIG, also in `text`. */
enum err catalog_read_file(const char *path, struct buf *text) MUST_CHECK;
/*
 * Reads and checks one type, whose id has to be `id` unless that is absent: every fault goes to `faults`, and then
 * `ret_type` isn't to be used. The type lives as long as the arena. ERR_NO_MEMORY.
 */
enum err catalog_read_type(struct arena *arena, struct str id, struct str json,
			   struct faults *faults, struct connector_type **ret_type) MUST_CHECK;

#endif
