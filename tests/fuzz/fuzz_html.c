/* Whatever a server calls a page: it ends, and what comes of it is tidy UTF-8 that passages hold all of. */
#include <stdint.h>
#include <stdlib.h>

#include "knowledge/html.h"
#include "knowledge/knowledge.h"
#include "knowledge/passage.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_cut(struct str text)
{
	struct str passage;

	while (passage_next(&text, &passage))
		if (passage.n == 0 || !str_is_utf8(passage) || str_utf8_length(passage) > KNOWLEDGE_PASSAGE_CHARS)
			abort();
}

/* The first byte chooses what the server says of the character set. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct str charsets[] = { { NULL, 0 }, { "utf-8", 5 }, { "iso-8859-1", 10 }, { "utf-16", 6 } };
	BUF_AUTO struct buf title = { 0 };
	BUF_AUTO struct buf text = { 0 };
	struct str page = { (const char *)data + 1, size - 1 };
	enum err e;

	if (size == 0)
		return 0;
	buf_init(&title, HTML_TITLE_MAX);
	buf_init(&text, KNOWLEDGE_TEXT_MAX);
	e = html_text(page, charsets[data[0] % ARRAY_SIZE(charsets)], &title, &text);
	if (e != OK && e != ERR_TOO_BIG && e != ERR_NO_MEMORY && e != ERR_PAGE_NOT_TEXT)
		abort();
	if (e == OK && (!str_is_utf8(buf_str(&text)) || !str_is_utf8(buf_str(&title))))
		abort();
	if (e == OK)
		must_cut(buf_str(&text));
	return 0;
}
