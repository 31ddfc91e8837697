/*
 * The table of operations that openapi.yaml gave, and how a request finds its row.
 *
 * The rows are generated (routes.c), and so are the input structs that handlers
 * take (core/operations.h). Here is what is in a row, and the walk from a raw
 * path to it. Reading the inputs is check.h.
 */
#ifndef LW_API_ROUTE_H
#define LW_API_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/operations.h"
#include "core/principal.h"

struct check_member;
struct check_schema;

enum method { METHOD_GET, METHOD_POST, METHOD_PUT, METHOD_PATCH, METHOD_DELETE, METHOD_COUNT };

enum route_pool { ROUTE_FRONT, ROUTE_VAULT };

/* Without a token: every caller; with one if it came; only with one. */
enum route_auth { ROUTE_AUTH_NONE, ROUTE_AUTH_OPTIONAL, ROUTE_AUTH_USER };

/* No body; JSON checked against a schema; bytes that the handler reads itself (signed webhooks, uploads). */
enum route_body { ROUTE_BODY_NONE, ROUTE_BODY_JSON, ROUTE_BODY_RAW };

struct route {
	enum operation operation;
	const char *name; /* the operationId */
	const char *path; /* the template, e.g. /api/v1/credentials/{id}: for logs and metrics */
	enum method method;
	enum route_pool pool;
	enum route_auth auth;
	scopes scope;   /* an API token needs one of these: all bits for "any", empty for "none may" */
	enum role role; /* the least role of a person; ROLE_NONE: any */
	const char *rate;  /* in core/rate.def; "default" when the document names none */
	const char *audit; /* in core/audit_actions.def; NULL: none */
	enum route_body body;
	const char *media; /* of the body: NULL without one; "any" of ROUTE_BODY_RAW takes all */
	bool body_required;
	size_t body_max;  /* bytes; without a body enough to tell the client that none is taken */
	bool transaction; /* the handler runs between BEGIN and COMMIT */
	bool keeps_answer; /* for an Idempotency-Key; false: a request that comes again is done again */
	/* Whether the session is live is checked by the handler's first statement, which has no effect without it. */
	bool defers_session;
	bool slow;         /* it may take long: nobody else is to wait behind it */
	bool any_query;    /* query parameters that aren't declared are the handler's business */
	/* Calls the handler of the same name with what route_read made. */
	enum err (*run)(struct ctx *cx, const void *in, struct reply *reply);
	/* What route_read needs: the size of the input struct and where each part goes. */
	size_t in_size;
	const struct check_member *path_params; /* in the order of the template */
	size_t path_count;
	const struct check_member *query;
	size_t query_count;
	const struct check_schema *schema; /* of the body; NULL unless ROUTE_BODY_JSON */
};

enum { ROUTE_PARAMS_MAX = 8, ROUTE_ALLOW_MAX = 64 };

struct route_match {
	const struct route *route;          /* NULL when there is none */
	struct str param[ROUTE_PARAMS_MAX]; /* raw segments, inside the path that was given */
	unsigned methods; /* the path's, 1 << enum method, and one more for HEAD: set when the path is known */
};

/*
 * The row for a method and a raw path (as sent, without the query). No path of ours needs an escape, so
 * anything that another parser might read differently is refused before matching: ERR_BAD_PATH for bytes
 * outside of 0x21..0x7e, '%', ';', '\', "//", "." and ".." segments. ERR_NOT_FOUND for no such path (a
 * trailing slash makes another path), ERR_METHOD_NOT_ALLOWED with `methods` set for the path's other methods.
 * HEAD finds GET's row, but none of the vault; OPTIONS is the caller's.
 */
enum err route_find(struct str method, struct str path, struct route_match *ret_match) MUST_CHECK;

/* The value of an Allow header: "GET, HEAD, OPTIONS". */
struct str route_allow(unsigned methods, char text[ROUTE_ALLOW_MAX]);

/* Every row, in the order of the document; indexed by enum operation. */
extern const struct route ROUTES[OPERATION_COUNT];

/* The tree that routes.c holds: one node a segment, a static segment before the parameter. */
struct route_edge {
	struct str segment;
	const struct route_node *node;
};
struct route_node {
	const struct route_edge *edges;
	size_t edge_count;
	const struct route_node *param;    /* any other segment; NULL: none */
	const struct route *const *routes; /* METHOD_COUNT of them, or NULL: no path ends here */
};
extern const struct route_node ROUTE_ROOT;

#endif
