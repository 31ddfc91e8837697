/* Mail submission (RFC 6409, RFC 8314), by libcurl: EHLO, TLS, AUTH within it, NOOP. */
#include <stdio.h>
#include <string.h>

#include "net/login_attempt.h"
#include "net/transfer.h"

enum { URL_MAX = EGRESS_HOST_MAX + 64, ANSWER_MAX = 64 << 10 };

/* 465: TLS from the first byte; 587: STARTTLS. 25 is for mail between servers, which this isn't. */
static const uint16_t USUAL_TLS[] = { 465, 587 }, USUAL_STARTTLS[] = { 587, 465 };

/* What we call ourselves in EHLO; libcurl would tell the machine's name. */
#define OWN_NAME "localhost"

struct talk {
	size_t bytes;
	bool logged_in;
};

/* RFC 5321, section 4.2: each line has its code. libcurl would wait for a line of somebody else's protocol to go on. */
static bool is_reply(const char *line, size_t n)
{
	for (size_t i = 0; i < 3; i++)
		if (i >= n || line[i] < '0' || line[i] > '9')
			return false;
	return true;
}

/* Each line of the server. Without an AUTH capability, libcurl goes on without a login and without a word. */
static size_t take_line(const char *line, size_t size, size_t n, void *arg)
{
	struct talk *talk = arg;

	talk->bytes += size * n;
	if (size * n >= 3 && memcmp(line, "235", 3) == 0)
		talk->logged_in = true;
	return talk->bytes <= ANSWER_MAX && is_reply(line, size * n) ? size * n : 0;
}

static size_t take_body(const char *bytes, size_t size, size_t n, void *arg)
{
	struct talk *talk = arg;

	(void)bytes;
	talk->bytes += size * n;
	return talk->bytes <= ANSWER_MAX ? size * n : 0;
}

static bool set_talk(struct transfer *t, struct talk *talk)
{
	return curl_easy_setopt(t->curl, CURLOPT_HEADERFUNCTION, take_line) == CURLE_OK &&
	       curl_easy_setopt(t->curl, CURLOPT_HEADERDATA, talk) == CURLE_OK &&
	       curl_easy_setopt(t->curl, CURLOPT_WRITEFUNCTION, take_body) == CURLE_OK &&
	       curl_easy_setopt(t->curl, CURLOPT_WRITEDATA, talk) == CURLE_OK;
}

static bool set_login(struct transfer *t, const struct attempt *attempt, const struct login *login)
{
	char url[URL_MAX];
	bool v6 = strchr(attempt->host, ':') != NULL;

	snprintf(url, sizeof url, "%s://%s%s%s:%u/" OWN_NAME, login->starttls ? "smtp" : "smtps",
		 v6 ? "[" : "", attempt->target.host, v6 ? "]" : "", attempt->target.port);
	if (!transfer_set_text(t, CURLOPT_URL, url) ||
	    !transfer_set_text(t, CURLOPT_CUSTOMREQUEST, "NOOP") ||
	    !transfer_set_number(t, CURLOPT_USE_SSL, CURLUSESSL_ALL))
		return false;
	if (login->ca.n > 0 && !(transfer_set_text(t, CURLOPT_CAINFO, attempt->trust.file) &&
				 transfer_set_text(t, CURLOPT_CAPATH, NULL)))
		return false;
	return attempt->user[0] == '\0' ||
	       (transfer_set_text(t, CURLOPT_USERNAME, attempt->user) &&
		transfer_set_text(t, CURLOPT_PASSWORD, (const char *)attempt->password.p) &&
		transfer_set_text(t, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN"));
}

static enum login_end end_of(enum http_failure failure)
{
	switch (failure) {
	case HTTP_ANSWERED: return LOGIN_DONE;
	case HTTP_FORBIDDEN: return LOGIN_FORBIDDEN;
	case HTTP_UNREACHABLE: return LOGIN_UNREACHABLE;
	case HTTP_NO_TLS: return LOGIN_NO_TLS;
	case HTTP_TIMEOUT: return LOGIN_TIMEOUT;
	case HTTP_TOO_LARGE:
	case HTTP_CUT:
	case HTTP_UNREADABLE:
	case HTTP_OURS: break;
	}
	return LOGIN_ODD;
}

static enum err failed(struct attempt *attempt, struct transfer *t, CURLcode code)
{
	long said = 0;
	enum err e;

	(void)curl_easy_getinfo(t->curl, CURLINFO_RESPONSE_CODE, &said);
	if (said == 421 || said == 450 || said == 454)
		return attempt_ends(attempt, LOGIN_BUSY, "The server is busy.");
	if (code == CURLE_LOGIN_DENIED)
		return attempt_ends(attempt, LOGIN_REFUSED, NULL);
	e = transfer_failed(t, code);
	return e == ERR_NO_MEMORY || e == ERR_CONFIG
		       ? e
		       : attempt_ends(attempt, end_of(t->failure), NULL);
}

static enum err talk_to(struct attempt *attempt, struct transfer *t)
{
	const struct login *login = attempt->login;
	struct talk talk = { 0 };
	CURLcode code;

	t->target = attempt->target;
	TRY(transfer_open(t, attempt->policy, login->starttls ? "smtp" : "smtps", attempt_left_ms(attempt)));
	if (!set_talk(t, &talk) || !set_login(t, attempt, login))
		return ERR_INTERNAL;
	code = curl_easy_perform(t->curl);
	if (code != CURLE_OK)
		return failed(attempt, t, code);
	if (attempt->user[0] != '\0' && !talk.logged_in)
		return attempt_ends(attempt, LOGIN_REFUSED, "The server offers no way to log in.");
	return OK;
}

static enum err log_in(struct attempt *attempt)
{
	const struct str password = attempt->login->password;
	struct transfer transfer = { 0 };
	enum err e;

	for (size_t i = 0; i < password.n; i++)
		if (password.p[i] == '\r' || password.p[i] == '\n')
			return attempt_ends(attempt, LOGIN_ODD, "The password has characters that can't be sent.");
	e = talk_to(attempt, &transfer);
	transfer_close(&transfer);
	return e;
}

enum err login_smtp(const struct login *login, const struct egress_policy *policy,
		    struct login_answer *ret_answer)
{
	return attempt_run(login, policy, login->starttls ? USUAL_STARTTLS : USUAL_TLS, ARRAY_SIZE(USUAL_TLS), log_in,
			   NULL, ret_answer);
}
