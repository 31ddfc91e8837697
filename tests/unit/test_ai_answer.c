/* Whole answers of the three formats, and what refusals mean. */
#include "ai_support.h"

#include <stdio.h>

static struct model_answer answer;
static int64_t wait_s;

static enum err read_status(enum model_wire wire, int status, const char *body)
{
	return model_read(wire, arena, status, quoted(body), &answer, &wait_s);
}

static enum err read(enum model_wire wire, const char *body) { return read_status(wire, 200, body); }

static void assert_counts(int64_t in, int64_t out)
{
	assert_true(answer.tokens_in.set && answer.tokens_out.set);
	assert_int_equal(answer.tokens_in.v, in);
	assert_int_equal(answer.tokens_out.v, out);
}

/* --- answers ------------------------------------------------------------------------------------- */

static void an_answer_has_text_an_end_and_counts(void **state)
{
	(void)state;
	assert_int_equal(read(MODEL_GEMINI,
			      "{'candidates':[{'content':{'role':'model','parts':[{'text':'I think','thought':true},"
			      "{'text':'Grüße'},{'text':'!'}]},'finishReason':'STOP','index':0}],"
			      "'usageMetadata':{'promptTokenCount':4,'candidatesTokenCount':2,'thoughtsTokenCount':30},"
			      "'modelVersion':'gemini-2.5-flash'}"), OK);
	assert_text(answer.text, "Grüße!");
	assert_int_equal(answer.finish, MODEL_STOP);
	assert_true(answer.whole);
	assert_counts(4, 32);
	assert_text(answer.model, "gemini-2.5-flash");
	assert_int_equal(read(MODEL_OPENAI,
			      "{'id':'x','object':'chat.completion','model':'gpt-5','choices':[{'index':0,"
			      "'message':{'role':'assistant','content':'Hello','refusal':null},'finish_reason':'length'}],"
			      "'usage':{'prompt_tokens':9,'completion_tokens':3,'total_tokens':12}}"), OK);
	assert_text(answer.text, "Hello");
	assert_int_equal(answer.finish, MODEL_LENGTH);
	assert_counts(9, 3);
	assert_int_equal(read(MODEL_ANTHROPIC,
			      "{'id':'m','type':'message','role':'assistant','model':'claude','content':["
			      "{'type':'thinking','thinking':'hm'},{'type':'text','text':'Hello'}],'stop_reason':'end_turn',"
			      "'usage':{'input_tokens':5,'cache_read_input_tokens':100,'output_tokens':2}}"), OK);
	assert_text(answer.text, "Hello");
	assert_counts(105, 2);
}

static void calls_of_tools_come_with_their_arguments(void **state)
{
	static const struct {
		enum model_wire wire;
		const char *body, *id, *signature;
	} CASES[] = {
		{ MODEL_GEMINI,
		  "{'candidates':[{'content':{'parts':[{'text':'Well'},{'functionCall':{'name':'find',"
		  "'args':{'a':[1,2.5]}},'thoughtSignature':'c2ln'}]},'finishReason':'STOP'}]}",
		  NULL, "c2ln" },
		{ MODEL_OPENAI,
		  "{'choices':[{'message':{'content':'Well','tool_calls':[{'id':'c1','type':'function',"
		  "'function':{'name':'find','arguments':'{\\'a\\':[1,2.5]}'}}]},'finish_reason':'tool_calls'}]}",
		  "c1", NULL },
		{ MODEL_ANTHROPIC,
		  "{'content':[{'type':'text','text':'Well'},{'type':'tool_use','id':'c1','name':'find',"
		  "'input':{'a':[1,2.5]}}],'stop_reason':'tool_use'}",
		  "c1", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		assert_int_equal(read(CASES[i].wire, CASES[i].body), OK);
		assert_text(answer.text, "Well");
		assert_int_equal(answer.finish, MODEL_TOOLS);
		assert_int_equal(answer.calls, 1);
		assert_text(answer.call[0].name, "find");
		assert_text(answer.call[0].arguments, "{\"a\":[1,2.5]}");
		assert_text(answer.call[0].id, CASES[i].id);
		assert_text(answer.call[0].signature, CASES[i].signature);
	}
}

/* What would be called with half its arguments is not called at all. */
static void arguments_that_are_no_object_are_refused(void **state)
{
	(void)state;
	assert_int_equal(read(MODEL_OPENAI, "{'choices':[{'message':{'tool_calls':[{'id':'c','function':{'name':'f',"
					    "'arguments':'{\\'a\\':'}}]},'finish_reason':'tool_calls'}]}"),
			 ERR_AI_ANSWER_UNREADABLE);
	assert_int_equal(read(MODEL_OPENAI, "{'choices':[{'message':{'tool_calls':[{'id':'c','function':{'name':'f',"
					    "'arguments':'[]'}}]},'finish_reason':'tool_calls'}]}"),
			 ERR_AI_ANSWER_UNREADABLE);
	assert_int_equal(read(MODEL_OPENAI, "{'choices':[{'message':{'tool_calls':[{'id':'c','function':{'name':'f',"
					    "'arguments':''}}]},'finish_reason':'tool_calls'}]}"), OK);
	assert_text(answer.call[0].arguments, "{}");
}

static void an_answer_in_json_is_text_even_where_a_tool_carries_it(void **state)
{
	(void)state;
	assert_int_equal(read(MODEL_ANTHROPIC,
			      "{'content':[{'type':'tool_use','id':'c1','name':'answer_in_json','input':{'a':1}}],"
			      "'stop_reason':'tool_use'}"), OK);
	assert_text(answer.text, "{\"a\":1}");
	assert_int_equal(answer.calls, 0);
	assert_int_equal(answer.finish, MODEL_STOP);
}

static void a_block_for_safety_is_told_from_an_answer(void **state)
{
	(void)state;
	assert_int_equal(read(MODEL_GEMINI, "{'promptFeedback':{'blockReason':'PROHIBITED_CONTENT'},"
					    "'usageMetadata':{'promptTokenCount':4}}"), ERR_AI_BLOCKED);
	assert_int_equal(read(MODEL_GEMINI, "{'candidates':[{'finishReason':'SAFETY','index':0}]}"), ERR_AI_BLOCKED);
	assert_int_equal(read(MODEL_GEMINI, "{'candidates':[{'content':{'parts':[{'text':'Take the'}]},"
					    "'finishReason':'RECITATION'}]}"), OK);
	assert_int_equal(answer.finish, MODEL_SAFETY);
	assert_int_equal(read(MODEL_OPENAI, "{'choices':[{'message':{'content':null,'refusal':'I can\xe2\x80\x99t.'},"
					    "'finish_reason':'stop'}]}"), ERR_AI_BLOCKED);
	assert_int_equal(read(MODEL_OPENAI, "{'choices':[{'message':{'content':''},'finish_reason':'content_filter'}]}"),
			 ERR_AI_BLOCKED);
	assert_int_equal(read(MODEL_ANTHROPIC, "{'content':[],'stop_reason':'refusal'}"), ERR_AI_BLOCKED);
}

static void what_is_no_answer_is_unreadable(void **state)
{
	static const char *const BAD[] = { "", "<html>", "[]", "{}", "null", "{'candidates':[{'finishReason':'OTHER'}]}",
					   "{'candidates':[{'finishReason':'MALFORMED_FUNCTION_CALL'}]}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(BAD); i++)
		if (read(MODEL_GEMINI, BAD[i]) != ERR_AI_ANSWER_UNREADABLE)
			fail_msg("%s", BAD[i]);
	assert_int_equal(read(MODEL_OPENAI, "{'choices':[]}"), ERR_AI_ANSWER_UNREADABLE);
	assert_int_equal(read(MODEL_ANTHROPIC, "{'content':'text'}"), ERR_AI_ANSWER_UNREADABLE);
}

/* --- refusals -------------------------------------------------------------------------------------- */

static void each_refusal_has_its_code(void **state)
{
	static const struct {
		enum model_wire wire;
		int status;
		const char *body;
		enum err e;
	} CASES[] = {
		{ MODEL_GEMINI, 400,
		  "{'error':{'code':400,'message':'API key not valid. Please pass a valid API key.',"
		  "'status':'INVALID_ARGUMENT','details':[{'@type':'type.googleapis.com/google.rpc.ErrorInfo',"
		  "'reason':'API_KEY_INVALID','domain':'googleapis.com'}]}}",
		  ERR_AI_KEY_REFUSED },
		{ MODEL_GEMINI, 403, "{'error':{'code':403,'status':'PERMISSION_DENIED'}}", ERR_AI_KEY_REFUSED },
		{ MODEL_GEMINI, 400,
		  "{'error':{'code':400,'message':'The input token count (1100000) exceeds the maximum number of tokens "
		  "allowed (1048576).','status':'INVALID_ARGUMENT'}}",
		  ERR_AI_TOO_LONG },
		{ MODEL_GEMINI, 400, "{'error':{'code':400,'message':'Bad.','status':'INVALID_ARGUMENT'}}", ERR_AI_REFUSED },
		{ MODEL_GEMINI, 404, "{'error':{'code':404,'status':'NOT_FOUND'}}", ERR_AI_MODEL_UNKNOWN },
		{ MODEL_GEMINI, 429, "[{'error':{'code':429,'status':'RESOURCE_EXHAUSTED'}}]", ERR_AI_QUOTA },
		{ MODEL_GEMINI, 503, "{'error':{'code':503,'status':'UNAVAILABLE'}}", ERR_AI_UNAVAILABLE },
		{ MODEL_GEMINI, 504, "{'error':{'code':504,'status':'DEADLINE_EXCEEDED'}}", ERR_AI_TIMEOUT },
		{ MODEL_OPENAI, 401, "{'error':{'message':'Incorrect API key provided: sk-abc','code':'invalid_api_key'}}",
		  ERR_AI_KEY_REFUSED },
		{ MODEL_OPENAI, 429, "{'error':{'type':'insufficient_quota','code':'insufficient_quota'}}", ERR_AI_QUOTA },
		{ MODEL_OPENAI, 400, "{'error':{'type':'invalid_request_error','code':'context_length_exceeded'}}",
		  ERR_AI_TOO_LONG },
		{ MODEL_OPENAI, 400, "{'error':{'code':'content_policy_violation'}}", ERR_AI_BLOCKED },
		{ MODEL_OPENAI, 404, "{'error':'model \"x\" not found'}", ERR_AI_MODEL_UNKNOWN },
		{ MODEL_OPENAI, 200, "{'error':{'code':502,'message':'upstream'}}", ERR_AI_UNAVAILABLE },
		{ MODEL_OPENAI, 200, "{'error':{'code':401}}", ERR_AI_KEY_REFUSED },
		{ MODEL_ANTHROPIC, 400,
		  "{'type':'error','error':{'type':'invalid_request_error','message':'prompt is too long: 9 tokens > 8'}}",
		  ERR_AI_TOO_LONG },
		{ MODEL_ANTHROPIC, 400,
		  "{'type':'error','error':{'type':'invalid_request_error','message':'Your credit balance is too low'}}",
		  ERR_AI_QUOTA },
		{ MODEL_ANTHROPIC, 529, "{'type':'error','error':{'type':'overloaded_error'}}", ERR_AI_UNAVAILABLE },
		{ MODEL_ANTHROPIC, 413, "{'type':'error','error':{'type':'request_too_large'}}", ERR_AI_TOO_LONG },
		/* No JSON: a proxy in between, say. */
		{ MODEL_GEMINI, 401, "<html>", ERR_AI_KEY_REFUSED },
		{ MODEL_GEMINI, 429, "", ERR_AI_QUOTA },
		{ MODEL_GEMINI, 500, "oops", ERR_AI_UNAVAILABLE },
		{ MODEL_GEMINI, 302, "", ERR_AI_REFUSED },
		{ MODEL_GEMINI, 418, "{'error':null}", ERR_AI_REFUSED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		enum err e = read_status(CASES[i].wire, CASES[i].status, CASES[i].body);

		if (e != CASES[i].e)
			fail_msg("%d %s: %s instead of %s", CASES[i].status, CASES[i].body, err_code(e), err_code(CASES[i].e));
		assert_int_equal(answer.text.n, 0);
		assert_false(answer.whole);
	}
}

static void a_wish_to_wait_is_read(void **state)
{
	static const struct {
		const char *delay;
		int64_t want;
	} CASES[] = { { "34s", 34 }, { "34.074824224s", 35 }, { "0s", 0 }, { "-3s", -1 }, { "3", -1 }, { "s", -1 },
		      { "99999999999s", -1 }, { "1.2.3s", 2 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		char body[300];

		snprintf(body, sizeof body, "{'error':{'code':429,'details':[{'@type':"
					    "'type.googleapis.com/google.rpc.RetryInfo','retryDelay':'%s'}]}}", CASES[i].delay);
		assert_int_equal(read_status(MODEL_GEMINI, 429, body), ERR_AI_QUOTA);
		assert_int_equal(wait_s, CASES[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AI_TEST(an_answer_has_text_an_end_and_counts),
		AI_TEST(calls_of_tools_come_with_their_arguments),
		AI_TEST(arguments_that_are_no_object_are_refused),
		AI_TEST(an_answer_in_json_is_text_even_where_a_tool_carries_it),
		AI_TEST(a_block_for_safety_is_told_from_an_answer),
		AI_TEST(what_is_no_answer_is_unreadable),
		AI_TEST(each_refusal_has_its_code),
		AI_TEST(a_wish_to_wait_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
