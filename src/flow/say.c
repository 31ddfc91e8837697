#include "flow/say.h"

#include "base/json_write.h"
#include "base/log.h"
#include "core/answer.h"
#include "flow/engine.h"
#include "live/live.h"
#include "store/db.h"
#include "store/sql_execution.h"

enum { EVENTS_MAX = 256 << 10 };

struct saying {
	struct ctx *cx;
	struct id execution;
	const struct said *said;
	size_t n;
	struct buf text; /* the events as they are told */
};

static void write_events(struct saying *s, int64_t first)
{
	struct json_writer w;

	buf_clear(&s->text);
	jw_start(&w, &s->text);
	jw_array(&w);
	for (size_t i = 0; i < s->n; i++) {
		jw_object(&w);
		event_put_id(&w, &s->execution, first + (int64_t)i);
		jw_put_text(&w, "type", str_of(s->said[i].type));
		answer_id(&w, "execution_id", ID_EXECUTION, &s->execution);
		answer_time(&w, "at", s->cx->now_ms);
		jw_put_raw(&w, "data", s->said[i].data);
		jw_object_end(&w);
	}
	jw_array_end(&w);
}

/* The engine's next turn sees that there are more events than it knew of, and begins anew behind them. */
static enum err put_on_record(struct db *db, void *arg)
{
	struct saying *s = arg;
	const struct sql_execution_lock_in one = { .execution_id = s->execution };
	struct sql_execution_lock_row row;
	int64_t changed;

	TRY(sql_execution_lock(db, &one, &row));
	if (row.completed_at.set)
		return ERR_CONFLICT;
	const struct sql_execution_event_count_in count = { .execution_id = s->execution,
							    .seen = row.events,
							    .happened = (int64_t)s->n };

	TRY(sql_execution_event_count(db, &count, &changed));
	if (changed == 0)
		return ERR_CONFLICT;
	write_events(s, row.events + 1);
	TRY(buf_error(&s->text));
	const struct sql_execution_event_insert_in events = { .execution_id = s->execution,
							      .first = row.events + 1,
							      .events = buf_str(&s->text) };

	return sql_execution_event_insert(db, &events, NULL);
}

enum err execution_say(struct ctx *cx, const struct id *execution, struct opt_id run,
		       const struct said *said, size_t n)
{
	struct saying s = { .cx = cx, .execution = *execution, .said = said, .n = n };
	enum err e;

	buf_init(&s.text, EVENTS_MAX);
	e = db_run(cx->db, put_on_record, &s);
	if (e == OK && run.set && live_tell(cx, &run.v, buf_str(&s.text)) != OK)
		log_write(LOG_WARN, "what a step said wasn't told to its run; whoever misses it asks", LOG_NO_FIELDS);
	buf_done(&s.text);
	return e;
}
