#include "jobs/runner.h"

#include <stdio.h>
#include <unistd.h>

#include "base/crash.h"
#include "base/log.h"
#include "base/random.h"
#include "jobs/backoff.h"
#include "jobs/loop.h"
#include "jobs/tally.h"
#include "store/db.h"

enum { MESSAGE_MAX = 500 };

/* --- the end of a job ------------------------------------------------------------ */

struct ending {
	struct ctx *cx;
	struct run *run;
	enum err (*change)(struct ctx *cx, void *arg);
	void *arg;
};

static enum err end(struct db *db, void *arg)
{
	const struct ending *ending = arg;
	enum err e;

	(void)db;
	if (ending->change)
		TRY(ending->change(ending->cx, ending->arg));
	e = job_finish(ending->cx, ending->run->job);
	ending->run->lost = e == ERR_CONFLICT;
	TRY(e);
	lw_crash_point("job_before_commit");
	return OK;
}

enum err run_commit(struct ctx *cx, struct run *run, enum err (*change)(struct ctx *cx, void *arg), void *arg)
{
	struct ending ending = { cx, run, change, arg };

	TRY(db_run(cx->db, end, &ending));
	lw_crash_point("job_committed");
	run->finished = true;
	tally_add(cx->tally, job_kind_facts(run->job->kind)->queue, TALLY_DONE, 1);
	return OK;
}

static void log_end(const struct job *job, const char *how, enum err e)
{
	char id[ID_TEXT_MAX];

	log_write(e == ERR_CONFLICT ? LOG_INFO : LOG_WARN, how,
		  LOG_FIELDS(log_str("job", id_format(ID_JOB, &job->id, id)),
			     log_text("kind", job_kind_facts(job->kind)->text), log_int("attempt", job->attempts),
			     log_err(e)));
}

/* The words of a failure, cut to what the column holds. */
static struct str words_of(const struct ctx *cx, enum err e)
{
	struct str words = str_absent(cx->problem.detail) ? str_of(err_words(e)) : cx->problem.detail;

	return str_utf8_cut(words, MESSAGE_MAX);
}

static int64_t retry_at(const struct ctx *cx, const struct run *run)
{
	uint32_t random = 0;

	if (run->retry_at > 0)
		return run->retry_at;
	if (random_bytes(&random, sizeof(random)) != OK)
		random = 0;
	return cx->now_ms + backoff_ms((unsigned)run->job->attempts, random);
}

struct burial {
	struct ctx *cx;
	const struct job *job;
	job_burial also;
	struct str code, words;
};

static enum err bury_both(struct db *db, void *arg)
{
	const struct burial *b = arg;

	(void)db;
	TRY(job_bury(b->cx, b->job, b->code, b->words));
	return b->also(b->cx, b->job);
}

static enum err bury(const struct runner *runner, struct ctx *cx, const struct job *job, struct str code,
		     struct str words)
{
	bool known = runner->host.burial && job->kind != JOB_KIND_COUNT;
	struct burial b = { cx, job, known ? runner->host.burial[job->kind] : NULL, code, words };

	TRY(b.also ? db_run(cx->db, bury_both, &b) : job_bury(cx, job, code, words));
	tally_add(cx->tally, job_kind_facts(job->kind)->queue, TALLY_BURIED, 1);
	return OK;
}

static enum err note_failure(const struct runner *runner, struct ctx *cx, const struct run *run, enum err e,
			     struct str code, struct str words)
{
	const struct job *job = run->job;
	const struct job_kind_facts *facts = job_kind_facts(job->kind);
	bool last = run->hopeless || job->attempts >= facts->attempts;

	log_end(job, last ? "a job failed for good" : "a job failed", e);
	db_rollback(cx->db); /* of a handler that left one open: a failure is written by itself */
	if (last)
		return bury(runner, cx, job, code, words);
	TRY(job_retry_later(cx, job, retry_at(cx, run), code, words));
	tally_add(cx->tally, facts->queue, TALLY_FAILED, 1);
	return OK;
}

/* --- running --------------------------------------------------------------------- */

/* What isn't written is left to the lease's end, which brings the job back. */
static enum err run_in(struct runner *runner, struct ctx *cx, struct run *run)
{
	const struct job *job = run->job;
	enum err e;

	/* Its worker died with it so often that it looks like the job's own doing. */
	if (job->attempts > job_kind_facts(job->kind)->attempts)
		return bury(runner, cx, job, STR("WORKER_DIED"),
			    STR("The worker ended while it ran this job, too often."));
	if (job->kind == JOB_KIND_COUNT)
		return note_failure(runner, cx, run, ERR_INTERNAL, STR("UNKNOWN_KIND"),
				    STR("The worker that took this job doesn't know its kind."));
	lw_crash_point("job_begun");
	e = runner->host.handler[job->kind](cx, run);
	if (e == OK && !run->finished)
		e = run_commit(cx, run, NULL, NULL);
	if (run->finished)
		return OK;
	if (run->lost || e == ERR_DB_LOST || e == ERR_DB_UNSURE)
		return e;
	return note_failure(runner, cx, run, e, str_of(err_code(e)), words_of(cx, e));
}

static void run_one(struct runner *runner, const struct job *job)
{
	struct ctx *cx = runner->host.open(runner->host.arg, job->tenant);
	struct run run = { .job = job };
	enum err e;

	if (!cx)
		return;
	/* Those before it took so long that somebody else may have it by now. */
	e = cx->now_ms < job->until ? run_in(runner, cx, &run) : ERR_CONFLICT;
	if (e != OK)
		log_end(job, e == ERR_CONFLICT ? "a job's lease had ended" : "a job's end wasn't written", e);
	runner->added = runner->added || cx->job_added;
	runner->host.close(runner->host.arg, cx);
}

static bool has_had_one(const struct job *jobs, size_t i)
{
	for (size_t j = 0; j < i; j++)
		if (id_eq(&jobs[j].tenant, &jobs[i].tenant))
			return true;
	return false;
}

/* The process is to stop before it came to this one: others needn't wait for the lease's end. */
static void give_back(struct ctx *cx, const struct job *job)
{
	enum err e = job_give_back(cx, job);

	if (e != OK && e != ERR_CONFLICT)
		log_end(job, "a job wasn't given back", e);
}

/* --- claiming -------------------------------------------------------------------- */

static void wait_for(struct runner *runner, int64_t ms)
{
	runner->due_ms = runner->host.now_ms(runner->host.arg) + ms;
}

static void note_claim_failure(struct runner *runner, enum err e)
{
	int64_t ms = (int64_t)RUNNER_AWAY_FIRST_MS << (runner->failures < 6 ? runner->failures : 6);

	if (e == ERR_DB_RETRY) { /* another worker was in the way */
		runner->due_ms = runner->host.now_ms(runner->host.arg);
		return;
	}
	if (runner->failures++ == 0)
		log_write(LOG_ERROR, "jobs can't be claimed", LOG_FIELDS(log_err(e)));
	wait_for(runner, ms < RUNNER_AWAY_MAX_MS ? ms : RUNNER_AWAY_MAX_MS);
}

/* The next queue that is awake, or else the one that wakes first. */
static void next_queue(struct runner *runner)
{
	int64_t now_ms = runner->host.now_ms(runner->host.arg);
	enum job_queue first = runner->queue;

	for (int i = 1; i <= JOB_QUEUE_COUNT; i++) {
		enum job_queue queue = (enum job_queue)((runner->queue + i) % JOB_QUEUE_COUNT);

		if (runner->asleep_until_ms[queue] <= now_ms) {
			first = queue;
			break;
		}
		if (runner->asleep_until_ms[queue] < runner->asleep_until_ms[first])
			first = queue;
	}
	runner->queue = first;
	runner->due_ms = runner->asleep_until_ms[first] > now_ms ? runner->asleep_until_ms[first] : now_ms;
}

static bool is_ours(const struct runner *runner, enum job_queue queue)
{
	switch (runner->host.role) {
	case RUNNER_FOR_QUICK:
		return job_queue_is_quick(queue);
	case RUNNER_BUT_CALLS:
		return queue != QUEUE_CALL;
	default:
		return true;
	}
}

static void wake_all(struct runner *runner)
{
	for (int i = 0; i < JOB_QUEUE_COUNT; i++)
		runner->asleep_until_ms[i] = is_ours(runner, (enum job_queue)i) ? 0 : INT64_MAX;
	next_queue(runner);
}

void runner_init(struct runner *runner, const struct runner_host *host)
{
	*runner = (struct runner){ .host = *host, .turns = { .admits = host->admits, .arg = host->arg } };
	(void)snprintf(runner->worker, sizeof(runner->worker), "%ld", (long)getpid());
	wake_all(runner);
}

int64_t runner_due_ms(const struct runner *runner) { return runner->due_ms; }

void runner_wake(struct runner *runner)
{
	if (runner->failures == 0)
		wake_all(runner);
}

void runner_step(struct runner *runner)
{
	struct job jobs[JOB_BATCH_MAX];
	struct ctx *cx = runner->host.open(runner->host.arg, ID_NIL);
	size_t count = 0;
	enum err e = cx ? job_claim(cx, runner->queue, &runner->turns, str_of(runner->worker), jobs, &count)
			: ERR_DB_LOST;

	if (e != OK) {
		if (cx)
			runner->host.close(runner->host.arg, cx);
		note_claim_failure(runner, e);
		return;
	}
	runner->failures = 0;
	runner->added = false;
	for (size_t i = 0; i < count; i++) {
		if (runner->host.make_way && has_had_one(jobs, i))
			runner->host.make_way(runner->host.arg);
		loop_is_stopping() ? give_back(cx, &jobs[i]) : run_one(runner, &jobs[i]);
	}
	runner->host.close(runner->host.arg, cx);
	if (runner->added)
		runner->host.ring(runner->host.arg);
	if (count == 0)
		runner->asleep_until_ms[runner->queue] = runner->host.now_ms(runner->host.arg) + runner->host.poll_ms;
	next_queue(runner);
}
