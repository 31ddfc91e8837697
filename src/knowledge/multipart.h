/*
 * The parts of a body of multipart/form-data (RFC 7578, RFC 2046 section 5.1), as browsers and HTTP libraries write it:
 * no preamble, no transfer encoding, each part with a name.
 */
#ifndef LW_KNOWLEDGE_MULTIPART_H
#define LW_KNOWLEDGE_MULTIPART_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum { MULTIPART_BOUNDARY_MAX = 70, MULTIPART_HEADERS_MAX = 10 };

struct multipart {
	struct str delimiter; /* CRLF, two hyphens and the boundary: in text */
	struct str rest;      /* behind the delimiter that was read last */
	char text[MULTIPART_BOUNDARY_MAX + 4];
};

/* Borrowed from the body. */
struct multipart_part {
	struct str name;     /* never absent */
	struct str filename; /* as it was sent, quoted characters and all; absent: it is no file */
	struct str value;
};

/*
 * ERR_UNSUPPORTED_MEDIA_TYPE: that content type is another one, or lacks its boundary. ERR_BAD_REQUEST: the body
 * doesn't begin with the boundary.
 */
enum err multipart_start(struct str content_type, struct str body, struct multipart *ret_multipart) MUST_CHECK;
/* The next part; ERR_END behind the last one; ERR_BAD_REQUEST for what can't be read. */
enum err multipart_next(struct multipart *multipart, struct multipart_part *ret_part) MUST_CHECK;

#endif
