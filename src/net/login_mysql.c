/*
 * MySQL and MariaDB, by Connector/C 3.3.
 *
 * It has one option for the host that it connects to and the name that the certificate must have. So it is told
 * an address that the guard checked, and the name takes its place when the library has asked the server for TLS:
 * then it is connected, and the certificate has yet to come. It tells us by a callback about each piece that it
 * reads or writes. Should it stop to do that, certificates are held against the address, and refused.
 *
 * TLS is only insisted on where the certificate's name is verified, too; else a server that says that it has none
 * is talked to in the clear. So that is always asked for, and taken back at the same moment for who doesn't want it.
 */
#include <errmsg.h>
#include <mysql.h>
#include <mysqld_error.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/query_mysql.h"

/* A query's row that is announced as larger than what is received is cut there (on_bytes), and told apart by that. */
enum { PACKET_MAX = 64 << 10, ROW_MAX = 32 << 20 };

static const uint16_t USUAL[] = { 3306 };

/* Which prove the password without giving it away, or give it away within TLS to a server that hashes it. */
#define METHODS "mysql_native_password,caching_sha2_password,sha256_password,client_ed25519"

/* The one login under way: the library's callback has no argument. */
static struct {
	MYSQL *mysql;
	struct attempt *attempt;
	enum login_tls tls;
	bool in_handshake;
	size_t received;
} now;

/* --- what the library tells us --------------------------------------------------- */

/* Of ma_pvio.h, which isn't installed; `mode` is 0 after reading, 1 after writing. */
int ma_pvio_register_callback(my_bool add, void (*callback)(int mode, MYSQL *mysql,
							    const unsigned char *bytes, size_t n));

static void begin_handshake(void)
{
	my_bool no = 0;
	char *name = strdup(now.attempt->host);

	now.in_handshake = true;
	if (now.tls != LOGIN_TLS_VERIFY_NAME)
		(void)mysql_optionsv(now.mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &no);
	if (!name)
		return; /* the address stays, and nothing matches it */
	free(now.mysql->host);
	now.mysql->host = name;
}

/* The first that is written is the request for TLS. This hears of our own database's connection, too. */
static void on_bytes(int mode, MYSQL *mysql, const unsigned char *bytes, size_t n)
{
	(void)bytes;
	if (mysql != now.mysql || !now.attempt)
		return;
	watch_socket(mysql_get_socket(mysql));
	/* It keeps each column that a server describes, however many there are. `n` is -1 at an error. */
	if (mode == 0 && n <= now.attempt->received_max)
		now.received += n;
	if (now.received > now.attempt->received_max)
		watch_cut(LOGIN_ODD);
	if (mode == 1 && !now.in_handshake && mysql->host)
		begin_handshake();
}

static int on_wait(my_socket fd, my_bool is_read, int timeout_ms)
{
	(void)timeout_ms;
	watch_socket(fd);
	return attempt_wait(now.attempt, fd, is_read ? POLLIN : POLLOUT) ? 1 : 0;
}

/* For good: the library can't take a callback back. */
static bool hear_of_bytes(void)
{
	static bool registered;

	if (!registered)
		registered = ma_pvio_register_callback(1, on_bytes) == 0;
	return registered;
}

/* --- what the library is told ---------------------------------------------------- */

static bool set(MYSQL *mysql, enum mysql_option option, const void *value)
{
	return mysql_optionsv(mysql, option, value) == 0;
}

static bool set_tls(MYSQL *mysql, const struct attempt *attempt, enum login_tls tls)
{
	my_bool yes = 1;

	if (!set(mysql, MYSQL_OPT_SSL_ENFORCE, &yes) ||
	    !set(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes) ||
	    !set(mysql, MARIADB_OPT_TLS_VERSION, "TLSv1.2,TLSv1.3"))
		return false;
	if (attempt->key.fd >= 0 && (!set(mysql, MYSQL_OPT_SSL_CERT, attempt->certificate.path) ||
				     !set(mysql, MYSQL_OPT_SSL_KEY, attempt->key.path) ||
				     !set(mysql, MARIADB_OPT_TLS_PASSPHRASE, LOGIN_NO_PASSPHRASE)))
		return false;
	if (tls == LOGIN_TLS_ANY)
		return true;
	return set(mysql, MYSQL_OPT_SSL_CA, attempt->trust.file) &&
	       set(mysql, MYSQL_OPT_SSL_CAPATH, attempt->trust.directory);
}

static bool set_options(MYSQL *mysql, const struct attempt *attempt, enum login_tls tls)
{
	unsigned int no = 0, protocol = MYSQL_PROTOCOL_TCP;
	unsigned int seconds = (unsigned int)(attempt_left_ms(attempt) / 1000 + 1);
	size_t packet_max = attempt->querying ? ROW_MAX : PACKET_MAX;

	return hear_of_bytes() && set(mysql, MYSQL_OPT_PROTOCOL, &protocol) &&
	       set(mysql, MYSQL_OPT_LOCAL_INFILE, &no) &&
	       (!attempt->querying || set(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4")) &&
	       set(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &seconds) &&
	       set(mysql, MYSQL_OPT_READ_TIMEOUT, &seconds) &&
	       set(mysql, MYSQL_OPT_WRITE_TIMEOUT, &seconds) &&
	       set(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet_max) &&
	       set(mysql, MARIADB_OPT_RESTRICTED_AUTH, METHODS) &&
	       mysql_optionsv(mysql, MARIADB_OPT_IO_WAIT, on_wait) == 0 &&
	       set_tls(mysql, attempt, tls);
}

/* --- how it ended ------------------------------------------------------------------ */

static const struct {
	unsigned int code;
	enum login_end end;
	const char *words;
} CODES[] = {
	{ ER_ACCESS_DENIED_ERROR, LOGIN_REFUSED, NULL },
	{ ER_ACCESS_DENIED_NO_PASSWORD_ERROR, LOGIN_REFUSED, NULL },
	{ ER_HOST_NOT_PRIVILEGED, LOGIN_REFUSED, "The server doesn't let anybody in from here." },
	{ ER_HOST_IS_BLOCKED, LOGIN_REFUSED, "The server doesn't let anybody in from here." },
	{ ER_ACCOUNT_HAS_BEEN_LOCKED, LOGIN_REFUSED, "The account is locked." },
	{ ER_MUST_CHANGE_PASSWORD_LOGIN, LOGIN_REFUSED, "The password has expired." },
	{ ER_DBACCESS_DENIED_ERROR, LOGIN_NOT_ALLOWED, "The user may not use that database." },
	{ ER_BAD_DB_ERROR, LOGIN_NOT_ALLOWED, "There is no such database." },
	{ ER_CON_COUNT_ERROR, LOGIN_BUSY, "The server has too many connections." },
	{ ER_TOO_MANY_USER_CONNECTIONS, LOGIN_BUSY, "The user has too many connections." },
	{ CR_SSL_CONNECTION_ERROR, LOGIN_NO_TLS, NULL },
	{ CR_CONNECTION_ERROR, LOGIN_UNREACHABLE, NULL },
	{ CR_CONN_HOST_ERROR, LOGIN_UNREACHABLE, NULL },
	{ CR_IPSOCK_ERROR, LOGIN_UNREACHABLE, NULL },
	{ CR_AUTH_PLUGIN_CANNOT_LOAD, LOGIN_ODD,
	  "The server asks for a way to log in that isn't used here." },
	{ CR_PLUGIN_NOT_ALLOWED, LOGIN_ODD,
	  "The server asks for a way to log in that isn't used here." },
};

static enum err failed(struct attempt *attempt, MYSQL *mysql)
{
	static const char UNVERIFIED[] = "Received error packet before completion of TLS handshake";
	unsigned int code = mysql_errno(mysql);

	/* Whose word that is nobody knows, so it isn't passed on. */
	if (strncmp(mysql_error(mysql), UNVERIFIED, sizeof UNVERIFIED - 1) == 0)
		return attempt_ends(attempt, LOGIN_BUSY,
				    "The server refuses connections from here, or has too many.");
	for (size_t i = 0; i < ARRAY_SIZE(CODES); i++)
		if (CODES[i].code == code)
			return attempt_ends(attempt, CODES[i].end, CODES[i].words);
	return attempt_ends(attempt, LOGIN_ODD,
			    now.in_handshake ? NULL : "That isn't a MySQL server.");
}

/* --- the login ---------------------------------------------------------------------- */

static bool connect_to(const struct attempt *attempt, const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];

	/* MYSQL_PWD of the environment counts where there is no password, but not for an empty one. */
	return mysql_real_connect(now.mysql, address_format(address, text).p, attempt->user,
				  (const char *)attempt->password.p,
				  attempt->database[0] ? attempt->database : NULL,
				  attempt->target.port, NULL, 0) != NULL;
}

static void take_account(struct attempt *attempt)
{
	static const char QUESTION[] = "select current_user()";
	MYSQL_RES *result = NULL;
	MYSQL_ROW row = NULL;

	if (mysql_real_query(now.mysql, QUESTION, sizeof QUESTION - 1) == 0)
		result = mysql_use_result(now.mysql);
	if (!result)
		return;
	row = mysql_fetch_row(result);
	if (row && row[0])
		snprintf(attempt->answer->account, sizeof attempt->answer->account, "%s", row[0]);
	/* What else there may be is left unread: the connection ends. */
	now.mysql->status = MYSQL_STATUS_READY;
	mysql_free_result(result);
}

static enum err who_or_what(struct attempt *attempt)
{
	if (attempt->querying)
		return querying_mysql(attempt, now.mysql);
	take_account(attempt);
	return OK;
}

/* One address. ERR_END: the next one may be tried. */
static enum err try_address(struct attempt *attempt, const struct address *address,
			    enum login_tls tls)
{
	MYSQL *mysql = mysql_init(NULL);
	enum err e = OK;

	if (!mysql)
		return ERR_NO_MEMORY;
	now.mysql = mysql;
	now.in_handshake = false;
	now.received = 0;
	if (!set_options(mysql, attempt, tls))
		e = ERR_INTERNAL;
	else if (connect_to(attempt, address))
		e = who_or_what(attempt);
	else
		e = failed(attempt, mysql);
	now.mysql = NULL; /* its last bytes aren't heard of: the socket that the timer would end is closed by then */
	watch_socket(-1);
	mysql_close(mysql);
	return e;
}

static enum err log_in(struct attempt *attempt)
{
	const enum login_tls tls = attempt->login->tls;
	enum login_end watched;
	enum err e = OK;

	now.attempt = attempt;
	now.tls = tls;
	/* The end of a long list isn't read. */
	attempt->counts_itself = attempt->querying != NULL;
	watch_start(attempt, -1);
	for (size_t i = 0; i < attempt->target.addresses.count && e == OK; i++) {
		attempt->answer->end = LOGIN_DONE;
		e = try_address(attempt, &attempt->target.addresses.v[i], tls);
		if (attempt->answer->end != LOGIN_UNREACHABLE)
			break;
	}
	watched = watch_stop();
	if (watched == LOGIN_ODD && attempt->querying)
		attempt->querying->answer->too_large = true;
	now.attempt = NULL;
	if (watched != LOGIN_DONE)
		*attempt->answer = (struct login_answer){ .end = watched };
	else if (attempt_left_ms(attempt) == 0 && attempt->answer->end != LOGIN_DONE)
		*attempt->answer = (struct login_answer){ .end = LOGIN_TIMEOUT };
	return e;
}

enum err attempt_mysql(const struct login *login, const struct egress_policy *policy,
		       struct querying *querying, struct login_answer *ret_answer)
{
	return attempt_run(login, policy, USUAL, ARRAY_SIZE(USUAL), log_in, querying, ret_answer);
}

enum err login_mysql(const struct login *login, const struct egress_policy *policy,
		     struct login_answer *ret_answer)
{
	return attempt_mysql(login, policy, NULL, ret_answer);
}
