// STREAMS (100) callers, each reading one stream after the other, to its end.

import { check } from "k6";
import http from "k6/http";
import { Trend } from "k6/metrics";

import { chat, chatUrl, options as request } from "./target.js";

const body = chat(true);
const firstByte = new Trend("first_byte_ms", true);

export const options = {
  vus: Number(__ENV.STREAMS || 100),
  duration: __ENV.DURATION || "30s",
  thresholds: {
    checks: ["rate==1"],
    http_req_failed: ["rate==0"],
    first_byte_ms: ["p(99)<1000"],
  },
};

export default function () {
  const reply = http.post(chatUrl, body, request);
  firstByte.add(reply.timings.waiting);
  check(reply, {
    "is answered": (r) => r.status === 200,
    "ends with its last event": (r) => r.body.trimEnd().endsWith("data: [DONE]"),
  });
}
