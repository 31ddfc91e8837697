/* The side of latchd and latch-worker. What comes back may be somebody's who has taken the evaluator
 * over: it is bounded, and a result is one JSON text. */
#include "expr/expr.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "expr/frame.h"
#include "expr/words.h"

enum {
	RECEIVE_BYTES = 4 << 10,
	/* A machine may have much else to do: so many times the computing time may pass, and this more. */
	WALL_TIMES = 3,
	WALL_MORE_MS = 2000,
};

struct expr {
	struct sockaddr_un address;
	int fd; /* -1: not connected */
	struct buf out, in;
};

/* How an exchange went. */
enum outcome {
	ANSWERED,
	BROKEN, /* before an answer began, or in its midst, or it is none */
	LATE,
	NO_MEMORY,
};

enum err expr_new(const char *socket_path, struct expr **ret_expr)
{
	struct expr *expr;

	if (strlen(socket_path) >= sizeof(expr->address.sun_path))
		return ERR_CONFIG;
	expr = calloc(1, sizeof(*expr));
	if (!expr)
		return ERR_NO_MEMORY;
	expr->fd = -1;
	expr->address.sun_family = AF_UNIX;
	memcpy(expr->address.sun_path, socket_path, strlen(socket_path) + 1);
	buf_init(&expr->out, FRAME_REQUEST_MAX);
	buf_init(&expr->in, FRAME_ANSWER_MAX + RECEIVE_BYTES);
	*ret_expr = expr;
	return OK;
}

static void hang_up(struct expr *expr)
{
	if (expr->fd >= 0)
		close(expr->fd);
	expr->fd = -1;
}

void expr_free(struct expr *expr)
{
	if (!expr)
		return;
	hang_up(expr);
	buf_done(&expr->out);
	buf_done(&expr->in);
	free(expr);
}

/* --- one exchange ------------------------------------------------------------------- */

/* Non-blocking: a full queue means that latch-expr is stuck. */
static bool dial(struct expr *expr)
{
	expr->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (expr->fd >= 0 &&
	    connect(expr->fd, (const struct sockaddr *)&expr->address, sizeof(expr->address)) == 0)
		return true;
	hang_up(expr);
	return false;
}

/* False: the time is over. */
static bool wait_for(const struct expr *expr, short events, int64_t until_us)
{
	struct pollfd polled = { expr->fd, events, 0 };

	for (;;) {
		int64_t left = until_us - clock_monotonic_us();
		int n = left > 0 ? poll(&polled, 1, (int)(left / 1000) + 1) : 0;

		if (n >= 0 || errno != EINTR)
			return n > 0;
	}
}

static enum outcome send_request(const struct expr *expr, int64_t until_us)
{
	struct str rest = buf_str(&expr->out);

	while (rest.n > 0) {
		ssize_t n = send(expr->fd, rest.p, rest.n, MSG_NOSIGNAL);

		if (n > 0)
			rest = str_slice(rest, (size_t)n, rest.n);
		else if (errno == EAGAIN && !wait_for(expr, POLLOUT, until_us))
			return LATE;
		else if (errno != EAGAIN && errno != EINTR)
			return BROKEN;
	}
	return ANSWERED;
}

static enum outcome receive_answer(struct expr *expr, int64_t until_us, struct frame_answer *ret_answer)
{
	size_t length;

	buf_clear(&expr->in);
	for (;;) {
		enum err e = frame_read_answer(buf_str(&expr->in), ret_answer, &length);

		if (e != ERR_END)
			return e == OK ? ANSWERED : BROKEN;
		if (!wait_for(expr, POLLIN, until_us))
			return LATE;
		size_t missing = length - expr->in.n, room = missing > RECEIVE_BYTES ? missing : RECEIVE_BYTES;
		char *place = buf_reserve(&expr->in, room);
		if (!place)
			return NO_MEMORY;
		ssize_t n = recv(expr->fd, place, room, 0);
		if (n > 0)
			buf_advance(&expr->in, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return BROKEN;
	}
}

/* Whoever is refused hears why although he can't send any more. */
static enum outcome exchange(struct expr *expr, int64_t until_us, struct frame_answer *ret_answer)
{
	enum outcome outcome = send_request(expr, until_us);

	return outcome == LATE ? LATE : receive_answer(expr, until_us, ret_answer);
}

/* --- what it means --------------------------------------------------------------------- */

static const char *words_for(enum expr_why why)
{
	switch (why) {
	case EXPR_TIME: return "it was still at work when its time was over";
	case EXPR_MEMORY: return "it needs more memory than it may have";
	case EXPR_TOO_LARGE: return "its text or its input is too long";
	case EXPR_DIED: return "it brought its evaluator down: a value is nested too deep, or it is too large";
	case EXPR_AWAY: return "latch-expr isn't there";
	default: return "";
	}
}

static enum err error_for(enum expr_why why)
{
	switch (why) {
	case EXPR_OK: return OK;
	case EXPR_SYNTAX: return ERR_EXPRESSION_SYNTAX;
	case EXPR_FAILED: return ERR_EXPRESSION_FAILED;
	case EXPR_TIME: return ERR_EXPRESSION_TIME;
	case EXPR_MEMORY: return ERR_EXPRESSION_MEMORY;
	case EXPR_TOO_LARGE: return ERR_EXPRESSION_TOO_LARGE;
	case EXPR_AWAY: return ERR_EXPRESSION_AWAY;
	default: return ERR_EXPRESSION_DIED;
	}
}

/* The child is over after these, or will be. */
static bool ends_connection(enum expr_why why)
{
	return why == EXPR_TIME || why == EXPR_MEMORY || why == EXPR_DIED || why == EXPR_AWAY;
}

static enum err fail(struct expr_failure *failure, enum expr_why why, struct str words)
{
	failure->why = why;
	words_clean(words.n > 0 ? words : str_of(words_for(why)), failure->words);
	return error_for(why);
}

static enum err conclude(struct expr *expr, enum outcome outcome, const struct frame_answer *answer,
			 struct expr_failure *failure)
{
	if (outcome != ANSWERED || ends_connection(answer->why))
		hang_up(expr);
	if (outcome == NO_MEMORY)
		return ERR_NO_MEMORY;
	if (outcome != ANSWERED)
		return fail(failure, outcome == LATE ? EXPR_TIME : EXPR_DIED, STR_NONE);
	if (answer->why == EXPR_OK)
		return OK;
	failure->line = answer->line;
	failure->column = answer->column;
	return fail(failure, answer->why, answer->text);
}

/*
 * On the connection that there is, or a new one. A kept one may have ended since the last request, and its evaluator
 * may be full of what others left: then a new one decides.
 */
static enum err ask(struct expr *expr, const struct frame_request *request, struct frame_answer *ret_answer,
		    struct expr_failure *failure)
{
	int64_t computing_ms = FRAME_COMPILE_MS + (int64_t)request->time_ms;
	int64_t until_us = clock_monotonic_us() + (computing_ms * WALL_TIMES + WALL_MORE_MS) * 1000;

	buf_clear(&expr->out);
	frame_add_request(&expr->out, request);
	TRY(buf_error(&expr->out));
	for (;;) {
		bool kept = expr->fd >= 0;

		if (!kept && !dial(expr))
			return fail(failure, EXPR_AWAY, STR_NONE);
		enum outcome outcome = exchange(expr, until_us, ret_answer);
		bool again = outcome == BROKEN || (outcome == ANSWERED && ret_answer->why == EXPR_MEMORY);
		if (!kept || !again)
			return conclude(expr, outcome, ret_answer, failure);
		hang_up(expr);
	}
}

enum err expr_check(struct expr *expr, struct str program, struct expr_failure *ret_failure)
{
	const struct frame_request request = { .mode = FRAME_CHECK, .time_ms = 1, .program = program };
	struct frame_answer answer = { .why = EXPR_DIED };
	enum err e;

	*ret_failure = (struct expr_failure){ .why = EXPR_OK };
	if (program.n > EXPR_PROGRAM_MAX)
		e = fail(ret_failure, EXPR_TOO_LARGE, STR_NONE);
	else
		e = ask(expr, &request, &answer, ret_failure);
	return e == OK || e == ERR_EXPRESSION_AWAY || e == ERR_NO_MEMORY ? e : ERR_BAD_INPUT;
}

enum err expr_evaluate(struct expr *expr, struct str program, struct str input, int64_t time_ms, size_t max,
		       struct buf *out, struct expr_failure *ret_failure)
{
	const struct frame_request request = {
		.mode = FRAME_EVALUATE,
		.time_ms = time_ms < 1 ? 1 : (uint32_t)(time_ms < FRAME_TIME_MAX_MS ? time_ms : FRAME_TIME_MAX_MS),
		.max = (uint32_t)(max < EXPR_RESULT_MAX ? max : EXPR_RESULT_MAX),
		.program = program,
		.input = input,
	};
	struct frame_answer answer = { .why = EXPR_DIED };

	*ret_failure = (struct expr_failure){ .why = EXPR_OK };
	if (program.n > EXPR_PROGRAM_MAX || input.n > EXPR_INPUT_MAX)
		return fail(ret_failure, EXPR_TOO_LARGE, STR_NONE);
	TRY(ask(expr, &request, &answer, ret_failure));
	/* Only an evaluator that somebody has taken over answers so. */
	if (answer.text.n > request.max || json_check(answer.text) != OK) {
		hang_up(expr);
		return fail(ret_failure, EXPR_DIED, STR_NONE);
	}
	buf_add_str(out, answer.text);
	return buf_error(out);
}
