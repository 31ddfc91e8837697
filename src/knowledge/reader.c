#include "knowledge/reader.h"

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fcgi/child.h"
#include "fcgi/sandbox.h"
#include "knowledge/html.h"
#include "knowledge/knowledge.h"
#include "knowledge/passage.h"

enum {
	PAGE_MAX = 4 << 20,
	READ_BYTES = 16 << 10,
	EXIT_NOT_TEXT = 3,
	MEMORY = 1 << 30,
	CPU_S = 10,
	DEADLINE_MS = 20000
};

/* --- the child --------------------------------------------------------------------------- */

static bool read_all(struct buf *page)
{
	char part[READ_BYTES];
	ssize_t n;

	while ((n = read(STDIN_FILENO, part, sizeof(part))) > 0)
		buf_add(page, part, (size_t)n);
	return n == 0 && buf_error(page) == OK;
}

static bool write_all(struct str s)
{
	for (size_t done = 0; done < s.n;) {
		ssize_t n = write(STDOUT_FILENO, s.p + done, s.n - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The title is one line. */
int reader_main(const char *charset)
{
	BUF_AUTO struct buf page = { 0 };
	BUF_AUTO struct buf title = { 0 };
	BUF_AUTO struct buf text = { 0 };
	enum err e;

	buf_init(&page, PAGE_MAX);
	buf_init(&title, HTML_TITLE_MAX);
	buf_init(&text, KNOWLEDGE_TEXT_MAX);
	if (!read_all(&page))
		return EXIT_FAILURE;
	e = html_text(buf_str(&page), charset[0] ? str_of(charset) : STR_NONE, &title, &text);
	if (e != OK)
		return e == ERR_PAGE_NOT_TEXT ? EXIT_NOT_TEXT : EXIT_FAILURE;
	if (!write_all(buf_str(&title)) || !write_all(STR("\n")) || !write_all(buf_str(&text)))
		return EXIT_FAILURE;
	return EXIT_SUCCESS;
}

/* --- who asks it ---------------------------------------------------------------------------- */

static enum err this_program(char path[PATH_MAX])
{
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n <= 0)
		return ERR_IO;
	path[n] = '\0';
	return OK;
}

static enum err judge(const struct child_answer *answer)
{
	if (answer->end == CHILD_TOO_MUCH)
		return ERR_PAGE_TOO_LARGE;
	if (answer->end != CHILD_EXITED)
		return ERR_PAGE_UNREADABLE;
	if (answer->status == EXIT_NOT_TEXT)
		return ERR_PAGE_NOT_TEXT;
	return answer->status == EXIT_SUCCESS ? OK : ERR_PAGE_UNREADABLE;
}

static enum err run_reader(struct str page, char *charset, struct buf *output)
{
	char path[PATH_MAX], option[] = READER_OPTION;
	char *arguments[] = { path, option, charset, NULL };
	const struct child_program program = { .path = path,
					       .arguments = arguments,
					       .input = page,
					       .memory = MEMORY,
					       .cpu_s = CPU_S,
					       .deadline_ms = DEADLINE_MS };
	struct child_answer answer;

	TRY(this_program(path));
	TRY(child_run(&program, output, &answer));
	return judge(&answer);
}

/* What the child says is tidied once more: it may be somebody else by now. */
enum err reader_text(struct str page, struct str charset, struct buf *title, struct buf *text)
{
	BUF_AUTO struct buf output = { 0 };
	char name[HTML_CHARSET_MAX + 1];
	struct str rest;

	/* A sanitizer reads its own maps, and traces itself at the end: there is none of that in the child. */
	if (!SANDBOX_LIMITS_MEMORY)
		return html_text(page, charset, title, text);
	if (charset.n > HTML_CHARSET_MAX || (!str_absent(charset) && !str_is_token(charset)))
		return ERR_PAGE_NOT_TEXT;
	snprintf(name, sizeof(name), "%.*s", STR_ARG(charset));
	buf_init(&output, KNOWLEDGE_TEXT_MAX + HTML_TITLE_MAX + 1);
	TRY(run_reader(page, name, &output));
	rest = buf_str(&output);
	passage_tidy(str_cut(&rest, '\n'), title);
	passage_tidy(str_absent(rest) ? STR("") : rest, text);
	return buf_error(text);
}
