/*
 * The records of one FastCGI connection, checked byte by byte before libfcgi sees any of them.
 *
 * libfcgi can't be given what a stranger wrote (tried with Debian 12's 2.4.2-2+deb12u1): two lengths of
 * 0x7ffffffe abort it, because the fix of CVE-2025-23016 refuses 0x7fffffff only; a GET_VALUES record
 * that names a variable four times overruns a 64-byte array on its stack, and one that names it once
 * is answered with a piece of that stack. So this reader takes the records apart, with every length
 * capped, and refuses all that nginx never sends: other versions, roles and types, management
 * records, a second BEGIN, ABORT (nginx closes instead).
 */
#ifndef LW_FCGI_RECORDS_H
#define LW_FCGI_RECORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"

enum {
	FCGI_HEADER = 8,
	FCGI_CONTENT_MAX = 0xffff,
	RECORDS_PARAMS_BYTES = 64 << 10, /* nginx's large_client_header_buffers allow half of it */
	RECORDS_PARAMS_COUNT = 512,
};

enum fcgi_type {
	FCGI_BEGIN_REQUEST = 1,
	FCGI_END_REQUEST = 3,
	FCGI_PARAMS = 4,
	FCGI_STDIN = 5,
	FCGI_STDOUT = 6,
	FCGI_STDERR = 7,
	FCGI_GET_VALUES_RESULT = 10
};

/* What is expected next. */
enum records_phase { RECORDS_BEGIN, RECORDS_PARAMS, RECORDS_STDIN, RECORDS_DONE };

struct records {
	enum records_phase phase;
	bool keep; /* nginx may send another request on this connection */
	uint16_t request_id;
	struct buf params;  /* name-value pairs as they came; checked once phase is RECORDS_STDIN */
	int64_t body_bytes; /* of STDIN so far */

	/* the record under way */
	size_t header_bytes;
	size_t content_left;
	size_t padding_left;
	uint8_t header[FCGI_HEADER];
	uint8_t begin[8];
};

void records_init(struct records *records);
void records_done(struct records *records);
/* Ready for the next request of the connection. */
void records_reset(struct records *records);
/* Nothing of a request has come yet. */
bool records_untouched(const struct records *records);

/*
 * Takes `n` bytes from the connection. What is content of STDIN is added to `body`, or dropped when that
 * is NULL. ERR_BAD_REQUEST: refuse the connection. ERR_NO_MEMORY.
 */
enum err records_feed(struct records *records, const uint8_t *bytes, size_t n,
		      struct buf *body) MUST_CHECK;

/* Writes the header of a record. */
void records_header(uint8_t header[FCGI_HEADER], enum fcgi_type type, uint16_t request_id,
		    size_t content_bytes);

#endif
