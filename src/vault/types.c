#include "vault/types.h"

static const char *const TYPES[] = {
#define CREDENTIAL_TYPE(name, text) [CREDENTIAL_##name] = text,
#define CREDENTIAL_MEMBER(type, name, flags, kind, most, words)
#include "vault/credential_types.def"
#undef CREDENTIAL_TYPE
#undef CREDENTIAL_MEMBER
};

enum { REQUIRED = 1, SECRET = 2, ADDRESS = 4 };

static const struct vault_member MEMBERS[] = {
#define CREDENTIAL_TYPE(name, text)
#define CREDENTIAL_MEMBER(type, name, flags, kind, most, words)                                    \
	{ CREDENTIAL_##type,                                                                       \
	  name,                                                                                    \
	  ((flags)&REQUIRED) != 0,                                                                 \
	  ((flags)&SECRET) != 0,                                                                   \
	  ((flags)&ADDRESS) != 0,                                                                  \
	  MEMBER_##kind,                                                                           \
	  most,                                                                                    \
	  words },
#include "vault/credential_types.def"
#undef CREDENTIAL_TYPE
#undef CREDENTIAL_MEMBER
};

const char *vault_type_text(enum credential_type type) { return TYPES[type]; }

bool vault_type_parse(struct str text, enum credential_type *ret_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++) {
		if (!str_eq(text, str_of(TYPES[i])))
			continue;
		*ret_type = (enum credential_type)i;
		return true;
	}
	return false;
}

const struct vault_member *vault_member_next(enum credential_type type,
					     const struct vault_member *before)
{
	const struct vault_member *end = MEMBERS + ARRAY_SIZE(MEMBERS);

	for (const struct vault_member *m = before ? before + 1 : MEMBERS; m < end; m++)
		if (m->type == type)
			return m;
	return NULL;
}

const struct vault_member *vault_member_find(enum credential_type type, struct str name)
{
	const struct vault_member *m = NULL;

	while ((m = vault_member_next(type, m)))
		if (str_eq(name, str_of(m->name)))
			return m;
	return NULL;
}
