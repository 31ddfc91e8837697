/* What a program that reads strangers' files can reach: tried from the inside, by a script. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fcgi/child.h"
#include "fcgi/sandbox.h"

enum { OUTPUT_MAX = 64 << 10, PATIENCE_MS = 60000 };

#define PYTHON "/usr/bin/python3"

static char *const UPPER[] = { (char[]){ "tr" }, (char[]){ "a-z" }, (char[]){ "A-Z" }, NULL };

static struct child_program program_of(const char *path, char *const *arguments, struct str input)
{
	return (struct child_program){ .path = path,
				       .arguments = arguments,
				       .input = input,
				       .memory = 1 << 30,
				       .cpu_s = 10,
				       .deadline_ms = PATIENCE_MS };
}

/* Changes what a test cares about, and runs a script with no files of its own. */
static enum err run_script(const char *script, int cpu_s, int deadline_ms, struct buf *output,
			   struct child_answer *answer)
{
	char *arguments[] = { (char[]){ "python3" }, (char[]){ "-ISB" }, (char[]){ "-c" }, strdup(script), NULL };
	struct child_program program = program_of(PYTHON, arguments, STR("0123456789"));
	enum err e;

	program.cpu_s = cpu_s;
	program.deadline_ms = deadline_ms;
	e = child_run(&program, output, answer);
	free(arguments[3]);
	return e;
}

static void its_input_comes_out_as_the_program_says(void **state)
{
	BUF_AUTO struct buf output = { 0 };
	const struct child_program program = program_of("/usr/bin/tr", UPPER, STR("hello"));
	struct child_answer answer;

	(void)state;
	buf_init(&output, OUTPUT_MAX);
	assert_int_equal(child_run(&program, &output, &answer), OK);
	assert_int_equal(answer.end, CHILD_EXITED);
	assert_int_equal(answer.status, 0);
	assert_true(str_eq(buf_str(&output), STR("HELLO")));
	assert_int_equal(run_script("import os; os.lseek(0, 7, 0); print(os.read(0, 9).decode(), end='')", 10, PATIENCE_MS,
				    &output, &answer),
			 OK);
	assert_true(str_eq(buf_str(&output), STR("789")));
}

static void how_it_ended_is_told(void **state)
{
	BUF_AUTO struct buf output = { 0 };
	struct child_answer answer;

	(void)state;
	buf_init(&output, OUTPUT_MAX);
	assert_int_equal(run_script("raise SystemExit(3)", 10, PATIENCE_MS, &output, &answer), OK);
	assert_int_equal(answer.end, CHILD_EXITED);
	assert_int_equal(answer.status, 3);
	assert_int_equal(run_script("import os; os.abort()", 10, PATIENCE_MS, &output, &answer), OK);
	assert_int_equal(answer.end, CHILD_KILLED);
	assert_int_equal(answer.status, SIGABRT);
}

static void a_program_that_isnt_there_is_told_from_one_that_failed(void **state)
{
	BUF_AUTO struct buf output = { 0 };
	const struct child_program program = program_of("/usr/bin/there-is-no-such-program", UPPER, STR(""));
	struct child_answer answer;

	(void)state;
	buf_init(&output, OUTPUT_MAX);
	assert_int_equal(child_run(&program, &output, &answer), ERR_NOT_READY);
}

static void one_that_hangs_is_ended_also_when_it_has_closed_its_output(void **state)
{
	static const char *const hangs[] = { "import time; time.sleep(600)", "import os, time; os.close(1); time.sleep(600)" };
	BUF_AUTO struct buf output = { 0 };
	struct child_answer answer;

	(void)state;
	buf_init(&output, OUTPUT_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(hangs); i++) {
		assert_int_equal(run_script(hangs[i], 10, 1500, &output, &answer), OK);
		assert_int_equal(answer.end, CHILD_LATE);
	}
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left of them */
}

static void one_that_computes_for_ever_or_says_too_much_is_ended(void **state)
{
	char *const yes[] = { (char[]){ "yes" }, NULL };
	const struct child_program talks = program_of("/usr/bin/yes", yes, STR(""));
	BUF_AUTO struct buf output = { 0 };
	struct child_answer answer;

	(void)state;
	buf_init(&output, OUTPUT_MAX);
	assert_int_equal(run_script("while True: pass", 1, PATIENCE_MS, &output, &answer), OK);
	assert_int_equal(answer.end, CHILD_KILLED);
	assert_int_equal(answer.status, SIGXCPU);
	assert_int_equal(child_run(&talks, &output, &answer), OK);
	assert_int_equal(answer.end, CHILD_TOO_MUCH);
	assert_true(output.n <= OUTPUT_MAX);
}

static void its_memory_is_bounded(void **state)
{
	BUF_AUTO struct buf output = { 0 };
	struct child_answer answer;

	(void)state;
	if (!SANDBOX_LIMITS_MEMORY)
		skip();
	buf_init(&output, OUTPUT_MAX);
	assert_int_equal(run_script("x = bytearray(1 << 29); print('half', flush=True); x = bytearray(2 << 30); print('all')", 10,
				    PATIENCE_MS, &output, &answer),
			 OK);
	assert_true(str_eq(buf_str(&output), STR("half\n")));
}

/* Each attempt writes its name and what became of it: "refused", or "DONE", which must not be anywhere. */
static const char PROBE[] =
	"import os, ctypes\n"
	"libc = ctypes.CDLL(None, use_errno=True)\n"
	"def tries(name, what):\n"
	"    try:\n"
	"        result = what()\n"
	"        refused = isinstance(result, int) and result < 0\n"
	"    except OSError:\n"
	"        refused = True\n"
	"    print(name, 'refused' if refused else 'DONE', flush=True)\n"
	"parent = os.getppid()\n"
	"here = '%s'\n"
	"tries('key', lambda: open(here + '/key').read())\n"
	"tries('directory', lambda: os.listdir(here))\n"
	"tries('link', lambda: os.link(here + '/key', '/usr/lib/key'))\n"
	"tries('write', lambda: open(here + '/new', 'w'))\n"
	"tries('overwrite', lambda: open(here + '/key', 'r+'))\n"
	"tries('truncate', lambda: os.truncate(here + '/key', 0))\n"
	"tries('remove', lambda: os.unlink(here + '/key'))\n"
	"tries('rename', lambda: os.rename(here + '/key', here + '/other'))\n"
	"tries('make', lambda: os.mkdir(here + '/directory'))\n"
	"tries('library', lambda: open('/usr/lib/new', 'w'))\n"
	"for file in ('/etc/passwd', '/etc/hostname', '/proc/self/environ', '/proc/self/maps', '/dev/null', '/usr/bin/env',\n"
	"             '/proc/%%d/environ' %% parent, '/proc/%%d/maps' %% parent, '/proc/%%d/mem' %% parent):\n"
	"    tries(file.replace(str(parent), 'parent'), lambda: open(file).read(1))\n"
	"for domain in range(46):\n"
	"    for kind in (1, 2, 3, 5):\n"
	"        tries('socket', lambda: libc.socket(domain, kind, 0))\n"
	"tries('pair', lambda: libc.socketpair(1, 1, 0, (ctypes.c_int * 2)()))\n"
	"tries('fork', lambda: libc.fork())\n"
	"tries('program', lambda: os.execv('/usr/bin/env', ['env']))\n"
	"tries('kill', lambda: os.kill(parent, 0))\n"
	"tries('tkill', lambda: libc.syscall(200, parent, 0))\n"
	"tries('tgkill', lambda: libc.syscall(234, parent, parent, 0))\n"
	"tries('sigqueue', lambda: libc.syscall(129, parent, 0, 0))\n"
	"tries('trace', lambda: libc.ptrace(16, parent, 0, 0))\n"
	"tries('peek', lambda: libc.syscall(310, parent, 0, 0, 0, 0, 0))\n"
	"tries('pidfd', lambda: libc.syscall(434, parent, 0))\n"
	"tries('limits', lambda: libc.syscall(302, parent, 7, (ctypes.c_long * 2)(0, 0), 0))\n"
	"tries('ring', lambda: libc.syscall(425, 1, 0))\n"
	"tries('space', lambda: libc.unshare(0x10000000))\n"
	"tries('mount', lambda: libc.mount(b'none', b'/tmp', b'tmpfs', 0, 0))\n"
	"open_fds = []\n"
	"for fd in range(16):\n"
	"    try:\n"
	"        os.fstat(fd)\n"
	"        open_fds.append(fd)\n"
	"    except OSError:\n"
	"        pass\n"
	"print('descriptors', open_fds)\n"
	"print('environment', dict(os.environ))\n";

static void write_key(const char *directory)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "%s/key", directory);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs("secret", file);
	fclose(file);
	assert_int_equal(chmod(path, 0666), 0);
}

static void remove_key(const char *directory)
{
	char path[64];
	struct stat is;

	snprintf(path, sizeof(path), "%s/key", directory);
	assert_int_equal(stat(path, &is), 0);
	assert_int_equal(is.st_size, 6);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0); /* nothing was made in it */
}

/* LC_CTYPE is Python's own doing. */
static void it_reaches_no_file_no_socket_and_no_process(void **state)
{
	char directory[] = "/tmp/lw-child-XXXXXX", script[sizeof(PROBE) + 64];
	BUF_AUTO struct buf output = { 0 };
	struct child_answer answer;
	int inherited = open("/etc/passwd", O_RDONLY); /* NOLINT: not to be closed at exec is the point */

	(void)state;
	buf_init(&output, OUTPUT_MAX);
	assert_non_null(mkdtemp(directory));
	assert_int_equal(chmod(directory, 0777), 0);
	write_key(directory);
	snprintf(script, sizeof(script), PROBE, directory);
	assert_int_equal(run_script(script, 10, PATIENCE_MS, &output, &answer), OK);
	buf_add_char(&output, '\0');
	close(inherited);
	assert_null(strstr(output.p, "DONE"));
	assert_null(strstr(output.p, "secret"));
	assert_non_null(strstr(output.p, "mount refused"));
	assert_non_null(strstr(output.p, "descriptors [0, 1, 2]"));
	assert_true(strstr(output.p, "environment {}") || strstr(output.p, "environment {'LC_CTYPE'"));
	remove_key(directory);
}

/* As in latch-worker, whose own sandbox is around it. */
static void it_runs_in_the_workers_sandbox(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct buf output;
		const struct child_program program = program_of("/usr/bin/tr", UPPER, STR("hello"));
		struct child_answer answer;

		buf_init(&output, OUTPUT_MAX);
		_exit(sandbox_jobs() == OK && child_run(&program, &output, &answer) == OK &&
				      str_eq(buf_str(&output), STR("HELLO"))
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The front's master has no Landlock to give: better no program than one that reaches everything. */
static void without_confinement_it_isnt_run(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		struct buf output;
		const struct child_program program = program_of("/usr/bin/tr", UPPER, STR("hello"));
		struct child_answer answer;

		buf_init(&output, OUTPUT_MAX);
		_exit(sandbox_front_master() == OK && child_run(&program, &output, &answer) == ERR_NOT_READY ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_input_comes_out_as_the_program_says),
		cmocka_unit_test(how_it_ended_is_told),
		cmocka_unit_test(a_program_that_isnt_there_is_told_from_one_that_failed),
		cmocka_unit_test(one_that_hangs_is_ended_also_when_it_has_closed_its_output),
		cmocka_unit_test(one_that_computes_for_ever_or_says_too_much_is_ended),
		cmocka_unit_test(its_memory_is_bounded),
		cmocka_unit_test(it_reaches_no_file_no_socket_and_no_process),
		cmocka_unit_test(it_runs_in_the_workers_sandbox),
		cmocka_unit_test(without_confinement_it_isnt_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
