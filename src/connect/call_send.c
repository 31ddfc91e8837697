/* Sending a call, within the caps of its tenant and of its provider. */
#include "base/clock.h"
#include "connect/call.h"
#include "core/calls.h"
#include "fcgi/request.h"
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

static enum err enter(struct ctx *cx, struct str host, int timeout_ms, int *ret_place)
{
	int64_t now_ms = clock_now_ms(); /* cx->now_ms is when the request began */
	enum err e;

	request_is_slow(cx->request);
	if (timeout_ms <= 0)
		timeout_ms = egress_timeout_ms(cx->egress);
	e = calls_enter(cx->calls, &cx->who.tenant, call_provider(host),
			cx->config->limits_calls_per_tenant, cx->config->limits_calls_per_provider,
			now_ms, now_ms + timeout_ms + PLACE_MARGIN_MS, ret_place);
	if (e == ERR_PROVIDER_BUSY)
		cx->problem.retry_after_s = BUSY_RETRY_S;
	return e;
}

enum err call_enter(struct ctx *cx, struct str host, int timeout_ms, int *ret_place)
{
	return enter(cx, host, timeout_ms, ret_place);
}

/* The headers' texts are the call's, their list is the caller's. */
static struct http_request request_of(const struct call *call,
				      struct http_header header[CALL_HEADERS_MAX])
{
	for (size_t i = 0; i < call->headers; i++)
		header[i] = (struct http_header){
			.name = call->headers_text.p + call->header[i].name_at,
			.value = { call->headers_text.p + call->header[i].value_at,
				   call->header[i].value_n },
		};
	return (struct http_request){
		.method = call->method,
		.url = buf_str(&call->url),
		.header = header,
		.headers = call->headers,
		.body = call->has_body ? buf_str(&call->body) : STR_NONE,
		.wanted = call->wanted,
		.wanteds = call->wanteds,
		.timeout_ms = call->timeout_ms,
	};
}

enum err call_fetch(struct ctx *cx, const struct http_request *request, struct buf *body,
		    struct http_answer *ret_answer)
{
	enum err e;
	int place;

	*ret_answer = (struct http_answer){ .failure = HTTP_OURS, .retry_after_s = -1 };
	if (!cx->egress)
		return ERR_INTERNAL;
	TRY(enter(cx, host_of(request->url), request->timeout_ms, &place));
	e = http_fetch(request, cx->egress, body, ret_answer);
	calls_leave(cx->calls, place);
	return e;
}

enum err call_send(struct ctx *cx, const struct call *call, struct buf *body,
		   struct http_answer *ret_answer)
{
	struct http_header header[CALL_HEADERS_MAX];
	struct http_request request = request_of(call, header);

	request.compressed = true;
	return call_fetch(cx, &request, body, ret_answer);
}

/* Not compressed: what comes piece by piece should leave the other side piece by piece. */
enum err call_stream(struct ctx *cx, const struct call *call, const struct http_sink *sink,
		     struct http_answer *ret_answer)
{
	struct http_header header[CALL_HEADERS_MAX];
	struct http_request request = request_of(call, header);
	enum err e;
	int place;

	*ret_answer = (struct http_answer){ .failure = HTTP_OURS, .retry_after_s = -1 };
	if (!cx->egress)
		return ERR_INTERNAL;
	TRY(enter(cx, host_of(request.url), request.timeout_ms, &place));
	e = http_stream(&request, cx->egress, sink, ret_answer);
	calls_leave(cx->calls, place);
	return e;
}
