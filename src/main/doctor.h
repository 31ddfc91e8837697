/* What latchctl doctor looks at, and how it tells what it found. */
#ifndef LW_MAIN_DOCTOR_H
#define LW_MAIN_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "connect/catalog.h"
#include "main/ctl.h"

struct doctor {
	struct ctl *ctl;
	struct catalog *catalog; /* NULL: it can't be read */
	struct db *db;           /* of latchctl's account; NULL: no connection */
	size_t found, faults, warnings;
};

/* Words for a person. Each finding is a line, and with --json an object {state, about, words, todo}. */
void doctor_ok(struct doctor *doctor, const char *about, const char *format, ...) PRINTF_LIKE(3, 4);
/* Something is wrong; `todo` says what helps. */
void doctor_fault(struct doctor *doctor, const char *about, const char *todo, const char *format,
		  ...) PRINTF_LIKE(4, 5);
/* Works today, and won't soon or for everybody. */
void doctor_warn(struct doctor *doctor, const char *about, const char *todo, const char *format,
		 ...) PRINTF_LIKE(4, 5);
/* Not a finding: something to copy. */
void doctor_say(struct doctor *doctor, const char *about, const char *format, ...)
	PRINTF_LIKE(3, 4);

/* --- what it looks at --- */
void doctor_look_at_database(struct doctor *doctor);
void doctor_look_at_keys(struct doctor *doctor);
void doctor_look_at_machine(struct doctor *doctor); /* disk, sockets, the worker, latch-expr, [egress] */
void doctor_look_beside(struct doctor *doctor);     /* the kernel, pdftotext, nginx's live runs */
void doctor_look_at_clients(struct doctor *doctor); /* OAuth clients and redirect URIs */
void doctor_look_from_outside(struct doctor *doctor);

/* Says that a clock differs from ours, if it does by more than the seconds that a message may take. */
void doctor_compare_clock(struct doctor *doctor, const char *whose, int64_t their_ms);

#endif
