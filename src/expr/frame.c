#include "expr/frame.h"

enum { LINE_MAX_NUMBER = 1 << 24 };

static void add_number(struct buf *out, uint32_t number)
{
	const unsigned char bytes[] = { (unsigned char)number, (unsigned char)(number >> 8),
					(unsigned char)(number >> 16), (unsigned char)(number >> 24) };

	buf_add(out, bytes, sizeof(bytes));
}

static uint32_t number_at(struct str bytes, size_t at)
{
	const unsigned char *p = (const unsigned char *)bytes.p + at;

	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

void frame_add_request(struct buf *out, const struct frame_request *request)
{
	buf_add_char(out, (char)request->mode);
	add_number(out, request->time_ms);
	add_number(out, request->max);
	add_number(out, (uint32_t)request->program.n);
	add_number(out, (uint32_t)request->input.n);
	buf_add_str(out, request->program);
	buf_add_str(out, request->input);
}

void frame_add_answer(struct buf *out, const struct frame_answer *answer)
{
	buf_add_char(out, (char)answer->why);
	add_number(out, (uint32_t)answer->line);
	add_number(out, (uint32_t)answer->column);
	add_number(out, (uint32_t)answer->text.n);
	buf_add_str(out, answer->text);
}

/* How a frame of that length stands to what has come. */
static enum err compare(struct str bytes, size_t length, size_t *ret_length)
{
	*ret_length = length;
	if (bytes.n > length)
		return ERR_BAD_REQUEST;
	return bytes.n < length ? ERR_END : OK;
}

enum err frame_read_request(struct str bytes, struct frame_request *ret_request, size_t *ret_length)
{
	*ret_length = FRAME_REQUEST_HEAD;
	if (bytes.n < FRAME_REQUEST_HEAD)
		return ERR_END;
	unsigned mode = (unsigned char)bytes.p[0];
	uint32_t time_ms = number_at(bytes, 1), max = number_at(bytes, 5);
	size_t program = number_at(bytes, 9), input = number_at(bytes, 13);

	if (mode >= FRAME_MODE_COUNT || time_ms < 1 || time_ms > FRAME_TIME_MAX_MS || max > EXPR_RESULT_MAX ||
	    program > EXPR_PROGRAM_MAX || input > EXPR_INPUT_MAX)
		return ERR_BAD_REQUEST;
	TRY(compare(bytes, FRAME_REQUEST_HEAD + program + input, ret_length));
	*ret_request = (struct frame_request){
		.mode = (enum frame_mode)mode,
		.time_ms = time_ms,
		.max = max,
		.program = { bytes.p + FRAME_REQUEST_HEAD, program },
		.input = { bytes.p + FRAME_REQUEST_HEAD + program, input },
	};
	return OK;
}

enum err frame_read_answer(struct str bytes, struct frame_answer *ret_answer, size_t *ret_length)
{
	*ret_length = FRAME_ANSWER_HEAD;
	if (bytes.n < FRAME_ANSWER_HEAD)
		return ERR_END;
	unsigned why = (unsigned char)bytes.p[0];
	uint32_t line = number_at(bytes, 1), column = number_at(bytes, 5);
	size_t text = number_at(bytes, 9);

	if (why >= EXPR_WHY_COUNT || line > LINE_MAX_NUMBER || column > LINE_MAX_NUMBER || text > EXPR_RESULT_MAX)
		return ERR_BAD_REQUEST;
	TRY(compare(bytes, FRAME_ANSWER_HEAD + text, ret_length));
	*ret_answer = (struct frame_answer){
		.why = (enum expr_why)why,
		.line = (int)line,
		.column = (int)column,
		.text = { bytes.p + FRAME_ANSWER_HEAD, text },
	};
	return OK;
}
