#include "main/start.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "base/secret.h"
#include "connect/catalog.h"
#include "core/outbound.h"
#include "crypt/keyring.h"
#include "flow/templates.h"
#include "ops/durable.h"
#include "store/db.h"

enum { SECRET_FILE_MAX = 4096 };

static enum err read_secret(const char *path, struct secret *ret_secret)
{
	enum err e;

	if (path[0] == '\0')
		return OK;
	e = secret_read_file(path, SECRET_FILE_MAX, ret_secret);
	if (e != OK)
		log_write(LOG_ERROR, "a file with a secret can't be read",
			  LOG_FIELDS(log_text("path", path), log_errno(errno)));
	return e;
}

/*
 * Whoever acknowledges what a power failure takes away again had better not answer. Who operates the service is let in:
 * latchctl doctor says what is wrong.
 */
static enum err want_durable(struct db *db) { return durable_database(db) ? OK : ERR_NOT_READY; }

enum err start_database(const struct config *config, enum account account, struct db **ret_db)
{
	SECRET_AUTO struct secret password = SECRET_EMPTY;
	const struct {
		const char *user, *password_file;
	} accounts[] = {
		[ACCOUNT_FRONT] = { config->database_front_user, config->database_front_password_file },
		[ACCOUNT_VAULT] = { config->database_vault_user, config->database_vault_password_file },
		[ACCOUNT_WORKER] = { config->database_worker_user, config->database_worker_password_file },
		[ACCOUNT_CTL] = { config->database_ctl_user, config->database_ctl_password_file },
		[ACCOUNT_ADMIN] = { config->database_admin_user, config->database_admin_password_file },
	};

	TRY(read_secret(accounts[account].password_file, &password));
	return db_new(
		&(struct db_options){
			.socket = config->database_socket,
			.user = accounts[account].user,
			.database = config->database_name,
			.password = &password,
			.connect_timeout_s = (int)((config->database_connect_timeout_ms + 999) / 1000),
			.statement_s = (int)((config->database_statement_timeout_ms + 999) / 1000),
			.greet = account < ACCOUNT_CTL ? want_durable : NULL,
		},
		ret_db);
}

enum err start_keys(const struct config *config, enum key_set set, struct keyring **ret_keyring)
{
	SECRET_AUTO struct secret passphrase = SECRET_EMPTY;
	const char *directory = set == KEYS_FRONT ? config->keys_front_dir : config->keys_vault_dir;
	char why[KEYRING_WHY_MAX];
	enum err e;

	TRY(read_secret(config->keys_passphrase_file, &passphrase));
	e = keyring_open(directory, passphrase.n > 0 ? &passphrase : NULL, why, ret_keyring);
	if (e != OK)
		log_write(LOG_ERROR, "the root keys can't be opened", LOG_FIELDS(log_text("why", why)));
	return e;
}

enum err start_egress(const struct config *config, struct egress_policy **ret_policy)
{
	char why[EGRESS_WHY_MAX];
	enum err e = outbound_policy(config, why, ret_policy);

	if (e != OK)
		log_write(LOG_ERROR, "the section [egress] can't be used", LOG_FIELDS(log_text("why", why)));
	return e;
}

/* A section that no connector type is called by would be missed only by whoever tries to connect. */
static enum err check_clients(const struct config *config, const struct catalog *catalog,
			      char ret_why[CATALOG_WHY_MAX])
{
	for (size_t i = 0; i < config->client_count; i++) {
		const struct connector_type *type = catalog_find(catalog, str_of(config->client[i].name));

		if (type && type->has_oauth2)
			continue;
		snprintf(ret_why, CATALOG_WHY_MAX, "[client %s]: there is no such connector type with OAuth",
			 config->client[i].name);
		return ERR_CONFIG;
	}
	return OK;
}

enum err start_catalog(const struct config *config, struct catalog **ret_catalog)
{
	struct catalog *catalog = NULL;
	char why[CATALOG_WHY_MAX];
	enum err e = catalog_load(config, why, &catalog);

	if (e == OK)
		e = check_clients(config, catalog, why);
	if (e != OK) {
		log_write(LOG_ERROR, "the connector types can't be used", LOG_FIELDS(log_err(e), log_text("why", why)));
		catalog_free(catalog);
		return e;
	}
	*ret_catalog = catalog;
	return OK;
}

enum err start_templates(const struct config *config, struct templates **ret_templates)
{
	char why[TEMPLATES_WHY_MAX];
	enum err e = templates_load(config->workflows_template_dir, why, ret_templates);

	if (e != OK)
		log_write(LOG_ERROR, "the templates can't be used", LOG_FIELDS(log_err(e), log_text("why", why)));
	return e;
}

void start_unload(struct loaded *loaded)
{
	templates_free(loaded->templates);
	catalog_free(loaded->catalog);
	config_free(loaded->config);
	*loaded = (struct loaded){ 0 };
}

void start_reload(struct loaded *now, struct loaded *before, const struct loaded *next)
{
	*before = *now;
	*now = *next;
}

void start_reloaded(struct loaded *now, struct loaded *before, bool taken)
{
	struct loaded given_up = taken ? *before : *now;

	if (!taken)
		*now = *before;
	*before = (struct loaded){ 0 };
	start_unload(&given_up);
}
