/*
 * The floor: what nginx, libfcgi and MariaDB cost by themselves.
 *
 *	floor polling|single WORKERS SOCKET DATABASE_SOCKET USER DATABASE
 *
 * WORKERS processes on one unix socket. Each request is one prepared SELECT of a row of 600 bytes by
 * its key and a fixed answer of 1 KB: no token, no JSON, no log, no rate limit. No service that does
 * its work with these libraries can be faster, so what a route costs is said as a ratio to this.
 *
 * polling  each process keeps many connections of nginx (fastcgi_keep_conn on) and reads from those
 *          that have something
 * single   each process accepts, answers and closes
 *
 * The bench tries both and takes the faster one.
 */
#define _GNU_SOURCE /* accept4 */
#include <errno.h>
#include <fcgiapp.h>
#include <mysql.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KEY_BYTES = 16, ROWS_MAX = 1000, ROW_MAX = 1024, ANSWER_BYTES = 1024, WORKERS_MAX = 64, EVENTS = 64 };

static const char HEAD[] = "Content-Type: application/json\r\nContent-Length: 1024\r\nCache-Control: no-store\r\n\r\n";

struct worker {
	int listen_fd;
	MYSQL *mysql;
	MYSQL_STMT *select;
	MYSQL_BIND in, out;
	unsigned long key_length, row_length;
	char row[ROW_MAX];
	uint8_t key[ROWS_MAX][KEY_BYTES];
	size_t keys, next;
	char answer[ANSWER_BYTES];
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "floor: %s: %s\n", what, why);
	exit(EXIT_FAILURE);
}

/* --- the database ------------------------------------------------------------ */

/* As many keys as the table has, in the order of its index: the walk through them is as good as random. */
static void read_keys(struct worker *w)
{
	MYSQL_RES *rows;
	MYSQL_ROW row;

	if (mysql_query(w->mysql, "SELECT id FROM floor_row LIMIT 1000"))
		die("the keys", mysql_error(w->mysql));
	rows = mysql_store_result(w->mysql);
	while (rows && (row = mysql_fetch_row(rows)))
		memcpy(w->key[w->keys++], row[0], KEY_BYTES);
	mysql_free_result(rows);
	if (w->keys == 0)
		die("the keys", "floor_row is empty");
}

static void prepare(struct worker *w)
{
	static const char sql[] = "SELECT body FROM floor_row WHERE id = ?";

	w->select = mysql_stmt_init(w->mysql);
	if (!w->select || mysql_stmt_prepare(w->select, sql, sizeof(sql) - 1))
		die("the statement", mysql_error(w->mysql));
	w->key_length = KEY_BYTES;
	w->in = (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_BLOB, .buffer_length = KEY_BYTES, .length = &w->key_length };
	w->out = (MYSQL_BIND){
		.buffer_type = MYSQL_TYPE_STRING, .buffer = w->row, .buffer_length = ROW_MAX, .length = &w->row_length
	};
	if (mysql_stmt_bind_result(w->select, &w->out))
		die("the statement", mysql_stmt_error(w->select));
}

static void open_database(struct worker *w, char **argv)
{
	w->mysql = mysql_init(NULL);
	if (!w->mysql || !mysql_real_connect(w->mysql, NULL, argv[1], "", argv[2], 0, argv[0], 0))
		die("the database", w->mysql ? mysql_error(w->mysql) : "no memory");
	read_keys(w);
	prepare(w);
}

static void read_row(struct worker *w)
{
	w->in.buffer = w->key[w->next++ % w->keys];
	if (mysql_stmt_bind_param(w->select, &w->in) || mysql_stmt_execute(w->select) || mysql_stmt_fetch(w->select))
		die("the row", mysql_stmt_error(w->select));
	mysql_stmt_free_result(w->select);
}

/* --- requests ------------------------------------------------------------------ */

static void answer(struct worker *w, FCGX_Request *request)
{
	read_row(w);
	FCGX_PutStr(HEAD, sizeof(HEAD) - 1, request->out);
	FCGX_PutStr(w->answer, ANSWER_BYTES, request->out);
	FCGX_Finish_r(request);
}

static void run_single(struct worker *w)
{
	FCGX_Request request;

	FCGX_InitRequest(&request, w->listen_fd, 0);
	while (FCGX_Accept_r(&request) == 0)
		answer(w, &request);
}

/* One FCGX_Request for each connection, which is given to libfcgi as one that it has kept. */
static void take_connection(struct worker *w, int epoll_fd)
{
	int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	FCGX_Request *request;
	struct epoll_event event = { .events = EPOLLIN };

	if (fd < 0)
		return; /* another process was quicker */
	request = malloc(sizeof(*request));
	if (!request || FCGX_InitRequest(request, -1, 0))
		die("a connection", "no memory");
	request->ipcFd = fd;
	request->keepConnection = 1;
	event.data.ptr = request;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		die("epoll", strerror(errno));
}

static void serve_connection(struct worker *w, FCGX_Request *request)
{
	if (FCGX_Accept_r(request) == 0)
		answer(w, request);
	else
		free(request); /* nginx has closed, and so has libfcgi */
}

static void run_polling(struct worker *w)
{
	struct epoll_event events[EVENTS], event = { .events = EPOLLIN, .data.ptr = w };
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	if (epoll_fd < 0 || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w->listen_fd, &event))
		die("epoll", strerror(errno));
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr == w)
				take_connection(w, epoll_fd);
			else
				serve_connection(w, events[i].data.ptr);
		}
	}
}

static void run_worker(int listen_fd, bool polling, char **database)
{
	static struct worker w;

	/* libfcgi takes SIGTERM for itself. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	w.listen_fd = listen_fd;
	memset(w.answer, 'x', sizeof(w.answer));
	memcpy(w.answer, "{\"x\":\"", 6);
	memcpy(w.answer + sizeof(w.answer) - 2, "\"}", 2);
	if (FCGX_Init())
		die("libfcgi", "FCGX_Init failed");
	open_database(&w, database);
	(polling ? run_polling : run_single)(&w);
	_exit(EXIT_FAILURE);
}

/* --- the processes --------------------------------------------------------------- */

static int open_socket(const char *path, bool polling)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (polling ? SOCK_NONBLOCK : 0), 0);

	if (strlen(path) >= sizeof(address.sun_path))
		die(path, "too long");
	memcpy(address.sun_path, path, strlen(path));
	unlink(path);
	/* nginx runs as another user; there is nothing behind this socket that anybody could want. */
	if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || chmod(path, 0666) || listen(fd, 511))
		die(path, strerror(errno));
	return fd;
}

int main(int argc, char **argv)
{
	bool polling = argc == 7 && strcmp(argv[1], "polling") == 0;
	int workers = argc == 7 ? (int)strtol(argv[2], NULL, 10) : 0;
	int listen_fd;

	if (workers < 1 || workers > WORKERS_MAX || (!polling && strcmp(argv[1], "single") != 0)) {
		fprintf(stderr, "usage: floor polling|single WORKERS SOCKET DATABASE_SOCKET USER DATABASE\n");
		return 2;
	}
	listen_fd = open_socket(argv[3], polling);
	for (int i = 0; i < workers; i++)
		if (fork() == 0)
			run_worker(listen_fd, polling, argv + 4);
	/* One that ends early has said why; the others end with this process. */
	wait(NULL);
	return EXIT_FAILURE;
}
