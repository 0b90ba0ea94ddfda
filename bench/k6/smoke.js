// One caller for ten seconds: is it up, are replies whole, are wrong keys refused?

import { check } from "k6";
import http from "k6/http";

import { chat, chatUrl, options as request } from "./target.js";

export const options = {
  vus: 1,
  duration: __ENV.DURATION || "10s",
  thresholds: { checks: ["rate==1"], http_req_duration: ["p(99)<250"] },
};

export default function () {
  const reply = http.post(chatUrl, chat(false), request);
  check(reply, {
    "is answered": (r) => r.status === 200,
    "has an answer": (r) => r.json("choices.0.message.content") !== undefined,
    "has usage": (r) => r.json("usage.total_tokens") > 0,
  });
  if (__ENV.API_KEY) {
    const headers = { ...request.headers, Authorization: "Bearer wrong" };
    const refused = http.post(chatUrl, chat(false), {
      ...request,
      headers,
      responseCallback: http.expectedStatuses(401),
    });
    check(refused, { "a wrong key is refused": (r) => r.status === 401 });
  }
}
