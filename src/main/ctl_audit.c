/* latchctl audit seal and verify. */
#include <inttypes.h>
#include <stdio.h>

#include "audit/seal.h"
#include "main/ctl.h"
#include "vault/tenant_key.h"

static void print_head(const struct ctl *ctl, int64_t sealed, const struct audit_head *head)
{
	static const char *const COLUMNS[] = { "sealed", "head" };
	char count[24], text[AUDIT_HEAD_TEXT_MAX];
	struct ctl_list list;

	snprintf(count, sizeof count, "%" PRId64, sealed);
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){ str_of(count), audit_head_text(head, text) });
	ctl_list_end(&list);
}

enum err ctl_audit_seal(struct ctl *ctl)
{
	SECRET_AUTO struct secret key = SECRET_EMPTY;
	struct audit_head head;
	uint32_t generation;
	int64_t sealed;

	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_VAULT_KEYS));
	TRY(ctl_say(vault_system_key_newest(&ctl->cx, &generation, &key), "the key of the chain"));
	TRY(ctl_say(audit_seal(ctl->cx.db, &key, generation, ctl->cx.now_ms - AUDIT_AT_LAST_MS, NULL, &sealed, &head),
		    "sealing"));
	print_head(ctl, sealed, &head);
	return OK;
}

static enum err key_of(void *arg, uint32_t generation, struct secret *ret_key)
{
	struct ctl *ctl = arg;

	return vault_system_key(&ctl->cx, generation, ret_key);
}

static void show_progress(void *arg, int64_t checked) { ctl_progress(arg, checked, 0); }

static void print_verdict(const struct ctl *ctl, const struct audit_verdict *verdict)
{
	static const char *const COLUMNS[] = { "verdict", "position", "row", "checked", "unsealed", "head" };
	char position[24], seq[24], checked[24], unsealed[24], head[AUDIT_HEAD_TEXT_MAX];
	struct ctl_list list;

	snprintf(position, sizeof position, "%" PRId64, verdict->position);
	snprintf(seq, sizeof seq, "%" PRId64, verdict->seq);
	snprintf(checked, sizeof checked, "%" PRId64, verdict->checked);
	snprintf(unsealed, sizeof unsealed, "%" PRId64, verdict->unsealed);
	ctl_object_begin(&list, ctl, COLUMNS, ARRAY_SIZE(COLUMNS));
	ctl_list_row(&list, (const struct str[]){
				    str_of(audit_fault_text(verdict->fault)), str_of(position),
				    verdict->seq ? str_of(seq) : STR_NONE, str_of(checked), str_of(unsealed),
				    audit_head_text(&verdict->head, head) });
	ctl_list_end(&list);
}

enum err ctl_audit_verify(struct ctl *ctl)
{
	const char *noted_text = ctl_option(ctl, "head");
	struct audit_verdict verdict;
	struct audit_head noted;

	if (noted_text && !audit_head_parse(str_of(noted_text), &noted))
		return ctl_fail(ERR_BAD_INPUT, "%s is no head: a position, a colon, 64 hex digits", noted_text);
	TRY(ctl_open(ctl, ACCOUNT_CTL, CTL_VAULT_KEYS));
	TRY(ctl_say(audit_verify(ctl->cx.db, key_of, ctl, noted_text ? &noted : NULL, show_progress, &verdict),
		    "verifying"));
	print_verdict(ctl, &verdict);
	if (verdict.fault == AUDIT_INTACT)
		return OK;
	return ctl_fail(ERR_CONFLICT,
			"the trail is broken: row %" PRId64 " at position %" PRId64 " was %s",
			verdict.seq, verdict.position, audit_fault_text(verdict.fault));
}
