#include "knowledge/html.h"

#include <libxml/HTMLparser.h>
#include <libxml/encoding.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "knowledge/passage.h"

/* What nobody reads. Their contents are left out, whatever is in them. */
static const char *const UNREAD[] = { "script", "style",  "noscript", "template", "svg",    "math",	"nav",
				      "iframe", "object", "canvas",   "audio",	  "video",  "select",	"button",
				      "head",	"map",	  "applet",   "textarea", "datalist" };

/* Those that stand in a line of text; every other one begins a new one. */
static const char *const INLINE[] = { "a",    "abbr", "acronym", "b",	  "bdi",  "bdo",  "big",    "cite", "code",
				      "data", "del",  "dfn",	 "em",	  "font", "i",	  "img",    "ins",  "kbd",
				      "mark", "q",    "ruby",	 "rb",	  "rt",	  "s",	  "samp",   "small", "span",
				      "sub",  "sup",  "strong",	 "strike", "time", "tt",   "u",	    "var",  "wbr" };

/* Those behind which a paragraph ends. */
static const char *const PARAGRAPHS[] = { "p",	"h1", "h2", "h3",    "h4",	"h5",	   "h6",	"ul",	  "ol",
					  "dl", "table", "pre", "section", "article", "blockquote", "main", "div" };

enum {
	RAW_MAX = 4 << 20,
	OPTIONS = HTML_PARSE_NONET | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING | HTML_PARSE_RECOVER
};

struct reading {
	struct buf raw;      /* what is read, untidy */
	struct buf raw_title;
	int unread; /* how deep we are in what nobody reads */
	bool in_title, had_title;
};

static bool is_one_of(const char *name, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

static bool is_title(const struct reading *r, const char *name)
{
	return !r->had_title && strcmp(name, "title") == 0;
}

/* One that ends where another begins makes one end of a line. */
static void break_line(struct buf *raw)
{
	size_t n = raw->n;

	while (n > 0 && raw->p[n - 1] == ' ')
		n--;
	if (n > 0 && raw->p[n - 1] != '\n')
		buf_add_char(raw, '\n');
}

static void break_text(struct reading *r, const char *name)
{
	if (is_one_of(name, PARAGRAPHS, ARRAY_SIZE(PARAGRAPHS)))
		buf_add_c(&r->raw, "\n\n");
	else if (strcmp(name, "td") == 0 || strcmp(name, "th") == 0)
		buf_add_char(&r->raw, ' ');
	else if (!is_one_of(name, INLINE, ARRAY_SIZE(INLINE)))
		break_line(&r->raw);
}

/* The parser closes what it opened, in order, also what the page forgot. */
static void begins(void *arg, const xmlChar *xml_name, const xmlChar **attributes)
{
	struct reading *r = arg;
	const char *name = (const char *)xml_name;

	(void)attributes;
	if (is_title(r, name))
		r->in_title = true;
	if (r->unread > 0 || is_one_of(name, UNREAD, ARRAY_SIZE(UNREAD)))
		r->unread++;
	else if (strcmp(name, "br") == 0)
		buf_add_char(&r->raw, '\n');
	else
		break_text(r, name);
}

static void ends(void *arg, const xmlChar *xml_name)
{
	struct reading *r = arg;
	const char *name = (const char *)xml_name;

	if (r->in_title && strcmp(name, "title") == 0) {
		r->in_title = false;
		r->had_title = true;
	}
	if (r->unread > 0)
		r->unread--;
	else if (strcmp(name, "br") != 0)
		break_text(r, name);
}

static void reads(void *arg, const xmlChar *text, int n)
{
	struct reading *r = arg;

	if (n <= 0)
		return;
	if (r->in_title)
		buf_add(&r->raw_title, text, (size_t)n);
	else if (r->unread == 0)
		buf_add(&r->raw, text, (size_t)n);
}

/* A line's end in the source is a blank; lines and paragraphs are the elements'. */
static void fold_lines(struct buf *raw, size_t from)
{
	for (size_t i = from; i < raw->n; i++)
		if (raw->p[i] == '\n' || raw->p[i] == '\f')
			raw->p[i] = ' ';
}

static void reads_folded(void *arg, const xmlChar *text, int n)
{
	struct reading *r = arg;
	size_t from = r->raw.n;

	reads(arg, text, n);
	fold_lines(&r->raw, from);
}

static enum err parse(htmlParserCtxtPtr parser, struct reading *r, struct str page, const char *charset)
{
	xmlSAXHandler sax = { .startElement = begins,
			      .endElement = ends,
			      .characters = reads_folded,
			      .ignorableWhitespace = reads_folded };
	htmlDocPtr document;

	*parser->sax = sax;
	parser->userData = r;
	document = htmlCtxtReadMemory(parser, page.p, (int)page.n, NULL, charset, OPTIONS);
	xmlFreeDoc(document);
	return parser->errNo == XML_ERR_NO_MEMORY ? ERR_NO_MEMORY : OK;
}

/* The parser's name of it, or NULL when nobody says. False: it isn't known. */
static bool charset_name(struct str charset, char text[HTML_CHARSET_MAX + 1], const char **ret_name)
{
	xmlCharEncodingHandlerPtr handler;

	*ret_name = NULL;
	if (str_absent(charset))
		return true;
	if (charset.n > HTML_CHARSET_MAX || !str_is_token(charset))
		return false;
	snprintf(text, HTML_CHARSET_MAX + 1, "%.*s", STR_ARG(charset));
	handler = xmlFindCharEncodingHandler(text);
	if (!handler)
		return false;
	xmlCharEncCloseFunc(handler);
	*ret_name = text;
	return true;
}

static enum err read_page(struct reading *r, struct str page, const char *charset)
{
	htmlParserCtxtPtr parser = htmlNewParserCtxt();
	enum err e;

	if (!parser)
		return ERR_NO_MEMORY;
	e = parse(parser, r, page, charset);
	htmlFreeParserCtxt(parser);
	TRY(e);
	TRY(buf_error(&r->raw_title) == ERR_TOO_BIG ? OK : buf_error(&r->raw_title));
	return buf_error(&r->raw);
}

enum err html_text(struct str page, struct str charset, struct buf *title, struct buf *text)
{
	struct reading r = { .unread = 0 };
	char name[HTML_CHARSET_MAX + 1];
	const char *known;
	enum err e;

	if (!charset_name(charset, name, &known) || page.n > INT_MAX)
		return ERR_PAGE_NOT_TEXT;
	buf_init(&r.raw, RAW_MAX);
	buf_init(&r.raw_title, HTML_TITLE_MAX);
	e = read_page(&r, page, known);
	if (e == OK) {
		fold_lines(&r.raw_title, 0);
		passage_tidy(buf_str(&r.raw_title), title);
		passage_tidy(buf_str(&r.raw), text);
		e = buf_error(text);
	}
	buf_done(&r.raw);
	buf_done(&r.raw_title);
	return e;
}
