/* Trying credentials and connectors over HTTP. The call out comes first, then one transaction notes how it went. */
#include "audit/transact.h"
#include "base/json_write.h"
#include "connect/catalog.h"
#include "connect/connection.h"
#include "connect/connector.h"
#include "connect/connector_answer.h"
#include "connect/trial.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "vault/data.h"

static const struct tried NOTHING_STORED; /* the nil id */

struct note {
	const struct tried *tried;
	const struct verify_outcome *outcome;
};

static enum err write_note(struct ctx *cx, void *arg)
{
	const struct note *note = arg;

	return trial_note(cx, note->tried, note->outcome);
}

static enum err answer(struct reply *reply, const struct verify_outcome *outcome)
{
	bool good = outcome->code == VERIFY_OK;
	struct json_writer w;

	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_bool(&w, "success", good);
	jw_put_text(&w, "error_code", good ? STR_NONE : str_of(verify_code_text(outcome->code)));
	jw_put_text(&w, "message",
		    str_absent(outcome->message) ? str_of(verify_code_words(outcome->code))
						 : outcome->message);
	jw_put_int(&w, "latency_ms", outcome->latency_ms);
	connector_write_account(&w, outcome->account_id, outcome->account_label);
	jw_object_end(&w);
	return buf_error(&reply->body);
}

static enum err finish(struct ctx *cx, enum audit_action action, const struct tried *tried,
		       const struct verify_outcome *outcome, struct reply *reply)
{
	struct note note = { tried, outcome };

	ctx_audit_detail(cx, "outcome",
			 outcome->code == VERIFY_OK ? STR("passed")
						    : str_of(verify_code_text(outcome->code)));
	TRY(audit_transact(cx, action, write_note, &note));
	return answer(reply, outcome);
}

enum err credential_test(struct ctx *cx, const struct credential_test_in *in, struct reply *reply)
{
	struct verify_outcome outcome;
	struct tried tried;

	TRY(trial_of_credential(cx, &in->credential_id, &tried, &outcome));
	return finish(cx, AUDIT_CREDENTIAL_TEST, &tried, &outcome, reply);
}

enum err credential_test_unsaved(struct ctx *cx, const struct credential_test_unsaved_in *in,
				 struct reply *reply)
{
	struct verify_outcome outcome;
	enum credential_type type;

	if (!vault_type_parse(in->type, &type))
		return ctx_bad_field(cx, "type", "NOT_ALLOWED", "isn't a type of credential");
	TRY(vault_check_members(cx, type, in->data));
	TRY(vault_check_complete(cx, type, in->data));
	TRY(trial_of_data(cx, in->type, in->service, in->data, &outcome));
	return finish(cx, AUDIT_CREDENTIAL_TEST, &NOTHING_STORED, &outcome, reply);
}

enum err connector_test(struct ctx *cx, const struct connector_test_in *in, struct reply *reply)
{
	struct verify_outcome outcome;
	struct tried tried;

	TRY(trial_of_connector(cx, &in->connector_id, &tried, &outcome));
	return finish(cx, AUDIT_CONNECTOR_TEST, &tried, &outcome, reply);
}

enum err connector_test_unsaved(struct ctx *cx, const struct connector_test_unsaved_in *in,
				struct reply *reply)
{
	const struct connector_type *type = catalog_find(cx->catalog, in->connector_type);
	const struct auth_way *way;
	struct verify_outcome outcome;
	json_t *data;

	if (!type)
		return ctx_bad_field(cx, "connector_type", "NOT_ALLOWED",
				     "isn't a provider of the catalogue");
	way = connection_way(cx, type, in->auth);
	if (!way)
		return ERR_BAD_INPUT;
	TRY(connection_read_config(cx, type, way, in->config, &data));
	TRY(trial_of_way(cx, type, way, data, &outcome));
	return finish(cx, AUDIT_CONNECTOR_TEST, &NOTHING_STORED, &outcome, reply);
}
