/* latchctl doctor: server.public_url, called as a client would. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/json_read.h"
#include "connect/oauth.h"
#include "main/doctor.h"
#include "net/certificate.h"
#include "net/egress.h"
#include "net/http.h"

#define DAY_MS INT64_C(86400000)
enum { ANSWER_MAX = 64 << 10, AUTHORITY_MAX = 300, TYPE_URI_MAX = 512, SOON_DAYS = 14 };

enum wanted { REQUEST_ID, STRICT_TRANSPORT, SECURITY_POLICY, DATE, WANTED };
static const struct str WANTED_NAMES[WANTED] = { { "X-Request-Id", 12 },
						 { "Strict-Transport-Security", 25 },
						 { "Content-Security-Policy", 23 },
						 { "Date", 4 } };

/* One look from outside. */
struct outside {
	struct doctor *doctor;
	struct egress_policy *policy;
	struct buf body;
	struct http_answer answer;
	bool bad_certificate;
};

/* --- how it calls -------------------------------------------------------------------- */

static bool get_with(struct outside *o, const char *path, const struct http_header *header,
		     size_t headers)
{
	const char *base = o->doctor->ctl->config->server_public_url;
	struct str url = arena_printf(o->doctor->ctl->cx.arena, "%s%s", base, path);
	const struct http_request request = {
		.method = "GET",
		.url = url,
		.header = header,
		.headers = headers,
		.wanted = WANTED_NAMES,
		.wanteds = WANTED,
	};

	return http_fetch(&request, o->policy, &o->body, &o->answer) == OK;
}

static bool get(struct outside *o, const char *path) { return get_with(o, path, NULL, 0); }

/* The code of a problem answer; absent when it is none of ours. */
static struct str problem_code(struct outside *o)
{
	json_t *json;

	if (!str_starts(str_of(o->answer.content_type), STR("application/problem+json")) ||
	    json_read(o->doctor->ctl->cx.arena, buf_str(&o->body), &json, NULL) != OK ||
	    str_absent(json_member_text(json, "request_id")))
		return STR_NONE;
	return json_member_text(json, "code");
}

/*
 * The policy for this one address: it may be private, and the operator's CA may vouch for it. What the service itself
 * may call is another question.
 */
static bool open_policy(struct outside *o)
{
	const struct config *config = o->doctor->ctl->config;
	const char *ca = ctl_option(o->doctor->ctl, "ca");
	struct str rest =
		str_slice(str_of(config->server_public_url), sizeof("https://") - 1, SIZE_MAX);
	struct str authority = str_cut(&rest, '/');
	char allowed[AUTHORITY_MAX], why[EGRESS_WHY_MAX];
	const struct egress_settings settings = {
		.allow_hosts = allowed,
		.ca_file = ca ? ca : config->egress_ca_file,
		.timeout_ms = (int)config->egress_timeout_ms,
		.connect_timeout_ms = (int)config->egress_connect_timeout_ms,
	};
	/* An IPv6 address has colons of its own, in brackets. */
	size_t host_ends = str_starts(authority, STR("[")) ? str_find(authority, ']') : 0;
	struct str port = str_slice(authority, host_ends, SIZE_MAX);

	snprintf(allowed, sizeof allowed, "%.*s%s", STR_ARG(authority),
		 str_find(port, ':') < port.n ? "" : ":443");
	if (egress_policy_new(&settings, why, &o->policy) == OK)
		return true;
	doctor_fault(o->doctor, "address", "Mend server.public_url, or the CA's file.",
		     "%s can't be called: %s.", config->server_public_url, why);
	return false;
}

/* --- the address ------------------------------------------------------------------------ */

/* That it is https://host[:port] was checked when the configuration was read. */
static void look_at_address(struct doctor *d)
{
	const char *text = d->ctl->config->server_public_url;
	struct str host = str_slice(str_of(text), sizeof("https://") - 1, SIZE_MAX);

	if (str_starts(host, STR("localhost")) || str_starts(host, STR("127.")) ||
	    str_starts(host, STR("[::1]")))
		doctor_warn(
			d, "address",
			"Fine for a trial on this machine; name a host that browsers elsewhere can reach.",
			"server.public_url is %s.", text);
}

/* --- TLS --------------------------------------------------------------------------------- */

static void tell_bad_certificate(struct doctor *d, const struct certificate *c)
{
	const int64_t now = clock_now_ms();

	if (c->ends_at.set && c->ends_at.v < now)
		doctor_fault(d, "tls", "Renew it, and reload nginx.",
			     "The certificate expired %" PRId64 " days ago.",
			     (now - c->ends_at.v) / DAY_MS);
	else if (c->begins_at.set && c->begins_at.v > now)
		doctor_fault(d, "tls", "Check this machine's clock.",
			     "The certificate isn't valid yet.");
	if (!c->name_fits)
		doctor_fault(d, "tls", "Get one for the host of server.public_url.",
			     "The certificate is for another host name.");
	if (!c->chain_good && !(c->ends_at.set && c->ends_at.v < now))
		doctor_fault(
			d, "tls",
			"Use one of a public CA with its whole chain, or name a private CA with --ca (each client has to trust it, too).",
			"No CA that is trusted here vouches for the certificate.");
}

static void look_at_certificate(struct outside *o)
{
	struct doctor *d = o->doctor;
	struct str url =
		arena_printf(d->ctl->cx.arena, "%s/healthz", d->ctl->config->server_public_url);
	struct certificate c;
	int64_t days;

	if (certificate_look(url, o->policy, &c) != OK)
		return; /* what is in the way is told by the request itself */
	if (!c.accepted) {
		o->bad_certificate = c.shown;
		tell_bad_certificate(d, &c);
		return;
	}
	days = c.ends_at.set ? (c.ends_at.v - clock_now_ms()) / DAY_MS : 0;
	if (c.ends_at.set && days < SOON_DAYS)
		doctor_warn(d, "tls", "See why it isn't renewed by itself.",
			    "The certificate ends in %" PRId64 " days.", days);
	else
		doctor_ok(d, "tls",
			  "The certificate is trusted and for this host; %" PRId64
			  " days are left.",
			  days);
}

/* --- is it there? -------------------------------------------------------------------------- */

static void tell_unreachable(struct outside *o)
{
	const char *url = o->doctor->ctl->config->server_public_url;
	const char *why = o->answer.why ? o->answer.why : "no answer";

	if (o->answer.failure == HTTP_NO_TLS && o->bad_certificate)
		return; /* told already */
	if (o->answer.failure == HTTP_NO_TLS)
		doctor_fault(o->doctor, "tls", "Is it nginx with TLS that listens on that port?",
			     "%s can't be called: %s.", url, why);
	else
		doctor_fault(
			o->doctor, "address",
			"Does the name stand for this machine (getent hosts), does nginx listen on that port, and is a firewall in between?",
			"%s can't be reached: %s.", url, why);
}

/* An answer that isn't ours: whose is it? */
static void tell_stranger(struct outside *o, const char *path)
{
	struct doctor *d = o->doctor;
	struct str code = problem_code(o);
	const int status = o->answer.status;

	if (status >= 300 && status < 400)
		doctor_fault(d, "proxy",
			     "Let server.public_url be the address that it redirects to.",
			     "%s is redirected (status %d).", path, status);
	else if (status == 421)
		doctor_fault(
			d, "proxy",
			"Name the host in nginx's server_name, and let a proxy in front pass Host on.",
			"nginx doesn't know the host name of server.public_url.");
	else if (!str_absent(code) && status >= 500)
		doctor_fault(d, "pools", "Start the pool, and read its log.",
			     "%s isn't answered: %.*s.", path, STR_ARG(code));
	else
		doctor_fault(
			d, "proxy",
			"Send server.public_url to Latchwork's nginx, every path of it.",
			"%s gives status %d, and not Latchwork's answer: something else is there.",
			path, status);
}

static bool is_healthy(struct outside *o)
{
	json_t *json;

	return o->answer.status == 200 &&
	       json_read(o->doctor->ctl->cx.arena, buf_str(&o->body), &json, NULL) == OK &&
	       str_eq(json_member_text(json, "status"), STR("ok"));
}

static void look_at_headers(struct outside *o)
{
	static const struct {
		enum wanted which;
		const char *todo;
	} NEEDED[] = {
		{ REQUEST_ID,
		  "Let the proxy in front pass answers' headers on: it ties an answer to its log lines." },
		{ STRICT_TRANSPORT,
		  "Include conf/nginx/headers.conf, and let a proxy in front pass it on." },
		{ SECURITY_POLICY,
		  "Include conf/nginx/latchwork.conf as it stands, and let a proxy in front pass it on." },
	};
	const size_t before = o->doctor->faults;
	int64_t date;

	for (size_t i = 0; i < ARRAY_SIZE(NEEDED); i++)
		if (o->answer.wanted[NEEDED[i].which][0] == '\0')
			doctor_fault(o->doctor, "proxy", NEEDED[i].todo, "Answers lack %.*s.",
				     STR_ARG(WANTED_NAMES[NEEDED[i].which]));
	if (o->doctor->faults == before)
		doctor_ok(o->doctor, "proxy", "Answers carry their headers.");
	if (http_date(o->answer.wanted[DATE], &date))
		doctor_compare_clock(o->doctor, "whoever answers there", date);
}

static bool look_at_health(struct outside *o)
{
	if (!get(o, "/healthz")) {
		tell_unreachable(o);
		return false;
	}
	if (!is_healthy(o)) {
		tell_stranger(o, "/healthz");
		return false;
	}
	doctor_ok(o->doctor, "address", "%s answers.", o->doctor->ctl->config->server_public_url);
	look_at_headers(o);
	return true;
}

static void look_at_readiness(struct outside *o)
{
	json_t *json, *checks;

	if (!get(o, "/readyz") ||
	    json_read(o->doctor->ctl->cx.arena, buf_str(&o->body), &json, NULL) != OK ||
	    !(checks = json_member(json, "checks"))) {
		tell_stranger(o, "/readyz");
		return;
	}
	if (o->answer.status == 200)
		doctor_ok(o->doctor, "pools", "The front pool is ready.");
	for (void *i = json_first(checks); i; i = json_next(checks, i))
		if (!str_eq(json_text(json_iter_value(i)), STR("ok")))
			doctor_fault(o->doctor, "pools",
				     "See what this says about it above, and the front pool's log.",
				     "The front pool isn't ready: %.*s failed.",
				     STR_ARG(json_iter_key(i)));
}

/* --- does it arrive as it was sent? ---------------------------------------------------------- */

static void look_at_paths(struct outside *o)
{
	bool good = get(o, "/api/v1/doctor-asks-for-nothing") && o->answer.status == 404 &&
		    str_eq(problem_code(o), STR("NOT_FOUND"));

	if (!good) {
		doctor_fault(
			o->doctor, "proxy",
			"Let the proxy pass paths and error answers on as they are (no error pages of its own).",
			"An unknown path gives status %d without Latchwork's own words.",
			o->answer.status);
		return;
	}
	/* A path that is normalised on the way is another one: the application refuses what is written like this. */
	good = get(o, "/api/v1/%2e%2e/v1/doctor") && o->answer.status == 400;
	if (good)
		doctor_ok(o->doctor, "proxy", "Paths arrive as they were sent.");
	else
		doctor_fault(
			o->doctor, "proxy",
			"Let it pass the raw path on (nginx: proxy_pass without a path behind the host).",
			"A proxy in front decodes or rewrites paths.");
}

static void look_at_request_header(struct outside *o, const char *name, const char *value)
{
	const struct http_header header = { name, str_of(value) };

	if (get_with(o, "/api/v1/auth/me", &header, 1) && str_eq(problem_code(o), STR("NO_TOKEN")))
		doctor_fault(o->doctor, "proxy", "Let the proxy in front pass that header on.",
			     "The header %s doesn't arrive: nobody can sign in.", name);
	else
		doctor_ok(o->doctor, "proxy", "The header %s arrives.", name);
}

/* --- the way back from a provider --------------------------------------------------------------- */

static const struct connector_type *first_oauth_type(const struct catalog *catalog)
{
	for (size_t i = 0; catalog && i < catalog_count(catalog); i++)
		if (catalog_at(catalog, i)->has_oauth2)
			return catalog_at(catalog, i);
	return NULL;
}

/* It is answered by the vault pool: a page that says that no sign-in was begun. */
static void look_at_callback(struct outside *o)
{
	const struct connector_type *type = first_oauth_type(o->doctor->catalog);
	const char *base = o->doctor->ctl->config->server_public_url;
	BUF_AUTO struct buf uri = { 0 };
	struct str path;

	if (!type)
		return;
	buf_init(&uri, TYPE_URI_MAX);
	if (oauth_redirect_uri(o->doctor->ctl->config, type->id, &uri) != OK)
		return;
	path = arena_copy(o->doctor->ctl->cx.arena,
			  str_slice(buf_str(&uri), strlen(base), SIZE_MAX));
	if (str_absent(path))
		return;
	if (!get(o, path.p))
		tell_unreachable(o);
	else if (o->answer.status == 400 &&
		 str_starts(str_of(o->answer.content_type), STR("text/html")))
		doctor_ok(o->doctor, "redirect",
			  "People who come back from a provider are answered.");
	else if (o->answer.status == 429)
		doctor_say(o->doctor, "redirect",
			   "The way back from a provider wasn't tried: too many requests.");
	else
		tell_stranger(o, path.p);
}

void doctor_look_from_outside(struct doctor *d)
{
	struct outside o = { .doctor = d };

	look_at_address(d);
	if (!open_policy(&o))
		return;
	buf_init(&o.body, ANSWER_MAX);
	look_at_certificate(&o);
	if (look_at_health(&o)) {
		look_at_readiness(&o);
		look_at_paths(&o);
		look_at_request_header(&o, "Authorization", "Bearer doctor");
		look_at_request_header(&o, "Cookie", "__Host-latchwork=doctor");
		look_at_callback(&o);
	}
	buf_done(&o.body);
	egress_policy_free(o.policy);
}
