import type { Change } from "./advice.ts";
import type { MemoryPlan } from "./plan-memory.ts";
import type { RunPlan } from "./plan-run.ts";

/** 12.3 GB, in powers of ten as memory is sold and files are listed. */
const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 3 : 1)} GB`;

/** A plan as lines for people; `memory` is what each device has. */
export function renderPlan(plan: MemoryPlan, memory?: number, changes: readonly Change[] = []): string[] {
  const { parts, total, devices, microBatch, rows } = plan;
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
    `for micro-batches of ${microBatch.rows} rows, each with ${rows.frames ? `a video of ${rows.frames} frames` : `${rows.images} image`} and ${rows.text} tokens of text, ` +
      `${rows.supervised} of them trained`,
    ...changes.map(({ fields, why, total }) => `${gigabytes(total)} with ${fields}: ${why}`),
  ];
}

/** The prediction of a run as lines for people. */
export function renderRun({ cluster, step, run, warnings, fastest }: RunPlan): string[] {
  const { gpu, gpus, nodes, network } = cluster;
  const { seconds, busy, binds, waits, utilisation, microBatches, tokensPerMicroBatch, efficiency } = step;
  const machines = nodes > 1 ? ` in ${nodes} machines, ${(network / 1e9).toFixed(1)} GB/s between them` : "";
  const at = Object.entries(busy).map(([name, value]) => `${name} ${value.toFixed(2)} s`);
  const whole = run ? `; ${run.hours.toFixed(1)} hours for ${run.rows.toLocaleString("en-US")} rows` : "";
  const tokens = Math.round(tokensPerMicroBatch).toLocaleString("en-US");
  return [
    `on ${gpus} × ${gpu.title}${machines}: ${seconds.toFixed(2)} s a step${whole}`,
    `${(100 * utilisation).toFixed(0)} % of the peak is of use (MFU); most at work: ${binds} (${at.join(", ")}); ` +
      `${waits.toFixed(2)} s wait for transfers`,
    `${microBatches} micro-batches of ${tokens} tokens on a GPU, products at ${(100 * efficiency).toFixed(0)} % of its peak`,
    ...warnings.map((warning) => `mind: ${warning}`),
    ...(fastest
      ? [
          `the fastest that fits: ${fastest.seconds.toFixed(2)} s a step in ${gigabytes(fastest.total)} with ${fastest.fields}`,
        ]
      : []),
  ];
}
