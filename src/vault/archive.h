/*
 * The encrypted archive of a tenant's credentials: `latchctl export` and
 * `latchctl restore`. The file's form is in archive_file.h. Each of its records
 * is one JSON object, a credential or one version of the credential before it,
 * the newest version first:
 *
 *	{"credential": {"id", "name", "type", …}}
 *	{"version": {"version", "created_by", "created_at", "data"}}
 *
 * All of these work for the scope's tenant, outside of a transaction.
 */
#ifndef LW_VAULT_ARCHIVE_H
#define LW_VAULT_ARCHIVE_H

#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "core/ctx.h"
#include "vault/archive_file.h"
#include "vault/rotate.h"

struct vault_archived {
	int64_t credentials;
	int64_t versions;
	int64_t unreadable; /* versions that don't open and so aren't in the archive */
};

/*
 * Writes every credential that isn't deleted, with its history, to `out`, and one audit row. A
 * credential whose newest version doesn't open is left out. On an error the file has no end and
 * can't be restored.
 */
enum err vault_export(struct ctx *cx, const struct secret *passphrase, FILE *out,
		      const struct vault_progress *progress,
		      struct vault_archived *ret_archived) MUST_CHECK;

/*
 * Reads all of it and writes nothing. Errors as archive_next; `ret_why` has the line and what is
 * wrong.
 */
enum err vault_verify_archive(struct ctx *cx, const struct secret *passphrase, FILE *in,
			      char ret_why[ARCHIVE_WHY_MAX],
			      struct vault_archived *ret_archived) MUST_CHECK;

/*
 * Verifies the archive, which must be a file that can be read twice, and then stores all of it in
 * one transaction: all or nothing. A credential keeps its id unless the tenant has one of that id;
 * what was a service's API key (/keys) becomes an ordinary credential when the service has another.
 */
enum err vault_restore_archive(struct ctx *cx, const struct secret *passphrase, FILE *in,
			       const struct vault_progress *progress, char ret_why[ARCHIVE_WHY_MAX],
			       struct vault_archived *ret_archived) MUST_CHECK;

#endif
