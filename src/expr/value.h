/* Values of jq as JSON texts and back: within json_read's limits, which jq's own writer doesn't know. */
#ifndef LW_EXPR_VALUE_H
#define LW_EXPR_VALUE_H

#include <jv.h>

#include "base/buf.h"
#include "base/str.h"
#include "expr/expr.h"

/* EXPR_FAILED with words when it isn't one JSON text. */
enum expr_why value_read(struct str text, jv *ret_value, struct expr_failure *ret_failure);
/* Takes the value. EXPR_TOO_LARGE: `out` is full, or it is nested too deep, or has too many values. */
enum expr_why value_write(jv value, struct buf *out, struct expr_failure *ret_failure);

#endif
