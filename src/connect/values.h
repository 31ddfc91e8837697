/*
 * The values of a connection: what a template's {name} stands for.
 *
 * They come from the plain data of its credential (by each field's member),
 * from the placeholders' defaults and from what a token answer or a callback
 * left in `extra`. Most are secrets: a set is wiped when it is done with.
 */
#ifndef LW_CONNECT_VALUES_H
#define LW_CONNECT_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/type.h"
#include "core/ctx.h"

enum { VALUES_MAX = 96 };

struct values {
	struct buf text; /* all of them, wiped */
	size_t n;
	struct {
		size_t name_at, name_n, value_at, value_n; /* in `text` */
	} v[VALUES_MAX];
};

#define VALUES_AUTO CLEANUP(values_done)
void values_init(struct values *values);
void values_done(struct values *values);

/* A later value of the same name replaces the earlier one. ERR_TOO_BIG, ERR_NO_MEMORY. */
enum err values_set(struct values *values, struct str name, struct str value) MUST_CHECK;
/* The absent text when there is none. Valid until the next values_set. */
struct str values_get(const struct values *values, struct str name);

/*
 * Fills `values` from a credential's plain data. The type may be NULL: then the data's own members and those
 * of `extra` are there under their own names.
 */
enum err values_read(const struct connector_type *type, const json_t *data, struct values *values) MUST_CHECK;

/*
 * What the user filled in (a JSON object of field names) as the data of a credential of that way, appended as
 * JSON to `data` (a buffer that is wiped). ERR_BAD_INPUT with fields below `config`: unknown, missing,
 * pattern, choice.
 */
enum err values_to_data(struct ctx *cx, const struct connector_type *type, const struct auth_way *way,
			const json_t *config, struct buf *data) MUST_CHECK;

#endif
