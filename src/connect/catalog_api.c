/* GET /catalog and /catalog/{type}: what could be connected. Nobody has to be signed in. */
#include "base/json_write.h"
#include "connect/catalog.h"
#include "connect/catalog_answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c; }

static bool holds_nocase(struct str text, struct str part)
{
	for (size_t at = 0; at + part.n <= text.n; at++) {
		size_t n = 0;

		while (n < part.n && lower(text.p[at + n]) == lower(part.p[n]))
			n++;
		if (n == part.n)
			return true;
	}
	return false;
}

static bool is_in_region(const struct connector_type *type, struct str region)
{
	for (size_t i = 0; i < type->regions.n; i++)
		if (str_eq_nocase(type->regions.v[i], region) ||
		    str_eq(type->regions.v[i], STR("global")))
			return true;
	return false;
}

static bool takes(const struct connector_type *type, struct str mode)
{
	for (size_t i = 0; i < type->ways; i++)
		if (str_eq(mode, str_of(auth_mode_text(type->way[i].mode))))
			return true;
	return false;
}

static bool is_asked_for(const struct connector_type *type, const struct catalog_list_in *in)
{
	return (str_absent(in->q) || holds_nocase(type->name, in->q) ||
		holds_nocase(type->id, in->q)) &&
	       (str_absent(in->category) || str_eq(type->category, in->category)) &&
	       (str_absent(in->region) || is_in_region(type, in->region)) &&
	       (str_absent(in->auth) || takes(type, in->auth));
}

enum err catalog_list(struct ctx *cx, const struct catalog_list_in *in, struct reply *reply)
{
	struct json_writer w;

	jw_start(&w, &reply->body);
	jw_array(&w);
	for (size_t i = 0; i < catalog_count(cx->catalog); i++) {
		const struct connector_type *type = catalog_at(cx->catalog, i);

		if (is_asked_for(type, in))
			jw_add_raw(&w, type->entry);
	}
	jw_array_end(&w);
	return OK;
}

enum err catalog_get(struct ctx *cx, const struct catalog_get_in *in, struct reply *reply)
{
	const struct connector_type *type = catalog_find(cx->catalog, in->type);

	return type ? catalog_answer_type(cx->config, type, &reply->body) : ERR_NOT_FOUND;
}
