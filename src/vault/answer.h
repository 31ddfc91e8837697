/* Credentials as answers show them. */
#ifndef LW_VAULT_ANSWER_H
#define LW_VAULT_ANSWER_H

#include "base/json_write.h"
#include "vault/credential.h"

/* The masked object. Nothing is decrypted for it. */
void vault_write_credential(struct json_writer *w, const struct credential *credential);
void vault_write_verification(struct json_writer *w, const struct vault_verification *verify);
/* A write that changed nothing makes an audit row too, which says so: whoever tries a guess of a
 * secret by writing it leaves a trace. */
void vault_note_change(struct ctx *cx, bool changed);

#endif
