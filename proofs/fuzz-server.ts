// Sends mutated bodies to a server with a model that has no weights: none may be answered by a failure of the server, late,
// by an error of another shape, or by one that tells of prompt, key or machine; and memory stays where it is.
//   node proofs/fuzz-server.ts [COUNT] [SEED]
import { HttpServer } from "../src/serving/http/index.ts";
import { FakeServedModel } from "../test/support/fake-served-model.ts";
import { leakIn, sendMutated } from "../test/support/mutated-bodies.ts";

const [count = 20_000, seed = 1] = process.argv.slice(2).map(Number);
const lines: string[] = [];
await using server = await HttpServer.listen({
  port: 0,
  keys: ["the-key"],
  isLegacy: true,
  log: (line) => lines.push(line),
});
await server.add("fake", new FakeServedModel());
const send = (much: number, from: number) =>
  sendMutated(server.url, { count: much, seed: from, headers: { authorization: "Bearer the-key" } });
const wrong = await send(Math.ceil(count / 10), seed);
const before = process.memoryUsage().rss;
wrong.push(...(await send(count - Math.ceil(count / 10), seed + 1)));
const grown = (process.memoryUsage().rss - before) / 2 ** 20;
wrong.push(...lines.filter((line) => leakIn(line) !== undefined));
for (const line of wrong.slice(0, 20)) console.log(line);
const statuses = Object.groupBy(lines, (line) => String(JSON.parse(line).status));
console.log(
  Object.entries(statuses)
    .map(([status, { length = 0 } = []]) => `${status}: ${length}`)
    .join(", "),
);
console.log(
  `${count} bodies, ${wrong.length} wrong, resident memory ${grown.toFixed(0)} MiB more than after the first tenth`,
);
process.exitCode = wrong.length === 0 ? 0 : 1;
