/* The document that GET /api/v1/openapi.json answers: openapi.yaml as JSON, compact, without internal members. */
#ifndef LW_API_DOCUMENT_H
#define LW_API_DOCUMENT_H

#include "base/str.h"

extern const struct str API_DOCUMENT;

#endif
