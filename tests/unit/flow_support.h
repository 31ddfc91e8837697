/* Definitions as tests write them: with ' for ". */
#ifndef LW_TESTS_FLOW_SUPPORT_H
#define LW_TESTS_FLOW_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "flow/definition.h"

extern struct ctx flow_cx;
extern const struct flow *flow_is; /* of the last read_definition; NULL: it was refused */

int flow_setup(void **state);
int flow_teardown(void **state);

/* What flow_read says; what was there before is gone. */
enum err read_definition(const char *text);
void assert_sound(const char *text);
/* It is refused, and one of the places is this one with that code. */
void assert_refused(const char *text, const char *place, const char *code);
const struct flow_step *step_of(const char *id);

#endif
