import { LlavaError } from "../../errors.ts";

/** A row of a file of predictions: fields by name. */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields that whoever scores has named. */
export interface NamedFields {
  /** The field that holds what the model said. */
  readonly answer?: string | undefined;
  /** The field that holds the question's id. */
  readonly id?: string | undefined;
}

/** What a shape is decided by besides the names of the fields. */
export interface ShapeOptions extends NamedFields {
  /** See `Benchmark.answerField`. */
  readonly usual?: string | undefined;
}

/** Where a row has its question's id, and where the answer. */
export interface RowShape {
  /** undefined where the row has none and its place or key names the question. */
  readonly id: string | undefined;
  readonly answer: string;
}

/** Names of a question's id, the surer first. */
export const idNames = "question_id questionId id index qid pid image_id".split(" ");

/** Names of what a model said and of nothing else, without marks and capitals. */
const predictionNames = new Set(
  "prediction pred predicted predict predictedanswer predanswer answerpred answerprediction predtext predictiontext modelprediction modelpred response modelresponse rawresponse llmresponse answerresponse output modeloutput rawoutput outputtext llmoutput modelanswer llmanswer modelreply generated generatedtext generatedanswer generation completion reply hypothesis candidate filteredresps resps".split(
    " ",
  ),
);

/** What these hold is the model's answer in some files, and the right answer or the question in others. */
const doubtfulNames = new Set(["answer", "text"]);

/** What stands beside an answer without being able to be one: whoever wrote these wrote the model's answer too. */
const producerNames = new Set(["answer_id", "model_id", "model", "metadata", "error", "key", "served"]);

/** What a file of LLaVA's or a run's store has besides, where a producer is named. */
const companionNames = new Set(
  "prompt question image category round_id reason usage sampling rest attempts status".split(" "),
);

const plain = (name: string): string => name.toLowerCase().replace(/[^a-z0-9]/g, "");
const isPrediction = (name: string): boolean => predictionNames.has(plain(name));
const isObject = (value: unknown): boolean =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Decides by the names of a row's fields which of them is the model's answer. A name that also stands for the right
 * answer or for the question is taken only where nothing else in the row could be the answer; nothing is taken where
 * two fields could. VLMEvalKit's tables (index and prediction beside the columns of the question) hold the right answer as `answer`.
 * @throws LlavaError "data" naming the fields that remain and the option that decides
 */
function shapeOf(row: Fields, where: string, named: ShapeOptions = {}): RowShape {
  const names = Object.keys(row);
  const id = named.id ?? idNames.find((name) => isId(row[name]));
  if (named.id !== undefined && !names.includes(named.id)) throw lacks(where, named.id, names);
  if (named.answer !== undefined) {
    if (!names.includes(named.answer)) throw lacks(where, named.answer, names);
    return { id, answer: named.answer };
  }
  const open = names.filter((name) => name !== id && !isObject(row[name]));
  const sure = open.filter(isPrediction);
  const doubtful = open.filter((name) => doubtfulNames.has(name));
  if (id === "image_id" && sure.length + doubtful.length === 0 && open.includes("caption"))
    return { id, answer: "caption" };
  const isTable = sure.length === 1 && sure[0] === "prediction" && isId(row["index"]);
  if (isTable) return { id, answer: "prediction" };
  if (named.usual !== undefined && sure.length === 1 && sure[0] === named.usual && !open.includes("text"))
    return { id, answer: named.usual };
  if (sure.length + doubtful.length > 1) throw undecided(where, [...sure, ...doubtful]);
  const [only] = [...sure, ...doubtful];
  if (only === undefined)
    throw unknown(
      where,
      names,
      open.filter((name) => !isContext(name)),
    );
  if (sure.length === 0) {
    const others = open.filter((name) => name !== only && !isHarmless(name, only, names));
    if (others.length > 0) throw undecided(where, [only, ...others]);
  }
  return { id, answer: only };
}

/** Whether a field beside `answer` or `text` leaves no doubt that these are the model's. */
function isHarmless(name: string, answer: string, names: readonly string[]): boolean {
  if (producerNames.has(name) || idNames.includes(name)) return true;
  if (names.some((other) => producerNames.has(other) && other !== "metadata" && other !== "error"))
    return companionNames.has(name);
  // LLaVA's rows have their prompt beside the text; its questions have an image.
  return answer === "text"
    ? name === "prompt"
    : name === "image" && !names.some((one) => idNames.includes(one));
}

const contextNames = new Set([
  ...producerNames,
  ...companionNames,
  ..."split hint type label target truth gt gt_answer ground_truth options choices".split(" "),
]);
const isContext = (name: string): boolean => contextNames.has(name) || idNames.includes(name);

export const isId = (value: unknown): value is string | number | bigint =>
  typeof value === "string" || typeof value === "number" || typeof value === "bigint";

const list = (names: readonly string[]): string => names.map((name) => `"${name}"`).join(", ");

const undecided = (where: string, names: readonly string[]): LlavaError =>
  new LlavaError("data", `${where}: cannot tell which field is the model's answer: ${list(names)}`, {
    hint: `Name it: ${names.map((name) => `--answer-field ${name}`).join(" or ")}; the others may be the question or the right answer.`,
  });

const unknown = (where: string, names: readonly string[], open: readonly string[]): LlavaError =>
  open.length === 0
    ? new LlavaError("data", `${where}: has no text`, {
        hint: `A row of predictions reads {"question_id": …, "text": "…"}; this one's fields are ${list(names)}.`,
      })
    : new LlavaError("data", `${where}: none of its fields is known to hold answers: ${list(names)}`, {
        hint: `Name the one that does: --answer-field ${open[0]}.`,
      });

const lacks = (where: string, name: string, names: readonly string[]): LlavaError =>
  new LlavaError("data", `${where}: has no field "${name}"; its fields are ${list(names)}`, {
    hint: "Check the field's name and that all files are of one layout.",
  });

/** Shapes of a file's rows, which must all have their answer in one field. */
export class RowShapes {
  readonly #named: ShapeOptions;
  readonly #known = new Map<string, RowShape>();
  #first: { readonly answer: string; readonly where: string } | undefined;

  constructor(named: ShapeOptions = {}) {
    this.#named = named;
  }

  /** @throws LlavaError "data" as `shapeOf`, and for a row whose answer is in another field than those before it */
  of(row: Fields, where: string): RowShape {
    let signature = "";
    for (const name in row) signature += isObject(row[name]) ? `${name}{}\n` : `${name}\n`;
    const known = this.#known.get(signature);
    if (known !== undefined) return known;
    const shape = shapeOf(row, where, this.#named);
    this.#first ??= { answer: shape.answer, where };
    if (this.#first.answer !== shape.answer)
      throw new LlavaError(
        "data",
        `${where}: its answer is in "${shape.answer}", that of ${this.#first.where} in "${this.#first.answer}"`,
        { hint: `Name the field: --answer-field ${shape.answer} or --answer-field ${this.#first.answer}.` },
      );
    this.#known.set(signature, shape);
    return shape;
  }
}
