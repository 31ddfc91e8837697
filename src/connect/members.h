/* The table of a type's members, as members.def tells it. Of this room. */
#ifndef LW_CONNECT_MEMBERS_H
#define LW_CONNECT_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"

enum type_object {
#define OBJECT(object, of, words) OBJECT_##object,
#define MEMBER(object, field, name, kind, flags, fallback, of, words)
#define INSIDE(object, name, item, words)
#define PART(object, field, name, item, words)
#define OPTIONAL(object, has, field, name, item, words)
#define LIST(object, field, count, name, flags, item, words)
#define MAP(object, field, count, name, item, words)
#define BASIC(object, has, first, name, words)
#define RAW(object, name, kind, words)
#include "connect/members.def"
#undef OBJECT
#undef MEMBER
#undef INSIDE
#undef PART
#undef OPTIONAL
#undef LIST
#undef MAP
#undef BASIC
#undef RAW
	TYPE_OBJECTS
};

enum type_kind {
	/* one value */
	KIND_ID,
	KIND_NAME,
	KIND_LINE,
	KIND_TEXT,
	KIND_TEMPLATE,
	KIND_URL,
	KIND_LINK,
	KIND_JSON,
	KIND_REGEX,
	KIND_PATH,
	KIND_WORD,
	KIND_ENUM,
	KIND_EITHER,
	KIND_INT,
	KIND_FLAG,
	/* several */
	KIND_LINES,
	KIND_NAMES,
	KIND_HOSTS,
	KIND_PATHS,
	KIND_SOURCES,
	KIND_PAIRS,
	KIND_GRADES,
	KIND_ANY,
	KIND_BASIC,
	/* objects of their own */
	KIND_INSIDE,
	KIND_PART,
	KIND_OPTIONAL,
	KIND_LIST,
	KIND_MAP
};

/* In place of a field: the member is checked, and whoever needs it reads the file. */
#define MEMBER_NOWHERE SIZE_MAX

struct type_member {
	enum type_object object;
	const char *name;
	enum type_kind kind;
	bool required;
	size_t at;     /* of the field in its struct */
	size_t second; /* of the count or of the flag that tells that it is there */
	const char *fallback, *of;
	enum type_object item;
};

/* The members of an object one after the other: NULL starts, NULL ends. */
const struct type_member *type_member_next(enum type_object object, const struct type_member *before);
/* NULL for a name that isn't one. */
const struct type_member *type_member_find(enum type_object object, struct str name);
/* The size of the struct that an object fills. */
size_t type_object_size(enum type_object object);

#endif
