#include "connect/oauth_page.h"

#include "crypt/encode.h"
#include "crypt/hash.h"

enum { POLICY_MAX = 512 };

/* Readable at any size and in the dark, and nothing from elsewhere: the policy allows this text alone. */
static const char STYLE[] =
	":root{color-scheme:light dark}"
	"body{font:1.125rem/1.6 system-ui,sans-serif;margin:0;padding:2rem 1.25rem;overflow-wrap:anywhere}"
	"main{max-width:36rem;margin:0 auto}"
	"h1{font-size:1.6rem;line-height:1.25}"
	"small{display:block;margin-top:2rem}";

static void add_escaped(struct buf *out, struct str text)
{
	for (size_t i = 0; i < text.n; i++)
		switch (text.p[i]) {
		case '&': buf_add_c(out, "&amp;"); break;
		case '<': buf_add_c(out, "&lt;"); break;
		case '>': buf_add_c(out, "&gt;"); break;
		case '"': buf_add_c(out, "&quot;"); break;
		case '\'': buf_add_c(out, "&#39;"); break;
		default: buf_add_char(out, text.p[i]);
		}
}

static void add_element(struct buf *out, const char *before, struct str text, const char *after)
{
	if (str_absent(text))
		return;
	buf_add_c(out, before);
	add_escaped(out, text);
	buf_add_c(out, after);
}

static void add_trace(struct buf *out, const struct oauth_page *page)
{
	if (str_absent(page->code) && str_absent(page->request))
		return;
	buf_add_c(out, "<p><small>");
	add_element(out, "Code: <code>", page->code, "</code><br>\n");
	add_element(out, "Request: <code>", page->request, "</code>");
	buf_add_c(out, "</small></p>\n");
}

static enum err add_policy(struct reply *reply)
{
	char hash_text[BASE64_CHARS(SHA256_BYTES) + 1];
	uint8_t hash[SHA256_BYTES];
	BUF_AUTO struct buf policy = { 0 };

	sha256_of(BYTES(str_of(STYLE)), hash);
	buf_init(&policy, POLICY_MAX);
	buf_printf(
		&policy,
		"default-src 'none'; style-src 'sha256-%s'; base-uri 'none'; form-action 'none'; "
		"frame-ancestors 'none'",
		base64_encode_to((struct str){ (const char *)hash, sizeof(hash) }, hash_text).p);
	TRY(buf_error(&policy));
	return reply_header(reply, "Content-Security-Policy", buf_str(&policy));
}

enum err oauth_page_write(const struct oauth_page *page, struct reply *reply)
{
	struct buf *out = &reply->body;

	buf_clear(out);
	reply->content_type = "text/html; charset=utf-8";
	buf_add_c(out, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
		       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
		       "<meta name=\"robots\" content=\"noindex\">\n");
	add_element(out, "<title>", page->title, "</title>\n");
	buf_printf(out, "<style>%s</style>\n</head>\n<body>\n<main>\n", STYLE);
	add_element(out, "<h1>", page->title, "</h1>\n");
	add_element(out, "<p>", page->words, "</p>\n");
	add_element(out, "<p>", page->next, "</p>\n");
	add_element(out, "<p><a href=\"", page->link, "\">Back to the application</a></p>\n");
	add_trace(out, page);
	buf_add_c(out, "</main>\n</body>\n</html>\n");
	TRY(buf_error(out));
	return add_policy(reply);
}
