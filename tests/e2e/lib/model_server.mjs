// A provider of language models, in three formats: Gemini's REST API below /v1beta, OpenAI's and Anthropic's below /v1.
// What it does is said by the name of the model, so that any client can ask for it:
//
//	echo         says what it was asked last            json         answers {"answer":42}
//	poem         many-byte characters, a byte at a time  leak         says the caller's key back
//	tools        calls the first tool, then says what    tools-always never stops calling
//	             came of it
//	blocked      refuses, for safety                     half-blocked begins, then refuses
//	length       stops at the limit of tokens            cut          breaks off in the middle
//	broken       an error in the middle of a stream      broken-bare  the same as plain JSON, without "data:"
//	garbage      what is no JSON                         endless      doesn't stop
//	quota        429, Retry-After: 7                     overloaded   503 or 529
//	too-long     more text than it takes                 absent       no such model
//	slow         `slowMs` before each piece              silent       never answers
//	workflow     writes a workflow
//
// Run as a program it prints its port, and ends when its input does.
import http from "node:http";
import { pathToFileURL } from "node:url";

/** What the model `workflow` writes. */
export const WRITTEN = { steps: [{ id: "answer", type: "respond", config: { body: "Hello, {{ .input.name }}" } }] };

export const POEM = "Grüße aus Göteborg: 🚀 räksmörgås — 日本語, 𝒽ℯ𝓁𝓁ℴ.";

/** What it takes, as the connector types' patterns want them. */
export const KEYS = { gemini: `AIzaSy${"A".repeat(33)}`, openai: `sk-${"b".repeat(30)}`, anthropic: `sk-ant-api03-${"c".repeat(93)}AA` };

const ENDS = {
  stop: { gemini: "STOP", openai: "stop", anthropic: "end_turn" },
  length: { gemini: "MAX_TOKENS", openai: "length", anthropic: "max_tokens" },
  safety: { gemini: "SAFETY", openai: "content_filter", anthropic: "refusal" },
  tool: { gemini: "STOP", openai: "tool_calls", anthropic: "tool_use" },
};

/** Each provider's own way to refuse: [status, body, headers]. */
const REFUSALS = {
  key: {
    gemini: (key) => [400, { error: { code: 400, message: `API key not valid: ${key}`, status: "INVALID_ARGUMENT", details: [
      { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "API_KEY_INVALID", domain: "googleapis.com" }] } }],
    openai: (key) => [401, { error: { message: `Incorrect API key provided: ${key}`, type: "invalid_request_error", param: null, code: "invalid_api_key" } }],
    anthropic: (key) => [401, { type: "error", error: { type: "authentication_error", message: `invalid x-api-key ${key}` } }],
  },
  quota: {
    gemini: () => [429, { error: { code: 429, message: "Resource has been exhausted", status: "RESOURCE_EXHAUSTED", details: [
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "7s" }] } }],
    openai: () => [429, { error: { message: "Rate limit reached", type: "requests", param: null, code: "rate_limit_exceeded" } }, { "Retry-After": "7" }],
    anthropic: () => [429, { type: "error", error: { type: "rate_limit_error", message: "Number of requests" } }, { "Retry-After": "7" }],
  },
  overloaded: {
    gemini: () => [503, { error: { code: 503, message: "The model is overloaded.", status: "UNAVAILABLE" } }],
    openai: () => [503, { error: { message: "The server is overloaded", type: "server_error", param: null, code: null } }],
    anthropic: () => [529, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }],
  },
  "too-long": {
    gemini: () => [400, { error: { code: 400, message: "The input token count (9) exceeds the maximum number of tokens allowed (8).", status: "INVALID_ARGUMENT" } }],
    openai: () => [400, { error: { message: "This model's maximum context length is 8 tokens", type: "invalid_request_error", param: "messages", code: "context_length_exceeded" } }],
    anthropic: () => [400, { type: "error", error: { type: "invalid_request_error", message: "prompt is too long: 9 tokens > 8 maximum" } }],
  },
  absent: {
    gemini: () => [404, { error: { code: 404, message: "models/absent is not found", status: "NOT_FOUND" } }],
    openai: () => [404, { error: { message: "The model `absent` does not exist", type: "invalid_request_error", param: null, code: "model_not_found" } }],
    anthropic: () => [404, { type: "error", error: { type: "not_found_error", message: "model: absent" } }],
  },
};

// --- what was asked, in one shape ------------------------------------------------------------------------

/** {model, stream, system, last, results, tools: [{name, parameters}], json} */
const READERS = {
  gemini: (body, [model, method]) => {
    const parts = body.contents.at(-1).parts;
    return { model, stream: method === "streamGenerateContent", system: body.systemInstruction?.parts.map(({ text }) => text).join(""),
      last: parts.map(({ text }) => text ?? "").join(""),
      results: parts.filter((part) => part.functionResponse).map(({ functionResponse: { response } }) => response.output ?? response.error),
      tools: (body.tools ?? []).flatMap(({ functionDeclarations }) => functionDeclarations), json: body.generationConfig?.responseMimeType === "application/json" };
  },
  openai: (body) => ({ model: body.model, stream: body.stream === true, system: body.messages.find(({ role }) => role === "system")?.content,
    last: body.messages.at(-1).content, results: body.messages.at(-1).role === "tool" ? body.messages.filter(({ role }) => role === "tool").map(({ content }) => content) : [],
    tools: (body.tools ?? []).map((tool) => tool.function), json: Boolean(body.response_format) }),
  anthropic: (body) => {
    const content = body.messages.at(-1).content, blocks = typeof content === "string" ? [{ type: "text", text: content }] : content;
    const forced = body.tool_choice?.type === "tool" ? body.tool_choice.name : undefined;
    return { model: body.model, stream: body.stream === true, system: body.system, last: blocks.map(({ text }) => text ?? "").join(""),
      results: blocks.filter(({ type }) => type === "tool_result").map((block) => block.content), tools: body.tools ?? [], forced, json: Boolean(forced) };
  },
};

// --- what is answered, in one shape: {pieces, calls, end, error, after} ----------------------------------------

function plan(asked, key) {
  const inTwo = (text) => [text.slice(0, text.length / 2), text.slice(text.length / 2)];
  const call = () => ({ pieces: [], calls: [{ id: `call-${asked.results.length}`, name: asked.tools[0]?.name ?? "none", arguments: { question: asked.last, "ü": [1, null] } }], end: "tool" });
  const plans = {
    json: () => ({ pieces: ['{"answer"', ":42}"] }),
    workflow: () => ({ pieces: [JSON.stringify(WRITTEN)] }),
    poem: () => ({ pieces: POEM.match(/.{1,7}/gu), chopped: true }),
    leak: () => ({ pieces: ["The key is ", ...inTwo(key), "."] }),
    tools: () => (asked.results.length ? { pieces: ["The tool said: ", asked.results.join(", ")] } : call()),
    "tools-always": call,
    blocked: () => ({ pieces: [], end: "safety" }),
    "half-blocked": () => ({ pieces: ["Take two"], end: "safety" }),
    length: () => ({ pieces: ["And so on"], end: "length" }),
    cut: () => ({ pieces: ["This is ", "half"], after: "cut" }),
    broken: () => ({ pieces: ["This is ", "half"], after: "error" }),
    "broken-bare": () => ({ pieces: ["This is ", "half"], after: "bare" }),
    garbage: () => ({ pieces: ["This is "], after: "garbage" }),
    endless: () => ({ pieces: ["on and "], after: "endless" }),
    slow: () => ({ pieces: ["slow", "ly"], slow: true }),
  };
  return { calls: [], end: "stop", ...(plans[asked.model] ?? (() => ({ pieces: ["You said: ", asked.last] })))() };
}

// --- how each format writes it ----------------------------------------------------------------------------------

const counts = { in: 11, out: 22 };

const WHOLE = {
  gemini: ({ model }, { pieces, calls, end }) => (end === "safety" && !pieces.length
    ? { promptFeedback: { blockReason: "PROHIBITED_CONTENT" }, usageMetadata: { promptTokenCount: counts.in, totalTokenCount: counts.in }, modelVersion: model }
    : { candidates: [{ content: { role: "model", parts: geminiParts(pieces, calls) }, finishReason: ENDS[end].gemini, index: 0 }], ...geminiUsage(model) }),
  openai: ({ model }, { pieces, calls, end }) => ({ id: "chatcmpl-1", object: "chat.completion", created: 1700000000, model,
    choices: [{ index: 0, message: { role: "assistant", content: pieces.join("") || null, refusal: null, ...(calls.length && { tool_calls: openaiCalls(calls) }) },
      logprobs: null, finish_reason: ENDS[end].openai }], usage: openaiUsage() }),
  anthropic: (asked, { pieces, calls, end }) => ({ id: "msg_1", type: "message", role: "assistant", model: asked.model, stop_sequence: null,
    content: anthropicBlocks(asked, pieces, calls), stop_reason: asked.forced ? "tool_use" : ENDS[end].anthropic, usage: { input_tokens: counts.in, output_tokens: counts.out } }),
};

const geminiParts = (pieces, calls) => [...pieces.map((text) => ({ text })),
  ...calls.map(({ name, arguments: args }) => ({ functionCall: { name, args }, thoughtSignature: "c2lnbmF0dXJl" }))];
const geminiUsage = (modelVersion) => ({ usageMetadata: { promptTokenCount: counts.in, candidatesTokenCount: counts.out, totalTokenCount: counts.in + counts.out },
  modelVersion, responseId: "response-1" });
const openaiCalls = (calls) => calls.map(({ id, name, arguments: args }) => ({ id, type: "function", function: { name, arguments: JSON.stringify(args) } }));
const openaiUsage = () => ({ prompt_tokens: counts.in, completion_tokens: counts.out, total_tokens: counts.in + counts.out });
const anthropicBlocks = (asked, pieces, calls) => (asked.forced
  ? [{ type: "tool_use", id: "toolu_1", name: asked.forced, input: JSON.parse(pieces.join("")) }]
  : [...(pieces.length ? [{ type: "text", text: pieces.join(""), citations: null }] : []),
    ...calls.map(({ id, name, arguments: input }) => ({ type: "tool_use", id, name, input }))]);

/** The events of a stream: [name of the event or undefined, data], and where the answer's end begins. */
const STREAM = {
  gemini: (asked, planned) => {
    const { pieces, calls, end } = planned;
    if (end === "safety" && !pieces.length)
      return { events: [], ending: [[undefined, WHOLE.gemini(asked, planned)]] };
    const chunk = (parts, finishReason) => [undefined, { candidates: [{ content: { role: "model", parts }, ...(finishReason && { finishReason }), index: 0 }], ...geminiUsage(asked.model) }];
    return { events: pieces.map((text) => chunk([{ text }])), ending: [chunk(geminiParts([], calls).concat(calls.length ? [] : [{ text: "" }]), ENDS[end].gemini)] };
  },
  openai: ({ model }, { pieces, calls, end }) => {
    const chunk = (delta, finish_reason = null) => [undefined, { id: "chatcmpl-1", object: "chat.completion.chunk", created: 1700000000, model,
      choices: [{ index: 0, delta, logprobs: null, finish_reason }], usage: null }];
    const parts = openaiCalls(calls).flatMap(({ function: { name, arguments: text }, ...call }, index) => [
      chunk({ tool_calls: [{ index, ...call, function: { name, arguments: "" } }] }), ...text.match(/.{1,5}/gsu).map((part) => chunk({ tool_calls: [{ index, function: { arguments: part } }] }))]);
    return { events: [chunk({ role: "assistant", content: "", refusal: null }), ...pieces.map((content) => chunk({ content })), ...parts],
      ending: [chunk({}, ENDS[end].openai), [undefined, { ...chunk({})[1], choices: [], usage: openaiUsage() }], [undefined, "[DONE]"]] };
  },
  anthropic: (asked, planned) => {
    const { pieces } = planned, named = (type, rest = {}) => [type, { type, ...rest }];
    const blocks = anthropicBlocks(asked, pieces, planned.calls), whole = WHOLE.anthropic(asked, planned);
    const events = blocks.flatMap((block, index) => {
      const parts = block.type === "text" ? pieces.map((text) => ({ type: "text_delta", text }))
        : JSON.stringify(block.input).match(/.{1,5}/gsu).map((partial_json) => ({ type: "input_json_delta", partial_json }));
      return [named("content_block_start", { index, content_block: { ...block, ...(block.type === "text" ? { text: "" } : { input: {} }) } }), named("ping"),
        ...parts.map((delta) => named("content_block_delta", { index, delta })), named("content_block_stop", { index })];
    });
    return { events: [named("message_start", { message: { ...whole, content: [], stop_reason: null, usage: { input_tokens: counts.in, output_tokens: 1 } } }), ...events],
      ending: [named("message_delta", { delta: { stop_reason: whole.stop_reason, stop_sequence: null }, usage: { output_tokens: counts.out } }), named("message_stop")] };
  },
};

const LINE_END = { gemini: "\r\n", openai: "\n", anthropic: "\n" };

function written(provider, [name, data]) {
  const end = LINE_END[provider];
  return `${name ? `event: ${name}${end}` : ""}data: ${typeof data === "string" ? data : JSON.stringify(data)}${end}${end}`;
}

// --- the server -------------------------------------------------------------------------------------------------

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

export class ModelServer {
  /** Every request: {provider, path, headers, body}. */
  calls = [];
  /** Answers that haven't ended yet. */
  underWay = 0;
  keys = KEYS;
  /** Before each piece of a slow answer; or a promise, which is waited for. */
  slowMs = 50;
  /** What to answer instead: (asked, provider) => a plan, or undefined. */
  script = undefined;

  async start(port = 0) {
    this.server = http.createServer((request, response) => this.#serve(request, response).catch(() => response.destroy()));
    await new Promise((done) => this.server.listen(port, "127.0.0.1", done));
    this.host = `127.0.0.1:${this.server.address().port}`;
    this.url = `http://${this.host}`;
    /** As the connector types have it. */
    this.bases = { gemini: `${this.url}/v1beta`, openai: `${this.url}/v1`, anthropic: `${this.url}/v1` };
    return this;
  }

  /** Lines of a configuration that lead there. */
  get section() {
    return `[ai]\n${Object.entries(this.bases).map(([name, url]) => `${name}_url = ${url}\n${name}_model = echo\n`).join("")}`;
  }

  /** Forgets what was asked, and does everything by the model's name again. */
  reset() {
    Object.assign(this, { calls: [], script: undefined, slowMs: 50 });
  }

  async #serve(request, response) {
    const path = request.url.split("?")[0], chunks = [];
    for await (const chunk of request)
      chunks.push(chunk);
    const gemini = /^\/v1beta\/models\/([^/:]+):(generateContent|streamGenerateContent)$/.exec(path);
    const provider = gemini ? "gemini" : path === "/v1/messages" ? "anthropic" : path === "/v1/chat/completions" ? "openai" : undefined;
    if (!provider || request.method !== "POST")
      return response.writeHead(404).end();
    const body = JSON.parse(Buffer.concat(chunks).toString("utf8"));
    this.underWay++;
    response.once("close", () => this.underWay--);
    this.calls.push({ provider, path: request.url, headers: request.headers, body });
    // Anthropic's documents say x-api-key; its newest client sends a bearer.
    const bearer = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
    const key = { gemini: request.headers["x-goog-api-key"], openai: bearer, anthropic: request.headers["x-api-key"] ?? bearer }[provider];
    const asked = READERS[provider](body, gemini?.slice(1)), planned = this.script?.(asked, provider);
    if (key !== this.keys[provider])
      return this.#json(response, ...REFUSALS.key[provider](key));
    if (REFUSALS[asked.model] && !planned)
      return this.#json(response, ...REFUSALS[asked.model][provider]());
    if (asked.model === "silent" && !planned)
      return undefined;
    return this.#answer(provider, asked, { calls: [], end: "stop", ...(planned ?? plan(asked, key)) }, response);
  }

  #json(response, status, body, headers = {}) {
    response.writeHead(status, { "Content-Type": "application/json; charset=UTF-8", ...headers }).end(JSON.stringify(body, null, 2));
  }

  #slowly() {
    return typeof this.slowMs === "number" ? pause(this.slowMs) : this.slowMs;
  }

  async #answer(provider, asked, planned, response) {
    if (asked.stream)
      return this.#stream(provider, asked, planned, response);
    const text = JSON.stringify(WHOLE[provider](asked, planned));
    if (planned.slow)
      await this.#slowly();
    if (planned.after === "cut" || planned.after === "garbage")
      return response.writeHead(200, { "Content-Type": "application/json", "Content-Length": planned.after === "cut" ? text.length : text.length / 2 >> 0 })
        .write(text.slice(0, text.length / 2), () => response.destroy());
    if (planned.after === "error" || planned.after === "bare")
      return this.#json(response, ...REFUSALS.overloaded[provider]());
    return response.writeHead(200, { "Content-Type": "application/json" }).end(text);
  }

  async #write(response, text, chopped) {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length && !response.destroyed; at += chopped ? 1 : bytes.length) {
      response.write(chopped ? bytes.subarray(at, at + 1) : bytes);
      if (chopped && bytes[at] >= 0x80)
        await pause(1); // a packet of its own for each byte of a character
    }
  }

  async #stream(provider, asked, planned, response) {
    const { events, ending } = STREAM[provider](asked, planned);
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.socket.setNoDelay(true);
    for (const event of events) {
      if (planned.slow)
        await this.#slowly();
      await this.#write(response, written(provider, event), planned.chopped);
    }
    const error = REFUSALS.overloaded[provider]()[1];
    switch (planned.after) {
      case "cut": return response.write(written(provider, events.at(-1)).slice(0, 20), () => response.destroy());
      case "error": return response.end(written(provider, [provider === "anthropic" ? "error" : undefined, error]));
      case "bare": return response.end(JSON.stringify(error, null, 2));
      case "garbage": return response.end("data: {\"candidates\": [}\n\n");
      case "endless": return this.#endless(provider, events.at(-1), response);
      default:
        for (const event of ending)
          await this.#write(response, written(provider, event), planned.chopped);
        return response.end();
    }
  }

  async #endless(provider, event, response) {
    const text = written(provider, event).repeat(100);
    while (!response.destroyed)
      await (response.write(text) ? pause(0) : pause(5));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  const server = await new ModelServer().start();
  console.log(server.server.address().port);
  process.stdin.on("end", () => process.exit(0)).resume();
}
