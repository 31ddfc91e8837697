#include "jobs/queue.h"

#include <string.h>

#include "base/crash.h"
#include "base/json_read.h"
#include "base/json_write.h"
#include "core/answer.h"
#include "crypt/hash.h"
#include "store/db.h"
#include "store/sql_job.h"

static const struct {
	const char *text;
	int batch;
} QUEUES[] = {
#define JOB_QUEUE(name, text, batch, words) [QUEUE_##name] = { text, batch },
#include "jobs/queues.def"
#undef JOB_QUEUE
};

static const struct job_kind_facts KINDS[] = {
#define JOB_KIND(name, function, queue, lease_ms, attempts, words)                                      \
	[JOB_##name] = { #function, QUEUE_##queue, lease_ms, attempts, words },
#include "jobs/kinds.def"
#undef JOB_KIND
	/* Tried like others: a worker of the version that knows it may come by. */
	[JOB_KIND_COUNT] = { "unknown", QUEUE_EVENT, 60000, 9, "" },
};

const char *job_queue_text(enum job_queue queue) { return QUEUES[queue].text; }
bool job_queue_is_quick(enum job_queue queue) { return QUEUES[queue].batch > 1; }
const struct job_kind_facts *job_kind_facts(enum job_kind kind) { return &KINDS[kind]; }

bool job_queue_parse(struct str text, enum job_queue *ret_queue)
{
	for (size_t i = 0; i < JOB_QUEUE_COUNT; i++) {
		if (!str_eq(text, str_of(QUEUES[i].text)))
			continue;
		*ret_queue = (enum job_queue)i;
		return true;
	}
	return false;
}

static bool parse_kind(struct str text, enum job_kind *ret_kind)
{
	for (size_t i = 0; i < JOB_KIND_COUNT; i++) {
		if (!str_eq(text, str_of(KINDS[i].text)))
			continue;
		*ret_kind = (enum job_kind)i;
		return true;
	}
	return false;
}

#define JOB_QUEUE(name, text, batch, words) _Static_assert(batch <= JOB_BATCH_MAX, text ": too large a batch");
#include "jobs/queues.def"
#undef JOB_QUEUE

/* --- adding ------------------------------------------------------------------- */

static void once_key(const struct id *tenant, const struct job_new *new, uint8_t ret_key[SHA256_BYTES])
{
	sha256_of(BYTES(ID_BYTES(tenant), str_of(KINDS[new->kind].text), STR("\0"), new->once), ret_key);
}

static enum err insert_of_service(struct ctx *cx, const struct sql_job_insert_in *in)
{
	const struct sql_job_insert_service_in service = {
		.job_id = in->job_id,
		.queue = in->queue,
		.kind = in->kind,
		.run_at = in->run_at,
		.subject_id = in->subject_id,
		.once_key = in->once_key,
		.payload = in->payload,
	};

	return sql_job_insert_service(cx->db, &service, NULL);
}

enum err job_payload_of(const char *name, enum id_kind kind, const struct id *id, struct buf *payload)
{
	struct json_writer w;

	buf_init(payload, JOB_PAYLOAD_MAX);
	jw_start(&w, payload);
	jw_object(&w);
	answer_id(&w, name, kind, id);
	jw_object_end(&w);
	return buf_error(payload);
}

enum err job_payload_id(struct arena *arena, const struct job *job, const char *name, enum id_kind kind,
			struct id *ret_id)
{
	json_t *payload;

	TRY(json_read(arena, job->payload, &payload, NULL));
	return id_parse(kind, json_member_text(payload, name), ret_id) ? OK : ERR_INTERNAL;
}

enum err job_add(struct ctx *cx, const struct job_new *new, struct id *ret_id)
{
	const struct job_kind_facts *facts = &KINDS[new->kind];
	uint8_t key[SHA256_BYTES];
	struct sql_job_insert_in in = {
		.queue = str_of(job_queue_text(facts->queue)),
		.kind = str_of(facts->text),
		.run_at = new->run_at ? new->run_at : cx->now_ms,
		.subject_id = new->subject,
		.payload = str_absent(new->payload) ? STR("{}") : new->payload,
	};
	enum err e;

	TRY(id_new(&in.job_id));
	if (!str_absent(new->once)) {
		once_key(new->of_service ? &ID_NIL : &cx->who.tenant, new, key);
		in.once_key = (struct str){ (const char *)key, sizeof(key) };
	}
	e = new->of_service ? insert_of_service(cx, &in) : sql_job_insert(cx->db, &in, NULL);
	if (ret_id)
		*ret_id = e == OK ? in.job_id : ID_NIL;
	cx->job_added = cx->job_added || e == OK;
	return e == ERR_DB_DUPLICATE && !str_absent(new->once) ? OK : e;
}

enum { LOOKED_AT_MAX = 1000 };

/* --- claiming ----------------------------------------------------------------- */

/* The next id in order; nil behind the last. */
static struct id successor(struct id id)
{
	for (size_t i = sizeof(id.b); i-- > 0;)
		if (++id.b[i] != 0)
			break;
	return id;
}

/* The first from `from` on that has jobs, due or not; ERR_NOT_FOUND behind the last. */
static enum err next_tenant(struct ctx *cx, enum job_queue queue, struct id *from,
			    struct sql_job_next_tenant_row *ret_row)
{
	const struct sql_job_next_tenant_in in = { .queue = str_of(job_queue_text(queue)), .from = *from };

	TRY(sql_job_next_tenant(cx->db, &in, ret_row));
	*from = successor(ret_row->tenant_id);
	return OK;
}

/*
 * Up to `most` tenants with a job that is due: from whose turn it is to the last one, or else from the first one on. A
 * crowd whose jobs all lie in the future is looked through in pieces, claim after claim.
 */
static enum err next_tenants(struct ctx *cx, enum job_queue queue, struct job_turns *turns, size_t most,
			     struct id *tenants, size_t *ret_count)
{
	struct sql_job_next_tenant_row row;
	const struct id start = turns->from[queue];
	struct id from = start;
	bool wrapped = false;

	*ret_count = 0;
	for (int i = 0; i < LOOKED_AT_MAX && *ret_count < most; i++) {
		if (wrapped && memcmp(from.b, start.b, sizeof(from.b)) >= 0)
			break; /* once round */
		enum err e = next_tenant(cx, queue, &from, &row);

		if (e == ERR_NOT_FOUND) {
			from = ID_NIL;
			if (wrapped || *ret_count > 0)
				break;
			wrapped = true;
			continue;
		}
		TRY(e);
		if (row.due_at <= cx->now_ms &&
		    (!turns->admits || turns->admits(turns->arg, queue, &row.tenant_id)))
			tenants[(*ret_count)++] = row.tenant_id;
	}
	turns->from[queue] = from;
	return OK;
}

enum err job_oldest_due(struct ctx *cx, enum job_queue queue, struct opt_int *ret_ms)
{
	struct sql_job_next_tenant_row row;
	struct id from = ID_NIL;
	enum err e = OK;

	*ret_ms = (struct opt_int){ 0 };
	for (int i = 0; i < LOOKED_AT_MAX && (e = next_tenant(cx, queue, &from, &row)) == OK; i++)
		if (row.due_at <= cx->now_ms && (!ret_ms->set || row.due_at < ret_ms->v))
			*ret_ms = (struct opt_int){ true, row.due_at };
	return e == ERR_NOT_FOUND ? OK : e;
}

/* What is being leased together. */
struct batch {
	struct job *jobs;
	size_t n;
	bool closed; /* nothing more may join */
};

static enum err keep_row(struct ctx *cx, const struct id *tenant, const struct sql_job_claimable_row *row,
			 struct job *ret_job)
{
	*ret_job = (struct job){
		.tenant = *tenant,
		.id = row->job_id,
		.kind = JOB_KIND_COUNT,
		.attempts = row->attempts + 1,
		.lease = row->lease + 1,
		.subject = row->subject_id,
		.payload = arena_copy(cx->arena, row->payload),
		.created_at = row->created_at,
	};
	if (!parse_kind(row->kind, &ret_job->kind))
		ret_job->kind = JOB_KIND_COUNT;
	ret_job->until = cx->now_ms + KINDS[ret_job->kind].lease_ms;
	return str_absent(ret_job->payload) ? ERR_NO_MEMORY : OK;
}

static enum err join(struct ctx *cx, struct batch *batch, const struct id *tenant,
		     const struct sql_job_claimable_row *row)
{
	bool left_behind = !str_absent(row->worker);

	batch->closed = batch->closed || (left_behind && batch->n > 0);
	if (batch->closed)
		return OK;
	batch->closed = left_behind;
	return keep_row(cx, tenant, row, &batch->jobs[batch->n++]);
}

/* Rows that another worker has just locked are passed over, not waited for. */
static enum err claim_of_tenant(struct ctx *cx, enum job_queue queue, const struct id *tenant, size_t most,
				struct batch *batch)
{
	const struct sql_job_claimable_in in = {
		.queue = str_of(job_queue_text(queue)),
		.job_tenant = *tenant,
		.limit = (int64_t)most,
	};
	struct sql_job_claimable_row row;
	enum err e;

	TRY(sql_job_claimable(cx->db, &in));
	while ((e = sql_job_claimable_next(cx->db, &row)) == OK)
		TRY(join(cx, batch, tenant, &row));
	return e == ERR_END ? OK : e;
}

/* Whose turn it is. */
struct waiting {
	struct id tenant[JOB_BATCH_MAX];
	size_t n;
};

/* An even share for each of them; what one leaves is for those behind it. */
static enum err claim_in_turn(struct ctx *cx, enum job_queue queue, const struct waiting *waiting,
			      struct job_turns *turns, struct batch *batch)
{
	size_t most = (size_t)QUEUES[queue].batch;

	for (size_t i = 0; i < waiting->n && batch->n < most && !batch->closed; i++) {
		size_t before = batch->n, share = (most - before) / (waiting->n - i);

		TRY(claim_of_tenant(cx, queue, &waiting->tenant[i], share > 0 ? share : 1, batch));
		if (batch->closed && batch->n == before)
			break; /* its turn is the next one */
		turns->from[queue] = successor(waiting->tenant[i]);
	}
	return OK;
}

/* Those that are one tenant's and end at the same time are leased by one statement. */
static enum err lease(struct ctx *cx, const struct batch *batch, struct str worker)
{
	for (size_t i = 0, next; i < batch->n; i = next) {
		const struct job *first = &batch->jobs[i];
		struct id ids[JOB_BATCH_MAX];

		for (next = i; next < batch->n && batch->jobs[next].until == first->until &&
			       id_eq(&batch->jobs[next].tenant, &first->tenant); next++)
			ids[next - i] = batch->jobs[next].id;
		const struct sql_job_lease_in in = {
			.job_tenant = first->tenant,
			.job_ids = { (const char *)ids, (next - i) * sizeof(ids[0]) },
			.until = first->until,
			.worker = worker,
		};
		TRY(sql_job_lease(cx->db, &in, NULL));
	}
	return OK;
}

/* How many of the same tenant are before it. */
static size_t round_of(const struct job *jobs, size_t job)
{
	size_t before = 0;

	for (size_t i = 0; i < job; i++)
		before += id_eq(&jobs[i].tenant, &jobs[job].tenant);
	return before;
}

/* Each tenant's first job, then each one's second: a single one doesn't wait for the whole share of another. */
static void take_turns(struct batch *batch)
{
	struct job claimed[JOB_BATCH_MAX];
	size_t n = 0;

	memcpy(claimed, batch->jobs, batch->n * sizeof(claimed[0]));
	for (size_t round = 0; n < batch->n; round++)
		for (size_t i = 0; i < batch->n; i++)
			if (round_of(claimed, i) == round)
				batch->jobs[n++] = claimed[i];
}

static enum err lease_in_turn(struct ctx *cx, enum job_queue queue, const struct waiting *waiting,
			      struct job_turns *turns, struct str worker, struct batch *batch)
{
	enum err e;

	TRY(db_begin(cx->db));
	e = claim_in_turn(cx, queue, waiting, turns, batch);
	if (e == OK)
		e = lease(cx, batch, worker);
	if (batch->n > 0)
		lw_crash_point("job_leased");
	if (e != OK) {
		db_rollback(cx->db);
		return e;
	}
	/* Nothing to lease is nothing to write: the commit costs no flush then. */
	return db_commit(cx->db);
}

enum err job_claim(struct ctx *cx, enum job_queue queue, struct job_turns *turns, struct str worker,
		   struct job jobs[JOB_BATCH_MAX], size_t *ret_count)
{
	struct job_turns next = *turns;
	struct waiting waiting = { 0 };
	struct batch batch = { .jobs = jobs };

	*ret_count = 0;
	/* A look only: what is leased is read again. Most queues are empty most of the time, and cost no more. */
	TRY(next_tenants(cx, queue, &next, (size_t)QUEUES[queue].batch, waiting.tenant, &waiting.n));
	if (waiting.n > 0)
		TRY(lease_in_turn(cx, queue, &waiting, &next, worker, &batch));
	take_turns(&batch);
	*ret_count = batch.n;
	*turns = next;
	return OK;
}

/* --- how it ends ---------------------------------------------------------------- */

/* None: the lease is somebody else's by now. */
static enum err one_row(int64_t rows) { return rows == 1 ? OK : ERR_CONFLICT; }

enum err job_finish(struct ctx *cx, const struct job *job)
{
	const struct sql_job_remove_in gone = { .job_tenant = job->tenant, .job_id = job->id, .lease = job->lease };
	const struct sql_job_remember_in done = {
		.job_tenant = job->tenant,
		.job_id = job->id,
		.queue = str_of(job_queue_text(KINDS[job->kind].queue)),
		.kind = str_of(KINDS[job->kind].text),
		.attempts = job->attempts,
		.subject_id = job->subject,
		.created_at = job->created_at,
	};
	int64_t rows;

	TRY(sql_job_remove(cx->db, &gone, &rows));
	TRY(one_row(rows));
	return sql_job_remember(cx->db, &done, NULL);
}

enum err job_retry_later(struct ctx *cx, const struct job *job, int64_t run_at, struct str code, struct str message)
{
	const struct sql_job_put_back_in in = {
		.job_tenant = job->tenant,
		.job_id = job->id,
		.lease = job->lease,
		.run_at = run_at,
		.error_code = code,
		.error_message = message,
	};
	int64_t rows;

	TRY(sql_job_put_back(cx->db, &in, &rows));
	return one_row(rows);
}

enum err job_bury(struct ctx *cx, const struct job *job, struct str code, struct str message)
{
	const struct sql_job_bury_in in = {
		.job_tenant = job->tenant,
		.job_id = job->id,
		.lease = job->lease,
		.error_code = code,
		.error_message = message,
	};
	int64_t rows;

	TRY(sql_job_bury(cx->db, &in, &rows));
	return one_row(rows);
}

enum err job_give_back(struct ctx *cx, const struct job *job)
{
	const struct sql_job_give_back_in in = { .job_tenant = job->tenant, .job_id = job->id, .lease = job->lease };
	int64_t rows;

	TRY(sql_job_give_back(cx->db, &in, &rows));
	return one_row(rows);
}

enum err job_pause(struct ctx *cx, const struct job *job, int64_t run_at)
{
	const struct sql_job_pause_in in = {
		.job_tenant = job->tenant, .job_id = job->id, .lease = job->lease, .run_at = run_at
	};
	int64_t rows;

	TRY(sql_job_pause(cx->db, &in, &rows));
	return one_row(rows);
}

enum err job_renew(struct ctx *cx, const struct job *job, int64_t until_ms)
{
	const struct sql_job_extend_in in = {
		.job_tenant = job->tenant, .job_id = job->id, .lease = job->lease, .until = until_ms
	};
	int64_t rows;

	TRY(sql_job_extend(cx->db, &in, &rows));
	return one_row(rows);
}
