#include "fcgi_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
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
static bool of_side;
/* With the workers. */
static struct shared {
	_Atomic bool slow;
	_Atomic bool side_hangs, other_fails; /* TEST_BAD_FIRST_RELOAD has come so far */
} *shared;

static void wait_until(const _Atomic bool *what)
{
	int64_t until = clock_monotonic_us() + WAIT_US;

	while (!*what && clock_monotonic_us() < until)
		poll(NULL, 0, 1);
}

/* Whether this is the first reload's worker that can't start; that of the side stays here until it's killed. */
static bool fails_first(void)
{
	if (of_side) {
		if (!atomic_exchange(&shared->side_hangs, true))
			for (;;)
				poll(NULL, 0, 1000);
		return false;
	}
	if (atomic_exchange(&shared->other_fails, true))
		return false;
	wait_until(&shared->side_hangs);
	return true;
}

/* arg: of the side, or NULL. */
static void *worker_start(void *arg)
{
	of_side = arg != NULL;
	buf_init(&body, BODY_MAX);
	if ((trouble & TEST_BAD_WORKERS) && version > 0)
		return NULL;
	if ((trouble & TEST_BAD_FIRST_RELOAD) && version > 0 && fails_first())
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
	shared->slow = true;
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
	else if (str_eq(path, STR("/side")))
		buf_printf(&reply->body, "%d", of_side);
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
	struct pool_options *options = arg;

	if (trouble & TEST_BAD_RELOAD)
		return ERR_CONFIG;
	if (trouble & TEST_SIDE_GOES)
		options->side.workers = 0;
	version++;
	return OK;
}

static void reloaded(void *arg, bool taken)
{
	struct pool_options *options = arg;

	if (!taken && (trouble & TEST_SIDE_GOES))
		options->side.workers = 1;
	version -= taken ? 0 : 1;
}

static struct worker_options worker_of(enum worker_mode mode, const struct worker_options *like, void *arg)
{
	struct worker_options worker = like ? *like : (struct worker_options){ 0 };

	worker.mode = mode;
	worker.arg = arg;
	worker.start = worker_start;
	worker.handle = handle;
	worker.settle = settle;
	worker.stop = worker_stop;
	return worker;
}

static void open_at(const char *path, struct listener *ret_listener)
{
	struct listen_options options = { .path = path };
	const char *why;

	if (listen_open(&options, ret_listener, &why) != OK)
		_exit(99);
}

static void run(const struct test_pool *pool, struct pool_options *options, const struct worker_options *worker)
{
	struct listener listener, side;

	/* What the tests provoke isn't worth reading. */
	log_setup("pool", getenv("TEST_LOG") ? LOG_DEBUG : (enum log_level)(LOG_ERROR + 1));
	open_at(pool->path, &listener);
	options->listener = &listener;
	options->drain_ms = 2000;
	options->pidfile = pool->pidfile;
	options->arg = options;
	options->reload = reload;
	options->reloaded = reloaded;
	options->worker = worker_of(options->worker.mode, worker, NULL);
	if (options->side.workers > 0) {
		open_at(pool->side, &side);
		options->side.listener = &side;
		options->side.worker = worker_of(WORKER_POLLING, worker, &side);
	}
	_exit(pool_run(options) == OK ? 0 : 98);
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

static void share(void)
{
	if (!shared)
		shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	shared->slow = shared->side_hangs = shared->other_fails = false;
}

static void start(struct test_pool *pool, struct pool_options *options, const struct worker_options *worker)
{
	char word[64];

	share();
	snprintf(pool->dir, sizeof(pool->dir), "/tmp/latchwork-pool-XXXXXX");
	if (!mkdtemp(pool->dir))
		abort();
	snprintf(pool->path, sizeof(pool->path), "%s/pool.sock", pool->dir);
	snprintf(pool->side, sizeof(pool->side), "%s/side.sock", pool->dir);
	snprintf(pool->pidfile, sizeof(pool->pidfile), "%s/pool.pid", pool->dir);
	int fd = notify_socket(pool);
	pool->pid = fork();
	if (pool->pid == 0)
		run(pool, options, worker);
	unsetenv("NOTIFY_SOCKET");
	struct pollfd p = { .fd = fd, .events = POLLIN };
	if (poll(&p, 1, WAIT_US / 1000) != 1 || recv(fd, word, sizeof(word), 0) != 8 ||
	    memcmp(word, "READY=1\n", 8) != 0)
		abort();
	close(fd);
}

void pool_start(struct test_pool *pool, enum worker_mode mode, unsigned workers, unsigned wanted_trouble,
		const struct worker_options *worker)
{
	struct pool_options options = { .workers = workers, .worker.mode = mode };

	trouble = wanted_trouble;
	start(pool, &options, worker);
}

void pool_start_sided(struct test_pool *pool, unsigned each, unsigned wanted_trouble,
		      const struct worker_options *worker)
{
	struct pool_options options = { .workers = each, .worker.mode = WORKER_SINGLE, .side.workers = each };

	trouble = wanted_trouble;
	start(pool, &options, worker);
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
	snprintf(name, sizeof(name), "%s.lock", pool->side);
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

void pool_gets_slow(void) { wait_until(&shared->slow); }

void pool_begins_bad_reload(void) { wait_until(&shared->side_hangs); }
