#include "net/local_post.h"

#include <curl/curl.h>

#include "base/buf.h"

enum { TIMEOUT_MS = 2000, URL_MAX = 256 };

/* What the other side says besides its status is of no use. */
static size_t drop(const char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes, (void)arg;
	return size * n;
}

static bool set_up(CURL *curl, const struct curl_slist *headers)
{
	return curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_PROXY, "") == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)TIMEOUT_MS) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK &&
	       curl_easy_setopt(curl, CURLOPT_POST, 1L) == CURLE_OK;
}

/* One handle a process, made in the one that uses it first: its connection is what makes a message cheap. */
static CURL *handle(void)
{
	static CURL *curl;
	static struct curl_slist *headers;

	if (curl)
		return curl;
	headers = curl_slist_append(headers, "Content-Type: application/json");
	curl = headers && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? curl_easy_init()
									    : NULL;
	if (curl && !set_up(curl, headers)) {
		curl_easy_cleanup(curl);
		curl = NULL;
	}
	return curl;
}

enum err local_post(const char *socket, struct str path, struct str json)
{
	BUF_AUTO struct buf url = { 0 };
	CURL *curl = handle();
	long status = 0;

	buf_init(&url, URL_MAX);
	buf_printf(&url, "http://localhost%.*s", STR_ARG(path));
	buf_add_char(&url, '\0');
	TRY(buf_error(&url));
	if (!curl)
		return ERR_NO_MEMORY;
	if (curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_URL, buf_str(&url).p) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, json.p) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)json.n) != CURLE_OK)
		return ERR_INTERNAL;
	if (curl_easy_perform(curl) != CURLE_OK ||
	    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK)
		return ERR_IO;
	return status >= 200 && status < 300 ? OK : ERR_UPSTREAM;
}
