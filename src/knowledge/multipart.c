#include "knowledge/multipart.h"

#include <string.h>

/* --- parameters of a header: ; name=token or ; name="quoted" ---------------------------- */

struct parameter {
	struct str name, value;
};

/* A quoted text, from behind its first quote; a quote within it has a backslash before it. */
static bool read_quoted(struct str *rest, struct str *ret_value)
{
	for (size_t i = 0; i < rest->n; i++) {
		if (rest->p[i] != '"' || (i > 0 && rest->p[i - 1] == '\\'))
			continue;
		*ret_value = str_slice(*rest, 0, i);
		*rest = str_slice(*rest, i + 1, rest->n);
		return true;
	}
	return false;
}

static bool read_value(struct str *rest, struct str *ret_value)
{
	size_t n = 0;

	if (rest->n > 0 && rest->p[0] == '"') {
		*rest = str_slice(*rest, 1, rest->n);
		return read_quoted(rest, ret_value);
	}
	while (n < rest->n && rest->p[n] != ';')
		n++;
	*ret_value = str_trim(str_slice(*rest, 0, n));
	*rest = str_slice(*rest, n, rest->n);
	return str_is_token(*ret_value);
}

/* OK, ERR_END behind the last, ERR_BAD_REQUEST. */
static enum err next_parameter(struct str *rest, struct parameter *ret_parameter)
{
	size_t equals;

	*rest = str_trim(*rest);
	if (rest->n == 0)
		return ERR_END;
	if (rest->p[0] != ';')
		return ERR_BAD_REQUEST;
	*rest = str_trim(str_slice(*rest, 1, rest->n));
	equals = str_find(*rest, '=');
	ret_parameter->name = str_slice(*rest, 0, equals);
	if (equals == rest->n || !str_is_token(ret_parameter->name))
		return ERR_BAD_REQUEST;
	*rest = str_slice(*rest, equals + 1, rest->n);
	return read_value(rest, &ret_parameter->value) ? OK : ERR_BAD_REQUEST;
}

/* What stands before the first ';'; the rest begins with it. */
static struct str cut_word(struct str *rest)
{
	size_t n = str_find(*rest, ';');
	struct str word = str_trim(str_slice(*rest, 0, n));

	*rest = str_slice(*rest, n, rest->n);
	return word;
}

/* --- the body ----------------------------------------------------------------------------- */

/* RFC 2046, section 5.1.1: bchars, the last of which is no space. */
static bool is_boundary(struct str s)
{
	if (s.n == 0 || s.n > MULTIPART_BOUNDARY_MAX || s.p[s.n - 1] == ' ')
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!char_is_letter(s.p[i]) && !char_is_digit(s.p[i]) && (s.p[i] == 0 || !strchr("'()+_,-./:=? ", s.p[i])))
			return false;
	return true;
}

static bool boundary_of(struct str content_type, struct str *ret_boundary)
{
	struct str rest = content_type;
	struct parameter parameter;
	bool found = false;
	enum err e;

	*ret_boundary = STR("");
	if (str_absent(content_type) || !str_eq_nocase(cut_word(&rest), STR("multipart/form-data")))
		return false;
	while ((e = next_parameter(&rest, &parameter)) == OK) {
		if (!str_eq_nocase(parameter.name, STR("boundary")))
			continue;
		if (found)
			return false;
		found = true;
		*ret_boundary = parameter.value;
	}
	return e == ERR_END && is_boundary(*ret_boundary);
}

static bool skip(struct str *rest, struct str prefix)
{
	if (!str_starts(*rest, prefix))
		return false;
	*rest = str_slice(*rest, prefix.n, rest->n);
	return true;
}

enum err multipart_start(struct str content_type, struct str body, struct multipart *ret_multipart)
{
	struct multipart *m = ret_multipart;
	struct str boundary;

	*m = (struct multipart){ .rest = str_absent(body) ? STR("") : body };
	if (!boundary_of(content_type, &boundary))
		return ERR_UNSUPPORTED_MEDIA_TYPE;
	memcpy(m->text, "\r\n--", 4);
	memcpy(m->text + 4, boundary.p, boundary.n);
	m->delimiter = (struct str){ m->text, boundary.n + 4 };
	/* The first one begins the body: it has no CRLF before it. */
	return skip(&m->rest, str_slice(m->delimiter, 2, m->delimiter.n)) ? OK : ERR_BAD_REQUEST;
}

/* Up to `end`, which is left out; false when it isn't there. */
static bool cut_before(struct str *rest, struct str end, struct str *ret_part)
{
	const char *found = memmem(rest->p, rest->n, end.p, end.n);

	if (!found)
		return false;
	size_t n = (size_t)(found - rest->p);
	*ret_part = str_slice(*rest, 0, n);
	*rest = str_slice(*rest, n + end.n, rest->n);
	return true;
}

static enum err read_disposition(struct str value, struct multipart_part *part)
{
	struct str rest = value;
	struct parameter parameter;
	enum err e;

	if (!str_absent(part->name) || !str_eq_nocase(cut_word(&rest), STR("form-data")))
		return ERR_BAD_REQUEST;
	while ((e = next_parameter(&rest, &parameter)) == OK) {
		bool is_name = str_eq_nocase(parameter.name, STR("name"));
		struct str *place = is_name ? &part->name : &part->filename;

		if (!is_name && !str_eq_nocase(parameter.name, STR("filename")))
			continue;
		if (!str_absent(*place))
			return ERR_BAD_REQUEST;
		*place = parameter.value;
	}
	return e == ERR_END && !str_absent(part->name) ? OK : ERR_BAD_REQUEST;
}

static enum err read_header(struct str line, struct multipart_part *part)
{
	size_t colon = str_find(line, ':');
	struct str name = str_slice(line, 0, colon), value = str_trim(str_slice(line, colon + 1, line.n));

	if (colon == line.n || !str_is_token(name) || str_has_control(value))
		return ERR_BAD_REQUEST;
	if (str_eq_nocase(name, STR("Content-Disposition")))
		return read_disposition(value, part);
	/* RFC 7578, section 4.7: nobody sends one; what it says would change the bytes. */
	if (str_eq_nocase(name, STR("Content-Transfer-Encoding")) && !str_eq_nocase(value, STR("binary")) &&
	    !str_eq_nocase(value, STR("8bit")) && !str_eq_nocase(value, STR("7bit")))
		return ERR_BAD_REQUEST;
	return OK;
}

static enum err read_headers(struct multipart *m, struct multipart_part *part)
{
	struct str line;

	for (int i = 0; i <= MULTIPART_HEADERS_MAX; i++) {
		if (!cut_before(&m->rest, STR("\r\n"), &line))
			return ERR_BAD_REQUEST;
		if (line.n == 0)
			return str_absent(part->name) ? ERR_BAD_REQUEST : OK;
		TRY(read_header(line, part));
	}
	return ERR_BAD_REQUEST;
}

enum err multipart_next(struct multipart *multipart, struct multipart_part *ret_part)
{
	struct multipart *m = multipart;

	*ret_part = (struct multipart_part){ .name = STR_NONE };
	if (skip(&m->rest, STR("--")))
		return m->rest.n == 0 || str_eq(m->rest, STR("\r\n")) ? ERR_END : ERR_BAD_REQUEST;
	if (!skip(&m->rest, STR("\r\n")))
		return ERR_BAD_REQUEST;
	TRY(read_headers(m, ret_part));
	return cut_before(&m->rest, m->delimiter, &ret_part->value) ? OK : ERR_BAD_REQUEST;
}
