#include "flow/scan.h"

#include <stddef.h>

enum { NESTING_MAX = 100 };

/* Brackets and strings that are open, the innermost last: ( [ { and " , and i for the \( of a string. */
struct scan {
	struct str text;
	size_t at;
	bool braces; /* it ends at the }} that closes nothing else */
	char open[NESTING_MAX];
	size_t depth;
	const char *why;
};

static void push(struct scan *scan, char c)
{
	if (scan->depth == NESTING_MAX)
		scan->why = "the expression is nested too deeply";
	else
		scan->open[scan->depth++] = c;
}

static char top(const struct scan *scan) { return scan->depth > 0 ? scan->open[scan->depth - 1] : '\0'; }

static char peek(const struct scan *scan, size_t ahead)
{
	return scan->text.n - scan->at > ahead ? scan->text.p[scan->at + ahead] : '\0';
}

static void step_in_string(struct scan *scan)
{
	char c = peek(scan, 0);

	if (c == '"') {
		scan->depth--;
	} else if (c == '\\' && peek(scan, 1) == '(') {
		scan->at++;
		push(scan, 'i');
	} else if (c == '\\' && scan->at + 1 < scan->text.n) {
		scan->at++;
	}
	scan->at++;
}

static void close_bracket(struct scan *scan, char c)
{
	char open = top(scan);
	bool fits = c == ')' ? open == '(' || open == 'i' : c == ']' ? open == '[' : open == '{';

	if (fits)
		scan->depth--;
	else
		scan->why = "a bracket closes what isn't open";
}

static void skip_comment(struct scan *scan)
{
	while (scan->at < scan->text.n && scan->text.p[scan->at] != '\n')
		scan->at++;
}

static void step_in_code(struct scan *scan)
{
	char c = peek(scan, 0);

	if (c == '#') {
		skip_comment(scan);
		return;
	}
	if (c == '"' || c == '(' || c == '[' || c == '{')
		push(scan, c);
	else if (c == ')' || c == ']' || c == '}')
		close_bracket(scan, c);
	scan->at++;
}

/* Goes to the end of the code: the text's, or where }} is. */
static void run(struct scan *scan)
{
	while (!scan->why && scan->at < scan->text.n) {
		if (top(scan) == '"')
			step_in_string(scan);
		else if (scan->braces && scan->depth == 0 && peek(scan, 0) == '}' && peek(scan, 1) == '}')
			return;
		else
			step_in_code(scan);
	}
	if (!scan->why && scan->braces)
		scan->why = "an expression isn't closed by }}";
	else if (!scan->why && scan->depth > 0)
		scan->why = top(scan) == '"' ? "a string isn't closed" : "a bracket isn't closed";
}

const char *code_fault(struct str code)
{
	struct scan scan = { .text = code };

	if (str_trim(code).n == 0)
		return "the expression is empty";
	run(&scan);
	return scan.why;
}

/* The place of the first {{; s.n for none. */
static size_t find_braces(struct str s)
{
	for (size_t i = 0; i + 1 < s.n; i++)
		if (s.p[i] == '{' && s.p[i + 1] == '{')
			return i;
	return s.n;
}

bool text_next(struct str *rest, struct text_piece *ret_piece, const char **ret_why)
{
	struct scan scan = { .braces = true };
	size_t start;

	*ret_why = NULL;
	*ret_piece = (struct text_piece){ STR_NONE, STR_NONE };
	if (rest->n == 0)
		return false;
	start = find_braces(*rest);
	ret_piece->literal = str_slice(*rest, 0, start);
	if (start == rest->n) {
		*rest = str_slice(*rest, start, 0);
		return true;
	}
	scan.text = str_slice(*rest, start + 2, rest->n);
	run(&scan);
	ret_piece->code = str_trim(str_slice(scan.text, 0, scan.at));
	if (!scan.why && ret_piece->code.n == 0)
		scan.why = "the expression is empty";
	*ret_why = scan.why;
	*rest = str_slice(scan.text, scan.at + 2, scan.text.n);
	return !scan.why;
}

bool text_is_template(struct str text) { return find_braces(text) < text.n; }

struct str text_only_code(struct str text)
{
	struct str rest = str_trim(text);
	struct text_piece piece;
	const char *why;

	if (!text_next(&rest, &piece, &why) || piece.literal.n > 0 || rest.n > 0)
		return STR_NONE;
	return piece.code;
}
