/* Walking the chain again from its first row. */
#include <string.h>

#include "audit/chain.h"
#include "audit/seal.h"
#include "store/sql_audit.h"

enum { VERIFY_BATCH = 1000 };

struct walk {
	audit_key_of key_of;
	void *arg;
	void (*progress)(void *arg, int64_t checked);
	struct secret key; /* of `generation` */
	uint32_t generation;
	bool has_key;
	const struct audit_head *noted;
	bool noted_met;
	struct audit_verdict *verdict;
};

const char *audit_fault_text(enum audit_fault fault)
{
	static const char *const TEXT[] = {
		[AUDIT_INTACT] = "intact",
		[AUDIT_CHANGED] = "changed or moved",
		[AUDIT_REMOVED] = "removed",
		[AUDIT_TRUNCATED] = "cut off",
	};

	return TEXT[fault];
}

static enum err take_key(struct walk *walk, uint32_t generation)
{
	if (walk->has_key && walk->generation == generation)
		return OK;
	secret_done(&walk->key);
	walk->has_key = false;
	TRY(walk->key_of(walk->arg, generation, &walk->key));
	walk->generation = generation;
	walk->has_key = true;
	return OK;
}

static void find_fault(struct walk *walk, enum audit_fault fault, int64_t position, int64_t seq)
{
	walk->verdict->fault = fault;
	walk->verdict->position = position;
	walk->verdict->seq = seq;
}

static enum err check_row(struct walk *walk, const struct sql_audit_chain_read_row *found)
{
	struct audit_head *head = &walk->verdict->head;
	const struct chain_row row =
		CHAIN_ROW(found, found->chain_seq, found->at.v, found->audit_id.v, found->tenant_id.v);
	uint8_t hash[SHA256_BYTES];

	if (found->position != head->position + 1 || !found->present) {
		find_fault(walk, AUDIT_REMOVED, head->position + 1, found->present ? 0 : found->chain_seq);
		return OK;
	}
	TRY(take_key(walk, (uint32_t)found->key_generation));
	chain_hash(&walk->key, found->position, head->hash, &row, hash);
	if (found->hash.n != sizeof hash || !bytes_eq_constant_time(hash, found->hash.p, sizeof hash)) {
		find_fault(walk, AUDIT_CHANGED, found->position, found->chain_seq);
		return OK;
	}
	head->position = found->position;
	memcpy(head->hash, hash, sizeof hash);
	walk->verdict->checked++;
	if (walk->noted && walk->noted->position == head->position)
		walk->noted_met = memcmp(walk->noted->hash, hash, sizeof hash) == 0;
	return OK;
}

/* ERR_END when the chain is at its end or broken. */
static enum err check_batch(struct db *db, struct walk *walk)
{
	struct sql_audit_chain_read_row row;
	int64_t before = walk->verdict->checked;
	enum err e;

	TRY(sql_audit_chain_read(
		db, &(struct sql_audit_chain_read_in){ walk->verdict->head.position, VERIFY_BATCH }));
	while ((e = sql_audit_chain_read_next(db, &row)) == OK && walk->verdict->fault == AUDIT_INTACT)
		TRY(check_row(walk, &row));
	if (walk->progress)
		walk->progress(walk->arg, walk->verdict->checked);
	if (e != OK && e != ERR_END)
		return e;
	return walk->verdict->fault != AUDIT_INTACT || walk->verdict->checked == before ? ERR_END : OK;
}

static enum err count_unsealed(struct db *db, struct audit_verdict *verdict)
{
	struct sql_audit_count_unsealed_row row;

	TRY(sql_audit_count_unsealed(db, &(struct sql_audit_count_unsealed_in){ 0 }, &row));
	verdict->unsealed = row.count;
	return OK;
}

enum err audit_verify(struct db *db, audit_key_of key_of, void *arg, const struct audit_head *noted,
		      void (*progress)(void *arg, int64_t checked), struct audit_verdict *ret_verdict)
{
	struct walk walk = { .key_of = key_of, .arg = arg, .progress = progress, .noted = noted };
	enum err e;

	memset(ret_verdict, 0, sizeof *ret_verdict);
	walk.verdict = ret_verdict;
	while ((e = check_batch(db, &walk)) == OK)
		;
	secret_done(&walk.key);
	if (e != ERR_END)
		return e;
	if (ret_verdict->fault == AUDIT_INTACT && noted && noted->position > 0 && !walk.noted_met)
		find_fault(&walk, AUDIT_TRUNCATED, ret_verdict->head.position + 1, 0);
	if (ret_verdict->fault == AUDIT_INTACT)
		ret_verdict->position = ret_verdict->head.position;
	return count_unsealed(db, ret_verdict);
}
