/*
 * What a provider's refusal means, by its own words where they are known and by
 * the status otherwise. Its message is looked at here and shown to nobody: it may
 * hold the key, the prompt, or another customer's quota.
 */
#include <string.h>

#include "ai/wire.h"
#include "base/json_read.h"

enum { DETAILS_MAX = 16, NANO_DIGITS = 9 };

const json_t *refusal_in(const json_t *json)
{
	const json_t *error = json_member(json, "error");

	/* A list of answers whose one element is an error: a Gemini stream that never began. */
	if (!error && json_is_kind(json, JSON_ARRAY) && json_length(json) > 0)
		error = json_member(json_item(json, 0), "error");
	return json_is_kind(error, JSON_NULL) ? NULL : error;
}

/* Members of the error that name it: Gemini's `status` and reasons, `type` and `code` of the others. */
static enum err by_word(struct str word)
{
	static const struct {
		struct str word;
		enum err e;
	} WORDS[] = {
		{ STR("API_KEY_INVALID"), ERR_AI_KEY_REFUSED },
		{ STR("API_KEY_EXPIRED"), ERR_AI_KEY_REFUSED },
		{ STR("API_KEY_SERVICE_BLOCKED"), ERR_AI_KEY_REFUSED },
		{ STR("UNAUTHENTICATED"), ERR_AI_KEY_REFUSED },
		{ STR("PERMISSION_DENIED"), ERR_AI_KEY_REFUSED },
		{ STR("invalid_api_key"), ERR_AI_KEY_REFUSED },
		{ STR("authentication_error"), ERR_AI_KEY_REFUSED },
		{ STR("permission_error"), ERR_AI_KEY_REFUSED },
		{ STR("RESOURCE_EXHAUSTED"), ERR_AI_QUOTA },
		{ STR("insufficient_quota"), ERR_AI_QUOTA },
		{ STR("rate_limit_exceeded"), ERR_AI_QUOTA },
		{ STR("rate_limit_error"), ERR_AI_QUOTA },
		{ STR("billing_error"), ERR_AI_QUOTA },
		{ STR("billing_hard_limit_reached"), ERR_AI_QUOTA },
		{ STR("context_length_exceeded"), ERR_AI_TOO_LONG },
		{ STR("string_above_max_length"), ERR_AI_TOO_LONG },
		{ STR("request_too_large"), ERR_AI_TOO_LONG },
		{ STR("model_not_found"), ERR_AI_MODEL_UNKNOWN },
		{ STR("not_found_error"), ERR_AI_MODEL_UNKNOWN },
		{ STR("NOT_FOUND"), ERR_AI_MODEL_UNKNOWN },
		{ STR("content_filter"), ERR_AI_BLOCKED },
		{ STR("content_policy_violation"), ERR_AI_BLOCKED },
		{ STR("DEADLINE_EXCEEDED"), ERR_AI_TIMEOUT },
		{ STR("timeout_error"), ERR_AI_TIMEOUT },
		{ STR("UNAVAILABLE"), ERR_AI_UNAVAILABLE },
		{ STR("INTERNAL"), ERR_AI_UNAVAILABLE },
		{ STR("overloaded_error"), ERR_AI_UNAVAILABLE },
		{ STR("api_error"), ERR_AI_UNAVAILABLE },
		{ STR("server_error"), ERR_AI_UNAVAILABLE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++)
		if (str_eq(WORDS[i].word, word))
			return WORDS[i].e;
	return OK;
}

/* Where only the message tells: two providers call a prompt that is too long an invalid request, and no more. */
static enum err by_message(struct str message)
{
	static const struct {
		struct str part;
		enum err e;
	} PARTS[] = {
		{ STR("prompt is too long"), ERR_AI_TOO_LONG },
		{ STR("maximum context length"), ERR_AI_TOO_LONG },
		{ STR("exceeds the maximum number of tokens"), ERR_AI_TOO_LONG },
		{ STR("credit balance is too low"), ERR_AI_QUOTA },
		{ STR("API key not valid"), ERR_AI_KEY_REFUSED },
	};

	for (size_t i = 0; i < ARRAY_SIZE(PARTS) && !str_absent(message); i++)
		if (memmem(message.p, message.n, PARTS[i].part.p, PARTS[i].part.n))
			return PARTS[i].e;
	return OK;
}

/* "34.07s", rounded up (google.protobuf.Duration). */
static int64_t seconds_of(struct str text)
{
	struct str fraction, whole;
	uint64_t seconds;

	if (!str_ends(text, STR("s")))
		return -1;
	fraction = str_slice(text, 0, text.n - 1);
	whole = str_cut(&fraction, '.');
	if (!str_to_u64(whole, &seconds) || seconds > INT32_MAX || fraction.n > NANO_DIGITS)
		return -1;
	return (int64_t)seconds + (fraction.n > 0);
}

static enum err by_details(const json_t *details, int64_t *ret_wait_s)
{
	enum err e = OK;

	for (size_t i = 0; i < json_length(details) && i < DETAILS_MAX; i++) {
		const json_t *detail = json_item(details, i);
		struct str delay = json_member_text(detail, "retryDelay");

		if (!str_absent(delay))
			*ret_wait_s = seconds_of(delay);
		if (e == OK)
			e = by_word(json_member_text(detail, "reason"));
	}
	return e;
}

static enum err by_status(int status)
{
	switch (status) {
	case 401:
	case 403: return ERR_AI_KEY_REFUSED;
	case 402:
	case 429: return ERR_AI_QUOTA;
	case 404: return ERR_AI_MODEL_UNKNOWN;
	case 408:
	case 504: return ERR_AI_TIMEOUT;
	case 413: return ERR_AI_TOO_LONG;
	default: return status >= 500 || status == 200 ? ERR_AI_UNAVAILABLE : ERR_AI_REFUSED;
	}
}

enum err refusal_of(int status, const json_t *json, int64_t *ret_wait_s)
{
	static const char *const MEMBERS[] = { "code", "status", "type" };
	const json_t *error = refusal_in(json);
	int64_t code;
	enum err e;

	*ret_wait_s = -1;
	e = by_details(json_member(error, "details"), ret_wait_s);
	if (e == OK)
		e = by_message(json_member_text(error, "message"));
	for (size_t i = 0; i < ARRAY_SIZE(MEMBERS) && e == OK; i++)
		e = by_word(json_member_text(error, MEMBERS[i]));
	if (e != OK)
		return e;
	if (status == 200 && json_integer_of(json_member(error, "code"), &code) && code >= 400 &&
	    code < 600)
		status = (int)code;
	return by_status(status);
}
