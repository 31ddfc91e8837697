/*
 * What a connector's secrets become for the front: sealed under its root key,
 * bound to tenant and connector. The vault makes them (hook_publish), the front
 * opens them for each delivery.
 */
#ifndef LW_HOOK_KEYS_H
#define LW_HOOK_KEYS_H

#include <stddef.h>

#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"
#include "hook/signature.h"

enum { HOOK_KEYS_MAX = 24, HOOK_KEYS_SEALED_MAX = 8192 };

/* A list of keys in the making or opened; wiped. */
struct key_list {
	struct secret plain; /* what the keys point into, when it was opened */
	struct buf text;     /* length-prefixed fields and bytes, in the making */
	struct hook_key v[HOOK_KEYS_MAX];
	size_t n;
};

#define KEY_LIST_AUTO CLEANUP(key_list_done)
void key_list_init(struct key_list *list);
void key_list_done(struct key_list *list);

/* Adds to what is in the making, unless it is there already. ERR_TOO_BIG. */
enum err key_list_add(struct key_list *list, struct str field, struct str bytes) MUST_CHECK;
/* Appends the sealed list of that connector of the scope's tenant. */
enum err key_list_seal(struct ctx *cx, const struct id *connector, const struct key_list *list,
		       struct buf *out) MUST_CHECK;
/* Adds the keys of a sealed list (absent: none) to `list`. ERR_UNREADABLE, ERR_NO_KEY. */
enum err key_list_open(struct ctx *cx, const struct id *connector, struct str sealed, struct key_list *list) MUST_CHECK;

#endif
