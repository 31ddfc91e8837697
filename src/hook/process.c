/* An event that was accepted, on its way to everybody who waits for it. */
#include "base/clock.h"
#include "flow/execution.h"
#include "hook/event.h"
#include "hook/forward.h"
#include "jobs/bell.h"
#include "jobs/queue.h"
#include "store/sql_event.h"
#include "store/sql_subscription.h"

/* Two that are made at once may pass the limit together. */
enum { WANTED_MAX = 2 * SUBSCRIPTIONS_MAX };

/*
 * What is left of an event whose deliveries are on record. It is looked at again when there may be room; what waits
 * together is spread.
 */
#define WORKFLOWS_LEFT STR("{\"workflows_left\":true}")
enum { NO_ROOM_MS = 60000, NO_ROOM_SPREAD_MS = 235 /* by 256 */ };

struct wanted {
	struct id event;
	struct id subscription[WANTED_MAX];
	size_t n;
	struct flow_event flow; /* its body is absent: no workflow waits for it */
};

static bool wants(struct str types, struct str type)
{
	struct str rest = types;

	if (str_absent(types))
		return true;
	while (!str_absent(rest))
		if (str_eq(str_cut(&rest, SUBSCRIPTION_TYPES_END), type))
			return true;
	return false;
}

static enum err find_wanting(struct ctx *cx, const struct sql_event_open_row *event, struct wanted *wanted)
{
	const struct sql_subscription_matching_in in = { .connector_id = event->connector_id };
	struct sql_subscription_matching_row row;
	enum err e;

	TRY(sql_subscription_matching(cx->db, &in));
	while ((e = sql_subscription_matching_next(cx->db, &row)) == OK)
		if (wanted->n < WANTED_MAX && wants(row.event_types, event->type))
			wanted->subscription[wanted->n++] = row.subscription_id;
	return e == ERR_END ? OK : e;
}

static enum err add_delivery(struct ctx *cx, const struct wanted *wanted, const struct id *subscription)
{
	BUF_AUTO struct buf payload = { 0 };

	TRY(job_payload_of("subscription_id", ID_SUBSCRIPTION, subscription, &payload));
	return job_add(cx,
		       &(struct job_new){ .kind = JOB_EVENT_DELIVER,
					  .subject = { true, wanted->event },
					  .payload = buf_str(&payload) },
		       NULL);
}

static enum err mark(struct ctx *cx, const struct id *event, struct str status)
{
	return sql_event_mark(cx->db, &(struct sql_event_mark_in){ .event_id = *event, .status = status }, NULL);
}

/* As subscribers get it; without its content when that is more than an execution takes. */
static enum err write_event(struct ctx *cx, const struct id *id, const struct sql_event_open_row *row, struct buf *out)
{
	struct event event = { EVENT_MEMBERS(*id, *row), .headers = row->headers, .body = row->body };
	struct json_writer w;

	buf_init(out, EXECUTION_INPUT_MAX);
	jw_start(&w, out);
	event_write(cx->arena, &w, &event);
	if (buf_error(out) != ERR_TOO_BIG)
		return buf_error(out);
	event.headers = event.body = STR_NONE;
	buf_clear(out);
	jw_start(&w, out);
	event_write(cx->arena, &w, &event);
	return buf_error(out);
}

static enum err find_workflows(struct ctx *cx, const struct sql_event_open_row *row, struct wanted *wanted,
			       struct buf *body)
{
	bool is_wanted;

	wanted->flow = (struct flow_event){
		.id = wanted->event,
		.connector = row->connector_id,
		.provider = arena_copy(cx->arena, row->provider),
		.type = arena_copy(cx->arena, row->type),
	};
	TRY(flow_event_is_wanted(cx, &wanted->flow, &is_wanted));
	if (!is_wanted)
		return OK;
	TRY(write_event(cx, &wanted->event, row, body));
	wanted->flow.body = buf_str(body);
	return OK;
}

static enum err add_deliveries(struct ctx *cx, const struct wanted *wanted)
{
	for (size_t i = 0; i < wanted->n; i++)
		TRY(add_delivery(cx, wanted, &wanted->subscription[i]));
	return OK;
}

static enum err hand_on(struct ctx *cx, void *arg)
{
	const struct wanted *wanted = arg;

	TRY(add_deliveries(cx, wanted));
	if (!str_absent(wanted->flow.body))
		TRY(flow_event_arrived(cx, &wanted->flow));
	return mark(cx, &wanted->event, STR("processed"));
}

/* --- as many executions as may be are under way -------------------------------------------- */

static int64_t when_there_may_be_room(const struct id *event)
{
	return clock_now_ms() + NO_ROOM_MS + event->b[sizeof(event->b) - 1] * NO_ROOM_SPREAD_MS;
}

/* It isn't processed until its workflows have begun; until then it isn't removed either. */
static enum err hand_on_the_rest_later(struct ctx *cx, void *arg)
{
	const struct wanted *wanted = arg;
	const struct job_new rest = { .kind = JOB_EVENT_PROCESS,
				      .subject = { true, wanted->event },
				      .payload = WORKFLOWS_LEFT,
				      .run_at = when_there_may_be_room(&wanted->event) };

	TRY(add_deliveries(cx, wanted));
	return job_add(cx, &rest, NULL);
}

/* Subscribers don't wait for workflows; and waiting is no failure, so that it doesn't count. */
static enum err wait_for_room(struct ctx *cx, struct run *run, struct wanted *wanted, bool left)
{
	if (!left)
		return run_commit(cx, run, hand_on_the_rest_later, wanted);
	TRY(job_pause(cx, run->job, when_there_may_be_room(&wanted->event)));
	run->finished = true;
	return OK;
}

enum err job_event_process(struct ctx *cx, struct run *run)
{
	struct wanted wanted = { .event = run->job->subject.v };
	const bool left = str_eq(run->job->payload, WORKFLOWS_LEFT);
	BUF_AUTO struct buf body = { 0 };
	struct sql_event_open_row event;
	enum err e = sql_event_open(cx->db, &(struct sql_event_open_in){ .event_id = wanted.event }, &event);

	if (e == ERR_NOT_FOUND)
		return OK; /* its day was dropped: an open job keeps it from its tenant's own limit */
	TRY(e);
	if (!left)
		TRY(find_wanting(cx, &event, &wanted));
	TRY(find_workflows(cx, &event, &wanted, &body));
	e = run_commit(cx, run, hand_on, &wanted);
	if (e == ERR_EXECUTIONS_FULL)
		return wait_for_room(cx, run, &wanted, left);
	TRY(e);
	if (!str_absent(wanted.flow.body))
		bell_ring(cx->config->worker_bell);
	return OK;
}

enum err event_process_buried(struct ctx *cx, const struct job *job)
{
	return mark(cx, &job->subject.v, STR("failed"));
}
