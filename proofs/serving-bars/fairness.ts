import { ask, bodyOf, isAnswered } from "../../bench/serving/load.ts";
import type { Bar } from "./bar.ts";

export const fairness: Bar = async (bench) => {
  await using server = await bench.start("--running", "1", "--key", "many", "--key", "one");
  const body = await bodyOf(server, { text: "Who is it?", tokens: 16 });
  let ended = 0;
  const crowd = Array.from({ length: bench.count(100, 10) }, async () => {
    const outcome = await ask(server, body, { key: "many" });
    if (!isAnswered(outcome)) throw new Error(`status ${outcome.status}`);
    ended++;
  });
  await Promise.race(crowd);
  const before = ended;
  const outcome = await ask(server, body, { key: "one" });
  const turns = ended - before;
  await Promise.all(crowd);
  bench.tell(
    `the one was answered after ${turns} of the ${crowd.length}; the bar is 2`,
    isAnswered(outcome) && turns <= 2,
  );
};
