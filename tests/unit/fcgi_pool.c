#include "fcgi_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { BODY_MAX = 32 << 20, FEW_FILES = 100, WAIT_US = 60000000 };

static int version;
static unsigned trouble;
static struct buf body;
/* Shared with the workers. */
static _Atomic bool *slow;

static void *worker_start(void *arg)
{
	(void)arg;
	buf_init(&body, BODY_MAX);
	if ((trouble & TEST_BAD_WORKERS) && version > 0)
		return NULL;
	if (trouble & TEST_FEW_FILES) {
		struct rlimit limit = { FEW_FILES, FEW_FILES };
		int last = -1, fd;

		setrlimit(RLIMIT_NOFILE, &limit);
		while ((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0)
			last = fd;
		close(last);
	}
	return &body;
}

static void worker_stop(void *state)
{
	buf_done(state);
}

static void answer_body(struct request *request, struct reply *reply)
{
	enum err e = request_read_body(request, BODY_MAX, &body);

	if (e == OK)
		buf_printf(&reply->body, "%zu", request->body.n);
	else
		reply->status = err_status(e);
	buf_clear(&body);
}

/* A slow request that says so. */
static void be_slow(const struct request *request, int ms)
{
	request_is_slow(request);
	*slow = true;
	poll(NULL, 0, ms);
}

/* Those that are held. */
static struct reply *held[WORKER_HELD_MAX];
static int held_count;

static void settle(void *state)
{
	(void)state;
	for (int i = 0; i < held_count; i++)
		buf_printf(&held[i]->body, "%d", held_count);
	held_count = 0;
}

static enum request_state handle(void *state, struct request *request, struct reply *reply)
{
	struct str path = request->path;

	(void)state;
	if (str_eq(path, STR("/held"))) {
		held[held_count++] = reply;
		return REQUEST_HELD;
	}
	if (str_eq(path, STR("/body")))
		answer_body(request, reply);
	else if (str_eq(path, STR("/version")))
		buf_printf(&reply->body, "%d", version);
	else if (str_eq(path, STR("/unread")))
		reply->status = 413;
	else if (str_eq(path, STR("/crash")))
		raise(SIGKILL); /* quieter than SIGSEGV under the sanitizers */
	else if (str_eq(path, STR("/hang")))
		for (;;)
			poll(NULL, 0, 1000);
	else if (str_eq(path, STR("/slow")))
		poll(NULL, 0, 200);
	else if (str_eq(path, STR("/alone")))
		be_slow(request, 200);
	else if (str_eq(path, STR("/stuck")))
		be_slow(request, -1);
	if (reply->body.n == 0)
		buf_printf(&reply->body, "%ld", (long)getpid());
	return REQUEST_ANSWERED;
}

static enum err reload(void *arg)
{
	(void)arg;
	if (trouble & TEST_BAD_RELOAD)
		return ERR_CONFIG;
	version++;
	return OK;
}

static void reloaded(void *arg, bool taken)
{
	(void)arg;
	version -= taken ? 0 : 1;
}

static void run(struct test_pool *pool, enum worker_mode mode, unsigned workers,
		const struct worker_options *worker)
{
	struct listener listener;
	const char *why;
	struct listen_options listen_options = { .path = pool->path };
	struct pool_options options = { .listener = &listener,
					.workers = workers,
					.drain_ms = 2000,
					.pidfile = pool->pidfile,
					.reload = reload,
					.reloaded = reloaded };

	if (worker)
		options.worker = *worker;
	options.worker.mode = mode;
	options.worker.start = worker_start;
	options.worker.handle = handle;
	options.worker.settle = settle;
	options.worker.stop = worker_stop;
	/* What the tests provoke isn't worth reading. */
	log_setup("pool", getenv("TEST_LOG") ? LOG_DEBUG : (enum log_level)(LOG_ERROR + 1));
	if (listen_open(&listen_options, &listener, &why) != OK)
		_exit(99);
	_exit(pool_run(&options) == OK ? 0 : 98);
}

/* A socket on which the pool says that it is ready, as it would tell systemd. */
static int notify_socket(const struct test_pool *pool)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", pool->dir);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
		abort();
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	return fd;
}

void pool_start(struct test_pool *pool, enum worker_mode mode, unsigned workers, unsigned wanted_trouble,
		const struct worker_options *worker)
{
	char word[64];

	trouble = wanted_trouble;
	if (!slow)
		slow = mmap(NULL, sizeof(*slow), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (slow == MAP_FAILED)
		abort();
	*slow = false;
	snprintf(pool->dir, sizeof(pool->dir), "/tmp/latchwork-pool-XXXXXX");
	if (!mkdtemp(pool->dir))
		abort();
	snprintf(pool->path, sizeof(pool->path), "%s/pool.sock", pool->dir);
	snprintf(pool->pidfile, sizeof(pool->pidfile), "%s/pool.pid", pool->dir);
	int fd = notify_socket(pool);
	pool->pid = fork();
	if (pool->pid == 0)
		run(pool, mode, workers, worker);
	unsetenv("NOTIFY_SOCKET");
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (poll(&p, 1, WAIT_US / 1000) != 1 || recv(fd, word, sizeof(word), 0) != 8 ||
	    memcmp(word, "READY=1\n", 8) != 0)
		abort();
	close(fd);
}

int pool_wait(struct test_pool *pool)
{
	int status;

	if (waitpid(pool->pid, &status, 0) != pool->pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

bool pool_clean_up(const struct test_pool *pool)
{
	char name[100];

	snprintf(name, sizeof(name), "%s.lock", pool->path);
	unlink(name);
	snprintf(name, sizeof(name), "%s/notify", pool->dir);
	unlink(name);
	return rmdir(pool->dir) == 0;
}

void pool_stop(struct test_pool *pool)
{
	kill(pool->pid, SIGTERM);
	int status = pool_wait(pool);
	/* The socket and the pidfile are gone, or this fails. */
	if (!pool_clean_up(pool) || status != 0) {
		fprintf(stderr, "the pool ended with %d, its directory with %s\n", status, strerror(errno));
		abort();
	}
}

/* The number behind the headers. */
static long number_in(const struct answer *answer)
{
	const char *p = answer->whole ? memmem(answer->out.p, answer->out.n, "\r\n\r\n", 4) : NULL;
	uint64_t number;

	if (!p || memmem(answer->out.p, answer->out.n, "Status: 200 OK", 14) == NULL)
		return -1;
	p += 4;
	struct str text = { p, answer->out.n - (size_t)(p - answer->out.p) };
	return str_to_u64(text, &number) ? (long)number : -1;
}

long pool_asks(const struct test_pool *pool, const char *uri)
{
	struct answer answer;

	client_ask(pool->path, "GET", uri, STR(""), &answer);
	long number = number_in(&answer);
	buf_done(&answer.out);
	return number;
}

long pool_asks_on(int fd, const char *uri)
{
	struct buf request BUF_AUTO;
	struct answer answer;

	buf_init(&request, 1 << 16);
	put_request(&request, "POST", uri, STR("x"), true);
	if (!client_send(fd, buf_str(&request)))
		return -1;
	client_read(fd, &answer);
	long number = number_in(&answer);
	buf_done(&answer.out);
	return number;
}

bool pool_comes_to(const struct test_pool *pool, const char *uri, long wanted)
{
	int64_t until = clock_monotonic_us() + WAIT_US;

	while (clock_monotonic_us() < until) {
		if (pool_asks(pool, uri) == wanted)
			return true;
		poll(NULL, 0, 10);
	}
	return false;
}

void pool_gets_slow(void)
{
	int64_t until = clock_monotonic_us() + WAIT_US;

	while (!*slow && clock_monotonic_us() < until)
		poll(NULL, 0, 1);
}
