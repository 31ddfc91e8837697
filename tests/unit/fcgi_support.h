/* A FastCGI client for the tests of src/fcgi: makes records, good and bad, and reads answers. */
#ifndef LW_TESTS_FCGI_SUPPORT_H
#define LW_TESTS_FCGI_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

/* Appends one record; `length` is what its header says, whatever the content is. */
void put_record(struct buf *out, int version, int type, int id, struct str content, size_t length,
		int padding);
void put_begin(struct buf *out, int role, bool keep);
void put_stream(struct buf *out, int type, struct str content); /* and its end */
void put_pair(struct buf *params, const char *name, const char *value);
/* A whole request for `uri`. */
void put_request(struct buf *out, const char *method, const char *uri, struct str body, bool keep);

/* Connects; -1 when nobody listens. */
int client_connect(const char *path);
bool client_send(int fd, struct str bytes);

struct answer {
	bool whole;     /* END_REQUEST came */
	bool closed;    /* and then the end of the connection, as far as it was waited for */
	bool not_kept;  /* a record follows END_REQUEST: nginx would not keep the connection */
	struct buf out; /* what came on STDOUT */
};

/* Reads one answer, waiting at most ten seconds for each part. */
void client_read(int fd, struct answer *ret_answer);
/* Whether the connection ends within ten seconds. */
bool client_sees_end(int fd);
/* Sends a request on a connection of its own; the answer's STDOUT has to be freed by buf_done. */
void client_ask(const char *path, const char *method, const char *uri, struct str body,
		struct answer *ret_answer);
bool answer_says(const struct answer *answer, const char *text);

#endif
