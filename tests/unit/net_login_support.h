/* The servers of login_servers.mjs, as a child of the test. */
#ifndef LW_TESTS_NET_LOGIN_SUPPORT_H
#define LW_TESTS_NET_LOGIN_SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { LOGIN_SERVERS_MAX = 32, LOGIN_CA_TEXT_MAX = 16 << 10 };
enum { LOGIN_SERVERS_MISSING = 77 }; /* automake: skipped */

extern struct login_servers {
	pid_t pid;
	int input;
	char directory[64], ca_file[80], ca[LOGIN_CA_TEXT_MAX];
	size_t count;
	struct {
		char name[24];
		unsigned port;
	} v[LOGIN_SERVERS_MAX];
} servers;

/* False when something that they need isn't here. */
bool login_servers_start(void);
/* The exit status of the child. */
int login_servers_stop(void);
/* 0: not installed. */
uint16_t port_of(const char *name);
/* Whether a false server has noted that. */
bool seen(const char *what);

#endif
