/* What a person sees who comes back from a provider and has no application to go back to. */
#ifndef LW_CONNECT_OAUTH_PAGE_H
#define LW_CONNECT_OAUTH_PAGE_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "fcgi/reply.h"

/* Texts are escaped here; those that are absent leave their part out. */
struct oauth_page {
	struct str title;   /* "Xero is connected" */
	struct str words;   /* what happened */
	struct str next;    /* what to do next */
	struct str code;    /* of a failure: what to tell whoever helps */
	struct str request; /* the request's id, likewise */
	struct str link;    /* an address that was checked */
};

/* Writes the page and its Content-Security-Policy; the status is the caller's. */
enum err oauth_page_write(const struct oauth_page *page, struct reply *reply) MUST_CHECK;

#endif
