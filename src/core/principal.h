/* Who asks: a person in a session, an API token, or nobody. */
#ifndef LW_CORE_PRINCIPAL_H
#define LW_CORE_PRINCIPAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/id.h"
#include "base/str.h"

enum role {
	ROLE_NONE,
#define ROLE(name, text) ROLE_##name,
#include "core/roles.def"
#undef ROLE
};

enum scope_bit {
#define SCOPE(name, text) SCOPE_BIT_##name,
#include "core/scopes.def"
#undef SCOPE
	SCOPE_COUNT
};

/* A set of scopes. */
typedef uint32_t scopes;
#define SCOPE_SET(name) ((scopes)1 << SCOPE_BIT_##name)

enum who { WHO_NOBODY, WHO_USER, WHO_TOKEN, WHO_SYSTEM };

struct principal {
	enum who who;
	struct id tenant;
	struct id user;    /* the person, or the one who made the token */
	struct id session; /* WHO_USER of our own tokens; nil for an external issuer's */
	struct id token;   /* WHO_TOKEN */
	enum role role;    /* WHO_USER */
	scopes scopes;     /* WHO_TOKEN */
	bool live;         /* false while the check that the session is live is still owed */
	bool by_cookie;    /* the token came in a cookie: writes need the CSRF token */
};

const char *role_text(enum role role);
enum role role_parse(struct str text); /* ROLE_NONE for no role */
/* One scope's text; 0 for no scope. */
scopes scope_parse(struct str text);
const char *scope_text(enum scope_bit bit);

#endif
