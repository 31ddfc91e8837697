#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

#include "expr_support.h"

enum { PATIENCE_MS = 20000, TIME_MS = 250, RESULT_MAX = 1 << 20, PATH_BYTES = 256 };

struct expr_failure service_failure;
enum err service_error;
static struct buf result;

static void path_in(const struct service *service, const char *name, char ret_path[PATH_BYTES])
{
	snprintf(ret_path, PATH_BYTES, "%s/%s", service->directory, name);
}

static void write_conf(const struct service *service, const char *lines)
{
	char path[PATH_BYTES];

	path_in(service, "conf", path);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "[expression]\nsocket = %s\npidfile = %s/pid\n%s", service->socket, service->directory, lines);
	assert_int_equal(fclose(file), 0);
}

static void run_program(const struct service *service)
{
	const char *build = getenv("top_builddir");
	char program[PATH_BYTES], conf[PATH_BYTES], log[PATH_BYTES];
	char leaks[] = "ASAN_OPTIONS=detect_leaks=0", named[] = "--config";
	char *environment[] = { leaks, NULL };

	snprintf(program, sizeof(program), "%s/latch-expr", build ? build : ".");
	path_in(service, "conf", conf);
	path_in(service, "log", log);
	char *arguments[] = { program, named, conf, NULL };
	int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (fd < 0 || dup2(fd, STDERR_FILENO) < 0)
		_exit(126);
	execve(program, arguments, environment);
	_exit(127);
}

void service_start(struct service *service, const char *lines)
{
	struct expr_failure failure;

	snprintf(service->directory, sizeof(service->directory), "/tmp/lw-expr-XXXXXX");
	assert_non_null(mkdtemp(service->directory));
	snprintf(service->socket, sizeof(service->socket), "%s/socket", service->directory);
	write_conf(service, lines);
	service->pid = fork();
	assert_true(service->pid >= 0);
	if (service->pid == 0)
		run_program(service);
	struct expr *expr = service_client(service);
	int64_t until = clock_now_ms() + PATIENCE_MS;
	while (expr_check(expr, STR("."), &failure) != OK) {
		assert_true(clock_now_ms() < until);
		assert_int_equal(waitpid(service->pid, NULL, WNOHANG), 0);
		clock_pause_ms(20);
	}
	expr_free(expr);
	if (!result.max)
		buf_init(&result, RESULT_MAX);
}

static void remove_directory(const struct service *service)
{
	static const char *const files[] = { "conf", "log", "pid", "socket", "socket.lock" };
	char path[PATH_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		path_in(service, files[i], path);
		unlink(path);
	}
	rmdir(service->directory);
}

int service_stop(struct service *service)
{
	int status;

	kill(service->pid, SIGTERM);
	assert_int_equal(waitpid(service->pid, &status, 0), service->pid);
	remove_directory(service);
	buf_done(&result);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

char *service_log(const struct service *service)
{
	char path[PATH_BYTES];
	char *text = calloc(1, 1 << 20);

	path_in(service, "log", path);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	assert_non_null(text);
	(void)!fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

size_t service_children(const struct service *service, pid_t ret_pids[SERVICE_CHILDREN_MAX])
{
	char path[PATH_BYTES];
	size_t n = 0;
	int pid;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)service->pid, (int)service->pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	while (n < SERVICE_CHILDREN_MAX && fscanf(file, "%d", &pid) == 1)
		ret_pids[n++] = pid;
	fclose(file);
	return n;
}

struct expr *service_client(const struct service *service)
{
	struct expr *expr = NULL;

	assert_int_equal(expr_new(service->socket, &expr), OK);
	return expr;
}

enum expr_why service_evaluate(struct expr *expr, struct str program, struct str input)
{
	buf_clear(&result);
	service_error = expr_evaluate(expr, program, input, TIME_MS, RESULT_MAX, &result, &service_failure);
	assert_int_equal(service_error == OK, service_failure.why == EXPR_OK);
	if (service_error != OK)
		assert_int_equal(result.n, 0);
	return service_failure.why;
}

const char *service_yields(struct expr *expr, struct str program, struct str input)
{
	if (service_evaluate(expr, program, input) != EXPR_OK)
		fail_msg("%.*s: %s %s", (int)(program.n < 100 ? program.n : 100), program.p, err_code(service_error),
			 service_failure.words);
	buf_add_char(&result, '\0');
	return result.p;
}
