/*
 * latch-expr: evaluates users' expressions, as a user of its own, which owns nothing. The program takes connections
 * and makes a child for each; only children read what somebody wrote.
 */
#include <stdlib.h>

#include "base/log.h"
#include "core/config.h"
#include "expr/host.h"
#include "fcgi/sandbox.h"
#include "main/start.h"

enum { MIB = 1 << 20, PATIENCE_MS = 2000 };

struct program {
	const char *config_path;
	struct config *config;
	struct listener listener;
	struct host_options options;
};

static void set_limits(struct program *program, const struct config *config)
{
	program->options.connections = (size_t)config->expression_connections;
	program->options.memory = (size_t)config->expression_memory_mib * MIB;
}

/* The socket stays where it is; the pidfile moves with the configuration only when the program starts again. */
static enum err reload(void *arg)
{
	struct program *program = arg;
	struct config *next;

	TRY(start_config(program->config_path, &next));
	set_limits(program, next);
	config_free(next);
	return OK;
}

static enum err open_listener(struct program *program)
{
	const struct config *config = program->config;
	const char *group = config->expression_socket_group, *why = "";
	enum err e = listen_open(&(struct listen_options){ .path = config->expression_socket,
							   .group = group[0] ? group : NULL,
							   .patience_ms = PATIENCE_MS },
				 &program->listener, &why);

	if (e != OK)
		log_write(LOG_ERROR, "the socket can't be opened",
			  LOG_FIELDS(log_text("path", config->expression_socket), log_text("why", why)));
	return e;
}

static enum err run(struct program *program)
{
	TRY(start_config(program->config_path, &program->config));
	TRY(open_listener(program));
	program->options = (struct host_options){ .listener = &program->listener,
						  .pidfile = program->config->expression_pidfile,
						  .reload = reload,
						  .arg = program };
	set_limits(program, program->config);
	/* Evaluators enter theirs in any case, inside of this one. */
	if (program->config->server_sandbox)
		TRY(sandbox_front_master());
	return host_run(&program->options);
}

int main(int argc, char **argv)
{
	struct program program = { .listener = { .fd = -1 } };
	int status;

	if (!start_options(argc, argv, "latch-expr", &program.config_path, &status))
		return status;
	enum err e = start_process("latch-expr");
	if (e == OK)
		e = run(&program);
	if (e != OK)
		log_write(LOG_ERROR, "latch-expr can't start", LOG_FIELDS(log_err(e)));
	listen_close(&program.listener);
	config_free(program.config);
	return e == OK ? EXIT_SUCCESS : EXIT_FAILURE;
}
