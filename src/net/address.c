#include "net/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

struct range {
	uint8_t b[16];
	unsigned bits;
	enum address_kind kind;
};

/* The first that fits counts. */
static const struct range V4[] = {
	{ { 100, 100, 100, 200 }, 32, ADDRESS_FORBIDDEN }, /* Alibaba's metadata */
	{ { 168, 63, 129, 16 }, 32, ADDRESS_FORBIDDEN }, /* Azure's wire server, in public space */
	{ { 10 }, 8, ADDRESS_PRIVATE },
	{ { 100, 64 }, 10, ADDRESS_PRIVATE },
	{ { 127 }, 8, ADDRESS_PRIVATE },
	{ { 172, 16 }, 12, ADDRESS_PRIVATE },
	{ { 192, 168 }, 16, ADDRESS_PRIVATE },
	{ { 0 }, 8, ADDRESS_FORBIDDEN },
	{ { 169, 254 }, 16, ADDRESS_FORBIDDEN }, /* link-local, and most clouds' metadata */
	{ { 192, 0, 0 }, 24, ADDRESS_FORBIDDEN },
	{ { 192, 0, 2 }, 24, ADDRESS_FORBIDDEN },
	{ { 192, 88, 99 }, 24, ADDRESS_FORBIDDEN },
	{ { 198, 18 }, 15, ADDRESS_FORBIDDEN },
	{ { 198, 51, 100 }, 24, ADDRESS_FORBIDDEN },
	{ { 203, 0, 113 }, 24, ADDRESS_FORBIDDEN },
	{ { 224 }, 4, ADDRESS_FORBIDDEN },
	{ { 240 }, 4, ADDRESS_FORBIDDEN },
};

/* What none of these names is public inside of 2000::/3 and forbidden outside. */
static const struct range V6[] = {
	{ { 0xfd, 0x00, 0x0e, 0xc2 }, 32, ADDRESS_FORBIDDEN }, /* Amazon's metadata */
	{ { 0xfd, 0x20, 0x00, 0xce }, 32, ADDRESS_FORBIDDEN }, /* Google's metadata */
	{ { [15] = 1 }, 128, ADDRESS_PRIVATE },                /* ::1 */
	{ { 0xfc }, 7, ADDRESS_PRIVATE },
	{ { 0x20, 0x01, 0x00 }, 23, ADDRESS_FORBIDDEN },       /* Teredo, benchmarks, ORCHID */
	{ { 0x20, 0x01, 0x0d, 0xb8 }, 32, ADDRESS_FORBIDDEN }, /* documentation */
	{ { 0x3f, 0xff }, 20, ADDRESS_FORBIDDEN },             /* documentation */
	{ { 0x20 }, 3, ADDRESS_PUBLIC },
};

/* Where IPv4 addresses hide in IPv6 ones. Mapped ones become IPv4 as soon as they are read. */
static const struct {
	uint8_t b[16];
	unsigned bits, at;
} WRAPPED[] = {
	{ { [10] = 0xff, 0xff }, 96, 12 },      /* ::ffff:0:0/96, mapped */
	{ { [8] = 0xff, 0xff }, 96, 12 },       /* ::ffff:0:0:0/96, SIIT (RFC 7915) */
	{ { 0x00, 0x64, 0xff, 0x9b }, 96, 12 }, /* 64:ff9b::/96, NAT64 (RFC 6052) */
	{ { 0x20, 0x02 }, 16, 2 },              /* 2002::/16, 6to4 (RFC 3056) */
};

static bool starts_with(const uint8_t *b, const uint8_t *prefix, unsigned bits)
{
	unsigned whole = bits / 8, rest = bits % 8;

	if (memcmp(b, prefix, whole) != 0)
		return false;
	return rest == 0 || ((b[whole] ^ prefix[whole]) >> (8 - rest)) == 0;
}

static enum address_kind kind_in(const struct range *ranges, size_t count, const uint8_t *b,
				 enum address_kind otherwise)
{
	for (size_t i = 0; i < count; i++)
		if (starts_with(b, ranges[i].b, ranges[i].bits))
			return ranges[i].kind;
	return otherwise;
}

static enum address_kind kind_of_v4(const uint8_t *b)
{
	return kind_in(V4, ARRAY_SIZE(V4), b, ADDRESS_PUBLIC);
}

enum address_kind address_kind(const struct address *address)
{
	if (address->family == AF_INET)
		return kind_of_v4(address->b);
	if (address->family != AF_INET6)
		return ADDRESS_FORBIDDEN;
	for (size_t i = 0; i < ARRAY_SIZE(WRAPPED); i++) {
		if (!starts_with(address->b, WRAPPED[i].b, WRAPPED[i].bits))
			continue;
		/* A gateway would translate: nobody lists a private host by such an address. */
		return kind_of_v4(address->b + WRAPPED[i].at) == ADDRESS_PUBLIC ? ADDRESS_PUBLIC
										: ADDRESS_FORBIDDEN;
	}
	return kind_in(V6, ARRAY_SIZE(V6), address->b, ADDRESS_FORBIDDEN);
}

/* ::ffff:10.0.0.1 is 10.0.0.1: the kernel talks IPv4 to it. */
static void unmap(struct address *address)
{
	if (address->family != AF_INET6 || !starts_with(address->b, WRAPPED[0].b, WRAPPED[0].bits))
		return;
	address->family = AF_INET;
	memmove(address->b, address->b + WRAPPED[0].at, 4);
	memset(address->b + 4, 0, sizeof(address->b) - 4);
}

bool address_parse(struct str text, struct address *ret_address)
{
	char c_string[ADDRESS_TEXT_MAX];

	memset(ret_address, 0, sizeof(*ret_address));
	if (text.n >= sizeof(c_string) || str_find(text, '\0') != text.n)
		return false;
	if (text.n > 0)
		memcpy(c_string, text.p, text.n);
	c_string[text.n] = '\0';
	ret_address->family = str_find(text, ':') < text.n ? AF_INET6 : AF_INET;
	if (inet_pton(ret_address->family, c_string, ret_address->b) != 1)
		return false;
	unmap(ret_address);
	return true;
}

struct str address_format(const struct address *address, char text[ADDRESS_TEXT_MAX])
{
	if (!inet_ntop(address->family, address->b, text, ADDRESS_TEXT_MAX))
		text[0] = '\0';
	return str_of(text);
}

bool address_eq(const struct address *a, const struct address *b)
{
	return a->family == b->family && memcmp(a->b, b->b, a->family == AF_INET ? 4 : 16) == 0;
}

bool address_of_sockaddr(const struct sockaddr *from, socklen_t n, struct address *ret_address,
			 uint16_t *ret_port)
{
	struct sockaddr_in v4 = { 0 };
	struct sockaddr_in6 v6 = { 0 };

	memset(ret_address, 0, sizeof(*ret_address));
	ret_address->family = from->sa_family;
	if (from->sa_family == AF_INET && n >= sizeof(v4)) {
		memcpy(&v4, from, sizeof(v4));
		memcpy(ret_address->b, &v4.sin_addr, 4);
		*ret_port = ntohs(v4.sin_port);
		return true;
	}
	if (from->sa_family == AF_INET6 && n >= sizeof(v6)) {
		memcpy(&v6, from, sizeof(v6));
		memcpy(ret_address->b, &v6.sin6_addr, 16);
		*ret_port = ntohs(v6.sin6_port);
		unmap(ret_address);
		return true;
	}
	return false;
}

socklen_t address_to_sockaddr(const struct address *address, uint16_t port,
			      struct sockaddr_storage *ret_to)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

	memset(ret_to, 0, sizeof(*ret_to));
	if (address->family == AF_INET) {
		memcpy(&v4.sin_addr, address->b, 4);
		memcpy(ret_to, &v4, sizeof(v4));
		return sizeof(v4);
	}
	memcpy(&v6.sin6_addr, address->b, 16);
	memcpy(ret_to, &v6, sizeof(v6));
	return sizeof(v6);
}

/* A datagram socket that is connected sends nothing, but the kernel picks the source it would use. */
bool address_is_ours(const struct address *address)
{
	struct sockaddr_storage to, from = { 0 };
	socklen_t to_n = address_to_sockaddr(address, 443, &to), from_n = sizeof(from);
	struct address source;
	uint16_t port;
	bool ours = false;
	int fd = socket(address->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return false;
	if (connect(fd, (const struct sockaddr *)&to, to_n) == 0 &&
	    getsockname(fd, (struct sockaddr *)&from, &from_n) == 0)
		ours = address_of_sockaddr((const struct sockaddr *)&from, from_n, &source,
					   &port) &&
		       address_eq(&source, address);
	close(fd);
	return ours;
}
