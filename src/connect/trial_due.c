/* Trying connectors in the background, so that one that has died is known before it is needed. */
#include "audit/transact.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "connect/trial.h"
#include "store/db.h"
#include "store/sql_connector.h"

/* No trial begins later than this after the first: other chores wait behind this one. */
enum { RUN_MS = 5000 };

/* Each trial has memory of its own: what fifty providers answer needn't be held at once. */
enum { TRIAL_MAX_BYTES = 32 << 20 };

/* Who is taken is out of the way of other workers, and of this one should it die of the trial. */
static enum err take(struct ctx *cx, const struct id *connector, bool *ret_taken)
{
	uint32_t chance;
	int64_t rows;

	TRY(random_bytes(&chance, sizeof chance));
	const struct sql_connector_check_take_in in = {
		.connector_id = *connector,
		.before = cx->now_ms,
		.next_check_at =
			cx->now_ms + CONNECTOR_CHECK_MS - chance % (CONNECTOR_CHECK_MS / 5),
	};
	TRY(sql_connector_check_take(cx->db, &in, &rows));
	*ret_taken = rows == 1;
	return OK;
}

struct note {
	struct id connector;
	struct tried tried;
	struct verify_outcome outcome;
};

static enum err write_note(struct ctx *cx, void *arg)
{
	const struct note *note = arg;

	ctx_audit_target(cx, ID_CONNECTOR, &note->connector);
	return trial_note(cx, &note->tried, &note->outcome);
}

static enum err try_one(struct ctx *cx, const struct id *connector)
{
	struct note note = { .connector = *connector };

	TRY(trial_of_connector(cx, connector, &note.tried, &note.outcome));
	if (note.outcome.code == VERIFY_UNSUPPORTED)
		return OK;
	ctx_audit_detail(cx, "outcome",
			 note.outcome.code == VERIFY_OK
				 ? STR("passed")
				 : str_of(verify_code_text(note.outcome.code)));
	return audit_transact(cx, AUDIT_CONNECTOR_TEST, write_note, &note);
}

struct turn {
	struct id connector;
	bool taken;
};

static enum err take_turn(struct ctx *cx, void *arg)
{
	struct turn *turn = arg;

	TRY(take(cx, &turn->connector, &turn->taken));
	return turn->taken ? try_one(cx, &turn->connector) : OK;
}

/* One that can't be tried keeps nobody else from being tried. */
static enum err try_row(struct ctx *cx, const struct sql_connector_check_due_row *row, int *tried)
{
	struct turn turn = { .connector = row->connector_id };
	enum err e = ctx_as_system(cx, &row->tenant_id, TRIAL_MAX_BYTES, take_turn, &turn);

	*tried += turn.taken;
	if (e != OK && !err_is_outage(e))
		log_write(LOG_WARN, "a connector can't be tried", LOG_FIELDS(log_err(e)));
	return err_is_outage(e) ? e : OK;
}

enum err trial_due(struct ctx *cx, int limit, int *ret_tried)
{
	const struct sql_connector_check_due_in in = { .before = cx->now_ms, .limit = limit };
	const int64_t until_us = clock_monotonic_us() + RUN_MS * (int64_t)1000;
	struct sql_connector_check_due_row row;
	enum err e;

	*ret_tried = 0;
	TRY(sql_connector_check_due(cx->db, &in));
	while ((e = sql_connector_check_due_next(cx->db, &row)) == OK) {
		if (clock_monotonic_us() > until_us || (e = try_row(cx, &row, ret_tried)) != OK)
			break;
	}
	return e == ERR_END ? OK : e;
}
