#include "identity/link.h"

#include "base/secret.h"
#include "crypt/token.h"
#include "identity/outbox.h"
#include "store/sql_link.h"

static struct str purpose_text(enum link_purpose purpose)
{
	return purpose == LINK_RESET ? STR("reset") : STR("verify");
}

static struct str hash_text(const uint8_t hash[TOKEN_HASH_BYTES])
{
	return (struct str){ (const char *)hash, TOKEN_HASH_BYTES };
}

enum err link_send(struct ctx *cx, enum link_purpose purpose, const struct id *user,
		   struct str email)
{
	SECRET_AUTO struct secret token = SECRET_EMPTY;
	uint8_t hash[TOKEN_HASH_BYTES];
	int64_t lifetime = purpose == LINK_RESET ? cx->config->auth_reset_link_ms
						 : cx->config->auth_verify_link_ms;
	struct sql_link_insert_in in = { .token_hash = hash_text(hash),
					 .purpose = purpose_text(purpose),
					 .user_id = *user,
					 .expires_at = cx->now_ms + lifetime };
	struct mail mail = { .kind = purpose == LINK_RESET ? MAIL_RESET : MAIL_VERIFY,
			     .recipient = email };

	TRY(token_new(NULL, &token, hash));
	TRY(sql_link_insert(cx->db, &in, NULL));
	mail.token = secret_str(&token);
	mail.expires_at = in.expires_at;
	return mail_enqueue(cx, &mail);
}

enum err link_redeem(struct ctx *cx, enum link_purpose purpose, struct str token,
		     struct id *ret_user, struct str *ret_email_key)
{
	uint8_t hash[TOKEN_HASH_BYTES];
	struct sql_link_lock_in in = { .token_hash = hash_text(hash),
				       .purpose = purpose_text(purpose) };
	struct sql_link_use_in use = { .token_hash = in.token_hash };
	struct sql_link_lock_row row;
	int64_t rows;
	enum err e;

	token_hash(token, hash);
	e = sql_link_lock(cx->db, &in, &row);
	if (e != OK)
		return e == ERR_NOT_FOUND ? ERR_LINK_USED : e;
	*ret_user = row.user_id;
	cx->audit.about_user = (struct opt_id){ true, row.user_id };
	ctx_audit_target(cx, ID_USER, &row.user_id);
	if (ret_email_key) {
		*ret_email_key =
			str_absent(row.email_key) ? STR_NONE : arena_copy(cx->arena, row.email_key);
		if (!str_absent(row.email_key) && str_absent(*ret_email_key))
			return ERR_NO_MEMORY;
	}
	TRY(sql_link_use(cx->db, &use, &rows));
	return rows == 1 ? OK : ERR_LINK_USED;
}

enum err link_retire(struct ctx *cx, enum link_purpose purpose, const struct id *user)
{
	struct sql_link_retire_in in = { .user_id = *user, .purpose = purpose_text(purpose) };

	return sql_link_retire(cx->db, &in, NULL);
}
