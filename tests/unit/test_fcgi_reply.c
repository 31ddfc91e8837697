/* Answers: what a client may be told, and how it reaches nginx. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fcgi/outbox.h"
#include "fcgi/send.h"
#include "fcgi_support.h"

/* Sends and reads at once, since a large answer doesn't fit into a socket. */
struct sending {
	struct reply *reply;
	struct send_options options;
	enum err result;
};

static void *send_it(void *p)
{
	struct sending *sending = p;

	sending->result = reply_send(sending->reply, &sending->options);
	return NULL;
}

static void exchange(struct reply *reply, bool head_only, bool last, struct answer *ret_answer)
{
	int pair[2];
	pthread_t thread;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	struct sending sending = { reply, { pair[0], 1, head_only, last, NULL }, ERR_INTERNAL };
	assert_int_equal(pthread_create(&thread, NULL, send_it, &sending), 0);
	client_read(pair[1], ret_answer);
	pthread_join(thread, NULL);
	assert_int_equal(sending.result, OK);
	close(pair[0]);
	close(pair[1]);
}

static void assert_sends(struct reply *reply, bool head_only, const char *expected)
{
	struct answer answer;

	exchange(reply, head_only, false, &answer);
	assert_true(answer.whole);
	assert_int_equal(answer.out.n, strlen(expected));
	assert_memory_equal(answer.out.p, expected, strlen(expected));
	buf_done(&answer.out);
}

static void an_answer_has_its_status_type_length_and_headers(void **state)
{
	(void)state;
	struct reply reply;

	reply_init(&reply);
	reply.status = 201;
	buf_add_c(&reply.body, "{}");
	assert_int_equal(reply_header(&reply, "Location", STR("/x/1")), OK);
	assert_sends(&reply, false,
		     "Status: 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n"
		     "Location: /x/1\r\n\r\n{}");
	reply_done(&reply);
}

static void an_answer_to_HEAD_counts_its_body_and_keeps_it(void **state)
{
	(void)state;
	struct reply reply;

	reply_init(&reply);
	buf_add_c(&reply.body, "{\"a\":1}");
	assert_sends(&reply, true,
		     "Status: 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n");
	reply_done(&reply);
}

static void a_204_has_neither_type_nor_length(void **state)
{
	(void)state;
	struct reply reply;

	reply_init(&reply);
	reply.status = 204;
	assert_sends(&reply, false, "Status: 204 No Content\r\n\r\n");
	reply_done(&reply);
}

static void nothing_that_a_user_sends_can_start_another_header(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		struct str value;
	} bad[] = {
		{ "Location", { "/a\r\nSet-Cookie: x", 17 } },
		{ "Location", { "/a\nX: y", 7 } },
		{ "Location", { "/a\rX: y", 7 } },
		{ "Location", { "/a\0b", 4 } },
		{ "Location", { "/a\x1b", 3 } },
		{ "X: y\r\nZ", { "a", 1 } },
		{ "X Y", { "a", 1 } },
		{ "X:", { "a", 1 } },
		{ "", { "a", 1 } },
		{ "Status", { "200", 3 } },
		{ "content-length", { "1", 1 } },
		{ "CONTENT-TYPE", { "text/html", 9 } },
	};
	struct reply reply;

	reply_init(&reply);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(reply_header(&reply, bad[i].name, bad[i].value), ERR_INTERNAL);
	assert_int_equal(reply.head.n, 0);
	assert_int_equal(reply_header(&reply, "X-Note", STR("tab\tand \xc3\xa9 are fine")), OK);
	reply_done(&reply);
}

static void more_headers_than_allowed_are_an_error(void **state)
{
	(void)state;
	struct reply reply;

	reply_init(&reply);
	for (int i = 0; i < REPLY_HEADERS_MAX; i++)
		assert_int_equal(reply_header(&reply, "X", STR("y")), OK);
	assert_int_equal(reply_header(&reply, "X", STR("y")), ERR_INTERNAL);
	reply_reset(&reply);
	assert_int_equal(reply_header(&reply, "X", STR("y")), OK);
	reply_done(&reply);
}

static void bodies_of_every_size_arrive_whole(void **state)
{
	(void)state;
	static const size_t sizes[] = { 1,     65400, 65500, 65528, 65535,
					65536, 131056, 131100, 1 << 20, REPLY_BODY_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct reply reply;
		struct answer answer;

		reply_init(&reply);
		char *p = buf_reserve(&reply.body, sizes[i]);
		assert_non_null(p);
		for (size_t at = 0; at < sizes[i]; at++)
			p[at] = (char)(at * 7 + at / 1000);
		buf_advance(&reply.body, sizes[i]);
		exchange(&reply, false, false, &answer);
		assert_true(answer.whole);
		assert_true(answer.out.n > sizes[i]);
		assert_memory_equal(answer.out.p + answer.out.n - sizes[i], reply.body.p, sizes[i]);
		buf_done(&answer.out);
		reply_done(&reply);
	}
}

static void an_answer_that_grew_too_large_becomes_a_bare_500(void **state)
{
	(void)state;
	struct reply reply;

	reply_init(&reply);
	reply.body.max = 10;
	buf_add_c(&reply.body, "much more than ten");
	assert_sends(&reply, false, "Status: 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n");
	reply_done(&reply);
}

static void the_last_answer_tells_nginx_not_to_keep_the_connection(void **state)
{
	(void)state;
	struct reply reply;
	struct answer answer;

	reply_init(&reply);
	exchange(&reply, false, true, &answer);
	assert_true(answer.not_kept);
	buf_done(&answer.out);
	exchange(&reply, false, false, &answer);
	assert_false(answer.not_kept);
	buf_done(&answer.out);
	reply_done(&reply);
}

static void a_peer_that_has_gone_is_an_error_and_no_signal(void **state)
{
	(void)state;
	struct reply reply;
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	close(pair[1]);
	reply_init(&reply);
	struct send_options options = { .fd = pair[0], .request_id = 1 };
	assert_int_equal(reply_send(&reply, &options), ERR_IO);
	close(pair[0]);
	reply_done(&reply);
}

/* --- answers that leave together ---------------------------------------------- */

enum { CLIENTS = OUTBOX_ANSWERS + 4 };

struct round {
	struct outbox box;
	int worker[CLIENTS];
	int nginx[CLIENTS];
};

static int round_begin(void **state)
{
	struct round *r = calloc(1, sizeof(*r));

	if (!r)
		return -1;
	for (size_t i = 0; i < CLIENTS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) != 0)
			return -1;
		r->worker[i] = pair[0];
		r->nginx[i] = pair[1];
	}
	*state = r;
	return 0;
}

static int round_end(void **state)
{
	struct round *r = *state;

	for (size_t i = 0; i < CLIENTS; i++) {
		close(r->worker[i]);
		close(r->nginx[i]);
	}
	free(r);
	return 0;
}

static void keep(struct round *r, size_t client, size_t bytes)
{
	struct send_options options = { .fd = r->worker[client], .request_id = 1, .outbox = &r->box };
	struct reply reply;

	reply_init(&reply);
	char *p = buf_reserve(&reply.body, bytes);
	assert_non_null(p);
	memset(p, 'a' + (int)client, bytes);
	buf_advance(&reply.body, bytes);
	assert_int_equal(reply_send(&reply, &options), OK);
	reply_done(&reply);
}

static bool has_come(const struct round *r, size_t client)
{
	char byte;

	return recv(r->nginx[client], &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

static void assert_answered(const struct round *r, size_t client, size_t bytes)
{
	struct answer answer;

	client_read(r->nginx[client], &answer);
	assert_true(answer.whole);
	assert_true(answer.out.n > bytes);
	for (size_t i = answer.out.n - bytes; i < answer.out.n; i++)
		assert_int_equal(answer.out.p[i], 'a' + (int)client);
	buf_done(&answer.out);
}

static void answers_of_a_round_leave_together(void **state)
{
	struct round *r = *state;

	for (size_t i = 0; i < OUTBOX_ANSWERS; i++)
		keep(r, i, 100 + i);
	for (size_t i = 0; i < OUTBOX_ANSWERS; i++)
		assert_false(has_come(r, i));
	outbox_flush(&r->box);
	for (size_t i = 0; i < OUTBOX_ANSWERS; i++)
		assert_answered(r, i, 100 + i);
}

static void no_answer_waits_for_long(void **state)
{
	struct round *r = *state;

	keep(r, 0, 10);
	outbox_flush_old(&r->box, r->box.since_us);
	assert_false(has_come(r, 0));
	outbox_flush_old(&r->box, r->box.since_us + 10000);
	assert_answered(r, 0, 10);
}

static void a_large_answer_waits_for_nobody(void **state)
{
	struct round *r = *state;

	keep(r, 0, 10);
	keep(r, 1, OUTBOX_BYTES / 2);
	assert_answered(r, 1, OUTBOX_BYTES / 2);
	assert_false(has_come(r, 0));
	outbox_flush(&r->box);
	assert_answered(r, 0, 10);
}

static void more_answers_than_have_room_all_arrive(void **state)
{
	struct round *r = *state;

	for (size_t i = 0; i < CLIENTS; i++)
		keep(r, i, OUTBOX_BYTES / 4);
	assert_true(has_come(r, 0));
	assert_false(has_come(r, CLIENTS - 1));
	outbox_flush(&r->box);
	for (size_t i = 0; i < CLIENTS; i++)
		assert_answered(r, i, OUTBOX_BYTES / 4);
}

static void a_connection_that_has_gone_costs_nobody_else_an_answer(void **state)
{
	struct round *r = *state;
	char byte;

	for (size_t i = 0; i < CLIENTS; i++)
		keep(r, i, 10);
	shutdown(r->nginx[1], SHUT_RDWR);
	outbox_flush(&r->box);
	assert_answered(r, 0, 10);
	assert_answered(r, 2, 10);
	assert_int_equal(recv(r->worker[1], &byte, 1, MSG_DONTWAIT), 0);
}

#define ROUND(test) cmocka_unit_test_setup_teardown(test, round_begin, round_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_has_its_status_type_length_and_headers),
		cmocka_unit_test(an_answer_to_HEAD_counts_its_body_and_keeps_it),
		cmocka_unit_test(a_204_has_neither_type_nor_length),
		cmocka_unit_test(nothing_that_a_user_sends_can_start_another_header),
		cmocka_unit_test(more_headers_than_allowed_are_an_error),
		cmocka_unit_test(bodies_of_every_size_arrive_whole),
		cmocka_unit_test(an_answer_that_grew_too_large_becomes_a_bare_500),
		cmocka_unit_test(the_last_answer_tells_nginx_not_to_keep_the_connection),
		cmocka_unit_test(a_peer_that_has_gone_is_an_error_and_no_signal),
		ROUND(answers_of_a_round_leave_together),
		ROUND(no_answer_waits_for_long),
		ROUND(a_large_answer_waits_for_nobody),
		ROUND(more_answers_than_have_room_all_arrive),
		ROUND(a_connection_that_has_gone_costs_nobody_else_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
