import { z } from "zod";
import type { VideoFile } from "../../../protocol/index.ts";
import { findFile, readDocument, videoFiles } from "../../dataset-files/index.ts";

const mapSchema = z.record(z.string(), z.string());

/** Videos by their id, in the folders that NExT-QA's map_vid_vidorID.json names, if it is there. */
export async function nextQaVideos(
  data: string,
  folders: readonly string[] = ["NExTVideo", "videos"],
): Promise<(video: string) => VideoFile> {
  const name = "map_vid_vidorID.json";
  const path = findFile(data, [name, `dataset/nextqa/${name}`]);
  const places = path === undefined ? {} : await readDocument(path, mapSchema);
  const videoOf = videoFiles(data, folders);
  return (video) => videoOf(places[video] ?? video);
}
