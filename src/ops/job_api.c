/* GET /jobs, /jobs/{id}, POST /jobs/{id}/retry, /jobs/retry-dead: the queue as its tenant sees it. */
#include "base/json_write.h"
#include "core/answer.h"
#include "core/ctx.h"
#include "core/operations.h"
#include "fcgi/reply.h"
#include "store/sql_job.h"

enum { REVIVED_MAX = 10000 };

struct shown {
	struct id id;
	struct str queue, kind, state;
	int64_t attempts;
	struct opt_id subject;
	struct str error_code, error_message;
	int64_t created_at;
	struct opt_int run_at, finished_at;
};

#define SHOWN_LIVE(row)                                                                             \
	((struct shown){ .id = (row).job_id,                                                        \
			 .queue = (row).queue,                                                      \
			 .kind = (row).kind,                                                        \
			 .state = (row).state,                                                      \
			 .attempts = (row).attempts,                                                \
			 .subject = (row).subject_id,                                               \
			 .error_code = (row).error_code,                                            \
			 .error_message = (row).error_message,                                      \
			 .created_at = (row).created_at,                                            \
			 .run_at = { true, (row).run_at } })
#define SHOWN_DONE(row)                                                                             \
	((struct shown){ .id = (row).job_id,                                                        \
			 .queue = (row).queue,                                                      \
			 .kind = (row).kind,                                                        \
			 .state = STR("done"),                                                      \
			 .attempts = (row).attempts,                                                \
			 .subject = (row).subject_id,                                               \
			 .created_at = (row).created_at,                                            \
			 .finished_at = { true, (row).finished_at } })

/* What a job is about has no kind of its own in the row: the job's kind says it. */
static enum id_kind subject_kind(struct str kind)
{
	if (str_starts(kind, STR("event_")))
		return ID_EVENT;
	return str_starts(kind, STR("mail_")) ? ID_MAIL : ID_CONNECTOR;
}

static void write_job(struct json_writer *w, const struct shown *job)
{
	jw_object(w);
	answer_id(w, "id", ID_JOB, &job->id);
	jw_put_text(w, "queue", job->queue);
	jw_put_text(w, "kind", job->kind);
	jw_put_text(w, "state", job->state);
	jw_put_int(w, "attempts", job->attempts);
	answer_opt_id(w, "subject_id", subject_kind(job->kind), &job->subject);
	answer_error(w, "last_error", job->error_code, job->error_message);
	answer_time(w, "created_at", job->created_at);
	answer_opt_time(w, "run_at", job->run_at);
	answer_opt_time(w, "finished_at", job->finished_at);
	jw_object_end(w);
}

static enum err list_done(struct ctx *cx, const struct job_list_in *in, struct id before, struct reply *reply)
{
	const struct sql_job_list_done_in query = { .before = before, .queue = in->queue, .limit = in->limit + 1 };
	struct sql_job_list_done_row row;
	struct answer_page page;
	enum err e;

	TRY(sql_job_list_done(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_job_list_done_next(cx->db, &row)) == OK && answer_page_item(&page, &row.job_id))
		write_job(&page.w, &SHOWN_DONE(row));
	return answer_page_end(&page, cx, reply, e);
}

enum err job_list(struct ctx *cx, const struct job_list_in *in, struct reply *reply)
{
	struct sql_job_list_in query = { .state = in->state, .queue = in->queue, .limit = in->limit + 1 };
	struct sql_job_list_row row;
	struct answer_page page;
	enum err e;

	TRY(ctx_cursor_read(cx, in->cursor, &query.before));
	if (str_eq(in->state, STR("done")))
		return list_done(cx, in, query.before, reply);
	TRY(sql_job_list(cx->db, &query));
	answer_page_start(&page, reply, in->limit);
	while ((e = sql_job_list_next(cx->db, &row)) == OK && answer_page_item(&page, &row.job_id))
		write_job(&page.w, &SHOWN_LIVE(row));
	return answer_page_end(&page, cx, reply, e);
}

static enum err answer(const struct shown *job, struct reply *reply)
{
	struct json_writer w;

	jw_start(&w, &reply->body);
	write_job(&w, job);
	return buf_error(&reply->body);
}

enum err job_get(struct ctx *cx, const struct job_get_in *in, struct reply *reply)
{
	struct sql_job_get_done_row done;
	struct sql_job_get_row row;
	enum err e = sql_job_get(cx->db, &(struct sql_job_get_in){ .job_id = in->job_id }, &row);

	if (e == OK)
		return answer(&SHOWN_LIVE(row), reply);
	if (e != ERR_NOT_FOUND)
		return e;
	TRY(sql_job_get_done(cx->db, &(struct sql_job_get_done_in){ .job_id = in->job_id }, &done));
	return answer(&SHOWN_DONE(done), reply);
}

enum err job_retry(struct ctx *cx, const struct job_retry_in *in, struct reply *reply)
{
	struct sql_job_get_row row;
	int64_t rows;

	ctx_audit_target(cx, ID_JOB, &in->job_id);
	TRY(sql_job_revive(cx->db, &(struct sql_job_revive_in){ .job_id = in->job_id }, &rows));
	TRY(sql_job_get(cx->db, &(struct sql_job_get_in){ .job_id = in->job_id }, &row));
	if (rows == 0)
		return ctx_fail(cx, ERR_CONFLICT, "Only a dead job can be tried again.");
	cx->job_added = true;
	return answer(&SHOWN_LIVE(row), reply);
}

enum err job_retry_dead(struct ctx *cx, const struct job_retry_dead_in *in, struct reply *reply)
{
	const struct sql_job_revive_all_in query = { .queue = in->queue, .limit = REVIVED_MAX };
	struct json_writer w;
	int64_t rows;

	TRY(sql_job_revive_all(cx->db, &query, &rows));
	cx->job_added = rows > 0;
	jw_start(&w, &reply->body);
	jw_object(&w);
	jw_put_int(&w, "retried", rows);
	jw_object_end(&w);
	return buf_error(&reply->body);
}
