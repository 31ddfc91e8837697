/* What may be called: spellings of URLs, ports, schemes, and names that change their mind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "net/egress.h"

/* A zone of our own: what each name stands for, one after another when it has several answers. */
struct zone {
	const char *answer[2][3]; /* of the first and of the second look-up */
	unsigned lookups;
	char asked[EGRESS_HOST_MAX + 1];
	enum err fails;
};

static enum err zone_lookup(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	struct zone *zone = arg;
	const char *const *answer = zone->answer[zone->lookups++ > 0 && zone->answer[1][0] ? 1 : 0];

	strcpy(zone->asked, host);
	ret_addresses->count = 0;
	if (zone->fails)
		return zone->fails;
	for (size_t i = 0; i < 3 && answer[i]; i++)
		assert_true(address_parse(str_of(answer[i]),
					  &ret_addresses->v[ret_addresses->count++]));
	return OK;
}

static struct egress_policy *policy_of(struct zone *zone, const char *allow_hosts,
				       const char *ports)
{
	char why[EGRESS_WHY_MAX];
	struct egress_policy *policy;
	const struct egress_settings settings = { .allow_hosts = allow_hosts,
						  .ports = ports,
						  .resolver = zone_lookup,
						  .resolver_arg = zone };

	if (egress_policy_new(&settings, why, &policy) != OK)
		fail_msg("%s", why);
	return policy;
}

static void expect_refused(const struct egress_policy *policy, const char *url)
{
	struct egress_target target;

	if (egress_allow_url(policy, str_of(url), &target) != ERR_HOST_FORBIDDEN)
		fail_msg("%s is not refused", url);
	assert_int_equal(target.addresses.count, 0);
	assert_non_null(target.why);
}

static struct egress_target expect_allowed(const struct egress_policy *policy, const char *url)
{
	struct egress_target target;

	if (egress_allow_url(policy, str_of(url), &target) != OK)
		fail_msg("%s is refused: %s", url, target.why);
	assert_true(target.addresses.count > 0);
	return target;
}

/* Inside addresses in all their spellings. Both schemes, so that it isn't the scheme that refuses. */
static void no_spelling_of_an_inside_host_is_called(void **state)
{
	static const char *const PLACES[] = {
		"127.1/",
		"2130706433/",
		"0x7f000001/",
		"0x7f.1/",
		"0177.0.0.1/",
		"127.0.0.1./",
		"127.0.0.1/",
		"[::1]/",
		"[::ffff:127.0.0.1]/",
		"[::ffff:a9fe:a9fe]/",
		"[64:ff9b::7f00:1]/",
		"[64:ff9b::a9fe:a9fe]/",
		"[2002:7f00:1::]/",
		"[2002:a9fe:a9fe::1]/",
		"[fe80::1%25eth0]/",
		"[fe80::1%eth0]/",
		"localhost/",
		"LOCALHOST./",
		"%6cocalhost/",
		"127%2e0%2e0%2e1/",
		"\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
		"127\xe3\x80\x82"
		"0\xe3\x80\x82"
		"0\xe3\x80\x82"
		"1/",
		"user@127.0.0.1/",
		"127.0.0.1\\@example.com/",
		"example.com@127.0.0.1/",
		"example.com:pw@127.0.0.1/",
		"169.254.169.254/",
		"169.254.170.2/",
		"169.254.170.23/",
		"100.100.100.200/",
		"192.0.0.192/",
		"[fd00:ec2::254]/",
		"[fd00:ec2::23]/",
		"[fd20:ce::254]/",
		"metadata.google.internal/",
		"METADATA.google.INTERNAL/",
		"metadata/",
		"printer.local/",
		"db.localdomain/",
		"a.localhost/",
		"10.0.0.1/",
		"10.0.0.1:443/",
		"0/",
		"0.0.0.0/",
		"[::]/",
		"::1/",
		"[::1/",
		"::1]/",
		"[127.0.0.1]/",
		"[example.com]/",
		"[::1]x/",
		"[::1]:x/",
		"1.1.1.1.example.123/",
		"example.0x7f/",
		"example..com/",
		".example.com/",
		"example.com./",
		"-/",
		"/",
		"",
		"?x",
		"#x",
		":443/",
		"exa mple.com/",
		"example.com:/",
		"example.com:0/",
		"example.com:65536/",
		"example.com:443:443/",
		"example.com:+443/",
		"example.com:443\\/",
		"exa\tmple.com/",
		"example.com\r\nX: y/",
		"example.com\x7f/",
		"exämple.com/",
		"a/b\nX-Injected: 1",
	};
	struct zone zone = { .answer = { { "1.1.1.1" } } };
	struct egress_policy *policy = policy_of(&zone, "", "");
	char url[300];
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(PLACES); i++) {
		snprintf(url, sizeof(url), "https://%s", PLACES[i]);
		expect_refused(policy, url);
		snprintf(url, sizeof(url), "http://%s", PLACES[i]);
		expect_refused(policy, url);
	}
	/* Not even a question to a name server left the machine. */
	assert_int_equal(zone.lookups, 0);
	egress_policy_free(policy);
}

static void only_https_is_spoken(void **state)
{
	static const char *const URLS[] = {
		"http://example.com/",     "http://1.1.1.1/",
		"http://example.com:443/", "file:///etc/passwd",
		"gopher://example.com/",   "dict://example.com/",
		"ftp://example.com/",      "ldap://example.com/",
		"scp://example.com/",      "unix:/run/mysqld/mysqld.sock",
		"//example.com/",          "example.com",
		"https:example.com",       "https:/example.com",
		"https:\\\\example.com",   " https://example.com/",
		"https ://example.com/",   "",
		"javascript:alert(1)",
	};
	struct zone zone = { .answer = { { "1.1.1.1" } } };
	struct egress_policy *policy = policy_of(&zone, "", "");
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(URLS); i++)
		expect_refused(policy, URLS[i]);
	assert_int_equal(zone.lookups, 0);
	egress_policy_free(policy);
}

static void a_port_is_closed_until_the_operator_opens_it(void **state)
{
	struct zone zone = { .answer = { { "1.1.1.1" } } };
	struct egress_policy *policy = policy_of(&zone, "", ""),
			     *open = policy_of(&zone, "", " 8443 , 9443,");
	(void)state;

	expect_refused(policy, "https://example.com:22/");
	expect_refused(policy, "https://example.com:3306/");
	expect_refused(policy, "https://example.com:80/");
	expect_refused(policy, "https://1.1.1.1:8443/");
	expect_allowed(policy, "https://example.com:443/");
	assert_int_equal(expect_allowed(open, "https://example.com:9443/").port, 9443);
	expect_allowed(open, "https://1.1.1.1:8443/");
	expect_refused(open, "https://10.0.0.1:8443/");
	expect_refused(open, "http://example.com:8443/");
	expect_refused(open, "https://example.com:22/");
	egress_policy_free(open);
	egress_policy_free(policy);
}

static void public_hosts_can_be_called(void **state)
{
	struct zone zone = { .answer = { { "3.18.12.63", "2606:4700:4700::1111" } } };
	struct egress_policy *policy = policy_of(&zone, NULL, NULL);
	struct egress_target target;
	(void)state;

	expect_allowed(policy, "https://1.1.1.1/");
	expect_allowed(policy, "https://[2606:4700:4700::1111]/");
	expect_allowed(policy, "https://example.com?q=a@b");
	expect_allowed(policy, "https://example.com/%0d%0aX-Injected:1");
	target = expect_allowed(policy, "HTTPS://API.Stripe.com/v1/charges?a=b#c");
	assert_string_equal(target.host, "api.stripe.com");
	assert_string_equal(zone.asked, "api.stripe.com");
	assert_int_equal(target.addresses.count, 2);
	assert_int_equal(target.port, 443);
	assert_true(target.tls);
	assert_false(target.listed);
	egress_policy_free(policy);
}

static void a_public_name_that_leads_inside_is_refused(void **state)
{
	static const char *const ANSWERS[][3] = { { "127.0.0.1" },
						  { "10.0.0.1" },
						  { "169.254.169.254" },
						  { "::1" },
						  { "::ffff:169.254.169.254" },
						  { "1.1.1.1", "10.0.0.1" },
						  { "10.0.0.1", "1.1.1.1" },
						  { "2606:4700:4700::1111", "1.1.1.1", "fe80::1" },
						  { "64:ff9b::a00:1" } };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(ANSWERS); i++) {
		struct zone zone = { .answer = {
					     { ANSWERS[i][0], ANSWERS[i][1], ANSWERS[i][2] } } };
		struct egress_policy *policy = policy_of(&zone, "", "");

		expect_refused(policy, "https://rebind.example.com/");
		egress_policy_free(policy);
	}
}

static bool peer_ok(const struct egress_target *target, const char *text, uint16_t port)
{
	struct address address;
	struct sockaddr_storage peer;

	assert_true(address_parse(str_of(text), &address));
	return egress_allows_peer(target, (const struct sockaddr *)&peer,
				  address_to_sockaddr(&address, port, &peer));
}

static void a_name_that_flips_after_the_check_gains_nothing(void **state)
{
	struct zone zone = { .answer = { { "1.1.1.1" }, { "127.0.0.1" } } };
	struct egress_policy *policy = policy_of(&zone, "", "");
	struct egress_target target = expect_allowed(policy, "https://flip.example.com/");
	const struct sockaddr unix_socket = { .sa_family = AF_UNIX };
	(void)state;

	assert_int_equal(zone.lookups, 1);
	assert_true(peer_ok(&target, "1.1.1.1", 443));
	assert_true(peer_ok(&target, "::ffff:1.1.1.1", 443));
	assert_false(peer_ok(&target, "127.0.0.1", 443));
	assert_false(peer_ok(&target, "1.1.1.1", 22));
	assert_false(peer_ok(&target, "1.0.0.1", 443));
	assert_false(egress_allows_peer(&target, &unix_socket, sizeof(unix_socket)));
	/* The second request looks again and meets the new answer. */
	expect_refused(policy, "https://flip.example.com/");
	egress_policy_free(policy);
}

static void a_private_host_is_called_only_when_it_is_listed_with_its_port(void **state)
{
	struct zone zone = { .answer = { { "10.1.2.3", "fd12::1" } } };
	struct egress_policy *policy = policy_of(
		&zone, "idp.corp.internal:8443, 127.0.0.1:9000,[::1]:9000 ,localhost:9001", "");
	(void)state;

	assert_true(expect_allowed(policy, "https://idp.corp.internal:8443/keys").listed);
	expect_allowed(policy, "https://IDP.corp.internal:8443/keys");
	expect_allowed(policy, "http://idp.corp.internal:8443/");
	expect_allowed(policy, "http://127.0.0.1:9000/");
	expect_allowed(policy, "https://[::1]:9000/");
	expect_allowed(policy, "https://[0:0:0:0:0:0:0:1]:9000/");
	expect_allowed(policy, "https://[::ffff:127.0.0.1]:9000/");
	expect_allowed(policy, "http://localhost:9001/");
	expect_refused(policy, "https://idp.corp.internal/");
	expect_refused(policy, "https://idp.corp.internal:8444/");
	expect_refused(policy, "https://x.idp.corp.internal:8443/");
	expect_refused(policy, "http://127.0.0.1:9001/");
	expect_refused(policy, "http://127.0.0.2:9000/");
	expect_refused(policy, "https://127.1:9000/");
	expect_refused(policy, "https://localhost:9000/");
	egress_policy_free(policy);
}

static void a_listed_name_never_leads_to_the_metadata_service(void **state)
{
	struct zone zone = { .answer = { { "169.254.169.254" } } };
	struct egress_policy *policy = policy_of(&zone, "idp.corp.internal:443", "");
	(void)state;

	expect_refused(policy, "https://idp.corp.internal/");
	egress_policy_free(policy);
}

static void the_service_does_not_call_itself_by_its_public_address(void **state)
{
	struct zone zone = { .answer = { { "198.41.0.4" } } };
	char why[EGRESS_WHY_MAX];
	struct egress_policy *policy;
	(void)state;

	assert_int_equal(egress_policy_new(
				 &(struct egress_settings){
					 .allow_hosts = "me.example.com:8443",
					 .own_addresses = "198.41.0.4, 2001:500::53",
					 .resolver = zone_lookup,
					 .resolver_arg = &zone,
				 },
				 why, &policy),
			 OK);
	expect_refused(policy, "https://example.com/");
	expect_refused(policy, "https://198.41.0.4/");
	expect_refused(policy, "https://[2001:500::53]/");
	expect_allowed(policy, "https://198.41.0.5/");
	expect_allowed(policy, "https://me.example.com:8443/");
	egress_policy_free(policy);
}

static void other_protocols_ask_the_same_guard(void **state)
{
	static const char *const HOSTS[] = {
		"/run/mysqld/mysqld.sock",
		"@abstract",
		"localhost",
		"public.example,127.0.0.1",
		"x host=127.0.0.1",
		"127.0.0.1",
		"",
		"127.1",
		"[1.1.1.1]",
		"1.1.1.1:443",
	};
	struct zone zone = { .answer = { { "1.1.1.1" } } };
	struct egress_policy *policy = policy_of(&zone, "db.corp.internal:3306", "465");
	struct egress_target target;
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(HOSTS); i++)
		assert_int_equal(egress_allow_host(policy, str_of(HOSTS[i]), 465, false, &target),
				 ERR_HOST_FORBIDDEN);
	assert_int_equal(egress_allow_host(policy, STR("127.0.0.1"), 25, true, &target),
			 ERR_HOST_FORBIDDEN);
	assert_int_equal(egress_allow_host(policy, STR("mail.example.com"), 25, false, &target),
			 ERR_HOST_FORBIDDEN);
	assert_int_equal(egress_allow_host(policy, STR("mail.example.com"), 465, true, &target),
			 OK);
	assert_int_equal(egress_allow_host(policy, STR("db.corp.internal"), 3306, false, &target),
			 OK);
	egress_policy_free(policy);
}

static void a_name_without_an_answer_is_the_other_sides_fault(void **state)
{
	struct zone zone = { .fails = ERR_UPSTREAM };
	struct egress_policy *policy = policy_of(&zone, "", "");
	struct egress_target target;
	(void)state;

	assert_int_equal(egress_allow_url(policy, STR("https://nowhere.example.com/"), &target),
			 ERR_UPSTREAM);
	zone.fails = ERR_TOO_BIG;
	expect_refused(policy, "https://many.example.com/");
	zone.fails = OK;
	expect_refused(policy, "https://none.example.com/");
	egress_policy_free(policy);
}

static void a_wrong_setting_is_named(void **state)
{
	static const struct {
		struct egress_settings settings;
		const char *named;
	} WRONG[] = { { { .allow_hosts = "idp.example.com" }, "idp.example.com" },
		      { { .allow_hosts = "a.example.com:443, http://b.example.com:80" },
			"http://b.example.com:80" },
		      { { .allow_hosts = "127.1:443" }, "127.1:443" },
		      { { .allow_hosts = "169.254.169.254:80" }, "169.254.169.254:80" },
		      { { .allow_hosts = "::1:443" }, "::1:443" },
		      { { .allow_hosts = "*.example.com:443" }, "*.example.com:443" },
		      { { .ports = "443,70000" }, "70000" },
		      { { .own_addresses = "example.com" }, "example.com" },
		      { { .ca_file = "/nonexistent/ca.pem" }, "/nonexistent/ca.pem" } };
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(WRONG); i++) {
		char why[EGRESS_WHY_MAX];
		struct egress_policy *policy;

		assert_int_equal(egress_policy_new(&WRONG[i].settings, why, &policy), ERR_CONFIG);
		assert_null(policy);
		if (!strstr(why, WRONG[i].named))
			fail_msg("\"%s\" doesn't name %s", why, WRONG[i].named);
	}
}

/* The system's resolver, without the network: /etc/hosts knows localhost everywhere. */
static void the_systems_resolver_finds_a_listed_host(void **state)
{
	char why[EGRESS_WHY_MAX];
	struct egress_policy *policy;
	(void)state;

	assert_int_equal(
		egress_policy_new(&(struct egress_settings){ .allow_hosts = "localhost:9000" }, why,
				  &policy),
		OK);
	assert_true(expect_allowed(policy, "https://localhost:9000/").addresses.count > 0);
	egress_policy_free(policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_spelling_of_an_inside_host_is_called),
		cmocka_unit_test(only_https_is_spoken),
		cmocka_unit_test(a_port_is_closed_until_the_operator_opens_it),
		cmocka_unit_test(public_hosts_can_be_called),
		cmocka_unit_test(a_public_name_that_leads_inside_is_refused),
		cmocka_unit_test(a_name_that_flips_after_the_check_gains_nothing),
		cmocka_unit_test(a_private_host_is_called_only_when_it_is_listed_with_its_port),
		cmocka_unit_test(a_listed_name_never_leads_to_the_metadata_service),
		cmocka_unit_test(the_service_does_not_call_itself_by_its_public_address),
		cmocka_unit_test(other_protocols_ask_the_same_guard),
		cmocka_unit_test(a_name_without_an_answer_is_the_other_sides_fault),
		cmocka_unit_test(a_wrong_setting_is_named),
		cmocka_unit_test(the_systems_resolver_finds_a_listed_host),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
