import { writeExampleFile } from "../example-files.ts";

export default async function writeExample(data: string): Promise<void> {
  const write = (name: string, content: unknown): Promise<void> =>
    writeExampleFile(data, name, typeof content === "string" ? content : JSON.stringify(content));
  const annotations = [
    { image_id: 139, caption: "A dog runs." },
    { image_id: 139, caption: "A brown dog." },
  ];
  await write("annotations/captions_val2017.json", {
    images: [{ id: 139, file_name: "000000000139.jpg" }],
    annotations,
  });
  await write("annotations/captions_val2014.json", {
    images: [{ id: 139, file_name: "COCO_val2014_000000000139.jpg" }],
    annotations,
  });
  await write("annotations/image_info_test2014.json", {
    images: [{ id: 7, file_name: "COCO_test2014_000000000007.jpg" }],
  });
  const karpathy = (split: string, place: object) => ({
    ...place,
    split,
    sentences: [{ raw: "A dog runs." }, { raw: "A brown dog." }],
  });
  const coco = { filepath: "val2014", filename: "COCO_val2014_000000000139.jpg", cocoid: 139 };
  await write("dataset_coco.json", {
    images: ["test", "val", "restval"].map((split) => karpathy(split, coco)),
  });
  const flickr = { filename: "1000092795.jpg" };
  await write("dataset_flickr30k.json", {
    images: ["test", "val", "train"].map((split) => karpathy(split, flickr)),
  });
  const row = { image_id: "0a1b", caption_str: "A sign.", reference_strs: ["A sign.", "A stop sign."] };
  await write("TextCaps_0.1_val.json", { data: [row, row] });
  await write("TextCaps_0.1_test.json", { data: [{ image_id: "2c3d" }] });
  await write(
    "Flickr8k.token.txt",
    "one.jpg#0\tA dog runs .\none.jpg#1\tA brown dog .\ntwo.jpg#0\tA cat .\n",
  );
  await write("Flickr_8k.testImages.txt", "one.jpg\n");
  await write("Flickr_8k.devImages.txt", "two.jpg\n");
}
