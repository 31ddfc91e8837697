// The providers' own clients against our stand-in for them: what the other tests of models prove is worth as much as
// the stand-in is true to the formats.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import { GoogleGenAI } from "@google/genai";
import OpenAI from "openai";

import { ModelServer, POEM } from "./lib/model_server.mjs";

const TOOL = { name: "find", description: "Finds it.", parameters: { type: "object", properties: { question: { type: "string" } } } };

let server;
before(async () => {
  server = await new ModelServer().start();
});
after(() => server.stop());

/** Each client behind two functions: whole and streamed, both give {text, calls, end, tokens}; they throw {status}. */
const clients = {
  gemini: (apiKey) => {
    const { models } = new GoogleGenAI({ apiKey, httpOptions: { baseUrl: server.url, retryOptions: { attempts: 1 } } });
    const ask = (model, contents, tools) => ({ model, contents,
      config: { systemInstruction: "Be kind.", ...(tools && { tools: [{ functionDeclarations: tools.map(({ parameters, ...tool }) => ({ ...tool, parametersJsonSchema: parameters })) }] }) } });
    const read = (answer) => ({ text: answer.text ?? "", calls: (answer.functionCalls ?? []).map(({ name, args }) => ({ name, args })),
      end: answer.candidates?.[0]?.finishReason ?? answer.promptFeedback?.blockReason, tokens: answer.usageMetadata?.candidatesTokenCount });
    return {
      whole: async (...args) => read(await models.generateContent(ask(...args))),
      streamed: async (...args) => {
        const all = { text: "", calls: [] };
        for await (const chunk of await models.generateContentStream(ask(...args))) {
          const { text, calls, end, tokens } = read(chunk);
          Object.assign(all, { text: all.text + text, calls: all.calls.concat(calls), end: end ?? all.end, tokens });
        }
        return all;
      },
    };
  },
  openai: (apiKey) => {
    const { chat: { completions } } = new OpenAI({ apiKey, baseURL: server.bases.openai, maxRetries: 0 });
    const ask = (model, content, tools) => ({ model, messages: [{ role: "system", content: "Be kind." }, { role: "user", content }],
      ...(tools && { tools: tools.map((tool) => ({ type: "function", function: tool })) }) });
    const read = ({ choices: [{ message, finish_reason }], usage }) => ({ text: message.content ?? "", end: finish_reason, tokens: usage?.completion_tokens,
      calls: (message.tool_calls ?? []).map((call) => ({ name: call.function.name, args: JSON.parse(call.function.arguments) })) });
    return {
      whole: async (...args) => read(await completions.create(ask(...args))),
      streamed: async (...args) => read(await completions.stream({ ...ask(...args), stream_options: { include_usage: true } }).finalChatCompletion()),
    };
  },
  anthropic: (apiKey) => {
    const { messages } = new Anthropic({ apiKey, baseURL: server.url, maxRetries: 0 });
    const ask = (model, content, tools) => ({ model, max_tokens: 100, system: "Be kind.", messages: [{ role: "user", content }],
      ...(tools && { tools: tools.map(({ parameters, ...tool }) => ({ ...tool, input_schema: parameters })) }) });
    const read = ({ content, stop_reason, usage }) => ({ text: content.map(({ text }) => text ?? "").join(""), end: stop_reason, tokens: usage.output_tokens,
      calls: content.filter(({ type }) => type === "tool_use").map(({ name, input }) => ({ name, args: input })) });
    return {
      whole: async (...args) => read(await messages.create(ask(...args))),
      streamed: async (...args) => read(await messages.stream(ask(...args)).finalMessage()),
    };
  },
};

for (const provider of Object.keys(clients)) {
  for (const how of ["whole", "streamed"]) {
    const ask = (...args) => clients[provider](server.keys[provider])[how](...args);

    test(`${provider}'s client understands a ${how} answer`, async () => {
      assert.deepEqual(await ask("echo", "Grüß 🚀"), { text: "You said: Grüß 🚀", calls: [], tokens: 22,
        end: { gemini: "STOP", openai: "stop", anthropic: "end_turn" }[provider] });
      assert.equal((await ask("poem", "x")).text, POEM);
      assert.equal((await ask("length", "x")).end, { gemini: "MAX_TOKENS", openai: "length", anthropic: "max_tokens" }[provider]);
    });

    test(`${provider}'s client understands a ${how} call of a tool`, async () => {
      const { calls, end } = await ask("tools", "Where?", [TOOL]);
      assert.deepEqual(calls, [{ name: "find", args: { question: "Where?", "ü": [1, null] } }]);
      assert.equal(end, { gemini: "STOP", openai: "tool_calls", anthropic: "tool_use" }[provider]);
    });

    test(`${provider}'s client understands a ${how} block`, async () => {
      const { text, end } = await ask("blocked", "x");
      assert.deepEqual({ text, end }, { text: "", end: { gemini: "PROHIBITED_CONTENT", openai: "content_filter", anthropic: "refusal" }[provider] });
    });

    test(`${provider}'s client understands refusals (${how})`, async () => {
      const status = { quota: 429, overloaded: provider === "anthropic" ? 529 : 503, "too-long": 400, absent: 404 };
      for (const model of Object.keys(status))
        await assert.rejects(ask(model, "x"), (error) => error.status === status[model], model);
      await assert.rejects(clients[provider]("another key")[how]("echo", "x"), (error) => error.status === (provider === "gemini" ? 400 : 401));
    });
  }

  test(`${provider}'s client sees that a stream broke off`, async () => {
    for (const model of ["cut", "broken", "garbage"])
      await assert.rejects(clients[provider](server.keys[provider]).streamed(model, "x"), undefined, model);
  });
}

test("a key goes in a header and in no address", () => {
  assert.ok(server.calls.length > 20);
  for (const { provider, path } of server.calls)
    assert.ok(!path.includes(server.keys[provider]));
});
