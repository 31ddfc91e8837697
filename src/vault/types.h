/* The types of credentials and their members, as credential_types.def tells them. */
#ifndef LW_VAULT_TYPES_H
#define LW_VAULT_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

enum credential_type {
#define CREDENTIAL_TYPE(name, text) CREDENTIAL_##name,
#define CREDENTIAL_MEMBER(type, name, flags, kind, most, words)
#include "vault/credential_types.def"
#undef CREDENTIAL_TYPE
#undef CREDENTIAL_MEMBER
	CREDENTIAL_TYPE_COUNT
};

enum member_kind {
	MEMBER_TEXT,
	MEMBER_LINE,
	MEMBER_HEADER,
	MEMBER_INT,
	MEMBER_BOOL,
	MEMBER_TIME,
	MEMBER_LIST,
	MEMBER_WORD
};

struct vault_member {
	enum credential_type type;
	const char *name;
	bool required;
	bool secret;
	bool address; /* where the secrets go */
	enum member_kind kind;
	int64_t most;      /* characters, or the largest number */
	const char *words; /* MEMBER_WORD: separated by | */
};

/* The member of every type that holds what the table doesn't know. */
#define VAULT_EXTRA "extra"

const char *vault_type_text(enum credential_type type);
bool vault_type_parse(struct str text, enum credential_type *ret_type) MUST_CHECK;
/* NULL for a name that isn't a member of the type; `extra` isn't in the table. */
const struct vault_member *vault_member_find(enum credential_type type, struct str name);
/* The members of a type one after the other: NULL starts, NULL ends. */
const struct vault_member *vault_member_next(enum credential_type type,
					     const struct vault_member *before);

#endif
