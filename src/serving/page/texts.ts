const english = {
  ask: "Ask about pictures or videos",
  attach: "Add pictures or a video",
  cannotRead: (name: string) => `${name} is neither a picture nor a video that this browser can read.`,
  compare: "Compare with",
  connect: "Enter the server's key",
  conversations: "Conversations",
  copied: "Copied",
  copy: "Copy",
  deleteConversation: "Delete",
  edit: "Edit",
  frames: (count: number) => `${count} frames`,
  key: "Key",
  language: "Language",
  left: (tokens: number) => `room for ${tokens} more`,
  length: "The answer reached its length limit.",
  maxTokens: "Longest answer",
  model: "Model",
  none: "None",
  open: "Open",
  regenerate: "Regenerate",
  remove: (name: string) => `Remove ${name}`,
  send: "Send",
  settings: "Settings",
  start: "New conversation",
  stop: "Stop",
  stopped: "Stopped.",
  system: "System message",
  temperature: "Temperature",
  tiles: (columns: number, rows: number, tokens: number) =>
    columns * rows > 1 ? `${columns} × ${rows} tiles and the whole, ${tokens} tokens` : `${tokens} tokens`,
  tokens: (all: number, images: number) => `${all} tokens, ${images} of them from images`,
  untitled: "Untitled",
  you: "You",
};

export type Texts = typeof english;

const chinese: Texts = {
  ask: "就图片或视频提问",
  attach: "添加图片或视频",
  cannotRead: (name) => `${name} 不是此浏览器能读取的图片或视频。`,
  compare: "对比模型",
  connect: "请输入服务器密钥",
  conversations: "会话",
  copied: "已复制",
  copy: "复制",
  deleteConversation: "删除",
  edit: "编辑",
  frames: (count) => `${count} 帧`,
  key: "密钥",
  language: "语言",
  left: (tokens) => `还可容纳 ${tokens}`,
  length: "回答已达到长度上限。",
  maxTokens: "最长回答",
  model: "模型",
  none: "无",
  open: "打开",
  regenerate: "重新生成",
  remove: (name) => `移除 ${name}`,
  send: "发送",
  settings: "设置",
  start: "新会话",
  stop: "停止",
  stopped: "已停止。",
  system: "系统消息",
  temperature: "温度",
  tiles: (columns, rows, tokens) =>
    columns * rows > 1 ? `${columns} × ${rows} 块与整图,${tokens} 个词元` : `${tokens} 个词元`,
  tokens: (all, images) => `${all} 个词元,其中图像 ${images} 个`,
  untitled: "未命名",
  you: "你",
};

export const languages = { en: "English", zh: "中文" } as const;
export type Language = keyof typeof languages;

const KEY = "language";

/** The language that was chosen, else the browser's where there are texts in it. */
export function chosenLanguage(): Language {
  const language = localStorage.getItem(KEY) ?? navigator.language.slice(0, 2);
  return language === "zh" ? "zh" : "en";
}

export const chooseLanguage = (language: Language): void => localStorage.setItem(KEY, language);

export const texts: Texts = chosenLanguage() === "zh" ? chinese : english;
