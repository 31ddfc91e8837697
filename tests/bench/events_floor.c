/*
 * The floor under the intake of webhooks: the transaction that stores an event, as one call of one stored function with
 * autocommit, in a bare loop. Each process has a connection and waits for nothing else. No TLS, no HTTP, no signature.
 *
 * usage: events_floor PROCESSES SECONDS BODY_BYTES DATABASE_SOCKET USER DATABASE; prints {"events", "seconds"}
 */
#include <mysql.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ID = 16, KEY = 32, IDS = 3, PROCESSES_MAX = 64, BODY_MAX = 1 << 20 };

static void die(const char *what, const char *why)
{
	fprintf(stderr, "events_floor: %s: %s\n", what, why);
	_exit(EXIT_FAILURE);
}

/* As the product's ids: they begin with the time, so that rows come in their indexes' order. */
static void new_id(char id[ID])
{
	struct timespec now;
	long long ms;

	clock_gettime(CLOCK_REALTIME, &now);
	ms = now.tv_sec * 1000LL + now.tv_nsec / 1000000;
	if (getrandom(id, ID, 0) != ID)
		die("an id", "no random bytes");
	for (int i = 0; i < 6; i++)
		id[i] = (char)(ms >> (40 - 8 * i));
}

static MYSQL_STMT *prepare(char **database)
{
	static const char sql[] = "SELECT floor_intake(?, ?, ?, ?, ?)";
	MYSQL *mysql = mysql_init(NULL);
	MYSQL_STMT *statement;

	if (!mysql || !mysql_real_connect(mysql, NULL, database[1], "", database[2], 0, database[0], 0))
		die("the database", mysql ? mysql_error(mysql) : "no memory");
	if (mysql_query(mysql, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"))
		die("the session", mysql_error(mysql));
	statement = mysql_stmt_init(mysql);
	if (!statement || mysql_stmt_prepare(statement, sql, strlen(sql)))
		die(sql, mysql_error(mysql));
	return statement;
}

static MYSQL_BIND bound(void *bytes, unsigned long n)
{
	return (MYSQL_BIND){ .buffer_type = MYSQL_TYPE_BLOB, .buffer = bytes, .buffer_length = n, .length_value = n };
}

static void work(char **database, double seconds, unsigned long body_bytes, long *count)
{
	static char body[BODY_MAX], id[IDS][ID], key[KEY];
	MYSQL_STMT *statement = prepare(database);
	MYSQL_BIND in[] = { bound(id[0], ID), bound(key, KEY), bound(id[1], ID), bound(id[2], ID), bound(body, body_bytes) };
	struct timespec end, now;

	memset(body, 'x', body_bytes);
	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++)
		in[i].length = &in[i].length_value;
	if (mysql_stmt_bind_param(statement, in))
		die("the event", mysql_stmt_error(statement));
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)seconds;
	do {
		for (int i = 0; i < IDS; i++)
			new_id(id[i]);
		if (getrandom(key, KEY, 0) != KEY || mysql_stmt_execute(statement) || mysql_stmt_store_result(statement))
			die("an event", mysql_stmt_error(statement));
		mysql_stmt_free_result(statement);
		++*count;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	_exit(EXIT_SUCCESS);
}

int main(int argc, char **argv)
{
	long processes = argc == 7 ? strtol(argv[1], NULL, 10) : 0, bytes = argc == 7 ? strtol(argv[3], NULL, 10) : 0, total = 0;
	long *counts = mmap(NULL, PROCESSES_MAX * sizeof(long), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct timespec begin, end;

	if (processes < 1 || processes > PROCESSES_MAX || bytes < 1 || bytes > BODY_MAX || counts == MAP_FAILED) {
		fprintf(stderr, "usage: events_floor PROCESSES SECONDS BODY_BYTES DATABASE_SOCKET USER DATABASE\n");
		return 2;
	}
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (long i = 0; i < processes; i++)
		if (fork() == 0)
			work(argv + 4, strtod(argv[2], NULL), (unsigned long)bytes, &counts[i]);
	for (long i = 0; i < processes; i++)
		wait(NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (long i = 0; i < processes; i++)
		total += counts[i];
	printf("{\"events\":%ld,\"seconds\":%.3f}\n", total,
	       (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
	return EXIT_SUCCESS;
}
