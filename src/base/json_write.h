/*
 * Writing JSON straight into a buffer: no tree is built for an answer.
 *
 *	jw_object(&w);
 *	jw_put_text(&w, "name", name);
 *	jw_object_end(&w);
 */
#ifndef LW_BASE_JSON_WRITE_H
#define LW_BASE_JSON_WRITE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/str.h"

struct json_writer {
	struct buf *out;
	bool comma; /* the next value needs a comma before it */
};

void jw_start(struct json_writer *w, struct buf *out);
void jw_object(struct json_writer *w); /* { */
void jw_object_end(struct json_writer *w);
void jw_array(struct json_writer *w); /* [ */
void jw_array_end(struct json_writer *w);
void jw_key(struct json_writer *w, const char *key);
void jw_key_str(struct json_writer *w, struct str key); /* escaped: a key that a user chose */
void jw_add_text(struct json_writer *w, struct str s); /* absent text gives null */
void jw_add_int(struct json_writer *w, int64_t number);
void jw_add_bool(struct json_writer *w, bool flag);
void jw_add_null(struct json_writer *w);
/* Splices JSON that is known to be valid (it was written by us). Absent gives null. */
void jw_add_raw(struct json_writer *w, struct str json);
/* A Jansson tree, compact, its members in insertion order. */
void jw_add_tree(struct json_writer *w, const json_t *value);

/* key and value at once */
void jw_put_text(struct json_writer *w, const char *key, struct str s);
void jw_put_int(struct json_writer *w, const char *key, int64_t number);
void jw_put_bool(struct json_writer *w, const char *key, bool flag);
void jw_put_null(struct json_writer *w, const char *key);
void jw_put_raw(struct json_writer *w, const char *key, struct str json);

/* Writes `s` as a JSON string with its quotes; what isn't UTF-8 becomes U+FFFD. */
void json_escape(struct buf *out, struct str s);

#endif
