/*
 * A query in MySQL or MariaDB, as a prepared statement: one, with its parameters beside it, committed by itself.
 *
 * Texts are fetched a column at a time, when their length is known; numbers and times into a buffer that holds any.
 */
#include "net/query_mysql.h"

#include <errmsg.h>
#include <mysqld_error.h>
#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/buf.h"

enum { SHORT_MAX = 128, COLUMNS_ARENA_MAX = 1 << 20, OTHER_TIMEOUT = 3024 /* MySQL's own */, BINARY_CHARSET = 63 };

struct column {
	MYSQL_BIND *bind;
	struct str name;
	enum query_kind kind;
	bool is_long; /* fetched by itself */
	unsigned long length;
	my_bool null, error;
	char text[SHORT_MAX];
};

struct asking {
	struct attempt *attempt;
	MYSQL *mysql;
	MYSQL_STMT *statement;
	const struct query *query;
	struct query_answer *answer;
	struct arena *arena; /* columns */
	struct column *column;
	size_t columns;
	MYSQL_BIND *bind;
	struct buf row; /* its long texts */
};

/* --- how it ended --------------------------------------------------------------------------------------------- */

static bool is_ours(unsigned int code) { return code >= CR_MIN_ERROR && code <= CR_MAX_ERROR; }

/* What a server refuses it hasn't done: a statement is done as a whole or not. */
static enum err refused(struct asking *a, unsigned int code, const char *state)
{
	static const char TIMEOUT[] = "70100", AGAIN[] = "40001", OTHER[] = "HY000";
	bool good = strlen(state) == QUERY_STATE_CHARS &&
		    strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") == QUERY_STATE_CHARS;

	if (is_ours(code) || code == 0)
		return attempt_ends(a->attempt, LOGIN_ODD, "The connection to the database ended.");
	a->answer->maybe_done = false;
	if (code == OTHER_TIMEOUT || code == ER_QUERY_INTERRUPTED)
		state = TIMEOUT;
	else if (code == ER_LOCK_WAIT_TIMEOUT)
		state = AGAIN;
	else if (!good)
		state = OTHER;
	snprintf(a->answer->state, sizeof a->answer->state, "%s", state);
	return OK;
}

/* What comes between two rows is noted at the connection alone. */
static enum err statement_refused(struct asking *a)
{
	if (mysql_stmt_errno(a->statement) == 0)
		return refused(a, mysql_errno(a->mysql), mysql_sqlstate(a->mysql));
	return refused(a, mysql_stmt_errno(a->statement), mysql_stmt_sqlstate(a->statement));
}

/* --- the limits ------------------------------------------------------------------------------------------------ */

/* One of the two knows its variable. Without it, our own clock ends what takes too long. */
static enum err set_limits(struct asking *a)
{
	char text[100];
	long long ms = attempt_server_ms(a->attempt);

	if (mysql_autocommit(a->mysql, 1) != 0)
		return refused(a, mysql_errno(a->mysql), mysql_sqlstate(a->mysql));
	snprintf(text, sizeof text, "set session max_statement_time = %lld.%03lld", ms / 1000, ms % 1000);
	if (mysql_query(a->mysql, text) == 0)
		return OK;
	snprintf(text, sizeof text, "set session max_execution_time = %lld", ms);
	if (mysql_query(a->mysql, text) != 0 && is_ours(mysql_errno(a->mysql)))
		return refused(a, mysql_errno(a->mysql), "");
	return OK;
}

/* --- parameters ------------------------------------------------------------------------------------------------- */

static void bind_value(const struct query_value *value, unsigned long *length, MYSQL_BIND *bind)
{
	switch (value->kind) {
	case QUERY_NULL: bind->buffer_type = MYSQL_TYPE_NULL; break;
	case QUERY_NUMBER:
	case QUERY_BOOL:
		bind->buffer_type = MYSQL_TYPE_LONGLONG;
		bind->buffer = (void *)(uintptr_t)&value->number;
		break;
	default:
		*length = value->text.n;
		bind->buffer_type = MYSQL_TYPE_STRING;
		bind->buffer = (void *)(uintptr_t)value->text.p;
		bind->buffer_length = value->text.n;
		bind->length = length;
	}
}

static enum err execute(struct asking *a)
{
	const struct query *query = a->query;
	MYSQL_BIND bind[QUERY_PARAMETERS_MAX] = { 0 };
	unsigned long length[QUERY_PARAMETERS_MAX];

	if (mysql_stmt_prepare(a->statement, query->text.p, query->text.n) != 0)
		return statement_refused(a);
	if (mysql_stmt_param_count(a->statement) != query->values) {
		snprintf(a->answer->state, sizeof a->answer->state, "07001");
		return OK;
	}
	for (size_t i = 0; i < query->values; i++)
		bind_value(&query->value[i], &length[i], &bind[i]);
	if (query->values > 0 && mysql_stmt_bind_param(a->statement, bind) != 0)
		return statement_refused(a);
	a->answer->maybe_done = !query_reads(query->text);
	if (mysql_stmt_execute(a->statement) != 0)
		return statement_refused(a);
	return OK;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static enum query_kind kind_of(const MYSQL_FIELD *field)
{
	switch (field->type) {
	case MYSQL_TYPE_TINY:
	case MYSQL_TYPE_SHORT:
	case MYSQL_TYPE_INT24:
	case MYSQL_TYPE_LONG:
	case MYSQL_TYPE_LONGLONG:
	case MYSQL_TYPE_YEAR:
	case MYSQL_TYPE_FLOAT:
	case MYSQL_TYPE_DOUBLE:
	case MYSQL_TYPE_DECIMAL:
	case MYSQL_TYPE_NEWDECIMAL: return QUERY_NUMBER;
	case MYSQL_TYPE_JSON: return QUERY_JSON;
	case MYSQL_TYPE_BIT: return QUERY_BYTES;
	case MYSQL_TYPE_DATE:
	case MYSQL_TYPE_TIME:
	case MYSQL_TYPE_DATETIME:
	case MYSQL_TYPE_TIMESTAMP: return QUERY_TEXT;
	default: return field->charsetnr == BINARY_CHARSET ? QUERY_BYTES : QUERY_TEXT;
	}
}

static bool is_long(const MYSQL_FIELD *field)
{
	switch (field->type) {
	case MYSQL_TYPE_TINY_BLOB:
	case MYSQL_TYPE_MEDIUM_BLOB:
	case MYSQL_TYPE_LONG_BLOB:
	case MYSQL_TYPE_BLOB:
	case MYSQL_TYPE_VAR_STRING:
	case MYSQL_TYPE_STRING:
	case MYSQL_TYPE_VARCHAR:
	case MYSQL_TYPE_ENUM:
	case MYSQL_TYPE_SET:
	case MYSQL_TYPE_GEOMETRY:
	case MYSQL_TYPE_JSON: return true;
	default: return false;
	}
}

static enum err bind_columns(struct asking *a, MYSQL_RES *meta)
{
	a->columns = mysql_num_fields(meta);
	if (a->columns > QUERY_COLUMNS_MAX) {
		a->answer->too_large = true;
		return OK;
	}
	a->column = arena_array(a->arena, a->columns, sizeof *a->column);
	a->bind = arena_array(a->arena, a->columns, sizeof *a->bind);
	if (!a->column || !a->bind)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < a->columns; i++) {
		const MYSQL_FIELD *field = mysql_fetch_field_direct(meta, (unsigned int)i);
		struct column *c = &a->column[i];

		c->name = arena_copy(a->arena, (struct str){ field->name, field->name_length });
		if (str_absent(c->name))
			return ERR_NO_MEMORY;
		c->kind = kind_of(field);
		c->is_long = is_long(field);
		c->bind = &a->bind[i];
		c->bind->buffer_type = MYSQL_TYPE_STRING;
		c->bind->buffer = c->text;
		c->bind->buffer_length = c->is_long ? 0 : sizeof c->text;
		c->bind->length = &c->length;
		c->bind->is_null = &c->null;
		c->bind->error = &c->error;
	}
	return mysql_stmt_bind_result(a->statement, a->bind) == 0 ? OK : statement_refused(a);
}

static enum err fetch_long(struct asking *a, size_t i, size_t *ret_at)
{
	struct column *c = &a->column[i];
	unsigned long length = c->length;
	my_bool null = 0, error = 0;
	MYSQL_BIND bind = { .buffer_type = MYSQL_TYPE_STRING, .buffer_length = length, .length = &length,
			    .is_null = &null, .error = &error };

	*ret_at = a->row.n;
	if (length == 0)
		return OK;
	bind.buffer = buf_reserve(&a->row, length);
	if (!bind.buffer)
		return buf_error(&a->row) == ERR_TOO_BIG ? ERR_TOO_BIG : ERR_NO_MEMORY;
	if (mysql_stmt_fetch_column(a->statement, &bind, (unsigned int)i, 0) != 0)
		return ERR_END;
	buf_advance(&a->row, c->length);
	return OK;
}

static enum err hand_over(struct asking *a)
{
	struct query_cell cell[QUERY_COLUMNS_MAX];
	size_t at[QUERY_COLUMNS_MAX] = { 0 };

	buf_clear(&a->row);
	for (size_t i = 0; i < a->columns; i++)
		if (a->column[i].is_long && !a->column[i].null)
			TRY(fetch_long(a, i, &at[i]));
	for (size_t i = 0; i < a->columns; i++) {
		const struct column *c = &a->column[i];
		struct str text = c->is_long ? str_slice(buf_str(&a->row), c->null ? 0 : at[i], c->length)
					     : str_slice((struct str){ c->text, sizeof c->text }, 0, c->length);

		cell[i] = (struct query_cell){ c->null ? QUERY_NULL : c->kind, c->name, c->null ? STR_NONE : text };
	}
	a->answer->rows++;
	return a->query->row(a->query->arg, cell, a->columns);
}

/*
 * What is left of a list that only is read is left unread: the connection ends. What comes with a change is read to its
 * end, which is when the change is made.
 */
static enum err fetch_rows(struct asking *a)
{
	int fetched;
	enum err e;

	a->answer->rows = 0;
	while ((fetched = mysql_stmt_fetch(a->statement)) == 0 || fetched == MYSQL_DATA_TRUNCATED) {
		if (a->answer->rows == a->query->rows_max) {
			a->answer->truncated = true;
			if (query_reads(a->query->text))
				return OK;
			continue;
		}
		e = hand_over(a);
		if (e == ERR_TOO_BIG)
			a->answer->too_large = true;
		if (e == ERR_TOO_BIG || e == ERR_END)
			return e == ERR_END ? statement_refused(a) : OK;
		TRY(e);
	}
	return fetched == MYSQL_NO_DATA ? OK : statement_refused(a);
}

/* --- all of it ---------------------------------------------------------------------------------------------------- */

static bool is_good(const struct asking *a)
{
	return a->answer->state[0] == '\0' && !a->answer->too_large && a->attempt->answer->end == LOGIN_DONE;
}

static enum err take_rows(struct asking *a)
{
	MYSQL_RES *meta = mysql_stmt_result_metadata(a->statement);
	enum err e;

	if (!meta) {
		a->answer->rows = (int64_t)mysql_stmt_affected_rows(a->statement);
		return OK;
	}
	e = bind_columns(a, meta);
	mysql_free_result(meta);
	if (e == OK && is_good(a))
		e = fetch_rows(a);
	return e;
}

static enum err ask(struct asking *a)
{
	TRY(set_limits(a));
	if (is_good(a))
		TRY(execute(a));
	if (is_good(a))
		TRY(take_rows(a));
	if (is_good(a))
		a->answer->maybe_done = false;
	return OK;
}

enum err querying_mysql(struct attempt *attempt, MYSQL *mysql)
{
	struct asking a = { .attempt = attempt, .mysql = mysql, .query = attempt->querying->query,
			    .answer = attempt->querying->answer };
	enum err e = ERR_NO_MEMORY;

	a.arena = arena_new(COLUMNS_ARENA_MAX);
	a.statement = mysql_stmt_init(mysql);
	buf_init(&a.row, a.query->bytes_max);
	if (a.arena && a.statement)
		e = ask(&a);
	/* Closing would read what is left. */
	mysql->status = MYSQL_STATUS_READY;
	if (a.statement)
		(void)mysql_stmt_close(a.statement);
	buf_done(&a.row);
	arena_free(a.arena);
	return e;
}
