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
	struct curl_slist *headers;
	struct buf *body;
	size_t header_bytes;
	struct http_answer *answer;
};

/* --- what curl asks us ------------------------------------------------------ */

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;

	buf_add(fetch->body, bytes, size * n);
	if (buf_error(fetch->body) == OK)
		return size * n;
	if (buf_error(fetch->body) == ERR_TOO_BIG)
		transfer_blame(&fetch->transfer, HTTP_TOO_LARGE, "the answer is too large");
	else
		transfer_blame(&fetch->transfer, HTTP_OURS, "out of memory");
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

static enum err read_answer(struct fetch *fetch, const struct http_request *request)
{
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

static enum err perform(struct fetch *fetch, const struct http_request *request,
			const struct egress_policy *policy)
{
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
	return code == CURLE_OK ? read_answer(fetch, request) : transfer_failed(t, code);
}

enum err http_fetch(const struct http_request *request, const struct egress_policy *policy,
		    struct buf *body, struct http_answer *ret_answer)
{
	struct fetch fetch = { .body = body, .answer = ret_answer };
	enum err e;

	buf_clear(body);
	*ret_answer = (struct http_answer){ .retry_after_s = -1 };
	if (!method_ok(request->method)) {
		ret_answer->failure = HTTP_OURS;
		return ERR_BAD_INPUT;
	}
	e = perform(&fetch, request, policy);
	if (e != OK) {
		transfer_blame(&fetch.transfer, HTTP_OURS, "the request can't be made");
		ret_answer->failure = fetch.transfer.failure;
		ret_answer->why = fetch.transfer.why;
		buf_clear(body);
	}
	transfer_close(&fetch.transfer);
	curl_slist_free_all(fetch.headers);
	return e;
}

bool http_date(const char *text, int64_t *ret_ms)
{
	time_t seconds = curl_getdate(text, NULL);

	*ret_ms = (int64_t)seconds * 1000;
	return seconds >= 0;
}
