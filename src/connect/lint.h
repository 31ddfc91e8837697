/* What one member of a type's file must have to do with the others. Of this room. */
#ifndef LW_CONNECT_LINT_H
#define LW_CONNECT_LINT_H

#include "base/arena.h"
#include "base/attr.h"
#include "connect/faults.h"
#include "connect/type.h"

/* Checks a type that has been read: names, ways, members of credentials, URLs and hosts. `arena` is for scratch. */
void lint_type(struct arena *arena, const struct connector_type *type, struct faults *faults);

/* --- parts, in files of their own --- */
struct lint {
	struct arena *arena;
	const struct connector_type *type;
	struct faults *faults;
};

/* Every {name} in the text is something that a connection can have. An absent text is fine. */
void lint_template(const struct lint *lint, const char *member, struct str text);
/* The same for a URL, and that it leads to a declared host. */
void lint_url(const struct lint *lint, const char *member, struct str url);
/* An address of the consent: whoever connects doesn't choose whose host it is on. */
void lint_client_place(const struct lint *lint, const char *member, struct str url);
/* `hosts` itself. */
void lint_hosts(const struct lint *lint);

#endif
