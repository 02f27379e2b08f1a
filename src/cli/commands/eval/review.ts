import { userInfo } from "node:os";
import { join } from "node:path";
import type { Command } from "commander";
import type { CommandContext } from "../../frame/context.ts";
import { wholeNumber } from "../../frame/model-options.ts";
import { table } from "../../frame/table.ts";

interface ReviewFlags {
  readonly reviewer: string;
  readonly settle?: boolean;
  readonly port: number;
  readonly agreement?: boolean;
  readonly toLabelStudio?: string;
  readonly fromLabelStudio?: string;
  readonly imagePrefix: string;
  readonly json?: boolean;
}

export function configure(command: Command, context: CommandContext): void {
  command
    .description(
      "Look at the questions of a benchmark that llava eval build makes, and keep, edit or drop them.",
    )
    .argument("<build>", "the folder that llava eval build has written to")
    .option("--reviewer <name>", "who decides", userInfo().username)
    .option("--settle", "decide what other reviewers disagree about")
    .option("--port <n>", "of the page on this machine; 0 takes a free one", wholeNumber, 0)
    .option("--agreement", "print how far reviewers agree, and show no page")
    .option("--to-label-studio <folder>", "write the questions as Label Studio's tasks, and show no page")
    .option(
      "--from-label-studio <file>",
      "take the decisions of Label Studio's JSON export, and show no page",
    )
    .option(
      "--image-prefix <text>",
      "what Label Studio finds the images under",
      "/data/local-files/?d=images/",
    )
    .option("--json", "print agreement or what was taken as JSON")
    .addHelpText(
      "after",
      `
On the page: k keeps, e edits (Ctrl+Enter saves), d and a number drop, n and p go on and back. Each decision is kept at once
in build/review/decisions.jsonl; a later one about the same question counts instead.

Examples:
  llava eval review build --reviewer anna
  llava eval review build --agreement`,
    )
    .action((build: string, flags: ReviewFlags) => run(build, flags, context));
}

async function run(build: string, flags: ReviewFlags, context: CommandContext): Promise<void> {
  const { buildFiles } = await import("../../../benchmark-building/index.ts");
  const files = buildFiles(build);
  if (flags.toLabelStudio !== undefined) return await exportTasks(flags.toLabelStudio, files, flags, context);
  if (flags.fromLabelStudio !== undefined)
    return await importDecisions(flags.fromLabelStudio, files, flags, context);
  if (flags.agreement) return await showAgreement(files, flags);
  const { ReviewServer } = await import("../../../benchmark-building/index.ts");
  const { reviewer, settle = false, port } = flags;
  const signal = context.signal();
  await using server = await ReviewServer.listen(files, { reviewer, settles: settle, port });
  console.log(server.url);
  context.report("Open this address in a browser; Ctrl-C ends it, and everything decided is kept.");
  await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  const { decided, of } = server.progress;
  context.report(`${reviewer}: ${decided} of ${of} decided`);
}

type Files = ReturnType<typeof import("../../../benchmark-building/index.ts").buildFiles>;

async function showAgreement(files: Files, { json }: ReviewFlags): Promise<void> {
  const { agreements, readDecisions } = await import("../../../benchmark-building/index.ts");
  const found = agreements(await readDecisions(files.decisions));
  if (json) return console.log(JSON.stringify(found, null, 2));
  const rows = found.map(({ reviewers, common, agreed, kappa, disagreements }) => [
    reviewers.join(", "),
    String(common),
    `${(100 * agreed).toFixed(1)}%`,
    kappa?.toFixed(3) ?? "",
    disagreements.join(" "),
  ]);
  console.log(table(["reviewers", "common", "agreed", "kappa", "disagreements"], rows));
}

async function exportTasks(
  folder: string,
  files: Files,
  { imagePrefix }: ReviewFlags,
  { report }: CommandContext,
): Promise<void> {
  const { labelStudioConfig, labelStudioTasks, readTasks } = await import(
    "../../../benchmark-building/index.ts"
  );
  const { writeAtomically } = await import("../../../files/index.ts");
  const tasks = labelStudioTasks(await readTasks(files), imagePrefix);
  const write = (name: string, text: string): void =>
    writeAtomically(join(folder, name), [text], { code: "data", makesFolder: true });
  write("config.xml", labelStudioConfig);
  write("tasks.json", `${JSON.stringify(tasks, null, 2)}\n`);
  report(`${folder}: ${tasks.length} tasks and config.xml; the images are in ${files.images}`);
}

async function importDecisions(
  path: string,
  files: Files,
  { json }: ReviewFlags,
  { report }: CommandContext,
): Promise<void> {
  const { DecisionFile, readLabelStudio, readTasks } = await import("../../../benchmark-building/index.ts");
  const known = new Set((await readTasks(files)).map(({ id }) => id));
  const all = await readLabelStudio(path);
  using file = new DecisionFile(files.decisions);
  const before = new Set(file.decisions.map((decision) => JSON.stringify(decision)));
  const found = all.filter((one) => known.has(one.id) && !before.has(JSON.stringify(one)));
  if (found.length > 0) file.append(...found);
  const unknown = all.filter(({ id }) => !known.has(id)).length;
  if (json)
    console.log(JSON.stringify({ taken: found.length, unknown, known: all.length - unknown - found.length }));
  report(`${found.length} decisions taken, ${unknown} about other questions`);
}
