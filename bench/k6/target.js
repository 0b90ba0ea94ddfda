// Where the scripts of this folder send what. Environment:
//   BASE_URL  API address with /v1 (default http://127.0.0.1:8080/v1)
//   API_KEY   key of the caller
//   MODEL     model to ask for (default mock/lorem?tokens=50)
//   DURATION  how long
// So `make demo` in one terminal, and in another `API_KEY=… k6 run bench/k6/smoke.js`.

const model = __ENV.MODEL || "mock/lorem?tokens=50";
const baseUrl = __ENV.BASE_URL || "http://127.0.0.1:8080/v1";

const headers = { "Content-Type": "application/json" };
if (__ENV.API_KEY) headers.Authorization = `Bearer ${__ENV.API_KEY}`;
export const options = { headers, timeout: "30s" };

export const chatUrl = `${baseUrl}/chat/completions`;

export function chat(stream) {
  const words = "The quick brown fox jumps over the lazy dog. ".repeat(20);
  return JSON.stringify({ model, stream, messages: [{ role: "user", content: words }] });
}
