/* Streams, cut anywhere: what comes out is what went in, and half an answer is never taken for a whole one. */
#include "ai_support.h"

#include <stdio.h>
#include <string.h>

#include "connect/blot.h"

/* What the listener heard, and in how many pieces. */
static struct heard {
	char text[4096];
	size_t n, pieces;
	enum err then; /* said to the second piece */
} heard;
static struct model_answer answer;
static int64_t wait_s;

static enum err hear(void *arg, struct str text)
{
	(void)arg;
	if (heard.then != OK && heard.pieces > 0)
		return heard.then;
	assert_true(str_is_utf8(text));
	assert_true(heard.n + text.n < sizeof heard.text);
	memcpy(heard.text + heard.n, text.p, text.n);
	heard.n += text.n;
	heard.text[heard.n] = '\0';
	heard.pieces++;
	return OK;
}

/* In pieces of so many bytes; 0: all at once. */
static enum err stream_in(enum model_wire wire, struct str bytes, size_t piece, bool cut)
{
	enum err then = heard.then;
	struct model_stream *stream = model_stream_new(wire, hear, NULL);
	enum err e = OK;

	assert_non_null(stream);
	heard = (struct heard){ .then = then };
	for (size_t at = 0; at < bytes.n && e == OK; at += piece ? piece : bytes.n)
		e = model_stream_feed(stream, str_slice(bytes, at, piece ? piece : bytes.n));
	enum err end = model_stream_end(stream, cut, arena, &answer, &wait_s);
	assert_true(e == OK || e == end);
	model_stream_free(stream);
	return end;
}

static enum err stream(enum model_wire wire, const char *text)
{
	return stream_in(wire, quoted(text), 0, false);
}

#define G_HELLO "data: {'candidates':[{'content':{'parts':[{'text':'Grüß '}]}}],'usageMetadata':{'promptTokenCount':3}}\r\n\r\n"
#define G_WORLD                                                                                                        \
	"data: {'candidates':[{'content':{'parts':[{'text':'Gött 🚀'}]},'finishReason':'STOP'}],"                       \
	"'usageMetadata':{'promptTokenCount':3,'candidatesTokenCount':5},'modelVersion':'g'}\r\n\r\n"
#define O_HELLO                                                                                                        \
	"data: {'model':'o','choices':[{'index':0,'delta':{'role':'assistant','content':''},'finish_reason':null}]}\n\n" \
	": keep alive\n\n"                                                                                             \
	"data: {'choices':[{'delta':{'content':'Grüß '},'finish_reason':null}]}\n\n"
#define O_WORLD                                                                                                        \
	"data: {'choices':[{'delta':{'content':'Gött 🚀'},'finish_reason':null}]}\n\n"                                  \
	"data: {'choices':[{'delta':{},'finish_reason':'stop'}]}\n\n"
#define O_USAGE "data: {'choices':[],'usage':{'prompt_tokens':3,'completion_tokens':5}}\n\n"
#define O_DONE "data: [DONE]\n\n"
#define A_HELLO                                                                                                        \
	"event: message_start\ndata: {'type':'message_start','message':{'model':'a','usage':{'input_tokens':3,"         \
	"'output_tokens':1}}}\n\n"                                                                                     \
	"event: content_block_start\ndata: {'type':'content_block_start','index':0,'content_block':{'type':'text',"    \
	"'text':''}}\n\nevent: ping\ndata: {'type':'ping'}\n\n"                                                        \
	"event: content_block_delta\ndata: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta',"      \
	"'text':'Grüß '}}\n\n"
#define A_WORLD                                                                                                        \
	"event: content_block_delta\ndata: {'type':'content_block_delta','index':0,'delta':{'type':'text_delta',"      \
	"'text':'Gött 🚀'}}\n\n"                                                                                        \
	"event: content_block_stop\ndata: {'type':'content_block_stop','index':0}\n\n"                                 \
	"event: message_delta\ndata: {'type':'message_delta','delta':{'stop_reason':'end_turn'},"                      \
	"'usage':{'output_tokens':5}}\n\n"
#define A_STOP "event: message_stop\ndata: {'type':'message_stop'}\n\n"

static const struct {
	enum model_wire wire;
	const char *text;
} WHOLE[] = {
	{ MODEL_GEMINI, G_HELLO G_WORLD },
	{ MODEL_OPENAI, O_HELLO O_WORLD O_USAGE O_DONE },
	{ MODEL_ANTHROPIC, A_HELLO A_WORLD A_STOP },
};

/* --- cut anywhere ------------------------------------------------------------------------------------- */

static void assert_greeting(void)
{
	assert_text(answer.text, "Grüß Gött 🚀");
	assert_string_equal(heard.text, "Grüß Gött 🚀");
	assert_int_equal(heard.pieces, 2);
	assert_true(answer.whole);
	assert_int_equal(answer.finish, MODEL_STOP);
	assert_int_equal(answer.tokens_in.v, 3);
	assert_int_equal(answer.tokens_out.v, 5);
	assert_int_equal(answer.model.n, 1);
}

/* Every size of a piece cuts some character and some line end in two. */
static void a_stream_may_be_cut_anywhere(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(WHOLE); i++) {
		struct str bytes = quoted(WHOLE[i].text);

		for (size_t piece = 0; piece <= 64; piece++) {
			assert_int_equal(stream_in(WHOLE[i].wire, bytes, piece, false), OK);
			assert_greeting();
		}
	}
}

static void every_kind_of_line_end_is_one(void **state)
{
	static const char *const SPELLINGS[] = {
		"\xef\xbb\xbf" "data: {'choices':[{'delta':{'content':'a'},'finish_reason':'stop'}]}\n\n",
		"data:{'choices':[{'delta':{'content':'a'},'finish_reason':'stop'}]}\r\r",
		"id: 1\r\ndata: {'choices':[\r\ndata: {'delta':{'content':'a'},'finish_reason':'stop'}]}\r\n\r\n",
		"retry: 3\n\ndata\n\ndata: {'choices':[{'delta':{'content':'a'},'finish_reason':'stop'}]}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(SPELLINGS); i++) {
		struct str bytes = quoted(SPELLINGS[i]);

		for (size_t piece = 0; piece <= 3; piece++) {
			enum err e = stream_in(MODEL_OPENAI, bytes, piece, false);

			/* `data` alone is an event of an empty text. */
			if (i == 3 ? e != ERR_AI_ANSWER_UNREADABLE : e != OK || !str_eq(answer.text, STR("a")))
				fail_msg("%s in pieces of %zu: %s", SPELLINGS[i], piece, err_code(e));
		}
	}
}

/* --- ends ------------------------------------------------------------------------------------------------ */

/* Cut after each byte: before the provider has said that it is all, it's no whole answer. */
static void half_an_answer_is_told_from_a_whole_one(void **state)
{
	static const char *const SAYS_SO[] = { "'finishReason':'STOP'", "'finish_reason':'stop'", "'stop_reason':'end_turn'" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(WHOLE); i++) {
		struct str bytes = quoted(WHOLE[i].text);
		const char *said = strstr(bytes.p, quoted(SAYS_SO[i]).p);
		size_t end = (size_t)(strstr(said, i == 0 ? "\r\n\r\n" : "\n\n") - bytes.p);

		for (size_t n = 0; n <= bytes.n; n++) {
			enum err e = stream_in(WHOLE[i].wire, str_slice(bytes, 0, n), 0, true);
			bool whole = n >= end + (i == 0 ? 3 : 2);

			if (e != (whole ? OK : ERR_AI_CUT) || answer.whole != whole)
				fail_msg("%zu of %zu bytes: %s", n, bytes.n, err_code(e));
			assert_true(str_starts(STR("Grüß Gött 🚀"), answer.text));
		}
	}
}

static void an_end_may_come_without_its_last_words(void **state)
{
	(void)state;
	assert_int_equal(stream(MODEL_OPENAI, O_HELLO O_WORLD), OK);
	assert_true(answer.whole);
	assert_int_equal(stream(MODEL_OPENAI, O_HELLO O_DONE), OK);
	assert_text(answer.text, "Grüß ");
	assert_int_equal(stream(MODEL_OPENAI, O_HELLO), ERR_AI_CUT);
	assert_text(answer.text, "Grüß ");
	assert_false(answer.whole);
	assert_int_equal(stream(MODEL_ANTHROPIC, A_HELLO A_WORLD), OK);
	assert_int_equal(stream(MODEL_GEMINI, ""), ERR_AI_CUT);
	assert_text(answer.text, "");
}

static void an_error_in_the_middle_keeps_what_came(void **state)
{
	static const struct {
		enum model_wire wire;
		const char *text;
		enum err e;
	} CASES[] = {
		{ MODEL_GEMINI, G_HELLO "data: {'error':{'code':503,'status':'UNAVAILABLE'}}\r\n\r\n", ERR_AI_UNAVAILABLE },
		/* Without "data:", on several lines: so does Gemini. */
		{ MODEL_GEMINI, G_HELLO "{\n  'error': {\n    'code': 429,\n    'status': 'RESOURCE_EXHAUSTED'\n  }\n}\n", ERR_AI_QUOTA },
		{ MODEL_GEMINI, G_HELLO "[{'error': {'code': 429}}]", ERR_AI_QUOTA },
		{ MODEL_OPENAI, O_HELLO "data: {'error':{'type':'server_error'}}\n\n" O_DONE, ERR_AI_UNAVAILABLE },
		{ MODEL_ANTHROPIC, A_HELLO "event: error\ndata: {'type':'error','error':{'type':'overloaded_error'}}\n\n",
		  ERR_AI_UNAVAILABLE },
		{ MODEL_OPENAI, O_HELLO "data: {'choices':[{]\n\n", ERR_AI_ANSWER_UNREADABLE },
		{ MODEL_OPENAI, O_HELLO "data: \xff\n\n", ERR_AI_ANSWER_UNREADABLE },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(CASES); i++) {
		enum err e = stream(CASES[i].wire, CASES[i].text);

		if (e != CASES[i].e)
			fail_msg("%s: %s", CASES[i].text, err_code(e));
		assert_text(answer.text, "Grüß ");
		assert_false(answer.whole);
	}
}

static void a_block_within_a_stream_is_told(void **state)
{
	(void)state;
	assert_int_equal(stream(MODEL_GEMINI, G_HELLO "data: {'candidates':[{'finishReason':'SAFETY'}]}\n\n"), OK);
	assert_int_equal(answer.finish, MODEL_SAFETY);
	assert_int_equal(stream(MODEL_GEMINI, "data: {'promptFeedback':{'blockReason':'SAFETY'}}\n\n"), ERR_AI_BLOCKED);
}

/* A server that takes no notice of "stream" answers whole. */
static void a_whole_answer_instead_of_a_stream_is_read(void **state)
{
	(void)state;
	assert_int_equal(stream(MODEL_OPENAI, "{\n 'choices':[{'message':{'content':'Hello'},\n'finish_reason':'stop'}]}"), OK);
	assert_text(answer.text, "Hello");
	assert_int_equal(stream(MODEL_ANTHROPIC, "{'type':'message','content':[{'type':'text','text':'Hello'}],"
						 "'stop_reason':'end_turn'}\n"), OK);
	assert_text(answer.text, "Hello");
	assert_int_equal(stream(MODEL_GEMINI, "{'candidates':[{'content':{'parts':[{'text':'Hello'}]},'finishReason':'STOP'}]}"), OK);
	assert_text(answer.text, "Hello");
}

/* --- calls of tools ------------------------------------------------------------------------------------------ */

static void calls_come_in_parts(void **state)
{
	(void)state;
	assert_int_equal(stream(MODEL_OPENAI,
		"data: {'choices':[{'delta':{'tool_calls':[{'index':0,'id':'c1','function':{'name':'find','arguments':''}}]}}]}\n\n"
		"data: {'choices':[{'delta':{'tool_calls':[{'index':0,'function':{'arguments':'{\\'a\\''}}]}}]}\n\n"
		"data: {'choices':[{'delta':{'tool_calls':[{'index':1,'id':'c2','function':{'name':'time','arguments':'{}'}}]}}]}\n\n"
		"data: {'choices':[{'delta':{'tool_calls':[{'index':0,'function':{'arguments':':1}'}}]}}]}\n\n"
		"data: {'choices':[{'delta':{},'finish_reason':'tool_calls'}]}\n\n" O_DONE), OK);
	assert_int_equal(answer.calls, 2);
	assert_text(answer.call[0].arguments, "{\"a\":1}");
	assert_text(answer.call[1].id, "c2");
	assert_int_equal(answer.finish, MODEL_TOOLS);
	assert_int_equal(stream(MODEL_ANTHROPIC,
		"data: {'type':'content_block_start','index':1,'content_block':{'type':'tool_use','id':'c1','name':'find','input':{}}}\n\n"
		"data: {'type':'content_block_delta','index':1,'delta':{'type':'input_json_delta','partial_json':'{\\'a\\''}}\n\n"
		"data: {'type':'content_block_delta','index':1,'delta':{'type':'input_json_delta','partial_json':':1}'}}\n\n"
		"data: {'type':'message_delta','delta':{'stop_reason':'tool_use'}}\n\n" A_STOP), OK);
	assert_int_equal(answer.calls, 1);
	assert_text(answer.call[0].arguments, "{\"a\":1}");
}

static void a_call_of_a_broken_stream_is_not_made(void **state)
{
	(void)state;
	assert_int_equal(stream(MODEL_OPENAI,
		"data: {'choices':[{'delta':{'tool_calls':[{'index':0,'id':'c1','function':{'name':'find','arguments':'{}'}}]}}]}\n\n"),
		ERR_AI_CUT);
	assert_int_equal(answer.calls, 0);
}

static void too_much_is_refused(void **state)
{
	BUF_AUTO struct buf text = { 0 };

	(void)state;
	buf_init(&text, 8 << 20);
	for (int i = 0; i <= MODEL_CALLS_MAX; i++)
		buf_printf(&text, "data: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":%d,\"id\":\"c\"}]}}]}\n\n", i);
	assert_int_equal(stream_in(MODEL_OPENAI, buf_str(&text), 0, false), ERR_AI_ANSWER_UNREADABLE);
	buf_clear(&text);
	buf_add_c(&text, "data: ");
	for (int i = 0; i <= MODEL_EVENT_MAX / 64; i++)
		buf_add_c(&text, "                                                                ");
	assert_int_equal(stream_in(MODEL_OPENAI, buf_str(&text), 4096, false), ERR_AI_ANSWER_UNREADABLE);
}

static void whoever_listens_can_stop_it(void **state)
{
	(void)state;
	heard.then = ERR_NOT_READY;
	assert_int_equal(stream(MODEL_OPENAI, O_HELLO O_WORLD O_DONE), ERR_NOT_READY);
	assert_string_equal(heard.text, "Grüß ");
	heard.then = OK;
}

/* --- secrets -------------------------------------------------------------------------------------------------- */

/* A server that says the key back, a few characters at a time. */
static void a_secret_is_blotted_out_however_it_is_cut(void **state)
{
	static const struct str SECRETS[] = { STR("sk-secret-1"), STR("sk-secret-12345"), STR_NONE, STR("abc") };
	static const struct str TEXT = STR("Key: sk-sk-secret-12345, sk-secret-1! ääk-sk-secret-");

	(void)state;
	for (size_t piece = 1; piece <= TEXT.n; piece++) {
		struct blot blot;

		heard = (struct heard){ .then = OK };
		blot_init(&blot, (struct texts){ SECRETS, ARRAY_SIZE(SECRETS) }, hear, NULL);
		for (size_t at = 0; at < TEXT.n;) {
			size_t n = piece;

			/* The reader hands whole characters over. */
			while (at + n < TEXT.n && ((unsigned char)TEXT.p[at + n] & 0xc0) == 0x80)
				n++;
			assert_int_equal(blot_listen(&blot, str_slice(TEXT, at, n)), OK);
			at += n;
		}
		assert_int_equal(blot_end(&blot), OK);
		blot_done(&blot);
		assert_null(strstr(heard.text, "secret-1"));
		assert_true(strncmp(heard.text, "Key: sk-****", 12) == 0);
		assert_non_null(strstr(heard.text, "! ääk-sk-secret-"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		AI_TEST(a_stream_may_be_cut_anywhere),
		AI_TEST(every_kind_of_line_end_is_one),
		AI_TEST(half_an_answer_is_told_from_a_whole_one),
		AI_TEST(an_end_may_come_without_its_last_words),
		AI_TEST(an_error_in_the_middle_keeps_what_came),
		AI_TEST(a_block_within_a_stream_is_told),
		AI_TEST(a_whole_answer_instead_of_a_stream_is_read),
		AI_TEST(calls_come_in_parts),
		AI_TEST(a_call_of_a_broken_stream_is_not_made),
		AI_TEST(too_much_is_refused),
		AI_TEST(whoever_listens_can_stop_it),
		AI_TEST(a_secret_is_blotted_out_however_it_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
