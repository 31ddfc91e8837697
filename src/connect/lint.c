#include "connect/lint.h"

#include "base/buf.h"
#include "base/json_read.h"
#include "connect/pattern.h"
#include "connect/spelling.h"
#include "connect/template.h"
#include "vault/types.h"

enum { JSON_MAX = 8192 };

/* What the way a message is sent decides, not who sends it (RFC 9110, sections 7.2 and 7.6; RFC 9112, section 6). */
static const char *const OUR_HEADERS[] = { "host",	 "content-length", "transfer-encoding", "connection",
					   "keep-alive", "te",		   "trailer",		"upgrade",
					   "expect",	 "proxy-authorization" };

/* --- requests -------------------------------------------------------------------------------- */

static void check_pairs(const struct lint *lint, const char *member, const struct pairs *pairs)
{
	size_t before = faults_enter(lint->faults, str_of(member));

	for (size_t i = 0; i < pairs->n; i++) {
		lint_template(lint, pairs->v[i].name.p, pairs->v[i].name);
		lint_template(lint, pairs->v[i].name.p, pairs->v[i].value);
	}
	faults_leave(lint->faults, before);
}

static void check_header_name(const struct lint *lint, struct str name)
{
	if (str_find(name, '{') < name.n)
		return;
	if (!spelling_is_header(name))
		fault(lint->faults, "that isn't a header's name");
	for (size_t i = 0; i < ARRAY_SIZE(OUR_HEADERS); i++)
		if (str_eq_nocase(name, str_of(OUR_HEADERS[i])))
			fault(lint->faults, "that header isn't a type's to set");
}

static void check_headers(const struct lint *lint, const char *member, const struct pairs *headers)
{
	size_t before = faults_enter(lint->faults, str_of(member));

	for (size_t i = 0; i < headers->n; i++) {
		size_t item = faults_enter(lint->faults, headers->v[i].name);

		check_header_name(lint, headers->v[i].name);
		faults_leave(lint->faults, item);
	}
	faults_leave(lint->faults, before);
	check_pairs(lint, member, headers);
}

/* With 0 for each name, which fits inside a text and outside of one, it has to be JSON. */
static void check_json(const struct lint *lint, struct str json)
{
	BUF_AUTO struct buf filled = { 0 };
	size_t before = faults_enter(lint->faults, STR("json"));
	struct template_piece piece;
	struct str rest = json;
	json_t *tree;

	buf_init(&filled, JSON_MAX);
	while (template_next(&rest, &piece)) {
		buf_add_str(&filled, piece.literal);
		buf_add_c(&filled, str_absent(piece.name) ? "" : "0");
	}
	if (!str_absent(json) && json_read(lint->arena, buf_str(&filled), &tree, NULL) != OK)
		fault(lint->faults, "it isn't JSON");
	faults_leave(lint->faults, before);
	lint_template(lint, "json", json);
}

static void check_request(const struct lint *lint, const char *member, const struct request_spec *request, bool needed)
{
	size_t before = faults_enter(lint->faults, str_of(member));

	if (needed && str_absent(request->url))
		fault(lint->faults, "it is missing");
	lint_url(lint, "url", request->url);
	check_headers(lint, "headers", &request->headers);
	check_pairs(lint, "query", &request->query);
	check_pairs(lint, "form", &request->form);
	check_json(lint, request->json);
	lint_template(lint, "basic", request->basic_user);
	lint_template(lint, "basic", request->basic_password);
	if (request->form.n > 0 && !str_absent(request->json))
		fault(lint->faults, "a body is a form or JSON, not both");
	faults_leave(lint->faults, before);
}

/* --- ways ---------------------------------------------------------------------------------------- */

static bool mode_has_part(const struct connector_type *type, enum auth_mode mode)
{
	return (mode != AUTH_OAUTH2 || type->has_oauth2) &&
	       (mode != AUTH_CLIENT_CREDENTIALS || type->has_client_credentials) &&
	       (mode != AUTH_SERVICE_ACCOUNT || type->has_service_account);
}

static bool carries_nothing(const struct auth_way *way)
{
	return way->headers.n == 0 && way->query.n == 0 && !way->basic && !way->aws_sigv4;
}

static bool way_fills(const struct connector_type *type, const struct auth_way *way, struct str member)
{
	for (size_t i = 0; i < way->data.n; i++)
		if (str_eq(way->data.v[i].name, member))
			return true;
	for (size_t i = 0; i < type->fields; i++) {
		const struct connector_field *field = &type->field[i];

		if (connector_asks(way, field) && (str_eq(field->member, member) || str_eq(field->member, STR("*"))) &&
		    (field->required || !str_absent(field->default_value)))
			return true;
	}
	return false;
}

static void check_credential(const struct lint *lint, const struct auth_way *way)
{
	const struct vault_member *m = NULL;
	enum credential_type credential;

	if (!vault_type_parse(way->credential, &credential))
		return; /* it was a fault already */
	while ((m = vault_member_next(credential, m)))
		if (m->required && !way_fills(lint->type, way, str_of(m->name)))
			fault(lint->faults, "no required field gives the credential its %s", m->name);
	for (size_t i = 0; i < way->data.n; i++)
		if (!vault_member_find(credential, way->data.v[i].name))
			fault(lint->faults, "a credential of that type has no member %.*s",
			      STR_ARG(way->data.v[i].name));
}

static void check_way(const struct lint *lint, const struct auth_way *way)
{
	for (const struct auth_way *other = lint->type->way; other < way; other++)
		if (str_eq(other->id, way->id))
			fault(lint->faults, "another way has that id: %.*s", STR_ARG(way->id));
	if (!mode_has_part(lint->type, way->mode))
		fault(lint->faults, "the file has no part for that mode");
	if (carries_nothing(way) && (way->mode <= AUTH_BASIC || way->mode == AUTH_AWS))
		fault(lint->faults, "it doesn't say how a request carries the credential");
	check_credential(lint, way);
	check_headers(lint, "headers", &way->headers);
	check_pairs(lint, "query", &way->query);
	lint_template(lint, "basic", way->basic_user);
	lint_template(lint, "basic", way->basic_password);
}

static void check_way_names(const struct lint *lint, const struct texts *ways)
{
	for (size_t i = 0; i < ways->n; i++)
		if (!connector_way(lint->type, ways->v[i]))
			fault(lint->faults, "there is no way %.*s", STR_ARG(ways->v[i]));
}

/* --- fields ----------------------------------------------------------------------------------------- */

static void check_member(const struct lint *lint, const struct auth_way *way, const struct connector_field *field)
{
	const struct vault_member *m;
	enum credential_type credential;

	if (!vault_type_parse(way->credential, &credential) || str_eq(field->member, STR("*")))
		return;
	if (str_starts(field->member, STR("extra."))) {
		if (!spelling_is_name(str_slice(field->member, 6, SIZE_MAX)))
			fault(lint->faults, "what follows extra. has to be a name");
		return;
	}
	m = vault_member_find(credential, field->member);
	if (!m)
		fault(lint->faults, "%.*s has no member %.*s: use extra.NAME", STR_ARG(way->credential),
		      STR_ARG(field->member));
	else if (field->secret && !m->secret)
		fault(lint->faults, "%s is shown to everybody: use extra.NAME for a secret", m->name);
}

static void check_field(const struct lint *lint, const struct connector_field *field)
{
	for (const struct connector_field *other = lint->type->field; other < field; other++)
		if (str_eq(other->name, field->name))
			fault(lint->faults, "another field has that name");
	check_way_names(lint, &field->ways);
	for (size_t i = 0; i < lint->type->ways; i++)
		if (connector_asks(&lint->type->way[i], field))
			check_member(lint, &lint->type->way[i], field);
	for (size_t i = 0; i < field->choices.n; i++)
		if (!pattern_holds(field->pattern, field->choices.v[i]))
			fault(lint->faults, "a choice doesn't hold the pattern");
	if (field->choice_labels.n > 0 && field->choice_labels.n != field->choices.n)
		fault(lint->faults, "each choice has a label, or none has");
	if (!str_absent(field->default_value) && !pattern_holds(field->pattern, field->default_value))
		fault(lint->faults, "the default doesn't hold the pattern");
	if (field->choices.n > 0 && !str_absent(field->default_value) &&
	    !texts_have(&field->choices, field->default_value))
		fault(lint->faults, "the default isn't one of the choices");
	if (field->choice_labels.n > 0 && field->choice_labels.n != field->choices.n)
		fault(lint->faults, "choice_labels doesn't have one for each of the choices");
}

static void check_placeholder(const struct lint *lint, const struct placeholder *placeholder)
{
	if (!str_absent(placeholder->default_value) && !pattern_holds(placeholder->pattern, placeholder->default_value))
		fault(lint->faults, "the default doesn't hold the pattern");
}

/* --- tokens -------------------------------------------------------------------------------------------- */

static void check_token(const struct lint *lint, const struct token_rules *token)
{
	size_t before = faults_enter(lint->faults, STR("token"));
	char text[KEPT_NAME_MAX];

	for (size_t i = 0; i < token->keep.n; i++)
		if (!spelling_is_name(kept_name(token->keep.v[i], text)))
			fault(lint->faults, "%.*s makes no name", STR_ARG(token->keep.v[i]));
	faults_leave(lint->faults, before);
}

static void check_after_token(const struct lint *lint, const struct after_token_spec *after)
{
	size_t before = faults_enter(lint->faults, STR("after_token"));

	check_request(lint, "request", &after->request, true);
	for (size_t i = 0; i < after->values.n; i++) {
		size_t item = faults_enter(lint->faults, STR("values"));

		if (!spelling_is_name(after->values.v[i].name))
			fault(lint->faults, "%.*s makes no name", STR_ARG(after->values.v[i].name));
		if (!spelling_is_path(after->values.v[i].value))
			fault(lint->faults, "%.*s isn't a path such as a.b[0].c", STR_ARG(after->values.v[i].value));
		faults_leave(lint->faults, item);
	}
	faults_leave(lint->faults, before);
}

static void check_oauth2(const struct lint *lint, const struct oauth2_spec *oauth2)
{
	lint_url(lint, "authorization_url", oauth2->authorization_url);
	lint_url(lint, "token_url", oauth2->token_url);
	lint_client_place(lint, "authorization_url", oauth2->authorization_url);
	lint_client_place(lint, "token_url", oauth2->token_url);
	check_pairs(lint, "authorize_params", &oauth2->authorize_params);
	check_pairs(lint, "token_params", &oauth2->token_params);
	check_headers(lint, "token_headers", &oauth2->token_headers);
	check_token(lint, &oauth2->token);
	if (oauth2->has_revoke)
		check_request(lint, "revoke", &oauth2->revoke, true);
	lint_client_place(lint, "revoke", oauth2->revoke.url);
	if (oauth2->has_after_token)
		check_after_token(lint, &oauth2->after_token);
}

static void check_client_credentials(const struct lint *lint, const struct client_credentials_spec *spec)
{
	lint_url(lint, "token_url", spec->token_url);
	check_pairs(lint, "token_params", &spec->token_params);
	check_token(lint, &spec->token);
}

static void check_service_account(const struct lint *lint, const struct service_account_spec *spec)
{
	lint_url(lint, "token_url", spec->token_url);
	lint_template(lint, "audience", spec->audience);
	lint_template(lint, "issuer", spec->issuer);
	lint_template(lint, "subject", spec->subject);
	if (!str_absent(spec->key_field) && !connector_field(lint->type, spec->key_field))
		fault(lint->faults, "key_field names no field");
	check_token(lint, &spec->token);
}

/* --- trying ---------------------------------------------------------------------------------------------- */

static void check_verify(const struct lint *lint, const struct verify_spec *verify)
{
	check_way_names(lint, &verify->ways);
	for (const struct verify_spec *other = lint->type->verify; other < verify; other++) {
		bool same = other->ways.n == 0 && verify->ways.n == 0;

		for (size_t i = 0; i < verify->ways.n; i++)
			same = same || texts_have(&other->ways, verify->ways.v[i]);
		if (same)
			fault(lint->faults, "another entry is for the same way");
	}
	if (verify->kind != VERIFY_HTTP && !str_absent(verify->request.url))
		fault(lint->faults, "only the kind http has a request");
	check_request(lint, "request", &verify->request, verify->kind == VERIFY_HTTP);
}

/* --- lists that are pulled ------------------------------------------------------------------------------- */

/* A path, or what a person says is one. */
static void check_row_path(const struct lint *lint, const char *member, struct str path)
{
	size_t before = faults_enter(lint->faults, str_of(member));

	if (!str_absent(path) && str_find(path, '{') == path.n && !spelling_is_path(path))
		fault(lint->faults, "it has to be a path such as a.b[0].c");
	faults_leave(lint->faults, before);
	lint_template(lint, member, path);
}

static void check_pages(const struct lint *lint, const struct sync_pages *pages)
{
	size_t before = faults_enter(lint->faults, STR("page"));
	bool counts = pages->kind == SYNC_BY_PAGE || pages->kind == SYNC_BY_OFFSET;

	lint_template(lint, "param", pages->param);
	if ((counts || pages->kind == SYNC_BY_CURSOR) == str_absent(pages->param))
		fault(lint->faults, str_absent(pages->param) ? "param is missing" : "this kind has no param");
	if (!str_absent(pages->next) && pages->kind != SYNC_BY_CURSOR && pages->kind != SYNC_BY_LINK)
		fault(lint->faults, "this kind has no next");
	if (!str_absent(pages->more) && (pages->kind == SYNC_ONE_PAGE || pages->kind == SYNC_BY_LINK))
		fault(lint->faults, "this kind has no more");
	if (pages->first > 0 && pages->kind != SYNC_BY_PAGE)
		fault(lint->faults, "only the kind page has a first");
	if (!str_absent(pages->size_param) && pages->size == 0)
		fault(lint->faults, "size is missing");
	faults_leave(lint->faults, before);
}

static void check_sync(const struct lint *lint, const struct sync_spec *sync)
{
	check_request(lint, "request", &sync->request, true);
	check_row_path(lint, "rows", sync->rows);
	check_row_path(lint, "id", sync->id);
	check_row_path(lint, "updated_at", sync->updated_at);
	if (!str_absent(sync->needs) && !connector_field(lint->type, sync->needs))
		fault(lint->faults, "needs names no field");
	/* What nothing is needed for is always pulled: those behind it never are. */
	for (const struct sync_spec *other = lint->type->sync; other < sync; other++)
		if (str_eq(other->collection, sync->collection) &&
		    (str_absent(other->needs) || str_eq(other->needs, sync->needs)))
			fault(lint->faults, "an entry before it is always taken instead");
	check_pages(lint, &sync->pages);
}

#define EACH(member, items, count, check)                                                          \
	for (size_t i = 0; i < (count); i++) {                                                     \
		size_t outer_ = faults_enter(lint.faults, STR(member));                            \
		(void)faults_enter_item(lint.faults, i);                                           \
		check(&lint, &(items)[i]);                                                         \
		faults_leave(lint.faults, outer_);                                                 \
	}
#define PART(member, has, item, check)                                                             \
	if (has) {                                                                                 \
		size_t outer_ = faults_enter(lint.faults, STR(member));                            \
		check(&lint, &(item));                                                             \
		faults_leave(lint.faults, outer_);                                                 \
	}

void lint_type(struct arena *arena, const struct connector_type *type, struct faults *faults)
{
	const struct lint lint = { arena, type, faults };

	EACH("auth", type->way, type->ways, check_way)
	EACH("fields", type->field, type->fields, check_field)
	EACH("placeholders", type->placeholder, type->placeholders, check_placeholder)
	lint_hosts(&lint);
	lint_url(&lint, "api.base_url", type->api_base);
	PART("oauth2", type->has_oauth2, type->oauth2, check_oauth2)
	PART("client_credentials", type->has_client_credentials, type->client_credentials, check_client_credentials)
	PART("service_account", type->has_service_account, type->service_account, check_service_account)
	EACH("verify", type->verify, type->verifies, check_verify)
	if (type->has_preview)
		check_request(&lint, "preview.request", &type->preview.request, true);
	EACH("sync", type->sync, type->syncs, check_sync)
	for (size_t i = 0; i < type->ways; i++)
		if (!connector_verify(type, &type->way[i]))
			fault(faults, "verify: nothing says how %.*s is tried", STR_ARG(type->way[i].id));
}
