// The Vercel AI SDK through the gateway: its providers for OpenAI (both APIs), Anthropic and Google, each with models
// that are reached by every API.

import assert from "node:assert/strict";
import { test } from "node:test";

import { createAnthropic } from "@ai-sdk/anthropic";
import { createGoogleGenerativeAI } from "@ai-sdk/google";
import { createOpenAI } from "@ai-sdk/openai";
import { APICallError, generateObject, generateText, jsonSchema, stepCountIs, streamObject, streamText, tool } from "ai";

import { ADDRESS, ARGUMENTS, KEY, TEXT, WEATHER, becomes, drained } from "./clients.mjs";

const openai = createOpenAI({ baseURL: `${ADDRESS}/v1`, apiKey: KEY });
const anthropic = createAnthropic({ baseURL: `${ADDRESS}/v1`, apiKey: KEY });
const google = createGoogleGenerativeAI({ baseURL: `${ADDRESS}/v1beta`, apiKey: KEY });

const CLIENTS = {
  chat: (model) => openai.chat(model),
  responses: (model) => openai.responses(model),
  anthropic: (model) => anthropic(model),
  google: (model) => google(`models/${model}`),
};
const TARGETS = ["chat", "answers", "claude", "google"];
// Google has an endpoint for clients of chat completions, which the mock has not.
const PAIRS = Object.keys(CLIENTS)
  .flatMap((client) => TARGETS.map((target) => [client, target]))
  .filter(([client, target]) => !(client === "chat" && target === "google"));

// Without `store: false` the provider for responses sends only the ids of reasoning, which no other maker knows.
const asking = (client, model, more = {}) => ({
  model: CLIENTS[client](model),
  prompt: TEXT,
  maxRetries: 0,
  providerOptions: { openai: { store: false } },
  ...more,
});

/** The parts of a stream, an error among them raised. */
async function parts(result) {
  const found = [];
  for await (const part of result.fullStream) {
    if (part.type === "error") throw part.error;
    found.push(part);
  }
  return found;
}

/** A tool that remembers what it was called with. */
function weather() {
  const calls = [];
  const execute = async (input) => {
    calls.push(input);
    return "sunny";
  };
  return { calls, tools: { weather: tool({ description: "The weather", inputSchema: jsonSchema(WEATHER), execute }) } };
}

for (const [client, target] of PAIRS) {
  test(`${client} of ${target}: a text whole and streamed is the same`, async () => {
    const whole = await generateText(asking(client, `${target}/echo`));
    assert.equal(whole.text, TEXT);
    assert.equal(whole.finishReason, "stop");
    assert.ok(whole.usage.inputTokens > 0 && whole.usage.outputTokens > 0);
    const streamed = streamText(asking(client, `${target}/echo`));
    const texts = (await parts(streamed)).filter((part) => part.type === "text-delta");
    assert.ok(texts.length > 2, "it came at once");
    assert.equal(await streamed.text, TEXT);
    assert.equal(await streamed.finishReason, "stop");
    const { inputTokens, outputTokens } = await streamed.usage;
    assert.deepEqual({ inputTokens, outputTokens }, { inputTokens: whole.usage.inputTokens, outputTokens: whole.usage.outputTokens });
  });

  test(`${client} of ${target}: a tool is called, and its result answered`, async () => {
    const whole = weather();
    const model = `${target}/tools`;
    const stopWhen = stepCountIs(3);
    const done = await generateText(asking(client, model, { tools: whole.tools, stopWhen }));
    assert.deepEqual(whole.calls, [ARGUMENTS]);
    assert.deepEqual(done.steps.map((step) => step.finishReason), ["tool-calls", "stop"]);
    assert.match(done.text, /sunny/);
    const streamed = weather();
    const result = streamText(asking(client, model, { tools: streamed.tools, stopWhen }));
    const kinds = new Set((await parts(result)).map((part) => part.type));
    assert.ok(kinds.has("tool-input-start") && kinds.has("tool-call") && kinds.has("tool-result"), [...kinds].join());
    assert.deepEqual(streamed.calls, [ARGUMENTS]);
    assert.equal(await result.text, done.text);
  });

  test(`${client} of ${target}: an object has its schema`, async () => {
    const schema = jsonSchema(WEATHER);
    const whole = await generateObject(asking(client, `${target}/json`, { schema }));
    assert.deepEqual(whole.object, ARGUMENTS);
    const streamed = streamObject(asking(client, `${target}/json`, { schema }));
    const { items, error } = await drained(streamed.partialObjectStream);
    assert.equal(error, null);
    assert.deepEqual(items.at(-1), ARGUMENTS);
  });

  test(`${client} of ${target}: an error has its status`, async () => {
    for (const status of [400, 429, 503]) {
      const name = `${target}/error?status=${status}`;
      const model = client === "google" ? encodeURIComponent(name) : name;
      await assert.rejects(generateText(asking(client, model)), (error) => {
        assert.ok(APICallError.isInstance(error), `${error}`);
        assert.equal(error.statusCode, status);
        assert.equal(error.isRetryable, status !== 400);
        return true;
      });
    }
  });

  test(`${client} of ${target}: a stream that is cut never looks whole`, async () => {
    const name = `${target}/cut?after=3`;
    const model = client === "google" ? encodeURIComponent(name) : name;
    const found = [];
    await assert.rejects(async () => {
      for await (const part of streamText(asking(client, model, { onError: () => {} })).fullStream) {
        if (part.type === "error") throw part.error;
        found.push(part.type);
      }
    });
    assert.ok(found.includes("text-delta"));
    assert.ok(!found.includes("finish"));
    assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);
  });
}

// Chat completions of OpenAI have no reasoning to show, so that its provider here looks for none.
for (const [client, target] of PAIRS.filter(([client]) => client !== "chat")) {
  test(`${client} of ${target}: reasoning is told apart, and goes out again`, async () => {
    const providerOptions = {
      openai: { reasoningEffort: "high", reasoningSummary: "auto", forceReasoning: true, store: false },
      anthropic: { thinking: { type: "enabled", budgetTokens: 1024 } },
      google: { thinkingConfig: { includeThoughts: true } },
    };
    const ask = asking(client, `${target}/thinking`, { providerOptions });
    const whole = await generateText(ask);
    assert.ok(whole.reasoningText);
    assert.ok(!whole.text.includes(whole.reasoningText));
    const streamed = streamText(ask);
    await parts(streamed);
    assert.equal(await streamed.reasoningText, whole.reasoningText);
    const { prompt, ...rest } = ask;
    const messages = [
      { role: "user", content: prompt },
      ...whole.response.messages,
      { role: "user", content: "and now?" },
    ];
    const again = await generateText({ ...rest, messages });
    assert.ok(again.text);
  });
}

test("what the gateway itself says is an error with its words", async () => {
  await assert.rejects(generateText(asking("chat", "no/such")), (error) => {
    assert.ok(APICallError.isInstance(error));
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /`no\/such`/);
    return true;
  });
  const stranger = createAnthropic({ baseURL: `${ADDRESS}/v1`, apiKey: "sk-edge-wrong" });
  await assert.rejects(generateText({ model: stranger("claude/echo"), prompt: TEXT, maxRetries: 0 }), {
    statusCode: 401,
  });
});

test("a conversation that is stored elsewhere is refused with the way out", async () => {
  const ask = { ...asking("responses", "claude/thinking"), providerOptions: { openai: { forceReasoning: true } } };
  const { prompt, ...rest } = ask;
  const first = await generateText(ask);
  const messages = [{ role: "user", content: prompt }, ...first.response.messages, { role: "user", content: "?" }];
  await assert.rejects(generateText({ ...rest, messages }), { statusCode: 400, message: /`store: false`/ });
});

test("an aborted stream leaves nothing in hand", async () => {
  const abort = new AbortController();
  const model = CLIENTS.chat("claude/lorem?tokens=2000&itl=20ms");
  const result = streamText({ model, prompt: TEXT, abortSignal: abort.signal, onError: () => {} });
  for await (const part of result.fullStream) if (part.type === "text-delta") abort.abort();
  assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);
});
