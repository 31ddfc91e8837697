#include "audit/transact.h"

#include "audit/audit.h"
#include "store/db.h"

struct transaction {
	struct ctx *cx;
	struct audit_note note; /* as it was: what a try adds must not reach the next one */
	enum audit_action action;
	enum err (*change)(struct ctx *cx, void *arg);
	void *arg;
};

static enum err run(struct db *db, void *arg)
{
	const struct transaction *t = arg;

	(void)db;
	t->cx->audit = t->note;
	TRY(t->change(t->cx, t->arg));
	return t->action == AUDIT_NONE ? OK : audit_write(t->cx, t->action, OK);
}

enum err audit_transact(struct ctx *cx, enum audit_action action, enum err (*change)(struct ctx *cx, void *arg),
			void *arg)
{
	struct transaction t = { .cx = cx, .note = cx->audit, .action = action, .change = change, .arg = arg };

	return db_run(cx->db, run, &t);
}
