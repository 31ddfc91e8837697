/* Log lines: one line, valid JSON, nothing smuggled in. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/log.h"

static int saved_stderr = -1;
static int lines[2] = { -1, -1 };
static char got[2 * PIPE_BUF];

static int catch_stderr(void **state)
{
	(void)state;
	log_setup("latchd front", LOG_DEBUG);
	saved_stderr = dup(STDERR_FILENO);
	return saved_stderr < 0 || pipe(lines) != 0 || dup2(lines[1], STDERR_FILENO) < 0 ? -1 : 0;
}

static int give_stderr_back(void **state)
{
	(void)state;
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	close(lines[0]);
	close(lines[1]);
	log_set_request(STR_NONE);
	return 0;
}

/* The one line that was written, parsed strictly; its text stays in `got`. */
static json_t *line(void)
{
	ssize_t n = read(lines[0], got, sizeof(got) - 1);

	assert_true(n > 0 && n <= PIPE_BUF);
	got[n] = '\0';
	assert_ptr_equal(strchr(got, '\n'), got + n - 1);
	for (ssize_t i = 0; i < n - 1; i++)
		assert_true((unsigned char)got[i] >= 0x20 && got[i] != 0x7f);
	json_t *value = json_loadb(got, (size_t)n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert_non_null(value);
	return value;
}

static const char *text_of(const json_t *value, const char *name)
{
	const char *text = json_string_value(json_object_get(value, name));

	return text ? text : "(absent)";
}

static void a_line_says_when_who_and_what(void **state)
{
	(void)state;
	log_set_request(STR("01fwhe4ydgfk1shh6w1g60eecf"));
	log_write(LOG_WARN, "slow answer",
		  LOG_FIELDS(log_text("pool", "front"), log_int("took_us", -7),
			     log_err(ERR_DB_LOST), log_errno(ENOENT), log_text("none", NULL)));
	json_t *l = line();
	assert_string_equal(text_of(l, "level"), "warn");
	assert_string_equal(text_of(l, "program"), "latchd front");
	assert_int_equal(json_integer_value(json_object_get(l, "pid")), getpid());
	assert_string_equal(text_of(l, "request_id"), "01fwhe4ydgfk1shh6w1g60eecf");
	assert_string_equal(text_of(l, "message"), "slow answer");
	assert_string_equal(text_of(l, "pool"), "front");
	assert_int_equal(json_integer_value(json_object_get(l, "took_us")), -7);
	assert_string_equal(text_of(l, "error"), "DATABASE_AWAY");
	assert_string_equal(text_of(l, "errno"), "ENOENT");
	assert_true(json_is_null(json_object_get(l, "none")));
	assert_int_equal(strlen(text_of(l, "time")), strlen("2026-11-20T10:34:00.000Z"));
	json_decref(l);
	log_set_request(STR_NONE);
	log_write(LOG_INFO, "later", LOG_NO_FIELDS);
	l = line();
	assert_null(json_object_get(l, "request_id"));
	json_decref(l);
}

static void levels_below_the_least_are_silent(void **state)
{
	(void)state;
	log_setup("latchd front", LOG_WARN);
	log_write(LOG_DEBUG, "no", LOG_NO_FIELDS);
	log_write(LOG_INFO, "no", LOG_NO_FIELDS);
	log_write(LOG_WARN, "yes", LOG_NO_FIELDS);
	json_t *l = line();
	assert_string_equal(text_of(l, "message"), "yes");
	json_decref(l);
}

static void a_user_cannot_forge_a_line_or_colour_a_terminal(void **state)
{
	(void)state;
	static const char EVIL[] = "a\n{\"level\":\"admin\"}\r\x1b[31mred\x7f\xc2\x9b"
				   "31m\xe2\x80\xa8\xe2\x80\xae\xe2\x81\xa6\"\\";

	log_write(LOG_INFO, EVIL, LOG_FIELDS(log_str("name", (struct str){ EVIL, sizeof(EVIL) })));
	json_t *l = line();
	assert_string_equal(text_of(l, "level"), "info");
	/* Nothing is lost: a reader of JSON sees what was sent. */
	assert_string_equal(text_of(l, "message"), EVIL);
	assert_int_equal(json_string_length(json_object_get(l, "name")), sizeof(EVIL));
	static const char *const HIDDEN[] = { "\x1b", "\xc2\x9b", "\xe2\x80\xa8", "\xe2\x80\xae",
					      "\xe2\x81\xa6" };
	for (size_t i = 0; i < ARRAY_SIZE(HIDDEN); i++)
		assert_null(strstr(got, HIDDEN[i]));
	json_decref(l);
}

static void broken_text_is_shown_as_replaced(void **state)
{
	(void)state;
	log_write(LOG_INFO, "x", LOG_FIELDS(log_text("name", "ok \xc3\xa4 \xff\xc3")));
	json_t *l = line();
	assert_string_equal(text_of(l, "name"), "ok \xc3\xa4 \xef\xbf\xbd\xef\xbf\xbd");
	json_decref(l);
}

static void a_long_value_is_cut_at_a_whole_character(void **state)
{
	(void)state;
	char text[3001];

	for (size_t i = 0; i < 3000; i += 3)
		memcpy(text + i, "\xe2\x82\xac", 4);
	log_write(LOG_INFO, "x", LOG_FIELDS(log_text("name", text), log_int("after", 5)));
	json_t *l = line();
	size_t n = strlen(text_of(l, "name"));
	assert_in_range(n, 1000, 1024);
	assert_int_equal(n % 3, 0);
	assert_int_equal(json_integer_value(json_object_get(l, "after")), 5);
	assert_true(json_is_true(json_object_get(l, "cut")));
	json_decref(l);
}

static void a_line_is_never_longer_than_a_pipe_takes_at_once(void **state)
{
	(void)state;
	char text[1001];

	memset(text, '\n', 1000);
	text[1000] = '\0';
	for (size_t n = 0; n < 1000; n++) {
		char last[1001];
		memset(last, 'x', n);
		last[n] = '\0';
		log_write(LOG_INFO, "x",
			  LOG_FIELDS(log_text("a", text), log_text("b", text), log_text("c", text),
				     log_text("d", last), log_int("e", INT64_MIN),
				     log_text("f", text)));
		json_t *l = line();
		assert_true(json_is_true(json_object_get(l, "cut")));
		json_decref(l);
	}
}

/* What can be read now, as text. */
static const char *written(void)
{
	struct pollfd p = { .fd = lines[0], .events = POLLIN };
	ssize_t n = poll(&p, 1, 0) > 0 ? read(lines[0], got, sizeof(got) - 1) : 0;

	assert_true(n >= 0 && n <= PIPE_BUF);
	got[n] = '\0';
	return got;
}

static int stop_gathering(void **state)
{
	log_flush();
	log_gather(false);
	return give_stderr_back(state);
}

static void gathered_lines_are_written_in_one_piece_and_in_order(void **state)
{
	(void)state;
	log_gather(true);
	log_write(LOG_INFO, "first", LOG_NO_FIELDS);
	log_write(LOG_INFO, "second", LOG_NO_FIELDS);
	assert_string_equal(written(), "");
	log_flush();
	const char *first = strstr(written(), "first");
	assert_non_null(first);
	assert_non_null(strstr(first, "second"));
	log_flush();
	assert_string_equal(written(), "");
}

static void a_warning_brings_the_lines_before_it_out(void **state)
{
	(void)state;
	log_gather(true);
	log_write(LOG_INFO, "before", LOG_NO_FIELDS);
	log_write(LOG_WARN, "trouble", LOG_NO_FIELDS);
	const char *before = strstr(written(), "before");
	assert_non_null(before);
	assert_non_null(strstr(before, "trouble"));
}

static void more_lines_than_a_pipe_takes_at_once_are_several_pieces(void **state)
{
	char text[1000];
	int whole = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	log_gather(true);
	for (int i = 0; i < 10; i++) {
		log_write(LOG_INFO, "x", LOG_FIELDS(log_str("text", (struct str){ text, sizeof(text) })));
		for (const char *p = written(); (p = strchr(p, '\n')); p++)
			whole++;
	}
	log_flush();
	for (const char *p = written(); (p = strchr(p, '\n')); p++)
		whole++;
	assert_int_equal(whole, 10);
}

static void errno_survives_a_log_line(void **state)
{
	(void)state;
	close(STDERR_FILENO);
	errno = EAGAIN;
	log_write(LOG_ERROR, "nobody hears this", LOG_FIELDS(log_errno(99999)));
	assert_int_equal(errno, EAGAIN);
}

#define GATHERED(test) cmocka_unit_test_setup_teardown(test, catch_stderr, stop_gathering)
#define CAUGHT(test) cmocka_unit_test_setup_teardown(test, catch_stderr, give_stderr_back)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CAUGHT(a_line_says_when_who_and_what),
		CAUGHT(levels_below_the_least_are_silent),
		CAUGHT(a_user_cannot_forge_a_line_or_colour_a_terminal),
		CAUGHT(broken_text_is_shown_as_replaced),
		CAUGHT(a_long_value_is_cut_at_a_whole_character),
		CAUGHT(a_line_is_never_longer_than_a_pipe_takes_at_once),
		GATHERED(gathered_lines_are_written_in_one_piece_and_in_order),
		GATHERED(a_warning_brings_the_lines_before_it_out),
		GATHERED(more_lines_than_a_pipe_takes_at_once_are_several_pieces),
		CAUGHT(errno_survives_a_log_line),
	};

	return cmocka_run_group_tests_name("base: the log", tests, NULL, NULL);
}
