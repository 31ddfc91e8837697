/*
 * The hooks that this process has read lately, so that most deliveries cost
 * one round trip: the one that stores them. That one finds out whether the hook
 * still is what it was (lw_intake); nothing else may be decided by a recalled one.
 */
#ifndef LW_HOOK_KNOWN_H
#define LW_HOOK_KNOWN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "crypt/hash.h"
#include "hook/hook.h"

/* By the hash of the address's secret. The texts are valid until the next hook_remember or hook_forget. */
bool hook_recall(const uint8_t secret_hash[SHA256_BYTES], struct hook *ret_hook) MUST_CHECK;
/* As it was read just now, in the place of what was known. What can't be kept isn't known. */
void hook_remember(const uint8_t secret_hash[SHA256_BYTES], const struct hook *hook);
void hook_forget(const uint8_t secret_hash[SHA256_BYTES]);

#endif
