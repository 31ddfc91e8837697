/* From what is over to what begins: branches, skipping, failures, items, and who carries what. No database, no jq. */
#include "flow_support.h"

#include <string.h>

#include "base/clock.h"
#include "flow/engine.h"

#define PURE(id) "{'id': '" id "', 'type': 'speak', 'config': {'text': '" id "'}}"
#define CALL(id) "{'id': '" id "', 'type': 'http', 'config': {'url': 'https://x.example'}}"
#define ENDURED(id) "{'id': '" id "', 'type': 'http', 'on_error': 'continue', 'config': {'url': 'https://x.example'}}"
#define DELAY(id) "{'id': '" id "', 'type': 'delay', 'config': {'delay_ms': 60000}}"

static struct execution x;
static struct config config;
static const struct job job = { .id = { { 1, 2, 3 } } };
static struct opt_place mine;
static struct turn turn;

/* An execution of that definition that has just begun. */
static void begin(const char *definition)
{
	const struct id id = { { 9 } };

	assert_sound(definition);
	assert_int_equal(execution_clear(&x, &id), OK);
	x.flow = flow_is;
	x.only = flow_is->n;
	x.input = STR("{\"a\":1}");
	x.started_at = x.now_ms = clock_now_ms();
	x.until_ms = INT64_MAX;
	x.step = arena_array(x.arena, flow_is->n, sizeof(*x.step));
	x.each = arena_array(x.arena, flow_is->n, sizeof(*x.each));
	config.retention_execution_days = 90;
	flow_cx.config = &config;
	mine = (struct opt_place){ 0 };
}

static void go_on(void)
{
	assert_int_equal(advance(&flow_cx, &x), OK);
	assert_int_equal(assign(&x, &job, &mine, &turn), OK);
}

static struct place place_of(const char *id)
{
	struct place place = { .step = flow_find(flow_is, str_of(id)) };

	assert_true(place.step < flow_is->n);
	return place;
}

static struct step_state *state_of(const char *id) { return place_state(&x, place_of(id)); }

static void assert_status(const char *id, enum step_status status)
{
	assert_string_equal(step_status_text(state_of(id)->status), step_status_text(status));
}

static void end_well(const char *id) { assert_int_equal(step_complete(&x, place_of(id), STR("1")), OK); }
static void end_badly(const char *id) { assert_int_equal(step_fail(&x, place_of(id), STR("BAD"), STR("bad")), OK); }

static void what_is_computed_is_over_at_once_and_the_last_output_is_the_executions(void **state)
{
	(void)state;
	begin("{'steps': [" PURE("a") "," PURE("b") "], 'dependencies': {'b': ['a']}}");
	go_on();
	assert_int_equal(x.status, STEP_COMPLETED);
	assert_true(str_eq(x.output_step, STR("b")));
	assert_true(str_eq(execution_output(&x), STR("{\"text\":\"b\"}")));
	assert_int_equal(turn.jobs, 0);
	assert_false(mine.set);
}

static void the_job_in_hand_takes_a_call_and_every_other_branch_gets_a_job(void **state)
{
	(void)state;
	begin("{'steps': [" DELAY("wait") "," CALL("one") "," CALL("two") "]}");
	go_on();
	assert_int_equal(x.status, STEP_RUNNING);
	assert_true(mine.set && mine.v.step == place_of("one").step);
	assert_true(id_eq(&state_of("one")->job.v, &job.id));
	assert_int_equal(turn.jobs, 2);
	assert_true(id_eq(&state_of("wait")->job.v, &turn.job[0].id));
	assert_int_equal(turn.job[0].kind, JOB_EXECUTION_RUN);
	assert_int_equal(turn.job[0].run_at, x.now_ms + 60000);
	assert_true(id_eq(&state_of("two")->job.v, &turn.job[1].id));
	assert_int_equal(turn.job[1].kind, JOB_EXECUTION_CALL);
	assert_int_equal(turn.job[1].run_at, x.now_ms);
}

static void an_execution_that_only_waits_says_so(void **state)
{
	(void)state;
	begin("{'steps': [" DELAY("wait") "," PURE("a") "]}");
	go_on();
	assert_int_equal(x.status, STEP_WAITING);
	assert_int_equal(turn.kind, JOB_EXECUTION_RUN);
	assert_int_equal(turn.run_at, x.now_ms + 60000);
}

static void who_has_more_to_compute_gives_its_step_away(void **state)
{
	(void)state;
	begin("{'steps': [" CALL("one") "," PURE("a") "], 'dependencies': {'a': ['one']}}");
	go_on();
	assert_true(mine.set);
	x.more = true;
	assert_int_equal(assign(&x, &job, &mine, &turn), OK);
	assert_false(mine.set);
	assert_int_equal(turn.jobs, 1);
	assert_true(id_eq(&state_of("one")->job.v, &turn.job[0].id));
}

static void a_step_begins_when_one_of_those_before_it_is_done_and_all_are_over(void **state)
{
	(void)state;
	begin("{'steps': [" ENDURED("l") "," ENDURED("r") "," PURE("join") "], 'dependencies': {'join': ['l', 'r']}}");
	go_on();
	end_badly("l");
	go_on();
	assert_status("join", STEP_NOT_BEGUN);
	end_badly("r");
	go_on();
	assert_status("join", STEP_COMPLETED);
	assert_int_equal(x.status, STEP_COMPLETED);
}

static void behind_a_skipped_step_nothing_begins_but_what_another_branch_leads_to(void **state)
{
	(void)state;
	begin("{'steps': [" PURE("a") "," PURE("b") "," PURE("c") "," PURE("d") "],"
	      "'dependencies': {'b': ['a'], 'c': ['b'], 'd': ['a', 'c']}}");
	state_of("b")->status = STEP_SKIPPED;
	go_on();
	assert_status("c", STEP_SKIPPED);
	assert_status("d", STEP_COMPLETED);
}

static void a_failure_lets_what_is_under_way_end_and_begins_nothing(void **state)
{
	(void)state;
	begin("{'steps': [" CALL("bad") "," CALL("slow") "," DELAY("wait") "," PURE("after") "],"
	      "'dependencies': {'after': ['slow']}}");
	go_on();
	end_badly("bad");
	go_on();
	assert_status("wait", STEP_CANCELLED);
	assert_true(x.stirs);
	assert_int_equal(x.status, STEP_RUNNING);
	end_well("slow");
	go_on();
	assert_status("after", STEP_NOT_BEGUN);
	assert_int_equal(x.status, STEP_FAILED);
	assert_true(str_eq(x.error_step, STR("bad")));
	assert_true(str_eq(x.error_code, STR("BAD")));
}

static void one_step_alone_is_run_with_the_input_as_its_own(void **state)
{
	(void)state;
	begin("{'steps': [" CALL("a") ", {'id': 'b', 'type': 'respond'}], 'dependencies': {'b': ['a']}}");
	x.only = place_of("b").step;
	go_on();
	assert_status("a", STEP_NOT_BEGUN);
	assert_int_equal(x.status, STEP_COMPLETED);
	assert_true(str_eq(execution_output(&x), STR("{\"a\":1}")));
}

static void events_are_numbered_from_where_the_last_turn_ended(void **state)
{
	struct str list;

	(void)state;
	begin("{'steps': [" CALL("a") "]}");
	x.events = 41;
	go_on();
	list = happened_list(&x);
	assert_true(str_starts(list, STR("[{\"id\":\"exec-09000000000000000000000000:42\",\"number\":42,\"type\":\"workflow:node_activated\"")));
	assert_int_equal(x.happened, 1);
	turn_done(&x);
	assert_int_equal(x.events, 42);
	assert_int_equal(x.turn, 1);
	assert_false(state_of("a")->changed);
}

static int end_all(void **state)
{
	(void)state;
	execution_done(&x);
	return flow_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_computed_is_over_at_once_and_the_last_output_is_the_executions),
		cmocka_unit_test(the_job_in_hand_takes_a_call_and_every_other_branch_gets_a_job),
		cmocka_unit_test(an_execution_that_only_waits_says_so),
		cmocka_unit_test(who_has_more_to_compute_gives_its_step_away),
		cmocka_unit_test(a_step_begins_when_one_of_those_before_it_is_done_and_all_are_over),
		cmocka_unit_test(behind_a_skipped_step_nothing_begins_but_what_another_branch_leads_to),
		cmocka_unit_test(a_failure_lets_what_is_under_way_end_and_begins_nothing),
		cmocka_unit_test(one_step_alone_is_run_with_the_input_as_its_own),
		cmocka_unit_test(events_are_numbered_from_where_the_last_turn_ended),
	};

	return cmocka_run_group_tests(tests, flow_setup, end_all);
}
