/*
 * Workflows to begin with: one JSON file each, {"id", "name", "description", "category", "definition"}. What has to be
 * chosen first is null in the definition; the copy of such a one is paused until that is done.
 */
#ifndef LW_FLOW_TEMPLATES_H
#define LW_FLOW_TEMPLATES_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"

struct templates;

enum { TEMPLATES_WHY_MAX = 512 };

struct flow_template {
	struct id id;
	struct str name, description, category;
	struct str definition; /* compact JSON */
};

/* All *.json of a directory, in the order of their names; of an empty name none. ERR_CONFIG: a fault in words. */
enum err templates_load(const char *directory, char ret_why[TEMPLATES_WHY_MAX],
			struct templates **ret_templates) MUST_CHECK;
/* NULL-safe, as those below: no templates. */
void templates_free(struct templates *templates);
size_t templates_count(const struct templates *templates);
const struct flow_template *templates_at(const struct templates *templates, size_t index);
/* NULL for none. */
const struct flow_template *templates_find(const struct templates *templates, const struct id *id);

#endif
