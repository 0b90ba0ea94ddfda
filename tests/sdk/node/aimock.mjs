// `@copilotkit/aimock` on a free loopback port, with the fixtures of the file that is named: prints its address and
// ends with its standard input. An upstream that others wrote, so that no misunderstanding of ours is on both sides.

import { readFile } from "node:fs/promises";

import { LLMock } from "@copilotkit/aimock";

const mock = new LLMock({ port: 0, host: "127.0.0.1" });
mock.loadFixtureFile(process.argv[2]);
const { rankings } = JSON.parse(await readFile(process.argv[2], "utf8"));
for (const { query, results } of rankings) mock.onRerank(query, results);
await mock.start();
process.stdout.write(`${mock.url}\n`);
for await (const _ of process.stdin);
await mock.stop();
