/* Templates: text with {name} in it, filled from the values of a connection; and the paths of JSON answers. */
#ifndef LW_CONNECT_TEMPLATE_H
#define LW_CONNECT_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"
#include "connect/values.h"

/* How a value is written into the text around it. */
enum escape {
	ESCAPE_NONE, /* a header's or form's value; control characters are refused */
	ESCAPE_URL,  /* within a path or query: percent-encoded (RFC 3986, section 2.3) */
	ESCAPE_JSON  /* within a JSON string */
};

/* One step through a template: a text, and the name behind it. */
struct template_piece {
	struct str literal;
	struct str name; /* absent in the last piece */
	bool optional;   /* {name?} */
};

/* Takes one piece off `rest`; false at the end. A brace that isn't part of {name} is a character like others. */
bool template_next(struct str *rest, struct template_piece *ret_piece);

/*
 * ERR_BAD_INPUT when a name has no value: then `ret_missing` (may be NULL) is that name. `{name?}` is a value that may
 * be missing (absent or empty): then ERR_NOT_FOUND, and whoever asked leaves out what the text was for: the header, the
 * query or form member, the claim.
 */
enum err template_fill(struct str text, const struct values *values, enum escape escape,
		       struct buf *out, struct str *ret_missing) MUST_CHECK;

/* Where the part before the path of a URL's template ends, and its host[:port]; 0 when it begins with {name}. */
size_t template_authority(struct str text, struct str *ret_authority);

/*
 * A URL from its template. What stands in the host is taken as it is if it is spelled like a host and holds the
 * patterns of its field and placeholder; `{base_url}` at the beginning is a whole URL, http or https, without query;
 * a name whose pattern begins with ^/ is a path; all else is percent-encoded, and a missing {name?} is empty. Then the
 * result's host and port must be one of the type's `hosts`: ERR_HOST_FORBIDDEN otherwise. An entry without a port means 443. Plain http goes only to a base URL that a person gave, to addresses and to localhost:
 * the egress guard has the last word.
 */
enum err template_url(const struct connector_type *type, struct str text,
		      const struct values *values, struct buf *out,
		      struct str *ret_missing) MUST_CHECK;

/*
 * The value at "a.b[0].c" in an answer; "[]" is the first element. NULL for none. A colon in a name is a
 * character like others ("ia::result").
 */
json_t *json_at(const json_t *json, struct str path);
/* The same as text: numbers and booleans are written out. The absent text for none, null, objects and lists. */
struct str json_text_at(struct arena *arena, const json_t *json, struct str path);

#endif
