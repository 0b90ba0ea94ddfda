// Node's own HTTP server, recording each request as apps.py does.
const { createHash } = require("node:crypto");
const { appendFileSync } = require("node:fs");
const { createServer } = require("node:http");

const reply = '{"choices":[]}';
createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const digest = createHash("sha256").update(Buffer.concat(pieces)).digest("hex");
    const ident = request.headers["x-request-id"] || "-";
    appendFileSync(process.env.RECORD, `${request.method} ${request.url} ${ident} ${digest}\n`);
    response.writeHead(200, { "content-type": "application/json", "content-length": reply.length });
    response.end(reply);
  });
}).listen(Number(process.argv[2]), "127.0.0.1");
