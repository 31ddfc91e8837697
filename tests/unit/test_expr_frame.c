/* The frames between a client and its evaluator: each side reads what the other may have made up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expr/frame.h"

static struct buf frame;

static const struct frame_request REQUEST = {
	.mode = FRAME_EVALUATE, .time_ms = 250, .max = 4096, .program = STR(".a"), .input = STR("{\"a\":1}")
};
static const struct frame_answer ANSWER = { .why = EXPR_SYNTAX, .line = 3, .column = 700, .text = STR("no such thing") };

static int setup(void **state)
{
	(void)state;
	buf_init(&frame, FRAME_REQUEST_MAX + 1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&frame);
	return 0;
}

static void a_request_arrives_as_it_was_sent(void **state)
{
	struct frame_request got;
	size_t length;

	(void)state;
	frame_add_request(&frame, &REQUEST);
	assert_int_equal(frame_read_request(buf_str(&frame), &got, &length), OK);
	assert_int_equal(length, frame.n);
	assert_int_equal(got.mode, REQUEST.mode);
	assert_int_equal(got.time_ms, REQUEST.time_ms);
	assert_int_equal(got.max, REQUEST.max);
	assert_true(str_eq(got.program, REQUEST.program));
	assert_true(str_eq(got.input, REQUEST.input));
}

static void an_answer_arrives_as_it_was_sent(void **state)
{
	struct frame_answer got;
	size_t length;

	(void)state;
	frame_add_answer(&frame, &ANSWER);
	assert_int_equal(frame_read_answer(buf_str(&frame), &got, &length), OK);
	assert_int_equal(length, frame.n);
	assert_int_equal(got.why, ANSWER.why);
	assert_int_equal(got.line, ANSWER.line);
	assert_int_equal(got.column, ANSWER.column);
	assert_true(str_eq(got.text, ANSWER.text));
}

/* A copy of exactly that many bytes, so that a sanitizer sees whoever reads on. */
static struct str prefix(size_t n)
{
	char *copy = malloc(n > 0 ? n : 1);

	assert_non_null(copy);
	if (n > 0)
		memcpy(copy, frame.p, n);
	return (struct str){ copy, n };
}

static void a_frame_that_comes_in_pieces_is_waited_for(void **state)
{
	struct frame_request request;
	struct frame_answer answer;
	size_t length;

	(void)state;
	frame_add_request(&frame, &REQUEST);
	for (size_t n = 0; n < frame.n; n++) {
		struct str part = prefix(n);

		assert_int_equal(frame_read_request(part, &request, &length), ERR_END);
		assert_int_equal(length, n < FRAME_REQUEST_HEAD ? FRAME_REQUEST_HEAD : frame.n);
		free((void *)(uintptr_t)part.p);
	}
	buf_clear(&frame);
	frame_add_answer(&frame, &ANSWER);
	for (size_t n = 0; n < frame.n; n++) {
		struct str part = prefix(n);

		assert_int_equal(frame_read_answer(part, &answer, &length), ERR_END);
		assert_int_equal(length, n < FRAME_ANSWER_HEAD ? FRAME_ANSWER_HEAD : frame.n);
		free((void *)(uintptr_t)part.p);
	}
}

static void bytes_behind_a_frame_are_refused(void **state)
{
	struct frame_request request;
	struct frame_answer answer;
	size_t length;

	(void)state;
	frame_add_request(&frame, &REQUEST);
	buf_add_char(&frame, 'x');
	assert_int_equal(frame_read_request(buf_str(&frame), &request, &length), ERR_BAD_REQUEST);
	buf_clear(&frame);
	frame_add_answer(&frame, &ANSWER);
	buf_add_char(&frame, 'x');
	assert_int_equal(frame_read_answer(buf_str(&frame), &answer, &length), ERR_BAD_REQUEST);
}

static enum err request_with(size_t at, const char *bytes, size_t n)
{
	struct frame_request request;
	size_t length;

	buf_clear(&frame);
	frame_add_request(&frame, &REQUEST);
	memcpy(frame.p + at, bytes, n);
	return frame_read_request(buf_str(&frame), &request, &length);
}

static void a_head_beyond_the_limits_is_refused_before_anything_is_read(void **state)
{
	struct frame_answer answer;
	size_t length;

	(void)state;
	assert_int_equal(request_with(0, "\x02", 1), ERR_BAD_REQUEST);            /* no such mode */
	assert_int_equal(request_with(1, "\0\0\0\0", 4), ERR_BAD_REQUEST);        /* no time at all */
	assert_int_equal(request_with(1, "\xff\xff\xff\x7f", 4), ERR_BAD_REQUEST); /* a month */
	assert_int_equal(request_with(5, "\xff\xff\xff\xff", 4), ERR_BAD_REQUEST); /* the result */
	assert_int_equal(request_with(9, "\xff\xff\xff\xff", 4), ERR_BAD_REQUEST); /* the program */
	assert_int_equal(request_with(13, "\xff\xff\xff\xff", 4), ERR_BAD_REQUEST); /* the input */
	buf_clear(&frame);
	frame_add_answer(&frame, &ANSWER);
	frame.p[0] = EXPR_WHY_COUNT;
	assert_int_equal(frame_read_answer(buf_str(&frame), &answer, &length), ERR_BAD_REQUEST);
	frame.p[0] = EXPR_OK;
	memcpy(frame.p + 9, "\xff\xff\xff\xff", 4);
	assert_int_equal(frame_read_answer(buf_str(&frame), &answer, &length), ERR_BAD_REQUEST);
	memcpy(frame.p + 9, "\x0d\0\0\0", 4);
	memcpy(frame.p + 1, "\xff\xff\xff\xff", 4);
	assert_int_equal(frame_read_answer(buf_str(&frame), &answer, &length), ERR_BAD_REQUEST);
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(a_request_arrives_as_it_was_sent),
		SCENE(an_answer_arrives_as_it_was_sent),
		SCENE(a_frame_that_comes_in_pieces_is_waited_for),
		SCENE(bytes_behind_a_frame_are_refused),
		SCENE(a_head_beyond_the_limits_is_refused_before_anything_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
