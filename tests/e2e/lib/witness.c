/*
 * Loaded before a program's libraries (LD_PRELOAD): writes down every name that it looks up and every address that it
 * connects to, and lets nothing leave this machine. What a name stands for is told by a file, which may tell something
 * else each time: a name server of a test's own without a network.
 *
 * WITNESS_LOG: where it writes "lookup NAME", "connect ADDRESS PORT", "send ADDRESS PORT".
 * WITNESS_NAMES: lines of a name and its answers, in order, the last one for ever: "flip.test 93.184.216.34 127.0.0.1";
 * several addresses of one answer are joined by '+'.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { NAMES = 64, ANSWERS = 8 };

static int log_fd = -1;
static struct {
	char name[128], answer[ANSWERS][128];
	int answers, asked;
} names[NAMES];
static int name_count;
static int (*real_connect)(int, const struct sockaddr *, socklen_t);
static ssize_t (*real_sendto)(int, const void *, size_t, int, const struct sockaddr *, socklen_t);
static int (*real_getaddrinfo)(const char *, const char *, const struct addrinfo *, struct addrinfo **);

static void read_names(const char *path)
{
	char line[1024];
	FILE *file = path ? fopen(path, "re") : NULL;

	while (file && name_count < NAMES && fgets(line, sizeof(line), file)) {
		char *word = strtok(line, " \n");

		if (!word)
			continue;
		snprintf(names[name_count].name, sizeof(names[0].name), "%s", word);
		while ((word = strtok(NULL, " \n")) && names[name_count].answers < ANSWERS)
			snprintf(names[name_count].answer[names[name_count].answers++], sizeof(names[0].answer[0]), "%s", word);
		name_count++;
	}
	if (file)
		fclose(file);
}

__attribute__((constructor)) static void begin(void)
{
	const char *path = getenv("WITNESS_LOG");

	if (path)
		log_fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	read_names(getenv("WITNESS_NAMES"));
	real_connect = (int (*)(int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "connect");
	real_sendto = (ssize_t (*)(int, const void *, size_t, int, const struct sockaddr *, socklen_t))dlsym(RTLD_NEXT, "sendto");
	real_getaddrinfo = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
}

static void note(const char *what, const char *whom, int port)
{
	char line[512];
	int n = port < 0 ? snprintf(line, sizeof(line), "%s %s\n", what, whom) : snprintf(line, sizeof(line), "%s %s %d\n", what, whom, port);

	if (write(log_fd, line, (size_t)n) < 0)
		return;
}

/* Writes it down; whether it is this machine's loopback. Other families than IP pass. */
static int stays(const char *what, const struct sockaddr *to)
{
	char text[INET6_ADDRSTRLEN] = "";

	if (to->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)to;

		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		note(what, text, ntohs(in->sin_port));
		return (ntohl(in->sin_addr.s_addr) >> 24) == 127;
	}
	if (to->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)to;

		inet_ntop(AF_INET6, &in->sin6_addr, text, sizeof(text));
		note(what, text, ntohs(in->sin6_port));
		return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
	}
	return 1;
}

/* What looks the machine's own addresses up asks the routing table by a datagram socket, which sends nothing. */
static int is_datagram(int fd)
{
	int type = 0;
	socklen_t n = sizeof(type);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &n) == 0 && type == SOCK_DGRAM;
}

int connect(int fd, const struct sockaddr *to, socklen_t n)
{
	if (is_datagram(fd) || stays("connect", to))
		return real_connect(fd, to, n);
	errno = ECONNREFUSED;
	return -1;
}

ssize_t sendto(int fd, const void *bytes, size_t n, int flags, const struct sockaddr *to, socklen_t to_n)
{
	if (to && !stays("send", to)) {
		errno = ENETUNREACH;
		return -1;
	}
	return real_sendto(fd, bytes, n, flags, to, to_n);
}

static int answer(char *addresses, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	struct addrinfo numeric = hints ? *hints : (struct addrinfo){ .ai_socktype = SOCK_STREAM }, **end = found;

	*found = NULL;
	numeric.ai_flags |= AI_NUMERICHOST;
	for (char *rest = addresses, *one; (one = strtok_r(rest, "+", &rest));) {
		int code = real_getaddrinfo(one, service, &numeric, end);

		if (code != 0)
			return code;
		while (*end)
			end = &(*end)->ai_next;
	}
	return *found ? 0 : EAI_NONAME;
}

int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints, struct addrinfo **found)
{
	char addresses[128];

	if (!name || (hints && (hints->ai_flags & AI_NUMERICHOST)))
		return real_getaddrinfo(name, service, hints, found);
	note("lookup", name, -1);
	for (int i = 0; i < name_count; i++) {
		if (strcasecmp(names[i].name, name) != 0)
			continue;
		int turn = names[i].asked++;

		snprintf(addresses, sizeof(addresses), "%s", names[i].answer[turn < names[i].answers ? turn : names[i].answers - 1]);
		return answer(addresses, service, hints, found);
	}
	/* Addresses and this machine's own name need no server; nobody else is asked. */
	if (strcasecmp(name, "localhost") == 0 || strspn(name, "0123456789.") == strlen(name) || strchr(name, ':'))
		return real_getaddrinfo(name, service, hints, found);
	return EAI_NONAME;
}
