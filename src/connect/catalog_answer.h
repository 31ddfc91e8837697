/* What the API says of a connector type: written once, when it is loaded. */
#ifndef LW_CONNECT_CATALOG_ANSWER_H
#define LW_CONNECT_CATALOG_ANSWER_H

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "connect/type.h"
#include "core/config.h"

enum { CATALOG_ANSWER_MAX = 1 << 20 };

/* Appends the CatalogEntry of the API document; errors stick in `out`. */
void catalog_answer_entry(const struct connector_type *type, struct buf *out);
/* Appends the CatalogType without redirect_uri and without its closing brace: the address is the configuration's. */
void catalog_answer_detail(const struct connector_type *type, struct buf *out);
/* Appends the whole CatalogType of a type that was loaded. */
enum err catalog_answer_type(const struct config *config, const struct connector_type *type,
			     struct buf *out) MUST_CHECK;

#endif
