/*
 * latchd: one pool of FastCGI workers, the front or the vault.
 *
 * The master opens the sockets and what the workers share, looks once that keys
 * and database fit together, and gives up the network as they do. Each worker opens its own database connection,
 * keys and sandbox after the fork. The vault has two kinds of workers: those that may wait for a provider, and quick
 * ones.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/check.h"
#include "api/serve.h"
#include "base/log.h"
#include "connect/catalog.h"
#include "core/calls.h"
#include "core/config.h"
#include "core/metrics.h"
#include "core/rate.h"
#include "crypt/keyring.h"
#include "expr/expr.h"
#include "fcgi/listen.h"
#include "fcgi/pool.h"
#include "fcgi/sandbox.h"
#include "flow/templates.h"
#include "identity/identity.h"
#include "main/start.h"
#include "net/egress.h"
#include "store/db.h"
#include "vault/root_key.h"

struct program;

/* Of workers, for those who start them. */
struct kind {
	const struct program *program;
	bool quick;
};

struct program {
	const char *config_path;
	enum route_pool pool;
	struct loaded now;
	struct loaded before; /* during a reload: what it was */
	struct metrics *metrics;
	struct rate_table *rates;
	struct calls *calls; /* NULL in the front pool */
	struct kind usual, quick;
	struct pool_options options;
};

/* What one worker has open. */
struct worker {
	struct keyring *front_keys, *vault_keys;
	struct identity *identity;
	struct egress_policy *egress;
	struct expr *expr;
	struct db *db;
	struct server *server;
};

/*
 * A statement costs each of a round's requests less, the more they are, and a commit even more so. Both were found with
 * `make bench`, where an answer takes about 2 ms.
 */
enum { FRONT_LINGER_US = 150, QUICK_LINGER_US = 250 };

static const char *pool_name(enum route_pool pool) { return pool == ROUTE_FRONT ? "front" : "vault"; }

static enum account pool_account(enum route_pool pool) { return pool == ROUTE_FRONT ? ACCOUNT_FRONT : ACCOUNT_VAULT; }

/* --- a worker -------------------------------------------------------------- */

static void worker_free(struct worker *worker)
{
	if (!worker)
		return;
	server_free(worker->server);
	identity_free(worker->identity);
	egress_policy_free(worker->egress);
	expr_free(worker->expr);
	db_free(worker->db);
	keyring_free(worker->vault_keys);
	keyring_free(worker->front_keys);
	free(worker);
}

static enum err open_identity(const struct config *config, struct keyring *front_keys, struct identity **ret_identity)
{
	char why[IDENTITY_WHY_MAX];
	enum err e = identity_new(config, front_keys, why, ret_identity);

	if (e != OK)
		log_write(LOG_ERROR, "tokens can't be checked", LOG_FIELDS(log_text("why", why)));
	return e;
}

/* The quick ones hold the vault's keys, and have no way out. */
static enum err enter_sandbox(const struct kind *kind)
{
	if (!kind->program->now.config->server_sandbox)
		return OK;
	return kind->program->pool == ROUTE_FRONT || kind->quick ? sandbox_front() : sandbox_vault();
}

static enum err open_worker(const struct kind *kind, struct worker *worker)
{
	const struct program *program = kind->program;
	const struct config *config = program->now.config;

	TRY(start_keys(config, KEYS_FRONT, &worker->front_keys));
	if (program->pool == ROUTE_VAULT) {
		TRY(start_keys(config, KEYS_VAULT, &worker->vault_keys));
		TRY(start_egress(config, &worker->egress));
	}
	TRY(expr_new(config->expression_socket, &worker->expr));
	TRY(start_database(config, pool_account(program->pool), &worker->db));
	TRY(open_identity(config, worker->front_keys, &worker->identity));
	TRY(check_setup());
	TRY(server_new(
		&(struct server_parts){
			.pool = program->pool,
			.config = config,
			.db = worker->db,
			.identity = worker->identity,
			.front_keys = worker->front_keys,
			.vault_keys = worker->vault_keys,
			.catalog = program->now.catalog,
			.templates = program->now.templates,
			.egress = worker->egress,
			.expr = worker->expr,
			.calls = program->calls,
			.metrics = program->metrics,
			.rates = program->rates,
			.quick = kind->quick,
		},
		&worker->server));
	return enter_sandbox(kind);
}

static void *worker_start(void *arg)
{
	const struct kind *kind = arg;
	struct worker *worker = calloc(1, sizeof *worker);
	enum err e = worker ? open_worker(kind, worker) : ERR_NO_MEMORY;

	if (e != OK) {
		log_write(LOG_ERROR, "a worker can't start", LOG_FIELDS(log_err(e)));
		worker_free(worker);
		return NULL;
	}
	metrics_add(kind->program->metrics, METRIC_WORKER_STARTS, 1);
	return worker;
}

static enum request_state worker_handle(void *state, struct request *request, struct reply *reply)
{
	return server_handle(((struct worker *)state)->server, request, reply);
}

static void worker_settle(void *state) { server_settle(((struct worker *)state)->server); }

static void worker_stop(void *state) { worker_free(state); }

/* --- the master ------------------------------------------------------------ */

static void set_options(struct program *program)
{
	const struct config *config = program->now.config;
	bool front = program->pool == ROUTE_FRONT;
	struct pool_options *o = &program->options;

	o->workers = (unsigned)(front ? config->front_workers : config->vault_workers);
	o->pidfile = front ? config->front_pidfile : config->vault_pidfile;
	o->drain_ms = (int)config->server_drain_ms;
	o->worker.mode = front ? WORKER_POLLING : WORKER_SINGLE;
	o->worker.connections = front ? (size_t)config->front_connections : 1;
	o->worker.linger_us = front ? FRONT_LINGER_US : 0;
	o->worker.recycle_after = (unsigned)(front ? config->front_recycle_requests : config->vault_recycle_requests);
	o->side.workers = (unsigned)config->vault_quick_workers;
	o->side.worker.mode = WORKER_POLLING;
	o->side.worker.linger_us = QUICK_LINGER_US;
	o->side.worker.recycle_after = (unsigned)config->front_recycle_requests;
}

static enum err enter_master_sandbox(const struct program *program)
{
	if (!program->now.config->server_sandbox)
		return OK;
	return program->pool == ROUTE_FRONT ? sandbox_front_master() : sandbox_vault_master();
}

static enum err check_key_set(struct db *db, struct keyring *keyring, const char *purpose)
{
	char why[KEYRING_WHY_MAX];
	enum err e = vault_check_keys(db, keyring, purpose, why);

	if (e != OK)
		log_write(LOG_ERROR, "keys and database don't fit together",
			  LOG_FIELDS(log_err(e), log_text("why", why)));
	return e;
}

/* A wrong or missing root key is found before anybody can connect, and before anything is written. */
static enum err check_keys(const struct program *program)
{
	struct keyring *front = NULL, *vault = NULL;
	struct db *db = NULL;
	enum err e = start_keys(program->now.config, KEYS_FRONT, &front);

	if (e == OK && program->pool == ROUTE_VAULT)
		e = start_keys(program->now.config, KEYS_VAULT, &vault);
	if (e == OK)
		e = start_database(program->now.config, pool_account(program->pool), &db);
	if (e == OK)
		e = check_key_set(db, front, FRONT_PURPOSE);
	if (e == OK && vault)
		e = check_key_set(db, vault, VAULT_PURPOSE);
	db_free(db);
	keyring_free(vault);
	keyring_free(front);
	return e;
}

/* The same for the section [egress]: it is wrong here or nowhere. */
static enum err check_egress(const struct program *program)
{
	struct egress_policy *policy = NULL;

	if (program->pool == ROUTE_VAULT)
		TRY(start_egress(program->now.config, &policy));
	egress_policy_free(policy);
	return OK;
}

/* What is read from files besides the configuration. */
static enum err load(struct program *program)
{
	TRY(start_catalog(program->now.config, &program->now.catalog));
	return program->pool == ROUTE_FRONT ? start_templates(program->now.config, &program->now.templates) : OK;
}

static enum err reload(void *arg)
{
	struct program *program = arg, next = *program;
	enum err e;

	next.now = (struct loaded){ 0 };
	TRY(start_config(program->config_path, &next.now.config));
	e = check_keys(&next);
	if (e == OK)
		e = check_egress(&next);
	if (e == OK)
		e = load(&next);
	if (e != OK) {
		start_unload(&next.now);
		return e;
	}
	start_reload(&program->now, &program->before, &next.now);
	set_options(program);
	return OK;
}

/* Workers of the old generation have copies of the old ones, since their fork. */
static void reloaded(void *arg, bool taken)
{
	struct program *program = arg;

	start_reloaded(&program->now, &program->before, taken);
	set_options(program); /* nothing points into the other one any more */
}

static enum err open_listener(const char *path, const char *group, unsigned place, struct listener *ret_listener)
{
	const char *why = "";
	enum err e = listen_open(&(struct listen_options){ .path = path,
							   .place = place,
							   .group = group[0] ? group : NULL,
							   .patience_ms = 2000 },
				 ret_listener, &why);

	if (e != OK)
		log_write(LOG_ERROR, "the socket can't be opened",
			  LOG_FIELDS(log_text("path", path), log_text("why", why)));
	return e;
}

struct listeners {
	struct listener usual, quick; /* fd -1: not open */
};

static void close_listeners(struct listeners *listeners)
{
	listen_close(&listeners->quick);
	listen_close(&listeners->usual);
}

static enum err open_listeners(const struct program *program, struct listeners *listeners)
{
	const struct config *config = program->now.config;

	*listeners = (struct listeners){ { .fd = -1 }, { .fd = -1 } };
	if (program->pool == ROUTE_FRONT)
		return open_listener(config->front_socket, config->front_socket_group, 0, &listeners->usual);
	TRY(open_listener(config->vault_socket, config->vault_socket_group, 0, &listeners->usual));
	return open_listener(config->vault_quick_socket, config->vault_socket_group, 1, &listeners->quick);
}

static struct worker_options worker_of(struct kind *kind)
{
	return (struct worker_options){ .arg = kind,
					.start = worker_start,
					.handle = worker_handle,
					.settle = worker_settle,
					.stop = worker_stop };
}

static enum err run_on(struct program *program, struct listeners *listeners)
{
	program->usual = (struct kind){ program, false };
	program->quick = (struct kind){ program, true };
	program->options = (struct pool_options){
		.listener = &listeners->usual,
		.arg = program,
		.reload = reload,
		.reloaded = reloaded,
		.worker = worker_of(&program->usual),
		.side = { .listener = program->pool == ROUTE_VAULT ? &listeners->quick : NULL,
			  .worker = worker_of(&program->quick) },
	};
	set_options(program);
	TRY(enter_master_sandbox(program));
	return pool_run(&program->options);
}

static enum err run_pool(struct program *program)
{
	struct listeners listeners;
	enum err e;

	TRY(check_egress(program));
	TRY(check_keys(program));
	TRY(load(program));
	TRY(metrics_new(&program->metrics));
	TRY(rate_table_new(&program->rates));
	if (program->pool == ROUTE_VAULT)
		TRY(calls_new(program->metrics, &program->calls));
	e = open_listeners(program, &listeners);
	if (e == OK)
		e = run_on(program, &listeners);
	if (e != OK)
		log_write(LOG_ERROR, "the pool can't run", LOG_FIELDS(log_err(e)));
	close_listeners(&listeners);
	return e;
}

static int usage(FILE *out)
{
	fprintf(out, "usage: latchd --pool front|vault [--config FILE]\n       latchd --version\n");
	return out == stdout ? EXIT_SUCCESS : EXIT_FAILURE;
}

static bool parse_pool(const char *text, enum route_pool *ret_pool)
{
	*ret_pool = strcmp(text, "vault") == 0 ? ROUTE_VAULT : ROUTE_FRONT;
	return strcmp(text, pool_name(*ret_pool)) == 0;
}

int main(int argc, char **argv)
{
	static const struct option OPTIONS[] = {
		{ "pool", required_argument, NULL, 'p' },
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	struct program program = { 0 };
	bool has_pool = false;
	int option;

	while ((option = getopt_long(argc, argv, "p:c:hv", OPTIONS, NULL)) != -1) {
		switch (option) {
		case 'p':
			has_pool = parse_pool(optarg, &program.pool);
			break;
		case 'c':
			program.config_path = optarg;
			break;
		case 'v':
			puts("latchd " LATCHWORK_VERSION);
			return EXIT_SUCCESS;
		default:
			return usage(option == 'h' ? stdout : stderr);
		}
	}
	if (!has_pool || optind != argc)
		return usage(stderr);
	bool ran = start_process(program.pool == ROUTE_FRONT ? "latchd front" : "latchd vault") == OK &&
		   start_config(program.config_path, &program.now.config) == OK && run_pool(&program) == OK;
	start_unload(&program.now);
	return ran ? EXIT_SUCCESS : EXIT_FAILURE;
}
