#include "connect/credential_way.h"

#include "base/json_read.h"
#include "connect/catalog.h"

/* --- which type ---------------------------------------------------------------------- */

/* Credentials that say enough by themselves are used as a connection of that type. */
static const struct connector_type *type_by_credential(struct ctx *cx, struct str credential_type,
						       const json_t *data)
{
	static const struct {
		struct str credential_type, engine, type;
	} TYPES[] = {
		{ STR("database"), STR("postgresql"), STR("postgres") },
		{ STR("database"), STR("mysql"), STR("mariadb") },
		{ STR("database"), STR("mariadb"), STR("mariadb") },
		{ STR("smtp"), STR_NONE, STR("smtp") },
		{ STR("aws"), STR_NONE, STR("aws_s3") },
		{ STR("service_account"), STR_NONE, STR("google_service_account") },
	};
	struct str engine = json_member_text(data, "engine");

	for (size_t i = 0; i < ARRAY_SIZE(TYPES); i++)
		if (str_eq(credential_type, TYPES[i].credential_type) &&
		    (str_absent(TYPES[i].engine) || str_eq(engine, TYPES[i].engine)))
			return catalog_find(cx->catalog, TYPES[i].type);
	return NULL;
}

const struct connector_type *credential_own_type(struct ctx *cx, struct str service, struct str credential_type,
						 const json_t *data)
{
	const struct connector_type *type = NULL;

	if (!cx->catalog)
		return NULL;
	if (service.n > 0)
		type = catalog_find(cx->catalog, service);
	return type ? type : type_by_credential(cx, credential_type, data);
}

/* --- which way ------------------------------------------------------------------------ */

static bool has(const struct values *values, struct str name)
{
	return values_get(values, name).n > 0;
}

static bool fits(const struct connector_type *type, const struct auth_way *way,
		 const struct values *values)
{
	for (size_t i = 0; i < type->fields; i++)
		if (type->field[i].required && connector_asks(way, &type->field[i]) &&
		    !has(values, type->field[i].name))
			return false;
	/* Without a person's token, a client acts for itself. */
	return way->mode != AUTH_OAUTH2 || has(values, STR("access_token")) ||
	       has(values, STR("refresh_token"));
}

const struct auth_way *credential_way(const struct connector_type *type, struct str credential_type,
				      const struct values *values)
{
	const struct auth_way *first = NULL;

	for (size_t i = 0; i < type->ways; i++) {
		const struct auth_way *way = &type->way[i];

		if (!str_eq(way->credential, credential_type) || way->mode == AUTH_NONE)
			continue;
		if (fits(type, way, values))
			return way;
		first = first ? first : way;
	}
	return first;
}
