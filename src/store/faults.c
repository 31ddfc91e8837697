/* Test builds only: a database that fails at a named place, LATCHWORK_DB_FAULT=after_commit:3. */
#include "store/private.h"

#ifdef LATCHWORK_FAULTS

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool db_fault(const char *name)
{
	static unsigned long seen;
	const char *wanted = getenv("LATCHWORK_DB_FAULT");
	size_t n = strlen(name);

	if (!wanted || strncmp(wanted, name, n) != 0 || (wanted[n] != '\0' && wanted[n] != ':'))
		return false;
	return ++seen == (wanted[n] == ':' ? strtoul(wanted + n + 1, NULL, 10) : 1);
}

/* The server hears nothing of what is sent from now on. */
void db_cut(struct db *db)
{
	if (db->mysql)
		shutdown(mysql_get_socket(db->mysql), SHUT_RDWR);
}

#else
typedef int faults_are_not_built_in; /* a file can't be empty */
#endif
