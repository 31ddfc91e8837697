/* What a provider sends back with the browser, and whether it is the provider's. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "connect/oauth.h"
#include "connect/pattern.h"
#include "connect/template.h"
#include "core/query.h"
#include "crypt/encode.h"
#include "crypt/hash.h"

struct str oauth_param(const struct oauth_params *params, struct str name)
{
	for (size_t i = 0; i < params->n; i++)
		if (str_eq(params->v[i].name, name))
			return params->v[i].value;
	return STR_NONE;
}

enum err oauth_params_read(struct arena *arena, struct str query, struct oauth_params *ret_params)
{
	struct pair pair;
	enum err e;

	ret_params->n = 0;
	while ((e = query_next(&query, arena, &pair.name, &pair.value)) != ERR_END) {
		if (e == ERR_BAD_REQUEST)
			continue;
		TRY(e);
		if (ret_params->n == OAUTH_PARAMS_MAX ||
		    !str_absent(oauth_param(ret_params, pair.name)))
			return ERR_BAD_CALLBACK;
		ret_params->v[ret_params->n++] = pair;
	}
	return OK;
}

static bool is_choice(const struct connector_field *field, struct str value)
{
	for (size_t i = 0; i < field->choices.n; i++)
		if (str_eq(value, field->choices.v[i]))
			return true;
	return field->choices.n == 0;
}

bool oauth_value_good(const struct connector_type *type, struct str name, struct str value)
{
	const struct connector_field *field = connector_field(type, name);
	const struct placeholder *placeholder = connector_placeholder(type, name);

	return value.n > 0 && value.n <= OAUTH_VALUE_MAX && !str_has_control(value) &&
	       (!field || (pattern_holds(field->pattern, value) && is_choice(field, value))) &&
	       (!placeholder || pattern_holds(placeholder->pattern, value));
}

struct str oauth_error_code(struct str error)
{
	for (size_t i = 0; i < error.n; i++)
		if (!((error.p[i] >= 'a' && error.p[i] <= 'z') || error.p[i] == '_'))
			return STR_NONE;
	return error.n > 0 && error.n <= 64 ? error : STR_NONE;
}

/* --- RFC 9207 ---------------------------------------------------------------- */

/* "https://host:port" of a URL; the absent text when it has no authority. */
static struct str origin_of(struct str url)
{
	size_t begin = str_find(url, ':'), end;

	if (!str_starts(str_slice(url, begin, 3), STR("://")))
		return STR_NONE;
	for (end = begin + 3; end < url.n && !strchr("/?#", url.p[end]); end++)
		;
	return end > begin + 3 ? str_slice(url, 0, end) : STR_NONE;
}

static bool same_origin(const struct connector_type *type, struct str template,
			const struct values *values, struct str iss)
{
	BUF_AUTO struct buf url = { 0 };
	struct str origin = origin_of(iss);

	buf_init(&url, OAUTH_URL_MAX);
	return !str_absent(origin) && template_url(type, template, values, &url, NULL) == OK &&
	       str_eq_nocase(origin, origin_of(buf_str(&url)));
}

bool oauth_issuer_good(const struct connector_type *type, const struct values *values,
		       struct str iss)
{
	if (!str_absent(type->oauth2.issuer))
		return str_eq(iss, type->oauth2.issuer);
	return same_origin(type, type->oauth2.authorization_url, values, iss) ||
	       same_origin(type, type->oauth2.token_url, values, iss);
}

/* --- Shopify ----------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct str x = ((const struct pair *)a)->name, y = ((const struct pair *)b)->name;
	int order = memcmp(x.p, y.p, x.n < y.n ? x.n : y.n);

	return order ? order : (x.n > y.n) - (x.n < y.n);
}

/* All parameters but the signature itself, in the order of their names: name=value&name=value. */
static enum err signed_text(const struct oauth_params *params, struct buf *text)
{
	struct oauth_params sorted = *params;

	qsort(sorted.v, sorted.n, sizeof(sorted.v[0]), by_name);
	for (size_t i = 0; i < sorted.n; i++) {
		if (str_eq(sorted.v[i].name, STR("hmac")) ||
		    str_eq(sorted.v[i].name, STR("signature")))
			continue;
		if (text->n > 0)
			buf_add_char(text, '&');
		buf_add_str(text, sorted.v[i].name);
		buf_add_char(text, '=');
		buf_add_str(text, sorted.v[i].value);
	}
	return buf_error(text);
}

static bool is_now(struct str timestamp, int64_t now_ms)
{
	uint64_t seconds;
	int64_t ms;

	if (!str_to_u64(timestamp, &seconds) || seconds > INT64_MAX / 1000)
		return false;
	ms = (int64_t)seconds * 1000;
	return ms >= now_ms - OAUTH_SIGNED_FOR_MS && ms <= now_ms + OAUTH_SIGNED_FOR_MS;
}

static bool hmac_good(const struct oauth_params *params, struct str key_text)
{
	BUF_AUTO struct buf text = { 0 };
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	uint8_t want[SHA256_BYTES], sent[SHA256_BYTES];

	buf_init(&text, OAUTH_URL_MAX);
	if (key_text.n == 0 ||
	    !hex_decode_to(oauth_param(params, STR("hmac")), sent, sizeof(sent)) ||
	    signed_text(params, &text) != OK || secret_copy(key_text.p, key_text.n, &key) != OK)
		return false;
	hmac_sha256_of(&key, BYTES(buf_str(&text)), want);
	return bytes_eq_constant_time(want, sent, sizeof(want));
}

bool oauth_shopify_good(const struct oauth_params *params, const struct values *values,
			int64_t now_ms)
{
	struct str shop = oauth_param(params, STR("shop")), begun = values_get(values, STR("shop"));

	return hmac_good(params, values_get(values, STR("client_secret"))) &&
	       is_now(oauth_param(params, STR("timestamp")), now_ms) && !str_absent(shop) &&
	       !str_absent(begun) && str_eq_nocase(shop, begun);
}
