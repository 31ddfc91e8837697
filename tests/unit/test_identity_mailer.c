/* The mails of the outbox: which of them are sent at all. That they arrive is the end-to-end tests' business. */
#include "identity_support.h"

#include "identity/mailer.h"
#include "identity/outbox.h"
#include "jobs/queue.h"
#include "jobs/runner.h"

static int empty(void **state)
{
	static char host[] = "localhost", from[] = "no-reply@example.test", nowhere[] = "/nowhere/at/all";
	int failed = empty_identity(state);

	config.mail_host = host;
	config.mail_from = from;
	config.mail_password_file = nowhere; /* whoever begins to send fails there, and calls nobody */
	return failed;
}

static struct ctx *as(const char *pool)
{
	struct ctx *cx = calloc(1, sizeof(*cx));

	assert_non_null(cx);
	open_context(cx, pool);
	cx->now_ms = now_ms;
	cx->front_keys = open_key_directory();
	cx->who = (struct principal){ .who = WHO_SYSTEM, .live = true };
	ctx_enter(cx);
	return cx;
}

static void done(struct ctx *cx)
{
	close_context(cx);
	free(cx);
}

/* A mail with a link that works until then. */
static void promise(int64_t expires_at)
{
	struct ctx *cx = as("front");

	run_sql("DELETE FROM mail; DELETE FROM job");
	assert_ok(mail_enqueue(cx, &(struct mail){ .kind = MAIL_RESET,
						   .recipient = STR("ada@example.test"),
						   .token = STR("the token"),
						   .expires_at = expires_at }));
	done(cx);
}

/* What becomes of its job. */
static enum err send_promised(void)
{
	struct ctx *cx = as("worker");
	struct job jobs[JOB_BATCH_MAX];
	struct job_turns turns = { 0 };
	size_t count;
	enum err e;

	assert_ok(job_claim(cx, QUEUE_MAIL, &turns, STR("w"), jobs, &count));
	assert_int_equal(count, 1);
	e = job_mail_send(cx, &(struct run){ .job = &jobs[0] });
	done(cx);
	return e;
}

static void a_mail_is_sent_as_long_as_its_link_works_and_not_afterwards(void **state)
{
	(void)state;
	promise(now_ms + 1);
	assert_int_not_equal(send_promised(), OK);
	promise(now_ms);
	assert_ok(send_promised());
	assert_int_equal(number_of("SELECT COUNT(*) FROM mail WHERE sent_at IS NULL"), 1);
}

static void a_mail_that_was_sent_or_deleted_meanwhile_is_done_with(void **state)
{
	(void)state;
	promise(now_ms + 1000);
	run_sql("UPDATE mail SET sent_at = 1");
	assert_ok(send_promised());
	promise(now_ms + 1000);
	run_sql("DELETE FROM mail");
	assert_ok(send_promised());
}

static void a_mail_that_somebody_changed_in_the_database_is_not_sent(void **state)
{
	(void)state;
	promise(now_ms + 1000);
	run_sql("UPDATE mail SET recipient = 'eve@example.test'");
	assert_int_equal(send_promised(), ERR_UNREADABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_mail_is_sent_as_long_as_its_link_works_and_not_afterwards, empty),
		cmocka_unit_test_setup(a_mail_that_was_sent_or_deleted_meanwhile_is_done_with, empty),
		cmocka_unit_test_setup(a_mail_that_somebody_changed_in_the_database_is_not_sent, empty),
	};

	return cmocka_run_group_tests_name("the mailer", tests, start_identity, stop_feature);
}
