/*
 * A MariaDB server of a test's own: its data in a new directory under /tmp, reachable by a unix
 * socket only.
 */
#ifndef LW_TESTS_PRIVATE_MARIADB_H
#define LW_TESTS_PRIVATE_MARIADB_H

#include <stdbool.h>
#include <sys/types.h>

struct private_mariadb {
	char directory[64];
	char socket[80];
	pid_t pid; /* 0: not running */
};

/*
 * False, with nothing left behind, when this machine has no mariadbd. Ends the test program on
 * other failures.
 */
bool private_mariadb_start(struct private_mariadb *server);
void private_mariadb_stop(struct private_mariadb *server);
/*
 * Runs a script as root in `database` (NULL: none); ends the test program when the server refuses
 * it.
 */
void private_mariadb_run(const struct private_mariadb *server, const char *database,
			 const char *sql);
/* The same for a file. */
void private_mariadb_run_file(const struct private_mariadb *server, const char *database,
			      const char *path);
/* The first column of the first row as a number; -1 when there is no row. */
long private_mariadb_number(const struct private_mariadb *server, const char *database,
			    const char *sql);

#endif
