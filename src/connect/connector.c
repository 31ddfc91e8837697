#include "connect/connector.h"

#include "base/json_write.h"
#include "base/random.h"
#include "connect/connection.h"
#include "store/db.h"
#include "store/sql_connector.h"
#include "vault/credential.h"
#include "vault/row.h"

enum { ACCOUNT_JSON_MAX = 4096, ACCOUNT_CHARS = 255, MESSAGE_CHARS = 500 };

enum err connector_read(struct ctx *cx, const struct id *id, struct connector *ret_connector)
{
	const struct sql_connector_get_in in = { .connector_id = *id };
	struct sql_connector_get_row row;

	TRY(sql_connector_get(cx->db, &in, &row));
	*ret_connector = CONNECTOR_OF(row);
	return OK;
}

enum err connector_lock(struct ctx *cx, const struct id *id, struct connector *ret_connector)
{
	const struct sql_connector_lock_in in = { .connector_id = *id };
	struct sql_connector_lock_row row;

	ctx_audit_target(cx, ID_CONNECTOR, id);
	TRY(sql_connector_lock(cx->db, &in, &row));
	*ret_connector = CONNECTOR_OF(row);
	cx->audit.service = row.connector_type;
	return OK;
}

/* What may change, as members of a statement's input. */
#define CHANGING_MEMBERS(c)                                                                                            \
	.connector_id = (c)->id, .display_name = (c)->display_name, .auth = (c)->auth, .status = (c)->status,         \
	.credential_id = (c)->credential, .owns_credential = (c)->owns_credential, .account_id = (c)->account_id,     \
	.account_label = (c)->account_label, .scopes = (c)->scopes, .limited = (c)->limited,                          \
	.sync_frequency = (c)->sync_frequency, .last_sync_at = (c)->last_sync_at, .next_sync_at = (c)->next_sync_at,  \
	.next_check_at = (c)->next_check_at, .error_code = (c)->error_code, .error_message = (c)->error_message,      \
	.error_at = (c)->error_at, .updated_at = (c)->updated_at

enum err connector_insert(struct ctx *cx, struct connector *c)
{
	TRY(id_new(&c->id));
	c->created_by = cx->who.user;
	c->created_at = c->updated_at = cx->now_ms;
	if (str_absent(c->sync_frequency))
		c->sync_frequency = STR("manual");
	ctx_audit_target(cx, ID_CONNECTOR, &c->id);
	cx->audit.service = c->type;
	const struct sql_connector_insert_in in = { CHANGING_MEMBERS(c), .connector_type = c->type,
						    .created_by = c->created_by, .created_at = c->created_at };

	return sql_connector_insert(cx->db, &in, NULL);
}

enum err connector_write(struct ctx *cx, struct connector *c)
{
	int64_t rows;

	c->updated_at = ctx_next_update(cx, c->updated_at);
	const struct sql_connector_update_in in = { CHANGING_MEMBERS(c) };

	TRY(sql_connector_update(cx->db, &in, &rows));
	return rows == 1 ? OK : ERR_INTERNAL;
}

void connector_disable(struct connector *c)
{
	c->status = STR("disabled");
	c->next_check_at = (struct opt_int){ 0 };
}

struct opt_int connector_next_sync(struct str sync_frequency, int64_t from_ms)
{
	const int64_t hour = 3600 * 1000;
	const struct {
		struct str name;
		int64_t ms;
	} every[] = { { STR("hourly"), hour },
		      { STR("daily"), 24 * hour },
		      { STR("weekly"), 7 * 24 * hour } };

	for (size_t i = 0; i < sizeof(every) / sizeof(every[0]); i++)
		if (str_eq(sync_frequency, every[i].name))
			return (struct opt_int){ true, from_ms + every[i].ms };
	return (struct opt_int){ 0 };
}

/* A fifth more or less: connectors that were made together aren't tried together for ever. */
static enum err next_check(const struct ctx *cx, int64_t after_ms, int64_t *ret_at)
{
	uint32_t chance;

	TRY(random_bytes(&chance, sizeof(chance)));
	*ret_at = cx->now_ms + after_ms - after_ms / 5 + chance % (after_ms / 5 * 2 + 1);
	return OK;
}

static bool passing(enum verify_code code)
{
	return code == VERIFY_TIMEOUT || code == VERIFY_RATE_LIMITED ||
	       code == VERIFY_HOST_UNREACHABLE || code == VERIFY_BAD_RESPONSE;
}

/* Of the credential's verify members; absent when nothing is known. */
static enum err account_json(struct ctx *cx, struct str id, struct str label, struct str *ret_json)
{
	BUF_AUTO struct buf json = { 0 };
	struct json_writer w;

	*ret_json = STR_NONE;
	if (str_absent(id) && str_absent(label))
		return OK;
	buf_init(&json, ACCOUNT_JSON_MAX);
	jw_start(&w, &json);
	jw_object(&w);
	jw_put_text(&w, "id", id);
	jw_put_text(&w, "label", label);
	jw_object_end(&w);
	TRY(buf_error(&json));
	*ret_json = arena_copy(cx->arena, buf_str(&json));
	return str_absent(*ret_json) ? ERR_NO_MEMORY : OK;
}

static struct str words_of(const struct verify_outcome *outcome)
{
	return str_absent(outcome->message) ? str_of(verify_code_words(outcome->code))
					    : outcome->message;
}

static enum err write_credential(struct ctx *cx, struct credential *c)
{
	c->updated_at = ctx_next_update(cx, c->updated_at);
	return vault_update_row(cx->db, c);
}

/* ERR_END: it has changed since. */
static enum err lock_tried(struct ctx *cx, const struct id *id, struct opt_int version, struct credential *ret_locked)
{
	TRY(connection_lock_credential(cx, id, ret_locked));
	return version.set && version.v != ret_locked->version ? ERR_END : OK;
}

static enum err note_credential(struct ctx *cx, const struct id *id, struct opt_int version,
				const struct verify_outcome *outcome, struct str account_id, struct str account_label)
{
	const bool good = outcome->code == VERIFY_OK;
	struct credential c;
	struct str account;

	TRY(lock_tried(cx, id, version, &c));
	TRY(account_json(cx, account_id, account_label, &account));
	if (!str_absent(account))
		c.verify.account = account;
	c.verify.status = good ? STR("passed") : STR("failed");
	c.verify.error_code = good ? STR_NONE : str_of(verify_code_text(outcome->code));
	c.verify.message = good ? STR_NONE : str_utf8_cut(words_of(outcome), MESSAGE_CHARS);
	c.verify.checked_at = (struct opt_int){ true, cx->now_ms };
	if (good)
		c.status = STR("active");
	else if (!str_eq(c.status, STR("needs_reconnect")) &&
		 !(passing(outcome->code) && str_eq(c.status, STR("active"))))
		c.status = STR("error");
	return write_credential(cx, &c);
}

enum err connector_note_outcome(struct ctx *cx, const struct id *credential, struct opt_int version,
				const struct verify_outcome *outcome)
{
	const bool good = outcome->code == VERIFY_OK;
	const struct str account_id = str_utf8_cut(outcome->account_id, ACCOUNT_CHARS);
	const struct str account_label = str_utf8_cut(outcome->account_label, ACCOUNT_CHARS);
	int64_t check_at;
	enum err e;

	if (outcome->code == VERIFY_UNSUPPORTED)
		return OK;
	TRY(next_check(cx, good ? CONNECTOR_CHECK_MS : CONNECTOR_CHECK_BAD_MS, &check_at));
	e = note_credential(cx, credential, version, outcome, account_id, account_label);
	if (e != OK)
		return e == ERR_END ? OK : e;
	if (good) {
		const struct sql_connector_note_good_in in = { *credential, account_id,
							       account_label, check_at };

		return sql_connector_note_good(cx->db, &in, NULL);
	}
	const struct sql_connector_note_bad_in in = {
		.credential_id = *credential,
		.error_code = str_of(verify_code_text(outcome->code)),
		.error_message = str_utf8_cut(words_of(outcome), MESSAGE_CHARS),
		.passing = passing(outcome->code),
		.next_check_at = check_at,
	};
	return sql_connector_note_bad(cx->db, &in, NULL);
}

enum err connector_note_dead(struct ctx *cx, const struct id *credential, struct str code,
			     struct str message)
{
	const struct sql_connector_note_dead_in in = { *credential, code,
						       str_utf8_cut(message, MESSAGE_CHARS) };
	struct credential c;

	TRY(connection_lock_credential(cx, credential, &c));
	c.status = STR("needs_reconnect");
	c.verify.status = STR("failed");
	c.verify.error_code = code;
	c.verify.message = in.error_message;
	c.verify.checked_at = (struct opt_int){ true, cx->now_ms };
	TRY(write_credential(cx, &c));
	return sql_connector_note_dead(cx->db, &in, NULL);
}

enum err connector_forget_tenant(struct ctx *cx)
{
	TRY(sql_connector_forget_states(cx->db, NULL));
	TRY(sql_connector_forget_tokens(cx->db, NULL));
	TRY(sql_connector_forget_services(cx->db, NULL));
	TRY(sql_connector_forget_sheets(cx->db, NULL));
	return sql_connector_forget_all(cx->db, NULL);
}
