/*
 * latch-worker: what happens without anybody waiting for it, as the vault's
 * user. A master keeps the processes alive and replaces them on SIGHUP; each of
 * them takes jobs from the queue. The last one does nothing that takes long:
 * quick jobs, and the chores that must not wait. Of three or more it takes those
 * of tenants of whom no other process has any in hand, so that whoever comes
 * beside a tenant with a hundred thousand finds it free (jobs/seats.h). The first
 * one keeps the other chores, and makes no calls for workflows: those wait as
 * long as a tenant says, and mails and deliveries don't wait with them. More of
 * them on other hosts don't disturb each other.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "connect/catalog.h"
#include "core/calls.h"
#include "core/config.h"
#include "core/metrics.h"
#include "crypt/keyring.h"
#include "expr/expr.h"
#include "fcgi/pool.h"
#include "fcgi/sandbox.h"
#include "jobs/bell.h"
#include "jobs/chores.h"
#include "jobs/loop.h"
#include "jobs/runner.h"
#include "jobs/seats.h"
#include "jobs/tally.h"
#include "jobs/worker_stat.h"
#include "knowledge/reader.h"
#include "main/chores.h"
#include "main/job_kinds.h"
#include "main/start.h"
#include "net/egress.h"
#include "store/db.h"
#include "vault/root_key.h"

enum { ARENA_MAX_BYTES = 64 << 20, CONTEXTS = 2 };

/* So many processes there are at least when one leaves the calls of workflows to the others, and one is reserved. */
enum { PROCESSES_WITH_ROLES = 3 };

/* The master: everything here is inherited by the processes that it starts. */
struct program {
	const char *config_path;
	struct loaded now;
	struct loaded before; /* during a reload: what it was */
	struct metrics *metrics;
	struct calls *calls;
	struct seats seats;
	struct tally *tally;
	int bell_fd;
	struct chime chime;
	struct pool_options options;
};

/* One process. */
struct worker {
	const struct program *program;
	unsigned number;
	struct keyring *vault_keys, *front_keys;
	struct egress_policy *egress;
	struct expr *expr;
	struct db *db;
	struct arena *arena[CONTEXTS];
	struct ctx context[CONTEXTS];
	size_t open; /* of the contexts */
	struct seating seating;
	struct chore own[CHORES_MAX]; /* none: it keeps no chores */
	struct chores chores;
	struct runner runner;
	char why[KEYRING_WHY_MAX]; /* the keys don't fit */
};

/* --- contexts ---------------------------------------------------------------- */

static struct ctx *open_context(void *arg, struct id tenant)
{
	struct worker *worker = arg;
	const struct program *program = worker->program;
	struct ctx *cx;

	if (worker->open == CONTEXTS)
		return NULL;
	cx = &worker->context[worker->open];
	*cx = (struct ctx){
		.arena = worker->arena[worker->open],
		.db = worker->db,
		.config = program->now.config,
		.vault_keys = worker->vault_keys,
		.front_keys = worker->front_keys,
		.egress = worker->egress,
		.expr = worker->expr,
		.catalog = program->now.catalog,
		.calls = program->calls,
		.metrics = program->metrics,
		.tally = program->tally,
		.now_ms = clock_now_ms(),
		.who = { .who = WHO_SYSTEM, .tenant = tenant, .live = true },
	};
	worker->open++;
	ctx_enter(cx);
	return cx;
}

/* The one below is the scope again. */
static void close_context(void *arg, struct ctx *cx)
{
	struct worker *worker = arg;

	db_leave(worker->db);
	arena_reset(cx->arena);
	worker->open--;
	if (worker->open > 0)
		ctx_enter(&worker->context[worker->open - 1]);
}

/* --- what chores and jobs stand on --------------------------------------------- */

static int64_t now_ms(void *arg)
{
	(void)arg;
	return loop_now_ms();
}

/* Also after each outage: it may be another database that has come back. */
static enum err ready(void *arg, const char **ret_why)
{
	struct worker *worker = arg;

	*ret_why = worker->why;
	return vault_check_keys(worker->db, worker->vault_keys, VAULT_PURPOSE, worker->why);
}

/* Work was added by this process: for itself, or for the others. */
static void ring(void *arg)
{
	struct worker *worker = arg;

	chime_strike(&worker->program->chime, worker->program->options.workers);
}

static enum err call_chore(void *arg, const struct chore *chore)
{
	struct ctx *cx = open_context(arg, ID_NIL);
	enum err e = cx ? chore->run(cx) : ERR_INTERNAL;

	if (cx && cx->job_added)
		ring(arg);
	if (cx)
		close_context(arg, cx);
	return e;
}

static int64_t chores_due(const void *state) { return chores_due_ms(state); }
static void step_chores(void *state) { chores_step(state); }

static int64_t jobs_due(const void *state)
{
	const struct worker *worker = state;

	return runner_due_ms(&worker->runner);
}

static bool is_last(const struct worker *worker)
{
	return worker->number + 1 == worker->program->options.workers;
}

static bool has_roles(const struct worker *worker) { return worker->program->options.workers >= PROCESSES_WITH_ROLES; }

static enum runner_role role_of(const struct worker *worker)
{
	if (worker->number > 0)
		return is_last(worker) ? RUNNER_FOR_QUICK : RUNNER_FOR_ALL;
	return has_roles(worker) ? RUNNER_BUT_CALLS : RUNNER_FOR_ALL;
}

/* One process less than take them, where there are several: one tenant's calls leave another's a process. */
static int64_t calls_of_tenant(const struct worker *worker)
{
	int64_t processes = worker->program->options.workers, callers = processes - 2;
	int64_t most = worker->program->now.config->limits_calls_per_tenant;

	if (callers < 2)
		return 1;
	return callers - 1 < most ? callers - 1 : most;
}

static bool admits(void *arg, enum job_queue queue, const struct id *tenant)
{
	struct worker *worker = arg;

	return seats_take(&worker->seating, queue, tenant);
}

static void make_way(void *arg)
{
	struct worker *worker = arg;

	seats_make_way(&worker->seating);
}

/* The seats are kept to the end of the batch. */
static void step_jobs(void *state)
{
	struct worker *worker = state;

	runner_step(&worker->runner);
	seats_leave(&worker->seating);
}

static void rung(void *arg)
{
	struct worker *worker = arg;

	if (bell_clear(worker->program->bell_fd))
		ring(worker);
	chime_clear(worker->program->chime.fd[worker->number]);
	runner_wake(&worker->runner);
}

/* --- a process ------------------------------------------------------------------ */

static enum err open_worker(struct worker *worker)
{
	const struct config *config = worker->program->now.config;

	TRY(start_keys(config, KEYS_VAULT, &worker->vault_keys));
	TRY(start_keys(config, KEYS_FRONT, &worker->front_keys));
	TRY(start_egress(config, &worker->egress));
	TRY(expr_new(config->expression_socket, &worker->expr));
	TRY(start_database(config, ACCOUNT_WORKER, &worker->db));
	for (size_t i = 0; i < CONTEXTS; i++)
		if (!(worker->arena[i] = arena_new(ARENA_MAX_BYTES)))
			return ERR_NO_MEMORY;
	return OK;
}

static void close_worker(struct worker *worker)
{
	db_free(worker->db);
	expr_free(worker->expr);
	egress_policy_free(worker->egress);
	keyring_free(worker->front_keys);
	keyring_free(worker->vault_keys);
	for (size_t i = 0; i < CONTEXTS; i++)
		arena_free(worker->arena[i]);
}

static void work(struct worker *worker)
{
	const struct work work[] = { { worker, jobs_due, step_jobs },
				     { &worker->chores, chores_due, step_chores } };

	loop_run(&(struct loop_options){
		.work = work,
		.kinds = ARRAY_SIZE(work),
		.bells = { worker->program->bell_fd, worker->program->chime.fd[worker->number] },
		.arg = worker,
		.rung = rung,
	});
}

/*
 * What has been counted since the last chore of that name ends with the last process: each writes it down when it
 * leaves.
 */
static void write_counts(struct worker *worker)
{
	struct ctx *cx = open_context(worker, ID_NIL);
	enum err e = cx ? worker_stat_write(cx) : ERR_INTERNAL;

	if (e != OK)
		log_write(LOG_WARN, "what was counted can't be written down", LOG_FIELDS(log_err(e)));
	if (cx)
		close_context(worker, cx);
}

static enum err prepare_chores(struct worker *worker)
{
	const struct chores_host host = { .arg = worker, .now_ms = now_ms, .ready = ready, .call = call_chore };
	unsigned paces = (worker->number == 0 ? CHORES_PATIENT : 0u) | (is_last(worker) ? CHORES_PROMPT : 0u);

	return chores_init(&worker->chores, worker->own, chores_choose(paces, worker->own), &host);
}

/*
 * Of several processes the last one takes quick jobs only: receivers that don't answer hold up neither those nor the
 * sealing of the audit trail.
 */
static enum err prepare(struct worker *worker)
{
	const struct runner_host runner_host = {
		.arg = worker,
		.now_ms = now_ms,
		.open = open_context,
		.close = close_context,
		.handler = JOB_HANDLERS,
		.burial = JOB_BURIALS,
		.ring = ring,
		.poll_ms = worker->program->now.config->worker_poll_ms,
		.role = role_of(worker),
		.admits = admits,
		.make_way = make_way,
	};

	TRY(open_worker(worker));
	TRY(prepare_chores(worker));
	worker->seating = (struct seating){
		.seats = &worker->program->seats,
		.calls_most = calls_of_tenant(worker),
		.reserved = has_roles(worker) && is_last(worker),
	};
	runner_init(&worker->runner, &runner_host);
	return OK;
}

static int live(void *arg, const struct worker_seat *seat)
{
	struct worker *worker = calloc(1, sizeof(*worker));
	enum err e = ERR_NO_MEMORY;

	if (worker) {
		worker->program = arg;
		worker->number = seat->number;
		e = prepare(worker);
	}
	if (e == OK) {
		metrics_add(worker->program->metrics, METRIC_WORKER_STARTS, 1);
		seat_say_ready(seat);
		work(worker);
		write_counts(worker);
	} else {
		log_write(LOG_ERROR, "a worker can't start", LOG_FIELDS(log_err(e)));
	}
	if (worker)
		close_worker(worker);
	free(worker);
	return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* --- the master ------------------------------------------------------------------ */

static void set_options(struct program *program)
{
	program->options.workers = (unsigned)program->now.config->worker_processes;
	program->options.pidfile = program->now.config->worker_pidfile;
	program->options.drain_ms = (int)program->now.config->server_drain_ms;
}

/* A wrong root key ends the start; a database that is away is waited for. */
static enum err check_keys(const struct config *config)
{
	struct keyring *keys = NULL;
	struct db *db = NULL;
	char why[KEYRING_WHY_MAX];
	enum err e = start_keys(config, KEYS_VAULT, &keys);

	if (e == OK)
		e = start_database(config, ACCOUNT_WORKER, &db);
	if (e == OK)
		e = vault_check_keys(db, keys, VAULT_PURPOSE, why);
	if (e != OK && e != ERR_DB_LOST)
		log_write(LOG_ERROR, "keys and database don't fit together",
			  LOG_FIELDS(log_err(e), log_text("why", why)));
	db_free(db);
	keyring_free(keys);
	return e == ERR_DB_LOST ? OK : e;
}

/* What can't be opened leaves everything as it was. */
static enum err reload(void *arg)
{
	struct program *program = arg;
	struct loaded next = { 0 };
	enum err e;

	TRY(start_config(program->config_path, &next.config));
	e = start_catalog(next.config, &next.catalog);
	if (e == OK)
		e = check_keys(next.config);
	if (e != OK) {
		start_unload(&next);
		return e;
	}
	start_reload(&program->now, &program->before, &next);
	set_options(program);
	return OK;
}

static void reloaded(void *arg, bool taken)
{
	struct program *program = arg;

	start_reloaded(&program->now, &program->before, taken);
	set_options(program); /* nothing points into the other one any more */
}

static enum err run(struct program *program)
{
	TRY(start_config(program->config_path, &program->now.config));
	TRY(start_catalog(program->now.config, &program->now.catalog));
	TRY(check_keys(program->now.config));
	TRY(metrics_new(&program->metrics));
	TRY(calls_new(program->metrics, &program->calls));
	TRY(seats_new(&program->seats));
	TRY(tally_new(&program->tally));
	TRY(bell_hang(program->now.config->worker_bell, &program->bell_fd));
	TRY(chime_hang(&program->chime));
	program->options =
		(struct pool_options){ .arg = program, .live = live, .reload = reload, .reloaded = reloaded };
	set_options(program);
	if (program->now.config->server_sandbox)
		TRY(sandbox_jobs());
	return pool_run(&program->options);
}

int main(int argc, char **argv)
{
	struct program program = { .bell_fd = -1 };
	int status;

	/* Its own child: see knowledge/reader.h. */
	if (argc == 3 && str_eq(str_of(argv[1]), STR(READER_OPTION)))
		return reader_main(argv[2]);
	if (!start_options(argc, argv, "latch-worker", &program.config_path, &status))
		return status;
	enum err e = start_process("latch-worker");
	if (e == OK)
		e = run(&program);
	if (e != OK)
		log_write(LOG_ERROR, "the worker can't start", LOG_FIELDS(log_err(e)));
	start_unload(&program.now);
	return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
