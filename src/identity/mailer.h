/* Sending the mails of the outbox: a kind of job. */
#ifndef LW_IDENTITY_MAILER_H
#define LW_IDENTITY_MAILER_H

#include "base/attr.h"
#include "base/err.h"
#include "core/ctx.h"
#include "jobs/runner.h"

/* Sends the mail that the job is about; a mail whose link has ended is dropped. */
enum err job_mail_send(struct ctx *cx, struct run *run) MUST_CHECK;

#endif
