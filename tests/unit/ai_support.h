/* What the tests of models share: texts with ' for ", and one request that has everything in it. */
#ifndef LW_TESTS_AI_SUPPORT_H
#define LW_TESTS_AI_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ai/model.h"
#include "base/arena.h"

/* Of the running test: made by set_up, emptied by tear_down. */
extern struct arena *arena;
int ai_set_up(void **state);
int ai_tear_down(void **state);
#define AI_TEST(name) cmocka_unit_test_setup_teardown(name, ai_set_up, ai_tear_down)

/* The text with " for ', in the arena. */
struct str quoted(const char *text);
/* The same as a tree. */
const json_t *tree(const char *text);
void assert_text(struct str got, const char *want);

#endif
