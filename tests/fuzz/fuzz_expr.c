/* Frames of latch-expr, read by either side: a frame that is taken is the one that its writer would make again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "expr/frame.h"
#include "expr/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct buf *again, struct str bytes)
{
	if (buf_error(again) != OK || !str_eq(buf_str(again), bytes))
		abort();
}

static void read_request(struct str bytes)
{
	struct frame_request request;
	struct buf again;
	size_t length = 0;
	enum err e = frame_read_request(bytes, &request, &length);

	if (length > FRAME_REQUEST_MAX || (e == ERR_END && length <= bytes.n))
		abort();
	if (e != OK)
		return;
	buf_init(&again, FRAME_REQUEST_MAX);
	frame_add_request(&again, &request);
	same(&again, bytes);
	buf_done(&again);
}

static void read_answer(struct str bytes)
{
	struct expr_failure failure = { .why = EXPR_OK };
	struct frame_answer answer;
	struct buf again;
	size_t length = 0;
	enum err e = frame_read_answer(bytes, &answer, &length);

	if (length > FRAME_ANSWER_MAX || (e == ERR_END && length <= bytes.n))
		abort();
	if (e != OK)
		return;
	buf_init(&again, FRAME_ANSWER_MAX);
	frame_add_answer(&again, &answer);
	same(&again, bytes);
	buf_done(&again);
	/* Words, whoever made them up, are fit to be shown. */
	words_of_compiler(answer.text, STR(".a |\n.b"), &failure);
	if (str_has_control(str_of(failure.words)) || !str_is_utf8(str_of(failure.words)) || failure.line < 0 ||
	    failure.column < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct str bytes = { (const char *)data, size };

	read_request(bytes);
	read_answer(bytes);
	return 0;
}
