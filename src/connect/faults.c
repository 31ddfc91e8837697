#include "connect/faults.h"

#include <stdarg.h>
#include <stdio.h>

enum { WORDS_MAX = 320 };

/* A place that is too long for its array is cut: it only helps a person to look. */
static size_t enter(struct faults *faults, const char *format, ...) PRINTF_LIKE(2, 3);
static size_t enter(struct faults *faults, const char *format, ...)
{
	size_t before = faults->n, room = sizeof faults->place - before;
	va_list args;
	int written;

	va_start(args, format);
	written = vsnprintf(faults->place + before, room, format, args);
	va_end(args);
	if (written > 0)
		faults->n += (size_t)written < room ? (size_t)written : room - 1;
	return before;
}

/* A name comes from the file: what a terminal would obey is left out. */
static struct str printable(struct str s)
{
	size_t n = 0;

	while (n < s.n && n < 64 && (unsigned char)s.p[n] > 0x20 && (unsigned char)s.p[n] < 0x7f)
		n++;
	return str_slice(s, 0, n);
}

size_t faults_enter(struct faults *faults, struct str member)
{
	return enter(faults, "%s%.*s", faults->n > 0 ? "." : "", STR_ARG(printable(member)));
}

size_t faults_enter_item(struct faults *faults, size_t index)
{
	return enter(faults, "[%zu]", index);
}

void faults_leave(struct faults *faults, size_t before)
{
	faults->n = before;
	faults->place[before] = '\0';
}

void fault(struct faults *faults, const char *format, ...)
{
	char words[WORDS_MAX];
	va_list args;

	va_start(args, format);
	vsnprintf(words, sizeof words, format, args);
	va_end(args);
	faults->count++;
	faults->report(faults->arg, faults->place, words);
}
