/* An event that was accepted, on its way to everybody who waits for it. */
#include "hook/forward.h"
#include "jobs/queue.h"
#include "store/sql_event.h"
#include "store/sql_subscription.h"

/* Two that are made at once may pass the limit together. */
enum { WANTED_MAX = 2 * SUBSCRIPTIONS_MAX };

struct wanted {
	struct id event;
	struct id subscription[WANTED_MAX];
	size_t n;
};

static bool wants(struct str types, struct str type)
{
	struct str rest = types;

	if (str_absent(types))
		return true;
	while (!str_absent(rest))
		if (str_eq(str_cut(&rest, ' '), type))
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

static enum err hand_on(struct ctx *cx, void *arg)
{
	const struct wanted *wanted = arg;

	for (size_t i = 0; i < wanted->n; i++)
		TRY(add_delivery(cx, wanted, &wanted->subscription[i]));
	return sql_event_mark(cx->db,
			      &(struct sql_event_mark_in){ .event_id = wanted->event, .status = STR("processed") }, NULL);
}

enum err job_event_process(struct ctx *cx, struct run *run)
{
	struct wanted wanted = { .event = run->job->subject.v };
	struct sql_event_open_row event;
	enum err e = sql_event_open(cx->db, &(struct sql_event_open_in){ .event_id = wanted.event }, &event);

	if (e == ERR_NOT_FOUND)
		return OK; /* its retention time is over */
	TRY(e);
	TRY(find_wanting(cx, &event, &wanted));
	return run_commit(cx, run, hand_on, &wanted);
}
