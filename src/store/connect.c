/*
 * Making and losing the connection.
 *
 * The library's own reconnect stays off: it would forget every prepared
 * statement and the session's tenant behind our back.
 */
#include "store/private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"

enum { PAUSE_AFTER_FAILURE_US = 100 * 1000, HOST_MAX = 256, INIT_MAX = 512 };

struct host {
	char name[HOST_MAX];
	unsigned port;
};

/* Takes one entry: "db1", "db1:3307" or "[2001:db8::1]:3307". */
static bool parse_host(struct str entry, struct host *ret_host)
{
	struct str port = STR_NONE;
	uint64_t number = 3306;

	if (str_starts(entry, STR("["))) {
		entry = str_slice(entry, 1, entry.n);
		port = entry;
		entry = str_cut(&port, ']');
		if (!str_absent(port) && str_starts(port, STR(":")))
			port = str_slice(port, 1, port.n);
		else
			port = STR_NONE;
	} else {
		port = entry;
		entry = str_cut(&port, ':');
	}
	if (entry.n == 0 || entry.n >= sizeof(ret_host->name))
		return false;
	if (!str_absent(port) && (!str_to_u64(port, &number) || number == 0 || number > 65535))
		return false;
	memcpy(ret_host->name, entry.p, entry.n);
	ret_host->name[entry.n] = '\0';
	ret_host->port = (unsigned)number;
	return true;
}

/* The host whose turn it is; counts round the list. */
static bool next_host(struct db *db, struct host *ret_host)
{
	struct str rest = str_of(db->options.hosts);
	struct str first = STR_NONE;
	size_t n = 0;

	while (!str_absent(rest)) {
		struct str entry = str_trim(str_cut(&rest, ','));

		if (n == 0)
			first = entry;
		if (n++ == db->host)
			return parse_host(entry, ret_host);
	}
	db->host = 0;
	return n > 0 && parse_host(first, ret_host);
}

/* One command sets up the session: strict, READ COMMITTED, UTC, and no wait without an end. */
static void init_command(const struct db *db, char text[INIT_MAX])
{
	const struct db_options *o = &db->options;

	snprintf(
		text, INIT_MAX,
		"SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ZERO_DATE,"
		"NO_ZERO_IN_DATE,NO_ENGINE_SUBSTITUTION,ONLY_FULL_GROUP_BY', "
		"tx_isolation = 'READ-COMMITTED', time_zone = '+00:00', "
		"innodb_lock_wait_timeout = %d, lock_wait_timeout = %d, max_statement_time = %d",
		o->lock_wait_s, o->lock_wait_s, o->statement_s < 0 ? 0 : o->statement_s);
}

static void set_options(const struct db *db, MYSQL *mysql)
{
	const struct db_options *o = &db->options;
	unsigned connect = (unsigned)o->connect_timeout_s, io = (unsigned)o->io_timeout_s;
	unsigned off = 0;
	my_bool no = 0, yes = 1;
	char init[INIT_MAX];

	init_command(db, init);
	mysql_options(mysql, MYSQL_INIT_COMMAND, init);
	mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
	mysql_options(mysql, MYSQL_OPT_RECONNECT, &no);
	mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &off);
	mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &connect);
	mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &io);
	mysql_options(mysql, MYSQL_OPT_WRITE_TIMEOUT, &io);
	if (o->tls_ca) {
		mysql_options(mysql, MYSQL_OPT_SSL_CA, o->tls_ca);
		mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &yes);
		mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
	}
}

/*
 * The library wants the password terminated, keeps a copy, and never needs it again: both are
 * wiped.
 */
static bool try_connect(struct db *db, MYSQL *mysql)
{
	SECRET_AUTO struct secret password = SECRET_EMPTY;
	struct host host = { .name = "" };
	MYSQL *got;

	if (secret_new(db->password.n + 1, &password) != OK)
		return false;
	if (db->password.n > 0)
		memcpy(password.p, db->password.p, db->password.n);
	if (!db->options.socket && !next_host(db, &host))
		return false;
	set_options(db, mysql);
	got = mysql_real_connect(mysql, db->options.socket ? NULL : host.name, db->options.user,
				 (const char *)password.p, db->options.database, host.port,
				 db->options.socket, CLIENT_FOUND_ROWS);
	if (mysql->passwd)
		wipe(mysql->passwd, strlen(mysql->passwd));
	return got != NULL;
}

static enum err try_later(struct db *db)
{
	db->host++;
	db->next_try_us = clock_monotonic_us() + PAUSE_AFTER_FAILURE_US;
	return ERR_DB_LOST;
}

enum err db_connect(struct db *db)
{
	MYSQL *mysql;

	if (db->mysql)
		return OK;
	if (clock_monotonic_us() < db->next_try_us)
		return ERR_DB_LOST;
	mysql = mysql_init(NULL);
	if (!mysql)
		return ERR_NO_MEMORY;
	if (!try_connect(db, mysql)) {
		log_write(LOG_ERROR, "no connection to the database",
			  LOG_FIELDS(log_int("errno", mysql_errno(mysql)),
				     log_text("server", db->options.socket ? db->options.socket
									   : db->options.hosts)));
		mysql_close(mysql);
		return try_later(db);
	}
	db->mysql = mysql;
	if (db->options.greet && db->options.greet(db) != OK) {
		db_lose(db);
		return try_later(db);
	}
	return OK;
}

void db_lose(struct db *db)
{
	for (size_t i = 0; i < db->live_places; i++)
		live_statement_unprepare(db->live[i]);
	db->bound = false;
	if (db->mysql)
		mysql_close(db->mysql);
	db->mysql = NULL;
	if (db->transaction == TX_OPEN) {
		db->transaction = TX_DOOMED;
		db->doomed_by = ERR_DB_LOST;
	}
}
