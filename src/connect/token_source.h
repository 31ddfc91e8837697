/* A credential as far as its tokens go: where they lie in its data, and what a renewal changes there. Of this room. */
#ifndef LW_CONNECT_TOKEN_SOURCE_H
#define LW_CONNECT_TOKEN_SOURCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/str.h"
#include "connect/token_request.h"
#include "connect/type.h"
#include "connect/values.h"
#include "core/ctx.h"
#include "vault/credential.h"
#include "vault/seal.h"

/* Texts are the arena's, which is wiped. */
struct token_source {
	struct id credential;
	struct str type, service, status;
	int64_t version;
	const json_t *data;
	bool in_extra; /* only oauth2 has members of its own for tokens */
	struct str access, refresh;
	struct str untried; /* perhaps the refresh token's successor: see token_change_untried */
	struct str scopes; /* separated by one space; absent: none are said */
	struct opt_int expires_at;
};

/* The newest version of a credential. Errors of vault_open_newest. */
enum err token_source_open(struct ctx *cx, const struct id *credential, struct token_source *ret_source) MUST_CHECK;
/* The same of one that was opened. */
enum err token_source_of(struct ctx *cx, const struct id *credential, const struct vault_opened *opened,
			 struct token_source *ret_source) MUST_CHECK;
/* That of a credential which the transaction has locked. */
enum err token_source_locked(struct ctx *cx, const struct credential *locked,
			     struct token_source *ret_source) MUST_CHECK;

/* What is stored can be handed out as it is. */
bool token_is_ready(const struct ctx *cx, const struct token_source *source);
/* It works for TOKEN_VALID_MS more, as far as anybody knows; or it works now. */
bool token_is_fresh(const struct token_source *source, int64_t now_ms);
bool token_is_alive(const struct token_source *source, int64_t now_ms);

/*
 * What an answer changes in the data, as a change for the vault: tokens, their end, scopes, and the values that `rules`
 * keep. `kept` (may be NULL) goes to `extra`, too. A refresh token that didn't come stays as it is.
 */
enum err token_change(struct ctx *cx, bool in_extra, const struct token_rules *rules, const struct token_answer *answer,
		      const struct values *kept, json_t **ret_change) MUST_CHECK;
/*
 * A refresh token out of an answer that is no good otherwise. Perhaps the provider has exchanged the old one for it,
 * and perhaps nothing in that answer is true: it is kept beside the old one, is tried first, and goes when it fails.
 * An absent text takes it away.
 */
enum err token_change_untried(struct ctx *cx, struct str refresh, struct str instead_of,
			      json_t **ret_change) MUST_CHECK;
/* Takes the tokens away. */
enum err token_change_revoked(struct ctx *cx, bool in_extra, json_t **ret_change) MUST_CHECK;

/*
 * When the background renews what was just stored: before the access token ends, and before the refresh token dies of
 * idleness. Not set: never. `exchanged`: the access token itself is what is renewed, so that it must never end.
 */
struct opt_int token_due_at(const struct ctx *cx, const struct token_rules *rules, struct opt_int expires_at,
			    struct opt_int refresh_expires_at, bool exchanged);

#endif
