/* Sending a call, within the caps of its tenant and of its provider. */
#include "base/clock.h"
#include "connect/call.h"
#include "core/calls.h"
#include "net/egress.h"

/* How long a place is kept beyond the request's own time, before it is taken for forgotten. */
enum { PLACE_MARGIN_MS = 5000 };

/* What a client is told to wait when a cap is reached. */
enum { BUSY_RETRY_S = 2 };

enum { DOMAIN_LABELS = 2 };

struct str call_provider(struct str host)
{
	size_t dots = 0;

	if (host.n > 0 && (str_find(host, ':') < host.n ||
			   (host.p[host.n - 1] >= '0' && host.p[host.n - 1] <= '9')))
		return host;
	for (size_t i = host.n; i > 0; i--)
		if (host.p[i - 1] == '.' && ++dots == DOMAIN_LABELS)
			return str_slice(host, i, host.n);
	return host;
}

/* The host of a URL that the guard hasn't read yet: good enough to count by. */
static struct str host_of(struct str url)
{
	struct str rest = url, host;

	(void)str_cut(&rest, '/');
	(void)str_cut(&rest, '/');
	host = str_cut(&rest, '/');
	return str_starts(host, STR("[")) ? host : str_cut(&host, ':');
}

enum err call_enter(struct ctx *cx, struct str host, int *ret_place)
{
	int64_t now_ms = clock_now_ms(); /* cx->now_ms is when the request began */
	enum err e;

	e = calls_enter(cx->calls, &cx->who.tenant, call_provider(host),
			cx->config->limits_calls_per_tenant, cx->config->limits_calls_per_provider,
			now_ms, now_ms + egress_timeout_ms(cx->egress) + PLACE_MARGIN_MS,
			ret_place);
	if (e == ERR_PROVIDER_BUSY)
		cx->problem.retry_after_s = BUSY_RETRY_S;
	return e;
}

static enum err fetch(struct ctx *cx, const struct call *call, struct buf *body,
		      struct http_answer *ret_answer)
{
	struct http_header header[CALL_HEADERS_MAX];

	for (size_t i = 0; i < call->headers; i++)
		header[i] = (struct http_header){
			.name = call->headers_text.p + call->header[i].name_at,
			.value = { call->headers_text.p + call->header[i].value_at,
				   call->header[i].value_n },
		};
	return http_fetch(
		&(struct http_request){
			.method = call->method,
			.url = buf_str(&call->url),
			.header = header,
			.headers = call->headers,
			.body = call->has_body ? buf_str(&call->body) : STR_NONE,
			.wanted = call->wanted,
			.wanteds = call->wanteds,
			.compressed = true,
		},
		cx->egress, body, ret_answer);
}

enum err call_send(struct ctx *cx, const struct call *call, struct buf *body,
		   struct http_answer *ret_answer)
{
	enum err e;
	int place;

	*ret_answer = (struct http_answer){ .failure = HTTP_OURS, .retry_after_s = -1 };
	if (!cx->egress)
		return ERR_INTERNAL;
	TRY(call_enter(cx, host_of(buf_str(&call->url)), &place));
	e = fetch(cx, call, body, ret_answer);
	calls_leave(cx->calls, place);
	return e;
}
