/* From what somebody sends to passages: uploads, texts, pages, questions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "knowledge/html.h"
#include "knowledge/knowledge.h"
#include "knowledge/multipart.h"
#include "knowledge/page.h"
#include "knowledge/passage.h"
#include "knowledge/pdf.h"
#include "knowledge/reader.h"
#include "knowledge/words.h"

enum { TEXT_MAX = 1 << 20 };

static void assert_str(struct str got, const char *wanted)
{
	char *text = strndup(got.p ? got.p : "(absent)", got.p ? got.n : 8);

	assert_string_equal(text, wanted);
	free(text);
}

/* --- uploads ---------------------------------------------------------------------------- */

#define FORM STR("multipart/form-data; boundary=B")

static enum err read_all(struct str type, struct str body, struct multipart_part *parts, size_t *ret_n)
{
	struct multipart multipart;
	enum err e = multipart_start(type, body, &multipart);

	*ret_n = 0;
	while (e == OK && *ret_n < 8 && (e = multipart_next(&multipart, &parts[*ret_n])) == OK)
		++*ret_n;
	return e == ERR_END ? OK : e;
}

static void parts_are_taken_as_browsers_send_them(void **state)
{
	const struct str body = STR("--B\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nA; \"title\"\r\n"
				    "--B\r\ncontent-disposition: form-data; name=file; filename=\"a \\\"b\\\".pdf\"\r\n"
				    "Content-Type: application/pdf\r\n\r\n%PDF\r\n--x\r\n--\r\n--B--\r\n");
	struct multipart_part part[8];
	size_t n;

	(void)state;
	assert_int_equal(read_all(FORM, body, part, &n), OK);
	assert_int_equal(n, 1 + 1);
	assert_str(part[0].name, "title");
	assert_true(str_absent(part[0].filename));
	assert_str(part[0].value, "A; \"title\"");
	assert_str(part[1].filename, "a \\\"b\\\".pdf");
	assert_str(part[1].value, "%PDF\r\n--x\r\n--");
}

static void a_boundary_within_a_file_ends_it_only_as_a_line(void **state)
{
	struct multipart_part part[8];
	size_t n;

	(void)state;
	assert_int_equal(read_all(FORM, STR("--B\r\nContent-Disposition: form-data; name=f\r\n\r\na--B\r\n\n--B\r\n\r\n--B--"), part, &n),
			 OK);
	assert_int_equal(n, 1);
	assert_str(part[0].value, "a--B\r\n\n--B\r\n");
	assert_int_equal(read_all(FORM, STR("--B\r\nContent-Disposition: form-data; name=f\r\n\r\n\r\n--B--"), part, &n), OK);
	assert_str(part[0].value, "");
}

static void what_isnt_a_form_is_refused(void **state)
{
	static const char *const types[] = { "multipart/form-data",
					     "multipart/mixed; boundary=B",
					     "multipart/form-data; boundary=",
					     "multipart/form-data; boundary=\"",
					     "multipart/form-data; boundary=\"B ",
					     "multipart/form-data; boundary=\"B \"",
					     "multipart/form-data; boundary=B; boundary=C",
					     "multipart/form-data; boundary=B;",
					     "multipart/form-data boundary=B" };
	static const char *const bodies[] = {
		"", "--", "--B", "--B\r\n", "B", "--C\r\n\r\n--C--", "--B--x", "--B--\r\n\r\n", "--B \r\n",
		"x--B\r\nContent-Disposition: form-data; name=f\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=f\r\n\r\nx",
		"--B\r\nContent-Disposition: form-data; name=f\r\n\r\nx\r\n--B",
		"--B\r\nContent-Disposition: form-data\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: attachment; name=f\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=f; name=g\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=\"f\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=f\r\nContent-Disposition: form-data; name=f\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=f\r\nContent-Transfer-Encoding: base64\r\n\r\nx\r\n--B--",
		"--B\r\nContent-Disposition: form-data; name=f\r\nno header\r\n\r\nx\r\n--B--",
		"--B\nContent-Disposition: form-data; name=f\n\nx\n--B--",
		"--B\r\n\r\nx\r\n--B--",
	};
	struct multipart_part part[8];
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		assert_int_equal(read_all(str_of(types[i]), STR("--B--"), part, &n), ERR_UNSUPPORTED_MEDIA_TYPE);
	assert_int_equal(read_all(STR_NONE, STR("--B--"), part, &n), ERR_UNSUPPORTED_MEDIA_TYPE);
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		assert_int_equal(read_all(FORM, str_of(bodies[i]), part, &n), ERR_BAD_REQUEST);
	assert_int_equal(read_all(FORM, STR_NONE, part, &n), ERR_BAD_REQUEST);
	assert_int_equal(read_all(STR("Multipart/Form-Data; charset=utf-8; boundary=\"a b\""), STR("--a b--"), part, &n), OK);
}

static void a_pdf_is_known_by_its_first_kibibyte(void **state)
{
	char late[2000];

	(void)state;
	memset(late, ' ', sizeof(late));
	memcpy(late + 1019, "%PDF-", 5);
	assert_true(pdf_is((struct str){ late, sizeof(late) }));
	assert_false(pdf_is((struct str){ late, 1023 }));
	memset(late, ' ', 1024);
	memcpy(late + 1020, "%PDF-", 5);
	assert_false(pdf_is((struct str){ late, sizeof(late) }));
	assert_false(pdf_is(STR("")));
}

/* --- texts -------------------------------------------------------------------------------- */

static void assert_tidy(struct str raw, const char *wanted)
{
	BUF_AUTO struct buf out = { 0 };

	buf_init(&out, TEXT_MAX);
	passage_tidy(raw, &out);
	assert_int_equal(buf_error(&out), OK);
	assert_str(buf_str(&out), wanted);
}

static void texts_are_tidied(void **state)
{
	(void)state;
	assert_tidy(STR("  a \t b\xc2\xa0\n c \r\n \r\n\n\n d\f\fe \n"), "a b\nc\n\nd\n\ne");
	assert_tidy(STR("a\0b\x01\x7f\x1b[31m" "c"), "ab[31mc");
	assert_tidy(STR("so\xc2\xad" "ft \xef\xbb\xbf" "b\xe2\x80\x8b" "c \xc2\x85" "d"), "soft bc d");
	assert_tidy(STR("a\xff\xc3(\xed\xa0\x80"), "a\xef\xbf\xbd\xef\xbf\xbd(\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_tidy(STR("\n\f \n"), "");
}

/* Joined again, the passages are the text. */
static size_t cut_all(struct str text, struct str *first)
{
	struct str rest = text, passage;
	size_t n = 0, bytes = 0;

	while (passage_next(&rest, &passage)) {
		assert_true(str_is_utf8(passage) && passage.n > 0);
		assert_true(str_utf8_length(passage) <= KNOWLEDGE_PASSAGE_CHARS);
		if (n++ == 0 && first)
			*first = passage;
		for (size_t i = 0; i < passage.n; i++)
			bytes += passage.p[i] != ' ' && passage.p[i] != '\n';
	}
	for (size_t i = 0; i < text.n; i++)
		bytes -= text.p[i] != ' ' && text.p[i] != '\n';
	assert_int_equal(bytes, 0);
	return n;
}

static struct str repeat(struct buf *buf, const char *piece, size_t n)
{
	buf_clear(buf);
	for (size_t i = 0; i < n; i++)
		buf_add_c(buf, piece);
	return buf_str(buf);
}

static void passages_end_where_something_ends(void **state)
{
	BUF_AUTO struct buf text = { 0 };
	struct str first;

	(void)state;
	buf_init(&text, TEXT_MAX);
	assert_int_equal(cut_all(STR(""), NULL), 0);
	assert_int_equal(cut_all(STR("short"), NULL), 1);
	(void)cut_all(repeat(&text, "One sentence. And some more words\nin lines\n\n", 200), &first);
	assert_true(str_ends(first, STR("in lines")));
	(void)cut_all(repeat(&text, "One sentence ends here. ", 200), &first);
	assert_true(str_ends(first, STR("here.")));
	(void)cut_all(repeat(&text, "words ", 1000), &first);
	assert_true(str_ends(first, STR("words")));
	assert_int_equal(cut_all(repeat(&text, "x", 2 * KNOWLEDGE_PASSAGE_CHARS), NULL), 2);
	assert_int_equal(cut_all(repeat(&text, "\xf0\x9f\x98\x80", 3 * KNOWLEDGE_PASSAGE_CHARS), NULL), 3);
	(void)cut_all(repeat(&text, "\xe6\x97\xa5\xe6\x9c\xac\xe3\x80\x82", 1000), &first);
	assert_true(str_ends(first, STR("\xe3\x80\x82")));
}

/* --- pages --------------------------------------------------------------------------------- */

static void assert_page(struct str page, struct str charset, const char *wanted_title, const char *wanted)
{
	BUF_AUTO struct buf title = { 0 };
	BUF_AUTO struct buf text = { 0 };

	buf_init(&title, HTML_TITLE_MAX);
	buf_init(&text, TEXT_MAX);
	assert_int_equal(html_text(page, charset, &title, &text), OK);
	assert_str(buf_str(&title), wanted_title);
	assert_str(buf_str(&text), wanted);
}

static void a_page_is_what_a_person_reads_on_it(void **state)
{
	(void)state;
	assert_page(STR("<title>T &amp; t</title><p>a <b>b</b>c<br>d<script>if (a < b) '</p>'</script><style>x</style><p>e"), STR_NONE,
		    "T & t", "a bc\nd\n\ne");
	assert_page(STR("<nav>menu<ul><li>x</ul></nav><table><tr><td>1<td>2<tr><td>3</table><textarea>t</textarea>"), STR_NONE, "",
		    "1 2\n3");
	assert_page(STR("<body><svg><title>s</title></svg>&lt;x&gt;"), STR_NONE, "s", "<x>");
	assert_page(STR("no tags at all"), STR_NONE, "", "no tags at all");
	assert_page(STR(""), STR_NONE, "", "");
}

static void character_sets_are_the_servers_the_pages_or_latin_1(void **state)
{
	BUF_AUTO struct buf title = { 0 };
	BUF_AUTO struct buf text = { 0 };

	(void)state;
	assert_page(STR("<p>caf\xe9"), STR("iso-8859-1"), "", "caf\xc3\xa9");
	assert_page(STR("<p>caf\xe9"), STR_NONE, "", "caf\xc3\xa9");
	assert_page(STR("<p>caf\xc3\xa9"), STR("UTF-8"), "", "caf\xc3\xa9");
	assert_page(STR("<meta charset=windows-1251><p>\xcf"), STR_NONE, "", "\xd0\x9f");
	buf_init(&title, HTML_TITLE_MAX);
	buf_init(&text, TEXT_MAX);
	assert_int_equal(html_text(STR("<p>x"), STR("no-such"), &title, &text), ERR_PAGE_NOT_TEXT);
	assert_int_equal(html_text(STR("<p>x"), STR(""), &title, &text), ERR_PAGE_NOT_TEXT);
}

static void nothing_is_loaded_and_no_entity_is_made(void **state)
{
	BUF_AUTO struct buf title = { 0 };
	BUF_AUTO struct buf text = { 0 };

	(void)state;
	buf_init(&title, HTML_TITLE_MAX);
	buf_init(&text, TEXT_MAX);
	assert_int_equal(html_text(STR("<!DOCTYPE html [<!ENTITY a SYSTEM \"/etc/passwd\">]><p>begin &a; end"), STR_NONE, &title, &text),
			 OK);
	assert_true(str_ends(buf_str(&text), STR("begin &a; end")));
}

static void a_page_is_read_in_a_child(void **state)
{
	BUF_AUTO struct buf title = { 0 };
	BUF_AUTO struct buf text = { 0 };

	(void)state;
	buf_init(&title, HTML_TITLE_MAX);
	buf_init(&text, TEXT_MAX);
	assert_int_equal(reader_text(STR("<title>A\nb</title><p>caf\xe9<p>c"), STR("iso-8859-1"), &title, &text), OK);
	assert_str(buf_str(&title), "A b");
	assert_str(buf_str(&text), "caf\xc3\xa9\n\nc");
	assert_int_equal(reader_text(STR("<p>x"), STR("no-such"), &title, &text), ERR_PAGE_NOT_TEXT);
	assert_int_equal(reader_text(STR("<p>x"), STR("a b"), &title, &text), ERR_PAGE_NOT_TEXT);
}

static void assert_leads(const char *from, const char *location, const char *wanted)
{
	BUF_AUTO struct buf url = { 0 };

	buf_init(&url, PAGE_URL_MAX);
	page_location(str_of(from), str_of(location), &url);
	assert_str(buf_str(&url), wanted);
}

static void a_location_leads_where_browsers_go(void **state)
{
	(void)state;
	assert_leads("https://a.test/b/c?d#e", "https://x.test/", "https://x.test/");
	assert_leads("https://a.test/b/c?d#e", "//x.test/y", "https://x.test/y");
	assert_leads("https://a.test/b/c?d#e", "/y?z", "https://a.test/y?z");
	assert_leads("https://a.test/b/c?d#e", "y", "https://a.test/b/y");
	assert_leads("https://a.test/b/c?d/e", "?y", "https://a.test/b/c?y");
	assert_leads("https://a.test", "y", "https://a.test/y");
	assert_leads("https://a.test?q", "y", "https://a.test/y");
	assert_leads("https://a.test", "?y", "https://a.test?y");
	assert_leads("https://a.test:8443/b", "javascript:alert(1)", "https://a.test:8443/javascript:alert(1)");
}

/* --- questions -------------------------------------------------------------------------------- */

static void a_question_becomes_words_and_pieces(void **state)
{
	BUF_AUTO struct buf clean = { 0 };
	struct str piece[WORDS_PIECES_MAX];

	(void)state;
	buf_init(&clean, TEXT_MAX);
	knowledge_words_clean(STR(" +\"What's\" (the) @Zürich-fare*?\n"), &clean);
	assert_str(buf_str(&clean), "What s the Zürich fare");
	assert_int_equal(knowledge_words_pieces(buf_str(&clean), piece), 4);
	assert_str(piece[0], "Zürich");
	assert_str(piece[1], "What");
	assert_int_equal(knowledge_words_pieces(STR("返品はできます"), piece), 2);
	assert_str(piece[0], "返品");
	assert_str(piece[1], "品は");
	assert_int_equal(knowledge_words_pieces(STR(""), piece), 0);
	assert_int_equal(knowledge_words_pieces(STR("a b c"), piece), 0);
	assert_int_equal(knowledge_words_pieces(STR("aa bb cc dd ee ff gg hh"), piece), WORDS_PIECES_MAX);
}

static const struct id TENANT = { .b = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45 } };

static void assert_marked(struct str text, const char *wanted)
{
	BUF_AUTO struct buf out = { 0 };

	buf_init(&out, WORDS_MARKED_MAX);
	knowledge_words_mark(&TENANT, text, &out);
	assert_int_equal(buf_error(&out), OK);
	assert_str(out.n > 0 ? buf_str(&out) : STR(""), wanted);
}

static void words_are_marked_as_the_tenants_once_each(void **state)
{
	(void)state;
	assert_marked(STR("The otter, an OTTER: \"swims\" at 10:45 or_so."), "cdef012345otter cdef012345swims cdef012345or_so");
	assert_marked(STR("“Größe” – ÅÄÖ×ÅÄÖ… доставка?"), "cdef012345Größe cdef012345ÅÄÖ cdef012345доставка");
	assert_marked(STR("返品はできます a bb The WHO"), "");
	assert_marked(STR(""), "");
	/* Somebody else's mark is a word like any other. */
	assert_marked(STR("0123456789otter"), "cdef0123450123456789otter");
}

static void no_text_has_more_words_than_there_is_room_for(void **state)
{
	BUF_AUTO struct buf text = { 0 };
	BUF_AUTO struct buf out = { 0 };

	(void)state;
	buf_init(&text, TEXT_MAX);
	buf_init(&out, WORDS_MARKED_MAX);
	for (int i = 0; i < KNOWLEDGE_PASSAGE_CHARS / 4; i++)
		buf_printf(&text, "%c%c%c ", 'a' + i % 26, 'a' + i / 26, 'q');
	knowledge_words_mark(&TENANT, buf_str(&text), &out);
	assert_int_equal(buf_error(&out), OK);
	assert_true(str_utf8_length(buf_str(&out)) <= 8000);
	buf_clear(&out);
	knowledge_words_mark(&TENANT, repeat(&text, "\xc3\xa9", KNOWLEDGE_PASSAGE_CHARS), &out);
	assert_int_equal(str_utf8_length(buf_str(&out)), 50);
}

/* Also the child of its own that reads pages. */
int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_are_taken_as_browsers_send_them),
		cmocka_unit_test(a_boundary_within_a_file_ends_it_only_as_a_line),
		cmocka_unit_test(what_isnt_a_form_is_refused),
		cmocka_unit_test(a_pdf_is_known_by_its_first_kibibyte),
		cmocka_unit_test(texts_are_tidied),
		cmocka_unit_test(passages_end_where_something_ends),
		cmocka_unit_test(a_page_is_what_a_person_reads_on_it),
		cmocka_unit_test(character_sets_are_the_servers_the_pages_or_latin_1),
		cmocka_unit_test(nothing_is_loaded_and_no_entity_is_made),
		cmocka_unit_test(a_page_is_read_in_a_child),
		cmocka_unit_test(a_location_leads_where_browsers_go),
		cmocka_unit_test(a_question_becomes_words_and_pieces),
		cmocka_unit_test(words_are_marked_as_the_tenants_once_each),
		cmocka_unit_test(no_text_has_more_words_than_there_is_room_for),
	};

	if (argc == 3 && strcmp(argv[1], READER_OPTION) == 0)
		return reader_main(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
