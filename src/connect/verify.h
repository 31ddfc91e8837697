/* Trying a connection for real: the provider's verification request, a login, a signed call. */
#ifndef LW_CONNECT_VERIFY_H
#define LW_CONNECT_VERIFY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "connect/call.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"
#include "net/login.h"

/* The codes of an outcome; "" for success. */
enum verify_code {
#define VERIFY_CODE(name, words) VERIFY_##name,
#include "connect/verify_codes.def"
#undef VERIFY_CODE
	VERIFY_CODES
};

/* In verify_code.c: the public code, "" for VERIFY_OK; and words for a person. */
const char *verify_code_text(enum verify_code code);
const char *verify_code_words(enum verify_code code);

struct verify_outcome {
	enum verify_code code;
	struct str message; /* safe words; absent: those of the code */
	int64_t latency_ms;
	struct str account_id, account_label; /* absent: not known */
};

enum { VERIFY_ACCOUNT_CHARS = 255 };

/*
 * Tries a connection of that type and way with these values: UNSUPPORTED when the type says no way to. What a client
 * that acts for itself or a service account needs in the way of a token is fetched; a person's access token is
 * among the values (token.h). Errors are ours (memory, database) or ERR_PROVIDER_BUSY; what the provider says is
 * the outcome. Texts are the arena's or static. No transaction may be open.
 */
enum err verify_connection(struct ctx *cx, const struct connector_type *type,
			   const struct auth_way *way, const struct values *values,
			   struct verify_outcome *ret_outcome) MUST_CHECK;

/* --- its parts (verify_http.c, verify_login.c) --- */
/* The pure halves of an HTTP verification, for the vectors. */
enum err verify_request_make(const struct connector_type *type, const struct auth_way *way,
			     const struct verify_spec *spec, const struct values *values,
			     int64_t now_ms, struct call *call, struct str *ret_missing) MUST_CHECK;
enum err verify_answer_read(struct arena *arena, const struct verify_spec *spec,
			    const struct values *values, const struct http_answer *answer,
			    struct str body, struct verify_outcome *ret_outcome) MUST_CHECK;
enum err verify_http(struct ctx *cx, const struct connector_type *type, const struct auth_way *way,
		     const struct verify_spec *spec, const struct values *values,
		     struct verify_outcome *ret_outcome) MUST_CHECK;
/* The values as a login. ERR_END: they aren't one, and the outcome says why. */
enum err verify_login_read(enum verify_kind kind, const struct values *values, struct login *ret_login,
			   struct verify_outcome *ret_outcome) MUST_CHECK;
enum err verify_login(struct ctx *cx, const struct verify_spec *spec, const struct values *values,
		      struct verify_outcome *ret_outcome) MUST_CHECK;
/* No request was made: ERR_BAD_INPUT and ERR_HOST_FORBIDDEN of call_make are outcomes, all else is returned. */
enum err verify_not_made(struct ctx *cx, enum err e, struct str missing,
			 struct verify_outcome *ret_outcome) MUST_CHECK;
/* No answer came: likewise for the errors of call_send. */
enum err verify_not_answered(enum err e, enum http_failure failure,
			     struct verify_outcome *ret_outcome) MUST_CHECK;
/* The arena's copy without control characters, of at most VERIFY_ACCOUNT_CHARS; absent for nothing. */
struct str verify_plain_text(struct arena *arena, struct str text);
/*
 * The account out of the sources of `spec`: `json` is the answer and `answer` its headers, of which both may be NULL.
 */
void verify_account(struct arena *arena, const struct verify_spec *spec,
		    const struct values *values, const struct http_answer *answer,
		    const json_t *json, struct verify_outcome *outcome);

#endif
