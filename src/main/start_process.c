/* What every program does, also one that has no key and no database. */
#include <malloc.h>
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
