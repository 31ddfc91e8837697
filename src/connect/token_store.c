/* What a consent brought: tokens on their way into the vault. */
#include "connect/token.h"
#include "connect/token_source.h"
#include "store/sql_token_refresh.h"
#include "vault/credential.h"

static bool is_exchanged(const struct oauth2_spec *spec)
{
	return spec->refresh_grant.n > 0 && !str_eq(spec->refresh_grant, STR("refresh_token"));
}

/* The row is the new consent's: the client, and nothing of what happened to an earlier one. */
static enum err write_row(struct ctx *cx, const struct token_store *store, const struct id *credential)
{
	const struct oauth2_spec *spec = &store->type->oauth2;
	const struct token_answer *answer = store->answer;
	const struct sql_token_refresh_forget_in forget = { .credential_id = *credential };
	struct sql_token_refresh_insert_in row = { .credential_id = *credential,
						   .client_credential_id = store->client_credential,
						   .expires_at = answer->expires_at };
	bool exchanged = is_exchanged(spec);

	/* Without a new refresh token the old one of a connection that is made again is still there. */
	if (exchanged || !str_absent(answer->refresh_token) || store->credential.set)
		row.due_at = token_due_at(cx, &spec->token, answer->expires_at, answer->refresh_expires_at, exchanged);
	TRY(sql_token_refresh_forget(cx->db, &forget, NULL));
	return sql_token_refresh_insert(cx->db, &row, NULL);
}

static enum err create(struct ctx *cx, const struct token_store *store, const json_t *data, struct id *ret_credential)
{
	const struct vault_new new = {
		.name = store->name, .type = STR("oauth2"), .service = store->type->id, .data = data
	};
	struct credential c;

	TRY(vault_create(cx, &new, &c));
	*ret_credential = c.id;
	return OK;
}

static enum err change(struct ctx *cx, const struct token_store *store, const json_t *data)
{
	const struct vault_change change = { .service = store->type->id, .data = data };
	struct credential c;
	bool changed;

	TRY(vault_lock(cx, &store->credential.v, &c));
	return vault_change(cx, &c, &change, &changed);
}

enum err token_store(struct ctx *cx, const struct token_store *store, struct id *ret_credential)
{
	struct token_answer answer = *store->answer;
	json_t *data;

	if (!str_absent(store->scopes))
		answer.scopes = store->scopes;
	TRY(token_change(cx, false, &store->type->oauth2.token, &answer, store->kept, &data));
	if (store->credential.set) {
		*ret_credential = store->credential.v;
		TRY(change(cx, store, data));
	} else {
		TRY(create(cx, store, data, ret_credential));
	}
	return write_row(cx, store, ret_credential);
}
