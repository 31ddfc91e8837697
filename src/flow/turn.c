/* A turn on its way into the database: one statement, or a transaction where other executions and signals take part. */
#include "base/crash.h"
#include "base/json_write.h"
#include "crypt/encode.h"
#include "flow/engine.h"
#include "store/db.h"
#include "store/sql_execution.h"

enum { STEPS_TEXT_MAX = 4 << 20, JOBS_TEXT_MAX = 64 << 10 };

static const char *const FATES[] = { [FATE_END] = "end", [FATE_HOLD] = "hold", [FATE_PAUSE] = "pause" };

static void put_time(struct json_writer *w, const char *key, struct opt_int ms)
{
	if (ms.set)
		jw_put_int(w, key, ms.v);
}

static void put_text(struct json_writer *w, const char *key, struct str text)
{
	if (!str_absent(text))
		jw_put_text(w, key, text);
}

static void put_id(struct json_writer *w, const char *key, const struct id *id)
{
	char hex[HEX_CHARS(sizeof(id->b)) + 1];

	jw_put_text(w, key, hex_encode_to(ID_BYTES(id), hex));
}

/* The names are those of lw_turn. The output of a for_each is its items', stored there. */
static void write_step(const struct execution *x, struct place place, struct json_writer *w)
{
	const struct step_state *state = place_state(x, place);
	char text[STEP_TEXT_MAX];

	jw_object(w);
	jw_put_text(w, "i", place_text(x, place, text));
	jw_put_text(w, "s", str_of(step_status_text(state->status)));
	jw_put_int(w, "a", state->attempt);
	if (state->job.set)
		put_id(w, "j", &state->job.v);
	put_time(w, "w", state->wake_at);
	put_text(w, "t", state->state);
	if (place_step(x, place)->type != STEP_FOR_EACH)
		put_text(w, "o", state->output);
	put_text(w, "c", state->error_code);
	put_text(w, "m", state->error_message);
	put_time(w, "b", state->started_at);
	put_time(w, "e", state->completed_at);
	jw_object_end(w);
}

static void write_changed(const struct execution *x, struct json_writer *w)
{
	for (size_t i = 0; i < x->flow->n; i++) {
		if (x->step[i].changed)
			write_step(x, (struct place){ .step = i }, w);
		for (size_t j = 0; j < x->each[i].n; j++)
			if (x->each[i].item[j].changed)
				write_step(x, (struct place){ .step = i, .is_item = true, .item = j }, w);
	}
}

static void write_steps(const struct execution *x, struct buf *out)
{
	struct json_writer w;

	jw_start(&w, out);
	jw_array(&w);
	write_changed(x, &w);
	jw_array_end(&w);
	if (out->n == 2)
		buf_clear(out);
}

static void write_jobs(const struct turn *turn, struct buf *out)
{
	struct json_writer w;

	if (turn->jobs == 0)
		return;
	jw_start(&w, out);
	jw_array(&w);
	for (size_t i = 0; i < turn->jobs; i++) {
		const struct job_kind_facts *facts = job_kind_facts(turn->job[i].kind);

		jw_object(&w);
		put_id(&w, "j", &turn->job[i].id);
		jw_put_text(&w, "q", str_of(job_queue_text(facts->queue)));
		jw_put_text(&w, "k", str_of(facts->text));
		jw_put_int(&w, "r", turn->job[i].run_at);
		jw_object_end(&w);
	}
	jw_array_end(&w);
}

/* What is written, ready before the transaction begins. */
struct writing {
	struct ctx *cx;
	struct execution *x;
	struct sql_execution_turn_in in;
};

static enum err write_row(struct writing *writing)
{
	struct sql_execution_turn_row row;

	TRY(sql_execution_turn(writing->cx->db, &writing->in));
	TRY(sql_execution_turn_next(writing->cx->db, &row));
	return row.written ? OK : ERR_PRECONDITION_FAILED;
}

static enum err write_all(struct db *db, void *arg)
{
	struct writing *writing = arg;
	struct execution *x = writing->x;
	struct id child;
	enum err e;

	for (size_t i = 0; i < x->children; i++) {
		e = execution_start(writing->cx, x->child[i], &child);
		/* Its workflow was deleted just now, or others took its place: looked at again, the step fails. */
		if (e == ERR_NOT_FOUND || e == ERR_TOO_MANY_EXECUTIONS)
			return ERR_PRECONDITION_FAILED;
		TRY(e);
	}
	for (size_t i = 0; i < x->signals; i++)
		TRY(sql_execution_signal_take(db, &(struct sql_execution_signal_take_in){ x->id, x->signal[i] }, NULL));
	/* While the steps still say who carries them. */
	if (x->stirs)
		TRY(sql_execution_wake(db, &(struct sql_execution_wake_in){ x->id }, NULL));
	TRY(write_row(writing));
	/* Behind the row: a child that is stopped stirs this execution, and who is stirred sees an older turn. */
	for (size_t i = 0; i < x->stops; i++) {
		e = execution_stop(writing->cx, &x->stop[i]);
		if (e != OK && e != ERR_NOT_FOUND)
			return e;
	}
	return OK;
}

static enum err write_once(struct writing *writing)
{
	const struct execution *x = writing->x;
	enum err e = ERR_DB_RETRY;

	if (x->children > 0 || x->signals > 0 || x->stirs)
		return db_run(writing->cx->db, write_all, writing);
	for (int i = 0; i < 3 && e == ERR_DB_RETRY; i++)
		e = write_row(writing);
	return e;
}

static void describe(struct execution *x, const struct job *job, const struct turn *turn,
		     struct sql_execution_turn_in *in)
{
	const struct job_kind_facts *facts = job_kind_facts(turn->kind);

	in->execution_id = x->id;
	in->turn = x->turn;
	in->events = x->events;
	in->status = str_of(step_status_text(x->status));
	in->happened = x->happened;
	in->happening = happened_list(x);
	in->output_data = x->output;
	in->output_step = x->output_step;
	in->error_code = x->error_code;
	in->error_message = x->error_message;
	in->error_step = x->error_step;
	in->completed_at = x->completed_at;
	in->job_id = job->id;
	in->lease = job->lease;
	in->fate = str_of(FATES[turn->fate]);
	in->queue = str_of(job_queue_text(facts->queue));
	in->kind = str_of(facts->text);
	in->run_at = turn->run_at;
	in->tell_from = turn->tell_from;
	if (execution_is_over(x)) {
		in->parent_id = x->parent;
		in->parent_step = x->parent_step;
	}
}

enum err turn_write(struct ctx *cx, struct execution *x, const struct job *job, const struct turn *turn)
{
	BUF_AUTO struct buf steps = { 0 }, jobs = { 0 };
	struct writing writing = { .cx = cx, .x = x };

	buf_init(&steps, STEPS_TEXT_MAX);
	buf_init(&jobs, JOBS_TEXT_MAX);
	write_steps(x, &steps);
	write_jobs(turn, &jobs);
	describe(x, job, turn, &writing.in);
	writing.in.steps = buf_str(&steps);
	writing.in.jobs = buf_str(&jobs);
	TRY(buf_error(&steps));
	TRY(buf_error(&jobs));
	TRY(buf_error(&x->log));
	lw_crash_point("flow_turn_before");
	TRY(write_once(&writing));
	lw_crash_point("flow_turn_committed");
	return OK;
}

static void forget_changes(struct step_state *state, size_t n)
{
	for (size_t i = 0; i < n; i++)
		state[i].changed = false;
}

void turn_done(struct execution *x)
{
	x->turn++;
	x->events += x->happened;
	x->happened = 0;
	x->pending_bytes = x->children = x->signals = x->stops = x->begun = 0;
	x->more = x->stirs = false;
	buf_clear(&x->log);
	forget_changes(x->step, x->flow->n);
	for (size_t i = 0; i < x->flow->n; i++)
		forget_changes(x->each[i].item, x->each[i].n);
}
