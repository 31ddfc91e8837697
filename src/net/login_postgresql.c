/*
 * PostgreSQL, by libpq. It takes what it isn't told from the environment and from files of the user: both are
 * closed to it. Host names are its business for the certificate only; it connects to the addresses that it is given.
 */
#define _GNU_SOURCE
#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/free.h"
#include "net/query_postgresql.h"

enum {
	SQLSTATE_CHARS = 5,
	PARAMETERS_MAX = 20,
	ADDRESSES_TEXT_MAX = EGRESS_ADDRESSES_MAX * (ADDRESS_TEXT_MAX + 1)
};

static const uint16_t USUAL[] = { 5432 };

/* A path that no file can have: libpq looks for one in the home directory when it is told nothing. */
#define NO_FILE "/dev/null/none"

/* The user's own limit first, and within a transaction: a pooler in between hands the connection on to others. */
#define QUESTION                                                                                   \
	"begin read only; set local statement_timeout = 5000; "                                    \
	"select current_user, current_database(), version()"

/* --- what libpq is told ------------------------------------------------------- */

/* PGSERVICE, PGPASSFILE, PGOPTIONS, PGSSLCERT and their kin. */
static void clear_environment(void)
{
	size_t i = 0;

	while (environ && environ[i]) {
		char name[64];
		size_t n = strcspn(environ[i], "=");

		if (strncmp(environ[i], "PG", 2) != 0 || n >= sizeof name) {
			i++;
			continue;
		}
		memcpy(name, environ[i], n);
		name[n] = '\0';
		if (unsetenv(name) != 0)
			i++;
	}
}

struct parameters {
	const char *name[PARAMETERS_MAX + 1], *value[PARAMETERS_MAX + 1];
	size_t n;
	char addresses[ADDRESSES_TEXT_MAX], hosts[EGRESS_ADDRESSES_MAX * (EGRESS_HOST_MAX + 1)],
		port[8];
};

static void set(struct parameters *p, const char *name, const char *value)
{
	p->name[p->n] = name;
	p->value[p->n] = value;
	p->n++;
}

static void add_item(char *list, size_t size, struct str item)
{
	size_t n = strlen(list);

	snprintf(list + n, size - n, "%s%.*s", n > 0 ? "," : "", STR_ARG(item));
}

/* As many names as addresses, in two lists. */
static void set_host(struct parameters *p, const struct attempt *attempt)
{
	char text[ADDRESS_TEXT_MAX];

	for (size_t i = 0; i < attempt->target.addresses.count; i++) {
		add_item(p->addresses, sizeof p->addresses,
			 address_format(&attempt->target.addresses.v[i], text));
		add_item(p->hosts, sizeof p->hosts, str_of(attempt->host));
	}
	snprintf(p->port, sizeof p->port, "%u", attempt->target.port);
	set(p, "hostaddr", p->addresses);
	set(p, "host", p->hosts);
	set(p, "port", p->port);
}

/* With "require", libpq verifies all the same as soon as it has a file of CAs. */
static void set_tls(struct parameters *p, const struct attempt *attempt, enum login_tls tls)
{
	static const char *const MODES[] = {
		[LOGIN_TLS_VERIFY_NAME] = "verify-full",
		[LOGIN_TLS_VERIFY_CA] = "verify-ca",
		[LOGIN_TLS_ANY] = "require",
	};
	bool has_file = tls != LOGIN_TLS_ANY && attempt->trust.file;

	set(p, "sslmode", MODES[tls]);
	set(p, "sslrootcert", has_file ? attempt->trust.file : NO_FILE);
	set(p, "sslcert", attempt->certificate.fd >= 0 ? attempt->certificate.path : NO_FILE);
	set(p, "sslkey", attempt->key.fd >= 0 ? attempt->key.path : NO_FILE);
	set(p, "sslpassword", LOGIN_NO_PASSPHRASE);
	set(p, "sslcrl", NO_FILE);
	set(p, "ssl_min_protocol_version", "TLSv1.2");
	set(p, "gssencmode", "disable");
}

static PGconn *start(const struct attempt *attempt, enum login_tls tls)
{
	struct parameters p = { 0 };

	clear_environment();
	set_host(&p, attempt);
	set_tls(&p, attempt, tls);
	set(&p, "user", attempt->user);
	set(&p, "password", (const char *)attempt->password.p);
	set(&p, "passfile", NO_FILE);
	/* Without a name the server takes the user's, but libpq would look into the environment. */
	set(&p, "dbname", attempt->database[0] ? attempt->database : attempt->user);
	set(&p, "application_name", "latchwork");
	set(&p, "client_encoding", "UTF8");
	/* 0: a database's name is a name, not a connection string. */
	return PQconnectStartParams(p.name, p.value, 0);
}

/* --- how it ended --------------------------------------------------------------- */

/* The SQLSTATE in "FATAL:  28P01"; NULL when it was libpq that failed. */
static const char *state_of(const char *message)
{
	const char *colon = strstr(message, ":  ");

	return colon && strspn(colon + 3, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == SQLSTATE_CHARS
		       ? colon + 3
		       : NULL;
}

static const struct {
	const char *state;
	enum login_end end;
	const char *words;
} STATES[] = {
	{ "28P01", LOGIN_REFUSED, NULL },
	{ "28000", LOGIN_REFUSED, "The server doesn't let this user in from here." },
	{ "3D000", LOGIN_NOT_ALLOWED, "There is no such database." },
	{ "42501", LOGIN_NOT_ALLOWED, "The user may not use that database." },
	{ "53300", LOGIN_BUSY, "The server has too many connections." },
	{ "57P03", LOGIN_BUSY, "The server is starting up." },
};

static enum err by_state(struct attempt *attempt, const char *message)
{
	const char *state = state_of(message);

	for (size_t i = 0; state && i < ARRAY_SIZE(STATES); i++)
		if (strncmp(state, STATES[i].state, SQLSTATE_CHARS) == 0)
			return attempt_ends(attempt, STATES[i].end, STATES[i].words);
	return attempt_ends(attempt, LOGIN_ODD,
			    state ? "The server refused for a reason of its own." : NULL);
}

/* `step` is how far it had come. */
static enum err not_connected(struct attempt *attempt, PGconn *connection, ConnStatusType step)
{
	switch (step) {
	case CONNECTION_NEEDED:
	case CONNECTION_STARTED: return attempt_ends(attempt, LOGIN_UNREACHABLE, NULL);
	case CONNECTION_SSL_STARTUP: return attempt_ends(attempt, LOGIN_NO_TLS, NULL);
	default:
		if (PQconnectionNeedsPassword(connection))
			return attempt_ends(attempt, LOGIN_REFUSED,
					    "The server asks for a password.");
		return by_state(attempt, PQerrorMessage(connection));
	}
}

/* ERR_END: it is over, and how has been noted. */
static enum err wait_until_connected(struct attempt *attempt, PGconn *connection)
{
	PostgresPollingStatusType next = PGRES_POLLING_WRITING;
	ConnStatusType step = CONNECTION_NEEDED;

	while (next != PGRES_POLLING_OK) {
		if (!attempt_wait(attempt, PQsocket(connection),
				  next == PGRES_POLLING_READING ? POLLIN : POLLOUT)) {
			(void)attempt_ends(attempt, LOGIN_TIMEOUT, NULL);
			return ERR_END;
		}
		next = PQconnectPoll(connection);
		if (next == PGRES_POLLING_FAILED) {
			(void)not_connected(attempt, connection, step);
			return ERR_END;
		}
		step = PQstatus(connection);
		watch_socket(PQsocket(connection));
	}
	return OK;
}

/* --- who are we? --------------------------------------------------------------- */

static void take_account(struct attempt *attempt, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
	    PQnfields(result) != 3)
		return;
	snprintf(attempt->answer->account, sizeof attempt->answer->account, "%s",
		 PQgetvalue(result, 0, 0));
}

static enum err take_results(struct attempt *attempt, PGconn *connection)
{
	bool answered = false;
	PGresult *result;

	for (;;) {
		while (PQisBusy(connection)) {
			if (!attempt_wait(attempt, PQsocket(connection), POLLIN))
				return attempt_ends(attempt, LOGIN_TIMEOUT, NULL);
			if (!PQconsumeInput(connection))
				return attempt_ends(attempt, LOGIN_ODD, "The connection ended.");
		}
		result = PQgetResult(connection);
		if (!result)
			break;
		answered = answered || PQresultStatus(result) == PGRES_TUPLES_OK;
		take_account(attempt, result);
		if (PQresultStatus(result) == PGRES_FATAL_ERROR)
			(void)by_state(attempt, PQresultErrorMessage(result));
		PQclear(result);
	}
	return answered ? OK : attempt_ends(attempt, LOGIN_ODD, NULL);
}

static enum err ask(struct attempt *attempt, PGconn *connection)
{
	if (!PQsendQuery(connection, QUESTION))
		return attempt_ends(attempt, LOGIN_ODD, NULL);
	return take_results(attempt, connection);
}

/* What a message may take is what may be received; libpq would make room for a gigabyte that a server announces. */

static void stay_silent(void *arg, const PGresult *result)
{
	(void)arg;
	(void)result;
}

static enum err log_in(struct attempt *attempt)
{
	const enum login_tls tls = attempt->login->tls;
	size_t largest = free_set_largest(attempt->received_max);
	PGconn *connection = start(attempt, tls);
	enum login_end watched;
	enum err e;

	if (!connection) {
		(void)free_set_largest(largest);
		return ERR_NO_MEMORY;
	}
	PQsetNoticeReceiver(connection, stay_silent, NULL);
	PQsetErrorVerbosity(connection, PQERRORS_SQLSTATE);
	watch_start(attempt, PQsocket(connection));
	e = PQstatus(connection) == CONNECTION_BAD ? attempt_ends(attempt, LOGIN_UNREACHABLE, NULL)
						   : wait_until_connected(attempt, connection);
	if (e == OK && attempt->answer->end == LOGIN_DONE)
		e = attempt->querying ? querying_postgresql(attempt, connection) : ask(attempt, connection);
	watched = watch_stop();
	if (watched == LOGIN_ODD && attempt->querying)
		attempt->querying->answer->too_large = true;
	if (watched != LOGIN_DONE)
		*attempt->answer = (struct login_answer){ .end = watched };
	PQfinish(connection);
	(void)free_set_largest(largest);
	return e == ERR_END ? OK : e;
}

enum err attempt_postgresql(const struct login *login, const struct egress_policy *policy,
			    struct querying *querying, struct login_answer *ret_answer)
{
	return attempt_run(login, policy, USUAL, ARRAY_SIZE(USUAL), log_in, querying, ret_answer);
}

enum err login_postgresql(const struct login *login, const struct egress_policy *policy,
			  struct login_answer *ret_answer)
{
	return attempt_postgresql(login, policy, NULL, ret_answer);
}
