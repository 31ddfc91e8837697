#include "net/certificate.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "net/transfer.h"

enum { URL_MAX = 8 << 10 };

static size_t drop(const char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes;
	(void)arg;
	return size * n;
}

/* libcurl writes "2026-11-20 10:34:00 GMT". */
static struct opt_int read_date(struct str text)
{
	char rfc3339[TIME_TEXT_MAX];
	struct opt_int time = { 0 };

	if (text.n < 19)
		return time;
	snprintf(rfc3339, sizeof(rfc3339), "%.10sT%.8sZ", text.p, text.p + 11);
	time.set = time_parse(str_of(rfc3339), &time.v);
	return time;
}

/* The first of the chain is the host's own. */
static void read_dates(CURL *curl, struct certificate *certificate)
{
	struct curl_certinfo *info = NULL;

	if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
	    info->num_of_certs < 1)
		return;
	certificate->shown = true;
	for (const struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
		struct str value = str_of(line->data), name = str_cut(&value, ':');

		if (str_eq_nocase(name, STR("Start date")))
			certificate->begins_at = read_date(value);
		else if (str_eq_nocase(name, STR("Expire date")))
			certificate->ends_at = read_date(value);
	}
}

struct belief {
	bool chain, name; /* what is checked */
};

static enum err set_up(struct transfer *t, struct str url, struct belief belief)
{
	char text[URL_MAX];

	if (url.n >= sizeof(text))
		return ERR_BAD_INPUT;
	memcpy(text, url.p, url.n);
	text[url.n] = '\0';
	return transfer_set_text(t, CURLOPT_URL, text) &&
			       transfer_set_number(t, CURLOPT_NOBODY, 1) &&
			       transfer_set_number(t, CURLOPT_CERTINFO, 1) &&
			       transfer_set_number(t, CURLOPT_SSL_VERIFYPEER, belief.chain) &&
			       transfer_set_number(t, CURLOPT_SSL_VERIFYHOST,
						   belief.name ? 2 : 0) &&
			       curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, drop) == CURLE_OK
		       ? OK
		       : ERR_INTERNAL;
}

/* One handshake; `ret_held` says that what was checked is good. */
static enum err shake(struct str url, const struct egress_policy *policy, struct belief belief,
		      struct certificate *certificate, bool *ret_held)
{
	struct transfer t = { 0 };
	CURLcode code = CURLE_OK;
	enum err e = egress_allow_url(policy, url, &t.target);

	*ret_held = false;
	if (e == OK)
		e = transfer_open(&t, policy, "https", egress_timeout_ms(policy));
	if (e == OK)
		e = set_up(&t, url, belief);
	if (e == OK)
		code = curl_easy_perform(t.curl);
	if (e == OK && code == CURLE_OK)
		*ret_held = true;
	else if (e == OK && code != CURLE_PEER_FAILED_VERIFICATION)
		e = transfer_failed(&t, code);
	if (e == OK)
		read_dates(t.curl, certificate);
	transfer_close(&t);
	return e;
}

enum err certificate_look(struct str url, const struct egress_policy *policy,
			  struct certificate *ret_certificate)
{
	struct certificate seen = { 0 };

	TRY(shake(url, policy, (struct belief){ .chain = true, .name = true }, &seen,
		  &seen.accepted));
	seen.shown |= seen.accepted;
	seen.name_fits = seen.chain_good = seen.accepted;
	if (!seen.accepted) {
		TRY(shake(url, policy, (struct belief){ .chain = true }, &seen, &seen.chain_good));
		TRY(shake(url, policy, (struct belief){ .name = true }, &seen, &seen.name_fits));
	}
	*ret_certificate = seen;
	return OK;
}
