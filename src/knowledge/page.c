#include "knowledge/page.h"

#include "knowledge/passage.h"
#include "knowledge/reader.h"
#include "net/http.h"

enum { PAGE_BYTES = 2 << 20, REDIRECTS_MAX = 3, PATIENCE_MS = 15000 };

/* --- redirects -------------------------------------------------------------------------- */

static bool begins_part(char c) { return c == '/' || c == '?' || c == '#'; }

/* Behind scheme and host: where the path begins, or ends the URL. */
static size_t path_at(struct str url)
{
	size_t at = str_find(url, ':') + 3;

	while (at < url.n && !begins_part(url.p[at]))
		at++;
	return at < url.n ? at : url.n;
}

static bool is_absolute(struct str url) { return str_starts(url, STR("https://")) || str_starts(url, STR("http://")); }

/* The part of `from` that a relative location goes behind. */
static struct str base_for(struct str from, struct str location)
{
	size_t root = path_at(from), end = root;
	struct str path;

	if (str_starts(location, STR("//")))
		return str_slice(from, 0, str_find(from, ':') + 1);
	if (str_starts(location, STR("/")))
		return str_slice(from, 0, root);
	while (end < from.n && from.p[end] != '?' && from.p[end] != '#')
		end++;
	path = str_slice(from, 0, end);
	if (location.n == 0 || location.p[0] == '?' || location.p[0] == '#')
		return path;
	while (path.n > root && path.p[path.n - 1] != '/')
		path.n--;
	return path;
}

void page_location(struct str from, struct str location, struct buf *url)
{
	struct str base;

	if (is_absolute(location)) {
		buf_add_str(url, location);
		return;
	}
	base = base_for(from, location);
	buf_add_str(url, base);
	/* A URL without a path has an empty segment only when the location brings it. */
	if (base.n == path_at(from) && location.n > 0 && !begins_part(location.p[0]))
		buf_add_char(url, '/');
	buf_add_str(url, location);
}

/* --- fetching ----------------------------------------------------------------------------- */

static bool is_redirect(int status)
{
	return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* OK: a page, or a redirect. */
static enum err judge(enum err e, const struct http_answer *answer)
{
	if (e == ERR_UPSTREAM && answer->failure == HTTP_TOO_LARGE)
		return ERR_PAGE_TOO_LARGE;
	if (e == ERR_BAD_INPUT)
		return ERR_HOST_FORBIDDEN;
	TRY(e);
	if (answer->status == 200 || is_redirect(answer->status))
		return OK;
	return answer->status == 429 || answer->status >= 500 ? ERR_UPSTREAM : ERR_PAGE_REFUSED;
}

static enum err fetch(struct ctx *cx, struct str url, struct buf *body, struct http_answer *answer)
{
	static const struct http_header accept[] = { { "Accept", STR("text/html, application/xhtml+xml, text/plain;q=0.9") } };
	static const struct str wanted[] = { STR("Location") };
	const struct http_request request = { .method = "GET",
					      .url = url,
					      .header = accept,
					      .headers = ARRAY_SIZE(accept),
					      .wanted = wanted,
					      .wanteds = ARRAY_SIZE(wanted),
					      .compressed = true,
					      .timeout_ms = PATIENCE_MS };

	return judge(http_fetch(&request, cx->egress, body, answer), answer);
}

static enum err fetch_through(struct ctx *cx, struct buf *url, struct buf *body, struct http_answer *answer)
{
	for (int hop = 0; hop <= REDIRECTS_MAX; hop++) {
		BUF_AUTO struct buf next = { 0 };

		TRY(fetch(cx, buf_str(url), body, answer));
		if (!is_redirect(answer->status))
			return OK;
		if (answer->wanted[0][0] == '\0')
			return ERR_PAGE_REDIRECTS;
		buf_init(&next, PAGE_URL_MAX);
		page_location(buf_str(url), str_of(answer->wanted[0]), &next);
		TRY(buf_error(&next) == ERR_TOO_BIG ? ERR_PAGE_REDIRECTS : buf_error(&next));
		buf_clear(url);
		buf_add_str(url, buf_str(&next));
		TRY(buf_error(url));
	}
	return ERR_PAGE_REDIRECTS;
}

/* --- reading --------------------------------------------------------------------------------- */

/* The parameter of a content type; absent when there is none. */
static struct str charset_of(struct str parameters)
{
	while (!str_absent(parameters)) {
		struct str value = str_trim(str_cut(&parameters, ';')), name = str_cut(&value, '=');

		if (!str_eq_nocase(str_trim(name), STR("charset")) || str_absent(value))
			continue;
		value = str_trim(value);
		if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
			value = str_slice(value, 1, value.n - 2);
		return value.n > 0 ? value : STR_NONE;
	}
	return STR_NONE;
}

/* Latin 1 is a byte a character, the same number. */
static void add_latin1(struct str body, struct buf *out)
{
	for (size_t i = 0; i < body.n; i++) {
		unsigned char c = (unsigned char)body.p[i];

		if (c >= 0x80)
			buf_add_char(out, (char)(0xc0 | c >> 6));
		buf_add_char(out, (char)(c >= 0x80 ? 0x80 | (c & 0x3f) : c));
	}
}

static enum err plain_text(struct str body, struct buf *text)
{
	BUF_AUTO struct buf wide = { 0 };

	if (str_is_utf8(body)) {
		passage_tidy(body, text);
		return buf_error(text);
	}
	buf_init(&wide, 2 * PAGE_BYTES);
	add_latin1(body, &wide);
	TRY(buf_error(&wide));
	passage_tidy(buf_str(&wide), text);
	return buf_error(text);
}

static enum err read_body(struct str body, struct str content_type, struct buf *title, struct buf *text)
{
	struct str parameters = content_type, type = str_trim(str_cut(&parameters, ';'));

	if (str_eq_nocase(type, STR("text/plain")) || str_eq_nocase(type, STR("text/markdown")))
		return plain_text(body, text);
	if (str_eq_nocase(type, STR("text/html")) || str_eq_nocase(type, STR("application/xhtml+xml")))
		return reader_text(body, charset_of(parameters), title, text);
	return ERR_PAGE_NOT_TEXT;
}

enum err page_text(struct ctx *cx, struct str url, struct buf *title, struct buf *text)
{
	BUF_AUTO struct buf place = { 0 };
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer;

	buf_init(&place, PAGE_URL_MAX);
	buf_init(&body, PAGE_BYTES);
	buf_add_str(&place, url);
	TRY(buf_error(&place));
	TRY(fetch_through(cx, &place, &body, &answer));
	TRY(read_body(buf_str(&body), str_of(answer.content_type), title, text));
	return text->n > 0 ? OK : ERR_PAGE_NO_TEXT;
}
