#include "net/egress.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/resolve.h"
#include "net/url.h"

enum { RULES_MAX = 256, TIMEOUT_MS = 10000, CONNECT_TIMEOUT_MS = 5000 };

struct rule {
	bool literal;
	struct address address;
	struct str host; /* in the policy's copy of the list */
	uint16_t port;
};

struct egress_policy {
	char *allow_hosts, *ca_file;
	struct trust_joined trust; /* when there is a ca_file */
	uint64_t serial;
	size_t rules, ports, own;
	struct rule rule[RULES_MAX];
	uint16_t port[RULES_MAX];
	struct address own_address[RULES_MAX];
	int timeout_ms, connect_timeout_ms;
	egress_resolver resolver;
	void *resolver_arg;
};

/* --- what the operator says ------------------------------------------------- */

static enum err wrong(char *ret_why, const char *key, struct str entry, const char *what)
{
	snprintf(ret_why, EGRESS_WHY_MAX, "%s: \"%.*s\": %s", key,
		 (int)(entry.n < 100 ? entry.n : 100), entry.p, what);
	return ERR_CONFIG;
}

/* The next item of a list, trimmed; empty items are skipped; absent at the end. */
static struct str next_item(struct str *rest)
{
	while (!str_absent(*rest)) {
		struct str item = str_trim(str_cut(rest, ','));
		if (item.n > 0)
			return item;
	}
	return STR_NONE;
}

static enum err read_rules(struct egress_policy *policy, char *ret_why)
{
	static const char KEY[] = "allow_hosts";
	struct str rest = str_of(policy->allow_hosts), item;

	while (item = next_item(&rest), !str_absent(item)) {
		struct rule *rule = &policy->rule[policy->rules];
		struct url_place place;
		const char *why;

		if (policy->rules == RULES_MAX)
			return wrong(ret_why, KEY, item, "too many entries");
		if (!url_read_authority(item, &place, &why))
			return wrong(ret_why, KEY, item, why);
		*rule = (struct rule){ .literal = place.literal,
				       .host = place.host,
				       .port = place.port };
		if (place.literal && (!address_parse(place.host, &rule->address) ||
				      address_kind(&rule->address) == ADDRESS_FORBIDDEN))
			return wrong(ret_why, KEY, item, "this address is never called");
		policy->rules++;
	}
	return OK;
}

static enum err read_ports(struct egress_policy *policy, const char *list, char *ret_why)
{
	struct str rest = str_of(list), item;
	uint64_t port;

	while (item = next_item(&rest), !str_absent(item)) {
		if (policy->ports == RULES_MAX)
			return wrong(ret_why, "ports", item, "too many entries");
		if (!str_to_u64(item, &port) || port == 0 || port > UINT16_MAX)
			return wrong(ret_why, "ports", item, "isn't a number from 1 to 65535");
		policy->port[policy->ports++] = (uint16_t)port;
	}
	return OK;
}

static enum err read_own(struct egress_policy *policy, const char *list, char *ret_why)
{
	struct str rest = str_of(list), item;

	while (item = next_item(&rest), !str_absent(item)) {
		if (policy->own == RULES_MAX)
			return wrong(ret_why, "own_addresses", item, "too many entries");
		if (!address_parse(item, &policy->own_address[policy->own]))
			return wrong(ret_why, "own_addresses", item, "isn't an address");
		policy->own++;
	}
	return OK;
}

static enum err fill(struct egress_policy *policy, const struct egress_settings *settings,
		     char *ret_why)
{
	policy->timeout_ms = settings->timeout_ms > 0 ? settings->timeout_ms : TIMEOUT_MS;
	policy->connect_timeout_ms = settings->connect_timeout_ms > 0 ? settings->connect_timeout_ms
								      : CONNECT_TIMEOUT_MS;
	policy->resolver = settings->resolver ? settings->resolver : resolve_by_system;
	policy->resolver_arg = settings->resolver_arg;
	policy->allow_hosts = strdup(settings->allow_hosts ? settings->allow_hosts : "");
	if (!policy->allow_hosts)
		return ERR_NO_MEMORY;
	TRY(read_rules(policy, ret_why));
	TRY(read_ports(policy, settings->ports, ret_why));
	TRY(read_own(policy, settings->own_addresses, ret_why));
	if (!settings->ca_file || settings->ca_file[0] == '\0')
		return OK;
	policy->ca_file = strdup(settings->ca_file);
	if (!policy->ca_file)
		return ERR_NO_MEMORY;
	return trust_join(policy->ca_file, &policy->trust) == OK
		       ? OK
		       : wrong(ret_why, "ca_file", str_of(settings->ca_file), "can't be read");
}

enum err egress_policy_new(const struct egress_settings *settings, char ret_why[EGRESS_WHY_MAX],
			   struct egress_policy **ret_policy)
{
	static uint64_t serial;
	struct egress_policy *policy = calloc(1, sizeof(*policy));

	*ret_policy = NULL;
	ret_why[0] = '\0';
	if (!policy)
		return ERR_NO_MEMORY;
	policy->serial = ++serial;
	policy->trust.fd = -1;
	enum err e = fill(policy, settings, ret_why);
	if (e == OK)
		*ret_policy = policy;
	else
		egress_policy_free(policy);
	return e;
}

void egress_policy_free(struct egress_policy *policy)
{
	if (!policy)
		return;
	trust_close(&policy->trust);
	free(policy->allow_hosts);
	free(policy->ca_file);
	free(policy);
}

uint64_t egress_serial(const struct egress_policy *policy) { return policy->serial; }
int egress_timeout_ms(const struct egress_policy *policy) { return policy->timeout_ms; }
int egress_connect_timeout_ms(const struct egress_policy *policy)
{
	return policy->connect_timeout_ms;
}

/* --- the decision ----------------------------------------------------------- */

static enum err refuse(struct egress_target *target, const char *why)
{
	target->why = why;
	target->addresses.count = 0;
	return ERR_HOST_FORBIDDEN;
}

static bool is_listed(const struct egress_policy *policy, const struct url_place *place,
		      const struct address *literal)
{
	for (size_t i = 0; i < policy->rules; i++) {
		const struct rule *rule = &policy->rule[i];

		if (rule->port != place->port || rule->literal != place->literal)
			continue;
		if (place->literal ? address_eq(&rule->address, literal)
				   : str_eq_nocase(rule->host, place->host))
			return true;
	}
	return false;
}

static bool port_is_open(const struct egress_policy *policy, uint16_t port)
{
	for (size_t i = 0; i < policy->ports; i++)
		if (policy->port[i] == port)
			return true;
	return port == 443;
}

/*
 * Names that can't be a public host's (RFC 6761, RFC 6762, RFC 8375, and ICANN's reservation of .internal):
 * not even looked up.
 */
static bool is_inside_name(struct str host)
{
	static const char *const ENDS[] = { ".localhost", ".localdomain", ".local", ".internal",
					    ".home.arpa" };

	if (str_find(host, '.') == host.n)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ENDS); i++) {
		struct str end = str_of(ENDS[i]);
		if (host.n >= end.n && str_eq_nocase(str_slice(host, host.n - end.n, end.n), end))
			return true;
	}
	return false;
}

static bool is_own(const struct egress_policy *policy, const struct address *address)
{
	for (size_t i = 0; i < policy->own; i++)
		if (address_eq(&policy->own_address[i], address))
			return true;
	return address_is_ours(address);
}

static enum err check_address(const struct egress_policy *policy, struct egress_target *target,
			      const struct address *address)
{
	enum address_kind kind = address_kind(address);

	if (kind == ADDRESS_FORBIDDEN)
		return refuse(target, "the address is reserved");
	if (target->listed)
		return OK;
	if (kind == ADDRESS_PRIVATE)
		return refuse(target, "the address is private and not listed");
	return is_own(policy, address) ? refuse(target, "the address is this service's own") : OK;
}

/* All of them must pass: one bad address among good ones is an attempt, not an accident. */
static enum err check_addresses(const struct egress_policy *policy, struct egress_target *target)
{
	if (target->addresses.count == 0 || target->addresses.count > EGRESS_ADDRESSES_MAX)
		return refuse(target, "the name has no address");
	for (size_t i = 0; i < target->addresses.count; i++)
		TRY(check_address(policy, target, &target->addresses.v[i]));
	return OK;
}

static enum err look_up(const struct egress_policy *policy, struct egress_target *target)
{
	enum err e = policy->resolver(policy->resolver_arg, target->host, &target->addresses);

	if (e == ERR_TOO_BIG)
		return refuse(target, "the name has too many addresses");
	if (e != OK) {
		target->why = "the name can't be resolved";
		target->addresses.count = 0;
	}
	return e;
}

static void set_host(struct egress_target *target, struct str host)
{
	for (size_t i = 0; i < host.n; i++)
		target->host[i] =
			(char)(host.p[i] >= 'A' && host.p[i] <= 'Z' ? host.p[i] + ('a' - 'A')
								    : host.p[i]);
	target->host[host.n] = '\0';
}

static enum err decide(const struct egress_policy *policy, const struct url_place *place,
		       bool port_open, struct egress_target *target)
{
	struct address literal = { 0 };

	if (place->literal && !address_parse(place->host, &literal))
		return refuse(target, "the host isn't spelled plainly");
	target->tls = place->tls;
	target->port = place->port;
	target->listed = is_listed(policy, place, &literal);
	set_host(target, place->host);
	if (!target->tls && !target->listed)
		return refuse(target, "the scheme isn't https");
	if (!target->listed && !port_open)
		return refuse(target, "the port isn't open");
	if (!target->listed && !place->literal && is_inside_name(place->host))
		return refuse(target, "the name isn't a public host's");
	if (place->literal)
		target->addresses = (struct egress_addresses){ 1, { literal } };
	else
		TRY(look_up(policy, target));
	return check_addresses(policy, target);
}

enum err egress_allow_url(const struct egress_policy *policy, struct str url,
			  struct egress_target *ret_target)
{
	struct url_place place;
	const char *why;

	*ret_target = (struct egress_target){ 0 };
	return url_read(url, &place, &why)
		       ? decide(policy, &place, port_is_open(policy, place.port), ret_target)
		       : refuse(ret_target, why);
}

enum err egress_allow_host(const struct egress_policy *policy, struct str host, uint16_t port,
			   bool usual, struct egress_target *ret_target)
{
	struct url_place place = { .tls = true, .port = port };
	const char *why;

	*ret_target = (struct egress_target){ 0 };
	return url_read_host(host, &place, &why)
		       ? decide(policy, &place, usual || port_is_open(policy, port), ret_target)
		       : refuse(ret_target, why);
}

struct trust egress_trust(const struct egress_policy *policy, const struct egress_target *target)
{
	return target->listed && policy->ca_file ? trust_of(&policy->trust) : trust_system();
}

bool egress_allows_peer(const struct egress_target *target, const struct sockaddr *peer,
			socklen_t n)
{
	struct address address;
	uint16_t port;

	if (!address_of_sockaddr(peer, n, &address, &port) || port != target->port)
		return false;
	for (size_t i = 0; i < target->addresses.count; i++)
		if (address_eq(&target->addresses.v[i], &address))
			return true;
	return false;
}
