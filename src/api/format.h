/* The formats of texts that the document may name, besides ids and times. */
#ifndef LW_API_FORMAT_H
#define LW_API_FORMAT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"

/*
 * An address that mail can be sent to: dot-atom "@" domain (RFC 5321, section 4.1.2), ASCII, at most 64 and 254
 * bytes, a domain of at least two labels. Quoted local parts and address literals aren't taken.
 */
bool format_is_email(struct str text) MUST_CHECK;
/* An absolute URI with an authority (RFC 3986): scheme://host..., its characters and escapes valid. */
bool format_is_uri(struct str text) MUST_CHECK;

#endif
