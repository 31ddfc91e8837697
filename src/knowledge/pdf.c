#include "knowledge/pdf.h"

#include <signal.h>
#include <string.h>

#include "fcgi/child.h"
#include "knowledge/knowledge.h"
#include "knowledge/passage.h"

enum {
	MAGIC_WITHIN = 1024, /* as Acrobat does (ISO 32000-1, Annex H, note 13) */
	PAGES_MAX = 500,
	MEMORY = 1 << 30,
	CPU_S = 20,
	DEADLINE_MS = 30000
};

static bool holds(struct str s, struct str what) { return memmem(s.p, s.n, what.p, what.n) != NULL; }

bool pdf_is(struct str file) { return holds(str_slice(file, 0, MAGIC_WITHIN), STR("%PDF-")); }

/* One page more than are read tells that there are more. */
static char *const ARGUMENTS[] = { (char[]){ "pdftotext" }, (char[]){ "-q" }, (char[]){ "-enc" }, (char[]){ "UTF-8" },
				   (char[]){ "-l" },	    (char[]){ "501" }, (char[]){ "-" },	   (char[]){ "-" },
				   NULL };

/* It says little about why: an encrypted file has the word outside of what is encrypted. */
static enum err why_not(const struct child_answer *answer, struct str file)
{
	switch (answer->end) {
	case CHILD_LATE: return ERR_PDF_TIMEOUT;
	case CHILD_TOO_MUCH: return ERR_PDF_TOO_LARGE;
	case CHILD_KILLED: return answer->status == SIGXCPU ? ERR_PDF_TIMEOUT : ERR_PDF_UNREADABLE;
	default: break;
	}
	if (answer->status == 0)
		return OK;
	return holds(file, STR("/Encrypt")) ? ERR_PDF_ENCRYPTED : ERR_PDF_UNREADABLE;
}

/* There is a form feed behind each page. */
static bool has_too_many_pages(struct str raw)
{
	size_t pages = 0;

	for (size_t i = 0; i < raw.n; i++)
		pages += raw.p[i] == '\f';
	return pages > PAGES_MAX;
}

enum err pdf_text(struct str file, struct buf *text)
{
	const struct child_program reader = { .path = "/usr/bin/pdftotext",
					      .arguments = ARGUMENTS,
					      .input = file,
					      .memory = MEMORY,
					      .cpu_s = CPU_S,
					      .deadline_ms = DEADLINE_MS };
	BUF_AUTO struct buf raw = { 0 };
	struct child_answer answer;
	enum err e;

	buf_init(&raw, KNOWLEDGE_TEXT_MAX);
	e = child_run(&reader, &raw, &answer);
	TRY(e == ERR_NOT_READY ? ERR_PDF_READER_AWAY : e);
	TRY(why_not(&answer, file));
	if (has_too_many_pages(buf_str(&raw)))
		return ERR_PDF_TOO_LARGE;
	passage_tidy(buf_str(&raw), text);
	TRY(buf_error(text));
	return text->n > 0 ? OK : ERR_PDF_NO_TEXT;
}

/* --- a trial ---------------------------------------------------------------------------- */

/* One page with one word: readers find the objects without a table of where they are. */
static const char SAMPLE[] = "%PDF-1.4\n"
			     "1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
			     "2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
			     "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]/Contents 4 0 R"
			     "/Resources<</Font<</F 5 0 R>>>>>>endobj\n"
			     "4 0 obj<</Length 31>>stream\nBT/F 9 Tf 9 9 Td(readable)Tj ET\nendstream endobj\n"
			     "5 0 obj<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>endobj\n"
			     "trailer<</Root 1 0 R>>\n";

enum err knowledge_try_pdf(void)
{
	BUF_AUTO struct buf text = { 0 };

	buf_init(&text, sizeof(SAMPLE));
	TRY(pdf_text(str_of(SAMPLE), &text));
	return str_eq(buf_str(&text), STR("readable")) ? OK : ERR_PDF_UNREADABLE;
}
