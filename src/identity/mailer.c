#include "identity/mailer.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/json_read.h"
#include "base/log.h"
#include "base/secret.h"
#include "identity/outbox.h"
#include "net/mail.h"
#include "store/sql_mail.h"

enum { TEXT_MAX = 16 << 10, PASSWORD_MAX = 1024 };

/* What the paragraphs of a mail say, by its kind: before the link, and behind it. */
static const struct {
	const char *kind, *before, *after;
} TEXTS[] = {
#define MAIL_KIND(name, text, page, words, before, after) { text, before, after },
#include "identity/mail_kinds.def"
#undef MAIL_KIND
};

/* --- the text ----------------------------------------------------------------------- */

static size_t kind_of(struct str text)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(TEXTS) && !str_eq(text, str_of(TEXTS[i].kind)))
		i++;
	return i;
}

/* "{tenant_name}" and "{inviter}" stand for the mail's members of that name. */
static void add_paragraph(struct buf *out, const char *paragraph, const json_t *mail)
{
	struct str rest = str_of(paragraph);

	while (!str_absent(rest)) {
		buf_add_str(out, str_cut(&rest, '{'));
		if (str_absent(rest))
			break;
		struct str name = str_cut(&rest, '}');

		if (str_eq(name, STR("tenant_name")))
			buf_add_str(out, json_member_text(mail, "tenant_name"));
		else if (str_eq(name, STR("inviter")))
			buf_add_str(out, json_member_text(mail, "inviter"));
	}
	buf_add_c(out, "\n\n");
}

static void write_text(struct buf *out, size_t kind, const json_t *mail)
{
	add_paragraph(out, TEXTS[kind].before, mail);
	buf_add_str(out, json_member_text(mail, "link"));
	buf_printf(out, "\n\nThe link works once, until %.*s.\n\n", STR_ARG(json_member_text(mail, "expires_at")));
	add_paragraph(out, TEXTS[kind].after, mail);
}

/* --- sending -------------------------------------------------------------------------- */

static enum err read_password(const struct config *config, struct secret *ret_password)
{
	*ret_password = SECRET_EMPTY;
	if (config->mail_password_file[0] == '\0')
		return OK;
	return secret_read_file(config->mail_password_file, PASSWORD_MAX, ret_password);
}

enum err mailer_server(const struct config *config, struct secret *ret_password, struct mail_server *ret_server)
{
	TRY(read_password(config, ret_password));
	*ret_server = (struct mail_server){
		.host = config->mail_host,
		.port = (uint16_t)config->mail_port,
		.starttls = config->mail_starttls,
		.user = config->mail_user[0] ? str_of(config->mail_user) : STR_NONE,
		.password = secret_str(ret_password),
	};
	return OK;
}

/* The same for each try, so that who gets a mail twice can tell. */
static struct str message_id(struct ctx *cx, const struct id *mail)
{
	struct str from = str_of(cx->config->mail_from), domain = from;
	char id[ID_TEXT_MAX];

	(void)str_cut(&domain, '@');
	return arena_printf(cx->arena, "%.*s@%.*s", STR_ARG(id_format(ID_MAIL, mail, id)), STR_ARG(domain));
}

static enum err send_text(struct ctx *cx, struct run *run, const struct sql_mail_get_row *row, size_t kind,
			  struct str text)
{
	SECRET_AUTO struct secret password = SECRET_EMPTY;
	struct mail_end end = { .why = "the password file can't be read" };
	struct mail_server server;
	enum err e = mailer_server(cx->config, &password, &server);

	if (e == OK) {
		const struct mail_message message = {
			.from = str_of(cx->config->mail_from),
			.from_name = str_of(cx->config->mail_from_name),
			.to = row->recipient,
			.subject = str_of(mail_kind_words((enum mail_kind)kind)),
			.text = text,
			.message_id = message_id(cx, &run->job->subject.v),
			.at_ms = cx->now_ms,
		};

		e = mail_send(&server, &message, cx->egress, &end);
	}
	if (e == OK)
		return OK;
	run->hopeless = e == ERR_BAD_INPUT;
	log_write(LOG_WARN, "a mail wasn't sent", LOG_FIELDS(log_err(e), log_text("why", end.why)));
	return ctx_fail(cx, e, end.why);
}

static enum err mark_sent(struct ctx *cx, void *arg)
{
	const struct sql_mail_mark_sent_in in = { .mail_id = *(const struct id *)arg };

	return sql_mail_mark_sent(cx->db, &in, NULL);
}

static enum err send_mail(struct ctx *cx, struct run *run, const struct sql_mail_get_row *row)
{
	SECRET_AUTO struct secret plain = SECRET_EMPTY;
	BUF_AUTO struct buf text = { 0 };
	struct id id = run->job->subject.v;
	int64_t expires_ms;
	json_t *mail;
	size_t kind;

	TRY(mail_open(cx->front_keys, &id, row->recipient, row->payload, &plain));
	TRY(json_read(cx->arena, secret_str(&plain), &mail, NULL));
	kind = kind_of(json_member_text(mail, "kind"));
	if (kind == ARRAY_SIZE(TEXTS) || !time_parse(json_member_text(mail, "expires_at"), &expires_ms)) {
		run->hopeless = true;
		return ERR_UNREADABLE;
	}
	if (expires_ms <= cx->now_ms)
		return OK; /* nobody could use it any more */
	buf_init(&text, TEXT_MAX);
	write_text(&text, kind, mail);
	TRY(buf_error(&text));
	TRY(send_text(cx, run, row, kind, buf_str(&text)));
	return run_commit(cx, run, mark_sent, &id);
}

enum err job_mail_send(struct ctx *cx, struct run *run)
{
	const struct sql_mail_get_in in = { .mail_id = run->job->subject.v };
	struct sql_mail_get_row row;
	enum err e = sql_mail_get(cx->db, &in, &row);

	/* It was deleted in the meantime, or another run has sent it and died before it could say so. */
	if (e == ERR_NOT_FOUND || (e == OK && row.sent_at.set))
		return OK;
	return e == OK ? send_mail(cx, run, &row) : e;
}
