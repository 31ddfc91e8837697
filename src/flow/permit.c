#include "flow/permit.h"

#include "base/json_read.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "flow/scan.h"
#include "store/sql_workflow.h"

enum err permit_use(struct ctx *cx, const char *place)
{
	if (cx->who.who != WHO_TOKEN || (cx->who.scopes & SCOPE_SET(CREDENTIALS_USE)) != 0)
		return OK;
	return ctx_fail(cx, ERR_SCOPE_MISSING,
			arena_printf(cx->arena,
				     "%s names a credential or a connector: the token needs the scope credentials:use for that.",
				     place)
				.p);
}

/* --- untyped credentials --------------------------------------------------------------------------------- */

/* One that goes along as Authorization wherever the step says; the other types are a connection's by themselves. */
static enum err is_untyped(struct ctx *cx, struct str credential, bool *ret_untyped)
{
	static const struct str ALONE[] = { STR("api_key"), STR("basic_auth"), STR("oauth2") };
	struct sql_workflow_has_credential_in in;
	struct sql_workflow_has_credential_row row;

	*ret_untyped = false;
	if (!id_parse(ID_CREDENTIAL, credential, &in.id))
		return OK; /* still to be chosen */
	TRY(sql_workflow_has_credential(cx->db, &in, &row));
	if (row.service.n > 0 && cx->catalog && catalog_find(cx->catalog, row.service))
		return OK;
	for (size_t i = 0; i < ARRAY_SIZE(ALONE); i++)
		*ret_untyped = *ret_untyped || str_eq(row.type, ALONE[i]);
	return OK;
}

/* Scheme and host of a url before anything in it is filled in; absent when they aren't whole by then. */
static struct str literal_origin(struct str url)
{
	struct str rest = str_trim(url);
	struct text_piece piece;
	const char *why;
	size_t n;

	if (!text_next(&rest, &piece, &why))
		return STR_NONE;
	n = call_origin(piece.literal);
	if (n == 0 || (n == piece.literal.n && !str_absent(piece.code)))
		return STR_NONE;
	return str_slice(piece.literal, 0, n);
}

static bool sends(const struct flow_step *step, struct str credential, struct str origin)
{
	return step && step->type == STEP_HTTP &&
	       str_eq(json_member_text(step->config, "credential_id"), credential) &&
	       str_eq_nocase(literal_origin(json_member_text(step->config, "url")), origin);
}

static bool was_sent(const struct flow *before, struct str credential, struct str origin)
{
	for (size_t i = 0; before && i < before->n; i++)
		if (sends(&before->step[i], credential, origin) || sends(before->step[i].body, credential, origin))
			return true;
	return false;
}

static enum err permit_host(struct ctx *cx, const struct flow_step *step, const struct flow *before)
{
	struct str credential = json_member_text(step->config, "credential_id");
	struct str url = json_member_text(step->config, "url"), origin = literal_origin(url);
	bool untyped;

	if (step->type != STEP_HTTP || str_absent(url))
		return OK;
	TRY(is_untyped(cx, credential, &untyped));
	if (!untyped)
		return OK;
	if (str_absent(origin))
		return ctx_bad_field(cx, "definition", "NOT_ALLOWED",
				     arena_printf(cx->arena,
						  "has a step, %.*s, that sends a credential of no service to a host that isn't written out",
						  STR_ARG(step->id))
					     .p);
	if (cx->who.who != WHO_USER || cx->who.role >= ROLE_ADMIN || was_sent(before, credential, origin))
		return OK;
	return ctx_fail(cx, ERR_DENIED,
			arena_printf(cx->arena,
				     "The step %.*s sends a credential of no service to a host to which it wasn't sent before: that takes an admin.",
				     STR_ARG(step->id))
				.p);
}

/* --- a definition ---------------------------------------------------------------------------------------- */

static enum err permit_step(struct ctx *cx, const struct flow_step *step, const struct flow *before)
{
	struct str place;

	if (str_absent(json_member_text(step->config, "credential_id")) &&
	    str_absent(json_member_text(step->config, "connector_id")))
		return OK;
	place = arena_printf(cx->arena, "The step %.*s", STR_ARG(step->id));
	if (str_absent(place))
		return ERR_NO_MEMORY;
	TRY(permit_use(cx, place.p));
	return permit_host(cx, step, before);
}

/* NULL for one that couldn't be saved any more: what it did counts for nothing. */
static enum err read_before(struct ctx *cx, struct str text, const struct flow **ret_flow)
{
	struct str copy = arena_copy(cx->arena, text);
	json_t *json;
	enum err e;

	*ret_flow = NULL;
	if (str_absent(copy))
		return ERR_NO_MEMORY;
	TRY(json_read(cx->arena, copy, &json, NULL));
	e = flow_read(cx, cx->arena, json, ret_flow);
	if (e == ERR_BAD_INPUT)
		problem_clear(&cx->problem);
	return e == ERR_BAD_INPUT ? OK : e;
}

enum err permit_definition(struct ctx *cx, const struct flow *flow, struct str before)
{
	const struct flow *old = NULL;

	if (!str_absent(before))
		TRY(read_before(cx, before, &old));
	for (size_t i = 0; i < flow->n; i++) {
		TRY(permit_step(cx, &flow->step[i], old));
		if (flow->step[i].body)
			TRY(permit_step(cx, flow->step[i].body, old));
	}
	return OK;
}
