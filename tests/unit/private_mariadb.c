#include "private_mariadb.h"

#include <grp.h>
#include <mariadb/mysql.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(99); /* automake: a hard error */
}

static bool is_installed(const char *program)
{
	static const char *const directories[] = { "/usr/sbin", "/usr/bin", "/usr/local/sbin",
						   "/usr/local/bin" };
	char path[128];

	for (size_t i = 0; i < 4; i++) {
		snprintf(path, sizeof(path), "%s/%s", directories[i], program);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* mariadbd refuses to run as root. NULL when we aren't. */
static const struct passwd *server_account(void)
{
	const struct passwd *account = geteuid() == 0 ? getpwnam("mysql") : NULL;

	if (geteuid() == 0 && !account)
		die("mariadbd refuses root, and the account `mysql`", "isn't there");
	return account;
}

static void become(const struct passwd *account)
{
	if (account &&
	    (setgroups(1, &account->pw_gid) || setgid(account->pw_gid) || setuid(account->pw_uid)))
		_exit(96);
}

/*
 * A child that runs `argv` with its output in the server's directory, and ends when the test does,
 * however that ends. (So the account is changed here: mariadbd's own --user would undo it.)
 */
static pid_t start(const struct private_mariadb *server, const struct passwd *account,
		   const char *const *argv)
{
	char log[96];
	pid_t pid;

	snprintf(log, sizeof(log), "%s/log", server->directory);
	pid = fork();
	if (pid < 0)
		die("fork", "failed");
	if (pid == 0) {
		char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

		putenv(path);
		if (!freopen(log, "a", stdout) || dup2(fileno(stdout), 2) < 0)
			_exit(98);
		become(account);
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		execvp(argv[0], (char *const *)(unsigned long)argv);
		_exit(97);
	}
	return pid;
}

/* What the programs have said last: the only trace of why one of them failed. */
static void show_log(const struct private_mariadb *server)
{
	char path[96], line[512];
	FILE *log;

	snprintf(path, sizeof(path), "%s/log", server->directory);
	log = fopen(path, "re");
	while (log && fgets(line, sizeof(line), log))
		fputs(line, stderr);
	if (log)
		fclose(log);
}

static void wait_for(const struct private_mariadb *server, pid_t pid, const char *what)
{
	int status = 0;

	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	show_log(server);
	fprintf(stderr, "%s: status %#x\n", what, (unsigned)status);
	die(what, "failed");
}

static MYSQL *open_root(const struct private_mariadb *server, const char *database)
{
	MYSQL *mysql = mysql_init(NULL);

	if (mysql && mysql_real_connect(mysql, NULL, "root", "", database, 0, server->socket,
					CLIENT_MULTI_STATEMENTS))
		return mysql;
	mysql_close(mysql);
	return NULL;
}

/* A test that gives up half-way leaves no server and no data behind. */
static struct private_mariadb *running;
static pid_t owner;

static void stop_at_exit(void)
{
	if (running && getpid() == owner)
		private_mariadb_stop(running);
}

static void make_directory(struct private_mariadb *server)
{
	const struct passwd *account = server_account();

	if (!mkdtemp(server->directory))
		die("mkdtemp", "failed");
	if (account && chown(server->directory, account->pw_uid, account->pw_gid) != 0)
		die("chown", server->directory);
}

bool private_mariadb_start(struct private_mariadb *server)
{
	char data[96], socket[96], tmp[96];
	struct timespec pause = { 0, 50 * 1000000 };
	MYSQL *mysql = NULL;

	*server = (struct private_mariadb){ .directory = "/tmp/lw-test-XXXXXX" };
	if (!is_installed("mariadbd") || !is_installed("mariadb-install-db"))
		return false;
	make_directory(server);
	snprintf(server->socket, sizeof(server->socket), "%s/socket", server->directory);
	snprintf(data, sizeof(data), "--datadir=%s/data", server->directory);
	snprintf(tmp, sizeof(tmp), "--tmpdir=%s", server->directory);
	snprintf(socket, sizeof(socket), "--socket=%s", server->socket);
	wait_for(server,
		 start(server, server_account(),
		       (const char *const[]){ "mariadb-install-db", "--no-defaults", data, tmp,
					      "--skip-test-db", "--force",
					      "--auth-root-authentication-method=normal", NULL }),
		 "mariadb-install-db");
	server->pid = start(
		server, server_account(),
		(const char *const[]){ "mariadbd", "--no-defaults", data, socket, tmp,
				       "--skip-networking", "--innodb-buffer-pool-size=32M",
				       "--innodb-log-file-size=16M", "--max-allowed-packet=32M",
				       "--innodb-flush-log-at-trx-commit=0", NULL });
	if (!running)
		atexit(stop_at_exit);
	running = server;
	owner = getpid();
	for (int i = 0; i < 1200 && !mysql; i++) {
		nanosleep(&pause, NULL);
		mysql = open_root(server, NULL);
	}
	if (!mysql) {
		show_log(server);
		die("mariadbd", "did not start");
	}
	mysql_close(mysql);
	return true;
}

void private_mariadb_stop(struct private_mariadb *server)
{
	const char *argv[] = { "rm", "-rf", server->directory, NULL };
	int status;

	if (server->pid == 0)
		return;
	kill(server->pid, SIGTERM);
	waitpid(server->pid, &status, 0);
	server->pid = 0;
	wait_for(server, start(server, NULL, argv), "rm");
}

void private_mariadb_run(const struct private_mariadb *server, const char *database,
			 const char *sql)
{
	MYSQL *mysql = open_root(server, database);
	int more;

	if (!mysql)
		die("private_mariadb_run", "no connection");
	more = mysql_query(mysql, sql) ? 1 : 0;
	while (more == 0) {
		mysql_free_result(mysql_store_result(mysql));
		more = mysql_next_result(mysql);
	}
	if (more > 0)
		die("private_mariadb_run", mysql_error(mysql));
	mysql_close(mysql);
}

void private_mariadb_run_file(const struct private_mariadb *server, const char *database,
			      const char *path)
{
	FILE *file = fopen(path, "re");
	char *sql;
	size_t n;

	sql = calloc(1, 1 << 20);
	if (!file || !sql)
		die(path, "can't be read");
	n = fread(sql, 1, (1 << 20) - 1, file);
	if (n == 0)
		die(path, "is empty");
	fclose(file);
	private_mariadb_run(server, database, sql);
	free(sql);
}

long private_mariadb_number(const struct private_mariadb *server, const char *database,
			    const char *sql)
{
	MYSQL *mysql = open_root(server, database);
	MYSQL_RES *result;
	MYSQL_ROW row;
	long number = -1;

	if (!mysql || mysql_query(mysql, sql))
		die("private_mariadb_number", mysql ? mysql_error(mysql) : "no connection");
	result = mysql_store_result(mysql);
	row = result ? mysql_fetch_row(result) : NULL;
	if (row && row[0])
		number = strtol(row[0], NULL, 10);
	mysql_free_result(result);
	mysql_close(mysql);
	return number;
}
