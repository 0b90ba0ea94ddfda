// The official `@anthropic-ai/sdk` package of Node through the gateway.

import assert from "node:assert/strict";
import { test } from "node:test";

import Anthropic from "@anthropic-ai/sdk";
import { jsonSchemaOutputFormat } from "@anthropic-ai/sdk/helpers/json-schema";

import { ADDRESS, ARGUMENTS, KEY, MESSAGES_TOOL, TEXT, USER, WEATHER, anthropic, becomes, drained, figure } from "./clients.mjs";

const client = anthropic();
const asking = (model, more = {}) => ({ model, messages: USER, max_tokens: 2048, ...more });

for (const model of ["mock/echo", "demo"]) {
  test(`${model} answers whole and streamed alike`, async () => {
    const whole = await client.messages.create(asking(model));
    assert.equal(whole.content[0].text, TEXT);
    assert.equal(whole.stop_reason, "end_turn");
    const { items, error } = await drained(client.messages.create(asking(model, { stream: true })));
    assert.equal(error, null);
    assert.equal(items.at(-1).type, "message_stop");
    const final = await client.messages.stream(asking(model)).finalMessage();
    assert.equal(final.content[0].text, TEXT);
    assert.equal(final.usage.output_tokens, whole.usage.output_tokens);
  });
}

test("a tool is called, streamed, and its result taken", async () => {
  const ask = asking("mock/tools", { tools: [MESSAGES_TOOL] });
  const first = await client.messages.stream(ask).finalMessage();
  assert.equal(first.stop_reason, "tool_use");
  const [call] = first.content;
  assert.deepEqual(call.input, ARGUMENTS);
  const result = { type: "tool_result", tool_use_id: call.id, content: "sunny" };
  const messages = [
    ...USER,
    { role: "assistant", content: first.content },
    { role: "user", content: [result] },
  ];
  const after = await client.messages.create({ ...ask, messages });
  assert.equal(after.content[0].text, "The tool answered: sunny");
});

test("thinking comes before the answer", async () => {
  const ask = asking("mock/thinking", { thinking: { type: "enabled", budget_tokens: 1024 } });
  const stream = client.messages.stream(ask);
  let thoughts = "";
  stream.on("thinking", (delta) => (thoughts += delta));
  const final = await stream.finalMessage();
  assert.deepEqual(
    final.content.map((block) => block.type),
    ["thinking", "text"],
  );
  assert.equal(final.content[0].thinking, thoughts);
  assert.ok(final.content[0].signature);
});

test("the beta client, the token count and the models work", async () => {
  const beta = await client.beta.messages.create(asking("mock/echo", { betas: ["context-1m-2025-08-07"] }));
  assert.equal(beta.content[0].text, TEXT);
  const counted = await client.messages.countTokens({ model: "mock/echo", messages: USER });
  assert.equal(counted.input_tokens, beta.usage.input_tokens);
  const { items } = await drained(client.models.list());
  assert.ok(items.some((model) => model.id === "mock/echo" && model.type === "model"));
  assert.equal((await client.models.retrieve("mock/echo")).id, "mock/echo");
});

test("the address may have its prefix, and the key may be a token", async () => {
  const there = anthropic({ baseURL: `${ADDRESS}/anthropic`, apiKey: null, authToken: KEY });
  assert.equal((await there.messages.create(asking("mock/echo"))).content[0].text, TEXT);
});

test("each status is raised as its class", async () => {
  const kinds = {
    400: Anthropic.BadRequestError,
    401: Anthropic.AuthenticationError,
    403: Anthropic.PermissionDeniedError,
    404: Anthropic.NotFoundError,
    422: Anthropic.UnprocessableEntityError,
    429: Anthropic.RateLimitError,
    500: Anthropic.InternalServerError,
    529: Anthropic.InternalServerError,
  };
  for (const [status, kind] of Object.entries(kinds)) {
    await assert.rejects(client.messages.create(asking(`mock/error?status=${status}`)), (error) => {
      assert.ok(error instanceof kind, `${status}: ${error.constructor.name}`);
      assert.equal(error.status, Number(status));
      assert.match(error.requestID, /^req_/);
      return true;
    });
  }
});

test("our own errors say what is wrong", async () => {
  await assert.rejects(client.messages.create(asking("dmo")), (error) => {
    assert.ok(error instanceof Anthropic.NotFoundError);
    assert.equal(error.error.error.type, "not_found_error");
    assert.match(error.message, /did you mean `demo`/);
    return true;
  });
  await assert.rejects(
    anthropic({ apiKey: "sk-edge-wrong" }).messages.create(asking("demo")),
    (error) => error instanceof Anthropic.AuthenticationError,
  );
});

test("a cut stream raises and gives nothing that ends it", async () => {
  const { items, error } = await drained(
    client.messages.create(asking("mock/cut?after=3", { stream: true })),
  );
  assert.ok(error instanceof Anthropic.APIError, `ended as if whole, or otherwise: ${error}`);
  assert.match(error.message, /before its reply was complete/);
  assert.ok(items.length >= 3);
  assert.ok(!items.some((item) => ["message_stop", "message_delta"].includes(item.type)));
  await assert.rejects(
    client.messages.stream(asking("mock/cut?after=3")).finalMessage(),
    /before its reply was complete/,
  );
});

test("an aborted stream leaves nothing in hand", async () => {
  const cancelled = 'status="cancelled"';
  const before = await figure("llm_edge_requests_total{", cancelled);
  const stream = client.messages.stream(asking("mock/lorem?tokens=2000&itl=20ms"));
  stream.once("text", () => stream.abort());
  await assert.rejects(stream.finalMessage(), (error) => error instanceof Anthropic.APIUserAbortError);
  assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);
  assert.equal(await becomes("llm_edge_requests_total{", before + 1, cancelled), before + 1);
});

test("a timeout of the client is raised", async () => {
  await assert.rejects(client.messages.create(asking("mock/slow?total=30s"), { timeout: 300 }), (error) => {
    assert.ok(error instanceof Anthropic.APIConnectionTimeoutError);
    return true;
  });
});

test("structured output is parsed", async () => {
  const ask = asking("mock/json", { output_config: { format: jsonSchemaOutputFormat(WEATHER, { transform: false }) } });
  assert.deepEqual((await client.messages.parse(ask)).parsed_output, ARGUMENTS);
  const streamed = await client.messages.stream(ask).finalMessage();
  assert.deepEqual(streamed.parsed_output, ARGUMENTS);
});

test("the client's own retries go through, and what would fail again is not tried again", async () => {
  const retrying = anthropic({ maxRetries: 2 });
  for (const [status, labels, attempts] of [
    [429, 'status="4xx"', 3],
    [529, 'status="5xx"', 3],
    [400, 'status="4xx"', 1],
  ]) {
    const before = await figure("llm_edge_requests_total{", labels);
    const more = status === 429 ? "&retry_after=1" : "";
    const started = Date.now();
    await assert.rejects(retrying.messages.create(asking(`mock/error?status=${status}${more}`)), { status });
    if (status === 429) assert.ok(Date.now() - started >= 2_000, "Retry-After was not waited for");
    const wanted = before + attempts;
    assert.equal(await becomes("llm_edge_requests_total{", wanted, labels), wanted, `${status}`);
  }
});

test("an aborted request leaves nothing in hand", async () => {
  const cancelled = 'status="cancelled"';
  const before = await figure("llm_edge_requests_total{", cancelled);
  const abort = new AbortController();
  const pending = client.messages.create(asking("mock/slow?total=30s"), { signal: abort.signal });
  const raised = assert.rejects(pending, { constructor: Anthropic.APIUserAbortError });
  assert.equal(await becomes("llm_edge_inflight_requests ", 1), 1);
  abort.abort();
  await raised;
  assert.equal(await becomes("llm_edge_inflight_requests ", 0), 0);
  assert.equal(await becomes("llm_edge_requests_total{", before + 1, cancelled), before + 1);
});

test("the reply's headers are there, and the cache says its word", async () => {
  const ask = asking("demo", { messages: [{ role: "user", content: `only once, here: ${process.pid}` }] });
  const first = await client.messages.create(ask).withResponse();
  const second = await client.messages.create(ask).withResponse();
  assert.equal(first.response.headers.get("x-llm-edge-cache"), "miss");
  assert.equal(second.response.headers.get("x-llm-edge-cache"), "hit");
  assert.equal(first.response.headers.get("x-llm-edge-provider"), "mock");
  assert.deepEqual(first.data.content, second.data.content);
  assert.notEqual(first.request_id, second.request_id);
  const raw = await client.messages.create({ ...ask, stream: true }).asResponse();
  assert.match(raw.headers.get("content-type"), /^text\/event-stream/);
  assert.match(await raw.text(), /event: message_stop/);
});
