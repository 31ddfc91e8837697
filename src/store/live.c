/*
 * The statements of one connection: found by their descriptor, with buffers of the declared
 * sizes.
 */
#include "store/bind.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST_BUFFER_MAX = 4096, FIRST_PLACES = 64 };

static size_t first_capacity(const struct stmt_value *v)
{
	size_t bytes = v->type == STMT_ID     ? sizeof(struct id)
		       : v->type == STMT_TEXT ? (size_t)v->max * 4
					      : v->max;

	return bytes < FIRST_BUFFER_MAX ? bytes + 1 : FIRST_BUFFER_MAX;
}

static bool make_buffers(struct live_statement *live)
{
	const struct stmt *stmt = live->stmt;

	live->in = calloc(stmt->in_count + 1u, sizeof(*live->in));
	live->out = calloc(stmt->out_count + 1u, sizeof(*live->out));
	live->in_slots = calloc(stmt->in_count + 1u, sizeof(*live->in_slots));
	live->out_slots = calloc(stmt->out_count + 1u, sizeof(*live->out_slots));
	if (!live->in || !live->out || !live->in_slots || !live->out_slots)
		return false;
	for (size_t i = 0; i < stmt->out_count; i++) {
		struct slot *slot = &live->out_slots[i];

		if (!value_has_buffer(&stmt->out[i]))
			continue;
		slot->capacity = first_capacity(&stmt->out[i]);
		slot->buffer = malloc(slot->capacity);
		if (!slot->buffer)
			return false;
	}
	return true;
}

static struct live_statement *live_statement_new(const struct stmt *stmt)
{
	struct live_statement *live = calloc(1, sizeof(*live));

	if (!live)
		return NULL;
	live->stmt = stmt;
	if (!make_buffers(live)) {
		live_statement_free(live);
		return NULL;
	}
	return live;
}

void live_statement_free(struct live_statement *live)
{
	if (!live)
		return;
	live_statement_unprepare(live);
	for (size_t i = 0; live->out_slots && i < live->stmt->out_count; i++) {
		if (live->out_slots[i].buffer)
			wipe(live->out_slots[i].buffer, live->out_slots[i].capacity);
		free(live->out_slots[i].buffer);
	}
	free(live->in);
	free(live->out);
	free(live->in_slots);
	free(live->out_slots);
	free(live);
}

void live_statement_unprepare(struct live_statement *live)
{
	if (!live || !live->handle)
		return;
	mysql_stmt_close(live->handle);
	live->handle = NULL;
	live->has_rows = false;
}

void live_statement_rest(struct live_statement *live)
{
	if (!live)
		return;
	if (live->has_rows && live->handle)
		mysql_stmt_free_result(live->handle);
	live->has_rows = false;
	if (!live->to_wipe)
		return;
	for (size_t i = 0; i < live->stmt->in_count; i++)
		live->in_slots[i].number = 0;
	for (size_t i = 0; i < live->stmt->out_count; i++)
		if (live->out_slots[i].buffer)
			wipe(live->out_slots[i].buffer, live->out_slots[i].capacity);
	live->to_wipe = false;
}

/* The statement's place, or the free one where it belongs. */
static struct live_statement **place_of(struct live_statement **table, size_t places,
					const struct stmt *stmt)
{
	size_t at = (size_t)(((uint64_t)(uintptr_t)stmt * UINT64_C(0x9e3779b97f4a7c15)) >> 32) &
		    (places - 1);

	while (table[at] && table[at]->stmt != stmt)
		at = (at + 1) & (places - 1);
	return &table[at];
}

static enum err grow(struct db *db)
{
	size_t places = db->live_places ? db->live_places * 2 : FIRST_PLACES;
	struct live_statement **table = calloc(places, sizeof(struct live_statement *));

	if (!table)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < db->live_places; i++)
		if (db->live[i])
			*place_of(table, places, db->live[i]->stmt) = db->live[i];
	free(db->live);
	db->live = table;
	db->live_places = places;
	return OK;
}

enum err live_statement_find(struct db *db, const struct stmt *stmt,
			     struct live_statement **ret_live)
{
	struct live_statement **place;

	*ret_live = NULL;
	if (db->live_count * 2 >= db->live_places)
		TRY(grow(db));
	place = place_of(db->live, db->live_places, stmt);
	if (!*place) {
		*place = live_statement_new(stmt);
		if (!*place)
			return ERR_NO_MEMORY;
		db->live_count++;
	}
	*ret_live = *place;
	return OK;
}
