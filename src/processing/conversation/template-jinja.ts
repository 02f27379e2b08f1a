import { LlavaError } from "../../errors.ts";
import type { Message } from "../../protocol/index.ts";
import { imageMark } from "./image-marks.ts";
import { jinjaString } from "./jinja.ts";
import { promptText } from "./prompt.ts";
import { type TemplateData, type TemplateName, templateData } from "./template-data.ts";
import { namedTemplate, type PromptFormat } from "./templates.ts";

/**
 * A named template as a chat template in Jinja, for files that go with weights: transformers renders the same text by it,
 * and `statedTemplate` finds the template again. A content may be a string or a list of parts.
 */
export function jinjaOf(name: string, answerEnd?: string): string {
  const format = namedTemplate(name, answerEnd);
  const data: TemplateData = templateData[name as TemplateName];
  const texts = textsAround(format);
  const { head, afterUser, beforeAnswer, afterAnswer, beforeUser, generation } = texts;
  const ending = answerEnd === undefined ? "" : `, answers ended by ${JSON.stringify(answerEnd)}`;
  const trim = data.style === "llama-3" ? " | trim" : "";
  const placing = data.style === "plain" ? "alone" : data.tagsImages ? "tagged" : "lines";
  const received = jinjaString(`${afterUser}${beforeAnswer}Received.${afterAnswer}${beforeUser}`);
  const systemText = `said(messages[0]['content'])${trim}`;
  const lines = [
    `{#- Conversation template ${name} of LLaVA${ending} #}`,
    macros[placing].replace("RECEIVED", () => received),
    "{%- if messages and messages[0]['role'] == 'system' %}",
    head === undefined
      ? `{{- raise_exception('${name} has no place for a system message') }}`
      : `{{- ${jinjaString(head.before)} + ${systemText} + ${jinjaString(head.after)} }}`,
    "{%- set turns = messages[1:] %}",
    "{%- else %}",
    `{{- ${jinjaString(texts.start)} }}`,
    "{%- set turns = messages %}",
    "{%- endif %}",
    "{%- for message in turns %}",
    "{%- if message['role'] == 'user' %}",
    `{%- if not loop.first %}{{- ${jinjaString(beforeUser)} }}{%- endif %}`,
    `{{- user(message['content'], loop.first)${trim} + ${jinjaString(afterUser)} }}`,
    "{%- else %}",
    `{{- ${jinjaString(beforeAnswer)} + said(message['content'])${trim} + ${jinjaString(afterAnswer)} }}`,
    "{%- endif %}",
    "{%- endfor %}",
    `{%- if add_generation_prompt %}{{- ${jinjaString(generation)} }}{%- endif %}`,
  ];
  return lines.join("\n");
}

/** The named template that a chat template was written from by `jinjaOf`; undefined for any other. */
export function statedTemplate(jinja: string): PromptFormat | undefined {
  const found = /^\{#- Conversation template (\w+) of LLaVA(?:, answers ended by (".*"))? #\}/.exec(jinja);
  if (!found || !Object.hasOwn(templateData, found[1]!)) return undefined;
  try {
    const answerEnd = found[2] === undefined ? undefined : (JSON.parse(found[2]) as string);
    return jinjaOf(found[1]!, answerEnd) === jinja ? namedTemplate(found[1]!, answerEnd) : undefined;
  } catch {
    return undefined;
  }
}

interface TextsAround {
  /** Up to the first message, where no system message is given. */
  readonly start: string;
  /** Around the system message that is given; undefined where it has no place. */
  readonly head: { readonly before: string; readonly after: string } | undefined;
  readonly afterUser: string;
  readonly beforeAnswer: string;
  readonly afterAnswer: string;
  /** Before a user's message that is not the first. */
  readonly beforeUser: string;
  readonly generation: string;
}

/** What a template writes around messages, found by rendering some. */
function textsAround(format: PromptFormat): TextsAround {
  const [s, u, a] = ["\u0001", "\u0002", "\u0003"];
  const question: Message = { role: "user", content: u };
  const answer: Message = { role: "assistant", content: a };
  const render = (messages: readonly Message[], addGenerationPrompt = false) =>
    promptText(format.render(messages, { addGenerationPrompt }));
  const [start = "", afterUser = ""] = render([question]).split(u);
  const answered = render([question, answer]);
  const afterAnswer = answered.slice(answered.indexOf(a) + a.length);
  const beforeAnswer = answered.slice((start + u + afterUser).length, answered.indexOf(a));
  const again = render([question, answer, question]).slice(answered.length);
  const system = ((): TextsAround["head"] => {
    try {
      const [before = "", after = ""] = render([{ role: "system", content: s }, question])
        .slice(0, -(u + afterUser).length)
        .split(s);
      return { before, after };
    } catch (error) {
      if (error instanceof LlavaError) return undefined;
      throw error;
    }
  })();
  return {
    start,
    head: system,
    afterUser,
    beforeAnswer,
    afterAnswer,
    beforeUser: again.slice(0, again.indexOf(u)),
    generation: render([question], true).slice((start + u + afterUser).length),
  };
}

/** The text of a content, and an x for each of its images. */
const said = `{%- macro said(content) -%}
{%- if content is string -%}{{- content -}}
{%- else -%}{%- for part in content if part['type'] == 'text' -%}{{- part['text'] -}}{%- endfor -%}
{%- endif -%}
{%- endmacro -%}
{%- macro images(content) -%}
{%- if content is not string -%}{%- for part in content if part['type'] == 'image' -%}x{%- endfor -%}{%- endif -%}
{%- endmacro -%}`;

/** The content of a user's turn, its images placed as `placeImages` does, or as `tagged` does. */
const macros = {
  alone: `${said}
{%- macro user(content, first) -%}
{%- if images(content) == '' -%}{{- said(content) -}}
{%- else -%}{{- images(content) | replace('x', '${imageMark}') -}}
{%- endif -%}
{%- endmacro -%}`,
  lines: `${said}
{%- macro user(content, first) -%}
{%- if images(content) == '' -%}{{- said(content) -}}
{%- elif images(content) == 'x' -%}{{- '${imageMark}\\n' + said(content) | trim -}}
{%- else -%}
{%- for part in content -%}
{%- if part['type'] == 'text' -%}{{- part['text'] -}}
{%- else -%}
{{- '${imageMark}' -}}
{%- set next = content[loop.index] if loop.index < content | length else {'type': 'image'} -%}
{%- if next['type'] != 'text' or next['text'] == '' or next['text'][:1] | trim != '' -%}{{- '\\n' -}}{%- endif -%}
{%- endif -%}
{%- endfor -%}
{%- endif -%}
{%- endmacro -%}`,
  tagged: `${said}
{%- macro user(content, first) -%}
{%- if images(content) == '' -%}{{- said(content) -}}
{%- else -%}
{{- images(content) | replace('x', '<Image>${imageMark}</Image>') -}}
{%- if first -%}{{- RECEIVED -}}{%- else -%}{{- '\\n' -}}{%- endif -%}
{{- said(content) | trim -}}
{%- endif -%}
{%- endmacro -%}`,
} satisfies Record<string, string>;
