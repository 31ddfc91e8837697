#include "connect/template.h"

#include "base/json_write.h"
#include "connect/spelling.h"

enum { ESCAPED_MAX = 256 << 10 };

/* The name between braces that begin at `at`; false when they hold something else. */
static bool read_name(struct str text, size_t at, struct template_piece *ret_piece, size_t *ret_end)
{
	size_t end = at + 1;

	while (end < text.n && text.p[end] != '}' && text.p[end] != '{')
		end++;
	if (end == text.n || text.p[end] != '}')
		return false;
	ret_piece->name = str_slice(text, at + 1, end - at - 1);
	ret_piece->optional = str_ends(ret_piece->name, STR("?"));
	ret_piece->name.n -= ret_piece->optional;
	*ret_end = end + 1;
	return spelling_is_name(ret_piece->name);
}

bool template_next(struct str *rest, struct template_piece *ret_piece)
{
	struct str text = *rest;
	size_t end;

	for (size_t at = 0; at < text.n; at++) {
		if (text.p[at] != '{' || !read_name(text, at, ret_piece, &end))
			continue;
		ret_piece->literal = str_slice(text, 0, at);
		*rest = str_slice(text, end, SIZE_MAX);
		return true;
	}
	*ret_piece = (struct template_piece){ .literal = text };
	*rest = str_slice(text, text.n, 0);
	return text.n > 0;
}

/* json_escape writes the quotes, too. */
static enum err add_json(struct buf *out, struct str value)
{
	BUF_AUTO struct buf quoted = { 0 };

	buf_init(&quoted, ESCAPED_MAX);
	json_escape(&quoted, value);
	TRY(buf_error(&quoted));
	buf_add(out, quoted.p + 1, quoted.n - 2);
	return OK;
}

static enum err add_value(struct buf *out, struct str value, enum escape escape)
{
	switch (escape) {
	case ESCAPE_URL: buf_add_percent(out, value); return OK;
	case ESCAPE_JSON: return add_json(out, value);
	case ESCAPE_NONE: break;
	}
	if (!spelling_is_words(value, false))
		return ERR_BAD_INPUT;
	buf_add_str(out, value);
	return OK;
}

static enum err add_piece(const struct template_piece *piece, const struct values *values,
			  enum escape escape, struct buf *out)
{
	struct str value;

	buf_add_str(out, piece->literal);
	if (str_absent(piece->name))
		return OK;
	value = values_get(values, piece->name);
	if (piece->optional && value.n == 0)
		return ERR_NOT_FOUND;
	return str_absent(value) ? ERR_BAD_INPUT : add_value(out, value, escape);
}

enum err template_fill(struct str text, const struct values *values, enum escape escape,
		       struct buf *out, struct str *ret_missing)
{
	struct template_piece piece;

	if (ret_missing)
		*ret_missing = STR_NONE;
	while (template_next(&text, &piece)) {
		enum err e = add_piece(&piece, values, escape, out);

		if (e == ERR_BAD_INPUT && ret_missing)
			*ret_missing = piece.name;
		TRY(e);
	}
	return buf_error(out);
}
