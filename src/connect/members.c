#include "connect/members.h"

#include "connect/type.h"

#define MEMBER(object, field, name, kind, flags, fallback, of, words)
#define INSIDE(object, name, item, words)
#define PART(object, field, name, item, words)
#define OPTIONAL(object, has, field, name, item, words)
#define LIST(object, field, count, name, flags, item, words)
#define MAP(object, field, count, name, item, words)
#define BASIC(object, has, first, name, words)
#define RAW(object, name, kind, words)
#define OBJECT(object, of, words) typedef of of_##object;
#include "connect/members.def"
#undef OBJECT
static const size_t SIZES[] = {
#define OBJECT(object, of, words) [OBJECT_##object] = sizeof(of_##object),
#include "connect/members.def"
};
#undef OBJECT
#undef MEMBER
#undef INSIDE
#undef PART
#undef OPTIONAL
#undef LIST
#undef MAP
#undef BASIC
#undef RAW

enum { REQUIRED = 1 };

/* The reader takes the user for the first of two texts. */
_Static_assert(offsetof(struct auth_way, basic_password) ==
		       offsetof(struct auth_way, basic_user) + sizeof(struct str),
	       "user and password stand side by side");
_Static_assert(offsetof(struct request_spec, basic_password) ==
		       offsetof(struct request_spec, basic_user) + sizeof(struct str),
	       "user and password stand side by side");

#define AT(object, field) offsetof(of_##object, field)
#define OBJECT(object, of, words)
#define MEMBER(object, field, name, kind, flags, fallback, of, words)                              \
	{ OBJECT_##object, name, KIND_##kind, ((flags)&REQUIRED) != 0, AT(object, field), 0, fallback, of, 0 },
#define INSIDE(object, name, item, words)                                                          \
	{ OBJECT_##object, name, KIND_INSIDE, false, 0, 0, NULL, NULL, OBJECT_##item },
#define PART(object, field, name, item, words)                                                     \
	{ OBJECT_##object, name, KIND_PART, false, AT(object, field), 0, NULL, NULL, OBJECT_##item },
#define OPTIONAL(object, has, field, name, item, words)                                            \
	{ OBJECT_##object, name, KIND_OPTIONAL, false, AT(object, field), AT(object, has), NULL, NULL, OBJECT_##item },
#define LIST(object, field, count, name, flags, item, words)                                       \
	{ OBJECT_##object, name, KIND_LIST, ((flags)&REQUIRED) != 0, AT(object, field), AT(object, count),   \
	  NULL, NULL, OBJECT_##item },
#define MAP(object, field, count, name, item, words)                                               \
	{ OBJECT_##object, name, KIND_MAP, false, AT(object, field), AT(object, count), NULL, NULL, OBJECT_##item },
#define BASIC(object, has, first, name, words)                                                     \
	{ OBJECT_##object, name, KIND_BASIC, false, AT(object, first), AT(object, has), NULL, NULL, 0 },
#define RAW(object, name, kind, words)                                                             \
	{ OBJECT_##object, name, KIND_##kind, false, MEMBER_NOWHERE, 0, NULL, NULL, 0 },
static const struct type_member MEMBERS[] = {
#include "connect/members.def"
};

const struct type_member *type_member_next(enum type_object object, const struct type_member *before)
{
	const struct type_member *end = MEMBERS + ARRAY_SIZE(MEMBERS);

	for (const struct type_member *m = before ? before + 1 : MEMBERS; m < end; m++)
		if (m->object == object)
			return m;
	return NULL;
}

const struct type_member *type_member_find(enum type_object object, struct str name)
{
	const struct type_member *m = NULL;

	while ((m = type_member_next(object, m)))
		if (str_eq(name, str_of(m->name)))
			return m;
	return NULL;
}

size_t type_object_size(enum type_object object) { return SIZES[object]; }
