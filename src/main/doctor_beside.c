/* latchctl doctor: what the service needs of the kernel, and of the programs beside it. */
#include "fcgi/landlock.h"
#include "fcgi/sandbox.h"
#include "knowledge/knowledge.h"
#include "live/live.h"
#include "main/doctor.h"

/* True: what strangers sent can be read in a child that reaches nothing. */
static bool look_at_kernel(struct doctor *d)
{
	const bool filters = sandbox_is_possible(), landlock = landlock_is_possible();

	if (!filters)
		doctor_fault(d, "kernel", "Run one that is built with CONFIG_SECCOMP_FILTER.",
			     "The kernel filters no system calls (seccomp): programs that are confined don't start.");
	if (!landlock)
		doctor_fault(d, "kernel",
			     "Run Linux 5.13 or later, with landlock among the security modules that it is started with (lsm=).",
			     "The kernel has no Landlock, or it is switched off: neither PDFs nor pages are read.");
	if (filters && landlock)
		doctor_ok(d, "kernel", "The kernel has seccomp and Landlock.");
	return filters && landlock;
}

static void look_at_pdf_reader(struct doctor *d)
{
	enum err e = knowledge_try_pdf();

	if (e == OK)
		doctor_ok(d, "pdftotext", "PDFs can be read, in a child that reaches nothing.");
	else
		doctor_fault(d, "pdftotext", "Install poppler-utils.", "PDFs can't be read here: %s",
			     err_words(e));
}

/* Told as an answer that nobody waits for. */
static void look_at_live_runs(struct doctor *d)
{
	const char *socket = d->ctl->config->live_socket;
	enum err e = live_answer(&d->ctl->cx, &ID_NIL, STR("{}"));

	if (e == OK)
		doctor_ok(d, "live", "nginx (nchan) takes what is told to browsers on %s.", socket);
	else if (e == ERR_UPSTREAM)
		doctor_fault(d, "live", "Include latchwork.conf of conf/nginx as it stands; it needs libnginx-mod-nchan.",
			     "What listens on %s takes no messages for browsers.", socket);
	else
		doctor_fault(d, "live",
			     "Start nginx, with latchwork.conf of conf/nginx and libnginx-mod-nchan; is live.socket its publish.sock?",
			     "Nobody listens on %s: live runs show nothing, and triggers that wait get no answer.", socket);
}

void doctor_look_beside(struct doctor *d)
{
	if (look_at_kernel(d))
		look_at_pdf_reader(d);
	look_at_live_runs(d);
}
