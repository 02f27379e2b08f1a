/**
 * Reviews a made-up benchmark in a headless Chromium by keyboard alone: keep, edit, drop with a reason, a server that is killed in the
 * middle, hostile texts. Every decision must be in the file, no request may leave the server, and nothing may be said in the console.
 *   node proofs/check-review.ts
 */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { browserNames, findBrowser } from "../test/support/browser.ts";
import { startLlava } from "../test/support/cli.ts";

const executablePath = findBrowser();
if (executablePath === undefined) {
  console.log(`skipped: no Chromium found (${browserNames.join(", ")} in PATH, or LLAVA_CHROMIUM)`);
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "check-review-"));
mkdirSync(join(folder, "review", "images"), { recursive: true });
const hostile = "<img src=x onerror=alert(1)><script>alert(1)</script>";
const tasks = Array.from({ length: 6 }, (_, at) => ({
  id: `q${at}`,
  image: `q${at}.png`,
  question: `What is ${at}? ${hostile}`,
  reference: `It is ${at}. ${hostile}`,
  class: at === 4 ? "refused" : "ok",
  flags: [{ kind: "name", text: hostile }],
  isSmall: false,
}));
writeFileSync(
  join(folder, "review", "tasks.jsonl"),
  tasks.map((task) => `${JSON.stringify(task)}\n`).join(""),
);
for (const { image } of tasks)
  await sharp({ create: { width: 400, height: 300, channels: 3, background: "teal" } })
    .png()
    .toFile(join(folder, "review", "images", image));

const start = async () => {
  const { child, ended } = startLlava(["-q", "eval", "review", folder, "--reviewer", "anna"]);
  const url = await new Promise<string>((resolve) =>
    child.stdout!.once("data", (text: string) => resolve(text.trim())),
  );
  const kill = async (): Promise<void> => {
    child.kill("SIGKILL");
    await ended;
  };
  return { url, kill };
};
const decisions = (): Record<string, unknown>[] =>
  readFileSync(join(folder, "review", "decisions.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));

await using browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const faults: string[] = [];
async function open(url: string): Promise<Page> {
  const page = await browser.newPage();
  page.on("console", (message) => message.type() === "error" && faults.push(message.text()));
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("dialog", (dialog) => faults.push(`a dialog: ${dialog.message()}`));
  page.on("request", (request) => request.url().startsWith(url) || faults.push(`asked for ${request.url()}`));
  await page.goto(url);
  await page.waitForFunction('document.querySelector("#place")?.textContent !== ""');
  return page;
}
const at = async (page: Page, place: number): Promise<void> =>
  void (await page.waitForFunction(`document.querySelector("#place").textContent.startsWith("${place} of")`));

const first = await start();
const page = await open(first.url);
await at(page, 1);
await page.keyboard.press("k");
await at(page, 2);
await page.keyboard.press("e");
await page.keyboard.press("Control+a");
await page.keyboard.type("It is the number two, k and d.");
await page.keyboard.press("Control+Enter");
await at(page, 3);
await page.keyboard.press("d");
await page.keyboard.press("Escape");
await page.keyboard.press("d");
await page.keyboard.press("2");
await at(page, 4);
await first.kill();
assert.deepEqual(faults, []);
await page.keyboard.press("k");
await page.waitForFunction('document.querySelector("#state").textContent.startsWith("not saved")');
await page.close();
// That the server is gone is said in the console too.
faults.length = 0;

const second = await start();
const again = await open(second.url);
await at(again, 4);
await again.keyboard.press("k");
await at(again, 5);
assert.match((await again.textContent("#flags"))!, /reference: refused/);
await again.keyboard.press("p");
await at(again, 4);
assert.equal(await again.textContent("#state"), "keep");
assert.ok(await again.evaluate('document.querySelector("img").naturalWidth === 400'));
await second.kill();
assert.deepEqual(faults, []);
assert.deepEqual(
  decisions().map(({ id, decision, reason, after }) => [
    id,
    decision,
    reason,
    (after as { reference: string } | undefined)?.reference,
  ]),
  [
    ["q0", "keep", undefined, undefined],
    ["q1", "edit", undefined, "It is the number two, k and d."],
    ["q2", "drop", "not about the image", undefined],
    ["q3", "keep", undefined, undefined],
  ],
);
rmSync(folder, { recursive: true });
console.log(
  "4 decisions by keyboard, all kept through a kill; nothing said in the console, no request elsewhere",
);
