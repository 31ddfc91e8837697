/* latch-expr as its clients know it: it goes on whatever happens to an evaluator, to itself, or to a client. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "expr/frame.h"

#include "expr_support.h"

enum { PATIENCE_MS = 20000 };

static struct service service;
static struct expr *client;

static void works(struct expr *expr)
{
	assert_string_equal(service_yields(expr, STR(".a * 2"), STR("{\"a\":21}")), "42");
}

static void wait_for_children(size_t wanted)
{
	pid_t pids[SERVICE_CHILDREN_MAX];
	int64_t until = clock_now_ms() + PATIENCE_MS;

	while (service_children(&service, pids) != wanted) {
		assert_true(clock_now_ms() < until);
		clock_pause_ms(10);
	}
}

static void many_requests_go_over_one_connection(void **state)
{
	pid_t before[SERVICE_CHILDREN_MAX], after[SERVICE_CHILDREN_MAX];
	char program[32], wanted[32];

	(void)state;
	works(client);
	assert_int_equal(service_children(&service, before), 1);
	for (int i = 0; i < 300; i++) {
		snprintf(program, sizeof(program), ". + %d", i % 3);
		snprintf(wanted, sizeof(wanted), "%d", i + i % 3);
		char input[32];
		snprintf(input, sizeof(input), "%d", i);
		assert_string_equal(service_yields(client, str_of(program), str_of(input)), wanted);
	}
	assert_int_equal(service_children(&service, after), 1);
	assert_int_equal(before[0], after[0]);
}

static void one_evaluator_keeps_nothing_of_what_it_was_given(void **state)
{
	(void)state;
	for (int i = 0; i < 50; i++)
		service_yields(client, STR("[range(20000)] | tojson | length"), STR("{\"a\":1}"));
	assert_string_equal(service_yields(client, STR("[., $__loc__.line]"), STR("null")), "[null,1]");
}

static void an_evaluator_that_dies_is_replaced(void **state)
{
	pid_t pids[SERVICE_CHILDREN_MAX];

	(void)state;
	works(client);
	assert_int_equal(service_children(&service, pids), 1);
	kill(pids[0], SIGKILL);
	works(client);
	assert_int_equal(service_children(&service, pids), 1);
}

static void an_evaluator_is_confined(void **state)
{
	pid_t pids[SERVICE_CHILDREN_MAX];
	char path[64], line[256];
	bool filtered = false, no_privileges = false;

	(void)state;
	works(client);
	assert_int_equal(service_children(&service, pids), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pids[0]);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		filtered |= strcmp(line, "Seccomp:\t2\n") == 0;
		no_privileges |= strcmp(line, "NoNewPrivs:\t1\n") == 0;
	}
	fclose(file);
	assert_true(filtered);
	assert_true(no_privileges);
}

static void evaluators_go_with_their_clients(void **state)
{
	struct expr *more[5];

	(void)state;
	works(client);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = service_client(&service);
		works(more[i]);
	}
	wait_for_children(6);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		expr_free(more[i]);
	wait_for_children(1);
	works(client);
}

static void whoever_comes_beyond_the_cap_is_told_so(void **state)
{
	struct expr *more[7], *late = service_client(&service);

	(void)state;
	works(client);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		more[i] = service_client(&service);
		works(more[i]);
	}
	assert_int_equal(service_evaluate(late, STR("."), STR("1")), EXPR_AWAY);
	assert_int_equal(service_error, ERR_EXPRESSION_AWAY);
	assert_non_null(strstr(service_failure.words, "evaluators are taken"));
	works(client);
	for (size_t i = 0; i < ARRAY_SIZE(more); i++)
		expr_free(more[i]);
	wait_for_children(1);
	works(late);
	expr_free(late);
}

static int raw_connection(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", service.socket);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static void a_client_that_speaks_nonsense_loses_only_its_own_connection(void **state)
{
	static const char nonsense[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
	char byte;

	(void)state;
	int fd = raw_connection();
	assert_int_equal(send(fd, nonsense, sizeof(nonsense), MSG_NOSIGNAL), sizeof(nonsense));
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	fd = raw_connection(); /* half a request, and gone */
	assert_int_equal(send(fd, "\x01\xfa\0", 3, MSG_NOSIGNAL), 3);
	close(fd);
	works(client);
	wait_for_children(1);
}

static void a_reload_gives_new_evaluators_the_new_limits(void **state)
{
	char path[128];

	(void)state;
	works(client);
	snprintf(path, sizeof(path), "%s/conf", service.directory);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "[expression]\nconnections = 2\n");
	fclose(file);
	kill(service.pid, SIGHUP);
	works(client);
	struct expr *second = service_client(&service), *third = service_client(&service);
	int64_t until = clock_now_ms() + PATIENCE_MS;
	do {
		expr_free(third);
		third = service_client(&service);
		works(second);
		assert_true(clock_now_ms() < until);
	} while (service_evaluate(third, STR("."), STR("1")) != EXPR_AWAY);
	/* And a configuration that can't be used changes nothing. */
	file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "[expression]\nconnections = none\n");
	fclose(file);
	kill(service.pid, SIGHUP);
	works(client);
	expr_free(second);
	expr_free(third);
}

static void a_restart_is_noticed_by_nobody_who_asks_afterwards(void **state)
{
	struct expr_failure failure;

	(void)state;
	works(client);
	assert_int_equal(service_stop(&service), 0);
	assert_int_equal(expr_check(client, STR("."), &failure), ERR_EXPRESSION_AWAY);
	assert_int_equal(failure.why, EXPR_AWAY);
	assert_string_not_equal(failure.words, "");

	char socket[sizeof(service.socket)];
	memcpy(socket, service.socket, sizeof(socket));
	expr_free(client);
	service_start(&service, "connections = 8\n");
	client = service_client(&service);
	works(client);
}

/* Somebody else on the socket: whatever he does, the client has an end. */
static int fake_listener(struct service *fake)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(fake->socket, sizeof(fake->socket), "/tmp/lw-expr-fake-%d", (int)getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fake->socket);
	unlink(fake->socket);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}

/* Answers each connection with these bytes and hangs up. */
static pid_t fake_server(int listener, const char *bytes, size_t n, int connections)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid != 0)
		return pid;
	for (int i = 0; i < connections; i++) {
		char request[256];
		int fd = accept(listener, NULL, NULL);

		(void)!recv(fd, request, sizeof(request), 0);
		(void)!send(fd, bytes, n, MSG_NOSIGNAL);
		close(fd);
	}
	_exit(0);
}

static void a_client_believes_no_answer_that_cant_be_one(void **state)
{
	static const struct {
		const char *bytes;
		size_t n;
		enum expr_why why;
	} answers[] = {
		{ "", 0, EXPR_DIED },                                                 /* none */
		{ "\0\0\0\0\0\0\0\0\0\5\0\0\0" "12", 15, EXPR_DIED },                 /* half of one */
		{ "\x63\0\0\0\0\0\0\0\0\0\0\0\0", 13, EXPR_DIED },                    /* no such reason */
		{ "\0\0\0\0\0\0\0\0\0\xff\xff\xff\xff", 13, EXPR_DIED },              /* four gigabytes */
		{ "\0\0\0\0\0\0\0\0\0\1\0\0\0" "123", 16, EXPR_DIED },                /* something behind it */
		{ "\0\0\0\0\0\0\0\0\0\6\0\0\0" "1,\"a\":", 19, EXPR_DIED },           /* no JSON text */
		{ "\0\0\0\0\0\0\0\0\0\0\0\0\0", 13, EXPR_DIED },                     /* nothing at all */
		{ "\2\0\0\0\0\0\0\0\0\4\0\0\0" "a\x1b\0b", 17, EXPR_FAILED },         /* words that aren't clean */
	};
	struct service fake;
	int listener = fake_listener(&fake);
	struct expr *expr = service_client(&fake);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		pid_t pid = fake_server(listener, answers[i].bytes, answers[i].n, 1);

		assert_int_equal(service_evaluate(expr, STR("."), STR("1")), answers[i].why);
		assert_false(str_has_control(str_of(service_failure.words)));
		expr_free(expr);
		expr = service_client(&fake);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
	}
	close(listener);
	assert_int_equal(service_evaluate(expr, STR("."), STR("1")), EXPR_AWAY);
	unlink(fake.socket);
	assert_int_equal(service_evaluate(expr, STR("."), STR("1")), EXPR_AWAY);
	expr_free(expr);
}

static void a_server_that_never_answers_holds_nobody_for_ever(void **state)
{
	struct service fake;
	int listener = fake_listener(&fake);
	struct expr *expr = service_client(&fake);

	(void)state;
	assert_int_equal(service_evaluate(expr, STR("."), STR("1")), EXPR_TIME);
	expr_free(expr);
	close(listener);
	unlink(fake.socket);
}

static void a_path_that_is_no_sockets_is_refused(void **state)
{
	char path[200];
	struct expr *expr = NULL;

	(void)state;
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(expr_new(path, &expr), ERR_CONFIG);
	assert_null(expr);
}

static int setup(void **state)
{
	(void)state;
	service_start(&service, "connections = 8\n");
	client = service_client(&service);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	expr_free(client);
	return service_stop(&service);
}

#define SCENE(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCENE(many_requests_go_over_one_connection),
		SCENE(one_evaluator_keeps_nothing_of_what_it_was_given),
		SCENE(an_evaluator_that_dies_is_replaced),
		SCENE(an_evaluator_is_confined),
		SCENE(evaluators_go_with_their_clients),
		SCENE(whoever_comes_beyond_the_cap_is_told_so),
		SCENE(a_client_that_speaks_nonsense_loses_only_its_own_connection),
		SCENE(a_reload_gives_new_evaluators_the_new_limits),
		SCENE(a_restart_is_noticed_by_nobody_who_asks_afterwards),
		SCENE(a_client_believes_no_answer_that_cant_be_one),
		SCENE(a_server_that_never_answers_holds_nobody_for_ever),
		cmocka_unit_test(a_path_that_is_no_sockets_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
