/** What a detailed description answers; one is drawn for each image. */
export const detailInstructions: readonly string[] = [
  "Describe this picture as fully as you can.",
  "What does the photo show? Go through everything that matters in it.",
  "Write a thorough description of the scene.",
  "Tell me all that can be seen here.",
  "Explain in detail what is going on in this image.",
  "Give a complete account of the picture, from the main subject to the background.",
  "Walk me through this photo, part by part.",
  "I cannot see this image; describe it so that I could imagine it.",
  "Put everything visible in this photo into words.",
  "What is in this scene, and where is it?",
  "Please give a long, careful description of the picture.",
  "Look closely at this image and report what you find in it.",
];

const seen = `You look at one photo. You cannot be shown it here; instead you get lines written by people who saw it`;

const boxesTold = `After the lines come things in the photo, one a line, as \`name: [left, top, right, bottom]\` with fractions of the photo's width and height from its top left corner.`;

const asIfSeen = `Write as someone who sees the photo. Never mention lines, captions, boxes, coordinates or a description, and never guess beyond what you are told.`;

/** How replies with questions are set out. */
const pairs = `Write each question and answer in this form and nothing else:
Question:
…
===
Answer:
…
===`;

export const systems = {
  conversation: (withBoxes: boolean): string => `${seen}.${withBoxes ? ` ${boxesTold}` : ""}

Write a conversation between a person who asks about the photo and an assistant who sees it. ${asIfSeen}

Ask four to six questions of different kinds: what things are there, how many, what they look like, what somebody does, where things are and how they lie to one another. Ask only what can be answered for certain: that something is in the photo, or that it is not. Make one question go a little deeper, about the background of what is shown, and answer it with care. Answers are full sentences; those to simple questions are short.

${pairs}`,
  detail: `${seen}. ${boxesTold}

Describe the photo in one or two paragraphs. ${asIfSeen} Use the boxes to tell how many things there are, where they are and how they lie to one another, in words. Write the description alone.`,
  reasoning: `${seen}. ${boxesTold}

Write one question about the photo that takes thought, and its answer. ${asIfSeen} The question asks why something is so, what may follow, what one should mind or do, and does not give away what is in the photo: who answers it has to look first. The answer reasons step by step from what is visible and from what everybody knows, in a paragraph.

${pairs}`,
};
