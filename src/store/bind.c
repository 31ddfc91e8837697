/* Values on their way in and out, by the descriptors of the statement. */
#include "store/bind.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* --- in ------------------------------------------------------------------- */
static enum err bad_input(const struct stmt *stmt, const struct stmt_value *v, enum err e)
{
	log_write(LOG_ERROR, "a statement's input is wrong",
		  LOG_FIELDS(log_text("statement", stmt->name), log_text("input", v->name),
			     log_err(e)));
	return e;
}

static bool fits(const struct stmt_value *v, struct str s)
{
	if (s.n <= v->max)
		return true;
	return v->type == STMT_TEXT && s.n <= (size_t)v->max * 4 && str_utf8_length(s) <= v->max;
}

static enum err bind_text(const struct stmt *stmt, const struct stmt_value *v, const void *member,
			  MYSQL_BIND *bind, struct slot *slot)
{
	struct str s;

	memcpy(&s, member, sizeof(s));
	/* Only the scope's role may be absent without having said so: a token has none. */
	if (!s.p && !v->nullable && v->source == STMT_IN)
		return bad_input(stmt, v, ERR_INTERNAL);
	if (!fits(v, s))
		return bad_input(stmt, v, ERR_TOO_BIG);
	slot->null = s.p == NULL;
	slot->length = s.n;
	bind->buffer_type = v->type == STMT_BYTES ? MYSQL_TYPE_BLOB : MYSQL_TYPE_STRING;
	bind->buffer = (char *)(uintptr_t)s.p;
	bind->buffer_length = s.n;
	return OK;
}

static void bind_id(const struct stmt_value *v, const void *member, MYSQL_BIND *bind,
		    struct slot *slot)
{
	const struct opt_id *optional = member;

	slot->null = v->nullable && !optional->set;
	slot->length = sizeof(struct id);
	bind->buffer_type = MYSQL_TYPE_BLOB;
	bind->buffer = (char *)(uintptr_t)(v->nullable ? (const void *)optional->v.b : member);
	bind->buffer_length = sizeof(struct id);
}

static void bind_number(const struct stmt_value *v, const void *member, MYSQL_BIND *bind,
			struct slot *slot)
{
	const struct opt_int *optional = member;

	slot->null = v->nullable && !optional->set;
	if (v->nullable)
		slot->number = optional->v;
	else if (v->type == STMT_BOOL)
		slot->number = *(const bool *)member;
	else
		slot->number = *(const int64_t *)member;
	bind->buffer_type = MYSQL_TYPE_LONGLONG;
	bind->buffer = &slot->number;
	bind->buffer_length = sizeof(slot->number);
}

/* Without a time of its own a scope takes the clock's. */
static void default_now(const struct db *db, const struct stmt_value *v, const void *member,
			struct slot *slot)
{
	if (v->source == STMT_SCOPE && member == (const void *)&db->scope.now && slot->number == 0)
		slot->number = clock_now_ms();
}

enum err bind_in(struct db *db, struct live_statement *live, const void *in)
{
	const struct stmt *stmt = live->stmt;

	for (size_t i = 0; i < stmt->in_count; i++) {
		const struct stmt_value *v = &stmt->in[i];
		const char *base = v->source == STMT_SCOPE ? (const char *)&db->scope : in;
		const void *member = base + v->offset;
		struct slot *slot = &live->in_slots[i];
		MYSQL_BIND *bind = &live->in[i];

		bind->is_null = &slot->null;
		bind->length = &slot->length;
		bind->error = &slot->error;
		if (v->type == STMT_ID) {
			bind_id(v, member, bind, slot);
		} else if (v->type == STMT_INT || v->type == STMT_BOOL) {
			bind_number(v, member, bind, slot);
			default_now(db, v, member, slot);
		} else {
			TRY(bind_text(stmt, v, member, bind, slot));
		}
	}
	if (stmt->in_count > 0 && mysql_stmt_bind_param(live->handle, live->in))
		return ERR_INTERNAL;
	return OK;
}

/* --- out ------------------------------------------------------------------ */
enum err bind_out(struct live_statement *live)
{
	for (size_t i = 0; i < live->stmt->out_count; i++) {
		const struct stmt_value *v = &live->stmt->out[i];
		struct slot *slot = &live->out_slots[i];
		MYSQL_BIND *bind = &live->out[i];

		bind->is_null = &slot->null;
		bind->length = &slot->length;
		bind->error = &slot->error;
		if (value_has_buffer(v)) {
			bind->buffer_type = v->type == STMT_TEXT || v->type == STMT_JSON
						    ? MYSQL_TYPE_STRING
						    : MYSQL_TYPE_BLOB;
			bind->buffer = slot->buffer;
			bind->buffer_length = slot->capacity;
		} else {
			bind->buffer_type = MYSQL_TYPE_LONGLONG;
			bind->buffer = &slot->number;
			bind->buffer_length = sizeof(slot->number);
		}
	}
	if (live->stmt->out_count > 0 && mysql_stmt_bind_result(live->handle, live->out))
		return ERR_INTERNAL;
	return OK;
}

static enum err bad_column(const struct live_statement *live, const struct stmt_value *v,
			   const char *why)
{
	log_write(LOG_ERROR, "a column is not what its statement says",
		  LOG_FIELDS(log_text("statement", live->stmt->name), log_text("column", v->name),
			     log_text("why", why)));
	return ERR_DB_REFUSED;
}

/*
 * The value was cut to its buffer: takes a larger one, which stays, and fetches the column again.
 */
static enum err fetch_again(struct live_statement *live, size_t column)
{
	struct slot *slot = &live->out_slots[column];
	MYSQL_BIND *bind = &live->out[column];
	size_t capacity = slot->capacity;
	unsigned long length = slot->length;
	char *larger;

	if (slot->length > STMT_VALUE_MAX)
		return ERR_TOO_BIG;
	while (capacity < slot->length)
		capacity *= 2;
	larger = malloc(capacity);
	if (!larger)
		return ERR_NO_MEMORY;
	wipe(slot->buffer, slot->capacity);
	free(slot->buffer);
	slot->buffer = larger;
	slot->capacity = capacity;
	bind->buffer = larger;
	bind->buffer_length = capacity;
	if (mysql_stmt_fetch_column(live->handle, bind, (unsigned)column, 0))
		return ERR_INTERNAL;
	TRY(bind_out(live));
	/* Connector/C before 3.3.20 counts down to nothing here. */
	slot->length = length;
	return OK;
}

static void put_number(const struct stmt_value *v, const struct slot *slot, void *member)
{
	if (v->nullable)
		*(struct opt_int *)member =
			(struct opt_int){ !slot->null, slot->null ? 0 : slot->number };
	else if (v->type == STMT_BOOL)
		*(bool *)member = slot->number != 0;
	else
		*(int64_t *)member = slot->number;
}

static void put_id(const struct stmt_value *v, const struct slot *slot, void *member)
{
	struct id id = ID_NIL;

	if (!slot->null)
		memcpy(id.b, slot->buffer, sizeof(id.b));
	if (v->nullable)
		*(struct opt_id *)member = (struct opt_id){ !slot->null, id };
	else
		*(struct id *)member = id;
}

static enum err take_column(struct live_statement *live, size_t column, void *ret_row)
{
	const struct stmt_value *v = &live->stmt->out[column];
	struct slot *slot = &live->out_slots[column];
	void *member = (char *)ret_row + v->offset;

	if (slot->null && !v->nullable)
		return bad_column(live, v, "NULL");
	if (!slot->null && v->type == STMT_ID && slot->length != sizeof(struct id))
		return bad_column(live, v, "not 16 bytes");
	if (!slot->null && !value_has_buffer(v) && slot->error)
		return bad_column(live, v, "no whole number of 64 bits");
	if (!slot->null && value_has_buffer(v) && slot->length > slot->capacity)
		TRY(fetch_again(live, column));
	if (v->type == STMT_ID)
		put_id(v, slot, member);
	else if (!value_has_buffer(v))
		put_number(v, slot, member);
	else
		*(struct str *)member =
			slot->null ? STR_NONE : (struct str){ slot->buffer, slot->length };
	return OK;
}

enum err bind_take_row(struct live_statement *live, void *ret_row)
{
	for (size_t i = 0; i < live->stmt->out_count; i++)
		TRY(take_column(live, i, ret_row));
	return OK;
}
