/*
 * A log line is built on the stack and written at once, or gathered with others.
 *
 * A line is at most PIPE_BUF bytes, and so are those that are written together: that is what a pipe takes
 * in one piece (pipe(7)), so lines of several workers on the same stderr never mix.
 */
#define _GNU_SOURCE /* strerrorname_np */
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum {
	LINE_MAX_BYTES = PIPE_BUF,
	VALUE_MAX = 1024, /* written bytes of one value: a long one leaves room for the others */
	TAIL = sizeof(",\"cut\":true}\n") - 1
};

struct line {
	char p[LINE_MAX_BYTES];
	size_t n;
	bool cut; /* something didn't fit */
};

static struct {
	const char *program;
	struct str request;
	enum log_level least;
} here = { "latchwork", { NULL, 0 }, LOG_INFO };

/* Lines that wait for each other. */
static struct {
	bool on;
	size_t n;
	char p[PIPE_BUF];
} gathered;

static const char *const LEVELS[] = {
	[LOG_DEBUG] = "debug", [LOG_INFO] = "info", [LOG_WARN] = "warn", [LOG_ERROR] = "error"
};

static bool fits(const struct line *line, size_t n) { return n <= LINE_MAX_BYTES - TAIL - line->n; }

static void put(struct line *line, const char *p, size_t n)
{
	memcpy(line->p + line->n, p, n);
	line->n += n;
}

static void put_int(struct line *line, int64_t number)
{
	char digits[STR_INT_MAX];
	struct str text = str_of_int(number, digits);

	put(line, text.p, text.n);
}

/* The code point of a valid sequence. */
static uint32_t point_of(const char *p, size_t n)
{
	static const uint8_t FIRST_BITS[] = { 0, 0x7f, 0x1f, 0x0f, 0x07 };
	uint32_t point = (unsigned char)p[0] & FIRST_BITS[n];

	for (size_t i = 1; i < n; i++)
		point = point << 6 | ((unsigned char)p[i] & 0x3f);
	return point;
}

/*
 * What a terminal or a reader could take for more than text: control characters (C1 too: U+009B
 * starts an ANSI sequence), line separators, and marks that turn the direction of what follows.
 */
static bool must_hide(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point <= 0x9f) ||
	       (point >= 0x2028 && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

/* Writes the character at `at` into `out`, returns its size there; `ret_step` bytes were read. */
static size_t escape(struct str s, size_t at, char out[8], size_t *ret_step)
{
	size_t step = str_utf8_step(s, at);
	uint32_t point = step ? point_of(s.p + at, step) : 0xfffd;

	*ret_step = step ? step : 1;
	if (point == '"' || point == '\\') {
		out[0] = '\\';
		out[1] = (char)point;
		return 2;
	}
	if (step != 0 && !must_hide(point)) {
		memcpy(out, s.p + at, step);
		return step;
	}
	str_escape_unit((uint16_t)point, out); /* what is hidden is below U+10000 */
	return 6;
}

static bool is_plain(char c) { return c >= 0x20 && c < 0x7f && c != '"' && c != '\\'; }

/* A quoted value; what is too long ends at a whole character. */
static void put_text(struct line *line, struct str s)
{
	line->p[line->n++] = '"';
	size_t start = line->n;
	for (size_t i = 0; i < s.n;) {
		char out[8] = { s.p[i] };
		size_t step = 1;
		size_t n = is_plain(s.p[i]) ? 1 : escape(s, i, out, &step);
		if (!fits(line, n + 1) || line->n - start + n > VALUE_MAX) {
			line->cut = true;
			break;
		}
		put(line, out, n);
		i += step;
	}
	line->p[line->n++] = '"';
}

/* `,"name":` when at least that and the shortest value fit; names are ours and need no escape. */
static bool put_name(struct line *line, const char *name)
{
	size_t n = strlen(name);

	if (!fits(line, n + 4 + 24)) {
		line->cut = true;
		return false;
	}
	put(line, ",\"", 2);
	put(line, name, n);
	put(line, "\":", 2);
	return true;
}

static void put_text_field(struct line *line, const char *name, struct str text)
{
	if (!put_name(line, name))
		return;
	if (str_absent(text))
		put(line, "null", 4);
	else
		put_text(line, text);
}

static void put_int_field(struct line *line, const char *name, int64_t number)
{
	if (put_name(line, name))
		put_int(line, number);
}

static void start(struct line *line, enum log_level level, const char *message)
{
	char text[TIME_TEXT_MAX];
	struct str now = time_format(clock_now_ms(), text);

	line->n = 0;
	line->cut = false;
	put(line, "{\"time\":\"", 9);
	put(line, now.p, now.n);
	put(line, "\"", 1);
	put_text_field(line, "level", str_of(LEVELS[level]));
	put_text_field(line, "program", str_of(here.program));
	put_int_field(line, "pid", getpid());
	if (!str_absent(here.request))
		put_text_field(line, "request_id", here.request);
	put_text_field(line, "message", str_of(message));
}

/* There is nobody to tell that the log can't be written: other errors drop the line. */
static void send_line(const char *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = write(STDERR_FILENO, p, n);
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return;
		p += sent;
		n -= (size_t)sent;
	}
}

void log_gather(bool on) { gathered.on = on; }

void log_flush(void)
{
	size_t n = gathered.n;

	gathered.n = 0;
	send_line(gathered.p, n);
}

static void gather(const struct line *line)
{
	if (line->n > sizeof(gathered.p) - gathered.n)
		log_flush();
	memcpy(gathered.p + gathered.n, line->p, line->n);
	gathered.n += line->n;
}

struct log_field log_text(const char *name, const char *c_string)
{
	return log_str(name, str_of(c_string));
}

struct log_field log_str(const char *name, struct str text)
{
	return (struct log_field){ .name = name, .type = LOG_FIELD_TEXT, .text = text };
}

struct log_field log_int(const char *name, int64_t number)
{
	return (struct log_field){ .name = name, .type = LOG_FIELD_INT, .number = number };
}

struct log_field log_err(enum err e) { return log_text("error", err_code(e)); }

struct log_field log_errno(int error_number)
{
	/* The name (ENOENT), not strerror's words: it is the same in every language. */
	const char *name = strerrorname_np(error_number);

	return name ? log_text("errno", name) : log_int("errno", error_number);
}

bool log_level_parse(struct str text, enum log_level *ret_level)
{
	*ret_level = LOG_INFO;
	for (size_t i = 0; i < ARRAY_SIZE(LEVELS); i++) {
		if (!str_eq(text, str_of(LEVELS[i])))
			continue;
		*ret_level = (enum log_level)i;
		return true;
	}
	return false;
}

void log_setup(const char *program, enum log_level least)
{
	here.program = program;
	here.least = least;
}

void log_set_level(enum log_level least) { here.least = least; }

void log_set_request(struct str request_id) { here.request = request_id; }

void log_write(enum log_level level, const char *message, struct log_fields fields)
{
	struct line line;
	int saved = errno; /* a caller may log before it looks at errno */

	if (level < here.least)
		return;
	start(&line, level, message);
	for (size_t i = 0; i < fields.n; i++) {
		const struct log_field *field = &fields.v[i];
		if (field->type == LOG_FIELD_INT)
			put_int_field(&line, field->name, field->number);
		else
			put_text_field(&line, field->name, field->text);
	}
	if (line.cut)
		put(&line, ",\"cut\":true", 11);
	put(&line, "}\n", 2);
	if (gathered.on)
		gather(&line);
	else
		send_line(line.p, line.n);
	if (level >= LOG_WARN)
		log_flush();
	errno = saved;
}
