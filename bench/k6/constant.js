// A constant rate, open loop: RATE requests/s (1,667, 100,000 a minute) for DURATION (60 s); at most DROPPED_MAX (0)
// are late for want of a free client, and 99 % take less than P99_MS (20).

import http from "k6/http";

import { chat, chatUrl, options as request } from "./target.js";

const body = chat(false);

export const options = {
  discardResponseBodies: true,
  scenarios: {
    constant: {
      executor: "constant-arrival-rate",
      rate: Number(__ENV.RATE || 1667),
      timeUnit: "1s",
      duration: __ENV.DURATION || "60s",
      // Made beforehand: one that has to be made while requests wait is not there in time.
      preAllocatedVUs: 500,
      maxVUs: 500,
    },
  },
  thresholds: {
    http_req_failed: ["rate==0"],
    dropped_iterations: [`count<=${__ENV.DROPPED_MAX || 0}`],
    http_req_duration: [`p(99)<${__ENV.P99_MS || 20}`],
  },
};

export default function () {
  http.post(chatUrl, body, request);
}
