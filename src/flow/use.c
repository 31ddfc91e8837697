#include "flow/use.h"

#include "audit/transact.h"

struct use {
	const struct step_run *run;
	const struct id *credential;
	struct str service;
	struct str execution; /* its public form */
};

static enum err note(struct ctx *cx, void *arg)
{
	const struct use *use = arg;

	ctx_audit_target(cx, ID_CREDENTIAL, use->credential);
	cx->audit.service = use->service;
	ctx_audit_detail(cx, "execution", use->execution);
	ctx_audit_detail(cx, "step", use->run->step_id);
	return OK;
}

enum err step_note_use(struct ctx *cx, const struct step_run *run, const struct id *credential,
		       struct str service)
{
	const struct audit_note before = cx->audit;
	struct use use = { .run = run, .credential = credential, .service = service };
	char text[ID_TEXT_MAX];
	enum err e;

	use.execution = arena_copy(cx->arena, id_format(ID_EXECUTION, &run->execution, text));
	if (str_absent(use.execution))
		return ERR_NO_MEMORY;
	cx->audit = (struct audit_note){ 0 };
	e = audit_transact(cx, AUDIT_WORKFLOW_CREDENTIAL, note, &use);
	cx->audit = before;
	return e;
}
