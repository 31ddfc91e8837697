/* The queue in a real database: who gets which job, and who may say how it ended. */
#include "feature_support.h"

#include "base/clock.h"
#include "core/metrics.h"
#include "jobs/backoff.h"
#include "jobs/queue.h"
#include "jobs/queue_stat.h"
#include "jobs/runner.h"
#include "jobs/tally.h"
#include "jobs/worker_stat.h"
#include "store/sql_job.h"
#include "store/sql_retention.h"

static const struct id TENANT_A = { .b = { 0xaa, 1 } }, TENANT_B = { .b = { 0xbb, 2 } };
static int64_t now_ms;

/* How the runner's tests have their jobs run. */
static struct {
	enum err answers[8]; /* of the handler, one run after the other */
	size_t runs;
	bool hopeless;
	bool commits;      /* the handler ends the job itself, with a change that gives the answer */
	bool adds;         /* and promises another job */
	unsigned rings;
	size_t runs_before_way[8], ways; /* how many had run when way was made */
	const char *words; /* what it says of its failure */
	int64_t takes_ms;
	const char *meanwhile; /* SQL that somebody else runs */
	enum err burial;       /* what the next one answers */
	size_t buried;
	struct opt_id full;    /* the tenant that may have no more under way */
	struct tally *tally;
	struct ctx *open[2];
	size_t depth;
} world;

static int start(void **state)
{
	char key[KEYRING_ID_MAX + 1];

	(void)state;
	config = (struct config){ 0 };
	start_feature(key);
	return tally_new(&world.tally) == OK ? 0 : -1;
}

static int empty(void **state)
{
	(void)state;
	private_mariadb_run(&server, "latchwork", "DELETE FROM job; DELETE FROM job_history; DELETE FROM queue_stat");
	now_ms = clock_now_ms();
	return 0;
}

static struct ctx *open_as(const char *pool, struct id tenant)
{
	struct ctx *cx = calloc(1, sizeof(*cx));

	assert_non_null(cx);
	open_context(cx, pool);
	cx->now_ms = now_ms;
	cx->who = (struct principal){ .who = WHO_SYSTEM, .tenant = tenant, .live = true };
	ctx_enter(cx);
	return cx;
}

static void close_as(struct ctx *cx)
{
	close_context(cx);
	free(cx);
}

static void set_now(struct ctx *cx, int64_t ms)
{
	cx->now_ms = ms;
	ctx_enter(cx);
}

/* `count` jobs of that tenant, as a front worker promises them. */
static void add(struct id tenant, int count)
{
	struct ctx *cx = open_as("front", tenant);
	const struct job_new new = { .kind = JOB_MAIL_SEND, .payload = STR("{\"n\":1}") };

	for (int i = 0; i < count; i++)
		assert_ok(job_add(cx, &new, NULL));
	close_as(cx);
}

static size_t claim(struct ctx *cx, struct job_turns *turns, struct job jobs[JOB_BATCH_MAX])
{
	size_t count;

	assert_ok(job_claim(cx, QUEUE_MAIL, turns, STR("w1"), jobs, &count));
	return count;
}

static int64_t rows(const char *query)
{
	return private_mariadb_number(&server, "latchwork", query);
}

static void a_promised_job_is_leased_once_and_remembered_when_it_is_done(void **state)
{
	struct ctx *one = open_as("worker", ID_NIL), *other = open_as("worker", ID_NIL);
	struct job jobs[JOB_BATCH_MAX], none[JOB_BATCH_MAX];
	struct job_turns turns = { 0 }, other_turns = { 0 };

	(void)state;
	add(TENANT_A, 1);
	assert_int_equal(claim(one, &turns, jobs), 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_A));
	assert_int_equal(jobs[0].attempts, 1);
	assert_str(jobs[0].payload, "{\"n\":1}");
	assert_int_equal(claim(other, &other_turns, none), 0);
	assert_ok(job_finish(one, &jobs[0]));
	assert_int_equal(rows("SELECT COUNT(*) FROM job"), 0);
	assert_int_equal(rows("SELECT COUNT(*) FROM job_history WHERE attempts = 1"), 1);
	close_as(one);
	close_as(other);
}

static void a_worker_whose_lease_ended_changes_nothing_any_more(void **state)
{
	struct ctx *slow = open_as("worker", ID_NIL), *next = open_as("worker", ID_NIL);
	struct job late[JOB_BATCH_MAX], ours[JOB_BATCH_MAX];
	struct job_turns turns = { 0 }, next_turns = { 0 };

	(void)state;
	add(TENANT_A, 1);
	assert_int_equal(claim(slow, &turns, late), 1);
	set_now(next, now_ms + job_kind_facts(JOB_MAIL_SEND)->lease_ms);
	assert_int_equal(claim(next, &next_turns, ours), 1);
	assert_int_equal(ours[0].attempts, 2);
	assert_int_equal(job_finish(slow, &late[0]), ERR_CONFLICT);
	assert_int_equal(job_retry_later(slow, &late[0], now_ms, STR("X"), STR("x")), ERR_CONFLICT);
	assert_int_equal(job_bury(slow, &late[0], STR("X"), STR("x")), ERR_CONFLICT);
	assert_int_equal(job_renew(slow, &late[0], now_ms), ERR_CONFLICT);
	assert_int_equal(job_give_back(slow, &late[0]), ERR_CONFLICT);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'live' AND attempts = 2"), 1);
	assert_ok(job_finish(next, &ours[0]));
	close_as(slow);
	close_as(next);
}

static void a_tenant_with_one_job_waits_for_one_turn_of_a_tenant_with_a_thousand(void **state)
{
	struct ctx *cx = open_as("worker", ID_NIL);
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };

	(void)state;
	add(TENANT_A, 1000);
	add(TENANT_B, 1);
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_A));
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_B));
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_A));
	close_as(cx);
}

static void work_of_the_service_itself_has_its_turn_too(void **state)
{
	struct ctx *front = open_as("front", ID_NIL), *cx = open_as("worker", ID_NIL);
	const struct job_new new = { .kind = JOB_MAIL_SEND, .of_service = true };
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };

	(void)state;
	assert_ok(job_add(front, &new, NULL));
	add(TENANT_A, 2);
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_true(id_is_nil(&jobs[0].tenant));
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_A));
	close_as(front);
	close_as(cx);
}

static void a_job_that_is_wanted_once_is_there_once_until_it_has_ended(void **state)
{
	struct ctx *front = open_as("front", TENANT_A), *cx = open_as("worker", ID_NIL);
	const struct job_new new = { .kind = JOB_MAIL_SEND, .once = STR("the same") };
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };
	struct id first, second;

	(void)state;
	assert_ok(job_add(front, &new, &first));
	assert_ok(job_add(front, &new, &second));
	assert_false(id_is_nil(&first));
	assert_true(id_is_nil(&second));
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_ok(job_bury(cx, &jobs[0], STR("X"), STR("gone wrong")));
	assert_ok(job_add(front, &new, &second));
	assert_false(id_is_nil(&second));
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'dead' AND error_code = 'X'"), 1);
	close_as(front);
	close_as(cx);
}

static void a_job_isnt_begun_before_its_time_and_a_dead_one_never(void **state)
{
	struct ctx *front = open_as("front", TENANT_A), *cx = open_as("worker", ID_NIL);
	const struct job_new new = { .kind = JOB_MAIL_SEND, .run_at = now_ms + 1000 };
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };

	(void)state;
	assert_ok(job_add(front, &new, NULL));
	assert_int_equal(claim(cx, &turns, jobs), 0);
	set_now(cx, now_ms + 1000);
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_ok(job_retry_later(cx, &jobs[0], now_ms + 5000, STR("TIMEOUT"), STR("too slow")));
	assert_int_equal(claim(cx, &turns, jobs), 0);
	set_now(cx, now_ms + 5000);
	assert_int_equal(claim(cx, &turns, jobs), 1);
	assert_int_equal(jobs[0].attempts, 2);
	assert_ok(job_bury(cx, &jobs[0], STR("X"), STR("x")));
	set_now(cx, now_ms + 100000000);
	assert_int_equal(claim(cx, &turns, jobs), 0);
	close_as(front);
	close_as(cx);
}

static void each_job_of_a_batch_is_leased_whichever_tenant_it_is_of(void **state)
{
	struct ctx *cx = open_as("worker", ID_NIL);
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };
	size_t count;

	(void)state;
	add(TENANT_A, 7);
	add(TENANT_B, 7);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET queue = 'event', kind = 'event_process'");
	assert_ok(job_claim(cx, QUEUE_EVENT, &turns, STR("w1"), jobs, &count));
	assert_int_equal(count, 10);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE worker = 'w1' AND lease = 1 AND attempts = 1"), 10);
	assert_int_equal(rows("SELECT COUNT(DISTINCT tenant_id) FROM job WHERE worker = 'w1'"), 2);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE worker IS NULL AND lease = 0 AND attempts = 0"), 4);
	for (size_t i = 0; i < count; i++)
		assert_ok(job_finish(cx, &jobs[i]));
	assert_ok(job_claim(cx, QUEUE_EVENT, &turns, STR("w1"), jobs, &count));
	assert_int_equal(count, 4);
	close_as(cx);
}

static void a_single_job_of_a_batch_isnt_behind_another_tenants_whole_share(void **state)
{
	struct ctx *cx = open_as("worker", ID_NIL);
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };
	size_t count;

	(void)state;
	add(TENANT_A, 7);
	add(TENANT_B, 2);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET queue = 'event', kind = 'event_process'");
	assert_ok(job_claim(cx, QUEUE_EVENT, &turns, STR("w1"), jobs, &count));
	assert_int_equal(count, 7);
	for (size_t i = 0; i < count; i++)
		assert_true(id_eq(&jobs[i].tenant, i == 1 || i == 3 ? &TENANT_B : &TENANT_A));
	for (size_t i = 0; i < count; i++)
		assert_ok(job_finish(cx, &jobs[i]));
	assert_int_equal(rows("SELECT COUNT(*) FROM job"), 2);
	close_as(cx);
}

static void a_job_that_may_have_killed_its_worker_is_leased_alone(void **state)
{
	struct ctx *cx = open_as("worker", ID_NIL);
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };
	size_t count;

	(void)state;
	add(TENANT_A, 4);
	private_mariadb_run(&server, "latchwork",
			    "UPDATE job SET queue = 'event', kind = 'event_process';"
			    "UPDATE job SET worker = 'dead', lease = 1, run_at = run_at - 1 ORDER BY job_id LIMIT 2");
	for (size_t wanted = 1, i = 0; i < 3; i++, wanted = i < 2 ? 1 : 2) {
		assert_ok(job_claim(cx, QUEUE_EVENT, &turns, STR("w1"), jobs, &count));
		assert_int_equal(count, wanted);
		assert_int_equal(jobs[0].lease, i < 2 ? 2 : 1);
	}
	private_mariadb_run(&server, "latchwork", "UPDATE job SET worker = NULL, run_at = 1 ORDER BY job_id DESC LIMIT 1");
	add(TENANT_B, 1);
	private_mariadb_run(&server, "latchwork",
			    "UPDATE job SET queue = 'event', kind = 'event_process', run_at = 1, worker = 'dead'"
			    " WHERE queue = 'mail'");
	turns = (struct job_turns){ 0 };
	assert_ok(job_claim(cx, QUEUE_EVENT, &turns, STR("w1"), jobs, &count));
	assert_int_equal(count, 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_A));
	assert_ok(job_claim(cx, QUEUE_EVENT, &turns, STR("w1"), jobs, &count));
	assert_int_equal(count, 1);
	assert_true(id_eq(&jobs[0].tenant, &TENANT_B));
	close_as(cx);
}

static void what_another_worker_is_just_leasing_is_passed_over(void **state)
{
	struct ctx *one = open_as("worker", ID_NIL), *other = open_as("worker", ID_NIL);
	const struct sql_job_claimable_in first = { .queue = STR("mail"), .job_tenant = TENANT_A, .limit = 1 };
	struct sql_job_claimable_row row;
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };

	(void)state;
	add(TENANT_A, 2);
	assert_ok(db_begin(one->db));
	assert_ok(sql_job_claimable(one->db, &first));
	assert_ok(sql_job_claimable_next(one->db, &row));
	assert_int_equal(claim(other, &turns, jobs), 1);
	assert_false(id_eq(&jobs[0].id, &row.job_id));
	assert_int_equal(claim(other, &turns, jobs), 0);
	db_rollback(one->db);
	close_as(one);
	close_as(other);
}

/* --- the runner -------------------------------------------------------------------- */


static int64_t host_now(void *arg)
{
	(void)arg;
	return now_ms;
}

static struct ctx *host_open(void *arg, struct id tenant)
{
	(void)arg;
	world.open[world.depth] = open_as("worker", tenant);
	world.open[world.depth]->tally = world.tally;
	return world.open[world.depth++];
}

static void host_close(void *arg, struct ctx *cx)
{
	(void)arg;
	world.depth--;
	close_as(cx);
}

static enum err change(struct ctx *cx, void *arg)
{
	(void)cx;
	return *(const enum err *)arg;
}

static enum err handle(struct ctx *cx, struct run *run)
{
	enum err answer = world.answers[world.runs++];

	assert_true(id_eq(&cx->who.tenant, &run->job->tenant));
	run->hopeless = world.hopeless;
	now_ms += world.takes_ms;
	if (world.words)
		cx->problem.detail = str_of(world.words);
	if (world.adds)
		assert_ok(job_add(cx, &(struct job_new){ .kind = JOB_EVENT_DELIVER }, NULL));
	if (world.meanwhile)
		private_mariadb_run(&server, "latchwork", world.meanwhile);
	return world.commits ? run_commit(cx, run, change, &answer) : answer;
}

static enum err lay_to_rest(struct ctx *cx, const struct job *job)
{
	assert_true(id_eq(&cx->who.tenant, &job->tenant));
	assert_true(db_in_transaction(cx->db));
	world.buried++;
	return world.burial;
}

static const job_burial BURIALS[JOB_KIND_COUNT] = { [JOB_MAIL_SEND] = lay_to_rest };
static const job_handler HANDLERS[JOB_KIND_COUNT] = { [JOB_MAIL_SEND] = handle, [JOB_EVENT_PROCESS] = handle };

static int new_world(void **state)
{
	struct tally *tally = world.tally;

	memset(&world, 0, sizeof(world));
	world.tally = tally;
	for (int queue = 0; queue < JOB_QUEUE_COUNT; queue++)
		for (int end = 0; end < TALLY_END_COUNT; end++)
			(void)tally_take(tally, (enum job_queue)queue, (enum tally_end)end);
	return empty(state);
}

static void host_ring(void *arg)
{
	(void)arg;
	world.rings++;
}

static void host_make_way(void *arg)
{
	(void)arg;
	world.runs_before_way[world.ways++] = world.runs;
}

static bool host_admits(void *arg, enum job_queue queue, const struct id *tenant)
{
	(void)arg;
	(void)queue;
	return !world.full.set || !id_eq(tenant, &world.full.v);
}

static void run_the_queues(enum runner_role role)
{
	const struct runner_host host = {
		.now_ms = host_now,
		.open = host_open,
		.close = host_close,
		.handler = HANDLERS,
		.burial = BURIALS,
		.ring = host_ring,
		.poll_ms = 1000,
		.role = role,
		.admits = host_admits,
		.make_way = host_make_way,
	};
	struct runner runner;

	runner_init(&runner, &host);
	for (int i = 0; i < JOB_QUEUE_COUNT; i++)
		runner_step(&runner);
}

static void run_the_queue(void) { run_the_queues(RUNNER_FOR_ALL); }

static void a_failed_job_is_tried_again_on_schedule_until_it_is_given_up(void **state)
{
	int64_t attempts = job_kind_facts(JOB_MAIL_SEND)->attempts;

	(void)state;
	add(TENANT_A, 1);
	for (int64_t i = 1; i <= attempts; i++) {
		world.runs = 0;
		world.answers[0] = ERR_UPSTREAM;
		world.hopeless = false;
		run_the_queue();
		assert_int_equal(world.runs, 1);
		now_ms += backoff_ms((unsigned)i, 0) * 6 / 5;
	}
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'dead' AND error_code = 'UPSTREAM_FAILED'"), 1);
	assert_int_equal(rows("SELECT attempts FROM job"), attempts);
	assert_int_equal(world.buried, 1);
}

/* Or the job would be dead, and what it was about would wait for it for ever. */
static void a_job_is_dead_only_together_with_what_that_means_for_its_subject(void **state)
{
	(void)state;
	add(TENANT_A, 1);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET attempts = 1000");
	world.burial = ERR_NOT_READY;
	run_the_queue();
	assert_int_equal(world.buried, 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'dead'"), 0);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET run_at = 0");
	world.burial = OK;
	run_the_queue();
	assert_int_equal(world.buried, 2);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'dead' AND error_code = 'WORKER_DIED'"), 1);
}

static void a_hopeless_job_is_given_up_at_once_and_a_good_one_is_gone(void **state)
{
	(void)state;
	add(TENANT_A, 1);
	world.runs = 0;
	world.answers[0] = ERR_BAD_INPUT;
	world.hopeless = true;
	run_the_queue();
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'dead' AND attempts = 1"), 1);
	empty(NULL);
	add(TENANT_B, 1);
	world.runs = 0;
	world.answers[0] = OK;
	world.hopeless = false;
	run_the_queue();
	assert_int_equal(rows("SELECT COUNT(*) FROM job"), 0);
	assert_int_equal(rows("SELECT COUNT(*) FROM job_history"), 1);
}

static void a_job_that_kills_its_worker_each_time_is_given_up_without_another_run(void **state)
{
	(void)state;
	add(TENANT_A, 1);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET attempts = 1000");
	world.runs = 0;
	run_the_queue();
	assert_int_equal(world.runs, 0);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'dead' AND error_code = 'WORKER_DIED'"), 1);
}

static void a_job_of_a_kind_that_this_version_does_not_know_holds_nobody_up(void **state)
{
	(void)state;
	add(TENANT_A, 2);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET kind = 'of_tomorrow', run_at = 1 ORDER BY job_id LIMIT 1");
	run_the_queue();
	run_the_queue();
	assert_int_equal(world.runs, 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE state = 'live' AND error_code = 'UNKNOWN_KIND' AND worker IS NULL"), 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job_history"), 1);
}

static void a_conflict_of_the_handlers_own_is_a_failure_like_any_other(void **state)
{
	(void)state;
	add(TENANT_A, 1);
	world.commits = true;
	world.answers[0] = ERR_CONFLICT;
	run_the_queue();
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE attempts = 1 AND worker IS NULL AND error_code = 'CONFLICT'"), 1);
}

static void a_lost_lease_undoes_the_change_and_leaves_the_job_to_its_new_worker(void **state)
{
	(void)state;
	add(TENANT_A, 1);
	world.commits = true;
	world.meanwhile = "UPDATE job SET lease = lease + 1, worker = 'w2'";
	run_the_queue();
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE lease = 2 AND worker = 'w2' AND error_code IS NULL"), 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job_history"), 0);
}

static void a_job_that_waited_out_its_lease_in_the_batch_is_not_begun(void **state)
{
	(void)state;
	add(TENANT_A, 3);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET queue = 'event', kind = 'event_process'");
	world.takes_ms = job_kind_facts(JOB_EVENT_PROCESS)->lease_ms;
	run_the_queue();
	assert_int_equal(world.runs, 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job_history"), 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job"), 2);
}

/* 249 letters of two bytes behind one of one: byte 500 is the middle of one. */
static void the_words_of_a_failure_are_cut_between_letters(void **state)
{
	char words[2 * 400 + 2] = "x";

	(void)state;
	for (size_t i = 0; i < 400; i++)
		memcpy(words + 1 + 2 * i, "\xc3\xa4", 2);
	add(TENANT_A, 1);
	world.answers[0] = ERR_UPSTREAM;
	world.words = words;
	run_the_queue();
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE error_message LIKE 'x\xc3\xa4%' AND worker IS NULL"), 1);
}

static void whoever_waits_is_told_of_jobs_that_jobs_have_added(void **state)
{
	(void)state;
	add(TENANT_A, 1);
	run_the_queue();
	assert_int_equal(world.rings, 0);
	add(TENANT_A, 1);
	world.adds = true;
	run_the_queues(RUNNER_FOR_QUICK); /* mails aren't for it */
	assert_int_equal(world.rings, 0);
	run_the_queue();
	assert_int_equal(world.rings, 1);
}

static void a_process_for_quick_jobs_leaves_the_others_alone(void **state)
{
	(void)state;
	add(TENANT_A, 2);
	private_mariadb_run(&server, "latchwork",
			    "UPDATE job SET queue = 'event', kind = 'event_process' ORDER BY job_id LIMIT 1");
	run_the_queues(RUNNER_FOR_QUICK);
	assert_int_equal(world.runs, 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE queue = 'mail'"), 1);
}

/* Else the calls of workflows hold mails and deliveries up. */
static void a_process_that_makes_no_calls_for_workflows_does_everything_else(void **state)
{
	(void)state;
	add(TENANT_A, 2);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET queue = 'call' ORDER BY job_id LIMIT 1");
	run_the_queues(RUNNER_BUT_CALLS);
	assert_int_equal(world.runs, 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job WHERE queue = 'call'"), 1);
	run_the_queues(RUNNER_FOR_ALL);
	assert_int_equal(world.runs, 2);
}

static void a_tenant_with_as_much_under_way_as_it_may_is_passed_over_and_waits(void **state)
{
	(void)state;
	add(TENANT_A, 2);
	add(TENANT_B, 1);
	world.full = (struct opt_id){ true, TENANT_A };
	run_the_queue();
	run_the_queue();
	assert_int_equal(world.runs, 1);
	assert_int_equal(rows("SELECT COUNT(*) FROM job"), 2);
	assert_int_equal(rows("SELECT SUM(attempts) FROM job"), 0);
	world.full.set = false;
	run_the_queue();
	run_the_queue();
	assert_int_equal(world.runs, 3);
}

static void a_tenants_further_jobs_of_a_batch_make_way_and_first_ones_dont(void **state)
{
	(void)state;
	add(TENANT_A, 3);
	add(TENANT_B, 1);
	private_mariadb_run(&server, "latchwork", "UPDATE job SET queue = 'event', kind = 'event_process'");
	run_the_queue();
	assert_int_equal(world.runs, 4);
	assert_int_equal(world.ways, 2);
	assert_int_equal(world.runs_before_way[0], 2);
	assert_int_equal(world.runs_before_way[1], 3);
}

/* --- figures and upkeep ---------------------------------------------------------------- */

static bool shows(const char *line)
{
	struct ctx *front = open_as("front", ID_NIL);
	BUF_AUTO struct buf out = { 0 };
	bool found;

	buf_init(&out, 1 << 16);
	assert_ok(queue_stat_show(front->db, now_ms, &out));
	buf_add_char(&out, '\0');
	assert_ok(buf_error(&out));
	found = strstr(out.p, line) != NULL;
	if (!found)
		print_message("%s\n", out.p);
	close_as(front);
	return found;
}

/* What of the worker's counters is written down, and what the front makes of it. */
static void count_opened_secrets(struct metrics *metrics, int64_t n)
{
	struct ctx *cx = open_as("worker", ID_NIL);

	cx->metrics = metrics;
	metrics_add(metrics, METRIC_SECRETS_OPENED, n);
	metrics_add(metrics, METRIC_CALLS_IN_FLIGHT, 1);
	assert_ok(worker_stat_write(cx));
	close_as(cx);
}

static void counters_of_all_workers_are_added_up_for_monitoring_and_counted_once(void **state)
{
	struct ctx *front = open_as("front", ID_NIL);
	struct metrics *one, *other;
	BUF_AUTO struct buf out = { 0 };

	(void)state;
	assert_ok(metrics_new(&one));
	assert_ok(metrics_new(&other));
	count_opened_secrets(one, 3);
	count_opened_secrets(other, 4);
	count_opened_secrets(one, 0);
	private_mariadb_run(&server, "latchwork", "INSERT INTO worker_stat VALUES ('latchwork_of_another_version', 1)");
	buf_init(&out, 1 << 16);
	assert_ok(worker_stat_show(front->db, &out));
	buf_add_char(&out, '\0');
	assert_ok(buf_error(&out));
	assert_non_null(strstr(out.p, "# TYPE latchwork_secrets_opened_total counter\n"
				      "latchwork_secrets_opened_total{pool=\"worker\"} 7\n"));
	assert_non_null(strstr(out.p, "latchwork_secrets_sealed_total{pool=\"worker\"} 0\n"));
	assert_null(strstr(out.p, "in_flight"));
	assert_null(strstr(out.p, "another_version"));
	close_as(front);
}

static void write_figures(void)
{
	struct ctx *cx = open_as("worker", ID_NIL);

	cx->tally = world.tally;
	assert_ok(queue_stat_write(cx));
	close_as(cx);
}

static void monitoring_sees_depth_age_and_what_became_of_the_jobs(void **state)
{
	(void)state;
	add(TENANT_A, 4);
	world.answers[1] = ERR_BAD_INPUT;
	run_the_queue();
	world.hopeless = true;
	run_the_queue();
	private_mariadb_run(&server, "latchwork", "UPDATE job SET run_at = run_at - 90000 WHERE state = 'live' ORDER BY job_id DESC LIMIT 1");
	write_figures();
	assert_true(shows("latchwork_queue_waiting{queue=\"mail\"} 2\n"));
	assert_true(shows("latchwork_queue_dead{queue=\"mail\"} 1\n"));
	assert_true(shows("latchwork_queue_oldest_seconds{queue=\"mail\"} 90\n"));
	assert_true(shows("latchwork_jobs_done_total{queue=\"mail\"} 1\n"));
	assert_true(shows("latchwork_jobs_dead_total{queue=\"mail\"} 1\n"));
	assert_true(shows("latchwork_queue_waiting{queue=\"event\"} 0\n"));
	world.hopeless = false;
	world.answers[2] = ERR_UPSTREAM;
	run_the_queue();
	now_ms += 5000;
	write_figures();
	write_figures();
	assert_true(shows("latchwork_jobs_failed_total{queue=\"mail\"} 1\n"));
	assert_true(shows("latchwork_jobs_done_total{queue=\"mail\"} 1\n"));
	now_ms += 60000;
	assert_true(shows("latchwork_queue_measured_seconds{queue=\"mail\"} 60\n"));
}

static const int64_t DAY_MS = 24 * 60 * 60 * 1000LL;

/* A finished job and an event of that day. */
static void put_rows(int64_t at_ms)
{
	struct id id = id_first_at(at_ms);
	char sql[700], hex[33];

	for (size_t i = 0; i < sizeof(id.b); i++)
		snprintf(hex + 2 * i, 3, "%02x", id.b[i]);
	snprintf(sql, sizeof(sql),
		 "INSERT INTO job_history (tenant_id, job_id, queue, kind, attempts, created_at, finished_at)"
		 " VALUES (X'aa', X'%s', 'mail', 'mail_send', 1, 1, 1);"
		 "INSERT INTO event (tenant_id, event_id, connector_id, provider, type, status, received_at, headers, body)"
		 " VALUES (X'aa', X'%s', X'cc', 'x', 'x', 'received', 1, '{}', '')", hex, hex);
	private_mariadb_run(&server, "latchwork", sql);
}

static enum err keep_partitions(int event_days, int job_days)
{
	struct ctx *cx = open_as("worker", ID_NIL);
	const struct sql_partitions_keep_in in = { .event_days = event_days,
							  .job_days = job_days,
							  .execution_days = 90 };
	enum err e = sql_partitions_keep(cx->db, &in, NULL);

	close_as(cx);
	return e;
}

static int64_t partitions(const char *table)
{
	char sql[200];

	snprintf(sql, sizeof(sql), "SELECT COUNT(*) FROM information_schema.partitions WHERE table_schema = 'latchwork'"
		 " AND table_name = '%s'", table);
	return rows(sql);
}

static void old_days_are_dropped_whole_and_the_next_ones_are_there_in_time(void **state)
{
	const int64_t today = now_ms / DAY_MS * DAY_MS;

	(void)state;
	private_mariadb_run(&server, "latchwork", "DELETE FROM event");
	now_ms = today - 10 * DAY_MS;
	put_rows(now_ms - 100 * DAY_MS); /* before there was any partition */
	assert_ok(keep_partitions(30, 7));
	assert_int_equal(partitions("event"), 4);
	for (int64_t day = -10; day <= 5; day++) {
		put_rows(today + day * DAY_MS);                /* a day's first moment */
		put_rows(today + (day + 1) * DAY_MS - 1);      /* and its last */
	}
	assert_int_equal(rows("SELECT COUNT(*) FROM event PARTITION (pmax)"), 26);
	for (int64_t day = -9; day <= 0; day++) {
		now_ms = today + day * DAY_MS;
		assert_ok(keep_partitions(30, 7));
		assert_ok(keep_partitions(30, 7)); /* harmless */
	}
	assert_int_equal(partitions("event"), 14);
	assert_int_equal(rows("SELECT COUNT(*) FROM event"), 33);
	assert_int_equal(rows("SELECT COUNT(*) FROM event PARTITION (pmax)"), 6);
	/* Today, the seven days before, and what lies ahead. */
	assert_int_equal(partitions("job_history"), 11);
	assert_int_equal(rows("SELECT COUNT(*) FROM job_history"), 2 * (8 + 5));
	/* The worker was away for a month. */
	now_ms = today + 30 * DAY_MS;
	assert_ok(keep_partitions(7, 7));
	assert_int_equal(partitions("event"), 4);
	assert_int_equal(rows("SELECT COUNT(*) FROM event"), 6);
	now_ms += 8 * DAY_MS;
	assert_ok(keep_partitions(7, 7));
	assert_int_equal(rows("SELECT COUNT(*) FROM event"), 0);
}

static void each_wait_is_longer_than_the_one_before_and_spread(void **state)
{
	(void)state;
	assert_int_equal(backoff_ms(1, 0), 5000);
	assert_int_equal(backoff_ms(2, 0), 30000);
	assert_int_equal(backoff_ms(8, 0), 12 * 3600 * 1000);
	assert_int_equal(backoff_ms(100, 0), 12 * 3600 * 1000);
	assert_in_range(backoff_ms(1, 12345), 5000, 6000);
	assert_int_not_equal(backoff_ms(4, 1), backoff_ms(4, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_promised_job_is_leased_once_and_remembered_when_it_is_done, empty),
		cmocka_unit_test_setup(a_worker_whose_lease_ended_changes_nothing_any_more, empty),
		cmocka_unit_test_setup(a_tenant_with_one_job_waits_for_one_turn_of_a_tenant_with_a_thousand, empty),
		cmocka_unit_test_setup(each_job_of_a_batch_is_leased_whichever_tenant_it_is_of, empty),
		cmocka_unit_test_setup(a_single_job_of_a_batch_isnt_behind_another_tenants_whole_share, empty),
		cmocka_unit_test_setup(work_of_the_service_itself_has_its_turn_too, empty),
		cmocka_unit_test_setup(a_job_that_is_wanted_once_is_there_once_until_it_has_ended, empty),
		cmocka_unit_test_setup(a_job_isnt_begun_before_its_time_and_a_dead_one_never, empty),
		cmocka_unit_test_setup(what_another_worker_is_just_leasing_is_passed_over, empty),
		cmocka_unit_test_setup(a_failed_job_is_tried_again_on_schedule_until_it_is_given_up, new_world),
		cmocka_unit_test_setup(a_job_is_dead_only_together_with_what_that_means_for_its_subject, new_world),
		cmocka_unit_test_setup(a_hopeless_job_is_given_up_at_once_and_a_good_one_is_gone, empty),
		cmocka_unit_test_setup(a_job_that_kills_its_worker_each_time_is_given_up_without_another_run, empty),
		cmocka_unit_test_setup(a_job_that_may_have_killed_its_worker_is_leased_alone, empty),
		cmocka_unit_test_setup(a_job_of_a_kind_that_this_version_does_not_know_holds_nobody_up, new_world),
		cmocka_unit_test_setup(a_conflict_of_the_handlers_own_is_a_failure_like_any_other, new_world),
		cmocka_unit_test_setup(a_lost_lease_undoes_the_change_and_leaves_the_job_to_its_new_worker, new_world),
		cmocka_unit_test_setup(a_job_that_waited_out_its_lease_in_the_batch_is_not_begun, new_world),
		cmocka_unit_test_setup(the_words_of_a_failure_are_cut_between_letters, new_world),
		cmocka_unit_test_setup(whoever_waits_is_told_of_jobs_that_jobs_have_added, new_world),
		cmocka_unit_test_setup(a_process_for_quick_jobs_leaves_the_others_alone, new_world),
		cmocka_unit_test_setup(a_process_that_makes_no_calls_for_workflows_does_everything_else, new_world),
		cmocka_unit_test_setup(a_tenant_with_as_much_under_way_as_it_may_is_passed_over_and_waits, new_world),
		cmocka_unit_test_setup(a_tenants_further_jobs_of_a_batch_make_way_and_first_ones_dont, new_world),
		cmocka_unit_test_setup(counters_of_all_workers_are_added_up_for_monitoring_and_counted_once, empty),
		cmocka_unit_test_setup(monitoring_sees_depth_age_and_what_became_of_the_jobs, new_world),
		cmocka_unit_test_setup(old_days_are_dropped_whole_and_the_next_ones_are_there_in_time, new_world),
		cmocka_unit_test(each_wait_is_longer_than_the_one_before_and_spread),
	};

	return cmocka_run_group_tests_name("the job queue", tests, start, stop_feature);
}
