/*
 * The graphs of versions, read once a process: a version never changes. Which ones are kept is bounded by their number
 * and by the length of their texts; who was asked for longest ago goes first.
 */
#include "base/json_read.h"
#include "flow/engine.h"
#include "store/sql_execution.h"

enum { KEPT_MAX = 64, KEPT_BYTES_MAX = 8 << 20, GRAPH_ARENA_MAX = 8 << 20 };

struct kept {
	struct id tenant, workflow;
	int64_t version;
	struct arena *arena; /* NULL: the place is free */
	const struct flow *flow;
	size_t bytes;        /* of the text */
	uint64_t asked;
};

static struct kept kept[KEPT_MAX];
static size_t kept_bytes;
static uint64_t asked;

static void drop(struct kept *k)
{
	arena_free(k->arena);
	kept_bytes -= k->bytes;
	*k = (struct kept){ 0 };
}

static struct kept *find(const struct ctx *cx, const struct id *workflow, int64_t version)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (kept[i].arena && kept[i].version == version && id_eq(&kept[i].workflow, workflow) &&
		    id_eq(&kept[i].tenant, &cx->who.tenant))
			return &kept[i];
	return NULL;
}

static struct kept *free_place(void)
{
	for (size_t i = 0; i < KEPT_MAX; i++)
		if (!kept[i].arena)
			return &kept[i];
	return NULL;
}

static void drop_oldest(void)
{
	struct kept *oldest = NULL;

	for (size_t i = 0; i < KEPT_MAX; i++)
		if (kept[i].arena && (!oldest || kept[i].asked < oldest->asked))
			oldest = &kept[i];
	if (oldest)
		drop(oldest);
}

/* A place for a text of that length. */
static struct kept *make_room(size_t bytes)
{
	struct kept *place;

	while (!(place = free_place()) || (kept_bytes > 0 && kept_bytes + bytes > KEPT_BYTES_MAX))
		drop_oldest();
	return place;
}

static enum err read_into(struct ctx *cx, struct kept *k, struct str text)
{
	json_t *definition;

	TRY(json_read(k->arena, text, &definition, NULL));
	return flow_read(cx, k->arena, definition, &k->flow);
}

enum err flow_version(struct ctx *cx, const struct id *workflow, int64_t version, const struct flow **ret_flow)
{
	const struct sql_workflow_version_text_in in = { *workflow, version };
	struct sql_workflow_version_text_row row;
	struct kept *k = find(cx, workflow, version);
	enum err e;

	if (!k) {
		TRY(sql_workflow_version_text(cx->db, &in, &row));
		k = make_room(row.definition.n);
		*k = (struct kept){ .tenant = cx->who.tenant, .workflow = *workflow, .version = version,
				    .arena = arena_new(GRAPH_ARENA_MAX), .bytes = row.definition.n };
		kept_bytes += k->bytes;
		e = k->arena ? read_into(cx, k, row.definition) : ERR_NO_MEMORY;
		if (e != OK) {
			drop(k);
			return e;
		}
	}
	k->asked = ++asked;
	*ret_flow = k->flow;
	return OK;
}
