import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { collectGarbage } from "../../../test/support/garbage.ts";
import { openPrompt, tensorOfPixels } from "../../generation/index.ts";
import { loadCheckpoint } from "../../pretrained/index.ts";
import { userMessage } from "../../protocol/index.ts";
import { cat, inference, liveTensors, rowsApart, scope } from "../../torch/index.ts";
import { Eyes } from "./eyes.ts";
import { VisionCache } from "./vision-cache.ts";

const fixtures = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url));
const image = readFileSync(`${fixtures}llava-next/images/wide.png`);

for (const name of ["llava/llama-gqa-full", "llava-next/llama"])
  test(`what ${name} sees a segment of its tower at a time is what it sees at once, and what is given up holds nothing`, async () => {
    using pretrained = await loadCheckpoint(`${fixtures}${name}`);
    const { model } = pretrained;
    const conversation = [userMessage("?", [image])];
    const opened = await openPrompt(pretrained, { conversation, continuesFinal: false }, {});
    collectGarbage();
    const before = liveTensors();
    {
      using cache = new VisionCache(true);
      using eyes = new Eyes(pretrained, cache, {});
      const decode = () => eyes.decode(opened, 0, { salt: "", signal: new AbortController().signal });

      const leaving = new AbortController();
      const given = assert.rejects(eyes.see(await decode(), leaving.signal));
      eyes.look(0);
      eyes.look(0);
      leaving.abort();
      await given;
      eyes.look(0);
      assert.equal(liveTensors(), before);

      const medium = await decode();
      const { promise, resolve } = Promise.withResolvers<Float32Array>();
      void eyes.see(medium, new AbortController().signal).then((tokens) => resolve(tokens.toFloat32Array()));
      let looks = 0;
      while (eyes.isBusy) {
        eyes.look(0);
        looks++;
      }
      await setImmediate();
      const { tiles } = medium.pixels;
      const layers = model.visionTower.layers!.length;
      assert.equal(looks, tiles * (layers + 2), "the embeddings, each layer, and what is taken of them");
      assert.equal(eyes.images, 1);

      const whole = inference(() =>
        scope(() =>
          rowsApart(() => {
            const { data } = medium.pixels;
            const size = data.length / tiles;
            const each = Array.from({ length: tiles }, (_, tile) =>
              model.encodeImages(
                tensorOfPixels({
                  ...medium.pixels,
                  tiles: 1,
                  data: data.subarray(tile * size, (tile + 1) * size),
                }),
              ),
            );
            return model.tokens(cat(each), [medium.layout]).toFloat32Array();
          }),
        ),
      );
      assert.deepEqual(await promise, whole);
    }
    collectGarbage();
    assert.equal(liveTensors(), before);
  });
