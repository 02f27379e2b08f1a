import { writeExampleFile } from "../example-files.ts";

const categories = [
  { id: 1, name: "person", supercategory: "person" },
  { id: 18, name: "dog", supercategory: "animal" },
  { id: 34, name: "frisbee", supercategory: "sports" },
];

/** Three images: a dog with a frisbee, a person whom only a caption names, and one that is not asked about. */
export default async function writeExample(data: string): Promise<void> {
  for (const split of ["val2014", "val2017"]) {
    const write = (name: string, content: unknown): Promise<void> =>
      writeExampleFile(data, `annotations/${name}_${split}.json`, JSON.stringify(content));
    const images = [1, 2, 3].map((id) => ({ id, file_name: `COCO_${split}_00000000000${id}.jpg` }));
    await write("instances", {
      images,
      annotations: [
        { id: 1, image_id: 1, category_id: 18, segmentation: [[1, 2, 3, 4]], bbox: [0, 0, 1, 1] },
        { id: 2, image_id: 1, category_id: 34 },
        { id: 3, image_id: 1, category_id: 18 },
        { id: 4, image_id: 2, category_id: 18 },
      ],
      categories,
    });
    await write("captions", {
      images,
      annotations: [
        { id: 1, image_id: 1, caption: "A dog catches a disc." },
        { id: 2, image_id: 2, caption: "A woman walks her puppy." },
      ],
    });
  }
  await writeExampleFile(data, "chair-images.txt", "1\n2\n");
}
