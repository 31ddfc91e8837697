/* Changes every functional member of a connector type's file in turn, and asks whether its vector notices. */
#ifndef LW_TESTS_CONNECTOR_MUTATIONS_H
#define LW_TESTS_CONNECTOR_MUTATIONS_H

#include <jansson.h>
#include <stddef.h>

/* Returns how many changes nobody noticed; each is printed with its place. `ret_tried` is raised by those tried. */
size_t mutations_survive(const char *id, json_t *file, const json_t *vector, const json_t *shared,
			 size_t *ret_tried);

#endif
