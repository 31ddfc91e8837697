/* Links to a next page: out of the Link header, and only to where the page itself came from. */
#include "base/buf.h"
#include "sync/page.h"

/* --- the header (RFC 8288, section 3) ----------------------------------------------- */

/* Cuts what is before `end` off, but for one in quotes. */
static struct str cut_unquoted(struct str *rest, char end)
{
	struct str text = *rest;
	bool quoted = false;

	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] == '"')
			quoted = !quoted;
		else if (text.p[i] == '\\' && quoted)
			i++;
		if (quoted || i >= text.n || text.p[i] != end)
			continue;
		*rest = str_slice(text, i + 1, SIZE_MAX);
		return str_slice(text, 0, i);
	}
	*rest = STR_NONE;
	return text;
}

static struct str unquoted(struct str value)
{
	if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
		return str_slice(value, 1, value.n - 2);
	return value;
}

/* Relation types are separated by spaces. */
static bool says_next(struct str relations)
{
	while (!str_absent(relations))
		if (str_eq_nocase(str_cut(&relations, ' '), STR("next")))
			return true;
	return false;
}

/* Of several rel only the first counts. */
static bool is_next(struct str parameters)
{
	while (!str_absent(parameters)) {
		struct str value = cut_unquoted(&parameters, ';'), name = str_cut(&value, '=');

		if (str_eq_nocase(str_trim(name), STR("rel")))
			return !str_absent(value) && says_next(unquoted(str_trim(value)));
	}
	return false;
}

struct str sync_link_next(struct str header)
{
	while (!str_absent(header)) {
		size_t begin = str_find(header, '<');
		struct str rest = str_slice(header, begin + 1, SIZE_MAX), target;

		if (begin == header.n || str_find(rest, '>') == rest.n)
			return STR_NONE;
		target = str_cut(&rest, '>');
		header = rest;
		if (is_next(cut_unquoted(&header, ',')))
			return str_trim(target);
	}
	return STR_NONE;
}

/* --- where it leads ------------------------------------------------------------------- */

/* Parameters of another name, joined again. */
static void add_query_without(struct buf *out, struct str query, struct texts without)
{
	char separator = '?';

	while (!str_absent(query)) {
		struct str pair = str_cut(&query, '&'), rest = pair;

		if (pair.n == 0 || texts_have(&without, str_cut(&rest, '=')))
			continue;
		buf_add_char(out, separator);
		buf_add_str(out, pair);
		separator = '&';
	}
}

enum err sync_link_path(struct arena *arena, struct str url, struct str link, struct texts without,
			struct str *ret_path)
{
	BUF_AUTO struct buf path = { 0 };
	struct str rest = str_cut(&link, '#');

	*ret_path = STR_NONE;
	if (!str_starts(rest, STR("/"))) {
		size_t origin = call_origin(url), own = call_origin(rest);

		if (origin == 0 ||
		    !str_eq_nocase(str_slice(rest, 0, own), str_slice(url, 0, origin)))
			return ERR_BAD_INPUT;
		rest = str_slice(rest, own, SIZE_MAX);
	}
	buf_init(&path, SYNC_NEXT_MAX);
	if (!str_starts(rest, STR("/")))
		buf_add_char(&path, '/');
	buf_add_str(&path, str_cut(&rest, '?'));
	add_query_without(&path, rest, without);
	if (buf_error(&path) == ERR_TOO_BIG)
		return ERR_BAD_INPUT;
	TRY(buf_error(&path));
	*ret_path = arena_copy(arena, buf_str(&path));
	return str_absent(*ret_path) ? ERR_NO_MEMORY : OK;
}
