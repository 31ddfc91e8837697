#include "connect/oauth_connect.h"

#include "audit/transact.h"
#include "connect/connection.h"
#include "connect/connector.h"
#include "connect/oauth.h"
#include "connect/token.h"
#include "store/sql_oauth.h"

enum { ACCOUNT_CHARS = 255, NAME_CHARS = 200 };

static struct str account_of(const struct oauth_connect *c)
{
	return str_utf8_cut(c->outcome.account_id, ACCOUNT_CHARS);
}

/* --- which connector ------------------------------------------------------------ */

/* An account that isn't known isn't the same one: a connection never changes hands unseen (RFC 9700, section 4.7). */
static enum err check_account(struct ctx *cx, const struct oauth_connect *c,
			      const struct connector *connector)
{
	struct str account = account_of(c);

	if (str_absent(connector->account_id) || str_eq(connector->account_id, account))
		return OK;
	if (str_absent(account))
		return ctx_fail(
			cx, ERR_OTHER_ACCOUNT,
			"The provider didn't say which account this is, so nothing was changed. Try again.");
	return ERR_OTHER_ACCOUNT;
}

static enum err lock_named(struct ctx *cx, const struct oauth_connect *c,
			   struct connector *ret_connector)
{
	enum err e = connector_lock(cx, &c->state->connector.v, ret_connector);

	if (e == ERR_NOT_FOUND || (e == OK && !str_eq(ret_connector->type, c->type->id)))
		return ctx_fail(cx, ERR_NOT_FOUND,
				"The connector that was to be connected again is gone.");
	TRY(e);
	return check_account(cx, c, ret_connector);
}

/* ERR_NOT_FOUND: none of the tenant's is for this account. */
static enum err lock_same(struct ctx *cx, const struct oauth_connect *c,
			  struct connector *ret_connector)
{
	const struct sql_oauth_connector_of_account_in in = {
		.connector_type = c->type->id,
		.auth = c->way->id,
		.account_id = account_of(c),
	};
	struct sql_oauth_connector_of_account_row row;
	struct sql_oauth_lock_tenant_row tenant;

	if (str_absent(in.account_id))
		return ERR_NOT_FOUND;
	TRY(sql_oauth_lock_tenant(cx->db, &tenant));
	TRY(sql_oauth_connector_of_account(cx->db, &in, &row));
	return connector_lock(cx, &row.connector_id, ret_connector);
}

static enum err find_connector(struct ctx *cx, const struct oauth_connect *c,
			       struct connector *ret_connector, bool *ret_new)
{
	enum err e = c->state->connector.set ? lock_named(cx, c, ret_connector)
					     : lock_same(cx, c, ret_connector);

	*ret_new = e == ERR_NOT_FOUND && !c->state->connector.set;
	return *ret_new ? OK : e;
}

/* --- what is stored -------------------------------------------------------------- */

static enum err name_of(struct ctx *cx, const struct oauth_connect *c, struct str *ret_name)
{
	struct str label = c->outcome.account_label;

	*ret_name = c->type->name;
	if (label.n == 0)
		return OK;
	*ret_name = arena_printf(cx->arena, "%.*s: %.*s", STR_ARG(c->type->name), STR_ARG(label));
	*ret_name = str_utf8_cut(*ret_name, NAME_CHARS);
	return str_absent(*ret_name) ? ERR_NO_MEMORY : OK;
}

static struct str granted(const struct oauth_connect *c)
{
	return str_absent(c->answer->scopes) ? c->state->scopes : c->answer->scopes;
}

/* The tokens go into the connector's credential when that is one of a consent already, else into a new one. */
static enum err store_tokens(struct ctx *cx, const struct oauth_connect *c,
			     struct connector *connector)
{
	struct token_store store = {
		.client_credential = c->state->client,
		.type = c->type,
		.name = connector->display_name,
		.answer = c->answer,
		.kept = c->kept,
		.scopes = granted(c),
	};
	enum err e = ERR_NOT_FOUND;

	if (connector->credential.set && str_eq(connector->auth, c->way->id)) {
		store.credential = connector->credential;
		e = token_store(cx, &store, &connector->credential.v);
	}
	if (e != ERR_NOT_FOUND)
		return e;
	store.credential.set = false;
	connector->credential.set = connector->owns_credential = true;
	return token_store(cx, &store, &connector->credential.v);
}

/* What the connector had before, and has no more. */
static enum err release(struct ctx *cx, struct opt_id before, bool owned,
			const struct connector *connector)
{
	if (!before.set || id_eq(&before.v, &connector->credential.v))
		return OK;
	return connection_release(cx, &before.v, owned);
}

static bool is_good(const struct oauth_connect *c)
{
	return c->outcome.code == VERIFY_OK || c->outcome.code == VERIFY_UNSUPPORTED;
}

static void fill(struct ctx *cx, const struct oauth_connect *c, struct connector *connector)
{
	connector->auth = c->way->id;
	connector->status = is_good(c) ? STR("active") : STR("error");
	connector->scopes = granted(c);
	connector->limited = c->limited;
	connector->error_code = connector->error_message = STR_NONE;
	connector->error_at = (struct opt_int){ 0 };
	connector->next_check_at = (struct opt_int){ true, cx->now_ms + CONNECTOR_CHECK_MS };
	if (str_absent(connector->account_id))
		connector->account_id = account_of(c);
}

static void note(struct ctx *cx, const struct oauth_connect *c, bool new)
{
	ctx_audit_detail(cx, "outcome", c->limited ? STR("limited") : STR("connected"));
	ctx_audit_detail(cx, "connector", new ? STR("new") : STR("again"));
	if (!is_good(c))
		ctx_audit_detail(cx, "test", str_of(verify_code_text(c->outcome.code)));
}

static enum err store(struct ctx *cx, void *arg)
{
	struct oauth_connect *c = arg;
	struct connector connector = { .type = c->type->id };
	struct opt_id before;
	bool new, owned;

	TRY(find_connector(cx, c, &connector, &new));
	before = connector.credential;
	owned = connector.owns_credential;
	if (new)
		TRY(name_of(cx, c, &connector.display_name));
	TRY(store_tokens(cx, c, &connector));
	fill(cx, c, &connector);
	TRY(new ? connector_insert(cx, &connector) : connector_write(cx, &connector));
	TRY(release(cx, before, owned, &connector));
	TRY(connector_note_outcome(cx, &connector.credential.v, (struct opt_int){ 0 }, &c->outcome));
	cx->audit.service = c->type->id;
	ctx_audit_target(cx, ID_CONNECTOR, &connector.id);
	note(cx, c, new);
	c->connector = connector.id;
	return OK;
}

enum err oauth_connect(struct ctx *cx, struct oauth_connect *c)
{
	TRY(verify_connection(cx, c->type, c->way, c->values, &c->outcome));
	c->limited = !oauth_scopes_granted(c->state->scopes, granted(c));
	return audit_transact(cx, AUDIT_OAUTH_CONNECT, store, c);
}
