#include "connect/type.h"

static const char *const MODES[AUTH_MODES] = {
	[AUTH_OAUTH2] = "oauth2_authorization_code",
	[AUTH_CLIENT_CREDENTIALS] = "oauth2_client_credentials",
	[AUTH_SERVICE_ACCOUNT] = "service_account",
	[AUTH_API_KEY] = "api_key",
	[AUTH_BASIC] = "basic",
	[AUTH_DATABASE] = "database",
	[AUTH_SMTP] = "smtp",
	[AUTH_AWS] = "aws",
	[AUTH_NONE] = "none",
};

const char *auth_mode_text(enum auth_mode mode) { return MODES[mode]; }

bool texts_have(const struct texts *texts, struct str text)
{
	for (size_t i = 0; i < texts->n; i++)
		if (str_eq(texts->v[i], text))
			return true;
	return false;
}

const struct auth_way *connector_way(const struct connector_type *type, struct str id)
{
	if (str_absent(id))
		return type->ways > 0 ? &type->way[0] : NULL;
	for (size_t i = 0; i < type->ways; i++)
		if (str_eq(type->way[i].id, id))
			return &type->way[i];
	return NULL;
}

const struct connector_field *connector_field(const struct connector_type *type, struct str name)
{
	for (size_t i = 0; i < type->fields; i++)
		if (str_eq(type->field[i].name, name))
			return &type->field[i];
	return NULL;
}

const struct placeholder *connector_placeholder(const struct connector_type *type, struct str name)
{
	for (size_t i = 0; i < type->placeholders; i++)
		if (str_eq(type->placeholder[i].name, name))
			return &type->placeholder[i];
	return NULL;
}

bool connector_asks(const struct auth_way *way, const struct connector_field *field)
{
	return field->ways.n == 0 || texts_have(&field->ways, way->id);
}

const struct verify_spec *connector_verify(const struct connector_type *type,
					   const struct auth_way *way)
{
	const struct verify_spec *others = NULL;

	for (size_t i = 0; i < type->verifies; i++) {
		const struct verify_spec *verify = &type->verify[i];

		if (verify->ways.n == 0)
			others = verify;
		else if (texts_have(&verify->ways, way->id))
			return verify;
	}
	return others;
}

struct str kept_name(struct str path, char text[KEPT_NAME_MAX])
{
	size_t n = 0;

	for (size_t i = 0; i < path.n && n < KEPT_NAME_MAX; i++) {
		char c = path.p[i];
		bool plain = char_is_letter(c) || char_is_digit(c) || c == '_' || c == '-';

		if (plain)
			text[n++] = c;
		else if (n > 0 && text[n - 1] != '_' && i + 1 < path.n && path.p[i] != ']')
			text[n++] = '_';
	}
	while (n > 0 && text[n - 1] == '_')
		n--;
	return (struct str){ text, n };
}
