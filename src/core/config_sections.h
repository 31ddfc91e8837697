/*
 * Sections of which there may be several, each with a name of its own: [issuer <name>] and
 * [client <connector type>]. For config.c.
 */
#ifndef LW_CORE_CONFIG_SECTIONS_H
#define LW_CORE_CONFIG_SECTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/attr.h"
#include "core/config.h"

/* Whether that is the title of one: "issuer google". */
bool config_section_named(const char *section);
/* One line of it. NULL, or what is wrong with the line. */
const char *config_section_set(struct config *config, const char *section, const char *key,
			       const char *value) MUST_CHECK;
/* What only the whole section shows. NULL, or what is missing in the section of that kind and name. */
const char *config_sections_incomplete(const struct config *config, const char **ret_kind,
				       const char **ret_name) MUST_CHECK;
void config_sections_free(struct config *config);
void config_sections_print(const struct config *config, FILE *out);

#endif
