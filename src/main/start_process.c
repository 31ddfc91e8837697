/* What every program does, also one that has no key and no database. */
#include <getopt.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/json_read.h"
#include "base/log.h"
#include "base/secret.h"
#include "main/start.h"

enum { LARGE_BLOCK = 1 << 20 };

enum err start_process(const char *program)
{
	process_guard_secrets();
	/* Left to itself, glibc keeps the first 19 MiB that an Argon2id hash gives back: in each worker, for ever. */
	mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
	umask(0077);
	log_setup(program, LOG_INFO);
	return json_setup();
}

static int usage(FILE *out, const char *program)
{
	fprintf(out, "usage: %s [--config FILE]\n       %s --version\n", program, program);
	return out == stdout ? EXIT_SUCCESS : EXIT_FAILURE;
}

bool start_options(int argc, char **argv, const char *program, const char **ret_path, int *ret_status)
{
	static const struct option OPTIONS[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	*ret_path = NULL;
	while ((option = getopt_long(argc, argv, "c:hv", OPTIONS, NULL)) != -1) {
		if (option == 'c') {
			*ret_path = optarg;
			continue;
		}
		if (option == 'v')
			printf("%s " LATCHWORK_VERSION "\n", program);
		*ret_status = option == 'v' ? EXIT_SUCCESS : usage(option == 'h' ? stdout : stderr, program);
		return false;
	}
	*ret_status = optind == argc ? EXIT_SUCCESS : usage(stderr, program);
	return optind == argc;
}

enum err start_config(const char *path, struct config **ret_config)
{
	const char *from_environment = getenv("LATCHWORK_CONF");
	char why[CONFIG_WHY_MAX];
	enum log_level level;
	enum err e;

	if (!path)
		path = from_environment ? from_environment : LATCHWORK_CONF;
	e = config_load(path, why, ret_config);
	if (e != OK) {
		log_write(LOG_ERROR, "the configuration can't be used", LOG_FIELDS(log_text("why", why)));
		return e;
	}
	/* config_load has refused every other word. */
	if (log_level_parse(str_of((*ret_config)->server_log_level), &level))
		log_set_level(level);
	return OK;
}
