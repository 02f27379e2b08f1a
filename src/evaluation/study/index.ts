export { readStudyModels, type StudyModel } from "./models.ts";
export { publishedModels, studiedBenchmarks } from "./published.ts";
export { type Study, type StudyRelation, studyChart, studyLanguage, titleOf } from "./study.ts";
export { writeStudy } from "./write-study.ts";
