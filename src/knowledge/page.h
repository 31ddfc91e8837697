/* The text of a page, fetched through the egress guard. Of this room. */
#ifndef LW_KNOWLEDGE_PAGE_H
#define LW_KNOWLEDGE_PAGE_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"

enum { PAGE_URL_MAX = 2048 };

/*
 * Where a Location leads from an absolute URL (RFC 3986, section 5.2, but for dots in paths, which are the server's to
 * resolve). Into an empty buffer, whose cap is the URL's; it keeps a failure.
 */
void page_location(struct str from, struct str location, struct buf *url);
/*
 * Fetches the page, follows up to three redirects, and puts its text and its title (it may have none) into empty
 * buffers. ERR_HOST_FORBIDDEN and ERR_PAGE_*: trying again is no use. ERR_UPSTREAM, ERR_UPSTREAM_TIMEOUT: it may be.
 */
enum err page_text(struct ctx *cx, struct str url, struct buf *title, struct buf *text) MUST_CHECK;

#endif
