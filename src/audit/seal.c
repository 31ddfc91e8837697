#include "audit/seal.h"

#include <string.h>

#include "audit/chain.h"
#include "base/clock.h"
#include "base/json_write.h"
#include "store/sql_audit.h"

enum {
	SEAL_BATCH = 500,
	SEAL_BATCHES = 40,
	LINK_TEXT_MAX = 2 * STR_INT_MAX + HEX_CHARS(SHA256_BYTES) + 8,
};

static enum err read_head(struct db *db, struct audit_head *ret_head)
{
	struct sql_audit_chain_head_row row;
	enum err e = sql_audit_chain_head(db, &row);

	memset(ret_head, 0, sizeof *ret_head);
	if (e == ERR_NOT_FOUND)
		return OK;
	if (e == OK) {
		ret_head->position = row.position;
		memcpy(ret_head->hash, row.hash.p, sizeof ret_head->hash);
	}
	return e;
}

struct batch {
	const struct secret *key;
	uint32_t generation;
	int64_t after_seq; /* where it begins */
	int64_t last_seq;  /* where it ends; a batch may be done again from its beginning */
	struct audit_head head;
	int64_t sealed;
	struct buf links; /* what audit_chain_insert is to write */
	struct json_writer w;
};

static void add_link(struct batch *batch, int64_t seq)
{
	char hash[HEX_CHARS(SHA256_BYTES) + 1];

	jw_array(&batch->w);
	jw_add_int(&batch->w, batch->head.position);
	jw_add_int(&batch->w, seq);
	jw_add_text(&batch->w,
		    hex_encode_to((struct str){ (const char *)batch->head.hash, sizeof batch->head.hash }, hash));
	jw_array_end(&batch->w);
}

static void seal_row(struct batch *batch, const struct sql_audit_unsealed_row *found)
{
	const struct chain_row row = CHAIN_ROW(found, found->seq, found->at, found->audit_id, found->tenant_id);
	uint8_t hash[SHA256_BYTES];

	chain_hash(batch->key, batch->head.position + 1, batch->head.hash, &row, hash);
	batch->head.position++;
	memcpy(batch->head.hash, hash, sizeof hash);
	batch->sealed++;
	batch->last_seq = row.seq;
	add_link(batch, row.seq);
}

static enum err write_links(struct db *db, struct batch *batch)
{
	int64_t written;

	if (batch->sealed == 0)
		return OK;
	TRY(buf_error(&batch->links));
	TRY(sql_audit_chain_insert(db,
				   &(struct sql_audit_chain_insert_in){
					   .key_generation = batch->generation,
					   .links = buf_str(&batch->links),
				   },
				   &written));
	return written == batch->sealed ? OK : ERR_INTERNAL;
}

static enum err seal_batch(struct db *db, void *arg)
{
	struct batch *batch = arg;
	struct sql_audit_unsealed_row row;
	enum err e;

	batch->sealed = 0;
	batch->last_seq = batch->after_seq;
	buf_clear(&batch->links);
	jw_start(&batch->w, &batch->links);
	jw_array(&batch->w);
	TRY(read_head(db, &batch->head));
	TRY(sql_audit_unsealed(db, &(struct sql_audit_unsealed_in){ batch->after_seq, SEAL_BATCH }));
	while ((e = sql_audit_unsealed_next(db, &row)) == OK)
		seal_row(batch, &row);
	jw_array_end(&batch->w);
	return e == ERR_END ? write_links(db, batch) : e;
}

/* Behind which row to look. What a call of that time or earlier has seen is the same without reading the chain. */
static enum err find_start(struct db *db, const struct audit_seen *seen, int64_t settled_ms, int64_t *ret_seq)
{
	struct sql_audit_settled_seq_row settled;

	for (size_t i = 0; seen && i < ARRAY_SIZE(seen->mark); i++) {
		if (seen->mark[i].at_ms > 0 && seen->mark[i].at_ms <= settled_ms) {
			*ret_seq = seen->mark[i].seq;
			return OK;
		}
	}
	TRY(sql_audit_settled_seq(db, &(struct sql_audit_settled_seq_in){ settled_ms }, &settled));
	*ret_seq = settled.seq;
	return OK;
}

static void note_seen(struct audit_seen *seen, int64_t at_ms, int64_t seq)
{
	if (!seen)
		return;
	memmove(&seen->mark[1], &seen->mark[0], sizeof(seen->mark) - sizeof(seen->mark[0]));
	seen->mark[0].at_ms = at_ms;
	seen->mark[0].seq = seq;
}

static enum err seal_locked(struct db *db, struct batch *batch, int64_t settled_ms, struct audit_seen *seen,
			    int64_t *ret_sealed)
{
	int64_t began_ms = clock_now_ms();

	TRY(find_start(db, seen, settled_ms, &batch->after_seq));
	for (int i = 0; i < SEAL_BATCHES; i++) {
		TRY(db_run(db, seal_batch, batch));
		batch->after_seq = batch->last_seq;
		*ret_sealed += batch->sealed;
		if (batch->sealed < SEAL_BATCH)
			break;
	}
	note_seen(seen, began_ms, batch->after_seq);
	return OK;
}

struct str audit_head_text(const struct audit_head *head, char text[AUDIT_HEAD_TEXT_MAX])
{
	struct str position = str_of_int(head->position, text);

	memmove(text, position.p, position.n);
	text[position.n] = ':';
	hex_encode_to((struct str){ (const char *)head->hash, sizeof(head->hash) }, text + position.n + 1);
	return str_of(text);
}

bool audit_head_parse(struct str text, struct audit_head *ret_head)
{
	uint64_t position;

	if (!str_to_u64(str_cut(&text, ':'), &position) || position > INT64_MAX || str_absent(text))
		return false;
	ret_head->position = (int64_t)position;
	return hex_decode_to(text, ret_head->hash, sizeof(ret_head->hash));
}

enum err audit_seal(struct db *db, const struct secret *key, uint32_t generation, int64_t settled_ms,
		    struct audit_seen *seen, int64_t *ret_sealed, struct audit_head *ret_head)
{
	struct batch batch = { .key = key, .generation = generation };
	struct sql_audit_chain_lock_row lock;
	struct sql_audit_chain_unlock_row unlock;
	enum err e;

	*ret_sealed = 0;
	buf_init(&batch.links, (size_t)SEAL_BATCH * LINK_TEXT_MAX);
	TRY(sql_audit_chain_lock(db, &lock));
	if (!lock.locked.set || lock.locked.v != 1)
		return ERR_DB_LOCKED;
	e = seal_locked(db, &batch, settled_ms, seen, ret_sealed);
	/* When the connection is lost, so is the lock. */
	if (sql_audit_chain_unlock(db, &unlock) != OK && e == OK)
		e = ERR_DB_LOST;
	*ret_head = batch.head;
	buf_done(&batch.links);
	return e;
}
