#include "identity/outbox.h"

#include "base/json_write.h"
#include "core/answer.h"
#include "crypt/envelope.h"
#include "jobs/queue.h"
#include "store/sql_mail.h"

enum { PAYLOAD_MAX = 3900 }; /* fits the column when it is sealed */

#define MAIL_LABEL STR("latchwork mail outbox v1")

static const struct {
	const char *text, *page, *words;
} KINDS[] = {
#define MAIL_KIND(name, text, page, words, before, after) [MAIL_##name] = { text, page, words },
#include "identity/mail_kinds.def"
#undef MAIL_KIND
};

const char *mail_kind_words(enum mail_kind kind) { return KINDS[kind].words; }

static enum err write_payload(struct ctx *cx, const struct mail *mail, struct buf *out)
{
	BUF_AUTO struct buf link = { 0 };
	struct json_writer w;

	buf_init(&link, PAYLOAD_MAX);
	buf_printf(&link, "%s/console/#/%s?token=%.*s", cx->config->server_public_url,
		   KINDS[mail->kind].page, STR_ARG(mail->token));
	TRY(buf_error(&link));
	jw_start(&w, out);
	jw_object(&w);
	jw_put_text(&w, "kind", str_of(KINDS[mail->kind].text));
	jw_put_text(&w, "link", buf_str(&link));
	answer_time(&w, "expires_at", mail->expires_at);
	jw_put_text(&w, "tenant_name", mail->tenant_name);
	jw_put_text(&w, "inviter", mail->inviter);
	jw_object_end(&w);
	return buf_error(out);
}

/* Without a mail server there is nothing to be done: latchctl shows the mail. */
static enum err ask_to_send(struct ctx *cx, const struct id *mail)
{
	const struct job_new job = { .kind = JOB_MAIL_SEND, .subject = { true, *mail }, .of_service = true };

	return cx->config->mail_host && cx->config->mail_host[0] ? job_add(cx, &job, NULL) : OK;
}

enum err mail_enqueue(struct ctx *cx, const struct mail *mail)
{
	BUF_AUTO struct buf plain = { 0 };
	BUF_AUTO struct buf sealed = { 0 };
	struct sql_mail_insert_in in = { .kind = str_of(KINDS[mail->kind].text),
					 .recipient = mail->recipient };

	TRY(id_new(&in.mail_id));
	buf_init(&plain, PAYLOAD_MAX);
	TRY(write_payload(cx, mail, &plain));
	buf_init(&sealed, PAYLOAD_MAX + 128);
	TRY(envelope_seal_with(keyring_current(cx->front_keys), MAIL_LABEL,
			       BYTES(ID_BYTES(&in.mail_id), in.recipient), buf_str(&plain),
			       &sealed));
	in.payload = buf_str(&sealed);
	TRY(sql_mail_insert(cx->db, &in, NULL));
	return ask_to_send(cx, &in.mail_id);
}

enum err mail_open(struct keyring *front_keys, const struct id *mail_id, struct str recipient,
		   struct str payload, struct secret *ret_json)
{
	const struct root_key *root;
	struct str root_id;

	*ret_json = SECRET_EMPTY;
	TRY(envelope_root_id(payload, &root_id));
	TRY(keyring_find(front_keys, root_id, NULL, &root));
	return envelope_open_with(root, MAIL_LABEL, BYTES(ID_BYTES(mail_id), recipient), payload,
				  ret_json);
}
