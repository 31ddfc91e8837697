/*
 * The configuration: one INI file and the environment's LATCHWORK_<SECTION>_<KEY>,
 * which wins. The keys are in config.def.
 */
#ifndef LW_CORE_CONFIG_H
#define LW_CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum { CONFIG_ISSUERS_MAX = 8, CONFIG_CLIENTS_MAX = 128, CONFIG_WHY_MAX = 512 };

/* A section [issuer <name>]: an external identity provider whose tokens are accepted. */
struct config_issuer {
	char *name;
#define ISSUER_TEXT(key, longest, words) char *key;
#include "core/config_issuer.def"
#undef ISSUER_TEXT
};

/* A section [client <connector type>]: the operator's OAuth client of that provider. */
struct config_client {
	char *name;
#define CLIENT_TEXT(key, longest, words) char *key;
#include "core/config_client.def"
#undef CLIENT_TEXT
};

struct config {
#define TEXT(section, key, fallback, longest, words) char *section##_##key;
#define PATH(section, key, fallback, words) char *section##_##key;
#define NUMBER(section, key, fallback, least, most, words) int64_t section##_##key;
#define FLAG(section, key, fallback, words) bool section##_##key;
#define LIST(section, key, longest, words) char *section##_##key;
#include "core/config.def"
#undef TEXT
#undef PATH
#undef NUMBER
#undef FLAG
#undef LIST
	size_t issuer_count;
	struct config_issuer issuer[CONFIG_ISSUERS_MAX];
	size_t client_count;
	struct config_client client[CONFIG_CLIENTS_MAX];
};

/*
 * Reads the file, then the environment. ERR_CONFIG, and then `ret_why` says the file, the line, the key and
 * what is wrong with it; a name that isn't in the table is wrong, too, also in the environment.
 */
enum err config_load(const char *path, char ret_why[CONFIG_WHY_MAX], struct config **ret_config) MUST_CHECK;
/* NULL-safe. */
void config_free(struct config *config);

/* Walks a list: the next item, trimmed, or the absent text at the end. Start with str_of(config->section_key). */
struct str config_list_next(struct str *rest);
/* Whether the list has that item, byte for byte. */
bool config_list_holds(const char *list, struct str item);

/* Prints every key with its value, where it came from left out: for `latchctl config`. No key holds a secret. */
void config_print(const struct config *config, FILE *out);

#endif
