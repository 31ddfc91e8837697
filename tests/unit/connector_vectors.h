/*
 * The golden vectors of connector types (tests/connectors/README.md): what each
 * type's file has to make of made-up values, byte by byte.
 */
#ifndef LW_TESTS_CONNECTOR_VECTORS_H
#define LW_TESTS_CONNECTOR_VECTORS_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/str.h"
#include "connect/catalog.h"
#include "connect/type.h"

enum { VECTOR_WHY_MAX = 600 };

/* One run: a type and its vector. */
struct vector_run {
	struct arena *arena;
	const struct connector_type *type;
	const json_t *vector;
	const json_t *shared;     /* answers.json: what every provider may answer */
	char why[VECTOR_WHY_MAX]; /* the first thing that differs, and where */
};

/* Notes it as the first difference; false. */
bool vector_fails(struct vector_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Whether the file's text loads as that type and does what its vector says; `why` otherwise. */
bool vector_holds(struct arena *arena, const char *id, struct str file, const json_t *vector,
		  const json_t *shared, char why[VECTOR_WHY_MAX]);

/* --- parts ------------------------------------------------------------------- */
/* What a person fills in. */
bool vector_fields_hold(struct vector_run *run);
/* How requests carry it, and how the connection is tried. */
bool vector_ways_hold(struct vector_run *run);
/* The lists that are pulled. */
bool vector_lists_hold(struct vector_run *run);
/* Consent, tokens, the end of a connection. */
bool vector_tokens_hold(struct vector_run *run);

/* The values of the connection that the vector's way makes. */
struct values;
bool vector_values(struct vector_run *run, const char *way, struct values *values);
/* Whether the call is as `want` says: method, url, headers, and form, json or nothing. */
struct call;
bool vector_call_is(struct vector_run *run, const char *place, const struct call *call,
		    const json_t *want);
/* The same of a request that is made first. */
bool vector_request_is(struct vector_run *run, const char *place, const struct auth_way *way,
		       const struct request_spec *spec, const struct values *values,
		       const json_t *want);

#define VECTOR_NOW_MS INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */

#endif
