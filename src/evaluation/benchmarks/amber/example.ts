import { writeExampleFile } from "../example-files.ts";

const questions = [
  { id: 1005, query: "Is the sky sunny in this image?", type: "attribute-state", truth: "yes" },
  { id: 8000, query: "Are there two dogs in this image?", type: "attribute-number", truth: "no" },
  { id: 8633, query: "Is there a cloud in this image?", type: "hallucination", truth: "no" },
  {
    id: 13557,
    query: "Is there direct contact between the person and grass?",
    type: "relation",
    truth: "yes",
  },
];

const splits: Readonly<Record<string, readonly number[]>> = {
  discriminative: [1005, 8000, 8633, 13557],
  "discriminative-attribute": [1005, 8000],
  "discriminative-existence": [8633],
  "discriminative-relation": [13557],
};

export default async function writeExample(data: string): Promise<void> {
  const write = (name: string, content: unknown): Promise<void> =>
    writeExampleFile(data, `data/${name}.json`, JSON.stringify(content));
  const image = "AMBER_1.jpg";
  await write("query/query_generative", [{ id: 1, image, query: "Describe this image." }]);
  for (const [name, ids] of Object.entries(splits))
    await write(
      `query/query_${name}`,
      questions.filter(({ id }) => ids.includes(id)).map(({ id, query }) => ({ id, image, query })),
    );
  await write("annotations", [
    {
      id: 1,
      type: "generative",
      truth: ["sky", "forest", "grass", "person"],
      hallu: ["cloud", "sun", "bird", "dog", "flower"],
    },
    ...questions.map(({ id, type, truth }) => ({ id, type: `discriminative-${type}`, truth })),
  ]);
  const words = ["sky", "grass", "cloud", "sun", "bird", "dog", "flower", "car", "line", "man"];
  await write("relation", {
    ...Object.fromEntries(words.map((word) => [word, []])),
    grass: ["ground"],
    forest: ["tree", "bush"],
    person: ["people", "man", "woman"],
  });
  await writeExampleFile(data, "data/safe_words.txt", "orange\nline\n");
}
