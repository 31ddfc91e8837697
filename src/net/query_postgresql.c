/*
 * A query in PostgreSQL, by the extended protocol, which takes one statement and its parameters beside it.
 *
 * It stands in a transaction, and nothing has happened before that is committed. What only reads is asked through a
 * cursor: so a table of any size is a few rows. The rest is read to its end, for its changes are made with its rows.
 */
#include "net/query_postgresql.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"

enum { TEXT_MAX = 1 << 20, NUMBER_MAX = 32 };

#define CURSOR "declare latchwork_rows no scroll cursor for "

struct asking {
	struct attempt *attempt;
	PGconn *connection;
	const struct query *query;
	struct query_answer *answer;
	bool lost;
};

/* --- results ------------------------------------------------------------------------------------------------ */

/* As the server says it, if that is one. */
static void note_state(struct query_answer *answer, const char *state)
{
	static const char OTHER[] = "XX000";
	bool good = state && strlen(state) == QUERY_STATE_CHARS &&
		    strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == QUERY_STATE_CHARS;

	if (answer->state[0] == '\0')
		snprintf(answer->state, sizeof answer->state, "%s", good ? state : OTHER);
}

/* Of pg_type.dat, where they never change. */
static enum query_kind kind_of(Oid type)
{
	switch (type) {
	case 16: return QUERY_BOOL;
	case 20:
	case 21:
	case 23:
	case 26:
	case 700:
	case 701:
	case 1700: return QUERY_NUMBER;
	case 114:
	case 3802: return QUERY_JSON;
	default: return QUERY_TEXT;
	}
}

static enum err hand_over(struct asking *a, const PGresult *result, int row)
{
	struct query_cell cell[QUERY_COLUMNS_MAX];
	int columns = PQnfields(result);

	if (columns > QUERY_COLUMNS_MAX) {
		a->answer->too_large = true;
		return OK;
	}
	for (int i = 0; i < columns; i++) {
		bool null = PQgetisnull(result, row, i);

		cell[i].column = str_of(PQfname(result, i));
		cell[i].kind = null ? QUERY_NULL : kind_of(PQftype(result, i));
		cell[i].text = null ? STR_NONE
				    : (struct str){ PQgetvalue(result, row, i), (size_t)PQgetlength(result, row, i) };
	}
	a->answer->rows++;
	return a->query->row(a->query->arg, cell, (size_t)columns);
}

static enum err take_rows(struct asking *a, const PGresult *result)
{
	for (int i = 0; i < PQntuples(result); i++) {
		if (a->answer->rows == a->query->rows_max)
			a->answer->truncated = true;
		else
			TRY(hand_over(a, result, i));
	}
	return OK;
}

static void take_count(struct asking *a, PGresult *result)
{
	uint64_t changed;

	if (str_to_u64(str_of(PQcmdTuples(result)), &changed) && changed <= INT64_MAX)
		a->answer->rows = (int64_t)changed;
}

static enum err take_result(struct asking *a, PGresult *result, bool wanted)
{
	switch (PQresultStatus(result)) {
	case PGRES_SINGLE_TUPLE:
	case PGRES_TUPLES_OK: return wanted ? take_rows(a, result) : OK;
	case PGRES_COMMAND_OK:
		if (wanted)
			take_count(a, result);
		return OK;
	case PGRES_EMPTY_QUERY: note_state(a->answer, "42601"); return OK;
	case PGRES_FATAL_ERROR:
		/* Without one it was libpq that failed: the connection is no more. */
		if (PQresultErrorField(result, PG_DIAG_SQLSTATE))
			note_state(a->answer, PQresultErrorField(result, PG_DIAG_SQLSTATE));
		else
			a->lost = true;
		return OK;
	default:
		/* COPY: the server waits for data that we don't have. */
		note_state(a->answer, "0A000");
		a->lost = true;
		return OK;
	}
}

static bool wait_for_result(struct asking *a)
{
	while (PQisBusy(a->connection))
		if (!attempt_wait(a->attempt, PQsocket(a->connection), POLLIN) || !PQconsumeInput(a->connection))
			return false;
	return true;
}

/* All results of what was sent. */
static enum err take_results(struct asking *a, bool sent, bool wanted)
{
	PGresult *result;
	enum err e = OK;

	a->lost = !sent;
	while (e == OK && !a->lost) {
		a->lost = !wait_for_result(a);
		if (a->lost)
			break;
		result = PQgetResult(a->connection);
		if (!result)
			break;
		e = take_result(a, result, wanted);
		PQclear(result);
	}
	return e;
}

static bool is_good(const struct asking *a) { return !a->lost && a->answer->state[0] == '\0'; }

/* --- statements --------------------------------------------------------------------------------------------- */

static enum err say(struct asking *a, const char *text, bool wanted)
{
	bool sent = PQsendQuery(a->connection, text);

	if (sent && wanted)
		sent = PQsetSingleRowMode(a->connection);
	return take_results(a, sent, wanted);
}

static enum err begin(struct asking *a)
{
	char text[100];

	snprintf(text, sizeof text, "begin; set local statement_timeout = %lld",
		 (long long)attempt_server_ms(a->attempt));
	return say(a, text, false);
}

/* The texts of numbers are in `number`; what is text must end with a NUL. */
static enum err send_with_values(struct asking *a, const char *before, bool wanted)
{
	const char *value[QUERY_PARAMETERS_MAX];
	char number[QUERY_PARAMETERS_MAX][NUMBER_MAX];
	BUF_AUTO struct buf texts = { 0 };
	BUF_AUTO struct buf statement = { 0 };
	size_t at[QUERY_PARAMETERS_MAX];
	bool sent;

	buf_init(&texts, TEXT_MAX);
	buf_init(&statement, TEXT_MAX);
	for (size_t i = 0; i < a->query->values; i++) {
		const struct query_value *v = &a->query->value[i];

		at[i] = texts.n;
		if (v->kind != QUERY_TEXT)
			continue;
		buf_add_str(&texts, v->text);
		buf_add_char(&texts, '\0');
	}
	buf_add_c(&statement, before);
	buf_add_str(&statement, a->query->text);
	buf_add_char(&statement, '\0');
	TRY(buf_error(&texts));
	TRY(buf_error(&statement));
	for (size_t i = 0; i < a->query->values; i++) {
		const struct query_value *v = &a->query->value[i];

		snprintf(number[i], sizeof number[i], "%lld", (long long)v->number);
		value[i] = v->kind == QUERY_NULL     ? NULL
			   : v->kind == QUERY_NUMBER ? number[i]
			   : v->kind == QUERY_BOOL   ? (v->number ? "t" : "f")
						     : texts.p + at[i];
	}
	sent = PQsendQueryParams(a->connection, statement.p, (int)a->query->values, NULL, value, NULL, NULL, 0);
	if (sent && wanted)
		sent = PQsetSingleRowMode(a->connection);
	return take_results(a, sent, wanted);
}

/* A WITH that changes something, or a SELECT INTO, is no cursor's; it is asked as it is. */
static bool is_no_cursors(const struct query_answer *answer)
{
	return strcmp(answer->state, "0A000") == 0 || strcmp(answer->state, "42P11") == 0;
}

static enum err ask_by_cursor(struct asking *a)
{
	char text[100];

	TRY(send_with_values(a, CURSOR, false));
	if (!is_good(a))
		return OK;
	snprintf(text, sizeof text, "fetch forward %lld from latchwork_rows", (long long)a->query->rows_max + 1);
	return say(a, text, true);
}

static enum err ask(struct asking *a)
{
	bool reads = query_reads(a->query->text);

	if (reads)
		TRY(ask_by_cursor(a));
	if (a->lost || (reads && !is_no_cursors(a->answer)))
		return OK;
	if (reads) {
		a->answer->state[0] = '\0';
		TRY(say(a, "rollback", false));
		TRY(begin(a));
	}
	return is_good(a) ? send_with_values(a, "", true) : OK;
}

/* From here to the answer it may be done or not. */
static enum err commit(struct asking *a)
{
	enum err e;

	a->answer->maybe_done = true;
	e = say(a, "commit", false);
	a->answer->maybe_done = a->lost;
	return e;
}

/* libpq asks for as much memory as a message says that it is long, and gives up when it gets none (free.h). */
static void note_refused_memory(struct asking *a)
{
	if (a->lost && strstr(PQerrorMessage(a->connection), "lost synchronization with server"))
		a->answer->too_large = true;
}

enum err querying_postgresql(struct attempt *attempt, PGconn *connection)
{
	struct asking a = { attempt, connection, attempt->querying->query, attempt->querying->answer, false };

	TRY(begin(&a));
	if (is_good(&a))
		TRY(ask(&a));
	if (is_good(&a) && !a.answer->too_large)
		TRY(commit(&a));
	note_refused_memory(&a);
	return a.lost ? attempt_ends(attempt, LOGIN_ODD, "The connection to the database ended.") : OK;
}
