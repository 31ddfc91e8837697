/* An event as JSON: in a list, by itself, and as subscribers get it. */
#ifndef LW_HOOK_EVENT_H
#define LW_HOOK_EVENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/id.h"
#include "base/json_write.h"
#include "base/str.h"

struct event {
	struct id id, connector;
	struct str provider, type, provider_event_id, account, subject_kind, subject_id;
	struct opt_int occurred_at;
	int64_t received_at;
	struct str status; /* absent, with processed_at: a delivery is what happened, not what became of it */
	struct opt_int processed_at;
	struct str headers, body; /* absent: in a list */
};

/* What the rows of all statements that read events have, as an initialiser's members. */
#define EVENT_MEMBERS(the_id, row)                                                                                     \
	.id = (the_id), .connector = (row).connector_id, .provider = (row).provider, .type = (row).type,              \
	.provider_event_id = (row).provider_event_id, .account = (row).account, .subject_kind = (row).subject_kind,   \
	.subject_id = (row).subject_id, .occurred_at = (row).occurred_at, .received_at = (row).received_at

/* The body as JSON where it is JSON, read with the arena, else as text. */
void event_write(struct arena *arena, struct json_writer *w, const struct event *event);

#endif
