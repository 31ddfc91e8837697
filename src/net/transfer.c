#include "net/transfer.h"

#include <sys/socket.h>

#include "base/buf.h"

/* Connections that a process keeps, and for how long: providers' front ends close idle ones after a minute or so. */
enum { KEPT_MAX = 8, KEPT_S = 30 };

/* True once curl's own state is there, which is made in the process that uses it first. */
static bool is_ready(void)
{
	static bool ready;

	if (!ready)
		ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	return ready;
}

bool transfer_set_text(struct transfer *transfer, CURLoption option, const char *value)
{
	return curl_easy_setopt(transfer->curl, option, value) == CURLE_OK;
}

bool transfer_set_number(struct transfer *transfer, CURLoption option, long value)
{
	return curl_easy_setopt(transfer->curl, option, value) == CURLE_OK;
}

void transfer_blame(struct transfer *transfer, enum http_failure failure, const char *why)
{
	if (transfer->failure != HTTP_ANSWERED)
		return;
	transfer->failure = failure;
	transfer->why = why;
}

/* The last word of the guard: a socket for no other address than those that were checked. */
static curl_socket_t open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct transfer *transfer = arg;

	if (purpose != CURLSOCKTYPE_IPCXN ||
	    !egress_allows_peer(&transfer->target, &to->addr, to->addrlen)) {
		transfer_blame(transfer, HTTP_FORBIDDEN, "the address wasn't checked");
		return CURL_SOCKET_BAD;
	}
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool set_walls(struct transfer *transfer, const char *protocol)
{
	return transfer_set_number(transfer, CURLOPT_NOSIGNAL, 1) &&
	       transfer_set_text(transfer, CURLOPT_PROTOCOLS_STR, protocol) &&
	       transfer_set_text(transfer, CURLOPT_REDIR_PROTOCOLS_STR, "https") &&
	       transfer_set_number(transfer, CURLOPT_FOLLOWLOCATION, 0) &&
	       transfer_set_text(transfer, CURLOPT_PROXY, "") && /* not the environment's either */
	       transfer_set_number(transfer, CURLOPT_NETRC, CURL_NETRC_IGNORED) &&
	       transfer_set_number(transfer, CURLOPT_DISALLOW_USERNAME_IN_URL, 1) &&
	       transfer_set_number(transfer, CURLOPT_FRESH_CONNECT, 1) &&
	       transfer_set_number(transfer, CURLOPT_FORBID_REUSE, 1) &&
	       curl_easy_setopt(transfer->curl, CURLOPT_OPENSOCKETFUNCTION, open_socket) ==
		       CURLE_OK &&
	       curl_easy_setopt(transfer->curl, CURLOPT_OPENSOCKETDATA, transfer) == CURLE_OK;
}

static bool set_tls(struct transfer *transfer, const struct egress_policy *policy)
{
	struct trust trust = egress_trust(policy, &transfer->target);

	return transfer_set_text(transfer, CURLOPT_CAINFO, trust.file) &&
	       transfer_set_text(transfer, CURLOPT_CAPATH, trust.directory) &&
	       transfer_set_number(transfer, CURLOPT_SSL_VERIFYPEER, 1) &&
	       transfer_set_number(transfer, CURLOPT_SSL_VERIFYHOST, 2) &&
	       transfer_set_number(transfer, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
}

static bool set_times(struct transfer *transfer, const struct egress_policy *policy, long left_ms)
{
	return transfer_set_number(transfer, CURLOPT_TIMEOUT_MS, left_ms) &&
	       transfer_set_number(transfer, CURLOPT_CONNECTTIMEOUT_MS,
				   egress_connect_timeout_ms(policy));
}

/* Hands curl the addresses that were checked, so that it doesn't look the name up again. */
static bool set_addresses(struct transfer *transfer)
{
	const struct egress_target *target = &transfer->target;
	BUF_AUTO struct buf line = { 0 };
	char text[ADDRESS_TEXT_MAX];
	struct address literal;

	if (address_parse(str_of(target->host), &literal))
		return true;
	buf_init(&line, EGRESS_HOST_MAX + (ADDRESS_TEXT_MAX + 3) * EGRESS_ADDRESSES_MAX + 16);
	buf_printf(&line, "%s:%u:", target->host, target->port);
	for (size_t i = 0; i < target->addresses.count; i++) {
		const struct address *address = &target->addresses.v[i];
		bool v6 = address->family == AF_INET6;

		buf_printf(&line, "%s%s%.*s%s", i > 0 ? "," : "", v6 ? "[" : "",
			   STR_ARG(address_format(address, text)), v6 ? "]" : "");
	}
	buf_add_char(&line, '\0');
	if (buf_error(&line) != OK)
		return false;
	transfer->addresses = curl_slist_append(NULL, line.p);
	return transfer->addresses &&
	       curl_easy_setopt(transfer->curl, CURLOPT_RESOLVE, transfer->addresses) == CURLE_OK;
}

enum err transfer_open(struct transfer *transfer, const struct egress_policy *policy,
		       const char *protocol, int64_t left_ms)
{
	if (!is_ready())
		return ERR_INTERNAL;
	transfer->curl = curl_easy_init();
	if (!transfer->curl)
		return ERR_NO_MEMORY;
	return set_walls(transfer, protocol) && set_tls(transfer, policy) &&
			       set_times(transfer, policy, (long)left_ms) && set_addresses(transfer)
		       ? OK
		       : ERR_INTERNAL;
}

/* Connections alone are shared, of one policy at a time: another one may not know these addresses. */
static CURLSH *kept_connections(const struct egress_policy *policy)
{
	static CURLSH *share;
	static uint64_t serial;

	if (share && serial == egress_serial(policy))
		return share;
	curl_share_cleanup(share);
	share = curl_share_init();
	serial = egress_serial(policy);
	if (share &&
	    curl_share_setopt(share, CURLSHOPT_SHARE, CURL_LOCK_DATA_CONNECT) == CURLSHE_OK)
		return share;
	curl_share_cleanup(share);
	share = NULL;
	return NULL;
}

enum err transfer_keep(struct transfer *transfer, const struct egress_policy *policy)
{
	CURLSH *share = kept_connections(policy);

	if (!share)
		return ERR_NO_MEMORY;
	return curl_easy_setopt(transfer->curl, CURLOPT_SHARE, share) == CURLE_OK &&
			       transfer_set_number(transfer, CURLOPT_MAXCONNECTS, KEPT_MAX) &&
			       transfer_set_number(transfer, CURLOPT_MAXAGE_CONN, KEPT_S) &&
			       transfer_set_number(transfer, CURLOPT_FRESH_CONNECT, 0) &&
			       transfer_set_number(transfer, CURLOPT_FORBID_REUSE, 0)
		       ? OK
		       : ERR_INTERNAL;
}

void transfer_close(struct transfer *transfer)
{
	curl_easy_cleanup(transfer->curl);
	curl_slist_free_all(transfer->addresses);
	transfer->curl = NULL;
	transfer->addresses = NULL;
}

enum err transfer_failed(struct transfer *transfer, CURLcode code)
{
	static const struct {
		CURLcode code;
		enum err e;
		enum http_failure failure;
		const char *why;
	} FAILURES[] = {
		{ CURLE_OPERATION_TIMEDOUT, ERR_UPSTREAM_TIMEOUT, HTTP_TIMEOUT,
		  "no answer in time" },
		{ CURLE_COULDNT_RESOLVE_HOST, ERR_UPSTREAM, HTTP_UNREACHABLE, "no such name" },
		{ CURLE_COULDNT_CONNECT, ERR_UPSTREAM, HTTP_UNREACHABLE, "no connection" },
		{ CURLE_PEER_FAILED_VERIFICATION, ERR_UPSTREAM, HTTP_NO_TLS,
		  "the certificate isn't trusted" },
		{ CURLE_SSL_CONNECT_ERROR, ERR_UPSTREAM, HTTP_NO_TLS, "no TLS" },
		{ CURLE_USE_SSL_FAILED, ERR_UPSTREAM, HTTP_NO_TLS, "the other side offers no TLS" },
		{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, HTTP_OURS, "the CA file can't be used" },
		{ CURLE_OUT_OF_MEMORY, ERR_NO_MEMORY, HTTP_OURS, "out of memory" },
		{ CURLE_GOT_NOTHING, ERR_UPSTREAM, HTTP_CUT,
		  "the connection ended without an answer" },
		{ CURLE_PARTIAL_FILE, ERR_UPSTREAM, HTTP_CUT, "the answer was cut off" },
		{ CURLE_SEND_ERROR, ERR_UPSTREAM, HTTP_CUT, "the connection ended" },
		{ CURLE_RECV_ERROR, ERR_UPSTREAM, HTTP_CUT, "the connection ended" },
	};
	enum err e = ERR_UPSTREAM;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(FAILURES) && FAILURES[i].code != code;)
		i++;
	if (i < ARRAY_SIZE(FAILURES)) {
		transfer_blame(transfer, FAILURES[i].failure, FAILURES[i].why);
		e = FAILURES[i].e;
	}
	transfer_blame(transfer, HTTP_UNREADABLE, "the answer can't be read");
	return transfer->failure == HTTP_FORBIDDEN ? ERR_HOST_FORBIDDEN : e;
}
