/*
 * The catalogue: every connector type, loaded once at the start of a process
 * and again at a reload.
 */
#ifndef LW_CONNECT_CATALOG_H
#define LW_CONNECT_CATALOG_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"
#include "core/config.h"

enum { CATALOG_WHY_MAX = 512 };

struct catalog;

/*
 * Loads connectors.catalog_dir, then connectors.dir, whose files replace those of the same id. ERR_CONFIG
 * when a file is wrong: `ret_why` says file, member and what. ERR_IO, ERR_NO_MEMORY.
 */
enum err catalog_load(const struct config *config, char ret_why[CATALOG_WHY_MAX],
		      struct catalog **ret_catalog) MUST_CHECK;
/* One text alone, for the lint and the tests: a catalogue of that type. */
enum err catalog_load_text(struct str name, struct str json, char ret_why[CATALOG_WHY_MAX],
			   struct catalog **ret_catalog) MUST_CHECK;
/* NULL-safe. */
void catalog_free(struct catalog *catalog);

/* NULL when there is none. */
const struct connector_type *catalog_find(const struct catalog *catalog, struct str id);
/* In the order of their names: index 0 to catalog_count - 1. */
size_t catalog_count(const struct catalog *catalog);
const struct connector_type *catalog_at(const struct catalog *catalog, size_t index);

#endif
