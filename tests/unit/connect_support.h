/* A sample connector type for the tests of the connect room, and ways to change it. */
#ifndef LW_TESTS_CONNECT_SUPPORT_H
#define LW_TESTS_CONNECT_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connect/catalog.h"
#include "connect/type.h"
#include "connect/values.h"

/* A whole type, right in every way; its JSON is written with ' for ". */
extern const char SAMPLE[];

/* The text with " for ', and its first `find` replaced (NULL: as it is). Valid until the next call. */
const char *sample_text(const char *text, const char *find, const char *replace);
/* Loads the sample, changed like that; the test fails when that isn't possible. Free it with catalog_free. */
struct catalog *sample_catalog(const char *text, const char *find, const char *replace);
/* Why such a text is refused; "" when it is accepted. Valid until the next call. */
const char *sample_fault(const char *text, const char *find, const char *replace);
/* The only type of a catalogue. */
const struct connector_type *only_type(const struct catalog *catalog);

void set_value(struct values *values, const char *name, const char *value);

#endif
