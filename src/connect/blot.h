/*
 * Secrets that come back. Whoever was sent one can say it again: in a header, in an answer, a few characters at a
 * time, or spelled in another way. What is kept or shown of an answer passes through here first.
 */
#ifndef LW_CONNECT_BLOT_H
#define LW_CONNECT_BLOT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/json_write.h"
#include "base/str.h"
#include "connect/type.h"

/* Whether one of them is in the text. One of a few characters is in too many others to mean a secret. */
bool blot_finds(struct str text, struct texts secrets);
/*
 * The secrets together with what they look like percent-encoded, in base64 (wherever in it they begin), in hex and
 * within a JSON string. All of it is the arena's but the secrets themselves.
 */
enum err blot_spellings(struct arena *arena, struct texts secrets, struct texts *ret_all) MUST_CHECK;

/* A whole text, **** for each secret: as it is, or a copy in the arena. */
enum err blot_text(struct arena *arena, struct texts secrets, struct str *text) MUST_CHECK;
/* Writes the value so, names of members included; a number in which there is one becomes a text. */
enum err blot_json(struct arena *arena, struct texts secrets, const json_t *value, struct json_writer *w) MUST_CHECK;

/* --- a text that comes in pieces --- */
typedef enum err (*blot_listener)(void *arg, struct str text);

struct blot {
	struct texts secrets;
	struct buf held; /* the end of what came, as far as a secret may begin there */
	blot_listener listen;
	void *arg;
};

/* The listener hears the text with **** for each secret. It may be NULL. */
void blot_init(struct blot *blot, struct texts secrets, blot_listener listen, void *arg);
void blot_done(struct blot *blot);
/* A blot_listener; `arg` is the blot. */
enum err blot_listen(void *arg, struct str text) MUST_CHECK;
/* The text is over: what was held back isn't a secret. */
enum err blot_end(struct blot *blot) MUST_CHECK;

#endif
