/*
 * The egress guard: what this service may connect to. Every way out asks here.
 *
 * A target is refused unless its scheme, the spelling of its host, its port and
 * every address that its name stands for are allowed; connections are then made
 * to these addresses and to no others, so a name that changes its mind between
 * the check and the connect gains nothing.
 *
 * Public hosts: https, port 443 or a port that the operator opened. Hosts that the
 * operator listed, with their port: private addresses and http, too. Metadata
 * services, link-local, multicast and reserved addresses: never.
 */
#ifndef LW_NET_EGRESS_H
#define LW_NET_EGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "net/address.h"
#include "net/trust.h"

enum {
	EGRESS_HOST_MAX = 253, /* RFC 1035, section 2.3.4, as text */
	EGRESS_ADDRESSES_MAX = 16,
	EGRESS_WHY_MAX = 256
};

struct egress_addresses {
	size_t count;
	struct address v[EGRESS_ADDRESSES_MAX];
};

/*
 * Looks a name up: OK, and at least one address; ERR_UPSTREAM when there is none, ERR_UPSTREAM_TIMEOUT, or
 * ERR_TOO_BIG when there are more than can be checked.
 */
typedef enum err (*egress_resolver)(void *arg, const char *host,
				    struct egress_addresses *ret_addresses);

/* What the operator says; the texts are copied. Lists are separated by commas. */
struct egress_settings {
	const char *allow_hosts; /* "idp.internal:8443, 10.1.2.3:443, [::1]:8080" */
	const char *ports;       /* of public hosts, besides 443: "8443, 9443" */
	const char *
		own_addresses; /* of this service, as the outside knows it: refused like private ones */
	const char *
		ca_file; /* PEM, trusted for listed hosts besides the system's CAs; NULL or "": none */
	int timeout_ms;           /* of a whole request; 0: 10 s */
	int connect_timeout_ms;   /* 0: 5 s */
	egress_resolver resolver; /* NULL: the system's */
	void *resolver_arg;
};

struct egress_policy;

/* ERR_CONFIG, and then `ret_why` says which entry is wrong; ERR_NO_MEMORY. */
enum err egress_policy_new(const struct egress_settings *settings, char ret_why[EGRESS_WHY_MAX],
			   struct egress_policy **ret_policy) MUST_CHECK;
/* NULL-safe. */
void egress_policy_free(struct egress_policy *policy);
/* Another number for each policy of a process: what is kept for one is not another's. */
uint64_t egress_serial(const struct egress_policy *policy);
int egress_timeout_ms(const struct egress_policy *policy);
int egress_connect_timeout_ms(const struct egress_policy *policy);

/* A host that may be called, and its checked addresses. */
struct egress_target {
	bool tls;    /* https */
	bool listed; /* by the operator */
	uint16_t port;
	char host[EGRESS_HOST_MAX + 1]; /* lower case, without brackets */
	struct egress_addresses addresses;
	const char *why; /* static words for the log, when it was refused */
};

/*
 * The decision for a URL, http or https. It is taken as it stands: what isn't plain ASCII, names a user, or
 * spells its host in an uncommon way is refused rather than guessed at. ERR_HOST_FORBIDDEN: refused, nothing
 * was sent (a name may have been looked up). Otherwise the resolver's errors.
 */
enum err egress_allow_url(const struct egress_policy *policy, struct str url,
			  struct egress_target *ret_target) MUST_CHECK;
/*
 * The same for a host of another protocol (mail, databases), which has TLS of its own. `usual`: it is a port that
 * this protocol has everywhere, so it needs no opening by the operator.
 */
enum err egress_allow_host(const struct egress_policy *policy, struct str host, uint16_t port,
			   bool usual, struct egress_target *ret_target) MUST_CHECK;
/* Who may vouch for a target: a private CA for the hosts that the operator listed, and for nobody else. */
struct trust egress_trust(const struct egress_policy *policy, const struct egress_target *target);
/* Whether that is one of the target's checked addresses: asked when the socket is made. */
bool egress_allows_peer(const struct egress_target *target, const struct sockaddr *peer,
			socklen_t n);

#endif
