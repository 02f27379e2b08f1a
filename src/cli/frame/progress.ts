import { SingleBar } from "cli-progress";
import type { Progress, ProgressFactory, ProgressOptions } from "../../setup/index.ts";

const mebibyte = 2 ** 20;
/** Where stderr is not a terminal, a line at this interval takes the place of the bar. */
const plainInterval = 5000;

/** A bar on stderr with rate and remaining time; plain lines where stderr is not a terminal. */
export const createProgress: ProgressFactory = (options) =>
  process.stderr.isTTY ? bar(options) : plainLines(options);

function bar({ label, total, unit }: ProgressOptions): Progress {
  const started = performance.now();
  let before = 0;
  const single = new SingleBar({
    stream: process.stderr,
    hideCursor: true,
    barsize: 28,
    fps: 8,
    format: (options, { progress, value }, { extra }) => {
      const filled = Math.round(progress * (options.barsize ?? 28));
      const drawn = total === undefined ? "" : `[${"=".repeat(filled).padEnd(options.barsize ?? 28)}] `;
      return `${label} ${drawn}${describe({ value, total, unit, before }, performance.now() - started)}${extra ? `  ${extra}` : ""}`;
    },
  });
  single.start(total ?? 1, 0, { extra: "" });
  return {
    update(done, extra, earlier = before) {
      before = earlier;
      single.update(done, extra === undefined ? {} : { extra });
    },
    increment: (by = 1) => single.increment(by),
    stop: () => single.stop(),
  };
}

function plainLines({ label, total, unit }: ProgressOptions): Progress {
  const started = performance.now();
  let printed = started;
  let value = 0;
  let before = 0;
  let note = "";
  const print = (): void => {
    printed = performance.now();
    const text = describe({ value, total, unit, before }, printed - started);
    process.stderr.write(`${[label, text, note].filter(Boolean).join("  ")}\n`);
  };
  const update = (done: number, extra?: string, earlier = before): void => {
    value = done;
    before = earlier;
    note = extra ?? note;
    if (performance.now() - printed >= plainInterval) print();
  };
  return { update, increment: (by = 1) => update(value + by), stop: print };
}

interface Reached {
  readonly value: number;
  readonly total: number | undefined;
  readonly unit: string;
  /** Done earlier, and not part of the rate. */
  readonly before?: number;
}

/** For example "12/40 steps, 3.1/s, 9 s left" or "91/514 MiB, 20/s, 21 s left". */
export function describe({ value, total, unit, before = 0 }: Reached, elapsed: number): string {
  const scale = unit === "bytes" ? mebibyte : 1;
  const name = unit === "bytes" ? "MiB" : unit;
  const parts: string[] = [];
  if (value > 0 || total !== undefined) {
    const amounts = [value, total].filter((amount) => amount !== undefined);
    parts.push(`${amounts.map((amount) => compact(amount / scale)).join("/")} ${name}`.trim());
  }
  const rate = elapsed > 0 ? Math.max(0, value - before) / (elapsed / 1000) : 0;
  if (rate > 0) parts.push(`${compact(rate / scale)}/s`);
  const finished = total !== undefined && value >= total;
  if (rate > 0 && total !== undefined && !finished) parts.push(`${duration((total - value) / rate)} left`);
  else parts.push(duration(elapsed / 1000));
  return parts.join(", ");
}

const compact = (value: number): string =>
  Number.isInteger(value) || value >= 100 ? String(Math.round(value)) : value.toPrecision(2);

/** "42 s", "3 min 05 s" or "2 h 10 min". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const two = (value: number): string => String(value).padStart(2, "0");
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
}
