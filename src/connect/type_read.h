/* Reading a type's file by the table of members. Of this room. */
#ifndef LW_CONNECT_TYPE_READ_H
#define LW_CONNECT_TYPE_READ_H

#include <jansson.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "connect/faults.h"
#include "connect/type.h"

/*
 * Fills `type` from the file's tree, which lives in the arena, too: members of the wrong kind, unknown and
 * missing ones are faults, and left at their fallbacks. ERR_NO_MEMORY.
 */
enum err type_read(struct arena *arena, const json_t *file, struct faults *faults,
		   struct connector_type *type) MUST_CHECK;

#endif
