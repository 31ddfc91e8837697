/*
 * Configuration files from anywhere: either they are read, and then every number
 * is within its bounds, or the reason names a place; nothing leaks either way.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_bounds(const struct config *config)
{
#define TEXT(section, key, fallback, longest, words)                                               \
	if (!config->section##_##key || strlen(config->section##_##key) > (longest))               \
		abort();
#define PATH(section, key, fallback, words)                                                        \
	if (!config->section##_##key)                                                              \
		abort();
#define NUMBER(section, key, fallback, least, most, words)                                         \
	if (config->section##_##key < (least) || config->section##_##key > (most))                 \
		abort();
#define FLAG(section, key, fallback, words)
#define LIST(section, key, longest, words)                                                         \
	if (!config->section##_##key || strlen(config->section##_##key) > (longest))               \
		abort();
#include "core/config.def"
#undef TEXT
#undef PATH
#undef NUMBER
#undef FLAG
#undef LIST
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = memfd_create("config", MFD_CLOEXEC);
	char path[32], why[CONFIG_WHY_MAX];
	struct config *config = NULL;

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	if (config_load(path, why, &config) == OK)
		check_bounds(config);
	else if (why[0] == '\0' || strlen(why) >= CONFIG_WHY_MAX)
		abort();
	config_free(config);
	close(fd);
	return 0;
}
