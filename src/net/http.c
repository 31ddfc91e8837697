#include "net/http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

enum { HEADERS_MAX_BYTES = 64 << 10, HEADER_LINE_MAX = 16 << 10, URL_MAX = 8 << 10 };

/* Where the system's CAs are one file each: read beside a private CA, which takes the place of their bundle. */
#define SYSTEM_CA_DIRECTORY "/etc/ssl/certs"

/* One request under way. */
struct fetch {
	CURL *curl;
	struct curl_slist *headers, *addresses;
	struct egress_target target;
	struct buf *body;
	size_t header_bytes;
	struct http_answer *answer;
};

/* --- what curl asks us ------------------------------------------------------ */

/* The last word of the guard: a socket for no other address than those that were checked. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	const struct fetch *fetch = arg;

	if (purpose != CURLSOCKTYPE_IPCXN ||
	    !egress_allows_peer(&fetch->target, &to->addr, to->addrlen)) {
		fetch->answer->why = "the address wasn't checked";
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static size_t take_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct fetch *fetch = arg;

	buf_add(fetch->body, bytes, size * n);
	if (buf_error(fetch->body) == OK)
		return size * n;
	fetch->answer->why = "the answer is too large";
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
	fetch->answer->why = "the answer's headers are too large";
	return 0;
}

/* --- what we tell curl ------------------------------------------------------ */

/* Options that this libcurl doesn't know would be a wrong build: better no request than one without them. */
static bool set_text(CURL *curl, CURLoption option, const char *value)
{
	return curl_easy_setopt(curl, option, value) == CURLE_OK;
}

static bool set_number(CURL *curl, CURLoption option, long value)
{
	return curl_easy_setopt(curl, option, value) == CURLE_OK;
}

static bool set_walls(struct fetch *fetch)
{
	CURL *curl = fetch->curl;

	return set_number(curl, CURLOPT_NOSIGNAL, 1) &&
	       set_text(curl, CURLOPT_PROTOCOLS_STR, fetch->target.tls ? "https" : "http") &&
	       set_text(curl, CURLOPT_REDIR_PROTOCOLS_STR, "https") &&
	       set_number(curl, CURLOPT_FOLLOWLOCATION, 0) &&
	       set_text(curl, CURLOPT_PROXY, "") && /* not the environment's either */
	       set_number(curl, CURLOPT_NETRC, CURL_NETRC_IGNORED) &&
	       set_number(curl, CURLOPT_DISALLOW_USERNAME_IN_URL, 1) &&
	       set_number(curl, CURLOPT_FRESH_CONNECT, 1) &&
	       set_number(curl, CURLOPT_FORBID_REUSE, 1) &&
	       curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, fetch) == CURLE_OK;
}

/* A private CA may speak for the hosts that the operator listed, and for nobody else. */
static bool set_tls(struct fetch *fetch, const struct egress_policy *policy)
{
	CURL *curl = fetch->curl;
	const char *ca_file = egress_ca_file(policy);

	if (fetch->target.listed && ca_file &&
	    (!set_text(curl, CURLOPT_CAINFO, ca_file) ||
	     !set_text(curl, CURLOPT_CAPATH, SYSTEM_CA_DIRECTORY)))
		return false;
	return set_number(curl, CURLOPT_SSL_VERIFYPEER, 1) &&
	       set_number(curl, CURLOPT_SSL_VERIFYHOST, 2) &&
	       set_number(curl, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
}

static bool set_limits(struct fetch *fetch, const struct egress_policy *policy, long timeout_ms)
{
	CURL *curl = fetch->curl;

	return set_number(curl, CURLOPT_TIMEOUT_MS, timeout_ms) &&
	       set_number(curl, CURLOPT_CONNECTTIMEOUT_MS, egress_connect_timeout_ms(policy)) &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEDATA, fetch) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HEADERDATA, fetch) == CURLE_OK;
}

/* Hands curl the addresses that were checked, so that it doesn't look the name up again. */
static bool set_addresses(struct fetch *fetch)
{
	BUF_AUTO struct buf line = { 0 };
	char text[ADDRESS_TEXT_MAX];
	struct address literal;

	if (address_parse(str_of(fetch->target.host), &literal))
		return true;
	buf_init(&line, EGRESS_HOST_MAX + (ADDRESS_TEXT_MAX + 3) * EGRESS_ADDRESSES_MAX + 16);
	buf_printf(&line, "%s:%u:", fetch->target.host, fetch->target.port);
	for (size_t i = 0; i < fetch->target.addresses.count; i++) {
		const struct address *address = &fetch->target.addresses.v[i];
		bool v6 = address->family == AF_INET6;

		buf_printf(&line, "%s%s%.*s%s", i > 0 ? "," : "", v6 ? "[" : "",
			   STR_ARG(address_format(address, text)), v6 ? "]" : "");
	}
	buf_add_char(&line, '\0');
	if (buf_error(&line) != OK)
		return false;
	fetch->addresses = curl_slist_append(NULL, line.p);
	return fetch->addresses &&
	       curl_easy_setopt(fetch->curl, CURLOPT_RESOLVE, fetch->addresses) == CURLE_OK;
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

static bool set_method(CURL *curl, const struct http_request *request)
{
	bool has_body = !str_absent(request->body);

	if (strcmp(request->method, "HEAD") == 0)
		return !has_body && set_number(curl, CURLOPT_NOBODY, 1);
	/* POST, PUT and PATCH say "Content-Length: 0" when they have nothing to say. */
	if ((has_body || request->method[0] == 'P') &&
	    (curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n) !=
		     CURLE_OK ||
	     curl_easy_setopt(curl, CURLOPT_POSTFIELDS, has_body ? request->body.p : "") !=
		     CURLE_OK))
		return false;
	return set_text(curl, CURLOPT_CUSTOMREQUEST, request->method);
}

/* RFC 9110, section 5.6.2 */
static bool is_token(const char *name)
{
	static const char EXTRA[] = "!#$%&'*+-.^_`|~";

	for (const char *c = name; *c != '\0'; c++)
		if (!((*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') ||
		      (*c >= 'a' && *c <= 'z') || strchr(EXTRA, *c)))
			return false;
	return name[0] != '\0';
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
	return is_token(header->name);
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
	return curl_easy_setopt(fetch->curl, CURLOPT_HTTPHEADER, fetch->headers) == CURLE_OK
		       ? OK
		       : ERR_INTERNAL;
}

static enum err set_url(CURL *curl, struct str url)
{
	char text[URL_MAX];

	if (url.n >= sizeof(text))
		return ERR_BAD_INPUT;
	memcpy(text, url.p, url.n);
	text[url.n] = '\0';
	/* The path as it is: what the caller signed or allowed is what is sent. */
	return set_number(curl, CURLOPT_PATH_AS_IS, 1) && set_text(curl, CURLOPT_URL, text)
		       ? OK
		       : ERR_INTERNAL;
}

static enum err set_request(struct fetch *fetch, const struct http_request *request)
{
	CURL *curl = fetch->curl;

	TRY(set_url(curl, request->url));
	TRY(add_headers(fetch, request));
	if (!set_method(curl, request) ||
	    !set_number(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) ||
	    !set_text(curl, CURLOPT_USERAGENT, "Latchwork/" LATCHWORK_VERSION) ||
	    (request->compressed && !set_text(curl, CURLOPT_ACCEPT_ENCODING, "gzip")))
		return ERR_INTERNAL;
	return OK;
}

/* --- the answer ------------------------------------------------------------- */

static enum err failed(struct http_answer *answer, CURLcode code)
{
	static const struct {
		CURLcode code;
		enum err e;
		const char *why;
	} FAILURES[] = {
		{ CURLE_OPERATION_TIMEDOUT, ERR_UPSTREAM_TIMEOUT, "no answer in time" },
		{ CURLE_COULDNT_CONNECT, ERR_UPSTREAM, "no connection" },
		{ CURLE_PEER_FAILED_VERIFICATION, ERR_UPSTREAM, "the certificate isn't trusted" },
		{ CURLE_SSL_CONNECT_ERROR, ERR_UPSTREAM, "no TLS" },
		{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, "the CA file can't be used" },
		{ CURLE_OUT_OF_MEMORY, ERR_NO_MEMORY, "out of memory" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(FAILURES); i++) {
		if (FAILURES[i].code != code)
			continue;
		if (!answer->why)
			answer->why = FAILURES[i].why;
		return FAILURES[i].e;
	}
	if (!answer->why)
		answer->why = "the answer can't be read";
	return ERR_UPSTREAM;
}

static enum err read_answer(struct fetch *fetch)
{
	struct http_answer *answer = fetch->answer;
	struct curl_header *retry = NULL;
	const char *type = NULL;
	long status = 0;
	uint64_t seconds;

	if (curl_easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
	    status < 200)
		return failed(answer, CURLE_WEIRD_SERVER_REPLY);
	answer->status = (int)status;
	if (curl_easy_getinfo(fetch->curl, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type &&
	    strlen(type) < sizeof(answer->content_type))
		snprintf(answer->content_type, sizeof(answer->content_type), "%s", type);
	if (curl_easy_header(fetch->curl, "Retry-After", 0, CURLH_HEADER, -1, &retry) ==
		    CURLHE_OK &&
	    str_to_u64(str_trim(str_of(retry->value)), &seconds) && seconds <= INT32_MAX)
		answer->retry_after_s = (int64_t)seconds;
	return OK;
}

static enum err perform(struct fetch *fetch, const struct http_request *request,
			const struct egress_policy *policy)
{
	int64_t begun_us = clock_monotonic_us();
	int timeout_ms = request->timeout_ms > 0 ? request->timeout_ms : egress_timeout_ms(policy);
	enum err e = egress_allow_url(policy, request->url, &fetch->target);
	int64_t left_ms = timeout_ms - (clock_monotonic_us() - begun_us) / 1000;

	if (e != OK) {
		fetch->answer->why = fetch->target.why;
		return e;
	}
	if (left_ms <= 0)
		return failed(fetch->answer, CURLE_OPERATION_TIMEDOUT);
	fetch->curl = curl_easy_init();
	if (!fetch->curl)
		return ERR_NO_MEMORY;
	if (!set_walls(fetch) || !set_tls(fetch, policy) ||
	    !set_limits(fetch, policy, (long)left_ms) || !set_addresses(fetch))
		return ERR_INTERNAL;
	TRY(set_request(fetch, request));
	CURLcode code = curl_easy_perform(fetch->curl);
	return code == CURLE_OK ? read_answer(fetch) : failed(fetch->answer, code);
}

/* curl's own state is made in the process that uses it first, and once. */
static bool curl_is_ready(void)
{
	static bool ready;

	if (!ready)
		ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	return ready;
}

enum err http_fetch(const struct http_request *request, const struct egress_policy *policy,
		    struct buf *body, struct http_answer *ret_answer)
{
	struct fetch fetch = { .body = body, .answer = ret_answer };
	enum err e;

	buf_clear(body);
	*ret_answer = (struct http_answer){ .retry_after_s = -1 };
	if (!method_ok(request->method))
		return ERR_BAD_INPUT;
	if (!curl_is_ready())
		return ERR_INTERNAL;
	e = perform(&fetch, request, policy);
	curl_easy_cleanup(fetch.curl);
	curl_slist_free_all(fetch.addresses);
	curl_slist_free_all(fetch.headers);
	if (e != OK)
		buf_clear(body);
	return e;
}
