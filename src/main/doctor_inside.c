/* latchctl doctor: the database, the keys, and this machine. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/outbound.h"
#include "crypt/keyring.h"
#include "expr/expr.h"
#include "main/doctor.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/sql_doctor.h"
#include "vault/root_key.h"

/* --- the database ------------------------------------------------------------------ */

static bool look_at_account(struct doctor *d, enum account account, const char *name,
			    struct db **ret_db)
{
	struct db *db = NULL;
	enum err e = start_database(d->ctl->config, account, &db);

	if (e == OK)
		e = db_ping(db);
	if (e != OK) {
		doctor_fault(
			d, "database",
			"Is the server up, is its socket database.socket, and is the account's password file the right one?",
			"The account %s can't use %s.", name, d->ctl->config->database_socket);
		db_free(db);
		return false;
	}
	if (ret_db)
		*ret_db = db;
	else
		db_free(db);
	return true;
}

static void look_at_accounts(struct doctor *d)
{
	const struct config *config = d->ctl->config;
	bool all = d->db != NULL; /* latchctl's own was tried first */

	all &= look_at_account(d, ACCOUNT_FRONT, config->database_front_user, NULL);
	all &= look_at_account(d, ACCOUNT_VAULT, config->database_vault_user, NULL);
	all &= look_at_account(d, ACCOUNT_WORKER, config->database_worker_user, NULL);
	if (all)
		doctor_ok(d, "database", "Every program's account can sign in.");
}

static void look_at_schema(struct doctor *d)
{
	const int64_t wanted = migrate_expected_version();
	int64_t version = 0;

	if (migrate_status(d->db, &version) != OK || version == 0)
		doctor_fault(d, "schema", "Run latchctl migrate.",
			     "The database has no schema yet.");
	else if (version < wanted)
		doctor_fault(d, "schema", "Run latchctl migrate.",
			     "The schema is at version %" PRId64 ", and this program needs %" PRId64
			     ".",
			     version, wanted);
	else if (version > wanted)
		doctor_fault(d, "schema", "Install the newer program.",
			     "The schema is at version %" PRId64
			     ", newer than this program's %" PRId64 ".",
			     version, wanted);
	else
		doctor_ok(d, "schema", "The schema is at version %" PRId64 ", this program's.",
			  version);
}

/* False: the programs refuse to use it as it is set. */
static bool look_at_durability(struct doctor *d)
{
	const size_t before = d->faults;
	struct sql_doctor_settings_row row;
	bool durable;

	if (sql_doctor_settings(d->db, &row) != OK) {
		doctor_fault(d, "durability", "Run latchctl migrate.",
			     "The server's settings can't be read.");
		return true;
	}
	if (row.flush != 1)
		doctor_fault(
			d, "durability",
			"Set innodb_flush_log_at_trx_commit = 1 in the server's configuration.",
			"innodb_flush_log_at_trx_commit is %" PRId64
			": a power failure loses what was answered with success.",
			row.flush);
	if (row.binlog && row.sync_binlog != 1)
		doctor_fault(d, "durability", "Set sync_binlog = 1 in the server's configuration.",
			     "sync_binlog is %" PRId64
			     ": after a power failure replicas and backups may differ.",
			     row.sync_binlog);
	if (!row.doublewrite)
		doctor_fault(d, "durability",
			     "Set innodb_doublewrite = ON in the server's configuration.",
			     "innodb_doublewrite is off: a power failure may leave torn pages.");
	durable = d->faults == before;
	if (durable)
		doctor_ok(d, "durability", "What is committed is on disk (MariaDB %.*s).",
			  STR_ARG(row.version));
	doctor_compare_clock(d, "the database", row.now_ms);
	return durable;
}

void doctor_look_at_database(struct doctor *d)
{
	struct ctx *cx = &d->ctl->cx;

	(void)look_at_account(d, ACCOUNT_CTL, d->ctl->config->database_ctl_user, &d->db);
	cx->db = d->db; /* closed by latchctl's frame */
	if (!d->db) {
		look_at_accounts(d);
		return;
	}
	cx->who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(cx);
	look_at_schema(d);
	if (look_at_durability(d))
		look_at_accounts(d);
}

/* --- the keys ------------------------------------------------------------------------- */

static enum err open_set(struct doctor *d, const char *directory, char why[KEYRING_WHY_MAX],
			 struct keyring **ret_keyring)
{
	SECRET_AUTO struct secret passphrase = SECRET_EMPTY;
	const char *file = d->ctl->config->keys_passphrase_file;

	if (file[0] != '\0' && secret_read_file(file, 4096, &passphrase) != OK) {
		snprintf(why, KEYRING_WHY_MAX, "%s can't be read", file);
		return ERR_IO;
	}
	return keyring_open(directory, passphrase.n > 0 ? &passphrase : NULL, why, ret_keyring);
}

/* The files themselves are checked by whoever opens them; this is about who may put others beside them. */
static void look_at_directory(struct doctor *d, const char *purpose, const char *directory)
{
	struct stat st;

	if (stat(directory, &st) == 0 && (st.st_mode & (S_IWGRP | S_IRWXO)))
		doctor_fault(d, "keys", "chmod it to 2750 or less.",
			     "%s, with the %s keys, is too open: mode %04o.", directory, purpose,
			     (unsigned)st.st_mode & 07777);
}

static void look_at_set(struct doctor *d, const char *purpose, const char *directory)
{
	struct keyring *keyring = NULL;
	char why[KEYRING_WHY_MAX] = "";
	enum err e = open_set(d, directory, why, &keyring);

	look_at_directory(d, purpose, directory);
	if (e != OK) {
		doctor_fault(
			d, "keys",
			"Run latchctl as the operator; a missing file comes from your copy of the keys.",
			"The %s keys can't be opened: %s.", purpose, why);
		return;
	}
	e = d->db ? vault_check_keys(d->db, keyring, purpose, why) : OK;
	if (e != OK)
		doctor_fault(
			d, "keys",
			"Put the file that is missing back, from your copy of the keys; see latchctl key list.",
			"The %s keys don't fit the database: %s.", purpose,
			why[0] ? why : err_words(e));
	else if (d->db)
		doctor_ok(d, "keys",
			  "Every %s key that the database knows is there and right; %s is current.",
			  purpose, keyring_current(keyring)->id);
	keyring_free(keyring);
}

void doctor_look_at_keys(struct doctor *d)
{
	look_at_set(d, VAULT_PURPOSE, d->ctl->config->keys_vault_dir);
	look_at_set(d, FRONT_PURPOSE, d->ctl->config->keys_front_dir);
}

/* --- this machine ------------------------------------------------------------------------ */

static void look_at_disk(struct doctor *d)
{
	const struct config *config = d->ctl->config;
	struct statvfs disk;
	int64_t free_mib;

	if (statvfs(config->server_state_dir, &disk) != 0) {
		doctor_fault(d, "disk",
			     "Let server.state_dir name the directory on the database's disk.",
			     "%s: %s.", config->server_state_dir, strerror(errno));
		return;
	}
	free_mib = (int64_t)((uint64_t)disk.f_bavail * disk.f_frsize >> 20);
	if (free_mib < config->server_min_free_mib)
		doctor_fault(d, "disk", "Make room, or lower server.min_free_mib.",
			     "%" PRId64 " MiB are free in %s, less than server.min_free_mib.",
			     free_mib, config->server_state_dir);
	else
		doctor_ok(d, "disk", "%" PRId64 " MiB are free in %s.", free_mib,
			  config->server_state_dir);
}

static void look_at_socket(struct doctor *d, const char *pool, const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		doctor_ok(d, "pools", "The %s pool listens on %s.", pool, path);
	else
		doctor_fault(d, "pools", "Start latchd with that pool, and read its log.",
			     "The %s pool doesn't listen on %s: %s.", pool, path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

static void look_at_worker(struct doctor *d)
{
	const char *path = d->ctl->config->worker_pidfile;
	FILE *file = fopen(path, "re");
	int pid = 0;

	if (file && fscanf(file, "%d", &pid) == 1 && pid > 0 &&
	    (kill(pid, 0) == 0 || errno == EPERM))
		doctor_ok(d, "pools", "latch-worker runs, pid %d.", pid);
	else
		doctor_fault(d, "pools", "Start latch-worker, and read its log.",
			     "latch-worker doesn't run (%s).", path);
	if (file)
		fclose(file);
}

static void look_at_expressions(struct doctor *d)
{
	const char *path = d->ctl->config->expression_socket;
	struct expr_failure failure;
	struct expr *expr = NULL;

	if (expr_new(path, &expr) == OK && expr_check(expr, STR("."), &failure) == OK)
		doctor_ok(d, "latch-expr", "latch-expr answers on %s.", path);
	else
		doctor_fault(d, "latch-expr", "Start latch-expr, and read its log.", "latch-expr doesn't answer on %s%s%s.", path,
			     expr ? ": " : "", expr ? failure.words : "");
	expr_free(expr);
}

static void look_at_egress(struct doctor *d)
{
	struct egress_policy *policy = NULL;
	char why[EGRESS_WHY_MAX];

	if (outbound_policy(d->ctl->config, why, &policy) == OK)
		doctor_ok(d, "egress", "The section [egress] can be read.");
	else
		doctor_fault(d, "egress", "Mend it: the vault pool doesn't start with it.",
			     "[egress]: %s.", why);
	egress_policy_free(policy);
}

void doctor_look_at_machine(struct doctor *d)
{
	const struct config *config = d->ctl->config;

	look_at_disk(d);
	look_at_socket(d, "front", config->front_socket);
	look_at_socket(d, "vault", config->vault_socket);
	look_at_socket(d, "vault", config->vault_quick_socket);
	look_at_worker(d);
	look_at_expressions(d);
	look_at_egress(d);
}
