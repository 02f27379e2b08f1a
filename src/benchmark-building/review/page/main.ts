interface Words {
  question: string;
  reference: string;
}

interface Task extends Words {
  readonly id: string;
  readonly image: string;
  readonly class: string;
  readonly flags: readonly { readonly kind: string; readonly text?: string }[];
  /** This reviewer's last decision, and where all disagree what the others said. */
  own?: { readonly decision: string; readonly reason?: string; readonly after?: Words };
  readonly others: readonly string[];
}

interface Queue {
  readonly reviewer: string;
  readonly reasons: readonly string[];
  readonly tasks: Task[];
}

const part = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const [question, reference] = [part<HTMLTextAreaElement>("question"), part<HTMLTextAreaElement>("reference")];

const { reviewer, reasons, tasks } = (await (await fetch("/tasks")).json()) as Queue;
let place = Math.max(
  0,
  tasks.findIndex(({ own }) => own === undefined),
);
let mode: "look" | "edit" | "drop" = "look";
let isSaving = false;

part("reason-list").append(
  ...reasons.map((reason, at) =>
    Object.assign(document.createElement("span"), { textContent: ` ${at + 1} ${reason};` }),
  ),
);
show();

function show(): void {
  mode = "look";
  const task = tasks[place];
  const decided = tasks.filter(({ own }) => own !== undefined).length;
  part("counts").textContent = `${reviewer}: ${decided} of ${tasks.length} decided`;
  if (task === undefined) {
    part("place").textContent = "There is nothing to review.";
    return;
  }
  part("place").textContent = `${place + 1} of ${tasks.length} · ${task.id}`;
  const { own } = task;
  part("state").textContent =
    own === undefined ? "not decided" : `${own.decision}${own.reason === undefined ? "" : `: ${own.reason}`}`;
  part<HTMLImageElement>("image").src = `/images/${task.image}`;
  const words = own?.after ?? task;
  question.value = words.question;
  reference.value = words.reference;
  const warnings = task.flags.map(({ kind, text }) => (text === undefined ? kind : `${kind}: ${text}`));
  if (!["ok", "given"].includes(task.class)) warnings.push(`reference: ${task.class}`);
  list("flags", warnings);
  list("others", task.others);
  showMode();
}

function list(id: string, texts: readonly string[]): void {
  part(id).replaceChildren(
    ...texts.map((textContent) => Object.assign(document.createElement("li"), { textContent })),
  );
}

function showMode(): void {
  for (const field of [question, reference]) field.readOnly = mode !== "edit";
  part("reasons").hidden = mode !== "drop";
  part("editing").hidden = mode !== "edit";
  if (mode === "edit") reference.focus();
  else (document.activeElement as HTMLElement | null)?.blur();
}

function enter(next: typeof mode): void {
  mode = next;
  showMode();
}

async function decide(decision: "keep" | "edit" | "drop", reason?: string): Promise<void> {
  const task = tasks[place];
  // A key that is held down must not decide about the next question too.
  if (task === undefined || isSaving) return;
  isSaving = true;
  const after = { question: question.value.trim(), reference: reference.value.trim() };
  const sent = {
    ...{ id: task.id, decision, before: { question: task.question, reference: task.reference } },
    ...(reason !== undefined && { reason }),
    ...(decision === "edit" && { after }),
  };
  try {
    const response = await fetch("/decisions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(sent),
    });
    if (!response.ok) throw new Error(await response.text());
    task.own = sent;
    move(1);
  } catch (error) {
    part("state").textContent = `not saved: ${(error as Error).message}`;
  } finally {
    isSaving = false;
  }
}

function move(by: number): void {
  place = Math.min(tasks.length - 1, Math.max(0, place + by));
  show();
}

part("keep").onclick = () => void decide("keep");
part("edit").onclick = () => enter("edit");
part("drop").onclick = () => enter("drop");
part("before").onclick = () => move(-1);
part("next").onclick = () => move(1);
part<HTMLFormElement>("words").onsubmit = (event) => event.preventDefault();

document.onkeydown = (event) => {
  const { key, ctrlKey, metaKey, altKey, repeat } = event;
  if (key === "Escape" && mode !== "look") return show();
  if (mode === "edit") {
    if (key === "Enter" && (ctrlKey || metaKey)) void decide("edit");
    return;
  }
  if (ctrlKey || metaKey || altKey || repeat) return;
  if (mode === "drop") {
    const reason = reasons[Number(key) - 1];
    if (reason !== undefined) void decide("drop", reason);
    return;
  }
  const actions: Readonly<Record<string, () => void>> = {
    k: () => void decide("keep"),
    e: () => enter("edit"),
    d: () => enter("drop"),
    p: () => move(-1),
    n: () => move(1),
    ArrowLeft: () => move(-1),
    ArrowRight: () => move(1),
  };
  const action = actions[key];
  if (action === undefined) return;
  event.preventDefault();
  action();
};
