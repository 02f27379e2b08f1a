/**
 * Uses the chat page in a headless Chromium, before a model that says what it is told: pictures pasted, dropped and chosen, a
 * video, stop, regenerate, edit, two models, a history of 200 turns that outlives a reload, hostile texts and names of files,
 * keys, Chinese, accessibility by axe. No request may leave the server, and nothing may be said in the console.
 *   node proofs/check-page.ts [--screenshots FOLDER] [--video FILE]
 * A small random model of AnyRes is asked too: the tiles drawn over a picture and the tokens told are those that it reads, and
 * with --video so are a clip's frames.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BrowserContext, chromium, type Page } from "playwright-core";
import sharp from "sharp";
import { loadCheckpoint } from "../src/pretrained/index.ts";
import type { ServedRequest } from "../src/protocol/index.ts";
import { ServingEngine } from "../src/serving/engine/index.ts";
import { HttpServer, readPageFiles } from "../src/serving/http/index.ts";
import { browserNames, findBrowser } from "../test/support/browser.ts";
import { FakeServedModel, wordsOf } from "../test/support/fake-served-model.ts";

import { hostile } from "./check-page/hostile-texts.ts";
import { give, tiles, video } from "./check-page/real-media.ts";

const { values: flags } = parseArgs({
  options: { screenshots: { type: "string" }, video: { type: "string" } },
});
const executablePath = findBrowser();
if (executablePath === undefined) {
  console.log(`skipped: no Chromium found (${browserNames.join(", ")} in PATH, or LLAVA_CHROMIUM)`);
  process.exit(0);
}

const KEY = "a key";
const echo = (request: ServedRequest): string =>
  "messages" in request.prompt ? `You said: ${wordsOf(request.prompt.messages.at(-1))}` : "";
const quick = new FakeServedModel({ id: "quick", contextLength: 1e6, answer: echo });
const slow = new FakeServedModel({ id: "slow", contextLength: 1e6, pace: 30, answer: echo });
await using server = await HttpServer.listen({ port: 0, keys: [KEY], page: readPageFiles() });
await server.add("quick", quick);
await server.add("slow", slow);
const fixture = fileURLToPath(new URL("../test/fixtures/llava-next/llama", import.meta.url));
using pretrained = await loadCheckpoint(fixture);
using tiled = new ServingEngine({ id: "tiled", pretrained }, { memory: 1 << 28 });
await server.add("tiled", tiled);

await using browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const faults: string[] = [];
const picture = await sharp({ create: { width: 60, height: 40, channels: 3, background: "teal" } })
  .png()
  .toBuffer();

async function opened(context: BrowserContext): Promise<Page> {
  const page = await context.newPage();
  page.on("console", (message) => {
    // The first question for models goes without a key, to which 401 is the answer.
    if (!/401/.test(message.text())) faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("dialog", (dialog) => {
    faults.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    if (!url.startsWith(server.url) && !/^(data|blob):/.test(url)) faults.push(`request: ${url}`);
  });
  await page.goto(server.url);
  await page.locator("input[type=password]").fill(KEY);
  await page.getByRole("button", { name: "Open" }).click();
  await page.getByRole("combobox", { name: "Model", exact: true }).waitFor();
  return page;
}

async function say(page: Page, text: string): Promise<void> {
  await page.getByPlaceholder(/Ask/).fill(text);
  await page.getByPlaceholder(/Ask/).press("Enter");
}

const png = (name: string) => ({ name, type: "image/png", bytes: picture });

const last = (page: Page) => page.locator(".answer .body").last();
const isDone = (page: Page) => page.getByRole("button", { name: "Send" }).waitFor();
const asked = (model: FakeServedModel) => {
  const { prompt } = model.asked.at(-1)!;
  assert("messages" in prompt);
  return prompt.messages;
};

async function check(name: string, run: () => Promise<unknown>): Promise<void> {
  const before = faults.length;
  try {
    await run();
  } catch (error) {
    faults.push(`${name}: ${(error as Error).message}`);
  }
  console.log(`${faults.length === before ? "ok" : "FAILS"}  ${name}`);
  for (const fault of faults.slice(before)) console.log(`    ${fault}`);
}

const context = await browser.newContext({ viewport: { width: 1200, height: 800 }, locale: "en-GB" });
const page = await opened(context);

await check("first paint within 300 ms, all files within 150 kB", async () => {
  const [paint = 0, contentful = 0] = await page.evaluate<number[]>(
    "['first-paint', 'first-contentful-paint'].map((name) => performance.getEntriesByName(name)[0]?.startTime)",
  );
  const bytes = await page.evaluate<number>(
    "performance.getEntriesByType('resource').filter((entry) => entry.name.includes('/page/')).reduce((sum, entry) => sum + entry.encodedBodySize, 0)",
  );
  console.log(`    ${Math.round(paint)} ms, with content ${Math.round(contentful)} ms, ${bytes} bytes`);
  assert(paint < 300 && bytes > 10_000 && bytes < 150_000);
});

await check("pictures pasted, dropped and chosen go before the text, in their order", async () => {
  await give(page, "paste", png("first.png"));
  await page.getByText("first.png", { exact: false }).first().waitFor();
  await give(page, "drop", png("<img src=x onerror=alert(1)>.png"));
  await page.locator(".previews figure").nth(1).waitFor();
  await page
    .locator("input[type=file]")
    .setInputFiles({ name: "third.png", mimeType: "image/png", buffer: picture });
  await page.locator(".previews figure").nth(2).waitFor();
  await page.getByRole("button", { name: "Remove third.png" }).click();
  await page.getByPlaceholder(/Ask/).fill("What are these?");
  await page.getByText(/8 of them from images/).waitFor();
  await page.getByPlaceholder(/Ask/).press("Enter");
  await last(page).getByText("You said: What are these?").waitFor();
  await isDone(page);
  const content = asked(quick).at(-1)!.content;
  assert(Array.isArray(content));
  assert.deepEqual(
    content.map(({ type }) => type),
    ["image", "image", "text"],
  );
});

await check("an answer is stopped, and asked for again", async () => {
  await page.getByRole("combobox", { name: "Model", exact: true }).selectOption("slow");
  await say(page, "Something long enough to be stopped in the middle of it");
  await last(page).getByText("You").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("Stopped.").waitFor();
  await isDone(page);
  assert.equal(slow.stopped, 1);
  await page.getByRole("combobox", { name: "Model", exact: true }).selectOption("quick");
  await page.getByRole("button", { name: "Regenerate" }).last().click();
  await last(page).getByText("in the middle of it").waitFor();
  await isDone(page);
});

await check("a question is edited, and what followed it is gone", async () => {
  await page.getByRole("button", { name: "Edit" }).last().click();
  assert.match(await page.getByPlaceholder(/Ask/).inputValue(), /Something long/);
  await say(page, "Something else");
  await last(page).getByText("You said: Something else").waitFor();
  await isDone(page);
  assert.equal(await page.locator("article").count(), 2);
});

await check("two models answer beside each other", async () => {
  await page.getByRole("combobox", { name: "Compare with" }).selectOption("slow");
  await say(page, "Both");
  await page.locator(".answer").last().getByText("You said: Both").waitFor();
  await isDone(page);
  assert.deepEqual(await page.locator("article").last().locator("h2").allTextContents(), ["quick", "slow"]);
  await page.getByRole("combobox", { name: "Compare with" }).selectOption("");
});

await check(`${hostile.length} hostile texts are shown as text, in answers and in names`, async () => {
  for (const text of hostile) {
    await page.getByPlaceholder(/Ask/).fill(text);
    await page.getByRole("button", { name: "Send" }).click();
    await isDone(page);
  }
  const found = await page.evaluate<string[]>(
    `[...document.querySelectorAll("#transcript *")].filter((element) =>
      /^(script|iframe|object|embed|svg|math|style|link|form|input|base|meta|video|audio)$/i.test(element.tagName) ||
      [...element.attributes].some(({ name }) => name.startsWith("on")) ||
      (element.tagName === "A" && !/^https?:/.test(element.getAttribute("href"))) ||
      (element.tagName === "IMG" && !element.src.startsWith("data:"))).map((element) => element.outerHTML.slice(0, 100))`,
  );
  assert.deepEqual(found, []);
});

await check("200 turns and their pictures outlive a reload", async () => {
  const count = await page.locator("article").count();
  for (let turn = count; turn < 200; turn++) {
    await say(page, `turn ${turn}`);
    await last(page).getByText(`You said: turn ${turn}`).waitFor();
    await isDone(page);
  }
  await page.reload();
  await page.locator("article").nth(199).waitFor();
  assert.equal(await page.locator("article").count(), 200);
  assert.equal(await page.locator("article").first().locator("img").count(), 2);
  await say(page, "after it");
  await last(page).getByText("You said: after it").waitFor();
  assert.equal(asked(quick).length, 401);
});

await check("conversations are begun, gone back to and deleted", async () => {
  await page.getByRole("button", { name: "New conversation" }).click();
  assert.equal(await page.locator("article").count(), 0);
  await say(page, "Another one");
  await isDone(page);
  await page.getByRole("button", { name: "What are these?", exact: true }).click();
  assert.equal(await page.locator("article").count(), 201);
  await page.getByRole("button", { name: "Delete: What are these?" }).click();
  assert.equal(await page.locator("article").count(), 0);
  await page.getByRole("button", { name: "Another one", exact: true }).click();
});

await check("a picture is drawn in its model's tiles, and its tokens are those that are read", async () => {
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByRole("combobox", { name: "Model", exact: true }).selectOption("tiled");
  await tiles(page, tiled);
});

if (flags.video !== undefined)
  await check("a video is answered, and its tokens are those that are read", async () => {
    await page.getByRole("button", { name: "New conversation" }).click();
    await video(page, tiled, flags.video!);
  });

const axe = readFileSync(fileURLToPath(import.meta.resolve("axe-core")), "utf8");
for (const [name, width] of [
  ["wide", 1200],
  ["narrow", 390],
] as const)
  await check(`no serious fault of accessibility, ${name}`, async () => {
    await page.setViewportSize({ width, height: 800 });
    await page.evaluate(axe);
    const { violations } = await page.evaluate<{
      violations: { id: string; impact: string; nodes: { html: string }[] }[];
    }>("axe.run()");
    const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
    assert.deepEqual(
      serious.map(({ id, nodes }) => `${id}: ${nodes[0]!.html}`),
      [],
    );
    const wide = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
    assert(wide <= 0, `${wide} pixels beyond the window`);
    if (flags.screenshots) await page.screenshot({ path: join(flags.screenshots, `page-${name}.png`) });
  });
await page.setViewportSize({ width: 1200, height: 800 });

await check("all is reached by the keyboard", async () => {
  const names = new Set<string>();
  for (let at = 0; at < 60; at++) {
    await page.keyboard.press("Tab");
    names.add(
      await page.evaluate<string>(
        "(document.activeElement.getAttribute('aria-label') ?? document.activeElement.labels?.[0]?.textContent ?? document.activeElement.textContent).trim().slice(0, 20)",
      ),
    );
  }
  for (const name of ["New conversation", "Send", "Edit", "Regenerate", "Settings", "Add pictures or a vid"])
    assert(
      [...names].some((one) => one.startsWith(name.slice(0, 18))),
      `${name} of ${[...names].join("; ")}`,
    );
});

await check("Chinese", async () => {
  await page.getByText("Settings").click();
  await page.getByRole("combobox", { name: "Language" }).selectOption("zh");
  await page.getByRole("button", { name: "发送" }).waitFor();
  assert.equal(await page.evaluate("document.documentElement.lang"), "zh");
});

await context.close();
if (faults.length > 0) process.exitCode = 1;
console.log(faults.length === 0 ? "no faults" : `${faults.length} faults`);
