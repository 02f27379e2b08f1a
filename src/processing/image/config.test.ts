import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { clipImageConfig, parseImageProcessorConfig } from "./config.ts";

const parse = (json: unknown) => parseImageProcessorConfig(json, "model/preprocessor_config.json");

describe("parseImageProcessorConfig", () => {
  test("reads the file of the CLIP tower, older and newer layout alike", () => {
    const old = { feature_extractor_type: "CLIPFeatureExtractor", size: 336, crop_size: 336, resample: 3 };
    const recent = {
      processor_class: "LlavaProcessor",
      image_processor: {
        image_processor_type: "CLIPImageProcessorFast",
        size: { shortest_edge: 336 },
        crop_size: { height: 336, width: 336 },
        data_format: "channels_first",
      },
    };
    assert.deepEqual(parse(old), clipImageConfig(336));
    assert.deepEqual(parse(recent), clipImageConfig(336));
  });

  test("missing and null fields take CLIP's defaults", () => {
    assert.deepEqual(parse({}), clipImageConfig(224));
    assert.deepEqual(parse({ size: null, image_mean: null, do_resize: null }), clipImageConfig(224));
  });

  test("do_pad means the square canvas for LLaVA's class only", () => {
    for (const name of ["LlavaImageProcessor", "LlavaImageProcessorFast", "LlavaImageProcessorPil"]) {
      assert.equal(parse({ image_processor_type: name, do_pad: true }).aspect, "pad");
      assert.equal(parse({ image_processor_type: name, do_pad: false }).aspect, "square");
    }
    assert.equal(parse({ image_processor_type: "CLIPImageProcessor", do_pad: true }).aspect, "square");
  });

  test("switched off steps are null, numbers stand for all channels", () => {
    const off = { do_resize: false, do_center_crop: false, do_rescale: false, do_normalize: false };
    const config = parse({ ...off, resample: 2 });
    assert.deepEqual(config, {
      aspect: "square",
      resize: null,
      resample: "bilinear",
      crop: null,
      rescaleFactor: null,
      normalize: null,
    });
    const half = [0.5, 0.5, 0.5];
    assert.deepEqual(parse({ image_mean: 0.5, image_std: 0.5 }).normalize, { mean: half, std: half });
    assert.deepEqual(parse({ size: { height: 30, width: 20 } }).resize, { height: 30, width: 20 });
  });

  test("names the file and the field it cannot use", () => {
    assert.throws(() => parse({ size: { longest_edge: 5 } }), {
      code: "config",
      message: /model\/preproc.*size/s,
    });
    assert.throws(() => parse({ image_mean: [1, 2] }), { code: "config", message: /image_mean/ });
    assert.throws(() => parse([]), { code: "config" });
    assert.throws(() => parse({ image_processor_type: "FuyuImageProcessor" }), {
      code: "config",
      message: /FuyuImageProcessor/,
      hint: /LlavaImageProcessor/,
    });
  });
});
