#include "net_login_support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"

struct login_servers servers;

uint16_t port_of(const char *name)
{
	for (size_t i = 0; i < servers.count; i++)
		if (strcmp(servers.v[i].name, name) == 0)
			return (uint16_t)servers.v[i].port;
	fail_msg("no server %s", name);
	return 0;
}

bool seen(const char *what)
{
	char path[96], text[8192] = "";
	FILE *file;

	snprintf(path, sizeof path, "%s/seen", servers.directory);
	file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof text - 1, file)] = '\0';
	fclose(file);
	return strstr(text, what) != NULL;
}

static NORETURN void run_servers(int input, int output)
{
	char script[512];
	const char *srcdir = getenv("top_srcdir");

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	snprintf(script, sizeof script, "%s/tests/unit/login_servers.mjs", srcdir ? srcdir : ".");
	execlp("node", "node", script, servers.directory, (char *)NULL);
	_exit(LOGIN_SERVERS_MISSING);
}

static bool read_ports(FILE *ports)
{
	char name[24];
	unsigned port;

	while (fscanf(ports, "%23s %u", name, &port) == 2 && servers.count < LOGIN_SERVERS_MAX) {
		if (strcmp(name, "ready") == 0)
			return true;
		strcpy(servers.v[servers.count].name, name);
		servers.v[servers.count++].port = port;
	}
	return false;
}

static bool read_ca(void)
{
	FILE *file = fopen(servers.ca_file, "r");

	if (!file)
		return false;
	servers.ca[fread(servers.ca, 1, sizeof servers.ca - 1, file)] = '\0';
	fclose(file);
	return true;
}

bool login_servers_start(void)
{
	int input[2], output[2];
	FILE *ports;

	strcpy(servers.directory, "/tmp/latchwork-login-XXXXXX");
	if (!mkdtemp(servers.directory) || pipe(input) != 0 || pipe(output) != 0)
		return false;
	snprintf(servers.ca_file, sizeof servers.ca_file, "%s/ca.pem", servers.directory);
	servers.pid = fork();
	if (servers.pid == 0) {
		close(input[1]);
		close(output[0]);
		run_servers(input[0], output[1]);
	}
	close(input[0]);
	close(output[1]);
	servers.input = input[1];
	ports = fdopen(output[0], "r");
	bool ready = ports && read_ports(ports) && read_ca();
	if (ports)
		fclose(ports);
	return ready;
}

int login_servers_stop(void)
{
	int status = 0;
	char command[128];

	close(servers.input);
	waitpid(servers.pid, &status, 0);
	snprintf(command, sizeof command, "rm -rf '%s'", servers.directory);
	if (system(command) != 0)
		perror(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
