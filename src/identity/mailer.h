/* Sending the mails of the outbox: a kind of job. */
#ifndef LW_IDENTITY_MAILER_H
#define LW_IDENTITY_MAILER_H

#include "base/attr.h"
#include "base/err.h"
#include "base/secret.h"
#include "core/config.h"
#include "core/ctx.h"
#include "jobs/runner.h"
#include "net/mail.h"

/* Sends the mail that the job is about; a mail whose link has ended is dropped. */
enum err job_mail_send(struct ctx *cx, struct run *run) MUST_CHECK;

/*
 * The operator's mail server; its password is in `ret_password`, the caller's to wipe, and must live as long. ERR_IO
 * when the file with it can't be read.
 */
enum err mailer_server(const struct config *config, struct secret *ret_password,
		       struct mail_server *ret_server) MUST_CHECK;

#endif
