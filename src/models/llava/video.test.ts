import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { huggingFaceVideo, originalVideo } from "./video.ts";

const grid = { rows: 24, columns: 24, extra: 0 };
const original = (fields: Record<string, unknown>) => originalVideo(fields, grid, "config.json");
const uniform = { rule: "uniform", frames: 32 };

describe("the original layout", () => {
  test("pools before the projector by its stride in LLaVA-NeXT-Video", () => {
    const fields = {
      mm_resampler_type: "spatial_pool",
      mm_spatial_pool_stride: "4",
      mm_spatial_pool_mode: "max",
    };
    assert.deepEqual(original(fields), {
      sampling: uniform,
      pooling: { mode: "max", stride: 4, place: "before" },
      newlines: "none",
      timeInstruction: false,
    });
    assert.equal(original({ mm_resampler_type: "spatial_pool" })!.pooling.mode, "average");
  });

  test("pools behind it by two in LLaVA-Video, with newlines where the merge type has them", () => {
    const fields = {
      mm_newline_position: "grid",
      mm_patch_merge_type: "spatial_unpad",
      mm_spatial_pool_stride: 4,
      mm_resampler_type: "spatial_pool",
      add_time_instruction: true,
      frames_upbound: 64,
      force_sample: true,
    };
    assert.deepEqual(original(fields), {
      sampling: { rule: "fps-or-uniform", fps: 1, most: 64, force: true },
      pooling: { mode: "bilinear", stride: 2, place: "after" },
      newlines: "grid",
      timeInstruction: true,
    });
    const newlines = (position: string, merge: string) =>
      original({ ...fields, mm_newline_position: position, mm_patch_merge_type: merge })!.newlines;
    assert.equal(newlines("frame", "spatial_unpad"), "frame");
    assert.equal(newlines("one_token", "spatial_unpad"), "video");
    assert.equal(newlines("one_token", "spatial"), "none");
    assert.equal(newlines("no_token", "spatial_unpad"), "none");
    assert.equal(newlines("grid", "flat"), "none");
  });

  test("says nothing of videos in image models, unless a rule of sampling is its own", () => {
    assert.equal(original({ mm_patch_merge_type: "spatial_unpad" }), undefined);
    const sampling = { rule: "uniform", frames: 8 };
    assert.deepEqual(original({ video_sampling: sampling })!.sampling, sampling);
    assert.deepEqual(original({ video_sampling: sampling })!.pooling, {
      mode: "average",
      stride: 2,
      place: "before",
    });
  });

  test("is refused where it is not followed", () => {
    for (const fields of [
      { mm_resampler_type: "perceiver" },
      { mm_newline_position: "column" },
      { mm_newline_position: "grid", mm_spatial_pool_mode: "conv" },
      { add_faster_video: true },
      { video_sampling: { rule: "evenly" } },
    ])
      assert.throws(() => original(fields), { code: "config" }, JSON.stringify(fields));
  });
});

describe("transformers' layout", () => {
  const huggingFace = (fields: Record<string, unknown>) => huggingFaceVideo(fields, grid, "config.json");
  test("pools before the projector in LlavaNextVideo, and behind it in LlavaOnevision", () => {
    assert.deepEqual(huggingFace({ model_type: "llava_next_video", spatial_pool_mode: "max" }), {
      sampling: uniform,
      pooling: { mode: "max", stride: 2, place: "before" },
      newlines: "none",
      timeInstruction: false,
    });
    assert.deepEqual(huggingFace({ model_type: "llava_onevision" }), {
      sampling: uniform,
      pooling: { mode: "bilinear", stride: 2, place: "after" },
      newlines: "video",
      timeInstruction: false,
    });
    assert.equal(huggingFace({ model_type: "llava_next" }), undefined);
  });
});
