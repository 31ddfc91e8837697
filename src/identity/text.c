#include "identity/text.h"

enum err email_fold(struct arena *arena, struct str email, struct str *ret_key)
{
	struct str trimmed = str_trim(email);
	char *key = arena_alloc(arena, trimmed.n + 1);

	*ret_key = STR_NONE;
	if (!key)
		return ERR_NO_MEMORY;
	for (size_t i = 0; i < trimmed.n; i++) {
		char c = trimmed.p[i];

		key[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
	}
	*ret_key = (struct str){ key, trimmed.n };
	return OK;
}

struct str text_cut(struct str text, size_t chars)
{
	size_t at = 0;

	while (chars-- > 0) {
		size_t step = str_utf8_step(text, at);

		if (step == 0)
			break;
		at += step;
	}
	return str_slice(text, 0, at);
}
