/*
 * Which stored tokens this process has handed out, and how long they work. Nothing relies on it: it chooses between two
 * ways to the same answer. A token that was fresh is expected to be so still and may be asked for together with others;
 * of any other the answer may take a provider's time, for which nobody else is to wait.
 */
#ifndef LW_CONNECT_TOKEN_HINT_H
#define LW_CONNECT_TOKEN_HINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/id.h"

bool token_hint_is_fresh(const struct id *credential, int64_t now_ms);
/* `expires_at` isn't set: it works for ever. */
void token_hint_note(const struct id *credential, struct opt_int expires_at);
/* It isn't there any more as it was. */
void token_hint_forget(const struct id *credential);

#endif
