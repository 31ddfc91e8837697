/*
 * The pages of a provider's list: what the next one is asked for with, and what
 * an answer holds. Pure: nothing is sent or stored here, and no answer is
 * trusted.
 */
#ifndef LW_SYNC_PAGE_H
#define LW_SYNC_PAGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/call.h"
#include "connect/type.h"
#include "connect/values.h"

enum { SYNC_NEXT_MAX = 2048, SYNC_EXTERNAL_ID_CHARS = 255, SYNC_TIME_CHARS = 64 };

/* How far a list was read. */
struct sync_place {
	int64_t page; /* pages that are behind us */
	struct str
		next; /* what to ask with: a cursor, a number, a path; absent: for the first page */
};

/* The list's paths for this connection. */
struct sync_paths {
	struct str rows, id, updated_at; /* absent: there is none */
};

struct sync_row {
	struct str id;
	struct str updated_at; /* in the provider's words; absent: not told */
	const json_t *json;
};

struct sync_page {
	const struct sync_row *row;
	size_t rows;
	size_t left_out;        /* rows without an id */
	struct str next;        /* absent: this was the last page */
	struct str code, words; /* of an answer that isn't a page of that list */
};

/* The n-th of the lists of this connection: each collection's first entry that has what it needs. NULL: no more. */
const struct sync_spec *sync_list(const struct connector_type *type, const struct values *values,
				  size_t n);

/* ERR_NO_MEMORY, ERR_BAD_INPUT for a value that no path can have. */
enum err sync_paths(struct arena *arena, const struct sync_spec *list, const struct values *values,
		    struct sync_paths *ret_paths) MUST_CHECK;

/* The request of the page behind `place`: errors of call_make. */
enum err sync_request(const struct connector_type *type, const struct auth_way *way,
		      const struct sync_spec *list, const struct values *values,
		      const struct sync_place *place, int64_t now_ms, struct call *call,
		      struct str *ret_missing) MUST_CHECK;

/* What came for it. */
struct sync_answer {
	const json_t *json;
	struct str link; /* the Link header; absent or empty: none */
};

/*
 * Reads a page. `call` is what was asked: the next page's address must be at the same host, and loses the parameters
 * that the way adds. ERR_UPSTREAM with code and words when it isn't a page, or leads nowhere new. Texts are the
 * answer's, the arena's or static.
 */
enum err sync_read(struct arena *arena, const struct auth_way *way, const struct sync_spec *list,
		   const struct values *values, const struct sync_paths *paths,
		   const struct sync_place *place, const struct call *call,
		   const struct sync_answer *answer, struct sync_page *ret_page) MUST_CHECK;

/* The target of the first rel="next" in a Link header (RFC 8288, section 3); absent for none. */
struct str sync_link_next(struct str header);
/*
 * The path and query of a link, an absolute one or one that begins with a slash, without parameters of these names.
 * ERR_BAD_INPUT when it leads to another scheme, host or port than `url`, ERR_NO_MEMORY.
 */
enum err sync_link_path(struct arena *arena, struct str url, struct str link, struct texts without,
			struct str *ret_path) MUST_CHECK;

#endif
