/*
 * From a request to its answer: path, who asks, limits, input, transaction,
 * handler, audit, answer. The order is in serve.c and nowhere else.
 */
#ifndef LW_API_SERVE_H
#define LW_API_SERVE_H

#include "api/route.h"
#include "base/attr.h"
#include "base/err.h"
#include "core/config.h"
#include "core/metrics.h"
#include "core/rate.h"
#include "fcgi/reply.h"
#include "fcgi/request.h"
#include "fcgi/worker.h"

struct calls;
struct catalog;
struct templates;
struct db;
struct egress_policy;
struct identity;
struct keyring;
struct server;

/* What a worker has opened; all of it outlives the server. */
struct server_parts {
	enum route_pool pool;
	const struct config *config;
	struct db *db;
	struct identity *identity;
	struct keyring *front_keys;
	struct keyring *vault_keys; /* NULL in the front pool */
	const struct catalog *catalog;
	const struct templates *templates;
	struct egress_policy *egress; /* NULL in the front pool: it calls nobody */
	struct expr *expr;            /* NULL in the vault pool: it evaluates nothing */
	struct calls *calls;          /* the same */
	struct metrics *metrics;
	struct rate_table *rates;
	bool quick; /* of the vault's quick workers */
};

/* One for each worker process. */
enum err server_new(const struct server_parts *parts, struct server **ret_server) MUST_CHECK;
void server_free(struct server *server);

/* Answers one request, or holds it until server_settle; never fails to answer. At most WORKER_HELD_MAX at a time. */
enum request_state server_handle(struct server *server, struct request *request, struct reply *reply);
/* Writes what the held requests wait for, together, and answers them. */
void server_settle(struct server *server);

#endif
