/* Cutting SQL scripts without a DELIMITER command. */
#include "store/script.h"

static const struct str BLOCK_BEGIN = { "-- :begin", 9 };
static const struct str BLOCK_END = { "-- :end", 7 };

static struct str first_line(struct str s) { return str_slice(s, 0, str_find(s, '\n')); }

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

/* `--` opens a comment only when white space, or nothing, follows. */
static bool opens_comment(struct str s)
{
	return str_starts(s, STR("#")) ||
	       (str_starts(s, STR("--")) && (s.n == 2 || is_space(s.p[2])));
}

/* Bytes of the quoted text, the comment or the single byte that `s` begins with. */
static size_t piece_length(struct str s)
{
	char quote = s.p[0];

	if (opens_comment(s))
		return str_find(s, '\n');
	if (str_starts(s, STR("/*"))) {
		for (size_t i = 2; i + 1 < s.n; i++)
			if (s.p[i] == '*' && s.p[i + 1] == '/')
				return i + 2;
		return s.n;
	}
	if (quote != '\'' && quote != '"' && quote != '`')
		return 1;
	/* A doubled quote closes and opens again: it needs no care. */
	for (size_t i = 1; i < s.n; i++) {
		if (s.p[i] == '\\' && quote != '`')
			i++;
		else if (s.p[i] == quote)
			return i + 1;
	}
	return s.n;
}

/* Skips white space and comments, but stops at a block's first line. */
static struct str skip_blank(struct str s)
{
	while (s.n > 0) {
		if (is_space(s.p[0]))
			s = str_slice(s, 1, s.n);
		else if (opens_comment(s) && !str_eq(str_trim(first_line(s)), BLOCK_BEGIN))
			s = str_slice(s, piece_length(s), s.n);
		else if (str_starts(s, STR("/*")) && !str_starts(s, STR("/*!")) &&
			 !str_starts(s, STR("/*M!")))
			s = str_slice(s, piece_length(s), s.n);
		else
			break;
	}
	return s;
}

static bool next_block(struct str *rest, struct str *ret_statement)
{
	struct str s = str_slice(*rest, str_find(*rest, '\n'), rest->n);
	size_t at = 0;

	while (at < s.n) {
		struct str line = first_line(str_slice(s, at, s.n));

		if (str_eq(str_trim(line), BLOCK_END))
			break;
		at += line.n + 1;
	}
	*ret_statement = str_trim(str_slice(s, 0, at));
	while (ret_statement->n > 0 && ret_statement->p[ret_statement->n - 1] == ';')
		ret_statement->n--;
	s = str_slice(s, at, s.n);
	*rest = str_slice(s, str_find(s, '\n'), s.n);
	return ret_statement->n > 0;
}

bool script_next(struct str *rest, struct str *ret_statement)
{
	struct str s = skip_blank(*rest);
	size_t at = 0;

	*ret_statement = STR_NONE;
	while (s.n > 0 && s.p[0] == ';')
		s = skip_blank(str_slice(s, 1, s.n));
	*rest = s;
	if (s.n == 0)
		return false;
	if (str_eq(str_trim(first_line(s)), BLOCK_BEGIN))
		return next_block(rest, ret_statement);
	while (at < s.n && s.p[at] != ';')
		at += piece_length(str_slice(s, at, s.n));
	*ret_statement = str_trim(str_slice(s, 0, at));
	*rest = str_slice(s, at + 1, s.n);
	return true;
}

bool script_changes_rows(struct str statement)
{
	static const char *const verbs[] = { "INSERT", "UPDATE", "DELETE", "REPLACE" };
	size_t n = 0;

	while (n < statement.n && !is_space(statement.p[n]))
		n++;
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (str_eq_nocase(str_slice(statement, 0, n), str_of(verbs[i])))
			return true;
	return false;
}
