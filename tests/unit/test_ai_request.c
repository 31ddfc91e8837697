/* Requests as the three formats of the wire want them, letter by letter. */
#include "ai_support.h"

#include <string.h>

static struct model_tool tools[2];
static struct model_call calls[2];
static struct model_result results[2];
static struct model_turn turns[3];

/* A question, a call of two tools, and what came of it. */
static struct model_request everything(void)
{
	tools[0] = (struct model_tool){
		.name = STR("orders"),
		.description = STR("Looks orders up."),
		.parameters = tree("{'type':'object','properties':{'id':{'type':'string'}}}")
	};
	tools[1] = (struct model_tool){ .name = STR("time"), .description = STR("What time it is.") };
	calls[0] = (struct model_call){ .id = STR("c1"), .name = STR("orders"), .arguments = quoted("{'id':'7'}"),
					.signature = STR("c2ln") };
	calls[1] = (struct model_call){ .name = STR("time"), .arguments = STR("{}") };
	results[0] = (struct model_result){ .id = STR("c1"), .name = STR("orders"), .content = quoted("{'total':1}") };
	results[1] = (struct model_result){ .name = STR("time"), .content = STR("no clock"), .failed = true };
	turns[0] = (struct model_turn){ .who = MODEL_USER, .text = STR("Where is it? {api_key}") };
	turns[1] = (struct model_turn){ .who = MODEL_MODEL, .call = calls, .calls = 2 };
	turns[2] = (struct model_turn){ .who = MODEL_TOOL, .result = results, .results = 2 };
	return (struct model_request){ .model = STR("m-1"), .system = STR("Be kind."), .turn = turns, .turns = 3,
				       .tool = tools, .tools = 2, .temperature = { true, 70 },
				       .max_output_tokens = { true, 256 } };
}

/* A question alone, whose answer is JSON. */
static struct model_request question(const json_t *schema)
{
	turns[0] = (struct model_turn){ .who = MODEL_USER, .text = STR("Hi") };
	return (struct model_request){ .model = STR("m-1"), .turn = turns, .turns = 1, .json = true, .schema = schema };
}

static void assert_body(enum model_wire wire, const struct model_request *request, bool stream, const char *want)
{
	BUF_AUTO struct buf body = { 0 };

	buf_init(&body, 1 << 20);
	model_body(wire, request, stream, &body);
	assert_int_equal(buf_error(&body), OK);
	assert_text(buf_str(&body), quoted(want).p);
}

static void assert_path(enum model_wire wire, const char *model, bool stream, const char *want)
{
	BUF_AUTO struct buf path = { 0 };

	buf_init(&path, 1024);
	model_path(wire, &(struct model_request){ .model = str_of(model) }, stream, &path);
	assert_text(buf_str(&path), want);
}

static void gemini_gets_contents_and_declarations(void **state)
{
	struct model_request request = everything();

	(void)state;
	assert_body(MODEL_GEMINI, &request, true,
		    "{'systemInstruction':{'parts':[{'text':'Be kind.'}]},"
		    "'contents':[{'role':'user','parts':[{'text':'Where is it? {api_key}'}]},"
		    "{'role':'model','parts':[{'functionCall':{'id':'c1','name':'orders','args':{'id':'7'}},"
		    "'thoughtSignature':'c2ln'},{'functionCall':{'name':'time','args':{}}}]},"
		    "{'role':'user','parts':[{'functionResponse':{'id':'c1','name':'orders',"
		    "'response':{'output':'{\\'total\\':1}'}}},"
		    "{'functionResponse':{'name':'time','response':{'error':'no clock'}}}]}],"
		    "'tools':[{'functionDeclarations':[{'name':'orders','description':'Looks orders up.',"
		    "'parametersJsonSchema':{'type':'object','properties':{'id':{'type':'string'}}}},"
		    "{'name':'time','description':'What time it is.',"
		    "'parametersJsonSchema':{'type':'object','properties':{}}}]}],"
		    "'generationConfig':{'temperature':0.70,'maxOutputTokens':256}}");
	request = question(tree("{'type':'object'}"));
	assert_body(MODEL_GEMINI, &request, false,
		    "{'contents':[{'role':'user','parts':[{'text':'Hi'}]}],"
		    "'generationConfig':{'responseMimeType':'application/json','responseJsonSchema':{'type':'object'}}}");
	assert_path(MODEL_GEMINI, "gemini-2.5-flash", false, "/models/gemini-2.5-flash:generateContent");
	assert_path(MODEL_GEMINI, "models/a/b", true, "/models/a%2Fb:streamGenerateContent?alt=sse");
}

static void openai_gets_messages_and_functions(void **state)
{
	struct model_request request = everything();

	(void)state;
	assert_body(MODEL_OPENAI, &request, true,
		    "{'model':'m-1','messages':[{'role':'system','content':'Be kind.'},"
		    "{'role':'user','content':'Where is it? {api_key}'},"
		    "{'role':'assistant','content':null,'tool_calls':["
		    "{'id':'c1','type':'function','function':{'name':'orders','arguments':'{\\'id\\':\\'7\\'}'}},"
		    "{'id':'call_1','type':'function','function':{'name':'time','arguments':'{}'}}]},"
		    "{'role':'tool','tool_call_id':'c1','content':'{\\'total\\':1}'},"
		    "{'role':'tool','tool_call_id':'call_1','content':'no clock'}],"
		    "'tools':[{'type':'function','function':{'name':'orders','description':'Looks orders up.',"
		    "'parameters':{'type':'object','properties':{'id':{'type':'string'}}}}},"
		    "{'type':'function','function':{'name':'time','description':'What time it is.',"
		    "'parameters':{'type':'object','properties':{}}}}],"
		    "'temperature':0.70,'max_completion_tokens':256,"
		    "'stream':true,'stream_options':{'include_usage':true}}");
	request = question(NULL);
	request.look_alike = true;
	request.max_output_tokens = (struct opt_int){ true, 9 };
	assert_body(MODEL_OPENAI, &request, false,
		    "{'model':'m-1','messages':[{'role':'user','content':'Hi'}],'max_tokens':9,"
		    "'response_format':{'type':'json_object'}}");
	request = question(tree("{'type':'object'}"));
	assert_body(MODEL_OPENAI, &request, false,
		    "{'model':'m-1','messages':[{'role':'user','content':'Hi'}],"
		    "'response_format':{'type':'json_schema','json_schema':{'name':'answer','schema':{'type':'object'}}}}");
	assert_path(MODEL_OPENAI, "m-1", true, "/chat/completions");
}

static void anthropic_gets_blocks_and_tools(void **state)
{
	struct model_request request = everything();

	(void)state;
	request.temperature.v = 150;
	assert_body(MODEL_ANTHROPIC, &request, true,
		    "{'model':'m-1','max_tokens':256,'system':'Be kind.','messages':["
		    "{'role':'user','content':[{'type':'text','text':'Where is it? {api_key}'}]},"
		    "{'role':'assistant','content':[{'type':'tool_use','id':'c1','name':'orders','input':{'id':'7'}},"
		    "{'type':'tool_use','id':'call_1','name':'time','input':{}}]},"
		    "{'role':'user','content':[{'type':'tool_result','tool_use_id':'c1','content':'{\\'total\\':1}'},"
		    "{'type':'tool_result','tool_use_id':'call_1','content':'no clock','is_error':true}]}],"
		    "'tools':[{'name':'orders','description':'Looks orders up.',"
		    "'input_schema':{'type':'object','properties':{'id':{'type':'string'}}}},"
		    "{'name':'time','description':'What time it is.',"
		    "'input_schema':{'type':'object','properties':{}}}],"
		    "'temperature':1.00,'stream':true}");
	request = question(tree("{'type':'object'}"));
	assert_body(MODEL_ANTHROPIC, &request, false,
		    "{'model':'m-1','max_tokens':8192,'messages':["
		    "{'role':'user','content':[{'type':'text','text':'Hi'}]}],"
		    "'tools':[{'name':'answer_in_json','description':'Takes the answer.','input_schema':{'type':'object'}}],"
		    "'tool_choice':{'type':'tool','name':'answer_in_json'}}");
	assert_path(MODEL_ANTHROPIC, "m-1", false, "/messages");
}

/* A prompt is a person's: quotes, line ends and what isn't UTF-8 mustn't end its text. */
static void a_prompt_cannot_leave_its_text(void **state)
{
	struct model_request request = { .model = STR("m"), .turn = turns, .turns = 1 };

	(void)state;
	turns[0] = (struct model_turn){ .who = MODEL_USER, .text = STR("\"}],\"x\":[\n\\\x01\xff") };
	assert_body(MODEL_OPENAI, &request, false,
		    "{'model':'m','messages':[{'role':'user','content':'\\'}],\\'x\\':[\\n\\\\\\u0001\xef\xbf\xbd'}]}");
}

static void a_name_of_a_model_is_checked(void **state)
{
	char longest[MODEL_NAME_MAX + 2];

	(void)state;
	memset(longest, 'a', sizeof longest);
	assert_true(model_name_ok(STR("gemini-2.5-flash")));
	assert_true(model_name_ok(STR("meta-llama/Llama-3.1:free")));
	assert_false(model_name_ok(STR("")));
	assert_false(model_name_ok(STR_NONE));
	assert_false(model_name_ok(STR("a b")));
	assert_false(model_name_ok(STR("{api_key}")));
	assert_false(model_name_ok(STR("a?key=1")));
	assert_false(model_name_ok((struct str){ longest, MODEL_NAME_MAX + 1 }));
	assert_true(model_name_ok((struct str){ longest, MODEL_NAME_MAX }));
}

static void a_provider_has_one_format(void **state)
{
	enum model_wire wire;

	(void)state;
	assert_true(model_wire_of(STR("anthropic"), &wire));
	assert_int_equal(wire, MODEL_ANTHROPIC);
	assert_text(model_provider(MODEL_GEMINI), "gemini");
	assert_false(model_wire_of(STR("stripe"), &wire));
	assert_string_equal(model_finish_text(MODEL_TOOLS), "tool");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AI_TEST(gemini_gets_contents_and_declarations),
		AI_TEST(openai_gets_messages_and_functions),
		AI_TEST(anthropic_gets_blocks_and_tools),
		AI_TEST(a_prompt_cannot_leave_its_text),
		AI_TEST(a_name_of_a_model_is_checked),
		AI_TEST(a_provider_has_one_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
