// The official `openai` package of Node through the gateway.

import assert from "node:assert/strict";
import { test } from "node:test";

import OpenAI, { AzureOpenAI } from "openai";
import { zodResponseFormat, zodTextFormat } from "openai/helpers/zod";
import { z } from "zod";

import {
  ADDRESS,
  ARGUMENTS,
  CHAT_TOOL,
  KEY,
  RESPONSES_TOOL,
  TEXT,
  USER,
  becomes,
  drained,
  figure,
  openai,
} from "./clients.mjs";

const client = openai();
const textOf = (chunks) => chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");

test("chat answers whole and streamed alike", async () => {
  const ask = { model: "mock/lorem?tokens=40&seed=3", messages: USER };
  const whole = await client.chat.completions.create(ask);
  const { items, error } = await drained(
    client.chat.completions.create({ ...ask, stream: true, stream_options: { include_usage: true } }),
  );
  assert.equal(error, null);
  assert.equal(textOf(items), whole.choices[0].message.content);
  assert.deepEqual(items.at(-1).usage, whole.usage);
  assert.equal(items.at(-2).choices[0].finish_reason, "stop");
});

test("a route answers by its own name", async () => {
  const whole = await client.chat.completions.create({ model: "demo", messages: USER });
  assert.equal(whole.choices[0].message.content, TEXT);
});

test("Azure's client asks a deployment", async () => {
  const options = { endpoint: ADDRESS, apiKey: KEY, apiVersion: "2024-10-21", maxRetries: 0 };
  const ask = { model: "mock/echo", messages: USER };
  const azure = new AzureOpenAI(options);
  const whole = await azure.chat.completions.create(ask);
  assert.equal(whole.choices[0].message.content, TEXT);
  const { items, error } = await drained(azure.chat.completions.create({ ...ask, stream: true }));
  assert.equal(error, null);
  assert.equal(textOf(items), TEXT);
  const fixed = new AzureOpenAI({ ...options, deployment: "mock/echo" });
  const other = await fixed.chat.completions.create({ ...ask, model: "gpt-4o" });
  assert.equal(other.choices[0].message.content, TEXT);
});

test("the chat helper follows a stream to its end", async () => {
  const runner = client.chat.completions.stream({ model: "mock/echo", messages: USER });
  assert.equal(await runner.finalContent(), TEXT);
});

test("a tool is called, streamed, and its result taken", async () => {
  const ask = { model: "mock/tools", messages: USER, tools: [CHAT_TOOL] };
  const runner = client.chat.completions.stream(ask);
  const said = await runner.finalMessage();
  const [call] = said.tool_calls;
  assert.deepEqual(JSON.parse(call.function.arguments), ARGUMENTS);
  const result = { role: "tool", tool_call_id: call.id, content: "sunny" };
  const assistant = {
    role: "assistant",
    tool_calls: [
      {
        id: call.id,
        type: "function",
        function: { name: call.function.name, arguments: call.function.arguments },
      },
    ],
  };
  const after = await client.chat.completions.create({ ...ask, messages: [...USER, assistant, result] });
  assert.equal(after.choices[0].message.content, "The tool answered: sunny");
});

test("structured output is a value of the schema", async () => {
  const schema = RESPONSES_TOOL.parameters;
  const whole = await client.chat.completions.create({
    model: "mock/json",
    messages: USER,
    response_format: { type: "json_schema", json_schema: { name: "weather", schema, strict: true } },
  });
  assert.deepEqual(JSON.parse(whole.choices[0].message.content), ARGUMENTS);
});

test("structured output is parsed, streamed too", async () => {
  const weather = z.object({ city: z.string(), days: z.int().min(2) });
  const ask = {
    model: "mock/json",
    messages: USER,
    response_format: zodResponseFormat(weather, "weather"),
  };
  const whole = await client.chat.completions.parse(ask);
  assert.deepEqual(whole.choices[0].message.parsed, ARGUMENTS);
  const streamed = await client.chat.completions.stream(ask).finalChatCompletion();
  assert.deepEqual(streamed.choices[0].message.parsed, ARGUMENTS);
  const response = await client.responses.parse({
    model: "mock/json",
    input: TEXT,
    text: { format: zodTextFormat(weather, "weather") },
  });
  assert.deepEqual(response.output_parsed, ARGUMENTS);
});

test("responses answer whole and streamed alike", async () => {
  const ask = { model: "mock/thinking", input: TEXT };
  const whole = await client.responses.create(ask);
  const { items, error } = await drained(client.responses.create({ ...ask, stream: true }));
  assert.equal(error, null);
  assert.equal(items.at(-1).type, "response.completed");
  assert.deepEqual(items.at(-1).response.usage, whole.usage);
  const final = await client.responses.stream(ask).finalResponse();
  assert.equal(final.output_text, whole.output_text);
  assert.ok(final.output_text.endsWith(TEXT));
});

test("responses call a tool and take its result", async () => {
  const ask = { model: "mock/tools", tools: [RESPONSES_TOOL] };
  const first = await client.responses.create({ ...ask, input: USER });
  const [call] = first.output;
  assert.deepEqual(JSON.parse(call.arguments), ARGUMENTS);
  const result = { type: "function_call_output", call_id: call.call_id, output: "sunny" };
  const after = await client.responses.create({ ...ask, input: [...USER, call, result] });
  assert.equal(after.output_text, "The tool answered: sunny");
});

test("completions, embeddings and models work", async () => {
  const { items } = await drained(
    client.completions.create({ model: "mock/echo", prompt: TEXT, stream: true }),
  );
  assert.equal(items.map((chunk) => chunk.choices[0]?.text ?? "").join(""), TEXT);
  const ask = { model: "mock/embed?dims=16", input: ["one two", "three"] };
  const packed = await client.embeddings.create(ask); // this SDK, too, asks for base64
  const floats = await client.embeddings.create({ ...ask, encoding_format: "float" });
  for (const [at, { embedding }] of packed.data.entries()) {
    assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5);
    embedding.forEach((value, i) => assert.ok(Math.abs(value - floats.data[at].embedding[i]) < 1e-6));
  }
  const { items: models } = await drained(client.models.list());
  assert.ok(models.some((model) => model.id === "mock/echo"));
  assert.equal((await client.models.retrieve("mock/echo")).id, "mock/echo");
});

for (const path of ["", "/openai/v1"]) {
  test(`the address may end in "${path}"`, async () => {
    const there = openai({ baseURL: ADDRESS + path });
    const whole = await there.chat.completions.create({ model: "mock/echo", messages: USER });
    assert.equal(whole.choices[0].message.content, TEXT);
  });
}

test("each status is raised as its class", async () => {
  const kinds = {
    400: OpenAI.BadRequestError,
    401: OpenAI.AuthenticationError,
    403: OpenAI.PermissionDeniedError,
    404: OpenAI.NotFoundError,
    409: OpenAI.ConflictError,
    422: OpenAI.UnprocessableEntityError,
    429: OpenAI.RateLimitError,
    500: OpenAI.InternalServerError,
    503: OpenAI.InternalServerError,
    529: OpenAI.InternalServerError,
  };
  for (const [status, kind] of Object.entries(kinds)) {
    for (const stream of [false, true]) {
      const ask = { model: `mock/error?status=${status}`, messages: USER, stream };
      await assert.rejects(client.chat.completions.create(ask), (error) => {
        assert.equal(error.constructor, kind);
        assert.equal(error.status, Number(status));
        assert.match(error.requestID, /^req_/);
        return true;
      });
    }
  }
});

test("our own errors say what is wrong", async () => {
  const ask = { model: "dmo", messages: USER };
  await assert.rejects(client.chat.completions.create(ask), {
    constructor: OpenAI.NotFoundError,
    code: "model_not_found",
    param: "model",
    message: /did you mean `demo`/,
  });
  await assert.rejects(openai({ apiKey: "sk-edge-wrong" }).chat.completions.create(ask), {
    constructor: OpenAI.AuthenticationError,
    code: "invalid_api_key",
  });
});

const streams = {
  chat: () => client.chat.completions.create({ model: "mock/cut?after=3", messages: USER, stream: true }),
  completions: () => client.completions.create({ model: "mock/cut?after=3", prompt: "x", stream: true }),
  responses: () => client.responses.create({ model: "mock/cut?after=3", input: "x", stream: true }),
};
for (const [name, open] of Object.entries(streams)) {
  test(`a cut stream of ${name} raises and gives nothing that ends it`, async () => {
    const { items, error } = await drained(open());
    assert.ok(error instanceof OpenAI.APIError, `ended as if whole, or otherwise: ${error}`);
    assert.match(error.message, /before its reply was complete/);
    assert.ok(items.length >= 3);
    assert.ok(!items.some((item) => item.choices?.[0]?.finish_reason || item.type === "response.completed"));
  });
}

test("the helpers raise on a cut stream too", async () => {
  const model = "mock/cut?after=3";
  await assert.rejects(
    client.chat.completions.stream({ model, messages: USER }).finalChatCompletion(),
    /before its reply was complete/,
  );
  await assert.rejects(
    client.responses.stream({ model, input: "x" }).finalResponse(),
    /before its reply was complete/,
  );
});

test("a cut reply that is not streamed raises", async () => {
  await assert.rejects(
    client.chat.completions.create({ model: "mock/cut", messages: USER }),
    (error) => error instanceof Error,
  );
});

test("a timeout of the client is raised", async () => {
  await assert.rejects(
    client.chat.completions.create({ model: "mock/slow?total=30s", messages: USER }, { timeout: 300 }),
    { constructor: OpenAI.APIConnectionTimeoutError },
  );
  assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);
});

test("the client's own retries go through", async () => {
  const labels = 'status="4xx"';
  const before = await figure("llm_edge_requests_total{", labels);
  await assert.rejects(
    client.chat.completions.create(
      { model: "mock/error?status=429&retry_after=1", messages: USER },
      { maxRetries: 1 },
    ),
    { constructor: OpenAI.RateLimitError },
  );
  assert.equal(await becomes("llm_edge_requests_total{", before + 2, labels), before + 2);
});

test("an aborted request and an aborted stream leave nothing in hand", async () => {
  const cancelled = 'status="cancelled"';
  const before = await figure("llm_edge_requests_total{", cancelled);
  const abort = new AbortController();
  const pending = client.chat.completions.create(
    { model: "mock/slow?total=30s", messages: USER },
    { signal: abort.signal },
  );
  const raised = assert.rejects(pending, { constructor: OpenAI.APIUserAbortError });
  assert.equal(await becomes("llm_edge_inflight_requests ", 1), 1);
  abort.abort();
  await raised;
  assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);

  const stream = await client.chat.completions.create({
    model: "mock/lorem?tokens=5000&itl=20ms",
    messages: USER,
    stream: true,
  });
  for await (const chunk of stream) {
    assert.ok(chunk.id);
    stream.controller.abort();
  }
  assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);
  assert.equal(await becomes("llm_edge_requests_total{", before + 2, cancelled), before + 2);
});

test("the reply's headers are there, and the cache says its word", async () => {
  const ask = { model: "demo", messages: [{ role: "user", content: `only once: ${process.pid}` }] };
  const first = await client.chat.completions.create(ask).withResponse();
  const second = await client.chat.completions.create(ask).withResponse();
  assert.equal(first.response.headers.get("x-llm-edge-cache"), "miss");
  assert.equal(second.response.headers.get("x-llm-edge-cache"), "hit");
  assert.equal(first.response.headers.get("x-llm-edge-provider"), "mock");
  assert.deepEqual(first.data.choices, second.data.choices);
  assert.notEqual(first.request_id, second.request_id);
  const mine = "trace-of-the-caller";
  const named = await client.chat.completions
    .create(ask, { headers: { "x-request-id": mine } })
    .withResponse();
  assert.equal(named.request_id, mine);
});

for (const header of ["x-api-key", "api-key", "x-goog-api-key"]) {
  test(`the key is taken from ${header}`, async () => {
    const there = openai({ defaultHeaders: { authorization: null, [header]: KEY } });
    const whole = await there.chat.completions.create({ model: "mock/echo", messages: USER });
    assert.equal(whole.choices[0].message.content, TEXT);
  });
}
