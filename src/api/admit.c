#include "api/admit.h"

#include <arpa/inet.h>
#include <string.h>

#include "api/answer.h"
#include "core/metrics.h"
#include "fcgi/request.h"
#include "identity/authenticate.h"

static enum err take_rate(struct ctx *cx, struct rate_table *rates, enum rate_class class, enum rate_subject kind,
			  struct str subject, struct reply *reply)
{
	int64_t limit = rate_limit_of(cx->config, class, kind);
	struct rate_verdict verdict;

	if (limit == 0 || cx->request->passed_on)
		return OK;
	verdict = rate_take(rates, class, kind, subject, limit, cx->now_ms);
	if (verdict.allowed)
		return OK;
	metrics_add(cx->metrics, METRIC_RATE_LIMITED, 1);
	TRY(answer_rate_limited(cx, &verdict, reply));
	return ERR_RATE_LIMITED;
}

/* Whoever has one IPv6 address has all of its /64 (RFC 6177): they are one subject, as an IPv4 address is. */
static struct str address_subject(struct str address, struct in6_addr *network)
{
	char text[INET6_ADDRSTRLEN];

	if (address.n >= sizeof text || str_find(address, ':') == address.n)
		return address;
	memcpy(text, address.p, address.n);
	text[address.n] = '\0';
	if (inet_pton(AF_INET6, text, network) != 1 || IN6_IS_ADDR_V4MAPPED(network))
		return address;
	return (struct str){ (const char *)network->s6_addr, 8 };
}

/* Limits that need to know who asks: of the session or API token, and of the tenant. */
static enum err take_known_rates(struct ctx *cx, struct rate_table *rates, enum rate_class class, struct reply *reply)
{
	const struct principal *who = &cx->who;
	const struct id *token = who->who == WHO_TOKEN	       ? &who->token
				 : id_is_nil(&who->session) ? &who->user
							    : &who->session;

	TRY(take_rate(cx, rates, class, RATE_TOKEN, ID_BYTES(token), reply));
	return take_rate(cx, rates, class, RATE_TENANT, ID_BYTES(&who->tenant), reply);
}

static enum err check_rights(const struct ctx *cx, const struct route *route)
{
	const struct principal *who = &cx->who;

	if (who->who == WHO_USER)
		return who->role >= route->role ? OK : ERR_DENIED;
	/* No scope at all means that no API token may: changing a password is a person's business. */
	return (who->scopes & route->scope) != 0 ? OK : ERR_SCOPE_MISSING;
}

static enum err authenticate(struct ctx *cx, const struct route *route)
{
	enum err e = identity_authenticate(cx, route->defers_session);

	if (e == OK && cx->who.who == WHO_NOBODY)
		e = route->auth == ROUTE_AUTH_USER ? ERR_NO_TOKEN : OK;
	if (e != OK && err_status(e) == 401)
		metrics_add(cx->metrics, METRIC_AUTH_REFUSED, 1);
	return e;
}

/* Providers send everybody's webhooks from the same addresses: what is counted is where one is sent to. */
static enum err take_hook_rate(struct ctx *cx, struct rate_table *rates, struct reply *reply)
{
	return take_rate(cx, rates, RATE_HOOK, RATE_TENANT, cx->request->path, reply);
}

enum err admit(struct ctx *cx, struct rate_table *rates, const struct route *route, struct reply *reply)
{
	enum rate_class class = rate_class_of(str_of(route->rate));
	struct in6_addr network;
	enum err e;

	TRY(take_rate(cx, rates, class, RATE_ADDRESS, address_subject(cx->address, &network), reply));
	if (class == RATE_HOOK)
		return take_hook_rate(cx, rates, reply);
	if (route->auth == ROUTE_AUTH_NONE)
		return OK;
	TRY(authenticate(cx, route));
	if (cx->who.who == WHO_NOBODY)
		return OK;
	TRY(take_known_rates(cx, rates, class, reply));
	e = check_rights(cx, route);
	/* Who may not learns it, and leaves a trace, only in a session that is live: else it is 401, as for anybody. */
	if (e != OK)
		TRY(identity_confirm_live(cx));
	TRY(e);
	return route->method == METHOD_GET ? OK : identity_check_csrf(cx);
}
