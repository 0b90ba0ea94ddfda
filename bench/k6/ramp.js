// From 500 requests/s up to RATE_MAX (10,000), until something gives: where is saturation?

import http from "k6/http";

import { chat, chatUrl, options as request } from "./target.js";

const body = chat(false);
const most = Number(__ENV.RATE_MAX || 10000);

export const options = {
  discardResponseBodies: true,
  scenarios: {
    ramp: {
      executor: "ramping-arrival-rate",
      startRate: 500,
      timeUnit: "1s",
      stages: [
        { target: most, duration: __ENV.DURATION || "120s" },
        { target: 0, duration: "5s" },
      ],
      preAllocatedVUs: 200,
      maxVUs: 1000,
    },
  },
  thresholds: {
    // Past saturation requests wait; they do not fail.
    http_req_failed: [{ threshold: "rate<0.001", abortOnFail: true, delayAbortEval: "5s" }],
    http_req_duration: [{ threshold: "p(95)<1000", abortOnFail: true, delayAbortEval: "10s" }],
  },
};

export default function () {
  http.post(chatUrl, body, request);
}
