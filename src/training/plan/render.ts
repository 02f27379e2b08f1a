import type { Change } from "./advice.ts";
import type { MemoryPlan } from "./plan-memory.ts";

/** 12.3 GB, in powers of ten as memory is sold and files are listed. */
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;

/** A plan as lines for people; `memory` is what each device has. */
export function renderPlan(plan: MemoryPlan, memory?: number, changes: readonly Change[] = []): string[] {
  const { parts, total, sharded, devices, microBatch, rows } = plan;
  const shown = parts.filter(({ bytes }) => bytes >= 5e5);
  const widths = [0, 1].map((column) =>
    Math.max(
      ...shown.map(({ name, bytes }) => [name, gigabytes(bytes)][column]!.length),
      column === 0 ? 5 : 0,
    ),
  );
  const line = (name: string, bytes: number, note: string): string =>
    `${name.padEnd(widths[0]!)}  ${gigabytes(bytes).padStart(widths[1]!)}  ${note}`.trimEnd();
  const each = devices > 1 ? "of each device" : "";
  const verdict =
    memory === undefined
      ? []
      : [total <= memory ? `fits into ${gigabytes(memory)}` : `does not fit into ${gigabytes(memory)}`];
  return [
    ...shown.map(({ name, bytes, note }) => line(name, bytes, note)),
    line("total", total, [each, ...verdict].filter(Boolean).join(": ")),
    `for micro-batches of ${microBatch.rows} rows, each with ${rows.frames > 0 ? `a video of ${rows.frames} frames` : `${rows.images} image`} and ${rows.text} tokens of text, ` +
      `${rows.supervised} of them trained`,
    ...(devices > 1
      ? [
          `${gigabytes(sharded)} if weights, gradients and states were split over ${devices} devices, which is not done here`,
        ]
      : []),
    ...changes.map(({ fields, why, total }) => `${gigabytes(total)} with ${fields}: ${why}`),
  ];
}
