import { join } from "node:path";
import { saveChart } from "../../charts/index.ts";
import { writeAtomically } from "../../files/index.ts";
import { type Study, studyChart } from "./study.ts";

/** study.json and, per benchmark with a score, a chart as SVG and PNG. Returns the files' paths. */
export async function writeStudy(folder: string, study: Study): Promise<string[]> {
  const files = [join(folder, "study.json")];
  writeAtomically(files[0]!, [`${JSON.stringify(study, null, 2)}\n`], { code: "data", makesFolder: true });
  for (const relation of study.relations) {
    if (relation.points.length === 0) continue;
    const name = join(folder, relation.benchmark.replace(/[^\p{L}\p{N}_-]/gu, "-"));
    await saveChart(`${name}.svg`, studyChart(relation, study.language));
    await saveChart(`${name}.png`, studyChart(relation, study.language, "light"));
    files.push(`${name}.svg`, `${name}.png`);
  }
  return files;
}
