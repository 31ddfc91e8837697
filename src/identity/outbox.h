/*
 * The outbox: mails that are to be sent.
 *
 * A mail is a row in the transaction of what it tells of. What it says holds a
 * link that works, so it is sealed with a key from the front's root key; who
 * reads the database alone can't use it.
 */
#ifndef LW_IDENTITY_OUTBOX_H
#define LW_IDENTITY_OUTBOX_H

#include <stdint.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "crypt/keyring.h"

enum mail_kind {
#define MAIL_KIND(name, text, page, words, before, after) MAIL_##name,
#include "identity/mail_kinds.def"
#undef MAIL_KIND
	MAIL_KIND_COUNT
};

/* Text for its subject line. */
const char *mail_kind_words(enum mail_kind kind);

struct mail {
	enum mail_kind kind;
	struct str recipient;
	struct str token;       /* goes into the link */
	int64_t expires_at;     /* of the link */
	struct str tenant_name; /* of an invitation; else absent */
	struct str inviter;     /* the same */
};

/* Puts the mail into the outbox: a row of the transaction that is open. */
enum err mail_enqueue(struct ctx *cx, const struct mail *mail) MUST_CHECK;

/*
 * What a row of the outbox says: JSON {kind, link, expires_at, tenant_name, inviter}. ERR_UNREADABLE when the
 * row was changed or moved, ERR_NO_KEY when its root key is gone.
 */
enum err mail_open(struct keyring *front_keys, const struct id *mail_id, struct str recipient,
		   struct str payload, struct secret *ret_json) MUST_CHECK;

#endif
