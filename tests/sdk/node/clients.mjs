// Clients of the gateway that tests/sdk/test_node.py has started, and what the tests ask.

import Anthropic from "@anthropic-ai/sdk";
import OpenAI from "openai";

/** A variable that the starter of these tests sets. */
function setting(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run these tests through tests/sdk/test_node.py`);
  return value;
}

export const ADDRESS = setting("LLM_EDGE_ADDRESS"); // http://host:port
export const KEY = setting("LLM_EDGE_KEY");
export const METRICS = setting("LLM_EDGE_METRICS"); // http://host:port

// The SDKs retry twice and wait ten minutes unless told otherwise; a test says it when it wants that.
const PLAIN = { maxRetries: 0, timeout: 20_000 };

export const openai = (more = {}) =>
  new OpenAI({ ...PLAIN, baseURL: `${ADDRESS}/v1`, apiKey: KEY, ...more });
export const anthropic = (more = {}) =>
  new Anthropic({ ...PLAIN, baseURL: ADDRESS, apiKey: KEY, ...more });

export const TEXT = 'Žluťoučký kůň, "quoted"\n漢字 🙂';
export const USER = [{ role: "user", content: TEXT }];

export const WEATHER = {
  type: "object",
  properties: { city: { type: "string" }, days: { type: "integer", minimum: 2 } },
  required: ["city", "days"],
  additionalProperties: false,
};
export const ARGUMENTS = { city: "text", days: 2 };
export const CHAT_TOOL = {
  type: "function",
  function: { name: "weather", parameters: WEATHER, strict: true },
};
export const RESPONSES_TOOL = { type: "function", name: "weather", parameters: WEATHER, strict: true };
export const MESSAGES_TOOL = { name: "weather", description: "The weather", input_schema: WEATHER };

/** Everything that an asynchronous iterable gives, and the error it ended in, if it did. */
export async function drained(iterable) {
  const items = [];
  try {
    for await (const item of await iterable) items.push(item);
  } catch (error) {
    return { items, error };
  }
  return { items, error: null };
}

/** The sum of the samples of that name whose line holds `part`, from the metrics. */
async function figure(name, part) {
  const text = await (await fetch(`${METRICS}/metrics`)).text();
  return text
    .split("\n")
    .filter((line) => line.startsWith(name) && line.includes(part))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
}

/** The figure once it is `wanted`, or what it still is after five seconds. */
export async function becomes(name, wanted, part = "") {
  const until = Date.now() + 5_000;
  let now = await figure(name, part);
  while (now !== wanted && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    now = await figure(name, part);
  }
  return now;
}

export { figure };
