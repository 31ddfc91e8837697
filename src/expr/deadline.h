/*
 * How an evaluator ends when a program doesn't: its time is over, its memory, or it brought jq down. In all of them
 * nothing can be trusted any more, so a signal's handler sends an answer that was made before, and the process is over.
 */
#ifndef LW_EXPR_DEADLINE_H
#define LW_EXPR_DEADLINE_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"

/* What the process ends with, for the log. */
enum deadline_status { DEADLINE_TIME = 40, DEADLINE_MEMORY, DEADLINE_CRASH };

/* Takes the signals; the answers go to `fd`. Call it before the sandbox is entered. */
enum err deadline_install(int fd) MUST_CHECK;
/* From now on somebody waits for an answer, and so much computing time is left for the next step. */
void deadline_start(int64_t ms);
/* The step is done. */
void deadline_stop(void);
/* What comes from now on isn't for an answer: it has been made. */
void deadline_answered(void);
/* For jq: memory is out. */
NORETURN void deadline_no_memory(void *unused);

#endif
