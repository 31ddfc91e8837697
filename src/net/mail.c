#include "net/mail.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/buf.h"
#include "net/transfer.h"

enum {
	LINE_MAX_BYTES = 2000,
	TEXT_MAX_BYTES = 256 << 10,
	SESSION_MS = 60000,
	ENCODED_MAX = 75 - 12,
	QUOTED_MAX = 75,
	ANSWER_MAX = 64 << 10 /* of all that the server says */
};

/* What a stranger's server is told of ours in EHLO; libcurl would tell the machine's name. */
#define OWN_NAME "localhost"

/* What one message needs while it is sent. */
struct sending {
	struct transfer transfer;
	struct curl_slist *recipients;
	struct buf line; /* for what curl is told */
	struct buf message;
	struct str rest; /* of the message: what curl hasn't taken yet */
	bool begun;
	size_t heard;    /* bytes of the server's lines */
};

static void sending_done(struct sending *sending)
{
	curl_slist_free_all(sending->recipients);
	transfer_close(&sending->transfer);
	buf_done(&sending->line);
	buf_done(&sending->message);
}

/* --- the message ------------------------------------------------------------------ */

/* No line end, nothing that ends an address: what could become a command or a header of its own. */
static bool is_address(struct str address)
{
	if (address.n == 0 || str_find(address, '@') == address.n)
		return false;
	for (size_t i = 0; i < address.n; i++)
		if ((unsigned char)address.p[i] <= ' ' || address.p[i] == 0x7f || strchr("<>,;()\"\\", address.p[i]))
			return false;
	return true;
}

static bool is_letter_digit_or_space(char c)
{
	return char_is_letter(c) || char_is_digit(c) || c == ' ';
}

static bool is_plain(struct str text)
{
	size_t i = 0;

	while (i < text.n && is_letter_digit_or_space(text.p[i]))
		i++;
	return i == text.n;
}

/* Encoded words (RFC 2047, sections 2 and 4.2) of 75 characters at most, none of which cuts a letter in two. */
static void add_encoded(struct buf *out, struct str text)
{
	size_t room = 0;

	for (size_t at = 0, step; at < text.n; at += step) {
		bool plain = is_letter_digit_or_space(text.p[at]);

		step = str_utf8_step(text, at);
		step = step ? step : 1;
		size_t needs = plain ? 1 : 3 * step;
		if (needs > room) {
			buf_add_str(out, at > 0 ? STR("?=\r\n =?utf-8?q?") : STR("=?utf-8?q?"));
			room = ENCODED_MAX;
		}
		room -= needs;
		if (plain)
			buf_add_char(out, text.p[at] == ' ' ? '_' : text.p[at]);
		for (size_t i = 0; i < step && !plain; i++)
			buf_printf(out, "=%02X", (unsigned)(unsigned char)text.p[at + i]);
	}
	buf_add_c(out, "?=");
}

/* Text of a header: what is plain stays as it is. No other byte than those below gets through, no line end either. */
static void add_words(struct buf *out, struct str text)
{
	if (is_plain(text))
		buf_add_str(out, text);
	else
		add_encoded(out, text);
}

static void add_date(struct buf *out, int64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	char text[64] = "";
	struct tm when;

	if (gmtime_r(&seconds, &when))
		(void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S +0000", &when);
	buf_printf(out, "Date: %s\r\n", text);
}

static void add_headers(struct buf *out, const struct mail_message *message)
{
	add_date(out, message->at_ms);
	buf_add_c(out, "From: ");
	if (message->from_name.n > 0) {
		add_words(out, message->from_name);
		buf_add_char(out, ' ');
	}
	buf_printf(out, "<%.*s>\r\nTo: <%.*s>\r\nSubject: ", STR_ARG(message->from), STR_ARG(message->to));
	add_words(out, message->subject);
	buf_printf(out, "\r\nMessage-ID: <%.*s>\r\n", STR_ARG(message->message_id));
	/* Nobody's automatic answer is wanted (RFC 3834, section 5). */
	buf_add_c(out, "Auto-Submitted: auto-generated\r\n"
		       "MIME-Version: 1.0\r\n"
		       "Content-Type: text/plain; charset=utf-8\r\n"
		       "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
}

/* Quoted-printable (RFC 2045, section 6.7): lines of 76 characters at most, and no space at the end of one. */
static void add_text(struct buf *out, struct str text)
{
	size_t column = 0;

	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		bool at_end = i + 1 == text.n || text.p[i + 1] == '\n';
		bool plain = (c > ' ' && c < 0x7f && c != '=') || (c == ' ' && !at_end);

		if (c == '\n') {
			buf_add_c(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (plain ? 1 : 3) > QUOTED_MAX) {
			buf_add_c(out, "=\r\n");
			column = 0;
		}
		plain ? buf_add_char(out, c) : buf_printf(out, "=%02X", (unsigned)(unsigned char)c);
		column += plain ? 1 : 3;
	}
	buf_add_c(out, "\r\n");
}

static enum err write_message(struct sending *sending, const struct mail_message *message)
{
	add_headers(&sending->message, message);
	add_text(&sending->message, message->text);
	sending->rest = buf_str(&sending->message);
	return buf_error(&sending->message);
}

/* curl doubles the dots that begin a line. */
static size_t give(char *to, size_t size, size_t n, void *arg)
{
	struct sending *sending = arg;
	size_t given = size * n < sending->rest.n ? size * n : sending->rest.n;

	sending->begun = true;
	memcpy(to, sending->rest.p, given);
	sending->rest = str_slice(sending->rest, given, sending->rest.n - given);
	return given;
}

/* A server without an end is none. */
static size_t hear(const char *line, size_t size, size_t n, void *arg)
{
	struct sending *sending = arg;

	(void)line;
	sending->heard += size * n;
	return sending->heard <= ANSWER_MAX ? size * n : 0;
}

/* --- the server -------------------------------------------------------------------- */

static bool set_text(struct sending *sending, CURLoption option, struct str text)
{
	bool done;

	buf_add_str(&sending->line, text);
	buf_add_char(&sending->line, '\0');
	done = buf_error(&sending->line) == OK && transfer_set_text(&sending->transfer, option, sending->line.p);
	buf_clear(&sending->line);
	return done;
}

static bool set_server(struct sending *sending, const struct mail_server *server)
{
	bool v6 = strchr(sending->transfer.target.host, ':') != NULL;

	buf_printf(&sending->line, "%s://%s%s%s:%u%s", server->starttls ? "smtp" : "smtps", v6 ? "[" : "",
		   sending->transfer.target.host, v6 ? "]" : "", server->port, server->strange ? "/" OWN_NAME : "");
	buf_add_char(&sending->line, '\0');
	bool done = buf_error(&sending->line) == OK &&
		    transfer_set_text(&sending->transfer, CURLOPT_URL, sending->line.p) &&
		    transfer_set_number(&sending->transfer, CURLOPT_USE_SSL, CURLUSESSL_ALL);
	buf_clear(&sending->line);
	if (!done || str_absent(server->user))
		return done;
	if (server->strange &&
	    !transfer_set_text(&sending->transfer, CURLOPT_LOGIN_OPTIONS, "AUTH=PLAIN;AUTH=LOGIN"))
		return false;
	return set_text(sending, CURLOPT_USERNAME, server->user) &&
	       set_text(sending, CURLOPT_PASSWORD, server->password);
}

static bool set_envelope(struct sending *sending, const struct mail_message *message)
{
	if (!set_text(sending, CURLOPT_MAIL_FROM, message->from))
		return false;
	buf_add_str(&sending->line, message->to);
	buf_add_char(&sending->line, '\0');
	if (buf_error(&sending->line) != OK)
		return false;
	sending->recipients = curl_slist_append(NULL, sending->line.p);
	buf_clear(&sending->line);
	return sending->recipients &&
	       curl_easy_setopt(sending->transfer.curl, CURLOPT_MAIL_RCPT, sending->recipients) == CURLE_OK &&
	       curl_easy_setopt(sending->transfer.curl, CURLOPT_READFUNCTION, give) == CURLE_OK &&
	       curl_easy_setopt(sending->transfer.curl, CURLOPT_READDATA, sending) == CURLE_OK &&
	       curl_easy_setopt(sending->transfer.curl, CURLOPT_HEADERFUNCTION, hear) == CURLE_OK &&
	       curl_easy_setopt(sending->transfer.curl, CURLOPT_HEADERDATA, sending) == CURLE_OK &&
	       transfer_set_number(&sending->transfer, CURLOPT_UPLOAD, 1);
}

/* 5xx is for good (RFC 5321, section 4.2.1), all else may pass. */
static enum err ending(struct sending *sending, CURLcode code, const char **ret_why)
{
	long answer = 0;
	enum err e;

	if (code == CURLE_OK)
		return OK;
	if (code == CURLE_LOGIN_DENIED) {
		*ret_why = "the login was refused";
		return ERR_DENIED;
	}
	if (curl_easy_getinfo(sending->transfer.curl, CURLINFO_RESPONSE_CODE, &answer) == CURLE_OK && answer >= 500 &&
	    answer < 600) {
		*ret_why = "the server refused the message for good";
		return ERR_DENIED;
	}
	e = transfer_failed(&sending->transfer, code);
	*ret_why = sending->transfer.why;
	return e;
}

/* As with logins: 465 and 587 are mail's everywhere, other ports of public hosts are the operator's to open. */
static bool is_usual(const struct mail_server *server)
{
	return !server->strange || server->port == 465 || server->port == 587;
}

static enum err send_it(struct sending *sending, const struct mail_server *server, const struct mail_message *message,
			const struct egress_policy *policy, const char **ret_why)
{
	int timeout_ms = server->timeout_ms > 0 ? server->timeout_ms : SESSION_MS;

	*ret_why = "an address or a text can't be sent";
	if (!is_address(message->from) || !is_address(message->to) || !is_address(message->message_id) ||
	    message->text.n > TEXT_MAX_BYTES || message->subject.n > LINE_MAX_BYTES / 4)
		return ERR_BAD_INPUT;
	*ret_why = "the mail server's host may not be called; list it in egress.allow_hosts";
	TRY(egress_allow_host(policy, str_of(server->host), server->port, is_usual(server), &sending->transfer.target));
	*ret_why = "out of memory";
	TRY(write_message(sending, message));
	TRY(transfer_open(&sending->transfer, policy, server->starttls ? "smtp" : "smtps", timeout_ms));
	if (!set_server(sending, server) || !set_envelope(sending, message))
		return ERR_NO_MEMORY;
	return ending(sending, curl_easy_perform(sending->transfer.curl), ret_why);
}

enum err mail_send(const struct mail_server *server, const struct mail_message *message,
		   const struct egress_policy *policy, struct mail_end *ret_end)
{
	CLEANUP(sending_done) struct sending sending = { 0 };
	enum err e;

	buf_init(&sending.line, LINE_MAX_BYTES);
	buf_init(&sending.message, 4 * TEXT_MAX_BYTES);
	e = send_it(&sending, server, message, policy, &ret_end->why);
	ret_end->begun = sending.begun;
	return e;
}
