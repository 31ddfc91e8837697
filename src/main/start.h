/*
 * What every program does first: guard its memory, read its configuration,
 * open keys and the database. Each function says on the log what is wrong, in
 * words for the operator, and returns the error.
 */
#ifndef LW_MAIN_START_H
#define LW_MAIN_START_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/err.h"
#include "core/config.h"

struct catalog;
struct templates;
struct db;
struct egress_policy;
struct keyring;

/* The database account that a program uses. */
enum account { ACCOUNT_FRONT, ACCOUNT_VAULT, ACCOUNT_WORKER, ACCOUNT_CTL, ACCOUNT_ADMIN };

enum key_set { KEYS_FRONT, KEYS_VAULT };

/* Cores off, freed memory overwritten, umask, the log, JSON. First in main. */
enum err start_process(const char *program) MUST_CHECK;

/*
 * The command line of a program that takes "--config FILE" and nothing else, or answers --help and --version. True: go
 * on, with the path (NULL: none was given). False: `ret_status` is what the process ends with.
 */
bool start_options(int argc, char **argv, const char *program, const char **ret_path, int *ret_status) MUST_CHECK;

/* The configuration file: `path`, or LATCHWORK_CONF of the environment, or the built-in place. */
enum err start_config(const char *path, struct config **ret_config) MUST_CHECK;

enum err start_database(const struct config *config, enum account account, struct db **ret_db) MUST_CHECK;

/* What may be called outside: the section [egress]. */
enum err start_egress(const struct config *config, struct egress_policy **ret_policy) MUST_CHECK;

/* The directory of [workflows]. */
enum err start_templates(const struct config *config, struct templates **ret_templates) MUST_CHECK;

/* The connector types of [connectors]. */
enum err start_catalog(const struct config *config, struct catalog **ret_catalog) MUST_CHECK;

/* What a program reads from files, and again at a reload. Its workers have what there was at their fork. */
struct loaded {
	struct config *config;
	struct catalog *catalog;
	struct templates *templates; /* NULL where none are offered */
};
void start_unload(struct loaded *loaded);
/* Begins a reload: `next` counts from now on, and the one before is kept. */
void start_reload(struct loaded *now, struct loaded *before, const struct loaded *next);
/* Ends it, as pool_options.reloaded says: frees the one before, or goes back to it and frees the other. */
void start_reloaded(struct loaded *now, struct loaded *before, bool taken);

enum err start_keys(const struct config *config, enum key_set set, struct keyring **ret_keyring) MUST_CHECK;

#endif
