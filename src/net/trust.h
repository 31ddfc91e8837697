/*
 * The CA certificates that a TLS client here trusts, as a file for whichever library reads it.
 * Of this room: others say what they want in egress_settings.
 */
#ifndef LW_NET_TRUST_H
#define LW_NET_TRUST_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"

enum { TRUST_PATH_MAX = 32 };

/* NULL: not there. Reading a directory's 150 files takes three times as long as one file with all of them. */
struct trust {
	const char *file;      /* PEM */
	const char *directory; /* one certificate a file, named by their hashes */
};

/* The system's. The file is looked for each time, for it may be replaced while we run. */
struct trust trust_system(void);

/* The system's and those of another PEM file, joined in memory: a path that is good in this process. */
struct trust_joined {
	int fd;
	char path[TRUST_PATH_MAX];
	const char *alone; /* the other file, when the system has no file to join it with */
};

/* ERR_IO with errno. `ca_file` must live as long. */
enum err trust_join(const char *ca_file, struct trust_joined *ret_joined) MUST_CHECK;
/* Only what is in this PEM text, which nobody else may read: a key may be in it. ERR_IO with errno. */
enum err trust_text(struct str pem, struct trust_joined *ret_joined) MUST_CHECK;
struct trust trust_of(const struct trust_joined *joined);
void trust_close(struct trust_joined *joined);

#endif
