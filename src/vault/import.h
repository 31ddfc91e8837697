/*
 * Reading the credentials of an earlier backend: JSON lines whose secrets are
 * Fernet tokens.
 *
 *	{"name": "Stripe live", "type": "api_key", "service": "stripe", "token": "gAAAAA…"}
 *
 * The token holds a JSON object, the credential's `data`; what the type doesn't
 * know goes into `extra`. A token of an api_key may hold just the key. Other
 * members of a line are ignored, unless one looks like a token: leaving that out would
 * lose a secret, so the line fails.
 *
 * A line's credential gets an id that follows from the line: a second import of
 * the same file stores nothing twice, and one that was cut off goes on.
 */
#ifndef LW_VAULT_IMPORT_H
#define LW_VAULT_IMPORT_H

#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/ctx.h"

struct vault_imported {
	int64_t stored;
	int64_t known; /* imported before */
	int64_t failed;
};

struct vault_import {
	FILE *in;
	const struct secret *key; /* FERNET_KEY_BYTES */
	/*
	 * Told of each line that failed, counted from 1, and why; no word of its contents. May be
	 * NULL.
	 */
	void (*failed)(void *arg, int64_t line, const char *why);
	void *arg;
};

/*
 * Stores what can be read for the scope's tenant; cx->who.user owns it. Each line is a transaction
 * of its own with an audit row. Failed lines don't end it; OK then, too: look at the counts. Errors
 * are the database's, the keys' and ERR_IO.
 */
enum err vault_import_fernet(struct ctx *cx, const struct vault_import *import,
			     struct vault_imported *ret_imported) MUST_CHECK;

#endif
