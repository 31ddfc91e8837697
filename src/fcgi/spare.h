/*
 * A descriptor that is held for nothing, so that a process that has run out of them still has one: whoever has
 * connected is answered, one after the other, and doesn't wait in the socket's queue until nginx gives up.
 */
#ifndef LW_FCGI_SPARE_H
#define LW_FCGI_SPARE_H

#include <stdbool.h>

#include "base/attr.h"

struct spare {
	int like; /* an open descriptor, of which the spare one is a copy */
	int fd;   /* -1: spent */
};

/* False: there is none to be had. Also takes one back that was spent, as soon as there is. */
bool spare_hold(struct spare *spare) MUST_CHECK;
/* After EMFILE or ENFILE: there is one now. False: it was spent before, or it was about something else. */
bool spare_spend(struct spare *spare, int error_number) MUST_CHECK;
void spare_done(struct spare *spare);

#endif
