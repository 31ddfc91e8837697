#include "core/query.h"

/* The length of the decoded text in `p`, which has room for raw.n bytes; false for a broken escape. */
static bool unescape(struct str raw, char *p, size_t *ret_n)
{
	size_t n = 0;

	for (size_t i = 0; i < raw.n; i++) {
		char c = raw.p[i] == '+' ? ' ' : raw.p[i];
		if (c == '%') {
			int high = raw.n - i > 2 ? str_hex_digit(raw.p[i + 1]) : -1;
			int low = raw.n - i > 2 ? str_hex_digit(raw.p[i + 2]) : -1;
			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			i += 2;
		}
		p[n++] = c;
	}
	*ret_n = n;
	return true;
}

static enum err decode(struct str raw, struct arena *arena, struct str *ret_text)
{
	*ret_text = raw;
	if (str_find(raw, '%') < raw.n || str_find(raw, '+') < raw.n) {
		char *p = arena_alloc(arena, raw.n);
		if (!p)
			return ERR_NO_MEMORY;
		ret_text->p = p;
		if (!unescape(raw, p, &ret_text->n))
			return ERR_BAD_REQUEST;
	}
	/* C libraries would cut a text at a NUL that our checks have looked behind. */
	if (str_find(*ret_text, '\0') < ret_text->n || !str_is_utf8(*ret_text))
		return ERR_BAD_REQUEST;
	return OK;
}

enum err query_next(struct str *rest, struct arena *arena, struct str *ret_name,
		    struct str *ret_value)
{
	struct str pair = STR_NONE;

	*ret_name = *ret_value = STR_NONE;
	while (pair.n == 0) {
		if (str_absent(*rest))
			return ERR_END;
		pair = str_cut(rest, '&');
	}
	struct str name = str_cut(&pair, '=');
	TRY(decode(name, arena, ret_name));
	return decode(str_absent(pair) ? STR("") : pair, arena, ret_value);
}
