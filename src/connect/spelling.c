#include "connect/spelling.h"

#include <string.h>

#include "connect/pattern.h"

enum {
	ID_MAX_LENGTH = 64,
	NAME_MAX_LENGTH = 64,
	HEADER_MAX_LENGTH = 100,
	LINE_MAX = 500,
	TEXT_MAX = 4000,
	URL_MAX = 1000,
	PATH_MAX_LENGTH = 200
};

static bool is_lower(char c) { return c >= 'a' && c <= 'z'; }

static bool is_id(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!is_lower(text.p[i]) && !char_is_digit(text.p[i]) && (text.p[i] != '_' || i == 0))
			return false;
	return text.n > 0 && text.n <= ID_MAX_LENGTH;
}

bool spelling_is_name(struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		if (!char_is_letter(text.p[i]) && text.p[i] != '_' &&
		    (i == 0 || (!char_is_digit(text.p[i]) && text.p[i] != '-')))
			return false;
	return text.n > 0 && text.n <= NAME_MAX_LENGTH;
}

bool spelling_is_header(struct str text) { return str_is_token(text) && text.n <= HEADER_MAX_LENGTH; }

bool spelling_is_words(struct str text, bool lines)
{
	for (size_t i = 0; i < text.n; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if ((c < 0x20 && !(lines && (c == '\n' || c == '\t'))) || c == 0x7f)
			return false;
	}
	return true;
}

/* Behind "[12]" or "[]" at `at`; 0 when it isn't one. */
static size_t behind_index(struct str path, size_t at)
{
	size_t i = at + 1;

	while (i < path.n && char_is_digit(path.p[i]) && i - at <= 4)
		i++;
	return i < path.n && path.p[i] == ']' ? i + 1 : 0;
}

bool spelling_is_path(struct str text)
{
	bool fresh = true; /* a name may begin here */

	if (text.n == 0 || text.n > PATH_MAX_LENGTH)
		return false;
	for (size_t i = 0; i < text.n;) {
		if (text.p[i] == '[') {
			i = behind_index(text, i);
			if (i == 0 || (i < text.n && text.p[i] != '.' && text.p[i] != '['))
				return false;
			fresh = false;
		} else if (text.p[i] == '.') {
			if (fresh || ++i == text.n)
				return false;
			fresh = true;
		} else {
			if (!fresh)
				return false;
			while (i < text.n && text.p[i] != '.' && text.p[i] != '[' &&
			       text.p[i] != ']' && (unsigned char)text.p[i] > 0x20)
				i++;
			if (i < text.n && text.p[i] != '.' && text.p[i] != '[')
				return false;
			fresh = false;
		}
	}
	return !fresh;
}

static const char *source_fault(struct str text)
{
	struct str rest = text, kind = str_cut(&rest, ':');

	if (str_eq(kind, STR("json")) && spelling_is_path(rest))
		return NULL;
	if (str_eq(kind, STR("header")) && spelling_is_header(rest))
		return NULL;
	if (str_eq(kind, STR("value")) && spelling_is_name(rest))
		return NULL;
	return "it has to be json:PATH, header:NAME or value:NAME";
}

static const char *link_fault(struct str text)
{
	return str_starts(text, STR("https://")) && str_find(text, ' ') == text.n
		       ? NULL
		       : "it has to be an https URL";
}

static size_t longest(enum type_kind kind)
{
	switch (kind) {
	case KIND_TEXT:
	case KIND_JSON: return TEXT_MAX;
	case KIND_URL:
	case KIND_LINK: return URL_MAX;
	default: return LINE_MAX;
	}
}

const char *spelling_fault(enum type_kind kind, struct str text)
{
	bool may_be_empty = kind == KIND_WORD || kind == KIND_PAIRS || kind == KIND_BASIC ||
			    kind == KIND_TEMPLATE;

	if (text.n == 0 && !may_be_empty)
		return "it is empty";
	if (kind != KIND_REGEX && text.n > longest(kind))
		return "it is too long";
	if (!spelling_is_words(text, kind == KIND_TEXT || kind == KIND_JSON))
		return "it holds a control character";
	switch (kind) {
	case KIND_ID: return is_id(text) ? NULL : "it has to be lower case letters, digits and _";
	case KIND_NAME:
	case KIND_NAMES:
		return spelling_is_name(text) ? NULL : "it has to be letters, digits, _ and -";
	case KIND_REGEX: return pattern_fault(text);
	case KIND_PATH:
	case KIND_PATHS: return spelling_is_path(text) ? NULL : "it isn't a path such as a.b[0].c";
	case KIND_SOURCES: return source_fault(text);
	case KIND_LINK: return link_fault(text);
	default: return NULL;
	}
}
