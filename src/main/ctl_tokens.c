/* latchctl token. */
#include "identity/api_token.h"
#include "main/ctl.h"
#include "store/sql_token.h"

struct new_token {
	scopes scopes;
	struct opt_int expires_at;
	struct id id;
	struct secret text;
};

static enum err make_token(struct ctl *ctl, void *arg)
{
	struct new_token *new = arg;

	secret_done(&new->text);
	TRY(api_token_make(&ctl->cx, str_of(ctl_option(ctl, "name")), new->scopes, new->expires_at,
			   &new->id, &new->text));
	ctx_audit_target(&ctl->cx, ID_TOKEN, &new->id);
	return OK;
}

static enum err read_token_options(const struct ctl *ctl, struct new_token *new)
{
	struct str list = str_of(ctl_option(ctl, "scopes")), scope;
	const char *expires = ctl_option(ctl, "expires");

	while (!str_absent(scope = config_list_next(&list))) {
		if (!scope_parse(scope))
			return ctl_fail(ERR_BAD_INPUT, "%.*s is no scope", STR_ARG(scope));
		new->scopes |= scope_parse(scope);
	}
	new->expires_at.set = expires != NULL;
	if (expires && !time_parse(str_of(expires), &new->expires_at.v))
		return ctl_fail(ERR_BAD_INPUT, "%s is no time (RFC 3339)", expires);
	return new->scopes ? OK : ctl_fail(ERR_BAD_INPUT, "--scopes names none");
}

static enum err create_token(struct ctl *ctl, struct new_token *new)
{
	static const char *const COLUMNS[] = { "id", "token" };
	char id[ID_TEXT_MAX];
	struct ctl_list list;

	TRY(read_token_options(ctl, new));
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, NULL));
	TRY(ctl_act_as(ctl));
	/* A token works as long as the one whom it is named after may make tokens. */
	if (ctl->cx.who.role < ROLE_ADMIN)
		return ctl_fail(ERR_DENIED, "%s is no admin or owner of the tenant", ctl_option(ctl, "email"));
	TRY(ctl_say(ctl_change(ctl, AUDIT_TOKEN_CREATE, make_token, new), "the token"));
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){ id_format(ID_TOKEN, &new->id, id), secret_str(&new->text) });
	ctl_list_end(&list);
	return OK;
}

enum err ctl_token_create(struct ctl *ctl)
{
	struct new_token new = { 0 };
	enum err e = create_token(ctl, &new);

	secret_done(&new.text);
	return e;
}

static enum err token_page(struct db *db, const struct id *behind)
{
	return sql_api_token_list(db, &(struct sql_api_token_list_in){ *behind, CTL_PAGE });
}

static enum err print_next_token(struct ctl_list *list, struct id *ret_id)
{
	char id[ID_TEXT_MAX], created[TIME_TEXT_MAX], expires[TIME_TEXT_MAX], used[TIME_TEXT_MAX];
	struct sql_api_token_list_row row;

	TRY(sql_api_token_list_next(list->ctl->cx.db, &row));
	ctl_list_row(list, (const struct str[]){ id_format(ID_TOKEN, &row.token_id, id), row.name, row.scopes,
						 time_format(row.created_at, created),
						 ctl_time(row.expires_at, expires),
						 ctl_time(row.last_used_at, used) });
	*ret_id = row.token_id;
	return OK;
}

enum err ctl_token_list(struct ctl *ctl)
{
	static const char *const COLUMNS[] = { "id", "name", "scopes", "created_at", "expires_at", "last_used_at" };

	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, NULL));
	return ctl_list_pages(ctl, &(struct ctl_pages){ "tokens", COLUMNS, ARRAY_SIZE(COLUMNS), ID_MAX, token_page,
							print_next_token });
}

static enum err revoke_token(struct ctl *ctl, void *arg)
{
	struct id id;

	(void)arg;
	if (!id_parse(ID_TOKEN, str_of(ctl->argument[0]), &id))
		return ERR_NOT_FOUND;
	ctx_audit_target(&ctl->cx, ID_TOKEN, &id);
	return api_token_end(&ctl->cx, &id);
}

enum err ctl_token_revoke(struct ctl *ctl)
{
	TRY(ctl_open(ctl, ACCOUNT_CTL, 0));
	TRY(ctl_enter_tenant(ctl, NULL));
	TRY(ctl_say(ctl_change(ctl, AUDIT_TOKEN_DELETE, revoke_token, NULL), ctl->argument[0]));
	ctl_note(ctl, "%s is revoked", ctl->argument[0]);
	return OK;
}
