#include <inttypes.h>

#include "base/clock.h"
#include "base/json_write.h"
#include "base/random.h"
#include "core/calls.h"
#include "crypt/encode.h"
#include "crypt/envelope.h"
#include "crypt/hash.h"
#include "crypt/keyring.h"
#include "hook/event.h"
#include "hook/forward.h"
#include "jobs/backoff.h"
#include "net/http.h"
#include "net/url.h"
#include "store/sql_event.h"
#include "store/sql_subscription.h"

#define SECRET_LABEL STR("latchwork subscription secret v1")

/* A body that isn't JSON becomes a JSON text, up to six times as long. */
enum { MESSAGE_MAX = 26 << 20, ANSWER_MAX = 64 << 10, TIMEOUT_MS = 15000, BUSY_MS = 1000 };
enum { SIGNATURE_MAX = 128, RECEIVER_MAX = 512, STATUS_GONE = 410, WISH_MAX_S = 24 * 3600 };

/* --- the secret -------------------------------------------------------------------- */

static struct byte_parts context_of(const struct id *tenant, const struct id *subscription, struct str parts[2])
{
	parts[0] = ID_BYTES(tenant);
	parts[1] = ID_BYTES(subscription);
	return (struct byte_parts){ parts, 2 };
}

enum err forward_new_secret(struct ctx *cx, const struct id *subscription, struct buf *text, struct buf *sealed)
{
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	struct str parts[2];

	TRY(secret_new(FORWARD_SECRET_BYTES, &secret));
	TRY(random_bytes(secret.p, secret.n));
	buf_add_c(text, "whsec_");
	base64_encode(text, secret_str(&secret));
	TRY(buf_error(text));
	return envelope_seal_with(keyring_current(cx->front_keys), SECRET_LABEL,
				  context_of(&cx->who.tenant, subscription, parts), secret_str(&secret), sealed);
}

static enum err open_secret(struct ctx *cx, const struct id *subscription, struct str sealed,
			    struct secret *ret_secret)
{
	const struct root_key *root;
	struct str root_id, parts[2];

	*ret_secret = SECRET_EMPTY;
	TRY(envelope_root_id(sealed, &root_id));
	TRY(keyring_find(cx->front_keys, root_id, NULL, &root));
	return envelope_open_with(root, SECRET_LABEL, context_of(&cx->who.tenant, subscription, parts), sealed,
				  ret_secret);
}

void forward_sign(const struct secret *secret, struct str id, int64_t timestamp_s, struct str body, struct buf *out)
{
	uint8_t mac[SHA256_BYTES];
	char number[STR_INT_MAX];

	hmac_sha256_of(secret, BYTES(id, STR("."), str_of_int(timestamp_s, number), STR("."), body), mac);
	buf_add_c(out, "v1,");
	base64_encode(out, (struct str){ (const char *)mac, sizeof(mac) });
}

/* --- the message --------------------------------------------------------------------- */

static enum err write_message(struct ctx *cx, const struct id *event_id, const struct sql_event_open_row *row,
			      struct buf *out)
{
	const struct event event = { EVENT_MEMBERS(*event_id, *row), .headers = row->headers, .body = row->body };
	struct json_writer w;

	jw_start(&w, out);
	event_write(cx->arena, &w, &event);
	return buf_error(out);
}

/* --- sending -------------------------------------------------------------------------- */

struct delivery {
	struct id event, subscription;
	bool failed_before; /* its subscription shows an error */
	struct str url;
	struct buf body, signature;
	char id[ID_TEXT_MAX];
	char timestamp[STR_INT_MAX];
};

static char to_lower(char c) { return char_is_letter(c) ? (char)(c | 0x20) : c; }

/*
 * Whom a call keeps busy, written in one way: a host's port, whatever the path, so that one that hangs doesn't take the
 * places of all others by having many addresses. What can't be read isn't called either.
 */
static struct str receiver_of(struct ctx *cx, struct str url)
{
	BUF_AUTO struct buf text = { 0 };
	struct url_place place;
	const char *why;

	if (!url_read(url, &place, &why))
		return url;
	buf_init(&text, RECEIVER_MAX);
	for (size_t i = 0; i < place.host.n; i++)
		buf_add_char(&text, to_lower(place.host.p[i]));
	buf_printf(&text, ":%u", place.port);
	return buf_error(&text) == OK ? arena_copy(cx->arena, buf_str(&text)) : STR_NONE;
}

static enum err post(struct ctx *cx, const struct delivery *d, struct str timestamp, struct http_answer *ret_answer)
{
	const struct http_header headers[] = {
		{ "Content-Type", STR("application/json") },
		{ "User-Agent", STR("Latchwork") },
		{ "webhook-id", str_of(d->id) },
		{ "webhook-timestamp", timestamp },
		{ "webhook-signature", buf_str(&d->signature) },
	};
	const struct http_request request = {
		.method = "POST",
		.url = d->url,
		.header = headers,
		.headers = ARRAY_SIZE(headers),
		.body = buf_str(&d->body),
		.timeout_ms = TIMEOUT_MS,
	};
	BUF_AUTO struct buf answer = { 0 };
	struct str receiver = receiver_of(cx, d->url);
	int place;
	enum err e;

	if (str_absent(receiver))
		return ERR_NO_MEMORY;
	buf_init(&answer, ANSWER_MAX);
	TRY(calls_enter(cx->calls, &cx->who.tenant, receiver, cx->config->limits_calls_per_tenant,
			cx->config->limits_calls_per_provider, cx->now_ms, cx->now_ms + 2 * TIMEOUT_MS, &place));
	e = http_fetch(&request, cx->egress, &answer, ret_answer);
	calls_leave(cx->calls, place);
	return e;
}

static enum err note_bad(struct ctx *cx, const struct id *subscription, struct str code)
{
	const struct sql_subscription_note_bad_in in = { .subscription_id = *subscription, .error_code = code };

	return sql_subscription_note_bad(cx->db, &in, NULL);
}

static enum err note_good(struct ctx *cx, void *arg)
{
	const struct delivery *d = arg;

	return sql_subscription_note_good(
		cx->db, &(struct sql_subscription_note_good_in){ .subscription_id = d->subscription }, NULL);
}

static enum err note_gone(struct ctx *cx, void *arg)
{
	const struct delivery *d = arg;

	const struct sql_subscription_end_in in = { .subscription_id = d->subscription, .error_code = STR("GONE") };

	return sql_subscription_end(cx->db, &in, NULL);
}

/* As many of the tenant's calls as may are under way: nobody has failed, and the try doesn't count. */
static enum err wait_for_others(struct ctx *cx, struct run *run)
{
	TRY(job_pause(cx, run->job, clock_now_ms() + BUSY_MS));
	run->finished = true;
	return OK;
}

/* It says how long it wants to be left alone (RFC 9110, section 10.2.3): the next try isn't before that. */
static void heed_wish(struct run *run, const struct http_answer *answer)
{
	int64_t ms = 1000 * (answer->retry_after_s < WISH_MAX_S ? answer->retry_after_s : WISH_MAX_S);

	if (ms > backoff_ms((unsigned)run->job->attempts, 0))
		run->retry_at = clock_now_ms() + ms;
}

/* The other side's words are nobody's business here: they may hold anything. */
static enum err judge(struct ctx *cx, struct run *run, struct delivery *d, const struct http_answer *answer, enum err e)
{
	struct str words;

	if (e == OK && answer->status >= 200 && answer->status < 300)
		return d->failed_before ? run_commit(cx, run, note_good, d) : OK;
	if (e == OK && answer->status == STATUS_GONE)
		return run_commit(cx, run, note_gone, d);
	if (e == ERR_PROVIDER_BUSY)
		return wait_for_others(cx, run);
	if (e != OK) {
		run->hopeless = e == ERR_HOST_FORBIDDEN || e == ERR_BAD_INPUT;
		TRY(note_bad(cx, &d->subscription, str_of(err_code(e))));
		return e;
	}
	heed_wish(run, answer);
	words = arena_printf(cx->arena, "The address answered with status %d.", answer->status);
	TRY(note_bad(cx, &d->subscription, STR("BAD_STATUS")));
	return ctx_fail(cx, ERR_UPSTREAM, str_absent(words) ? NULL : words.p);
}

static enum err send_to(struct ctx *cx, struct run *run, struct delivery *d, const struct sql_subscription_open_row *to)
{
	SECRET_AUTO struct secret secret = SECRET_EMPTY;
	struct http_answer answer = { 0 };
	int64_t now_s = clock_now_ms() / 1000;
	struct str timestamp = str_of_int(now_s, d->timestamp);

	TRY(open_secret(cx, &d->subscription, to->secret, &secret));
	d->failed_before = to->error_at.set;
	d->url = arena_copy(cx->arena, to->url);
	if (str_absent(d->url))
		return ERR_NO_MEMORY;
	(void)id_format(ID_EVENT, &d->event, d->id);
	forward_sign(&secret, str_of(d->id), now_s, buf_str(&d->body), &d->signature);
	TRY(buf_error(&d->signature));
	return judge(cx, run, d, &answer, post(cx, d, timestamp, &answer));
}

static void delivery_done(struct delivery *d)
{
	buf_done(&d->body);
	buf_done(&d->signature);
}

enum err job_event_deliver(struct ctx *cx, struct run *run)
{
	CLEANUP(delivery_done) struct delivery d = { .event = run->job->subject.v };
	struct sql_subscription_open_row to;
	struct sql_event_open_row event;
	enum err e;

	buf_init(&d.body, MESSAGE_MAX);
	buf_init(&d.signature, SIGNATURE_MAX);
	TRY(job_payload_id(cx->arena, run->job, "subscription_id", ID_SUBSCRIPTION, &d.subscription));
	e = sql_event_open(cx->db, &(struct sql_event_open_in){ .event_id = d.event }, &event);
	if (e == OK)
		e = write_message(cx, &d.event, &event, &d.body);
	if (e == OK)
		e = sql_subscription_open(
			cx->db, &(struct sql_subscription_open_in){ .subscription_id = d.subscription }, &to);
	/* The event's time is over, or nobody wants it any more. */
	if (e == ERR_NOT_FOUND || (e == OK && !to.active))
		return OK;
	return e == OK ? send_to(cx, run, &d, &to) : e;
}
