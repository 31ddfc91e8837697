/*
 * IP addresses: reading them strictly, and knowing which ones lead inside.
 *
 * The ranges are those of the IANA special-purpose registries (RFC 6890 and its
 * updates), and the metadata services of the clouds.
 */
#ifndef LW_NET_ADDRESS_H
#define LW_NET_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attr.h"
#include "base/str.h"

enum { ADDRESS_TEXT_MAX = 46 }; /* INET6_ADDRSTRLEN */

struct address {
	int family;    /* AF_INET, AF_INET6 */
	uint8_t b[16]; /* network order; an IPv4 address has the first four */
};

enum address_kind {
	ADDRESS_PUBLIC,
	ADDRESS_PRIVATE, /* this host or its networks: for hosts that the operator listed */
	ADDRESS_FORBIDDEN /* nobody's host, a metadata service, a tunnel to one of the inside: never */
};

/* Addresses that wrap an IPv4 address (NAT64, SIIT, 6to4) are judged by what they wrap. */
enum address_kind address_kind(const struct address *address);

/*
 * Both readers turn a mapped address (::ffff:10.0.0.1) into the IPv4 address that it stands for.
 *
 * Four decimal numbers without leading zeros, or RFC 4291's text without a zone; no brackets.
 * False for every other spelling (127.1, 0x7f000001, 0177.0.0.1).
 */
bool address_parse(struct str text, struct address *ret_address) MUST_CHECK;
struct str address_format(const struct address *address, char text[ADDRESS_TEXT_MAX]);
bool address_eq(const struct address *a, const struct address *b);

/* To and from the kernel's form. False for a family that isn't IP. */
bool address_of_sockaddr(const struct sockaddr *from, socklen_t n, struct address *ret_address,
			 uint16_t *ret_port) MUST_CHECK;
socklen_t address_to_sockaddr(const struct address *address, uint16_t port,
			      struct sockaddr_storage *ret_to);
/* Whether this machine has the address itself. Asks the routing table; nothing is sent. */
bool address_is_ours(const struct address *address);

#endif
