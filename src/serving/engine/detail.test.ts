import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { told } from "../../../test/support/served-requests.ts";
import { loadCheckpoint } from "../../pretrained/index.ts";
import { tokensOf } from "../../processing/image/index.ts";
import type { ContentPart, ServedPrompt } from "../../protocol/index.ts";
import { ServingEngine } from "./index.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
const image = readFileSync(`${fixtures}llava-next/images/wide.png`);

const asks = (...details: ("low" | undefined)[]): ServedPrompt => {
  const content: ContentPart[] = [
    ...details.map((detail): ContentPart => ({ type: "image", image, ...(detail && { detail }) })),
    { type: "text", text: "what can be seen in this picture, and why is that so" },
  ];
  return { messages: [{ role: "user", content }] };
};

async function open(name: string) {
  const pretrained = await loadCheckpoint(`${fixtures}${name}`);
  const engine = new ServingEngine({ id: name, pretrained }, { memory: 1 << 24 });
  const ask = async (prompt: ServedPrompt) =>
    await told(engine.answer({ prompt, sampling: { maxTokens: 2, temperature: 0 } }));
  const dispose = (): void => {
    engine[Symbol.dispose]();
    pretrained[Symbol.dispose]();
  };
  return { engine, ask, processor: pretrained.processor, [Symbol.dispose]: dispose };
}

test("an image of low detail is its overview, counted alike everywhere, and shares nothing with the same image in tiles", async () => {
  using opened = await open("llava-next/llama");
  const { engine, ask, processor } = opened;
  const whole = tokensOf(processor.layoutOf({ width: 64, height: 64 }), processor.grid);
  const high = await ask(asks(undefined));
  const low = await ask(asks("low"));
  const overview = processor.grid.rows * processor.grid.columns;
  assert.equal(low.prompt!.imageTokens, overview);
  assert.ok(high.prompt!.imageTokens > overview && whole > overview);
  assert.equal(low.prompt!.cachedTokens, undefined);
  assert.equal(engine.state().towerImages, 2);
  assert.ok((await ask(asks("low"))).prompt!.cachedTokens! > 0, "of its like it does");
  const counted = await engine.tokens(asks("low", undefined));
  assert.deepEqual(
    counted.media.map(({ tokens }) => tokens),
    [overview, high.prompt!.imageTokens],
  );
  assert.deepEqual([counted.media[0]!.columns, counted.media[0]!.rows], [1, 1]);
  assert.equal((await ask(asks("low", undefined))).prompt!.imageTokens, counted.imageTokens);
});

test("of a model of one tile it changes nothing, not even what is cached", async () => {
  using opened = await open("llava/llama");
  const { engine, ask } = opened;
  const high = await ask(asks(undefined));
  const low = await ask(asks("low"));
  assert.equal(low.prompt!.imageTokens, high.prompt!.imageTokens);
  assert.ok(low.prompt!.cachedTokens! > 0);
  assert.deepEqual(
    low.choices,
    high.choices.map((choice) => ({ ...choice, usage: low.choices[0]!.usage })),
  );
  assert.equal(engine.state().towerImages, 1);
});
