import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename, extname } from "node:path";
import type { Page } from "playwright-core";
import sharp from "sharp";
import type { ServingEngine } from "../../src/serving/engine/index.ts";

/** A file as it is pasted into the page or dropped onto it. */
export interface GivenFile {
  readonly name: string;
  readonly type: string;
  readonly bytes: Uint8Array;
}

/** Gives a file to the page as pasting or dropping it does. */
export async function give(page: Page, event: "paste" | "drop", file: GivenFile): Promise<void> {
  const base64 = Buffer.from(file.bytes).toString("base64");
  await page.evaluate(
    `(() => {
      const data = new DataTransfer();
      const bytes = Uint8Array.from(atob(${JSON.stringify(base64)}), (c) => c.charCodeAt(0));
      data.items.add(new File([bytes], ${JSON.stringify(file.name)}, { type: ${JSON.stringify(file.type)} }));
      dispatchEvent(${
        event === "paste"
          ? 'new ClipboardEvent("paste", { clipboardData: data, cancelable: true })'
          : 'new DragEvent("drop", { dataTransfer: data, cancelable: true })'
      });
    })()`,
  );
}

/** What the page says of a draft: tokens of all of it, and those of its images. */
async function accountOf(page: Page): Promise<{ readonly all: number; readonly images: number }> {
  const text = await page
    .getByText(/\d+ tokens, [1-9]\d* of them from images/)
    .first()
    .innerText();
  const [, all, images] = /(\d+) tokens, (\d+) of them/.exec(text)!;
  return { all: Number(all), images: Number(images) };
}

/** Sends the draft. @returns the tokens of the prompt that the model then read */
async function sent(page: Page, engine: ServingEngine, count: number): Promise<number> {
  const before = engine.state().promptTokens;
  await page.getByPlaceholder(/Ask/).press("Enter");
  await page.locator("article").nth(count).waitFor();
  await page.getByRole("button", { name: "Send" }).waitFor();
  const note = await page.locator(".answer .note").last().innerText();
  assert(!/error|limit|cannot/i.test(note), note);
  return engine.state().promptTokens - before;
}

/** A wide picture is drawn in the tiles that its model cuts it into, and takes as many tokens as the page says. */
export async function tiles(page: Page, engine: ServingEngine): Promise<void> {
  const bytes = await sharp({ create: { width: 300, height: 60, channels: 3, background: "teal" } })
    .png()
    .toBuffer();
  await give(page, "drop", { name: "wide.png", type: "image/png", bytes });
  await page.getByPlaceholder(/Ask/).fill("What is it?");
  const caption = page.locator(".previews figcaption").filter({ hasText: /tiles and the whole/ });
  await caption.waitFor();
  const [, columns, rows, tokens] = /(\d+) × (\d+) tiles and the whole, (\d+) tokens/
    .exec(await caption.innerText())!
    .map(Number) as [number, number, number, number];
  const line = (side: string) => page.locator(`.previews .line.${side}`);
  assert(columns * rows > 1);
  assert.deepEqual([await line("left").count(), await line("top").count()], [columns - 1, rows - 1]);
  const { all, images } = await accountOf(page);
  assert.equal(tokens, images);
  const count = await page.locator("article").count();
  assert.equal(await sent(page, engine, count), all);
}

/** A video's frames are shown in a row, seen by the model, and take as many tokens as the page says. */
export async function video(page: Page, engine: ServingEngine, path: string): Promise<void> {
  const type = `video/${extname(path).slice(1)}`;
  const before = engine.state().towerImages;
  await give(page, "drop", { name: basename(path), type, bytes: readFileSync(path) });
  await page.locator(".previews .frames img").nth(15).waitFor({ timeout: 60_000 });
  await page.getByPlaceholder(/Ask/).fill("What happens?");
  const { all } = await accountOf(page);
  const count = await page.locator("article").count();
  assert.equal(await sent(page, engine, count), all);
  assert.equal(engine.state().towerImages, before + 1);
  assert.equal(await page.locator("article").last().locator(".frames img").count(), 16);
}
