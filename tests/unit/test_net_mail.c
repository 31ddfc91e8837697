/* Mails as they go over the wire: nothing in them becomes a command or a header, and all of it arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/attr.h"
#include "base/buf.h"
#include "net/egress.h"
#include "net/mail.h"

enum { SKIPPED = 77, FILE_MAX = 4 << 20 };

static struct {
	pid_t pid;
	int input;
	unsigned port;
	char directory[64], ca_file[80];
	struct egress_policy *policy;
	char *text; /* of the file that was read last */
} server;

/* --- the server ------------------------------------------------------------------- */

static NORETURN void run_server(int input, int output)
{
	char script[512];
	const char *srcdir = getenv("top_srcdir");

	dup2(input, STDIN_FILENO);
	dup2(output, STDOUT_FILENO);
	snprintf(script, sizeof(script), "%s/tests/unit/mail_server.mjs", srcdir ? srcdir : ".");
	execlp("node", "node", script, server.directory, (char *)NULL);
	_exit(SKIPPED);
}

static enum err lookup(void *arg, const char *host, struct egress_addresses *ret_addresses)
{
	(void)arg;
	(void)host;
	ret_addresses->count = 1;
	assert_true(address_parse(STR("127.0.0.1"), &ret_addresses->v[0]));
	return OK;
}

static bool make_policy(void)
{
	char hosts[64], why[EGRESS_WHY_MAX];

	snprintf(hosts, sizeof(hosts), "localhost:%u", server.port);
	return egress_policy_new(&(struct egress_settings){ .allow_hosts = hosts,
							    .ca_file = server.ca_file,
							    .timeout_ms = 20000,
							    .resolver = lookup },
				 why, &server.policy) == OK;
}

static bool start_server(void)
{
	int input[2], output[2];
	FILE *words;

	strcpy(server.directory, "/tmp/latchwork-mail-XXXXXX");
	if (!mkdtemp(server.directory) || pipe(input) != 0 || pipe(output) != 0)
		return false;
	snprintf(server.ca_file, sizeof(server.ca_file), "%s/ca.pem", server.directory);
	server.pid = fork();
	if (server.pid == 0) {
		close(input[1]);
		close(output[0]);
		run_server(input[0], output[1]);
	}
	close(input[0]);
	close(output[1]);
	server.input = input[1];
	words = fdopen(output[0], "r");
	bool ready = words && fscanf(words, "mail %u ready", &server.port) == 1;
	if (words)
		fclose(words);
	server.text = calloc(1, FILE_MAX);
	return ready && server.text && make_policy();
}

static int stop_server(void)
{
	char command[128];
	int status = 0;

	close(server.input);
	waitpid(server.pid, &status, 0);
	egress_policy_free(server.policy);
	free(server.text);
	snprintf(command, sizeof(command), "rm -rf '%s'", server.directory);
	if (system(command) != 0)
		perror(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

/* Valid until the next call. */
static char *read_file(const char *name)
{
	char path[96];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", server.directory, name);
	file = fopen(path, "r");
	assert_non_null(file);
	server.text[fread(server.text, 1, FILE_MAX - 1, file)] = '\0';
	fclose(file);
	return server.text;
}

/* --- sending ------------------------------------------------------------------------ */

static struct mail_message usual(void)
{
	return (struct mail_message){
		.from = STR("no-reply@example.test"),
		.to = STR("ada@example.test"),
		.subject = STR("Hello"),
		.text = STR("Good day.\n"),
		.message_id = STR("mail-1@example.test"),
		.at_ms = INT64_C(1767323045000),
	};
}

static enum err send_it(const struct mail_message *message)
{
	const struct mail_server to = { .host = "localhost", .port = (uint16_t)server.port };
	struct mail_end end;

	return mail_send(&to, message, server.policy, &end);
}

/* What the server has of it. */
static char *sent(const struct mail_message *message)
{
	assert_int_equal(send_it(message), OK);
	return read_file("letter");
}

/* The body as a reader shows it: without the doubled dots (RFC 5321, section 4.5.2), and decoded. */
static void decode_body(char *letter, struct buf *out)
{
	char *body = strstr(letter, "\r\n\r\n");

	assert_non_null(body);
	for (char *line = body + 4, *end; *line; line = end + 2) {
		unsigned byte;

		end = strstr(line, "\r\n");
		assert_non_null(end);
		assert_true(end - line <= 77); /* a doubled dot more than in the message */
		for (line += *line == '.'; line < end; line++) {
			if (*line != '=')
				buf_add_char(out, *line);
			else if (line + 1 < end && sscanf(line + 1, "%2X", &byte) == 1)
				buf_add_char(out, (char)byte), line += 2;
		}
		if (end[-1] != '=')
			buf_add_char(out, '\n');
	}
	buf_add_char(out, '\0');
	assert_int_equal(buf_error(out), OK);
}

static void assert_arrives(struct str text)
{
	struct mail_message message = usual();
	BUF_AUTO struct buf got = { 0 };

	buf_init(&got, FILE_MAX);
	message.text = text;
	decode_body(sent(&message), &got);
	assert_int_equal(got.n, text.n + 2); /* the end of the last line, and our own */
	assert_memory_equal(got.p, text.p, text.n);
}

/* --- the tests ------------------------------------------------------------------------ */

static void a_message_has_the_headers_that_it_needs(void **state)
{
	struct mail_message message = usual();
	const char *letter = sent(&message);

	(void)state;
	assert_string_equal(letter, "Date: Fri, 02 Jan 2026 03:04:05 +0000\r\n"
				    "From: <no-reply@example.test>\r\n"
				    "To: <ada@example.test>\r\n"
				    "Subject: Hello\r\n"
				    "Message-ID: <mail-1@example.test>\r\n"
				    "Auto-Submitted: auto-generated\r\n"
				    "MIME-Version: 1.0\r\n"
				    "Content-Type: text/plain; charset=utf-8\r\n"
				    "Content-Transfer-Encoding: quoted-printable\r\n"
				    "\r\n"
				    "Good day.\r\n"
				    "\r\n");
}

static void words_of_others_make_no_header(void **state)
{
	static const char *const WORDS[] = { "x\r\nBcc: all@example.test", "x\nBcc: all@example.test", "x\rBcc: a@example.test",
					     "\r\n\r\nDear friend", "x?=\r\nBcc: all@example.test", "\" <evil@example.test>, \"" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(WORDS); i++) {
		struct mail_message message = usual();

		message.subject = message.from_name = str_of(WORDS[i]);
		char *letter = sent(&message), *body = strstr(letter, "\r\n\r\n");
		assert_non_null(body);
		assert_int_equal(strncmp(body, "\r\n\r\nGood day.", 13), 0);
		body[2] = '\0';
		assert_null(strstr(letter, "\nBcc"));
		assert_null(strstr(letter, "\rBcc"));
		assert_null(strstr(letter, "<evil"));
	}
}

static void an_address_that_is_none_is_never_told_to_the_server(void **state)
{
	static const char *const BAD[] = { "", "nobody", "a@example.test\r\nRCPT TO:<b@example.test>", "a@example.test>\r\nDATA",
					   "a b@example.test", "a@example.test,b@example.test", "<a@example.test>",
					   "a@example.test\n", "\"a\"@example.test", "a@example.test\x7f" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++) {
		struct mail_message to = usual(), from = usual(), id = usual();

		to.to = from.from = id.message_id = str_of(BAD[i]);
		assert_int_equal(send_it(&to), ERR_BAD_INPUT);
		assert_int_equal(send_it(&from), ERR_BAD_INPUT);
		assert_int_equal(send_it(&id), ERR_BAD_INPUT);
	}
	struct mail_message good = usual();
	(void)sent(&good);
	for (const char *at = read_file("told"); (at = strstr(at, "RCPT")); at++)
		assert_int_equal(strncmp(at, "RCPT TO:<ada@example.test>", 26), 0);
}

/* Each encoded word stands for itself (RFC 2047, section 5): a letter that is cut in two would be lost. */
static void a_long_subject_is_folded_between_letters(void **state)
{
	struct mail_message message = usual();
	char subject[404] = "";
	size_t letters = 0;

	(void)state;
	for (int i = 0; i < 100; i++)
		strcat(subject, "\xe2\x82\xac");
	message.subject = str_of(subject);
	char *at = strstr(sent(&message), "Subject: ");
	assert_non_null(at);
	*strstr(at, "\r\nMessage-ID") = '\0';
	for (char *line = strtok(at, "\r\n"); line; line = strtok(NULL, "\r\n")) {
		char *word = strstr(line, "=?utf-8?q?");

		assert_true(strlen(line) <= 76 + strlen("Subject: "));
		assert_non_null(word);
		assert_true(strlen(word) <= 75);
		assert_string_equal(word + strlen(word) - 2, "?=");
		for (word += 10; strncmp(word, "?=", 2) != 0; word += 9, letters++)
			assert_int_equal(strncmp(word, "=E2=82=AC", 9), 0);
	}
	assert_int_equal(letters, 100);
}

static void a_subject_in_another_script_can_be_read(void **state)
{
	struct mail_message message = usual();

	(void)state;
	message.subject = STR("Gr\xc3\xbc\xc3\x9f" "e, Ada_");
	assert_non_null(strstr(sent(&message), "\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe=2C_Ada=5F?=\r\n"));
}

static void every_text_arrives_as_it_was_written(void **state)
{
	(void)state;
	assert_arrives(STR("plain"));
	assert_arrives(STR("spaces at the end   \nand = and =41 and a tab\t\n\n\nGr\xc3\xbc\xc3\x9f" "e \xe2\x82\xac\n"));
	assert_arrives(STR("a line that is much longer than the seventy-six characters that a line of a mail may have, "
			   "and \xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\xc3\xbc\n"));
	assert_arrives(STR("a carriage return\r\nof its own\r"));
}

/* A line of one dot would end the message, and what follows would be commands. */
static void dots_that_begin_lines_end_nothing(void **state)
{
	char *text = calloc(1, 200001);

	(void)state;
	assert_non_null(text);
	assert_arrives(STR(".\n..\n.\nRSET\n.\nMAIL FROM:<evil@example.test>\n"));
	/* Wherever the pieces end in which it is sent; and 75 dots, a soft line end, a dot. */
	for (size_t i = 0; i < 200000; i++)
		text[i] = i % 3 == 2 ? '\n' : '.';
	assert_arrives((struct str){ text, 200000 });
	memset(text, '.', 5000);
	assert_arrives((struct str){ text, 5000 });
	assert_null(strstr(read_file("told"), "RSET"));
	assert_null(strstr(read_file("told"), "evil"));
	free(text);
}

static void a_text_without_an_end_is_refused(void **state)
{
	struct mail_message message = usual();
	char *text = calloc(1, 300 << 10);

	(void)state;
	assert_non_null(text);
	memset(text, 'x', 300 << 10);
	message.text = (struct str){ text, 300 << 10 };
	assert_int_equal(send_it(&message), ERR_BAD_INPUT);
	message = usual();
	message.subject = (struct str){ text, 10000 };
	assert_int_equal(send_it(&message), ERR_BAD_INPUT);
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_message_has_the_headers_that_it_needs),
		cmocka_unit_test(words_of_others_make_no_header),
		cmocka_unit_test(an_address_that_is_none_is_never_told_to_the_server),
		cmocka_unit_test(a_long_subject_is_folded_between_letters),
		cmocka_unit_test(a_subject_in_another_script_can_be_read),
		cmocka_unit_test(every_text_arrives_as_it_was_written),
		cmocka_unit_test(dots_that_begin_lines_end_nothing),
		cmocka_unit_test(a_text_without_an_end_is_refused),
	};

	if (!start_server())
		return stop_server() == SKIPPED ? SKIPPED : 1;
	int failed = cmocka_run_group_tests_name("mails", tests, NULL, NULL);
	stop_server();
	return failed;
}
