/*
 * Runs one program on bytes that a stranger sent, with nothing in its reach.
 *
 * The child has its input (which it can seek in), a pipe for its output and nothing else: no environment, no other
 * descriptor, no file but itself and the system's libraries (Landlock), no socket, no other process, no signal to
 * anybody (seccomp and Landlock), and limits of memory, time and output. It ends with its parent.
 */
#ifndef LW_FCGI_CHILD_H
#define LW_FCGI_CHILD_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

struct child_program {
	const char *path;       /* absolute; it isn't searched for */
	char *const *arguments; /* the name first, NULL at the end */
	struct str input;
	size_t memory;   /* bytes of address space */
	int cpu_s;       /* of computing */
	int deadline_ms; /* of all of it */
};

enum child_end {
	CHILD_EXITED,  /* by itself: see status */
	CHILD_KILLED,  /* by a signal: broken, or a limit */
	CHILD_LATE,    /* by us at its deadline */
	CHILD_TOO_MUCH /* by us: its output is more than `output` takes */
};

struct child_answer {
	enum child_end end;
	int status; /* of CHILD_EXITED: the exit status; of CHILD_KILLED: the signal */
};

/*
 * OK with any end; `output` (emptied first, its cap is the output's) holds what it wrote until then. ERR_NOT_READY: the
 * program isn't there, or this kernel can't confine it; then it was not run. ERR_IO, ERR_NO_MEMORY: there is no
 * process, no descriptor, no memory.
 */
enum err child_run(const struct child_program *program, struct buf *output, struct child_answer *ret_answer) MUST_CHECK;

#endif
