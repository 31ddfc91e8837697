#include "hook/visit.h"

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "connect/call.h"
#include "connect/catalog.h"
#include "connect/pattern.h"
#include "jobs/bell.h"

enum { ADDRESS_MAX = 2048, ANSWER_MAX = 64 << 10, BUSY_MS = 1000 };

static bool is_address(const struct hook_handshake *handshake, struct str address)
{
	return !str_absent(handshake->visit) && !str_absent(address) && address.n <= ADDRESS_MAX &&
	       pattern_holds(handshake->visit_address, address);
}

enum err hook_visit_later(struct ctx *cx, const struct hook *hook, const struct hook_handshake *handshake,
			  const struct hook_delivery *delivery)
{
	struct str address = hook_value(delivery, handshake->visit);
	BUF_AUTO struct buf payload = { 0 };
	struct json_writer w;

	if (!is_address(handshake, address))
		return ERR_DENIED;
	buf_init(&payload, JOB_PAYLOAD_MAX);
	jw_start(&w, &payload);
	jw_object(&w);
	jw_put_text(&w, "type", hook->type);
	jw_put_text(&w, "url", address);
	jw_object_end(&w);
	TRY(buf_error(&payload));
	const struct job_new new = { .kind = JOB_HOOK_VISIT,
				     .subject = { true, hook->connector },
				     .payload = buf_str(&payload),
				     .once = address };

	TRY(job_add(cx, &new, NULL));
	bell_ring(cx->config->worker_bell);
	return OK;
}

/* --- in the worker -------------------------------------------------------------------------- */

/* The type, as it is today, says which addresses are its own; the front isn't asked. */
static bool may_visit(struct ctx *cx, struct str type_id, struct str address)
{
	const struct connector_type *type = catalog_find(cx->catalog, type_id);
	struct hook_scheme scheme;
	const char *why;

	if (!type || hook_scheme_read(json_member(type->file, "webhook"), &scheme, &why) != OK)
		return false;
	for (size_t i = 0; i < scheme.handshakes; i++)
		if (is_address(&scheme.handshake[i], address))
			return true;
	return false;
}

static enum err visit(struct ctx *cx, struct run *run, struct str address)
{
	BUF_AUTO struct buf body = { 0 };
	struct http_answer answer;

	buf_init(&body, ANSWER_MAX);
	TRY(call_fetch(cx, &(struct http_request){ .method = "GET", .url = address }, &body, &answer));
	if (answer.status >= 200 && answer.status < 300)
		return OK;
	run->hopeless = answer.status >= 400 && answer.status < 500 && answer.status != 429;
	return ERR_UPSTREAM;
}

/* As many of the tenant's calls, or of those to the provider, as may are under way: the try doesn't count. */
static enum err wait_for_others(struct ctx *cx, struct run *run)
{
	TRY(job_pause(cx, run->job, clock_now_ms() + BUSY_MS));
	run->finished = true;
	return OK;
}

enum err job_hook_visit(struct ctx *cx, struct run *run)
{
	struct str type, address;
	json_t *payload;
	enum err e;

	TRY(json_read(cx->arena, run->job->payload, &payload, NULL));
	type = json_member_text(payload, "type");
	address = json_member_text(payload, "url");
	if (!may_visit(cx, type, address)) {
		run->hopeless = true;
		return ERR_HOST_FORBIDDEN;
	}
	e = visit(cx, run, address);
	return e == ERR_PROVIDER_BUSY ? wait_for_others(cx, run) : e;
}
