/* What the numbers of the server and of the client library mean to us: one table. */
#include "store/private.h"

#include <mariadb/errmsg.h>
#include <mariadb/mysqld_error.h>
#include <string.h>

#include "base/log.h"

enum effect {
	KEEPS,  /* the statement failed, nothing else */
	DOOMS,  /* the transaction is over and must be run again, or given up */
	CLOSES, /* the connection is of no more use */
};

/*
 * A full disk and a statement that ran too long stay away from the errors that are tried again at
 * once: neither gets better by that. A server that has become read-only (a failover) is left, so
 * that the next connection finds the one that writes.
 */
static const struct meaning {
	unsigned code;
	enum err error;
	enum effect effect;
} meanings[] = {
	{ CR_CONNECTION_ERROR, ERR_DB_LOST, CLOSES },
	{ CR_CONN_HOST_ERROR, ERR_DB_LOST, CLOSES },
	{ CR_SERVER_GONE_ERROR, ERR_DB_LOST, CLOSES },
	{ CR_SERVER_LOST, ERR_DB_LOST, CLOSES },
	{ CR_SERVER_LOST_EXTENDED, ERR_DB_LOST, CLOSES },
	{ CR_OUT_OF_MEMORY, ERR_NO_MEMORY, CLOSES },
	{ ER_SERVER_SHUTDOWN, ERR_DB_LOST, CLOSES },
	{ ER_CONNECTION_KILLED, ERR_DB_LOST, CLOSES },
	{ ER_UNKNOWN_COM_ERROR /* a Galera node that is not ready */, ERR_DB_LOST, CLOSES },
	{ ER_UNKNOWN_STMT_HANDLER, ERR_DB_LOST, CLOSES },
	{ ER_OPTION_PREVENTS_STATEMENT, ERR_DB_LOST, CLOSES },
	{ ER_READ_ONLY_MODE, ERR_DB_LOST, CLOSES },
	{ ER_LOCK_DEADLOCK, ERR_DB_RETRY, DOOMS },
	{ ER_LOCK_WAIT_TIMEOUT, ERR_DB_RETRY, DOOMS },
	{ ER_CHECKREAD, ERR_DB_RETRY, DOOMS },
	{ ER_TABLE_DEF_CHANGED, ERR_DB_RETRY, DOOMS },
	{ ER_QUERY_INTERRUPTED, ERR_DB_RETRY, DOOMS },
	{ ER_NEED_REPREPARE, ERR_DB_RETRY, DOOMS },
	{ ER_DUP_ENTRY, ERR_DB_DUPLICATE, KEEPS },
	{ ER_SIGNAL_EXCEPTION /* a function of ours: what it was told isn't so any more */, ERR_CONFLICT, KEEPS },
	{ ER_DISK_FULL, ERR_NOT_READY, DOOMS },
	{ ER_ERROR_ON_WRITE, ERR_NOT_READY, DOOMS },
	{ ER_GET_ERRNO, ERR_NOT_READY, DOOMS },
	{ ER_RECORD_FILE_FULL, ERR_NOT_READY, DOOMS },
	{ ER_STATEMENT_TIMEOUT, ERR_NOT_READY, DOOMS },
};

static struct meaning meaning_of(unsigned code)
{
	for (size_t i = 0; i < ARRAY_SIZE(meanings); i++)
		if (meanings[i].code == code)
			return meanings[i];
	/* A number of the library's own that isn't listed: out of step with the server, perhaps. */
	return (struct meaning){ code, ERR_DB_REFUSED,
				 code >= CR_MIN_ERROR && code <= CR_MAX_ERROR ? CLOSES : KEEPS };
}

bool db_never_sent(unsigned code)
{
	return code == CR_SERVER_GONE_ERROR || code == CR_CONNECTION_ERROR ||
	       code == CR_CONN_HOST_ERROR;
}

/* "Duplicate entry '...' for key 'name'": the value may hold quotes, the key's name stands last. */
static void note_duplicate(struct db *db, const char *message)
{
	struct str text = str_of(message);
	size_t end, start;

	db->duplicate_key[0] = '\0';
	if (!str_ends(text, STR("'")))
		return;
	end = text.n - 1;
	for (start = end; start > 0 && text.p[start - 1] != '\''; start--)
		;
	if (start > 0 && end - start < sizeof(db->duplicate_key)) {
		memcpy(db->duplicate_key, text.p + start, end - start);
		db->duplicate_key[end - start] = '\0';
	}
}

static void log_trouble(const struct db_trouble *trouble, enum err e, const char *message)
{
	struct log_field fields[] = { log_text("statement", trouble->sql_name),
				      log_int("errno", trouble->code), log_err(e),
				      log_text("message", message) };

	/* Messages quote values, save when nothing has been bound yet. */
	log_write(err_level(e), "a statement failed",
		  (struct log_fields){ fields, trouble->preparing ? ARRAY_SIZE(fields)
								  : ARRAY_SIZE(fields) - 1 });
}

enum err db_take_trouble(struct db *db, const struct db_trouble *trouble, const char *message)
{
	struct meaning m = meaning_of(trouble->code);

	if (trouble->nowait && trouble->code == ER_LOCK_WAIT_TIMEOUT)
		m = (struct meaning){ m.code, ERR_DB_LOCKED, KEEPS };
	if (m.error == ERR_DB_DUPLICATE)
		note_duplicate(db, message);
	else
		log_trouble(trouble, m.error, message);
	if (db->transaction == TX_OPEN && m.effect != KEEPS) {
		db->transaction = TX_DOOMED;
		db->doomed_by = m.error;
	}
	if (m.effect == CLOSES)
		db_lose(db);
	return m.error;
}
