/* Which addresses lead inside: each range by its first, its last and an inner address, and the neighbours outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "net/address.h"

static struct address parsed(const char *text)
{
	struct address address;

	if (!address_parse(str_of(text), &address))
		fail_msg("%s isn't read as an address", text);
	return address;
}

static void expect(const struct address *address, enum address_kind kind)
{
	char text[ADDRESS_TEXT_MAX];

	if (address_kind(address) != kind)
		fail_msg("%s is of kind %d, not %d", address_format(address, text).p,
			 (int)address_kind(address), (int)kind);
}

/* The address of the range whose bits behind the prefix are all `fill`. */
static struct address member(const char *range, unsigned bits, uint8_t fill)
{
	struct address address = parsed(range);
	unsigned size = address.family == AF_INET ? 32 : 128;

	for (unsigned bit = bits; bit < size; bit++) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		address.b[bit / 8] = (uint8_t)((address.b[bit / 8] & ~mask) | (fill & mask));
	}
	return address;
}

struct range {
	const char *first;
	unsigned bits;
};

static void expect_ranges(const struct range *ranges, size_t count, enum address_kind kind)
{
	for (size_t i = 0; i < count; i++) {
		static const uint8_t FILL[] = { 0x00, 0xff, 0x5a };

		for (size_t f = 0; f < ARRAY_SIZE(FILL); f++) {
			struct address address = member(ranges[i].first, ranges[i].bits, FILL[f]);
			expect(&address, kind);
		}
	}
}

static void nobody_reaches_the_hosts_own_networks_over_ipv4(void **state)
{
	static const struct range PRIVATE[] = { { "10.0.0.0", 8 },
						{ "100.64.0.0", 10 },
						{ "127.0.0.0", 8 },
						{ "172.16.0.0", 12 },
						{ "192.168.0.0", 16 } };
	(void)state;
	expect_ranges(PRIVATE, ARRAY_SIZE(PRIVATE), ADDRESS_PRIVATE);
}

static void nobody_reaches_reserved_ipv4_addresses_even_when_listed(void **state)
{
	static const struct range FORBIDDEN[] = { { "0.0.0.0", 8 },       { "169.254.0.0", 16 },
						  { "192.0.0.0", 24 },    { "192.0.2.0", 24 },
						  { "192.88.99.0", 24 },  { "198.18.0.0", 15 },
						  { "198.51.100.0", 24 }, { "203.0.113.0", 24 },
						  { "224.0.0.0", 4 },     { "240.0.0.0", 4 },
						  { "168.63.129.16", 32 } };
	(void)state;
	expect_ranges(FORBIDDEN, ARRAY_SIZE(FORBIDDEN), ADDRESS_FORBIDDEN);
}

static void nobody_reaches_a_clouds_metadata_service(void **state)
{
	static const char *const METADATA[] = {
		"169.254.169.254", "169.254.170.2", "169.254.170.23", "100.100.100.200",
		"192.0.0.192", "fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(METADATA); i++) {
		struct address address = parsed(METADATA[i]);
		expect(&address, ADDRESS_FORBIDDEN);
	}
}

static void nobody_reaches_the_hosts_own_networks_over_ipv6(void **state)
{
	static const struct range PRIVATE[] = {
		{ "::1", 128 }, { "fc00::", 8 }, { "fd12::", 16 }, { "fdff::", 16 }
	};
	(void)state;
	expect_ranges(PRIVATE, ARRAY_SIZE(PRIVATE), ADDRESS_PRIVATE);
}

static void nobody_reaches_reserved_ipv6_addresses(void **state)
{
	static const struct range FORBIDDEN[] = {
		{ "::", 128 },    { "::2:0:0", 95 }, { "64:ff9b:1::", 48 }, { "100::", 64 },
		{ "2001::", 23 }, { "2001::", 32 },  { "2001:2::", 48 },    { "2001:db8::", 32 },
		{ "3fff::", 20 }, { "5f00::", 16 },  { "fe80::", 10 },      { "fec0::", 10 },
		{ "ff00::", 8 },  { "4000::", 2 },   { "8000::", 2 },       { "e000::", 4 }
	};
	(void)state;
	expect_ranges(FORBIDDEN, ARRAY_SIZE(FORBIDDEN), ADDRESS_FORBIDDEN);
}

static void an_ipv4_address_that_is_wrapped_in_ipv6_is_judged_by_what_it_is(void **state)
{
	static const struct {
		const char *text;
		enum address_kind kind;
	} WRAPPED[] = { { "::ffff:127.0.0.1", ADDRESS_PRIVATE },
			{ "::ffff:a9fe:a9fe", ADDRESS_FORBIDDEN },
			{ "::ffff:1.1.1.1", ADDRESS_PUBLIC },
			{ "::ffff:0:7f00:1", ADDRESS_FORBIDDEN },
			{ "::ffff:0:101:101", ADDRESS_PUBLIC },
			{ "64:ff9b::7f00:1", ADDRESS_FORBIDDEN },
			{ "64:ff9b::a9fe:a9fe", ADDRESS_FORBIDDEN },
			{ "64:ff9b::101:101", ADDRESS_PUBLIC },
			{ "2002:7f00:1::", ADDRESS_FORBIDDEN },
			{ "2002:a9fe:a9fe::1", ADDRESS_FORBIDDEN },
			{ "2002:101:101::1", ADDRESS_PUBLIC },
			{ "::7f00:1", ADDRESS_FORBIDDEN },
			{ "::101:101", ADDRESS_FORBIDDEN } };
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(WRAPPED); i++) {
		struct address address = parsed(WRAPPED[i].text);
		expect(&address, WRAPPED[i].kind);
	}
}

/* Not unmapped on the way in: a wrapped address that comes as bytes is judged the same. */
static void a_mapped_address_given_as_bytes_is_judged_by_what_it_is(void **state)
{
	struct address mapped = { .family = AF_INET6, .b = { [10] = 0xff, 0xff, 127, 0, 0, 1 } };
	(void)state;
	expect(&mapped, ADDRESS_FORBIDDEN);
	mapped.b[12] = 1;
	expect(&mapped, ADDRESS_PUBLIC);
	mapped.family = AF_UNIX;
	expect(&mapped, ADDRESS_FORBIDDEN);
}

static void the_public_hosts_next_to_a_range_can_be_reached(void **state)
{
	static const char *const PUBLIC[] = {
		"1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0",
		"126.255.255.255", "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255",
		"169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
		"192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255",
		"203.0.114.0", "223.255.255.255", "2000::", "2001:200::",
		"2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::", "2001:4860:4860::8888",
		"2003::", "2606:4700:4700::1111", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"3fff:1000::",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(PUBLIC); i++) {
		struct address address = parsed(PUBLIC[i]);
		expect(&address, ADDRESS_PUBLIC);
	}
}

static void an_address_has_one_spelling_only(void **state)
{
	static const char *const ODD[] = {
		"", "127.1", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1", "127.0.0.1.",
		"127.0.0.01", " 127.0.0.1", "127.0.0.1 ", "256.0.0.1", "1.2.3", "1.2.3.4.5",
		"[::1]", "::1%eth0", "fe80::1%25eth0", ":::1", "1::2::3", "12345::", "::ffff:127.1",
		"::ffff:0x7f.0.0.1",
	};
	struct address address;
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ODD); i++)
		if (address_parse(str_of(ODD[i]), &address))
			fail_msg("\"%s\" is read as an address", ODD[i]);
	assert_false(address_parse(STR("127.0.0.1\0.example.com"), &address));
	assert_false(address_parse(STR_NONE, &address));
}

static void an_address_survives_the_kernels_form(void **state)
{
	static const char *const TEXTS[] = {
		"192.0.2.7", "2001:db8::7",
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(TEXTS); i++) {
		struct address before = parsed(TEXTS[i]), after;
		struct sockaddr_storage kernel;
		char text[ADDRESS_TEXT_MAX];
		uint16_t port;
		socklen_t n = address_to_sockaddr(&before, 8443, &kernel);

		assert_true(
			address_of_sockaddr((const struct sockaddr *)&kernel, n, &after, &port));
		assert_true(address_eq(&before, &after));
		assert_int_equal(port, 8443);
		assert_string_equal(address_format(&after, text).p, TEXTS[i]);
		assert_false(
			address_of_sockaddr((const struct sockaddr *)&kernel, 4, &after, &port));
	}
}

static void this_machine_knows_its_own_addresses(void **state)
{
	struct address loopback = parsed("127.0.0.1"), elsewhere = parsed("1.1.1.1");
	(void)state;
	assert_true(address_is_ours(&loopback));
	assert_false(address_is_ours(&elsewhere));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_reaches_the_hosts_own_networks_over_ipv4),
		cmocka_unit_test(nobody_reaches_reserved_ipv4_addresses_even_when_listed),
		cmocka_unit_test(nobody_reaches_a_clouds_metadata_service),
		cmocka_unit_test(nobody_reaches_the_hosts_own_networks_over_ipv6),
		cmocka_unit_test(nobody_reaches_reserved_ipv6_addresses),
		cmocka_unit_test(an_ipv4_address_that_is_wrapped_in_ipv6_is_judged_by_what_it_is),
		cmocka_unit_test(a_mapped_address_given_as_bytes_is_judged_by_what_it_is),
		cmocka_unit_test(the_public_hosts_next_to_a_range_can_be_reached),
		cmocka_unit_test(an_address_has_one_spelling_only),
		cmocka_unit_test(an_address_survives_the_kernels_form),
		cmocka_unit_test(this_machine_knows_its_own_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
