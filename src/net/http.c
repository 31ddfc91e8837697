#include "net/http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "net/transfer.h"

enum {
	HEADERS_MAX_BYTES = 64 << 10,
	HEADER_LINE_MAX = 16 << 10,
	URL_MAX = 8 << 10,
	HEADER_NAME_MAX = 64
};

/* One request under way. */
struct fetch {
	struct transfer transfer;
	const struct http_request *request;
	struct curl_slist *headers;
	const struct http_sink *sink;
	size_t header_bytes, body_bytes;
	enum err refused; /* why we ended it ourselves */
	int64_t moved_us; /* when something was sent or came, and how much it had been by then */
	curl_off_t moved;
	struct http_answer *answer;
};

static enum err read_answer(struct fetch *fetch);

/* --- what curl asks us ------------------------------------------------------ */

/* Anything but the size that was offered ends the transfer. */
static size_t refuse(struct fetch *fetch, enum err e, enum http_failure failure, const char *why)
{
	fetch->refused = e;
	transfer_blame(&fetch->transfer, failure, why);
	return 0;
}

static size_t take_body(const char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;
	const struct http_sink *sink = fetch->sink;
	enum err e = OK;

	if (size * n == 0)
		return 0;
	if (fetch->body_bytes == 0)
		e = read_answer(fetch);
	if (e == OK && size * n > sink->max - fetch->body_bytes)
		e = ERR_TOO_BIG;
	fetch->body_bytes += size * n;
	if (e == OK)
		e = sink->take(sink->arg, fetch->answer, (struct str){ bytes, size * n });
	if (e == OK)
		return size * n;
	if (e == ERR_TOO_BIG)
		return refuse(fetch, ERR_UPSTREAM, HTTP_TOO_LARGE, "the answer is too large");
	if (e == ERR_NO_MEMORY)
		return refuse(fetch, e, HTTP_OURS, "out of memory");
	return refuse(fetch, e, HTTP_OURS, "the rest of the answer isn't wanted");
}

/* curl asks about once a second, and whenever something moves. */
static int watch(void *arg, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
		 curl_off_t up)
{
	struct fetch *fetch = arg;
	int64_t now_us = clock_monotonic_us();

	(void)down_total;
	(void)up_total;
	if (down + up != fetch->moved || fetch->moved_us == 0) {
		fetch->moved = down + up;
		fetch->moved_us = now_us;
	} else if (now_us - fetch->moved_us > (int64_t)fetch->sink->idle_ms * 1000) {
		(void)refuse(fetch, ERR_UPSTREAM_TIMEOUT, HTTP_TIMEOUT,
			     "nothing came for too long");
		return 1;
	}
	return 0;
}

/* curl has no cap of its own on all the headers together, interim answers included. */
static size_t take_header(const char *line, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;

	(void)line;
	fetch->header_bytes += size * n;
	if (fetch->header_bytes <= HEADERS_MAX_BYTES)
		return size * n;
	transfer_blame(&fetch->transfer, HTTP_TOO_LARGE, "the answer's headers are too large");
	return 0;
}

static bool set_callbacks(struct fetch *fetch)
{
	CURL *curl = fetch->transfer.curl;

	if (fetch->sink->idle_ms > 0 &&
	    (!transfer_set_number(&fetch->transfer, CURLOPT_NOPROGRESS, 0) ||
	     curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, watch) != CURLE_OK ||
	     curl_easy_setopt(curl, CURLOPT_XFERINFODATA, fetch) != CURLE_OK))
		return false;
	return curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch) == CURLE_OK;
}

/* --- the request ------------------------------------------------------------ */

static bool method_ok(const char *method)
{
	static const char *const METHODS[] = { "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE" };

	for (size_t i = 0; i < ARRAY_SIZE(METHODS); i++)
		if (strcmp(method, METHODS[i]) == 0)
			return true;
	return false;
}

static bool set_method(struct transfer *t, const struct http_request *request)
{
	bool has_body = !str_absent(request->body);

	if (strcmp(request->method, "HEAD") == 0)
		return !has_body && transfer_set_number(t, CURLOPT_NOBODY, 1);
	/* POST, PUT and PATCH say "Content-Length: 0" when they have nothing to say. */
	if ((has_body || request->method[0] == 'P') &&
	    (curl_easy_setopt(t->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n) !=
		     CURLE_OK ||
	     curl_easy_setopt(t->curl, CURLOPT_POSTFIELDS, has_body ? request->body.p : "") !=
		     CURLE_OK))
		return false;
	return transfer_set_text(t, CURLOPT_CUSTOMREQUEST, request->method);
}

/* What frames the message or names the host is curl's to write; a second one could smuggle a request. */
static bool header_ok(const struct http_header *header)
{
	static const char *const OURS[] = { "Host",       "Content-Length", "Transfer-Encoding",
					    "Connection", "Upgrade",        "TE",
					    "Trailer",    "Expect",         "Accept-Encoding" };

	for (size_t i = 0; i < ARRAY_SIZE(OURS); i++)
		if (str_eq_nocase(str_of(header->name), str_of(OURS[i])))
			return false;
	for (size_t i = 0; i < header->value.n; i++) {
		unsigned char c = (unsigned char)header->value.p[i];
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return false;
	}
	return str_is_token(str_of(header->name));
}

static enum err add_header(struct fetch *fetch, const char *line)
{
	struct curl_slist *longer = curl_slist_append(fetch->headers, line);

	if (!longer)
		return ERR_NO_MEMORY;
	fetch->headers = longer;
	return OK;
}

static enum err add_headers(struct fetch *fetch, const struct http_request *request)
{
	/* No wait for "100 Continue", and no form type for a body whose type wasn't given. */
	TRY(add_header(fetch, "Expect:"));
	TRY(add_header(fetch, "Content-Type:"));
	for (size_t i = 0; i < request->headers; i++) {
		const struct http_header *header = &request->header[i];
		BUF_AUTO struct buf line = { 0 };

		if (!header_ok(header))
			return ERR_BAD_INPUT;
		buf_init(&line, HEADER_LINE_MAX);
		/* curl's spelling of an empty value is a semicolon. */
		buf_printf(&line, "%s%s%.*s", header->name, header->value.n > 0 ? ": " : ";",
			   STR_ARG(header->value));
		buf_add_char(&line, '\0');
		if (buf_error(&line) != OK)
			return buf_error(&line) == ERR_TOO_BIG ? ERR_BAD_INPUT : ERR_NO_MEMORY;
		TRY(add_header(fetch, line.p));
	}
	return curl_easy_setopt(fetch->transfer.curl, CURLOPT_HTTPHEADER, fetch->headers) ==
			       CURLE_OK
		       ? OK
		       : ERR_INTERNAL;
}

static enum err set_url(struct transfer *t, struct str url)
{
	char text[URL_MAX];

	if (url.n >= sizeof(text))
		return ERR_BAD_INPUT;
	memcpy(text, url.p, url.n);
	text[url.n] = '\0';
	/* The path as it is: what the caller signed or allowed is what is sent. */
	return transfer_set_number(t, CURLOPT_PATH_AS_IS, 1) &&
			       transfer_set_text(t, CURLOPT_URL, text)
		       ? OK
		       : ERR_INTERNAL;
}

static enum err set_request(struct fetch *fetch, const struct http_request *request)
{
	struct transfer *t = &fetch->transfer;

	TRY(set_url(t, request->url));
	TRY(add_headers(fetch, request));
	if (!set_method(t, request) ||
	    !transfer_set_number(t, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) ||
	    !transfer_set_text(t, CURLOPT_USERAGENT, "Latchwork/" LATCHWORK_VERSION) ||
	    (request->compressed && !transfer_set_text(t, CURLOPT_ACCEPT_ENCODING, "gzip")))
		return ERR_INTERNAL;
	return OK;
}

/* --- the answer ------------------------------------------------------------- */

/* Seconds, or a date (RFC 9110, section 10.2.3), of which only what lies ahead counts. */
static int64_t read_retry_after(const char *value)
{
	uint64_t seconds;
	int64_t ahead;

	if (str_to_u64(str_trim(str_of(value)), &seconds))
		return seconds <= INT32_MAX ? (int64_t)seconds : INT32_MAX;
	ahead = (int64_t)curl_getdate(value, NULL);
	if (ahead < 0)
		return -1;
	ahead -= clock_now_ms() / 1000;
	return ahead < 0 ? 0 : ahead;
}

static const char *answer_header(struct fetch *fetch, const char *name)
{
	struct curl_header *header = NULL;

	return curl_easy_header(fetch->transfer.curl, name, 0, CURLH_HEADER, -1, &header) ==
			       CURLHE_OK
		       ? header->value
		       : NULL;
}

static void copy_wanted(struct fetch *fetch, struct str name, char ret_value[HTTP_WANTED_VALUE_MAX])
{
	char c_name[HEADER_NAME_MAX];
	const char *value;

	if (name.n == 0 || name.n >= sizeof c_name)
		return;
	memcpy(c_name, name.p, name.n);
	c_name[name.n] = '\0';
	value = answer_header(fetch, c_name);
	if (value && strlen(value) < HTTP_WANTED_VALUE_MAX)
		snprintf(ret_value, HTTP_WANTED_VALUE_MAX, "%s", value);
}

static enum err read_answer(struct fetch *fetch)
{
	const struct http_request *request = fetch->request;
	struct http_answer *answer = fetch->answer;
	const char *type = NULL, *retry = answer_header(fetch, "Retry-After");
	long status = 0;

	if (curl_easy_getinfo(fetch->transfer.curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
	    status < 200)
		return transfer_failed(&fetch->transfer, CURLE_WEIRD_SERVER_REPLY);
	answer->status = (int)status;
	if (curl_easy_getinfo(fetch->transfer.curl, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK &&
	    type && strlen(type) < sizeof(answer->content_type))
		snprintf(answer->content_type, sizeof(answer->content_type), "%s", type);
	if (retry)
		answer->retry_after_s = read_retry_after(retry);
	for (size_t i = 0; i < request->wanteds && i < HTTP_WANTED_MAX; i++)
		copy_wanted(fetch, request->wanted[i], answer->wanted[i]);
	return OK;
}

/* Before that time nothing of the request was written: the connection, TLS included, wasn't there yet. */
static bool was_sent(const struct fetch *fetch)
{
	curl_off_t us = 0;

	return fetch->transfer.curl &&
	       curl_easy_getinfo(fetch->transfer.curl, CURLINFO_PRETRANSFER_TIME_T, &us) ==
		       CURLE_OK &&
	       us > 0;
}

static enum err look_up(struct transfer *transfer, struct str url,
			const struct egress_policy *policy)
{
	enum err e = egress_allow_url(policy, url, &transfer->target);

	if (e != OK)
		transfer_blame(transfer,
			       e == ERR_HOST_FORBIDDEN     ? HTTP_FORBIDDEN
			       : e == ERR_UPSTREAM_TIMEOUT ? HTTP_TIMEOUT
			       : e == ERR_UPSTREAM         ? HTTP_UNREACHABLE
							   : HTTP_OURS,
			       transfer->target.why);
	return e;
}

static enum err perform(struct fetch *fetch, const struct egress_policy *policy)
{
	const struct http_request *request = fetch->request;
	int64_t begun_us = clock_monotonic_us();
	int timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : egress_timeout_ms(policy);
	struct transfer *t = &fetch->transfer;

	TRY(look_up(t, request->url, policy));
	int64_t left_ms = timeout_ms - (clock_monotonic_us() - begun_us) / 1000;
	if (left_ms <= 0)
		return transfer_failed(t, CURLE_OPERATION_TIMEDOUT);
	TRY(transfer_open(t, policy, t->target.tls ? "https" : "http", left_ms));
	/* POST and the like wear out what they send (a refresh token, say): never twice. */
	if (strcmp(request->method, "GET") == 0)
		TRY(transfer_keep(t, policy));
	if (!set_callbacks(fetch))
		return ERR_INTERNAL;
	TRY(set_request(fetch, request));
	CURLcode code = curl_easy_perform(t->curl);
	fetch->answer->sent = was_sent(fetch);
	if (fetch->refused != OK)
		return fetch->refused;
	return code == CURLE_OK ? read_answer(fetch) : transfer_failed(t, code);
}

enum err http_stream(const struct http_request *request, const struct egress_policy *policy,
		     const struct http_sink *sink, struct http_answer *ret_answer)
{
	struct fetch fetch = { .request = request, .sink = sink, .answer = ret_answer };
	enum err e;

	*ret_answer = (struct http_answer){ .retry_after_s = -1 };
	if (!method_ok(request->method)) {
		ret_answer->failure = HTTP_OURS;
		return ERR_BAD_INPUT;
	}
	e = perform(&fetch, policy);
	if (e != OK) {
		transfer_blame(&fetch.transfer, HTTP_OURS, "the request can't be made");
		ret_answer->failure = fetch.transfer.failure;
		ret_answer->why = fetch.transfer.why;
	}
	transfer_close(&fetch.transfer);
	curl_slist_free_all(fetch.headers);
	return e;
}

static enum err add_piece(void *arg, const struct http_answer *answer, struct str piece)
{
	struct buf *body = arg;

	(void)answer;
	buf_add_str(body, piece);
	return buf_error(body);
}

enum err http_fetch(const struct http_request *request, const struct egress_policy *policy,
		    struct buf *body, struct http_answer *ret_answer)
{
	const struct http_sink sink = { .take = add_piece, .arg = body, .max = SIZE_MAX };
	enum err e;

	buf_clear(body);
	e = http_stream(request, policy, &sink, ret_answer);
	if (e != OK) {
		buf_clear(body);
		/* Half an answer is none. */
		*ret_answer = (struct http_answer){ .failure = ret_answer->failure,
						    .sent = ret_answer->sent,
						    .why = ret_answer->why,
						    .retry_after_s = -1 };
	}
	return e;
}

bool http_date(const char *text, int64_t *ret_ms)
{
	time_t seconds = curl_getdate(text, NULL);

	*ret_ms = (int64_t)seconds * 1000;
	return seconds >= 0;
}
