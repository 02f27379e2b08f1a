import assert from "node:assert/strict";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { drawPhotos } from "../../../test/support/planted-pool.ts";
import { startServer } from "../../../test/support/server.ts";
import { temporaryFolder } from "../../../test/support/temporary-folder.ts";
import { EmbeddingEndpoint } from "../../client/index.ts";
import { loadPretrained } from "../../pretrained/index.ts";
import { resolveModel } from "../../setup/index.ts";
import { cosine } from "../choosing/near-duplicates.ts";
import { imageFacts } from "../intake/image-facts.ts";
import { Kept } from "../kept.ts";
import { signatureOf } from "../likeness/index.ts";
import { builtInEmbedder } from "./built-in.ts";
import { endpointEmbedder } from "./endpoint.ts";
import { keeping } from "./kept.ts";
import { towerEmbedder } from "./tower.ts";

const folder = temporaryFolder("embedding");
const { signal } = new AbortController();
const texts = ["What is the dog doing?", "What is that dog doing", "Solve the equation on the board."];

const embedded = async (kept: Kept) =>
  await Promise.all(
    (await drawPhotos(join(folder, "photos"), 3)).map(async ({ image }) => {
      const { picture, file } = await imageFacts(image, kept);
      return { image, file, signature: signatureOf(picture) };
    }),
  );

describe("embeddings", () => {
  test("by words put like questions near each other", async () => {
    const [one, other, third] = await builtInEmbedder.texts(texts, signal);
    assert.ok(Math.abs(cosine(one!, one!) - 1) < 1e-6);
    assert.ok(cosine(one!, other!) > cosine(one!, third!) + 0.3);
  });

  test("of an endpoint come in the order of what was asked, after failures too, and are asked for once", async () => {
    const asked: { input?: string[]; messages?: unknown[] }[] = [];
    await using server = await startServer(async (request, response) => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = JSON.parse(Buffer.concat(chunks).toString());
      asked.push(body);
      if (asked.length === 1) return void response.writeHead(503).end("busy");
      const inputs: string[] = body.input ?? ["image"];
      const data = inputs.map((text, index) => ({ index, embedding: [text.length, 1, 0] }));
      response.end(JSON.stringify({ data: data.reverse() }));
    });
    using kept = new Kept(join(folder, "kept.sqlite"));
    const endpoint = new EmbeddingEndpoint({ url: server.url, model: "e" });
    const embedder = keeping(
      endpointEmbedder(endpoint, { seesImages: true, retry: { firstDelayMs: 1 } }),
      kept,
    );
    const vectors = await embedder.texts(texts, signal);
    assert.deepEqual(
      vectors.map(([length, one]) => Math.round(length! / one!)),
      texts.map(({ length }) => length),
    );
    assert.equal((await embedder.images(await embedded(kept), signal)).length, 3);
    assert.equal(asked.length, 5);
    assert.deepEqual(await embedder.texts(texts, signal), vectors);
    assert.equal((await embedder.texts([...texts, "New?"], signal)).length, 4);
    assert.deepEqual(asked.at(-1)!.input, ["New?"]);
  });

  test("of an endpoint that answers otherwise are an error", async () => {
    await using server = await startServer((_, response) => response.end('{"data": [{"embedding": [1]}]}'));
    const endpoint = new EmbeddingEndpoint({ url: server.url, model: "e" });
    await assert.rejects(endpoint.texts(texts, signal), /1 embeddings of 3 texts/);
  });

  test("of a model's tower are those of its image alone", async () => {
    using kept = new Kept(join(folder, "tower.sqlite"));
    const name = fileURLToPath(new URL("../../../test/fixtures/llava/llama", import.meta.url));
    using pretrained = await loadPretrained(await resolveModel(name));
    const embedder = towerEmbedder(pretrained, "tiny");
    const images = await embedded(kept);
    const all = await embedder.images(images, signal);
    const [second] = await embedder.images([images[1]!], signal);
    assert.ok(cosine(all[1]!, second!) > 0.9999);
    assert.ok(cosine(all[0]!, second!) < 0.9999);
    assert.equal(all[0]!.length, pretrained.model.visionTower.hiddenSize);
  });
});
