import { ask, bodyOf, isAnswered } from "../../bench/serving/load.ts";
import { metricsOf, residentBytes } from "../../bench/serving/servers.ts";
import { type Bar, isIdle, textOf, until } from "./bar.ts";

/** Full before the first count is taken, by images that so many tokens of text come with. */
const BUDGET_GB = 0.4;
const FILLING = 400;
const CLIENTS = 8;
const mebibytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20)} MiB`;

export const memory: Bar = async (bench) => {
  await using server = await bench.start("--memory", String(BUDGET_GB));
  const start = residentBytes(server.child);
  const [images, early] = [bench.count(2000, 160), bench.count(200, 80)];
  const filling = await textOf(server, FILLING);
  let [next, most, failed] = [0, start, 0];
  /** Each of the clients asks about an image that nobody asked about, and gives up in the middle where `isLeft`. */
  const some = async (count: number, isLeft: boolean, text = "What is it?") => {
    let left = count;
    const client = async () => {
      while (left-- > 0) {
        const body = await bodyOf(server, {
          text: `${next} ${text}`,
          images: [next++],
          tokens: isLeft ? 200 : 2,
        });
        const signal = isLeft ? AbortSignal.timeout(20 + (next % 20) * 25) : undefined;
        const outcome = await ask(server, body, signal && { signal }).catch(() => undefined);
        if (!isLeft && !(outcome && isAnswered(outcome))) failed++;
        most = Math.max(most, residentBytes(server.child));
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, client));
    await until(server, isIdle);
    return residentBytes(server.child);
  };
  const after = await some(early, false, filling);
  const whole = await some(images - early, false);
  const aborted = await some(images, true);
  bench.tell(
    `${mebibytes(start)} when ready; ${mebibytes(after)} after ${early} images, ${mebibytes(whole)} after ${images}, ${mebibytes(aborted)} after as many given up`,
  );
  bench.tell(`${failed} not answered`, failed === 0);
  const grown = Math.max(whole, aborted) / after - 1;
  bench.tell(`${(grown * 100).toFixed(1)} % more than after the first; the bar is 2 %`, grown <= 0.02);
  const beyond = most - start;
  bench.tell(
    `at most ${mebibytes(beyond)} more than when ready; --memory and 10 % are ${mebibytes(BUDGET_GB * 1.1e9)}`,
    beyond <= BUDGET_GB * 1.1e9,
  );
  const metrics = await metricsOf(server);
  const held = ["kv_bytes", "vision_cache_bytes", "media_bytes"].map((name) => metrics.get(name) ?? 0);
  bench.tell(
    `of keys and values ${mebibytes(held[0]!)}, of images ${mebibytes(held[1]!)}, under way ${mebibytes(held[2]!)}`,
    held[2] === 0,
  );
};
