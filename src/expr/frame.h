/*
 * What a client and its evaluator say to each other: a request, an answer, in turn.
 *
 *	request  mode (1 byte), time in ms, longest result, length of the program, of the input (4 each), the two texts
 *	answer   why (1 byte), line, column, length of the text (4 each), the text: a result or words
 *
 * Numbers are little-endian. Both sides take what they read for hostile.
 */
#ifndef LW_EXPR_FRAME_H
#define LW_EXPR_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"
#include "expr/expr.h"

enum {
	FRAME_REQUEST_HEAD = 17,
	FRAME_ANSWER_HEAD = 13,
	FRAME_REQUEST_MAX = FRAME_REQUEST_HEAD + EXPR_PROGRAM_MAX + EXPR_INPUT_MAX,
	FRAME_ANSWER_MAX = FRAME_ANSWER_HEAD + EXPR_RESULT_MAX,
	FRAME_TIME_MAX_MS = 60000,
	FRAME_COMPILE_MS = 1000, /* of computing time; jq's own definitions alone take 30 */
};

enum frame_mode { FRAME_CHECK, FRAME_EVALUATE, FRAME_MODE_COUNT };

struct frame_request {
	enum frame_mode mode;
	uint32_t time_ms; /* at least 1 */
	uint32_t max;     /* bytes of the result */
	struct str program, input;
};

struct frame_answer {
	enum expr_why why;
	int line, column;
	struct str text;
};

void frame_add_request(struct buf *out, const struct frame_request *request);
void frame_add_answer(struct buf *out, const struct frame_answer *answer);

/*
 * Reads a frame; its texts point into `bytes`. ERR_END: there is more to come, `ret_length` bytes as far as is known
 * now. ERR_BAD_REQUEST: no such frame, or bytes behind it.
 */
enum err frame_read_request(struct str bytes, struct frame_request *ret_request, size_t *ret_length) MUST_CHECK;
enum err frame_read_answer(struct str bytes, struct frame_answer *ret_answer, size_t *ret_length) MUST_CHECK;

#endif
