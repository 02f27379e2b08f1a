import { loadModel } from "llava";

using model = await loadModel();
for await (const part of model.chat("What is in this photo?", { images: ["examples/soccer.jpg"] })) {
  if (part.type === "text-delta") process.stdout.write(part.text);
}
