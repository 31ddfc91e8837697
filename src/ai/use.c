/* Whom to ask, with which key, and what it cost. */
#include "ai/ask.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/log.h"
#include "connect/catalog.h"
#include "store/sql_ai.h"
#include "store/sql_service.h"
#include "vault/seal.h"
#include "vault/use.h"

/* --- whom ----------------------------------------------------------------------------------------- */

static struct str default_model(const struct ctx *cx, enum model_wire wire)
{
	switch (wire) {
	case MODEL_OPENAI: return str_of(cx->config->ai_openai_model);
	case MODEL_ANTHROPIC: return str_of(cx->config->ai_anthropic_model);
	default: return str_of(cx->config->ai_gemini_model);
	}
}

/* The tenant's key of that provider: of the service that it has switched on, or of the short form. */
static enum err find_key(struct ctx *cx, struct str service, struct id *ret_credential)
{
	const struct sql_service_get_in setting_of = { .service = service };
	const struct sql_model_key_in key_of = { .service = service };
	struct sql_service_get_row setting;
	struct sql_model_key_row key;
	enum err e = sql_service_get(cx->db, &setting_of, &setting);

	if (e != OK && e != ERR_NOT_FOUND)
		return e;
	if (e == OK && !setting.enabled)
		return ctx_fail(cx, ERR_AI_NO_PROVIDER, "That provider of models is switched off.");
	if (e == OK && setting.credential_id.set) {
		*ret_credential = setting.credential_id.v;
		return OK;
	}
	e = sql_model_key(cx->db, &key_of, &key);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_AI_NO_PROVIDER : e;
	*ret_credential = key.credential_id;
	return OK;
}

enum err model_choose(struct ctx *cx, struct str provider, struct str model,
		      struct opt_id credential, struct model_choice *ret_choice)
{
	struct str chosen = provider.n > 0 ? provider : str_of(cx->config->ai_provider);

	if (!model_wire_of(chosen, &ret_choice->wire))
		return provider.n > 0 ? ctx_fail(cx, ERR_AI_NO_PROVIDER,
						 "There is no such provider of models.")
				      : ctx_fail(cx, ERR_CONFIG,
						 "ai.provider names no provider of models.");
	ret_choice->provider = model_provider(ret_choice->wire);
	ret_choice->model = model.n > 0 ? model : default_model(cx, ret_choice->wire);
	ret_choice->credential = credential.v;
	return credential.set ? OK : find_key(cx, ret_choice->provider, &ret_choice->credential);
}

/* --- with which key ------------------------------------------------------------------------------- */

/* It must be one for that provider: no other credential goes there. */
static enum err open_key(struct ctx *cx, const struct connector_type *type,
			 const struct id *credential, struct values *values)
{
	struct vault_opened opened;
	json_t *data = NULL;
	enum err e = vault_open_newest(cx, credential, &opened);

	if (e == ERR_NOT_FOUND)
		return ctx_fail(cx, ERR_AI_NO_PROVIDER, "The key is gone.");
	if (e == OK && !str_eq(opened.service, type->id))
		e = ctx_fail(cx, ERR_AI_NO_PROVIDER, "The credential isn't one of that provider.");
	if (e == OK)
		e = json_read(cx->arena, secret_str(&opened.plain), &data, NULL);
	if (e == OK)
		e = values_read(type, data, values);
	secret_done(&opened.plain);
	return e;
}

/* --- what it cost --------------------------------------------------------------------------------- */

static int64_t count_of(struct opt_int tokens) { return tokens.set ? tokens.v : 0; }

/* An answer that was paid for isn't thrown away because its row can't be written. */
static void note_usage(struct ctx *cx, const struct model_asking *asking,
		       const struct model_answer *answer, enum err outcome, int64_t begun_us)
{
	struct sql_ai_usage_insert_in row = {
		.provider = asking->choice->provider,
		.model = asking->choice->model,
		.source = str_of(asking->source),
		.source_id = asking->source_id,
		.tokens_in = count_of(answer->tokens_in),
		.tokens_out = count_of(answer->tokens_out),
		.outcome = outcome == OK ? STR("ok") : str_of(err_code(outcome)),
		.duration_ms = (clock_monotonic_us() - begun_us) / 1000,
		.created_at = clock_now_ms(),
	};
	enum err e = id_new(&row.usage_id);

	if (e == OK)
		e = sql_ai_usage_insert(cx->db, &row, NULL);
	if (e != OK)
		log_write(LOG_WARN, "what a model cost wasn't written down",
			  LOG_FIELDS(log_err(e)));
}

enum err model_ask(struct ctx *cx, const struct model_asking *asking,
		   struct model_answer *ret_answer)
{
	const struct connector_type *type = catalog_find(cx->catalog, asking->choice->provider);
	int64_t begun_us = clock_monotonic_us();
	VALUES_AUTO struct values values;
	enum err e;

	*ret_answer = (struct model_answer){ .text = STR("") };
	values_init(&values);
	if (!type)
		return ctx_fail(cx, ERR_AI_NO_PROVIDER,
				"The catalogue has no such provider of models.");
	TRY(vault_may_use(cx));
	TRY(open_key(cx, type, &asking->choice->credential, &values));
	e = model_send(cx, asking, type, &values, ret_answer);
	note_usage(cx, asking, ret_answer, e, begun_us);
	return e;
}

bool model_is_silent(enum err e)
{
	switch (e) {
	case ERR_AI_NO_PROVIDER:
	case ERR_AI_KEY_REFUSED:
	case ERR_AI_QUOTA:
	case ERR_AI_BLOCKED:
	case ERR_AI_TOO_LONG:
	case ERR_AI_MODEL_UNKNOWN:
	case ERR_AI_REFUSED:
	case ERR_AI_UNAVAILABLE:
	case ERR_AI_TIMEOUT:
	case ERR_AI_CUT:
	case ERR_AI_ROUNDS:
	case ERR_AI_ANSWER_UNREADABLE:
	case ERR_PROVIDER_BUSY:
	case ERR_HOST_FORBIDDEN: return true;
	default: return false;
	}
}

bool model_may_answer_later(enum err e)
{
	switch (e) {
	case ERR_AI_QUOTA:
	case ERR_AI_UNAVAILABLE:
	case ERR_AI_TIMEOUT:
	case ERR_AI_CUT:
	case ERR_AI_ANSWER_UNREADABLE:
	case ERR_PROVIDER_BUSY: return true;
	default: return false;
	}
}

void model_put_tokens(struct json_writer *w, const struct model_answer *answer)
{
	jw_key(w, "tokens");
	jw_object(w);
	jw_put_int(w, "input", count_of(answer->tokens_in));
	jw_put_int(w, "output", count_of(answer->tokens_out));
	jw_object_end(w);
}
