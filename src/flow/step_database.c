/*
 * The step `database`: one statement through a credential of type database. What the server says of an error stays
 * here, for it may quote the statement's values: its SQLSTATE says enough.
 */
#include <string.h>

#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/blot.h"
#include "connect/verify.h"
#include "core/calls.h"
#include "crypt/encode.h"
#include "flow/execution.h"
#include "flow/reach.h"
#include "flow/step.h"
#include "net/query.h"

enum { ROWS_USUAL = 100, ROWS_MAX = 1000, RECEIVED_MAX = 1 << 20, DIGITS_MAX = 15 };

struct asking {
	struct ctx *cx;
	struct step_run *run;
	struct reach reach;
	struct query query;
	struct query_answer answer;
	enum verify_kind engine;
	struct texts secrets;
	struct json_writer w;
	size_t columns; /* of the first row */
	const struct str *name;
};

/* --- rows -------------------------------------------------------------------------------------------------- */

/* Two columns of one name would be one member: the second is name_2. */
static bool is_taken(const struct str *name, size_t n, struct str one)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name[i], one))
			return true;
	return false;
}

static enum err name_columns(struct asking *a, const struct query_cell *cell, size_t cells)
{
	struct str *name = arena_array(a->cx->arena, cells + 1, sizeof *name);

	if (!name)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < cells; i++) {
		name[i] = arena_copy(a->cx->arena, cell[i].column);
		for (int n = 2; !str_absent(name[i]) && is_taken(name, i, name[i]); n++)
			name[i] = arena_printf(a->cx->arena, "%.*s_%d", STR_ARG(cell[i].column), n);
		if (str_absent(name[i]))
			return ERR_NO_MEMORY;
	}
	a->name = name;
	a->columns = cells;
	return OK;
}

/* One that JSON has, and that whoever reads JSON reads as it is: of more digits it is a text. */
static bool is_exact_number(struct str text)
{
	size_t digits = 0;

	for (size_t i = 0; i < text.n && text.p[i] != 'e'; i++)
		digits += char_is_digit(text.p[i]);
	return digits <= DIGITS_MAX && text.n > 0 && (char_is_digit(text.p[text.n - 1])) && json_check(text) == OK;
}

static enum err write_text(struct asking *a, struct str text)
{
	TRY(blot_text(a->cx->arena, a->secrets, &text));
	jw_add_text(&a->w, text);
	return OK;
}

/* Bytes that are text are shown as text. */
static enum err write_bytes(struct asking *a, struct str bytes)
{
	BUF_AUTO struct buf text = { 0 };

	if (str_is_utf8(bytes))
		return write_text(a, bytes);
	buf_init(&text, BASE64_CHARS(bytes.n));
	base64_encode(&text, bytes);
	TRY(buf_error(&text));
	return write_text(a, buf_str(&text));
}

static enum err write_json(struct asking *a, struct str text)
{
	json_t *json;
	enum err e = json_read(a->cx->arena, text, &json, NULL);

	if (e == ERR_BAD_JSON)
		return write_text(a, text);
	TRY(e);
	return blot_json(a->cx->arena, a->secrets, json, &a->w);
}

static enum err write_cell(struct asking *a, const struct query_cell *cell)
{
	switch (cell->kind) {
	case QUERY_NULL: jw_add_null(&a->w); return OK;
	case QUERY_BOOL: jw_add_bool(&a->w, str_eq(cell->text, STR("t"))); return OK;
	case QUERY_JSON: return write_json(a, cell->text);
	case QUERY_BYTES: return write_bytes(a, cell->text);
	case QUERY_NUMBER:
		if (!is_exact_number(cell->text) || blot_finds(cell->text, a->secrets))
			return write_text(a, cell->text);
		jw_add_raw(&a->w, cell->text);
		return OK;
	case QUERY_TEXT: break;
	}
	return write_text(a, cell->text);
}

static enum err take_row(void *arg, const struct query_cell *cell, size_t cells)
{
	struct asking *a = arg;

	if (!a->name)
		TRY(name_columns(a, cell, cells));
	jw_object(&a->w);
	for (size_t i = 0; i < cells && i < a->columns; i++) {
		struct str name = a->name[i];

		TRY(blot_text(a->cx->arena, a->secrets, &name));
		jw_key_str(&a->w, name);
		TRY(write_cell(a, &cell[i]));
	}
	jw_object_end(&a->w);
	return buf_error(&a->run->output) == ERR_TOO_BIG ? ERR_STEP_OUTPUT_TOO_LARGE : buf_error(&a->run->output);
}

/* --- the query ---------------------------------------------------------------------------------------------- */

/* Lists and objects go as JSON. */
static enum err read_value(struct asking *a, const json_t *json, struct query_value *ret_value)
{
	char text[JSON_SCALAR_MAX];
	BUF_AUTO struct buf tree = { 0 };
	struct json_writer w;
	bool flag;

	*ret_value = (struct query_value){ .kind = QUERY_NULL };
	if (json_is_kind(json, JSON_NULL))
		return OK;
	if (json_bool_of(json, &flag)) {
		*ret_value = (struct query_value){ .kind = QUERY_BOOL, .number = flag };
		return OK;
	}
	ret_value->kind = json_integer_of(json, &ret_value->number) ? QUERY_NUMBER : QUERY_TEXT;
	ret_value->text = json_scalar_text(json, text);
	if (str_absent(ret_value->text)) {
		buf_init(&tree, EXECUTION_OUTPUT_MAX);
		jw_start(&w, &tree);
		jw_add_tree(&w, json);
		TRY(buf_error(&tree));
		ret_value->text = buf_str(&tree);
	}
	ret_value->text = arena_copy(a->cx->arena, ret_value->text);
	return str_absent(ret_value->text) ? ERR_NO_MEMORY : OK;
}

static enum err read_values(struct asking *a)
{
	const json_t *list = json_member(a->run->config, "parameters");
	struct query_value *value;

	if (!list || json_is_kind(list, JSON_NULL))
		return OK;
	if (!json_is_kind(list, JSON_ARRAY) || json_length(list) > QUERY_PARAMETERS_MAX)
		return step_wrong(a->cx, a->run, "`parameters` is a list of at most 200.");
	value = arena_array(a->cx->arena, json_length(list) + 1, sizeof *value);
	if (!value)
		return ERR_NO_MEMORY;
	a->query.value = value;
	a->query.values = json_length(list);
	for (size_t i = 0; i < a->query.values; i++)
		TRY(read_value(a, json_item(list, i), &value[i]));
	return OK;
}

static enum err read_config(struct asking *a)
{
	const json_t *config = a->run->config;
	int64_t rows = ROWS_USUAL;

	a->query.text = json_member_text(config, "query");
	a->query.bytes_max = RECEIVED_MAX;
	a->query.row = take_row;
	a->query.arg = a;
	if (a->query.text.n == 0)
		return step_wrong(a->cx, a->run, "The query is empty.");
	if (!json_integer_of(json_member(config, "max_rows"), &rows))
		rows = ROWS_USUAL;
	if (rows < 1 || rows > ROWS_MAX)
		return step_wrong(a->cx, a->run, "`max_rows` is 1 to 1000.");
	a->query.rows_max = rows;
	return read_values(a);
}

/* --- where ----------------------------------------------------------------------------------------------------- */

static enum err find_engine(struct asking *a)
{
	struct str engine = values_get(&a->reach.values, STR("engine"));

	a->engine = str_eq(engine, STR("postgresql")) ? VERIFY_POSTGRESQL : VERIFY_MYSQL;
	if (a->engine == VERIFY_POSTGRESQL || str_eq(engine, STR("mysql")) || str_eq(engine, STR("mariadb")))
		return OK;
	return ctx_fail(a->cx, ERR_NOT_CONNECTED, "The credential's engine isn't one that can be asked.");
}

static enum err open_credential(struct asking *a)
{
	struct verify_outcome outcome = { .code = VERIFY_OK };
	enum err e;

	TRY(reach_credential(a->cx, json_member_text(a->run->config, "credential_id"), &a->reach));
	if (!str_eq(a->reach.credential_type, STR("database")))
		return step_wrong(a->cx, a->run, "The credential isn't one of type database.");
	TRY(reach_open(a->cx, a->run, &a->reach));
	TRY(find_engine(a));
	e = verify_login_read(a->engine, &a->reach.values, &a->query.login, &outcome);
	if (e == ERR_END) {
		a->cx->problem.detail = outcome.message;
		return ERR_NOT_CONNECTED;
	}
	TRY(e);
	return reach_secrets(a->cx, &a->reach, NULL, &a->secrets);
}

/* --- how it ended ------------------------------------------------------------------------------------------------ */

static const struct {
	const char *state; /* or its class */
	const char *words;
	bool passes;
} STATES[] = {
	{ "42601", "The query can't be understood", false },
	{ "42000", "The query can't be understood, or isn't allowed", false },
	{ "42P01", "There is no such table", false },
	{ "42S02", "There is no such table", false },
	{ "42703", "There is no such column", false },
	{ "42S22", "There is no such column", false },
	{ "42501", "The user may not do this", false },
	{ "42P02", "There are fewer parameters than the query asks for", false },
	{ "07001", "The query asks for another number of parameters", false },
	{ "08P01", "The query asks for another number of parameters", false },
	{ "25006", "The connection is one that only reads", false },
	{ "40", "Another transaction was in the way", true },
	{ "53", "The server has no room for this", true },
	{ "55P03", "A row is in use", true },
	{ "57P", "The server is going down, or starting up", true },
	{ "22", "A value isn't one that the query can take", false },
	{ "23", "A rule of the table doesn't allow this", false },
};

static enum err refused(struct asking *a)
{
	static const char OTHER[] = "The database refused the query";
	const char *words = OTHER, *state = a->answer.state;

	a->run->hopeless = true;
	if (strcmp(state, "57014") == 0 || strcmp(state, "70100") == 0) {
		a->run->hopeless = false;
		return ctx_fail(a->cx, ERR_UPSTREAM_TIMEOUT, "The query took too long and was ended.");
	}
	for (size_t i = 0; i < ARRAY_SIZE(STATES) && words == OTHER; i++) {
		if (strncmp(state, STATES[i].state, strlen(STATES[i].state)) != 0)
			continue;
		words = STATES[i].words;
		a->run->hopeless = !STATES[i].passes;
	}
	return ctx_fail(a->cx, ERR_QUERY_FAILED, arena_printf(a->cx->arena, "%s (SQLSTATE %s).", words, state).p);
}

static enum err not_asked(struct asking *a)
{
	static const struct {
		enum err e;
		const char *words;
		bool hopeless;
	} ENDS[] = {
		[LOGIN_DONE] = { ERR_INTERNAL, NULL, true },
		[LOGIN_REFUSED] = { ERR_NOT_CONNECTED, "The database refuses the user or the password.", true },
		[LOGIN_NOT_ALLOWED] = { ERR_NOT_CONNECTED, "There is no such database, or the user may not use it.", true },
		[LOGIN_FORBIDDEN] = { ERR_HOST_FORBIDDEN, NULL, true },
		[LOGIN_UNREACHABLE] = { ERR_UPSTREAM, "The database can't be reached.", false },
		[LOGIN_NO_TLS] = { ERR_UPSTREAM, "There is no TLS with the database, or its certificate isn't trusted.", true },
		[LOGIN_TIMEOUT] = { ERR_UPSTREAM_TIMEOUT, "The database didn't answer in time.", false },
		[LOGIN_BUSY] = { ERR_UPSTREAM, "The database has too many connections, or is starting up.", false },
		[LOGIN_ODD] = { ERR_UPSTREAM, "What the database said isn't understood.", false },
	};
	enum login_end end = a->answer.end;
	const char *words = a->answer.words ? a->answer.words : ENDS[end].words;

	a->run->hopeless = ENDS[end].hopeless;
	return words ? ctx_fail(a->cx, ENDS[end].e, words) : ENDS[end].e;
}

static enum err judge(struct asking *a, enum err e)
{
	a->run->unsent = !a->answer.maybe_done;
	if (e == ERR_TOO_BIG)
		return step_wrong(a->cx, a->run, "The query or its parameters are too large: 1 MiB at most.");
	if (e != OK) {
		a->run->hopeless = e == ERR_STEP_OUTPUT_TOO_LARGE;
		return e;
	}
	if (a->answer.too_large) {
		a->run->hopeless = true;
		return ctx_fail(a->cx, ERR_STEP_OUTPUT_TOO_LARGE, "The database's answer has more than 200 columns, or than 1 MiB.");
	}
	/* What the server said counts, even if the connection ended with it. */
	if (a->answer.state[0])
		return refused(a);
	return a->answer.end == LOGIN_DONE ? OK : not_asked(a);
}

/* --- all of it --------------------------------------------------------------------------------------------------- */

static enum err ask(struct asking *a)
{
	struct ctx *cx = a->cx;
	enum err e;
	int place;

	if (!cx->egress)
		return ERR_INTERNAL;
	e = call_enter(cx, a->query.login.host, step_left_ms(a->run), &place);
	if (e != OK)
		return reach_failed(cx, a->run, e);
	a->query.login.timeout_ms = step_left_ms(a->run);
	jw_start(&a->w, &a->run->output);
	jw_object(&a->w);
	jw_key(&a->w, "rows");
	jw_array(&a->w);
	e = (a->engine == VERIFY_POSTGRESQL ? query_postgresql : query_mysql)(&a->query, cx->egress, &a->answer);
	calls_leave(cx->calls, place);
	e = judge(a, e);
	if (e != OK) {
		buf_clear(&a->run->output);
		return e;
	}
	jw_array_end(&a->w);
	jw_put_int(&a->w, "row_count", a->answer.rows);
	jw_put_bool(&a->w, "truncated", a->answer.truncated);
	jw_object_end(&a->w);
	return OK;
}

enum err step_database(struct ctx *cx, struct step_run *run)
{
	struct asking a = { .cx = cx, .run = run };
	enum err e;

	reach_init(&a.reach);
	e = read_config(&a);
	if (e == OK)
		e = open_credential(&a);
	e = e == OK ? ask(&a) : reach_failed(cx, run, e);
	reach_done(&a.reach);
	return e;
}
