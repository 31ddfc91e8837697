/* Credentials as answers show them. */
#ifndef LW_VAULT_ANSWER_H
#define LW_VAULT_ANSWER_H

#include "base/json_write.h"
#include "vault/credential.h"

/* The masked object. Nothing is decrypted for it. */
void vault_write_credential(struct json_writer *w, const struct credential *credential);
void vault_write_verification(struct json_writer *w, const struct vault_verification *verify);

/* The object as a whole answer, with its entity tag; 304 where the client has that already. */
enum err vault_answer(struct ctx *cx, struct reply *reply, const struct credential *credential) MUST_CHECK;

/*
 * What a row keeps of this object (its column `answer`), so that a read neither fetches the columns nor makes JSON of
 * them: the format's number, the entity tag, the object. When nothing was kept, or another version of this program
 * kept it, the text is absent or of another format, and the object is made of the columns.
 */
enum { VAULT_ANSWER_MAX = 4000 }; /* bytes of such a text: an object that is larger isn't kept */
struct kept_answer {
	struct str tag;
	struct str json;
};
void vault_keep_answer(struct buf *out, const struct credential *credential);
/* The parts are borrowed from the text. False when it can't be used. */
bool vault_take_answer(struct str kept, struct kept_answer *ret_answer) MUST_CHECK;
/* The id of an object that was taken. ERR_INTERNAL. */
enum err vault_answer_id(const struct kept_answer *answer, struct id *ret_id) MUST_CHECK;

/* A write that changed nothing makes an audit row too, which says so: whoever tries a guess of a
 * secret by writing it leaves a trace. */
void vault_note_change(struct ctx *cx, bool changed);

#endif
