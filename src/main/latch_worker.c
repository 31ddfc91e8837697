/*
 * latch-worker: what has to happen without anybody asking for it. One process,
 * as the vault's user; more of them on other hosts don't disturb each other.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "core/config.h"
#include "core/outbound.h"
#include "crypt/keyring.h"
#include "fcgi/sandbox.h"
#include "jobs/chores.h"
#include "jobs/loop.h"
#include "main/chores.h"
#include "main/start.h"
#include "store/db.h"
#include "vault/root_key.h"

enum { ARENA_MAX_BYTES = 16 << 20 };

/* What is opened at the start and, all of it, again on SIGHUP. */
struct parts {
	struct config *config;
	struct keyring *vault_keys;
	struct egress_policy *egress;
	struct db *db;
};

struct worker {
	const char *config_path;
	struct parts parts;
	char *pidfile; /* a copy: a reload replaces the configuration */
	struct arena *arena;
	struct chores chores;
	char why[KEYRING_WHY_MAX]; /* the keys don't fit */
};

static void close_parts(struct parts *parts)
{
	db_free(parts->db);
	egress_policy_free(parts->egress);
	keyring_free(parts->vault_keys);
	config_free(parts->config);
	*parts = (struct parts){ 0 };
}

static enum err open_egress(const struct config *config, struct egress_policy **ret_egress)
{
	char why[EGRESS_WHY_MAX];
	enum err e = outbound_policy(config, why, ret_egress);

	if (e != OK)
		log_write(LOG_ERROR, "the section [egress] can't be used",
			  LOG_FIELDS(log_text("why", why)));
	return e;
}

static enum err open_parts(const char *config_path, struct parts *parts)
{
	TRY(start_config(config_path, &parts->config));
	TRY(start_keys(parts->config, KEYS_VAULT, &parts->vault_keys));
	TRY(open_egress(parts->config, &parts->egress));
	return start_database(parts->config, ACCOUNT_WORKER, &parts->db);
}

/* --- what the chores need --------------------------------------------------- */

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
	return vault_check_keys(worker->parts.db, worker->parts.vault_keys, VAULT_PURPOSE,
				worker->why);
}

static enum err call(void *arg, const struct chore *chore)
{
	struct worker *worker = arg;
	struct ctx cx = {
		.arena = worker->arena,
		.db = worker->parts.db,
		.config = worker->parts.config,
		.vault_keys = worker->parts.vault_keys,
		.egress = worker->parts.egress,
		.now_ms = clock_now_ms(),
		.who = { .who = WHO_SYSTEM, .live = true },
	};

	ctx_enter(&cx);
	enum err e = chore->run(&cx);
	db_leave(worker->parts.db);
	arena_reset(worker->arena);
	return e;
}

/* --- the process ------------------------------------------------------------ */

/* What can't be opened leaves everything as it was. */
static void reload(void *arg)
{
	struct worker *worker = arg;
	struct parts parts = { 0 };
	enum err e = open_parts(worker->config_path, &parts);

	if (e != OK) {
		log_write(LOG_ERROR, "the reload failed; the old configuration stays",
			  LOG_FIELDS(log_err(e)));
		close_parts(&parts);
		return;
	}
	close_parts(&worker->parts);
	worker->parts = parts;
	chores_hurry(&worker->chores);
	log_write(LOG_INFO, "reloaded", LOG_NO_FIELDS);
}

/* A wrong root key ends the start; a database that is away is waited for. */
static enum err check_keys(struct worker *worker)
{
	const char *why;
	enum err e = ready(worker, &why);

	if (e == OK || e == ERR_DB_LOST)
		return OK;
	log_write(LOG_ERROR, "keys and database don't fit together",
		  LOG_FIELDS(log_err(e), log_text("why", why)));
	return e;
}

static int64_t due_ms(const void *state) { return chores_due_ms(state); }
static void step(void *state) { chores_step(state); }

static enum err run(struct worker *worker)
{
	const struct chores_host host = {
		.arg = worker, .now_ms = now_ms, .ready = ready, .call = call
	};
	const struct work work[] = { { &worker->chores, due_ms, step } };

	TRY(open_parts(worker->config_path, &worker->parts));
	TRY(check_keys(worker));
	worker->arena = arena_new(ARENA_MAX_BYTES);
	worker->pidfile = strdup(worker->parts.config->worker_pidfile);
	if (!worker->arena || !worker->pidfile)
		return ERR_NO_MEMORY;
	TRY(chores_init(&worker->chores, CHORES, CHORE_COUNT, &host));
	if (worker->parts.config->server_sandbox)
		TRY(sandbox_jobs());
	return loop_run(&(struct loop_options){
		.work = work,
		.kinds = ARRAY_SIZE(work),
		.pidfile = worker->pidfile,
		.arg = worker,
		.reload = reload,
	});
}

static int usage(FILE *out)
{
	fprintf(out, "usage: latch-worker [--config FILE]\n       latch-worker --version\n");
	return out == stdout ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	static const struct option OPTIONS[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct worker worker = { 0 };
	int option;

	while ((option = getopt_long(argc, argv, "c:hv", OPTIONS, NULL)) != -1) {
		switch (option) {
		case 'c': worker.config_path = optarg; break;
		case 'v': puts("latch-worker " LATCHWORK_VERSION); return EXIT_SUCCESS;
		default: return usage(option == 'h' ? stdout : stderr);
		}
	}
	if (optind != argc)
		return usage(stderr);
	enum err e = start_process("latch-worker");
	if (e == OK)
		e = run(&worker);
	if (e != OK)
		log_write(LOG_ERROR, "the worker can't start", LOG_FIELDS(log_err(e)));
	close_parts(&worker.parts);
	arena_free(worker.arena);
	free(worker.pidfile);
	return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
