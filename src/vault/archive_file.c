#include "vault/archive_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/random.h"
#include "crypt/aead.h"
#include "crypt/encode.h"

enum { SALT_BYTES = 16, HEADER_MAX = 512, NUMBER_BYTES = 8 };

#define FORMAT "latchwork archive 1"

static void keys_done(struct archive_keys *keys)
{
	secret_done(&keys->seal);
	secret_done(&keys->mac);
}

static enum err derive(const struct secret *passphrase, struct str salt, uint32_t iterations,
		       struct archive_keys *ret_keys)
{
	SECRET_AUTO struct secret master = SECRET_EMPTY;

	TRY(pbkdf2_sha256(passphrase, salt, iterations, AEAD_KEY_BYTES, &master));
	TRY(hkdf_sha256(&master, STR_NONE, STR(FORMAT " records"), AEAD_KEY_BYTES,
			&ret_keys->seal));
	return hkdf_sha256(&master, STR_NONE, STR(FORMAT " end"), AEAD_KEY_BYTES, &ret_keys->mac);
}

static struct str chain_str(const uint8_t chain[SHA256_BYTES])
{
	return (struct str){ (const char *)chain, SHA256_BYTES };
}

static void chain_add(uint8_t chain[SHA256_BYTES], struct str line)
{
	uint8_t next[SHA256_BYTES];

	sha256_of(BYTES(chain_str(chain), line), next);
	memcpy(chain, next, sizeof(next));
}

static struct str number_text(uint64_t number, uint8_t bytes[NUMBER_BYTES])
{
	for (int i = 0; i < NUMBER_BYTES; i++)
		bytes[i] = (uint8_t)(number >> (8 * (NUMBER_BYTES - 1 - i)));
	return (struct str){ (const char *)bytes, NUMBER_BYTES };
}

/* What a record is bound to: its number and all that came before it. */
static void aad_of(struct buf *aad, uint64_t number, const uint8_t chain[SHA256_BYTES])
{
	uint8_t bytes[NUMBER_BYTES];

	buf_add_c(aad, FORMAT);
	buf_add_str(aad, number_text(number, bytes));
	buf_add_str(aad, chain_str(chain));
}

static void end_mac(const struct archive_keys *keys, uint64_t records,
		    const uint8_t chain[SHA256_BYTES], uint8_t ret_mac[SHA256_BYTES])
{
	uint8_t bytes[NUMBER_BYTES];

	hmac_sha256_of(&keys->mac, BYTES(number_text(records, bytes), chain_str(chain)), ret_mac);
}

/* --- writing ---------------------------------------------------------------- */

static enum err put_line(struct archive_writer *w, struct str line)
{
	if (fwrite(line.p, 1, line.n, w->out) != line.n || fputc('\n', w->out) == EOF)
		return ERR_IO;
	chain_add(w->chain, line);
	return OK;
}

enum err archive_writer_start(struct archive_writer *writer, FILE *out,
			      const struct secret *passphrase, uint32_t iterations, int64_t now_ms)
{
	uint8_t salt[SALT_BYTES];
	char salt_text[BASE64URL_CHARS(SALT_BYTES) + 1], time_text[TIME_TEXT_MAX];
	const struct str salt_str = { (const char *)salt, sizeof(salt) };
	struct json_writer w;
	BUF_AUTO struct buf line = { 0 };

	*writer = (struct archive_writer){ .out = out };
	buf_init(&line, HEADER_MAX);
	TRY(random_bytes(salt, sizeof(salt)));
	TRY(derive(passphrase, salt_str, iterations, &writer->keys));
	jw_start(&w, &line);
	jw_object(&w);
	jw_put_text(&w, "format", STR(FORMAT));
	jw_put_int(&w, "iterations", iterations);
	jw_put_text(&w, "salt", base64url_encode_to(salt_str, salt_text));
	jw_put_text(&w, "created_at", time_format(now_ms, time_text));
	jw_object_end(&w);
	TRY(buf_error(&line));
	return put_line(writer, buf_str(&line));
}

enum err archive_put(struct archive_writer *writer, struct str plain)
{
	BUF_AUTO struct buf aad = { 0 }, sealed = { 0 }, line = { 0 };

	buf_init(&aad, HEADER_MAX);
	buf_init(&sealed, ARCHIVE_RECORD_MAX + AEAD_OVERHEAD);
	buf_init(&line, BASE64URL_CHARS((size_t)ARCHIVE_RECORD_MAX + AEAD_OVERHEAD) + 1);
	aad_of(&aad, writer->records, writer->chain);
	TRY(buf_error(&aad));
	TRY(aead_seal(&writer->keys.seal, buf_str(&aad), plain, &sealed));
	base64url_encode(&line, buf_str(&sealed));
	TRY(buf_error(&line));
	writer->records++;
	return put_line(writer, buf_str(&line));
}

enum err archive_finish(struct archive_writer *writer)
{
	uint8_t mac[SHA256_BYTES];
	char mac_text[HEX_CHARS(SHA256_BYTES) + 1];

	end_mac(&writer->keys, writer->records, writer->chain, mac);
	hex_encode_to((struct str){ (const char *)mac, sizeof(mac) }, mac_text);
	if (fprintf(writer->out, "{\"end\":%" PRIu64 ",\"mac\":\"%s\"}\n", writer->records,
		    mac_text) < 0 ||
	    fflush(writer->out) != 0)
		return ERR_IO;
	return OK;
}

void archive_writer_done(struct archive_writer *writer)
{
	if (writer)
		keys_done(&writer->keys);
}

/* --- reading ---------------------------------------------------------------- */

static enum err fail(struct archive_reader *r, enum err e, const char *words)
{
	/* The header is line 1. */
	snprintf(r->why, sizeof(r->why), "line %" PRIu64 ": %s", r->records + 2, words);
	return e;
}

/* One line without its end; a line that isn't ended was cut off. */
static enum err read_line(struct archive_reader *r, struct str *ret_line)
{
	ssize_t n = getline(&r->line, &r->line_size, r->in);

	if (n < 0 && ferror(r->in))
		return fail(r, ERR_IO, "the file can't be read");
	if (n <= 0 || r->line[n - 1] != '\n')
		return fail(r, ERR_BAD_INPUT, "the archive was cut off here");
	*ret_line = (struct str){ r->line, (size_t)n - 1 };
	return OK;
}

struct header {
	uint8_t salt[SALT_BYTES];
	int64_t iterations;
};

static bool parse_header(struct arena *arena, struct str line, struct header *ret_header)
{
	json_t *json;

	return line.n <= HEADER_MAX && json_read(arena, line, &json, NULL) == OK &&
	       str_eq(json_member_text(json, "format"), STR(FORMAT)) &&
	       json_integer_of(json_member(json, "iterations"), &ret_header->iterations) &&
	       ret_header->iterations > 0 && ret_header->iterations <= ARCHIVE_ITERATIONS_MAX &&
	       base64url_decode_to(json_member_text(json, "salt"), ret_header->salt, SALT_BYTES);
}

enum err archive_reader_start(struct archive_reader *reader, FILE *in,
			      const struct secret *passphrase)
{
	struct arena *arena = arena_new(64 << 10);
	struct header header;
	struct str line;
	bool good;

	*reader = (struct archive_reader){ .in = in };
	if (!arena)
		return ERR_NO_MEMORY;
	good = read_line(reader, &line) == OK && parse_header(arena, line, &header);
	arena_free(arena);
	if (!good) {
		snprintf(reader->why, sizeof(reader->why),
			 "line 1: this isn't a Latchwork archive");
		return ERR_BAD_INPUT;
	}
	chain_add(reader->chain, line);
	return derive(passphrase, (struct str){ (const char *)header.salt, SALT_BYTES },
		      (uint32_t)header.iterations, &reader->keys);
}

/* Exactly as archive_finish wrote it, and then nothing. */
static enum err check_end(struct archive_reader *r, struct str line)
{
	uint8_t mac[SHA256_BYTES];
	char mac_text[HEX_CHARS(SHA256_BYTES) + 1], wanted[HEADER_MAX];
	int n;

	end_mac(&r->keys, r->records, r->chain, mac);
	hex_encode_to((struct str){ (const char *)mac, sizeof(mac) }, mac_text);
	n = snprintf(wanted, sizeof(wanted), "{\"end\":%" PRIu64 ",\"mac\":\"%s\"}", r->records,
		     mac_text);
	if (line.n != (size_t)n || !bytes_eq_constant_time(line.p, wanted, line.n))
		return fail(r, ERR_UNREADABLE,
			    "the passphrase is wrong, or the archive isn't whole");
	if (fgetc(r->in) != EOF)
		return fail(r, ERR_UNREADABLE, "something follows the end");
	return ERR_END;
}

enum err archive_next(struct archive_reader *reader, struct secret *ret_plain)
{
	BUF_AUTO struct buf aad = { 0 }, sealed = { 0 };
	struct str line;
	enum err e;

	*ret_plain = SECRET_EMPTY;
	buf_init(&aad, HEADER_MAX);
	buf_init(&sealed, ARCHIVE_RECORD_MAX + AEAD_OVERHEAD);
	TRY(read_line(reader, &line));
	if (line.n > 0 && line.p[0] == '{')
		return check_end(reader, line);
	aad_of(&aad, reader->records, reader->chain);
	TRY(buf_error(&aad));
	e = base64url_decode(&sealed, line);
	if (e == OK)
		e = aead_open(&reader->keys.seal, buf_str(&aad), buf_str(&sealed), ret_plain);
	if (e == ERR_NO_MEMORY)
		return e;
	if (e != OK)
		return fail(reader, ERR_UNREADABLE,
			    "the passphrase is wrong, or the archive was changed here");
	chain_add(reader->chain, line);
	reader->records++;
	return OK;
}

void archive_reader_done(struct archive_reader *reader)
{
	if (!reader)
		return;
	keys_done(&reader->keys);
	free(reader->line);
	reader->line = NULL;
}
