#include "expr/serve.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expr/confine.h"
#include "expr/deadline.h"
#include "expr/frame.h"
#include "expr/program.h"
#include "expr/programs.h"

enum {
	PROGRAMS_MAX = 128,
	RECEIVE_BYTES = 16 << 10,
	PROGRAMS_SHARE = 4, /* of the memory: a quarter for what is compiled */
	LEFT_SHARE = 2,     /* of the memory: what is in use between two requests without a reason */
};

struct evaluator {
	size_t memory;
	struct programs *programs;
	struct program *ran; /* holds on to its last input and result; NULL: none */
	struct buf in, out, result;
};

static volatile sig_atomic_t leaving, idle;

static void leave(int number)
{
	(void)number;
	if (idle)
		_exit(EXIT_SUCCESS);
	leaving = 1;
}

/* --- the connection ----------------------------------------------------------------- */

/* ERR_END: the client has gone. */
static enum err receive(struct evaluator *evaluator, struct frame_request *ret_request)
{
	size_t length;

	buf_clear(&evaluator->in);
	for (;;) {
		enum err e = frame_read_request(buf_str(&evaluator->in), ret_request, &length);

		if (e != ERR_END)
			return e;
		size_t missing = length - evaluator->in.n;
		size_t room = missing > RECEIVE_BYTES ? missing : RECEIVE_BYTES;
		char *place = buf_reserve(&evaluator->in, room);
		if (!place)
			return ERR_NO_MEMORY;
		ssize_t n = recv(CONFINE_FD, place, room, 0);
		if (n <= 0 && !(n < 0 && errno == EINTR))
			return ERR_END;
		if (n > 0)
			buf_advance(&evaluator->in, (size_t)n);
	}
}

static enum err send_all(struct str bytes)
{
	while (bytes.n > 0) {
		ssize_t n = send(CONFINE_FD, bytes.p, bytes.n, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return ERR_IO;
		if (n > 0)
			bytes = str_slice(bytes, (size_t)n, bytes.n);
	}
	return OK;
}

/* --- an answer ------------------------------------------------------------------------ */

/* The program, compiled now or earlier. */
static enum expr_why find(struct evaluator *evaluator, struct str text, struct program **ret_program,
			  struct expr_failure *failure)
{
	struct program *program = programs_find(evaluator->programs, text);

	if (!program) {
		size_t before = mallinfo2().uordblks;

		deadline_start(FRAME_COMPILE_MS);
		enum expr_why why = program_compile(text, &program, failure);

		if (why != EXPR_OK)
			return why;
		size_t now = mallinfo2().uordblks;
		/* Others may leave for it, and the one that ran last may be one of them. */
		evaluator->ran = NULL;
		if (programs_add(evaluator->programs, text, program, now > before ? now - before : 0) != OK)
			return EXPR_MEMORY;
	}
	*ret_program = program;
	return EXPR_OK;
}

static enum expr_why evaluate(struct evaluator *evaluator, const struct frame_request *request,
			      struct expr_failure *failure)
{
	struct program *program;

	enum expr_why why = find(evaluator, request->program, &program, failure);
	if (why == EXPR_OK && request->mode == FRAME_EVALUATE) {
		deadline_start(request->time_ms);
		evaluator->result.max = request->max;
		why = program_run(program, request->input, &evaluator->result, failure);
		evaluator->ran = program;
	}
	deadline_stop();
	return why;
}

static enum err answer(struct evaluator *evaluator, const struct frame_request *request)
{
	struct expr_failure failure = { .why = EXPR_OK };
	enum expr_why why = evaluate(evaluator, request, &failure);

	if (why == EXPR_MEMORY)
		deadline_no_memory(NULL);
	frame_add_answer(&evaluator->out, &(struct frame_answer){
						  .why = why,
						  .line = failure.line,
						  .column = failure.column,
						  .text = why == EXPR_OK ? buf_str(&evaluator->result)
									 : str_of(failure.words),
					  });
	if (buf_error(&evaluator->out) != OK)
		deadline_no_memory(NULL);
	deadline_answered();
	return send_all(buf_str(&evaluator->out));
}

/* Nobody waits now: what the request has left goes. False: too much stays, another child shall begin anew. */
static bool tidy(struct evaluator *evaluator)
{
	if (evaluator->ran)
		program_rest(evaluator->ran);
	evaluator->ran = NULL;
	buf_clear(&evaluator->out);
	buf_clear(&evaluator->result);
	return !leaving && mallinfo2().uordblks <= evaluator->memory / LEFT_SHARE;
}

/* --- the process ------------------------------------------------------------------------ */

static enum err prepare(struct evaluator *evaluator)
{
	const struct programs_options options = {
		.most = PROGRAMS_MAX, .most_bytes = evaluator->memory / PROGRAMS_SHARE, .drop = program_free
	};

	buf_init(&evaluator->in, FRAME_REQUEST_MAX + RECEIVE_BYTES);
	buf_init(&evaluator->out, FRAME_ANSWER_MAX);
	buf_init(&evaluator->result, EXPR_RESULT_MAX);
	program_on_no_memory(deadline_no_memory);
	return programs_new(&options, &evaluator->programs);
}

static void serve(struct evaluator *evaluator)
{
	struct frame_request request;

	for (;;) {
		idle = 1;
		if (leaving)
			return;
		enum err e = receive(evaluator, &request);
		idle = 0;
		if (e != OK || answer(evaluator, &request) != OK || !tidy(evaluator))
			return;
	}
}

void serve_connection(int fd, size_t memory)
{
	struct evaluator evaluator = { .memory = memory };
	const struct sigaction on_leave = { .sa_handler = leave };

	if (sigaction(SIGTERM, &on_leave, NULL) != 0 || prepare(&evaluator) != OK ||
	    deadline_install(CONFINE_FD) != OK || confine(fd, memory) != OK)
		_exit(EXIT_FAILURE);
	serve(&evaluator);
	_exit(EXIT_SUCCESS);
}
