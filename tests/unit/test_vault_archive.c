/*
 * Archives that were tampered with are refused before anything is written; whole ones come back
 * whole.
 */
#include "vault_support.h"

#include "base/arena.h"
#include "base/json_write.h"
#include "crypt/fernet.h"
#include "vault/archive.h"
#include "vault/import.h"
#include "vault_fernet_tokens.h"

enum { FEW = 1000 }; /* iterations: tests needn't wait for a slow key derivation */

static struct secret passphrase(const char *text)
{
	struct secret secret;

	assert_ok(secret_copy(text, strlen(text), &secret));
	return secret;
}

struct lines {
	char *line[16];
	size_t n;
};

/* An archive of four records, line by line. */
static void make_archive(const struct secret *pass, struct lines *ret_lines)
{
	struct archive_writer writer;
	FILE *file = tmpfile();
	char *line = NULL;
	size_t size = 0;

	assert_non_null(file);
	assert_ok(archive_writer_start(&writer, file, pass, FEW, 1000));
	for (int i = 0; i < 4; i++) {
		char record[32];

		snprintf(record, sizeof(record), "{\"record\":%d}", i);
		assert_ok(archive_put(&writer, str_of(record)));
	}
	assert_ok(archive_finish(&writer));
	archive_writer_done(&writer);
	rewind(file);
	for (ret_lines->n = 0; getline(&line, &size, file) > 0; line = NULL, size = 0)
		ret_lines->line[ret_lines->n++] = line;
	free(line);
	fclose(file);
	assert_int_equal(ret_lines->n, 6);
}

static void free_lines(struct lines *lines)
{
	for (size_t i = 0; i < lines->n; i++)
		free(lines->line[i]);
}

/* Reads all of it: how many records came, and what ended it. */
static enum err read_archive(const struct secret *pass, const char *text, size_t n,
			     int *ret_records)
{
	FILE *file = fmemopen((void *)(uintptr_t)text, n, "r");
	struct archive_reader reader;
	enum err e;

	assert_non_null(file);
	*ret_records = 0;
	e = archive_reader_start(&reader, file, pass);
	while (e == OK) {
		SECRET_AUTO struct secret plain = SECRET_EMPTY;

		e = archive_next(&reader, &plain);
		*ret_records += e == OK;
	}
	if (e != ERR_END)
		assert_true(reader.why[0] != '\0');
	archive_reader_done(&reader);
	fclose(file);
	return e;
}

static void join(const struct lines *lines, const int *order, struct buf *out)
{
	buf_init(out, 1 << 20);
	for (; *order >= 0; order++)
		buf_add_c(out, lines->line[*order]);
}

static void a_whole_archive_is_read_to_its_end(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	BUF_AUTO struct buf text = { 0 };
	struct lines lines;
	int records;

	(void)state;
	make_archive(&pass, &lines);
	join(&lines, (const int[]){ 0, 1, 2, 3, 4, 5, -1 }, &text);
	assert_int_equal(read_archive(&pass, text.p, text.n, &records), ERR_END);
	assert_int_equal(records, 4);
	free_lines(&lines);
}

static void an_archive_with_lines_missing_moved_or_repeated_is_refused(void **state)
{
	static const int orders[][8] = {
		{ 0, 1, 2, 3, 4, -1 },       /* no end */
		{ 0, 1, 2, 3, 5, -1 },       /* the last record is missing */
		{ 0, 1, 3, 4, 5, -1 },       /* one in the middle */
		{ 0, 2, 3, 4, 5, -1 },       /* the first */
		{ 0, 2, 1, 3, 4, 5, -1 },    /* exchanged */
		{ 0, 1, 1, 2, 3, 4, 5, -1 }, /* repeated */
		{ 0, 5, -1 },                /* nothing but the end */
		{ 0, 1, 2, 3, 4, 5, 5, -1 }, /* something behind the end */
		{ 1, 2, 3, 4, 5, -1 },       /* no header */
		{ 0, -1 },
	};
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	struct lines lines;
	int records;

	(void)state;
	make_archive(&pass, &lines);
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		BUF_AUTO struct buf text = { 0 };
		enum err e;

		join(&lines, orders[i], &text);
		e = read_archive(&pass, text.p, text.n, &records);
		assert_true(e == ERR_UNREADABLE || e == ERR_BAD_INPUT);
	}
	free_lines(&lines);
}

static void a_line_of_another_archive_with_the_same_passphrase_is_refused(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	BUF_AUTO struct buf text = { 0 };
	struct lines one, two;
	char *own;
	int records;

	(void)state;
	make_archive(&pass, &one);
	make_archive(&pass, &two);
	own = one.line[2];
	one.line[2] = two.line[2];
	join(&one, (const int[]){ 0, 1, 2, 3, 4, 5, -1 }, &text);
	assert_int_equal(read_archive(&pass, text.p, text.n, &records), ERR_UNREADABLE);
	assert_int_equal(records, 1);
	one.line[2] = own;
	free_lines(&one);
	free_lines(&two);
}

static void no_changed_byte_and_no_cut_goes_unnoticed(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	BUF_AUTO struct buf text = { 0 };
	struct lines lines;
	int records;

	(void)state;
	make_archive(&pass, &lines);
	join(&lines, (const int[]){ 0, 1, 2, 3, 4, 5, -1 }, &text);
	for (size_t i = 0; i < text.n; i++) {
		/* More iterations only cost time, and a change there is a change of the key. */
		if (i > 33 && i < 60)
			continue;
		text.p[i] = (char)(text.p[i] ^ 1);
		assert_int_not_equal(read_archive(&pass, text.p, text.n, &records), ERR_END);
		text.p[i] = (char)(text.p[i] ^ 1);
		if (i % 7 == 0 && i > 0)
			assert_int_not_equal(read_archive(&pass, text.p, i, &records), ERR_END);
	}
	free_lines(&lines);
}

static void a_wrong_passphrase_is_refused_at_the_first_record(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse"),
				  wrong = passphrase("correct house");
	BUF_AUTO struct buf text = { 0 };
	struct lines lines;
	int records;

	(void)state;
	make_archive(&pass, &lines);
	join(&lines, (const int[]){ 0, 1, 2, 3, 4, 5, -1 }, &text);
	assert_int_equal(read_archive(&wrong, text.p, text.n, &records), ERR_UNREADABLE);
	assert_int_equal(records, 0);
	free_lines(&lines);
}

/* --- export and restore ----------------------------------------------------------- */
#define DATA "{\"api_key\":\"canary-0123456789\",\"extra\":{\"n\":1.5}}"

static FILE *export_tenant(struct ctx *cx, const struct secret *pass, int64_t credentials,
			   int64_t versions)
{
	struct vault_archived archived;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_ok(vault_export(cx, pass, file, NULL, &archived));
	assert_int_equal(archived.credentials, credentials);
	assert_int_equal(archived.versions, versions);
	return file;
}

static void what_was_exported_comes_back_with_its_history(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	struct ctx *a = open_vault("ctl", &TENANT_A), *b = open_vault("ctl", &TENANT_B);
	char why[ARCHIVE_WHY_MAX];
	struct vault_archived archived;
	struct id id;
	FILE *file;

	(void)state;
	assert_ok(store(a, "api_key", "{\"api_key\":\"old\"}", &id));
	assert_ok(change(a, &id, DATA));
	assert_ok(store(a, "oauth2", "{}", NULL));
	file = export_tenant(a, &pass, 2, 3);
	assert_ok(vault_verify_archive(b, &pass, file, why, &archived));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE tenant_id = ID", &TENANT_B), 0);
	assert_ok(vault_restore_archive(b, &pass, file, NULL, why, &archived));
	assert_int_equal(archived.credentials, 2);
	assert_int_equal(archived.versions, 3);
	assert_opens_as(b, &id, DATA);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential_version WHERE credential_id = ID", &id),
		4);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.import' AND "
			  "tenant_id = ID",
			  &TENANT_B),
		2);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.export' AND "
			  "tenant_id = ID",
			  &TENANT_A),
		1);
	assert_int_equal(
		number_of("SELECT COUNT(DISTINCT masked) FROM credential WHERE credential_id = ID",
			  &id),
		1);
	/* Again, into the tenant that has these ids: none is lost or overwritten. */
	assert_ok(vault_restore_archive(b, &pass, file, NULL, why, &archived));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE tenant_id = ID", &TENANT_B), 4);
	fclose(file);
	close_vault(a);
	close_vault(b);
}

static void a_broken_archive_restores_nothing(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	struct ctx *a = open_vault("ctl", &TENANT_A), *b = open_vault("ctl", &TENANT_B);
	char why[ARCHIVE_WHY_MAX];
	struct vault_archived archived;
	FILE *file;
	int c;

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_ok(store(a, "api_key", DATA, NULL));
	file = export_tenant(a, &pass, 3, 3);
	/* One character of the last record but one. */
	assert_int_equal(fseek(file, -400, SEEK_END), 0);
	c = fgetc(file);
	assert_int_equal(fseek(file, -400, SEEK_END), 0);
	assert_int_not_equal(fputc(c == 'A' ? 'B' : 'A', file), EOF);
	assert_int_equal(vault_restore_archive(b, &pass, file, NULL, why, &archived),
			 ERR_UNREADABLE);
	assert_non_null(strstr(why, "line "));
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE tenant_id = ID", &TENANT_B), 0);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM tenant_key WHERE tenant_id = ID", &TENANT_B), 0);
	fclose(file);
	close_vault(a);
	close_vault(b);
}

static void an_archive_holds_no_plain_text(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	char text[8192];
	FILE *file;
	size_t n;

	(void)state;
	assert_ok(store(cx, "api_key", DATA, NULL));
	file = export_tenant(cx, &pass, 1, 1);
	rewind(file);
	n = fread(text, 1, sizeof(text), file);
	assert_null(memmem(text, n, "canary", 6));
	assert_null(memmem(text, n, "a name", 6));
	fclose(file);
	close_vault(cx);
}

static void a_credential_that_doesnt_open_is_counted_and_left_out(void **state)
{
	SECRET_AUTO struct secret pass = passphrase("correct horse");
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_archived archived;
	FILE *file = tmpfile();
	struct id id;

	(void)state;
	assert_ok(store(cx, "api_key", DATA, &id));
	assert_ok(store(cx, "api_key", DATA, NULL));
	run_sql("UPDATE credential_version SET ciphertext = REVERSE(ciphertext) WHERE "
		"credential_id = ID",
		&id);
	assert_ok(vault_export(cx, &pass, file, NULL, &archived));
	assert_int_equal(archived.unreadable, 1);
	assert_int_equal(archived.credentials, 1);
	fclose(file);
	close_vault(cx);
}

/* --- import fernet ------------------------------------------------------------------ */
static void collect(void *arg, int64_t line, const char *why)
{
	struct buf *out = arg;

	buf_printf(out, "%lld: %s\n", (long long)line, why);
}

static void lines_of_an_earlier_backend_are_stored_once_and_failures_are_told(void **state)
{
	static const char text[] =
		"{\"name\":\"one\",\"type\":\"api_key\",\"service\":\"stripe\","
		"\"token\":\"" TOKEN_OBJECT "\"}\n"
		"{\"name\":\"two\",\"type\":\"api_key\",\"token\":\"" TOKEN_TEXT
		"\",\"created_at\":\"2020-01-01\"}\n"
		"\n"
		"{\"name\":\"three\",\"type\":\"basic_auth\",\"token\":\"" TOKEN_UNKNOWN_MEMBER
		"\"}\n"
		"not json\n"
		"{\"name\":\"five\",\"type\":\"api_key\",\"token\":\"" TOKEN_FOREIGN "\"}\n"
		"{\"name\":\"six\",\"type\":\"nonsense\",\"token\":\"" TOKEN_OBJECT "\"}\n"
		"{\"name\":\"seven\",\"type\":\"basic_auth\",\"token\":\"" TOKEN_OBJECT "\"}\n"
		"{\"name\":\"eight\",\"type\":\"api_key\",\"token\":\"" TOKEN_OBJECT
		"\",\"second\":\"" TOKEN_TEXT "\"}\n";
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	struct ctx *cx = open_vault("ctl", &TENANT_A);
	struct vault_imported imported;
	BUF_AUTO struct buf told;

	(void)state;
	buf_init(&told, 10000);
	assert_ok(fernet_key_parse(STR(FERNET_KEY), &key));
	for (int round = 0; round < 2; round++) {
		FILE *file = fmemopen((void *)(uintptr_t)text, sizeof(text) - 1, "r");
		const struct vault_import import = {
			.in = file, .key = &key, .failed = collect, .arg = &told
		};

		assert_ok(vault_import_fernet(cx, &import, &imported));
		assert_int_equal(imported.stored, round == 0 ? 3 : 0);
		assert_int_equal(imported.known, round == 0 ? 0 : 3);
		assert_int_equal(imported.failed, 5);
		fclose(file);
	}
	buf_add_char(&told, '\0');
	for (const char *const *line =
		     (const char *const[]){ "5: ", "6: ", "7: ", "8: data.", "9: ", NULL };
	     *line; line++)
		assert_non_null(strstr(told.p, *line));
	assert_null(strstr(told.p, "gAAAA"));
	assert_int_equal(
		number_of(
			"SELECT COUNT(*) FROM credential WHERE name = 'one' AND service = 'stripe'",
			&ID_NIL),
		1);
	assert_int_equal(number_of("SELECT COUNT(*) FROM credential WHERE JSON_VALUE(masked, "
				   "'$.extra.realm') = '****'",
				   &ID_NIL),
			 1);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM credential WHERE JSON_VALUE(masked, '$.api_key') = "
			  "'sk_p****'",
			  &ID_NIL),
		1);
	assert_int_equal(
		number_of("SELECT COUNT(*) FROM audit WHERE action = 'credential.import'", &ID_NIL),
		3);
	close_vault(cx);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup(name, empty_vault)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_archive_is_read_to_its_end),
		cmocka_unit_test(an_archive_with_lines_missing_moved_or_repeated_is_refused),
		cmocka_unit_test(a_line_of_another_archive_with_the_same_passphrase_is_refused),
		cmocka_unit_test(no_changed_byte_and_no_cut_goes_unnoticed),
		cmocka_unit_test(a_wrong_passphrase_is_refused_at_the_first_record),
		T(what_was_exported_comes_back_with_its_history),
		T(a_broken_archive_restores_nothing),
		T(an_archive_holds_no_plain_text),
		T(a_credential_that_doesnt_open_is_counted_and_left_out),
		T(lines_of_an_earlier_backend_are_stored_once_and_failures_are_told),
	};
#undef T

	return cmocka_run_group_tests(tests, start_vault, stop_feature);
}
