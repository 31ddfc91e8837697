/*
 * latch-expr itself: it takes connections and makes a child for each. It reads none of them.
 *
 *	SIGHUP            reload: evaluators that are made from now on get the new limits
 *	SIGTERM, SIGINT   stop: a request under way is answered, at most for two seconds
 */
#ifndef LW_EXPR_HOST_H
#define LW_EXPR_HOST_H

#include <stddef.h>

#include "base/attr.h"
#include "base/err.h"
#include "fcgi/listen.h"

enum { HOST_CONNECTIONS_MAX = 1024 };

struct host_options {
	struct listener *listener; /* unlinked and closed at the end */
	const char *pidfile;       /* NULL: none */
	size_t connections;        /* evaluators at once, at most HOST_CONNECTIONS_MAX; who comes beyond is told so */
	size_t memory;             /* bytes of each */
	/* Changes these options by a configuration that is read anew; when it fails, they stay. NULL: never. */
	enum err (*reload)(void *arg);
	void *arg;
};

/* Runs until it is told to stop; OK then. ERR_CONFIG, ERR_IO: it never ran. Evaluators don't return. */
enum err host_run(struct host_options *options) MUST_CHECK;

#endif
