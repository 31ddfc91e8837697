/*
 * An address that a person may be sent back to leads, for another reader of URLs, too, to an origin of the
 * configuration and nowhere else; and the outcome is in its query, whatever it holds by itself.
 */
#include <curl/curl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "connect/oauth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char public_url[] = "https://lw.example:8443",
	    origins[] = "https://app.example, http://localhost:3000";
static const struct config config = { .server_public_url = public_url,
				      .oauth_return_origins = origins };

static char *part(CURLU *url, CURLUPart what)
{
	char *text = NULL;

	return curl_url_get(url, what, &text, CURLU_DEFAULT_PORT) == CURLUE_OK ? text : NULL;
}

static bool is(const char *scheme, const char *host, const char *port, const char *wanted)
{
	char origin[512];

	snprintf(origin, sizeof(origin), "%s://%s:%s", scheme, host, port);
	return strcmp(origin, wanted) == 0;
}

static void look_at(const char *text)
{
	CURLU *url = curl_url();
	char *scheme, *host, *port, *user, *query;

	/* What curl refuses, a browser may refuse, too. */
	if (curl_url_set(url, CURLUPART_URL, text, 0) == CURLUE_OK) {
		scheme = part(url, CURLUPART_SCHEME);
		host = part(url, CURLUPART_HOST);
		port = part(url, CURLUPART_PORT);
		user = part(url, CURLUPART_USER);
		query = part(url, CURLUPART_QUERY);
		if (!scheme || !host || !port || user || !query)
			abort();
		if (!is(scheme, host, port, "https://app.example:443") &&
		    !is(scheme, host, port, "http://localhost:3000") &&
		    !is(scheme, host, port, "https://lw.example:8443"))
			abort();
		if (!str_ends(str_of(query), STR("status=ok")))
			abort();
		curl_free(scheme);
		curl_free(host);
		curl_free(port);
		curl_free(query);
	}
	curl_url_cleanup(url);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct pair OUTCOME = { { "status", 6 }, { "ok", 2 } };
	BUF_AUTO struct buf url = { 0 }, whole = { 0 };

	buf_init(&url, OAUTH_URL_MAX);
	buf_init(&whole, OAUTH_URL_MAX);
	if (oauth_return_read(&config, (struct str){ (const char *)data, size }, &url) != OK)
		return 0;
	oauth_return_with(buf_str(&url), (struct pairs){ &OUTCOME, 1 }, &whole);
	for (size_t i = 0; i < whole.n; i++)
		if (whole.p[i] <= 0x20 || whole.p[i] >= 0x7f)
			abort();
	buf_add_char(&whole, '\0');
	if (buf_error(&whole) != OK)
		abort();
	look_at(whole.p);
	return 0;
}
