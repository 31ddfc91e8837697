#include "identity/cookie.h"

#include <inttypes.h>

#include "base/buf.h"
#include "fcgi/request.h"

enum { COOKIE_MAX = 4096 };

enum err cookie_get(const struct ctx *cx, struct str name, struct str *ret_value)
{
	struct str rest = request_header(cx->request, "COOKIE");

	*ret_value = STR_NONE;
	while (!str_absent(rest)) {
		struct str value = str_trim(str_cut(&rest, ';'));
		struct str key = str_cut(&value, '=');

		if (!str_eq(key, name) || str_absent(value))
			continue;
		if (!str_absent(*ret_value))
			return ERR_BAD_TOKEN;
		*ret_value = value;
	}
	if (ret_value->n == 0)
		*ret_value = STR_NONE;
	return OK;
}

static enum err set(struct reply *reply, const char *name, struct str value, const char *same_site,
		    int64_t lifetime_ms)
{
	BUF_AUTO struct buf line = { 0 };

	buf_init(&line, COOKIE_MAX);
	buf_printf(&line, "%s=%.*s; Path=/; Secure; HttpOnly; SameSite=%s; Max-Age=%" PRId64, name,
		   STR_ARG(value), same_site, lifetime_ms / 1000);
	TRY(buf_error(&line));
	return reply_header(reply, "Set-Cookie", buf_str(&line));
}

enum err cookie_set(struct reply *reply, const char *name, struct str value, int64_t lifetime_ms)
{
	return set(reply, name, value, "Strict", lifetime_ms);
}

enum err cookie_set_lax(struct reply *reply, const char *name, struct str value,
			int64_t lifetime_ms)
{
	return set(reply, name, value, "Lax", lifetime_ms);
}

enum err cookies_clear(struct reply *reply)
{
	TRY(cookie_set(reply, COOKIE_ACCESS, STR(""), 0));
	return cookie_set(reply, COOKIE_REFRESH, STR(""), 0);
}
