/* One statement that is prepared on a connection: its buffers, and the values going in and out. */
#ifndef LW_STORE_BIND_H
#define LW_STORE_BIND_H

#include "store/private.h"

/* The place of one value while it travels. */
struct slot {
	char *buffer; /* outputs of no fixed size: owned */
	size_t capacity;
	unsigned long length;
	int64_t number;
	my_bool null;
	my_bool error;
};

struct live_statement {
	const struct stmt *stmt;
	MYSQL_STMT *handle; /* NULL: not prepared on this connection */
	MYSQL_BIND *in;
	MYSQL_BIND *out;
	struct slot *in_slots;
	struct slot *out_slots;
	bool has_rows; /* rows were taken in and not read to their end */
	bool to_wipe;
};

/* Whether the value travels through slot.buffer, and not through slot.number. */
static inline bool value_has_buffer(const struct stmt_value *v)
{
	return v->type != STMT_INT && v->type != STMT_BOOL;
}

/*
 * Hands the values of `in` and of the scope to the library; ERR_TOO_BIG, ERR_INTERNAL (a text
 * that must not be absent).
 */
enum err bind_in(struct db *db, struct live_statement *live, const void *in) MUST_CHECK;
/* Tells the library where columns go; at each preparation, and after a buffer has grown. */
enum err bind_out(struct live_statement *live) MUST_CHECK;
/*
 * Copies the row that was fetched into the caller's struct; fetches again what was larger than
 * its buffer.
 */
enum err bind_take_row(struct live_statement *live, void *ret_row) MUST_CHECK;

#endif
