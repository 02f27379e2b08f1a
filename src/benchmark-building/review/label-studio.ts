import { z } from "zod";
import { LlavaError } from "../../errors.ts";
import { describeIssues, parseJson, readDataFile } from "../../files/index.ts";
import type { Decision, Words } from "./decisions.ts";
import { reasons } from "./queue.ts";
import type { ReviewTask } from "./tasks.ts";

/** How Label Studio shows the tasks of `labelStudioTasks`. */
export const labelStudioConfig = `<View>
  <Image name="image" value="$image"/>
  <Choices name="decision" toName="image" choice="single" required="true">
    <Choice value="keep"/><Choice value="edit"/><Choice value="drop"/>
  </Choices>
  <Choices name="reason" toName="image" choice="single">
${reasons.map((reason) => `    <Choice value="${reason}"/>`).join("\n")}
  </Choices>
  <Header value="Question"/>
  <TextArea name="question" toName="image" value="$question" maxSubmissions="1" editable="true"/>
  <Header value="Reference answer"/>
  <TextArea name="reference" toName="image" value="$reference" rows="10" maxSubmissions="1" editable="true"/>
  <Text name="flags" value="$flags"/>
</View>
`;

/** @param prefix what an image's name follows in an address that Label Studio can fetch */
export const labelStudioTasks = (tasks: readonly ReviewTask[], prefix: string) =>
  tasks.map(({ id, image, question, reference, flags, class: name }) => ({
    data: {
      question_id: id,
      image: `${prefix}${image}`,
      question,
      reference,
      flags: [
        ...flags.map(({ kind }) => kind),
        ...(["ok", "given"].includes(name) ? [] : [`reference: ${name}`]),
      ].join(", "),
    },
    predictions: [
      {
        model_version: "llava eval build",
        result: [textResult("question", question), textResult("reference", reference)],
      },
    ],
  }));

const textResult = (from_name: string, text: string) => ({
  from_name,
  to_name: "image",
  type: "textarea",
  value: { text: [text] },
});

const result = z.object({
  from_name: z.string(),
  value: z.object({
    choices: z.array(z.string()).optional(),
    text: z.union([z.string(), z.array(z.string())]).optional(),
  }),
});
const annotation = z.object({
  completed_by: z.union([
    z.int(),
    z.string(),
    z.looseObject({ email: z.string().optional(), id: z.union([z.int(), z.string()]).optional() }),
  ]),
  was_cancelled: z.boolean().default(false),
  created_at: z.string().optional(),
  result: z.array(result),
});
const exported = z.array(
  z.object({
    data: z.object({ question_id: z.string(), question: z.string(), reference: z.string() }),
    annotations: z.array(annotation).default([]),
  }),
);

/** Decisions of what Label Studio exports as JSON; what was skipped there is none. @throws LlavaError "data" */
export async function readLabelStudio(path: string): Promise<Decision[]> {
  const hint = "Export the project as JSON, not as JSON-MIN or CSV.";
  const text = await readDataFile(path);
  let value: unknown;
  try {
    value = parseJson(text);
  } catch (cause) {
    throw new LlavaError("data", `${path}: not valid JSON: ${(cause as Error).message}`, { hint, cause });
  }
  const { success, data, error } = exported.safeParse(value);
  if (!success) throw new LlavaError("data", `${path}: ${describeIssues(error)}`, { hint });
  return data.flatMap(({ data: { question_id: id, ...before }, annotations }) =>
    annotations
      .filter((one) => !one.was_cancelled)
      .map((one) => decisionOf(id, before, one, `${path}: ${id}`)),
  );
}

function decisionOf(id: string, before: Words, one: z.infer<typeof annotation>, where: string): Decision {
  const found = new Map(one.result.map(({ from_name, value }) => [from_name, value] as const));
  const textOf = (name: keyof Words): string => {
    const text = found.get(name)?.text;
    return (typeof text === "string" ? text : text?.at(-1))?.trim() ?? before[name];
  };
  const decision = found.get("decision")?.choices?.[0];
  if (decision !== "keep" && decision !== "edit" && decision !== "drop")
    throw new LlavaError("data", `${where}: has no decision`, {
      hint: "Use the labelling configuration that was written with the tasks.",
    });
  const after = { question: textOf("question"), reference: textOf("reference") };
  const isChanged = after.question !== before.question || after.reference !== before.reference;
  const reason = found.get("reason")?.choices?.[0];
  const { completed_by: by } = one;
  const reviewer = typeof by === "object" ? (by.email ?? by.id) : by;
  return {
    id,
    reviewer: `label-studio:${reviewer}`,
    // Whoever keeps a text that they have changed has edited it.
    decision: decision === "keep" && isChanged ? "edit" : decision,
    ...(reason !== undefined && { reason }),
    before,
    ...(decision !== "drop" && (isChanged || decision === "edit") && { after }),
    at: one.created_at ?? new Date(0).toISOString(),
  };
}
