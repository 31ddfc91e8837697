#include "fcgi/serving.h"

#include "base/clock.h"
#include "base/log.h"
#include "fcgi/send.h"

enum {
	HOLD_US = 2000, /* a held request waits for others of its round */
	LATELY_US = 10000,
};

/*
 * Whether its answer may wait for the end of the round. A read waits for no lock, so that nothing stays behind for
 * long; and should the process die meanwhile, nginx asks another one again.
 */
static bool may_wait(const struct request *request)
{
	return str_eq(request->method, STR("GET")) || str_eq(request->method, STR("HEAD"));
}

static void after_event(struct serving *s, struct conn *conn, enum conn_event event)
{
	if (event == CONN_UNSOUND)
		log_write(LOG_WARN, "refused a connection: unsound FastCGI records", LOG_NO_FIELDS);
	if (event != CONN_WAIT)
		connections_drop(s->connections, conn);
}

static void send_answer(struct serving *s, struct place *place, bool may_stay)
{
	struct conn *conn = place->conn;

	/* None is kept with a body in it. */
	if (conn->records.phase != RECORDS_DONE)
		conn->last = true;
	struct send_options send = { .fd = conn->fd,
				     .request_id = conn->records.request_id,
				     .head_only = str_eq(place->request.method, STR("HEAD")),
				     .last = conn->last,
				     .outbox = may_stay && conn_stays(conn) ? &s->outbox : NULL };
	if (reply_send(&place->reply, &send) != OK)
		conn->failed = true;
	reply_reset(&place->reply);
	decoder_finish(&place->decoder);
	place->taken = false;
	conn->held = false;
	conn->served++;
	conn->touched_us = clock_monotonic_us();
	outbox_flush_old(&s->outbox, conn->touched_us);
	s->answers++;
	after_event(s, conn, conn_answered(conn));
}

/* Answers what is held. */
static void settle(struct serving *s)
{
	size_t n = s->held_count;

	if (n == 0)
		return;
	outbox_flush(&s->outbox);
	s->held_count = 0; /* one that turns out to be slow comes here again, before it is answered */
	s->options->settle(s->state);
	for (size_t i = 0; i < n; i++)
		send_answer(s, s->held[i], false);
	s->stale = true;
}

static void hold(struct serving *s, struct place *place)
{
	int64_t now = clock_monotonic_us();

	if (s->held_count == 0)
		s->held_since_us = now;
	place->conn->held = true;
	s->held[s->held_count++] = place;
	if (s->held_count == WORKER_HELD_MAX || now - s->held_since_us > HOLD_US)
		settle(s);
}

/* There is always one: when the last one is held, all are answered. */
static struct place *free_place(struct serving *s)
{
	struct place *place = s->place;

	while (place->taken)
		place++;
	place->taken = true;
	reply_reset(&place->reply);
	return place;
}

static void answer(struct serving *s, struct conn *conn)
{
	struct place *place = free_place(s);
	enum request_state state = REQUEST_ANSWERED;
	bool reads = false;

	place->conn = conn;
	enum err e = decoder_begin(&place->decoder, conn, &place->request);
	log_set_request(place->request.request_id);
	if (e == OK) {
		reads = may_wait(&place->request);
		if (!reads)
			outbox_flush(&s->outbox);
		state = s->options->handle(s->state, &place->request, &place->reply);
	} else {
		place->reply.status = err_status(e);
		place->reply.content_type = NULL;
		log_write(LOG_WARN, "nginx sent an incomplete request", LOG_FIELDS(log_err(e)));
	}
	log_set_request(STR_NONE);
	if (state == REQUEST_HELD)
		hold(s, place);
	else
		send_answer(s, place, reads);
}

/* The request in hand takes long: nothing that is here may wait for its end. */
static void stand_alone(void *arg)
{
	struct serving *s = arg;

	settle(s);
	outbox_flush(&s->outbox);
	log_flush();
	if (s->connections->count == 1)
		return;
	s->alone = s->stale = true;
	/* What the channel has no room for waits here; so many are waiting then that it makes no difference. */
	(void)!connections_hand_over(s->connections, s->give_fd);
}

bool serving_serve(struct serving *s, struct conn *conn)
{
	enum conn_event event;

	if (conn->held)
		return false;
	event = conn_read(conn);
	if (event == CONN_REQUEST)
		answer(s, conn);
	else
		after_event(s, conn, event);
	return true;
}

bool serving_waits(const struct serving *s)
{
	return s->held_count > 0 && !s->alone && clock_monotonic_us() - s->held_since_us <= HOLD_US;
}

int serving_linger_us(const struct serving *s)
{
	int64_t now = clock_monotonic_us();

	if (s->options->linger_us == 0)
		return 0;
	for (size_t i = 0; i < s->connections->count; i++) {
		const struct conn *conn = s->connections->v[i];

		if (!conn->held && now - conn->touched_us < LATELY_US)
			return s->options->linger_us;
	}
	return 0;
}

bool serving_end_round(struct serving *s)
{
	bool alone = s->alone;

	settle(s);
	outbox_flush(&s->outbox);
	s->alone = false;
	return alone;
}

enum err serving_init(struct serving *s, const struct worker_options *options, struct connections *connections,
		      int give_fd, int patience_ms)
{
	s->options = options;
	s->connections = connections;
	s->give_fd = give_fd;
	for (size_t i = 0; i < WORKER_HELD_MAX; i++) {
		struct decoder *decoder = &s->place[i].decoder;

		reply_init(&s->place[i].reply);
		TRY(decoder_init(decoder, patience_ms));
		decoder->stand_alone = stand_alone;
		decoder->worker = s;
	}
	return OK;
}

void serving_done(struct serving *s)
{
	for (size_t i = 0; i < WORKER_HELD_MAX; i++) {
		reply_done(&s->place[i].reply);
		decoder_done(&s->place[i].decoder);
	}
}
