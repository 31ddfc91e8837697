#include "net/resolve.h"

#include <netdb.h>
#include <netinet/in.h>
#include <resolv.h>

/* resolv.conf(5)'s own default is 5 s a server and try; a dead name server must not hold a worker for so long. */
enum { SECONDS_A_TRY = 2, TRIES = 2 };

/* Reads resolv.conf again, which glibc stops to do by itself once a program sets the times. */
static void limit_time(void)
{
	res_init();
	_res.retrans = SECONDS_A_TRY;
	_res.retry = TRIES;
}

static enum err of_gai(int code)
{
	switch (code) {
	case 0: return OK;
	case EAI_MEMORY: return ERR_NO_MEMORY;
	case EAI_AGAIN: return ERR_UPSTREAM_TIMEOUT;
	default: return ERR_UPSTREAM;
	}
}

static enum err collect(const struct addrinfo *found, struct egress_addresses *ret_addresses)
{
	uint16_t port;

	for (; found; found = found->ai_next) {
		struct address *next = &ret_addresses->v[ret_addresses->count];

		/* One that isn't checked must not be connected to, and which one curl takes is its affair. */
		if (ret_addresses->count == EGRESS_ADDRESSES_MAX)
			return ERR_TOO_BIG;
		if (address_of_sockaddr(found->ai_addr, found->ai_addrlen, next, &port))
			ret_addresses->count++;
	}
	return ret_addresses->count > 0 ? OK : ERR_UPSTREAM;
}

enum err resolve_by_system(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	const struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;

	(void)arg;
	ret_addresses->count = 0;
	limit_time();
	TRY(of_gai(getaddrinfo(host, NULL, &hints, &found)));
	enum err e = collect(found, ret_addresses);
	freeaddrinfo(found);
	return e;
}
