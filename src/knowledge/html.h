/* What a person would read on a page (libxml2's HTML parser, no tree). Of this room. */
#ifndef LW_KNOWLEDGE_HTML_H
#define LW_KNOWLEDGE_HTML_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { HTML_TITLE_MAX = 4096, HTML_CHARSET_MAX = 40 };

/*
 * Adds the text of the page, tidied (passage.h), without scripts, styles, controls and navigation, and the words of its
 * first title. `charset` is what its server says (at most HTML_CHARSET_MAX characters; absent: the page itself, else
 * Latin 1 or UTF-8). Nothing is loaded, no entity but HTML's own is known. ERR_PAGE_NOT_TEXT: a character set that
 * isn't known; ERR_NO_MEMORY; the buffers' errors.
 */
enum err html_text(struct str page, struct str charset, struct buf *title, struct buf *text) MUST_CHECK;

#endif
