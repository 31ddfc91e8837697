#include "core/principal.h"

static const char *const ROLES[] = {
	[ROLE_NONE] = "",
#define ROLE(name, text) [ROLE_##name] = text,
#include "core/roles.def"
#undef ROLE
};

static const char *const SCOPES[] = {
#define SCOPE(name, text) [SCOPE_BIT_##name] = text,
#include "core/scopes.def"
#undef SCOPE
};

const char *role_text(enum role role) { return ROLES[role]; }

enum role role_parse(struct str text)
{
	for (size_t i = ROLE_NONE + 1; i < ARRAY_SIZE(ROLES); i++)
		if (str_eq(text, str_of(ROLES[i])))
			return (enum role)i;
	return ROLE_NONE;
}

scopes scope_parse(struct str text)
{
	for (size_t i = 0; i < ARRAY_SIZE(SCOPES); i++)
		if (str_eq(text, str_of(SCOPES[i])))
			return (scopes)1 << i;
	return 0;
}

const char *scope_text(enum scope_bit bit) { return SCOPES[bit]; }
