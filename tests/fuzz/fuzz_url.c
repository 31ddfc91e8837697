/*
 * A URL that the egress guard lets pass must mean the same to libcurl, which connects by it: the same host, the
 * same port, and no user. And without lists, every address that is let pass is a public one.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/egress.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { URL_MAX = 4096 };

static enum err any_name(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	(void)arg;
	(void)host;
	ret_addresses->count = 1;
	return address_parse(STR("1.1.1.1"), &ret_addresses->v[0]) ? OK : ERR_INTERNAL;
}

static bool same_host(const char *curls, const char *ours)
{
	struct str text = str_of(curls);
	struct address a, b;

	if (str_starts(text, STR("[")))
		text = str_slice(text, 1, text.n - 2);
	if (address_parse(text, &a))
		return address_parse(str_of(ours), &b) && address_eq(&a, &b);
	return str_eq_nocase(text, str_of(ours));
}

static void compare(const char *url, const struct egress_target *target)
{
	CURLU *parsed = curl_url();
	char *host = NULL, *port = NULL, *user = NULL;

	/* What curl refuses isn't sent. */
	if (parsed && curl_url_set(parsed, CURLUPART_URL, url, 0) == CURLUE_OK) {
		if (curl_url_get(parsed, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
		    !same_host(host, target->host))
			abort();
		if (curl_url_get(parsed, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK ||
		    strtoul(port, NULL, 10) != target->port)
			abort();
		if (curl_url_get(parsed, CURLUPART_USER, &user, 0) == CURLUE_OK)
			abort();
	}
	curl_free(host);
	curl_free(port);
	curl_free(user);
	curl_url_cleanup(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct egress_policy *policy;
	char url[URL_MAX], why[EGRESS_WHY_MAX];
	struct egress_target target;

	if (!policy &&
	    egress_policy_new(&(struct egress_settings){ .resolver = any_name, .ports = "80,8443" },
			      why, &policy) != OK)
		abort();
	if (size >= sizeof(url))
		return 0;
	memcpy(url, data, size);
	url[size] = '\0';
	if (egress_allow_url(policy, (struct str){ url, size }, &target) != OK)
		return 0;
	if (!target.tls || target.listed || target.addresses.count == 0)
		abort();
	for (size_t i = 0; i < target.addresses.count; i++)
		if (address_kind(&target.addresses.v[i]) != ADDRESS_PUBLIC)
			abort();
	compare(url, &target);
	return 0;
}
