import type { Command } from "commander";
import { type Diagnosis, diagnose } from "../diagnosis.ts";
import { fileSize } from "../sizes.ts";

export function configure(command: Command): void {
  command
    .description("Show what is installed and what the machine offers; for each problem, what to do.")
    .option("--json", "print everything as JSON")
    .addHelpText("after", "\nExample:\n  llava doctor --json")
    .action(async ({ json }: { json?: boolean }) => {
      const diagnosis = await diagnose();
      process.stdout.write(json ? `${JSON.stringify(diagnosis, null, 2)}\n` : render(diagnosis));
    });
}

const untilBuilt = "unknown until the addon is built";

function render({
  node,
  platform,
  libtorch,
  addon,
  cpu,
  computing,
  gpus,
  cache,
  models,
  problems,
}: Diagnosis): string {
  const cuda = libtorch?.cudaUsable ? "with CUDA" : "CPU only";
  const rows: [string, string][] = [
    ["node", `${node}, ${platform}`],
    [
      "libtorch",
      libtorch ? `${libtorch.version}, ${cuda}, from ${libtorch.source}: ${libtorch.root}` : "none",
    ],
    ["addon", addon ?? "not built"],
    ["cpu", [cpu.model, `${cpu.cores} cores`, cpu.instructions].filter(Boolean).join(", ")],
    ["computes in", computing ? `${computing.dtype}: ${computing.reason}` : untilBuilt],
    ["threads", cpu.threads === null ? untilBuilt : String(cpu.threads)],
    ["gpu", gpus.map(describeGpu).join("; ") || "none"],
    ["cache", cache],
    ...models.map(({ name, complete, bytes }): [string, string] => [
      "model",
      `${name}, ${complete ? fileSize(bytes) : "not fetched"}`,
    ]),
  ];
  const width = Math.max(...rows.map(([label]) => label.length));
  const lines = rows.map(([label, value]) => `${label.padEnd(width)}  ${value}`);
  const findings = problems.flatMap(({ what, remedy }) => [`- ${what}`, `  ${remedy}`]);
  const verdict = problems.length === 0 ? ["No problems found."] : ["Problems:", ...findings];
  return `${[...lines, "", ...verdict].join("\n")}\n`;
}

function describeGpu({ name, memoryMiB, driver }: Diagnosis["gpus"][number]): string {
  const details = [memoryMiB && `${memoryMiB} MiB`, driver && `driver ${driver}`].filter(Boolean);
  return [name, ...details].join(", ");
}
