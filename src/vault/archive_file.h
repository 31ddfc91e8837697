/*
 * The file of an encrypted archive: lines of text.
 *
 *	{"format":"latchwork archive 1","iterations":600000,"salt":"…","created_at":"…"}
 *	base64url(nonce | ciphertext | tag)          a record; any number of them
 *	{"end":2,"mac":"…"}
 *
 * Two keys come out of the passphrase (PBKDF2-HMAC-SHA256, then HKDF). A record is
 * sealed with AES-256-GCM; its AAD is its number and the SHA-256 chain of every line
 * before it, the header included. The last line's HMAC is over the number of records
 * and the whole chain. So a line that was changed, moved, repeated, taken out of this
 * or put in from another archive doesn't open, and a file that was cut off has no end.
 */
#ifndef LW_VAULT_ARCHIVE_FILE_H
#define LW_VAULT_ARCHIVE_FILE_H

#include <stdint.h>
#include <stdio.h>

#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/secret.h"
#include "base/str.h"
#include "crypt/hash.h"

enum {
	ARCHIVE_RECORD_MAX = 1 << 20, /* plain bytes */
	ARCHIVE_ITERATIONS = 600000,  /* OWASP Password Storage Cheat Sheet, PBKDF2-HMAC-SHA256 */
	ARCHIVE_ITERATIONS_MAX =
		10000000, /* of a file that is read: somebody else may have made it */
	ARCHIVE_WHY_MAX = 200
};

struct archive_keys {
	struct secret seal, mac;
};

struct archive_writer {
	FILE *out;
	struct archive_keys keys;
	uint64_t records;
	uint8_t chain[SHA256_BYTES];
};

/*
 * Writes the header. ERR_IO, or a failure of the key derivation; done with archive_writer_done in
 * any case.
 */
enum err archive_writer_start(struct archive_writer *writer, FILE *out,
			      const struct secret *passphrase, uint32_t iterations,
			      int64_t now_ms) MUST_CHECK;
enum err archive_put(struct archive_writer *writer, struct str plain) MUST_CHECK;
/* Writes the last line and flushes. Without it the archive is refused. */
enum err archive_finish(struct archive_writer *writer) MUST_CHECK;
/* Wipes the keys; the file is the caller's. NULL-safe. */
void archive_writer_done(struct archive_writer *writer);

struct archive_reader {
	FILE *in;
	struct archive_keys keys;
	uint64_t records; /* read so far */
	uint8_t chain[SHA256_BYTES];
	char *line;
	size_t line_size;
	char why[ARCHIVE_WHY_MAX]; /* for the operator, when something returned an error */
};

/* ERR_BAD_INPUT when it isn't such a file; ERR_IO. */
enum err archive_reader_start(struct archive_reader *reader, FILE *in,
			      const struct secret *passphrase) MUST_CHECK;
/*
 * The next record. ERR_END once the last line has proven that all of them were read; ERR_UNREADABLE
 * for a wrong passphrase or a line that isn't as it was written; ERR_BAD_INPUT for a file that ends
 * too early.
 */
enum err archive_next(struct archive_reader *reader, struct secret *ret_plain) MUST_CHECK;
/* NULL-safe. */
void archive_reader_done(struct archive_reader *reader);

#endif
