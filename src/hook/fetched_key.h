/*
 * Keys that a provider publishes at an address: a certificate at one that the
 * delivery names, or its issuer's set of keys.
 *
 * The front, which checks deliveries, can't call out. It notes which key it
 * needs and asks the provider to send again; the worker fetches it
 * (fetch_keys.h). Only addresses that the type declares are ever noted, a few
 * for each connector, so that whoever knows a connector's address can neither
 * have something else fetched nor crowd out what others wait for.
 */
#ifndef LW_HOOK_FETCHED_KEY_H
#define LW_HOOK_FETCHED_KEY_H

#include "base/attr.h"
#include "base/err.h"
#include "base/str.h"
#include "core/ctx.h"
#include "hook/delivery.h"
#include "hook/hook.h"
#include "hook/keys.h"
#include "hook/scheme.h"

enum { HOOK_KEY_ADDRESS_MAX = 512, HOOK_KEY_DOCUMENT_MAX = 65535 };

/* Whether the scheme takes keys from that address, and for which proof. */
const struct hook_proof *hook_proof_of_address(const struct hook_scheme *scheme, struct str address);

/*
 * Adds the fetched keys that the delivery is to be checked with, each under its address, to `list`; the texts are the
 * arena's. None for an address that isn't the type's, or where no good key is: then nothing is genuine.
 * ERR_NO_HOOK_KEY: one isn't here yet, and was asked for.
 */
enum err hook_add_fetched_keys(struct ctx *cx, const struct hook *hook, const struct hook_scheme *scheme,
			       const struct hook_delivery *delivery, struct key_list *list) MUST_CHECK;

#endif
