/*
 * The floor under the job engine: the least that a queue with leases can do, in a bare loop. Each process claims ten rows
 * in one transaction (passing over what others hold) and leases them with one statement, then ends each of them in a
 * transaction of its own, with its row of history. One tenant, no turns, no handlers, no fencing.
 *
 * usage: jobs_floor PROCESSES SECONDS DATABASE_SOCKET USER DATABASE; prints {"jobs", "seconds"}
 */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KEY = 16, BATCH = 10, PROCESSES_MAX = 64 };

struct key {
	char tenant[KEY], job[KEY];
};

struct loop {
	MYSQL *mysql;
	MYSQL_STMT *claim, *lease, *done, *remember;
	struct key found[BATCH], got;
};

static void die(const char *what, const char *why)
{
	fprintf(stderr, "jobs_floor: %s: %s\n", what, why);
	_exit(EXIT_FAILURE);
}

static MYSQL_STMT *prepare(struct loop *loop, const char *sql)
{
	MYSQL_STMT *statement = mysql_stmt_init(loop->mysql);

	if (!statement || mysql_stmt_prepare(statement, sql, strlen(sql)))
		die(sql, mysql_error(loop->mysql));
	return statement;
}

static MYSQL_BIND bound(void *bytes)
{
	return (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_STRING, .buffer = bytes, .buffer_length = KEY, .length_value = KEY };
}

static void open_database(struct loop *loop, char **argv)
{
	loop->mysql = mysql_init(NULL);
	if (!loop->mysql || !mysql_real_connect(loop->mysql, NULL, argv[1], "", argv[2], 0, argv[0], 0))
		die("the database", loop->mysql ? mysql_error(loop->mysql) : "no memory");
	if (mysql_query(loop->mysql, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
		die("the session", mysql_error(loop->mysql));
	loop->claim = prepare(loop, "SELECT tenant_id, job_id FROM job FORCE INDEX (claim) WHERE state = 'live' AND queue = 'event'"
				    " AND run_at <= 2000000000 ORDER BY tenant_id, run_at LIMIT 10 FOR UPDATE SKIP LOCKED");
	loop->lease = prepare(loop, "UPDATE job SET attempts = attempts + 1, lease = lease + 1, run_at = 9000000000000, worker = 'w',"
				    " started_at = 1 WHERE tenant_id = ? AND job_id IN (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
	loop->done = prepare(loop, "DELETE FROM job WHERE tenant_id = ? AND job_id = ?");
	loop->remember = prepare(loop, "INSERT INTO job_history (tenant_id, job_id, queue, kind, attempts, created_at, finished_at)"
				       " VALUES (?, ?, 'event', 'event_process', 1, 1, 1)");
	MYSQL_BIND row[] = { bound(loop->got.tenant), bound(loop->got.job) };
	if (mysql_stmt_bind_result(loop->claim, row))
		die("the claim", mysql_stmt_error(loop->claim));
}

static void run(MYSQL_STMT *statement, MYSQL_BIND *in, int count)
{
	for (int i = 0; i < count; i++)
		in[i].length = &in[i].length_value;
	if (mysql_stmt_bind_param(statement, in) || mysql_stmt_execute(statement))
		die("a row", mysql_stmt_error(statement));
}

static void run_on(MYSQL_STMT *statement, struct key *key)
{
	MYSQL_BIND in[] = { bound(key->tenant), bound(key->job) };

	run(statement, in, 2);
}

/* Where there are fewer, the last one is named again. */
static void lease(struct loop *loop, int n)
{
	MYSQL_BIND in[1 + BATCH] = { bound(loop->found[0].tenant) };

	for (int i = 0; i < BATCH; i++)
		in[1 + i] = bound(loop->found[i < n ? i : n - 1].job);
	run(loop->lease, in, 1 + BATCH);
}

static void tell(struct loop *loop, const char *word)
{
	if (mysql_query(loop->mysql, word))
		die(word, mysql_error(loop->mysql));
}

static int claim(struct loop *loop)
{
	int n = 0;

	tell(loop, "START TRANSACTION");
	if (mysql_stmt_execute(loop->claim) || mysql_stmt_store_result(loop->claim))
		die("the claim", mysql_stmt_error(loop->claim));
	while (n < BATCH && mysql_stmt_fetch(loop->claim) == 0)
		loop->found[n++] = loop->got;
	mysql_stmt_free_result(loop->claim);
	if (n > 0)
		lease(loop, n);
	tell(loop, "COMMIT");
	return n;
}

static void work(char **database, double seconds, long *count)
{
	struct loop loop = { 0 };
	struct timespec end, now;

	open_database(&loop, database);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	do {
		int n = claim(&loop);

		for (int i = 0; i < n; i++) {
			tell(&loop, "START TRANSACTION");
			run_on(loop.done, &loop.found[i]);
			run_on(loop.remember, &loop.found[i]);
			tell(&loop, "COMMIT");
			++*count;
		}
		if (n == 0)
			break;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	_exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
	long processes = argc == 6 ? strtol(argv[1], NULL, 10) : 0, total = 0;
	long *counts = mmap(NULL, PROCESSES_MAX * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec begin, end;

	if (processes < 1 || processes > PROCESSES_MAX || counts == MAP_FAILED) {
		fprintf(stderr, "usage: jobs_floor PROCESSES SECONDS DATABASE_SOCKET USER DATABASE\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long i = 0; i < processes; i++)
		if (fork() == 0)
			work(argv + 3, strtod(argv[2], NULL), &counts[i]);
	for (long i = 0; i < processes; i++)
		wait(NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (long i = 0; i < processes; i++)
		total += counts[i];
	printf("{\"jobs\":%ld,\"seconds\":%.3f}\n", total,
	       (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	return EXIT_SUCCESS;
}
