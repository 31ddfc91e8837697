/* The step `email`: one mail to one address, by the operator's mail server or by that of a credential of type smtp. */
#include "base/json_read.h"
#include "base/json_write.h"
#include "base/secret.h"
#include "connect/verify.h"
#include "core/calls.h"
#include "flow/reach.h"
#include "flow/step.h"
#include "identity/mailer.h"
#include "net/mail.h"

enum { PORT_TLS = 465, PORT_STARTTLS = 587 };

struct sending {
	struct step_run *run;
	struct reach reach;
	struct secret password; /* the operator's */
	struct mail_server server;
	struct mail_message message;
};

/* --- by whom ------------------------------------------------------------------------------------------- */

static enum err use_operators(struct ctx *cx, struct sending *s)
{
	const struct config *config = cx->config;

	if (config->mail_host[0] == '\0')
		return step_wrong(cx, s->run, "This service has no mail server of its own: name a credential of type smtp.");
	TRY(mailer_server(config, &s->password, &s->server));
	s->message.from = str_of(config->mail_from);
	s->message.from_name = str_of(config->mail_from_name);
	return OK;
}

/* "Ada <ada@example.test>", or the address alone. */
static void read_from(struct str text, struct mail_message *message)
{
	struct str rest = str_trim(text), name = str_cut(&rest, '<');

	message->from = str_trim(name);
	if (str_absent(rest))
		return;
	message->from_name = str_trim(name);
	message->from = str_cut(&rest, '>');
}

static struct str first_value(const struct values *values, const char *name, const char *other, const char *third)
{
	struct str value = values_get(values, str_of(name));

	if (value.n == 0)
		value = values_get(values, str_of(other));
	return value.n == 0 ? values_get(values, str_of(third)) : value;
}

static enum err use_credentials(struct ctx *cx, struct sending *s, struct str credential)
{
	struct verify_outcome outcome = { .code = VERIFY_OK };
	struct login login;
	struct str host;
	enum err e;

	TRY(reach_credential(cx, credential, &s->reach));
	if (!str_eq(s->reach.credential_type, STR("smtp")))
		return step_wrong(cx, s->run, "The credential isn't one of type smtp.");
	TRY(reach_open(cx, s->run, &s->reach));
	e = verify_login_read(VERIFY_SMTP, &s->reach.values, &login, &outcome);
	if (e == ERR_END)
		return ctx_fail(cx, ERR_NOT_CONNECTED, "The credential's host or port isn't one.");
	TRY(e);
	host = arena_copy(cx->arena, login.host);
	if (str_absent(host))
		return ERR_NO_MEMORY;
	if (str_has_control(login.user) || str_has_control(login.password) || str_has_control(host))
		return ctx_fail(cx, ERR_NOT_CONNECTED, "The credential has characters that can't be sent.");
	s->server = (struct mail_server){
		.host = host.p,
		.port = login.port ? login.port : login.starttls ? PORT_STARTTLS : PORT_TLS,
		.starttls = login.starttls,
		.user = login.user.n > 0 ? login.user : STR_NONE,
		.password = login.password,
		.strange = true,
	};
	read_from(first_value(&s->reach.values, "from", "from_address", "username"), &s->message);
	return OK;
}

/* --- what ------------------------------------------------------------------------------------------------ */

/*
 * "<execution>.<step>@<domain>": the same at each try, so that one that comes twice can be told. The number of an item,
 * "step[3]", is written as "step.3".
 */
static enum err name_message(struct ctx *cx, struct sending *s)
{
	const struct str key = s->run->effect_key;
	struct str domain = s->message.from;
	BUF_AUTO struct buf id = { 0 };

	(void)str_cut(&domain, '@');
	buf_init(&id, key.n + domain.n + 8);
	for (size_t i = 0; i < key.n; i++)
		if (key.p[i] != ']')
			buf_add_char(&id, key.p[i] == '[' ? '.' : key.p[i]);
	buf_add_char(&id, '@');
	buf_add_str(&id, domain);
	TRY(buf_error(&id));
	s->message.message_id = arena_copy(cx->arena, buf_str(&id));
	return str_absent(s->message.message_id) ? ERR_NO_MEMORY : OK;
}

static enum err read_config(struct ctx *cx, struct sending *s)
{
	const json_t *config = s->run->config;
	struct mail_message *m = &s->message;

	m->to = str_trim(json_member_text(config, "to"));
	m->subject = json_member_text(config, "subject");
	m->text = json_member_text(config, "text");
	m->at_ms = cx->now_ms;
	if (str_absent(m->to) || str_absent(m->subject) || str_absent(m->text))
		return step_wrong(cx, s->run, "`to`, `subject` and `text` have to be texts.");
	if (str_has_control(m->subject))
		return step_wrong(cx, s->run, "The subject has to be one line.");
	if (str_find(m->to, ',') < m->to.n || str_find(m->to, ';') < m->to.n)
		return step_wrong(cx, s->run, "`to` is one address alone.");
	return OK;
}

/* --- sending ----------------------------------------------------------------------------------------------- */

static enum err judge(struct ctx *cx, struct step_run *run, enum err e, const struct mail_end *end)
{
	run->unsent = !end->begun;
	switch (e) {
	case OK: return OK;
	case ERR_BAD_INPUT:
		return step_wrong(cx, run, "An address, the subject or the text can't be sent: 256 KiB of text at most.");
	case ERR_DENIED:
		run->hopeless = true;
		return ctx_fail(cx, ERR_UPSTREAM, "The mail server refused the login or the message for good.");
	case ERR_HOST_FORBIDDEN:
		run->hopeless = true;
		return ctx_fail(cx, e, "The mail server's host may not be called.");
	case ERR_UPSTREAM:
	case ERR_UPSTREAM_TIMEOUT:
		return ctx_fail(cx, e, end->begun ? "The mail server took the message and didn't say that it keeps it."
						  : "The mail server didn't take the message.");
	default: return e;
	}
}

static enum err send_it(struct ctx *cx, struct sending *s)
{
	struct mail_end end = { .begun = false };
	struct json_writer w;
	enum err e;
	int place;

	TRY(name_message(cx, s));
	if (!cx->egress)
		return ERR_INTERNAL;
	e = call_enter(cx, str_of(s->server.host), step_left_ms(s->run), &place);
	if (e != OK)
		return reach_failed(cx, s->run, e);
	s->server.timeout_ms = step_left_ms(s->run);
	e = mail_send(&s->server, &s->message, cx->egress, &end);
	calls_leave(cx->calls, place);
	if (e != OK)
		return judge(cx, s->run, e, &end);
	jw_start(&w, &s->run->output);
	jw_object(&w);
	jw_put_text(&w, "to", s->message.to);
	jw_put_text(&w, "message_id", s->message.message_id);
	jw_object_end(&w);
	return OK;
}

enum err step_email(struct ctx *cx, struct step_run *run)
{
	struct sending s = { .run = run, .password = SECRET_EMPTY };
	struct str credential = json_member_text(run->config, "credential_id");
	enum err e;

	reach_init(&s.reach);
	e = read_config(cx, &s);
	if (e == OK)
		e = str_absent(credential) ? use_operators(cx, &s) : use_credentials(cx, &s, credential);
	e = e == OK ? send_it(cx, &s) : reach_failed(cx, run, e);
	secret_done(&s.password);
	reach_done(&s.reach);
	return e;
}
