/* Which files a process can still reach (Landlock): for child.h. */
#ifndef LW_FCGI_LANDLOCK_H
#define LW_FCGI_LANDLOCK_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"

/*
 * From now on this process and its children read and run the system's libraries and that program, and reach no other
 * file; nor, where the kernel knows how, TCP, abstract sockets and other processes by signals. ERR_NOT_READY: the
 * kernel has no Landlock, or it is switched off.
 */
enum err landlock_leave(const char *program) MUST_CHECK;
/* Whether the kernel has it, and it is on. */
bool landlock_is_possible(void);

#endif
